//! The wrapped forms of the software device: AES-256-GCM with random nonces,
//! every form with a header in the clear that is authenticated with it.
//!
//! ```text
//! unit key:  01 'U' device(8) generation(8) unit(16) id(16)                     | nonce(12) key tag(16)
//! user key:  01 'K' device(8) generation(8) unit(16) id(16) thumbprint(32)      | nonce(12) scalar tag(16)
//! item:      01 'I' device(8) generation(8) unit(16) id(16)                     | nonce(12) text tag(16)
//! secret:    01 'S' device(8)                                                   | nonce(12) text tag(16)
//! ```
//!
//! `id` names the unit key, and stands in what is wrapped by it. The header
//! lets a refusal say what is wrong; that it is true, the tag shows. Beside the
//! header, a user key authenticates its public key's point (its curve is told
//! by its length), an item and a secret the caller's data.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use jose::PublicKey;
use zeroize::Zeroizing;

use super::LIMITS;
use super::ec::EcKey;
use super::secret::{Secret, fill};
use super::state::State;
use crate::{
    DeviceError, Generation, RootState, SealPurpose, UnitBinding, UserKey, WrappedKey,
    WrappedUnitKey,
};

const VERSION: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
/// No wrapped form is longer: the longest header and the longest secret.
const MAX_FORM: usize = 128 + LIMITS.max_sealed + NONCE + TAG;

/// A unit's wrapping key, open.
pub(super) struct UnitKey {
    header: Header,
    key: Secret,
}

pub(super) fn create_unit_key(
    state: &State,
    unit: &UnitBinding,
) -> Result<WrappedUnitKey, DeviceError> {
    let mut id = [0; 16];
    fill(&mut id)?;
    let header = Header {
        device: state.device,
        generation: state.root_state().current,
        unit: *unit,
        id,
    };
    let key = Secret::random()?;
    let root = state.root(header.generation)?;
    Ok(WrappedUnitKey {
        generation: header.generation,
        bytes: encrypt(root, header.bytes(b'U'), &[], key.expose())?,
    })
}

pub(super) fn open_unit_key(
    state: &State,
    unit: &UnitBinding,
    wrapped: &WrappedUnitKey,
) -> Result<UnitKey, DeviceError> {
    const WHAT: &str = "unit key";
    let (header, rest) = Header::read(b'U', WHAT, &wrapped.bytes)?;
    if header.device != state.device {
        return Err(tampered(WHAT, "it was made by another device"));
    }
    if header.unit != *unit {
        return Err(DeviceError::WrongUnit { what: WHAT });
    }
    if header.generation != wrapped.generation {
        return Err(tampered(WHAT, "its generation is not the one beside it"));
    }
    let root = state.root(header.generation)?;
    let key = decrypt(WHAT, root, &header.bytes(b'U'), &[], rest)?;
    if key.len() != Secret::LEN {
        return Err(tampered(WHAT, "it is not as long as a key"));
    }
    Ok(UnitKey {
        header,
        key: Secret::take(key),
    })
}

pub(super) fn wrap_user_key(unit_key: &UnitKey, key: &EcKey) -> Result<UserKey, DeviceError> {
    let public = key.public().clone();
    let mut header = unit_key.header.bytes(b'K');
    header.extend_from_slice(&public.thumbprint());
    let wrapped = encrypt(&unit_key.key, header, public.point(), key.scalar().expose())?;
    Ok(UserKey {
        public,
        wrapped: WrappedKey(wrapped),
    })
}

pub(super) fn open_user_key(
    root: RootState,
    unit_key: &UnitKey,
    key: &UserKey,
) -> Result<EcKey, DeviceError> {
    const WHAT: &str = "user key";
    let (header, rest) = Header::read(b'K', WHAT, &key.wrapped.0)?;
    header.check_under(WHAT, root, unit_key)?;
    let (thumbprint, rest) = rest
        .split_first_chunk::<32>()
        .ok_or_else(|| tampered(WHAT, "it is too short"))?;
    if *thumbprint != key.public.thumbprint() {
        return Err(DeviceError::WrongKey);
    }
    let mut authenticated = header.bytes(b'K');
    authenticated.extend_from_slice(thumbprint);
    let public: &PublicKey = &key.public;
    let scalar = decrypt(WHAT, &unit_key.key, &authenticated, public.point(), rest)?;
    Ok(EcKey::from_parts(Secret::take(scalar), public.clone()))
}

