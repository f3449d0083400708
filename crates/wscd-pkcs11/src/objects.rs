//! The objects that live in the token: what they are called, what they may do,
//! and how they are found.
//!
//! ```text
//! claviger/root/N     AES-256, wraps and unwraps; N is its generation
//! claviger/bind       HMAC key: authenticates every wrapped form
//! claviger/mac/…      HMAC keys, one per purpose
//! claviger/seal/…     AES-256, one per purpose: encrypts and decrypts
//! claviger/named/…    the service's own key pairs
//! claviger/roots      a register: which roots are in force
//! claviger/anchor/N   a register: shard N's anchor
//! ```

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use wscd::{DeviceError, Generation, KeyName, MacPurpose, SealPurpose};

use crate::OpenError;
use crate::error::{Fault, during};

pub(crate) const BIND: &str = "claviger/bind";
pub(crate) const ROOTS: &str = "claviger/roots";
/// Every root has this `CKA_ID`, so that one search finds all of them.
const ROOT_ID: &[u8] = b"claviger/root";
const ROOT_LABEL: &str = "claviger/root/";

pub(crate) fn root_label(generation: Generation) -> String {
    format!("{ROOT_LABEL}{generation}")
}

pub(crate) fn mac_label(purpose: MacPurpose) -> String {
    format!("claviger/mac/{}", purpose.label())
}

pub(crate) fn seal_label(purpose: SealPurpose) -> String {
    format!("claviger/seal/{}", purpose.label())
}

pub(crate) fn named_label(name: &KeyName) -> String {
    format!("claviger/named/{name}")
}

pub(crate) fn anchor_name(shard: u16) -> String {
    format!("claviger/anchor/{shard}")
}

/// A kind of long-lived secret key: how it is made, and what it must be to be
/// trusted when it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Wrapping,
    Sealing,
    Hmac,
}

impl Kind {
    fn may(self) -> [(AttributeType, bool); 5] {
        [
            (AttributeType::Wrap, self == Self::Wrapping),
            (AttributeType::Unwrap, self == Self::Wrapping),
            (AttributeType::Encrypt, self == Self::Sealing),
            (AttributeType::Decrypt, self == Self::Sealing),
            (AttributeType::Sign, self == Self::Hmac),
        ]
    }

    /// Makes a key of this kind as a token object that never leaves the token.
    pub(crate) fn create(
        self,
        session: &Session,
        label: &str,
        id: Option<&[u8]>,
    ) -> Result<ObjectHandle, Fault> {
        let length = match Ulong::try_from(32_usize) {
            Ok(length) => length,
            Err(error) => return Err(during("make a key")(error)),
        };
        let (mechanism, key_type) = match self {
            Self::Wrapping | Self::Sealing => (Mechanism::AesKeyGen, KeyType::AES),
            Self::Hmac => (Mechanism::GenericSecretKeyGen, KeyType::GENERIC_SECRET),
        };
        let mut template = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(key_type),
            Attribute::ValueLen(length),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Verify(false),
            Attribute::Derive(false),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        template.extend(self.may().into_iter().filter_map(permission));
        if let Some(id) = id {
            template.push(Attribute::Id(id.to_vec()));
        }
        session
            .generate_key(&mechanism, &template)
            .map_err(during("make a key"))
    }

    /// That a key that was found is one that [`Kind::create`] made, or is as safe:
    /// someone who may write to the token could plant a weaker one.
    pub(crate) fn check(
        self,
        session: &Session,
        label: &str,
        key: ObjectHandle,
    ) -> Result<(), OpenError> {
        let untrusted = |cause| OpenError::Untrusted {
            object: label.to_owned(),
            cause,
        };
        let asked = [
            AttributeType::Sensitive,
            AttributeType::AlwaysSensitive,
            AttributeType::Extractable,
            AttributeType::NeverExtractable,
            AttributeType::Local,
            AttributeType::Wrap,
            AttributeType::Unwrap,
            AttributeType::Encrypt,
            AttributeType::Decrypt,
            AttributeType::Sign,
        ];
        let found = session
            .get_attributes(key, &asked)
            .map_err(during("describe a key"))?;
        if !found.contains(&Attribute::Sensitive(true))
            || !found.contains(&Attribute::AlwaysSensitive(true))
        {
            return Err(untrusted("it is not, or was not always, sensitive"));
        }
        if !found.contains(&Attribute::Extractable(false))
            || !found.contains(&Attribute::NeverExtractable(true))
        {
            return Err(untrusted("it is, or was, extractable"));
        }
        if !found.contains(&Attribute::Local(true)) {
            return Err(untrusted("it was not made in the token"));
        }
        for (attribute, wanted) in self.may() {
            let right =
                permission((attribute, wanted)).is_some_and(|attribute| found.contains(&attribute));
            if !right {
                return Err(untrusted("it may do more, or other things, than it is for"));
            }
        }
        Ok(())
    }
}

