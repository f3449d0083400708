//! Sign-ins and their end, codes, addresses, and the end of an account.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod house;

use accounts::{Error, Problem, SignedIn};
use house::{House, problem};
use rstest::rstest;
use store::Kind::{self, Postgres, Sqlite};
use store::sql;

#[rstest]
#[tokio::test]
async fn a_sign_in_ends_when_its_user_is_away_or_after_hours(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, _) = house.user("mine").await;
    let signed_in = |token| house.accounts.signed_in(token);

    let token = house.sign_in("mine", &mut passkey).await.unwrap();
    house.pass(14 * 60);
    signed_in(&token).await.unwrap();
    house.pass(15 * 60 + 1);
    assert_eq!(problem(signed_in(&token).await), Some(Problem::NotSignedIn));

    let token = house.sign_in("mine", &mut passkey).await.unwrap();
    for _ in 0..47 {
        house.pass(10 * 60);
        signed_in(&token).await.unwrap();
    }
    house.pass(10 * 60);
    assert_eq!(problem(signed_in(&token).await), Some(Problem::NotSignedIn));
    assert_eq!(house.accounts.purge().await.unwrap().sign_ins, 3);
}

#[rstest]
#[tokio::test]
async fn a_sign_out_ends_it_and_another_sign_in_takes_its_place(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, _) = house.user("mine").await;
    let first = house.sign_in("mine", &mut passkey).await.unwrap();
    let begun = house.accounts.begin_sign_in("mine").await.unwrap();
    let credential = passkey.get(&begun.options);
    let second = house
        .accounts
        .finish_sign_in(house::finished(&begun, credential), Some(&first))
        .await
        .unwrap();
    let signed_in = |token| house.accounts.signed_in(token);
    assert_eq!(problem(signed_in(&first).await), Some(Problem::NotSignedIn));
    signed_in(&second).await.unwrap();
    house.accounts.sign_out(&second).await.unwrap();
    assert_eq!(
        problem(signed_in(&second).await),
        Some(Problem::NotSignedIn)
    );
}

#[rstest]
#[tokio::test]
async fn each_form_carries_what_its_sign_in_alone_knows(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (_, mine) = house.user("mine").await;
    let (_, theirs) = house.user("theirs").await;
    mine.check_form(&mine.form_token()).unwrap();
    for wrong in [String::new(), "x".into(), theirs.form_token()] {
        assert_eq!(problem(mine.check_form(&wrong)), Some(Problem::Form));
    }
}

#[rstest]
#[tokio::test]
async fn what_cannot_be_taken_back_needs_a_fresh_sign_in(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, who) = house.user("mine").await;
    house.pass(5 * 60 + 1);
    let id = jose::b64::encode(&passkey.id);
    let stale: [Option<Problem>; 7] = [
        problem(house.accounts.new_codes(&who).await),
        problem(house.accounts.delete(&who).await),
        problem(house.accounts.begin_passkey(&who, "new").await),
        problem(house.accounts.remove_passkey(&who, &id).await),
        problem(house.accounts.link_code(&who).await),
        problem(house.accounts.begin_address(&who, "me@mail.example").await),
        problem(house.accounts.remove_address(&who).await),
    ];
    assert_eq!(stale, [Some(Problem::NotFresh); 7]);
    assert_eq!(house.letters(), 0);
    let token = house.sign_in("mine", &mut passkey).await.unwrap();
    let who = house.accounts.signed_in(&token).await.unwrap();
    house.accounts.new_codes(&who).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_recovery_code_signs_in_once_and_a_new_set_replaces_the_old_one(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (_, who) = house.user("mine").await;
    let codes = house.accounts.new_codes(&who).await.unwrap();
    assert_eq!(codes.len(), accounts::MAX_CODES);
    let sign_in = |alias: &'static str, code: String| {
        let accounts = &house.accounts;
        async move { accounts.sign_in_by_code(alias, &code, None).await }
    };
    // However it is typed.
    let typed = codes[0].text().to_uppercase().replace('-', " ");
    let token = sign_in("mine", typed.clone()).await.unwrap();
    let again = house.accounts.signed_in(&token).await.unwrap();
    assert_eq!(again.account(), who.account());
    assert_eq!(house.accounts.codes_left(&who).await.unwrap(), 7);

    for (alias, code) in [
        ("mine", typed),
        ("mine", "0".repeat(32)),
        ("mine", String::new()),
        ("theirs", codes[1].text().to_owned()),
    ] {
        assert_eq!(problem(sign_in(alias, code).await), Some(Problem::Code));
    }
    house.accounts.new_codes(&who).await.unwrap();
    let old = sign_in("mine", codes[1].text().to_owned()).await;
    assert_eq!(problem(old), Some(Problem::Code));
    // Whoever came in with the old ones is out.
    let out = house.accounts.signed_in(&token).await;
    assert_eq!(problem(out), Some(Problem::NotSignedIn));
}

