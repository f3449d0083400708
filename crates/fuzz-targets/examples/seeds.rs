//! Writes the seeds of `fuzz/corpus`: sound artefacts, made by the rooms
//! themselves. Keys are fresh, so the files differ from run to run; what the
//! fuzzer found and was added by hand has other names and stays.
//!
//! `cargo run -p fuzz-targets --example seeds [-- TARGET]`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::path::Path;

#[path = "../../device-evidence/tests/support/mod.rs"]
mod devices;

use claviger_fixtures::TestKey;
use jiff::{SignedDuration, Timestamp};
use jose::cbor::{self, Value as Cbor};
use jose::cose::{self, Header};
use jose::{Curve, Signer, b64, jwe};
use lote::{Draft, NewEntity, NewService, Operator, Postal, Publication, ServiceKind};
use pki::crl::Entry;
use pki::ocsp::{CertId, CertIdHash, CertStatus, OcspReply, Reply, ResponderId};
use pki::{AltName, Certificate, CrlRequest, Issuer, Policy, Profile, Request, Subject, oid};
use r2ps::envelope::{Nonce, Protection, seal_request};
use r2ps::service::ServiceType;
use serde_json::json;
use status_list::{Bits, CompressionEffort, Reference, Status, StatusList, StatusListToken};
use wua::{
    AttackPotential, ClientAttestationDraft, Ka, KeyProof, KeyProofProfile, StatusPeriod, Wia,
    WiaProof,
};
use x509_cert::ext::pkix::crl::CrlReason;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let ca = authority().await;
    certificates(&ca).await;
    crls(&ca).await;
    responses(&ca).await;
    lists(&ca).await;
    status_lists().await;
    attestations().await;
    envelopes().await;
    evidence();
    counterparts().await;
    tokens().await;
}

struct Ca {
    certificate: Certificate,
    key: TestKey,
}

async fn authority() -> Ca {
    let key = TestKey::generate(Curve::P256);
    let request = request(Profile::Ca, "Seed CA", &key);
    let certificate = pki::issue(&request, Issuer::Itself(&key)).await.unwrap();
    Ca { certificate, key }
}

async fn certificates(ca: &Ca) {
    put("certificate", "ca.der", ca.certificate.der());
    for profile in Profile::ALL {
        if matches!(profile, Profile::Ca) {
            continue;
        }
        let certificate = leaf(ca, profile, &TestKey::generate(Curve::P256)).await;
        let name = format!("{profile}.der");
        put("certificate", &name, certificate.der());
        if let Ok(Some(statements)) = certificate.qc_statements() {
            let name = format!("{profile}-qcstatements.der");
            put("certificate", &name, &statements.to_der().unwrap());
        }
        if profile == Profile::Pid {
            let pem = |der: &[u8]| {
                let text = b64::encode_std(der);
                format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
            };
            let chain = pem(certificate.der()) + &pem(ca.certificate.der());
            put("certificate", "chain.pem", chain.as_bytes());
        }
    }
}

async fn crls(ca: &Ca) {
    let entry = |hours: i64, reason| Entry {
        at: at() - SignedDuration::from_hours(hours),
        reason,
    };
    let mut request = CrlRequest {
        number: 7,
        this_update: at(),
        next_update: at() + SignedDuration::from_hours(24),
        revoked: vec![],
        scope: None,
        delta_base: None,
    };
    for name in ["empty.der", "revoked.der", "delta.der"] {
        let crl = pki::issue_crl(&request, &ca.certificate, &ca.key).await;
        put("crl", name, &crl.unwrap());
        request.revoked = vec![
            (vec![1], entry(3, CrlReason::KeyCompromise)),
            (vec![0x12, 0x34], entry(2, CrlReason::Unspecified)),
        ];
        request.delta_base = (name == "revoked.der").then_some(6);
    }
}

