//! Questions about the past, and about a list that has passed its NextUpdate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use clock::ManualClock;
use common::*;
use finding::{Severity, Trusted, Verdict};
use jiff::SignedDuration;
use lote::model::{HistoryInstance, ServiceIdentity};
use lote::{Profile, ServiceKind};
use pki::Certificate;
use rstest::rstest;
use trust::{Config, Context, TrustService, check_offline, rules};

const ISSUANCE: ServiceKind = ServiceKind::Issuance;
const NOTIFIED: &str = "http://uri.etsi.org/19602/PubEAAProvidersList/SvcStatus/notified";

/// A public body's service: notified in June by one key, since October by another.
async fn changed_keys(before: &Certificate, now_known: &Certificate) -> TrustService {
    let operator = operator().await;
    let signers = std::slice::from_ref(&operator.certificate);
    let mut draft = draft(Profile::PubEaa, signers, &[(ISSUANCE, now_known)]);
    draft.issue(issued(), next()).unwrap();
    let mut list = draft.list().clone();
    let changed = &mut list.lote.entities.as_mut().unwrap()[0].services[0];
    let information = &mut changed.information;
    information.status_starting_time = Some("2026-10-01T00:00:00Z".into());
    changed.history = vec![HistoryInstance {
        service_type_identifier: information.service_type_identifier.clone(),
        service_name: information.service_name.clone(),
        service_digital_identity: Some(ServiceIdentity {
            skis: vec![jose::b64::encode_std(before.subject_key_id().unwrap())],
            ..ServiceIdentity::default()
        }),
        service_status: Some(NOTIFIED.into()),
        status_starting_time: Some("2026-06-01T00:00:00Z".into()),
        ..HistoryInstance::default()
    }];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let sealed = lote::seal(&list, signers, &operator.key, issued()).await;
    std::fs::write(&path, sealed.unwrap()).unwrap();
    let (service, _) = service(vec![file_source(Profile::PubEaa, path, &operator)], None);
    service.refresh().await;
    service
}

const NOT_LISTED: &str = "PKI-DIRECT-NOT-LISTED";
const NO_CA: &str = "TRUST-NO-CA";

/// Whose key it was at a time is what the history says.
#[rstest]
#[case::the_new_one_now("new", "2026-11-22T12:00:00Z", Trusted::Yes, &[])]
#[case::the_new_one_since_october("new", "2026-10-02T00:00:00Z", Trusted::Yes, &[])]
#[case::the_new_one_before_it_was_known("new", "2026-09-30T00:00:00Z", Trusted::No, &["TRUST-WITHDRAWN"])]
#[case::the_new_one_before_anything("new", "2026-05-01T00:00:00Z", Trusted::No, &["TRUST-WITHDRAWN"])]
#[case::the_old_one_now("old", "2026-11-22T12:00:00Z", Trusted::No, &[NOT_LISTED, NO_CA])]
#[case::the_old_one_since_october("old", "2026-10-02T00:00:00Z", Trusted::No, &[NOT_LISTED, NO_CA])]
// Its key was the service's; the certificate itself is on the archived list alone.
#[case::the_old_one_then("old", "2026-09-30T00:00:00Z", Trusted::Undecided, &["TRUST-HISTORY-KEY"])]
#[case::the_old_one_before_anything("old", "2026-05-01T00:00:00Z", Trusted::No, &[NOT_LISTED, NO_CA])]
#[tokio::test]
async fn a_public_body_that_changed_its_key(
    #[case] which: &str,
    #[case] time: &str,
    #[case] trusted: Trusted,
    #[case] expected: &[&str],
) {
    let ca = ca().await;
    let old = ca.leaf(pki::Profile::PubEaa, provider()).await.certificate;
    let new = ca.leaf(pki::Profile::PubEaa, provider()).await.certificate;
    let service = changed_keys(&old, &new).await;
    let leaf = if which == "old" { &old } else { &new };
    let mut request = ask(Context::PubEaa, &[leaf]);
    request.at = at(time);
    let verdict = service.check(&request).await;
    let mut refused = why(&verdict);
    refused.retain(|rule| rule != "PKI-DIRECT-SAME-SUBJECT");
    assert_eq!(
        (verdict.trusted, refused),
        (trusted, expected.iter().map(ToString::to_string).collect()),
        "{verdict:#?}"
    );
}

/// The same key all along: the certificate stands since June.
#[tokio::test]
async fn a_public_body_that_kept_its_key() {
    let ca = ca().await;
    let leaf = ca.leaf(pki::Profile::PubEaa, provider()).await.certificate;
    let service = changed_keys(&leaf, &leaf).await;
    for (time, trusted) in [
        ("2026-11-22T12:00:00Z", Trusted::Yes),
        ("2026-06-02T00:00:00Z", Trusted::Yes),
        ("2026-05-31T00:00:00Z", Trusted::No),
    ] {
        let mut request = ask(Context::PubEaa, &[&leaf]);
        request.at = at(time);
        assert_eq!(service.check(&request).await.trusted, trusted, "{time}");
    }
}

