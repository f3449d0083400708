//! Multilingual texts and pointers, and addresses (6.1.4, 6.3.5, Annex B).

use finding::Rule;

use super::linter::Linter;
use crate::model::{PostalAddress, Text, TextUri};
use crate::report::show;
use crate::{rules, values};

impl Linter {
    /// A sequence of multilingual strings that has to be there under `rule`.
    pub(super) fn texts(&mut self, path: &str, texts: &[Text], required: Option<&Rule>) {
        if texts.is_empty() {
            if let Some(rule) = required {
                self.report.add(rule.finding(path, "missing"));
            }
            return;
        }
        for (i, text) in texts.iter().enumerate() {
            let path = format!("{path}/{i}");
            self.language(&path, text.lang.as_deref());
            self.text(&format!("{path}/value"), text.value.as_deref());
        }
        self.english(path, texts.iter().map(|t| t.lang.as_deref()));
    }

    /// A sequence of multilingual pointers that has to be there under `rule`.
    pub(super) fn pointers(&mut self, path: &str, uris: &[TextUri], required: Option<&Rule>) {
        if uris.is_empty() {
            if let Some(rule) = required {
                self.report.add(rule.finding(path, "missing"));
            }
            return;
        }
        for (i, uri) in uris.iter().enumerate() {
            let path = format!("{path}/{i}");
            self.language(&path, uri.lang.as_deref());
            self.uri(&format!("{path}/uriValue"), uri.uri());
        }
        self.english(path, uris.iter().map(|u| u.lang.as_deref()));
    }

    pub(super) fn text(&mut self, path: &str, text: Option<&str>) {
        let text = text.unwrap_or_default();
        if let Some(defect) = values::text_defect(text) {
            self.report
                .add(rules::TEXT.finding(path, format!("{}: {defect}", show(text))));
        }
    }

    pub(super) fn language(&mut self, path: &str, lang: Option<&str>) {
        let fits = lang.is_some_and(values::is_language);
        self.report.demand(
            fits,
            &rules::LANGUAGE,
            &format!("{path}/lang"),
            || match lang {
                Some(lang) => format!("{} is not a language tag in lower case", show(lang)),
                None => "missing".to_owned(),
            },
        );
    }

    fn english<'l>(&mut self, path: &str, mut langs: impl Iterator<Item = Option<&'l str>>) {
        let english = langs
            .any(|lang| lang.is_some_and(|l| l.eq_ignore_ascii_case("en") || l.starts_with("en-")));
        self.report.demand(english, &rules::ENGLISH, path, || {
            "no version in English (`en`)".to_owned()
        });
    }

    /// Postal addresses (6.3.5.1).
    pub(super) fn postal(&mut self, path: &str, addresses: &[PostalAddress], rule: &Rule) {
        if addresses.is_empty() {
            self.report.add(rule.finding(path, "no postal address"));
            return;
        }
        for (i, address) in addresses.iter().enumerate() {
            let path = format!("{path}/{i}");
            self.language(&path, address.lang.as_deref());
            let parts = [
                ("StreetAddress", &address.street_address, true),
                ("Locality", &address.locality, false),
                ("StateOrProvince", &address.state_or_province, false),
                ("PostalCode", &address.postal_code, false),
            ];
            for (name, part, required) in parts {
                match part {
                    Some(text) => self.text(&format!("{path}/{name}"), Some(text)),
                    None if required => self
                        .report
                        .add(rules::POSTAL_ADDRESS.finding(&path, format!("{name} is missing"))),
                    None => {}
                }
            }
            match &address.country {
                Some(code) => self.country(&format!("{path}/Country"), code),
                None => self
                    .report
                    .add(rules::POSTAL_ADDRESS.finding(&path, "Country is missing")),
            }
        }
        self.english(path, addresses.iter().map(|a| a.lang.as_deref()));
    }

    /// Electronic addresses (6.3.5.2): an e-mail address and, unless the profile
    /// has its own list of what is needed, a web site.
    pub(super) fn electronic(&mut self, path: &str, addresses: &[TextUri], rule: &Rule) {
        if addresses.is_empty() {
            self.report.add(rule.finding(path, "no electronic address"));
            return;
        }
        self.pointers(path, addresses, None);
        let has = |test: fn(&str) -> bool| addresses.iter().any(|a| test(a.uri()));
        self.report
            .demand(has(values::is_email), &rules::EMAIL, path, || {
                "no mailto: address".to_owned()
            });
        self.report
            .demand(has(values::is_web), &rules::WEB_SITE, path, || {
                "no web site".to_owned()
            });
    }
}
