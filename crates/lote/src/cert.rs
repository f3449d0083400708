//! Certificates as they stand in lists.

use jiff::Timestamp;
use jose::{PublicKey, b64};
use pki::{Certificate, oid};

use crate::model::PkiObject;

/// A certificate that was read from a list, or why not.
#[derive(Debug)]
pub(crate) enum Read {
    Good(Certificate),
    /// It can be read, and does not stand there as it should.
    Sloppy(Certificate, String),
    Bad(String),
}

/// Reads base64 of a DER certificate. White space in it is survived.
pub(crate) fn read(object: &PkiObject) -> Read {
    let Some(text) = object.val.as_deref() else {
        return Read::Bad("val is missing".to_owned());
    };
    if let Ok(der) = b64::decode_std(text) {
        return match read_der(&der) {
            Ok(certificate) => Read::Good(certificate),
            Err(why) => Read::Bad(why),
        };
    }
    let tight: String = text
        .replace("-----BEGIN CERTIFICATE-----", "")
        .replace("-----END CERTIFICATE-----", "")
        .split_ascii_whitespace()
        .collect();
    match b64::decode_std(&tight).map(|der| read_der(&der)) {
        Ok(Ok(certificate)) => {
            let why = "base64 with white space or PEM lines around it".to_owned();
            Read::Sloppy(certificate, why)
        }
        Ok(Err(why)) => Read::Bad(why),
        Err(e) => Read::Bad(e.to_string()),
    }
}

pub(crate) fn read_der(der: &[u8]) -> Result<Certificate, String> {
    Certificate::from_der(der).map_err(|e| e.to_string())
}

/// The key that a seal has to verify under.
pub(crate) fn public_key(certificate: &Certificate) -> Result<PublicKey, String> {
    certificate.public_key().map_err(|e| e.to_string())
}

pub(crate) fn has_key(certificate: &Certificate, key: &PublicKey) -> bool {
    certificate.public_key().is_ok_and(|own| own == *key)
}

pub(crate) fn is_valid(certificate: &Certificate, at: Timestamp) -> bool {
    certificate.not_before() <= at && at <= certificate.not_after()
}

pub(crate) fn countries(certificate: &Certificate) -> Vec<String> {
    certificate.subject_name().all(oid::COUNTRY)
}

pub(crate) fn organizations(certificate: &Certificate) -> Vec<String> {
    certificate.subject_name().all(oid::ORGANIZATION)
}

/// What the certified identity lacks of the entity's names and, where it has one,
/// its registration number (Tables D.3, E.3, I.3).
pub(crate) fn missing_identity<T: AsRef<str>>(
    certificate: &Certificate,
    names: &[T],
    registrations: &[T],
) -> Vec<String> {
    let subject = certificate.subject_name();
    let mut missing = Vec::new();
    let mut own = subject.all(oid::ORGANIZATION);
    own.extend(subject.all(oid::COMMON_NAME));
    if let (Some(given), Some(surname)) =
        (subject.first(oid::GIVEN_NAME), subject.first(oid::SURNAME))
    {
        own.push(format!("{given} {surname}"));
    }
    if !names
        .iter()
        .any(|name| own.iter().any(|o| o == name.as_ref()))
    {
        missing.push("the subject does not have the entity's name".to_owned());
    }
    let mut numbers = subject.all(oid::ORGANIZATION_IDENTIFIER);
    numbers.extend(subject.all(oid::SERIAL_NUMBER));
    let registered = |r: &T| numbers.iter().any(|n| n == r.as_ref());
    if !registrations.is_empty() && !registrations.iter().any(registered) {
        let shown: Vec<&str> = registrations.iter().map(AsRef::as_ref).collect();
        let shown = shown.join(" or ");
        missing.push(format!(
            "the subject does not have the registration number {shown}"
        ));
    }
    missing
}
