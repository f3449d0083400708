//! A PID provider whose user died has the unit revoked; nobody else does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use std::sync::atomic::Ordering;

use claviger_fixtures::TestKey;
use house::{Device, House, PidDesk, Running, read_wia};
use jose::{Curve, Signer, b64};
use provider_api::*;
use wallet_provider::Error;
use wallet_provider::reference::{ReferenceProfile, Vouched};

const DAY: i64 = 86_400;

async fn listed(house: &House, name: &str) -> PidDesk {
    let desk = PidDesk::new(name, pki::Profile::Pid).await;
    house.lists.add(&desk, name);
    desk
}

async fn ask(running: &Running, request: &PidRevocationRequest) -> Result<(), Error> {
    running
        .provider
        .revoke_by_pid_provider(request)
        .await
        .map(drop)
}

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    let error = result.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

#[tokio::test]
async fn a_listed_pid_provider_has_the_unit_of_its_dead_user_revoked() {
    for house in House::on_each() {
        let running = house.start().await;
        let device = Device::operational(&house, &running, "mine").await;
        let other = Device::operational(&house, &running, "other").await;
        let wia = device.shown_wia(&house, &running).await;
        let later = device
            .fresh_wia(&house, &running, 1)
            .await
            .unwrap()
            .remove(0);
        let theirs = other
            .fresh_wia(&house, &running, 1)
            .await
            .unwrap()
            .remove(0);
        let desk = listed(&house, "PID Provider One").await;

        // Long after: the WIA has expired, and its status is still maintained.
        house.pass(20 * DAY);
        let request = desk.sign(&desk.claims(&house, &wia)).await;
        ask(&running, &request).await.unwrap();

        let view = running.provider.unit_view(device.unit).await.unwrap();
        let last = view.history.last().unwrap();
        assert_eq!(
            (view.state, last.by, last.reason, last.name.as_deref()),
            (
                UnitState::Revoked,
                Some(Revoker::PidProvider),
                Some(RevocationReason::Death),
                Some("PID Provider One")
            )
        );
        assert!(house.revoked(&later.status.reference), "every entry is set");
        assert!(
            !house.revoked(&theirs.status.reference),
            "and nobody else's"
        );
        assert!(
            house
                .wsca
                .state
                .lock()
                .unwrap()
                .frozen
                .contains(&device.unit)
        );
    }
}

/// What the reference's interface issued belongs to no unit, and is revoked all the same.
#[tokio::test]
async fn a_wia_that_belongs_to_no_unit_is_revoked_too() {
    for mut house in House::on_each() {
        house.tune = |config| {
            config.reference = Some(ReferenceProfile {
                wallet_version: "1".into(),
            });
        };
        let running = house.start().await;
        let issue = async || {
            let key = TestKey::generate(Curve::P256);
            let keys = reference::JwkSet {
                keys: vec![Signer::public_key(&key).to_jwk()],
            };
            let vouched = Vouched::Nothing(&keys);
            let options = <_>::default();
            let wia = running.provider.reference_wia(vouched, &options).await;
            wia.unwrap()
        };
        let (shown, other) = (issue().await, issue().await);
        let place = |wia: &str| read_wia(&house, wia).status.reference;
        let desk = listed(&house, "PID Provider").await;
        // Twice: the answer is the same.
        for _ in 0..2 {
            let request = desk.sign(&desk.claims(&house, &shown)).await;
            ask(&running, &request).await.unwrap();
            assert!(house.revoked(&place(&shown)));
        }
        assert!(!house.revoked(&place(&other)));
    }
}

