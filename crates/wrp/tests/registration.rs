//! Registration certificates: a good one reads back in both forms, and each claim
//! broken alone names its rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use claviger_fixtures::TestKey;
use finding::Severity;
use jiff::Timestamp;
use jose::{Curve, Map, Signer};
use pki::{Certificate, Issuer, Profile, Request, Subject};
use rstest::rstest;
use serde_json::{Value, json};
use status_list::Reference;
use wrp::{
    Entitlement, Mode, NewRegistration, Person, RegistrationCertificate, RegistrationCheck,
    UncheckedRegistration, rules, sign_cwt, sign_jwt,
};

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

async fn signer() -> (TestKey, Certificate) {
    let key = TestKey::generate(Curve::P256);
    let subject = Subject::legal("DE", "Registrar AG", "NTRDE-HRB1", "Seal");
    let (from, to) = ("2026-01-01T00:00:00Z", "2028-01-01T00:00:00Z");
    let public = Signer::public_key(&key).clone();
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    let request = Request::new(Profile::StatusList, subject, public, from, to);
    let certificate = pki::issue(&request, Issuer::Itself(&key)).await.unwrap();
    (key, certificate)
}

fn claims() -> Map {
    let new = NewRegistration {
        id: "LEIXG-529900T8BM49AURSDO55".into(),
        legal_name: "Shop GmbH".into(),
        trade_name: "Example Shop".into(),
        country: "DE".into(),
        entitlements: vec![Entitlement::ServiceProvider, Entitlement::NonQEaaProvider],
        web: "https://registrar.example".into(),
        support: "https://shop.example/support".into(),
        service_id: Some("checkout".into()),
        credentials: Some(json!([{
            "format": "mso_mdoc",
            "meta": {"doctype_value": "eu.europa.ec.eudi.pid.1"},
            "claim": [{"path": ["eu.europa.ec.eudi.pid.1", "age_over_18"]}],
        }])),
        provides: Some(json!([
            {"format": "dc+sd-jwt", "meta": {"vct_values": ["https://shop.example/card"]}},
        ])),
        issued: "2026-11-20T00:00:00Z".parse().unwrap(),
        status: Reference::new("https://registrar.example/status/1", 7),
    };
    new.claims()
}

async fn check(claims: &Map, mode: Mode) -> Result<RegistrationCertificate, finding::Refusal> {
    let (key, certificate) = signer().await;
    let chain = [certificate.clone()];
    let check = RegistrationCheck {
        mode,
        ..RegistrationCheck::new(&certificate, now())
    };
    let jwt = sign_jwt(claims, &chain, &key, now()).await.unwrap();
    let jwt = UncheckedRegistration::parse(jwt.as_bytes()).unwrap();
    let jwt = jwt.verify(&check);
    // Both forms are held to the same rules.
    let cwt = sign_cwt(claims, &chain, &key).await.unwrap();
    let cwt = UncheckedRegistration::parse(&cwt).unwrap().verify(&check);
    match (&jwt, &cwt) {
        (Ok(jwt), Ok(cwt)) => assert_eq!(jwt.findings, cwt.findings),
        (Err(jwt), Err(cwt)) => assert_eq!(rule_ids(jwt), rule_ids(cwt)),
        _ => panic!("{jwt:?} {cwt:?}"),
    }
    jwt
}

fn rule_ids(refusal: &finding::Refusal) -> Vec<&str> {
    refusal.findings().iter().map(|f| f.rule.as_ref()).collect()
}

type Change = fn(&mut Map);

#[tokio::test]
async fn a_good_one_says_what_was_registered() {
    let read = check(&claims(), Mode::Strict).await.unwrap();
    assert_eq!(read.findings, []);
    assert_eq!(read.id, "LEIXG-529900T8BM49AURSDO55");
    assert_eq!(read.person, Person::Legal("Shop GmbH".into()));
    assert_eq!(read.service_id.as_deref(), Some("checkout"));
    assert_eq!(
        read.entitlements,
        [Entitlement::ServiceProvider, Entitlement::NonQEaaProvider]
    );
    let intended_use = read.intended_use.unwrap();
    assert_eq!(intended_use.purpose[0].value, "To serve the user");
    assert_eq!(intended_use.credentials[0].format, "mso_mdoc");
    assert_eq!(read.provides[0].format, "dc+sd-jwt");
    assert_eq!(read.status.idx, 7);
    assert_eq!(read.expires.unwrap().to_string(), "2027-11-20T00:00:00Z");
}

