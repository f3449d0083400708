//! The service's own keys: key pairs that are token objects, found by label.

use std::sync::PoisonError;

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use jose::{Curve, PublicKey};
use wscd::{DeviceError, KeyName, KeyUse};

use crate::ec;
use crate::error::{Broken, Fault, during};
use crate::login::NamedKey;
use crate::objects::{Origin, find_all, find_one, fixed, named_label};
use crate::pool::Live;
use crate::wrapping::random;

fn check_use(key: &NamedKey, name: &KeyName, asked: KeyUse) -> Result<(), DeviceError> {
    if key.usage == asked {
        return Ok(());
    }
    Err(DeviceError::WrongUse {
        name: name.to_string(),
        is: key.usage,
        asked,
    })
}

/// Looks for a named key: `None` where there is none. Another curve or use than
/// asked is refused.
pub(crate) fn look(
    live: &Live<'_>,
    name: &KeyName,
    curve: Curve,
    usage: KeyUse,
) -> Result<Option<PublicKey>, Fault> {
    let Some(key) = find(live, name)? else {
        return Ok(None);
    };
    check_use(&key, name, usage)?;
    if key.public.curve() != curve {
        return Err(DeviceError::WrongCurve {
            what: "the named key",
            expected: key.public.curve(),
            got: curve,
        }
        .into());
    }
    Ok(Some(key.public))
}

/// Opens a named key or makes it in the token.
pub(crate) fn open_or_make(
    live: &Live<'_>,
    name: &KeyName,
    curve: Curve,
    usage: KeyUse,
) -> Result<PublicKey, Fault> {
    let _changes = live
        .link
        .changes
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(public) = look(live, name, curve, usage)? {
        return Ok(public);
    }
    let mut id = [0; 16];
    random(live.session, &mut id)?;
    let mut public = vec![
        Attribute::Private(false),
        Attribute::EcParams(ec::params(curve).to_vec()),
    ];
    public.extend(public_template(name, usage, &id));
    let mut private = vec![Attribute::Sensitive(true), Attribute::Extractable(false)];
    private.extend(private_template(name, usage, &id));
    private.extend(fixed());
    let make = || {
        live.session
            .generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private)
    };
    // Once in a long while SoftHSM refuses what it takes the next time, where another
    // thread looks at its objects meanwhile. Nothing was made then.
    let made = match make() {
        Err(Error::Pkcs11(RvError::TemplateInconsistent, _)) => make(),
        made => made,
    };
    let (public, private) = made.map_err(during("make a named key"))?;
    // Two processes that made it at once: neither key is used, and both ask again.
    match find(live, name) {
        Ok(Some(key)) => Ok(key.public),
        other => {
            for object in [private, public] {
                let _ = live.session.destroy_object(object);
            }
            other.and(Err(DeviceError::Busy { retry_after: None }.into()))
        }
    }
}

/// What a named key's public part is, but for its point.
pub(crate) fn public_template(name: &KeyName, usage: KeyUse, id: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Verify(usage == KeyUse::Sign),
        Attribute::Label(named_label(name).into_bytes()),
        Attribute::Id(id.to_vec()),
    ]
}

/// What a named key's private part may do.
pub(crate) fn private_template(name: &KeyName, usage: KeyUse, id: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sign(usage == KeyUse::Sign),
        Attribute::Derive(usage == KeyUse::Agree),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
        Attribute::Label(named_label(name).into_bytes()),
        Attribute::Id(id.to_vec()),
    ]
}

/// A named key for a use.
pub(crate) fn get(live: &Live<'_>, name: &KeyName, asked: KeyUse) -> Result<NamedKey, Fault> {
    let held = held(live).get(name).cloned();
    let key = match held {
        Some(key) => key,
        None => find(live, name)?.ok_or_else(|| DeviceError::NotFound {
            what: "key",
            name: name.to_string(),
        })?,
    };
    check_use(&key, name, asked)?;
    Ok(key)
}

pub(crate) fn destroy(live: &Live<'_>, name: &KeyName) -> Result<(), Fault> {
    let _changes = live
        .link
        .changes
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let label = named_label(name);
    held(live).remove(name);
    // The private key first: what is left of a crash is no key.
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        for object in find_all(live.session, class, &label, None)? {
            live.session
                .destroy_object(object)
                .map_err(during("destroy a named key"))?;
        }
    }
    live.is_absent::<()>().map(|_| ())
}

/// Asks the token, whatever is held: another process may have changed it.
fn find(live: &Live<'_>, name: &KeyName) -> Result<Option<NamedKey>, Fault> {
    let label = named_label(name);
    let failed = |cause: &str| DeviceError::Failed {
        what: "open a named key",
        cause: cause.to_owned(),
    };
    let Some(private) = find_one(live.session, ObjectClass::PRIVATE_KEY, &label)? else {
        held(live).remove(name);
        return live.is_absent();
    };
    let found = live
        .session
        .get_attributes(
            private,
            &[
                AttributeType::Id,
                AttributeType::Sign,
                AttributeType::Derive,
                AttributeType::Sensitive,
                AttributeType::Extractable,
                AttributeType::NeverExtractable,
            ],
        )
        .map_err(during("open a named key"))?;
    let is = |attribute| found.contains(&attribute);
    if !is(Attribute::Sensitive(true))
        || !is(Attribute::Extractable(false))
        || !(is(Attribute::NeverExtractable(true)) || live.login.origin == Origin::Replicated)
    {
        return Err(failed("it could leave the token, or once could").into());
    }
    let usage = match (is(Attribute::Sign(true)), is(Attribute::Derive(true))) {
        (true, false) => KeyUse::Sign,
        (false, true) => KeyUse::Agree,
        _ => return Err(failed("it is for more than one use, or for none").into()),
    };
    // By the pair's own number: what a crash left of an earlier pair of that name
    // is not taken for its public key.
    let id = found
        .iter()
        .find(|attribute| matches!(attribute, Attribute::Id(_)))
        .ok_or_else(|| failed("it has no number"))?;
    let public = find_all(live.session, ObjectClass::PUBLIC_KEY, &label, Some(id))?
        .first()
        .copied()
        .ok_or_else(|| {
            let cause = "its public key is gone".to_owned();
            Fault::Broken(Broken::torn("open a named key", cause))
        })?;
    let curve =
        ec::curve_of(live.session, public)?.ok_or_else(|| failed("its curve is unknown"))?;
    let key = NamedKey {
        public: ec::public_key(live.session, public, curve)?,
        private,
        usage,
    };
    held(live).insert(name.clone(), key.clone());
    Ok(Some(key))
}

fn held<'a>(
    live: &Live<'a>,
) -> std::sync::MutexGuard<'a, std::collections::HashMap<KeyName, NamedKey>> {
    live.login
        .named
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}
