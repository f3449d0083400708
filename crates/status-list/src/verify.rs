use finding::{Finding, Refusal, Rule};
use jiff::{SignedDuration, Timestamp};
use jose::{Map, PublicKey};
use serde_json::Value;

use crate::claims::Claims;
use crate::reference::is_absolute_uri;
use crate::{DecodeError, InflateError, Reference, Status, StatusList, numeric_date, rules};

/// What a token is checked against.
#[derive(Debug, Clone)]
pub struct StatusListCheck<'a> {
    /// The URI of the reference that led here: `sub` must equal it.
    pub uri: &'a str,
    /// The status issuer's key. Whether it is to be trusted was decided before.
    pub key: &'a PublicKey,
    /// The time the check is made for.
    pub at: Timestamp,
    /// How far the issuer's clock may be off.
    pub skew: SignedDuration,
}

/// A status list whose signature, type, subject and times were checked.
#[derive(Debug, Clone)]
pub struct VerifiedStatusList {
    uri: String,
    issued: Timestamp,
    expires: Option<Timestamp>,
    ttl: Option<SignedDuration>,
    aggregation_uri: Option<String>,
    list: StatusList,
    findings: Vec<Finding>,
}

/// Checks claims whose signature verified.
pub(crate) fn check_claims(
    claims: Claims,
    check: &StatusListCheck<'_>,
) -> Result<VerifiedStatusList, Refusal> {
    let mut reader = Reader {
        claims: &claims.plain,
        check,
        findings: Vec::new(),
    };
    reader.subject();
    let issued = reader.issued();
    let expires = reader.expires(issued);
    let ttl = reader.ttl();
    reader.not_before();
    let aggregation_uri = reader.aggregation_uri();
    let list = claims.list.map_err(|error| reader.list(&error)).ok();
    if expires.is_none() && ttl.is_none() && !finding::has_errors(&reader.findings) {
        reader.find(&rules::UNBOUNDED, "exp", "neither exp nor ttl is there");
    }
    let findings = Refusal::unless_clean(reader.findings)?;
    match (issued, list) {
        (Some(issued), Some(list)) => Ok(VerifiedStatusList {
            uri: check.uri.to_owned(),
            issued,
            expires,
            ttl,
            aggregation_uri,
            list,
            findings,
        }),
        // Both leave an error behind when absent; this arm only spares a panic.
        _ => Err(Refusal::because(&rules::LIST, "status_list", "absent")),
    }
}

impl VerifiedStatusList {
    /// The status that `reference` points to. A reference to another list, or an
    /// index out of bounds, is refused: it says nothing about any status.
    pub fn status(&self, reference: &Reference) -> Result<Status, Refusal> {
        if reference.uri != self.uri {
            let evidence = format!(
                "the reference names {}, this list is {}",
                reference.uri, self.uri
            );
            return Err(Refusal::because(&rules::SUB, "sub", evidence));
        }
        self.list
            .get(reference.idx)
            .map_err(|e| Refusal::because(&rules::INDEX, reference.to_string(), e.to_string()))
    }

    /// The URI of the list.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// When the token was issued.
    pub fn issued(&self) -> Timestamp {
        self.issued
    }

    /// When the token ends.
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// How long a copy is used, as the issuer wishes it; see [`crate::Caching`].
    pub fn ttl(&self) -> Option<SignedDuration> {
        self.ttl
    }

    /// Where all lists of this issuer are named.
    pub fn aggregation_uri(&self) -> Option<&str> {
        self.aggregation_uri.as_deref()
    }

    /// The list itself.
    pub fn list(&self) -> &StatusList {
        &self.list
    }

    /// What was found that is not a reason to refuse.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl<'a> StatusListCheck<'a> {
    /// A check with a minute of clock skew.
    pub fn new(uri: &'a str, key: &'a PublicKey, at: Timestamp) -> Self {
        Self {
            uri,
            key,
            at,
            skew: SignedDuration::from_secs(60),
        }
    }
}

struct Reader<'a> {
    claims: &'a Map,
    check: &'a StatusListCheck<'a>,
    findings: Vec<Finding>,
}

impl Reader<'_> {
    fn subject(&mut self) {
        match self.claims.get("sub").and_then(Value::as_str) {
            Some(sub) if sub == self.check.uri => {}
            Some(sub) => {
                let evidence = format!("sub is {sub:?}, the reference names {:?}", self.check.uri);
                self.find(&rules::SUB, "sub", evidence);
            }
            None => self.find(&rules::SUB, "sub", "absent or not a string"),
        }
    }

    fn issued(&mut self) -> Option<Timestamp> {
        let Some(issued) = self.claims.get("iat").and_then(numeric_date) else {
            self.find(&rules::IAT, "iat", "absent or not a time");
            return None;
        };
        if issued > self.latest() {
            let evidence = format!("{issued} lies ahead of {}", self.check.at);
            self.find(&rules::IAT, "iat", evidence);
        }
        Some(issued)
    }

    fn expires(&mut self, issued: Option<Timestamp>) -> Option<Timestamp> {
        let value = self.claims.get("exp")?;
        let Some(expires) = numeric_date(value) else {
            self.find(&rules::EXP, "exp", "not a time");
            return None;
        };
        if issued.is_some_and(|issued| expires <= issued) {
            self.find(&rules::EXP, "exp", format!("{expires} is not after iat"));
        } else if expires <= self.check.at {
            let evidence = format!("expired at {expires}, asked at {}", self.check.at);
            self.find(&rules::EXPIRED, "exp", evidence);
        }
        Some(expires)
    }

    fn ttl(&mut self) -> Option<SignedDuration> {
        let value = self.claims.get("ttl")?;
        let seconds = value.as_f64().filter(|s| *s > 0.0 && *s < 1e15);
        if seconds.is_none() {
            self.find(
                &rules::TTL,
                "ttl",
                format!("{value} is not a positive number"),
            );
        }
        // A part of a second counts as a whole one.
        seconds.map(|s| SignedDuration::from_secs(s.ceil() as i64))
    }

    fn not_before(&mut self) {
        let Some(value) = self.claims.get("nbf") else {
            return;
        };
        match numeric_date(value) {
            Some(nbf) if nbf <= self.latest() => {}
            _ => self.find(
                &rules::NBF,
                "nbf",
                format!("{value}, asked at {}", self.check.at),
            ),
        }
    }

    fn aggregation_uri(&mut self) -> Option<String> {
        let value = self.claims.get("status_list")?.get("aggregation_uri")?;
        let uri = value.as_str().filter(|uri| is_absolute_uri(uri));
        if uri.is_none() {
            self.find(
                &rules::AGGREGATION,
                "status_list/aggregation_uri",
                "not an absolute URI",
            );
        }
        uri.map(str::to_owned)
    }

    fn list(&mut self, error: &DecodeError) {
        let rule = match error {
            DecodeError::Inflate(InflateError::TooLarge { .. }) => &rules::LIST_SIZE,
            _ => &rules::LIST,
        };
        self.find(rule, "status_list", error.to_string());
    }

    fn latest(&self) -> Timestamp {
        self.check
            .at
            .checked_add(self.check.skew)
            .unwrap_or(Timestamp::MAX)
    }

    fn find(&mut self, rule: &Rule, subject: &str, evidence: impl Into<String>) {
        self.findings.push(rule.finding(subject, evidence));
    }
}
