//! What must never get through, and never panic: truncated, flipped, oversized
//! and forged certificates and chains.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{Ca, draft, key, leaf, now, root};
use pki::chain::{MAX_CHAIN, MAX_CHAIN_BYTES, from_ders, to_pem};
use pki::{
    AnchorIndex, Certificate, CertificateError, ChainError, Crl, Profile, check_leaf, lint, oid,
    read_chain, rules,
};
use rstest::rstest;

/// A real certificate where the vectors are, one of ours where they are not.
async fn sample() -> Vec<u8> {
    let real = claviger_fixtures::vectors()
        .map(|folder| folder.join("certificates/eudi-reference-pid-issuer.pem"))
        .and_then(|path| std::fs::read(path).ok());
    match real {
        Some(pem) => read_chain(&pem).unwrap()[0].der().to_vec(),
        None => leaf(Profile::Pid, "Sample", &root("Root").await)
            .await
            .0
            .der()
            .to_vec(),
    }
}

/// Uses everything a certificate offers; none of it may panic.
fn exercise(certificate: &Certificate) {
    for profile in Profile::ALL {
        let _ = lint(certificate, profile, now());
        let _ = check_leaf(certificate, profile, now());
    }
    let _ = (
        certificate.to_ref(),
        certificate.public_key(),
        certificate.alt_names(),
    );
    let _ = format!("{certificate:?}");
    let _ = AnchorIndex::new([certificate.clone()]).match_direct(certificate);
}

#[tokio::test]
async fn every_prefix_is_refused() {
    let der = sample().await;
    for len in 0..der.len() {
        assert!(
            matches!(
                Certificate::from_der(&der[..len]),
                Err(CertificateError::NotDer(_))
            ),
            "{len} bytes were read"
        );
    }
    assert!(Certificate::from_der(&der).is_ok());
}

#[tokio::test]
async fn bytes_after_the_certificate_are_refused() {
    let mut der = sample().await;
    der.push(0);
    assert!(matches!(
        Certificate::from_der(&der),
        Err(CertificateError::NotDer(_))
    ));
    assert!(read_chain(&der).is_err());
}

#[tokio::test]
async fn no_flipped_bit_passes_for_the_original_or_panics() {
    let ca = root("Root").await;
    let (original, _) = leaf(Profile::Wallet, "Wallet", &ca).await;
    let index = AnchorIndex::new([original.clone()]);
    for at in 0..original.der().len() {
        for bit in 0..8 {
            let mut der = original.der().to_vec();
            der[at] ^= 1 << bit;
            let Ok(flipped) = Certificate::from_der(&der) else {
                continue;
            };
            assert_ne!(flipped, original);
            let refusal = index.match_direct(&flipped).unwrap_err();
            assert!(refusal.names(&rules::DIRECT_NOT_LISTED));
            assert!(
                flipped.verify_signature(ca.certificate.spki_der()).is_err()
                    || !flipped.signature_algorithms_agree(),
                "bit {bit} of byte {at} changes nothing"
            );
            if bit == 0 {
                exercise(&flipped);
            }
        }
    }
}

#[test]
fn a_hundred_megabytes_of_zeroes_are_refused_by_their_size() {
    let zeroes = vec![0; 100 * 1024 * 1024];
    assert_eq!(
        Certificate::from_der(&zeroes),
        Err(CertificateError::TooLarge {
            len: zeroes.len(),
            max: pki::MAX_CERTIFICATE
        })
    );
    assert_eq!(
        read_chain(&zeroes),
        Err(ChainError::TooLarge {
            len: zeroes.len(),
            max: MAX_CHAIN_BYTES
        })
    );
    assert!(matches!(
        Crl::from_der(&zeroes),
        Err(pki::CrlError::TooLarge { .. })
    ));
}

#[tokio::test]
async fn a_chain_of_fifty_is_refused_in_every_form() {
    let der = sample().await;
    let certificate = Certificate::from_der(&der).unwrap();
    let too_many = Err(ChainError::TooMany { max: MAX_CHAIN });
    let x5c: Vec<String> = (0..50).map(|_| STANDARD.encode(&der)).collect();
    assert_eq!(read_chain(&serde_json::to_vec(&x5c).unwrap()), too_many);
    assert_eq!(
        read_chain(to_pem(&vec![certificate; 50]).as_bytes()),
        too_many
    );
    assert_eq!(from_ders(vec![der; 50]), too_many);
}

