//! The test vectors of `docs/protocols/vectors/wsca.json`: what another implementation
//! checks itself against. Keys are fixed, and so is all of OPAQUE; what an envelope
//! has at random (ephemeral keys, IVs, ECDSA's nonces) was drawn when they were made.
//!
//! `CLAVIGER_BLESS=1` makes them anew. Otherwise this reads them: everything that has
//! one right value is computed again and compared, every message is opened, and
//! everything that must be refused is refused by its code. A second reader, in Python,
//! is `tests/verify/wsca_vectors.py`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::path::PathBuf;

use async_trait::async_trait;
use aws_lc_rs::agreement::{self, ECDH_P256};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jiff::Timestamp;
use jose::jwe::{ContentKey, Draft};
use jose::{Curve, KeyAgreement, Map, PublicKey, SignError, Signer, b64, jws, sha256};
use opaque_ke::generic_array::GenericArray;
use opaque_ke::keypair::{KeyPair, PublicKey as OpaqueKey};
use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialRequest, RegistrationResponse, ServerLogin,
    ServerLoginParameters, ServerRegistration, ServerSetup,
};
use p256_opaque::elliptic_curve::sec1::ToEncodedPoint;
use p256_opaque::{NistP256, SecretKey};
use rand_opaque::{CryptoRng, RngCore};
use sci::{Code, Pin, Task, UnitId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::envelope::{
    EnvelopeError, Expected, Nonce, Outer, Protection, SealedRequest, read_data, seal_request,
    seal_response, write_data,
};
use crate::opaque::server::{self, StaticKey};
use crate::opaque::{Stretching, Suite, Transcript, identities};
use crate::service::{self, Mode, ServiceType};
use crate::{PROFILE, ServiceIdentity};

const UNIT: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
const CONTEXT: &str = "claviger-vectors";
const AT: i64 = 1_795_500_000;
const PIN: &str = "493827";
const SESSION: &str = "c2Vzc2lvbi1vZi10aGUtdmVjdG9ycw";

#[tokio::test]
async fn the_vectors_hold() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocols/vectors");
    let path = path.join("wsca.json");
    if std::env::var_os("CLAVIGER_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&make().await).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text + "\n").unwrap();
    }
    let kept: Vectors = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    // What has one right value.
    assert_eq!(kept.profile, PROFILE);
    assert_eq!(kept.keys, keys());
    assert_eq!(kept.hardening, hardening().await);
    assert_eq!(kept.opaque, opaque().await);
    // What is opened.
    for message in &kept.messages {
        message.check(&kept).await;
    }
    for refused in &kept.refused {
        let code = refused.code_of(&kept).await;
        assert_eq!(code, Some(refused.code), "{}", refused.name);
    }
    let types: Vec<&str> = kept
        .messages
        .iter()
        .filter(|message| message.direction == Direction::Request)
        .map(|message| message.kind.as_str())
        .collect();
    for kind in ServiceType::ALL {
        assert!(types.contains(&kind.name()), "no vector of {kind}");
    }
}

#[derive(Serialize, Deserialize)]
struct Vectors {
    about: String,
    profile: String,
    unit: String,
    context: String,
    at: i64,
    keys: Vec<NamedKey>,
    hardening: Hardening,
    opaque: OpaqueVector,
    messages: Vec<Message>,
    refused: Vec<Refused>,
}

/// A key pair: the private scalar is SHA-256 of `claviger vector ` and the name.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct NamedKey {
    name: String,
    private: String,
    jwk: Value,
    thumbprint: String,
}

/// 5.1 of docs/protocols/wsca.md. All in hexadecimal.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Hardening {
    pin: String,
    /// P, uncompressed.
    point: String,
    /// Z.
    shared: String,
    /// K.
    key: String,
    /// What goes into OPAQUE.
    input: String,
}

