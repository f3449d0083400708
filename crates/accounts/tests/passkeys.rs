//! Signing up and in with a passkey, and everything that is not one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use accounts::{Error, Problem, SignUp, Token};
use claviger_fixtures::SoftAuthenticator;
use house::{House, ORIGIN, finished, problem, wish};
use rstest::rstest;
use store::Kind::{self, Postgres, Sqlite};

#[rstest]
#[tokio::test]
async fn a_user_signs_up_and_comes_in_again_under_an_alias_alone(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, who) = house.user("a name").await;
    assert_eq!(who.alias(), "a name");
    assert!(house.accounts.has_agreed(&who));
    house.pass(60);
    let token = house.sign_in("a name", &mut passkey).await.unwrap();
    let again = house.accounts.signed_in(&token).await.unwrap();
    assert_eq!(again.account(), who.account());
    let used = &house.accounts.passkeys(&again).await.unwrap()[0];
    assert!(used.used_at > Some(used.created_at));
}

#[rstest]
#[tokio::test]
async fn what_one_node_began_another_finishes_once(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let other = house.node(house::consent());
    let mut passkey = SoftAuthenticator::at(ORIGIN);
    let begun = house.accounts.begin_sign_up(wish("mine")).await.unwrap();
    let first = passkey.create(&begun.options);
    other
        .finish_sign_up(finished(&begun, first.clone()), None)
        .await
        .unwrap();
    let again = house.accounts.finish_sign_up(finished(&begun, first), None);
    assert_eq!(problem(again.await), Some(Problem::Ceremony));

    let begun = other.begin_sign_in("mine").await.unwrap();
    let signed = passkey.get(&begun.options);
    house
        .accounts
        .finish_sign_in(finished(&begun, signed.clone()), None)
        .await
        .unwrap();
    let again = other.finish_sign_in(finished(&begun, signed), None);
    assert_eq!(problem(again.await), Some(Problem::Ceremony));
}

#[rstest]
#[tokio::test]
async fn a_ceremony_ends_and_is_of_one_kind(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, who) = house.user("mine").await;
    let begun = house.accounts.begin_sign_in("mine").await.unwrap();
    let signed = passkey.get(&begun.options);
    house.pass(300);
    let late = house
        .accounts
        .finish_sign_in(finished(&begun, signed), None);
    assert_eq!(problem(late.await), Some(Problem::Ceremony));

    // Begun to sign up, brought back to sign in, and then to sign up after all.
    let begun = house.accounts.begin_sign_up(wish("other")).await.unwrap();
    let made = SoftAuthenticator::at(ORIGIN).create(&begun.options);
    let other = house
        .accounts
        .finish_sign_in(finished(&begun, made.clone()), None);
    assert_eq!(problem(other.await), Some(Problem::Ceremony));
    let over = house.accounts.finish_sign_up(finished(&begun, made), None);
    assert_eq!(problem(over.await), Some(Problem::Ceremony));

    // What somebody else began to add a passkey with.
    house.pass(-300);
    let (_, stranger) = house.user("stranger").await;
    let begun = house
        .accounts
        .begin_passkey(&stranger, "new")
        .await
        .unwrap();
    let made = SoftAuthenticator::at(ORIGIN).create(&begun.options);
    let other = house.accounts.finish_passkey(&who, finished(&begun, made));
    assert_eq!(problem(other.await), Some(Problem::Ceremony));
    assert_eq!(house.accounts.passkeys(&who).await.unwrap().len(), 1);
}

/// What a lying browser or authenticator can change.
#[rstest]
#[case::another_site(|key: &mut SoftAuthenticator| key.origin = "https://wallet.example.evil".into())]
#[case::another_port(|key: &mut SoftAuthenticator| key.origin = "https://wallet.example:8443".into())]
#[case::a_subdomain(|key: &mut SoftAuthenticator| key.origin = "https://a.wallet.example".into())]
#[case::no_tls(|key: &mut SoftAuthenticator| key.origin = "http://wallet.example".into())]
#[case::another_party(|key: &mut SoftAuthenticator| key.rp_id = Some("evil.example".into()))]
#[case::no_user(|key: &mut SoftAuthenticator| key.verifies = false)]
#[tokio::test]
async fn a_passkey_proves_itself_for_this_site_with_its_user(
    #[case] lie: fn(&mut SoftAuthenticator),
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let mut liar = SoftAuthenticator::at(ORIGIN);
    lie(&mut liar);
    let made = house.sign_up("mine", &mut liar).await;
    assert_eq!(problem(made), Some(Problem::Passkey));

    let (mut passkey, _) = house.user("mine").await;
    lie(&mut passkey);
    let signed = house.sign_in("mine", &mut passkey).await;
    assert_eq!(problem(signed), Some(Problem::Passkey));
}

