use finding::{Finding, Refusal, Rule};
use jiff::Timestamp;
use jose::Map;
use serde_json::Value;
use status_list::numeric_date;

/// Reads claims one by one and gathers what is wrong with them.
pub(crate) struct Reader<'a> {
    claims: &'a Map,
    findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(claims: &'a Map) -> Self {
        Self {
            claims,
            findings: Vec::new(),
        }
    }

    /// The claim; one that is JSON `null` counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.claims.get(name).filter(|value| !value.is_null())
    }

    /// A string that must be there and not empty.
    pub(crate) fn text(&mut self, name: &str, rule: &Rule) -> Option<String> {
        let text = self
            .get(name)
            .and_then(Value::as_str)
            .filter(|t| !t.is_empty());
        if text.is_none() {
            self.find(rule, name, "absent, empty, or not a string");
        }
        text.map(str::to_owned)
    }

    /// A time that must be there.
    pub(crate) fn time(&mut self, name: &str, rule: &Rule) -> Option<Timestamp> {
        let time = self.get(name).and_then(numeric_date);
        if time.is_none() {
            self.find(rule, name, "absent or not a time");
        }
        time
    }

    /// A time that may be absent, and when there, does not lie after `latest`.
    pub(crate) fn time_not_after(
        &mut self,
        name: &str,
        latest: Timestamp,
        rule: &Rule,
    ) -> Option<Timestamp> {
        let value = self.get(name)?;
        let time = numeric_date(value);
        match time {
            None => self.find(rule, name, "not a time"),
            Some(time) if time > latest => {
                self.find(rule, name, format!("{time} lies ahead"));
            }
            Some(_) => {}
        }
        time
    }

    /// A URI that must be there.
    pub(crate) fn uri(&mut self, name: &str, rule: &Rule) -> Option<String> {
        let uri = self
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| url::Url::parse(text).is_ok());
        if uri.is_none() {
            self.find(rule, name, "absent or not an absolute URI");
        }
        uri.map(str::to_owned)
    }

    /// A string that must equal what is expected.
    pub(crate) fn equals(&mut self, name: &str, expected: &str, rule: &Rule) {
        match self.get(name).and_then(Value::as_str) {
            Some(found) if found == expected => {}
            Some(found) => {
                let evidence = format!("{:?} is not {expected:?}", short(found));
                self.find(rule, name, evidence);
            }
            None => self.find(rule, name, "absent or not a string"),
        }
    }

    /// An audience of exactly one: a string, or an array of one string.
    pub(crate) fn audience(&mut self, expected: &str, rule: &Rule) {
        let aud = match self.get("aud") {
            Some(Value::Array(items)) => match items.as_slice() {
                [one] => one.as_str(),
                _ => None,
            },
            Some(value) => value.as_str(),
            None => None,
        };
        match aud {
            Some(aud) if aud == expected => {}
            Some(aud) => {
                let evidence = format!("{:?} is not {expected:?}", short(aud));
                self.find(rule, "aud", evidence);
            }
            None => self.find(rule, "aud", "absent, or not exactly one string"),
        }
    }

    pub(crate) fn find(&mut self, rule: &Rule, subject: &str, evidence: impl Into<String>) {
        self.findings.push(rule.finding(subject, evidence));
    }

    /// What was found, when none of it is an error.
    pub(crate) fn finish(self) -> Result<Vec<Finding>, Refusal> {
        Refusal::unless_clean(self.findings)
    }
}

/// The beginning of what somebody else wrote, fit to stand in a finding.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(120).collect()
}
