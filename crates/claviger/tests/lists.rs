//! A list's whole life on the command line, for every profile: new, add, seal,
//! lint, verify, publish; then its next versions, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod desk;

use std::fs;

use desk::{Desk, ENTITY, OPERATOR, REGISTRATION, read};
use rstest::rstest;
use serde_json::Value;

#[rstest]
#[case("pid")]
#[case("wallet")]
#[case("access")]
#[case("registration")]
#[case("pub-eaa")]
#[case("registrars")]
#[case("mdl")]
fn a_list_of_every_profile_is_made_and_published(#[case] profile: &str) {
    let desk = Desk::new();
    desk.first(profile);
    let linted = desk.does("lint first.jws");
    assert_eq!(linted["profile"], profile);
    let verified = desk.does("verify first.jws --signer operator.pem");
    assert_eq!(verified["sequence"], 1);
    let published = desk.does("publish first.jws --out site --signer operator.pem");
    assert_eq!(published["sequence"], 1);

    let sealed = read(&desk.path("first.jws"));
    assert_eq!(read(&desk.path("site/list.jws")), sealed);
    assert_eq!(read(&desk.path("site/archive/1.jws")), sealed);
    let payload = String::from_utf8(sealed).unwrap();
    let payload = jose::b64::decode(payload.split('.').nth(1).unwrap()).unwrap();
    assert_eq!(read(&desk.path("site/list.json")), payload);
    assert_eq!(read(&desk.path("site/archive/1.json")), payload);
    let page = String::from_utf8(read(&desk.path("site/index.html"))).unwrap();
    for said in [
        OPERATOR,
        ENTITY,
        REGISTRATION,
        "no. 1",
        "archive/index.html",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let index: Value =
        serde_json::from_slice(&read(&desk.path("site/archive/index.json"))).unwrap();
    assert_eq!(index[0]["sequence"], 1);
    assert_eq!(index[0]["entities"], 1);
    for file in published["files"].as_array().unwrap() {
        assert!(desk.path("site").join(file.as_str().unwrap()).is_file());
    }
    // What is served is what was sealed, whoever reads it.
    desk.does("verify site/list.jws --signer operator.pem");
    desk.does("lint site/archive/1.jws");
}

#[test]
fn versions_follow_each_other_and_none_goes_back() {
    let desk = Desk::new();
    desk.first("pid");
    desk.does("publish first.jws --out site --signer operator.pem");
    // Once more, as after a crash in the middle.
    fs::remove_file(desk.path("site/index.html")).unwrap();
    desk.does("publish first.jws --out site --signer operator.pem");
    assert!(desk.path("site/index.html").is_file());

    // The same number with another content.
    let draft = read(&desk.path("draft.json"));
    desk.seal("operator", "second.jws");
    desk.does("publish second.jws --out site --signer operator.pem");
    fs::write(desk.path("draft.json"), &draft).unwrap();
    desk.does("signers draft.json --announce successor.pem");
    desk.seal("operator", "other.jws");
    let other = "publish other.jws --out site --signer operator.pem";
    assert_eq!(desk.refuses(other), ["LOTE-SEQUENCE-BACK"]);
    // An older one.
    let first = "publish first.jws --out site --signer operator.pem";
    assert!(
        desk.refuses(first)
            .contains(&"LOTE-SEQUENCE-BACK".to_owned())
    );
    let second = read(&desk.path("second.jws"));
    assert_eq!(read(&desk.path("site/list.jws")), second);
    // Not even when the archive is gone.
    fs::remove_dir_all(desk.path("site/archive")).unwrap();
    assert!(
        desk.refuses(first)
            .contains(&"LOTE-SEQUENCE-BACK".to_owned())
    );

    desk.does("publish second.jws --out site --signer operator.pem");
    let index: Value =
        serde_json::from_slice(&read(&desk.path("site/archive/index.json"))).unwrap();
    assert_eq!(index.as_array().unwrap().len(), 1);
}

#[test]
fn what_does_not_verify_is_not_published() {
    let desk = Desk::new();
    desk.first("wallet");
    let stranger = "publish first.jws --out site --signer leaf.pem";
    assert_eq!(desk.refuses(stranger), ["LOTE-SEAL-SIGNER"]);
    let stale = "publish first.jws --out site --signer operator.pem --at 2040-01-01T00:00:00Z";
    let (code, _) = desk.list(stale);
    assert_eq!(code, 1);
    let mut altered = read(&desk.path("first.jws"));
    let middle = altered.len() / 2;
    altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
    fs::write(desk.path("altered.jws"), altered).unwrap();
    let altered = "publish altered.jws --out site --signer operator.pem";
    assert_eq!(desk.refuses(altered), ["LOTE-SEAL-SIGNATURE"]);
    let plain = "publish draft.json --out site --signer operator.pem";
    assert_eq!(desk.refuses(plain), ["LOTE-SEAL-FORM"]);
    assert!(!desk.path("site/list.jws").exists() && !desk.path("site/archive/1.jws").exists());
}

#[test]
fn what_the_lint_refuses_is_not_published() {
    let desk = Desk::new();
    desk.first("wallet");
    let mut draft: Value = serde_json::from_slice(&read(&desk.path("draft.json"))).unwrap();
    let scheme = &mut draft["LoTE"]["ListAndSchemeInformation"];
    scheme
        .as_object_mut()
        .unwrap()
        .remove("PolicyOrLegalNotice");
    fs::write(desk.path("draft.json"), draft.to_string()).unwrap();
    desk.seal("operator", "second.jws");
    // Its seal holds, and it may be used; it just does not conform.
    desk.does("verify second.jws --signer operator.pem");
    let published = "publish second.jws --out site --signer operator.pem";
    assert_eq!(desk.refuses(published), ["LOTE-POLICY-NOTICE"]);
    assert_eq!(
        desk.refuses(&format!("{published} --mode interop")),
        ["LOTE-POLICY-NOTICE"]
    );
    assert!(!desk.path("site/list.jws").exists() && !desk.path("site/archive/2.jws").exists());
}

#[test]
fn a_signer_changes_only_as_announced() {
    let desk = Desk::new();
    desk.first("pid");
    let both = [
        read(&desk.path("operator.pem")),
        read(&desk.path("successor.pem")),
    ]
    .concat();
    fs::write(desk.path("both.pem"), both).unwrap();
    desk.does("publish first.jws --out site --signer both.pem");
    let draft = read(&desk.path("draft.json"));

    // The successor at once: refused, even though both are pinned.
    desk.seal("successor", "hasty.jws");
    let hasty = "publish hasty.jws --out site --signer both.pem";
    assert_eq!(
        desk.refuses(hasty),
        ["LOTE-POINTER-SIGNER", "LOTE-SEAL-SUCCESSOR"]
    );
    let (_, told) = desk.list("diff first.jws hasty.jws");
    assert!(
        told.to_string()
            .contains(", not announced by the older version")
    );

    // Announced, then sealing.
    fs::write(desk.path("draft.json"), draft).unwrap();
    desk.does("signers draft.json --announce successor.pem");
    desk.seal("operator", "second.jws");
    let (_, told) = desk.list("diff first.jws second.jws");
    assert!(
        told.to_string()
            .contains("is announced: it may seal later versions")
    );
    desk.does("publish second.jws --out site --signer both.pem");
    desk.does("signers draft.json --retire operator.pem");
    desk.seal("successor", "third.jws");
    let (_, told) = desk.list("diff second.jws third.jws");
    assert!(
        told.to_string()
            .contains("), announced by the older version")
    );
    assert!(told.to_string().contains("is announced no longer"));
    desk.does("publish third.jws --out site --signer both.pem");
    desk.does("lint site/list.jws");
    let index: Value =
        serde_json::from_slice(&read(&desk.path("site/archive/index.json"))).unwrap();
    let numbers: Vec<u64> = index
        .as_array()
        .unwrap()
        .iter()
        .map(|instance| instance["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn a_folder_is_published_by_one_at_a_time() {
    let desk = Desk::new();
    desk.first("mdl");
    fs::create_dir(desk.path("site")).unwrap();
    let lock = fs::File::create(desk.path("site/.publish.lock")).unwrap();
    lock.lock().unwrap();
    let (code, said) = desk.list("publish first.jws --out site --signer operator.pem");
    assert_eq!(code, 2);
    assert!(
        said.as_str()
            .unwrap()
            .contains("another publish is under way")
    );
    // Not by dropping it: a process that another test is starting may still hold it.
    lock.unlock().unwrap();
    desk.does("publish first.jws --out site --signer operator.pem");
}
