//! A decision recorded, and given again a year later, from the record alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use finding::{Refusal, Rule, Trusted};
use jiff::SignedDuration;
use lote::model::{PkiObject, Pointer, Qualifier, ServiceIdentity};
use lote::{Profile, ServiceKind};
use rstest::rstest;
use serde_json::{Value, json};
use trust::{Bundle, CheckRequest, Context, Pins, Policy, Revocation, rules};

/// A decision with all there can be in one: a list, a CRL, an OCSP answer.
struct Case {
    bundle: Bundle,
    operator: Party,
    folder: tempfile::TempDir,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Yes,
    Direct,
    Revoked,
    Unknown,
    Softly,
    NotListed,
    Stale,
}

async fn recorded(kind: Kind) -> Case {
    let server = Server::start().await;
    let ca = ca().await;
    let crl_url = server.url("/crl");
    let leaf = ca
        .leaf_with(pki::Profile::Wallet, provider(), |r| {
            r.crl_urls = vec![crl_url];
            // Nobody listens there.
            r.ocsp_urls = vec!["http://127.0.0.1:9/ocsp".into()];
        })
        .await
        .certificate;
    let revoked: &[_] = if kind == Kind::Revoked { &[&leaf] } else { &[] };
    if !matches!(kind, Kind::Unknown | Kind::Softly) {
        server.give("/crl", crl(&ca, revoked, "2027-01-01T00:00:00Z").await);
    }
    if kind == Kind::Direct {
        server.give("/ca", ca.certificate.der());
    }
    let operator = operator().await;
    let listed = match kind {
        Kind::Direct => leaf.clone(),
        Kind::NotListed => common::ca().await.certificate,
        _ => ca.certificate.clone(),
    };
    let signers = std::slice::from_ref(&operator.certificate);
    let services = [(ServiceKind::Issuance, &listed)];
    let mut draft = draft(Profile::Wallet, signers, &services);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet");
    std::fs::write(&path, seal(&mut draft, &operator).await).unwrap();
    let copies = folder.path().join("copies");
    let source = file_source(Profile::Wallet, path, &operator);
    let (service, _) = service(vec![source], Some(copies));
    service.refresh().await;
    let chain: &[_] = match kind {
        Kind::Direct => &[&leaf, &ca.certificate],
        _ => &[&leaf],
    };
    let request = CheckRequest {
        policy: Policy::DirectOrPkix,
        revocation: match kind {
            Kind::Softly => Revocation::Soft,
            _ => Revocation::Hard,
        },
        at: match kind {
            Kind::Stale => next() + SignedDuration::from_hours(1),
            _ => now(),
        },
        ..ask(Context::Wallet, chain)
    };
    let recorded = service.check_recorded(&request).await.unwrap();
    let again = service.check(&request).await;
    assert_eq!(recorded.verdict, again, "recording changes nothing");
    Case {
        bundle: recorded.bundle,
        operator,
        folder,
    }
}

#[rstest]
#[case(Kind::Yes, Trusted::Yes)]
#[case(Kind::Direct, Trusted::Yes)]
#[case(Kind::Revoked, Trusted::No)]
#[case(Kind::Unknown, Trusted::Undecided)]
#[case(Kind::Softly, Trusted::Yes)]
#[case(Kind::NotListed, Trusted::No)]
#[case(Kind::Stale, Trusted::Undecided)]
#[tokio::test]
async fn the_same_verdict_from_the_file_alone(#[case] kind: Kind, #[case] trusted: Trusted) {
    let case = recorded(kind).await;
    let json = case.bundle.to_json();
    let (verdict, operator) = (case.bundle.verdict().clone(), case.operator);
    // The lists, the servers and the folder of copies are gone; only the file is
    // left, and it asks no clock: a year later is as good as now.
    drop(case.folder);
    assert_eq!(verdict.trusted, trusted, "{verdict:#?}");
    let bundle = Bundle::from_json(&json).unwrap();
    assert_eq!(bundle.verdict(), &verdict);
    for pins in [
        Pins::default(),
        Pins {
            signers: Some(vec![operator.certificate.clone()]),
            digest: Some(bundle.digest()),
        },
    ] {
        assert_eq!(bundle.replay(&pins).unwrap(), verdict);
    }
    assert_eq!(bundle.to_json(), json, "it is written as it was read");
    assert_eq!(bundle.made_at(), now());
    assert_eq!(bundle.question().unwrap().context, Context::Wallet);
}

