//! The lint: real certificates break the rules they break, what we issue breaks
//! none, and each spoilt certificate breaks just its own rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::{draft, errors, key, leaf, now, request, root};
use der::Encode;
use der::asn1::Any;
use pki::issue::name_der;
use pki::{
    AltName, Certificate, IssueError, Issuer, KeyUsage, KeyUsages, Profile, QcPsb, QcStatement,
    QcStatements, Subject, lint, oid, read_chain, rules,
};
use rstest::rstest;

fn vector(test: &str, name: &str) -> Option<Certificate> {
    let Some(folder) = claviger_fixtures::vectors() else {
        claviger_fixtures::skip(test, "../shared/vectors is absent");
        return None;
    };
    let pem = std::fs::read(folder.join("certificates").join(name)).expect("the vector is there");
    let mut chain = read_chain(&pem).expect("a chain");
    assert_eq!(chain.len(), 1);
    chain.pop()
}

#[test]
fn the_reference_pid_certificate_breaks_these_rules() {
    let test = "pki::the_reference_pid_certificate_breaks_these_rules";
    let Some(certificate) = vector(test, "eudi-reference-pid-issuer.pem") else {
        return;
    };
    assert_eq!(
        certificate.subject(),
        "C=EU,O=Niscy,organizationIdentifier=LEIEU-123456789,CN=Kotlin PID Issuer DEV"
    );
    assert_eq!(
        certificate.serial(),
        "113e53d197fc7a21064989f5538c4505e7465ecb"
    );
    let findings = lint(&certificate, Profile::Pid, now());
    assert_eq!(
        errors(&findings),
        ["PKI-PID-QC-TYPE", "PKI-PID-QC-TYPE-PLACE"]
    );
    let of = |rule: &finding::Rule| findings.iter().find(|f| f.is(rule)).expect("found");
    let missing = of(&rules::PID_QC_TYPE);
    assert_eq!(missing.clause, "ETSI TS 119 412-6 v1.1.1, PID-4.5-01");
    assert!(missing.evidence.contains("0.4.0.1862.1.6"), "{missing}");
    let place = of(&rules::PID_QC_TYPE_PLACE);
    assert!(place.evidence.contains("0.4.0.194126.1.1"), "{place}");
    assert!(place.evidence.contains("a statement of its own"), "{place}");
    // What the standard leaves to judgement is a warning.
    let warned: Vec<_> = findings
        .iter()
        .filter(|f| f.severity == finding::Severity::Warning)
        .map(|f| f.rule.as_ref())
        .collect();
    assert_eq!(warned, ["PKI-LEG-ESTABLISHED", "PKI-LEG-IDENTIFIER-FORM"]);
}

#[test]
fn the_reference_wallet_certificate_breaks_these_rules() {
    let test = "pki::the_reference_wallet_certificate_breaks_these_rules";
    let Some(certificate) = vector(test, "eudi-reference-wallet-provider.pem") else {
        return;
    };
    assert_eq!(
        errors(&lint(&certificate, Profile::Wallet, now())),
        ["PKI-WAL-QC-TYPE", "PKI-WAL-QC-TYPE-PLACE"]
    );
    // A wallet provider's certificate is no PID provider's.
    assert_eq!(
        errors(&lint(&certificate, Profile::Pid, now())),
        ["PKI-PID-QC-TYPE"]
    );
}

#[test]
fn the_reference_access_certificate_breaks_these_rules() {
    let test = "pki::the_reference_access_certificate_breaks_these_rules";
    let Some(certificate) = vector(test, "eudi-reference-verifier-access.pem") else {
        return;
    };
    assert_eq!(
        errors(&lint(&certificate, Profile::Access, now())),
        ["PKI-ACCESS-CPS", "PKI-ACCESS-IDENTIFIER"]
    );
    let late = "2028-06-01T00:00:00Z".parse().unwrap();
    assert!(
        lint(&certificate, Profile::Access, late)
            .iter()
            .any(|f| f.is(&rules::EXPIRED))
    );
}

