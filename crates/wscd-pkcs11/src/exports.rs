//! What the conformance kit asks: every way out for a key that is open in the
//! token as this backend opens it, tried.

use cryptoki::error::Error;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use wscd::{ExportAttempt, UserKey};

use crate::error::{Fault, describe, during};
use crate::objects::{Origin, Temp};
use crate::pool::Live;
use crate::profile::Wrapping;
use crate::wrap::{Purpose, UnitKey, open_user_key};
use crate::wrapping::gcm;

pub(crate) fn attempt(
    live: &Live<'_>,
    unit_key: &UnitKey,
    key: &UserKey,
) -> Result<Vec<ExportAttempt>, Fault> {
    let opener = unit_key.unwrap(live, Purpose::Unwrap)?;
    let wrapper = unit_key.unwrap(live, Purpose::Wrap)?;
    let attacker = attackers_key(live)?;
    let root = live.login.fresh_roots(live.session)?;
    let root = root
        .key(unit_key.head.generation)
        .ok_or(wscd::DeviceError::WrongGeneration {
            generation: unit_key.head.generation,
            root: root.state,
        })?;
    let mut tried = Vec::new();
    for purpose in [Purpose::Sign, Purpose::Derive] {
        let open = open_user_key(live, unit_key, opener.handle, key, purpose)?;
        let who = match purpose {
            Purpose::Sign => "a signing key",
            _ => "an agreement key",
        };
        let wrappers = [
            ("an attacker's key", attacker.handle),
            ("its unit's key", wrapper.handle),
        ];
        attack(live, &mut tried, who, open.handle, &wrappers);
    }
    let wrappers = [("an attacker's key", attacker.handle)];
    attack(live, &mut tried, "the unit's key", opener.handle, &wrappers);
    attack(live, &mut tried, "the root", root, &wrappers);
    // A unit's key, while it is open, is in reach of whoever could as well have unwrapped
    // it with attributes of their own: what the token's PIN guards. The root is not;
    // but one that our own ceremony carried to a test token may be (decision 0031).
    if live.login.origin == Origin::Token {
        loosen_use(live, &mut tried, "the root", root);
    }
    // A key that wraps must not decrypt what it wrapped.
    for (what, handle) in [
        ("the unit's key", opener.handle),
        ("the unit's key", wrapper.handle),
        ("the root", root),
    ] {
        let answer = live
            .session
            .decrypt(&Mechanism::AesCbc([0; 16]), handle, &[0; 32]);
        note(
            &mut tried,
            format!("C_Decrypt with {what}"),
            answer.map(|_| true),
        );
    }
    Ok(tried)
}

fn attack(
    live: &Live<'_>,
    tried: &mut Vec<ExportAttempt>,
    who: &str,
    key: ObjectHandle,
    wrappers: &[(&str, ObjectHandle)],
) {
    read(live, tried, who, key);
    for (name, wrapper) in wrappers {
        wrap(live, tried, &format!("{who} by {name}"), *wrapper, key);
    }
    for (what, attribute) in [
        ("CKA_SENSITIVE false", Attribute::Sensitive(false)),
        ("CKA_EXTRACTABLE true", Attribute::Extractable(true)),
    ] {
        let answer = live
            .session
            .update_attributes(key, std::slice::from_ref(&attribute));
        note(
            tried,
            format!("C_SetAttributeValue of {what} on {who}"),
            answer.map(|()| true),
        );
        let copy = live
            .session
            .copy_object(key, &[Attribute::Token(false), attribute]);
        let copied = copy.map(|copy| {
            let copy = Temp::new(live.session, copy);
            let who = format!("a copy of {who} with {what}");
            // A copy that was loosened in vain has let nothing out.
            let before = tried.len();
            read(live, tried, &who, copy.handle);
            for (name, wrapper) in wrappers {
                wrap(
                    live,
                    tried,
                    &format!("{who} by {name}"),
                    *wrapper,
                    copy.handle,
                );
            }
            tried
                .get(before..)
                .is_some_and(|new| new.iter().any(|attempt| attempt.exported))
        });
        note(tried, format!("C_CopyObject of {who} with {what}"), copied);
    }
    // Whatever was loosened may have opened a way.
    read(live, tried, who, key);
}

