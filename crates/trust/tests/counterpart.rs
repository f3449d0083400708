//! What a wallet makes of its counterpart: authorization requests, signed issuer
//! metadata and registration certificates, and every way to forge them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::path::PathBuf;

use claviger_fixtures::TestKey;
use common::*;
use finding::{Severity, Trusted};
use jiff::SignedDuration;
use jose::{Curve, Map, b64};
use lote::{NewEntity, NewService, Postal, ServiceKind};
use pki::{AltName, Certificate, Subject};
use rstest::rstest;
use serde_json::{Value, json};
use status_list::{Bits, Reference, Status, StatusList, StatusListToken};
use trust::Revocation;
use trust::counterpart::{Counterpart, CounterpartVerdict, Half, Kind, Lists, Presented, Statuses};
use wrp::{Entitlement, Mode, NewRegistration, sign_cwt, sign_jwt};

const SHOP: &str = "NTRDE-HRB500";
const RIVAL: &str = "Rival Registrar AG";
const STATUS_URI: &str = "https://registrar.example/status/1";
const INDEX: u64 = 7;

/// Everyone but the wallet.
struct World {
    access: Party,
    registrar: Party,
    status_signer: Party,
    rival_status: Party,
    stranger: Party,
    operator: Party,
    folder: tempfile::TempDir,
}

/// What is done to claims or a header before they are signed.
type Change = fn(&mut Map);

fn as_it_is(_: &mut Map) {}

impl World {
    async fn new() -> Self {
        let (access_ca, registrar_ca, rival_ca) = (ca().await, ca().await, ca().await);
        let status_ca = ca().await;
        let operator = operator().await;
        let folder = tempfile::tempdir().unwrap();
        let world = Self {
            access: shop(&access_ca, "Example Shop").await,
            registrar: registrar_ca
                .leaf(pki::Profile::StatusList, provider())
                .await,
            status_signer: status_ca.leaf(pki::Profile::StatusList, provider()).await,
            rival_status: rival_ca
                .leaf(
                    pki::Profile::StatusList,
                    Subject::legal("DE", RIVAL, "NTRDE-HRB666", "Statuses"),
                )
                .await,
            stranger: shop(&ca().await, "Example Shop").await,
            operator,
            folder,
        };
        let signers = [world.operator.certificate.clone()];
        let issuance = [(ServiceKind::Issuance, &access_ca.certificate)];
        let mut access_list = draft(lote::Profile::Access, &signers, &issuance);
        let services = [
            (ServiceKind::Issuance, &registrar_ca.certificate),
            (ServiceKind::Revocation, &status_ca.certificate),
        ];
        let mut registrars = draft(lote::Profile::Registration, &signers, &services);
        registrars.add_entity(&rival()).unwrap();
        let service = NewService {
            kind: ServiceKind::Revocation,
            name: "Rival statuses".into(),
            certificates: vec![rival_ca.certificate.clone()],
            unique_id: None,
            supply_point: None,
        };
        registrars.add_service(RIVAL, &service, issued()).unwrap();
        for (name, list) in [
            ("access", &mut access_list),
            ("registrars", &mut registrars),
        ] {
            let sealed = seal(list, &world.operator).await;
            std::fs::write(world.folder.path().join(name), sealed).unwrap();
        }
        world
    }

    /// What the registrar says of the shop.
    fn registration(&self) -> NewRegistration {
        NewRegistration {
            id: SHOP.into(),
            legal_name: "Shop GmbH".into(),
            trade_name: "Example Shop".into(),
            country: "DE".into(),
            entitlements: vec![Entitlement::ServiceProvider],
            web: "https://registrar.example".into(),
            support: "https://shop.example/support".into(),
            service_id: None,
            credentials: Some(json!([
                {
                    "format": "dc+sd-jwt",
                    "meta": {"vct_values": ["urn:eudi:pid:1"]},
                    "claim": [{"path": ["age_equal_or_over", "18"]}, {"path": ["address"]}],
                },
                {
                    "format": "mso_mdoc",
                    "meta": {"doctype_value": "eu.europa.ec.eudi.pid.1"},
                    "claim": [{"path": ["eu.europa.ec.eudi.pid.1", "age_over_18"]}],
                },
            ])),
            provides: None,
            issued: at("2026-11-20T00:00:00Z"),
            status: Reference::new(STATUS_URI, INDEX),
        }
    }

    /// The registration of the shop as a provider of an attestation.
    fn provider_registration(&self) -> NewRegistration {
        NewRegistration {
            entitlements: vec![Entitlement::NonQEaaProvider],
            credentials: None,
            provides: Some(json!([
                {"format": "dc+sd-jwt", "meta": {"vct_values": ["https://shop.example/card"]}},
            ])),
            ..self.registration()
        }
    }

    async fn jwt(&self, claims: &Map) -> Vec<u8> {
        let chain = [self.registrar.certificate.clone()];
        let signed = sign_jwt(claims, &chain, &self.registrar.key, now()).await;
        signed.unwrap().into_bytes()
    }

    async fn cwt(&self, claims: &Map) -> Vec<u8> {
        let chain = [self.registrar.certificate.clone()];
        sign_cwt(claims, &chain, &self.registrar.key).await.unwrap()
    }

    /// A request for an age, with this registration certificate.
    async fn request(&self, registration: &[u8]) -> String {
        self.request_with(registration, as_it_is).await
    }

    async fn request_with(&self, registration: &[u8], change: Change) -> String {
        let info = json!([{"format": "registration_cert", "data": b64::encode(registration)}]);
        let mut claims = request_claims(&self.access.certificate);
        claims.insert("verifier_info".into(), info);
        change(&mut claims);
        statement("oauth-authz-req+jwt", &claims, &self.access, as_it_is).await
    }

    /// The metadata of an issuer of loyalty cards, with this registration certificate.
    async fn metadata_with(&self, registration: &[u8], change: Change) -> String {
        let data = std::str::from_utf8(registration).unwrap();
        let claims = json!({
            "sub": "https://shop.example",
            "iat": now().as_second(),
            "credential_issuer": "https://shop.example",
            "credential_endpoint": "https://shop.example/credential",
            "credential_configurations_supported": {
                "card": {"format": "dc+sd-jwt", "vct": "https://shop.example/card"},
            },
            "issuer_info": [{"format": "registration_cert", "data": data}],
        });
        let mut claims = claims.as_object().unwrap().clone();
        change(&mut claims);
        let typ = "openidvci-issuer-metadata+jwt";
        statement(typ, &claims, &self.access, as_it_is).await
    }