/// Every profile there is: none refuses what it makes itself.
#[rstest]
#[tokio::test]
async fn what_a_ca_issues_is_clean(
    #[values(
        Profile::Pid,
        Profile::Wallet,
        Profile::Eaa,
        Profile::Qeaa,
        Profile::PubEaa,
        Profile::Access,
        Profile::Ca,
        Profile::ListOperator,
        Profile::StatusList
    )]
    profile: Profile,
) {
    let ca = root("Root").await;
    let (certificate, key) = leaf(profile, "Issued", &ca).await;
    assert_eq!(lint(&certificate, profile, now()), []);
    assert_eq!(
        certificate.public_key().as_ref(),
        Ok(jose::Signer::public_key(&key))
    );
    assert!(
        certificate
            .verify_signature(ca.certificate.spki_der())
            .is_ok()
    );
    assert!(
        certificate
            .verify_signature(certificate.spki_der())
            .is_err()
    );
}

#[rstest]
#[case(Profile::Pid)]
#[case(Profile::Wallet)]
#[case(Profile::ListOperator)]
#[case(Profile::StatusList)]
#[tokio::test]
async fn what_signs_itself_is_clean(
    #[case] profile: Profile,
    #[values(jose::Curve::P256, jose::Curve::P384, jose::Curve::P521)] curve: jose::Curve,
) {
    let key = claviger_fixtures::TestKey::generate(curve);
    let mut request = request(profile, "Itself", &key);
    request.ca_issuers_urls.clear();
    request.crl_urls.clear();
    let certificate = pki::issue(&request, Issuer::Itself(&key)).await.unwrap();
    assert_eq!(lint(&certificate, profile, now()), []);
    assert!(certificate.is_self_signed());
}

#[tokio::test]
async fn a_natural_person_s_certificate_is_clean() {
    let ca = root("Root").await;
    let key = key();
    let mut request = request(Profile::Access, "", &key);
    request.subject = Subject::Natural {
        country: "BE".into(),
        given_name: "Ada".into(),
        surname: "Jansens".into(),
        common_name: "Ada Jansens".into(),
        serial_number: "PNOBE-85073003328".into(),
    };
    request.policies[0].id = oid::NCP_N_EUDIWRP;
    let certificate = pki::issue(&request, ca.issuer()).await.unwrap();
    assert_eq!(lint(&certificate, Profile::Access, now()), []);
    // The legal persons' policy does not go with it.
    request.policies[0].id = oid::NCP_L_EUDIWRP;
    let Err(IssueError::NotConforming(refusal)) = pki::issue(&request, ca.issuer()).await else {
        panic!("it was issued");
    };
    assert!(refusal.names(&rules::ACCESS_POLICY_KIND));
}

#[tokio::test]
async fn issuing_with_the_wrong_key_or_under_a_leaf_is_refused() {
    let ca = root("Root").await;
    let (wallet, wallet_key) = leaf(Profile::Wallet, "Wallet", &ca).await;
    let other = key();
    let request = request(Profile::Wallet, "Other", &other);
    let stranger = Issuer::Ca {
        certificate: &ca.certificate,
        signer: &other,
    };
    assert!(matches!(
        pki::issue(&request, stranger).await,
        Err(IssueError::WrongKey)
    ));
    assert!(matches!(
        pki::issue(&request, Issuer::Itself(&wallet_key)).await,
        Err(IssueError::WrongKey)
    ));
    let leaf = Issuer::Ca {
        certificate: &wallet,
        signer: &wallet_key,
    };
    assert!(matches!(
        pki::issue(&request, leaf).await,
        Err(IssueError::NotCa(_))
    ));
}