pub(super) fn seal_item(
    unit_key: &UnitKey,
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, DeviceError> {
    encrypt(&unit_key.key, unit_key.header.bytes(b'I'), aad, plaintext)
}

pub(super) fn open_item(
    root: RootState,
    unit_key: &UnitKey,
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
    const WHAT: &str = "item";
    let (header, rest) = Header::read(b'I', WHAT, sealed)?;
    header.check_under(WHAT, root, unit_key)?;
    decrypt(WHAT, &unit_key.key, &header.bytes(b'I'), aad, rest)
}

pub(super) fn seal(
    state: &State,
    purpose: SealPurpose,
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, DeviceError> {
    encrypt(
        state.seal_key(purpose)?,
        secret_header(state),
        aad,
        plaintext,
    )
}

pub(super) fn open(
    state: &State,
    purpose: SealPurpose,
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
    const WHAT: &str = "secret";
    check_length(WHAT, sealed)?;
    let header = secret_header(state);
    let rest = sealed
        .strip_prefix(header.as_slice())
        .ok_or_else(|| tampered(WHAT, "this device did not seal it"))?;
    decrypt(WHAT, state.seal_key(purpose)?, &header, aad, rest)
}

/// What stands in the clear before a wrapped form of a unit.
struct Header {
    device: [u8; 8],
    generation: Generation,
    unit: UnitBinding,
    id: [u8; 16],
}

impl Header {
    fn bytes(&self, kind: u8) -> Vec<u8> {
        let mut bytes = vec![VERSION, kind];
        bytes.extend_from_slice(&self.device);
        bytes.extend_from_slice(&self.generation.0.to_be_bytes());
        bytes.extend_from_slice(&self.unit.0);
        bytes.extend_from_slice(&self.id);
        bytes
    }

    fn read<'a>(
        kind: u8,
        what: &'static str,
        bytes: &'a [u8],
    ) -> Result<(Self, &'a [u8]), DeviceError> {
        check_length(what, bytes)?;
        let short = || tampered(what, "it is too short");
        let ([version, found], rest) = bytes.split_first_chunk().ok_or_else(short)?;
        if *version != VERSION || *found != kind {
            return Err(tampered(what, "it is of another version or kind"));
        }
        let (device, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (generation, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (unit, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (id, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let header = Self {
            device: *device,
            generation: Generation(u64::from_be_bytes(*generation)),
            unit: UnitBinding(*unit),
            id: *id,
        };
        Ok((header, rest))
    }

    /// That this stands before something wrapped by `unit_key`.
    fn check_under(
        &self,
        what: &'static str,
        root: RootState,
        unit_key: &UnitKey,
    ) -> Result<(), DeviceError> {
        let outer = &unit_key.header;
        if self.device != outer.device {
            return Err(tampered(what, "it was made by another device"));
        }
        if self.unit != outer.unit {
            return Err(DeviceError::WrongUnit { what });
        }
        if !root.opens(self.generation) {
            return Err(DeviceError::WrongGeneration {
                generation: self.generation,
                root,
            });
        }
        if self.id != outer.id || self.generation != outer.generation {
            return Err(DeviceError::WrongUnitKey { what });
        }
        Ok(())
    }
}

fn secret_header(state: &State) -> Vec<u8> {
    let mut header = vec![VERSION, b'S'];
    header.extend_from_slice(&state.device);
    header
}

/// `header || nonce || ciphertext || tag`; authenticated are the header and,
/// after it, `more`.
pub(super) fn encrypt(
    key: &Secret,
    header: Vec<u8>,
    more: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, DeviceError> {
    let failed = |_| DeviceError::Failed {
        what: "wrap",
        cause: "AES-256-GCM".to_owned(),
    };
    // Room for the tag from the start: growing would leave a copy behind.
    let mut text = Zeroizing::new(Vec::with_capacity(plaintext.len() + TAG));
    text.extend_from_slice(plaintext);
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(failed)?;
    let nonce = cipher
        .seal_in_place_append_tag(Aad::from(authenticated(&header, more)), &mut *text)
        .map_err(failed)?;
    let mut out = header;
    out.extend_from_slice(nonce.as_ref());
    out.extend_from_slice(&text);
    Ok(out)
}

/// Opens `nonce || ciphertext || tag`.
pub(super) fn decrypt(
    what: &'static str,
    key: &Secret,
    header: &[u8],
    more: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
    let (nonce, text) = sealed
        .split_first_chunk::<NONCE>()
        .ok_or_else(|| tampered(what, "it is too short"))?;
    let unopened = |_| tampered(what, "its tag does not verify");
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(unopened)?;
    let mut text = Zeroizing::new(text.to_vec());
    let length = cipher
        .open_in_place(
            Nonce::from(nonce),
            Aad::from(authenticated(header, more)),
            &mut text,
        )
        .map_err(unopened)?
        .len();
    text.truncate(length);
    Ok(text)
}

/// The header's length goes first, so that no two splits are the same bytes.
fn authenticated(header: &[u8], more: &[u8]) -> Vec<u8> {
    let length = u64::try_from(header.len()).unwrap_or(u64::MAX);
    [&length.to_be_bytes(), header, more].concat()
}

fn check_length(what: &'static str, bytes: &[u8]) -> Result<(), DeviceError> {
    if bytes.len() > MAX_FORM {
        return Err(tampered(what, "it is too long"));
    }
    Ok(())
}

fn tampered(what: &'static str, cause: &'static str) -> DeviceError {
    DeviceError::Tampered { what, cause }
}

impl std::fmt::Debug for UnitKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnitKey(unit {})", self.header.unit)
    }
}