    /// The registrar's status list.
    async fn status(&self, status: Status) -> Vec<u8> {
        self.status_by(&self.status_signer, status).await
    }

    async fn status_by(&self, signer: &Party, status: Status) -> Vec<u8> {
        let token = status_token(STATUS_URI, status);
        let chain = [signer.certificate.der().to_vec()];
        token.sign(&chain, &signer.key).await.unwrap().into_bytes()
    }

    fn places(&self) -> Vec<PathBuf> {
        vec![self.folder.path().to_owned()]
    }

    async fn judge(&self, token: &[u8], statuses: Vec<Vec<u8>>) -> CounterpartVerdict {
        let presented = presented(token);
        self.judge_as(&presented, statuses, Mode::Strict).await
    }

    async fn judge_as(
        &self,
        presented: &Presented<'_>,
        statuses: Vec<Vec<u8>>,
        mode: Mode,
    ) -> CounterpartVerdict {
        let places = self.places();
        let signers = [self.operator.certificate.clone()];
        let statuses = Statuses::of_files(statuses, None);
        let counterpart = Counterpart {
            lists: Lists::Files {
                places: &places,
                signers: Some(&signers),
                limits: limits(),
            },
            statuses: &statuses,
            revocation: Revocation::Skip,
            mode,
            skew: SignedDuration::from_secs(60),
            at: now(),
        };
        counterpart.judge(presented).await.unwrap()
    }

    /// A request with changed registration claims, its status valid.
    async fn judge_registration(&self, change: Change) -> CounterpartVerdict {
        let mut claims = self.registration().claims();
        change(&mut claims);
        let request = self.request(&self.jwt(&claims).await).await;
        self.judge(request.as_bytes(), vec![self.status(Status::VALID).await])
            .await
    }
}

fn presented(token: &[u8]) -> Presented<'_> {
    Presented {
        token,
        client_id: None,
        wallet: None,
        issuer: None,
        configuration: None,
        access: &[],
    }
}

/// A party's access certificate.
async fn shop(ca: &Party, name: &str) -> Party {
    let subject = Subject::legal("DE", "Shop GmbH", SHOP, name);
    ca.leaf_with(pki::Profile::Access, subject, |request| {
        request.alt_names = vec![
            AltName::Uri("https://shop.example/support".into()),
            AltName::Uri("https://registrar.example/services/checkout".into()),
            AltName::Dns("shop.example".into()),
        ];
        request.policies = vec![pki::Policy {
            id: pki::oid::NCP_L_EUDIWRP,
            cps: vec!["https://access.example/cps".into()],
        }];
    })
    .await
}

fn rival() -> NewEntity {
    NewEntity {
        name: RIVAL.into(),
        registration: "NTRDE-HRB666".into(),
        member_state: "DE".into(),
        address: Postal {
            street: "Other Street 1".into(),
            locality: "Bonn".into(),
            postal_code: "53111".into(),
            country: "DE".into(),
        },
        email: "help@rival.example".into(),
        phone: "+49228123456".into(),
        web: "https://rival.example/".into(),
        policies: "https://rival.example/policies".into(),
        law: None,
    }
}

fn status_token(uri: &str, status: Status) -> StatusListToken {
    let mut list = StatusList::new(Bits::Two, 1000).unwrap();
    list.set(INDEX, status).unwrap();
    StatusListToken {
        expires: Some(now() + SignedDuration::from_hours(12)),
        ttl: Some(SignedDuration::from_hours(1)),
        ..StatusListToken::new(uri, now() - SignedDuration::from_hours(1), list)
    }
}

fn request_claims(access: &Certificate) -> Map {
    let claims = json!({
        "client_id": format!("x509_hash:{}", b64::encode(access.sha256())),
        "aud": "https://self-issued.me/v2",
        "response_type": "vp_token",
        "response_mode": "direct_post.jwt",
        "response_uri": "https://shop.example/response",
        "nonce": "n-0S6_WzA2Mj",
        "state": "1",
        "client_metadata": {"jwks": {"keys": [{"kty": "EC", "kid": "1", "use": "enc"}]}},
        "dcql_query": {"credentials": [{
            "id": "pid",
            "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:eudi:pid:1"]},
            "claims": [{"path": ["age_equal_or_over", "18"]}, {"path": ["address", "locality"]}],
        }]},
    });
    claims.as_object().unwrap().clone()
}

async fn statement(typ: &str, claims: &Map, by: &Party, change: Change) -> String {
    let mut header = Map::new();
    header.insert("typ".into(), typ.into());
    header.insert("iat".into(), now().as_second().into());
    let x5c = json!([b64::encode_std(by.certificate.der())]);
    header.insert("x5c".into(), x5c);
    change(&mut header);
    let payload = Value::Object(claims.clone()).to_string();
    jose::jws::sign(header, payload.as_bytes(), &by.key)
        .await
        .unwrap()
}

fn set(claims: &mut Map, name: &str, value: Value) {
    claims.insert(name.into(), value);
}

fn ask(claims: &mut Map, credential: Value) {
    set(claims, "dcql_query", json!({"credentials": [credential]}));
}

/// The errors of a half, or, where it is undecided, what leaves it open.
fn reasons(half: &Half) -> Vec<String> {
    let of = |severity| {
        let found = half
            .findings()
            .iter()
            .filter(move |f| f.severity == severity);
        found.map(|f| f.rule.to_string()).collect::<Vec<_>>()
    };
    match half.answer() {
        Trusted::Yes => {
            assert!(of(Severity::Error).is_empty(), "{half:#?}");
            Vec::new()
        }
        Trusted::No => of(Severity::Error),
        Trusted::Undecided => {
            assert!(of(Severity::Error).is_empty(), "{half:#?}");
            let mut open = of(Severity::Warning);
            open.retain(|rule| rule.starts_with("COUNTERPART-") || rule == "WRP-INFO-ABSENT");
            open
        }
    }
}

