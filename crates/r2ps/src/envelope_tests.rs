#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use claviger_fixtures::TestKey;
use jose::{Curve, Signer};
use serde_json::json;

use super::*;

struct Both {
    service: ServiceIdentity,
    agreement: TestKey,
    signing: TestKey,
    device_signing: TestKey,
    device_agreement: TestKey,
}

const CLIENT: &str = "client-1";

impl Both {
    fn new() -> Self {
        let key = || TestKey::generate(Curve::P256);
        let (agreement, signing) = (key(), key());
        Self {
            service: ServiceIdentity {
                context: "context".into(),
                agreement: KeyAgreement::public_key(&agreement).clone(),
                signing: Signer::public_key(&signing).clone(),
            },
            agreement,
            signing,
            device_signing: key(),
            device_agreement: key(),
        }
    }

    fn to_service(&self) -> Protection<'_> {
        Protection::OneFactor {
            recipient: &self.service.agreement,
            from: CLIENT,
            to: "context",
        }
    }

    fn to_client(&self) -> Protection<'_> {
        Protection::OneFactor {
            recipient: KeyAgreement::public_key(&self.device_agreement),
            from: "context",
            to: CLIENT,
        }
    }

    fn expected<'a>(&'a self, nonce: &'a Nonce, now: Timestamp) -> Expected<'a> {
        Expected {
            service: &self.service,
            client_id: CLIENT,
            nonce,
            now,
        }
    }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn data() -> Map {
    json!({"a": 1}).as_object().unwrap().clone()
}

async fn request(both: &Both, kind: ServiceType, nonce: &Nonce) -> String {
    seal_request(
        both.to_service(),
        kind,
        data(),
        nonce,
        now(),
        &both.device_signing,
    )
    .await
    .unwrap()
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent() {
    let both = Both::new();
    let nonce = Nonce::random().unwrap();
    let text = request(&both, ServiceType::CreateSession, &nonce).await;
    let sealed = SealedRequest::parse(text.as_bytes()).unwrap();
    assert_eq!(
        sealed.outer(),
        &Outer::OneFactor {
            client_id: CLIENT.into(),
            context: "context".into(),
            recipient: both.service.agreement.thumbprint_b64(),
        }
    );
    let opened = sealed.open_with(&both.agreement).await.unwrap();
    let read = opened
        .verify(Signer::public_key(&both.device_signing), now())
        .unwrap();
    assert_eq!((read.nonce, read.kind), (nonce, ServiceType::CreateSession));
    assert_eq!((read.iat, read.data), (now().as_second(), data()));
}

/// The inner JWS of one envelope, put into another by someone who could open it.
#[tokio::test]
async fn a_forwarded_request_is_refused() {
    let both = Both::new();
    let nonce = Nonce::random().unwrap();
    let text = request(&both, ServiceType::CreateSession, &nonce).await;
    let sealed = jwe::parse(&text, MAX_MESSAGE).unwrap();
    let inner = sealed.open_with(&both.agreement).await.unwrap();
    let forwarded = both.to_service().draft().unwrap().seal(&inner).unwrap();
    let opened = SealedRequest::parse(forwarded.as_bytes())
        .unwrap()
        .open_with(&both.agreement)
        .await
        .unwrap();
    let error = opened
        .verify(Signer::public_key(&both.device_signing), now())
        .unwrap_err();
    assert!(matches!(error, EnvelopeError::AnotherEnvelope));
    assert_eq!(error.code(), Code::Unauthorized);
}

#[tokio::test]
async fn another_signer_and_another_recipient_are_refused() {
    let both = Both::new();
    let text = request(&both, ServiceType::CreateSession, &Nonce::random().unwrap()).await;
    let sealed = SealedRequest::parse(text.as_bytes()).unwrap();
    assert!(matches!(
        sealed.open_with(&both.signing).await,
        Err(EnvelopeError::Jwe(JweError::NotAuthentic))
    ));
    let opened = sealed.open_with(&both.agreement).await.unwrap();
    assert!(matches!(
        opened.verify(&both.service.signing, now()),
        Err(EnvelopeError::AnotherKey)
    ));
}

#[tokio::test]
async fn a_kid_does_not_make_a_signature() {
    /// Signs with one key and names another.
    #[derive(Debug)]
    struct Liar<'a>(&'a TestKey, &'a PublicKey);
    #[async_trait::async_trait]
    impl Signer for Liar<'_> {
        fn public_key(&self) -> &PublicKey {
            self.1
        }
        async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
            self.0.sign(message).await
        }
    }
    let both = Both::new();
    let victim = Signer::public_key(&both.device_signing);
    let stranger = TestKey::generate(Curve::P256);
    let nonce = Nonce::random().unwrap();
    let kind = ServiceType::CreateSession;
    let liar = Liar(&stranger, victim);
    let text = seal_request(both.to_service(), kind, data(), &nonce, now(), &liar)
        .await
        .unwrap();
    let opened = SealedRequest::parse(text.as_bytes())
        .unwrap()
        .open_with(&both.agreement)
        .await
        .unwrap();
    assert!(matches!(
        opened.verify(victim, now()),
        Err(EnvelopeError::Jws(JwsError::BadSignature))
    ));
}

