//! Paths and revocation: what leads to an anchor is found in any order, and
//! what only seems to is refused by its rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::{Ca, draft, key, leaf, now, request, root, sub_ca};
use der::Encode;
use finding::{Rule, Trusted};
use jose::Signer;
use pki::crl::Entry;
use pki::revocation::Unknown;
use pki::{
    AlgorithmPolicy, AnchorIndex, Certificate, Certval, Crl, CrlRequest, Draft, Issuer,
    PathSettings, Profile, RevocationMode, RevocationSources, RevocationStatus, find_path,
    issue_crl, oid, path_status, rules, status_by_crl,
};
use rstest::rstest;
use x509_cert::ext::pkix::crl::CrlReason;

fn find(
    leaf: &Certificate,
    others: &[&Certificate],
    anchors: &[&Certificate],
) -> Result<pki::Path, finding::Refusal> {
    let others: Vec<_> = others.iter().map(|c| (*c).clone()).collect();
    let anchors = AnchorIndex::new(anchors.iter().map(|c| (*c).clone()));
    find_path(
        leaf,
        &others,
        &anchors,
        &PathSettings::at(now()),
        &Certval::new(),
    )
}

fn refused(result: Result<pki::Path, finding::Refusal>, rule: &Rule) {
    let refusal = result.expect_err("no path");
    assert!(refusal.names(rule), "{refusal}");
}

#[tokio::test]
async fn a_path_is_found_in_any_order_with_or_without_the_anchor() {
    let root = root("Root").await;
    let above = sub_ca("Above", &root, None).await;
    let below = sub_ca("Below", &above, None).await;
    let other = common::root("Other").await;
    let (leaf, _) = leaf(Profile::Access, "Leaf", &below).await;
    let (r, a, b, o) = (
        &root.certificate,
        &above.certificate,
        &below.certificate,
        &other.certificate,
    );
    for others in [
        vec![b, a],
        vec![a, b],
        vec![o, r, a, b, &leaf],
        vec![r, b, b, a, a],
    ] {
        let path = find(&leaf, &others, &[o, r]).expect("a path");
        assert_eq!(path.certificates, [leaf.clone(), b.clone(), a.clone()]);
        assert_eq!((&path.anchor, path.position), (r, 1));
        let pairs: Vec<_> = path
            .pairs()
            .map(|(c, i)| (c.subject(), i.subject()))
            .collect();
        assert_eq!(pairs[2], (a.subject(), r.subject()));
    }
    // An intermediate may be the anchor.
    assert_eq!(find(&leaf, &[b, a, r], &[a]).unwrap().certificates.len(), 2);
    refused(find(&leaf, &[a], &[r]), &rules::PATH_NO_ANCHOR);
    refused(find(&leaf, &[b, a], &[o]), &rules::PATH_NO_ANCHOR);
    refused(find(&leaf, &[b, a], &[]), &rules::PATH_NO_ANCHOR);
    refused(find(&leaf, &[], &[&leaf]), &rules::PATH_LEAF_IS_ANCHOR);
}

#[tokio::test]
async fn a_stranger_with_the_anchor_s_name_and_identifiers_is_refused() {
    let root = root("Root").await;
    let stranger = key();
    // The stranger's CA copies name, serial number and key identifier.
    let mut copy = Draft::new(
        &request(Profile::Ca, "Root", &stranger),
        Issuer::Itself(&stranger),
    )
    .unwrap();
    copy.serial = root.certificate.serial_der().to_vec();
    let ski = root
        .certificate
        .extension(oid::SUBJECT_KEY_IDENTIFIER)
        .unwrap();
    copy = copy
        .with(ski.extn_id, false, ski.extn_value.as_bytes())
        .unwrap();
    let copy = Ca {
        certificate: copy.sign(Issuer::Itself(&stranger)).await.unwrap(),
        key: stranger,
    };
    let (forged, _) = leaf(Profile::Wallet, "Wallet", &copy).await;
    refused(
        find(&forged, &[&copy.certificate], &[&root.certificate]),
        &rules::PATH_SIGNATURE,
    );
}

