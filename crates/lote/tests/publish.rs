//! The page of a list: what it says, that it is well-formed, and that nothing a
//! list says becomes mark-up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use lote::publish::{Instance, Links, archive, page};
use lote::{
    Draft, Mode, Profile, STATUS_WITHDRAWN, ServiceKind, Signers, UncheckedList, VerifiedList,
    Verifier,
};
use rstest::rstest;
use serde_json::{Value, json};

const LINKS: Links<'static> = Links {
    sealed: "list.jws",
    json: "list.json",
    archive: "archive/index.html",
    current: None,
};

async fn sealed(list: &UncheckedList, operator: &Party) -> VerifiedList {
    let chain = [operator.certificate.clone()];
    let text = lote::seal(list, &chain, &operator.key, issued())
        .await
        .unwrap();
    let verifier = Verifier {
        signers: Signers::Pinned(&chain),
        mode: Mode::Strict,
    };
    verifier.verify(text.as_bytes(), now()).unwrap()
}

/// The elements of a page in order; panics where it is not well-formed.
fn elements(html: &str) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    let mut seen = Vec::new();
    for piece in html.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        assert!(!text.contains('>') || tag == "style", "{text}");
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{piece}");
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap().to_owned();
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        // Between the quoted values there are only names and equals signs.
        let bare: String = tag.split('"').step_by(2).collect();
        assert!(
            bare.chars()
                .all(|c| c.is_ascii_alphanumeric() || " =-/".contains(c)),
            "{tag}"
        );
        for attribute in bare.split_ascii_whitespace() {
            assert!(
                !attribute.starts_with("on") && !attribute.starts_with("style="),
                "{tag}"
            );
        }
        if !tag.ends_with('/') {
            open.push(name.clone());
        }
        seen.push(name);
    }
    assert_eq!(open, [""; 0]);
    seen
}

/// Every `#target` is there, and every id once.
fn targets(html: &str) {
    let values = |name: &str| -> Vec<String> {
        html.split(name)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect()
    };
    let ids = values(" id=\"");
    let mut once = ids.clone();
    once.sort();
    once.dedup();
    assert_eq!(ids.len(), once.len());
    for target in values("href=\"#")
        .into_iter()
        .chain(values("labelledby=\""))
    {
        assert!(ids.contains(&target), "{target}");
    }
}

fn without_keys(html: &str, verified: &VerifiedList) -> String {
    let mut out = html.to_owned();
    let digest: String = verified.sha256.iter().map(|b| format!("{b:02x}")).collect();
    out = out.replace(&digest, "[SHA-256 of the file]");
    let signer = verified.signer.as_ref().unwrap();
    out = out.replace(&signer.sha256_hex(), "[SHA-256 of the operator]");
    let listed = lote::Index::of(&verified.list);
    for anchor in listed.of_kind(ServiceKind::Issuance) {
        out = out.replace(
            &anchor.certificate.sha256_hex(),
            "[SHA-256 of the provider]",
        );
    }
    out
}

#[tokio::test]
async fn the_page_says_what_the_list_says() {
    let operator = operator().await;
    let draft = draft(Profile::Wallet, &operator.certificate).await;
    let verified = sealed(draft.list(), &operator).await;
    let html = page(&verified, &LINKS);
    elements(&html);
    targets(&html);
    let body = html.split("</style>").nth(1).unwrap();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/wallet-list.html");
    let shown = without_keys(body, &verified);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(golden, &shown).unwrap();
    }
    let expected = std::fs::read_to_string(golden).unwrap();
    assert!(
        shown == expected,
        "the page changed; if it should, run with UPDATE_GOLDEN=1:\n{shown}"
    );
}

#[rstest]
#[tokio::test]
async fn every_profile_has_a_page(
    #[values(
        Profile::Pid,
        Profile::Wallet,
        Profile::Access,
        Profile::Registration,
        Profile::PubEaa,
        Profile::Registrars,
        Profile::Mdl
    )]
    profile: Profile,
) {
    let operator = operator().await;
    let draft = draft(profile, &operator.certificate).await;
    let verified = sealed(draft.list(), &operator).await;
    let html = page(&verified, &LINKS);
    elements(&html);
    targets(&html);
    for said in [
        lote::publish::title(profile),
        OPERATOR,
        ENTITY,
        REGISTRATION,
        "no. 1",
        "1 November 2026, 00:00:00 UTC",
        "1 April 2027, 00:00:00 UTC",
        "1 January 2026</time> to ",
    ] {
        assert!(html.contains(said), "{said}");
    }
    for anchor in lote::Index::of(&verified.list).of_certificate(&verified.signer.unwrap()) {
        assert!(html.contains(&anchor.certificate.sha256_hex()));
    }
}

#[tokio::test]
async fn nothing_is_loaded_and_nothing_runs() {
    let operator = operator().await;
    let draft = draft(Profile::Pid, &operator.certificate).await;
    let verified = sealed(draft.list(), &operator).await;
    let instances = [Instance::of(&verified)];
    for html in [
        page(&verified, &LINKS),
        archive(&verified, &instances, "../index.html"),
    ] {
        let seen = elements(&html);
        targets(&html);
        for loading in [
            "script", "img", "link", "iframe", "object", "embed", "form", "base",
        ] {
            assert!(!seen.iter().any(|name| name == loading), "{loading}");
        }
        assert_eq!(seen.iter().filter(|name| *name == "style").count(), 1);
        let style = html.split("<style>").nth(1).unwrap();
        let style = style.split("</style>").next().unwrap();
        let hash = jose::b64::encode_std(jose::sha256(style.as_bytes()));
        assert!(html.contains(&format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
        )));
    }
}