#[track_caller]
fn assert_halves(
    verdict: &CounterpartVerdict,
    identity: (Trusted, &[&str]),
    entitlement: (Trusted, &[&str]),
) {
    let seen = (verdict.identity.answer(), reasons(&verdict.identity));
    assert_eq!(seen.0, identity.0, "who: {:#?}", verdict.identity);
    assert_eq!(seen.1, identity.1, "who: {:#?}", verdict.identity);
    let seen = (verdict.entitlement.answer(), reasons(&verdict.entitlement));
    assert_eq!(seen.0, entitlement.0, "what: {:#?}", verdict.entitlement);
    assert_eq!(seen.1, entitlement.1, "what: {:#?}", verdict.entitlement);
}

const YES: (Trusted, &[&str]) = (Trusted::Yes, &[]);

fn no<'a>(rules: &'a [&'a str]) -> (Trusted, &'a [&'a str]) {
    (Trusted::No, rules)
}

fn open<'a>(rules: &'a [&'a str]) -> (Trusted, &'a [&'a str]) {
    (Trusted::Undecided, rules)
}

#[tokio::test]
async fn a_registered_request_is_answered_yes_and_yes() {
    let world = World::new().await;
    let claims = world.registration().claims();
    for registration in [world.jwt(&claims).await, world.cwt(&claims).await] {
        let request = world.request(&registration).await;
        let verdict = world
            .judge(request.as_bytes(), vec![world.status(Status::VALID).await])
            .await;
        assert_halves(&verdict, YES, YES);
        assert_eq!(verdict.kind, Kind::AuthorizationRequest);
        assert_eq!(verdict.answer(), Trusted::Yes);
        let shown = verdict.registrations[0].certificate.as_ref().unwrap();
        assert_eq!(shown.shown_name(), "Example Shop");
        let status = verdict.registrations[0].status.as_ref().unwrap();
        assert_eq!(status.status, Some(Status::VALID));
        assert!(
            serde_json::to_string(&verdict)
                .unwrap()
                .contains("Example Shop")
        );
    }
}

#[tokio::test]
async fn registered_metadata_is_answered_yes_and_yes() {
    let world = World::new().await;
    let registration = world.jwt(&world.provider_registration().claims()).await;
    let metadata = world.metadata_with(&registration, as_it_is).await;
    let presented = Presented {
        issuer: Some("https://shop.example"),
        ..presented(metadata.as_bytes())
    };
    let statuses = vec![world.status(Status::VALID).await];
    let verdict = world.judge_as(&presented, statuses, Mode::Strict).await;
    assert_halves(&verdict, YES, YES);
    assert_eq!(verdict.kind, Kind::IssuerMetadata);
}

#[rstest]
#[case::expired(|c: &mut Map| { set(c, "iat", json!(1_730_419_200)); set(c, "exp", json!(1_761_955_200)) }, "WRPRC-EXPIRED")]
#[case::over_twelve_months(|c: &mut Map| set(c, "exp", json!(at("2027-11-20T00:00:01Z").as_second())), "WRPRC-TWELVE-MONTHS")]
#[case::from_tomorrow(|c: &mut Map| { set(c, "iat", json!(at("2026-11-23T00:00:00Z").as_second())); c.remove("exp"); }, "WRPRC-IAT")]
#[case::before_nbf(|c: &mut Map| set(c, "nbf", json!(at("2026-11-23T00:00:00Z").as_second())), "WRPRC-EXPIRED")]
#[case::backwards(|c: &mut Map| { set(c, "iat", json!(now().as_second() + 30)); set(c, "exp", json!(now().as_second() + 20)) }, "WRPRC-EXP")]
#[case::of_another(|c: &mut Map| set(c, "sub", json!("NTRDE-HRB501")), "WRP-SAME-PARTY")]
#[case::of_another_case(|c: &mut Map| set(c, "sub", json!("NTRDE-hrb500")), "WRP-SAME-PARTY")]
#[case::for_an_intermediary(|c: &mut Map| set(c, "intermediary", json!({"sub": "NTRDE-HRB9", "sname": "Go-between"})), "WRP-SAME-PARTY")]
#[case::of_another_service(|c: &mut Map| set(c, "srv_id", json!("returns")), "WRP-SAME-SERVICE")]
#[case::no_status(|c: &mut Map| { c.remove("status"); }, "WRPRC-STATUS")]
#[case::status_elsewhere(|c: &mut Map| set(c, "status", json!({"status_list": {"idx": 7, "uri": "/status"}})), "WRPRC-STATUS")]
#[case::no_service_provider(|c: &mut Map| set(c, "entitlements", json!(["https://uri.etsi.org/19475/Entitlement/PID_Provider"])), "WRP-NO-INTENDED-USE")]
#[case::no_entitlement(|c: &mut Map| set(c, "entitlements", json!(["https://example.com/anything"])), "WRPRC-ENTITLEMENTS")]
#[case::narrower(|c: &mut Map| c["credentials"][0]["claim"] = json!([{"path": ["address"]}]), "WRP-SCOPE-CLAIM")]
#[case::no_claims(|c: &mut Map| { c["credentials"][0].as_object_mut().unwrap().remove("claim"); }, "WRP-SCOPE-CLAIM")]
#[case::other_type(|c: &mut Map| c["credentials"][0]["meta"] = json!({"vct_values": ["urn:other"]}), "WRP-SCOPE-CREDENTIAL")]
#[case::no_policy(|c: &mut Map| set(c, "policy_id", json!(["1.2.3"])), "WRPRC-POLICY")]
#[case::nobody(|c: &mut Map| { c.remove("sub_ln"); }, "WRPRC-PERSON")]
#[tokio::test]
async fn a_registration_that_does_not_cover_the_request(
    #[case] change: Change,
    #[case] rule: &str,
) {
    let world = World::new().await;
    let verdict = world.judge_registration(change).await;
    assert_eq!(verdict.identity.answer(), Trusted::Yes);
    assert_eq!(verdict.entitlement.answer(), Trusted::No);
    let seen = reasons(&verdict.entitlement);
    assert!(
        seen.iter().all(|seen| seen == rule) && !seen.is_empty(),
        "{seen:?}"
    );
}

#[rstest]
#[case::exactly_twelve_months(|c: &mut Map| set(c, "exp", json!(at("2027-11-20T00:00:00Z").as_second())))]
#[case::without_end(|c: &mut Map| { c.remove("exp"); })]
#[case::its_own_service(|c: &mut Map| set(c, "srv_id", json!("checkout")))]
#[case::through_its_intermediary(|c: &mut Map| { set(c, "sub", json!("NTRDE-HRB2")); set(c, "intermediary", json!({"sub": SHOP})) })]
#[case::act(|c: &mut Map| { set(c, "sub", json!("NTRDE-HRB2")); set(c, "act", json!({"sub": SHOP})) })]
#[case::numeric_string(|c: &mut Map| c["status"]["status_list"]["idx"] = json!("7"))]
#[case::other_trade_name(|c: &mut Map| set(c, "name", json!("Another name")))]
#[case::by_oid(|c: &mut Map| set(c, "entitlements", json!(["0.4.0.19475.1.1"])))]
#[tokio::test]
async fn a_registration_that_may_differ_so(#[case] change: Change) {
    let world = World::new().await;
    assert_halves(&world.judge_registration(change).await, YES, YES);
}

#[rstest]
#[case::credential(|c: &mut Map| ask(c, json!({"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:eudi:pid:1", "urn:loyalty"]}})), "WRP-SCOPE-CREDENTIAL")]
#[case::any_type(|c: &mut Map| ask(c, json!({"id": "a", "format": "dc+sd-jwt", "meta": {}})), "WRP-SCOPE-CREDENTIAL")]
#[case::other_format(|c: &mut Map| ask(c, json!({"id": "a", "format": "mso_mdoc", "meta": {"doctype_value": "urn:eudi:pid:1"}})), "WRP-SCOPE-CREDENTIAL")]
#[case::claim(|c: &mut Map| ask(c, json!({"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:eudi:pid:1"]}, "claims": [{"path": ["birthdate"]}]})), "WRP-SCOPE-CLAIM")]
#[case::claim_of_the_other(|c: &mut Map| ask(c, json!({"id": "a", "format": "mso_mdoc", "meta": {"doctype_value": "eu.europa.ec.eudi.pid.1"}, "claims": [{"path": ["address"]}]})), "WRP-SCOPE-CLAIM")]
#[case::wider_claim(|c: &mut Map| ask(c, json!({"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["urn:eudi:pid:1"]}, "claims": [{"path": ["age_equal_or_over"]}]})), "WRP-SCOPE-CLAIM")]
#[case::no_query(|c: &mut Map| { c.remove("dcql_query"); }, "WRP-REQUEST-QUERY")]
#[case::no_nonce(|c: &mut Map| { c.remove("nonce"); }, "WRP-REQUEST-NONCE")]
#[case::plain_response(|c: &mut Map| set(c, "response_mode", json!("direct_post")), "WRP-REQUEST-RESPONSE")]
#[case::http_response(|c: &mut Map| set(c, "response_uri", json!("http://shop.example/response")), "WRP-REQUEST-RESPONSE")]
#[case::no_keys(|c: &mut Map| { c.remove("client_metadata"); }, "WRP-REQUEST-KEYS")]
#[case::two_registrations(|c: &mut Map| { let one = c["verifier_info"][0].clone(); c["verifier_info"].as_array_mut().unwrap().push(one) }, "WRP-INFO-MANY")]
#[case::broken_info(|c: &mut Map| set(c, "verifier_info", json!("none")), "WRP-INFO-FORM")]
#[tokio::test]
async fn a_request_that_goes_too_far(#[case] change: Change, #[case] rule: &str) {
    let world = World::new().await;
    let registration = world.jwt(&world.registration().claims()).await;
    let request = world.request_with(&registration, change).await;
    let verdict = world
        .judge(request.as_bytes(), vec![world.status(Status::VALID).await])
        .await;
    assert_halves(&verdict, YES, no(&[rule]));
}

#[rstest]
#[case::another_hash(|c: &mut Map| set(c, "client_id", json!("x509_hash:AAAA")), "WRP-REQUEST-CLIENT-ID")]
#[case::another_name(|c: &mut Map| set(c, "client_id", json!("x509_san_dns:bank.example")), "WRP-REQUEST-CLIENT-ID")]
#[case::no_certificate(|c: &mut Map| set(c, "client_id", json!("redirect_uri:https://shop.example")), "WRP-REQUEST-PREFIX")]
#[case::none(|c: &mut Map| { c.remove("client_id"); }, "WRP-REQUEST-CLIENT-ID")]
#[case::another_wallet(|c: &mut Map| set(c, "aud", json!("https://wallet.example")), "WRP-REQUEST-AUD")]
#[case::expired(|c: &mut Map| set(c, "exp", json!(1)), "WRP-STATEMENT-TIME")]
#[case::tomorrow(|c: &mut Map| set(c, "iat", json!(at("2026-11-23T00:00:00Z").as_second())), "WRP-STATEMENT-TIME")]
#[tokio::test]
async fn a_request_of_somebody_else(#[case] change: Change, #[case] rule: &str) {
    let world = World::new().await;
    let registration = world.jwt(&world.registration().claims()).await;
    let request = world.request_with(&registration, change).await;
    let presented = Presented {
        wallet: Some("https://mine.example"),
        ..presented(request.as_bytes())
    };
    let statuses = vec![world.status(Status::VALID).await];
    let verdict = world.judge_as(&presented, statuses, Mode::Interop).await;
    let expected = (Trusted::No, &[rule][..]);
    // A response that goes to another host than the client's is told as well.
    assert_eq!(
        verdict.identity.answer(),
        expected.0,
        "{:#?}",
        verdict.identity
    );
    assert_eq!(reasons(&verdict.identity), expected.1);
    let closed = reasons(&verdict.entitlement);
    assert!(
        closed.contains(&"COUNTERPART-IDENTITY".to_owned()),
        "{closed:?}"
    );
}

#[tokio::test]
async fn a_dns_name_of_the_certificate_will_do_for_openid4vp_alone() {
    let world = World::new().await;
    let registration = world.jwt(&world.registration().claims()).await;
    let named: Change = |c: &mut Map| set(c, "client_id", json!("x509_san_dns:shop.example"));
    let request = world.request_with(&registration, named).await;
    let status = world.status(Status::VALID).await;
    let asked = presented(request.as_bytes());
    let verdict = world
        .judge_as(&asked, vec![status.clone()], Mode::Interop)
        .await;
    assert_halves(&verdict, YES, YES);
    let verdict = world
        .judge_as(&asked, vec![status.clone()], Mode::Strict)
        .await;
    assert_halves(
        &verdict,
        no(&["WRP-REQUEST-PREFIX"]),
        no(&["COUNTERPART-IDENTITY"]),
    );
    // The answer may go to that host alone.
    let elsewhere: Change = |c: &mut Map| {
        set(c, "client_id", json!("x509_san_dns:shop.example"));
        set(c, "response_uri", json!("https://thief.example/response"));
    };
    let request = world.request_with(&registration, elsewhere).await;
    let asked = presented(request.as_bytes());
    let verdict = world
        .judge_as(&asked, vec![status.clone()], Mode::Interop)
        .await;
    assert_halves(&verdict, YES, no(&["WRP-REQUEST-RESPONSE"]));
    // Nor may another client's request be passed on under its name.
    let request = world.request(&registration).await;
    let passed_on = Presented {
        client_id: Some("x509_hash:another"),
        ..presented(request.as_bytes())
    };
    let verdict = world.judge_as(&passed_on, vec![status], Mode::Strict).await;
    assert_halves(
        &verdict,
        no(&["WRP-REQUEST-OUTER"]),
        no(&["COUNTERPART-IDENTITY"]),
    );
}

#[tokio::test]
async fn who_is_not_listed_is_nobody() {
    let world = World::new().await;
    let registration = world.jwt(&world.registration().claims()).await;
    let status = world.status(Status::VALID).await;
    let info = json!([{"format": "registration_cert", "data": b64::encode(&registration)}]);
    // The same names, by another authority.
    let mut claims = request_claims(&world.stranger.certificate);
    set(&mut claims, "verifier_info", info.clone());
    let typ = "oauth-authz-req+jwt";
    let request = statement(typ, &claims, &world.stranger, as_it_is).await;
    let verdict = world.judge(request.as_bytes(), vec![status.clone()]).await;
    assert_halves(
        &verdict,
        no(&["COUNTERPART-ACCESS"]),
        no(&["COUNTERPART-IDENTITY"]),
    );
    // The listed certificate, with another's key.
    let thief = Party {
        key: TestKey::generate(Curve::P256),
        certificate: world.access.certificate.clone(),
    };
    let mut claims = request_claims(&world.access.certificate);
    set(&mut claims, "verifier_info", info);
    let request = statement(typ, &claims, &thief, as_it_is).await;
    let verdict = world.judge(request.as_bytes(), vec![status.clone()]).await;
    let rules = ["WRP-STATEMENT-SIGNATURE"];
    assert_halves(&verdict, no(&rules), no(&["COUNTERPART-IDENTITY"]));
    assert!(verdict.said.is_none(), "what is not signed is not read");
    // A list's own registrar is no access certificate.
    let mut claims = request_claims(&world.registrar.certificate);
    set(&mut claims, "verifier_info", json!([]));
    let request = statement(typ, &claims, &world.registrar, as_it_is).await;
    let verdict = world.judge(request.as_bytes(), vec![status]).await;
    assert_eq!(reasons(&verdict.identity), ["COUNTERPART-ACCESS"]);
}

#[rstest]
#[case::other_typ(|h: &mut Map| set(h, "typ", json!("JWT")), &["WRP-STATEMENT-TYP"])]
#[case::no_typ(|h: &mut Map| { h.remove("typ"); }, &["WRP-STATEMENT-TYP"])]
#[case::no_x5c(|h: &mut Map| { h.remove("x5c"); }, &["WRP-STATEMENT-X5C"])]
#[case::empty_x5c(|h: &mut Map| set(h, "x5c", json!([])), &["WRP-STATEMENT-X5C"])]
#[case::broken_x5c(|h: &mut Map| set(h, "x5c", json!(["AAAA"])), &["WRP-STATEMENT-X5C"])]
#[case::unknown_crit(|h: &mut Map| { set(h, "crit", json!(["x"])); set(h, "x", json!(1)) }, &["WRP-STATEMENT-FORM"])]
#[case::no_iat(|h: &mut Map| { h.remove("iat"); }, &["WRP-REQUEST-IAT"])]
#[tokio::test]
async fn a_request_with_another_header(#[case] change: Change, #[case] rules: &[&str]) {
    let world = World::new().await;
    let claims = request_claims(&world.access.certificate);
    let typ = "oauth-authz-req+jwt";
    let request = statement(typ, &claims, &world.access, change).await;
    let verdict = world.judge(request.as_bytes(), vec![]).await;
    assert_eq!(verdict.identity.answer(), Trusted::No);
    assert_eq!(reasons(&verdict.identity), rules);
}

#[tokio::test]
async fn a_registration_that_is_absent_leaves_it_open() {
    let world = World::new().await;
    let request = world
        .request_with(b"", |c: &mut Map| {
            c.remove("verifier_info");
        })
        .await;
    let verdict = world.judge(request.as_bytes(), vec![]).await;
    assert_halves(&verdict, YES, open(&["WRP-INFO-ABSENT"]));
    assert_eq!(verdict.answer(), Trusted::Undecided);
}

#[rstest]
#[case::typ(|h: &mut Map| set(h, "typ", json!("JWT")), "WRPRC-TYP", false)]
#[case::no_x5c(|h: &mut Map| { h.remove("x5c"); }, "WRPRC-X5C", false)]
#[case::no_time(|h: &mut Map| { h.remove("iat"); }, "WRPRC-JADES-TIME", true)]
#[case::signed_tomorrow(|h: &mut Map| set(h, "iat", json!(at("2026-11-23T00:00:00Z").as_second())), "WRPRC-JADES-TIME", false)]
#[case::signed_before_the_certificate(|h: &mut Map| set(h, "iat", json!(at("2025-11-23T00:00:00Z").as_second())), "WRPRC-JADES-TIME", false)]
#[case::no_digest(|h: &mut Map| { h.remove("x5t#S256"); }, "WRPRC-JADES-DIGEST", true)]
#[case::another_digest(|h: &mut Map| set(h, "x5t#S256", json!("AAAA")), "WRPRC-JADES-DIGEST", false)]
#[case::crit(|h: &mut Map| { set(h, "crit", json!(["b64"])); set(h, "b64", json!(false)) }, "WRPRC-JADES-CRIT", false)]
#[tokio::test]
async fn a_registration_with_another_header(
    #[case] change: Change,
    #[case] rule: &str,
    #[case] in_the_wild: bool,
) {
    let world = World::new().await;
    let certificate = &world.registrar.certificate;
    let header = json!({
        "typ": "rc-wrp+jwt",
        "iat": now().as_second(),
        "x5t#S256": b64::encode(certificate.sha256()),
        "x5c": [b64::encode_std(certificate.der())],
    });
    let mut header = header.as_object().unwrap().clone();
    change(&mut header);
    let claims = Value::Object(world.registration().claims()).to_string();
    let signed = jose::jws::sign(header, claims.as_bytes(), &world.registrar.key).await;
    let request = world.request(signed.unwrap().as_bytes()).await;
    let status = world.status(Status::VALID).await;
    let asked = presented(request.as_bytes());
    let verdict = world
        .judge_as(&asked, vec![status.clone()], Mode::Strict)
        .await;
    assert_halves(&verdict, YES, no(&[rule]));
    let verdict = world.judge_as(&asked, vec![status], Mode::Interop).await;
    match in_the_wild {
        true => assert_halves(&verdict, YES, YES),
        false => assert_halves(&verdict, YES, no(&[rule])),
    }
}

#[tokio::test]
async fn a_registration_that_nobody_signed_or_somebody_else() {
    let world = World::new().await;
    let claims = world.registration().claims();
    let status = world.status(Status::VALID).await;
    let judge = async |registration: &[u8]| {
        let request = world.request(registration).await;
        world.judge(request.as_bytes(), vec![status.clone()]).await
    };
    let good = String::from_utf8(world.jwt(&claims).await).unwrap();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let stripped = format!("{signed}.");
    let verdict = judge(stripped.as_bytes()).await;
    assert_halves(&verdict, YES, no(&["WRPRC-SIGNATURE"]));
    let (header, _) = signed.split_once('.').unwrap();
    let mut other = claims.clone();
    set(&mut other, "sub", json!("NTRDE-HRB1"));
    let payload = b64::encode(Value::Object(other).to_string());
    let verdict = judge(format!("{header}.{payload}.{signature}").as_bytes()).await;
    assert_halves(&verdict, YES, no(&["WRPRC-SIGNATURE"]));
    let none = b64::encode(r#"{"alg":"none","typ":"rc-wrp+jwt"}"#);
    let verdict = judge(format!("{none}.{payload}.").as_bytes()).await;
    assert_halves(&verdict, YES, no(&["WRPRC-ALG"]));
    // By a CA that is listed for access certificates, and by nobody's.
    for by in [&world.access, &world.stranger, &world.status_signer] {
        let chain = [by.certificate.clone()];
        let forged = sign_jwt(&claims, &chain, &by.key, now()).await.unwrap();
        let verdict = judge(forged.as_bytes()).await;
        assert_halves(&verdict, YES, no(&["COUNTERPART-REGISTRAR"]));
    }
    // Twice the same member.
    let twice = Value::Object(claims.clone()).to_string();
    let twice = twice.replacen('{', r#"{"sub":"NTRDE-HRB1","#, 1);
    let certificate = &world.registrar.certificate;
    let header = json!({
        "typ": "rc-wrp+jwt", "iat": now().as_second(),
        "x5t#S256": b64::encode(certificate.sha256()),
        "x5c": [b64::encode_std(certificate.der())],
    });
    let header = header.as_object().unwrap().clone();
    let signed = jose::jws::sign(header, twice.as_bytes(), &world.registrar.key).await;
    let verdict = judge(signed.unwrap().as_bytes()).await;
    assert_halves(&verdict, YES, no(&["WRPRC-FORM"]));
    let large = format!(
        "{}.{}.a",
        b64::encode("{}"),
        "A".repeat(wrp::MAX_REGISTRATION)
    );
    let verdict = judge(large.as_bytes()).await;
    assert_halves(&verdict, YES, no(&["WRPRC-SIZE"]));
}

#[tokio::test]
async fn a_cwt_that_was_tampered_with() {
    let world = World::new().await;
    let claims = world.registration().claims();
    let good = world.cwt(&claims).await;
    let status = world.status(Status::VALID).await;
    let judge = async |registration: &[u8]| {
        let request = world.request(registration).await;
        let verdict = world.judge(request.as_bytes(), vec![status.clone()]).await;
        assert_eq!(verdict.identity.answer(), Trusted::Yes);
        reasons(&verdict.entitlement)
    };
    let place = good.windows(SHOP.len()).position(|w| w == SHOP.as_bytes());
    let mut other = good.clone();
    other[place.unwrap() + SHOP.len() - 1] = b'1';
    assert_eq!(judge(&other).await, ["WRPRC-SIGNATURE"]);
    assert_eq!(judge(&good[..good.len() - 1]).await, ["WRPRC-FORM"]);
    let signer = &world.registrar;
    let chain = [signer.certificate.der().to_vec()];
    let sign = async |typ: &str, payload: &[u8]| {
        let header = jose::cose::Header {
            typ: Some(typ),
            x5chain: &chain,
            kid: None,
        };
        let signed = jose::cose::sign(header, payload, &signer.key).await;
        signed.unwrap()
    };
    let text = Value::Object(claims).to_string();
    let as_json = sign("rc-wrp+cwt", text.as_bytes()).await;
    assert_eq!(judge(&as_json).await, ["WRPRC-FORM"]);
    let jwt_in_cose = sign("rc-wrp+jwt", b"\xa0").await;
    assert_eq!(judge(&jwt_in_cose).await, ["WRPRC-TYP"]);
    // sub under its name, which another reader would not see.
    let named = jose::cbor::Value::Map(vec![("sub".into(), SHOP.into())]);
    let named = sign("rc-wrp+cwt", &jose::cbor::encode(&named)).await;
    assert_eq!(judge(&named).await, ["WRPRC-CWT-CLAIM"]);
}

#[tokio::test]
async fn the_status_decides_with_the_rest() {
    let world = World::new().await;
    let registration = world.jwt(&world.registration().claims()).await;
    let request = world.request(&registration).await;
    let judge = async |statuses: Vec<Vec<u8>>| world.judge(request.as_bytes(), statuses).await;
    let revoked = judge(vec![world.status(Status::INVALID).await]).await;
    assert_halves(&revoked, YES, no(&["COUNTERPART-REVOKED"]));
    let suspended = judge(vec![world.status(Status::SUSPENDED).await]).await;
    assert_halves(&suspended, YES, no(&["COUNTERPART-NOT-VALID"]));
    let nothing = judge(vec![]).await;
    assert_halves(&nothing, YES, open(&["COUNTERPART-STATUS-UNKNOWN"]));
    // Another list, at hand or in its place.
    let other = status_token("https://registrar.example/status/2", Status::VALID);
    let chain = [world.status_signer.certificate.der().to_vec()];
    let other = other.sign(&chain, &world.status_signer.key).await.unwrap();
    let other = judge(vec![other.into_bytes(), b"no token".to_vec()]).await;
    assert_halves(&other, YES, open(&["COUNTERPART-STATUS-UNKNOWN"]));
    // As a CWT.
    let token = status_token(STATUS_URI, Status::VALID);
    let cwt = token
        .sign_cwt(&chain, &world.status_signer.key)
        .await
        .unwrap();
    assert_halves(&judge(vec![cwt]).await, YES, YES);
    // Without an end, and old.
    for (hours, answer) in [(23, YES), (25, open(&["COUNTERPART-STATUS-UNKNOWN"]))] {
        let endless = StatusListToken {
            expires: None,
            issued: now() - SignedDuration::from_hours(hours),
            ..token.clone()
        };
        let endless = endless.sign(&chain, &world.status_signer.key).await;
        let verdict = judge(vec![endless.unwrap().into_bytes()]).await;
        assert_halves(&verdict, YES, answer);
    }
    // Past its time.
    let stale = StatusListToken {
        expires: Some(now() - SignedDuration::from_mins(1)),
        ..token
    };
    let stale = stale.sign(&chain, &world.status_signer.key).await.unwrap();
    let stale = judge(vec![stale.into_bytes()]).await;
    assert_halves(&stale, YES, open(&["COUNTERPART-STATUS-UNKNOWN"]));
}

#[tokio::test]
async fn a_status_list_of_another_provider_says_nothing() {
    let world = World::new().await;
    let registration = world.jwt(&world.registration().claims()).await;
    let request = world.request(&registration).await;
    for (by, rule) in [
        (&world.rival_status, "COUNTERPART-STATUS-PROVIDER"),
        // Listed, and for issuance.
        (&world.registrar, "COUNTERPART-STATUS-SIGNER"),
        (&world.stranger, "COUNTERPART-STATUS-SIGNER"),
    ] {
        let status = world.status_by(by, Status::VALID).await;
        let verdict = world.judge(request.as_bytes(), vec![status]).await;
        assert_halves(&verdict, YES, no(&[rule]));
    }
    let thief = Party {
        key: TestKey::generate(Curve::P256),
        certificate: world.status_signer.certificate.clone(),
    };
    let forged = world.status_by(&thief, Status::VALID).await;
    let verdict = world.judge(request.as_bytes(), vec![forged]).await;
    assert_halves(&verdict, YES, no(&[status_list::rules::SIGNATURE.id]));
}

#[rstest]
#[case::another_attestation(
    |c: &mut Map| c["credential_configurations_supported"]["pass"] = json!({"format": "dc+sd-jwt", "vct": "https://shop.example/pass"}),
    YES, no(&["WRP-PROVIDER-ATTESTATION"])
)]
#[case::another_format(
    |c: &mut Map| c["credential_configurations_supported"]["card"] = json!({"format": "mso_mdoc", "doctype": "https://shop.example/card"}),
    YES, no(&["WRP-PROVIDER-ATTESTATION"])
)]
#[case::a_pid(
    |c: &mut Map| c["credential_configurations_supported"]["pid"] = json!({"format": "mso_mdoc", "doctype": "eu.europa.ec.eudi.pid.1"}),
    YES, no(&["WRP-PROVIDER-ENTITLEMENT", "WRP-PROVIDER-ATTESTATION"])
)]
#[case::nothing(
    |c: &mut Map| set(c, "credential_configurations_supported", json!({})),
    YES, no(&["WRP-METADATA-CONFIGURATIONS"])
)]
#[case::no_type(
    |c: &mut Map| c["credential_configurations_supported"]["card"] = json!({"format": "dc+sd-jwt"}),
    YES, no(&["WRP-METADATA-CONFIGURATIONS"])
)]
#[case::another_sub(
    |c: &mut Map| set(c, "sub", json!("https://thief.example")),
    no(&["WRP-METADATA-ISSUER"]), no(&["COUNTERPART-IDENTITY"])
)]
#[case::another_issuer(
    |c: &mut Map| { set(c, "sub", json!("https://a.example")); set(c, "credential_issuer", json!("https://a.example")) },
    no(&["WRP-METADATA-ISSUER"]), no(&["COUNTERPART-IDENTITY"])
)]
#[case::no_iat(|c: &mut Map| { c.remove("iat"); }, no(&["WRP-METADATA-IAT"]), no(&["COUNTERPART-IDENTITY"]))]
#[case::expired(|c: &mut Map| set(c, "exp", json!(1)), no(&["WRP-STATEMENT-TIME"]), no(&["COUNTERPART-IDENTITY"]))]
#[case::no_registration(|c: &mut Map| { c.remove("issuer_info"); }, YES, open(&["WRP-INFO-ABSENT"]))]
#[tokio::test]
async fn metadata_that_goes_too_far(
    #[case] change: Change,
    #[case] identity: (Trusted, &[&str]),
    #[case] entitlement: (Trusted, &[&str]),
) {
    let world = World::new().await;
    let registration = world.jwt(&world.provider_registration().claims()).await;
    let metadata = world.metadata_with(&registration, change).await;
    let presented = Presented {
        issuer: Some("https://shop.example"),
        ..presented(metadata.as_bytes())
    };
    let statuses = vec![world.status(Status::VALID).await];
    let verdict = world.judge_as(&presented, statuses, Mode::Strict).await;
    assert_halves(&verdict, identity, entitlement);
}

