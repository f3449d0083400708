//! From a device to an operational unit, and what is refused on the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use std::sync::Arc;

use claviger_fixtures::TestKey;
use house::{BASE, Device, House, Phone, jti};
use jose::{Curve, Signer};
use provider_api::*;
use wallet_provider::Error;

fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    let error = result.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

#[tokio::test]
async fn a_unit_is_installed_then_operational() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::installed(&house, &running, "mine").await;
    assert!(device.code.is_some(), "a new account's code is shown once");
    assert_eq!(
        device.view(&house, &running).await.state,
        UnitState::Installed
    );

    let caller = device
        .call(&house, &running, "/unit/activation", &Empty {})
        .await
        .unwrap();
    assert_eq!(
        problem(running.provider.complete_activation(&caller).await),
        Problem::NoFactor
    );

    house.wsca.register(device.unit);
    let id = jti();
    let caller = device
        .call_as(&house, &running, "/unit/activation", &Empty {}, &id)
        .await
        .unwrap();
    let answer = running.provider.complete_activation(&caller).await.unwrap();
    let view: UnitView = house.read(&answer, &id);
    assert_eq!(view.state, UnitState::Operational);
    let states: Vec<_> = view.history.iter().map(|entry| entry.state).collect();
    assert_eq!(states, [UnitState::Installed, UnitState::Operational]);
}

#[tokio::test]
async fn an_answer_is_believed_only_under_the_pinned_key_and_for_its_request() {
    let house = House::new();
    let running = house.start().await;
    let phone = Phone::new();
    let claims = phone.claims(&house, &running, "mine").await;
    let request = claims.sign(&phone.sign).await.unwrap();
    let answer = running.provider.begin_activation(&request).await.unwrap();
    let pinned = running.provider.view().answer_key;
    let now = clock::Clock::now(house.clock.as_ref());
    let read = |key: &jose::PublicKey, provider: &str, reply: &str| {
        SignedAnswer::<ActivationAnswer>::verify(&answer, key, provider, reply, now)
    };
    assert!(read(&pinned, BASE, &claims.challenge).is_ok());
    let other = TestKey::generate(Curve::P256);
    for refused in [
        read(Signer::public_key(&other), BASE, &claims.challenge),
        read(&pinned, "https://other.example", &claims.challenge),
        read(&pinned, BASE, "another challenge"),
    ] {
        assert!(refused.unwrap_err().names(&rules::ANSWER));
    }
}

#[tokio::test]
async fn a_challenge_is_answered_once() {
    let house = House::new();
    let running = house.start().await;
    let phone = Phone::new();
    let claims = phone.claims(&house, &running, "mine").await;
    phone.begin(&house, &running, &claims).await.unwrap();
    let again = phone.begin(&house, &running, &claims).await;
    assert_eq!(problem(again), Problem::ChallengeUnknown);

    // Nor by another phone, with another account.
    let other = Phone::new();
    let mut stolen = other.claims(&house, &running, "other").await;
    stolen.challenge = claims.challenge;
    let signing = Signer::public_key(&other.sign);
    let provider = running.provider.view().agreement_key;
    stolen.agreement_proof = agreement_proof(&other.agree, &provider, &stolen.challenge, signing)
        .await
        .unwrap();
    let refused = other.begin(&house, &running, &stolen).await;
    assert_eq!(problem(refused), Problem::ChallengeUnknown);
}

#[tokio::test]
async fn nothing_is_looked_at_under_a_challenge_that_does_not_wait() {
    let house = House::new();
    let running = house.start().await;
    let phone = Phone::new();
    let mut claims = phone.claims(&house, &running, "mine").await;
    // The proof is not for this challenge, and the evidence is none: that costs the
    // provider's key nothing, and nobody learns what its policy says of a device.
    claims.challenge = "made up".into();
    claims.evidence = Evidence::Android {
        signing: vec![],
        agreement: vec![],
        play: None,
    };
    let refused = phone.begin(&house, &running, &claims).await;
    assert_eq!(problem(refused), Problem::ChallengeUnknown);
}

