//! Verdicts: yes, no and undecided, each by its rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::*;
use finding::{Method, Severity, Trusted};
use jiff::ToSpan;
use lote::{Profile, ServiceKind};
use pki::Subject;
use rstest::rstest;
use trust::{Context, Policy, Revocation, rules};

const ISSUANCE: ServiceKind = ServiceKind::Issuance;
const REVOCATION: ServiceKind = ServiceKind::Revocation;

#[tokio::test]
async fn nothing_is_trusted_without_a_list() {
    let (service, _) = service(vec![], None);
    let leaf = ca()
        .await
        .leaf(pki::Profile::Pid, provider())
        .await
        .certificate;
    for context in Context::ALL {
        let verdict = service.check(&ask(context, &[&leaf])).await;
        assert_eq!(verdict.trusted, Trusted::Undecided, "{context}");
        assert_eq!(why(&verdict), [rules::NO_LIST.id]);
        assert_eq!(verdict.context, context.name());
    }
    let verdict = service.check(&ask(Context::Pid, &[])).await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (Trusted::No, vec!["PKI-PATH-EMPTY".into()])
    );
}

#[tokio::test]
async fn a_listed_certificate_is_trusted_for_its_context_and_service_alone() {
    let ca = ca().await;
    let wallet = ca.leaf(pki::Profile::Wallet, provider()).await.certificate;
    let status = ca
        .leaf(pki::Profile::StatusList, provider())
        .await
        .certificate;
    let pid = ca.leaf(pki::Profile::Pid, provider()).await.certificate;
    let service = holding(&[
        (
            Profile::Wallet,
            &[(ISSUANCE, &wallet), (REVOCATION, &status)],
        ),
        (Profile::Pid, &[(ISSUANCE, &pid)]),
    ])
    .await;
    for (context, leaf) in [
        (Context::Wallet, &wallet),
        (Context::WalletStatus, &status),
        (Context::Pid, &pid),
    ] {
        let verdict = service.check(&ask(context, &[leaf])).await;
        assert_eq!(
            (verdict.trusted, verdict.method),
            (Trusted::Yes, Some(Method::Direct)),
            "{verdict:#?}"
        );
        assert_eq!(verdict.anchor.unwrap().sha256, leaf.sha256_hex());
        assert_eq!(verdict.path.len(), 1);
    }
    // The PID provider's certificate where a wallet provider's belongs.
    let verdict = service.check(&ask(Context::Wallet, &[&pid])).await;
    assert_eq!(verdict.trusted, Trusted::No);
    assert!(
        why(&verdict).contains(&rules::OTHER_CONTEXT.id.into()),
        "{:?}",
        why(&verdict)
    );
    // A certificate for issuance signs no statuses, and the other way round.
    for (context, leaf) in [(Context::WalletStatus, &wallet), (Context::Wallet, &status)] {
        let verdict = service.check(&ask(context, &[leaf])).await;
        assert_eq!(verdict.trusted, Trusted::No);
        assert!(why(&verdict).contains(&rules::OTHER_SERVICE.id.into()));
    }
}

#[tokio::test]
async fn a_twin_is_refused_and_called_one() {
    let ca = ca().await;
    let listed = ca.leaf(pki::Profile::Wallet, provider()).await;
    let serial = listed.certificate.serial_der().to_vec();
    let twin = ca
        .leaf_with(pki::Profile::Wallet, provider(), |r| {
            r.serial = Some(serial)
        })
        .await;
    assert_eq!(listed.certificate.subject(), twin.certificate.subject());
    assert_eq!(listed.certificate.serial(), twin.certificate.serial());
    let service = holding(&[(Profile::Wallet, &[(ISSUANCE, &listed.certificate)])]).await;
    let verdict = service
        .check(&ask(Context::Wallet, &[&twin.certificate]))
        .await;
    assert_eq!(verdict.trusted, Trusted::No);
    assert_eq!(
        why(&verdict),
        ["PKI-DIRECT-LOOKALIKE", "PKI-DIRECT-NOT-LISTED"]
    );
    assert_eq!(verdict.anchor, None);
}

