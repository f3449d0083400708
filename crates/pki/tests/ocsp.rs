//! OCSP: an answer counts only where it is the issuer's, about this certificate,
//! of this time, and to this question.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use claviger_fixtures::TestKey;
use common::{Ca, draft, key, leaf, now, root};
use der::Encode;
use der::asn1::Any;
use jiff::{SignedDuration, Timestamp};
use pki::ocsp::{
    CertId, CertIdHash, CertStatus, MAX_RESPONSE, Nonce, OcspReply, Reply, ResponderId,
    ResponseStatus, sign_reply, status_by_ocsp,
};
use pki::revocation::Unknown;
use pki::{
    AlgorithmPolicy, AnchorIndex, Certificate, Certval, Crl, CrlRequest, Draft, OcspAnswer,
    OcspError, OcspFault, OcspPolicy, OcspRequest, OcspResponse, PathSettings, Profile,
    RevocationSources, RevocationStatus, StatusSources, find_path, issue_crl, oid,
    path_status_with, rules, status,
};
use rstest::rstest;
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::ext::pkix::crl::CrlReason;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn nonce() -> Nonce {
    Nonce::from([7; 32])
}

/// A leaf, its CA, and an answer that says it is good.
struct Bed {
    ca: Ca,
    leaf: Certificate,
}

impl Bed {
    async fn new() -> Self {
        let ca = root("Root").await;
        let (leaf, _) = leaf(Profile::Wallet, "Leaf", &ca).await;
        Self { ca, leaf }
    }

    fn reply(&self) -> OcspReply {
        OcspReply {
            responder: ResponderId::key_of(&self.ca.certificate),
            produced_at: at("2026-11-22T11:00:00Z"),
            replies: vec![Reply {
                id: CertId::of(&self.leaf, &self.ca.certificate, CertIdHash::Sha1),
                status: CertStatus::Good,
                this_update: at("2026-11-22T11:00:00Z"),
                next_update: Some(at("2026-11-23T11:00:00Z")),
            }],
            nonce: Some(nonce().as_bytes().to_vec()),
            certificates: vec![],
        }
    }

    async fn judge(&self, reply: &OcspReply, signer: &TestKey) -> RevocationStatus {
        self.judge_with(reply, signer, &[]).await
    }

    async fn judge_with(
        &self,
        reply: &OcspReply,
        signer: &TestKey,
        crls: &[Crl],
    ) -> RevocationStatus {
        let der = sign_reply(reply, signer).await.unwrap();
        status_by_ocsp(
            &self.leaf,
            &self.ca.certificate,
            &answer(&der),
            crls,
            now(),
            AlgorithmPolicy::AGREED,
            &OcspPolicy::default(),
        )
    }

    /// A responder that `by` appoints, spoilt by a change.
    async fn responder(&self, by: &Ca, change: impl FnOnce(Draft) -> Draft) -> (Ca, OcspReply) {
        let key = key();
        let purpose = ExtendedKeyUsage(vec![oid::OCSP_SIGNING]).to_der().unwrap();
        let draft = draft(Profile::StatusList, "Responder", &key, by)
            .with(oid::EXTENDED_KEY_USAGE, false, &purpose)
            .unwrap()
            .with(oid::OCSP_NO_CHECK, false, &[5, 0])
            .unwrap();
        let certificate = change(draft).sign(by.issuer()).await.unwrap();
        let mut reply = self.reply();
        reply.responder = ResponderId::name_of(&certificate);
        reply.certificates = vec![certificate.clone()];
        (Ca { certificate, key }, reply)
    }
}

fn answer(der: &[u8]) -> OcspAnswer {
    OcspAnswer {
        response: OcspResponse::from_der(der).expect("a response"),
        nonce: Some(nonce()),
    }
}

fn fault(fault: OcspFault) -> RevocationStatus {
    RevocationStatus::Unknown(Unknown::Ocsp(fault))
}

