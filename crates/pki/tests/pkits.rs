//! NIST's Public Key Interoperability Test Suite, where it is at hand.
//!
//! `CLAVIGER_PKITS` names a folder with `certs/`, `crls/` (both as in the suite)
//! and `pkits.json`: an array of `{id, cert, other_certs, crls, error?, params?}`,
//! `error` present where the path must be refused. `cargo xtask test` fetches
//! such a folder into `pkits` of the target folder, where it is looked for too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pki::{
    AlgorithmPolicy, AnchorIndex, Certificate, Certval, Crl, Oid, PathSettings, RevocationSources,
    RevocationStatus, find_path, path_status,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    id: String,
    cert: String,
    #[serde(default)]
    other_certs: Vec<String>,
    #[serde(default)]
    crls: Vec<String>,
    error: Option<Expected>,
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Expected {
    class: String,
}

/// Where a case was refused.
enum Refused {
    Path(String),
    Revoked(String),
    Unknown(String),
}

impl Refused {
    /// Whether this is where the suite's author expects it. A path that is not
    /// decided for want of a CRL may be refused either way.
    fn as_expected(&self, class: &str) -> bool {
        match self {
            Refused::Path(_) => class == "PathValidationError",
            Refused::Revoked(_) => class == "RevokedError",
            Refused::Unknown(_) => {
                matches!(class, "InsufficientRevinfoError" | "StaleRevinfoError")
            }
        }
    }

    fn why(&self) -> &str {
        let (Refused::Path(why) | Refused::Revoked(why) | Refused::Unknown(why)) = self;
        why
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Params {
    user_initial_policy_set: Option<Vec<String>>,
    initial_policy_mapping_inhibit: bool,
    initial_explicit_policy: bool,
    initial_any_policy_inhibit: bool,
}

impl Case {
    /// `40101` is 4.1.1.
    fn number(&self) -> String {
        let digits: Vec<u32> = self.id.chars().filter_map(|c| c.to_digit(10)).collect();
        format!(
            "4.{}.{}",
            digits[1] * 10 + digits[2],
            digits[3] * 10 + digits[4]
        ) + if self.id.len() > 5 { &self.id[5..] } else { "" }
    }
}

/// The suite's own time: all its certificates and CRLs are valid then.
const AT: &str = "2026-11-22T12:00:00Z";

#[test]
fn pkits() {
    let Some(folder) = suite() else {
        claviger_fixtures::skip(
            "pki::pkits",
            "NIST's suite is not at hand; `cargo xtask test` fetches it",
        );
        return;
    };
    let text = std::fs::read_to_string(folder.join("pkits.json")).expect("pkits.json");
    let cases: Vec<Case> = serde_json::from_str(&text).expect("the cases");
    let (mut passed, mut failed, mut false_accepts) = (vec![], BTreeMap::new(), vec![]);
    let mut elsewhere = vec![];
    for case in &cases {
        let number = case.number();
        match (&case.error, run(&folder, case)) {
            (None, Ok(())) => passed.push(number),
            (Some(expected), Err(refused)) => {
                if !refused.as_expected(&expected.class) {
                    elsewhere.push(format!("  {number}: {}: {}", expected.class, refused.why()));
                }
                passed.push(number);
            }
            (None, Err(refused)) => {
                failed.insert(number, format!("refused: {}", refused.why()));
            }
            (Some(_), Ok(())) => {
                false_accepts.push(number.clone());
                failed.insert(number, "accepted".into());
            }
        }
    }
    let mut report = format!(
        "PKITS: {} passed, {} not, {} false accepts\n",
        passed.len(),
        failed.len(),
        false_accepts.len()
    );
    for (number, why) in &failed {
        report += &format!("  {number}: {why}\n");
    }
    print!("{report}");
    println!(
        "refused, but at another stage than expected: {}",
        elsewhere.len()
    );
    for line in &elsewhere {
        println!("{line}");
    }
    if let Some(path) = std::env::var_os("CLAVIGER_PKITS_REPORT") {
        std::fs::write(path, report).unwrap();
    }
    if let Some(path) = std::env::var_os("CLAVIGER_PKITS_PASSED") {
        std::fs::write(path, passed.join("\n") + "\n").unwrap();
    }
    assert_eq!(false_accepts, [""; 0], "false accepts");
    // Pinned, so that refusing everything fails too.
    let pinned: Vec<&str> = include_str!("pkits-passed.txt").lines().collect();
    assert_eq!(passed, pinned);
}

/// The suite's folder: the one named, or the one `cargo xtask test` fetched.
fn suite() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CLAVIGER_PKITS") {
        return Some(PathBuf::from(named));
    }
    let fetched = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()?
        .join("pkits");
    fetched.join("source.txt").is_file().then_some(fetched)
}

/// `Ok` where the path is accepted and nothing on it is revoked or unknown.
fn run(folder: &Path, case: &Case) -> Result<(), Refused> {
    let certificate = |name: &str| {
        let der = std::fs::read(folder.join("certs").join(name)).expect(name);
        Certificate::from_der(&der).map_err(|error| Refused::Path(format!("{name}: {error}")))
    };
    let anchor = certificate("TrustAnchorRootCertificate.crt")?;
    let leaf = certificate(&case.cert)?;
    let mut others = vec![];
    for name in &case.other_certs {
        others.push(certificate(name)?);
    }
    let mut crls = vec![];
    let mut unread = vec![];
    for name in case
        .crls
        .iter()
        .map(String::as_str)
        .chain(["TrustAnchorRootCRL.crl"])
    {
        let der = std::fs::read(folder.join("crls").join(name)).expect(name);
        match Crl::from_der(&der) {
            Ok(crl) => crls.push(crl),
            Err(error) => unread.push(format!("{name}: {error}")),
        }
    }
    let params = case.params.as_ref();
    let mut settings = PathSettings::at(AT.parse().unwrap());
    settings.algorithms = AlgorithmPolicy::WITH_LEGACY_RSA;
    if let Some(params) = params {
        settings.policies = params
            .user_initial_policy_set
            .iter()
            .flatten()
            .filter(|id| *id != "any_policy")
            .map(|id| Oid::new(id).expect("an identifier"))
            .collect();
        settings.explicit_policy = params.initial_explicit_policy;
        settings.inhibit_policy_mapping = params.initial_policy_mapping_inhibit;
        settings.inhibit_any_policy = params.initial_any_policy_inhibit;
    }
    let anchors = AnchorIndex::new([anchor]);
    let validator = Certval::new();
    let path = find_path(&leaf, &others, &anchors, &settings, &validator)
        .map_err(|refusal| Refused::Path(refusal.to_string()))?;
    let sources = RevocationSources {
        crls: &crls,
        certificates: &others,
        settings: &settings,
        validator: &validator,
    };
    for (certificate, status) in path_status(&path, sources) {
        let why = format!(
            "{}: {status:?} {}",
            certificate.subject(),
            unread.join("; ")
        );
        match status {
            RevocationStatus::Good => {}
            RevocationStatus::Revoked { .. } => return Err(Refused::Revoked(why)),
            _ => return Err(Refused::Unknown(why)),
        }
    }
    Ok(())
}
