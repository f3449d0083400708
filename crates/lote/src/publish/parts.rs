//! What the parts of a page have in common: texts in their languages, addresses,
//! names of lists.

use super::html::Html;
use crate::Profile;
use crate::model::{PostalAddress, Text, TextUri, UncheckedList};

/// What the lists of a profile are called by people.
pub fn title(profile: Profile) -> &'static str {
    match profile {
        Profile::Pid => "Providers of person identification data",
        Profile::Wallet => "Wallet providers",
        Profile::Access => "Providers of wallet-relying party access certificates",
        Profile::Registration => "Providers of wallet-relying party registration certificates",
        Profile::PubEaa => "Public sector bodies that issue attestations of attributes",
        Profile::Registrars => "Registrars and registers of wallet-relying parties",
        Profile::Mdl => "Providers of mobile driving licences",
    }
}

pub(super) fn scheme_name(content: &UncheckedList) -> String {
    let names = &content.scheme().scheme_name;
    let english = names.iter().find(|n| n.lang.as_deref() == Some("en"));
    let name = english
        .or(names.first())
        .map(Text::text)
        .unwrap_or_default();
    match name {
        "" => "List of trusted entities".to_owned(),
        name => name.to_owned(),
    }
}

pub(super) fn operator_name(html: &mut Html, names: &[Text]) {
    let english = names.iter().find(|n| n.lang.as_deref() == Some("en"));
    match english.or(names.first()) {
        Some(name) => html.spoken(name),
        None => html.raw("an operator without a name"),
    };
}

/// Texts in their languages, each with its tag unless it is English.
pub(super) fn texts(html: &mut Html, texts: &[Text]) {
    html.lines(texts, |h, text| {
        h.spoken(text);
        language(h, text.lang.as_deref());
    });
}

pub(super) fn uris(html: &mut Html, uris: &[TextUri]) {
    html.lines(uris, |h, uri| {
        h.uri(uri.uri());
        language(h, uri.lang.as_deref());
    });
}

pub(super) fn postal(html: &mut Html, addresses: &[PostalAddress]) {
    html.lines(addresses, |h, address| {
        let town: Vec<&str> = [&address.postal_code, &address.locality]
            .into_iter()
            .filter_map(|part| part.as_deref())
            .collect();
        let town = town.join(" ");
        let parts: Vec<&str> = [
            address.street_address.as_deref(),
            Some(town.as_str()).filter(|town| !town.is_empty()),
            address.state_or_province.as_deref(),
            address.country.as_deref(),
        ]
        .into_iter()
        .flatten()
        .collect();
        h.bdi(&parts.join(", "));
        language(h, address.lang.as_deref());
    });
}

fn language(html: &mut Html, lang: Option<&str>) {
    if let Some(lang) = lang.filter(|lang| *lang != "en") {
        html.raw(" <span class=\"lang\">").text(lang).raw("</span>");
    }
}

pub(super) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
