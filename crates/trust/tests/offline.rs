//! Answers from files, without a service.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use finding::Trusted;
use lote::{Profile, ServiceKind};
use trust::{Context, OfflineError, check_offline, rules};

#[tokio::test]
async fn a_folder_of_lists_answers_and_says_what_is_assumed() {
    let operator = operator().await;
    let ca = ca().await;
    let old = ca.leaf(pki::Profile::Wallet, provider()).await.certificate;
    let new = ca.leaf(pki::Profile::Wallet, provider()).await.certificate;
    let folder = tempfile::tempdir().unwrap();
    let chain = std::slice::from_ref(&operator.certificate);
    // Two versions of one list: the later one counts, whatever its name.
    let mut first = draft(Profile::Wallet, chain, &[(ServiceKind::Issuance, &old)]);
    std::fs::write(
        folder.path().join("z.jose"),
        seal(&mut first, &operator).await,
    )
    .unwrap();
    let mut second = draft(Profile::Wallet, chain, &[(ServiceKind::Issuance, &new)]);
    second.issue(issued(), next()).unwrap();
    std::fs::write(
        folder.path().join("a.jose"),
        seal(&mut second, &operator).await,
    )
    .unwrap();
    std::fs::write(folder.path().join("readme.txt"), "not a list").unwrap();
    std::fs::write(folder.path().join(".hidden"), "not looked at").unwrap();
    let places = [folder.path().to_path_buf()];

    let check = async |signers: Option<&[pki::Certificate]>, leaf| {
        check_offline(&places, signers, limits(), &ask(Context::Wallet, &[leaf]))
            .await
            .unwrap()
    };
    let yes = check(None, &new).await;
    assert_eq!((yes.trusted, why(&yes)), (Trusted::Yes, vec![]));
    assert_eq!((yes.lists.len(), yes.lists[0].sequence), (1, 2));
    assert!(has(&yes, &rules::SOURCE_TRUSTED));
    assert!(has(&yes, &lote::rules::SEAL_SIGNER));
    let unreadable: Vec<_> = yes
        .findings
        .iter()
        .filter(|f| f.is(&rules::LIST_UNREADABLE))
        .collect();
    assert_eq!(unreadable.len(), 1);
    assert!(unreadable[0].subject.ends_with("readme.txt"));
    assert_eq!(check(None, &old).await.trusted, Trusted::No);

    // Pinned to its operator nothing is assumed; pinned to another nothing is left.
    let pinned = check(Some(chain), &new).await;
    assert_eq!(pinned.trusted, Trusted::Yes);
    assert!(!has(&pinned, &rules::SOURCE_TRUSTED));
    let other = common::operator().await.certificate;
    let none = check(Some(std::slice::from_ref(&other)), &new).await;
    assert_eq!(
        (none.trusted, why(&none)),
        (Trusted::Undecided, vec![rules::NO_LIST.id.into()])
    );
}

#[tokio::test]
async fn an_unsealed_list_in_a_named_file_is_taken_and_told() {
    let operator = operator().await;
    let leaf = ca()
        .await
        .leaf(pki::Profile::Pid, provider())
        .await
        .certificate;
    let mut draft = draft(
        Profile::Pid,
        std::slice::from_ref(&operator.certificate),
        &[(ServiceKind::Issuance, &leaf)],
    );
    draft.issue(issued(), next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.json");
    std::fs::write(&path, draft.list().to_json().unwrap()).unwrap();
    let verdict = check_offline(
        std::slice::from_ref(&path),
        None,
        limits(),
        &ask(Context::Pid, &[&leaf]),
    )
    .await
    .unwrap();
    assert_eq!(verdict.trusted, Trusted::Yes);
    assert!(has(&verdict, &lote::rules::SEAL_FORM));
    let signers = [operator.certificate];
    let verdict = check_offline(
        &[path],
        Some(&signers),
        limits(),
        &ask(Context::Pid, &[&leaf]),
    )
    .await
    .unwrap();
    assert_eq!(verdict.trusted, Trusted::Undecided);
}

#[tokio::test]
async fn a_place_that_is_not_there_is_an_error() {
    let leaf = ca()
        .await
        .leaf(pki::Profile::Pid, provider())
        .await
        .certificate;
    let result = check_offline(
        &["/nowhere/at/all".into()],
        None,
        limits(),
        &ask(Context::Pid, &[&leaf]),
    )
    .await;
    assert!(matches!(result, Err(OfflineError::Unreadable { .. })));
}