async fn responses(ca: &Ca) {
    let key = TestKey::generate(Curve::P256);
    let leaf = leaf(ca, Profile::Wallet, &key).await;
    for (name, status, hash) in [
        ("good.der", CertStatus::Good, CertIdHash::Sha1),
        ("unknown.der", CertStatus::Unknown, CertIdHash::Sha256),
        (
            "revoked.der",
            CertStatus::Revoked {
                at: at() - SignedDuration::from_hours(3),
                reason: CrlReason::KeyCompromise,
            },
            CertIdHash::Sha256,
        ),
    ] {
        let reply = OcspReply {
            responder: ResponderId::key_of(&ca.certificate),
            produced_at: at(),
            replies: vec![Reply {
                id: CertId::of(&leaf, &ca.certificate, hash),
                status,
                this_update: at(),
                next_update: Some(at() + SignedDuration::from_hours(24)),
            }],
            nonce: Some(vec![7; 32]),
            certificates: vec![ca.certificate.clone()],
        };
        let der = pki::ocsp::sign_reply(&reply, &ca.key).await.unwrap();
        put("ocsp", name, &der);
    }
    // tryLater, which is not signed.
    put("ocsp", "try-later.der", &[0x30, 3, 0x0a, 1, 3]);
}

async fn lists(ca: &Ca) {
    let key = TestKey::generate(Curve::P256);
    let operator = leaf(ca, Profile::ListOperator, &key).await;
    for profile in [
        lote::Profile::Wallet,
        lote::Profile::Access,
        lote::Profile::PubEaa,
    ] {
        let mut draft = draft(profile, &operator);
        draft.add_entity(&entity()).unwrap();
        let service = NewService {
            kind: ServiceKind::Issuance,
            name: "Example issuance".into(),
            certificates: vec![ca.certificate.clone()],
            unique_id: (profile == lote::Profile::Wallet).then(|| "urn:example:wallet:1".into()),
            supply_point: None,
        };
        draft.add_service("Example Ltd", &service, at()).unwrap();
        draft
            .issue(at(), at() + SignedDuration::from_hours(24 * 90))
            .unwrap();
        let plain = draft.list().to_json().unwrap();
        put("list", &format!("{profile}.json"), &plain);
        let chain = std::slice::from_ref(&operator);
        let sealed = lote::seal(draft.list(), chain, &key, at()).await.unwrap();
        put("list", &format!("{profile}.jwt"), sealed.as_bytes());
    }
}

async fn status_lists() {
    let key = TestKey::generate(Curve::P256);
    let mut list = StatusList::new(Bits::Two, 400).unwrap();
    list.set(13, Status::SUSPENDED).unwrap();
    let token = StatusListToken {
        expires: Some(at() + SignedDuration::from_hours(12)),
        ttl: Some(SignedDuration::from_hours(1)),
        aggregation_uri: Some("https://status.example/all".into()),
        ..StatusListToken::new("https://status.example/1", at(), list.clone())
    };
    let chain = [vec![0x30, 0]];
    let jwt = token.sign(&chain, &key).await.unwrap();
    put("status_list", "token.jwt", jwt.as_bytes());
    let claims = jose::jws::parse(&jwt, 1 << 20).unwrap().payload().to_vec();
    put("status_list", "claims.json", &claims);
    let cwt = token.sign_cwt(&chain, &key).await.unwrap();
    put("status_list", "token.cwt", &cwt);
    let claims = cose::parse(&cwt, 1 << 20).unwrap().payload().to_vec();
    put("status_list", "claims.cbor", &claims);
    let json = list.to_json(CompressionEffort::Best).to_string();
    put("status_list", "list.json", json.as_bytes());
    let cbor = cbor::encode(&list.to_cbor(CompressionEffort::Best));
    put("status_list", "list.cbor", &cbor);
    let reference = Reference::new("https://status.example/1", 13).to_status();
    put(
        "status_list",
        "status.json",
        reference.to_string().as_bytes(),
    );
}