#[rstest]
#[tokio::test]
async fn a_signature_over_something_else_signs_nobody_in(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, _) = house.user("mine").await;
    let earlier = house.accounts.begin_sign_in("mine").await.unwrap();
    let replayed = passkey.get(&earlier.options);
    for (case, expected) in [
        ("an earlier challenge", Problem::Passkey),
        ("a byte of the signature", Problem::Passkey),
        ("a byte of what is signed", Problem::Passkey),
        ("cut off", Problem::Passkey),
        ("no passkey at all", Problem::Passkey),
        ("another identifier", Problem::PasskeyUnknown),
    ] {
        let begun = house.accounts.begin_sign_in("mine").await.unwrap();
        let mut credential = passkey.get(&begun.options);
        let response = &mut credential["response"];
        match case {
            "an earlier challenge" => credential = replayed.clone(),
            "a byte of the signature" => flip(&mut response["signature"], 20),
            "a byte of what is signed" => flip(&mut response["authenticatorData"], 34),
            "cut off" => {
                let data = response["authenticatorData"].as_str().unwrap();
                response["authenticatorData"] = data[..20].into();
            }
            "no passkey at all" => credential = serde_json::json!({ "id": 1 }),
            _ => flip(&mut credential["rawId"], 3),
        }
        let signed = house
            .accounts
            .finish_sign_in(finished(&begun, credential), None);
        assert_eq!(problem(signed.await), Some(expected), "{case}");
    }
    house.sign_in("mine", &mut passkey).await.unwrap();
}

fn flip(value: &mut serde_json::Value, at: usize) {
    let mut bytes = jose::b64::decode(value.as_str().unwrap()).unwrap();
    bytes[at] ^= 1;
    *value = jose::b64::encode(bytes).into();
}

#[rstest]
#[tokio::test]
async fn another_accounts_passkey_opens_nothing_and_cannot_be_taken_over(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mine, _) = house.user("mine").await;
    let (mut theirs, stranger) = house.user("theirs").await;
    let signed = house.sign_in("mine", &mut theirs).await;
    assert_eq!(problem(signed), Some(Problem::PasskeyUnknown));

    // The stranger's own key, under the identifier of mine.
    let mut imitation = SoftAuthenticator::at(ORIGIN);
    imitation.id.clone_from(&mine.id);
    let begun = house
        .accounts
        .begin_passkey(&stranger, "new")
        .await
        .unwrap();
    let made = imitation.create(&begun.options);
    let added = house
        .accounts
        .finish_passkey(&stranger, finished(&begun, made));
    assert_eq!(problem(added.await), Some(Problem::PasskeyKnown));
    let made = house.sign_up("third", &mut imitation).await;
    assert_eq!(problem(made), Some(Problem::PasskeyKnown));
    // Nothing of the refused sign-up is there.
    house.user("third").await;
}

#[rstest]
#[tokio::test]
async fn a_counter_that_goes_back_is_refused_and_a_counter_of_zero_is_none(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, _) = house.user("mine").await;
    passkey.counter = 10;
    house.sign_in("mine", &mut passkey).await.unwrap();
    for counter in [10, 3, 0] {
        passkey.counter = counter;
        let signed = house.sign_in("mine", &mut passkey).await;
        assert_eq!(problem(signed), Some(Problem::Counter), "{counter}");
    }
    passkey.counter = 11;
    house.sign_in("mine", &mut passkey).await.unwrap();

    let (mut without, _) = house.user("without").await;
    for _ in 0..3 {
        without.counter = 0;
        house.sign_in("without", &mut without).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn of_two_copies_that_begin_at_once_one_comes_in(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, _) = house.user("mine").await;
    let one = house.accounts.begin_sign_in("mine").await.unwrap();
    let two = house.accounts.begin_sign_in("mine").await.unwrap();
    passkey.counter = 5;
    let first = passkey.get(&one.options);
    passkey.counter = 5;
    let second = passkey.get(&two.options);
    let (first, second) = tokio::join!(
        house.accounts.finish_sign_in(finished(&one, first), None),
        house.accounts.finish_sign_in(finished(&two, second), None),
    );
    let refused: Vec<_> = [first, second]
        .into_iter()
        .filter_map(Result::err)
        .collect();
    let refused: Vec<_> = refused.iter().map(Error::problem).collect();
    assert_eq!(refused, [Some(Problem::Counter)]);
}