#[tokio::test]
async fn of_two_answers_to_one_challenge_at_once_one_wins() {
    let house = House::new();
    let running = Arc::new(house.start().await);
    let challenge = running.provider.challenge().await.unwrap().challenge;
    let provider = running.provider.view().agreement_key;
    let mut tasks = Vec::new();
    for n in 0..8 {
        let phone = Phone::new();
        let mut claims = phone.claims(&house, &running, &format!("user {n}")).await;
        claims.challenge = challenge.clone();
        let signing = Signer::public_key(&phone.sign);
        claims.agreement_proof = agreement_proof(&phone.agree, &provider, &challenge, signing)
            .await
            .unwrap();
        let request = claims.sign(&phone.sign).await.unwrap();
        let running = running.clone();
        tasks.push(tokio::spawn(async move {
            running.provider.begin_activation(&request).await
        }));
    }
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            refused => assert_eq!(problem(refused), Problem::ChallengeUnknown),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn an_expired_challenge_is_refused() {
    let house = House::new();
    let running = house.start().await;
    let phone = Phone::new();
    let mut claims = phone.claims(&house, &running, "mine").await;
    house.pass(300);
    claims.iat += 300;
    let refused = phone.begin(&house, &running, &claims).await;
    assert_eq!(problem(refused), Problem::ChallengeExpired);
}

#[tokio::test]
async fn both_device_keys_must_prove_themselves() {
    let house = House::new();
    let running = house.start().await;
    let (phone, other) = (Phone::new(), Phone::new());

    // Someone else's agreement key, with this phone's proof.
    let mut claims = phone.claims(&house, &running, "mine").await;
    claims.agreement_key = Signer::public_key(&other.agree).clone();
    assert_eq!(
        problem(phone.begin(&house, &running, &claims).await),
        Problem::DeviceProof
    );

    // Someone else signs this phone's activation: the proof covers the signing key.
    let claims = phone.claims(&house, &running, "mine").await;
    assert_eq!(
        problem(other.begin(&house, &running, &claims).await),
        Problem::DeviceProof
    );

    // A proof for another challenge.
    let mut claims = phone.claims(&house, &running, "mine").await;
    claims.agreement_proof = phone.claims(&house, &running, "mine").await.agreement_proof;
    assert_eq!(
        problem(phone.begin(&house, &running, &claims).await),
        Problem::DeviceProof
    );

    // A signature that was changed on the way.
    let claims = phone.claims(&house, &running, "mine").await;
    let mut request = claims.sign(&phone.sign).await.unwrap();
    let other = claims.sign(&other.sign).await.unwrap();
    let (head, _) = request.activation.rsplit_once('.').unwrap();
    let (_, tail) = other.activation.rsplit_once('.').unwrap();
    request.activation = format!("{head}.{tail}");
    assert_eq!(
        problem(running.provider.begin_activation(&request).await),
        Problem::DeviceProof
    );

    // One key in both roles, and keys on another curve.
    let mut claims = phone.claims(&house, &running, "mine").await;
    claims.agreement_key = Signer::public_key(&phone.sign).clone();
    assert_eq!(
        problem(phone.begin(&house, &running, &claims).await),
        Problem::DeviceProof
    );
    let mut claims = phone.claims(&house, &running, "mine").await;
    claims.agreement_key = Signer::public_key(&TestKey::generate(Curve::P384)).clone();
    assert_eq!(
        problem(phone.begin(&house, &running, &claims).await),
        Problem::DeviceProof
    );
    assert!(house.wsca.state.lock().unwrap().units.is_empty());
}

#[tokio::test]
async fn an_activation_for_someone_else_or_of_another_time_is_refused() {
    let house = House::new();
    let running = house.start().await;
    let phone = Phone::new();
    type Change = fn(&mut ActivationClaims);
    let cases: [(Change, Problem); 10] = [
        (
            |c| c.aud = "https://other.example".into(),
            Problem::WrongBinding,
        ),
        (|c| c.iat -= 301, Problem::NotOfNow),
        (|c| c.iat += 61, Problem::NotOfNow),
        (|c| c.alias = "x".repeat(65), Problem::Alias),
        (|c| c.alias = String::new(), Problem::Alias),
        (|c| c.alias = "a\u{1}b".into(), Problem::Alias),
        (|c| c.wallet_version = "1".repeat(65), Problem::Malformed),
        (
            |c| c.wallet_version = "1\u{1b}[0m".into(),
            Problem::Malformed,
        ),
        (|c| c.alias = "m\0e".into(), Problem::Malformed),
        (
            |c| {
                c.evidence = Evidence::Android {
                    signing: vec![],
                    agreement: vec![],
                    play: None,
                }
            },
            Problem::Evidence,
        ),
    ];
    for (change, expected) in cases {
        let mut claims = phone.claims(&house, &running, "mine").await;
        change(&mut claims);
        assert_eq!(
            problem(phone.begin(&house, &running, &claims).await),
            expected
        );
    }
    let mut claims = phone.claims(&house, &running, "mine").await;
    claims.alias = "ä".repeat(64);
    phone.begin(&house, &running, &claims).await.unwrap();
}

#[tokio::test]
async fn without_evidence_only_development_goes() {
    let house = House::tuned(|config| config.accept_no_evidence = false);
    let running = house.start().await;
    let phone = Phone::new();
    let claims = phone.claims(&house, &running, "mine").await;
    assert_eq!(
        problem(phone.begin(&house, &running, &claims).await),
        Problem::Evidence
    );
}

#[tokio::test]
async fn what_is_no_activation_is_refused_by_its_form() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::installed(&house, &running, "mine").await;
    let other = device
        .request(&house, "/unit", b"{}", &jti())
        .sign(&device.phone.sign)
        .await;
    let long = "a".repeat(MAX_BODY + 1);
    for activation in ["", "a.b.c", &other.unwrap(), &long] {
        let request = ActivationRequest {
            activation: activation.to_owned(),
        };
        let refused = running.provider.begin_activation(&request).await;
        assert_eq!(problem(refused), Problem::Malformed);
    }
}