/// The trap of a validator with a trust store of its own: an anchor's key and
/// identifier under another name, with a stranger's signature.
#[tokio::test]
async fn an_anchor_s_key_in_other_bytes_is_refused() {
    let root = root("Root").await;
    let stranger = common::root("Stranger").await;
    let imposter = draft(Profile::Wallet, "Imposter", &root.key, &stranger)
        .sign(stranger.issuer())
        .await
        .unwrap();
    refused(
        find(&imposter, &[], &[&root.certificate]),
        &rules::PATH_ANCHOR_KEY,
    );
    refused(
        find(
            &imposter,
            &[&stranger.certificate],
            &[&root.certificate, &stranger.certificate],
        ),
        &rules::PATH_ANCHOR_KEY,
    );
    // As an intermediate it is passed over, and said to be.
    let middle = draft(Profile::Ca, "Middle", &root.key, &stranger)
        .sign(stranger.issuer())
        .await
        .unwrap();
    let middle = Ca {
        certificate: middle,
        key: root.key,
    };
    let (below, _) = leaf(Profile::Wallet, "Below", &middle).await;
    refused(
        find(
            &below,
            &[&middle.certificate],
            &[&root.certificate, &stranger.certificate],
        ),
        &rules::PATH_ANCHOR_KEY,
    );
}

#[tokio::test]
async fn what_a_leaf_signs_has_no_path() {
    let root = root("Root").await;
    let (wallet, wallet_key) = leaf(Profile::Wallet, "Wallet", &root).await;
    let own = key();
    let mut draft = draft(Profile::Wallet, "Below", &own, &root);
    draft.issuer = wallet.subject_der().to_vec();
    let below = draft
        .sign(Issuer::Ca {
            certificate: &wallet,
            signer: &wallet_key,
        })
        .await
        .unwrap();
    refused(
        find(&below, &[&wallet], &[&root.certificate]),
        &rules::PATH_BASIC_CONSTRAINTS,
    );
}

#[tokio::test]
async fn lengths_times_extensions_and_signatures() {
    let root = root("Root").await;
    let short = sub_ca("Short", &root, Some(0)).await;
    let under = sub_ca("Under", &short, None).await;
    let (leaf, _) = leaf(Profile::Pid, "Leaf", &under).await;
    let (r, s, u) = (&root.certificate, &short.certificate, &under.certificate);
    refused(find(&leaf, &[u, s], &[r]), &rules::PATH_LENGTH);
    // The anchor's own constraint binds too.
    refused(find(&leaf, &[u], &[s]), &rules::PATH_LENGTH);

    let own = key();
    let base = draft(Profile::Pid, "Spoilt", &own, &root);
    let mut old = base.clone();
    old.not_after = "2026-06-01T00:00:00Z".parse().unwrap();
    refused(
        find(&old.sign(root.issuer()).await.unwrap(), &[], &[r]),
        &rules::PATH_VALIDITY,
    );
    let critical = base
        .clone()
        .with(common::oid_of("1.2.3.4"), true, &[5, 0])
        .unwrap();
    refused(
        find(&critical.sign(root.issuer()).await.unwrap(), &[], &[r]),
        &rules::PATH_CRITICAL_EXTENSION,
    );
    let good = base.sign(root.issuer()).await.unwrap();
    assert!(find(&good, &[], &[r]).is_ok());
    let mut der = good.der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    refused(
        find(&Certificate::from_der(&der).unwrap(), &[], &[r]),
        &rules::PATH_SIGNATURE,
    );
    // A time that would switch a check off is no time.
    let anchors = AnchorIndex::new([r.clone()]);
    let settings = PathSettings::at(jiff::Timestamp::UNIX_EPOCH);
    refused(
        find_path(&good, &[], &anchors, &settings, &Certval::new()),
        &rules::PATH_VALIDITY,
    );
}

#[tokio::test]
async fn name_constraints_of_a_ca_and_of_the_anchor_bind() {
    use x509_cert::ext::pkix::NameConstraints;
    use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
    use x509_cert::ext::pkix::name::GeneralName;
    let root = root("Root").await;
    let own = key();
    let constraints = NameConstraints {
        permitted_subtrees: None,
        excluded_subtrees: Some(vec![GeneralSubtree {
            base: GeneralName::UniformResourceIdentifier(
                der::asn1::Ia5String::new("party.example").unwrap(),
            ),
            minimum: 0,
            maximum: None,
        }]),
    };
    let limited = draft(Profile::Ca, "Limited", &own, &root)
        .with(oid::NAME_CONSTRAINTS, true, &constraints.to_der().unwrap())
        .unwrap()
        .sign(root.issuer())
        .await
        .unwrap();
    let limited = Ca {
        certificate: limited,
        key: own,
    };
    let (leaf, _) = leaf(Profile::Access, "Party", &limited).await;
    let l = &limited.certificate;
    refused(
        find(&leaf, &[l], &[&root.certificate]),
        &rules::PATH_NAME_CONSTRAINTS,
    );
    refused(find(&leaf, &[], &[l]), &rules::PATH_NAME_CONSTRAINTS);
}

