//! Who a subject is: EN 319 412-2, 4.2.4 and EN 319 412-3, 4.2.1.

use super::lint::Lint;
use super::person::Person;
use super::purpose::Profile;
use crate::identifier::Identifier;
use crate::oid;
use crate::rules;

pub(super) fn person(lint: &mut Lint<'_>) {
    match lint.person {
        Person::Natural => natural(lint),
        Person::Legal => legal(lint),
    }
}

fn natural(lint: &mut Lint<'_>) {
    let has = |attribute| lint.subject.first(attribute).is_some();
    let named = has(oid::GIVEN_NAME) || has(oid::SURNAME);
    let pseudonym = has(oid::PSEUDONYM);
    let (country, common_name) = (has(oid::COUNTRY), has(oid::COMMON_NAME));
    lint.demand(country, &rules::NAT_COUNTRY, "no countryName");
    lint.demand(
        named != pseudonym,
        &rules::NAT_PERSON_NAME,
        "both a name and a pseudonym",
    );
    lint.demand(common_name, &rules::NAT_COMMON_NAME, "no commonName");
    for (attribute, name) in [
        (oid::COUNTRY, "countryName"),
        (oid::COMMON_NAME, "commonName"),
    ] {
        let count = lint.subject.all(attribute).len();
        let evidence = format!("{count} instances of {name}");
        lint.demand(count <= 1, &rules::NAT_ONE_EACH, evidence);
    }
    if let Some(id) = lint.subject.serial_number()
        && let Err(why) = Identifier::natural(&id)
    {
        lint.find(&rules::NAT_IDENTIFIER_FORM, format!("{id:?}: {why}"));
    }
}

fn legal(lint: &mut Lint<'_>) {
    for (attribute, name, rule) in [
        (oid::COUNTRY, "countryName", &rules::LEG_COUNTRY),
        (
            oid::ORGANIZATION,
            "organizationName",
            &rules::LEG_ORGANIZATION,
        ),
        (
            oid::ORGANIZATION_IDENTIFIER,
            "organizationIdentifier",
            &rules::LEG_IDENTIFIER,
        ),
        (oid::COMMON_NAME, "commonName", &rules::LEG_COMMON_NAME),
    ] {
        let values = lint.subject.all(attribute);
        match values.len() {
            0 => lint.find(rule, format!("no {name}")),
            1 if values.iter().all(|v| v.trim().is_empty()) => {
                lint.find(rule, format!("{name} is empty"));
            }
            1 => {}
            n => lint.find(&rules::LEG_ONE_EACH, format!("{n} instances of {name}")),
        }
    }
    if let Some(country) = lint.subject.country() {
        lint.demand(
            is_country(&country),
            &rules::LEG_ESTABLISHED,
            format!("countryName is {country:?}, which is no country's alpha-2 code"),
        );
    }
    if let Some(id) = lint.subject.organization_identifier() {
        let name = lint.subject.organization();
        lint.demand(
            name.as_deref() != Some(id.as_str()),
            &rules::LEG_IDENTIFIER_IS_NAME,
            format!("both are {id:?}"),
        );
        // Of access certificates, TS 119 411-8 demands it: see `access`.
        if let (Err(why), true) = (Identifier::legal(&id), lint.profile != Profile::Access) {
            lint.find(&rules::LEG_IDENTIFIER_FORM, format!("{id:?}: {why}"));
        }
    }
}

/// Whether two capital letters that could be a country's; `EU` is reserved for
/// the Union, which is not a country.
fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) && code != "EU"
}