#[tokio::test]
async fn a_chain_reads_the_same_from_every_form() {
    let ca = root("Root").await;
    let (leaf, _) = leaf(Profile::Pid, "Leaf", &ca).await;
    let chain = vec![leaf.clone(), ca.certificate.clone()];
    let x5c: Vec<String> = chain.iter().map(|c| STANDARD.encode(c.der())).collect();
    assert_eq!(
        read_chain(&serde_json::to_vec(&x5c).unwrap()),
        Ok(chain.clone())
    );
    let pem = format!("subject=…\n{}\nafter", to_pem(&chain));
    assert_eq!(read_chain(pem.as_bytes()), Ok(chain));
    assert_eq!(read_chain(leaf.der()), Ok(vec![leaf]));
}

#[rstest]
#[case(b"", ChainError::Empty)]
#[case(b"[]", ChainError::Empty)]
#[case(b"\xff\xfe", ChainError::Empty)]
#[case(b"no certificate", ChainError::Empty)]
#[case(b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----", ChainError::NotCertificate("PRIVATE KEY".into()))]
#[case(b"-----BEGIN CERTIFICATE-----\nAA==", ChainError::Pem { number: 1, cause: "no end" })]
#[case(b"-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----", ChainError::Pem { number: 1, cause: "not base64" })]
#[case(b"-----BEGIN ", ChainError::Pem { number: 1, cause: "no label" })]
fn what_is_no_chain(#[case] bytes: &[u8], #[case] expected: ChainError) {
    assert_eq!(read_chain(bytes), Err(expected));
}

#[rstest]
#[case(br#"{"x5c":[]}"#)]
#[case(b"[1]")]
#[case(b"[\"AA-_\"]")]
#[case(b"[[\"AA==\"]]")]
#[case(b"[\"AA==\"]")]
fn what_is_no_x5c(#[case] bytes: &[u8]) {
    assert!(read_chain(bytes).is_err());
}

#[test]
fn ten_thousand_levels_are_refused() {
    assert!(matches!(
        read_chain("[".repeat(10_000).as_bytes()),
        Err(ChainError::X5c(_))
    ));
    // Nested DER too: a SEQUENCE in a SEQUENCE, as deep as the size allows.
    let mut der = vec![0x05, 0x00];
    while der.len() < 60_000 {
        let len = u16::try_from(der.len()).unwrap();
        let mut outer = match len {
            0..=127 => vec![0x30, len as u8],
            128..=255 => vec![0x30, 0x81, len as u8],
            _ => vec![0x30, 0x82, (len >> 8) as u8, len as u8],
        };
        outer.extend_from_slice(&der);
        der = outer;
    }
    assert!(Certificate::from_der(&der).is_err());
}

#[tokio::test]
async fn a_duplicate_or_malformed_extension_is_refused() {
    let ca = root("Root").await;
    let key = key();
    let mut twice = draft(Profile::Pid, "Twice", &key, &ca);
    let again = twice.extensions[0].clone();
    let id = again.extn_id;
    twice.extensions.push(again);
    assert!(matches!(
        twice.sign(ca.issuer()).await,
        Err(pki::IssueError::Made(CertificateError::Duplicate(found))) if found == id
    ));
    let malformed = draft(Profile::Pid, "Bad", &key, &ca)
        .with(oid::KEY_USAGE, true, &[4, 0])
        .unwrap();
    assert!(matches!(
        malformed.sign(ca.issuer()).await,
        Err(pki::IssueError::Made(CertificateError::Extension {
            id: oid::KEY_USAGE,
            ..
        }))
    ));
}

/// The names of the errors and notes of a refusal by direct trust.
fn refused(listed: &[&Certificate], certificate: &Certificate) -> Vec<String> {
    let index = AnchorIndex::new(listed.iter().map(|c| (*c).clone()));
    let refusal = index.match_direct(certificate).expect_err("refused");
    refusal
        .findings()
        .iter()
        .map(|f| f.rule.to_string())
        .collect()
}