/// One change to a conforming certificate, and the one rule it breaks.
#[rstest]
#[case::no_key_usage(Profile::Pid, oid::KEY_USAGE, None, &["PKI-KU-PRESENT"])]
#[case::mixed_usage(Profile::Pid, oid::KEY_USAGE, Some(usage(KeyUsages::DigitalSignature | KeyUsages::KeyCertSign)), &["PKI-KU-TYPE"])]
#[case::usage_of_type_d(Profile::Wallet, oid::KEY_USAGE, Some(usage(KeyUsages::DigitalSignature | KeyUsages::KeyAgreement)), &["PKI-LEG-KU-CONTENT"])]
#[case::usage_c_for_eaa(Profile::Eaa, oid::KEY_USAGE, Some(usage(KeyUsages::DigitalSignature)), &["PKI-LEG-KU-CONTENT"])]
#[case::usage_d_for_psb(Profile::PubEaa, oid::KEY_USAGE, Some(usage(KeyUsages::DigitalSignature | KeyUsages::KeyAgreement)), &["PKI-LEG-KU-CONTENT"])]
#[case::name_constraints(Profile::Pid, oid::NAME_CONSTRAINTS, Some(vec![0x30, 0]), &["PKI-CA-EXTENSION", "PKI-CRITICAL-MISSING"])]
#[case::policy_mappings(Profile::Eaa, oid::POLICY_MAPPINGS, Some(mappings()), &["PKI-CA-EXTENSION"])]
#[case::crl_by_ftp(Profile::Wallet, oid::CRL_DISTRIBUTION_POINTS, Some(points("ftp://ca.example/ca.crl")), &["PKI-CRL-ADDRESS"])]
#[case::crl_by_ldap(Profile::Wallet, oid::CRL_DISTRIBUTION_POINTS, Some(points("ldap://ca.example/cn=ca")), &[])]
#[case::access_ldap(Profile::Access, oid::AUTHORITY_INFO_ACCESS, Some(access(oid::AD_CA_ISSUERS, "ldap://ca.example/")), &["PKI-AIA-CA-ISSUERS-HTTP"])]
#[case::ocsp_by_ldap(Profile::Access, oid::AUTHORITY_INFO_ACCESS, Some(access(oid::AD_OCSP, "ldap://ca.example/")), &["PKI-AIA-CA-ISSUERS", "PKI-OCSP-ADDRESS"])]
#[case::no_ski(Profile::Pid, oid::SUBJECT_KEY_IDENTIFIER, None, &["PKI-SKI"])]
#[case::no_aki(Profile::Wallet, oid::AUTHORITY_KEY_IDENTIFIER, None, &["PKI-AKI"])]
#[case::no_aia(Profile::Pid, oid::AUTHORITY_INFO_ACCESS, None, &["PKI-PID-AIA"])]
#[case::only_ocsp(Profile::Pid, oid::AUTHORITY_INFO_ACCESS, Some(access(oid::AD_OCSP, "http://ca.example/")), &["PKI-PID-CA-ISSUERS"])]
#[case::only_ldap(Profile::Wallet, oid::AUTHORITY_INFO_ACCESS, Some(access(oid::AD_CA_ISSUERS, "ldap://ca.example/")), &["PKI-PID-CA-ISSUERS-HTTP"])]
#[case::psb_only_ocsp(Profile::PubEaa, oid::AUTHORITY_INFO_ACCESS, Some(access(oid::AD_OCSP, "http://ca.example/")), &["PKI-EAA-CA-ISSUERS"])]
#[case::psb_only_ldap(Profile::PubEaa, oid::AUTHORITY_INFO_ACCESS, Some(access(oid::AD_CA_ISSUERS, "ldap://ca.example/")), &["PKI-EAA-CA-ISSUERS-HTTP"])]
#[case::access_only_ocsp(Profile::Access, oid::AUTHORITY_INFO_ACCESS, Some(access(oid::AD_OCSP, "http://ca.example/")), &["PKI-AIA-CA-ISSUERS"])]
#[case::no_aia_access(Profile::Access, oid::AUTHORITY_INFO_ACCESS, None, &["PKI-AIA"])]
#[case::no_crl(Profile::Pid, oid::CRL_DISTRIBUTION_POINTS, None, &["PKI-REVOCATION-INFO"])]
#[case::no_policies(Profile::Pid, oid::CERTIFICATE_POLICIES, None, &["PKI-POLICIES"])]
#[case::no_statements(Profile::Pid, oid::QC_STATEMENTS, None, &["PKI-PID-QC-TYPE"])]
#[case::wallet_type(Profile::Pid, oid::QC_STATEMENTS, Some(types(&[oid::QCT_WAL])), &["PKI-PID-QC-TYPE"])]
#[case::pid_type(Profile::Wallet, oid::QC_STATEMENTS, Some(types(&[oid::QCT_PID])), &["PKI-WAL-QC-TYPE"])]
#[case::two_types(Profile::Wallet, oid::QC_STATEMENTS, Some(types(&[oid::QCT_WAL, oid::QCT_ESEAL])), &["PKI-WAL-QC-TYPE-ONLY"])]
#[case::malformed(Profile::Wallet, oid::QC_STATEMENTS, Some(vec![4, 0]), &["PKI-QC-STATEMENTS", "PKI-WAL-QC-TYPE"])]
#[case::bare_type(Profile::Wallet, oid::QC_STATEMENTS, Some(bare(oid::QC_TYPE)), &["PKI-QC-STATEMENTS", "PKI-WAL-QC-TYPE"])]
#[case::misplaced(Profile::Wallet, oid::QC_STATEMENTS, Some(bare(oid::QCT_WAL)), &["PKI-WAL-QC-TYPE", "PKI-WAL-QC-TYPE-PLACE"])]
#[case::no_contact(Profile::Access, oid::SUBJECT_ALT_NAME, None, &["PKI-ACCESS-CONTACT"])]
#[case::access_no_policy(Profile::Access, oid::CERTIFICATE_POLICIES, None, &["PKI-ACCESS-CPS", "PKI-ACCESS-POLICY", "PKI-POLICIES"])]
#[case::short_term(Profile::Access, oid::VALIDITY_ASSURED, Some(vec![5, 0]), &["PKI-ACCESS-SHORT-TERM"])]
#[case::no_psb(Profile::PubEaa, oid::QC_STATEMENTS, None, &["PKI-PSB-STATEMENT"])]
#[case::psb_country(Profile::PubEaa, oid::QC_STATEMENTS, Some(psb("be", "s", "l")), &["PKI-PSB-COUNTRY"])]
#[case::psb_law(Profile::PubEaa, oid::QC_STATEMENTS, Some(psb("BE", "s", " ")), &["PKI-PSB-LAW"])]
#[case::psb_source(Profile::PubEaa, oid::QC_STATEMENTS, Some(psb("EU", "", "l")), &["PKI-PSB-SOURCE"])]
#[case::psb_no_aia(Profile::PubEaa, oid::AUTHORITY_INFO_ACCESS, None, &["PKI-EAA-AIA"])]
#[case::ca_no_usage(Profile::Ca, oid::KEY_USAGE, None, &["PKI-CA-KEY-USAGE"])]
#[case::ca_not(Profile::Ca, oid::BASIC_CONSTRAINTS, None, &["PKI-CA-BASIC-CONSTRAINTS"])]
#[case::list_usage(Profile::ListOperator, oid::KEY_USAGE, Some(usage(KeyUsages::KeyAgreement)), &["PKI-LIST-KEY-USAGE"])]
#[case::status_usage(Profile::StatusList, oid::KEY_USAGE, Some(usage(KeyUsages::KeyAgreement)), &["PKI-SIGNS"])]
#[tokio::test]
async fn one_change_breaks_one_rule(
    #[case] profile: Profile,
    #[case] extension: pki::Oid,
    #[case] value: Option<Vec<u8>>,
    #[case] broken: &[&str],
) {
    let ca = root("Root").await;
    let key = key();
    let draft = draft(profile, "Spoilt", &key, &ca);
    let clean = draft.sign(ca.issuer()).await.unwrap();
    assert_eq!(lint(&clean, profile, now()), []);
    let draft = match value {
        None => draft.without(extension),
        Some(value) => draft
            .with(extension, extension == oid::KEY_USAGE, &value)
            .unwrap(),
    };
    let certificate = draft.sign(ca.issuer()).await.unwrap();
    assert_eq!(errors(&lint(&certificate, profile, now())), broken);
}

