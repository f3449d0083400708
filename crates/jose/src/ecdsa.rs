//! The two forms of an ECDSA signature: `r || s` in JOSE, a SEQUENCE in X.509.

use der::asn1::UintRef;
use der::{Decode, Encode, Sequence};

use crate::Curve;

#[derive(Sequence)]
struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// `r || s` as a DER SEQUENCE; `None` if it is not two halves.
pub fn to_der(fixed: &[u8]) -> Option<Vec<u8>> {
    if fixed.is_empty() || !fixed.len().is_multiple_of(2) {
        return None;
    }
    let (r, s) = fixed.split_at(fixed.len() / 2);
    EcdsaSignature {
        r: UintRef::new(r).ok()?,
        s: UintRef::new(s).ok()?,
    }
    .to_der()
    .ok()
}

/// A DER SEQUENCE as `r || s`, each padded to the curve's field; `None` if it is
/// not one.
pub fn from_der(der: &[u8], curve: Curve) -> Option<Vec<u8>> {
    let signature = EcdsaSignature::from_der(der).ok()?;
    let len = curve.field_len();
    let mut fixed = Vec::with_capacity(2 * len);
    for part in [signature.r.as_bytes(), signature.s.as_bytes()] {
        fixed.resize(fixed.len() + len.checked_sub(part.len())?, 0);
        fixed.extend_from_slice(part);
    }
    Some(fixed)
}
