//! Small secrets, sealed inside the token: a unit's items, and the WSCA's own.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use wscd::{DeviceError, SealPurpose};
use zeroize::Zeroizing;

use crate::error::{Fault, during};
use crate::forms::{Head, MAC, VERSION, check_length, mac, tampered};
use crate::pool::Live;
use crate::profile::Sealing;
use crate::wrap::{Purpose, UnitKey};
use crate::wrapping::{IV, gcm, random};

const CBC_IV: usize = 16;

pub(crate) fn seal_item(
    live: &Live<'_>,
    unit_key: &UnitKey,
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Fault> {
    let head = Head {
        kind: b'I',
        scheme: live.login.profile.sealing as u8,
        ..unit_key.head
    };
    let key = unit_key.unwrap(live, Purpose::Seal)?;
    seal_under(live, key.handle, head.bytes(), aad, plaintext)
}

pub(crate) fn open_item(
    live: &Live<'_>,
    unit_key: &UnitKey,
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    const WHAT: &str = "item";
    let (head, rest) = Head::read(b'I', WHAT, sealed)?;
    head.check_under(WHAT, unit_key.roots.state, &unit_key.head)?;
    let sealing = scheme(WHAT, head.scheme)?;
    let key = unit_key.unwrap(live, Purpose::Seal)?;
    open_under(live, WHAT, key.handle, sealing, &head.bytes(), aad, rest)
}

pub(crate) fn seal(
    live: &Live<'_>,
    purpose: SealPurpose,
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Fault> {
    let key = live.login.seal(purpose)?;
    let head = secret_head(live, purpose, live.login.profile.sealing as u8);
    seal_under(live, key, head, aad, plaintext)
}

pub(crate) fn open(
    live: &Live<'_>,
    purpose: SealPurpose,
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    const WHAT: &str = "secret";
    check_length(WHAT, sealed)?;
    let key = live.login.seal(purpose)?;
    let number = sealed
        .get(2)
        .ok_or_else(|| tampered(WHAT, "it is too short"))?;
    let sealing = scheme(WHAT, *number)?;
    let head = secret_head(live, purpose, *number);
    let rest = sealed
        .strip_prefix(head.as_slice())
        .ok_or_else(|| tampered(WHAT, "this device did not seal it for this"))?;
    open_under(live, WHAT, key, sealing, &head, aad, rest)
}

fn secret_head(live: &Live<'_>, purpose: SealPurpose, scheme: u8) -> Vec<u8> {
    let mut head = vec![VERSION, b'S', scheme];
    head.extend_from_slice(&live.login.device);
    // Each purpose has a key of its own; its first letters make a mix-up plain.
    let label = purpose.label().as_bytes();
    head.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
    head.extend_from_slice(label);
    head
}

fn scheme(what: &'static str, number: u8) -> Result<Sealing, DeviceError> {
    Sealing::from_number(number).ok_or_else(|| tampered(what, "it is sealed in an unknown way"))
}

fn seal_under(
    live: &Live<'_>,
    key: ObjectHandle,
    head: Vec<u8>,
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Fault> {
    let mut out = head;
    match live.login.profile.sealing {
        Sealing::Gcm => {
            let mut iv = [0; IV];
            random(live.session, &mut iv)?;
            let authenticated = authenticated(&out, aad);
            out.extend_from_slice(&iv);
            let params = gcm(&mut iv, &authenticated)?;
            let sealed = live
                .session
                .encrypt(&Mechanism::AesGcm(params), key, plaintext)
                .map_err(during("seal"))?;
            out.extend_from_slice(&sealed);
        }
        Sealing::CbcHmac => {
            let mut iv = [0; CBC_IV];
            random(live.session, &mut iv)?;
            let sealed = live
                .session
                .encrypt(&Mechanism::AesCbcPad(iv), key, plaintext)
                .map_err(during("seal"))?;
            let mac = mac(live, &[b"seal", &out, aad, &iv, &sealed])?;
            out.extend_from_slice(&iv);
            out.extend_from_slice(&sealed);
            out.extend_from_slice(&mac);
        }
    }
    Ok(out)
}

fn open_under(
    live: &Live<'_>,
    what: &'static str,
    key: ObjectHandle,
    sealing: Sealing,
    head: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let short = || tampered(what, "it is too short");
    let (opened, cause) = match sealing {
        Sealing::Gcm => {
            let (iv, sealed) = sealed.split_first_chunk::<IV>().ok_or_else(short)?;
            let mut iv = *iv;
            let authenticated = authenticated(head, aad);
            let params = gcm(&mut iv, &authenticated)?;
            if sealed.len() < MAC / 2 {
                return Err(short().into());
            }
            let opened = live
                .session
                .decrypt(&Mechanism::AesGcm(params), key, sealed);
            (opened, "its tag does not verify")
        }
        Sealing::CbcHmac => {
            let (body, found) = sealed.split_last_chunk::<MAC>().ok_or_else(short)?;
            let (iv, sealed) = body.split_first_chunk::<CBC_IV>().ok_or_else(short)?;
            let right = mac(live, &[b"seal", head, aad, iv, sealed])?;
            verify_slices_are_equal(&right, found)
                .map_err(|_| tampered(what, "its MAC does not verify"))?;
            let opened = live
                .session
                .decrypt(&Mechanism::AesCbcPad(*iv), key, sealed);
            (opened, "it does not decrypt")
        }
    };
    match opened {
        Ok(plaintext) => Ok(Zeroizing::new(plaintext)),
        Err(Error::Pkcs11(
            RvError::EncryptedDataInvalid
            | RvError::EncryptedDataLenRange
            | RvError::SignatureInvalid
            | RvError::DataInvalid
            | RvError::DataLenRange,
            _,
        )) => Err(tampered(what, cause).into()),
        // SoftHSM says no more than this of a tag that does not verify. Where the
        // token still works, the form was at fault and not the token.
        Err(Error::Pkcs11(RvError::GeneralError | RvError::FunctionFailed, _))
            if mac(live, &[b"probe"]).is_ok() =>
        {
            Err(tampered(what, cause).into())
        }
        Err(error) => Err(during("open a sealed secret")(error)),
    }
}

/// The head's length goes first, so that no two splits are the same bytes.
fn authenticated(head: &[u8], aad: &[u8]) -> Vec<u8> {
    let length = u64::try_from(head.len()).unwrap_or(u64::MAX);
    [&length.to_be_bytes(), head, aad].concat()
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use wscd::UnitBinding;

    use super::*;
    use crate::common::with_tokens;
    use crate::link::{Link, Manner};
    use crate::login::{Line, Login};
    use crate::module::Module;
    use crate::objects::Origin;
    use crate::uri::DeviceUri;
    use crate::wrap::{create_unit_key, open_unit_key};
    use crate::{PinSource, init};

    /// No token here is without AES-GCM, so one is told not to use it.
    #[test]
    fn without_gcm_it_seals_with_cbc_and_a_mac() {
        with_tokens(
            "seal::tests::without_gcm_it_seals_with_cbc_and_a_mac",
            async |place| {
                let so_pin = PinSource::File(place.folder.join("so-pin"));
                init(&place.uri(), Some(so_pin)).await.unwrap();
                let uri = DeviceUri::parse(&place.uri()).unwrap();
                let token = &uri.first;
                let pin = token.pin.read().unwrap();
                let module = Module::at(&token.module).unwrap();
                let manner = Manner {
                    origin: Origin::Token,
                    of_set: false,
                };
                let link =
                    Link::open(&module, &token.token, token.pin.read().unwrap(), manner).unwrap();
                let login =
                    |epoch| Login::new(&module, &token.token, &pin, Origin::Token, epoch).unwrap();
                let (gcm, mut cbc) = (login(1), login(2));
                assert_eq!(gcm.profile.sealing, Sealing::Gcm);
                cbc.profile.sealing = Sealing::CbcHmac;
                let gate = module.enter();
                let line = Line::open(&module, &gate, cbc.slot, 2).unwrap();
                line.with(|session| {
                    let live = |login| Live {
                        session,
                        login,
                        link: &link,
                    };
                    check(&live(&cbc), &live(&gcm));
                    Ok::<_, Fault>(())
                })
                .unwrap();
                drop(gate);
            },
        );
    }

    fn check(cbc: &Live<'_>, gcm: &Live<'_>) {
        let purpose = SealPurpose::ServiceSecret;
        let unit = UnitBinding([1; 16]);
        let unit_key = create_unit_key(cbc, &unit).unwrap();
        let unit_key = open_unit_key(cbc, &unit, &unit_key).unwrap();
        for length in [0, 1, 15, 16, 17, 4096] {
            let secret = vec![0x5a; length];
            let sealed = seal(cbc, purpose, b"aad", &secret).unwrap();
            let item = seal_item(cbc, &unit_key, b"aad", &secret).unwrap();
            // What is sealed says how, so either opens it.
            for live in [cbc, gcm] {
                assert_eq!(*open(live, purpose, b"aad", &sealed).unwrap(), secret);
                assert_eq!(*open_item(live, &unit_key, b"aad", &item).unwrap(), secret);
            }
            refused(open(cbc, purpose, b"other", &sealed));
            refused(open(cbc, SealPurpose::OpaqueServerKey, b"aad", &sealed));
            refused(open_item(cbc, &unit_key, b"other", &item));
        }
        let sealed = seal(cbc, purpose, b"aad", b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            refused(open(cbc, purpose, b"aad", &changed));
            refused(open(cbc, purpose, b"aad", &sealed[..at]));
        }
    }

    fn refused(answer: Result<Zeroizing<Vec<u8>>, Fault>) {
        match answer {
            Err(Fault::Refused(DeviceError::Tampered { .. })) => {}
            other => panic!("{other:?}"),
        }
    }
}