#[rstest]
#[tokio::test]
async fn nobody_learns_from_a_sign_in_whether_there_is_an_account(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    house.user("somebody").await;
    let keys = |value: &serde_json::Value| {
        let options = value["publicKey"].as_object().unwrap();
        options.keys().cloned().collect::<Vec<_>>()
    };
    let real = house.accounts.begin_sign_in("somebody").await.unwrap();
    let mut made_up = 0;
    for alias in ["nobody", "no one", "a stranger", "x"] {
        let begun = house.accounts.begin_sign_in(alias).await.unwrap();
        assert_eq!(keys(&begun.options), keys(&real.options));
        let allowed = &begun.options["publicKey"]["allowCredentials"];
        made_up += allowed.as_array().unwrap().len();
        // On another node too, it is the same.
        let again = house.node(house::consent()).begin_sign_in(alias).await;
        let again = again.unwrap().options;
        assert_eq!(&again["publicKey"]["allowCredentials"], allowed);
        let credential = SoftAuthenticator::at(ORIGIN).get(&begun.options);
        let signed = house
            .accounts
            .finish_sign_in(finished(&begun, credential), None);
        assert_eq!(problem(signed.await), Some(Problem::PasskeyUnknown));
    }
    assert!(made_up > 0, "some have passkeys that nobody has");
}

#[rstest]
#[tokio::test]
async fn an_alias_is_one_that_can_be_and_belongs_to_one(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, _) = house.user("mine").await;
    for (alias, expected) in [
        ("", Problem::Alias),
        (" mine", Problem::Alias),
        ("a\nb", Problem::Alias),
        (&*"x".repeat(65), Problem::Alias),
        ("mine\u{2800}", Problem::Alias),
        ("mi\u{200b}ne", Problem::AliasTaken),
        ("mine", Problem::AliasTaken),
    ] {
        let begun = house.accounts.begin_sign_up(wish(alias)).await;
        assert_eq!(problem(begun), Some(expected), "{alias:?}");
    }
    // Two at once: the second finishes too late.
    let one = house.accounts.begin_sign_up(wish("new")).await.unwrap();
    let two = house.accounts.begin_sign_up(wish("new")).await.unwrap();
    let (mut first, mut second) = (SoftAuthenticator::at(ORIGIN), SoftAuthenticator::at(ORIGIN));
    let first = first.create(&one.options);
    let second = second.create(&two.options);
    house
        .accounts
        .finish_sign_up(finished(&one, first), None)
        .await
        .unwrap();
    let late = house.accounts.finish_sign_up(finished(&two, second), None);
    assert_eq!(problem(late.await), Some(Problem::AliasTaken));
    house.sign_in("mine", &mut passkey).await.unwrap();
    // Typed on another keyboard, it is the same one.
    let (mut passkey, _) = house.user("Zoe\u{308}").await;
    let taken = house.accounts.begin_sign_up(wish("Zoë")).await;
    assert_eq!(problem(taken), Some(Problem::AliasTaken));
    for typed in ["Zoë", "Zoe\u{308}"] {
        house.sign_in(typed, &mut passkey).await.unwrap();
    }
}

#[rstest]
#[tokio::test]
async fn nobody_has_an_account_without_having_agreed_to_the_text_as_it_stands(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let other = accounts::ConsentText::new("2", "What we keep\n\nMore.");
    for consent in [None, Some(String::new()), Some(other.digest())] {
        let wish = SignUp {
            consent,
            ..wish("mine")
        };
        let begun = house.accounts.begin_sign_up(wish).await;
        assert_eq!(problem(begun), Some(Problem::Consent));
    }
    // It changes in the middle of a sign-up, and after one.
    let begun = house.accounts.begin_sign_up(wish("late")).await.unwrap();
    let made = SoftAuthenticator::at(ORIGIN).create(&begun.options);
    let (mut passkey, _) = house.user("mine").await;
    let later = house.node(other.clone());
    let late = later.finish_sign_up(finished(&begun, made), None);
    assert_eq!(problem(late.await), Some(Problem::Consent));

    let token = house.sign_in("mine", &mut passkey).await.unwrap();
    let who = later.signed_in(&token).await.unwrap();
    assert!(!later.has_agreed(&who));
    let old = house::consent().digest();
    assert_eq!(
        problem(later.agree(&who, Some(&old)).await),
        Some(Problem::Consent)
    );
    later.agree(&who, Some(&other.digest())).await.unwrap();
    let who = later.signed_in(&token).await.unwrap();
    assert!(later.has_agreed(&who));
}

