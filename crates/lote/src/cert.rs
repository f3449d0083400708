//! Certificates as they stand in lists.

use jiff::Timestamp;
use jose::{PublicKey, b64};
use pki::{Certificate, oid};

use crate::model::{EntityInformation, PkiObject};
use crate::values;

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

/// What the certified identity lacks of the entity's name and, where it has one,
/// its registration number (Tables D.3, E.3, I.3).
pub(crate) fn missing_identity(
    certificate: &Certificate,
    entity: &EntityInformation,
) -> Vec<String> {
    let name = certificate.subject_name();
    let mut missing = Vec::new();
    let mut names = name.all(oid::ORGANIZATION);
    names.extend(name.all(oid::COMMON_NAME));
    if let (Some(given), Some(surname)) = (name.first(oid::GIVEN_NAME), name.first(oid::SURNAME)) {
        names.push(format!("{given} {surname}"));
    }
    if !entity
        .name
        .iter()
        .any(|n| names.iter().any(|own| own == n.text()))
    {
        missing.push("the subject does not have the entity's name".to_owned());
    }
    let registered: Vec<&str> = entity
        .trade_name
        .iter()
        .map(|n| n.text())
        .filter(|n| values::is_registration_identifier(n))
        .collect();
    let mut numbers = name.all(oid::ORGANIZATION_IDENTIFIER);
    numbers.extend(name.all(oid::SERIAL_NUMBER));
    if !registered.is_empty() && !registered.iter().any(|r| numbers.iter().any(|n| n == r)) {
        let shown = registered.join(" or ");
        missing.push(format!(
            "the subject does not have the registration number {shown}"
        ));
    }
    missing
}
