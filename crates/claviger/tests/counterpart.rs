//! `claviger trust token` over what a wallet's counterpart shows: requests, issuer
//! metadata and registration certificates, from files and over real HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::path::PathBuf;

use claviger_fixtures::TestKey;
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, Map, Signer, b64};
use lote::{Draft, NewEntity, NewService, Operator, Postal, Publication, ServiceKind};
use pki::{AltName, Certificate, Issuer, Profile, Request, Subject};
use serde_json::{Value, json};
use status_list::{Bits, Reference, Status, StatusList, StatusListToken};
use support::{claviger, claviger_json};
use wrp::{Entitlement, NewRegistration, sign_cwt, sign_jwt};

const PROVIDER: &str = "Example Provider GmbH";
const NUMBER: &str = "NTRDE-HRB12345";
const SHOP: &str = "NTRDE-HRB500";
const STATUS: &str = "https://registrar.example/status/1";

struct Party {
    key: TestKey,
    certificate: Certificate,
}

/// Lists, a registrar, a shop, and a folder with what they made.
struct Desk {
    folder: tempfile::TempDir,
    now: Timestamp,
    access: Party,
    registrar: Party,
    statuses: Party,
}

async fn party(profile: Profile, subject: Subject, ca: Option<&Party>) -> Party {
    let key = TestKey::generate(Curve::P256);
    let now = Timestamp::now();
    let year = SignedDuration::from_hours(24 * 365);
    let public = Signer::public_key(&key).clone();
    let mut request = Request::new(profile, subject, public, now - year, now + year);
    if profile == Profile::Access {
        request.alt_names = vec![AltName::Uri("https://shop.example/support".into())];
        request.policies = vec![pki::Policy {
            id: pki::oid::NCP_L_EUDIWRP,
            cps: vec!["https://access.example/cps".into()],
        }];
    }
    if ca.is_some() {
        request.crl_urls = vec!["http://127.0.0.1:9/ca.crl".into()];
        request.ca_issuers_urls = vec!["http://127.0.0.1:9/ca.cer".into()];
    }
    let issuer = match ca {
        None => Issuer::Itself(&key),
        Some(ca) => Issuer::Ca {
            certificate: &ca.certificate,
            signer: &ca.key,
        },
    };
    let certificate = pki::issue(&request, issuer).await.unwrap();
    Party { key, certificate }
}

fn postal() -> Postal {
    Postal {
        street: "Example Street 1".into(),
        locality: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
    }
}

