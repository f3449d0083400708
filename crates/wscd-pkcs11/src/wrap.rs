//! Keys into wrapped forms and out of them, inside the token.

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::types::Ulong;
use wscd::{DeviceError, Generation, UnitBinding, UserKey, WrappedKey, WrappedUnitKey};

use crate::error::{Fault, during};
use crate::forms::{Head, check_mac, mac, tampered};
use crate::objects::Temp;
use crate::pool::Live;
use crate::profile::Wrapping;
use crate::roots::Roots;
use crate::wrapping::{random, unwrap, wrap};

/// What a key is unwrapped for: one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A unit's wrapping key, to wrap.
    Wrap,
    /// A unit's wrapping key, to unwrap.
    Unwrap,
    /// A unit's item key.
    Seal,
    /// A user key, to sign.
    Sign,
    /// A user key, to agree.
    Derive,
    /// A user key, to be wrapped by another unit key: it can be moved, not used.
    Move,
}

/// A unit's key, its form checked. Nothing is unwrapped until it is needed.
pub(crate) struct UnitKey {
    pub(crate) head: Head,
    pub(crate) roots: Roots,
    root: ObjectHandle,
    scheme: Wrapping,
    wrapping: Vec<u8>,
    item: Vec<u8>,
}

/// Makes a unit's wrapping key and its item key under the current root.
pub(crate) fn create_unit_key(
    live: &Live<'_>,
    unit: &UnitBinding,
) -> Result<WrappedUnitKey, Fault> {
    let roots = live.login.fresh_roots(live.session)?;
    let generation = roots.state.current;
    let root = root_of(&roots, generation)?;
    let scheme = live.login.profile.wrapping;
    let mut id = [0; 16];
    random(live.session, &mut id)?;
    let head = Head {
        kind: b'U',
        scheme: scheme as u8,
        device: live.login.device,
        generation,
        unit: *unit,
        id,
    };
    let mut body = Vec::new();
    for _ in 0..2 {
        let key = generate_aes(live)?;
        let wrapped = wrap(live.session, scheme, root, key.handle)?;
        let length = u16::try_from(wrapped.len()).map_err(|_| DeviceError::Failed {
            what: "wrap a key",
            cause: format!("{} bytes came", wrapped.len()),
        })?;
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(&wrapped);
    }
    let header = head.bytes();
    let mac = mac(live, &[&header, &body])?;
    Ok(WrappedUnitKey {
        generation,
        bytes: [header.as_slice(), &body, &mac].concat(),
    })
}

/// Checks a unit key's form.
pub(crate) fn open_unit_key(
    live: &Live<'_>,
    unit: &UnitBinding,
    wrapped: &WrappedUnitKey,
) -> Result<UnitKey, Fault> {
    const WHAT: &str = "unit key";
    let (head, rest) = Head::read(b'U', WHAT, &wrapped.bytes)?;
    if head.device != live.login.device {
        return Err(tampered(WHAT, "it was made by another device").into());
    }
    if head.unit != *unit {
        return Err(DeviceError::WrongUnit { what: WHAT }.into());
    }
    if head.generation != wrapped.generation {
        return Err(tampered(WHAT, "its generation is not the one beside it").into());
    }
    let body = check_mac(live, WHAT, &head, &[], rest)?;
    let roots = roots_with(live, head.generation)?;
    let root = root_of(&roots, head.generation)?;
    // From here on the form is one that this device made.
    let broken = || tampered(WHAT, "it is not two keys");
    let (wrapping, rest) = counted(body).ok_or_else(broken)?;
    let (item, rest) = counted(rest).ok_or_else(broken)?;
    if !rest.is_empty() {
        return Err(broken().into());
    }
    Ok(UnitKey {
        scheme: scheme_of(WHAT, &head)?,
        head,
        roots,
        root,
        wrapping: wrapping.to_vec(),
        item: item.to_vec(),
    })
}

impl UnitKey {
    /// Unwraps the wrapping key or the item key, for one purpose.
    pub(crate) fn unwrap<'s>(&self, live: &Live<'s>, purpose: Purpose) -> Result<Temp<'s>, Fault> {
        let bytes = match purpose {
            Purpose::Seal => &self.item,
            _ => &self.wrapping,
        };
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(purpose == Purpose::Seal),
            Attribute::Decrypt(purpose == Purpose::Seal),
            Attribute::Wrap(purpose == Purpose::Wrap),
            Attribute::Unwrap(purpose == Purpose::Unwrap),
            Attribute::Sign(false),
            Attribute::Verify(false),
            Attribute::Derive(false),
        ];
        unwrap(live.session, self.scheme, self.root, bytes, &template)
    }
}

