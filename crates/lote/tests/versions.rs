//! A list from version to version: authoring, difference, succession, index.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use jiff::ToSpan;
use lote::model::{Qualifier, Text, UncheckedList};
use lote::{
    ChangeKind, Draft, DraftError, Index, List, Mode, Profile, STATUS_NOTIFIED, STATUS_WITHDRAWN,
    ServiceKind, Signers, Verifier, diff, rules, succession, succession_of_sealed,
};
use rstest::rstest;

fn checked(draft: &Draft) -> List {
    List::check(draft.list().clone()).unwrap().0
}

#[tokio::test]
async fn a_withdrawn_entity_is_gone_from_a_list_without_history() {
    let operator = operator().await;
    let mut draft = draft(Profile::Wallet, &operator.certificate).await;
    let before = draft.list().clone();
    draft.withdraw_entity(ENTITY, now()).unwrap();
    draft.issue(now(), next()).unwrap();
    assert_eq!(draft.list().lote.entities, None);
    assert_eq!(draft.list().scheme().sequence, Some(2));
    assert_eq!(lote::lint(draft.list(), None, now()), []);
    let changes = diff(&before, draft.list());
    let removed: Vec<_> = changes
        .iter()
        .filter(|c| c.kind == ChangeKind::Removed)
        .collect();
    assert_eq!(removed.len(), 1);
    assert_eq!(
        removed[0].to_string(),
        "\"Example Provider GmbH\": the entity was removed, with 2 services"
    );
    assert!(
        changes
            .iter()
            .any(|c| c.words == "LoTESequenceNumber is \"2\"; it was \"1\"")
    );
}

#[tokio::test]
async fn an_entity_goes_with_its_last_service() {
    let operator = operator().await;
    let mut draft = draft(Profile::Pid, &operator.certificate).await;
    let withdraw = |draft: &mut Draft, kind: ServiceKind| {
        draft.withdraw_service(ENTITY, kind, &format!("Example {kind:?}"), now())
    };
    withdraw(&mut draft, ServiceKind::Revocation).unwrap();
    assert_eq!(draft.list().entities()[0].services.len(), 1);
    assert!(matches!(
        withdraw(&mut draft, ServiceKind::Revocation),
        Err(DraftError::NoService(_, _))
    ));
    withdraw(&mut draft, ServiceKind::Issuance).unwrap();
    assert_eq!(draft.list().lote.entities, None);
    assert!(matches!(
        withdraw(&mut draft, ServiceKind::Issuance),
        Err(DraftError::NoEntity(_))
    ));
}

#[tokio::test]
async fn annex_h_keeps_what_was_withdrawn_and_answers_for_the_past() {
    let operator = operator().await;
    let mut draft = draft(Profile::PubEaa, &operator.certificate).await;
    let before = checked(&draft);
    draft.withdraw_entity(ENTITY, now()).unwrap();
    // Twice is once.
    draft.withdraw_entity(ENTITY, now()).unwrap();
    draft.issue(now(), next()).unwrap();
    assert_eq!(lote::lint(draft.list(), None, now()), []);
    let after = checked(&draft);
    assert_eq!(succession(&before, &after), []);

    let index = Index::of(&after);
    let anchor = index.of_kind(ServiceKind::Issuance).first().unwrap();
    let earlier = now().checked_sub(1.hour()).unwrap();
    assert_eq!(anchor.status_at(now()), Some(STATUS_WITHDRAWN));
    assert_eq!(anchor.status_at(earlier), Some(STATUS_NOTIFIED));
    assert_eq!(anchor.status_at(at("2026-10-01T00:00:00Z")), None);
    assert!(anchor.stands_at(earlier));
    assert!(!anchor.stands_at(now()));
    assert!(!anchor.stands_at(at("2026-10-01T00:00:00Z")));
}

#[tokio::test]
async fn a_retroactive_status_does_not_follow() {
    let operator = operator().await;
    let mut draft = draft(Profile::PubEaa, &operator.certificate).await;
    let before = checked(&draft);
    draft.withdraw_entity(ENTITY, issued()).unwrap();
    draft.issue(now(), next()).unwrap();
    let found = succession(&before, &checked(&draft));
    assert_eq!(all(&found), [rules::SVC_STATUS_TIME.id]);
}