#[rstest]
#[case("2025-12-31T23:59:59Z", Trusted::Undecided, rules::LIST_LATER.id)]
#[case("2026-10-01T00:00:00Z", Trusted::Undecided, rules::LIST_LATER.id)]
#[case("2027-04-01T00:00:00Z", Trusted::Undecided, rules::LIST_STALE.id)]
#[tokio::test]
async fn a_list_speaks_for_its_own_time(
    #[case] time: &str,
    #[case] trusted: Trusted,
    #[case] rule: &str,
) {
    let leaf = ca()
        .await
        .leaf(pki::Profile::Wallet, provider())
        .await
        .certificate;
    let service = holding(&[(Profile::Wallet, &[(ISSUANCE, &leaf)])]).await;
    let mut request = ask(Context::Wallet, &[&leaf]);
    request.at = at(time);
    let verdict = service.check(&request).await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (trusted, vec![rule.to_owned()])
    );
    assert_eq!(verdict.at, request.at);
}

#[tokio::test]
async fn a_listed_certificate_past_its_time_is_refused() {
    let leaf = ca()
        .await
        .leaf_with(pki::Profile::Wallet, provider(), |r| {
            r.not_after = at("2026-11-20T00:00:00Z")
        })
        .await
        .certificate;
    let service = holding(&[(Profile::Wallet, &[(ISSUANCE, &leaf)])]).await;
    let verdict = service.check(&ask(Context::Wallet, &[&leaf])).await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (Trusted::No, vec!["PKI-EXPIRED".into()])
    );
    let mut request = ask(Context::Wallet, &[&leaf]);
    request.at = at("2026-11-15T00:00:00Z");
    assert_eq!(service.check(&request).await.trusted, Trusted::Yes);
}

#[tokio::test]
async fn a_ca_on_a_wallet_list_counts_under_the_other_policy_and_the_refusal_says_so() {
    let ca = ca().await;
    let leaf = ca.leaf(pki::Profile::Wallet, provider()).await.certificate;
    let service = holding(&[(Profile::Wallet, &[(ISSUANCE, &ca.certificate)])]).await;
    let mut request = ask(Context::Wallet, &[&leaf]);
    let no = service.check(&request).await;
    assert_eq!(
        (no.trusted, why(&no)),
        (Trusted::No, vec!["PKI-DIRECT-NOT-LISTED".into()])
    );
    let note = no
        .findings
        .iter()
        .find(|f| f.is(&rules::OTHER_POLICY))
        .unwrap();
    assert_eq!(note.severity, Severity::Note);
    assert!(note.evidence.contains("direct-or-pkix"));

    request.policy = Policy::DirectOrPkix;
    let yes = service.check(&request).await;
    assert_eq!(
        (yes.trusted, yes.method),
        (Trusted::Yes, Some(Method::Pkix)),
        "{yes:#?}"
    );
    assert_eq!(yes.anchor.unwrap().sha256, ca.certificate.sha256_hex());
    assert!(!yes.findings.iter().any(|f| f.is(&rules::ANCHOR_IN_CHAIN)));
    // The anchor in the chain is told.
    request.chain.push(ca.certificate.clone());
    let told = service.check(&request).await;
    assert_eq!(told.trusted, Trusted::Yes);
    assert!(has(&told, &rules::ANCHOR_IN_CHAIN));
    // The CA itself is no leaf, though it stands on the list.
    let itself = service
        .check(&ask(Context::Wallet, &[&ca.certificate]))
        .await;
    assert_eq!(itself.trusted, Trusted::No);
    assert!(why(&itself).contains(&"PKI-LEAF-IS-CA".into()));
}

#[tokio::test]
async fn a_ca_carries_no_trust_to_another_entity_or_purpose() {
    let ca = ca().await;
    let other = Subject::legal("DE", "Another Provider AG", "NTRDE-HRB99", "Another unit");
    let stranger = ca.leaf(pki::Profile::Wallet, other).await.certificate;
    let pid = ca.leaf(pki::Profile::Pid, provider()).await.certificate;
    let service = holding(&[(Profile::Wallet, &[(ISSUANCE, &ca.certificate)])]).await;
    for (leaf, expected) in [
        (&stranger, vec![rules::PKIX_IDENTITY.id.to_owned()]),
        (
            &pid,
            vec!["PKI-LEAF-QC-TYPE".into(), rules::PKIX_PURPOSE.id.into()],
        ),
    ] {
        let mut request = ask(Context::Wallet, &[leaf]);
        request.policy = Policy::DirectOrPkix;
        let verdict = service.check(&request).await;
        assert_eq!((verdict.trusted, why(&verdict)), (Trusted::No, expected));
    }
}

