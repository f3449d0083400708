//! What RFC 5280, EN 319 412-2 and -3, and TS 119 412-6, 4.1 to 4.4 ask of the
//! fields and extensions.

use finding::Rule;
use x509_cert::ext::pkix::KeyUsages;

use super::{Lint, Profile, validity};
use crate::extension::KeyUsage;
use crate::oid::{self, Oid};
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
    if let Some(finding) = validity(certificate, &lint.about, lint.at) {
        lint.findings.push(finding);
    }
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

/// TS 119 412-6, PID-4.1-02.
pub(super) fn criticality(lint: &mut Lint<'_>) {
    for extension in lint.certificate.extensions() {
        let allowed = matches!(
            extension.extn_id,
            oid::KEY_USAGE
                | oid::BASIC_CONSTRAINTS
                | oid::CERTIFICATE_POLICIES
                | oid::POLICY_MAPPINGS
                | oid::SUBJECT_ALT_NAME
                | oid::NAME_CONSTRAINTS
                | oid::POLICY_CONSTRAINTS
                | oid::INHIBIT_ANY_POLICY
                | oid::EXTENDED_KEY_USAGE
        );
        lint.demand(
            allowed || !extension.critical,
            &rules::CRITICALITY,
            format!("{} is critical", name_of(extension.extn_id)),
        );
    }
}

/// What EN 319 412-2 asks of every end entity's certificate.
pub(super) fn leaf(lint: &mut Lint<'_>) {
    let certificate = lint.certificate;
    lint.demand(!certificate.is_ca(), &rules::NOT_CA, "cA is true");
    key_usage_type(lint);
    if lint.self_signed {
        return;
    }
    issuer_name(lint);
    lint.demand(
        certificate.authority_key_id().is_some(),
        &rules::AKI,
        "no authority key identifier",
    );
    lint.demand(
        !certificate.policies().is_empty(),
        &rules::POLICIES,
        "no certificate policy",
    );
    let known = !certificate.ocsp_urls().is_empty()
        || !certificate.crl_urls().is_empty()
        || certificate.is_validity_assured();
    lint.demand(
        known,
        &rules::REVOCATION_INFO,
        "no CRL distribution point, no OCSP address, not validity-assured",
    );
}

fn issuer_name(lint: &mut Lint<'_>) {
    let issuer = lint.certificate.issuer_name();
    for (attribute, name) in NAMED {
        lint.demand(
            issuer.first(attribute).is_some(),
            &rules::ISSUER_NAME,
            format!("the issuer {issuer} has no {name}"),
        );
    }
}

const NAMED: [(Oid, &str); 3] = [
    (oid::COUNTRY, "countryName"),
    (oid::ORGANIZATION, "organizationName"),
    (oid::COMMON_NAME, "commonName"),
];

/// The settings of table 1 in EN 319 412-2, 4.3.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UsageType {
    A,
    B,
    C,
    D,
    E,
    F,
}

fn usage_type(usage: KeyUsage) -> Option<UsageType> {
    let exchange = KeyUsages::KeyEncipherment | KeyUsages::KeyAgreement;
    let table = KeyUsages::NonRepudiation | KeyUsages::DigitalSignature | exchange;
    // keyEncipherment or keyAgreement, not both.
    if !table.contains(usage.0) || usage.0.contains(exchange) {
        return None;
    }
    let exchanges = !(usage.0 & exchange).is_empty();
    Some(
        match (
            usage.non_repudiation(),
            usage.digital_signature(),
            exchanges,
        ) {
            (true, false, false) => UsageType::A,
            (true, true, false) => UsageType::B,
            (false, true, false) => UsageType::C,
            (false, true, true) => UsageType::D,
            (false, false, true) => UsageType::E,
            (true, true, true) => UsageType::F,
            (true, false, true) | (false, false, false) => return None,
        },
    )
}

fn key_usage_type(lint: &mut Lint<'_>) {
    match lint.certificate.key_usage() {
        None => lint.find(&rules::KU_PRESENT, "no key usage extension"),
        Some(usage) => lint.demand(
            usage_type(usage).is_some(),
            &rules::KU_TYPE,
            usage_text(usage),
        ),
    }
}

/// EN 319 412-3, LEG-4.3.1-3; with type C where TS 119 412-6 allows it.
pub(super) fn content_key_usage(lint: &mut Lint<'_>, with_c: bool) {
    if let Some(usage) = lint.certificate.key_usage()
        && let Some(kind) = usage_type(usage)
    {
        let good = match kind {
            UsageType::A | UsageType::B | UsageType::F => true,
            UsageType::C => with_c,
            UsageType::D | UsageType::E => false,
        };
        lint.demand(
            good,
            &rules::LEG_KU_CONTENT,
            format!("type {kind:?}: {}", usage_text(usage)),
        );
    }
}

/// TS 119 412-6, 4.4.2 and 4.4.3.
pub(super) fn provider_extensions(lint: &mut Lint<'_>) {
    let certificate = lint.certificate;
    lint.demand(
        certificate.subject_key_id().is_some(),
        &rules::SKI,
        "no subject key identifier",
    );
    if !lint.self_signed {
        access(
            lint,
            &rules::PID_AIA,
            &rules::PID_CA_ISSUERS,
            Some(&rules::PID_CA_ISSUERS_HTTP),
        );
    }
}

/// TS 119 412-6, 7.2.1 and 8.2.1.
pub(super) fn attestation_authority_information(lint: &mut Lint<'_>) {
    access(
        lint,
        &rules::EAA_AIA,
        &rules::EAA_CA_ISSUERS,
        Some(&rules::EAA_CA_ISSUERS_HTTP),
    );
}

/// EN 319 412-2, 4.4.1.
pub(super) fn authority_information(lint: &mut Lint<'_>) {
    access(lint, &rules::AIA, &rules::AIA_CA_ISSUERS, None);
}

fn access(lint: &mut Lint<'_>, present: &Rule, ca_issuers: &Rule, http: Option<&Rule>) {
    if lint
        .certificate
        .extension(oid::AUTHORITY_INFO_ACCESS)
        .is_none()
    {
        lint.find(present, "no Authority Information Access");
        return;
    }
    let urls = lint.certificate.ca_issuers_urls();
    lint.demand(!urls.is_empty(), ca_issuers, "no id-ad-caIssuers address");
    let web = |url: &String| url.starts_with("http://") || url.starts_with("https://");
    if let Some(rule) = http
        && !urls.is_empty()
    {
        lint.demand(urls.iter().any(web), rule, urls.join(" "));
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
    for (attribute, name) in NAMED {
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

fn name_of(id: Oid) -> String {
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
        oid::AUTHORITY_INFO_ACCESS => "authorityInfoAccess",
        oid::QC_STATEMENTS => "qcStatements",
        oid::NO_REV_AVAIL => "noRevAvail",
        oid::VALIDITY_ASSURED => "validity-assured",
        _ => return id.to_string(),
    };
    format!("{name} ({id})")
}