#[tokio::test]
async fn what_the_pins_say_counts() {
    let case = recorded(Kind::Yes).await;
    let other = operator().await.certificate;
    let refused = case.bundle.replay(&Pins {
        signers: Some(vec![other]),
        digest: None,
    });
    assert_eq!(errors(refused), [rules::BUNDLE_SIGNER.id]);
    let refused = case.bundle.replay(&Pins {
        signers: None,
        digest: Some("00".repeat(32)),
    });
    assert_eq!(errors(refused), [rules::BUNDLE_DIGEST.id]);
}

/// Every part, altered as it stands: noticed by its digest. The whole, altered
/// where no part has one: noticed by the bundle's.
#[rstest]
#[case::list("/body/lists/0/held/text", &rules::BUNDLE_PART)]
#[case::crl("/body/revocation/crls/0/der", &rules::BUNDLE_PART)]
#[case::crl_digest("/body/revocation/crls/0/sha256", &rules::BUNDLE_PART)]
#[case::chain("/body/question/chain/0", &rules::BUNDLE_DIGEST)]
#[case::policy("/body/question/policy", &rules::BUNDLE_DIGEST)]
#[case::context("/body/question/context", &rules::BUNDLE_DIGEST)]
#[case::revocation_mode("/body/question/revocation", &rules::BUNDLE_DIGEST)]
#[case::time("/body/question/at", &rules::BUNDLE_DIGEST)]
#[case::verdict("/body/verdict/trusted", &rules::BUNDLE_DIGEST)]
#[case::finding("/body/verdict/findings/0/rule", &rules::BUNDLE_DIGEST)]
#[case::signers("/body/lists/0/pinned/0", &rules::BUNDLE_DIGEST)]
#[case::accepted("/body/lists/0/held/accepted", &rules::BUNDLE_DIGEST)]
#[case::grace("/body/grace_seconds", &rules::BUNDLE_DIGEST)]
#[case::maker("/body/made_by", &rules::BUNDLE_DIGEST)]
#[case::digest("/sha256", &rules::BUNDLE_DIGEST)]
#[tokio::test]
async fn altered_and_noticed(#[case] place: &str, #[case] rule: &Rule) {
    let case = recorded(Kind::Yes).await;
    let mut document: Value = serde_json::from_slice(&case.bundle.to_json()).unwrap();
    let value = document.pointer_mut(place).unwrap();
    *value = altered(place, value);
    let refused = Bundle::from_json(&serde_json::to_vec(&document).unwrap());
    assert_eq!(errors(refused), [rule.id], "{place}");
}

/// Who writes the digests anew as well: the seal, the signatures and the verdict
/// itself still tell.
#[rstest]
#[case::list("/body/lists/0/held/text", &rules::BUNDLE_LIST)]
#[case::signers("/body/lists/0/pinned/0", &rules::BUNDLE_LIST)]
#[case::crl("/body/revocation/crls/0/der", &rules::REPLAY_DIFFERS)]
#[case::policy("/body/question/policy", &rules::REPLAY_DIFFERS)]
#[case::context("/body/question/context", &rules::REPLAY_DIFFERS)]
#[case::revocation_mode("/body/question/revocation", &rules::REPLAY_DIFFERS)]
#[case::time("/body/question/at", &rules::REPLAY_DIFFERS)]
#[case::verdict("/body/verdict/trusted", &rules::REPLAY_DIFFERS)]
#[case::finding("/body/verdict/findings/0/rule", &rules::REPLAY_DIFFERS)]
#[tokio::test]
async fn altered_with_its_digests_and_noticed(#[case] place: &str, #[case] rule: &Rule) {
    let case = recorded(Kind::Yes).await;
    let mut document: Value = serde_json::from_slice(&case.bundle.to_json()).unwrap();
    let value = document.pointer_mut(place).unwrap();
    *value = altered(place, value);
    let bundle = with_digests(document);
    assert_eq!(
        errors(bundle.replay(&Pins::default())),
        [rule.id],
        "{place}"
    );
    // And the digest that was kept elsewhere is another.
    let pins = Pins {
        signers: None,
        digest: Some(case.bundle.digest()),
    };
    assert_eq!(errors(bundle.replay(&pins)), [rules::BUNDLE_DIGEST.id]);
}

/// A revoked certificate is not made good by leaving its CRL out.
#[tokio::test]
async fn evidence_left_out_is_noticed() {
    let case = recorded(Kind::Revoked).await;
    let mut document: Value = serde_json::from_slice(&case.bundle.to_json()).unwrap();
    document["body"]["revocation"]["crls"] = json!([]);
    let bundle = with_digests(document);
    let refused = errors(bundle.replay(&Pins::default()));
    assert_eq!(refused, [rules::REPLAY_DIFFERS.id]);
}

