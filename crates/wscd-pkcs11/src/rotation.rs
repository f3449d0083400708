//! Rotation of the root, step by step in one token. `set` takes the steps, in the
//! same order in every token.

use std::sync::PoisonError;

use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use wscd::{DeviceError, Generation, RootState};

use crate::error::{Fault, during};
use crate::objects::{Kind, create_root, find_roots};
use crate::pool::Live;
use crate::roots::order;
use crate::wrapping::{unwrap, wrap};

/// The roots in force, as the token says now.
pub(crate) fn state(live: &Live<'_>) -> Result<RootState, Fault> {
    Ok(live.login.fresh_roots(live.session)?.state)
}

/// How many roots of a generation the token holds, in force or not.
pub(crate) fn count(live: &Live<'_>, generation: Generation) -> Result<usize, Fault> {
    count_in(live.session, generation)
}

/// Makes the root of a generation, unless it is there: a crash may have left it
/// behind, made and not yet in force.
pub(crate) fn make(live: &Live<'_>, generation: Generation) -> Result<(), Fault> {
    let _changes = lock(live);
    if count_in(live.session, generation)? == 0 {
        let root = create_root(live.session, generation)?;
        if count_in(live.session, generation)? != 1 {
            // Another process makes one too: neither is in force, both ask again.
            let _ = live.session.destroy_object(root);
            return Err(DeviceError::Busy { retry_after: None }.into());
        }
    }
    Ok(())
}

/// Says which roots are in force, unless the token says that already, or more.
pub(crate) fn say(live: &Live<'_>, state: RootState) -> Result<(), Fault> {
    let _changes = lock(live);
    let held = live.login.fresh_roots(live.session)?.reload(live.session)?;
    if order(&held.state) < order(&state) {
        let roots = held.write(live.session, state)?;
        live.login.set_roots(roots);
    }
    Ok(())
}

/// Destroys every root before `current`, and then says so: a crash in between
/// leaves a register that names a root which is gone.
pub(crate) fn finish(live: &Live<'_>, current: Generation) -> Result<(), Fault> {
    let _changes = lock(live);
    if count_in(live.session, current)? != 1 {
        return Err(DeviceError::Failed {
            what: "finish a rotation",
            cause: format!("the root of generation {current} is not there yet"),
        }
        .into());
    }
    let held = live.login.fresh_roots(live.session)?.reload(live.session)?;
    for (generation, root) in find_roots(live.session)? {
        if generation < current {
            live.session
                .destroy_object(root)
                .map_err(during("destroy a root"))?;
        }
    }
    if find_roots(live.session)?
        .iter()
        .any(|(generation, _)| *generation < current)
    {
        return Err(DeviceError::Failed {
            what: "destroy a root",
            cause: "it is still there".to_owned(),
        }
        .into());
    }
    let state = RootState {
        current,
        retiring: None,
    };
    let roots = held.write(live.session, state)?;
    live.login.set_roots(roots);
    Ok(())
}

/// Destroys roots of a generation that is not in force.
pub(crate) fn clear(live: &Live<'_>, generation: Generation) -> Result<(), Fault> {
    let _changes = lock(live);
    let held = live.login.fresh_roots(live.session)?.state;
    if generation <= held.current {
        return Err(DeviceError::Failed {
            what: "begin a rotation",
            cause: format!(
                "the root of generation {generation} is in force here and not everywhere"
            ),
        }
        .into());
    }
    for (found, root) in find_roots(live.session)? {
        if found == generation {
            live.session
                .destroy_object(root)
                .map_err(during("clear a root away"))?;
        }
    }
    Ok(())
}

/// Something that only the holder of a root can unwrap.
pub(crate) fn challenge(live: &Live<'_>, generation: Generation) -> Result<Vec<u8>, Fault> {
    let root = root(live, generation)?;
    let key = Kind::Wrapping.to_be_wrapped(live.session)?;
    wrap(live.session, live.login.profile.wrapping, root, key.handle)
}

/// Unwraps what another token wrapped with the same root.
pub(crate) fn answer(live: &Live<'_>, generation: Generation, wrapped: &[u8]) -> Result<(), Fault> {
    let root = root(live, generation)?;
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
    ];
    let scheme = live.login.profile.wrapping;
    unwrap(live.session, scheme, root, wrapped, &template).map(drop)
}

fn root(live: &Live<'_>, generation: Generation) -> Result<ObjectHandle, Fault> {
    let found = find_roots(live.session)?;
    found
        .iter()
        .find(|(held, _)| *held == generation)
        .map(|(_, root)| *root)
        .ok_or_else(|| {
            DeviceError::NotFound {
                what: "root",
                name: generation.to_string(),
            }
            .into()
        })
}

fn count_in(session: &Session, generation: Generation) -> Result<usize, Fault> {
    let roots = find_roots(session)?;
    Ok(roots.iter().filter(|(held, _)| *held == generation).count())
}

fn lock<'a>(live: &Live<'a>) -> std::sync::MutexGuard<'a, ()> {
    live.link
        .changes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}