#[rstest]
#[case(&[(oid::ORGANIZATION, "O"), (oid::ORGANIZATION_IDENTIFIER, "NTRBE-1"), (oid::COMMON_NAME, "CN")], &["PKI-LEG-COUNTRY"])]
#[case(&[(oid::COUNTRY, "BE"), (oid::ORGANIZATION_IDENTIFIER, "NTRBE-1"), (oid::COMMON_NAME, "CN")], &["PKI-LEG-ORGANIZATION"])]
#[case(&[(oid::COUNTRY, "BE"), (oid::ORGANIZATION, "O"), (oid::COMMON_NAME, "CN")], &["PKI-LEG-IDENTIFIER"])]
#[case(&[(oid::COUNTRY, "BE"), (oid::ORGANIZATION, "O"), (oid::ORGANIZATION_IDENTIFIER, "NTRBE-1")], &["PKI-LEG-COMMON-NAME"])]
#[case(&[(oid::COUNTRY, "BE"), (oid::ORGANIZATION, "O"), (oid::ORGANIZATION, "P"), (oid::ORGANIZATION_IDENTIFIER, "NTRBE-1"), (oid::COMMON_NAME, "CN")], &["PKI-LEG-ONE-EACH"])]
#[case(&[(oid::COUNTRY, "BE"), (oid::ORGANIZATION, "NTRBE-1"), (oid::ORGANIZATION_IDENTIFIER, "NTRBE-1"), (oid::COMMON_NAME, "CN")], &["PKI-LEG-IDENTIFIER-IS-NAME"])]
#[case(&[(oid::SURNAME, "S"), (oid::COMMON_NAME, "CN")], &["PKI-NAT-COUNTRY"])]
#[case(&[(oid::COUNTRY, "BE"), (oid::SURNAME, "S"), (oid::PSEUDONYM, "P"), (oid::COMMON_NAME, "CN")], &["PKI-NAT-PERSON-NAME"])]
#[case(&[(oid::COUNTRY, "BE"), (oid::PSEUDONYM, "P")], &["PKI-NAT-COMMON-NAME"])]
#[case(&[(oid::COUNTRY, "BE"), (oid::SURNAME, "S"), (oid::COMMON_NAME, "CN"), (oid::COMMON_NAME, "NC")], &["PKI-NAT-ONE-EACH"])]
#[tokio::test]
async fn subjects(#[case] attributes: &[(pki::Oid, &str)], #[case] broken: &[&str]) {
    let ca = root("Root").await;
    let key = key();
    let mut draft = draft(Profile::Pid, "Spoilt", &key, &ca);
    draft.subject = name_der(attributes).unwrap();
    let certificate = draft.sign(ca.issuer()).await.unwrap();
    assert_eq!(errors(&lint(&certificate, Profile::Pid, now())), broken);
}

