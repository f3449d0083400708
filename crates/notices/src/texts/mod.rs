//! What users read.
//!
//! Plain text, in the user's language, in the order of what a reader needs: what
//! happened and when, why, what still works and what does not (ARF 4.6.4), what to
//! do. No unit is named in full, and the only address is the account page's.

mod english;
mod french;
mod german;

use crate::{Advisory, ConfigError, Language, Notice};

/// Who writes to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    solution: String,
    account_page: url::Url,
    contact: Option<String>,
}

/// A subject and a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// One line.
    pub subject: String,
    /// Lines that end with `\n`.
    pub body: String,
}

impl Sender {
    /// A sender: the wallet solution's name, the address of the page where users
    /// find their account, and how they reach a person (a line without addresses of
    /// the web, such as a telephone number).
    pub fn new(
        solution: &str,
        account_page: url::Url,
        contact: Option<&str>,
    ) -> Result<Self, ConfigError> {
        line("the solution's name", solution)?;
        if let Some(contact) = contact {
            line("contact", contact)?;
        }
        Ok(Self {
            solution: solution.to_owned(),
            account_page,
            contact: contact.map(str::to_owned),
        })
    }

    /// The wallet solution's name.
    pub fn solution(&self) -> &str {
        &self.solution
    }

    /// What a notice says in its language.
    pub fn text(&self, notice: &Notice) -> Text {
        let frame = Frame {
            sender: self,
            unit: notice.unit.map(|unit| {
                let mut name = unit.to_string();
                name.truncate(SHOWN);
                name
            }),
            at: notice.at.to_zoned(jiff::tz::TimeZone::UTC).datetime(),
        };
        match notice.language {
            Language::English => english::letter(&notice.fact, &frame),
            Language::German => german::letter(&notice.fact, &frame),
            Language::French => french::letter(&notice.fact, &frame),
        }
        .text(self)
    }
}

/// How much of a unit's identifier is shown: enough to tell one's own apart.
const SHOWN: usize = 8;

/// One line that is shown to users.
fn line(what: &'static str, text: &str) -> Result<(), ConfigError> {
    if text.is_empty() || text.len() > 200 || text.chars().any(char::is_control) {
        return Err(ConfigError::Line(what));
    }
    if text.contains("://") || text.contains("www.") {
        return Err(ConfigError::Link(what));
    }
    Ok(())
}

/// What every text may name.
struct Frame<'a> {
    sender: &'a Sender,
    unit: Option<String>,
    at: jiff::civil::DateTime,
}

impl Frame<'_> {
    fn solution(&self) -> &str {
        &self.sender.solution
    }

    /// The unit's name, in quotes that every language knows.
    fn unit(&self) -> String {
        let name = self.unit.as_deref();
        name.map_or_else(String::new, |name| format!(" \"{name}\""))
    }

    fn month(&self, months: [&'static str; 12]) -> &'static str {
        let index = usize::from(self.at.month().unsigned_abs()).saturating_sub(1);
        months.get(index).copied().unwrap_or_default()
    }
}

/// A text before it is laid out.
struct Letter {
    subject: String,
    greeting: &'static str,
    opening: String,
    /// A heading and what stands under it.
    parts: Vec<(&'static str, String)>,
    /// Before the account page's address.
    account: &'static str,
    /// Before the way to a person.
    contact: &'static str,
    /// The last words.
    closing: &'static str,
}

impl Letter {
    fn text(self, sender: &Sender) -> Text {
        let mut body = format!("{}\n\n{}\n", self.greeting, self.opening);
        for (heading, text) in &self.parts {
            body.push_str(&format!("\n{heading}\n{text}\n"));
        }
        body.push_str(&format!("\n{} {}\n", self.account, sender.account_page));
        if let Some(contact) = &sender.contact {
            body.push_str(&format!("{} {contact}\n", self.contact));
        }
        body.push_str(&format!("\n{}\n{}\n", self.closing, sender.solution));
        Text {
            subject: self.subject,
            body,
        }
    }
}

/// A sentence about an advisory, where there is one.
fn details(advisory: Option<&Advisory>, named: &str, otherwise: &str) -> String {
    advisory.map_or_else(
        || otherwise.to_owned(),
        |advisory| format!("{named} {}.", advisory.as_str()),
    )
}

impl std::fmt::Debug for Text {
    /// What a user reads is nobody else's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text")
    }
}

#[cfg(test)]
mod tests;