#[tokio::test]
async fn direct_trust_takes_the_certificate_and_nothing_like_it() {
    let ca = root("Root").await;
    let (listed, listed_key) = leaf(Profile::Wallet, "Wallet", &ca).await;
    let index = AnchorIndex::new([ca.certificate.clone(), listed.clone(), listed.clone()]);
    assert_eq!(index.match_direct(&listed), Ok(vec![1, 2]));

    // Same subject and serial number, another key.
    let stranger_ca = root("Root").await;
    let stranger = key();
    let mut forged = draft(Profile::Wallet, "Wallet", &stranger, &stranger_ca);
    forged.serial = listed.serial_der().to_vec();
    let forged = forged.sign(stranger_ca.issuer()).await.unwrap();
    assert_eq!(
        (forged.subject(), forged.serial()),
        (listed.subject(), listed.serial())
    );
    assert_eq!(
        refused(&[&listed], &forged),
        ["PKI-DIRECT-NOT-LISTED", "PKI-DIRECT-LOOKALIKE"]
    );

    // The same key, other bytes: the signature alone differs.
    let again = resign(&listed, &ca, &listed_key).await;
    assert_ne!(again, listed);
    assert_eq!(
        refused(&[&listed], &again),
        [
            "PKI-DIRECT-NOT-LISTED",
            "PKI-DIRECT-LOOKALIKE",
            "PKI-DIRECT-SAME-KEY"
        ]
    );

    // The same key under another name.
    let other = draft(Profile::Wallet, "Other", &listed_key, &ca)
        .sign(ca.issuer())
        .await
        .unwrap();
    assert_eq!(
        refused(&[&listed], &other),
        ["PKI-DIRECT-NOT-LISTED", "PKI-DIRECT-SAME-KEY"]
    );

    // The same subject, another key and serial number.
    let (newer, _) = leaf(Profile::Wallet, "Wallet", &ca).await;
    assert_eq!(
        refused(&[&listed], &newer),
        ["PKI-DIRECT-NOT-LISTED", "PKI-DIRECT-SAME-SUBJECT"]
    );

    // Its issuer is listed, which direct trust does not follow.
    assert_eq!(
        refused(&[&ca.certificate], &listed),
        ["PKI-DIRECT-NOT-LISTED", "PKI-DIRECT-ISSUER-LISTED"]
    );
    // Nothing like it.
    let (unlike, _) = leaf(Profile::Wallet, "Unlike", &ca).await;
    assert_eq!(refused(&[&listed], &unlike), ["PKI-DIRECT-NOT-LISTED"]);
    assert_eq!(refused(&[], &unlike), ["PKI-DIRECT-NOT-LISTED"]);
}

/// The same certificate signed anew: ECDSA is randomized.
async fn resign(
    certificate: &Certificate,
    ca: &Ca,
    key: &claviger_fixtures::TestKey,
) -> Certificate {
    let mut again = draft(Profile::Wallet, "Wallet", key, ca);
    again.serial = certificate.serial_der().to_vec();
    again.sign(ca.issuer()).await.unwrap()
}

#[tokio::test]
async fn ten_thousand_anchors_are_indexed() {
    let ca = root("Root").await;
    let (listed, key) = leaf(Profile::Wallet, "Wallet", &ca).await;
    let mut base = draft(Profile::Wallet, "Wallet", &key, &ca);
    let mut anchors = vec![];
    for number in 0u32..200 {
        base.serial = [&[1], number.to_be_bytes().as_slice()].concat();
        anchors.push(base.sign(ca.issuer()).await.unwrap());
    }
    let many = anchors.iter().cycle().take(10_000).cloned();
    let index = AnchorIndex::new(many.chain([listed.clone()]));
    assert_eq!(index.match_direct(&listed), Ok(vec![10_000]));
    assert_eq!(index.positions(&anchors[7]).len(), 50);
}

#[tokio::test]
async fn a_leaf_is_checked_for_its_context() {
    let ca = root("Root").await;
    let (wallet, _) = leaf(Profile::Wallet, "Wallet", &ca).await;
    let (pid, _) = leaf(Profile::Pid, "Pid", &ca).await;
    let (access, _) = leaf(Profile::Access, "Access", &ca).await;
    let ids = |c: &Certificate, profile, at: &str| -> Vec<String> {
        let findings = check_leaf(c, profile, at.parse().unwrap());
        findings.iter().map(|f| f.rule.to_string()).collect()
    };
    let at = "2026-06-01T00:00:00Z";
    assert_eq!(ids(&wallet, Profile::Wallet, at), [""; 0]);
    assert_eq!(ids(&pid, Profile::Pid, at), [""; 0]);
    assert_eq!(ids(&access, Profile::Access, at), [""; 0]);
    assert_eq!(ids(&pid, Profile::Wallet, at), ["PKI-LEAF-QC-TYPE"]);
    assert_eq!(ids(&wallet, Profile::Pid, at), ["PKI-LEAF-QC-TYPE"]);
    assert_eq!(ids(&access, Profile::Pid, at), ["PKI-LEAF-QC-TYPE"]);
    assert_eq!(
        ids(&wallet, Profile::Wallet, "2025-12-31T23:59:59Z"),
        ["PKI-NOT-YET-VALID"]
    );
    assert_eq!(
        ids(&wallet, Profile::Wallet, "2028-01-01T00:00:00Z"),
        [""; 0]
    );
    assert_eq!(
        ids(&wallet, Profile::Wallet, "2028-01-01T00:00:01Z"),
        ["PKI-EXPIRED"]
    );
    assert_eq!(
        ids(&ca.certificate, Profile::Access, at),
        ["PKI-LEAF-KEY-USAGE", "PKI-LEAF-IS-CA", "PKI-LEAF-POLICY"]
    );
}
