//! Elliptic-curve keys as PKCS#11 has them.

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use jose::{Curve, PublicKey};
use wscd::{DeviceError, digest_len};
use zeroize::Zeroizing;

use crate::error::{Fault, during};
use crate::objects::Temp;

/// The curve's name as `CKA_EC_PARAMS`: a DER object identifier (RFC 5480).
pub(crate) fn params(curve: Curve) -> &'static [u8] {
    match curve {
        Curve::P256 => b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
        Curve::P384 => b"\x06\x05\x2b\x81\x04\x00\x22",
        Curve::P521 => b"\x06\x05\x2b\x81\x04\x00\x23",
    }
}

/// Makes a key pair that can be wrapped and not used, as session objects.
pub(crate) fn generate<'s>(
    session: &'s Session,
    curve: Curve,
) -> Result<(PublicKey, Temp<'s>), Fault> {
    let (public, private) = session
        .generate_key_pair(
            &Mechanism::EccKeyPairGen,
            &[
                Attribute::Token(false),
                Attribute::Private(false),
                Attribute::Verify(false),
                Attribute::EcParams(params(curve).to_vec()),
            ],
            &[
                Attribute::Token(false),
                Attribute::Private(true),
                Attribute::Sensitive(true),
                Attribute::Extractable(true),
                Attribute::Sign(false),
                Attribute::Derive(false),
                Attribute::Decrypt(false),
                Attribute::Unwrap(false),
            ],
        )
        .map_err(during("make a key pair"))?;
    let private = Temp::new(session, private);
    let public = Temp::new(session, public);
    Ok((public_key(session, public.handle, curve)?, private))
}

/// The public key of an object that has a point on `curve`.
pub(crate) fn public_key(
    session: &Session,
    object: ObjectHandle,
    curve: Curve,
) -> Result<PublicKey, Fault> {
    let found = session
        .get_attributes(object, &[AttributeType::EcPoint])
        .map_err(during("read a public key"))?;
    let bad = |cause: String| DeviceError::Failed {
        what: "read a public key",
        cause,
    };
    let point = found
        .into_iter()
        .find_map(|attribute| match attribute {
            Attribute::EcPoint(point) => Some(point),
            _ => None,
        })
        .ok_or_else(|| bad("it has no point".to_owned()))?;
    let point = bare_point(&point, curve).ok_or_else(|| bad("not a point".to_owned()))?;
    PublicKey::from_point(curve, point).map_err(|error| bad(error.to_string()).into())
}

/// Makes a public key's object of `template`.
pub(crate) fn create_public(
    session: &Session,
    public: &PublicKey,
    template: &[Attribute],
) -> Result<ObjectHandle, Fault> {
    // A DER octet string (PKCS#11 v2.40); what takes the bare point takes this too.
    let point = public.point();
    let mut value = vec![0x04];
    match u8::try_from(point.len()).unwrap_or(u8::MAX) {
        short @ ..0x80 => value.push(short),
        long => value.extend_from_slice(&[0x81, long]),
    }
    value.extend_from_slice(point);
    let mut template = template.to_vec();
    template.push(Attribute::EcPoint(value));
    session
        .create_object(&template)
        .map_err(during("make a public key"))
}

/// The curve of an object, if it is one that we know.
pub(crate) fn curve_of(session: &Session, object: ObjectHandle) -> Result<Option<Curve>, Fault> {
    let found = session
        .get_attributes(object, &[AttributeType::EcParams])
        .map_err(during("read a public key"))?;
    Ok(found.into_iter().find_map(|attribute| match attribute {
        Attribute::EcParams(found) => Curve::ALL
            .into_iter()
            .find(|curve| params(*curve) == found.as_slice()),
        _ => None,
    }))
}