#[tokio::test]
async fn only_the_configuration_that_is_wanted_has_to_be_registered() {
    let world = World::new().await;
    let registration = world.jwt(&world.provider_registration().claims()).await;
    let more: Change = |c: &mut Map| {
        let pass = json!({"format": "dc+sd-jwt", "vct": "https://shop.example/pass"});
        c["credential_configurations_supported"]["pass"] = pass;
    };
    let metadata = world.metadata_with(&registration, more).await;
    for (wanted, expected) in [
        ("card", YES),
        ("pass", no(&["WRP-PROVIDER-ATTESTATION"])),
        ("none", no(&["WRP-PROVIDER-WANTED"])),
    ] {
        let presented = Presented {
            configuration: Some(wanted),
            ..presented(metadata.as_bytes())
        };
        let statuses = vec![world.status(Status::VALID).await];
        let verdict = world.judge_as(&presented, statuses, Mode::Strict).await;
        assert_halves(&verdict, YES, expected);
    }
}

#[tokio::test]
async fn a_registration_by_itself_authenticates_nobody() {
    let world = World::new().await;
    let claims = world.registration().claims();
    let status = world.status(Status::VALID).await;
    for token in [world.jwt(&claims).await, world.cwt(&claims).await] {
        let verdict = world.judge(&token, vec![status.clone()]).await;
        assert_eq!(verdict.kind, Kind::Registration);
        assert_halves(&verdict, open(&["COUNTERPART-NO-PROOF"]), YES);
        assert_eq!(verdict.answer(), Trusted::Yes);
        // With an access certificate beside it, they have to belong together.
        let own = [world.access.certificate.clone()];
        let beside = Presented {
            access: &own,
            ..presented(&token)
        };
        let verdict = world
            .judge_as(&beside, vec![status.clone()], Mode::Strict)
            .await;
        assert_halves(&verdict, open(&["COUNTERPART-NO-PROOF"]), YES);
        let other = [world.status_signer.certificate.clone()];
        let beside = Presented {
            access: &other,
            ..presented(&token)
        };
        let verdict = world
            .judge_as(&beside, vec![status.clone()], Mode::Strict)
            .await;
        assert_eq!(reasons(&verdict.identity), ["COUNTERPART-ACCESS"]);
        assert_eq!(reasons(&verdict.entitlement), ["WRP-SAME-PARTY"]);
    }
}

