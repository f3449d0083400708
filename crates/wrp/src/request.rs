use finding::{Finding, Rule, Severity};
use jiff::{SignedDuration, Timestamp};
use jose::{Map, b64};
use pki::{AltName, Certificate};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::show::show;
use crate::statement::times;
use crate::{Judged, Mode, Query, Statement, rules};

/// What an authorization request asks, and of whom it says it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AuthorizationRequest {
    /// The client identifier, its prefix included.
    pub client_id: Option<String>,
    /// Where the answer goes.
    pub response_uri: Option<String>,
    /// What is asked for.
    pub query: Option<Query>,
}

/// What a request object is checked against.
#[derive(Debug, Clone, Copy)]
pub struct RequestCheck<'a> {
    /// The access certificate that it is signed with.
    pub access: &'a Certificate,
    /// The `client_id` beside the request object, where it is known.
    pub client_id: Option<&'a str>,
    /// The wallet's identifier, which `aud` may be besides
    /// `https://self-issued.me/v2`.
    pub wallet: Option<&'a str>,
    /// The time the check is made for.
    pub at: Timestamp,
    /// How far the verifier's clock may be off.
    pub skew: SignedDuration,
    /// How exactly: what OpenID4VP allows and TS 119 472-2 does not is refused in
    /// the strict mode, and reported in the other.
    pub mode: Mode,
}

impl AuthorizationRequest {
    /// Reads a request object whose signature verified.
    pub fn read(statement: &Statement, of: &RequestCheck<'_>) -> Judged<Self> {
        let reader = Reader {
            claims: &statement.claims,
            of,
        };
        let mut identity = times(&statement.claims, of.at, of.skew);
        identity.extend(times(&statement.header, of.at, of.skew));
        if !statement.header.contains_key("iat") {
            identity.push(reader.deviation(&rules::REQUEST_IAT, "header", "no iat"));
        }
        identity.extend(reader.client_id());
        identity.extend(reader.audience());
        let mut entitlement = reader.response();
        if reader.text("nonce").is_none_or(str::is_empty) {
            entitlement.push(rules::REQUEST_NONCE.finding("nonce", "absent"));
        }
        if let Err(why) = reader.keys() {
            let name = "client_metadata";
            entitlement.push(reader.deviation(&rules::REQUEST_KEYS, name, why));
        }
        let query = reader.query(&mut entitlement);
        let owned = |name: &str| reader.text(name).map(str::to_owned);
        Judged {
            value: Self {
                client_id: owned("client_id"),
                response_uri: owned("response_uri"),
                query,
            },
            identity,
            entitlement,
        }
    }
}