/// Replaces every text of a list, except what it could not be used without.
fn poison(value: &mut Value, poison_with: &str) {
    const KEPT: [&str; 6] = [
        "LoTEType",
        "ListIssueDateTime",
        "NextUpdate",
        "SchemeTerritory",
        "SchemeOperatorName",
        "val",
    ];
    match value {
        Value::String(text) => *text = poison_with.to_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, poison_with)),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                if !KEPT.contains(&name.as_str()) {
                    poison(member, poison_with);
                }
            }
        }
        _ => {}
    }
}

#[rstest]
#[case::script("<script>alert(1)</script>")]
#[case::end_of_title("</title></style><script>alert(1)</script>")]
#[case::end_of_comment("--><img src=x onerror=alert(1)>")]
#[case::quotes("\" onmouseover=\"alert(1)\" x='")]
#[case::script_uri("javascript:alert(1)")]
#[case::web_uri_with_quotes("https://example.eu/\"><script>alert(1)</script>")]
#[case::entity("&lt;script&gt;&#60;b&#62;")]
#[case::right_to_left("\u{202e}\u{2066}evil\u{200f}\u{1b}]0;x\u{7}")]
#[case::hebrew("רשימה מהימנה")]
#[tokio::test]
async fn nothing_that_a_list_says_becomes_mark_up(#[case] text: &str) {
    let operator = operator().await;
    let list = draft(Profile::PubEaa, &operator.certificate).await;
    let clean = page(&sealed(list.list(), &operator).await, &LINKS);

    let mut document = serde_json::to_value(list.list()).unwrap();
    let information = "/LoTE/TrustedEntitiesList/0/TrustedEntityServices/0/ServiceInformation";
    put(
        &mut document,
        &format!("{information}/ServiceInformationExtensions"),
        Some(json!([{ text: text }])),
    );
    poison(&mut document, text);
    let list = UncheckedList::from_value(document).unwrap();
    let html = page(&sealed(&list, &operator).await, &LINKS);
    let kinds = |html: &str| {
        let mut seen = elements(html);
        seen.sort();
        seen.dedup();
        seen
    };
    let known = kinds(&clean);
    assert!(kinds(&html).iter().all(|name| known.contains(name)));
    assert!(!html.contains("href=\"javascript"));
    targets(&html);
    for unseen in [
        '\u{202e}', '\u{2066}', '\u{200f}', '\u{0}', '\u{1b}', '\u{7}',
    ] {
        assert!(!html.contains(unseen), "{unseen:?}");
    }
}

#[tokio::test]
async fn what_ran_out_or_was_withdrawn_is_marked() {
    let operator = operator().await;
    let old = party(Subject {
        not_after: "20261001000000Z",
        ..Subject::default()
    })
    .await;
    let mut list = new_draft(Profile::PubEaa, &operator.certificate);
    list.add_entity(&entity()).unwrap();
    let new = service(Profile::PubEaa, ServiceKind::Issuance, &old.certificate);
    list.add_service(ENTITY, &new, at("2026-01-01T00:00:00Z"))
        .unwrap();
    list.issue(issued(), next()).unwrap();
    let html = page(&sealed(list.list(), &operator).await, &LINKS);
    assert!(html.contains("ran out before the list was issued"));
    assert!(html.contains(">notified</span>"));

    let mut list = Draft::after(list.list().clone()).unwrap();
    list.withdraw_entity(ENTITY, issued()).unwrap();
    let html = page(&sealed(list.list(), &operator).await, &LINKS);
    assert!(html.contains(">withdrawn</span>") && html.contains(STATUS_WITHDRAWN));
    assert!(html.contains("Earlier statuses"));
    elements(&html);
}

#[tokio::test]
async fn an_archived_page_leads_to_the_current_one_and_the_index_to_all() {
    let operator = operator().await;
    let mut list = draft(Profile::Pid, &operator.certificate).await;
    let first = sealed(list.list(), &operator).await;
    list.issue(issued(), next()).unwrap();
    let second = sealed(list.list(), &operator).await;
    let links = Links {
        sealed: "1.jws",
        json: "1.json",
        archive: "index.html",
        current: Some("../index.html"),
    };
    let html = page(&first, &links);
    elements(&html);
    assert!(html.contains("href=\"../index.html\">The current instance"));
    assert!(html.contains("It shows instance no. 1"));

    let html = archive(
        &second,
        &[Instance::of(&first), Instance::of(&second)],
        "../index.html",
    );
    elements(&html);
    let first_at = html.find("href=\"1.html\"").unwrap();
    let second_at = html.find("href=\"2.html\"").unwrap();
    assert!(second_at < first_at);
    assert_eq!(html.matches(">current<").count(), 1);
    assert!(html[second_at..first_at].contains(">current<"));
}
