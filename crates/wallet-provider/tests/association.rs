//! Keys that belong together: stated for what the WSCA proved, and for nothing else
//! (ARF ACP_01, ACP_05).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use clock::Clock;
use house::{Device, House, Running, fresh_keys, jti};
use jiff::SignedDuration;
use jose::{PublicKey, Signer};
use provider_api::*;
use wallet_provider::Error;
use wua::{Association, AssociationCheck, Limits, UnverifiedAssociation};

const ISSUER: &str = "https://issuer.example";
const C_NONCE: &str = "what the issuer gave";

async fn associate(
    device: &Device,
    house: &House,
    running: &Running,
    request: &AssociationRequest,
) -> Result<String, Error> {
    let jti = jti();
    let caller = device
        .call_as(house, running, "/unit/association", request, &jti)
        .await?;
    let answer = running.provider.associate(&caller, request).await?;
    Ok(house.read::<AssociationAnswer>(&answer, &jti).association)
}

async fn request(
    device: &Device,
    house: &House,
    running: &Running,
    keys: &[PublicKey],
) -> AssociationRequest {
    let nonce = device.nonce(house, running).await.unwrap();
    let claims = device.claims(house, &nonce, keys);
    AssociationRequest {
        statement: house.wsca.state_for_association(claims).await,
        audience: ISSUER.into(),
        nonce: C_NONCE.into(),
    }
}

fn read<'a>(
    house: &House,
    text: &str,
    change: impl FnOnce(&mut AssociationCheck<'a>),
    keys: &'a [PublicKey],
) -> Result<Association, finding::Refusal> {
    let key = Signer::public_key(house.seal.as_ref()).clone();
    let token = UnverifiedAssociation::parse(text, &Limits::default())?;
    assert!(
        !token.x5c().is_empty(),
        "its signer can be looked for on the list"
    );
    let key: &'static PublicKey = Box::leak(Box::new(key));
    let mut check = AssociationCheck {
        signer_key: key,
        audience: ISSUER,
        nonce: C_NONCE,
        keys,
        at: house.clock.now(),
        skew: SignedDuration::from_secs(30),
    };
    change(&mut check);
    token.verify(&check)
}

#[track_caller]
fn rule<T: std::fmt::Debug>(result: Result<T, finding::Refusal>, rule: &finding::Rule) {
    let refusal = result.unwrap_err();
    assert!(refusal.names(rule), "{refusal}");
}

#[track_caller]
fn problem<T: std::fmt::Debug>(result: Result<T, Error>) -> Problem {
    let error = result.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

#[tokio::test]
async fn keys_of_one_session_belong_together_for_one_reader() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let keys = fresh_keys(3);
    let asked = request(&device, &house, &running, &keys).await;
    let text = associate(&device, &house, &running, &asked).await.unwrap();
    let found = read(&house, &text, |_| {}, &keys).unwrap();
    let thumbprints: Vec<String> = keys.iter().map(PublicKey::thumbprint_b64).collect();
    assert_eq!(found.keys, thumbprints);
    assert_eq!(read(&house, &text, |_| {}, &keys[1..]).unwrap(), found);

    use wua::rules as r;
    rule(
        read(
            &house,
            &text,
            |c| c.audience = "https://other.example",
            &keys,
        ),
        &r::ASSOC_AUD,
    );
    rule(
        read(&house, &text, |c| c.nonce = "another", &keys),
        &r::ASSOC_NONCE,
    );
    rule(
        read(&house, &text, |_| {}, &fresh_keys(1).leak()[..]),
        &r::ASSOC_KEYS,
    );
    rule(
        read(
            &house,
            &text,
            |c| c.at += SignedDuration::from_secs(331),
            &keys,
        ),
        &r::ASSOC_TIMES,
    );
    rule(
        read(
            &house,
            &text,
            |c| c.at -= SignedDuration::from_secs(31),
            &keys,
        ),
        &r::ASSOC_TIMES,
    );
    let stranger: &'static [PublicKey] = fresh_keys(1).leak();
    rule(
        read(&house, &text, |c| c.signer_key = &stranger[0], &keys),
        &r::ASSOC_SIGNATURE,
    );
    // It is no KA, and a KA is no association.
    assert!(wua::UnverifiedKa::parse(&text, &Limits::default()).is_err());
    let nonce = device.nonce(&house, &running).await.unwrap();
    let for_a_ka = KaRequest {
        statement: device.statement(&house, &nonce, &keys).await,
        ..KaRequest::default()
    };
    let ka = device.ka(&house, &running, &for_a_ka).await.unwrap();
    let ka = ka.attestations[0].clone();
    let refused = UnverifiedAssociation::parse(&ka, &Limits::default());
    rule(refused, &r::ASSOC_TYP);
}

