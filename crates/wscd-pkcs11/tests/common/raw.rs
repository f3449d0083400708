//! The module itself, without the crate under test.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use super::{LABEL, PIN, Place, SO_PIN};

pub(crate) fn auth(pin: &str) -> AuthPin {
    AuthPin::from(pin.to_owned())
}

pub(crate) fn module(place: &Place) -> Pkcs11 {
    let module = Pkcs11::new(&place.module).unwrap();
    // It may be initialised already, by what is tested.
    let _ = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    module
}

/// A token with its PINs and no objects.
pub(crate) fn bare_token(place: &Place) {
    let module = module(place);
    let slots = module.get_slots_with_token().unwrap();
    let free = slots
        .into_iter()
        .find(|slot| !module.get_token_info(*slot).unwrap().token_initialized())
        .unwrap();
    module.init_token(free, &auth(SO_PIN), LABEL).unwrap();
    let slot = module
        .get_slots_with_initialized_token()
        .unwrap()
        .into_iter()
        .find(|slot| !module.get_token_info(*slot).unwrap().user_pin_initialized())
        .unwrap();
    let session = module.open_rw_session(slot).unwrap();
    session.login(UserType::So, Some(&auth(SO_PIN))).unwrap();
    session.init_pin(&auth(PIN)).unwrap();
    session.logout().unwrap();
}

pub(crate) fn raw(place: &Place, work: impl FnOnce(&Session)) {
    raw_as(place, PIN, work);
}

pub(crate) fn raw_as(place: &Place, pin: &str, work: impl FnOnce(&Session)) {
    let module = module(place);
    let slot = module.get_slots_with_initialized_token().unwrap()[0];
    let session = module.open_rw_session(slot).unwrap();
    let _ = session.login(UserType::User, Some(&auth(pin)));
    work(&session);
}

pub(crate) fn destroy(session: &Session, template: &[Attribute]) {
    let found = session.find_objects(template).unwrap();
    assert!(!found.is_empty());
    for object in found {
        session.destroy_object(object).unwrap();
    }
}

pub(crate) fn hmac_key(session: &Session, label: &str) {
    session
        .generate_key(
            &Mechanism::GenericSecretKeyGen,
            &[
                Attribute::ValueLen(32_usize.try_into().unwrap()),
                Attribute::Token(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(false),
                Attribute::Sign(true),
                Attribute::Label(label.as_bytes().to_vec()),
            ],
        )
        .unwrap();
}

pub(crate) fn root_template(generation: u64) -> Vec<Attribute> {
    vec![
        Attribute::ValueLen(32_usize.try_into().unwrap()),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Wrap(true),
        Attribute::Unwrap(true),
        Attribute::Encrypt(false),
        Attribute::Decrypt(false),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Id(b"claviger/root".to_vec()),
        Attribute::Label(format!("claviger/root/{generation}").into_bytes()),
    ]
}