#[tokio::test]
async fn a_policy_that_is_asked_for_must_be_there() {
    let root = root("Root").await;
    let (leaf, _) = leaf(Profile::Access, "Party", &root).await;
    let anchors = AnchorIndex::new([root.certificate.clone()]);
    let mut settings = PathSettings::at(now());
    settings.explicit_policy = true;
    settings.policies = vec![oid::NCP_L_EUDIWRP];
    assert!(find_path(&leaf, &[], &anchors, &settings, &Certval::new()).is_ok());
    settings.policies = vec![oid::QCP_L_EUDIWRP];
    refused(
        find_path(&leaf, &[], &anchors, &settings, &Certval::new()),
        &rules::PATH_POLICY,
    );
}

#[tokio::test]
async fn cross_signed_cas_do_not_explode_the_search() {
    // Six CAs, each signed by each other one, none by the anchor.
    let anchor = root("Anchor").await;
    let mut cas = vec![];
    for number in 0..6 {
        cas.push(root(&format!("CA {number}")).await);
    }
    let mut bag = vec![];
    for (i, below) in cas.iter().enumerate() {
        for (j, above) in cas.iter().enumerate() {
            if i != j {
                let request = request(Profile::Ca, &format!("CA {i}"), &below.key);
                bag.push(pki::issue(&request, above.issuer()).await.unwrap());
            }
        }
    }
    let (leaf, _) = leaf(Profile::Pid, "Leaf", &cas[0]).await;
    let started = std::time::Instant::now();
    let bag: Vec<_> = bag.iter().collect();
    refused(
        find(&leaf, &bag, &[&anchor.certificate]),
        &rules::PATH_NO_ANCHOR,
    );
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
    // With one of them an anchor, a path is found.
    assert!(find(&leaf, &bag, &[&cas[3].certificate]).is_ok());
    // And twenty anchors of one name and strangers' keys cost so many attempts.
    let mut strangers = vec![];
    for _ in 0..40 {
        strangers.push(root("CA 0").await.certificate);
    }
    let strangers: Vec<_> = strangers.iter().collect();
    refused(find(&leaf, &[], &strangers), &rules::PATH_LIMIT);
}

fn crl_of(revoked: &[&Certificate]) -> CrlRequest {
    CrlRequest {
        number: 1,
        this_update: "2026-11-22T00:00:00Z".parse().unwrap(),
        next_update: "2026-11-23T00:00:00Z".parse().unwrap(),
        revoked: revoked
            .iter()
            .map(|c| {
                let at = "2026-11-01T00:00:00Z".parse().unwrap();
                (
                    c.serial_der().to_vec(),
                    Entry {
                        at,
                        reason: CrlReason::KeyCompromise,
                    },
                )
            })
            .collect(),
        scope: None,
        delta_base: None,
    }
}

async fn made(request: &CrlRequest, ca: &Ca) -> Crl {
    Crl::from_der(&issue_crl(request, &ca.certificate, &ca.key).await.unwrap()).unwrap()
}

fn status(certificate: &Certificate, ca: &Ca, crls: &[Crl], at: &str) -> RevocationStatus {
    let at = at.parse().unwrap();
    status_by_crl(
        certificate,
        &ca.certificate,
        crls,
        at,
        AlgorithmPolicy::AGREED,
    )
}

const AT: &str = "2026-11-22T12:00:00Z";

#[tokio::test]
async fn a_crl_says_who_is_revoked() {
    // cRLSign is in what `issue` gives a CA.
    let ca = root("Root").await;
    let (good, _) = leaf(Profile::Wallet, "Good", &ca).await;
    let (bad, _) = leaf(Profile::Wallet, "Bad", &ca).await;
    let own = key();
    let mut high = draft(Profile::Wallet, "High", &own, &ca);
    high.serial = vec![0xff; 16];
    let high = high.sign(ca.issuer()).await.unwrap();
    let crl = made(&crl_of(&[&bad, &high]), &ca).await;
    assert_eq!(crl.len(), 2);
    let crls = [crl];
    assert_eq!(status(&good, &ca, &crls, AT), RevocationStatus::Good);
    for revoked in [&bad, &high] {
        let status = status(revoked, &ca, &crls, AT);
        assert!(matches!(
            status,
            RevocationStatus::Revoked {
                reason: CrlReason::KeyCompromise,
                ..
            }
        ));
        let (trusted, finding) = status.judge(revoked, RevocationMode::Soft);
        assert_eq!(trusted, Trusted::No);
        assert!(finding.unwrap().is(&rules::REVOKED));
    }
}