#[rstest]
#[tokio::test]
async fn more_passkeys_come_and_go_and_one_way_in_stays(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut first, who) = house.user("mine").await;
    let elsewhere = house.sign_in("mine", &mut first).await.unwrap();
    house.pass(1);
    let mut second = SoftAuthenticator::at(ORIGIN);
    let begun = house
        .accounts
        .begin_passkey(&who, " Laptop ")
        .await
        .unwrap();
    let known = &begun.options["publicKey"]["excludeCredentials"];
    assert_eq!(known[0]["id"], jose::b64::encode(&first.id));
    let made = second.create(&begun.options);
    house
        .accounts
        .finish_passkey(&who, finished(&begun, made))
        .await
        .unwrap();
    let names: Vec<_> = house.accounts.passkeys(&who).await.unwrap();
    assert_eq!(names[1].name, "Laptop");
    house.sign_in("mine", &mut second).await.unwrap();

    let id = |key: &SoftAuthenticator| jose::b64::encode(&key.id);
    house
        .accounts
        .remove_passkey(&who, &id(&first))
        .await
        .unwrap();
    let signed = house.sign_in("mine", &mut first).await;
    assert_eq!(problem(signed), Some(Problem::PasskeyUnknown));
    // Who came in elsewhere comes in again.
    let out = house.accounts.signed_in(&elsewhere).await;
    assert_eq!(problem(out), Some(Problem::NotSignedIn));

    let last = house.accounts.remove_passkey(&who, &id(&second)).await;
    assert_eq!(problem(last), Some(Problem::LastWay));
    for unknown in [id(&first), "not base64!".into(), String::new()] {
        let removed = house.accounts.remove_passkey(&who, &unknown).await;
        assert_eq!(problem(removed), Some(Problem::PasskeyUnknown));
    }
    house.accounts.new_codes(&who).await.unwrap();
    house
        .accounts
        .remove_passkey(&who, &id(&second))
        .await
        .unwrap();
}

#[rstest]
#[tokio::test]
async fn passkeys_have_short_names_and_are_few(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (_, who) = house.user("mine").await;
    for name in ["", "  ", "a\u{7}b", &"x".repeat(65)] {
        let begun = house.accounts.begin_passkey(&who, name).await;
        assert_eq!(problem(begun), Some(Problem::Room), "{name:?}");
    }
    // Two more at once than there is room for.
    let mut begun = Vec::new();
    for n in 0..10 {
        let name = format!("number {n}");
        begun.push(house.accounts.begin_passkey(&who, &name).await.unwrap());
    }
    let mut refused = 0;
    for begun in &begun {
        let made = SoftAuthenticator::at(ORIGIN).create(&begun.options);
        let added = house.accounts.finish_passkey(&who, finished(begun, made));
        if let Err(error) = added.await {
            assert_eq!(error.problem(), Some(Problem::Room));
            refused += 1;
        }
    }
    assert_eq!(refused, 1);
    let full = house.accounts.begin_passkey(&who, "one more").await;
    assert_eq!(problem(full), Some(Problem::Room));
}

#[rstest]
#[tokio::test]
async fn a_removed_passkey_does_not_finish_what_it_began(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, who) = house.user("mine").await;
    house.accounts.new_codes(&who).await.unwrap();
    let begun = house.accounts.begin_sign_in("mine").await.unwrap();
    let signed = passkey.get(&begun.options);
    let id = jose::b64::encode(&passkey.id);
    house.accounts.remove_passkey(&who, &id).await.unwrap();
    let finished = house
        .accounts
        .finish_sign_in(finished(&begun, signed), None);
    assert_eq!(problem(finished.await), Some(Problem::PasskeyUnknown));
    let unknown = house.accounts.signed_in(&Token::read("made up")).await;
    assert_eq!(problem(unknown), Some(Problem::NotSignedIn));
}
