//! Responders that lie, and what is kept of what was told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::{Arc, Mutex};

use claviger_fixtures::TestKey;
use common::*;
use finding::{Trusted, Verdict};
use jiff::{SignedDuration, Timestamp};
use jose::Curve;
use lote::{Profile, ServiceKind};
use pki::ocsp::{CertId, CertIdHash, CertStatus, OcspReply, Reply, ResponderId, sign_reply};
use pki::{Certificate, Subject};
use rstest::rstest;
use trust::{CheckRequest, Context, Policy, Revocation, TrustService, rules};

const UNKNOWN: &str = "PKI-REVOCATION-UNKNOWN";
const FETCH: &str = "TRUST-REVOCATION-FETCH";

/// What a responder does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    Good,
    Unknown,
    FromTheFuture,
    Stale,
    Backwards,
    ProducedAhead,
    Old,
    OtherNonce,
    NoNonce,
    ForgedByName,
    StrangerByKey,
    AppointedWithoutPurpose,
    AboutAnother,
    TryLater,
    Garbage,
    TooLarge,
    Fails,
    Redirects,
}

struct Bed {
    ca: Arc<Party>,
    leaf: Certificate,
    responder: Responder,
    /// What the responder does now, filled in once the leaf is there.
    told: Arc<Mutex<Option<Told>>>,
}

#[derive(Clone)]
struct Told {
    does: Does,
    ca: Arc<Party>,
    leaf: Certificate,
    at: Timestamp,
}

impl Bed {
    async fn new(does: Does) -> Self {
        let told: Arc<Mutex<Option<Told>>> = Arc::default();
        let shared = Arc::clone(&told);
        let responder = Responder::start(move |nonce| {
            let told = shared.lock().unwrap().clone().unwrap();
            async move { told.answer(nonce).await }
        })
        .await;
        let ca = Arc::new(ca().await);
        let url = responder.url();
        let leaf = ca
            .leaf_with(pki::Profile::Wallet, provider(), |r| {
                r.crl_urls.clear();
                r.ocsp_urls = vec![url];
            })
            .await
            .certificate;
        let bed = Self {
            ca,
            leaf,
            responder,
            told,
        };
        bed.does(does, now());
        bed
    }

    fn does(&self, does: Does, at: Timestamp) {
        *self.told.lock().unwrap() = Some(Told {
            does,
            ca: Arc::clone(&self.ca),
            leaf: self.leaf.clone(),
            at,
        });
    }

    async fn service(&self) -> TrustService {
        holding(&[(
            Profile::Wallet,
            &[(ServiceKind::Issuance, &self.ca.certificate)],
        )])
        .await
    }

    fn question(&self, mode: Revocation) -> CheckRequest {
        let mut request = ask(Context::Wallet, &[&self.leaf]);
        request.policy = Policy::DirectOrPkix;
        request.revocation = mode;
        request
    }
}

impl Told {
    async fn answer(&self, nonce: Vec<u8>) -> (u16, Vec<u8>) {
        let hours = SignedDuration::from_hours;
        let before = self.at - hours(1);
        let after = self.at + hours(24);
        let mut reply = OcspReply {
            responder: ResponderId::key_of(&self.ca.certificate),
            produced_at: before,
            replies: vec![Reply {
                id: CertId::of(&self.leaf, &self.ca.certificate, CertIdHash::Sha1),
                status: CertStatus::Good,
                this_update: before,
                next_update: Some(after),
            }],
            nonce: Some(nonce),
            certificates: vec![],
        };
        let mut key = None;
        let said = &mut reply.replies[0];
        match self.does {
            Does::Good => {}
            Does::Unknown => said.status = CertStatus::Unknown,
            Does::FromTheFuture => {
                said.this_update = self.at + hours(2);
                reply.produced_at = self.at + hours(2);
            }
            Does::Stale => {
                said.this_update = self.at - hours(48);
                said.next_update = Some(self.at - hours(24));
                reply.produced_at = self.at - hours(48);
            }
            Does::Backwards => said.next_update = Some(before - hours(1)),
            Does::ProducedAhead => reply.produced_at = self.at + hours(2),
            // A nextUpdate years ahead does not make an old answer a new one.
            Does::Old => {
                said.this_update = self.at - hours(24 * 30);
                reply.produced_at = self.at - hours(24 * 30);
                said.next_update = Some(self.at + hours(24 * 3650));
            }
            Does::OtherNonce => reply.nonce = Some(vec![7; 32]),
            Does::NoNonce => reply.nonce = None,
            Does::ForgedByName => {
                reply.responder = ResponderId::name_of(&self.ca.certificate);
                key = Some(TestKey::generate(Curve::P256));
            }
            Does::StrangerByKey => {
                let other = common::ca().await;
                reply.responder = ResponderId::key_of(&other.certificate);
                reply.certificates = vec![other.certificate];
                key = Some(other.key);
            }
            Does::AppointedWithoutPurpose => {
                let subject = Subject::legal("DE", "Example CA AG", "NTRDE-HRB1", "Responder");
                let appointed = self.ca.leaf(pki::Profile::StatusList, subject).await;
                reply.responder = ResponderId::key_of(&appointed.certificate);
                reply.certificates = vec![appointed.certificate];
                key = Some(appointed.key);
            }
            Does::AboutAnother => {
                let other = common::ca().await;
                said.id = CertId::of(&self.leaf, &other.certificate, CertIdHash::Sha1);
            }
            Does::TryLater => return (200, vec![0x30, 3, 0x0a, 1, 3]),
            Does::Garbage => return (200, b"good".to_vec()),
            Does::TooLarge => return (200, vec![0x30; 1 << 20]),
            Does::Fails => return (500, vec![]),
            Does::Redirects => return (302, vec![]),
        }
        let key = key.as_ref().unwrap_or(&self.ca.key);
        (200, sign_reply(&reply, key).await.unwrap())
    }
}