#[tokio::test]
async fn a_sequence_number_never_goes_back() {
    let operator = operator().await;
    let mut draft = draft(Profile::Pid, &operator.certificate).await;
    let first = checked(&draft);
    draft.issue(now(), next()).unwrap();
    let second = checked(&draft);
    assert_eq!(succession(&first, &second), []);
    assert_eq!(succession(&second, &second), []);
    assert_eq!(
        all(&succession(&second, &first)),
        [rules::ISSUE_TIME.id, rules::SEQUENCE_BACK.id]
    );
    // The same number for another content.
    let mut other = second.content().clone();
    other.lote.scheme.distribution_points.clear();
    let other = List::check(other).unwrap().0;
    assert_eq!(all(&succession(&second, &other)), [rules::SEQUENCE_BACK.id]);
}

#[tokio::test]
async fn a_draft_goes_on_from_an_issued_list() {
    let operator = operator().await;
    let issued_list = draft(Profile::Access, &operator.certificate)
        .await
        .list()
        .clone();
    let mut draft = Draft::after(issued_list).unwrap();
    assert_eq!(draft.profile(), Profile::Access);
    assert_eq!(
        draft.add_entity(&entity()),
        Err(DraftError::EntityThere(ENTITY.into()))
    );
    assert_eq!(
        draft.issue(at("2026-10-01T00:00:00Z"), now()).unwrap_err(),
        DraftError::IssuedBefore {
            at: at("2026-10-01T00:00:00Z"),
            before: issued()
        }
    );
    assert_eq!(
        draft.issue(now(), next()).unwrap().scheme().sequence,
        Some(2)
    );
    assert_eq!(Draft::after(Default::default()), Err(DraftError::NoProfile));
}

#[rstest]
#[case("2026-11-22T12:00:00Z")]
#[case("2026-01-01T00:00:00Z")]
#[case("2027-05-22T12:00:01Z")]
#[tokio::test]
async fn the_next_update_is_within_six_months(#[case] next: &str) {
    let operator = operator().await;
    let mut draft = draft(Profile::Pid, &operator.certificate).await;
    let refused = DraftError::NextUpdate {
        issued: now(),
        next: at(next),
    };
    assert_eq!(draft.issue(now(), at(next)).unwrap_err(), refused);
}

#[test]
fn the_usual_next_update_is_cut_at_six_months() {
    assert_eq!(
        lote::next_update_after(now(), 30),
        at("2026-12-22T12:00:00Z")
    );
    assert_eq!(
        lote::next_update_after(now(), 400),
        at("2027-05-22T12:00:00Z")
    );
}

#[tokio::test]
async fn changes_are_told_in_words() {
    let operator = operator().await;
    let mut draft = draft(Profile::Pid, &operator.certificate).await;
    let before = draft.list().clone();
    let mut changed = before.clone();
    let entities = changed.lote.entities.as_mut().unwrap();
    entities[0].information.trade_name[0].value = Some("NTRDE-HRB9".into());
    let other = party(Subject::default()).await.certificate;
    let service = entities[0].services[0]
        .information
        .service_digital_identity
        .as_mut()
        .unwrap();
    service.certificates[0].val = Some(jose::b64::encode_std(other.der()));
    draft = Draft::after(changed).unwrap();
    let mut second = entity();
    second.name = "Second Provider AG".into();
    draft.add_entity(&second).unwrap();
    let words: Vec<String> = diff(&before, draft.list())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(words.len(), 4, "{words:#?}");
    assert!(words[0].starts_with("\"Example Provider GmbH\": TETradeName is "));
    assert!(words[1].contains("was removed (SHA-256"));
    assert!(words[2].contains(&format!("was added (SHA-256 {})", other.sha256_hex())));
    assert_eq!(
        words[3],
        "\"Second Provider AG\": the entity was added, with 0 services"
    );
    assert_eq!(diff(&before, &before), []);
}

