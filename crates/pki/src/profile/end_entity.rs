//! What EN 319 412-2 and -3 and TS 119 412-6, 4.1 to 4.4 ask of the certificates
//! of end entities.

use finding::{Rule, Severity};
use x509_cert::ext::pkix::KeyUsages;

use super::lint::Lint;
use super::person::Person;
use super::purpose::Profile;
use super::words::{ISSUER_NAMES, name_of, usage_text};
use crate::extension::KeyUsage;
use crate::oid::{self, Oid};
use crate::rules;

/// What EN 319 412-2 asks of every end entity's certificate.
pub(super) fn every_end_entity(lint: &mut Lint<'_>) {
    let certificate = lint.certificate;
    lint.demand(!certificate.is_ca(), &rules::NOT_CA, "cA is true");
    key_usage_type(lint);
    ca_extensions(lint);
    never_critical(lint);
    addresses(lint);
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

/// GEN-4.2.3.1 and GEN-4.2.3.2: a legal person issues it, or a natural one.
fn issuer_name(lint: &mut Lint<'_>) {
    let issuer = lint.certificate.issuer_name();
    let has = |attribute| issuer.first(attribute).is_some();
    let natural = Person::of(&issuer) == Person::Natural && !has(oid::ORGANIZATION);
    let needed: &[(Oid, &str)] = match natural {
        true => &[
            (oid::COUNTRY, "countryName"),
            (oid::SERIAL_NUMBER, "serialNumber"),
            (oid::COMMON_NAME, "commonName"),
        ],
        false => &ISSUER_NAMES,
    };
    for (attribute, name) in needed {
        lint.demand(
            has(*attribute),
            &rules::ISSUER_NAME,
            format!("the issuer {issuer} has no {name}"),
        );
    }
    let listed = needed.iter().map(|(attribute, _)| *attribute);
    for attribute in listed.chain([oid::ORGANIZATION_IDENTIFIER]) {
        let count = issuer.all(attribute).len();
        lint.demand(
            count <= 1,
            &rules::ISSUER_ONE_EACH,
            format!("the issuer {issuer} has {count} instances of {attribute}"),
        );
    }
    let id = issuer.organization_identifier();
    lint.demand(
        id.is_none() || id != issuer.organization(),
        &rules::ISSUER_IDENTIFIER,
        format!("both are {:?}", id.unwrap_or_default()),
    );
}

/// GEN-4.3.4-1, GEN-4.3.8-1, GEN-4.3.9-1 and GEN-4.3.12-1.
fn ca_extensions(lint: &mut Lint<'_>) {
    for id in [
        oid::POLICY_MAPPINGS,
        oid::NAME_CONSTRAINTS,
        oid::POLICY_CONSTRAINTS,
        oid::INHIBIT_ANY_POLICY,
    ] {
        let there = lint.certificate.extension(id).is_some();
        lint.demand(!there, &rules::CA_EXTENSION, name_of(id));
    }
}

/// GEN-4.3.5-1, GEN-4.3.6-1, GEN-4.3.10-1 and GEN-4.3.11-5. Of PID and wallet
/// providers, whose own rule [`criticality`] says the same of the others, only
/// what RFC 5280 would allow: ISO/IEC 18013-5 has a critical extKeyUsage.
fn never_critical(lint: &mut Lint<'_>) {
    let provider = matches!(lint.profile, Profile::Pid | Profile::Wallet);
    for id in [
        oid::SUBJECT_ALT_NAME,
        oid::ISSUER_ALT_NAME,
        oid::EXTENDED_KEY_USAGE,
        oid::CRL_DISTRIBUTION_POINTS,
    ] {
        if !lint.certificate.extension(id).is_some_and(|e| e.critical) {
            continue;
        }
        let evidence = format!("{} is critical", name_of(id));
        match (provider, id) {
            (true, oid::ISSUER_ALT_NAME | oid::CRL_DISTRIBUTION_POINTS) => {}
            (true, oid::EXTENDED_KEY_USAGE) => {
                lint.find_as(Severity::Warning, &rules::NEVER_CRITICAL, evidence);
            }
            _ => lint.find(&rules::NEVER_CRITICAL, evidence),
        }
    }
}

/// GEN-4.3.11-4 and GEN-4.4.1-6: addresses that readers can follow.
fn addresses(lint: &mut Lint<'_>) {
    let starts = |urls: &[String], schemes: &[&str]| {
        urls.is_empty()
            || urls
                .iter()
                .any(|url| schemes.iter().any(|scheme| url.starts_with(scheme)))
    };
    let crls = lint.certificate.crl_urls();
    let fits = starts(&crls, &["http://", "https://", "ldap://"]);
    lint.demand(fits, &rules::CRL_ADDRESS, crls.join(" "));
    let responders = lint.certificate.ocsp_urls();
    let fits = starts(&responders, &WEB);
    lint.demand(fits, &rules::OCSP_ADDRESS, responders.join(" "));
}

const WEB: [&str; 2] = ["http://", "https://"];

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
            &rules::PID_CA_ISSUERS_HTTP,
        );
    }
}

/// TS 119 412-6, 7.2.1 and 8.2.1.
pub(super) fn attestation_authority_information(lint: &mut Lint<'_>) {
    access(
        lint,
        &rules::EAA_AIA,
        &rules::EAA_CA_ISSUERS,
        &rules::EAA_CA_ISSUERS_HTTP,
    );
}

/// EN 319 412-2, 4.4.1.
pub(super) fn authority_information(lint: &mut Lint<'_>) {
    access(
        lint,
        &rules::AIA,
        &rules::AIA_CA_ISSUERS,
        &rules::AIA_CA_ISSUERS_HTTP,
    );
}

fn access(lint: &mut Lint<'_>, present: &Rule, ca_issuers: &Rule, http: &Rule) {
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
    let web = |url: &String| WEB.iter().any(|scheme| url.starts_with(scheme));
    lint.demand(
        urls.is_empty() || urls.iter().any(web),
        http,
        urls.join(" "),
    );
}