/// Everyone who is not a listed PID provider, and every request that is not one.
#[tokio::test]
async fn what_is_forged_is_refused_for_its_true_reason() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let wia = device.shown_wia(&house, &running).await;
    let desk = listed(&house, "PID Provider").await;
    let good = desk.claims(&house, &wia);

    let stranger = PidDesk::new("Stranger", pki::Profile::Pid).await;
    let lookalike = PidDesk::new("PID Provider", pki::Profile::Pid).await;
    let wallet = PidDesk::new("Wallet Provider", pki::Profile::Wallet).await;
    for someone in [&stranger, &lookalike, &wallet] {
        let request = someone.sign(&good).await;
        assert_eq!(problem(ask(&running, &request).await), Problem::PidProvider);
    }
    // The listed certificate, and somebody else's signature.
    let chain = [desk.certificate.der().to_vec()];
    let request = PidRevocationRequest {
        request: good.sign(&chain, &stranger.key).await.unwrap(),
    };
    assert_eq!(problem(ask(&running, &request).await), Problem::PidProvider);

    let cases: Vec<(Problem, PidRevocationClaims)> = vec![
        (
            Problem::WrongBinding,
            PidRevocationClaims {
                aud: "https://another.example".into(),
                ..good.clone()
            },
        ),
        (
            Problem::NotOfNow,
            PidRevocationClaims {
                iat: good.iat - 301,
                ..good.clone()
            },
        ),
        (
            Problem::NotOfNow,
            PidRevocationClaims {
                iat: good.iat + 61,
                ..good.clone()
            },
        ),
        (
            Problem::Malformed,
            PidRevocationClaims {
                jti: "short".into(),
                ..good.clone()
            },
        ),
        (
            Problem::NotOffered,
            PidRevocationClaims {
                reason: RevocationReason::Security,
                ..good.clone()
            },
        ),
        (
            Problem::ShownWia,
            PidRevocationClaims {
                wia: altered(&wia),
                ..good.clone()
            },
        ),
        (
            Problem::ShownWia,
            PidRevocationClaims {
                wia: foreign(&wia).await,
                ..good.clone()
            },
        ),
        (
            Problem::ShownWia,
            PidRevocationClaims {
                wia: String::new(),
                ..good.clone()
            },
        ),
    ];
    for (expected, claims) in cases {
        let request = desk.sign(&claims).await;
        assert_eq!(
            problem(ask(&running, &request).await),
            expected,
            "{claims:?}"
        );
    }
    for text in [
        String::new(),
        "a.b.c".into(),
        "x".repeat(2 * MAX_PID_REVOCATION),
        retyped(&desk, &good).await,
    ] {
        let request = PidRevocationRequest { request: text };
        assert_eq!(problem(ask(&running, &request).await), Problem::Malformed);
    }
    assert_eq!(
        device.view(&house, &running).await.state,
        UnitState::Operational
    );
    // None of them spent the identifier.
    ask(&running, &desk.sign(&good).await).await.unwrap();
}

/// The WIA with another index, under the same signature.
fn altered(wia: &str) -> String {
    let mut parts: Vec<String> = wia.split('.').map(str::to_owned).collect();
    let claims = String::from_utf8(b64::decode(&parts[1]).unwrap()).unwrap();
    let mut claims: serde_json::Value = serde_json::from_str(&claims).unwrap();
    claims["client_status"]["status"]["status_list"]["idx"] = 1.into();
    parts[1] = b64::encode(claims.to_string());
    parts.join(".")
}

/// The same claims in a WIA that another wallet provider made.
async fn foreign(wia: &str) -> String {
    let key = TestKey::generate(Curve::P256);
    let token = jose::jws::parse(wia, 1 << 16).unwrap();
    let mut header = token.header().clone();
    header.insert("alg".into(), "ES256".into());
    jose::jws::sign(header, token.payload(), &key)
        .await
        .unwrap()
}