/// 5.2: one registration and one login. All in hexadecimal.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct OpaqueVector {
    oprf_seed: String,
    credential_identifier: String,
    /// What the device's MAC under the seed gives.
    oprf_material: String,
    server_private: String,
    server_public: String,
    /// The client's blind of the registration.
    registration_blind: String,
    registration_request: String,
    registration_response: String,
    /// The record: what the client uploads, and the service keeps.
    record: String,
    task: String,
    session_id: String,
    /// OPAQUE's context.
    transcript: String,
    /// The client's blind, ephemeral private key and nonce of the login.
    login_blind: String,
    login_ephemeral: String,
    login_nonce: String,
    ke1: String,
    ke2: String,
    ke3: String,
    session_key: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Request,
    Answer,
}

/// A message, and what is in it.
#[derive(Serialize, Deserialize)]
struct Message {
    name: String,
    direction: Direction,
    /// `1fa` or `2fa`.
    factors: String,
    #[serde(rename = "type")]
    kind: String,
    /// Base64url.
    nonce: String,
    data: Value,
    text: String,
}

/// A request that must be refused, and how.
#[derive(Serialize, Deserialize)]
struct Refused {
    name: String,
    code: Code,
    text: String,
}

/// A key whose private part everyone knows.
#[derive(Debug)]
struct FixedKey {
    scalar: [u8; 32],
    public: PublicKey,
}

impl FixedKey {
    fn named(name: &str) -> Self {
        let scalar = sha256(format!("claviger vector {name}").as_bytes());
        let private = agreement::PrivateKey::from_private_key(&ECDH_P256, &scalar).unwrap();
        let point = private.compute_public_key().unwrap();
        Self {
            scalar,
            public: PublicKey::from_point(Curve::P256, point.as_ref()).unwrap(),
        }
    }
}

#[async_trait]
impl Signer for FixedKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &self.scalar,
            self.public.point(),
        )
        .unwrap();
        let signature = pair.sign(&SystemRandom::new(), message).unwrap();
        Ok(signature.as_ref().to_vec())
    }
}

#[async_trait]
impl KeyAgreement for FixedKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn agree(&self, peer: &PublicKey) -> Result<Zeroizing<Vec<u8>>, SignError> {
        let private = agreement::PrivateKey::from_private_key(&ECDH_P256, &self.scalar).unwrap();
        let peer = agreement::UnparsedPublicKey::new(&ECDH_P256, peer.point());
        agreement::agree(&private, peer, SignError::CurveMismatch, |shared| {
            Ok(Zeroizing::new(shared.to_vec()))
        })
    }
}

const NAMES: [&str; 6] = [
    "device signing",
    "device agreement",
    "service agreement",
    "service signing",
    "user key",
    "stranger",
];

fn keys() -> Vec<NamedKey> {
    NAMES
        .iter()
        .map(|name| {
            let key = FixedKey::named(name);
            NamedKey {
                name: (*name).to_owned(),
                private: hex(&key.scalar),
                jwk: key.public.to_jwk(),
                thumbprint: key.public.thumbprint_b64(),
            }
        })
        .collect()
}

fn unit() -> UnitId {
    UNIT.parse().unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_second(AT).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap())
        .collect()
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}

async fn hardening() -> Hardening {
    let device = FixedKey::named("device agreement");
    let point = crate::hardening::hardening_point(unit(), CONTEXT).unwrap();
    let shared = device.agree(&point).await.unwrap();
    let key = mac(b"claviger-wsca-pin-v1", &shared);
    let pin = Pin::new(PIN).unwrap();
    let hardened = crate::hardening::harden(&pin, unit(), CONTEXT, &device)
        .await
        .unwrap();
    Hardening {
        pin: PIN.to_owned(),
        point: hex(point.point()),
        shared: hex(&shared),
        key: hex(&key),
        input: hex(hardened.expose()),
    }
}

/// Numbers that look random and are the same each time.
struct Drawn {
    label: &'static str,
    count: u64,
}

