//! For each lint rule that a change of one extension does not reach, a
//! certificate that breaks just that rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::{Ca, draft, errors, key, leaf, now, root};
use der::Encode;
use der::asn1::{Any, BitString, Uint};
use finding::Severity;
use pki::issue::name_der;
use pki::{
    BasicConstraints, Certificate, Draft, KeyUsage, KeyUsages, Oid, Profile, lint, oid, rules,
};
use rstest::rstest;

async fn spoilt(profile: Profile, change: impl FnOnce(Draft, &Ca) -> Draft) -> Vec<String> {
    let ca = root("Root").await;
    let key = key();
    let draft = draft(profile, "Spoilt", &key, &ca);
    let clean = draft.sign(ca.issuer()).await.unwrap();
    assert_eq!(lint(&clean, profile, now()), []);
    let certificate = change(draft, &ca).sign(ca.issuer()).await.unwrap();
    errors(&lint(&certificate, profile, now()))
}

fn usage(usages: impl Into<der::flagset::FlagSet<KeyUsages>>) -> Vec<u8> {
    KeyUsage(usages.into()).to_der().unwrap()
}

fn says_ca(ca: bool) -> Vec<u8> {
    let constraints = BasicConstraints {
        ca,
        path_len_constraint: None,
    };
    constraints.to_der().unwrap()
}

/// The DER with one part replaced by another, the lengths around it kept right by
/// whoever chooses them.
fn replaced(der: &[u8], at: usize, part: &[u8], by: &[u8]) -> Vec<u8> {
    assert_eq!(&der[at..at + part.len()], part);
    [&der[..at], by, &der[at + part.len()..]].concat()
}

fn find(der: &[u8], part: &[u8]) -> Vec<usize> {
    (0..der.len())
        .filter(|&at| der[at..].starts_with(part))
        .collect()
}

#[tokio::test]
async fn extensions_come_with_version_3() {
    let ca = root("Root").await;
    let (good, _) = leaf(Profile::Wallet, "Wallet", &ca).await;
    let version = [0xa0, 3, 2, 1, 2];
    let at = find(good.der(), &version)[0];
    let der = replaced(good.der(), at, &version, &[0xa0, 3, 2, 1, 1]);
    let second = Certificate::from_der(&der).unwrap();
    assert_eq!(second.version(), 2);
    assert_eq!(
        errors(&lint(&second, Profile::Wallet, now())),
        ["PKI-VERSION"]
    );
}

#[tokio::test]
async fn both_signature_fields_name_one_algorithm() {
    let ca = root("Root").await;
    let (good, _) = leaf(Profile::Wallet, "Wallet", &ca).await;
    let sha256 = oid::ECDSA_SHA256.to_der().unwrap();
    let sha384 = oid::ECDSA_SHA384.to_der().unwrap();
    let places = find(good.der(), &sha256);
    assert_eq!(places.len(), 2, "one signed, one not");
    for at in places {
        let der = replaced(good.der(), at, &sha256, &sha384);
        let other = Certificate::from_der(&der).unwrap();
        assert_eq!(
            errors(&lint(&other, Profile::Wallet, now())),
            ["PKI-SIGNATURE-FIELDS"]
        );
    }
}

#[rstest]
#[case::constraints_of_a_ca(Profile::Ca, oid::BASIC_CONSTRAINTS, says_ca(true))]
#[case::names(Profile::Ca, oid::NAME_CONSTRAINTS, vec![0x30, 0])]
#[case::policies(Profile::Ca, oid::POLICY_CONSTRAINTS, vec![0x30, 3, 0x80, 1, 0])]
#[case::any_policy(Profile::Ca, oid::INHIBIT_ANY_POLICY, vec![2, 1, 0])]
#[tokio::test]
async fn what_must_be_critical_is(
    #[case] profile: Profile,
    #[case] id: Oid,
    #[case] value: Vec<u8>,
) {
    let with = |critical| {
        let value = value.clone();
        spoilt(profile, move |d, _| d.with(id, critical, &value).unwrap())
    };
    assert_eq!(with(false).await, ["PKI-CRITICAL-MISSING"]);
    assert_eq!(with(true).await, [""; 0]);
}

#[rstest]
#[case(&[(oid::ORGANIZATION, "O"), (oid::COMMON_NAME, "CN")])]
#[case(&[(oid::COUNTRY, "BE"), (oid::COMMON_NAME, "CN")])]
#[case(&[(oid::COUNTRY, "BE"), (oid::ORGANIZATION, "O")])]
#[tokio::test]
async fn an_issuer_has_a_whole_name(#[case] attributes: &[(Oid, &str)]) {
    let name = name_der(attributes).unwrap();
    let broken = spoilt(Profile::Wallet, |mut draft, _| {
        draft.issuer = name;
        draft
    });
    assert_eq!(broken.await, ["PKI-ISSUER-NAME"]);
}

#[rstest]
#[tokio::test]
async fn a_leaf_is_no_ca(
    #[values(
        Profile::Pid,
        Profile::Wallet,
        Profile::Access,
        Profile::ListOperator,
        Profile::StatusList
    )]
    profile: Profile,
) {
    let broken = spoilt(profile, |d, _| {
        d.with(oid::BASIC_CONSTRAINTS, true, &says_ca(true))
            .unwrap()
    });
    assert_eq!(broken.await, ["PKI-NOT-CA"]);
}