#[rstest]
#[tokio::test]
async fn the_issuer_s_answer_counts(
    #[values(CertIdHash::Sha1, CertIdHash::Sha256)] hash: CertIdHash,
    #[values(true, false)] by_name: bool,
) {
    let bed = Bed::new().await;
    let mut reply = bed.reply();
    reply.replies[0].id = CertId::of(&bed.leaf, &bed.ca.certificate, hash);
    if by_name {
        reply.responder = ResponderId::name_of(&bed.ca.certificate);
    }
    assert_eq!(bed.judge(&reply, &bed.ca.key).await, RevocationStatus::Good);
    let (when, why) = (at("2026-11-01T00:00:00Z"), CrlReason::KeyCompromise);
    reply.replies[0].status = CertStatus::Revoked {
        at: when,
        reason: why,
    };
    let revoked = RevocationStatus::Revoked {
        at: when,
        reason: why,
    };
    assert_eq!(bed.judge(&reply, &bed.ca.key).await, revoked);
    // Said twice, the worse counts.
    reply.replies.insert(0, bed.reply().replies[0].clone());
    reply.replies.push(bed.reply().replies[0].clone());
    assert_eq!(bed.judge(&reply, &bed.ca.key).await, revoked);
    let mut reply = bed.reply();
    reply.replies[0].status = CertStatus::Unknown;
    assert_eq!(
        bed.judge(&reply, &bed.ca.key).await,
        fault(OcspFault::NotKnown)
    );
}

/// One change to a good answer, and why it no longer counts.
#[rstest]
#[case::stale(|r: &mut OcspReply| r.replies[0].next_update = Some(at("2026-11-22T11:50:00Z")), OcspFault::Stale(at("2026-11-22T11:50:00Z")))]
#[case::old_without_next(|r: &mut OcspReply| { r.replies[0].next_update = None; r.replies[0].this_update = at("2026-11-22T10:00:00Z") }, OcspFault::Stale(at("2026-11-22T11:00:00Z")))]
#[case::for_years(|r: &mut OcspReply| { r.replies[0].this_update = at("2026-11-01T00:00:00Z"); r.replies[0].next_update = Some(at("2046-11-22T00:00:00Z")) }, OcspFault::Stale(at("2026-11-11T00:00:00Z")))]
#[case::future(|r: &mut OcspReply| r.replies[0].this_update = at("2026-11-22T12:10:00Z"), OcspFault::NotYet(at("2026-11-22T12:10:00Z")))]
#[case::produced_ahead(|r: &mut OcspReply| r.produced_at = at("2026-11-22T12:10:00Z"), OcspFault::NotYet(at("2026-11-22T12:10:00Z")))]
#[case::said_before_known(|r: &mut OcspReply| r.produced_at = at("2026-11-22T10:00:00Z"), OcspFault::Contradiction)]
#[case::next_before_this(|r: &mut OcspReply| r.replies[0].next_update = Some(at("2026-11-22T10:59:00Z")), OcspFault::Contradiction)]
#[case::replayed(|r: &mut OcspReply| r.nonce = Some(vec![8; 32]), OcspFault::OtherNonce)]
#[case::half_a_nonce(|r: &mut OcspReply| r.nonce = Some(vec![7; 31]), OcspFault::OtherNonce)]
#[case::nothing_said(|r: &mut OcspReply| r.replies.clear(), OcspFault::OtherCertificate)]
#[case::another_signer(|r: &mut OcspReply| r.responder = ResponderId::Key(vec![1; 20]), OcspFault::OtherResponder)]
#[tokio::test]
async fn what_does_not_count(#[case] change: fn(&mut OcspReply), #[case] why: OcspFault) {
    let bed = Bed::new().await;
    let mut reply = bed.reply();
    change(&mut reply);
    assert_eq!(bed.judge(&reply, &bed.ca.key).await, fault(why));
}