/// Earlier versions in a folder answer for the time in which they were current.
#[rstest]
#[case::now("2026-11-22T12:00:00Z", "new", Trusted::Yes)]
#[case::now_removed("2026-11-22T12:00:00Z", "old", Trusted::No)]
#[case::then("2026-11-05T00:00:00Z", "old", Trusted::Yes)]
#[case::not_yet_added("2026-11-05T00:00:00Z", "new", Trusted::No)]
#[case::before_any_list("2026-10-01T00:00:00Z", "old", Trusted::Undecided)]
#[tokio::test]
async fn versions_in_a_folder(#[case] time: &str, #[case] which: &str, #[case] trusted: Trusted) {
    let operator = operator().await;
    let signers = std::slice::from_ref(&operator.certificate);
    let ca = ca().await;
    let old = ca.leaf(pki::Profile::Wallet, provider()).await.certificate;
    let new = ca.leaf(pki::Profile::Wallet, provider()).await.certificate;
    let folder = tempfile::tempdir().unwrap();
    let mut first = draft(Profile::Wallet, signers, &[(ISSUANCE, &old)]);
    let sealed = seal(&mut first, &operator).await;
    std::fs::write(folder.path().join("1.jws"), sealed).unwrap();
    let mut second = draft(Profile::Wallet, signers, &[(ISSUANCE, &new)]);
    second.issue(issued(), next()).unwrap();
    let sealed = seal(&mut second, &operator).await;
    std::fs::write(folder.path().join("2.jws"), sealed).unwrap();
    let leaf = if which == "old" { &old } else { &new };
    let mut request = ask(Context::Wallet, &[leaf]);
    request.at = at(time);
    let places = [folder.path().to_path_buf()];
    let verdict: Verdict = check_offline(&places, Some(signers), limits(), &request)
        .await
        .unwrap();
    assert_eq!(verdict.trusted, trusted, "{verdict:#?}");
    let archived = time == "2026-11-05T00:00:00Z";
    assert_eq!(has(&verdict, &rules::LIST_ARCHIVED), archived);
    if archived {
        assert_eq!(verdict.lists[0].sequence, 1);
    }
    let why_open = why(&verdict);
    if trusted == Trusted::Undecided {
        assert_eq!(why_open, [rules::LIST_LATER.id]);
    }
    assert!(!has(&verdict, &rules::LIST_UNREADABLE));
}

/// A public body's list answers for the past by itself, from a file too.
#[tokio::test]
async fn a_public_bodys_list_in_a_file() {
    let operator = operator().await;
    let signers = std::slice::from_ref(&operator.certificate);
    let leaf = ca().await.leaf(pki::Profile::PubEaa, provider()).await;
    let services = [(ISSUANCE, &leaf.certificate)];
    let mut draft = draft(Profile::PubEaa, signers, &services);
    draft.issue(issued(), next()).unwrap();
    // Notified on 1 November; the list that says so is of 22 November.
    let sealed = seal(&mut draft, &operator).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    std::fs::write(&path, sealed).unwrap();
    for (time, trusted) in [
        ("2026-11-22T12:00:00Z", Trusted::Yes),
        ("2026-11-05T00:00:00Z", Trusted::Yes),
        ("2026-10-05T00:00:00Z", Trusted::No),
    ] {
        let mut request = ask(Context::PubEaa, &[&leaf.certificate]);
        request.at = at(time);
        let places = std::slice::from_ref(&path);
        let verdict = check_offline(places, Some(signers), limits(), &request)
            .await
            .unwrap();
        assert_eq!(verdict.trusted, trusted, "{time}: {verdict:#?}");
    }
}

/// A grace period is configuration, and stands in the verdict.
#[rstest]
#[case::none(0, 1, Trusted::Undecided)]
#[case::within(48, 1, Trusted::Yes)]
#[case::at_its_end(48, 48, Trusted::Undecided)]
#[case::past_it(48, 49, Trusted::Undecided)]
#[tokio::test]
async fn past_its_next_update(#[case] grace: u64, #[case] past: i64, #[case] trusted: Trusted) {
    let operator = operator().await;
    let leaf = ca().await.leaf(pki::Profile::Wallet, provider()).await;
    let signers = std::slice::from_ref(&operator.certificate);
    let services = [(ISSUANCE, &leaf.certificate)];
    let mut draft = draft(Profile::Wallet, signers, &services);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    std::fs::write(&path, seal(&mut draft, &operator).await).unwrap();
    let config = Config {
        sources: vec![file_source(Profile::Wallet, path, &operator)],
        grace: Duration::from_hours(grace),
        ..Config::default()
    };
    let service = TrustService::new(config, Arc::new(ManualClock::at(now()))).unwrap();
    service.refresh().await;
    let mut request = ask(Context::Wallet, &[&leaf.certificate]);
    request.at = next() + SignedDuration::from_hours(past);
    let verdict = service.check(&request).await;
    assert_eq!(verdict.trusted, trusted, "{verdict:#?}");
    let told = verdict.findings.iter().find(|f| f.is(&rules::LIST_GRACE));
    assert_eq!(told.is_some(), trusted == Trusted::Yes);
    if let Some(told) = told {
        assert_eq!(told.severity, Severity::Warning);
    }
}
