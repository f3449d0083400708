#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use aws_lc_rs::hmac;
use claviger_fixtures::TestKey;
use jose::Curve;
use opaque_ke::{RegistrationRequest, ServerRegistration, ServerSetup};
use rand_opaque::rngs::OsRng;
use sci::Pin;

use super::server::{OprfMaterial, StaticKey, oprf_info};
use super::*;
use crate::hardening::{HardenedPin, harden};

const CONTEXT: &str = "context";

/// The service's device: a seed that only MACs.
fn material(seed: &[u8; 32], credential: &[u8]) -> OprfMaterial {
    let key = hmac::Key::new(hmac::HMAC_SHA256, seed);
    let mut material = Zeroizing::new([0; 32]);
    material.copy_from_slice(hmac::sign(&key, &oprf_info(credential)).as_ref());
    material
}

async fn hardened(device: &TestKey, unit: UnitId, digits: &str) -> HardenedPin {
    let pin = Pin::new(digits).unwrap();
    harden(&pin, unit, CONTEXT, device).await.unwrap()
}

struct Registered {
    client: Client,
    device: TestKey,
    unit: UnitId,
    key: StaticKey,
    material: OprfMaterial,
    record: Vec<u8>,
}

impl Registered {
    async fn new() -> Self {
        let client = Client::with_stretching(Stretching::weak_for_tests());
        let device = TestKey::generate(Curve::P256);
        let unit = UnitId::random();
        let key = StaticKey::generate().unwrap();
        let material = material(&[1; 32], b"credential");
        let pin = hardened(&device, unit, "493827").await;
        let started = client.start_registration(&pin).unwrap();
        let answer = server::evaluate_registration(&key, &material, &started.message).unwrap();
        let record = client
            .finish_registration(started, &pin, &answer, unit, CONTEXT)
            .unwrap();
        Self {
            record: server::finish_registration(&record).unwrap(),
            client,
            device,
            unit,
            key,
            material,
        }
    }

    fn transcript(&self) -> Transcript<'static> {
        Transcript {
            unit: self.unit,
            context: CONTEXT,
            signing_key: [9; 32],
            task: Task::Issuance,
            session_id: "session",
        }
    }

    /// A login in which each side has its own view of the transcript.
    async fn login(
        &self,
        digits: &str,
        theirs: Transcript<'_>,
        ours: Transcript<'_>,
    ) -> Result<(SessionKey, SessionKey), OpaqueError> {
        let pin = hardened(&self.device, self.unit, digits).await;
        let started = self.client.start_login(&pin)?;
        let (answer, state) = server::evaluate_login(
            &self.key,
            &self.material,
            &self.record,
            &started.message,
            ours,
        )?;
        let (proof, client_key) = self.client.finish_login(started, &pin, &answer, theirs)?;
        let server_key = server::finish_login(&state, &proof, ours)?;
        Ok((client_key, server_key))
    }
}

#[tokio::test]
async fn both_sides_get_one_key_and_a_new_one_each_time() {
    let registered = Registered::new().await;
    let transcript = registered.transcript();
    let (one, same) = registered
        .login("493827", transcript, transcript)
        .await
        .unwrap();
    let (two, _) = registered
        .login("493827", transcript, transcript)
        .await
        .unwrap();
    assert_eq!(one, same);
    assert_ne!(one, two);
}

#[tokio::test]
async fn a_wrong_pin_shows_at_the_phone() {
    let registered = Registered::new().await;
    let transcript = registered.transcript();
    assert_eq!(
        registered
            .login("493828", transcript, transcript)
            .await
            .unwrap_err(),
        OpaqueError::WrongPin
    );
}

/// The service with everything it has, and the right PIN, but not the phone.
#[tokio::test]
async fn the_right_pin_without_the_phone_is_a_wrong_one() {
    let mut registered = Registered::new().await;
    registered.device = TestKey::generate(Curve::P256);
    let transcript = registered.transcript();
    assert_eq!(
        registered
            .login("493827", transcript, transcript)
            .await
            .unwrap_err(),
        OpaqueError::WrongPin
    );
}