/// The issuer's name: GEN-4.2.3.1 for organizations, GEN-4.2.3.2 for human beings.
#[rstest]
#[case::legal(&[(oid::COUNTRY, "BE"), (oid::ORGANIZATION, "O"), (oid::COMMON_NAME, "CN")], &[])]
#[case::natural(&[(oid::COUNTRY, "BE"), (oid::SURNAME, "S"), (oid::SERIAL_NUMBER, "1"), (oid::COMMON_NAME, "CN")], &[])]
#[case::natural_no_number(&[(oid::COUNTRY, "BE"), (oid::SURNAME, "S"), (oid::COMMON_NAME, "CN")], &["PKI-ISSUER-NAME"])]
#[case::nameless(&[(oid::COUNTRY, "BE"), (oid::ORGANIZATION, "O")], &["PKI-ISSUER-NAME"])]
#[case::twice(&[(oid::COUNTRY, "BE"), (oid::ORGANIZATION, "O"), (oid::ORGANIZATION, "P"), (oid::COMMON_NAME, "CN")], &["PKI-ISSUER-ONE-EACH"])]
#[case::same(&[(oid::COUNTRY, "BE"), (oid::ORGANIZATION, "NTRBE-1"), (oid::ORGANIZATION_IDENTIFIER, "NTRBE-1"), (oid::COMMON_NAME, "CN")], &["PKI-ISSUER-IDENTIFIER"])]
#[tokio::test]
async fn issuers(#[case] attributes: &[(pki::Oid, &str)], #[case] broken: &[&str]) {
    let ca = root("Root").await;
    let mut draft = draft(Profile::Pid, "Issued", &key(), &ca);
    draft.issuer = name_der(attributes).unwrap();
    let certificate = draft.sign(ca.issuer()).await.unwrap();
    assert_eq!(errors(&lint(&certificate, Profile::Pid, now())), broken);
}

