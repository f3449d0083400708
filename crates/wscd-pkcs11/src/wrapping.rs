//! A token's own wrapping, whichever of the two it does.

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use wscd::DeviceError;

use crate::error::{Fault, during};
use crate::objects::Temp;
use crate::profile::Wrapping;

pub(crate) const IV: usize = 12;
pub(crate) const TAG_BITS: usize = 128;

/// Fills bytes from the token's own generator.
pub(crate) fn random(session: &Session, bytes: &mut [u8]) -> Result<(), Fault> {
    session
        .generate_random_slice(bytes)
        .map_err(during("make random bytes"))
}

/// Wraps `key` by the key `by`.
pub(crate) fn wrap(
    session: &Session,
    scheme: Wrapping,
    by: ObjectHandle,
    key: ObjectHandle,
) -> Result<Vec<u8>, Fault> {
    match scheme {
        Wrapping::KeyWrapPad => session
            .wrap_key(&Mechanism::AesKeyWrapPad, by, key)
            .map_err(during("wrap a key")),
        Wrapping::Gcm => {
            let mut iv = [0; IV];
            random(session, &mut iv)?;
            let mut out = iv.to_vec();
            let params = gcm(&mut iv, &[])?;
            let wrapped = session
                .wrap_key(&Mechanism::AesGcm(params), by, key)
                .map_err(during("wrap a key"))?;
            out.extend_from_slice(&wrapped);
            Ok(out)
        }
    }
}

pub(crate) fn unwrap<'s>(
    session: &'s Session,
    scheme: Wrapping,
    by: ObjectHandle,
    wrapped: &[u8],
    template: &[Attribute],
) -> Result<Temp<'s>, Fault> {
    let unwrapped = match scheme {
        Wrapping::KeyWrapPad => {
            session.unwrap_key(&Mechanism::AesKeyWrapPad, by, wrapped, template)
        }
        Wrapping::Gcm => {
            let (iv, wrapped) = wrapped
                .split_first_chunk::<IV>()
                .ok_or(DeviceError::Tampered {
                    what: "wrapped key",
                    cause: "it is too short",
                })?;
            let mut iv = *iv;
            let params = gcm(&mut iv, &[])?;
            session.unwrap_key(&Mechanism::AesGcm(params), by, wrapped, template)
        }
    };
    unwrapped
        .map(|handle| Temp::new(session, handle))
        .map_err(during("unwrap a key"))
}

pub(crate) fn gcm<'a>(iv: &'a mut [u8; IV], aad: &'a [u8]) -> Result<GcmParams<'a>, Fault> {
    let bits = Ulong::try_from(TAG_BITS).map_err(during("use AES-GCM"))?;
    GcmParams::new(iv, aad, bits).map_err(during("use AES-GCM"))
}
