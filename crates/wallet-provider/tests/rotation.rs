//! Several generations of a key: what each signs, what is published of it, and what
//! happens at the switch and when a certificate ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use std::collections::BTreeSet;
use std::sync::Arc;

use claviger_fixtures::TestKey;
use clock::{Clock, ManualClock};
use house::{Device, House, Running, files, fresh_keys, jti, seal};
use jiff::Timestamp;
use jose::{Curve, PublicKey, Signer};
use provider_api::*;
use wallet_provider::{
    AnswerKeys, Error, Generation, Generations, KeyPurpose, KeySet, Keyring, LaterAnswerKey, Seals,
    Standing,
};

const DAY: i64 = 86_400;
const FROM: &str = "2026-01-01T00:00:00Z";
const TO: &str = "2028-01-01T00:00:00Z";

fn generation(purpose: KeyPurpose, number: u32, key: &Arc<TestKey>, to: &str) -> Generation {
    Generation::new(purpose, number, seal(key, FROM, to)).unwrap()
}

fn install(house: &House, generations: impl IntoIterator<Item = Generation>) {
    install_all(house, generations.into_iter().collect());
}

fn install_all(house: &House, generations: Generations) {
    let set = KeySet {
        generations,
        answers: AnswerKeys::first(house.answers.clone()),
    };
    house.keys.replace(set);
}

fn new_key(curve: Curve) -> Arc<TestKey> {
    Arc::new(TestKey::generate(curve))
}

fn public(key: &Arc<TestKey>) -> PublicKey {
    Signer::public_key(key.as_ref()).clone()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    let error = result.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

/// The key of the JWK set that an attestation's own certificate is of, and its `alg`.
fn published_key(running: &Running, token: &str) -> (PublicKey, String) {
    let parsed = jose::jws::parse(token, 1 << 20).unwrap();
    let own = parsed.header()["x5c"][0].clone();
    let jwks = running.provider.jwks();
    let jwk = jwks["keys"].as_array().unwrap().iter();
    let jwk = jwk.clone().find(|jwk| jwk["x5c"][0] == own);
    let jwk = jwk.unwrap_or_else(|| panic!("the key is not published: {jwks}"));
    let key = PublicKey::from_jwk(jwk).unwrap();
    assert_eq!(jwk["kid"], key.thumbprint_b64());
    assert_eq!(jwk["use"], "sig");
    assert_eq!(jwk["alg"], parsed.header()["alg"]);
    (key, jwk["alg"].as_str().unwrap().to_owned())
}

fn verify_wia(house: &House, running: &Running, token: &str) -> PublicKey {
    let (key, _) = published_key(running, token);
    let wia = wua::UnverifiedWia::parse(token, &wua::Limits::default()).unwrap();
    wia.verify(&wua::WiaCheck::new(&key, house.clock.now()))
        .unwrap();
    key
}

async fn wia(device: &Device, house: &House, running: &Running) -> Result<String, Error> {
    let key = TestKey::generate(Curve::P256);
    let answer = device.wia_with(house, running, &[&key], |_| {}).await?;
    Ok(answer.attestations[0].clone())
}

async fn ka(device: &Device, house: &House, running: &Running) -> Result<String, Error> {
    let nonce = device.nonce(house, running).await?;
    let statement = device.statement(house, &nonce, &fresh_keys(1)).await;
    let request = KaRequest {
        statement,
        ..KaRequest::default()
    };
    Ok(device.ka(house, running, &request).await?.attestations[0].clone())
}

/// ES256, ES384 and ES512, by the curve of the key that signs.
#[tokio::test]
async fn wia_and_ka_are_signed_with_the_algorithm_of_their_key() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    for (wia_curve, ka_curve) in [
        (Curve::P256, Curve::P384),
        (Curve::P384, Curve::P521),
        (Curve::P521, Curve::P256),
    ] {
        let (for_wia, for_ka) = (new_key(wia_curve), new_key(ka_curve));
        install(
            &house,
            vec![
                generation(KeyPurpose::Wia, 1, &for_wia, TO),
                generation(KeyPurpose::Ka, 1, &for_ka, TO),
                generation(KeyPurpose::Status, 1, &new_key(Curve::P384), TO),
            ],
        );
        let token = wia(&device, &house, &running).await.unwrap();
        assert_eq!(verify_wia(&house, &running, &token), public(&for_wia));
        let (_, alg) = published_key(&running, &token);
        assert_eq!(alg, wia_curve.algorithm().name());

        let token = ka(&device, &house, &running).await.unwrap();
        let (key, alg) = published_key(&running, &token);
        assert_eq!(
            (&key, alg.as_str()),
            (&public(&for_ka), ka_curve.algorithm().name())
        );
        let ka = wua::UnverifiedKa::parse(&token, &wua::Limits::default()).unwrap();
        ka.verify(&wua::KaCheck::new(&key, house.clock.now()))
            .unwrap();
    }
}

