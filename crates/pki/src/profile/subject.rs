//! Who a subject is: EN 319 412-2, 4.2.4 and EN 319 412-3, 4.2.1.

use super::Lint;
use crate::name::Name;
use crate::oid;
use crate::rules;

/// The kind of person a subject names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// A human being (EN 319 412-2).
    Natural,
    /// An organization (EN 319 412-3).
    Legal,
}

impl Person {
    /// A subject with a given name, surname or pseudonym is a natural person,
    /// who may be associated with an organization (NAT-4.2.4-6); any other is a
    /// legal person.
    pub fn of(subject: &Name) -> Self {
        let personal = [oid::GIVEN_NAME, oid::SURNAME, oid::PSEUDONYM];
        if personal.into_iter().any(|a| subject.first(a).is_some()) {
            Person::Natural
        } else {
            Person::Legal
        }
    }
}

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
        if let (Err(why), true) = (identifier_form(&id), lint.profile != super::Profile::Access) {
            lint.find(&rules::LEG_IDENTIFIER_FORM, format!("{id:?}: {why}"));
        }
    }
}

/// Whether two capital letters that could be a country's; `EU` is reserved for
/// the Union, which is not a country.
fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) && code != "EU"
}

/// The semantics identifier for legal persons (EN 319 412-1, 5.1.4): three
/// letters for the kind of reference (or two and a colon for a national one),
/// the country, a hyphen, the reference; `LEI` goes with `XG` and twenty
/// characters.
pub(super) fn identifier_form(id: &str) -> Result<(), String> {
    let capitals = |text: &str| text.bytes().all(|b| b.is_ascii_uppercase());
    if let Some((scheme, rest)) = id.split_once(':')
        && scheme.len() == 2
        && capitals(scheme)
    {
        return match rest.split_once('-') {
            Some((country, number)) if capitals(country) && !number.is_empty() => Ok(()),
            _ => Err("no country and reference after the national scheme".into()),
        };
    }
    let (kind, rest) = id
        .split_at_checked(3)
        .ok_or("shorter than a kind and a country")?;
    let (country, reference) = rest
        .split_at_checked(2)
        .ok_or("shorter than a kind and a country")?;
    let reference = reference
        .strip_prefix('-')
        .filter(|reference| !reference.is_empty())
        .ok_or("no hyphen and reference after the country")?;
    if !capitals(kind) {
        return Err(format!("{kind:?} is no kind of reference"));
    }
    if !matches!(kind, "VAT" | "NTR" | "PSD" | "LEI" | "EXC") {
        return Err(format!("{kind:?} is none of VAT, NTR, PSD, LEI and EXC"));
    }
    if !capitals(country) {
        return Err(format!("{country:?} is no country code"));
    }
    if kind == "LEI" {
        if country != "XG" {
            return Err(format!("a LEI goes with XG, not {country}"));
        }
        if reference.len() != 20 || !reference.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err("a LEI has twenty letters and digits (ISO 17442)".into());
        }
    }
    if country == "GR" {
        return Err("Greece is EL".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::identifier_form;

    #[rstest]
    #[case("VATBE-0876866142", true)]
    #[case("NTRGB-12345678", true)]
    #[case("PSDPL-PFSA-1234567890", true)]
    #[case("LEIXG-506700GE1G29325QX363", true)]
    #[case("SI:EL-1234567890", true)]
    #[case("VATEL-123456789", true)]
    #[case("VATGR-123456789", false)]
    #[case("LEIEU-123456789", false)]
    #[case("LEIXG-123456789", false)]
    #[case("vatBE-0876866142", false)]
    #[case("XXXBE-1", false)]
    #[case("VATBE", false)]
    #[case("VATBE-", false)]
    #[case("ÄÖÜ", false)]
    #[case("", false)]
    fn identifiers_of_legal_persons(#[case] id: &str, #[case] good: bool) {
        assert_eq!(
            identifier_form(id).is_ok(),
            good,
            "{:?}",
            identifier_form(id)
        );
    }
}
