//! A real responder and real CRLs: OpenSSL's. They answer good, revoked, unknown and
//! nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::openssl::*;
use common::*;
use finding::{Method, Severity, Trusted, Verdict};
use jiff::{SignedDuration, Timestamp};
use lote::{Profile, ServiceKind};
use pki::Certificate;
use rstest::rstest;
use trust::{Context, Policy, Revocation, rules};

/// OpenSSL's clock is the machine's.
async fn verdict(chain: &[&Certificate], listed: &Certificate, mode: Revocation) -> Verdict {
    let at = Timestamp::now();
    let hour = SignedDuration::from_hours(1);
    let operator = operator().await;
    let mut draft = draft(
        Profile::Wallet,
        std::slice::from_ref(&operator.certificate),
        &[(ServiceKind::Issuance, listed)],
    );
    draft.issue(at - hour, at + hour).unwrap();
    let signers = std::slice::from_ref(&operator.certificate);
    let sealed = lote::seal(draft.list(), signers, &operator.key, at - hour)
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    std::fs::write(&path, sealed).unwrap();
    let mut request = ask(Context::Wallet, chain);
    request.at = at;
    request.policy = Policy::DirectOrPkix;
    request.revocation = mode;
    trust::check_offline(&[path], Some(signers), limits(), &request)
        .await
        .unwrap()
}

#[derive(Clone, Copy, PartialEq)]
enum Book {
    Good,
    Revoked,
    Unknown,
    Nothing,
}

const UNKNOWN: &str = "PKI-REVOCATION-UNKNOWN";
const FETCH: &str = "TRUST-REVOCATION-FETCH";

#[rstest]
#[case::good(Book::Good, Revocation::Hard, Trusted::Yes, &[])]
#[case::revoked(Book::Revoked, Revocation::Hard, Trusted::No, &["PKI-REVOKED"])]
#[case::revoked_softly(Book::Revoked, Revocation::Soft, Trusted::No, &["PKI-REVOKED"])]
#[case::unknown(Book::Unknown, Revocation::Hard, Trusted::Undecided, &[UNKNOWN])]
#[case::unknown_softly(Book::Unknown, Revocation::Soft, Trusted::Yes, &[])]
#[case::nothing(Book::Nothing, Revocation::Hard, Trusted::Undecided, &[UNKNOWN, FETCH])]
#[case::nothing_softly(Book::Nothing, Revocation::Soft, Trusted::Yes, &[])]
#[tokio::test(flavor = "multi_thread")]
async fn a_real_responder(
    #[case] book: Book,
    #[case] mode: Revocation,
    #[case] trusted: Trusted,
    #[case] expected: &[&str],
    #[values(Method::Direct, Method::Pkix)] method: Method,
) {
    if !has_openssl() {
        return claviger_fixtures::skip("a_real_responder", "there is no openssl command");
    }
    let ca = OpensslCa::new("Responder_CA");
    let port = free_port();
    let told = Told {
        ocsp: Some(format!("http://127.0.0.1:{port}/")),
        crl: None,
    };
    let leaf = match book {
        Book::Unknown => ca.leaf_beside_the_book("leaf", &told),
        _ => ca.leaf("leaf", &told),
    };
    if book == Book::Revoked {
        ca.revoke("leaf");
    }
    let _responder = (book != Book::Nothing).then(|| ca.responder(port, &ca, "ca"));
    let verdict = ask_both_ways(&ca, &leaf, mode, method).await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (trusted, expected.iter().map(ToString::to_string).collect()),
        "{verdict:#?}"
    );
    assert_eq!(verdict.method, Some(method));
    if book == Book::Revoked {
        let told = verdict.errors().next().unwrap();
        assert!(told.evidence.contains("KeyCompromise"), "{told}");
        assert!(told.subject.contains(&leaf.sha256_hex()), "{told}");
    }
    // The choice to go on without knowing is on record.
    if mode == Revocation::Soft && trusted == Trusted::Yes {
        let told = verdict
            .findings
            .iter()
            .find(|f| f.is(&pki::rules::REVOCATION_UNKNOWN))
            .unwrap();
        assert_eq!(told.severity, Severity::Warning);
        assert!(told.evidence.contains("revocation is soft"), "{told}");
    }
}

