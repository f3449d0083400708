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
//! claviger/view       a register, where tokens form a set: which of them count
//! ```

use std::collections::BTreeSet;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use wscd::{DeviceError, Generation, KeyName, MacPurpose, SealPurpose};

use crate::error::{Fault, OpenError, during};

pub(crate) const BIND: &str = "claviger/bind";
pub(crate) const ROOTS: &str = "claviger/roots";
pub(crate) const VIEW: &str = "claviger/view";
const ANCHOR: &str = "claviger/anchor/";
/// Every root has this `CKA_ID`, so that one search finds all of them.
pub(crate) const ROOT_ID: &[u8] = b"claviger/root";
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
    format!("{ANCHOR}{shard}")
}

/// The shards that have an anchor, found by a search.
pub(crate) fn anchored_shards(session: &Session) -> Result<BTreeSet<u16>, Fault> {
    let template = [Attribute::Class(ObjectClass::DATA), Attribute::Token(true)];
    let mut shards = BTreeSet::new();
    for object in find(session, &template)? {
        let about = session
            .get_attributes(object, &[AttributeType::Application])
            .map_err(during("describe a data object"))?;
        let shard = about.iter().find_map(|attribute| match attribute {
            Attribute::Application(name) => std::str::from_utf8(name)
                .ok()?
                .strip_prefix(ANCHOR)?
                .split_once('/')?
                .0
                .parse::<u16>()
                .ok(),
            _ => None,
        });
        shards.extend(shard);
    }
    Ok(shards)
}

/// Where long-lived keys may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Made in the token, or brought there by its maker's means, which keep what
    /// the token says of them: local, always sensitive, never extractable.
    Token,
    /// Or brought from another token by our own set-up: the token then knows them
    /// as sensitive and not extractable, and cannot say that they always were.
    Replicated,
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
    fn key_type(self) -> KeyType {
        match self {
            Self::Wrapping | Self::Sealing => KeyType::AES,
            Self::Hmac => KeyType::GENERIC_SECRET,
        }
    }

    fn mechanism(self) -> Mechanism<'static> {
        match self {
            Self::Wrapping | Self::Sealing => Mechanism::AesKeyGen,
            Self::Hmac => Mechanism::GenericSecretKeyGen,
        }
    }

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
        let mut template = self.replica(label, id);
        template.push(Attribute::ValueLen(length));
        template.extend(fixed());
        session
            .generate_key(&self.mechanism(), &template)
            .map_err(during("make a key"))
    }

    /// What a key of this kind is when it comes out of another token's wrapping.
    pub(crate) fn replica(self, label: &str, id: Option<&[u8]>) -> Vec<Attribute> {
        let mut template = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(self.key_type()),
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
        template
    }

    /// Makes a key of this kind that can be wrapped and not used, to be taken to
    /// other tokens.
    pub(crate) fn to_be_wrapped<'s>(self, session: &'s Session) -> Result<Temp<'s>, Fault> {
        let length = Ulong::try_from(32_usize).map_err(during("make a key"))?;
        let mut template = vec![
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(self.key_type()),
            Attribute::ValueLen(length),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(true),
            Attribute::Verify(false),
            Attribute::Derive(false),
        ];
        let nothing = self.may().map(|(attribute, _)| (attribute, false));
        template.extend(nothing.into_iter().filter_map(permission));
        session
            .generate_key(&self.mechanism(), &template)
            .map(|handle| Temp::new(session, handle))
            .map_err(during("make a key"))
    }

    /// That a key that was found is one that [`Kind::create`] made, or is as safe:
    /// someone who may write to the token could plant a weaker one.
    pub(crate) fn check(
        self,
        session: &Session,
        label: &str,
        key: ObjectHandle,
        origin: Origin,
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
        let is = |attribute| found.contains(&attribute);
        let anywhere = origin == Origin::Replicated;
        if !is(Attribute::Sensitive(true)) || !(anywhere || is(Attribute::AlwaysSensitive(true))) {
            return Err(untrusted("it is not, or was not always, sensitive"));
        }
        if !is(Attribute::Extractable(false))
            || !(anywhere || is(Attribute::NeverExtractable(true)))
        {
            return Err(untrusted("it is, or was, extractable"));
        }
        if !(anywhere || is(Attribute::Local(true))) {
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

/// What an object may do stays as it is: who may use it could else let a key that
/// wraps decrypt what it wrapped, or do so with a copy.
pub(crate) fn fixed() -> [Attribute; 2] {
    [Attribute::Copyable(false), Attribute::Modifiable(false)]
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
    kept: bool,
}

impl<'s> Temp<'s> {
    pub(crate) fn new(session: &'s Session, handle: ObjectHandle) -> Self {
        Self {
            session,
            handle,
            kept: false,
        }
    }
}

impl Temp<'_> {
    /// Leaves it where it is: an object of the token.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Temp<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // Where this fails, it goes with its PKCS#11 session.
            let _ = self.session.destroy_object(self.handle);
        }
    }
}