/// The claims in a token of another type.
async fn retyped(desk: &PidDesk, claims: &PidRevocationClaims) -> String {
    let chain = [desk.certificate.der().to_vec()];
    let token = claims.sign(&chain, &desk.key).await.unwrap();
    let token = jose::jws::parse(&token, 1 << 17).unwrap();
    let mut header = token.header().clone();
    header.insert("typ".into(), "JWT".into());
    jose::jws::sign(header, token.payload(), &desk.key)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_request_is_taken_once_even_by_two_nodes_at_once() {
    for house in House::on_each() {
        let (one, two) = (house.start().await, house.start().await);
        let device = Device::operational(&house, &one, "mine").await;
        let wia = device.shown_wia(&house, &one).await;
        let desk = listed(&house, "PID Provider").await;
        let request = desk.sign(&desk.claims(&house, &wia)).await;
        let (first, second) = tokio::join!(ask(&one, &request), ask(&two, &request));
        let refused = match (first, second) {
            (Ok(()), refused) | (refused, Ok(())) => refused,
            both => panic!("{both:?}"),
        };
        assert_eq!(problem(refused), Problem::Replayed);
        // Forgotten, it is too old to be taken.
        house.pass(2 * DAY);
        one.provider.purge().await.unwrap();
        assert_eq!(problem(ask(&one, &request).await), Problem::NotOfNow);
    }
}

/// What a PID provider is told does not depend on what became of the unit.
#[tokio::test]
async fn operational_revoked_and_forgotten_units_get_one_answer() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let wia = device.shown_wia(&house, &running).await;
    let desk = listed(&house, "PID Provider").await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = desk.sign(&desk.claims(&house, &wia)).await;
        answers.push(
            running
                .provider
                .revoke_by_pid_provider(&request)
                .await
                .unwrap(),
        );
    }
    // The reference is gone, and the WIA says that it is maintained.
    running.sql("DELETE FROM status_entry").await;
    let request = desk.sign(&desk.claims(&house, &wia)).await;
    answers.push(
        running
            .provider
            .revoke_by_pid_provider(&request)
            .await
            .unwrap(),
    );
    assert!(
        answers.windows(2).all(|two| two[0] == two[1]),
        "{answers:?}"
    );

    // What ended tells so itself.
    house.pass(60 * DAY);
    let request = desk.sign(&desk.claims(&house, &wia)).await;
    assert_eq!(problem(ask(&running, &request).await), Problem::ShownWia);
}

#[tokio::test]
async fn lists_that_cannot_decide_are_no_refusal() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let wia = device.shown_wia(&house, &running).await;
    let desk = listed(&house, "PID Provider").await;
    house.lists.stale.store(true, Ordering::SeqCst);
    let request = desk.sign(&desk.claims(&house, &wia)).await;
    let undecided = ask(&running, &request).await;
    assert!(
        matches!(undecided, Err(Error::Undecided(_))),
        "{undecided:?}"
    );
    house.lists.stale.store(false, Ordering::SeqCst);
    ask(&running, &request).await.unwrap();
}

