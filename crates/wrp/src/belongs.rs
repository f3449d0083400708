use finding::{Finding, Severity};
use pki::{AltName, Certificate};

use crate::show::show;
use crate::{Person, RegistrationCertificate, rules};

/// Whether a registration certificate is of the party, and of the service, that an
/// access certificate names. Empty findings, or warnings alone, say yes.
///
/// The party is told by its identifier alone (GEN-5.1.1-03). Where the certificate
/// is for use through an intermediary, the access certificate is the
/// intermediary's.
pub fn belongs(registration: &RegistrationCertificate, access: &Certificate) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = access.subject_name();
    let own: Vec<String> = [
        name.all(pki::oid::ORGANIZATION_IDENTIFIER),
        name.all(pki::oid::SERIAL_NUMBER),
    ]
    .concat();
    let has = |id: &str| own.iter().any(|own| own == id);
    let shown = match own.is_empty() {
        true => "no identifier".to_owned(),
        false => show(&own.join(" and ")),
    };
    if let Some(intermediary) = &registration.intermediary {
        if !has(&intermediary.id) {
            let evidence = format!(
                "it is for use through {}, the access certificate has {shown}",
                show(&intermediary.id)
            );
            findings.push(rules::SAME_PARTY.finding("intermediary", evidence));
        }
        return findings;
    }
    if !has(&registration.id) {
        let evidence = format!(
            "it is of {}, the access certificate has {shown}",
            show(&registration.id)
        );
        findings.push(rules::SAME_PARTY.finding("sub", evidence));
        return findings;
    }
    findings.extend(service(registration, access));
    findings.extend(names(registration, access));
    findings
}

/// ARF Reg_33: no attribute of the access certificate is set aside for it yet, so
/// it is looked for in the URIs of subjectAltName, whole or as their last part.
fn service(registration: &RegistrationCertificate, access: &Certificate) -> Option<Finding> {
    let id = registration.service_id.as_deref()?;
    let named = uris(access)
        .iter()
        .any(|uri| uri == id || uri.rsplit(['/', ':']).next() == Some(id));
    (!named).then(|| {
        let evidence = format!(
            "the access certificate does not have the service {}",
            show(id)
        );
        rules::SAME_SERVICE.finding("srv_id", evidence)
    })
}

/// Tables 1 and 3, except for the identifier.
fn names(registration: &RegistrationCertificate, access: &Certificate) -> Vec<Finding> {
    let name = access.subject_name();
    let mut findings = Vec::new();
    let mut compare = |claim: &str, here: &str, there: Vec<String>| {
        if !there.is_empty() && !there.iter().any(|own| own == here) {
            let evidence = format!("{} here, {} there", show(here), show(&there.join(", ")));
            let rule = &rules::SERVICE_NAMES;
            findings.push(rule.finding_as(Severity::Warning, claim, evidence));
        }
    };
    if let Some(trade_name) = &registration.trade_name {
        compare("name", trade_name, name.all(pki::oid::COMMON_NAME));
    }
    if let Person::Legal(legal_name) = &registration.person {
        compare("sub_ln", legal_name, name.all(pki::oid::ORGANIZATION));
    }
    compare(
        "country",
        &registration.country,
        name.all(pki::oid::COUNTRY),
    );
    let uris = uris(access);
    let shared = registration.support.iter().any(|own| uris.contains(own));
    if !shared && let Some(support) = registration.support.first() {
        compare("support_uri", support, uris);
    }
    findings
}

fn uris(access: &Certificate) -> Vec<String> {
    let names = access.alt_names().into_iter();
    names
        .filter_map(|name| match name {
            AltName::Uri(uri) => Some(uri),
            _ => None,
        })
        .collect()
}
