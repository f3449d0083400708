use std::sync::LazyLock;

use device_evidence::android::{self, AndroidPolicy, KEY_DESCRIPTION, RevocationList};
use device_evidence::apple::{self, ApplePolicy, AssertionCheck, AttestationCheck, Environment};
use device_evidence::play::{self, PlayPolicy};
use device_evidence::{Policy, RootKey};
use finding::Trusted;
use jiff::{SignedDuration, Timestamp};
use jose::Signer;
use pki::issue::{Draft, name_der};
use pki::{Certificate, Issuer, oid};

use crate::now;
use crate::signed::{KEY, ready};

/// Evidence as it arrives: a chain, an App Attest object, a Play Integrity token,
/// a revocation list; and the bytes as the KeyDescription in a certificate that
/// verifies.
pub(crate) fn run(data: &[u8]) {
    let ders: Vec<&[u8]> = data.splitn(4, |byte| *byte == b'\n').collect();
    // Only the roots' owners sign what is accepted.
    assert_ne!(android(&ders), Trusted::Yes, "nobody signed this");
    if let Ok(chain) = pki::read_chain(data) {
        let ders: Vec<&[u8]> = chain.iter().map(Certificate::der).collect();
        android(&ders);
    }
    if let Some(leaf) = leaf(data) {
        android(&[leaf.der()]);
    }
    apple(data);
    if let Ok(text) = std::str::from_utf8(data) {
        play(text);
    }
    if let Ok(list) = RevocationList::from_json(data, now()) {
        assert!(list.len() <= data.len(), "an entry takes more than a byte");
    }
}

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let own = || vec![RootKey::new("the target's", KEY.public_key().to_spki_der())];
    Policy {
        android: AndroidPolicy {
            roots: own(),
            ..AndroidPolicy::default()
        },
        apple: ApplePolicy {
            roots: own(),
            ..ApplePolicy::default()
        },
        play: None,
    }
});

fn android(chain: &[&[u8]]) -> Trusted {
    let check = android::Check {
        policy: &POLICY.android,
        challenge: Some(b"challenge"),
        key: None,
        revocation: None,
        at: now(),
    };
    let assessment = android::assess(chain, &check);
    assert!(
        assessment.accepted == Trusted::Yes || assessment.key_storage.is_none(),
        "only what is accepted earns a level"
    );
    assessment.accepted
}

/// A certificate with the bytes as its KeyDescription, signed by the root key.
fn leaf(data: &[u8]) -> Option<Certificate> {
    let name = |text| name_der(&[(oid::COMMON_NAME, text)]).ok();
    let draft = Draft {
        serial: vec![1],
        issuer: name("root")?,
        subject: name("Android Keystore Key")?,
        spki: KEY.public_key().to_spki_der(),
        not_before: Timestamp::UNIX_EPOCH,
        not_after: now() + SignedDuration::from_hours(1),
        extensions: vec![],
    };
    let draft = draft.with(KEY_DESCRIPTION, false, data).ok()?;
    ready(draft.sign(Issuer::Itself(&*KEY)))?.ok()
}

fn apple(data: &[u8]) {
    let hash = [7; 32];
    let attestation = apple::assess_attestation(
        data,
        &AttestationCheck {
            policy: &POLICY.apple,
            client_data_hash: Some(&hash),
            key_id: None,
            at: now(),
        },
    );
    assert_ne!(attestation.accepted, Trusted::Yes, "nobody signed this");
    let assertion = apple::assess_assertion(
        data,
        &AssertionCheck {
            policy: &POLICY.apple,
            key: KEY.public_key(),
            environment: Environment::Production,
            counter: 0,
            client_data_hash: Some(&hash),
            at: now(),
        },
    );
    assert_ne!(assertion.accepted, Trusted::Yes, "nobody signed this");
}

fn play(text: &str) {
    static PLAY: LazyLock<Option<PlayPolicy>> = LazyLock::new(|| {
        let key = jose::b64::encode_std(KEY.public_key().to_spki_der());
        Some(PlayPolicy {
            decryption_key: play::DecryptionKey::new([3; 32].into()),
            verification_key: play::VerificationKey::try_from(key).ok()?,
            apps: vec![],
            required: false,
            device_labels: vec![],
            recognized_app: false,
            licensed: false,
            max_age_seconds: 600,
        })
    });
    if let Some(policy) = PLAY.as_ref() {
        let check = play::Check {
            policy,
            bound: None,
            at: now(),
        };
        let assessment = play::assess(text, &check);
        assert_ne!(assessment.accepted, Trusted::Yes, "nobody signed this");
    }
}