/// GEN-4.3.5-1 and its likes; ISO/IEC 18013-5 has a critical extKeyUsage, so that
/// of a PID provider is told and no more.
#[rstest]
#[case(Profile::Eaa, oid::EXTENDED_KEY_USAGE, &["PKI-NEVER-CRITICAL"], 1)]
#[case(Profile::Pid, oid::EXTENDED_KEY_USAGE, &[], 1)]
#[case(Profile::Access, oid::CRL_DISTRIBUTION_POINTS, &["PKI-NEVER-CRITICAL"], 1)]
#[case(Profile::Wallet, oid::CRL_DISTRIBUTION_POINTS, &["PKI-CRITICALITY"], 1)]
#[tokio::test]
async fn some_are_never_critical(
    #[case] profile: Profile,
    #[case] id: pki::Oid,
    #[case] broken: &[&str],
    #[case] told: usize,
) {
    let ca = root("Root").await;
    let value = match id {
        oid::EXTENDED_KEY_USAGE => vec![oid::TSL_SIGNING].to_der().unwrap(),
        _ => points("http://ca.example/ca.crl"),
    };
    let draft = draft(profile, "Critical", &key(), &ca);
    let draft = draft.with(id, true, &value).unwrap();
    let certificate = draft.sign(ca.issuer()).await.unwrap();
    let findings = lint(&certificate, profile, now());
    assert_eq!(errors(&findings), broken);
    assert_eq!(findings.len(), told, "{findings:?}");
}

#[tokio::test]
async fn a_lint_is_remembered_without_its_time() {
    let ca = root("Root").await;
    let (certificate, _) = leaf(Profile::Wallet, "Wallet", &ca).await;
    let late = "2029-01-01T00:00:00Z".parse().unwrap();
    for _ in 0..2 {
        assert_eq!(lint(&certificate, Profile::Wallet, now()), []);
        let expired = lint(&certificate, Profile::Wallet, late);
        assert_eq!(errors(&expired), ["PKI-EXPIRED"]);
        // Each profile has its own.
        assert_eq!(
            errors(&lint(&certificate, Profile::Pid, now())),
            ["PKI-PID-QC-TYPE"]
        );
    }
}

