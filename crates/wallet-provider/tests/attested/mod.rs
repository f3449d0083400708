//! Units on devices that a test bed attests, Android's and Apple's.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use claviger_fixtures::TestKey;
use clock::Clock;
use device_evidence::Policy;
use jose::{Curve, b64};
use provider_api::*;
use wallet_provider::{Caller, Config, Error};

use crate::devices::android::{Bed as AndroidBed, Description};
use crate::devices::apple::{self, Attestation, Bed as AppleBed};
use crate::devices::{der, public, signing_usage};
use crate::house::{Device, House, Phone, Running, jti};

pub const DAY: i64 = 86_400;
pub const HOUR: i64 = 3_600;

/// A node that takes evidence of the beds' devices alone.
pub async fn start(
    house: &House,
    android: &AndroidBed,
    apple: &AppleBed,
    more: impl FnOnce(&mut Config),
) -> Running {
    let policy = Policy {
        android: android.policy(),
        apple: apple.policy(),
        play: None,
    };
    let running = house.start_configured(|config| {
        config.accept_no_evidence = false;
        config.evidence = policy;
        more(config);
    });
    let running = running.await;
    fresh_list(house, &running, "{}");
    running
}

/// Gives the node a fresh copy of Google's list, with these entries.
pub fn fresh_list(house: &House, running: &Running, entries: &str) {
    let list = format!(r#"{{"entries":{entries}}}"#);
    running
        .provider
        .read_revocation_list(&list, house.clock.now());
}

/// The chain of a key of the device.
pub fn chain(bed: &AndroidBed, key: &TestKey, description: &Description) -> Vec<String> {
    let extensions = vec![signing_usage(), description.to_extension()];
    let leaf = bed.leaf_for(public(key), extensions);
    bed.chain_of(&leaf).iter().map(b64::encode).collect()
}

/// What a key says that was made with `challenge`.
pub fn made_with(challenge: &str) -> Description {
    Description {
        challenge: challenge.as_bytes().to_vec(),
        ..Description::sound()
    }
}

/// An operational unit on an Android device.
pub async fn android_unit(
    house: &House,
    running: &Running,
    bed: &AndroidBed,
    alias: &str,
) -> Device {
    let phone = Phone::new();
    let mut claims = phone.claims(house, running, alias).await;
    let agreeing = made_with(&claims.challenge).with(1, der::set(&[der::integer(6)]));
    claims.evidence = Evidence::Android {
        signing: chain(bed, &phone.sign, &made_with(&claims.challenge)),
        agreement: chain(bed, &phone.agree, &agreeing),
        play: None,
    };
    operational(house, running, phone, &claims).await
}

/// An operational unit on an Apple device.
pub async fn apple_unit(house: &House, running: &Running, bed: &AppleBed, alias: &str) -> Device {
    let phone = Phone::new();
    let mut claims = phone.claims(house, running, alias).await;
    claims.evidence = app_attested(bed, &phone, &claims.challenge);
    operational(house, running, phone, &claims).await
}

/// What Apple attests of the bed's key, and through it of the phone's.
pub fn app_attested(bed: &AppleBed, phone: &Phone, challenge: &str) -> Evidence {
    let keys = [public(&phone.sign), public(&phone.agree)];
    let data = device_evidence::apple::client_data(challenge.as_bytes(), &keys);
    let made = Attestation::sound(jose::sha256(&data));
    Evidence::Apple {
        attestation: b64::encode(bed.attest(&made)),
        client_data: b64::encode(data),
    }
}

/// An operational unit that began with these claims.
pub async fn operational(
    house: &House,
    running: &Running,
    phone: Phone,
    claims: &ActivationClaims,
) -> Device {
    let answer = phone.begin(house, running, claims).await.unwrap();
    let device = Device {
        phone,
        unit: answer.unit,
        code: answer.account_code,
    };
    house.wsca.register(device.unit);
    let caller = device
        .call(house, running, "/unit/activation", &Empty {})
        .await
        .unwrap();
    running.provider.complete_activation(&caller).await.unwrap();
    device
}

impl Device {
    pub async fn check(
        &self,
        house: &House,
        running: &Running,
        evidence: CheckEvidence,
    ) -> Result<CheckAnswer, Error> {
        let (jti, request) = (jti(), CheckRequest { evidence });
        let caller = self
            .call_as(house, running, "/unit/check", &request, &jti)
            .await?;
        let answer = running.provider.check_instance(&caller, &request).await?;
        Ok(house.read(&answer, &jti))
    }

    /// A nonce for a purpose, and the challenge that this device's evidence carries.
    pub async fn bound(
        &self,
        house: &House,
        running: &Running,
        purpose: NoncePurpose,
    ) -> (String, String) {
        let nonce = self.nonce_for(house, running, purpose).await.unwrap();
        let bound = bound_challenge(purpose, &nonce, &public(&self.phone.sign));
        (nonce, bound)
    }

    /// Checks an Android device that says this of a fresh key.
    pub async fn check_android(
        &self,
        house: &House,
        running: &Running,
        bed: &AndroidBed,
        says: impl FnOnce(Description) -> Description,
    ) -> Result<CheckAnswer, Error> {
        let (challenge, bound) = self.bound(house, running, NoncePurpose::Check).await;
        let fresh = TestKey::generate(Curve::P256);
        let evidence = CheckEvidence::Android {
            challenge,
            chain: chain(bed, &fresh, &says(made_with(&bound))),
            play: None,
        };
        self.check(house, running, evidence).await
    }

    /// Checks an Apple device by an assertion with this counter.
    pub async fn check_apple(
        &self,
        house: &House,
        running: &Running,
        bed: &AppleBed,
        counter: u32,
    ) -> Result<CheckAnswer, Error> {
        let evidence = self.assertion(house, running, bed, counter).await;
        self.check(house, running, evidence).await
    }

    pub async fn assertion(
        &self,
        house: &House,
        running: &Running,
        bed: &AppleBed,
        counter: u32,
    ) -> CheckEvidence {
        let (challenge, bound) = self.bound(house, running, NoncePurpose::Check).await;
        let hash = device_evidence::apple::client_data_hash(bound.as_bytes(), &[]);
        CheckEvidence::Apple {
            challenge,
            assertion: b64::encode(bed.assert(&hash, apple::APP, counter)),
        }
    }

    pub async fn keystore_ka(
        &self,
        house: &House,
        running: &Running,
        request: &KeystoreKaRequest,
    ) -> Result<Attestations, Error> {
        let jti = jti();
        self.keystore_ka_as(house, running, request, &jti).await
    }

    pub async fn keystore_ka_as(
        &self,
        house: &House,
        running: &Running,
        request: &KeystoreKaRequest,
        jti: &str,
    ) -> Result<Attestations, Error> {
        let caller: Caller = self
            .call_as(house, running, "/unit/keystore-ka", request, jti)
            .await?;
        let answer = running.provider.issue_keystore_ka(&caller, request).await?;
        Ok(house.read(&answer, jti))
    }
}

/// A request for KAs over these keys, and nothing else.
pub fn over(keys: KeystoreKeys) -> KeystoreKaRequest {
    KeystoreKaRequest {
        keys,
        count: None,
        proof_type: None,
        c_nonce: None,
        preferred_key_storage_status_period: None,
        issuer_scope: None,
    }
}

#[track_caller]
pub fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    let error = result.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

/// Refused under this code, and with this in what is told.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(result: Result<T, Error>, problem: Problem, what: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.problem(), Some(problem), "{error}");
    assert!(error.to_string().contains(what), "{what} in {error}");
}
