//! No bytes make any reader panic, and none that nobody signed are accepted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod support;

use std::sync::LazyLock;

use claviger_fixtures::TestKey;
use device_evidence::android::{self, RevocationList};
use device_evidence::apple::{self, AssertionCheck, AttestationCheck, Environment};
use device_evidence::play;
use finding::Trusted;
use jiff::Timestamp;
use jose::Curve;
use proptest::prelude::*;
use support::android::Description;
use support::{extension, public, signing_usage, time};

static ANDROID: LazyLock<support::android::Bed> = LazyLock::new(support::android::Bed::new);
static PLAY: LazyLock<support::play::Bed> = LazyLock::new(support::play::Bed::new);
static KEY: LazyLock<TestKey> = LazyLock::new(|| TestKey::generate(Curve::P256));

fn android(chain: &[Vec<u8>]) -> Trusted {
    let policy = ANDROID.policy();
    let check = android::Check {
        policy: &policy,
        challenge: Some(support::android::CHALLENGE),
        key: None,
        revocation: Some(&support::android::nothing_revoked()),
        at: time(support::android::AT),
    };
    android::assess(chain, &check).accepted
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_chains(chain in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6)) {
        prop_assert_eq!(android(&chain), Trusted::No);
    }

    /// Signed by the device, so that what is inside is reached.
    #[test]
    fn arbitrary_key_descriptions(value in prop::collection::vec(any::<u8>(), 0..400)) {
        let leaf = ANDROID.leaf_with(vec![
            signing_usage(),
            extension(support::android::KEY_DESCRIPTION, false, &value),
        ]);
        prop_assert_eq!(android(&ANDROID.chain_of(&leaf)), Trusted::No);
    }

    #[test]
    fn changed_key_descriptions(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut value = Description::sound().to_der();
        for (index, byte) in changes {
            let at = index.index(value.len());
            value[at] = byte;
        }
        let leaf = ANDROID.leaf_with(vec![extension(support::android::KEY_DESCRIPTION, false, &value)]);
        android(&ANDROID.chain_of(&leaf));
    }

    #[test]
    fn arbitrary_apple_objects(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let policy = support::apple::Bed::new().policy();
        let hash = [0; 32];
        let attestation = apple::assess_attestation(&bytes, &AttestationCheck {
            policy: &policy,
            client_data_hash: Some(&hash),
            key_id: None,
            at: Timestamp::UNIX_EPOCH,
        });
        prop_assert_eq!(attestation.accepted, Trusted::No);
        let assertion = apple::assess_assertion(&bytes, &AssertionCheck {
            policy: &policy,
            key: &public(&KEY),
            environment: Environment::Production,
            counter: 0,
            client_data_hash: Some(&hash),
            at: Timestamp::UNIX_EPOCH,
        });
        prop_assert_eq!(assertion.accepted, Trusted::No);
    }

    #[test]
    fn arbitrary_play_tokens(text in ".{0,400}", payload in prop::collection::vec(any::<u8>(), 0..400)) {
        let policy = PLAY.policy();
        let check = play::Check { policy: &policy, bound: None, at: Timestamp::UNIX_EPOCH };
        prop_assert_eq!(play::assess(&text, &check).accepted, Trusted::No);
        let token = PLAY.seal(
            serde_json::json!({"alg": "A256KW", "enc": "A256GCM"}),
            PLAY.signed(&payload).as_bytes(),
        );
        prop_assert_eq!(play::assess(&token, &check).accepted, Trusted::No);
    }

    #[test]
    fn arbitrary_revocation_lists(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(RevocationList::from_json(&bytes, Timestamp::UNIX_EPOCH).is_err());
    }
}