async fn attestations() {
    let (provider, device) = (
        TestKey::generate(Curve::P256),
        TestKey::generate(Curve::P256),
    );
    let public = Signer::public_key(&device).clone();
    let status = StatusPeriod {
        reference: Reference::new("https://status.example/1", 13),
        maintained_until: at() + SignedDuration::from_hours(24 * 40),
    };
    let wia = Wia {
        issuer: Some("https://provider.example".into()),
        client_id: "https://wallet.example".into(),
        issued: Some(at()),
        expires: at() + SignedDuration::from_hours(23),
        key: public.clone(),
        wallet_name: "Example Wallet".into(),
        wallet_version: "1.4.0".into(),
        wallet_link: Some("https://wallet.example/about".into()),
        certification: json!("https://cab.example/17"),
        status: status.clone(),
    };
    let chain = [vec![0x30, 0]];
    let draft = ClientAttestationDraft::Draft10;
    let wia = wia.sign(draft, &chain, &provider).await.unwrap();
    let ka = Ka {
        issued: at(),
        expires: at() + SignedDuration::from_hours(24 * 7),
        keys: vec![public.clone()],
        key_storage: vec![AttackPotential::High.into()],
        user_authentication: vec![AttackPotential::High.into()],
        certification: "https://cab.example/9".into(),
        nonce: Some("n".into()),
        status,
    };
    let ka = ka.sign(&chain, &provider).await.unwrap();
    let pop = WiaProof {
        client_id: "https://wallet.example".into(),
        audience: "https://issuer.example".into(),
        jti: "one".into(),
        issued: at(),
        challenge: Some("two".into()),
    };
    let pop = pop.sign(draft, &device).await.unwrap();
    let proof = KeyProof {
        ka: ka.clone(),
        audience: "https://issuer.example".into(),
        issued: at(),
        nonce: Some("n".into()),
        client_id: None,
    };
    let proof = proof.sign(KeyProofProfile::Ts3, &public, &device).await;
    for (name, token) in [
        ("wia", wia),
        ("ka", ka),
        ("wia-proof", pop),
        ("key-proof", proof.unwrap()),
    ] {
        put("attestation", &format!("{name}.jwt"), token.as_bytes());
        let claims = jose::jws::parse(&token, 1 << 20)
            .unwrap()
            .payload()
            .to_vec();
        put("attestation", &format!("{name}.json"), &claims);
    }
}

async fn envelopes() {
    let (device, service) = (
        TestKey::generate(Curve::P256),
        TestKey::generate(Curve::P256),
    );
    let session = jwe::ContentKey::from([7; 32]);
    for (name, protection, kind) in [
        (
            "one-factor.jwe",
            Protection::OneFactor {
                recipient: Signer::public_key(&service),
                from: "client",
                to: "https://wsca.example",
            },
            ServiceType::Information,
        ),
        (
            "two-factor.jwe",
            Protection::TwoFactor {
                session_id: "one",
                key: &session,
            },
            ServiceType::KeyList,
        ),
    ] {
        let nonce = Nonce::random().unwrap();
        let message = seal_request(protection, kind, jose::Map::new(), &nonce, at(), &device);
        put("envelope", name, message.await.unwrap().as_bytes());
    }
    let payload = json!({"ver": "1.0", "nonce": "AAAAAAAAAAAAAAAAAAAAAA==", "iat": at().as_second(),
        "type": "key_list", "jwe_hash": "AA==", "data": {"offset": 0}});
    put("envelope", "payload.json", payload.to_string().as_bytes());
    let data = json!({"count": 3, "crv": "P-256", "offset": 1, "items": [{"key": "a", "digest": "AA=="}],
        "peer": Signer::public_key(&device).to_jwk()});
    put("envelope", "data.json", data.to_string().as_bytes());
}