#[rstest]
#[case::good(Book::Good, Revocation::Hard, Trusted::Yes, &[])]
#[case::revoked(Book::Revoked, Revocation::Hard, Trusted::No, &["PKI-REVOKED"])]
#[case::nothing(Book::Nothing, Revocation::Hard, Trusted::Undecided, &[UNKNOWN, FETCH])]
#[case::nothing_softly(Book::Nothing, Revocation::Soft, Trusted::Yes, &[])]
#[tokio::test(flavor = "multi_thread")]
async fn a_real_crl(
    #[case] book: Book,
    #[case] mode: Revocation,
    #[case] trusted: Trusted,
    #[case] expected: &[&str],
    #[values(Method::Direct, Method::Pkix)] method: Method,
) {
    if !has_openssl() {
        return claviger_fixtures::skip("a_real_crl", "there is no openssl command");
    }
    let ca = OpensslCa::new("CRL_CA");
    let server = Server::start().await;
    let told = Told {
        ocsp: None,
        crl: Some(server.url("/crl")),
    };
    let leaf = ca.leaf("leaf", &told);
    if book == Book::Revoked {
        ca.revoke("leaf");
    }
    if book != Book::Nothing {
        server.give("/crl", ca.crl());
    }
    let verdict = ask_both_ways(&ca, &leaf, mode, method).await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (trusted, expected.iter().map(ToString::to_string).collect()),
        "{verdict:#?}"
    );
}

async fn ask_both_ways(
    ca: &OpensslCa,
    leaf: &Certificate,
    mode: Revocation,
    method: Method,
) -> Verdict {
    let issuer = ca.certificate();
    match method {
        Method::Direct => verdict(&[leaf, &issuer], leaf, mode).await,
        Method::Pkix => verdict(&[leaf], &issuer, mode).await,
    }
}

/// Who signs the answer decides whether it counts.
#[rstest]
#[case::a_responder_it_appointed("responder", true, Trusted::Yes, "")]
#[case::one_without_the_purpose("no_purpose", true, Trusted::Undecided, "nor that of a responder")]
#[case::a_stranger_of_its_name("ca", false, Trusted::Undecided, "does not verify")]
#[tokio::test(flavor = "multi_thread")]
async fn who_answers(
    #[case] signer: &str,
    #[case] own: bool,
    #[case] trusted: Trusted,
    #[case] says: &str,
) {
    if !has_openssl() {
        return claviger_fixtures::skip("who_answers", "there is no openssl command");
    }
    let ca = OpensslCa::new("Appointing_CA");
    let stranger = OpensslCa::new("Appointing_CA");
    let port = free_port();
    let told = Told {
        ocsp: Some(format!("http://127.0.0.1:{port}/")),
        crl: None,
    };
    let leaf = ca.leaf("leaf", &told);
    let whose = if own { &ca } else { &stranger };
    if signer != "ca" {
        whose.signer(signer, signer);
    }
    let _responder = ca.responder(port, whose, signer);
    let verdict = verdict(&[&leaf], &ca.certificate(), Revocation::Hard).await;
    assert_eq!(verdict.trusted, trusted, "{verdict:#?}");
    if trusted == Trusted::Undecided {
        assert_eq!(why(&verdict), [UNKNOWN]);
        let told = verdict.findings.first().unwrap();
        assert!(told.evidence.contains(says), "{told}");
    }
}

/// The CRL tells where the responder is down, and the verdict says that it was.
#[tokio::test(flavor = "multi_thread")]
async fn the_crl_stands_in_for_a_responder_that_is_down() {
    let test = "the_crl_stands_in_for_a_responder_that_is_down";
    if !has_openssl() {
        return claviger_fixtures::skip(test, "there is no openssl command");
    }
    let ca = OpensslCa::new("Both_CA");
    let server = Server::start().await;
    let told = Told {
        ocsp: Some(format!("http://127.0.0.1:{}/", free_port())),
        crl: Some(server.url("/crl")),
    };
    let leaf = ca.leaf("leaf", &told);
    server.give("/crl", ca.crl());
    let yes = verdict(&[&leaf], &ca.certificate(), Revocation::Hard).await;
    assert_eq!(yes.trusted, Trusted::Yes, "{yes:#?}");
    assert!(has(&yes, &rules::REVOCATION_FETCH));
}