#[rstest]
#[case::no_sub(|c: &mut Map| { c.remove("sub"); }, &rules::SUB)]
#[case::no_identifier(|c: &mut Map| set(c, "sub", json!("Shop")), &rules::SUB)]
#[case::sub_is_no_text(|c: &mut Map| set(c, "sub", json!(1)), &rules::SUB)]
#[case::nobody(|c: &mut Map| { c.remove("sub_ln"); }, &rules::PERSON)]
#[case::both(|c: &mut Map| { set(c, "sub_gn", json!("A")); set(c, "sub_fn", json!("B")) }, &rules::PERSON)]
#[case::no_country(|c: &mut Map| { c.remove("country"); }, &rules::COUNTRY)]
#[case::country(|c: &mut Map| set(c, "country", json!("Germany")), &rules::COUNTRY)]
#[case::no_registry(|c: &mut Map| { c.remove("registry_uri"); }, &rules::REGISTRY)]
#[case::registry(|c: &mut Map| set(c, "registry_uri", json!("ftp://a")), &rules::REGISTRY)]
#[case::no_service(|c: &mut Map| { c.remove("srv_description"); }, &rules::SERVICE_DESCRIPTION)]
#[case::service_lang(|c: &mut Map| set(c, "srv_description", json!([[{"lang": "e", "value": "a"}]])), &rules::SERVICE_DESCRIPTION)]
#[case::service_value(|c: &mut Map| set(c, "srv_description", json!([[{"lang": "en"}]])), &rules::SERVICE_DESCRIPTION)]
#[case::service_empty(|c: &mut Map| set(c, "srv_description", json!([])), &rules::SERVICE_DESCRIPTION)]
#[case::service_id(|c: &mut Map| set(c, "srv_id", json!(1)), &rules::SERVICE_ID)]
#[case::no_entitlements(|c: &mut Map| { c.remove("entitlements"); c.remove("credentials"); c.remove("purpose"); c.remove("provides_attestations"); }, &rules::ENTITLEMENTS)]
#[case::sub_entitlement(|c: &mut Map| c["entitlements"].as_array_mut().unwrap().push(json!("https://uri.etsi.org/19475/SubEntitlement/other/x")), &rules::SUB_ENTITLEMENTS)]
#[case::no_privacy(|c: &mut Map| { c.remove("privacy_policy"); }, &rules::PRIVACY_POLICY)]
#[case::privacy(|c: &mut Map| set(c, "privacy_policy", json!("somewhere")), &rules::PRIVACY_POLICY)]
#[case::info(|c: &mut Map| set(c, "info_uri", json!(["https://a.example", "b"])), &rules::INFO)]
#[case::no_support(|c: &mut Map| { c.remove("support_uri"); }, &rules::SUPPORT)]
#[case::support(|c: &mut Map| set(c, "support_uri", json!("ask us")), &rules::SUPPORT)]
#[case::no_authority(|c: &mut Map| { c.remove("supervisory_authority"); }, &rules::AUTHORITY)]
#[case::authority_empty(|c: &mut Map| set(c, "supervisory_authority", json!({})), &rules::AUTHORITY)]
#[case::authority_email(|c: &mut Map| set(c, "supervisory_authority", json!({"email": "dpa"})), &rules::AUTHORITY)]
#[case::authority_phone(|c: &mut Map| set(c, "supervisory_authority", json!({"phone": "123"})), &rules::AUTHORITY)]
#[case::no_policy(|c: &mut Map| { c.remove("policy_id"); }, &rules::POLICY)]
#[case::policy(|c: &mut Map| set(c, "policy_id", json!(["0.4.0.19475.3.2"])), &rules::POLICY)]
#[case::no_policy_url(|c: &mut Map| { c.remove("certificate_policy"); }, &rules::POLICY_URL)]
#[case::no_iat(|c: &mut Map| { c.remove("iat"); }, &rules::IAT)]
#[case::iat(|c: &mut Map| set(c, "iat", json!("today")), &rules::IAT)]
#[case::exp(|c: &mut Map| set(c, "exp", json!("soon")), &rules::EXP)]
#[case::no_status(|c: &mut Map| { c.remove("status"); }, &rules::STATUS)]
#[case::status(|c: &mut Map| set(c, "status", json!({"status_list": {"idx": "seven", "uri": "https://a.example"}})), &rules::STATUS)]
#[case::status_negative(|c: &mut Map| set(c, "status", json!({"status_list": {"idx": -1, "uri": "https://a.example"}})), &rules::STATUS)]
#[case::no_credentials(|c: &mut Map| { c.remove("credentials"); }, &rules::CREDENTIALS)]
#[case::credentials_empty(|c: &mut Map| set(c, "credentials", json!([])), &rules::CREDENTIALS)]
#[case::credential_without_meta(|c: &mut Map| set(c, "credentials", json!([{"format": "mso_mdoc"}])), &rules::CREDENTIALS)]
#[case::credential_without_type(|c: &mut Map| set(c, "credentials", json!([{"format": "mso_mdoc", "meta": {}}])), &rules::CREDENTIALS)]
#[case::credential_path(|c: &mut Map| c["credentials"][0]["claim"] = json!([{"path": []}]), &rules::CREDENTIALS)]
#[case::claim_and_claims(|c: &mut Map| c["credentials"][0]["claims"] = json!([]), &rules::CREDENTIALS)]
#[case::no_purpose(|c: &mut Map| { c.remove("purpose"); }, &rules::PURPOSE)]
#[case::purpose(|c: &mut Map| set(c, "purpose", json!("To serve")), &rules::PURPOSE)]
#[case::provides(|c: &mut Map| set(c, "provides_attestations", json!({})), &rules::PROVIDES)]
#[case::public_body(|c: &mut Map| set(c, "public_body", json!("yes")), &rules::PUBLIC_BODY)]
#[case::intermediary(|c: &mut Map| set(c, "intermediary", json!({"name": "Go-between"})), &rules::INTERMEDIARY)]
#[case::two_intermediaries(|c: &mut Map| { set(c, "intermediary", json!({"sub": "A"})); set(c, "act", json!({"sub": "B"})) }, &rules::INTERMEDIARY)]
#[case::too_many_claims(|c: &mut Map| c["credentials"][0]["claim"] = Value::Array(vec![json!({"path": ["a"]}); wrp::MAX_CLAIMS]), &rules::SIZE)]
#[tokio::test]
async fn each_claim_broken_alone_names_its_rule(
    #[case] change: Change,
    #[case] rule: &finding::Rule,
) {
    let mut claims = claims();
    change(&mut claims);
    let refusal = check(&claims, Mode::Strict).await.unwrap_err();
    let errors = refusal.findings().iter();
    let mut errors = errors.filter(|f| f.severity == Severity::Error).peekable();
    assert!(errors.peek().is_some());
    for error in errors {
        assert!(error.is(rule), "{error}");
    }
}

