//! Setting a token up: the token itself, and the objects that a device needs.

use cryptoki::object::ObjectClass;
use cryptoki::session::{Session, UserType};
use wscd::{Generation, MacPurpose, SealPurpose};

use crate::error::during;
use crate::login::{Line, find_token, log_in, log_in_as};
use crate::module::{Gate, Module};
use crate::objects::{BIND, Kind, ROOTS, create_root, find_one, find_roots, mac_label, seal_label};
use crate::pin::Pin;
use crate::profile::Profile;
use crate::register::Register;
use crate::roots;
use crate::uri::DeviceUri;
use crate::{OpenError, SetUp};

const FIRST: Generation = Generation(1);

/// Sets a token up as far as it is not yet.
pub(crate) fn set_up(uri: &DeviceUri, pin: &Pin, so_pin: Option<&Pin>) -> Result<SetUp, OpenError> {
    let module = Module::at(&uri.module)?;
    if find_token(module.enter().pkcs11, &uri.token)?.is_none() {
        module.restart().map_err(|error| OpenError::Module {
            path: uri.module.clone(),
            cause: crate::error::describe(&error),
        })?;
    }
    let gate = module.enter();
    let token_made = prepare_token(&module, &gate, uri, pin, so_pin)?;
    let (slot, about) = find_token(gate.pkcs11, &uri.token)?.ok_or_else(|| OpenError::NoToken {
        token: uri.token.to_string(),
    })?;
    Profile::probe(gate.pkcs11, slot)?;
    let line = Line::open(&module, &gate, slot, 0)?;
    let made = line.with(|session| {
        log_in(session, &about, pin)?;
        make_objects(session)
    });
    drop(gate);
    Ok(SetUp {
        token_made,
        objects_made: made?,
    })
}

/// Initialises a token, or its user's PIN, where that has not been done.
fn prepare_token(
    module: &std::sync::Arc<Module>,
    gate: &Gate<'_>,
    uri: &DeviceUri,
    pin: &Pin,
    so_pin: Option<&Pin>,
) -> Result<bool, OpenError> {
    let found = find_token(gate.pkcs11, &uri.token)?;
    if let Some((_, about)) = &found
        && about.user_pin_initialized()
    {
        return Ok(false);
    }
    let so_pin = so_pin.ok_or(OpenError::NoSecurityOfficer)?;
    let made = found.is_none();
    if made {
        if uri.token.serial.is_some() {
            // A new token's number is the maker's to give.
            return Err(OpenError::NoToken {
                token: uri.token.to_string(),
            });
        }
        let slots = gate
            .pkcs11
            .get_slots_with_token()
            .map_err(during("list its slots"))?;
        let free = slots
            .into_iter()
            .find(|slot| {
                gate.pkcs11
                    .get_token_info(*slot)
                    .is_ok_and(|about| !about.token_initialized())
            })
            .ok_or(OpenError::NoFreeToken)?;
        gate.pkcs11
            .init_token(free, so_pin.expose(), &uri.token.label)
            .map_err(during("initialise a token"))?;
    }
    let (slot, _) = find_token(gate.pkcs11, &uri.token)?.ok_or_else(|| OpenError::NoToken {
        token: uri.token.to_string(),
    })?;
    let line = Line::open(module, gate, slot, 0)?;
    line.with(|session| {
        log_in_as(session, UserType::So, "security officer", so_pin)?;
        let set = session.init_pin(pin.expose());
        let out = session.logout();
        set.map_err(during("set the user's PIN"))?;
        out.map_err(during("log out"))?;
        Ok::<_, OpenError>(())
    })?;
    line.close_within(gate);
    Ok(made)
}

/// Makes what is missing. What says which root is in force is made last: a token
/// that has it was set up to the end, and one whose keys are gone is refused.
fn make_objects(session: &Session) -> Result<Vec<String>, OpenError> {
    let complete = !Register::find(session, ROOTS)?.is_empty();
    let mut made = Vec::new();
    let mut keys = vec![(Kind::Hmac, BIND.to_owned(), complete)];
    // A purpose that a later version brings is added to a token in use.
    keys.extend(MacPurpose::ALL.map(|purpose| (Kind::Hmac, mac_label(purpose), false)));
    keys.extend(SealPurpose::ALL.map(|purpose| (Kind::Sealing, seal_label(purpose), false)));
    for (kind, label, must_be_there) in keys {
        match find_one(session, ObjectClass::SECRET_KEY, &label)? {
            Some(key) => kind.check(session, &label, key)?,
            None if must_be_there => {
                return Err(OpenError::Untrusted {
                    object: label,
                    cause: "it is gone, and everything in use depends on it",
                });
            }
            None => {
                kind.create(session, &label, None)?;
                made.push(label);
            }
        }
    }
    if complete {
        return Ok(made);
    }
    let found = find_roots(session)?;
    match found.as_slice() {
        [] => {
            create_root(session, FIRST)?;
            made.push(crate::objects::root_label(FIRST));
        }
        [(FIRST, root)] => Kind::Wrapping.check(session, ROOTS, *root)?,
        _ => {
            return Err(OpenError::Untrusted {
                object: ROOTS.to_owned(),
                cause: "it is gone, and there are roots",
            });
        }
    }
    roots::create(session, FIRST)?;
    made.push(ROOTS.to_owned());
    Ok(made)
}
