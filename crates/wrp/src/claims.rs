//! Reading claims one after the other, each under its rule.

use finding::{Finding, Rule, Severity};
use jiff::Timestamp;
use jose::Map;
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::show::show;

/// Claims, and what is found while they are read.
pub(crate) struct Claims<'c> {
    pub(crate) all: &'c Map,
    pub(crate) findings: Vec<Finding>,
}

impl<'c> Claims<'c> {
    pub(crate) fn get(&self, name: &str) -> Option<&'c Value> {
        self.all.get(name)
    }

    pub(crate) fn find(&mut self, rule: &Rule, name: &str, evidence: impl Into<String>) {
        self.findings.push(rule.finding(name, evidence));
    }

    pub(crate) fn find_as(
        &mut self,
        severity: Severity,
        rule: &Rule,
        name: &str,
        evidence: impl Into<String>,
    ) {
        let finding = rule.finding_as(severity, name, evidence);
        self.findings.push(finding);
    }

    /// A text that is not empty, where it is there.
    pub(crate) fn text(&mut self, rule: &Rule, name: &str) -> Option<String> {
        let value = self.get(name)?;
        let text = value.as_str().filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.find_as(Severity::Error, rule, name, "no text, or an empty one");
        }
        text.map(str::to_owned)
    }

    /// A text that has to be there.
    pub(crate) fn needed_text(&mut self, rule: &Rule, name: &str) -> Option<String> {
        if self.get(name).is_none() {
            self.find(rule, name, "absent");
        }
        self.text(rule, name)
    }

    /// One text or several, where they are there; each has to be as `is` says.
    pub(crate) fn several(&mut self, rule: &Rule, name: &str, is: fn(&str) -> bool) -> Vec<String> {
        let items: Vec<&Value> = match self.get(name) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items.iter().collect(),
            Some(one) => vec![one],
        };
        let texts: Vec<&str> = items.iter().filter_map(|item| item.as_str()).collect();
        if texts.len() < items.len() || texts.is_empty() {
            self.find_as(Severity::Error, rule, name, "no text, nor a list of texts");
        }
        if let Some(wrong) = texts.iter().find(|text| !is(text)) {
            let evidence = format!("{} is not as it should be", show(wrong));
            self.find_as(Severity::Error, rule, name, evidence);
        }
        texts.into_iter().map(str::to_owned).collect()
    }

    /// A time, where it is there.
    pub(crate) fn time(&mut self, rule: &Rule, name: &str) -> Option<Timestamp> {
        let time = status_list::numeric_date(self.get(name)?);
        if time.is_none() {
            self.find_as(Severity::Error, rule, name, "not a time in seconds");
        }
        time
    }

    /// An array of `lang` and `value`, where it is there.
    pub(crate) fn multilingual(&mut self, rule: &Rule, name: &str) -> Vec<Text> {
        let Some(value) = self.get(name) else {
            return Vec::new();
        };
        let texts = texts(value);
        if texts.is_none() {
            let evidence = "not an array of objects with a language tag and a text";
            self.find_as(Severity::Error, rule, name, evidence);
        }
        texts.unwrap_or_default()
    }
}

/// A non-empty array of `{lang, value}`.
pub(crate) fn texts(value: &Value) -> Option<Vec<Text>> {
    let items = value.as_array().filter(|items| !items.is_empty())?;
    items.iter().map(text).collect()
}

fn text(value: &Value) -> Option<Text> {
    let lang = value.get("lang")?.as_str().filter(|tag| is_language(tag))?;
    let value = value.get("value")?.as_str()?;
    (!value.trim().is_empty()).then(|| Text {
        lang: lang.to_owned(),
        value: value.to_owned(),
    })
}

/// The shape of a language tag (RFC 5646, 2.1).
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let first = parts.next().unwrap_or_default();
    (2..=8).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_alphabetic())
        && parts.all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}

/// An address of the web.
pub(crate) fn is_web(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
}

/// An address of the web, an e-mail address, or a telephone number.
pub(crate) fn is_contact(text: &str) -> bool {
    is_web(text) || is_email(text) || is_phone(text)
}

pub(crate) fn is_email(text: &str) -> bool {
    let text = text.strip_prefix("mailto:").unwrap_or(text);
    text.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !text.contains(char::is_whitespace)
    })
}

pub(crate) fn is_phone(text: &str) -> bool {
    let text = text.strip_prefix("tel:").unwrap_or(text);
    text.strip_prefix('+').is_some_and(|number| {
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        (5..=20).contains(&digits)
            && number
                .chars()
                .all(|c| c.is_ascii_digit() || " -()".contains(c))
    })
}

/// ISO 3166-1 alpha-2 by its shape, which EU and EL have too.
pub(crate) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// A text in a language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// The language tag (RFC 5646).
    pub lang: String,
    /// The text.
    pub value: String,
}