async fn counterparts() {
    let key = TestKey::generate(Curve::P256);
    let request = request(Profile::StatusList, "Seed registrar", &key);
    let certificate = pki::issue(&request, Issuer::Itself(&key)).await.unwrap();
    let chain = [certificate];
    let mut new = wrp::NewRegistration {
        id: "VATBE-0876866142".into(),
        legal_name: "Seeds Ltd".into(),
        trade_name: "Seeds".into(),
        country: "BE".into(),
        entitlements: vec![wrp::Entitlement::ServiceProvider],
        web: "https://registrar.example".into(),
        support: "https://party.example/support".into(),
        service_id: Some("checkout".into()),
        credentials: Some(json!([
            {"format": "dc+sd-jwt", "meta": {"vct_values": ["urn:eudi:pid:1"]},
                "claim": [{"path": ["age_equal_or_over", "18"], "values": [true]}]},
            {"format": "mso_mdoc", "meta": {"doctype_value": "eu.europa.ec.eudi.pid.1"},
                "claim": [{"path": ["eu.europa.ec.eudi.pid.1", "age_over_18"]}]},
        ])),
        provides: None,
        issued: at(),
        status: Reference::new("https://status.example/1", 13),
    };
    let service = new.claims();
    new.entitlements = vec![wrp::Entitlement::NonQEaaProvider];
    new.credentials = None;
    new.provides = Some(json!([{"format": "jwt_vc_json", "meta": {"type_values": [["A", "B"]]}}]));
    let provider = new.claims();
    for (name, claims) in [("service", service), ("provider", provider)] {
        let jwt = wrp::sign_jwt(&claims, &chain, &key, at()).await.unwrap();
        let cwt = wrp::sign_cwt(&claims, &chain, &key).await.unwrap();
        put("counterpart", &format!("{name}.jwt"), jwt.as_bytes());
        put("counterpart", &format!("{name}.cwt"), &cwt);
        let cbor = cose::parse(&cwt, 1 << 20).unwrap().payload().to_vec();
        put("counterpart", &format!("{name}.cbor"), &cbor);
        let json = serde_json::Value::Object(claims).to_string();
        put("counterpart", &format!("{name}.json"), json.as_bytes());
    }
    let asked = json!({
        "client_id": "x509_san_dns:party.example", "aud": "https://self-issued.me/v2",
        "response_mode": "direct_post.jwt", "response_uri": "https://party.example/answer",
        "nonce": "1", "client_metadata": {"jwks": {"keys": [{"kid": "1", "use": "enc"}]}},
        "verifier_info": [{"format": "registration_cert", "data": "0oQ"}],
        "dcql_query": {"credentials": [{"id": "a", "format": "dc+sd-jwt",
            "meta": {"vct_values": ["urn:a"]}, "claims": [{"path": ["a", 1], "values": [1]}]}]},
    });
    put("counterpart", "request.json", asked.to_string().as_bytes());
    let offered = json!({
        "sub": "https://party.example", "credential_issuer": "https://party.example",
        "iat": at().as_second(), "issuer_info": [{"format": "registration_cert", "data": "a.b.c"}],
        "credential_configurations_supported": {
            "a": {"format": "dc+sd-jwt", "vct": "urn:a"},
            "b": {"format": "mso_mdoc", "doctype": "eu.europa.ec.eudi.pid.1"},
            "c": {"format": "jwt_vc_json", "credential_definition": {"type": ["A", "B"]}},
        },
    });
    put(
        "counterpart",
        "metadata.json",
        offered.to_string().as_bytes(),
    );
}

async fn tokens() {
    for curve in [Curve::P256, Curve::P384, Curve::P521] {
        let key = TestKey::generate(curve);
        let algorithm = curve.algorithm().name();
        let mut header = jose::Map::new();
        header.insert("typ".into(), "JWT".into());
        header.insert("kid".into(), "1".into());
        header.insert("x5c".into(), vec!["MAA="].into());
        let claims = json!({"sub": "one", "iat": 1, "nested": [{"a": null}, 1.5, "\u{20ac}"]});
        let token = jose::jws::sign(header, claims.to_string().as_bytes(), &key).await;
        let name = format!("{algorithm}.jwt");
        put("jws", &name, token.unwrap().as_bytes());
        let jwk = Signer::public_key(&key).to_jwk().to_string();
        put("jws", &format!("{algorithm}.jwk"), jwk.as_bytes());
        let claims = Cbor::Map(vec![
            (2.into(), "one".into()),
            (6.into(), 1.into()),
            ("list".into(), Cbor::Array(vec![1.5.into(), Cbor::Null])),
        ]);
        let header = Header {
            typ: Some("application/example+cwt"),
            x5chain: &[vec![0x30, 0], vec![0x30, 0]],
            kid: Some(b"1"),
        };
        let message = cose::sign(header, &cbor::encode(&claims), &key).await;
        put("cose", &format!("{algorithm}.cwt"), &message.unwrap());
        put("cose", "claims.cbor", &cbor::encode(&claims));
    }
    let jwe = jwe::encrypt_direct(jose::Map::new(), b"content", &[7; 32].into()).unwrap();
    put("jws", "direct.jwe", jwe.as_bytes());
    // A byte string in chunks, an open array and an open map; a big number; a date.
    put(
        "cose",
        "open.cbor",
        b"\x9f\x5f\x41\x01\x41\x02\xff\xbf\x01\x02\xff\xff",
    );
    put(
        "cose",
        "tags.cbor",
        b"\x82\xc2\x42\x01\x00\xc1\x1a\x65\x00\x00\x00",
    );
}