#[rstest]
#[case::nothing(b"".to_vec())]
#[case::no_json(b"a bundle".to_vec())]
#[case::another_document(b"{\"LoTE\":{}}".to_vec())]
#[case::deep("[".repeat(100_000).into_bytes())]
fn what_is_no_bundle(#[case] bytes: Vec<u8>) {
    assert_eq!(errors(Bundle::from_json(&bytes)), [rules::BUNDLE_FORM.id]);
}

#[tokio::test]
async fn a_bundle_of_another_form() {
    let json = recorded(Kind::Yes).await.bundle.to_json();
    let text = String::from_utf8(json).unwrap();
    for (from, to) in [
        ("\"trust_bundle\":1", "\"trust_bundle\":2"),
        ("\"made_by\"", "\"unknown\":1,\"made_by\""),
        // Two readers could see two policies.
        ("\"policy\"", "\"policy\":\"direct-only\",\"policy\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let refused = errors(Bundle::from_json(changed.as_bytes()));
        assert_eq!(refused, [rules::BUNDLE_FORM.id], "{to}");
    }
    for len in (0..text.len()).step_by(997) {
        let refused = errors(Bundle::from_json(&text.as_bytes()[..len]));
        assert_eq!(refused, [rules::BUNDLE_FORM.id]);
    }
}

/// Without a folder of copies the lists are at hand in memory; and lists in files
/// are recorded as well.
#[tokio::test]
async fn from_memory_and_from_files() {
    let operator = operator().await;
    let leaf = ca().await.leaf(pki::Profile::Wallet, provider()).await;
    let signers = std::slice::from_ref(&operator.certificate);
    let services = [(ServiceKind::Issuance, &leaf.certificate)];
    let mut draft = draft(Profile::Wallet, signers, &services);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet");
    std::fs::write(&path, seal(&mut draft, &operator).await).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no list").unwrap();
    let request = ask(Context::Wallet, &[&leaf.certificate]);

    let source = file_source(Profile::Wallet, path, &operator);
    let (service, _) = service(vec![source], None);
    service.refresh().await;
    let from_memory = service.check_recorded(&request).await.unwrap();
    let places = [folder.path().to_path_buf()];
    let from_files = trust::record_offline(&places, None, limits(), &request, now())
        .await
        .unwrap();
    assert!(has(&from_files.verdict, &rules::LIST_UNREADABLE));
    drop(folder);
    for recorded in [from_memory, from_files] {
        assert_eq!(recorded.verdict.trusted, Trusted::Yes);
        let read = Bundle::from_json(&recorded.bundle.to_json()).unwrap();
        assert_eq!(read.replay(&Pins::default()).unwrap(), recorded.verdict);
    }
}

/// A question about the past stands on the archived instance, and on the list that
/// has replaced it.
#[tokio::test]
async fn the_past_is_recorded() {
    let operator = operator().await;
    let leaf = ca().await.leaf(pki::Profile::Wallet, provider()).await;
    let signers = std::slice::from_ref(&operator.certificate);
    let services = [(ServiceKind::Issuance, &leaf.certificate)];
    let mut first = draft(Profile::Wallet, signers, &services);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet");
    std::fs::write(&path, seal(&mut first, &operator).await).unwrap();
    let source = file_source(Profile::Wallet, path.clone(), &operator);
    let (service, _) = service(vec![source], Some(folder.path().join("copies")));
    service.refresh().await;
    let mut second = draft(Profile::Wallet, signers, &[]);
    second.issue(issued(), next()).unwrap();
    std::fs::write(&path, seal(&mut second, &operator).await).unwrap();
    service.refresh().await;
    for (time, trusted) in [
        ("2026-11-10T00:00:00Z", Trusted::Yes),
        ("2026-11-22T12:00:00Z", Trusted::No),
        ("2026-10-10T00:00:00Z", Trusted::Undecided),
    ] {
        let mut request = ask(Context::Wallet, &[&leaf.certificate]);
        request.at = at(time);
        let recorded = service.check_recorded(&request).await.unwrap();
        let verdict = recorded.verdict;
        assert_eq!(verdict.trusted, trusted, "{time}: {verdict:#?}");
        let archived = trusted == Trusted::Yes;
        assert_eq!(has(&verdict, &rules::LIST_ARCHIVED), archived);
        let read = Bundle::from_json(&recorded.bundle.to_json()).unwrap();
        let pins = Pins {
            signers: Some(signers.to_vec()),
            digest: None,
        };
        assert_eq!(read.replay(&pins).unwrap(), verdict);
        if archived {
            // Nor is an instance taken for the one of a time that it was not of.
            let mut document: Value = serde_json::from_slice(&recorded.bundle.to_json()).unwrap();
            document["body"]["question"]["at"] = json!("2026-10-10T00:00:00Z");
            let refused = with_digests(document).replay(&pins).unwrap_err();
            let evidence = &refused.findings()[0].evidence;
            assert!(evidence.contains("gives undecided"), "{evidence}");
        }
    }
}

/// A CRL by somebody of the issuer's name, with that somebody as the issuer, says
/// nothing of a listed leaf.
#[tokio::test]
async fn an_issuer_made_up_says_nothing() {
    let (ca, decoy) = (ca().await, common::ca().await);
    let leaf = ca
        .leaf_with(pki::Profile::Wallet, provider(), |r| {
            // Nobody listens there.
            r.crl_urls = vec!["http://127.0.0.1:9/crl".into()];
            r.ocsp_urls.clear();
        })
        .await
        .certificate;
    let operator = operator().await;
    let signers = std::slice::from_ref(&operator.certificate);
    let mut draft = draft(Profile::Wallet, signers, &[(ServiceKind::Issuance, &leaf)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wallet");
    std::fs::write(&path, seal(&mut draft, &operator).await).unwrap();
    let (service, _) = service(vec![file_source(Profile::Wallet, path, &operator)], None);
    service.refresh().await;
    let request = CheckRequest {
        revocation: Revocation::Hard,
        ..ask(Context::Wallet, &[&leaf])
    };
    let recorded = service.check_recorded(&request).await.unwrap();
    assert_eq!(recorded.verdict.trusted, Trusted::Undecided);
    let mut document: Value = serde_json::from_slice(&recorded.bundle.to_json()).unwrap();
    let der = jose::b64::encode_std(crl(&decoy, &[], "2027-01-01T00:00:00Z").await);
    let revocation = &mut document["body"]["revocation"];
    revocation["issuer"] = json!(jose::b64::encode_std(decoy.certificate.der()));
    revocation["crls"] = json!([{"uri": "http://127.0.0.1:9/crl", "sha256": "", "der": der}]);
    let replayed = with_digests(document).replay(&Pins::default());
    assert_eq!(replayed.unwrap(), recorded.verdict);
}

/// A list that a pointer led to: the list that points is recorded too, and shows
/// whose seal it bears. Without it, or with another signer, nothing is replayed.
#[tokio::test]
async fn what_a_pointer_led_to_is_recorded_with_the_pointer() {
    let (operator, other) = (operator().await, operator().await);
    let leaf = ca().await.leaf(pki::Profile::Pid, provider()).await;
    let server = Server::start().await;
    let services = [(ServiceKind::Issuance, &leaf.certificate)];
    let others = std::slice::from_ref(&other.certificate);
    let mut child = draft(Profile::Pid, others, &services);
    server.give("/pid", seal(&mut child, &other).await);
    let mut parent = draft(
        Profile::Wallet,
        std::slice::from_ref(&operator.certificate),
        &[],
    );
    parent.issue(issued(), next()).unwrap();
    let mut list = parent.list().clone();
    let pointers = &mut list.lote.scheme.pointers_to_other_lote;
    pointers.push(Pointer {
        location: Some(server.url("/pid")),
        identities: vec![ServiceIdentity {
            certificates: vec![PkiObject {
                val: Some(jose::b64::encode_std(other.certificate.der())),
                ..PkiObject::default()
            }],
            ..ServiceIdentity::default()
        }],
        qualifiers: vec![Qualifier {
            lote_type: Some(Profile::Pid.lote_type().to_owned()),
            ..Qualifier::default()
        }],
        ..Pointer::default()
    });
    let chain = std::slice::from_ref(&operator.certificate);
    let sealed = lote::seal(&list, chain, &operator.key, issued()).await;
    server.give("/wallet", sealed.unwrap());
    let mut source = source(Profile::Wallet, &server.url("/wallet"), &operator);
    source.upkeep.follow_pointers = true;
    let (service, _) = service(vec![source], None);
    service.refresh().await;
    let request = ask(Context::Pid, &[&leaf.certificate]);
    let recorded = service.check_recorded(&request).await.unwrap();
    assert_eq!(recorded.verdict.trusted, Trusted::Yes);
    let pins = Pins {
        signers: Some(vec![operator.certificate.clone()]),
        digest: None,
    };
    let read = Bundle::from_json(&recorded.bundle.to_json()).unwrap();
    assert_eq!(read.replay(&pins).unwrap(), recorded.verdict);

    let document: Value = serde_json::from_slice(&recorded.bundle.to_json()).unwrap();
    let mut without = document.clone();
    let lists = without["body"]["lists"].as_array_mut().unwrap();
    assert_eq!(lists.len(), 2);
    lists.retain(|list| list["profile"] == "pid");
    let refused = with_digests(without).replay(&pins);
    assert_eq!(errors(refused), [rules::BUNDLE_SIGNER.id]);
    let mut configured = document;
    let lists = configured["body"]["lists"].as_array_mut().unwrap();
    for list in lists {
        list["led"] = Value::Null;
    }
    let refused = with_digests(configured).replay(&pins);
    assert_eq!(errors(refused), [rules::BUNDLE_SIGNER.id]);
}

/// Whoever makes a bundle up may not get past the pins by lists that vouch for
/// themselves, or for each other.
#[rstest]
#[case::itself(&["a"], &["a"])]
#[case::each_other(&["a"], &["b"])]
#[case::a_long_way(&["a", "b"], &["b", "a"])]
#[case::nobody(&["a"], &[])]
#[tokio::test]
async fn lists_that_vouch_for_themselves_are_refused(#[case] lists: &[&str], #[case] by: &[&str]) {
    let case = recorded(Kind::Yes).await;
    let mut document: Value = serde_json::from_slice(&case.bundle.to_json()).unwrap();
    let own = document["body"]["lists"][0].clone();
    let mut all = Vec::new();
    for name in ["a", "b"] {
        let mut list = own.clone();
        list["location"] = json!(name);
        let way = if lists.contains(&name) { by } else { &["a"] };
        list["led"] = json!({"by": way, "until": null});
        all.push(list);
    }
    document["body"]["lists"] = json!(all);
    let pins = Pins {
        signers: Some(vec![operator().await.certificate]),
        digest: None,
    };
    let refused = with_digests(document).replay(&pins);
    assert_eq!(errors(refused), [rules::BUNDLE_SIGNER.id]);
}

fn errors<T: std::fmt::Debug>(result: Result<T, Refusal>) -> Vec<String> {
    common::errors(result.unwrap_err().findings())
}

/// Another value of the same kind.
fn altered(place: &str, value: &Value) -> Value {
    let text = match value {
        Value::Number(n) => return json!(n.as_u64().unwrap() + 1),
        Value::String(text) => text.clone(),
        other => panic!("{other}"),
    };
    match place.rsplit('/').next().unwrap() {
        "policy" => json!("direct-only"),
        "context" => json!("pid"),
        "revocation" => json!("skip"),
        "at" => json!("2026-11-23T12:00:00Z"),
        "accepted" => json!("2026-11-22T11:00:00Z"),
        "trusted" => json!("no"),
        // Within the signature: it can be read, and does not verify.
        _ if place.contains("chain/0") || place.contains("pinned/0") || place.ends_with("der") => {
            json!(flipped(&text, text.len() - 8))
        }
        _ => json!(flipped(&text, text.len() / 2)),
    }
}

fn flipped(text: &str, at: usize) -> String {
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}

/// The bundle with all its digests written anew.
fn with_digests(mut document: Value) -> Bundle {
    let digest = |bytes: &[u8]| -> Value {
        let digest = jose::sha256(bytes);
        json!(
            digest
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect::<String>()
        )
    };
    for list in document["body"]["lists"].as_array_mut().unwrap() {
        let text = list["held"]["text"].as_str().unwrap().to_owned();
        list["held"]["sha256"] = digest(text.as_bytes());
    }
    for crl in document["body"]["revocation"]["crls"]
        .as_array_mut()
        .unwrap()
    {
        let der = jose::b64::decode_std(crl["der"].as_str().unwrap()).unwrap();
        crl["sha256"] = digest(&der);
    }
    // What the digest has to be is what the refusal says.
    let refused = Bundle::from_json(&serde_json::to_vec(&document).unwrap()).unwrap_err();
    let evidence = &refused.findings()[0].evidence;
    assert!(refused.names(&rules::BUNDLE_DIGEST), "{refused}");
    let own = evidence.split(' ').nth(4).unwrap().trim_end_matches(',');
    document["sha256"] = json!(own);
    Bundle::from_json(&serde_json::to_vec(&document).unwrap()).unwrap()
}