#[tokio::test]
async fn what_a_crl_does_not_say_is_not_known() {
    let ca = root("Root").await;
    let stranger = root("Root").await;
    let (leaf, _) = leaf(Profile::Wallet, "Leaf", &ca).await;
    let unknown = RevocationStatus::Unknown;
    let fresh = made(&crl_of(&[]), &ca).await;
    let crls = std::slice::from_ref(&fresh);
    assert_eq!(status(&leaf, &ca, &[], AT), unknown(Unknown::NoCrl));
    assert_eq!(
        status(&leaf, &ca, crls, "2026-11-21T00:00:00Z"),
        unknown(Unknown::NotYet(fresh.this_update()))
    );
    assert_eq!(
        status(&leaf, &ca, crls, "2026-11-24T00:00:00Z"),
        unknown(Unknown::Stale(fresh.next_update().unwrap()))
    );
    // A stranger's CRL: another key identifier; and one that copies it.
    let foreign = made(&crl_of(&[&leaf]), &stranger).await;
    assert_eq!(status(&leaf, &ca, &[foreign], AT), unknown(Unknown::NoCrl));
    let mut der = issue_crl(&crl_of(&[]), &ca.certificate, &ca.key)
        .await
        .unwrap();
    *der.last_mut().unwrap() ^= 1;
    let tampered = Crl::from_der(&der).unwrap();
    assert_eq!(
        status(&leaf, &ca, &[tampered], AT),
        unknown(Unknown::BadSignature)
    );
    // For CAs only, or for another distribution point.
    for scope in [&[0x30, 0x03, 0x82, 0x01, 0xff][..], &other_point()] {
        let mut request = crl_of(&[&leaf]);
        request.scope = Some(scope.to_vec());
        let scoped = made(&request, &ca).await;
        assert_eq!(
            status(&leaf, &ca, &[scoped], AT),
            unknown(Unknown::OutOfScope)
        );
    }
    // Its own distribution point, and for end entities only.
    let mut request = crl_of(&[&leaf]);
    request.scope = Some(vec![0x30, 0x03, 0x81, 0x01, 0xff]);
    let scoped = made(&request, &ca).await;
    assert!(matches!(
        status(&leaf, &ca, &[scoped], AT),
        RevocationStatus::Revoked { .. }
    ));

    let status = status(&leaf, &ca, &[], AT);
    for (mode, trusted) in [
        (RevocationMode::Hard, Trusted::Undecided),
        (RevocationMode::Soft, Trusted::Yes),
        (RevocationMode::Skip, Trusted::Yes),
    ] {
        let (judged, finding) = status.judge(&leaf, mode);
        assert_eq!(judged, trusted);
        assert!(finding.is_some());
    }
}

#[tokio::test]
async fn a_crl_may_be_signed_with_another_key_of_the_ca_but_not_with_a_stranger_s() {
    let root = root("Root").await;
    let ca = sub_ca("CA", &root, None).await;
    let (leaf, _) = leaf(Profile::Wallet, "Leaf", &ca).await;
    // The root vouches for a second key of the same CA.
    let second = sub_ca("CA", &root, None).await;
    let stranger = common::root("CA").await;
    let root_crl = made(&crl_of(&[]), &root).await;
    let root_revokes_second = made(&crl_of(&[&second.certificate]), &root).await;
    let by_second = made(&crl_of(&[&leaf]), &second).await;
    let by_stranger = made(&crl_of(&[&leaf]), &stranger).await;
    let settings = PathSettings::at(now());
    let validator = Certval::new();
    let bag = [&ca, &second, &stranger].map(|ca| ca.certificate.clone());
    let anchors = AnchorIndex::new([root.certificate.clone()]);
    let path = find_path(&leaf, &bag, &anchors, &settings, &validator).unwrap();
    let status_of = |crls: &[&Crl]| {
        let crls: Vec<Crl> = crls.iter().map(|crl| (*crl).clone()).collect();
        let sources = RevocationSources {
            crls: &crls,
            certificates: &bag,
            settings: &settings,
            validator: &validator,
        };
        let statuses = path_status(&path, sources);
        assert_eq!((&statuses[0].0, statuses.len()), (&leaf, 2));
        statuses[0].1.clone()
    };
    let unknown = RevocationStatus::Unknown(Unknown::NoCrl);
    assert!(matches!(
        status_of(&[&root_crl, &by_second]),
        RevocationStatus::Revoked { .. }
    ));
    assert_eq!(status_of(&[&root_crl, &by_stranger]), unknown);
    assert_eq!(status_of(&[&root_revokes_second, &by_second]), unknown);
    assert_eq!(status_of(&[&by_second]), unknown);
}