async fn list(
    profile: lote::Profile,
    operator: &Party,
    services: &[(ServiceKind, &Party)],
) -> String {
    let by = Operator {
        name: "Example List Operator".into(),
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
    let signers = [operator.certificate.clone()];
    let mut draft = Draft::new(profile, &by, &place, &signers);
    let entity = NewEntity {
        name: PROVIDER.into(),
        registration: NUMBER.into(),
        member_state: "DE".into(),
        address: postal(),
        email: "help@provider.example".into(),
        phone: "+49301234567".into(),
        web: "https://provider.example/".into(),
        policies: "https://provider.example/policies".into(),
        law: None,
    };
    draft.add_entity(&entity).unwrap();
    let issued = Timestamp::now() - SignedDuration::from_hours(24);
    for (kind, party) in services {
        let service = NewService {
            kind: *kind,
            name: format!("Example {kind:?}"),
            certificates: vec![party.certificate.clone()],
            unique_id: None,
            supply_point: None,
        };
        draft.add_service(PROVIDER, &service, issued).unwrap();
    }
    let next = issued + SignedDuration::from_hours(24 * 90);
    draft.issue(issued, next).unwrap();
    lote::seal(draft.list(), &signers, &operator.key, issued)
        .await
        .unwrap()
}

impl Desk {
    async fn new() -> Self {
        let legal = |what: &str| Subject::legal("DE", PROVIDER, NUMBER, what);
        let operator = Subject::legal("EU", "Example List Operator", "NTRDE-HRB7", "Lists");
        let operator = party(Profile::ListOperator, operator, None).await;
        let access_ca = party(Profile::Ca, legal("access CA"), None).await;
        let registrar_ca = party(Profile::Ca, legal("registration CA"), None).await;
        let status_ca = party(Profile::Ca, legal("status CA"), None).await;
        let shop = Subject::legal("DE", "Shop GmbH", SHOP, "Example Shop");
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
            now: Timestamp::now(),
            access: party(Profile::Access, shop, Some(&access_ca)).await,
            registrar: party(Profile::StatusList, legal("seal"), Some(&registrar_ca)).await,
            statuses: party(Profile::StatusList, legal("statuses"), Some(&status_ca)).await,
        };
        std::fs::create_dir(desk.path("lists")).unwrap();
        let issuance = [(ServiceKind::Issuance, &access_ca)];
        let access = list(lote::Profile::Access, &operator, &issuance).await;
        desk.put("lists/access", access.as_bytes());
        let both = [
            (ServiceKind::Issuance, &registrar_ca),
            (ServiceKind::Revocation, &status_ca),
        ];
        let registrars = list(lote::Profile::Registration, &operator, &both).await;
        desk.put("lists/registrars", registrars.as_bytes());
        let pem = pki::chain::to_pem(std::slice::from_ref(&operator.certificate));
        desk.put("operator.pem", pem.as_bytes());
        for (name, status) in [("valid", Status::VALID), ("revoked", Status::INVALID)] {
            let mut list = StatusList::new(Bits::One, 1000).unwrap();
            list.set(7, status).unwrap();
            let token = StatusListToken {
                expires: Some(desk.now + SignedDuration::from_hours(12)),
                ..StatusListToken::new(STATUS, desk.now, list)
            };
            let chain = [desk.statuses.certificate.der().to_vec()];
            let jwt = token.sign(&chain, &desk.statuses.key).await.unwrap();
            desk.put(name, jwt.as_bytes());
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn claims(&self, entitlement: Entitlement) -> Map {
        let credential = json!([{
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:eudi:pid:1"]},
            "claim": [{"path": ["age_equal_or_over", "18"]}],
        }]);
        let asks = entitlement == Entitlement::ServiceProvider;
        let new = NewRegistration {
            id: SHOP.into(),
            legal_name: "Shop GmbH".into(),
            trade_name: "Example Shop".into(),
            country: "DE".into(),
            entitlements: vec![entitlement],
            web: "https://registrar.example".into(),
            support: "https://shop.example/support".into(),
            service_id: None,
            credentials: asks.then(|| credential.clone()),
            provides: (!asks).then_some(credential),
            issued: self.now - SignedDuration::from_hours(1),
            status: Reference::new(STATUS, 7),
        };
        new.claims()
    }

    async fn registration(&self, entitlement: Entitlement) -> String {
        let chain = [self.registrar.certificate.clone()];
        let claims = self.claims(entitlement);
        let signed = sign_jwt(&claims, &chain, &self.registrar.key, self.now).await;
        signed.unwrap()
    }

    /// A request for this claim of the PID.
    async fn request(&self, claim: &str) -> String {
        let registration = self.registration(Entitlement::ServiceProvider).await;
        let hash = b64::encode(self.access.certificate.sha256());
        let claims = json!({
            "client_id": format!("x509_hash:{hash}"),
            "aud": "https://self-issued.me/v2",
            "response_mode": "direct_post.jwt",
            "response_uri": "https://shop.example/response",
            "nonce": "n-0S6_WzA2Mj",
            "client_metadata": {"jwks": {"keys": [{"kty": "EC", "kid": "1", "use": "enc"}]}},
            "verifier_info": [{"format": "registration_cert", "data": b64::encode(registration)}],
            "dcql_query": {"credentials": [{
                "id": "pid", "format": "dc+sd-jwt",
                "meta": {"vct_values": ["urn:eudi:pid:1"]},
                "claims": [{"path": [claim, "18"]}],
            }]},
        });
        self.statement("oauth-authz-req+jwt", &claims).await
    }

    async fn metadata(&self, entitlement: Entitlement) -> String {
        let registration = self.registration(entitlement).await;
        let claims = json!({
            "sub": "https://shop.example", "iat": self.now.as_second(),
            "credential_issuer": "https://shop.example",
            "credential_configurations_supported": {
                "pid": {"format": "dc+sd-jwt", "vct": "urn:eudi:pid:1"},
            },
            "issuer_info": [{"format": "registration_cert", "data": registration}],
        });
        self.statement("openidvci-issuer-metadata+jwt", &claims)
            .await
    }

    async fn statement(&self, typ: &str, claims: &Value) -> String {
        let certificate = &self.access.certificate;
        let header = json!({
            "typ": typ, "iat": self.now.as_second(), "x5c": [b64::encode_std(certificate.der())],
        });
        let header = header.as_object().unwrap().clone();
        let payload = claims.to_string();
        jose::jws::sign(header, payload.as_bytes(), &self.access.key)
            .await
            .unwrap()
    }

    /// Exit status, who, what, and the document.
    fn judge(&self, file: &str, context: &str, more: &[&str]) -> (i32, String, String, Value) {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let (file, lists, signer) = (path(file), path("lists"), path("operator.pem"));
        let mut arguments = vec!["trust", "token", &file, "--context", context];
        arguments.extend([
            "--lists",
            &lists,
            "--signer",
            &signer,
            "--revocation",
            "skip",
        ]);
        arguments.extend(more);
        let (code, document) = claviger_json(&arguments);
        let half = |name: &str| document[name]["answer"].as_str().unwrap().to_owned();
        (code, half("identity"), half("entitlement"), document)
    }
}

fn named(document: &Value, half: &str, rule: &str) -> bool {
    let findings = document[half]["findings"].as_array().unwrap();
    findings.iter().any(|finding| finding["rule"] == rule)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_halves_are_told_with_their_exit_status() {
    let desk = Desk::new().await;
    desk.put(
        "request",
        desk.request("age_equal_or_over").await.as_bytes(),
    );
    desk.put("greedy", desk.request("address").await.as_bytes());
    let valid = desk.path("valid").to_str().unwrap().to_owned();
    let revoked = desk.path("revoked").to_str().unwrap().to_owned();
    let context = "access-certificate";

    let (code, who, what, document) = desk.judge("request", context, &["--status", &valid]);
    assert_eq!(
        (code, who.as_str(), what.as_str()),
        (0, "yes", "yes"),
        "{document:#}"
    );
    assert_eq!(document["kind"], "authorization-request");
    assert_eq!(document["registrations"][0]["certificate"]["id"], SHOP);

    let (code, who, what, document) = desk.judge("greedy", context, &["--status", &valid]);
    assert_eq!((code, who.as_str(), what.as_str()), (1, "yes", "no"));
    assert!(named(&document, "entitlement", "WRP-SCOPE-CLAIM"));

    let (code, who, what, document) = desk.judge("request", context, &["--status", &revoked]);
    assert_eq!((code, who.as_str(), what.as_str()), (1, "yes", "no"));
    assert!(named(&document, "entitlement", "COUNTERPART-REVOKED"));

    let (code, who, what, document) = desk.judge("request", context, &[]);
    assert_eq!((code, who.as_str(), what.as_str()), (3, "yes", "undecided"));
    assert!(named(
        &document,
        "entitlement",
        "COUNTERPART-STATUS-UNKNOWN"
    ));

    let beside = ["--status", &valid, "--client-id", "x509_hash:another"];
    let (code, who, what, document) = desk.judge("request", context, &beside);
    assert_eq!((code, who.as_str(), what.as_str()), (1, "no", "no"));
    assert!(named(&document, "identity", "WRP-REQUEST-OUTER"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_held_to_its_entitlements() {
    let desk = Desk::new().await;
    let entitled = desk.metadata(Entitlement::PidProvider).await;
    desk.put("entitled", entitled.as_bytes());
    let other = desk.metadata(Entitlement::NonQEaaProvider).await;
    desk.put("other", other.as_bytes());
    let valid = desk.path("valid").to_str().unwrap().to_owned();
    let more = ["--status", &valid, "--issuer", "https://shop.example"];
    let (code, who, what, document) = desk.judge("entitled", "access-certificate", &more);
    assert_eq!(
        (code, who.as_str(), what.as_str()),
        (0, "yes", "yes"),
        "{document:#}"
    );
    let (code, who, what, document) = desk.judge("other", "access-certificate", &more);
    assert_eq!((code, who.as_str(), what.as_str()), (1, "yes", "no"));
    assert!(named(&document, "entitlement", "WRP-PROVIDER-ENTITLEMENT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_certificate_by_itself() {
    let desk = Desk::new().await;
    let jwt = desk.registration(Entitlement::ServiceProvider).await;
    desk.put("jwt", jwt.as_bytes());
    let chain = [desk.registrar.certificate.clone()];
    let claims = desk.claims(Entitlement::ServiceProvider);
    let cwt = sign_cwt(&claims, &chain, &desk.registrar.key)
        .await
        .unwrap();
    desk.put("cwt", &cwt);
    let valid = desk.path("valid").to_str().unwrap().to_owned();
    let context = "registration-certificate";
    for file in ["jwt", "cwt"] {
        let (code, who, what, document) = desk.judge(file, context, &["--status", &valid]);
        let seen = (code, who.as_str(), what.as_str());
        assert_eq!(seen, (0, "undecided", "yes"), "{document:#}");
        assert_eq!(document["registrations"][0]["certificate"]["form"], file);
    }
    // What it is not is said before anything is judged.
    let lists = desk.path("lists");
    let arguments = [
        "trust",
        "token",
        "--context",
        context,
        "--kind",
        "issuer-metadata",
    ];
    let output = claviger(
        &arguments
            .iter()
            .map(|text| (*text).into())
            .chain([
                desk.path("jwt").into_os_string(),
                "--lists".into(),
                lists.into(),
            ])
            .collect::<Vec<std::ffi::OsString>>(),
    );
    assert_eq!(output.status.code(), Some(2));
    // People read both halves.
    let output = claviger(&[
        "trust".into(),
        "token".into(),
        desk.path("jwt").into_os_string(),
        "--context".into(),
        context.into(),
        "--lists".into(),
        desk.path("lists").into_os_string(),
        "--revocation".into(),
        "skip".into(),
        "--status".into(),
        valid.into(),
    ]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in [
        "who are you?",
        "what may you do?",
        "Example Shop",
        SHOP,
        "To serve the user",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