#[tokio::test]
async fn the_index_finds_by_kind_and_by_certificate() {
    let operator = operator().await;
    let draft = draft(Profile::Pid, &operator.certificate).await;
    let index = Index::of(&checked(&draft));
    assert_eq!(index.len(), 2);
    assert_eq!(index.findings(), []);
    let anchor = index.of_kind(ServiceKind::Issuance).first().unwrap();
    assert_eq!(anchor.entity_name(), ENTITY);
    assert_eq!(anchor.service_name, "Example Issuance");
    assert!(anchor.stands_at(now()));
    assert_eq!(anchor.missing_identity(&anchor.certificate), [""; 0]);
    assert_eq!(index.of_kind(ServiceKind::Register).len(), 0);
    assert_eq!(index.of_certificate(&anchor.certificate).count(), 2);
    // The same subject, another key.
    let twin = party(Subject::default()).await.certificate;
    assert_eq!(index.of_certificate(&twin).count(), 0);
    let alike = index.certificates(ServiceKind::Issuance).unwrap();
    assert_eq!(alike.with_subject(&twin.subject_name()).count(), 1);
    assert!(
        alike
            .match_direct(&twin)
            .unwrap_err()
            .names(&pki::rules::DIRECT_NOT_LISTED)
    );
}

#[tokio::test]
async fn the_index_reports_what_it_cannot_use() {
    let operator = operator().await;
    let ca = party(Subject {
        ca: true,
        ..Subject::default()
    })
    .await
    .certificate;
    let mut draft = new_draft(Profile::Wallet, &operator.certificate);
    draft.add_entity(&entity()).unwrap();
    draft
        .add_service(
            ENTITY,
            &service(Profile::Wallet, ServiceKind::Issuance, &ca),
            issued(),
        )
        .unwrap();
    draft.issue(issued(), next()).unwrap();
    let mut list = draft.list().clone();
    let services = &mut list.lote.entities.as_mut().unwrap()[0].services;
    let mut broken = services[0].clone();
    broken
        .information
        .service_digital_identity
        .as_mut()
        .unwrap()
        .certificates[0]
        .val = Some("AAAA".into());
    let mut foreign = services[0].clone();
    foreign.information.service_type_identifier = Some("urn:foreign".into());
    services.extend([broken, foreign]);
    let index = Index::of(&List::check(list).unwrap().0);
    assert_eq!(index.len(), 1);
    assert!(index.of_kind(ServiceKind::Issuance).first().unwrap().is_ca);
    assert_eq!(
        all(index.findings()),
        ["LOTE-SVC-CA", "LOTE-SVC-CERTIFICATE", "LOTE-SVC-TYPE"]
    );
}

