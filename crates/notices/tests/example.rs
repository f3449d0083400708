//! The worked example of docs/protocols/notices.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use jose::PublicKey;
use notices::{Fact, Language, Notice, NoticeId, Sender};
use serde_json::Value;

const DOC: &str = include_str!("../../../docs/protocols/notices.md");

/// What stands in the fence after `<!-- example: NAME -->`.
fn example(name: &str) -> String {
    let (_, after) = DOC
        .split_once(&format!("<!-- example: {name} -->\n```"))
        .unwrap();
    let (_, inside) = after.split_once('\n').unwrap();
    let (inside, _) = inside.split_once("\n```").unwrap();
    inside.to_owned()
}

#[test]
fn the_worked_example_verifies_and_says_what_stands_beside_it() {
    let jwk: Value = serde_json::from_str(&example("key")).unwrap();
    let key = PublicKey::from_jwk(&jwk).unwrap();
    let token = example("token").replace('\n', "");
    let verified = jose::jws::parse(&token, 64 * 1024)
        .unwrap()
        .verify(&key)
        .unwrap();
    assert_eq!(verified.typ(), Some(notices::TYP));
    assert_eq!(verified.kid(), Some(key.thumbprint_b64().as_str()));
    let claims = Value::Object(verified.claims().unwrap());
    let beside: Value = serde_json::from_str(&example("claims")).unwrap();
    assert_eq!(claims, beside);
}

/// The example's text is what this version writes.
#[test]
fn the_worked_examples_text_is_ours() {
    let claims: Value = serde_json::from_str(&example("claims")).unwrap();
    let text = |name: &str| claims[name].as_str().unwrap();
    let page = "https://wallet.example/account".parse().unwrap();
    let sender = Sender::new("Example Wallet", page, Some("+49 30 123456")).unwrap();
    let said = sender.text(&Notice {
        id: NoticeId::random(),
        fact: Fact::from_parts(&claims["notice"].to_string(), None).unwrap(),
        account: None,
        unit: Some(text("unit").parse().unwrap()),
        at: text("at").parse().unwrap(),
        language: Language::of_tag(text("language")),
    });
    assert_eq!(said.subject, text("subject"));
    assert_eq!(said.body, text("text"));
}