/// Wraps a user key that is in the token, by the unit's unwrapped key `by`.
pub(crate) fn wrap_user_key(
    live: &Live<'_>,
    unit_key: &UnitKey,
    by: ObjectHandle,
    public: &jose::PublicKey,
    private: ObjectHandle,
) -> Result<UserKey, Fault> {
    let scheme = live.login.profile.wrapping;
    let head = Head {
        kind: b'K',
        scheme: scheme as u8,
        ..unit_key.head
    };
    let mut form = head.bytes();
    let thumbprint = public.thumbprint();
    let wrapped = wrap(live.session, scheme, by, private)?;
    let mac = mac(live, &[&form, &thumbprint, public.point(), &wrapped])?;
    form.extend_from_slice(&thumbprint);
    form.extend_from_slice(&wrapped);
    form.extend_from_slice(&mac);
    Ok(UserKey {
        public: public.clone(),
        wrapped: WrappedKey(form),
    })
}

/// Checks a user key's form and unwraps it for one purpose.
pub(crate) fn open_user_key<'s>(
    live: &Live<'s>,
    unit_key: &UnitKey,
    by: ObjectHandle,
    key: &UserKey,
    purpose: Purpose,
) -> Result<Temp<'s>, Fault> {
    const WHAT: &str = "user key";
    let (head, rest) = Head::read(b'K', WHAT, &key.wrapped.0)?;
    head.check_under(WHAT, unit_key.roots.state, &unit_key.head)?;
    let (thumbprint, rest) = rest
        .split_first_chunk::<32>()
        .ok_or_else(|| tampered(WHAT, "it is too short"))?;
    if *thumbprint != key.public.thumbprint() {
        return Err(DeviceError::WrongKey.into());
    }
    let wrapped = check_mac(live, WHAT, &head, &[thumbprint, key.public.point()], rest)?;
    let moves = purpose == Purpose::Move;
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::EC),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(moves),
        Attribute::Sign(purpose == Purpose::Sign),
        Attribute::Derive(purpose == Purpose::Derive),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
    ];
    unwrap(
        live.session,
        scheme_of(WHAT, &head)?,
        by,
        wrapped,
        &template,
    )
}

/// An AES key that can do nothing but be wrapped.
fn generate_aes<'s>(live: &Live<'s>) -> Result<Temp<'s>, Fault> {
    let length = Ulong::try_from(32_usize).map_err(during("make a key"))?;
    live.session
        .generate_key(
            &Mechanism::AesKeyGen,
            &[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::AES),
                Attribute::ValueLen(length),
                Attribute::Token(false),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(true),
                Attribute::Encrypt(false),
                Attribute::Decrypt(false),
                Attribute::Wrap(false),
                Attribute::Unwrap(false),
                Attribute::Sign(false),
                Attribute::Verify(false),
                Attribute::Derive(false),
            ],
        )
        .map(|handle| Temp::new(live.session, handle))
        .map_err(during("make a key"))
}

/// The roots as they were last read, or as the token says now where that one is not
/// among them: another process may have made it, in force or about to be.
fn roots_with(live: &Live<'_>, generation: Generation) -> Result<Roots, Fault> {
    let mut roots = live.login.roots();
    if roots.key(generation).is_none() {
        roots = live.login.fresh_roots(live.session)?;
    }
    if roots.key(generation).is_none() && generation > roots.state.current {
        roots = roots.reload(live.session)?;
        live.login.set_roots(roots.clone());
    }
    Ok(roots)
}

fn root_of(roots: &Roots, generation: Generation) -> Result<ObjectHandle, DeviceError> {
    roots.key(generation).ok_or(DeviceError::WrongGeneration {
        generation,
        root: roots.state,
    })
}

fn scheme_of(what: &'static str, head: &Head) -> Result<Wrapping, DeviceError> {
    Wrapping::from_number(head.scheme)
        .ok_or_else(|| tampered(what, "it is wrapped in an unknown way"))
}

/// `length(2) bytes`, and what follows.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

impl std::fmt::Debug for UnitKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnitKey(unit {})", self.head.unit)
    }
}