fn permission((attribute, given): (AttributeType, bool)) -> Option<Attribute> {
    match attribute {
        AttributeType::Wrap => Some(Attribute::Wrap(given)),
        AttributeType::Unwrap => Some(Attribute::Unwrap(given)),
        AttributeType::Encrypt => Some(Attribute::Encrypt(given)),
        AttributeType::Decrypt => Some(Attribute::Decrypt(given)),
        AttributeType::Sign => Some(Attribute::Sign(given)),
        _ => None,
    }
}

/// Makes the root of a generation.
pub(crate) fn create_root(
    session: &Session,
    generation: Generation,
) -> Result<ObjectHandle, Fault> {
    Kind::Wrapping.create(session, &root_label(generation), Some(ROOT_ID))
}

/// Every root in the token.
pub(crate) fn find_roots(session: &Session) -> Result<Vec<(Generation, ObjectHandle)>, Fault> {
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Token(true),
        Attribute::Id(ROOT_ID.to_vec()),
    ];
    let mut roots = Vec::new();
    for root in find(session, &template)? {
        let generation = label_of(session, root)?
            .and_then(|label| label.strip_prefix(ROOT_LABEL)?.parse().ok())
            .ok_or_else(|| DeviceError::Failed {
                what: "find its roots",
                cause: "a root without a generation".to_owned(),
            })?;
        roots.push((Generation(generation), root));
    }
    roots.sort_unstable_by_key(|(generation, _)| *generation);
    Ok(roots)
}

/// The one token object of that class and label.
pub(crate) fn find_one(
    session: &Session,
    class: ObjectClass,
    label: &str,
) -> Result<Option<ObjectHandle>, Fault> {
    match find_all(session, class, label, None)?.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        found => Err(DeviceError::Failed {
            what: "find its objects",
            cause: format!("{} objects are called {label}", found.len()),
        }
        .into()),
    }
}

/// Every token object of that class and label, and number where one is given.
pub(crate) fn find_all(
    session: &Session,
    class: ObjectClass,
    label: &str,
    id: Option<&Attribute>,
) -> Result<Vec<ObjectHandle>, Fault> {
    let mut template = vec![
        Attribute::Class(class),
        Attribute::Token(true),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    template.extend(id.cloned());
    find(session, &template)
}

/// The data objects that stand for `application`.
pub(crate) fn find_data(session: &Session, application: &str) -> Result<Vec<ObjectHandle>, Fault> {
    let template = [
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Application(application.as_bytes().to_vec()),
    ];
    find(session, &template)
}

fn find(session: &Session, template: &[Attribute]) -> Result<Vec<ObjectHandle>, Fault> {
    session
        .find_objects(template)
        .map_err(during("find its objects"))
}

/// Makes a data object that stands for `application`. What it says is its label:
/// a token lets that be rewritten, and a data object's value not.
pub(crate) fn create_data(
    session: &Session,
    application: &str,
    label: &str,
) -> Result<ObjectHandle, Fault> {
    session
        .create_object(&[
            Attribute::Class(ObjectClass::DATA),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Modifiable(true),
            Attribute::Application(application.as_bytes().to_vec()),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Value(b"see the label".to_vec()),
        ])
        .map_err(during("make a data object"))
}

/// An object's label, where it is text.
pub(crate) fn label_of(session: &Session, object: ObjectHandle) -> Result<Option<String>, Fault> {
    let found = session
        .get_attributes(object, &[AttributeType::Label])
        .map_err(during("read a label"))?;
    Ok(found.into_iter().find_map(|attribute| match attribute {
        Attribute::Label(label) => String::from_utf8(label).ok(),
        _ => None,
    }))
}

pub(crate) fn set_label(session: &Session, object: ObjectHandle, label: &str) -> Result<(), Fault> {
    session
        .update_attributes(object, &[Attribute::Label(label.as_bytes().to_vec())])
        .map_err(during("write a label"))
}

/// How many objects the token holds.
pub(crate) fn count(session: &Session) -> Result<u64, Fault> {
    let found = find(session, &[Attribute::Token(true)])?;
    Ok(u64::try_from(found.len()).unwrap_or(u64::MAX))
}

/// A session object, destroyed when it goes out of scope, whatever happens.
#[derive(Debug)]
pub(crate) struct Temp<'s> {
    session: &'s Session,
    pub(crate) handle: ObjectHandle,
}

impl<'s> Temp<'s> {
    pub(crate) fn new(session: &'s Session, handle: ObjectHandle) -> Self {
        Self { session, handle }
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        // Where this fails, it goes with its PKCS#11 session.
        let _ = self.session.destroy_object(self.handle);
    }
}