#[rstest]
#[case::no_name(|c: &mut Map| { c.remove("name"); }, &rules::NAME)]
#[case::unknown_entitlement(|c: &mut Map| c["entitlements"].as_array_mut().unwrap().push(json!("https://de.example/own")), &rules::ENTITLEMENT_UNKNOWN)]
#[case::provides_nothing(|c: &mut Map| { c.remove("provides_attestations"); }, &rules::PROVIDES)]
#[case::intended_use(|c: &mut Map| set(c, "entitlements", json!(["https://uri.etsi.org/19475/Entitlement/Non_Q_EAA_Provider"])), &rules::INTENDED_USE)]
#[tokio::test]
async fn what_is_unwise_is_told_beside(#[case] change: Change, #[case] rule: &finding::Rule) {
    let mut claims = claims();
    change(&mut claims);
    let read = check(&claims, Mode::Strict).await.unwrap();
    assert!(
        read.findings.iter().any(|f| f.is(rule)),
        "{:?}",
        read.findings
    );
    assert!(!finding::has_errors(&read.findings));
}

#[rstest]
#[case::one_service(|c: &mut Map| set(c, "srv_description", json!([{"lang": "en", "value": "a"}])), &rules::SERVICE_DESCRIPTION)]
#[case::own_identifier(|c: &mut Map| set(c, "sub", json!("shop-1")), &rules::SUB)]
#[tokio::test]
async fn what_is_seen_in_the_wild_is_taken_by_interop_alone(
    #[case] change: Change,
    #[case] rule: &finding::Rule,
) {
    let mut claims = claims();
    change(&mut claims);
    assert!(check(&claims, Mode::Strict).await.unwrap_err().names(rule));
    let read = check(&claims, Mode::Interop).await.unwrap();
    assert!(read.findings.iter().any(|f| f.is(rule)));
}

#[tokio::test]
async fn a_natural_person_is_told_by_both_names() {
    let mut claims = claims();
    claims.remove("sub_ln");
    set(&mut claims, "sub_gn", json!("Erika"));
    set(&mut claims, "sub_fn", json!("Mustermann"));
    let refused = check(&claims, Mode::Strict).await.unwrap_err();
    assert!(refused.names(&rules::SUB), "a LEI is of legal persons");
    set(&mut claims, "sub", json!("TINDE-12345678901"));
    claims.remove("name");
    let read = check(&claims, Mode::Strict).await.unwrap();
    assert_eq!(read.shown_name(), "Erika Mustermann");
}

fn set(claims: &mut Map, name: &str, value: Value) {
    claims.insert(name.into(), value);
}
