//! Rotation of the root.

use std::sync::PoisonError;

use cryptoki::session::Session;
use wscd::{DeviceError, Generation, RootState};

use crate::error::{Fault, during};
use crate::objects::{create_root, find_roots};
use crate::pool::Live;

/// Makes the next root, unless a rotation is under way.
pub(crate) fn begin(live: &Live<'_>) -> Result<RootState, Fault> {
    let _changes = live
        .link
        .changes
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let held = live.login.fresh_roots(live.session)?;
    if held.state.retiring.is_some() {
        return Ok(held.state);
    }
    let current = held.state.current;
    let next = current
        .0
        .checked_add(1)
        .map(Generation)
        .ok_or(DeviceError::Exhausted { what: "generation" })?;
    // A crash may have left the next root behind, made and not yet in force.
    if count(live.session, next)? == 0 {
        let root = create_root(live.session, next)?;
        if count(live.session, next)? != 1 {
            // Another process makes one too: neither is in force, both ask again.
            let _ = live.session.destroy_object(root);
            return Err(DeviceError::Busy { retry_after: None }.into());
        }
    }
    let state = RootState {
        current: next,
        retiring: Some(current),
    };
    let roots = held.write(live.session, state)?;
    live.login.set_roots(roots.clone());
    Ok(roots.state)
}

/// Destroys the root being retired, and then says so: a crash in between leaves
/// a register that names a root which is gone.
pub(crate) fn finish(live: &Live<'_>) -> Result<Generation, Fault> {
    let _changes = live
        .link
        .changes
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let held = live.login.fresh_roots(live.session)?.reload(live.session)?;
    for (generation, root) in find_roots(live.session)? {
        if generation < held.state.current {
            live.session
                .destroy_object(root)
                .map_err(during("destroy a root"))?;
        }
    }
    if find_roots(live.session)?
        .iter()
        .any(|(generation, _)| *generation < held.state.current)
    {
        return Err(DeviceError::Failed {
            what: "destroy a root",
            cause: "it is still there".to_owned(),
        }
        .into());
    }
    let state = RootState {
        current: held.state.current,
        retiring: None,
    };
    let roots = held.write(live.session, state)?;
    live.login.set_roots(roots);
    Ok(state.current)
}

fn count(session: &Session, generation: Generation) -> Result<usize, Fault> {
    let roots = find_roots(session)?;
    Ok(roots.iter().filter(|(held, _)| *held == generation).count())
}