/// Many ask while the clock passes the switch. Nobody is turned away, and all that was
/// given verifies under what is published then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_under_load_loses_nothing() {
    let house = Arc::new(House::new());
    let running = Arc::new(house.start().await);
    let (first, second) = (new_key(Curve::P256), new_key(Curve::P384));
    let status = new_key(Curve::P256);
    let switch = house.clock.now() + jiff::SignedDuration::from_secs(60);
    // Made once: a second certificate of the same key would not be the one that is in
    // what was signed before.
    let generations: Generations = [
        generation(KeyPurpose::Attestations, 1, &first, TO),
        generation(KeyPurpose::Attestations, 2, &second, TO).starting(switch),
        generation(KeyPurpose::Status, 1, &status, TO),
    ]
    .into_iter()
    .collect();
    install_all(&house, generations.clone());
    let mut devices = Vec::new();
    for number in 0..4 {
        devices.push(Device::operational(&house, &running, &format!("user {number}")).await);
    }
    let workers: Vec<_> = devices
        .into_iter()
        .map(|device| {
            let (house, running) = (Arc::clone(&house), Arc::clone(&running));
            tokio::spawn(async move {
                let mut tokens = Vec::new();
                for _ in 0..24 {
                    tokens.push(wia(&device, &house, &running).await.unwrap());
                    house.pass(1);
                }
                tokens
            })
        })
        .collect();
    // Keys are read again meanwhile, as they are when somebody installs one.
    for _ in 0..20 {
        install_all(&house, generations.clone());
        tokio::task::yield_now().await;
    }
    let mut signers = BTreeSet::new();
    for worker in workers {
        let tokens = worker.await.unwrap();
        assert_eq!(tokens.len(), 24);
        for token in tokens {
            signers.insert(verify_wia(&house, &running, &token).thumbprint());
        }
    }
    assert_eq!(
        signers,
        BTreeSet::from([public(&first).thumbprint(), public(&second).thumbprint()])
    );
}

/// Two nodes whose clocks are two hours apart, on the same keys: one has switched, one
/// has not. What either gives verifies under what the other publishes.
#[tokio::test]
async fn nodes_whose_clocks_differ_agree_around_the_switch() {
    let house = House::new();
    let (first, second) = (new_key(Curve::P256), new_key(Curve::P256));
    let switch = house.clock.now() + jiff::SignedDuration::from_hours(1);
    install(
        &house,
        vec![
            generation(KeyPurpose::Attestations, 1, &first, TO),
            generation(KeyPurpose::Attestations, 2, &second, TO).starting(switch),
            generation(KeyPurpose::Status, 1, &new_key(Curve::P256), TO),
        ],
    );
    let running = house.start().await;
    let signs = |now| public_of(&house.keys, now);
    let device = Device::operational(&house, &running, "mine").await;
    let slow = wia(&device, &house, &running).await.unwrap();
    house.pass(2 * 3600);
    let fast = wia(&device, &house, &running).await.unwrap();
    assert_eq!(
        signs(switch - jiff::SignedDuration::from_secs(1)),
        public(&first)
    );
    assert_eq!(signs(switch), public(&second));
    // Under the fast clock's key set, and under the slow one's.
    for pass in [0, -2 * 3600] {
        house.pass(pass);
        let keys: Vec<PublicKey> = [&slow, &fast]
            .map(|token| published_key(&running, token).0)
            .into();
        assert_eq!(keys, [public(&first), public(&second)]);
    }
}

