//! How findings name what they are about.

use x509_cert::ext::pkix::KeyUsages;

use crate::extension::KeyUsage;
use crate::oid::{self, Oid};

/// What a CA's name holds (EN 319 412-2, GEN-4.2.3.1-2).
pub(super) const ISSUER_NAMES: [(Oid, &str); 3] = [
    (oid::COUNTRY, "countryName"),
    (oid::ORGANIZATION, "organizationName"),
    (oid::COMMON_NAME, "commonName"),
];

pub(crate) fn usage_text(usage: KeyUsage) -> String {
    let names: Vec<&str> = [
        (KeyUsages::DigitalSignature, "digitalSignature"),
        (KeyUsages::NonRepudiation, "nonRepudiation"),
        (KeyUsages::KeyEncipherment, "keyEncipherment"),
        (KeyUsages::DataEncipherment, "dataEncipherment"),
        (KeyUsages::KeyAgreement, "keyAgreement"),
        (KeyUsages::KeyCertSign, "keyCertSign"),
        (KeyUsages::CRLSign, "cRLSign"),
        (KeyUsages::EncipherOnly, "encipherOnly"),
        (KeyUsages::DecipherOnly, "decipherOnly"),
    ]
    .into_iter()
    .filter(|(usage_bit, _)| usage.0.contains(*usage_bit))
    .map(|(_, name)| name)
    .collect();
    format!("key usage {{{}}}", names.join(", "))
}

pub(super) fn name_of(id: Oid) -> String {
    let name = match id {
        oid::SUBJECT_KEY_IDENTIFIER => "subjectKeyIdentifier",
        oid::SUBJECT_ALT_NAME => "subjectAltName",
        oid::ISSUER_ALT_NAME => "issuerAltName",
        oid::BASIC_CONSTRAINTS => "basicConstraints",
        oid::NAME_CONSTRAINTS => "nameConstraints",
        oid::CRL_DISTRIBUTION_POINTS => "cRLDistributionPoints",
        oid::AUTHORITY_KEY_IDENTIFIER => "authorityKeyIdentifier",
        oid::POLICY_CONSTRAINTS => "policyConstraints",
        oid::INHIBIT_ANY_POLICY => "inhibitAnyPolicy",
        oid::EXTENDED_KEY_USAGE => "extKeyUsage",
        oid::POLICY_MAPPINGS => "policyMappings",
        oid::AUTHORITY_INFO_ACCESS => "authorityInfoAccess",
        oid::QC_STATEMENTS => "qcStatements",
        oid::NO_REV_AVAIL => "noRevAvail",
        oid::VALIDITY_ASSURED => "validity-assured",
        _ => return id.to_string(),
    };
    format!("{name} ({id})")
}