#[tokio::test]
async fn clocks_may_differ_a_little() {
    let bed = Bed::new().await;
    let mut reply = bed.reply();
    reply.produced_at = at("2026-11-22T12:04:00Z");
    reply.replies[0].this_update = at("2026-11-22T12:04:00Z");
    assert_eq!(bed.judge(&reply, &bed.ca.key).await, RevocationStatus::Good);
    let mut reply = bed.reply();
    reply.replies[0].next_update = Some(at("2026-11-22T11:56:00Z"));
    assert_eq!(bed.judge(&reply, &bed.ca.key).await, RevocationStatus::Good);
}

#[tokio::test]
async fn an_answer_about_another_certificate_does_not_count() {
    let bed = Bed::new().await;
    let (other, _) = leaf(Profile::Wallet, "Other", &bed.ca).await;
    let mut reply = bed.reply();
    reply.replies[0].id = CertId::of(&other, &bed.ca.certificate, CertIdHash::Sha1);
    let why = fault(OcspFault::OtherCertificate);
    assert_eq!(bed.judge(&reply, &bed.ca.key).await, why);
    // The same serial number under another CA of the same name.
    let namesake = root("Root").await;
    reply.replies[0].id = CertId::of(&bed.leaf, &namesake.certificate, CertIdHash::Sha256);
    assert_eq!(bed.judge(&reply, &bed.ca.key).await, why);
    assert_eq!(bed.judge(&reply, &namesake.key).await, why);
}

#[tokio::test]
async fn a_stranger_s_signature_does_not_count() {
    let bed = Bed::new().await;
    let stranger = key();
    assert_eq!(
        bed.judge(&bed.reply(), &stranger).await,
        fault(OcspFault::BadSignature)
    );
    // Nor does that of a leaf of the same CA, which nobody appointed.
    let (wallet, wallet_key) = leaf(Profile::Wallet, "Wallet", &bed.ca).await;
    let mut reply = bed.reply();
    reply.responder = ResponderId::key_of(&wallet);
    reply.certificates = vec![wallet];
    assert_eq!(
        bed.judge(&reply, &wallet_key).await,
        fault(OcspFault::OtherResponder)
    );
}

#[tokio::test]
async fn a_responder_counts_where_the_issuer_appointed_it() {
    let bed = Bed::new().await;
    let (responder, reply) = bed.responder(&bed.ca, |d| d).await;
    assert_eq!(
        bed.judge(&reply, &responder.key).await,
        RevocationStatus::Good
    );
    // Signed by the issuer itself in the responder's name.
    assert_eq!(
        bed.judge(&reply, &bed.ca.key).await,
        fault(OcspFault::BadSignature)
    );
    // Without its certificate nobody knows it.
    let mut bare = reply.clone();
    bare.certificates.clear();
    assert_eq!(
        bed.judge(&bare, &responder.key).await,
        fault(OcspFault::OtherResponder)
    );
    // Another CA of the same name appoints its own.
    let namesake = root("Root").await;
    let (responder, reply) = bed.responder(&namesake, |d| d).await;
    assert_eq!(
        bed.judge(&reply, &responder.key).await,
        fault(OcspFault::OtherResponder)
    );
    // Any purpose is not this purpose.
    let any = ExtendedKeyUsage(vec![common::oid_of("2.5.29.37.0")])
        .to_der()
        .unwrap();
    for change in [None, Some(any)] {
        let (responder, reply) = bed
            .responder(&bed.ca, |d| match &change {
                None => d.without(oid::EXTENDED_KEY_USAGE),
                Some(any) => d.with(oid::EXTENDED_KEY_USAGE, false, any).unwrap(),
            })
            .await;
        assert_eq!(
            bed.judge(&reply, &responder.key).await,
            fault(OcspFault::OtherResponder)
        );
    }
}