#[tokio::test]
async fn ten_thousand_entities_are_indexed() {
    let operator = operator().await;
    let mut list = draft(Profile::Pid, &operator.certificate)
        .await
        .list()
        .clone();
    let one = list.entities()[0].clone();
    let many = (0..10_000).map(|i| {
        let mut entity = one.clone();
        entity.information.name[0].value = Some(format!("Provider {i}"));
        entity
    });
    list.lote.entities = Some(many.collect());
    let started = std::time::Instant::now();
    let index = Index::of(&List::check(list).unwrap().0);
    assert_eq!(index.of_kind(ServiceKind::Issuance).len(), 10_000);
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_change_of_signer_is_announced_one_version_ahead() {
    let (old, new) = (operator().await, operator().await);
    let verified = |text: String| {
        let pinned = [old.certificate.clone(), new.certificate.clone()];
        let verifier = Verifier {
            signers: Signers::Pinned(&pinned),
            mode: Mode::Strict,
        };
        verifier.verify(text.as_bytes(), now()).unwrap()
    };
    let seal = async |draft: &Draft, party: &Party| {
        let chain = [party.certificate.clone()];
        verified(
            lote::seal(draft.list(), &chain, &party.key, issued())
                .await
                .unwrap(),
        )
    };
    let mut draft = draft(Profile::Pid, &old.certificate).await;
    let first = seal(&draft, &old).await;

    // Unannounced.
    draft.issue(issued(), next()).unwrap();
    let unannounced = seal(&draft, &new).await;
    let found = succession_of_sealed(&first, &unannounced);
    assert_eq!(all(&found), [rules::SEAL_SUCCESSOR.id]);

    // Announced in the version that it seals itself is not ahead.
    draft.announce_signer(&new.certificate).unwrap();
    assert_eq!(
        draft.announce_signer(&new.certificate),
        Err(DraftError::SignerThere(new.certificate.subject()))
    );
    let hasty = seal(&draft, &new).await;
    let found = succession_of_sealed(&first, &hasty);
    assert_eq!(all(&found), [rules::SEAL_SUCCESSOR.id]);

    // Announced by the old signer.
    let second = seal(&draft, &old).await;
    assert_eq!(succession_of_sealed(&first, &second), []);
    let words: Vec<String> = diff(first.list.content(), second.list.content())
        .iter()
        .filter(|c| c.subject == "the signers")
        .map(|c| c.words.clone())
        .collect();
    let digest = new.certificate.sha256_hex();
    assert_eq!(words.len(), 1, "{words:?}");
    assert!(words[0].ends_with(&format!(
        "is announced: it may seal later versions (SHA-256 {digest})"
    )));

    // The new one takes over, and the old one goes.
    draft.retire_signer(&old.certificate).unwrap();
    assert_eq!(
        draft.retire_signer(&old.certificate),
        Err(DraftError::NoSigner(old.certificate.subject()))
    );
    assert_eq!(
        draft.retire_signer(&new.certificate),
        Err(DraftError::LastSigner(new.certificate.subject()))
    );
    draft.issue(now(), next()).unwrap();
    let third = seal(&draft, &new).await;
    assert_eq!(succession_of_sealed(&second, &third), []);
    let announced = third.list.announced_signers();
    assert_eq!(announced.as_slice(), std::slice::from_ref(&new.certificate));
    let told = diff(second.list.content(), third.list.content());
    assert!(
        told.iter()
            .any(|c| c.kind == ChangeKind::Removed && c.words.contains("is announced no longer"))
    );

    // And does not come back.
    draft.issue(now(), next()).unwrap();
    let back = seal(&draft, &old).await;
    let found = succession_of_sealed(&third, &back);
    assert_eq!(all(&found), [rules::SEAL_SUCCESSOR.id]);
}

/// A pointer to the like list of another territory, or of another operator, lets
/// nobody seal this one.
#[rstest]
#[case::territory(|q: &mut Qualifier| q.scheme_territory = Some("DE".into()))]
#[case::operator(|q: &mut Qualifier| q.scheme_operator_name = vec![Text::en("Another operator")])]
#[case::another_type(|q: &mut Qualifier| q.lote_type = Some(Profile::Wallet.lote_type().into()))]
#[case::no_type(|q: &mut Qualifier| q.lote_type = None)]
#[tokio::test]
async fn a_pointer_elsewhere_announces_nobody_here(#[case] change: fn(&mut Qualifier)) {
    let (own, other) = (operator().await, operator().await);
    let verified = async |list: &UncheckedList, party: &Party| {
        let chain = [party.certificate.clone()];
        let sealed = lote::seal(list, &chain, &party.key, issued()).await;
        let verifier = Verifier {
            signers: Signers::Anyone,
            mode: Mode::Strict,
        };
        verifier.verify(sealed.unwrap().as_bytes(), now()).unwrap()
    };
    let draft = draft(Profile::Pid, &own.certificate).await;
    let mut list = draft.list().clone();
    let pointers = &mut list.lote.scheme.pointers_to_other_lote;
    let mut elsewhere = pointers[0].clone();
    elsewhere.identities[0].certificates[0].val =
        Some(jose::b64::encode_std(other.certificate.der()));
    change(&mut elsewhere.qualifiers[0]);
    pointers.push(elsewhere);
    let first = verified(&list, &own).await;
    assert_eq!(
        first.list.announced_signers(),
        std::slice::from_ref(&own.certificate)
    );
    list.lote.scheme.sequence = Some(2);
    let second = verified(&list, &other).await;
    let found = succession_of_sealed(&first, &second);
    assert_eq!(all(&found), [rules::SEAL_SUCCESSOR.id]);
}

#[tokio::test]
async fn a_list_that_points_to_itself_names_its_signer() {
    let (one, other) = (operator().await, operator().await);
    let draft = draft(Profile::Pid, &one.certificate).await;
    let chain = [other.certificate.clone()];
    let sealed = lote::seal(draft.list(), &chain, &other.key, issued())
        .await
        .unwrap();
    let report = lote::lint_bytes(sealed.as_bytes(), None, now());
    assert_eq!(all(&report.findings), [rules::POINTER_SIGNER.id]);
    assert_eq!(report.signer, Some(other.certificate));
}

#[tokio::test]
async fn a_list_without_a_pointer_to_itself_announces_nobody() {
    let operator = operator().await;
    let mut draft = new_draft(Profile::PubEaa, &operator.certificate);
    let none = Err(DraftError::NoPointer(Profile::PubEaa));
    assert_eq!(draft.announce_signer(&operator.certificate), none);
    assert_eq!(draft.retire_signer(&operator.certificate), none);
}