#[tokio::test]
async fn access_certificates_are_tied_by_a_path_whatever_the_policy() {
    let ca = ca().await;
    let relying = Subject::legal("FR", "Relying Party SA", "NTRFR-123", "rp.example");
    let leaf = ca
        .leaf_with(pki::Profile::Access, relying, |r| {
            r.alt_names = vec![pki::AltName::Uri("https://rp.example/".into())];
        })
        .await
        .certificate;
    let service = holding(&[(Profile::Access, &[(ISSUANCE, &ca.certificate)])]).await;
    for policy in [Policy::DirectOnly, Policy::DirectOrPkix] {
        let mut request = ask(Context::AccessCertificate, &[&leaf]);
        request.policy = policy;
        let verdict = service.check(&request).await;
        assert_eq!(
            (verdict.trusted, verdict.method),
            (Trusted::Yes, Some(Method::Pkix)),
            "{verdict:#?}"
        );
    }
    // A leaf that stands on the list itself is no anchor.
    let service = holding(&[(Profile::Access, &[(ISSUANCE, &leaf)])]).await;
    let verdict = service
        .check(&ask(Context::AccessCertificate, &[&leaf]))
        .await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (Trusted::No, vec![rules::NO_CA.id.into()])
    );
    // Another CA of the same name signs nothing.
    let other = common::ca().await;
    let service = holding(&[(Profile::Access, &[(ISSUANCE, &other.certificate)])]).await;
    let verdict = service
        .check(&ask(Context::AccessCertificate, &[&leaf]))
        .await;
    assert_eq!(verdict.trusted, Trusted::No);
}

#[tokio::test]
async fn attestations_of_public_bodies_are_tied_either_way() {
    let ca = ca().await;
    let body = Subject::legal("DE", PROVIDER, REGISTRATION, "Register office");
    let leaf = ca
        .leaf(pki::Profile::PubEaa, body.clone())
        .await
        .certificate;
    for (listed, method) in [(&leaf, Method::Direct), (&ca.certificate, Method::Pkix)] {
        let service = holding(&[(Profile::PubEaa, &[(ISSUANCE, listed)])]).await;
        let verdict = service.check(&ask(Context::PubEaa, &[&leaf])).await;
        assert_eq!(
            (verdict.trusted, verdict.method),
            (Trusted::Yes, Some(method)),
            "{verdict:#?}"
        );
        // Before it was listed, it was not.
        let mut request = ask(Context::PubEaa, &[&leaf]);
        request.at = issued().checked_sub(24.hours()).unwrap();
        let verdict = service.check(&request).await;
        assert_eq!(verdict.trusted, Trusted::No);
        assert!(
            why(&verdict).contains(&rules::WITHDRAWN.id.into()),
            "{:?}",
            why(&verdict)
        );
    }
}

#[tokio::test]
async fn a_withdrawn_public_body_is_refused_from_then_on() {
    let operator = operator().await;
    let leaf = ca()
        .await
        .leaf(pki::Profile::PubEaa, provider())
        .await
        .certificate;
    let mut draft = draft(
        Profile::PubEaa,
        std::slice::from_ref(&operator.certificate),
        &[(ISSUANCE, &leaf)],
    );
    seal(&mut draft, &operator).await;
    draft.withdraw_entity(PROVIDER, now()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    std::fs::write(&path, seal(&mut draft, &operator).await).unwrap();
    let (service, _) = service(vec![file_source(Profile::PubEaa, path, &operator)], None);
    service.refresh().await;
    let mut request = ask(Context::PubEaa, &[&leaf]);
    let no = service.check(&request).await;
    assert_eq!(no.trusted, Trusted::No);
    assert!(why(&no).contains(&rules::WITHDRAWN.id.into()));
    request.at = now().checked_sub(1.hour()).unwrap();
    assert_eq!(service.check(&request).await.trusted, Trusted::Yes);
}

#[tokio::test]
async fn a_withdrawn_certificate_is_not_let_in_again_by_its_ca() {
    let operator = operator().await;
    let ca = ca().await;
    let leaf = ca.leaf(pki::Profile::PubEaa, provider()).await.certificate;
    let other = Subject::legal("DE", PROVIDER, REGISTRATION, "Another unit");
    let sibling = ca.leaf(pki::Profile::PubEaa, other).await.certificate;
    let services = [(ISSUANCE, &leaf), (ISSUANCE, &ca.certificate)];
    let mut draft = draft(
        Profile::PubEaa,
        std::slice::from_ref(&operator.certificate),
        &services,
    );
    seal(&mut draft, &operator).await;
    let mut list = draft.list().clone();
    let services = &mut list.lote.entities.as_mut().unwrap()[0].services;
    services[0].information.service_status = Some(lote::STATUS_WITHDRAWN.into());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let chain = std::slice::from_ref(&operator.certificate);
    std::fs::write(
        &path,
        lote::seal(&list, chain, &operator.key, issued())
            .await
            .unwrap(),
    )
    .unwrap();
    let (service, _) = service(vec![file_source(Profile::PubEaa, path, &operator)], None);
    service.refresh().await;
    let verdict = service.check(&ask(Context::PubEaa, &[&leaf])).await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (Trusted::No, vec![rules::WITHDRAWN.id.into()])
    );
    let verdict = service.check(&ask(Context::PubEaa, &[&sibling])).await;
    assert_eq!(
        (verdict.trusted, verdict.method),
        (Trusted::Yes, Some(Method::Pkix))
    );
}