#[rstest]
#[tokio::test]
async fn of_two_who_type_a_code_at_once_one_comes_in(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (_, who) = house.user("mine").await;
    let code = house.accounts.new_codes(&who).await.unwrap().remove(0);
    let (one, two) = tokio::join!(
        house.accounts.sign_in_by_code("mine", code.text(), None),
        house.accounts.sign_in_by_code("mine", code.text(), None),
    );
    assert_eq!(
        [one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(),
        1
    );
}

#[rstest]
#[tokio::test]
async fn an_address_is_confirmed_by_what_was_sent_there_before_it_is_the_accounts(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, who) = house.user("mine").await;
    let accounts = &house.accounts;
    let long = format!("{}@mail.example", "a".repeat(250));
    for none in ["", "me", "a@b@", "a b@c", "a@b\r\nBcc: x@y", &long] {
        let begun = accounts.begin_address(&who, none).await;
        assert_eq!(problem(begun), Some(Problem::Address), "{none:?}");
    }
    accounts
        .begin_address(&who, " me@mail.example ")
        .await
        .unwrap();
    let waiting = accounts.waiting_address(&who).await.unwrap();
    assert_eq!(waiting.as_deref(), Some("me@mail.example"));
    let token = house.sign_in("mine", &mut passkey).await.unwrap();
    assert_eq!(accounts.signed_in(&token).await.unwrap().address(), None);

    let (to, code) = house.letter();
    assert_eq!(to, "me@mail.example");
    let wrong = accounts.confirm_address(&who, "0000-0000").await;
    assert_eq!(problem(wrong), Some(Problem::AddressCode));
    accounts.confirm_address(&who, &code).await.unwrap();
    let now = accounts.signed_in(&token).await.unwrap();
    assert_eq!(now.address(), Some("me@mail.example"));
    let consents: Vec<(String, i64)> = sql::query("SELECT kind, account FROM consent ORDER BY id")
        .all(&mut house.database.reader().await.unwrap())
        .await
        .unwrap();
    let kinds: Vec<_> = consents.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["processing", "letters"]);
    // Once is enough.
    let again = accounts.confirm_address(&who, &code).await;
    assert_eq!(problem(again), Some(Problem::AddressCode));

    accounts.remove_address(&who).await.unwrap();
    assert_eq!(accounts.signed_in(&token).await.unwrap().address(), None);
}