#[tokio::test]
async fn the_mode_is_the_service_types() {
    let both = Both::new();
    let nonce = Nonce::random().unwrap();
    let text = request(&both, ServiceType::KeySign, &nonce).await;
    let opened = SealedRequest::parse(text.as_bytes())
        .unwrap()
        .open_with(&both.agreement)
        .await
        .unwrap();
    assert!(matches!(
        opened.verify(Signer::public_key(&both.device_signing), now()),
        Err(EnvelopeError::ServiceType)
    ));
    let key = Zeroizing::new([7; 32]);
    let session = Protection::TwoFactor {
        session_id: "s",
        key: &key,
    };
    let kind = ServiceType::CreateSession;
    let text = seal_request(session, kind, data(), &nonce, now(), &both.device_signing)
        .await
        .unwrap();
    let sealed = SealedRequest::parse(text.as_bytes()).unwrap();
    assert!(sealed.open_with(&both.agreement).await.is_err());
    assert!(matches!(
        sealed
            .open_in_session(&key)
            .unwrap()
            .verify(Signer::public_key(&both.device_signing), now()),
        Err(EnvelopeError::ServiceType)
    ));
}

#[tokio::test]
async fn an_answer_is_the_services_to_this_request() {
    let both = Both::new();
    let nonce = Nonce::random().unwrap();
    let other = Nonce::random().unwrap();
    let answer = seal_response(both.to_client(), data(), &nonce, now(), &both.signing)
        .await
        .unwrap();
    let read = both
        .expected(&nonce, now())
        .open_with(answer.as_bytes(), &both.device_agreement)
        .await
        .unwrap();
    assert_eq!(read, data());
    assert!(matches!(
        both.expected(&other, now())
            .open_with(answer.as_bytes(), &both.device_agreement)
            .await,
        Err(EnvelopeError::Nonce)
    ));
    let late = now() + WINDOW + SignedDuration::from_secs(1);
    assert!(matches!(
        both.expected(&nonce, late)
            .open_with(answer.as_bytes(), &both.device_agreement)
            .await,
        Err(EnvelopeError::Stale { .. })
    ));
    let stranger = TestKey::generate(Curve::P256);
    let forged = seal_response(both.to_client(), data(), &nonce, now(), &stranger)
        .await
        .unwrap();
    assert!(matches!(
        both.expected(&nonce, now())
            .open_with(forged.as_bytes(), &both.device_agreement)
            .await,
        Err(EnvelopeError::Jws(JwsError::BadSignature))
    ));
    // A request turned round is no answer.
    let reflected = request(&both, ServiceType::CreateSession, &nonce).await;
    assert!(matches!(
        both.expected(&nonce, now())
            .open_with(reflected.as_bytes(), &both.agreement)
            .await,
        Err(EnvelopeError::Header(_))
    ));
}

#[test]
fn a_nonce_is_long_enough_and_not_too_long() {
    for (len, ok) in [(0, false), (15, false), (16, true), (64, true), (65, false)] {
        assert_eq!(Nonce::read(&vec![0; len]).is_ok(), ok, "{len}");
    }
}