#[rstest]
#[case(b"")]
#[case(b"...")]
#[case(b"\xd2")]
#[case(b"\xff\xfe")]
#[case(b"eyJhbGciOiJFUzI1NiJ9.e30.AA")]
#[tokio::test]
async fn what_is_no_token_is_refused(#[case] token: &[u8]) {
    let world = World::new().await;
    let verdict = world.judge(token, vec![]).await;
    assert_eq!(verdict.answer(), Trusted::No);
    let large = vec![b'a'; wrp::MAX_STATEMENT + 1];
    let verdict = world.judge(&large, vec![]).await;
    assert_eq!(reasons(&verdict.identity), ["WRP-STATEMENT-SIZE"]);
}

#[tokio::test]
async fn online_the_status_list_is_fetched_once_while_it_is_fresh() {
    let world = World::new().await;
    let server = Server::start().await;
    let uri = server.url("/status");
    let signer = &world.status_signer;
    let serve = async |status| {
        let chain = [signer.certificate.der().to_vec()];
        let token = status_token(&uri, status).sign(&chain, &signer.key).await;
        server.give("/status", token.unwrap());
    };
    let registration = NewRegistration {
        status: Reference::new(uri.clone(), INDEX),
        ..world.registration()
    };
    let registration = world.jwt(&registration.claims()).await;
    let request = world.request(&registration).await;
    for name in ["access", "registrars"] {
        let sealed = std::fs::read(world.folder.path().join(name)).unwrap();
        server.give(&format!("/{name}"), sealed);
    }
    let sources = vec![
        source(
            lote::Profile::Access,
            &server.url("/access"),
            &world.operator,
        ),
        source(
            lote::Profile::Registration,
            &server.url("/registrars"),
            &world.operator,
        ),
    ];
    let (service, _) = service(sources, None);
    service.refresh().await;
    let within = outbound::Limits {
        allow_insecure_loopback: true,
        ..outbound::Limits::default()
    };
    let judge = async |statuses: &Statuses, at| {
        let counterpart = Counterpart {
            lists: Lists::Service(&service),
            statuses,
            revocation: Revocation::Skip,
            mode: Mode::Strict,
            skew: SignedDuration::from_secs(60),
            at,
        };
        let presented = presented(request.as_bytes());
        counterpart.judge(&presented).await.unwrap()
    };
    let statuses = Statuses::online(outbound::Client::new(within).unwrap());
    serve(Status::VALID).await;
    assert_halves(&judge(&statuses, now()).await, YES, YES);
    serve(Status::INVALID).await;
    // Its time to live is an hour.
    let soon = now() + SignedDuration::from_mins(59);
    assert_halves(&judge(&statuses, soon).await, YES, YES);
    let later = now() + SignedDuration::from_mins(61);
    let verdict = judge(&statuses, later).await;
    assert_halves(&verdict, YES, no(&["COUNTERPART-REVOKED"]));
    let asked = server.asked();
    assert_eq!(asked.iter().filter(|path| *path == "/status").count(), 2);
    server.set("/status", Route::Status(503));
    let fresh = Statuses::online(outbound::Client::new(within).unwrap());
    let verdict = judge(&fresh, now()).await;
    assert_halves(&verdict, YES, open(&["COUNTERPART-STATUS-UNKNOWN"]));
    // Nor does a registrar whom nobody knows make us ask an address of theirs.
    serve(Status::VALID).await;
    let unknown = ca().await.leaf(pki::Profile::StatusList, provider()).await;
    let claims = NewRegistration {
        status: Reference::new(uri.clone(), INDEX),
        ..world.registration()
    };
    let chain = [unknown.certificate.clone()];
    let foreign = sign_jwt(&claims.claims(), &chain, &unknown.key, now()).await;
    let foreign = world.request(foreign.unwrap().as_bytes()).await;
    let before = server.asked().len();
    let judged = Counterpart {
        lists: Lists::Service(&service),
        statuses: &Statuses::online(outbound::Client::new(within).unwrap()),
        revocation: Revocation::Skip,
        mode: Mode::Strict,
        skew: SignedDuration::from_secs(60),
        at: now(),
    };
    let verdict = judged.judge(&presented(foreign.as_bytes())).await.unwrap();
    assert_eq!(verdict.entitlement.answer(), Trusted::No);
    assert_eq!(server.asked().len(), before);
    // Whoever signed a certificate does not make us ask this machine.
    let strict = outbound::Client::new(outbound::Limits::default()).unwrap();
    let verdict = judge(&Statuses::online(strict), now()).await;
    assert_halves(&verdict, YES, no(&["COUNTERPART-STATUS-LIST"]));
}