#[rstest]
#[case(Does::Good, Trusted::Yes, &[], "")]
#[case(Does::NoNonce, Trusted::Yes, &[], "")]
#[case(Does::Unknown, Trusted::Undecided, &[UNKNOWN], "does not know the certificate")]
#[case(Does::FromTheFuture, Trusted::Undecided, &[UNKNOWN], "which lies ahead")]
#[case(Does::ProducedAhead, Trusted::Undecided, &[UNKNOWN], "which lies ahead")]
#[case(Does::Stale, Trusted::Undecided, &[UNKNOWN], "could be relied on until")]
#[case(Does::Old, Trusted::Undecided, &[UNKNOWN], "could be relied on until")]
#[case(Does::Backwards, Trusted::Undecided, &[UNKNOWN], "contradict each other")]
#[case(Does::OtherNonce, Trusted::Undecided, &[UNKNOWN], "another nonce")]
#[case(Does::ForgedByName, Trusted::Undecided, &[UNKNOWN], "does not verify")]
#[case(Does::StrangerByKey, Trusted::Undecided, &[UNKNOWN], "neither the issuer's nor")]
#[case(Does::AppointedWithoutPurpose, Trusted::Undecided, &[UNKNOWN], "neither the issuer's nor")]
#[case(Does::AboutAnother, Trusted::Undecided, &[UNKNOWN], "no CRL of its issuer")]
#[case(Does::TryLater, Trusted::Undecided, &[UNKNOWN, FETCH], "tryLater")]
#[case(Does::Garbage, Trusted::Undecided, &[UNKNOWN, FETCH], "not a DER OCSP response")]
#[case(Does::TooLarge, Trusted::Undecided, &[UNKNOWN, FETCH], "65536 bytes")]
#[case(Does::Fails, Trusted::Undecided, &[UNKNOWN, FETCH], "500")]
#[case(Does::Redirects, Trusted::Undecided, &[UNKNOWN, FETCH], "redirect")]
#[tokio::test]
async fn a_responder_is_believed_only_as_far_as_it_shows(
    #[case] does: Does,
    #[case] trusted: Trusted,
    #[case] expected: &[&str],
    #[case] says: &str,
) {
    let bed = Bed::new(does).await;
    let service = bed.service().await;
    let verdict = service.check(&bed.question(Revocation::Hard)).await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (trusted, expected.iter().map(ToString::to_string).collect()),
        "{verdict:#?}"
    );
    let said = verdict.findings.iter().any(|f| f.evidence.contains(says));
    assert!(said || says.is_empty(), "{says}: {verdict:#?}");
    assert_eq!(
        has(&verdict, &pki::rules::OCSP_NONCE),
        does == Does::NoNonce
    );
    // Softly it is a yes, and why it should not be is on record.
    if trusted == Trusted::Undecided {
        let verdict = service.check(&bed.question(Revocation::Soft)).await;
        assert_eq!(verdict.trusted, Trusted::Yes);
        assert!(has(&verdict, &pki::rules::REVOCATION_UNKNOWN));
    }
}

#[tokio::test]
async fn an_answer_is_kept_to_its_next_update_and_a_lie_is_not() {
    let bed = Bed::new(Does::Good).await;
    let service = bed.service().await;
    let mut request = bed.question(Revocation::Hard);
    for _ in 0..3 {
        assert_eq!(service.check(&request).await.trusted, Trusted::Yes);
    }
    assert_eq!(bed.responder.asked(), 1);
    // Past its nextUpdate it says nothing more, and the responder is asked again.
    request.at = now() + SignedDuration::from_hours(48);
    bed.does(Does::Good, request.at);
    assert_eq!(service.check(&request).await.trusted, Trusted::Yes);
    assert_eq!(bed.responder.asked(), 2);

    // An answer that does not count is not kept: others are not misled by it.
    let bed = Bed::new(Does::ForgedByName).await;
    let request = bed.question(Revocation::Hard);
    let service = bed.service().await;
    for _ in 0..3 {
        let verdict = service.check(&request).await;
        assert_eq!(verdict.trusted, Trusted::Undecided);
    }
    assert_eq!(bed.responder.asked(), 1, "and it is not asked on and on");
}