/// `CKA_EC_POINT` is a DER octet string of the point; some tokens give the point.
fn bare_point(value: &[u8], curve: Curve) -> Option<&[u8]> {
    let wanted = curve.point_len();
    if value.len() == wanted {
        return Some(value);
    }
    let (head, point) = value.split_at_checked(value.len().checked_sub(wanted)?)?;
    let length = u8::try_from(wanted).ok()?;
    let fits = match head {
        [0x04, short] => *short == length && length < 0x80,
        [0x04, 0x81, long] => *long == length && length >= 0x80,
        _ => false,
    };
    fits.then_some(point)
}

pub(crate) fn check_digest(curve: Curve, digest: &[u8]) -> Result<(), DeviceError> {
    let expected = digest_len(curve);
    if digest.len() != expected {
        return Err(DeviceError::DigestLength {
            expected,
            got: digest.len(),
        });
    }
    Ok(())
}

/// `r || s` over a digest.
pub(crate) fn sign(
    session: &Session,
    key: ObjectHandle,
    curve: Curve,
    digest: &[u8],
) -> Result<Vec<u8>, Fault> {
    let signature = session
        .sign(&Mechanism::Ecdsa, key, digest)
        .map_err(during("sign"))?;
    if signature.len() != 2 * curve.field_len() {
        return Err(DeviceError::Failed {
            what: "sign",
            cause: format!("a signature of {} bytes came", signature.len()),
        }
        .into());
    }
    Ok(signature)
}

pub(crate) fn check_peer(curve: Curve, peer: &PublicKey) -> Result<(), DeviceError> {
    if peer.curve() != curve {
        return Err(DeviceError::WrongCurve {
            what: "the peer's key",
            expected: curve,
            got: peer.curve(),
        });
    }
    Ok(())
}

/// The x-coordinate of the point shared with `peer`, which is on the same curve.
pub(crate) fn agree(
    session: &Session,
    key: ObjectHandle,
    peer: &PublicKey,
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    const WHAT: &str = "agree on a key";
    let length = peer.curve().field_len();
    let value_length = Ulong::try_from(length).map_err(during(WHAT))?;
    let params = Ecdh1DeriveParams::new(EcKdf::null(), peer.point());
    // The shared secret is the answer, so it may be read; it lives no longer.
    let secret = session
        .derive_key(
            &Mechanism::Ecdh1Derive(params),
            key,
            &[
                Attribute::Class(ObjectClass::SECRET_KEY),
                Attribute::KeyType(KeyType::GENERIC_SECRET),
                Attribute::ValueLen(value_length),
                Attribute::Token(false),
                Attribute::Private(true),
                Attribute::Sensitive(false),
                Attribute::Extractable(true),
            ],
        )
        .map(|handle| Temp::new(session, handle))
        .map_err(during(WHAT))?;
    let found = session
        .get_attributes(secret.handle, &[AttributeType::Value])
        .map_err(during(WHAT))?;
    let value = found
        .into_iter()
        .find_map(|attribute| match attribute {
            Attribute::Value(value) => Some(Zeroizing::new(value)),
            _ => None,
        })
        .filter(|value| value.len() == length)
        .ok_or_else(|| DeviceError::Failed {
            what: WHAT,
            cause: format!("no secret of {length} bytes came"),
        })?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_point_is_taken_bare_and_as_an_octet_string_and_not_otherwise() {
        for curve in Curve::ALL {
            let point = vec![4; curve.point_len()];
            let length = u8::try_from(point.len()).unwrap();
            let der = if length < 0x80 {
                [&[4, length], point.as_slice()].concat()
            } else {
                [&[4, 0x81, length], point.as_slice()].concat()
            };
            assert_eq!(bare_point(&point, curve), Some(point.as_slice()));
            assert_eq!(bare_point(&der, curve), Some(point.as_slice()));
            for bad in [
                vec![],
                vec![4],
                point.get(1..).unwrap().to_vec(),
                [&[3, length], point.as_slice()].concat(),
                [&[4, length - 1], point.as_slice()].concat(),
                [&der, [0].as_slice()].concat(),
            ] {
                assert_eq!(bare_point(&bad, curve), None, "{bad:?}");
            }
        }
    }
}
