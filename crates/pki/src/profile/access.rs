//! Access certificates of wallet-relying parties: TS 119 411-8, 6.6.1.

use finding::Severity;

use super::lint::Lint;
use super::person::Person;
use super::statements;
use crate::extension::AltName;
use crate::identifier::Identifier;
use crate::oid;
use crate::rules;

pub(super) fn check(lint: &mut Lint<'_>) {
    policies(lint);
    let short_term = lint.certificate.is_validity_assured() || lint.certificate.no_rev_avail();
    lint.demand(
        !short_term,
        &rules::ACCESS_SHORT_TERM,
        "it carries the validity-assured or the noRevAvail extension",
    );
    if lint.person == Person::Legal {
        identifier(lint);
    }
    // GEN-6.6.1-06 and -07 stand under "if … issued to legal persons".
    let severity = match lint.person {
        Person::Legal => Severity::Error,
        Person::Natural => Severity::Warning,
    };
    let cps = lint.certificate.policies().into_iter().flat_map(|p| p.cps);
    if !cps.into_iter().any(|url| is_web(&url)) {
        lint.find_as(severity, &rules::ACCESS_CPS, "no cpsURI that is a URL");
    }
    let contact = lint.certificate.alt_names().iter().any(|name| match name {
        AltName::Uri(url) => is_web(url),
        AltName::Email(text) | AltName::Phone(text) => !text.trim().is_empty(),
        AltName::Dns(_) | AltName::Other => false,
    });
    if !contact {
        lint.find_as(
            severity,
            &rules::ACCESS_CONTACT,
            "no uniformResourceIdentifier, rfc822Name or telephone number in subjectAltName",
        );
    }
}

fn policies(lint: &mut Lint<'_>) {
    let policies = lint.certificate.policies();
    let named: Vec<_> = policies
        .iter()
        .map(|p| p.id)
        .filter(|id| *id != oid::ANY_POLICY)
        .collect();
    if named.is_empty() {
        lint.find(&rules::ACCESS_POLICY, "no policy identifier");
        return;
    }
    let mut known = false;
    for id in named {
        let (person, qualified) = match id {
            oid::NCP_N_EUDIWRP => (Person::Natural, false),
            oid::NCP_L_EUDIWRP => (Person::Legal, false),
            oid::QCP_N_EUDIWRP => (Person::Natural, true),
            oid::QCP_L_EUDIWRP => (Person::Legal, true),
            _ => continue,
        };
        known = true;
        let subject = lint.person;
        lint.demand(
            person == subject,
            &rules::ACCESS_POLICY_KIND,
            format!("the policy {id} is for a {person:?} person, the subject is a {subject:?} one"),
        );
        if qualified {
            let complies = statements::readable(lint)
                .find(oid::QC_COMPLIANCE)
                .is_some();
            lint.demand(
                complies,
                &rules::ACCESS_QUALIFIED,
                "no QcCompliance statement",
            );
        }
    }
    if !known {
        lint.find(&rules::ACCESS_POLICY_OWN, "none of the policies of 5.3");
    }
}

fn identifier(lint: &mut Lint<'_>) {
    match lint.subject.organization_identifier() {
        None => lint.find(&rules::ACCESS_IDENTIFIER, "no organizationIdentifier"),
        Some(id) => match Identifier::legal(&id) {
            Err(why) => lint.find(&rules::ACCESS_IDENTIFIER, format!("{id:?}: {why}")),
            Ok(read) if read.country == "GR" => {
                lint.find(&rules::ACCESS_IDENTIFIER, format!("{id:?}: Greece is EL"));
            }
            Ok(_) => {}
        },
    }
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}