#[tokio::test]
async fn an_expired_or_revoked_responder_does_not_count() {
    let bed = Bed::new().await;
    let (from, to) = (at("2026-01-01T00:00:00Z"), at("2026-11-22T11:59:59Z"));
    let (responder, reply) = bed
        .responder(&bed.ca, |mut d| {
            d.not_after = to;
            d
        })
        .await;
    assert_eq!(
        bed.judge(&reply, &responder.key).await,
        fault(OcspFault::ResponderValidity(from, to))
    );
    // It names a CRL, which nobody has, or which lists it.
    let (responder, reply) = bed
        .responder(&bed.ca, |d| d.without(oid::OCSP_NO_CHECK))
        .await;
    let why = fault(OcspFault::ResponderRevocation);
    assert_eq!(bed.judge(&reply, &responder.key).await, why);
    let serial = responder.certificate.serial_der();
    for (revoked, expected) in [(None, RevocationStatus::Good), (Some(serial), why)] {
        let crl = crl(&bed.ca, revoked).await;
        assert_eq!(
            bed.judge_with(&reply, &responder.key, &[crl]).await,
            expected
        );
    }
}

async fn crl(ca: &Ca, revoked: Option<&[u8]>) -> Crl {
    let entry = pki::crl::Entry {
        at: at("2026-11-01T00:00:00Z"),
        reason: CrlReason::Superseded,
    };
    let request = CrlRequest {
        number: 1,
        this_update: at("2026-11-22T00:00:00Z"),
        next_update: at("2026-11-29T00:00:00Z"),
        revoked: revoked.map(|s| (s.to_vec(), entry)).into_iter().collect(),
        scope: None,
        delta_base: None,
    };
    let der = issue_crl(&request, &ca.certificate, &ca.key).await.unwrap();
    Crl::from_der(&der).unwrap()
}

#[tokio::test]
async fn a_truncated_answer_is_none_and_a_changed_one_is_not_good() {
    let bed = Bed::new().await;
    let (responder, reply) = bed.responder(&bed.ca, |d| d).await;
    let der = sign_reply(&reply, &responder.key).await.unwrap();
    for len in 0..der.len() {
        assert!(OcspResponse::from_der(&der[..len]).is_err(), "{len} bytes");
    }
    let whole = [der.clone(), vec![0]].concat();
    assert_eq!(
        OcspResponse::from_der(&whole),
        Err(OcspError::NotDer("end"))
    );
    let tbs_at = 30;
    for position in tbs_at..der.len() {
        let mut changed = der.clone();
        changed[position] ^= 1;
        let Ok(response) = OcspResponse::from_der(&changed) else {
            continue;
        };
        let same = response == OcspResponse::from_der(&der).unwrap();
        let status = status_by_ocsp(
            &bed.leaf,
            &bed.ca.certificate,
            &OcspAnswer {
                response,
                nonce: Some(nonce()),
            },
            &[],
            now(),
            AlgorithmPolicy::AGREED,
            &OcspPolicy::default(),
        );
        assert!(
            same || matches!(status, RevocationStatus::Unknown(_)),
            "byte {position}: {status:?}"
        );
    }
}

#[rstest]
#[case(1, ResponseStatus::MalformedRequest)]
#[case(2, ResponseStatus::InternalError)]
#[case(3, ResponseStatus::TryLater)]
#[case(5, ResponseStatus::SigRequired)]
#[case(6, ResponseStatus::Unauthorized)]
#[case(4, ResponseStatus::Other(4))]
fn no_answer_says_why(#[case] code: u8, #[case] status: ResponseStatus) {
    assert_eq!(
        OcspResponse::from_der(&[0x30, 3, 0x0a, 1, code]),
        Err(OcspError::NoAnswer(status))
    );
}