#[rstest]
#[case(2048, true)]
#[case(2999, true)]
#[case(3000, false)]
#[tokio::test]
async fn keys_are_of_agreed_size(#[case] bits: usize, #[case] broken: bool) {
    let spki = rsa(bits);
    let found = spoilt(Profile::Wallet, |mut draft, _| {
        draft.spki = spki;
        draft
    })
    .await;
    assert_eq!(found, vec!["PKI-ALGORITHM"; usize::from(broken)]);
}

/// The SubjectPublicKeyInfo of an RSA key that nobody has.
fn rsa(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] >>= modulus.len() * 8 - bits;
    let key = vec![Uint::new(&modulus).unwrap(), Uint::new(&[1, 0, 1]).unwrap()];
    let key = BitString::from_bytes(&key.to_der().unwrap()).unwrap();
    let algorithm = [
        oid::RSA_ENCRYPTION.to_der().unwrap(),
        Any::null().to_der().unwrap(),
    ]
    .concat();
    let algorithm = Any::new(der::Tag::Sequence, algorithm).unwrap();
    let both = [algorithm.to_der().unwrap(), key.to_der().unwrap()].concat();
    Any::new(der::Tag::Sequence, both)
        .unwrap()
        .to_der()
        .unwrap()
}

#[rstest]
#[case::not_a_ca(
    oid::BASIC_CONSTRAINTS,
    Some(says_ca(false)),
    "PKI-CA-BASIC-CONSTRAINTS"
)]
#[case::signs_crls_only(oid::KEY_USAGE, Some(usage(KeyUsages::CRLSign)), "PKI-CA-KEY-USAGE")]
#[case::no_usage(oid::KEY_USAGE, None, "PKI-CA-KEY-USAGE")]
#[case::no_key_id(oid::SUBJECT_KEY_IDENTIFIER, None, "PKI-SKI")]
#[case::no_issuer_key_id(oid::AUTHORITY_KEY_IDENTIFIER, None, "PKI-AKI")]
#[tokio::test]
async fn a_ca_s_extensions(#[case] id: Oid, #[case] value: Option<Vec<u8>>, #[case] rule: &str) {
    let broken = spoilt(Profile::Ca, |d, _| match value {
        None => d.without(id),
        Some(value) => d.with(id, true, &value).unwrap(),
    });
    assert_eq!(broken.await, [rule]);
}

#[rstest]
#[case(Profile::Ca, &[(oid::ORGANIZATION, "O"), (oid::COMMON_NAME, "CN")], "PKI-CA-SUBJECT")]
#[case(Profile::Ca, &[(oid::COUNTRY, "BE"), (oid::COMMON_NAME, "CN")], "PKI-CA-SUBJECT")]
#[case(Profile::Ca, &[(oid::COUNTRY, "BE"), (oid::ORGANIZATION, "O")], "PKI-CA-SUBJECT")]
#[case(Profile::ListOperator, &[(oid::ORGANIZATION, "O")], "PKI-LIST-SUBJECT")]
#[case(Profile::ListOperator, &[(oid::COUNTRY, "BE")], "PKI-LIST-SUBJECT")]
#[tokio::test]
async fn subjects_are_whole(
    #[case] profile: Profile,
    #[case] attributes: &[(Oid, &str)],
    #[case] rule: &str,
) {
    let name = name_der(attributes).unwrap();
    let broken = spoilt(profile, |mut draft, _| {
        draft.subject = name;
        draft
    });
    assert_eq!(broken.await, [rule]);
}

#[rstest]
#[case::none(oid::KEY_USAGE, None, "PKI-LIST-KEY-USAGE")]
#[case::more(
    oid::KEY_USAGE,
    Some(usage(KeyUsages::DigitalSignature | KeyUsages::KeyCertSign)),
    "PKI-LIST-KEY-USAGE"
)]
#[case::no_key_id(oid::SUBJECT_KEY_IDENTIFIER, None, "PKI-SKI")]
#[tokio::test]
async fn a_list_operator_s_extensions(
    #[case] id: Oid,
    #[case] value: Option<Vec<u8>>,
    #[case] rule: &str,
) {
    let broken = spoilt(Profile::ListOperator, |d, _| match value {
        None => d.without(id),
        Some(value) => d.with(id, true, &value).unwrap(),
    });
    assert_eq!(broken.await, [rule]);
}

#[tokio::test]
async fn a_list_operator_s_purpose_is_advised() {
    let ca = root("Root").await;
    let key = key();
    let certificate = draft(Profile::ListOperator, "Operator", &key, &ca)
        .without(oid::EXTENDED_KEY_USAGE)
        .sign(ca.issuer())
        .await
        .unwrap();
    let findings = lint(&certificate, Profile::ListOperator, now());
    assert_eq!(findings.len(), 1);
    assert!(findings[0].is(&rules::LIST_EKU));
    assert_eq!(findings[0].severity, Severity::Warning);
}