fn at() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn request(profile: Profile, name: &str, key: &dyn Signer) -> Request {
    let mut request = Request::new(
        profile,
        Subject::legal("BE", "Seeds Ltd", "VATBE-0876866142", name),
        key.public_key().clone(),
        "2026-01-01T00:00:00Z".parse().unwrap(),
        "2028-01-01T00:00:00Z".parse().unwrap(),
    );
    request.crl_urls = vec!["http://ca.example/ca.crl".into()];
    request.ca_issuers_urls = vec!["http://ca.example/ca.cer".into()];
    if profile == Profile::Access {
        request.alt_names = vec![AltName::Uri("https://party.example/support".into())];
        request.policies = vec![Policy {
            id: oid::NCP_L_EUDIWRP,
            cps: vec!["https://ca.example/cps".into()],
        }];
    }
    request
}

async fn leaf(ca: &Ca, profile: Profile, key: &TestKey) -> Certificate {
    let issuer = || Issuer::Ca {
        certificate: &ca.certificate,
        signer: &ca.key,
    };
    // A seed need not conform to its profile, only be shaped like it.
    let draft = pki::Draft::new(&request(profile, "Seed leaf", key), issuer()).unwrap();
    draft.sign(issuer()).await.unwrap()
}

fn draft(profile: lote::Profile, operator: &Certificate) -> Draft {
    let name = Operator {
        name: "Seeds Ltd".into(),
        territory: "BE".into(),
        address: postal(),
        email: "lists@operator.example".into(),
        web: "https://operator.example/".into(),
    };
    let place = Publication {
        scheme_name: format!("Example {profile} list"),
        location: format!("https://operator.example/{profile}.jwt"),
        information: "https://operator.example/about".into(),
        archive: "https://operator.example/archive".into(),
        policy: "https://operator.example/policy".into(),
    };
    Draft::new(profile, &name, &place, std::slice::from_ref(operator))
}

fn entity() -> NewEntity {
    NewEntity {
        name: "Example Ltd".into(),
        registration: "VATDE-123456789".into(),
        member_state: "DE".into(),
        address: postal(),
        email: "help@provider.example".into(),
        phone: "+49301234567".into(),
        web: "https://provider.example/".into(),
        policies: "https://provider.example/policies".into(),
        law: Some("OJ:DE:example-law".into()),
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

fn put(target: &str, name: &str, data: &[u8]) {
    let only = std::env::args().nth(1);
    if only.is_some_and(|only| only != target) {
        return;
    }
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let folder = corpus.join(target);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), data).unwrap();
    println!("{target}/{name}: {} bytes", data.len());
}

/// Devices of a test bed: their roots are not the target's, and one
/// KeyDescription that the target signs itself.
fn evidence() {
    use devices::{android, apple, play};
    let bed = android::Bed::strong_box();
    let description = android::Description::strong_box();
    put("evidence", "key-description.der", &description.to_der());
    let chain = pki::chain::from_ders(bed.chain(&description)).unwrap();
    let pem = pki::chain::to_pem(&chain);
    put("evidence", "chain.pem", pem.as_bytes());
    let bed = apple::Bed::new();
    let hash = [7; 32];
    let attestation = bed.attest(&apple::Attestation::sound(hash));
    put("evidence", "attestation.cbor", &attestation);
    put(
        "evidence",
        "assertion.cbor",
        &bed.assert(&hash, apple::APP, 1),
    );
    let token = play::Bed::new().token(&play::Bed::sound());
    put("evidence", "play.jwe", token.as_bytes());
    let list = br#"{"entries":{"0abc":{"status":"REVOKED","reason":"KEY_COMPROMISE"}}}"#;
    put("evidence", "revocation.json", list);
}
