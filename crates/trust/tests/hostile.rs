//! Chains made to deceive or to exhaust: each refused by its rule, in bounded time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::time::{Duration, Instant};

use claviger_fixtures::TestKey;
use common::*;
use finding::{Trusted, Verdict};
use jose::Curve;
use lote::{Profile, ServiceKind};
use pki::{Certificate, Issuer, Subject};
use rstest::rstest;
use trust::{Context, Policy, TrustService, rules};

const ISSUANCE: ServiceKind = ServiceKind::Issuance;
/// Far more than it takes, even unoptimized, and far less than an explosion would.
const SOON: Duration = Duration::from_secs(10);

async fn ask_pkix(service: &TrustService, chain: &[&Certificate]) -> Verdict {
    let mut request = ask(Context::Wallet, chain);
    request.policy = Policy::DirectOrPkix;
    let begun = Instant::now();
    let verdict = service.check(&request).await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    verdict
}

#[tokio::test]
async fn a_chain_of_fifty() {
    let ca = ca().await;
    let leaf = ca.leaf(pki::Profile::Wallet, provider()).await.certificate;
    let service = holding(&[(Profile::Wallet, &[(ISSUANCE, &ca.certificate)])]).await;
    let fifty: Vec<&Certificate> = std::iter::once(&leaf)
        .chain(std::iter::repeat_n(&ca.certificate, 49))
        .collect();
    let verdict = ask_pkix(&service, &fifty).await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (Trusted::No, vec!["PKI-PATH-LIMIT".into()])
    );
    assert!(verdict.path.len() <= pki::MAX_CHAIN);
    let ders: Vec<&[u8]> = fifty.iter().map(|c| c.der()).collect();
    assert!(matches!(
        pki::chain::from_ders(ders),
        Err(pki::ChainError::TooMany { .. })
    ));
}

/// Six names, three keys each, every one certified under every key's name above:
/// 729 paths of names lead to the anchor, and none of signatures.
#[tokio::test]
async fn cross_signed_to_explode() {
    let listed = ca().await;
    let service = holding(&[(Profile::Wallet, &[(ISSUANCE, &listed.certificate)])]).await;
    let name = |layer: usize| {
        let name = format!("Layer {layer}");
        Subject::legal("DE", &name, "NTRDE-HRB3", &name)
    };
    // A forger's CA with the listed one's name certifies the topmost layer.
    let mut above = common::ca().await;
    let mut others = Vec::new();
    for layer in (0..6).rev() {
        let mut last = None;
        for _ in 0..3 {
            last = Some(above.leaf(pki::Profile::Ca, name(layer)).await);
            others.extend(last.as_ref().map(|party| party.certificate.clone()));
        }
        above = last.unwrap();
    }
    let leaf = above
        .leaf(pki::Profile::Wallet, provider())
        .await
        .certificate;
    let chain: Vec<&Certificate> = std::iter::once(&leaf).chain(&others).collect();
    assert_eq!(chain.len(), 19);
    let verdict = ask_pkix(&service, &chain).await;
    assert_eq!(verdict.trusted, Trusted::No);
    let refused = why(&verdict);
    assert!(refused.contains(&"PKI-PATH-LIMIT".into()), "{refused:?}");
    assert!(verdict.findings.len() < 64, "{}", verdict.findings.len());
}

/// CAs that certify each other lead in a circle.
#[tokio::test]
async fn certified_in_a_circle() {
    let listed = ca().await;
    let service = holding(&[(Profile::Wallet, &[(ISSUANCE, &listed.certificate)])]).await;
    let subject = |name: &str| Subject::legal("DE", name, "NTRDE-HRB3", name);
    let root = named("One").await;
    let two = root.leaf(pki::Profile::Ca, subject("Two")).await;
    let asked = request(pki::Profile::Ca, subject("One"), &root.key);
    let draft = pki::Draft::new(&asked, two.issuer()).unwrap();
    let back = draft.sign(two.issuer()).await.unwrap();
    let leaf = two.leaf(pki::Profile::Wallet, provider()).await.certificate;
    let chain = [&leaf, &two.certificate, &back, &root.certificate];
    let verdict = ask_pkix(&service, &chain).await;
    assert_eq!(
        (verdict.trusted, why(&verdict)),
        (
            Trusted::No,
            vec!["PKI-DIRECT-NOT-LISTED".into(), "PKI-PATH-NO-ANCHOR".into()]
        )
    );
}

async fn named(name: &str) -> Party {
    let key = TestKey::generate(Curve::P256);
    let subject = Subject::legal("DE", name, "NTRDE-HRB3", name);
    let mut asked = request(pki::Profile::Ca, subject, &key);
    asked.crl_urls.clear();
    let draft = pki::Draft::new(&asked, Issuer::Itself(&key)).unwrap();
    let certificate = draft.sign(Issuer::Itself(&key)).await.unwrap();
    Party { key, certificate }
}

#[derive(Debug, Clone, Copy)]
enum Forged {
    /// The listed leaf's subject and serial number, another key.
    LeafByName,
    /// The listed leaf's key, another name.
    LeafByKey,
    /// The listed CA's name and serial number, another key.
    CaByName,
    /// The listed CA's key, another name.
    CaByKey,
    /// The listed CA's name, serial number and key identifier, another key.
    CaByKeyId,
}