/// The standards' recommended key usage of attestation providers, type A, signs.
#[rstest]
#[case(Profile::PubEaa, KeyUsages::NonRepudiation, true)]
#[case(Profile::Eaa, KeyUsages::NonRepudiation, true)]
#[case(Profile::Wallet, KeyUsages::NonRepudiation, false)]
#[case(Profile::PubEaa, KeyUsages::KeyAgreement, false)]
#[case(Profile::Access, KeyUsages::DigitalSignature, true)]
#[case(Profile::Access, KeyUsages::NonRepudiation, false)]
#[case(Profile::Access, KeyUsages::KeyAgreement, false)]
#[tokio::test]
async fn a_leaf_signs_by_its_kind(
    #[case] profile: Profile,
    #[case] bit: KeyUsages,
    #[case] fits: bool,
) {
    let ca = root("Root").await;
    let draft = draft(profile, "Leaf", &key(), &ca);
    let draft = draft.with(oid::KEY_USAGE, true, &usage(bit)).unwrap();
    let certificate = draft.sign(ca.issuer()).await.unwrap();
    let findings = pki::check_leaf(&certificate, profile, now());
    assert_eq!(
        !findings.iter().any(|f| f.is(&rules::LEAF_KEY_USAGE)),
        fits,
        "{findings:?}"
    );
}

#[tokio::test]
async fn criticality_serial_and_validity() {
    let ca = root("Root").await;
    let key = key();
    let base = draft(Profile::Pid, "Spoilt", &key, &ca);
    let lint_of = async |draft: pki::Draft| {
        let certificate = draft.sign(ca.issuer()).await.unwrap();
        errors(&lint(&certificate, Profile::Pid, now()))
    };
    let statements = types(&[oid::QCT_PID]);
    let critical = base
        .clone()
        .with(oid::QC_STATEMENTS, true, &statements)
        .unwrap();
    assert_eq!(lint_of(critical).await, ["PKI-CRITICALITY"]);
    let mut zero = base.clone();
    zero.serial = vec![0];
    assert_eq!(lint_of(zero).await, ["PKI-SERIAL"]);
    let mut long = base.clone();
    long.serial = vec![0x7f; 21];
    assert_eq!(lint_of(long).await, ["PKI-SERIAL"]);
    let mut backwards = base.clone();
    (backwards.not_before, backwards.not_after) = (base.not_after, base.not_before);
    assert_eq!(
        lint_of(backwards).await,
        ["PKI-NOT-YET-VALID", "PKI-VALIDITY-ORDER"]
    );
    let mut bare = base.clone();
    bare.extensions.clear();
    let all = lint_of(bare).await;
    assert!(all.len() >= 6, "{all:?}");
    let mut own = base;
    own.issuer = own.subject.clone();
    assert!(
        lint_of(own)
            .await
            .contains(&"PKI-SELF-SIGNATURE".to_owned())
    );
}

#[tokio::test]
async fn a_qualified_access_certificate_says_that_it_is() {
    let ca = root("Root").await;
    let key = key();
    let mut request = request(Profile::Access, "Party", &key);
    request.policies[0].id = oid::QCP_L_EUDIWRP;
    assert!(matches!(
        pki::issue(&request, ca.issuer()).await,
        Err(IssueError::NotConforming(r)) if r.names(&rules::ACCESS_QUALIFIED)
    ));
    request.statements = QcStatements(vec![QcStatement {
        id: oid::QC_COMPLIANCE,
        info: None,
    }]);
    assert!(pki::issue(&request, ca.issuer()).await.is_ok());
    // A policy of the provider's own is a note; anyPolicy is none.
    request.policies[0].id = common::oid_of("1.2.3.4");
    let certificate = pki::issue(&request, ca.issuer()).await.unwrap();
    let findings = lint(&certificate, Profile::Access, now());
    assert_eq!(
        (findings.len(), findings[0].is(&rules::ACCESS_POLICY_OWN)),
        (1, true)
    );
    request.policies[0].id = oid::ANY_POLICY;
    assert!(matches!(
        pki::issue(&request, ca.issuer()).await,
        Err(IssueError::NotConforming(r)) if r.names(&rules::ACCESS_POLICY)
    ));
}