#[tokio::test]
async fn each_pid_provider_has_its_own_rate_over_all_nodes() {
    for house in House::on_each_tuned(|config| config.pid_provider_requests = 3) {
        let (one, two) = (house.start().await, house.start().await);
        let device = Device::operational(&house, &one, "mine").await;
        let wia = device.shown_wia(&house, &one).await;
        let desk = listed(&house, "Busy").await;
        let other = listed(&house, "Other").await;
        for (n, node) in [&one, &two, &one, &two].into_iter().enumerate() {
            let asked = ask(node, &desk.sign(&desk.claims(&house, &wia)).await).await;
            match n {
                3 => assert_eq!(problem(asked), Problem::TooMany),
                _ => asked.unwrap(),
            }
        }
        ask(&one, &other.sign(&other.claims(&house, &wia)).await)
            .await
            .unwrap();
        // Two nodes at once are not both the last one.
        let crowd = listed(&house, "Crowd").await;
        let mut requests = Vec::new();
        for _ in 0..6 {
            requests.push(crowd.sign(&crowd.claims(&house, &wia)).await);
        }
        let (a, b, c, d, e, f) = tokio::join!(
            ask(&one, &requests[0]),
            ask(&two, &requests[1]),
            ask(&one, &requests[2]),
            ask(&two, &requests[3]),
            ask(&one, &requests[4]),
            ask(&two, &requests[5]),
        );
        let taken = [a, b, c, d, e, f].into_iter().filter(Result::is_ok);
        assert_eq!(taken.count(), 3);
        // A second certificate of the same entity shares its rate.
        let second = listed(&house, "Busy").await;
        let asked = ask(&one, &second.sign(&second.claims(&house, &wia)).await).await;
        assert_eq!(problem(asked), Problem::TooMany);
        house.pass(302);
        ask(&two, &desk.sign(&desk.claims(&house, &wia)).await)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn no_attestation_leaves_after_the_acknowledgement() {
    for _ in 0..5 {
        let house = House::new();
        let running = house.start().await;
        let device = Device::operational(&house, &running, "mine").await;
        let wia = device.shown_wia(&house, &running).await;
        let desk = listed(&house, "PID Provider").await;
        let request = desk.sign(&desk.claims(&house, &wia)).await;
        let (issued, asked) = tokio::join!(
            device.fresh_wia(&house, &running, 3),
            ask(&running, &request)
        );
        asked.unwrap();
        match issued {
            Ok(wias) => assert!(wias.iter().all(|wia| house.revoked(&wia.status.reference))),
            refused => assert_eq!(problem(refused), Problem::UnitRevoked),
        }
        assert_eq!(
            problem(device.fresh_wia(&house, &running, 1).await),
            Problem::UnitRevoked
        );
    }
}

/// A request that was recorded once, for whoever makes or reads such requests. It is
/// made anew with `CLAVIGER_BLESS`.
#[tokio::test]
async fn the_recorded_request_reads_as_it_did() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../provider-api/tests/vectors/pid-revocation.json");
    if std::env::var_os("CLAVIGER_BLESS").is_some() {
        record(&path).await;
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let vector: serde_json::Value = serde_json::from_str(&text).unwrap();
    let word = |name: &str| vector[name].as_str().unwrap();
    let at = word("at").parse().unwrap();
    let chain = b64::decode_std(word("certificate")).unwrap();
    let leaf = pki::Certificate::from_der(&chain).unwrap();
    let request = UnverifiedPidRevocation::parse(word("request")).unwrap();
    assert_eq!(request.x5c(), [chain]);
    let key = leaf.public_key().unwrap();
    let read = request.verify(&key, word("wallet_provider"), at).unwrap();
    let claims: PidRevocationClaims = serde_json::from_value(vector["claims"].clone()).unwrap();
    assert_eq!(
        (&read.jti, read.reason, &read.wia),
        (&claims.jti, claims.reason, &claims.wia)
    );
    let signer = jose::PublicKey::from_jwk(&vector["wallet_provider_key"]).unwrap();
    let wia = wua::UnverifiedWia::parse(&read.wia, &wua::Limits::default()).unwrap();
    let wia = wia.verify(&wua::WiaCheck::new(&signer, at)).unwrap();
    let reference = &wia.claims().status.reference;
    assert_eq!(reference.uri, vector["status"]["uri"]);
    assert_eq!(reference.idx, vector["status"]["idx"]);
}

async fn record(path: &std::path::Path) {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let wia = device.shown_wia(&house, &running).await;
    let desk = PidDesk::new("PID Provider", pki::Profile::Pid).await;
    let claims = desk.claims(&house, &wia);
    let reference = house::read_wia(&house, &wia).status.reference;
    let vector = serde_json::json!({
        "at": clock::Clock::now(house.clock.as_ref()).to_string(),
        "wallet_provider": house::BASE,
        "wallet_provider_key": Signer::public_key(house.seal.as_ref()).to_jwk(),
        "certificate": b64::encode_std(desk.certificate.der()),
        "claims": claims,
        "status": { "uri": reference.uri, "idx": reference.idx },
        "request": desk.sign(&claims).await.request,
    });
    let text = format!("{}\n", serde_json::to_string_pretty(&vector).unwrap());
    std::fs::write(path, text).unwrap();
}