#[derive(Clone, Copy)]
enum Given {
    Good,
    Revoked,
    Stale,
    OtherKey,
    Garbage,
    Nothing,
    Slow,
}

#[rstest]
#[case::good(Given::Good, Revocation::Hard, Trusted::Yes, &[])]
#[case::revoked(Given::Revoked, Revocation::Hard, Trusted::No, &["PKI-REVOKED"])]
#[case::revoked_softly(Given::Revoked, Revocation::Soft, Trusted::No, &["PKI-REVOKED"])]
#[case::not_asked(Given::Revoked, Revocation::Skip, Trusted::Yes, &[])]
#[case::stale(Given::Stale, Revocation::Hard, Trusted::Undecided, &["PKI-REVOCATION-UNKNOWN"])]
#[case::forged(Given::OtherKey, Revocation::Hard, Trusted::Undecided, &["PKI-REVOCATION-UNKNOWN"])]
#[case::garbage(Given::Garbage, Revocation::Hard, Trusted::Undecided, &["PKI-REVOCATION-UNKNOWN", "TRUST-REVOCATION-FETCH"])]
#[case::nothing(Given::Nothing, Revocation::Hard, Trusted::Undecided, &["PKI-REVOCATION-UNKNOWN", "TRUST-REVOCATION-FETCH"])]
#[case::nothing_softly(Given::Nothing, Revocation::Soft, Trusted::Yes, &[])]
#[case::slow(Given::Slow, Revocation::Hard, Trusted::Undecided, &["PKI-REVOCATION-UNKNOWN", "TRUST-REVOCATION-FETCH"])]
#[tokio::test]
async fn revocation(
    #[case] given: Given,
    #[case] mode: Revocation,
    #[case] trusted: Trusted,
    #[case] expected: &[&str],
    #[values(Method::Direct, Method::Pkix)] method: Method,
) {
    let server = Server::start().await;
    let ca = ca().await;
    let url = server.url("/crl");
    let leaf = ca
        .leaf_with(pki::Profile::Wallet, provider(), |r| r.crl_urls = vec![url])
        .await
        .certificate;
    match given {
        Given::Good => server.give("/crl", crl(&ca, &[], "2027-01-01T00:00:00Z").await),
        Given::Revoked => server.give("/crl", crl(&ca, &[&leaf], "2027-01-01T00:00:00Z").await),
        Given::Stale => server.give("/crl", crl(&ca, &[], "2026-11-10T00:00:00Z").await),
        Given::OtherKey => {
            let other = common::ca().await;
            server.give("/crl", crl(&other, &[], "2027-01-01T00:00:00Z").await);
        }
        Given::Garbage => server.give("/crl", b"not a CRL"),
        Given::Nothing => {}
        Given::Slow => server.set("/crl", Route::Slow),
    }
    let listed = if method == Method::Direct {
        &leaf
    } else {
        &ca.certificate
    };
    let service = holding(&[(Profile::Wallet, &[(ISSUANCE, listed)])]).await;
    // Under direct trust the chain brings the issuer that the CRL is verified by.
    let chain: &[_] = if method == Method::Direct {
        &[&leaf, &ca.certificate]
    } else {
        &[&leaf]
    };
    let mut request = ask(Context::Wallet, chain);
    request.policy = Policy::DirectOrPkix;
    request.revocation = mode;
    let verdict = service.check(&request).await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (trusted, expected.iter().map(ToString::to_string).collect()),
        "{verdict:#?}"
    );
    assert_eq!(verdict.method, Some(method));
    assert_eq!(
        has(&verdict, &pki::rules::REVOCATION_SKIPPED),
        mode == Revocation::Skip
    );
}

