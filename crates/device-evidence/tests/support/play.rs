//! Play Integrity tokens, minted with the app's own keys: Google publishes none.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap};
use claviger_fixtures::TestKey;
use device_evidence::play::{DecryptionKey, PlayPolicy, VerificationKey};
use device_evidence::{App, Digest};
use jose::{Curve, Map, b64, jws};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{public, ready, time};

pub const AT: &str = "2026-11-20T12:00:00Z";
pub const PACKAGE: &str = "eu.example.wallet";
pub const SIGNER: [u8; 32] = [0x51; 32];
pub const NONCE: &[u8] = b"a challenge of the provider's";

pub struct Bed {
    pub kek: [u8; 32],
    pub key: TestKey,
}

impl Bed {
    pub fn new() -> Self {
        Self {
            kek: [3; 32],
            key: TestKey::generate(Curve::P256),
        }
    }

    pub fn policy(&self) -> PlayPolicy {
        PlayPolicy {
            decryption_key: DecryptionKey::new(Zeroizing::new(self.kek)),
            verification_key: VerificationKey(public(&self.key)),
            apps: vec![App {
                package: PACKAGE.into(),
                signers: vec![Digest(SIGNER)],
                min_version: 5,
            }],
            required: false,
            device_labels: vec!["MEETS_DEVICE_INTEGRITY".into()],
            recognized_app: true,
            licensed: true,
            max_age_seconds: 600,
        }
    }

    /// What Google says of a sound device.
    pub fn sound() -> Value {
        json!({
            "requestDetails": {
                "requestPackageName": PACKAGE,
                "timestampMillis": time(AT).as_millisecond().to_string(),
                "nonce": b64::encode(NONCE),
            },
            "appIntegrity": {
                "appRecognitionVerdict": "PLAY_RECOGNIZED",
                "packageName": PACKAGE,
                "certificateSha256Digest": [b64::encode(SIGNER)],
                "versionCode": "7",
            },
            "deviceIntegrity": {
                "deviceRecognitionVerdict": ["MEETS_BASIC_INTEGRITY", "MEETS_DEVICE_INTEGRITY"],
                "deviceAttributes": {"sdkVersion": 36},
            },
            "accountDetails": {"appLicensingVerdict": "LICENSED"},
            "environmentDetails": {"playProtectVerdict": "NO_ISSUES"},
            "somethingNew": {},
        })
    }

    pub fn token(&self, payload: &Value) -> String {
        let signed = self.signed(payload.to_string().as_bytes());
        self.seal(
            json!({"alg": "A256KW", "enc": "A256GCM"}),
            signed.as_bytes(),
        )
    }

    pub fn signed(&self, payload: &[u8]) -> String {
        ready(jws::sign(Map::new(), payload, &self.key)).unwrap()
    }

    pub fn seal(&self, header: Value, content: &[u8]) -> String {
        let header = b64::encode(header.to_string());
        let key = [8u8; 32];
        let mut wrapped = [0u8; 40];
        let wrapped = AesKek::new(&AES_256, &self.kek)
            .unwrap()
            .wrap(&key, &mut wrapped)
            .unwrap();
        let iv = [5u8; 12];
        let mut ciphertext = content.to_vec();
        let tag = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap())
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::from(header.as_bytes()),
                &mut ciphertext,
            )
            .unwrap();
        [
            header,
            b64::encode(&*wrapped),
            b64::encode(iv),
            b64::encode(ciphertext),
            b64::encode(tag),
        ]
        .join(".")
    }
}