#[test]
fn what_is_too_large_or_of_another_kind_is_refused() {
    let len = MAX_RESPONSE + 1;
    assert_eq!(
        OcspResponse::from_der(&vec![0x30; len]),
        Err(OcspError::TooLarge { len })
    );
    // Successful, and nothing in it.
    assert_eq!(
        OcspResponse::from_der(&[0x30, 3, 0x0a, 1, 0]),
        Err(OcspError::NotDer("response bytes"))
    );
    let other = [
        0x30, 0x0d, 0x0a, 1, 0, 0xa0, 8, 0x30, 6, 0x06, 2, 0x2a, 3, 0x04, 0,
    ];
    assert!(matches!(
        OcspResponse::from_der(&other),
        Err(OcspError::Unsupported(what)) if what == "the type 1.2.3"
    ));
}

#[tokio::test]
async fn nonces_are_of_1_to_128_octets() {
    let bed = Bed::new().await;
    for (len, good) in [(0, false), (1, true), (128, true), (129, false)] {
        let mut reply = bed.reply();
        reply.nonce = Some(vec![1; len]);
        let der = sign_reply(&reply, &bed.ca.key).await.unwrap();
        assert_eq!(OcspResponse::from_der(&der).is_ok(), good, "{len}");
    }
    assert_ne!(Nonce::random().unwrap(), Nonce::random().unwrap());
}

#[tokio::test]
async fn a_request_holds_what_it_asks() {
    let bed = Bed::new().await;
    let asked = |nonce| {
        OcspRequest::new(&bed.leaf, &bed.ca.certificate, CertIdHash::Sha256, nonce)
            .unwrap()
            .der
    };
    let holds = |der: &[u8], part: &[u8]| der.windows(part.len()).any(|w| w == part);
    let der = asked(Some(nonce()));
    assert!(holds(&der, &[7; 32]) && holds(&der, bed.leaf.serial_der()));
    assert!(holds(&der, &jose::sha256(bed.ca.certificate.subject_der())));
    assert!(!holds(&asked(None), &[7; 32]));
}

#[tokio::test]
async fn an_answer_is_stored_until_its_next_update() {
    let bed = Bed::new().await;
    let policy = OcspPolicy::default();
    let until = async |reply: &OcspReply| {
        let der = sign_reply(reply, &bed.ca.key).await.unwrap();
        answer(&der).until(&bed.leaf, &bed.ca.certificate, &policy)
    };
    let mut reply = bed.reply();
    let this = reply.replies[0].this_update;
    assert_eq!(until(&reply).await, reply.replies[0].next_update);
    reply.replies[0].next_update = Some(at("2046-01-01T00:00:00Z"));
    assert_eq!(until(&reply).await, Some(this + policy.max_age));
    reply.replies[0].next_update = None;
    assert_eq!(
        until(&reply).await,
        Some(this + SignedDuration::from_hours(1))
    );
    reply.replies.clear();
    assert_eq!(until(&reply).await, None);
}

#[tokio::test]
async fn crls_and_answers_count_together() {
    let bed = Bed::new().await;
    let good = bed.reply();
    let mut revoked = bed.reply();
    revoked.replies[0].status = CertStatus::Revoked {
        at: at("2026-11-01T00:00:00Z"),
        reason: CrlReason::Unspecified,
    };
    let mut not_known = bed.reply();
    not_known.replies[0].status = CertStatus::Unknown;
    let listed = crl(&bed.ca, Some(bed.leaf.serial_der())).await;
    let clear = crl(&bed.ca, None).await;
    let judge = async |crls: &[&Crl], replies: &[&OcspReply]| {
        let crls: Vec<Crl> = crls.iter().map(|crl| (*crl).clone()).collect();
        let mut answers = vec![];
        for reply in replies {
            answers.push(answer(&sign_reply(reply, &bed.ca.key).await.unwrap()));
        }
        let sources = StatusSources {
            crls: &crls,
            answers: &answers,
            at: now(),
            algorithms: AlgorithmPolicy::AGREED,
            ocsp: OcspPolicy::default(),
        };
        status(&bed.leaf, &bed.ca.certificate, Profile::Wallet, &sources).status
    };
    let is_revoked = |status| matches!(status, RevocationStatus::Revoked { .. });
    assert!(is_revoked(judge(&[&clear], &[&revoked]).await));
    assert!(is_revoked(judge(&[&listed], &[&good]).await));
    assert!(is_revoked(judge(&[], &[&good, &revoked]).await));
    assert_eq!(judge(&[], &[&good]).await, RevocationStatus::Good);
    assert_eq!(
        judge(&[&clear], &[&not_known]).await,
        RevocationStatus::Good
    );
    assert_eq!(judge(&[], &[&not_known]).await, fault(OcspFault::NotKnown));
    assert_eq!(
        judge(&[], &[]).await,
        RevocationStatus::Unknown(Unknown::NoCrl)
    );
}