#[tokio::test]
async fn the_issuer_is_fetched_when_the_chain_does_not_bring_it() {
    let server = Server::start().await;
    let ca = ca().await;
    let (crl_url, ca_url) = (server.url("/crl"), server.url("/ca"));
    let leaf = ca
        .leaf_with(pki::Profile::Wallet, provider(), |r| {
            r.crl_urls = vec![crl_url];
            r.ca_issuers_urls = vec![ca_url];
        })
        .await
        .certificate;
    server.give("/crl", crl(&ca, &[], "2027-01-01T00:00:00Z").await);
    let mut request = ask(Context::Wallet, &[&leaf]);
    request.revocation = Revocation::Hard;
    // Somebody else's CA in its place helps nobody.
    for (given, trusted) in [
        (None, Trusted::Undecided),
        (Some(common::ca().await.certificate), Trusted::Undecided),
        (Some(ca.certificate.clone()), Trusted::Yes),
    ] {
        if let Some(certificate) = given {
            server.give("/ca", certificate.der());
        }
        let service = holding(&[(Profile::Wallet, &[(ISSUANCE, &leaf)])]).await;
        let verdict = service.check(&request).await;
        assert_eq!(verdict.trusted, trusted, "{verdict:#?}");
        assert_eq!(
            has(&verdict, &rules::REVOCATION_ISSUER),
            trusted == Trusted::Undecided
        );
    }
}

#[tokio::test]
async fn a_direct_anchor_without_revocation_information_is_revoked_by_the_list() {
    let leaf = ca()
        .await
        .leaf_with(pki::Profile::Wallet, provider(), |r| r.crl_urls.clear())
        .await
        .certificate;
    let service = holding(&[(Profile::Wallet, &[(ISSUANCE, &leaf)])]).await;
    let mut request = ask(Context::Wallet, &[&leaf]);
    request.revocation = Revocation::Hard;
    let verdict = service.check(&request).await;
    assert_eq!(verdict.trusted, Trusted::Yes);
    assert!(has(&verdict, &rules::REVOCATION_BY_LIST));
}

#[tokio::test]
async fn the_reference_pid_issuer_by_direct_trust() {
    let Some(vectors) = claviger_fixtures::vectors() else {
        claviger_fixtures::skip(
            "the_reference_pid_issuer_by_direct_trust",
            "../shared/vectors is absent",
        );
        return;
    };
    let read = |name: &str| {
        let bytes = std::fs::read(vectors.join("certificates").join(name)).unwrap();
        pki::read_chain(&bytes).unwrap().remove(0)
    };
    let pid = read("eudi-reference-pid-issuer.pem");
    let service = holding(&[(Profile::Pid, &[(ISSUANCE, &pid)])]).await;
    let mut request = ask(Context::Pid, &[&pid]);
    let yes = service.check(&request).await;
    assert_eq!(
        (yes.trusted, yes.method),
        (Trusted::Yes, Some(Method::Direct)),
        "{yes:#?}"
    );
    assert_eq!(yes.anchor.unwrap().sha256, pid.sha256_hex());
    // Its profile defects are told, and do not decide.
    let told = yes
        .findings
        .iter()
        .find(|f| f.is(&pki::rules::LEAF_QC_TYPE))
        .unwrap();
    assert_eq!(told.severity, Severity::Warning);
    assert!(
        yes.findings
            .iter()
            .filter(|f| f.rule.starts_with("PKI-") && f.severity == Severity::Warning)
            .count()
            > 1
    );

    // Its CRL cannot be reached from here: the port is closed to private places,
    // or the name does not resolve, or nobody answers.
    request.revocation = Revocation::Hard;
    let undecided = service.check(&request).await;
    assert_eq!(undecided.trusted, Trusted::Undecided);
    assert!(why(&undecided).contains(&rules::REVOCATION_FETCH.id.into()));

    // A list with another certificate of the same subject.
    let twin = ca()
        .await
        .leaf(
            pki::Profile::Pid,
            Subject::legal("EU", "Niscy", "LEIEU-123456789", "Kotlin PID Issuer DEV"),
        )
        .await;
    let service = holding(&[(Profile::Pid, &[(ISSUANCE, &twin.certificate)])]).await;
    request.revocation = Revocation::Skip;
    let no = service.check(&request).await;
    assert_eq!((no.trusted, no.anchor.clone()), (Trusted::No, None));
    assert!(
        why(&no).contains(&"PKI-DIRECT-NOT-LISTED".into()),
        "{no:#?}"
    );
}

#[test]
fn contexts_have_names() {
    for context in Context::ALL {
        assert_eq!(context.name().parse(), Ok(context));
    }
    let error = "wallets".parse::<Context>().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("registration-certificate-status"),
        "{error}"
    );
    assert_eq!(
        Policy::from_name("direct-or-pkix"),
        Some(Policy::DirectOrPkix)
    );
    assert_eq!(Policy::default(), Policy::DirectOnly);
}