struct Reader<'r> {
    claims: &'r Map,
    of: &'r RequestCheck<'r>,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }

    fn deviation(&self, rule: &Rule, subject: &str, evidence: impl Into<String>) -> Finding {
        let severity = match self.of.mode {
            Mode::Strict => Severity::Error,
            Mode::Interop => Severity::Warning,
        };
        rule.finding_as(severity, subject, evidence)
    }

    fn client_id(&self) -> Vec<Finding> {
        const NAME: &str = "client_id";
        let rule = &rules::REQUEST_CLIENT_ID;
        let Some(id) = self.text(NAME) else {
            return vec![rule.finding(NAME, "absent")];
        };
        let mut findings = Vec::new();
        let of_certificate = match id.split_once(':') {
            Some(("x509_hash", hash)) => hash == b64::encode(self.of.access.sha256()),
            Some(("x509_san_dns", name)) => {
                let evidence = "the prefix is x509_san_dns";
                findings.push(self.deviation(&rules::REQUEST_PREFIX, NAME, evidence));
                has_dns_name(self.of.access, name)
            }
            _ => {
                let evidence = format!("{} has no prefix for certificates", show(id));
                return vec![rules::REQUEST_PREFIX.finding(NAME, evidence)];
            }
        };
        if !of_certificate {
            let subject = self.of.access.subject();
            let evidence = format!("{} is not of the certificate {subject}", show(id));
            findings.push(rule.finding(NAME, evidence));
        }
        if let Some(outer) = self.of.client_id
            && outer != id
        {
            let evidence = format!("{} inside, {} beside", show(id), show(outer));
            findings.push(rules::REQUEST_OUTER.finding(NAME, evidence));
        }
        findings
    }

    fn audience(&self) -> Option<Finding> {
        let rule = &rules::REQUEST_AUD;
        let aud = match self.claims.get("aud") {
            None => return Some(self.deviation(rule, "aud", "absent")),
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            Some(one) => one.as_str().into_iter().collect::<Vec<_>>(),
        };
        let meant = |aud: &&str| *aud == SELF_ISSUED || Some(*aud) == self.of.wallet;
        // Which wallet is asked is known to the wallet alone.
        let known = self.of.wallet.is_some() || aud.contains(&SELF_ISSUED);
        (known && !aud.iter().any(meant) || aud.is_empty()).then(|| {
            rule.finding(
                "aud",
                format!("{} is not this wallet", show(&aud.join(" "))),
            )
        })
    }

    fn response(&self) -> Vec<Finding> {
        let rule = &rules::REQUEST_RESPONSE;
        let mut findings = Vec::new();
        match self.text("response_mode") {
            Some("direct_post.jwt") => {}
            other => {
                let evidence = format!("response_mode is {}", show(other.unwrap_or_default()));
                findings.push(self.deviation(rule, "response_mode", evidence));
            }
        }
        let Some(uri) = self.text("response_uri") else {
            findings.push(self.deviation(rule, "response_uri", "absent"));
            return findings;
        };
        let url = Url::parse(uri).ok().filter(|url| url.scheme() == "https");
        let Some(host) = url.as_ref().and_then(Url::host_str) else {
            let evidence = format!("{} is no https URL", show(uri));
            findings.push(rule.finding("response_uri", evidence));
            return findings;
        };
        let named = self
            .text("client_id")
            .and_then(|id| id.strip_prefix("x509_san_dns:"));
        if let Some(name) = named
            && !host.eq_ignore_ascii_case(name)
        {
            let evidence = format!("it goes to {}, the client is {}", show(host), show(name));
            findings.push(rule.finding("response_uri", evidence));
        }
        findings
    }

    fn keys(&self) -> Result<(), &'static str> {
        let jwks = self
            .claims
            .get("client_metadata")
            .and_then(|m| m.get("jwks"));
        let keys = jwks
            .and_then(|jwks| jwks.get("keys"))
            .and_then(Value::as_array);
        let keys = keys
            .filter(|keys| !keys.is_empty())
            .ok_or("no jwks with keys")?;
        let mut seen = Vec::new();
        for key in keys.iter().take(100) {
            let kid = key
                .get("kid")
                .and_then(Value::as_str)
                .ok_or("a key without kid")?;
            key.get("use")
                .and_then(Value::as_str)
                .ok_or("a key without use")?;
            if seen.contains(&kid) {
                return Err("a kid that stands twice");
            }
            seen.push(kid);
        }
        Ok(())
    }

    fn query(&self, findings: &mut Vec<Finding>) -> Option<Query> {
        const NAME: &str = "dcql_query";
        let read = self.claims.get(NAME).ok_or_else(|| "absent".to_owned());
        match read.and_then(Query::read) {
            Ok(query) => {
                for asked in &query.credentials {
                    if !FORMATS.contains(&asked.format.as_str()) {
                        let evidence = format!("{} is {}", asked.id, show(&asked.format));
                        findings.push(self.deviation(&rules::REQUEST_FORMAT, NAME, evidence));
                    }
                }
                Some(query)
            }
            Err(why) => {
                findings.push(rules::REQUEST_QUERY.finding(NAME, why));
                None
            }
        }
    }
}

/// OpenID4VP 1.0, 5.9.3: one of the certificate's DNS names, whole.
fn has_dns_name(access: &Certificate, name: &str) -> bool {
    access.alt_names().iter().any(|own| match own {
        AltName::Dns(own) => own.eq_ignore_ascii_case(name),
        _ => false,
    })
}

const SELF_ISSUED: &str = "https://self-issued.me/v2";

/// TS 119 472-2, OIDFVP-HAIP_COMMON_GEN_REQ-03.
const FORMATS: [&str; 5] = [
    "dc+sd-jwt",
    "mso_mdoc",
    "x509_attr",
    "jwt_vc_json",
    "vp+jwt",
];
