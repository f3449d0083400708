//! The service's own keys: key pairs that are token objects, found by label.

use std::sync::PoisonError;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use jose::{Curve, PublicKey};
use wscd::{DeviceError, KeyName, KeyUse};

use crate::ec;
use crate::error::{Fault, during};
use crate::objects::{find_one, named_label};
use crate::pool::Live;

/// A named key, found.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) public: PublicKey,
    pub(crate) private: ObjectHandle,
    usage: KeyUse,
}

impl Named {
    fn check_use(&self, name: &KeyName, asked: KeyUse) -> Result<(), DeviceError> {
        if self.usage == asked {
            return Ok(());
        }
        Err(DeviceError::WrongUse {
            name: name.to_string(),
            is: self.usage,
            asked,
        })
    }
}

/// Opens a named key or makes it.
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
    if let Some(key) = find(live, name)? {
        key.check_use(name, usage)?;
        if key.public.curve() != curve {
            return Err(DeviceError::WrongCurve {
                what: "the named key",
                expected: key.public.curve(),
                got: curve,
            }
            .into());
        }
        return Ok(key.public);
    }
    let label = named_label(name).into_bytes();
    let (public, private) = live
        .session
        .generate_key_pair(
            &Mechanism::EccKeyPairGen,
            &[
                Attribute::Token(true),
                Attribute::Private(false),
                Attribute::Verify(usage == KeyUse::Sign),
                Attribute::EcParams(ec::params(curve).to_vec()),
                Attribute::Label(label.clone()),
            ],
            &[
                Attribute::Token(true),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Sign(usage == KeyUse::Sign),
                Attribute::Derive(usage == KeyUse::Agree),
                Attribute::Decrypt(false),
                Attribute::Unwrap(false),
                Attribute::Label(label),
            ],
        )
        .map_err(during("make a named key"))?;
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

/// A named key for a use.
pub(crate) fn get(live: &Live<'_>, name: &KeyName, asked: KeyUse) -> Result<Named, Fault> {
    let held = held(live).get(name).cloned();
    let key = match held {
        Some(key) => key,
        None => find(live, name)?.ok_or_else(|| DeviceError::NotFound {
            what: "key",
            name: name.to_string(),
        })?,
    };
    key.check_use(name, asked)?;
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
        if let Some(object) = find_one(live.session, class, &label)? {
            live.session
                .destroy_object(object)
                .map_err(during("destroy a named key"))?;
        }
    }
    Ok(())
}

/// Asks the token, whatever is held: another process may have changed it.
fn find(live: &Live<'_>, name: &KeyName) -> Result<Option<Named>, Fault> {
    let label = named_label(name);
    let failed = |cause: &str| DeviceError::Failed {
        what: "open a named key",
        cause: cause.to_owned(),
    };
    let private = find_one(live.session, ObjectClass::PRIVATE_KEY, &label)?;
    let public = find_one(live.session, ObjectClass::PUBLIC_KEY, &label)?;
    let (private, public) = match (private, public) {
        (Some(private), Some(public)) => (private, public),
        (Some(_), None) => return Err(failed("its public key is gone").into()),
        (None, public) => {
            held(live).remove(name);
            if let Some(public) = public {
                live.session
                    .destroy_object(public)
                    .map_err(during("clear a destroyed key away"))?;
            }
            return Ok(None);
        }
    };
    let found = live
        .session
        .get_attributes(
            private,
            &[
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
        || !is(Attribute::NeverExtractable(true))
    {
        return Err(failed("it could leave the token, or once could").into());
    }
    let usage = match (is(Attribute::Sign(true)), is(Attribute::Derive(true))) {
        (true, false) => KeyUse::Sign,
        (false, true) => KeyUse::Agree,
        _ => return Err(failed("it is for more than one use, or for none").into()),
    };
    let curve = ec::curve_of(live.session, public)?.ok_or_else(|| failed("its curve is unknown"))?;
    let key = Named {
        public: ec::public_key(live.session, public, curve)?,
        private,
        usage,
    };
    held(live).insert(name.clone(), key.clone());
    Ok(Some(key))
}

fn held<'a>(
    live: &Live<'a>,
) -> std::sync::MutexGuard<'a, std::collections::HashMap<KeyName, Named>> {
    live.login
        .named
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}