#[tokio::test]
async fn an_account_is_joined_by_its_code_alone() {
    let house = House::new();
    let running = house.start().await;
    let first = Device::installed(&house, &running, "mine").await;
    let code = first.code.clone().unwrap();

    for wrong in [
        None,
        Some("0000-0000-0000-0000-0000-0000-0000-0000".to_owned()),
    ] {
        let phone = Phone::new();
        let mut claims = phone.claims(&house, &running, "mine").await;
        claims.account_code = wrong;
        assert_eq!(
            problem(phone.begin(&house, &running, &claims).await),
            Problem::AccountCode
        );
    }
    // A code without an account makes none.
    let phone = Phone::new();
    let mut claims = phone.claims(&house, &running, "nobody").await;
    claims.account_code = Some(code.clone());
    assert_eq!(
        problem(phone.begin(&house, &running, &claims).await),
        Problem::AccountCode
    );

    let phone = Phone::new();
    let mut claims = phone.claims(&house, &running, "mine").await;
    claims.account_code = Some(code.clone());
    let second = phone.begin(&house, &running, &claims).await.unwrap();
    assert_eq!(second.account_code, None);
    let request = AccountRequest {
        alias: "mine".into(),
        code,
    };
    let units = running.provider.account_view(&request).await.unwrap().units;
    let units: std::collections::HashSet<_> = units.iter().map(|view| view.unit).collect();
    assert_eq!(units, [first.unit, second.unit].into());
}

#[tokio::test]
async fn a_lost_answer_can_be_asked_for_again_until_the_unit_is_operational() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::installed(&house, &running, "mine").await;
    let claims = device.phone.claims(&house, &running, "mine").await;
    let again = device.phone.begin(&house, &running, &claims).await.unwrap();
    assert_eq!(again.unit, device.unit);
    assert_ne!(again.account_code, device.code, "the lost code is replaced");
    let lost = AccountRequest {
        alias: "mine".into(),
        code: device.code.clone().unwrap(),
    };
    assert_eq!(
        problem(running.provider.account_view(&lost).await),
        Problem::AccountCode
    );

    // The same device under another alias is not the same unit.
    let claims = device.phone.claims(&house, &running, "other").await;
    assert_eq!(
        problem(device.phone.begin(&house, &running, &claims).await),
        Problem::DeviceKnown
    );

    house.wsca.register(device.unit);
    let caller = device
        .call(&house, &running, "/unit/activation", &Empty {})
        .await
        .unwrap();
    running.provider.complete_activation(&caller).await.unwrap();
    let mut claims = device.phone.claims(&house, &running, "mine").await;
    claims.account_code = again.account_code;
    assert_eq!(
        problem(device.phone.begin(&house, &running, &claims).await),
        Problem::DeviceKnown
    );
}