#[rstest]
#[case("plain", "CN=plain")]
#[case("Leaf, \"x\"+y", "CN=Leaf\\, \\\"x\\\"\\+y")]
#[case(" #a ", "CN=\\ #a\\ ")]
#[case("#a", "CN=\\#a")]
#[case("a\u{1b}[2J", "CN=a\\1b[2J")]
#[case("Zoë", "CN=Zoë")]
fn names_are_escaped(#[case] text: &str, #[case] expected: &str) {
    let der = name_der(&[(oid::COMMON_NAME, text)]).unwrap();
    assert_eq!(pki::Name::from_der(&der).unwrap().to_string(), expected);
}

#[tokio::test]
async fn contacts_of_every_kind_are_read_back() {
    let ca = root("Root").await;
    let key = key();
    let mut request = request(Profile::Access, "Party", &key);
    for name in [
        AltName::Phone("+32 2 123 45 67".into()),
        AltName::Email("help@party.example".into()),
        AltName::Uri("https://party.example/".into()),
    ] {
        request.alt_names = vec![name.clone()];
        let certificate = pki::issue(&request, ca.issuer()).await.unwrap();
        assert_eq!(certificate.alt_names(), [name]);
    }
    // A DNS name is no way to reach a person.
    request.alt_names = vec![AltName::Dns("party.example".into())];
    assert!(matches!(
        pki::issue(&request, ca.issuer()).await,
        Err(IssueError::NotConforming(r)) if r.names(&rules::ACCESS_CONTACT)
    ));
}

#[test]
fn profile_names_read_back_and_rule_ids_are_unique() {
    for profile in Profile::ALL {
        assert_eq!(profile.to_string().parse(), Ok(profile));
    }
    assert!("PID".parse::<Profile>().is_err());
    let mut ids: Vec<_> = pki::RULES.iter().map(|r| r.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), pki::RULES.len());
}

fn access(method: pki::Oid, url: &str) -> Vec<u8> {
    use x509_cert::ext::pkix::name::GeneralName;
    use x509_cert::ext::pkix::{AccessDescription, AuthorityInfoAccessSyntax};
    let url = der::asn1::Ia5String::new(url).unwrap();
    AuthorityInfoAccessSyntax(vec![AccessDescription {
        access_method: method,
        access_location: GeneralName::UniformResourceIdentifier(url),
    }])
    .to_der()
    .unwrap()
}

fn points(url: &str) -> Vec<u8> {
    use x509_cert::ext::pkix::CrlDistributionPoints;
    use x509_cert::ext::pkix::crl::dp::DistributionPoint;
    use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
    let url = der::asn1::Ia5String::new(url).unwrap();
    let name = GeneralName::UniformResourceIdentifier(url);
    let point = DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![name])),
        reasons: None,
        crl_issuer: None,
    };
    CrlDistributionPoints(vec![point]).to_der().unwrap()
}

/// A SEQUENCE of pairs of policies.
fn mappings() -> Vec<u8> {
    vec![vec![oid::NCP, common::oid_of("1.2.3.4")]]
        .to_der()
        .unwrap()
}

fn usage(usages: impl Into<der::flagset::FlagSet<KeyUsages>>) -> Vec<u8> {
    KeyUsage(usages.into()).to_der().unwrap()
}

fn types(values: &[pki::Oid]) -> Vec<u8> {
    QcStatements::of_types(values).unwrap().to_der().unwrap()
}

fn bare(id: pki::Oid) -> Vec<u8> {
    QcStatements(vec![QcStatement { id, info: None }])
        .to_der()
        .unwrap()
}

fn psb(country: &str, source: &str, legislation: &str) -> Vec<u8> {
    let body = QcPsb {
        country: country.into(),
        source: source.into(),
        legislation: legislation.into(),
    };
    let statement = QcStatement {
        id: common::oid_of("0.4.0.1862.1.10"),
        info: Some(body.to_der().unwrap()),
    };
    // An info of another type beside it is passed over.
    let other = QcStatement {
        id: oid::QC_SSCD,
        info: Some(Any::null().to_der().unwrap()),
    };
    QcStatements(vec![other, statement]).to_der().unwrap()
}
