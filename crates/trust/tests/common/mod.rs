//! A small world for the tests: certificates, lists, and a server that behaves as
//! it is told.
#![allow(dead_code, unreachable_pub, unused_imports)]

mod crl;
pub mod openssl;
mod responder;
mod server;

pub use crl::crl;
pub use responder::Responder;
pub use server::{Route, Server};

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use claviger_fixtures::TestKey;
use clock::ManualClock;
use finding::{Finding, Severity, Trusted, Verdict};
use jiff::Timestamp;
use jose::{Curve, Signer};
use lote::{Draft, NewEntity, NewService, Operator, Postal, Profile, Publication, ServiceKind};
use pki::{Certificate, Issuer, Oid, QcPsb, QcStatement, QcStatements, Request, Subject};
use trust::{
    CheckRequest, Config, Context, Limits, Location, Policy, Revocation, SignerPolicy, Source,
    TrustService, Upkeep,
};

pub const OPERATOR: &str = "Example List Operator";
pub const PROVIDER: &str = "Example Provider GmbH";
pub const REGISTRATION: &str = "NTRDE-HRB12345";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn now() -> Timestamp {
    at("2026-11-22T12:00:00Z")
}

pub fn next() -> Timestamp {
    at("2027-04-01T00:00:00Z")
}

/// A key and its certificate.
pub struct Party {
    pub key: TestKey,
    pub certificate: Certificate,
}

pub fn request(profile: pki::Profile, subject: Subject, key: &TestKey) -> Request {
    let public = Signer::public_key(key).clone();
    let mut request = Request::new(
        profile,
        subject,
        public,
        at("2026-01-01T00:00:00Z"),
        at("2028-01-01T00:00:00Z"),
    );
    request.ca_issuers_urls = vec!["http://127.0.0.1:9/ca.cer".into()];
    request.crl_urls = vec!["http://127.0.0.1:9/ca.crl".into()];
    if profile == pki::Profile::PubEaa {
        request.statements = public_body();
    }
    request
}

/// The statement of a public sector body.
fn public_body() -> QcStatements {
    let law = QcPsb {
        country: "DE".into(),
        source: "Civil register".into(),
        legislation: "OJ:DE:example".into(),
    };
    QcStatements(vec![QcStatement {
        id: Oid::new_unwrap("0.4.0.194126.1.9"),
        info: Some(law.to_der().unwrap()),
    }])
}

pub fn provider() -> Subject {
    Subject::legal("DE", PROVIDER, REGISTRATION, "Example signing unit")
}

pub async fn ca() -> Party {
    let key = TestKey::generate(Curve::P256);
    let subject = Subject::legal("DE", "Example CA AG", "NTRDE-HRB1", "Example CA");
    let mut request = request(pki::Profile::Ca, subject, &key);
    request.crl_urls.clear();
    request.ca_issuers_urls.clear();
    let certificate = pki::issue(&request, Issuer::Itself(&key)).await.unwrap();
    Party { key, certificate }
}

pub async fn operator() -> Party {
    let key = TestKey::generate(Curve::P256);
    let subject = Subject::legal("EU", OPERATOR, "NTRDE-HRB7", "List signer");
    let mut request = request(pki::Profile::ListOperator, subject, &key);
    request.crl_urls.clear();
    request.ca_issuers_urls.clear();
    let certificate = pki::Draft::new(&request, Issuer::Itself(&key)).unwrap();
    let certificate = certificate.sign(Issuer::Itself(&key)).await.unwrap();
    Party { key, certificate }
}

impl Party {
    pub fn issuer(&self) -> Issuer<'_> {
        Issuer::Ca {
            certificate: &self.certificate,
            signer: &self.key,
        }
    }

    /// A leaf issued by this CA, conforming or not.
    pub async fn leaf(&self, profile: pki::Profile, subject: Subject) -> Party {
        self.leaf_with(profile, subject, |_| {}).await
    }

    pub async fn leaf_with(
        &self,
        profile: pki::Profile,
        subject: Subject,
        change: impl FnOnce(&mut Request),
    ) -> Party {
        let key = TestKey::generate(Curve::P256);
        let mut request = request(profile, subject, &key);
        change(&mut request);
        let draft = pki::Draft::new(&request, self.issuer()).unwrap();
        let certificate = draft.sign(self.issuer()).await.unwrap();
        Party { key, certificate }
    }
}

fn postal() -> Postal {
    Postal {
        street: "Example Street 1".into(),
        locality: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
    }
}