#[tokio::test]
async fn an_answer_without_a_nonce_is_noted() {
    let bed = Bed::new().await;
    let mut reply = bed.reply();
    let anchors = AnchorIndex::new([bed.ca.certificate.clone()]);
    let settings = PathSettings::at(now());
    let validator = Certval::new();
    let path = find_path(&bed.leaf, &[], &anchors, &settings, &validator).unwrap();
    for (nonce, notes) in [(reply.nonce.clone(), 0), (None, 1)] {
        reply.nonce = nonce;
        let der = sign_reply(&reply, &bed.ca.key).await.unwrap();
        let by_crl = RevocationSources {
            crls: &[],
            certificates: &[],
            settings: &settings,
            validator: &validator,
        };
        let policy = OcspPolicy::default();
        let known = path_status_with(&path, Profile::Wallet, by_crl, &[answer(&der)], policy);
        assert_eq!(known[0].status, RevocationStatus::Good);
        assert_eq!((known.len(), known[0].notes.len()), (1, notes));
        assert!(known[0].notes.iter().all(|f| f.is(&rules::OCSP_NONCE)));
    }
}

#[rstest]
#[case::wallet(Profile::Wallet, oid::NO_REV_AVAIL, false, RevocationStatus::None)]
#[case::short_term(Profile::Wallet, oid::VALIDITY_ASSURED, false, RevocationStatus::None)]
#[case::access(
    Profile::Access,
    oid::NO_REV_AVAIL,
    false,
    RevocationStatus::Unknown(Unknown::NotExempt)
)]
#[case::access_short_term(
    Profile::Access,
    oid::VALIDITY_ASSURED,
    false,
    RevocationStatus::Unknown(Unknown::NotExempt)
)]
#[case::names_a_crl_too(
    Profile::Wallet,
    oid::NO_REV_AVAIL,
    true,
    RevocationStatus::Unknown(Unknown::NoCrl)
)]
#[case::a_ca(
    Profile::Ca,
    oid::NO_REV_AVAIL,
    false,
    RevocationStatus::Unknown(Unknown::NoSource)
)]
#[tokio::test]
async fn exemption_is_for_those_who_may(
    #[case] profile: Profile,
    #[case] extension: pki::Oid,
    #[case] names_crl: bool,
    #[case] expected: RevocationStatus,
) {
    let ca = root("Root").await;
    let own = key();
    let mut draft = draft(profile, "Exempt", &own, &ca)
        .with(extension, false, &Any::null().to_der().unwrap())
        .unwrap();
    if !names_crl {
        draft = draft.without(oid::CRL_DISTRIBUTION_POINTS);
    }
    let exempt = draft.sign(ca.issuer()).await.unwrap();
    let sources = StatusSources {
        crls: &[],
        answers: &[],
        at: now(),
        algorithms: AlgorithmPolicy::AGREED,
        ocsp: OcspPolicy::default(),
    };
    assert_eq!(
        status(&exempt, &ca.certificate, profile, &sources).status,
        expected
    );
}