/// Lets a key that wraps decrypt, itself or a copy; it leads somewhere where the key
/// then does.
fn loosen_use(live: &Live<'_>, tried: &mut Vec<ExportAttempt>, who: &str, key: ObjectHandle) {
    let decrypts = |key| {
        let answer = live
            .session
            .decrypt(&Mechanism::AesEcb, key, &[0; 32])
            .or_else(|_| {
                live.session
                    .decrypt(&Mechanism::AesCbc([0; 16]), key, &[0; 32])
            });
        answer.is_ok()
    };
    let loosened = live
        .session
        .update_attributes(key, &[Attribute::Decrypt(true)])
        .map(|()| decrypts(key));
    if loosened.is_ok() {
        let _ = live
            .session
            .update_attributes(key, &[Attribute::Decrypt(false)]);
    }
    note(
        tried,
        format!("C_SetAttributeValue of CKA_DECRYPT true on {who}"),
        loosened,
    );
    let template = [Attribute::Token(false), Attribute::Decrypt(true)];
    let copied = live.session.copy_object(key, &template).map(|copy| {
        let copy = Temp::new(live.session, copy);
        decrypts(copy.handle)
    });
    note(
        tried,
        format!("C_CopyObject of {who} with CKA_DECRYPT true"),
        copied,
    );
}

fn read(live: &Live<'_>, tried: &mut Vec<ExportAttempt>, who: &str, key: ObjectHandle) {
    let found = live.session.get_attributes(key, &[AttributeType::Value]);
    let found = found.map(|found| {
        found
            .iter()
            .any(|attribute| matches!(attribute, Attribute::Value(value) if !value.is_empty()))
    });
    note(
        tried,
        format!("C_GetAttributeValue of {who}'s CKA_VALUE"),
        found,
    );
}

fn wrap(
    live: &Live<'_>,
    tried: &mut Vec<ExportAttempt>,
    what: &str,
    wrapper: ObjectHandle,
    key: ObjectHandle,
) {
    let mut iv = [0; 12];
    let wrapped = match live.login.profile.wrapping {
        Wrapping::KeyWrapPad => live
            .session
            .wrap_key(&Mechanism::AesKeyWrapPad, wrapper, key),
        Wrapping::Gcm => match gcm(&mut iv, &[]) {
            Ok(params) => live
                .session
                .wrap_key(&Mechanism::AesGcm(params), wrapper, key),
            Err(_) => return,
        },
    };
    note(tried, format!("C_WrapKey of {what}"), wrapped.map(|_| true));
    // And by every other mechanism that wraps somewhere.
    for (name, mechanism) in [
        ("CKM_AES_KEY_WRAP", Mechanism::AesKeyWrap),
        ("CKM_AES_ECB", Mechanism::AesEcb),
        ("CKM_AES_CBC", Mechanism::AesCbc([0; 16])),
        ("CKM_AES_CBC_PAD", Mechanism::AesCbcPad([0; 16])),
    ] {
        let wrapped = live.session.wrap_key(&mechanism, wrapper, key);
        note(
            tried,
            format!("C_WrapKey of {what} with {name}"),
            wrapped.map(|_| true),
        );
    }
}

fn note(tried: &mut Vec<ExportAttempt>, means: String, answer: Result<bool, Error>) {
    let (exported, answer) = match answer {
        Ok(true) => (true, "it did".to_owned()),
        Ok(false) => (false, "nothing came".to_owned()),
        Err(error) => (false, describe(&error)),
    };
    tried.push(ExportAttempt {
        means,
        exported,
        answer,
    });
}

/// What someone with a login can make: a key to wrap with, and to decrypt with.
fn attackers_key<'s>(live: &Live<'s>) -> Result<Temp<'s>, Fault> {
    let length = Ulong::try_from(32_usize).map_err(during("make a key"))?;
    live.session
        .generate_key(
            &Mechanism::AesKeyGen,
            &[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::ValueLen(length),
                Attribute::Token(false),
                Attribute::Wrap(true),
                Attribute::Decrypt(true),
            ],
        )
        .map(|handle| Temp::new(live.session, handle))
        .map_err(during("make a key"))
}