#[tokio::test]
async fn every_part_of_the_transcript_counts() {
    let registered = Registered::new().await;
    let ours = registered.transcript();
    for theirs in [
        Transcript {
            signing_key: [8; 32],
            ..ours
        },
        Transcript {
            task: Task::Presentation,
            ..ours
        },
        Transcript {
            session_id: "sessiom",
            ..ours
        },
    ] {
        assert!(
            registered.login("493827", theirs, ours).await.is_err(),
            "{theirs:?}"
        );
    }
    for theirs in [
        Transcript {
            unit: UnitId::random(),
            ..ours
        },
        Transcript {
            context: "contexu",
            ..ours
        },
    ] {
        assert!(
            registered.login("493827", theirs, ours).await.is_err(),
            "{theirs:?}"
        );
    }
}

#[tokio::test]
async fn another_credential_seed_or_static_key_is_another_pin() {
    let base = Registered::new().await;
    let transcript = base.transcript();
    let changes: [fn(&mut Registered); 3] = [
        |r| r.material = material(&[1; 32], b"other credential"),
        |r| r.material = material(&[2; 32], b"credential"),
        |r| r.key = StaticKey::generate().unwrap(),
    ];
    for change in changes {
        let mut registered = Registered::new().await;
        registered.unit = base.unit;
        change(&mut registered);
        assert!(
            registered
                .login("493827", transcript, transcript)
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn a_static_key_survives_its_bytes() {
    let mut registered = Registered::new().await;
    registered.key = StaticKey::from_bytes(&registered.key.to_bytes()).unwrap();
    let transcript = registered.transcript();
    registered
        .login("493827", transcript, transcript)
        .await
        .unwrap();
    assert!(StaticKey::from_bytes(&[0; 32]).is_err());
    assert!(StaticKey::from_bytes(&[1; 31]).is_err());
}

/// One HMAC of the device is what the library derives from a seed of its own.
#[tokio::test]
async fn the_devices_mac_is_rfc_9807s_derivation() {
    let setup = ServerSetup::<Suite>::new(&mut OsRng);
    let seed: [u8; 32] = setup.serialize()[..32].try_into().unwrap();
    let device = TestKey::generate(Curve::P256);
    let unit = UnitId::random();
    let pin = hardened(&device, unit, "493827").await;
    let started = Client::default().start_registration(&pin).unwrap();
    let message = RegistrationRequest::deserialize(&started.message).unwrap();
    let theirs = ServerRegistration::<Suite>::start(&setup, message, b"credential").unwrap();
    let ours = server::evaluate_registration(
        &StaticKey::generate().unwrap(),
        &material(&seed, b"credential"),
        &started.message,
    )
    .unwrap();
    // The evaluated element comes first; the static public key after it differs.
    assert_eq!(ours[..33], theirs.message.serialize()[..33]);
}

#[tokio::test]
async fn what_stands_behind_a_message_is_refused() {
    let device = TestKey::generate(Curve::P256);
    let pin = hardened(&device, UnitId::random(), "493827").await;
    let client = Client::default();
    let mut registration = client.start_registration(&pin).unwrap().message;
    let mut login = client.start_login(&pin).unwrap().message;
    server::check_registration(&registration).unwrap();
    server::check_login(&login).unwrap();
    registration.push(0);
    login.push(0);
    assert_eq!(
        server::check_registration(&registration),
        Err(OpaqueError::Message)
    );
    assert_eq!(server::check_login(&login), Err(OpaqueError::Message));
}

#[test]
fn what_is_no_message_is_refused() {
    for bytes in [&[][..], &[0; 33], &[4; 33], &[0xff; 200]] {
        assert_eq!(server::check_registration(bytes), Err(OpaqueError::Message));
        assert_eq!(server::check_login(bytes), Err(OpaqueError::Message));
        assert!(server::finish_registration(bytes).is_err());
    }
}