/// Each is refused, and called what it is.
#[rstest]
#[case(Forged::LeafByName, &["PKI-DIRECT-LOOKALIKE", "PKI-DIRECT-NOT-LISTED"])]
#[case(Forged::LeafByKey, &["PKI-DIRECT-NOT-LISTED", "PKI-DIRECT-SAME-KEY"])]
#[case(Forged::CaByName, &["PKI-DIRECT-NOT-LISTED", "PKI-PATH-SIGNATURE"])]
#[case(Forged::CaByKey, &["PKI-DIRECT-NOT-LISTED", "PKI-PATH-ANCHOR-KEY"])]
#[case(Forged::CaByKeyId, &["PKI-DIRECT-NOT-LISTED", "PKI-PATH-SIGNATURE"])]
#[tokio::test]
async fn a_forged_certificate_is_called_one(#[case] forged: Forged, #[case] expected: &[&str]) {
    let ca = ca().await;
    let leaf = ca.leaf(pki::Profile::Wallet, provider()).await;
    let direct = matches!(forged, Forged::LeafByName | Forged::LeafByKey);
    let listed = if direct {
        &leaf.certificate
    } else {
        &ca.certificate
    };
    let service = holding(&[(Profile::Wallet, &[(ISSUANCE, listed)])]).await;
    let stranger = Subject::legal("DE", "Stranger", "NTRDE-HRB66", "Stranger");
    let chain = match forged {
        Forged::LeafByName => {
            let serial = leaf.certificate.serial_der().to_vec();
            let twin = ca
                .leaf_with(pki::Profile::Wallet, provider(), |r| {
                    r.serial = Some(serial)
                })
                .await;
            vec![twin.certificate]
        }
        Forged::LeafByKey => {
            let asked = request(pki::Profile::Wallet, stranger, &leaf.key);
            let draft = pki::Draft::new(&asked, ca.issuer()).unwrap();
            vec![draft.sign(ca.issuer()).await.unwrap()]
        }
        Forged::CaByName | Forged::CaByKeyId => {
            let key = TestKey::generate(Curve::P256);
            let subject = Subject::legal("DE", "Example CA AG", "NTRDE-HRB1", "Example CA");
            let mut asked = request(pki::Profile::Ca, subject, &key);
            asked.serial = Some(ca.certificate.serial_der().to_vec());
            let mut draft = pki::Draft::new(&asked, Issuer::Itself(&key)).unwrap();
            if matches!(forged, Forged::CaByKeyId) {
                let own = ca
                    .certificate
                    .extension(pki::Oid::new_unwrap("2.5.29.14"))
                    .unwrap();
                for extension in &mut draft.extensions {
                    if extension.extn_id == own.extn_id {
                        extension.extn_value = own.extn_value.clone();
                    }
                }
            }
            let certificate = draft.sign(Issuer::Itself(&key)).await.unwrap();
            let forger = Party { key, certificate };
            let leaf = forger.leaf(pki::Profile::Wallet, provider()).await;
            vec![leaf.certificate, forger.certificate]
        }
        Forged::CaByKey => {
            let root = named("Root of the stranger").await;
            let asked = request(pki::Profile::Ca, stranger.clone(), &ca.key);
            let draft = pki::Draft::new(&asked, root.issuer()).unwrap();
            let certificate = draft.sign(root.issuer()).await.unwrap();
            let by_name = Issuer::Ca {
                certificate: &certificate,
                signer: &ca.key,
            };
            let key = TestKey::generate(Curve::P256);
            let asked = request(pki::Profile::Wallet, provider(), &key);
            let draft = pki::Draft::new(&asked, by_name).unwrap();
            let leaf = draft.sign(by_name).await.unwrap();
            vec![leaf, certificate]
        }
    };
    let chain: Vec<&Certificate> = chain.iter().collect();
    let verdict = if direct {
        service.check(&ask(Context::Wallet, &chain)).await
    } else {
        ask_pkix(&service, &chain).await
    };
    assert_eq!(verdict.trusted, Trusted::No, "{verdict:#?}");
    let refused = why(&verdict);
    for rule in expected {
        assert!(refused.contains(&rule.to_string()), "{rule}: {refused:?}");
    }
    assert_eq!(verdict.anchor, None);
    // The refusal says which certificate, which list, and what would help.
    for finding in verdict.errors() {
        assert!(finding.subject.contains("(sha256 "), "{finding}");
        assert!(finding.evidence.contains(" no. 1; to pass: "), "{finding}");
    }
}

/// The same leaf and CA on two lists, for two entities: whom the leaf names counts,
/// wherever its list stands.
#[tokio::test]
async fn one_ca_for_two_entities_on_two_lists() {
    let ca = ca().await;
    let leaf = ca.leaf(pki::Profile::Wallet, provider()).await.certificate;
    let operator = operator().await;
    let signers = std::slice::from_ref(&operator.certificate);
    let services = [(ISSUANCE, &ca.certificate)];
    let folder = tempfile::tempdir().unwrap();
    let mut sources = Vec::new();
    for (name, entity) in [("a", "Another Entity AG"), ("b", PROVIDER)] {
        let mut draft = draft(Profile::Wallet, signers, &services);
        draft.issue(issued(), next()).unwrap();
        let mut list = draft.list().clone();
        let entities = list.lote.entities.as_mut().unwrap();
        entities[0].information.name[0].value = Some(entity.to_owned());
        let path = folder.path().join(name);
        let sealed = lote::seal(&list, signers, &operator.key, issued()).await;
        std::fs::write(&path, sealed.unwrap()).unwrap();
        sources.push(file_source(Profile::Wallet, path, &operator));
    }
    let (service, _) = service(sources, None);
    service.refresh().await;
    let verdict = ask_pkix(&service, &[&leaf]).await;
    assert_eq!(verdict.trusted, Trusted::Yes, "{verdict:#?}");
    assert!(!has(&verdict, &rules::PKIX_IDENTITY));
}