/// A list of one provider with these certificates.
pub fn draft(
    profile: Profile,
    signers: &[Certificate],
    services: &[(ServiceKind, &Certificate)],
) -> Draft {
    let operator = Operator {
        name: OPERATOR.into(),
        territory: "EU".into(),
        address: postal(),
        email: "lists@operator.example".into(),
        web: "https://operator.example/".into(),
    };
    let place = Publication {
        scheme_name: format!("Example {profile} list"),
        location: format!("https://operator.example/{profile}"),
        information: "https://operator.example/about".into(),
        archive: "https://operator.example/archive".into(),
        policy: "https://operator.example/policy".into(),
    };
    let mut draft = Draft::new(profile, &operator, &place, signers);
    let entity = NewEntity {
        name: PROVIDER.into(),
        registration: REGISTRATION.into(),
        member_state: "DE".into(),
        address: postal(),
        email: "help@provider.example".into(),
        phone: "+49301234567".into(),
        web: "https://provider.example/".into(),
        policies: "https://provider.example/policies".into(),
        law: Some("OJ:DE:example".into()),
    };
    draft.add_entity(&entity).unwrap();
    for (kind, certificate) in services {
        let service = NewService {
            kind: *kind,
            name: format!("Example {kind:?}"),
            certificates: vec![Certificate::clone(certificate)],
            unique_id: Some("urn:example:1".into()),
            supply_point: None,
        };
        draft.add_service(PROVIDER, &service, issued()).unwrap();
    }
    draft
}

pub fn issued() -> Timestamp {
    at("2026-11-01T00:00:00Z")
}

/// Issues the next version and seals it.
pub async fn seal(draft: &mut Draft, signer: &Party) -> String {
    let when = match draft.list().scheme().sequence {
        Some(0) => issued(),
        _ => now(),
    };
    draft.issue(when, next()).unwrap();
    lote::seal(
        draft.list(),
        std::slice::from_ref(&signer.certificate),
        &signer.key,
        when,
    )
    .await
    .unwrap()
}

pub fn limits() -> Limits {
    Limits {
        allow_insecure_loopback: true,
        timeout: Duration::from_secs(2),
        check_timeout: Duration::from_secs(2),
        ..Limits::default()
    }
}

pub fn source(profile: Profile, url: &str, signer: &Party) -> Source {
    Source::pinned(
        profile,
        url.parse().unwrap(),
        vec![signer.certificate.clone()],
    )
}

pub fn file_source(profile: Profile, path: PathBuf, signer: &Party) -> Source {
    Source {
        profile,
        location: Location::File(path),
        signers: SignerPolicy::Pinned(vec![signer.certificate.clone()]),
        mode: lote::Mode::Strict,
        upkeep: Upkeep::default(),
    }
}

pub fn service(sources: Vec<Source>, copies: Option<PathBuf>) -> (TrustService, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(now()));
    let config = Config {
        sources,
        limits: limits(),
        copies,
        ..Config::default()
    };
    (TrustService::new(config, clock.clone()).unwrap(), clock)
}

/// A service that holds these lists, from files.
pub async fn holding(lists: &[(Profile, &[(ServiceKind, &pki::Certificate)])]) -> TrustService {
    let operator = operator().await;
    let folder = tempfile::tempdir().unwrap();
    let mut sources = Vec::new();
    for (profile, services) in lists {
        let mut draft = draft(
            *profile,
            std::slice::from_ref(&operator.certificate),
            services,
        );
        let path = folder.path().join(profile.name());
        std::fs::write(&path, seal(&mut draft, &operator).await).unwrap();
        sources.push(file_source(*profile, path, &operator));
    }
    let (service, _) = service(sources, None);
    let report = service.refresh().await;
    assert!(
        report
            .sources
            .iter()
            .all(|s| s.outcome == trust::Outcome::Updated),
        "{report:#?}"
    );
    service
}

pub fn ask(context: Context, chain: &[&Certificate]) -> CheckRequest {
    CheckRequest {
        chain: chain.iter().copied().cloned().collect(),
        context,
        policy: Policy::DirectOnly,
        revocation: Revocation::Skip,
        at: now(),
    }
}

pub fn errors(findings: &[Finding]) -> Vec<String> {
    rules_of(findings, |f| f.severity == Severity::Error)
}

/// Why a verdict is not "yes": the errors of a "no", and what leaves open what is
/// undecided.
pub fn why(verdict: &Verdict) -> Vec<String> {
    let errors = errors(&verdict.findings);
    assert_eq!(
        verdict.trusted == Trusted::No,
        !errors.is_empty(),
        "{verdict:#?}"
    );
    if verdict.trusted != Trusted::Undecided {
        return errors;
    }
    rules_of(&verdict.findings, |f| {
        let room = ["TRUST-", "LOTE-", "PKI-REVOCATION-"]
            .iter()
            .any(|room| f.rule.starts_with(room));
        f.severity == Severity::Warning && room && f.rule != trust::rules::LIST_UNREADABLE.id
    })
}

pub fn has(verdict: &Verdict, rule: &finding::Rule) -> bool {
    verdict.findings.iter().any(|f| f.is(rule))
}

fn rules_of(findings: &[Finding], which: impl Fn(&&Finding) -> bool) -> Vec<String> {
    let mut rules: Vec<String> = findings
        .iter()
        .filter(which)
        .map(|f| f.rule.to_string())
        .collect();
    rules.sort();
    rules.dedup();
    rules
}
