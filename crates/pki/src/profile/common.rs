//! What RFC 5280 asks of every certificate, and what is asked of CAs and of the
//! signers of lists and status lists.

use x509_cert::ext::pkix::KeyUsages;

use super::lint::Lint;
use super::purpose::Profile;
use super::words::{ISSUER_NAMES, name_of, usage_text};
use crate::oid;
use crate::rules;
use crate::signature::AlgorithmPolicy;

pub(super) fn every_certificate(lint: &mut Lint<'_>) {
    let certificate = lint.certificate;
    lint.demand(
        certificate.version() == 3,
        &rules::VERSION,
        format!("version {}", certificate.version()),
    );
    let serial = certificate.serial_der();
    let negative = serial.first().is_some_and(|first| first & 0x80 != 0);
    let zero = serial.iter().all(|&byte| byte == 0);
    lint.demand(
        !negative && !zero && serial.len() <= 20,
        &rules::SERIAL,
        format!("{} octets: {}", serial.len(), hex::encode(serial)),
    );
    lint.demand(
        certificate.signature_algorithms_agree(),
        &rules::SIGNATURE_FIELDS,
        "they differ",
    );
    lint.demand(
        certificate.not_before() <= certificate.not_after(),
        &rules::VALIDITY_ORDER,
        format!(
            "{} comes after {}",
            certificate.not_before(),
            certificate.not_after()
        ),
    );
    if certificate.is_self_issued() {
        lint.demand(
            lint.self_signed,
            &rules::SELF_SIGNATURE,
            "issuer and subject are the same, and the signature is not by its own key",
        );
    }
    let policy = AlgorithmPolicy::AGREED;
    for result in [
        policy.accepts_key(certificate.spki_der()),
        policy.accepts_algorithm(certificate.signature_algorithm()),
    ] {
        if let Err(what) = result {
            lint.find(&rules::ALGORITHM, what);
        }
    }
    must_be_critical(lint);
}

/// RFC 5280, 4.2.1.9 to 4.2.1.14.
fn must_be_critical(lint: &mut Lint<'_>) {
    let is_ca = lint.certificate.is_ca();
    for extension in lint.certificate.extensions() {
        let must = match extension.extn_id {
            oid::NAME_CONSTRAINTS | oid::POLICY_CONSTRAINTS | oid::INHIBIT_ANY_POLICY => true,
            oid::BASIC_CONSTRAINTS => is_ca,
            oid::SUBJECT_ALT_NAME => lint.subject.is_empty(),
            _ => false,
        };
        lint.demand(
            extension.critical || !must,
            &rules::CRITICAL_MISSING,
            format!("{} is not critical", name_of(extension.extn_id)),
        );
    }
}

pub(super) fn ca(lint: &mut Lint<'_>) {
    let certificate = lint.certificate;
    lint.demand(
        certificate.is_ca(),
        &rules::CA_BASIC_CONSTRAINTS,
        match certificate.basic_constraints() {
            Some(_) => "cA is false",
            None => "no basicConstraints",
        },
    );
    match certificate.key_usage() {
        None => lint.find(&rules::CA_KEY_USAGE, "no key usage extension"),
        Some(usage) => lint.demand(
            usage.key_cert_sign(),
            &rules::CA_KEY_USAGE,
            usage_text(usage),
        ),
    }
    lint.demand(
        certificate.subject_key_id().is_some(),
        &rules::SKI,
        "no subject key identifier",
    );
    for (attribute, name) in ISSUER_NAMES {
        let there = lint.subject.first(attribute).is_some();
        lint.demand(there, &rules::CA_SUBJECT, format!("no {name}"));
    }
    if !lint.self_signed {
        lint.demand(
            certificate.authority_key_id().is_some(),
            &rules::AKI,
            "no authority key identifier",
        );
    }
}

pub(super) fn list_operator(lint: &mut Lint<'_>) {
    let certificate = lint.certificate;
    lint.demand(!certificate.is_ca(), &rules::NOT_CA, "cA is true");
    for (attribute, name) in [
        (oid::COUNTRY, "countryName"),
        (oid::ORGANIZATION, "organizationName"),
    ] {
        let there = lint.subject.first(attribute).is_some();
        lint.demand(there, &rules::LIST_SUBJECT, format!("no {name}"));
    }
    let signing = KeyUsages::DigitalSignature | KeyUsages::NonRepudiation;
    match certificate.key_usage() {
        None => lint.find(&rules::LIST_KEY_USAGE, "no key usage extension"),
        Some(usage) => lint.demand(
            !usage.0.is_empty() && signing.contains(usage.0),
            &rules::LIST_KEY_USAGE,
            usage_text(usage),
        ),
    }
    let purposes = certificate.extended_key_usage().unwrap_or_default();
    lint.demand(
        purposes.contains(&oid::TSL_SIGNING),
        &rules::LIST_EKU,
        "no id-tsl-kp-tslSigning",
    );
    lint.demand(
        certificate.subject_key_id().is_some(),
        &rules::SKI,
        "no subject key identifier",
    );
}

pub(super) fn status_list(lint: &mut Lint<'_>) {
    debug_assert_eq!(lint.profile, Profile::StatusList);
    lint.demand(!lint.certificate.is_ca(), &rules::NOT_CA, "cA is true");
    match lint.certificate.key_usage() {
        None => lint.find(&rules::SIGNS, "no key usage extension"),
        Some(usage) => lint.demand(usage.digital_signature(), &rules::SIGNS, usage_text(usage)),
    }
}