/// A key that is in a KA can be associated, and an associated one gets its KA: neither
/// statement does for the other.
#[tokio::test]
async fn one_statement_does_not_do_for_the_other() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let keys = fresh_keys(2);
    let mut asked = request(&device, &house, &running, &keys).await;
    let for_a_ka = KaRequest {
        statement: asked.statement.clone(),
        ..KaRequest::default()
    };
    let refused = device.ka(&house, &running, &for_a_ka).await;
    assert_eq!(problem(refused), Problem::Statement);
    let nonce = device.nonce(&house, &running).await.unwrap();
    asked.statement = device.statement(&house, &nonce, &keys).await;
    let refused = associate(&device, &house, &running, &asked).await;
    assert_eq!(problem(refused), Problem::Statement);
}

#[tokio::test]
async fn what_the_wsca_did_not_prove_for_this_unit_is_not_stated() {
    let house = House::new();
    let running = house.start().await;
    let device = Device::operational(&house, &running, "mine").await;
    let other = Device::operational(&house, &running, "other").await;
    let keys = fresh_keys(2);

    // One key alone, another unit's keys, another device's session.
    let one = request(&device, &house, &running, &keys[..1]).await;
    assert_eq!(
        problem(associate(&device, &house, &running, &one).await),
        Problem::Statement
    );
    let theirs = request(&other, &house, &running, &keys).await;
    assert_eq!(
        problem(associate(&device, &house, &running, &theirs).await),
        Problem::Statement
    );
    let nonce = device.nonce(&house, &running).await.unwrap();
    let mut claims = device.claims(&house, &nonce, &keys);
    claims.device = "another".into();
    let stolen = AssociationRequest {
        statement: house.wsca.state_for_association(claims).await,
        ..theirs.clone()
    };
    assert_eq!(
        problem(associate(&device, &house, &running, &stolen).await),
        Problem::Statement
    );

    // Twice, on one nonce; and too long, or empty.
    let asked = request(&device, &house, &running, &keys).await;
    for (audience, nonce) in [("", "n"), ("a", ""), (&*"a".repeat(1025), "n")] {
        let bad = AssociationRequest {
            audience: audience.into(),
            nonce: nonce.into(),
            ..asked.clone()
        };
        assert_eq!(
            problem(associate(&device, &house, &running, &bad).await),
            Problem::Malformed
        );
    }
    associate(&device, &house, &running, &asked).await.unwrap();
    let again = associate(&device, &house, &running, &asked).await;
    assert_eq!(problem(again), Problem::ChallengeUnknown);
}

#[tokio::test]
async fn too_few_keys_and_one_twice_are_not_signed() {
    let house = House::new();
    let keys = [vec!["a".to_owned()], vec!["a".to_owned(), "a".to_owned()]];
    for keys in keys {
        let association = Association {
            issuer: "i".into(),
            audience: "a".into(),
            nonce: "n".into(),
            issued: house.clock.now(),
            expires: house.clock.now(),
            keys,
        };
        let signed = association.sign(&[], house.seal.as_ref()).await;
        assert!(matches!(signed, Err(wua::BuildError::Malformed("keys", _))));
    }
}