/// Many checks at once, and a responder that takes its time: one request.
#[tokio::test]
async fn many_checks_ask_once() {
    let bed = Bed::new(Does::Good).await;
    let service = Arc::new(bed.service().await);
    let checks: Vec<_> = (0..32)
        .map(|_| {
            let (service, request) = (Arc::clone(&service), bed.question(Revocation::Hard));
            tokio::spawn(async move { service.check(&request).await.trusted })
        })
        .collect();
    for check in checks {
        assert_eq!(check.await.unwrap(), Trusted::Yes);
    }
    assert_eq!(bed.responder.asked(), 1);
}

/// What a certificate says of itself counts only where its profile allows that.
#[rstest]
#[case::no_rev_avail(pki::Profile::Wallet, Context::Wallet, "2.5.29.56", Trusted::Yes)]
#[case::short_term(
    pki::Profile::Wallet,
    Context::Wallet,
    "0.4.0.194121.2.1",
    Trusted::Yes
)]
#[case::an_access_certificate(
    pki::Profile::Access,
    Context::AccessCertificate,
    "2.5.29.56",
    Trusted::Undecided
)]
#[case::a_short_term_access_certificate(
    pki::Profile::Access,
    Context::AccessCertificate,
    "0.4.0.194121.2.1",
    Trusted::Undecided
)]
#[tokio::test]
async fn exempt_by_its_own_word(
    #[case] profile: pki::Profile,
    #[case] context: Context,
    #[case] extension: &str,
    #[case] trusted: Trusted,
    #[values(Revocation::Hard, Revocation::Soft)] mode: Revocation,
) {
    let ca = ca().await;
    let leaf = exempt(&ca, profile, extension).await;
    let service = holding(&[(context.list(), &[(ServiceKind::Issuance, &ca.certificate)])]).await;
    let mut request = ask(context, &[&leaf]);
    request.policy = Policy::DirectOrPkix;
    request.revocation = mode;
    let verdict: Verdict = service.check(&request).await;
    let softly = mode == Revocation::Soft;
    assert_eq!(
        verdict.trusted,
        if softly { Trusted::Yes } else { trusted },
        "{verdict:#?}"
    );
    assert_eq!(
        has(&verdict, &pki::rules::REVOCATION_NONE),
        trusted == Trusted::Yes
    );
    if trusted == Trusted::Undecided {
        let told = verdict
            .findings
            .iter()
            .find(|f| f.is(&pki::rules::REVOCATION_UNKNOWN))
            .unwrap();
        assert!(told.evidence.contains("its profile does not allow"));
    }
}

async fn exempt(ca: &Party, profile: pki::Profile, extension: &str) -> Certificate {
    let key = TestKey::generate(Curve::P256);
    let mut asked = request(profile, provider(), &key);
    asked.crl_urls.clear();
    let mut draft = pki::Draft::new(&asked, ca.issuer()).unwrap();
    draft.extensions.push(pki::Extension {
        extn_id: pki::Oid::new_unwrap(extension),
        critical: false,
        // noRevAvail and validity-assured hold NULL.
        extn_value: der::asn1::OctetString::new(vec![5, 0]).unwrap(),
    });
    draft.sign(ca.issuer()).await.unwrap()
}

/// A certificate names any address; it leads to no private one.
#[tokio::test]
async fn a_certificate_leads_to_no_private_address() {
    let ca = ca().await;
    for url in [
        "http://10.0.0.1/ocsp",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "ldap://example.eu/cn=crl",
    ] {
        let leaf = ca
            .leaf_with(pki::Profile::Wallet, provider(), |r| {
                r.crl_urls = vec![url.into()];
                r.ocsp_urls = vec![url.into()];
            })
            .await
            .certificate;
        let service =
            holding(&[(Profile::Wallet, &[(ServiceKind::Issuance, &ca.certificate)])]).await;
        let mut request = ask(Context::Wallet, &[&leaf]);
        request.policy = Policy::DirectOrPkix;
        request.revocation = Revocation::Hard;
        let verdict = service.check(&request).await;
        assert_eq!(verdict.trusted, Trusted::Undecided);
        let told: Vec<_> = verdict
            .findings
            .iter()
            .filter(|f| f.is(&rules::REVOCATION_FETCH))
            .collect();
        assert_eq!(told.len(), 2, "{verdict:#?}");
        for finding in told {
            assert!(finding.evidence.starts_with(url), "{finding}");
        }
    }
}