impl RngCore for Drawn {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_be_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            self.count += 1;
            let block = sha256(format!("{} {}", self.label, self.count).as_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_opaque::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Drawn {}

fn drawn(label: &'static str) -> Drawn {
    Drawn { label, count: 0 }
}

/// One registration and one login, the library on both sides, every number fixed.
/// What the house's own functions make of the same bytes is compared with it.
async fn opaque() -> OpaqueVector {
    let unit = unit();
    let input = unhex(&hardening().await.input);
    let seed = sha256(b"claviger vector oprf seed");
    let random = sha256(b"claviger vector credential");
    let credential = [unit.as_bytes().as_slice(), &random].concat();
    let material = mac(&seed, &server::oprf_info(&credential));
    let fixed: server::OprfMaterial = Zeroizing::new(material.as_slice().try_into().unwrap());
    let private = sha256(b"claviger vector server static");
    let secret = SecretKey::from_slice(&private).unwrap();
    let public = secret.public_key().to_encoded_point(true);
    let pair = KeyPair::<NistP256, ()>::new((), OpaqueKey::deserialize(public.as_bytes()).unwrap());
    let setup: ServerSetup<Suite, (), ()> =
        ServerSetup::new_with_key_pair_and_seed(&mut drawn("setup"), pair, ());
    let stretching = Stretching::default();

    let started = ClientRegistration::<Suite>::start(&mut drawn("registration"), &input).unwrap();
    let registration_request = started.message.serialize().to_vec();
    let registration_blind = started.state.serialize()[..32].to_vec();
    let house = StaticKey::from_bytes(&private).unwrap();
    let registration_response =
        server::evaluate_registration(&house, &fixed, &registration_request).unwrap();
    let finished = started
        .state
        .finish(
            &mut drawn("envelope"),
            &input,
            RegistrationResponse::deserialize(&registration_response).unwrap(),
            ClientRegistrationFinishParameters::new(identities(&unit, CONTEXT), Some(&stretching)),
        )
        .unwrap();
    let record = server::finish_registration(&finished.message.serialize()).unwrap();

    let transcript = Transcript {
        unit,
        context: CONTEXT,
        signing_key: FixedKey::named("device signing").public.thumbprint(),
        task: Task::Issuance,
        session_id: SESSION,
    };
    let bytes = transcript.context_bytes();
    let started = ClientLogin::<Suite>::start(&mut drawn("login"), &input).unwrap();
    let ke1 = started.message.serialize().to_vec();
    let state = started.state.serialize().to_vec();
    let parameters = || ServerLoginParameters {
        context: Some(&bytes),
        identifiers: identities(&unit, CONTEXT),
    };
    let mut rng = drawn("answer");
    let builder = ServerLogin::<Suite>::builder_with_key_material(
        &mut rng,
        &setup,
        GenericArray::clone_from_slice(&material),
        Some(ServerRegistration::deserialize(&record).unwrap()),
        CredentialRequest::deserialize(&ke1).unwrap(),
        parameters(),
    )
    .unwrap();
    let peer = builder.data().to_group_type().0.to_point();
    let shared = (peer * *secret.to_nonzero_scalar()).to_encoded_point(true);
    let answered = builder
        .build(GenericArray::clone_from_slice(shared.as_bytes()))
        .unwrap();
    let ke2 = answered.message.serialize().to_vec();
    let kept: server::LoginState = Zeroizing::new(answered.state.serialize().to_vec());
    let proven = started
        .state
        .finish(
            &mut drawn("unused"),
            &input,
            answered.message,
            ClientLoginFinishParameters::new(
                Some(&bytes),
                identities(&unit, CONTEXT),
                Some(&stretching),
            ),
        )
        .unwrap();
    let ke3 = proven.message.serialize().to_vec();
    let session_key = server::finish_login(&kept, &ke3, transcript).unwrap();
    assert_eq!(session_key.as_slice(), proven.session_key.as_slice());
    // The client's state: its blind, KE1, its ephemeral private key and its nonce.
    let rest = &state[32 + ke1.len()..];
    OpaqueVector {
        oprf_seed: hex(&seed),
        credential_identifier: hex(&credential),
        oprf_material: hex(&material),
        server_private: hex(&private),
        server_public: hex(public.as_bytes()),
        registration_blind: hex(&registration_blind),
        registration_request: hex(&registration_request),
        registration_response: hex(&registration_response),
        record: hex(&record),
        task: Task::Issuance.name().into(),
        session_id: SESSION.into(),
        transcript: hex(&bytes),
        login_blind: hex(&state[..32]),
        login_ephemeral: hex(&rest[..32]),
        login_nonce: hex(&rest[32..]),
        ke1: hex(&ke1),
        ke2: hex(&ke2),
        ke3: hex(&ke3),
        session_key: hex(session_key.as_slice()),
    }
}

fn session_key(vector: &OpaqueVector) -> ContentKey {
    Zeroizing::new(unhex(&vector.session_key).try_into().unwrap())
}

fn service() -> ServiceIdentity {
    ServiceIdentity {
        context: CONTEXT.into(),
        agreement: FixedKey::named("service agreement").public,
        signing: FixedKey::named("service signing").public,
    }
}

async fn make() -> Vectors {
    let opaque = opaque().await;
    let key = session_key(&opaque);
    let mut messages = Vec::new();
    for (name, kind, request, answer) in samples(&opaque) {
        for (direction, data) in [(Direction::Request, request), (Direction::Answer, answer)] {
            let nonce = nonce(name);
            let text = seal(kind, direction, &data, &nonce, &key).await;
            messages.push(Message {
                name: name.to_owned(),
                direction,
                factors: match kind.mode() {
                    Mode::OneFactor => "1fa".into(),
                    Mode::TwoFactor => "2fa".into(),
                },
                kind: kind.name().into(),
                nonce: b64::encode(nonce.as_bytes()),
                data,
                text,
            });
        }
    }
    Vectors {
        about: "Test vectors of docs/protocols/wsca.md. Values are hexadecimal, but for JWK \
                members, nonces and thumbprints, which are base64url. `at` is the readers' \
                time. tests/verify/wsca_vectors.py reads them with nothing of Claviger's own."
            .into(),
        profile: PROFILE.into(),
        unit: UNIT.into(),
        context: CONTEXT.into(),
        at: AT,
        keys: keys(),
        hardening: hardening().await,
        refused: refusals(&key).await,
        opaque,
        messages,
    }
}

fn nonce(name: &str) -> Nonce {
    Nonce::of(&sha256(format!("nonce {name}").as_bytes()))
}

async fn seal(
    kind: ServiceType,
    direction: Direction,
    data: &Value,
    nonce: &Nonce,
    key: &ContentKey,
) -> String {
    let data = data.as_object().unwrap().clone();
    let names = [UNIT, CONTEXT];
    let (recipient, [from, to], signer) = match direction {
        Direction::Request => ("service agreement", names, "device signing"),
        Direction::Answer => ("device agreement", [CONTEXT, UNIT], "service signing"),
    };
    let recipient = FixedKey::named(recipient);
    let protection = match kind.mode() {
        Mode::OneFactor => Protection::OneFactor {
            recipient: &recipient.public,
            from,
            to,
        },
        Mode::TwoFactor => Protection::TwoFactor {
            session_id: SESSION,
            key,
        },
    };
    let signer = FixedKey::named(signer);
    match direction {
        Direction::Request => seal_request(protection, kind, data, nonce, now(), &signer).await,
        Direction::Answer => seal_response(protection, data, nonce, now(), &signer).await,
    }
    .unwrap()
}

impl Message {
    async fn check(&self, vectors: &Vectors) {
        let key = session_key(&vectors.opaque);
        let data = match self.direction {
            Direction::Request => {
                let opened = open(&self.text, &key).await.unwrap();
                let device = FixedKey::named("device signing");
                let request = opened.verify(&device.public, now()).unwrap();
                assert_eq!(request.kind.name(), self.kind, "{}", self.name);
                assert_eq!(b64::encode(request.nonce.as_bytes()), self.nonce);
                assert_eq!(request.iat, AT);
                request.data
            }
            Direction::Answer => {
                let nonce = Nonce::of(&b64::decode(&self.nonce).unwrap());
                let expected = Expected {
                    service: &service(),
                    client_id: UNIT,
                    nonce: &nonce,
                    now: now(),
                };
                let text = self.text.as_bytes();
                match self.factors.as_str() {
                    "1fa" => {
                        let device = FixedKey::named("device agreement");
                        expected.open_with(text, &device).await.unwrap()
                    }
                    _ => expected.open_in_session(text, SESSION, &key).unwrap(),
                }
            }
        };
        assert_eq!(Value::Object(data.clone()), self.data, "{}", self.name);
        self.is_of_its_type(data);
    }

    /// That the house reads it as the type it is, and would write the same.
    fn is_of_its_type(&self, data: Map) {
        fn same<T: serde::de::DeserializeOwned + Serialize>(name: &str, data: Map) {
            let read: T = read_data(data.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(write_data(&read).unwrap(), data, "{name}");
        }
        let name = self.name.as_str();
        if data.get("success") == Some(&Value::Bool(false)) {
            return same::<service::Failure>(name, data);
        }
        let kind: ServiceType = self.kind.parse().unwrap();
        let evaluate = name.ends_with("evaluate");
        match (kind, self.direction) {
            (
                ServiceType::Registration | ServiceType::CreateSession | ServiceType::Update,
                Direction::Request,
            ) => same::<service::FactorRequest>(name, data),
            (
                ServiceType::Registration | ServiceType::CreateSession | ServiceType::Update,
                Direction::Answer,
            ) if evaluate => same::<service::EvaluateAnswer>(name, data),
            (ServiceType::CreateSession, Direction::Answer) => {
                same::<service::SessionOpened>(name, data);
            }
            (ServiceType::Information, Direction::Answer) => {
                same::<service::InformationAnswer>(name, data);
            }
            (ServiceType::AuditProof, Direction::Request) => {
                same::<service::ProofRequest>(name, data);
            }
            (ServiceType::AuditProof, Direction::Answer) => {
                same::<service::ProofAnswer>(name, data);
            }
            (ServiceType::SessionInfo, Direction::Answer) => {
                same::<service::SessionAnswer>(name, data);
            }
            (ServiceType::KeyGenerate, Direction::Request) => {
                same::<service::GenerateRequest>(name, data);
            }
            (ServiceType::KeyGenerate | ServiceType::KeyList, Direction::Answer) => {
                same::<service::KeysAnswer>(name, data);
            }
            (ServiceType::KeyList, Direction::Request) => same::<service::ListRequest>(name, data),
            (ServiceType::KeySign, Direction::Request) => same::<service::SignRequest>(name, data),
            (ServiceType::KeySign, Direction::Answer) => same::<service::SignAnswer>(name, data),
            (ServiceType::KeyAgree, Direction::Request) => {
                same::<service::AgreeRequest>(name, data);
            }
            (ServiceType::KeyAgree, Direction::Answer) => same::<service::AgreeAnswer>(name, data),
            (ServiceType::KeyState | ServiceType::KeyAssociate, Direction::Request) => {
                same::<service::StateRequest>(name, data);
            }
            (ServiceType::KeyState | ServiceType::KeyAssociate, Direction::Answer) => {
                same::<service::StateAnswer>(name, data);
            }
            (ServiceType::KeyDestroy, Direction::Request) => {
                same::<service::DestroyRequest>(name, data);
            }
            (ServiceType::ItemStore, Direction::Request) => {
                same::<service::StoreRequest>(name, data);
            }
            (ServiceType::ItemRead | ServiceType::ItemRemove, Direction::Request) => {
                same::<service::ReadRequest>(name, data);
            }
            (ServiceType::ItemRead, Direction::Answer) => same::<service::ReadAnswer>(name, data),
            (_, Direction::Request) => same::<service::Nothing>(name, data),
            (_, Direction::Answer) => same::<service::Done>(name, data),
        }
    }
}

async fn open(
    text: &str,
    key: &ContentKey,
) -> Result<crate::envelope::UnverifiedRequest, EnvelopeError> {
    let sealed = SealedRequest::parse(text.as_bytes())?;
    match sealed.outer() {
        Outer::OneFactor { .. } => {
            let service = FixedKey::named("service agreement");
            sealed.open_with(&service).await
        }
        Outer::TwoFactor { .. } => sealed.open_in_session(key),
    }
}

impl Refused {
    async fn code_of(&self, vectors: &Vectors) -> Option<Code> {
        let key = session_key(&vectors.opaque);
        let device = FixedKey::named("device signing");
        let verified = match open(&self.text, &key).await {
            Ok(opened) => opened.verify(&device.public, now()),
            Err(error) => Err(error),
        };
        verified.err().map(|error| error.code())
    }
}

/// What must be refused, one flaw each.
async fn refusals(key: &ContentKey) -> Vec<Refused> {
    let service = FixedKey::named("service agreement");
    let device = FixedKey::named("device signing");
    let one_factor = || Protection::OneFactor {
        recipient: &service.public,
        from: UNIT,
        to: CONTEXT,
    };
    let good = |kind, signer| {
        let protection = match ServiceType::mode(kind) {
            Mode::OneFactor => one_factor(),
            Mode::TwoFactor => Protection::TwoFactor {
                session_id: SESSION,
                key,
            },
        };
        let nonce = nonce("refused");
        async move {
            seal_request(protection, kind, Map::new(), &nonce, now(), signer)
                .await
                .unwrap()
        }
    };
    let plain = good(ServiceType::Information, &device).await;
    let in_session = good(ServiceType::KeyList, &device).await;
    let stranger = FixedKey::named("stranger");
    let by_stranger = good(ServiceType::Information, &stranger).await;
    let mut refused = vec![
        (
            "the tag was changed",
            Code::Unauthorized,
            last_changed(&plain),
        ),
        (
            "the tag was changed, in a session",
            Code::Unauthorized,
            last_changed(&in_session),
        ),
        ("signed by a stranger", Code::Unauthorized, by_stranger),
        (
            "cut off",
            Code::IllegalRequestData,
            plain[..plain.len() - 30].to_owned(),
        ),
        (
            "not five parts",
            Code::IllegalRequestData,
            plain.replacen("..", ".", 1),
        ),
        (
            "no JWE at all",
            Code::IllegalRequestData,
            "claviger".to_owned(),
        ),
    ];
    // Flaws of the payload, each sealed and signed as it should be.
    let of = |changes: Value| {
        let mut payload = json!({
            "ver": "1.0",
            "nonce": b64::encode_std(nonce("refused").as_bytes()),
            "iat": AT,
            "type": "wsca_information",
            "data": {},
        });
        for (name, value) in changes.as_object().unwrap() {
            payload[name] = value.clone();
        }
        payload
    };
    let short = b64::encode_std([7; 15]);
    let flaws = [
        (
            "another version",
            Code::IllegalRequestData,
            json!({"ver": "2.0"}),
        ),
        (
            "a nonce of 15 bytes",
            Code::IllegalRequestData,
            json!({"nonce": short}),
        ),
        ("121 seconds old", Code::Stale, json!({"iat": AT - 121})),
        ("121 seconds ahead", Code::Stale, json!({"iat": AT + 121})),
        (
            "an unknown service type",
            Code::UnsupportedRequestType,
            json!({"type": "key_export"}),
        ),
        (
            "two factors wanted, one shown",
            Code::UnsupportedRequestType,
            json!({"type": "key_sign"}),
        ),
        (
            "made for another envelope",
            Code::Unauthorized,
            json!({"jwe_hash": b64::encode_std(sha256(b"another header"))}),
        ),
    ];
    for (name, code, changes) in flaws {
        let text = by_hand(of(changes), "r2ps-request+jwt").await;
        refused.push((name, code, text));
    }
    let answer = by_hand(of(json!({})), "r2ps-response+jwt").await;
    refused.push((
        "an answer in place of a request",
        Code::IllegalRequestData,
        answer,
    ));
    refused
        .into_iter()
        .map(|(name, code, text)| Refused {
            name: name.to_owned(),
            code,
            text,
        })
        .collect()
}

fn last_changed(text: &str) -> String {
    let at = text.len() - 2;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

/// A one-factor request of any payload. `jwe_hash` is right where it is not given.
async fn by_hand(mut payload: Value, typ: &str) -> String {
    let service = FixedKey::named("service agreement");
    let device = FixedKey::named("device signing");
    let mut header = Map::new();
    header.insert("typ".into(), "r2ps-1fa".into());
    header.insert("kid".into(), service.public.thumbprint_b64().into());
    header.insert("cty".into(), "JWT".into());
    let draft = Draft::to(header, UNIT.as_bytes(), CONTEXT.as_bytes(), &service.public).unwrap();
    if payload.get("jwe_hash").is_none() {
        let hash = sha256(draft.encoded_header().as_bytes());
        payload["jwe_hash"] = b64::encode_std(hash).into();
    }
    let mut header = Map::new();
    header.insert("kid".into(), device.public.thumbprint_b64().into());
    header.insert("typ".into(), typ.into());
    let inner = jws::sign(header, payload.to_string().as_bytes(), &device)
        .await
        .unwrap();
    draft.seal(inner.as_bytes()).unwrap()
}

/// One exchange of every service type, and one that is refused.
fn samples(opaque: &OpaqueVector) -> Vec<(&'static str, ServiceType, Value, Value)> {
    let std = |text: &str| b64::encode_std(unhex(text));
    let id = "1b4e28ba-2fa1-4d2e-883f-0016d3cca427";
    let user = FixedKey::named("user key").public.to_jwk();
    let session = json!({
        "id": SESSION, "task": "issuance",
        "opened": "2026-11-24T02:00:00Z",
        "idle_until": "2026-11-24T02:02:00Z",
        "expires": "2026-11-24T02:10:00Z",
    });
    let key = json!({
        "id": id, "public_key": user, "key_storage": null, "user_authentication": null,
        "certification": null, "exportable": false, "state": "active",
        "created": "2026-11-24T02:00:00Z",
    });
    let information = json!({
        "descriptor": {
            "model": "a device of the vectors", "architecture": "remote",
            "wsca_provided_by": "wallet-provider", "assurance": {"kind": "none"},
            "key_storage": null, "user_authentication": null, "exportable": false,
            "algorithms": ["ES256", "ES384", "ES512"], "agreement": true,
        },
        "pin": {
            "min_digits": 6, "max_digits": 16, "tries": 16,
            "pauses": [60, 300, 3600], "tries_per_round": 4,
        },
        "max_batch": 64, "max_keys": 512, "statement_key": user,
    });
    let hash = b64::encode(sha256(b"entry"));
    let digest = b64::encode_std(sha256(b"signed"));
    let done = json!({"success": true});
    let evaluated = |p_data: &str, session_id: &str| json!({"success": true, "p_data": std(p_data), "session_id": session_id, "tries_left": 15});
    let first =
        |p_data: &str| json!({"protocol": "opaque", "state": "evaluate", "p_data": std(p_data)});
    let last = |p_data: &str, session_id: &str| json!({"protocol": "opaque", "state": "finalize", "p_data": std(p_data), "session_id": session_id});
    let mut login = first(&opaque.ke1);
    login["task"] = "issuance".into();
    let mut registered = last(&opaque.record, "exchange");
    registered["authorization"] = "".into();
    registered["authorization_type"] = "enrolment".into();
    let opened = json!({
        "success": true, "p_data": null, "session_id": SESSION, "task": "issuance",
        "session_expiration_time": AT + 600, "session": session,
    });
    use ServiceType as T;
    vec![
        (
            "2fa_registration evaluate",
            T::Registration,
            first(&opaque.registration_request),
            evaluated(&opaque.registration_response, "exchange"),
        ),
        (
            "2fa_registration finalize",
            T::Registration,
            registered,
            done.clone(),
        ),
        (
            "create_session evaluate",
            T::CreateSession,
            login,
            evaluated(&opaque.ke2, SESSION),
        ),
        (
            "create_session finalize",
            T::CreateSession,
            last(&opaque.ke3, SESSION),
            opened,
        ),
        (
            "2fa_update evaluate",
            T::Update,
            first(&opaque.registration_request),
            evaluated(&opaque.registration_response, "exchange"),
        ),
        (
            "2fa_update finalize",
            T::Update,
            last(&opaque.record, "exchange"),
            done.clone(),
        ),
        (
            "wsca_information",
            T::Information,
            json!({}),
            json!({"success": true, "information": information, "audit_key": user}),
        ),
        (
            "audit_proof",
            T::AuditProof,
            json!({"receipt": {"sequence": 7, "entries": 1, "hash": hash}}),
            json!({"success": true}),
        ),
        (
            "session_info",
            T::SessionInfo,
            json!({}),
            json!({"success": true, "session": session}),
        ),
        ("session_end", T::SessionEnd, json!({}), done.clone()),
        (
            "key_generate",
            T::KeyGenerate,
            json!({"count": 1, "crv": "P-256"}),
            json!({"success": true, "keys": [key]}),
        ),
        (
            "key_list",
            T::KeyList,
            json!({"offset": 0}),
            json!({"success": true, "keys": [key]}),
        ),
        (
            "key_sign",
            T::KeySign,
            json!({"items": [{"key": id, "digest": digest}]}),
            json!({"success": true, "signatures": [b64::encode_std([9; 64])]}),
        ),
        (
            "key_agree",
            T::KeyAgree,
            json!({"key": id, "peer": user}),
            json!({"success": true, "secret": b64::encode_std([8; 32])}),
        ),
        (
            "key_state",
            T::KeyState,
            json!({"keys": [id], "nonce": "n", "audience": "https://p"}),
            json!({"success": true, "statement": "e30.e30.AA"}),
        ),
        (
            "key_associate",
            T::KeyAssociate,
            json!({"keys": [id], "nonce": "n", "audience": "https://p"}),
            json!({"success": true, "statement": "e30.e30.AA"}),
        ),
        (
            "key_destroy",
            T::KeyDestroy,
            json!({"keys": [id]}),
            done.clone(),
        ),
        (
            "item_store",
            T::ItemStore,
            json!({"name": "pseudonym.1", "content": b64::encode_std(b"content")}),
            done.clone(),
        ),
        (
            "item_read",
            T::ItemRead,
            json!({"name": "pseudonym.1"}),
            json!({"success": true, "content": b64::encode_std(b"content")}),
        ),
        (
            "item_remove",
            T::ItemRemove,
            json!({"name": "pseudonym.1"}),
            done.clone(),
        ),
        (
            "item_remove",
            T::ItemRemove,
            json!({"name": "pseudonym.1"}),
            done.clone(),
        ),
        ("unit_destroy", T::UnitDestroy, json!({}), done),
        (
            "create_session refused",
            T::CreateSession,
            {
                let mut login = first(&opaque.ke1);
                login["task"] = "issuance".into();
                login
            },
            json!({"success": false, "error": {"code": "PIN_PAUSED", "retry_at": "2026-11-24T02:01:00Z"}}),
        ),
    ]
}
