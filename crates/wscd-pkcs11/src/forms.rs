//! The wrapped forms: what stands in them in the clear, and the MAC over it.
//!
//! ```text
//! head:      01 kind scheme device(8) generation(8) unit(16) id(16)
//! unit key:  head 'U' | length(2) wrapping key, wrapped | length(2) item key, wrapped | mac(32)
//! user key:  head 'K' | thumbprint(32) | private key, wrapped                         | mac(32)
//! item:      head 'I' | sealed
//! secret:    01 'S' scheme device(8) | sealed
//! ```
//!
//! `scheme` says how the rest is wrapped or sealed; `id` names the unit key, and
//! stands in what is under it. PKCS#11 wraps a key without saying whose it is, so
//! a MAC of the device (`claviger/bind`) binds the head, the public key and the
//! wrapped bytes to each other; it is checked before anything is unwrapped.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use cryptoki::mechanism::Mechanism;
use wscd::{DeviceError, Generation, RootState, UnitBinding};

use crate::error::{Fault, during};
use crate::limits::LIMITS;
use crate::pool::Live;

pub(crate) const VERSION: u8 = 1;
pub(crate) const MAC: usize = 32;
/// No form is longer: a head, the longest secret or wrapped key, IV and tags.
const MAX_FORM: usize = 1024 + LIMITS.max_sealed;
const DOMAIN: &[u8] = b"claviger wscd-pkcs11 form";

/// What stands in the clear before a form of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: u8,
    pub(crate) scheme: u8,
    pub(crate) device: [u8; 8],
    pub(crate) generation: Generation,
    pub(crate) unit: UnitBinding,
    pub(crate) id: [u8; 16],
}

impl Head {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.kind, self.scheme];
        bytes.extend_from_slice(&self.device);
        bytes.extend_from_slice(&self.generation.0.to_be_bytes());
        bytes.extend_from_slice(&self.unit.0);
        bytes.extend_from_slice(&self.id);
        bytes
    }

    pub(crate) fn read<'a>(
        kind: u8,
        what: &'static str,
        bytes: &'a [u8],
    ) -> Result<(Self, &'a [u8]), DeviceError> {
        check_length(what, bytes)?;
        let short = || tampered(what, "it is too short");
        let ([version, found, scheme], rest) = bytes.split_first_chunk().ok_or_else(short)?;
        if *version != VERSION || *found != kind {
            return Err(tampered(what, "it is of another version or kind"));
        }
        let (device, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (generation, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (unit, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (id, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let head = Self {
            kind,
            scheme: *scheme,
            device: *device,
            generation: Generation(u64::from_be_bytes(*generation)),
            unit: UnitBinding(*unit),
            id: *id,
        };
        Ok((head, rest))
    }

    /// That this stands before something under the unit key that `outer` heads.
    pub(crate) fn check_under(
        &self,
        what: &'static str,
        root: RootState,
        outer: &Self,
    ) -> Result<(), DeviceError> {
        if self.device != outer.device {
            return Err(tampered(what, "it was made by another device"));
        }
        if self.unit != outer.unit {
            return Err(DeviceError::WrongUnit { what });
        }
        if self.generation != outer.generation && !root.opens(self.generation) {
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

pub(crate) fn check_length(what: &'static str, bytes: &[u8]) -> Result<(), DeviceError> {
    if bytes.len() > MAX_FORM {
        return Err(tampered(what, "it is too long"));
    }
    Ok(())
}

pub(crate) fn tampered(what: &'static str, cause: &'static str) -> DeviceError {
    DeviceError::Tampered { what, cause }
}

/// The device's MAC over some parts; their lengths go along, so that no two
/// splits are the same bytes.
pub(crate) fn mac(live: &Live<'_>, parts: &[&[u8]]) -> Result<[u8; MAC], Fault> {
    let mut data = Vec::with_capacity(256);
    for part in std::iter::once(&DOMAIN).chain(parts) {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        data.extend_from_slice(&length.to_be_bytes());
        data.extend_from_slice(part);
    }
    let mac = live
        .session
        .sign(&Mechanism::Sha256Hmac, live.login.bind, &data)
        .map_err(during("compute a MAC"))?;
    mac.try_into().map_err(|mac: Vec<u8>| {
        DeviceError::Failed {
            what: "compute a MAC",
            cause: format!("{} bytes came", mac.len()),
        }
        .into()
    })
}

/// Splits a form's MAC off and checks it over the rest.
pub(crate) fn check_mac<'a>(
    live: &Live<'_>,
    what: &'static str,
    head: &Head,
    more: &[&[u8]],
    rest: &'a [u8],
) -> Result<&'a [u8], Fault> {
    let (body, found) = rest
        .split_last_chunk::<MAC>()
        .ok_or_else(|| tampered(what, "it is too short"))?;
    let head = head.bytes();
    let mut parts: Vec<&[u8]> = vec![&head];
    parts.extend_from_slice(more);
    parts.push(body);
    let right = mac(live, &parts)?;
    verify_slices_are_equal(&right, found)
        .map_err(|_| tampered(what, "its MAC does not verify"))?;
    Ok(body)
}