#[tokio::test]
async fn delta_crls_and_crls_for_some_reasons_count_together() {
    let ca = root("Root").await;
    let (leaf, _) = leaf(Profile::Wallet, "Leaf", &ca).await;
    let base = made(&crl_of(&[]), &ca).await;
    let mut delta = crl_of(&[&leaf]);
    delta.delta_base = Some(1);
    delta.number = 2;
    let delta = made(&delta, &ca).await;
    let status_of = |crls: &[Crl]| status(&leaf, &ca, crls, AT);
    assert!(matches!(
        status_of(&[base.clone(), delta.clone()]),
        RevocationStatus::Revoked { .. }
    ));
    // A delta alone says nothing, nor does one to a later CRL.
    assert_eq!(
        status_of(&[delta]),
        RevocationStatus::Unknown(Unknown::NoCrl)
    );
    let mut later = crl_of(&[&leaf]);
    later.delta_base = Some(2);
    later.number = 3;
    let later = made(&later, &ca).await;
    assert_eq!(status_of(&[base, later]), RevocationStatus::Good);

    // keyCompromise only, then everything else.
    let mut some = crl_of(&[]);
    some.scope = Some(vec![0x30, 0x04, 0x83, 0x02, 0x06, 0x40]);
    let some = made(&some, &ca).await;
    let mut rest = crl_of(&[]);
    rest.scope = Some(vec![0x30, 0x05, 0x83, 0x03, 0x07, 0x3f, 0x80]);
    let rest = made(&rest, &ca).await;
    assert_eq!(
        status_of(std::slice::from_ref(&some)),
        RevocationStatus::Unknown(Unknown::SomeReasons)
    );
    assert_eq!(status_of(&[some, rest]), RevocationStatus::Good);
}

/// An issuingDistributionPoint with the full name `http://x`.
fn other_point() -> Vec<u8> {
    let url = b"http://x";
    let mut der = vec![0x30, 14, 0xa0, 12, 0xa0, 10, 0x86, 8];
    der.extend_from_slice(url);
    der
}

#[rstest]
#[case::indirect(&[0x30, 0x03, 0x84, 0x01, 0xff])]
#[case::attributes(&[0x30, 0x03, 0x85, 0x01, 0xff])]
#[tokio::test]
async fn crls_of_other_kinds_are_not_read(#[case] scope: &[u8]) {
    let ca = root("Root").await;
    let mut request = crl_of(&[]);
    request.scope = Some(scope.to_vec());
    let der = issue_crl(&request, &ca.certificate, &ca.key).await.unwrap();
    assert!(matches!(
        Crl::from_der(&der),
        Err(pki::CrlError::Unsupported(_))
    ));
}

#[tokio::test]
async fn truncated_and_flipped_crls_do_not_panic() {
    let ca = root("Root").await;
    let (leaf, _) = leaf(Profile::Wallet, "Leaf", &ca).await;
    let der = issue_crl(&crl_of(&[&leaf]), &ca.certificate, &ca.key)
        .await
        .unwrap();
    for len in 0..der.len() {
        assert!(Crl::from_der(&der[..len]).is_err());
    }
    for at in 0..der.len() {
        let mut der = der.clone();
        der[at] ^= 0x41;
        if let Ok(crl) = Crl::from_der(&der) {
            let status = status(&leaf, &ca, &[crl], AT);
            assert_ne!(status, RevocationStatus::Good, "byte {at}");
        }
    }
    assert!(matches!(
        issue_crl(&crl_of(&[]), &ca.certificate, &key()).await,
        Err(pki::IssueError::WrongKey)
    ));
    assert!(!Signer::public_key(&ca.key).to_spki_der().is_empty());
}
