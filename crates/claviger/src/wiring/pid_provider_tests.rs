#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use claviger_fixtures::TestKey;
use clock::{Clock, ShiftedClock};
use issuer_guard::RevocationRequest;
use jiff::SignedDuration;
use jose::{Curve, Signer};
use pki::{Issuer, Profile, Request, Subject};
use wallet_provider::{Error, WalletProvider};

use super::*;
use crate::commands::up::Development;
use crate::testbed::Party;

const URL: &str = "http://127.0.0.1:1";

/// A node with its sample lists of trusted entities, sealed, on disk.
async fn node(clock: &Arc<ShiftedClock>) -> (tempfile::TempDir, Development) {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = clock.clone();
    let development = Development::open(folder.path(), URL, clock).await.unwrap();
    (folder, development)
}

/// What comes of a request with a WIA that says nothing: whoever is believed to be a
/// PID provider is told so.
async fn asked(
    provider: &WalletProvider,
    chain: &[Vec<u8>],
    signer: &dyn Signer,
    clock: &dyn Clock,
) -> Result<(), Error> {
    let request = RevocationRequest {
        wallet_provider: format!("{URL}/wallet-provider"),
        wia: "a.b.c".into(),
    };
    let signed = request.sign(chain, signer, clock).await.unwrap();
    provider.revoke_by_pid_provider(&signed).await.map(drop)
}

async fn asked_by(
    development: &Development,
    party: &Party,
    beside: &[&Party],
    clock: &dyn Clock,
) -> Result<(), Error> {
    let chain: Vec<Vec<u8>> = std::iter::once(party)
        .chain(beside.iter().copied())
        .map(|party| party.certificate.der().to_vec())
        .collect();
    let provider = development.node.provider().unwrap();
    asked(provider, &chain, party.signer.as_ref(), clock).await
}

fn problem(asked: Result<(), Error>) -> Problem {
    let error = asked.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

#[tokio::test]
async fn only_whom_the_list_of_pid_providers_names_is_one() {
    let clock = Arc::new(ShiftedClock::new());
    let (_folder, development) = node(&clock).await;
    let bed = &development.test_bed;
    let now = clock.as_ref();

    let one = asked_by(&development, &bed.pid_provider, &[], now).await;
    assert_eq!(
        problem(one),
        Problem::ShownWia,
        "it is one, and showed nothing"
    );

    for (who, other, beside) in [
        ("the wallet provider itself", &bed.wallet_provider, vec![]),
        ("its status lists' signer", &bed.wallet_status, vec![]),
        ("the lists' operator", &bed.operator, vec![]),
        ("an access certificate", &bed.access, vec![&bed.access_ca]),
        (
            "with a PID provider beside it",
            &bed.access,
            vec![&bed.pid_provider],
        ),
    ] {
        let refused = asked_by(&development, other, &beside, now).await;
        assert_eq!(problem(refused), Problem::PidProvider, "{who}");
    }
    development.node.close().await;
}

/// The subject of the listed certificate, in one that somebody else made.
#[tokio::test]
async fn a_lookalike_is_none() {
    let clock = Arc::new(ShiftedClock::new());
    let (_folder, development) = node(&clock).await;
    let listed = &development.test_bed.pid_provider.certificate;
    let key = TestKey::generate(Curve::P256);
    let (name, identifier) = ("Sample PID Provider GmbH", "NTRDE-HRB100002");
    let common_name = format!("{name}, person identification data");
    let request = Request::new(
        Profile::Pid,
        Subject::legal("DE", name, identifier, &common_name),
        Signer::public_key(&key).clone(),
        listed.not_before(),
        listed.not_after(),
    );
    let lookalike = pki::issue(&request, Issuer::Itself(&key)).await.unwrap();
    assert_eq!(lookalike.subject_der(), listed.subject_der());
    let provider = development.node.provider().unwrap();
    for chain in [
        vec![lookalike.der().to_vec()],
        vec![lookalike.der().to_vec(), listed.der().to_vec()],
    ] {
        let refused = asked(provider, &chain, &key, clock.as_ref()).await;
        assert_eq!(problem(refused), Problem::PidProvider);
    }
    development.node.close().await;
}

#[tokio::test]
async fn a_list_past_its_time_decides_nothing() {
    let clock = Arc::new(ShiftedClock::new());
    let (_folder, development) = node(&clock).await;
    clock.advance(SignedDuration::from_hours(24 * 160));
    let party = &development.test_bed.pid_provider;
    let asked = asked_by(&development, party, &[], clock.as_ref()).await;
    assert!(matches!(asked, Err(Error::Undecided(_))), "{asked:?}");
    development.node.close().await;
}