#[rstest]
#[tokio::test]
async fn a_code_for_an_address_ends_and_cannot_be_guessed(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (_, who) = house.user("mine").await;
    let accounts = &house.accounts;
    accounts
        .begin_address(&who, "a@mail.example")
        .await
        .unwrap();
    let (_, code) = house.letter();
    for _ in 0..5 {
        let wrong = accounts.confirm_address(&who, "ffff-ffff").await;
        assert_eq!(problem(wrong), Some(Problem::AddressCode));
    }
    let right = accounts.confirm_address(&who, &code).await;
    assert_eq!(problem(right), Some(Problem::AddressCode), "too late");

    house.pass(60);
    accounts
        .begin_address(&who, "a@mail.example")
        .await
        .unwrap();
    let (_, code) = house.letter();
    house.pass(30 * 60);
    let late = accounts.confirm_address(&who, &code).await;
    assert_eq!(problem(late), Some(Problem::AddressCode));
    assert_eq!(accounts.waiting_address(&who).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn nobody_has_many_letters_sent(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (_, who) = house.user("mine").await;
    let (_, other) = house.user("other").await;
    let accounts = &house.accounts;
    accounts
        .begin_address(&who, "a@mail.example")
        .await
        .unwrap();
    // Neither by another address, nor by forgetting the first, nor from another account.
    let soon = accounts.begin_address(&who, "b@mail.example").await;
    assert_eq!(problem(soon), Some(Problem::TooSoon));
    accounts.remove_address(&who).await.unwrap();
    let soon = accounts.begin_address(&who, "b@mail.example").await;
    assert_eq!(problem(soon), Some(Problem::TooSoon));
    accounts
        .begin_address(&other, "c@mail.example")
        .await
        .unwrap();
    house.pass(30);
    let (_, third) = house.user("third").await;
    let soon = accounts.begin_address(&third, "c@mail.example").await;
    assert_eq!(problem(soon), Some(Problem::TooSoon));
    assert_eq!(house.letters(), 2);
    house.pass(30);
    accounts
        .begin_address(&who, "b@mail.example")
        .await
        .unwrap();
}

#[rstest]
#[tokio::test]
async fn a_deleted_account_leaves_nothing_of_its_user(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, who) = house.user("an alias nobody else has").await;
    let accounts = &house.accounts;
    accounts
        .begin_address(&who, "me@mail.example")
        .await
        .unwrap();
    let (_, code) = house.letter();
    accounts.confirm_address(&who, &code).await.unwrap();
    let codes = accounts.new_codes(&who).await.unwrap();
    accounts.link_code(&who).await.unwrap();
    let token = house
        .sign_in("an alias nobody else has", &mut passkey)
        .await
        .unwrap();
    let begun = accounts.begin_sign_in("an alias nobody else has").await;
    let begun = begun.unwrap();
    let half = passkey.get(&begun.options);

    accounts.delete(&who).await.unwrap();
    assert_eq!(*house.belongings.ended.lock().unwrap(), [who.account()]);
    let out = accounts.signed_in(&token).await;
    assert_eq!(problem(out), Some(Problem::NotSignedIn));
    let late = accounts.finish_sign_in(house::finished(&begun, half), None);
    assert_eq!(problem(late.await), Some(Problem::PasskeyUnknown));
    let code = accounts.sign_in_by_code("an alias nobody else has", codes[0].text(), None);
    assert_eq!(problem(code.await), Some(Problem::Code));
    refuses_everything(&house, &who).await;

    // The database has no word of it, and no row but the shell.
    let mut reader = house.database.reader().await.unwrap();
    for table in [
        "SELECT count(*) FROM passkey",
        "SELECT count(*) FROM recovery_code",
        "SELECT count(*) FROM sign_in",
        "SELECT count(*) FROM link_code",
        "SELECT count(*) FROM address_code",
        "SELECT count(*) FROM consent",
        "SELECT count(*) FROM account WHERE alias LIKE '%alias%' OR email IS NOT NULL
         OR handle IS NOT NULL",
    ] {
        let rows: i64 = sql::query(table).one(&mut reader).await.unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    drop(reader);
    // The alias is free again, and the shell goes with the next purge.
    house.user("an alias nobody else has").await;
    assert_eq!(accounts.purge().await.unwrap().shells, 1);
    assert_eq!(accounts.purge().await.unwrap().shells, 0);
}

/// Whoever still holds a sign-in of a deleted account changes nothing with it.
async fn refuses_everything(house: &House, who: &SignedIn) {
    let accounts = &house.accounts;
    let consent = house::consent().digest();
    let refused: [Result<(), Error>; 6] = [
        accounts.agree(who, Some(&consent)).await,
        accounts.new_codes(who).await.map(drop),
        accounts.link_code(who).await.map(drop),
        accounts.begin_address(who, "you@mail.example").await,
        accounts.begin_passkey(who, "new").await.map(drop),
        accounts.delete(who).await,
    ];
    for (n, refused) in refused.into_iter().enumerate() {
        assert_eq!(problem(refused), Some(Problem::NotSignedIn), "{n}");
    }
}

#[rstest]
#[tokio::test]
async fn an_account_stays_whole_while_what_belongs_to_it_lives(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (mut passkey, who) = house.user("mine").await;
    *house.belongings.stuck.lock().unwrap() = true;
    let stuck = house.accounts.delete(&who).await;
    assert!(matches!(stuck, Err(Error::Belongings(_))), "{stuck:?}");
    house.sign_in("mine", &mut passkey).await.unwrap();
    *house.belongings.stuck.lock().unwrap() = false;
    house.accounts.delete(&who).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn what_has_ended_is_forgotten(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(house) = House::new(kind).await else {
        return;
    };
    let (_, who) = house.user("mine").await;
    house.accounts.begin_sign_in("mine").await.unwrap();
    house.accounts.link_code(&who).await.unwrap();
    house
        .accounts
        .begin_address(&who, "a@mail.example")
        .await
        .unwrap();
    assert_eq!(house.accounts.purge().await.unwrap().ended, 0);
    house.pass(30 * 60);
    let purged = house.accounts.purge().await.unwrap();
    assert_eq!((purged.ended, purged.sign_ins), (3, 1));
}