fn public_of(keys: &Keyring, now: Timestamp) -> PublicKey {
    let generation = keys.seal(Seals::Wia, now).unwrap();
    generation.seal().signer.public_key().clone()
}

/// A revocation that an older store has forgotten is still read from the list that an
/// earlier key sealed; from one that a compromised key sealed, nothing is.
#[tokio::test]
async fn a_list_of_an_earlier_key_is_ones_own_and_of_a_compromised_one_is_not() {
    for compromised in [false, true] {
        let house = House::new();
        let (first, second) = (new_key(Curve::P256), new_key(Curve::P521));
        let attestations = || generation(KeyPurpose::Attestations, 1, &house.seal, TO);
        let old = generation(KeyPurpose::Status, 1, &first, TO);
        install(&house, vec![attestations(), old]);
        let running = house.start().await;
        let device = Device::operational(&house, &running, "mine").await;
        let wia = device.fresh_wia(&house, &running, 1).await.unwrap();
        let reference = &wia[0].status.reference;

        // The list says that all are revoked, and the store does not know.
        let list_file = house
            .folder
            .join("lists")
            .join(&files(&house.folder.join("lists"))[0]);
        let mut list = status_list::StatusList::new(status_list::Bits::One, 10_000).unwrap();
        list.set(reference.idx, status_list::Status::INVALID)
            .unwrap();
        let token = status_list::StatusListToken::new(&reference.uri, house.clock.now(), list);
        let chain = seal(&first, FROM, TO).chain;
        std::fs::write(
            &list_file,
            token.sign(&chain, first.as_ref()).await.unwrap(),
        )
        .unwrap();

        let mut generations = vec![
            attestations(),
            generation(KeyPurpose::Status, 2, &second, TO).starting(house.clock.now()),
        ];
        if !compromised {
            generations.push(generation(KeyPurpose::Status, 1, &first, TO));
        }
        install(&house, generations);
        house.pass(DAY);
        assert_eq!(running.provider.publish_changed().await.unwrap(), 1);
        let token = std::fs::read(&list_file).unwrap();
        let list =
            status_list::UnverifiedStatusList::parse(&token, &status_list::Limits::default());
        let key = public(&second);
        let check = status_list::StatusListCheck::new(&reference.uri, &key, house.clock.now());
        let list = list.unwrap().verify(&check).unwrap();
        assert_eq!(list.status(reference).unwrap().is_valid(), compromised);
    }
}

/// A compromised key's lists do not stay until they fall due: they are signed anew by
/// the next round, and by that alone.
#[tokio::test]
async fn what_a_compromised_key_signed_is_replaced_at_once() {
    let house = House::new();
    let (first, second) = (new_key(Curve::P256), new_key(Curve::P256));
    let sealed = || generation(KeyPurpose::Attestations, 1, &house.seal, TO);
    let old = || generation(KeyPurpose::Status, 1, &first, TO);
    let new = || generation(KeyPurpose::Status, 2, &second, TO).starting(house.clock.now());
    install(&house, [sealed(), old()]);
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let wia = device.fresh_wia(&house, &running, 1).await.unwrap();
    let reference = &wia[0].status.reference;
    let folder = house.folder.join("lists");
    let published = || {
        let mut names = files(&folder);
        names.sort();
        let read = names
            .iter()
            .map(|name| std::fs::read(folder.join(name)).unwrap());
        read.collect::<Vec<_>>()
    };
    running.provider.recover().await.unwrap();
    let before = published();

    // Retired, its lists are the provider's own until they fall due.
    install(&house, [sealed(), old(), new()]);
    running.provider.recover().await.unwrap();
    assert_eq!(published(), before);

    install(&house, [sealed(), new()]);
    running.provider.recover().await.unwrap();
    let after = published();
    assert_eq!(after.len(), before.len());
    let same = after.iter().filter(|token| before.contains(token)).count();
    assert_eq!(same, 0, "a list of the compromised key is left");
    let list = status_list::UnverifiedStatusList::parse(&after[0], &Default::default()).unwrap();
    let key = public(&second);
    let check = status_list::StatusListCheck::new(&reference.uri, &key, house.clock.now());
    assert!(
        list.verify(&check)
            .unwrap()
            .status(reference)
            .unwrap()
            .is_valid()
    );

    running.provider.recover().await.unwrap();
    assert_eq!(published(), after);
}