#[tokio::test]
async fn a_device_whose_activation_stopped_at_the_wsca_begins_again() {
    let house = House::new();
    let running = house.start().await;
    house.wsca.state.lock().unwrap().away = true;
    let phone = Phone::new();
    let claims = phone.claims(&house, &running, "mine").await;
    let failed = phone.begin(&house, &running, &claims).await;
    assert!(matches!(failed, Err(Error::Wsca(_))), "{failed:?}");
    house.wsca.state.lock().unwrap().away = false;
    let claims = phone.claims(&house, &running, "mine").await;
    let answer = phone.begin(&house, &running, &claims).await.unwrap();
    assert!(answer.account_code.is_some());
    assert_eq!(house.wsca.state.lock().unwrap().units[0].0, answer.unit);
}

#[tokio::test]
async fn a_request_is_for_one_purpose_once_now_by_the_units_key() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let other = Device::operational(&house, &running, "other").await;
    let provider = &running.provider;

    let unknown = Device {
        unit: sci::UnitId::random(),
        phone: Phone::new(),
        code: None,
    };
    let refused = unknown.call(&house, &running, "/unit", &Empty {}).await;
    assert_eq!(problem(refused), Problem::UnknownUnit);

    // Another unit's key, with its own kid and with this unit's.
    let mut forged = device.request(&house, "/unit", b"{}", &jti());
    let header = forged.sign(&other.phone.sign).await.unwrap();
    let refused = provider.authenticate(&header, "POST", "/unit", b"{}").await;
    assert_eq!(problem(refused), Problem::WrongDeviceKey);
    forged.iss = other.unit;
    let good = forged.sign(&other.phone.sign).await.unwrap();
    assert!(
        provider
            .authenticate(&good, "POST", "/unit", b"{}")
            .await
            .is_ok()
    );
    let (head, _) = header.rsplit_once('.').unwrap();
    let (_, tail) = good.rsplit_once('.').unwrap();
    let spliced = format!("{head}.{tail}");
    let refused = provider
        .authenticate(&spliced, "POST", "/unit", b"{}")
        .await;
    assert_eq!(problem(refused), Problem::WrongDeviceKey);

    // Taken elsewhere, with another body, at another time.
    let header = device
        .request(&house, "/unit", b"{}", &jti())
        .sign(&device.phone.sign)
        .await
        .unwrap();
    for (method, path, body) in [
        ("GET", "/unit", "{}"),
        ("POST", "/unit/ka", "{}"),
        ("POST", "/unit", "{ }"),
    ] {
        let refused = provider
            .authenticate(&header, method, path, body.as_bytes())
            .await;
        assert_eq!(problem(refused), Problem::WrongBinding);
    }
    let caller = provider
        .authenticate(&header, "POST", "/unit", b"{}")
        .await
        .unwrap();
    let twice = provider
        .authenticate(&header, "POST", "/unit", b"{}")
        .await
        .unwrap();
    provider.own_view(&caller).await.unwrap();
    assert_eq!(problem(provider.own_view(&twice).await), Problem::Replayed);
    house.pass(301);
    let refused = provider.authenticate(&header, "POST", "/unit", b"{}").await;
    assert_eq!(problem(refused), Problem::NotOfNow);

    for jti in ["short", &"x".repeat(65)] {
        let header = device
            .request(&house, "/unit", b"{}", jti)
            .sign(&device.phone.sign)
            .await
            .unwrap();
        let refused = provider.authenticate(&header, "POST", "/unit", b"{}").await;
        assert_eq!(problem(refused), Problem::Malformed);
    }
}

#[tokio::test]
async fn a_configuration_that_breaks_a_rule_is_refused_by_its_key() {
    type Change = fn(&mut wallet_provider::Config);
    let cases: [(Change, &str); 6] = [
        (
            |config| config.accept_uncertified_wsca = false,
            "accept_uncertified_wsca",
        ),
        (
            |config| config.wia_lifetime = jiff::SignedDuration::from_hours(24),
            "wia_lifetime",
        ),
        (|config| config.list_size = 9_992, "list_size"),
        (|config| config.status_url = "ftp://x".into(), "status_url"),
        (
            |config| config.max_check_age = config.wia_lifetime,
            "max_check_age",
        ),
        (
            |config| config.lower_limit = config.batch_size,
            "lower_limit",
        ),
    ];
    for (change, key) in cases {
        let house = House::tuned(change);
        let refused = house
            .try_start(Arc::new(house::DiskFull))
            .await
            .map(|_| ())
            .unwrap_err();
        assert_eq!(refused.key, key, "{refused}");
    }
}
