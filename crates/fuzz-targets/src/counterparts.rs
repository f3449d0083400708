use std::sync::LazyLock;

use jiff::SignedDuration;
use jose::{Map, Signer, b64, cose, jws};
use pki::{Certificate, Issuer, Profile, Request, Subject};
use serde_json::json;
use status_list::Reference;
use wrp::{
    AuthorizationRequest, Entitlement, IssuerMetadata, MetadataCheck, Mode, NewRegistration,
    RegistrationCertificate, RegistrationCheck, RequestCheck, StatementKind, UncheckedRegistration,
    UncheckedStatement,
};

use crate::now;
use crate::signed::{KEY, ready};

/// A certificate with the targets' key, and what is registered of its subject.
struct World {
    certificate: Certificate,
    registration: RegistrationCertificate,
}

#[allow(clippy::expect_used)]
static WORLD: LazyLock<World> = LazyLock::new(|| {
    let year = SignedDuration::from_hours(24 * 365);
    let request = Request::new(
        Profile::StatusList,
        Subject::legal("BE", "Fuzz Ltd", "VATBE-0876866142", "Fuzz"),
        KEY.public_key().clone(),
        now() - year,
        now() + year,
    );
    let certificate = ready(pki::issue(&request, Issuer::Itself(&*KEY)))
        .expect("nothing to wait for")
        .expect("a certificate");
    let credential = json!([{"format": "dc+sd-jwt", "meta": {"vct_values": ["urn:a"]},
        "claim": [{"path": ["a", null], "values": [1]}]}]);
    let new = NewRegistration {
        id: "VATBE-0876866142".into(),
        legal_name: "Fuzz Ltd".into(),
        trade_name: "Fuzz".into(),
        country: "BE".into(),
        entitlements: vec![Entitlement::ServiceProvider, Entitlement::PidProvider],
        web: "https://fuzz.example".into(),
        support: "https://fuzz.example/support".into(),
        service_id: None,
        credentials: Some(credential.clone()),
        provides: Some(credential),
        issued: now(),
        status: Reference::new("https://fuzz.example/status", 1),
    };
    let chain = [certificate.clone()];
    let token = ready(wrp::sign_cwt(&new.claims(), &chain, &*KEY))
        .expect("nothing to wait for")
        .expect("a registration certificate");
    let registration = UncheckedRegistration::parse(&token)
        .and_then(|token| token.verify(&RegistrationCheck::new(&certificate, now())))
        .expect("a good registration certificate");
    World {
        certificate,
        registration,
    }
});

/// Registration certificates, signed issuer metadata and authorization requests:
/// the bytes as a token, and as the claims of a token whose signature verifies.
pub(crate) fn run(data: &[u8]) {
    registration(data);
    statement(data);
    if let Some(token) = jwt("rc-wrp+jwt", data) {
        registration(token.as_bytes());
    }
    let x5chain = [WORLD.certificate.der().to_vec()];
    let header = cose::Header {
        typ: Some("rc-wrp+cwt"),
        x5chain: &x5chain,
        kid: None,
    };
    if let Some(Ok(token)) = ready(cose::sign(header, data, &*KEY)) {
        registration(&token);
    }
    for kind in [
        StatementKind::AuthorizationRequest,
        StatementKind::IssuerMetadata,
    ] {
        if let Some(token) = jwt(kind.typ(), data) {
            statement(token.as_bytes());
        }
    }
}

fn registration(bytes: &[u8]) {
    let Ok(token) = UncheckedRegistration::parse(bytes) else {
        return;
    };
    let check = RegistrationCheck {
        mode: Mode::Interop,
        ..RegistrationCheck::new(&WORLD.certificate, now())
    };
    if let Ok(certificate) = token.verify(&check) {
        assert!(
            !finding::has_errors(&certificate.findings),
            "it was accepted"
        );
        let _ = wrp::belongs(&certificate, &WORLD.certificate);
        let _ = (
            certificate.shown_name(),
            serde_json::to_string(&certificate),
        );
    }
}

fn statement(bytes: &[u8]) {
    let World {
        certificate,
        registration,
    } = &*WORLD;
    let Ok(statement) = UncheckedStatement::parse(bytes) else {
        return;
    };
    let Ok(statement) = statement.verify(certificate) else {
        return;
    };
    let skew = SignedDuration::from_secs(60);
    for bytes in wrp::attached(statement.kind, &statement.claims).registrations {
        self::registration(&bytes);
    }
    match statement.kind {
        StatementKind::AuthorizationRequest => {
            let check = RequestCheck {
                access: certificate,
                client_id: None,
                wallet: None,
                at: now(),
                skew,
                mode: Mode::Strict,
            };
            let request = AuthorizationRequest::read(&statement, &check);
            if let Some(query) = &request.value.query {
                let _ = wrp::within_registration(query, registration);
            }
        }
        StatementKind::IssuerMetadata => {
            let check = MetadataCheck {
                issuer: None,
                at: now(),
                skew,
            };
            let metadata = IssuerMetadata::read(&statement, &check);
            let _ = wrp::within_entitlements(&metadata.value, registration, None);
        }
    }
}

/// The bytes as the payload of a token that says all that a header has to say.
fn jwt(typ: &str, payload: &[u8]) -> Option<String> {
    let certificate = &WORLD.certificate;
    let header = Map::from_iter([
        ("typ".to_owned(), json!(typ)),
        ("iat".to_owned(), json!(now().as_second())),
        (
            "x5t#S256".to_owned(),
            json!(b64::encode(certificate.sha256())),
        ),
        (
            "x5c".to_owned(),
            json!([b64::encode_std(certificate.der())]),
        ),
    ]);
    ready(jws::sign(header, payload, &*KEY))?.ok()
}