/// Under an ended certificate nothing is signed; what was refused is not lost.
#[tokio::test]
async fn an_ended_certificate_stops_issuance_and_nothing_that_was_acknowledged() {
    let house = House::new();
    let ends = "2026-11-30T00:00:00Z";
    let key = new_key(Curve::P256);
    let status = new_key(Curve::P256);
    let statuses = || generation(KeyPurpose::Status, 1, &status, ends);
    install(
        &house,
        vec![
            generation(KeyPurpose::Attestations, 1, &key, ends),
            statuses(),
        ],
    );
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;

    // A KA would last for 30 days; it ends with its certificate.
    let token = ka(&device, &house, &running).await.unwrap();
    let claims = jose::jws::parse(&token, 1 << 20).unwrap().claims().unwrap();
    assert_eq!(claims["exp"], at(ends).as_second());

    house.clock.set(at(ends));
    assert_eq!(
        problem(wia(&device, &house, &running).await),
        Problem::NoCertificate
    );
    assert_eq!(
        problem(ka(&device, &house, &running).await),
        Problem::NoCertificate
    );
    let standing: Vec<Standing> = running
        .provider
        .certificates()
        .iter()
        .map(|state| state.standing)
        .collect();
    assert_eq!(standing, [Standing::Ended, Standing::Ended]);

    // A revocation is acknowledged; its list waits for a certificate.
    let reason = RevocationReason::Security;
    let revoked = running
        .provider
        .revoke_by_operator(device.unit, reason)
        .await;
    assert_eq!(revoked.unwrap().state, UnitState::Revoked);
    assert_eq!(
        problem(running.provider.publish_changed().await),
        Problem::NoCertificate
    );

    let (new, new_status) = (new_key(Curve::P384), new_key(Curve::P384));
    install(
        &house,
        vec![
            generation(KeyPurpose::Attestations, 1, &key, ends),
            generation(KeyPurpose::Attestations, 2, &new, TO),
            statuses(),
            generation(KeyPurpose::Status, 2, &new_status, TO),
        ],
    );
    assert!(running.provider.publish_changed().await.unwrap() >= 1);
    let other = Device::operational(&house, &running, "other").await;
    let token = wia(&other, &house, &running).await.unwrap();
    assert_eq!(verify_wia(&house, &running, &token), public(&new));
}

/// The answers change their key at its start; who pinned the first follows.
#[tokio::test]
async fn answers_are_handed_over() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let next = new_key(Curve::P384);
    let starts = house.clock.now() + jiff::SignedDuration::from_hours(48);
    let handover = Handover {
        iss: house::BASE.into(),
        iat: house.clock.now_seconds(),
        answer_key: public(&next),
        starts: starts.as_second(),
    };
    let later = LaterAnswerKey {
        signer: next.clone(),
        starts,
        handover: handover.sign(house.answers.as_ref()).await.unwrap(),
    };
    let mut set = KeySet {
        generations: house.keys.generations(),
        answers: AnswerKeys::first(house.answers.clone()),
    };
    set.answers = set.answers.then([later]);
    house.keys.replace(set);

    let own = public(&house.answers);
    let (clock, provider): (&ManualClock, _) = (&house.clock, &running.provider);
    for (now, signs) in [
        (starts - jiff::SignedDuration::from_secs(1), &own),
        (starts, &public(&next)),
    ] {
        clock.set(now);
        let view = provider.view();
        assert_eq!(&view.answer_key, signs);
        let pinned = PinnedKeys::follow(own.clone(), &view.answer_key_handovers, house::BASE);
        let pinned = pinned.unwrap();
        let jti = jti();
        let caller = device
            .call_as(&house, &running, "/unit", &Empty {}, &jti)
            .await
            .unwrap();
        let answer = provider.own_view(&caller).await.unwrap();
        let kid = jose::jws::parse(&answer, 1 << 20).unwrap().header()["kid"].clone();
        let key = pinned.at(kid.as_str().unwrap(), now).unwrap();
        assert_eq!(key, signs);
        let view: UnitView = SignedAnswer::verify(&answer, key, house::BASE, &jti, now).unwrap();
        assert_eq!(view.unit, device.unit);
    }
}
