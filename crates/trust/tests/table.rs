//! What is expected of every context: `table.txt`, in which each line is a
//! question and its answer, with the rules by which it is given.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::collections::HashMap;

use claviger_fixtures::TestKey;
use common::*;
use finding::{Method, Trusted, Verdict};
use jose::Curve;
use lote::ServiceKind;
use pki::{AltName, Certificate, Issuer, Oid, Subject};
use trust::{Context, Policy, TrustService, rules};

/// One CA that issues every kind of certificate, and others that issue none.
struct World {
    leaves: HashMap<&'static str, Certificate>,
    ca: Party,
    /// A CA of another name.
    other: Party,
    /// A CA of the same name and another key.
    twin: Party,
    /// A CA that certified the key of `ca`.
    root: Party,
    /// What it certified: `ca` once more.
    cross: Certificate,
    services: HashMap<String, TrustService>,
}

impl World {
    async fn new() -> Self {
        let ca = ca().await;
        let mut leaves = HashMap::new();
        let party = Subject::legal("FR", "Relying Party SA", "NTRFR-123", "rp.example");
        let stranger = Subject::legal("DE", "Another Provider AG", "NTRDE-HRB99", "A unit");
        for (name, profile, subject) in [
            ("pid", pki::Profile::Pid, provider()),
            ("pid-of-another", pki::Profile::Pid, stranger.clone()),
            ("wallet", pki::Profile::Wallet, provider()),
            ("wallet-of-another", pki::Profile::Wallet, stranger),
            ("access", pki::Profile::Access, party),
            // A provider may be a relying party as well.
            ("access-own", pki::Profile::Access, provider()),
            ("pub-eaa", pki::Profile::PubEaa, provider()),
            ("signer", pki::Profile::StatusList, provider()),
            ("mdl", pki::Profile::StatusList, licence_signer()),
        ] {
            leaves.insert(name, leaf(&ca, name, profile, subject).await);
        }
        let root = named("Cross Root").await;
        let cross = cross(&ca, &root).await;
        Self {
            leaves,
            other: named("Another CA").await,
            twin: common::ca().await,
            ca,
            root,
            cross,
            services: HashMap::new(),
        }
    }

    async fn ask(&mut self, line: &Line<'_>) -> Verdict {
        let leaf = self.leaves[line.leaf].clone();
        let listed = match line.list {
            "leaf" => leaf.clone(),
            "ca" => self.ca.certificate.clone(),
            "other" => self.other.certificate.clone(),
            "twin" => self.twin.certificate.clone(),
            "cross" => self.root.certificate.clone(),
            list => panic!("no list {list}"),
        };
        let chain: &[&Certificate] = match line.list {
            "cross" => &[&leaf, &self.cross],
            _ => &[&leaf],
        };
        let mut request = ask(line.context, chain);
        request.policy = line.policy;
        let key = format!("{} {}", line.context, listed.sha256_hex());
        let service = match self.services.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let services: &[(ServiceKind, &Certificate)] = &[(line.context.service(), &listed)];
                entry.insert(holding(&[(line.context.list(), services)]).await)
            }
        };
        service.check(&request).await
    }
}

fn licence_signer() -> Subject {
    Subject::legal("DE", "State Printer", "NTRDE-HRB5", "mDL signer")
}

async fn leaf(ca: &Party, name: &str, profile: pki::Profile, subject: Subject) -> Certificate {
    let key = TestKey::generate(Curve::P256);
    let mut asked = request(profile, subject, &key);
    if profile == pki::Profile::Access {
        asked.alt_names = vec![AltName::Uri("https://rp.example/".into())];
    }
    let mut draft = pki::Draft::new(&asked, ca.issuer()).unwrap();
    if name == "mdl" {
        // id-mdl-kp-mdlDS alone.
        let purposes = vec![0x30, 9, 6, 7, 0x28, 0x81, 0x8c, 0x5d, 5, 1, 2];
        draft.extensions.push(pki::Extension {
            extn_id: Oid::new_unwrap("2.5.29.37"),
            critical: true,
            extn_value: der::asn1::OctetString::new(purposes).unwrap(),
        });
    }
    draft.sign(ca.issuer()).await.unwrap()
}

async fn named(name: &str) -> Party {
    let key = TestKey::generate(Curve::P256);
    let subject = Subject::legal("DE", name, "NTRDE-HRB2", name);
    let mut asked = request(pki::Profile::Ca, subject, &key);
    asked.crl_urls.clear();
    let draft = pki::Draft::new(&asked, Issuer::Itself(&key)).unwrap();
    let certificate = draft.sign(Issuer::Itself(&key)).await.unwrap();
    Party { key, certificate }
}

async fn cross(ca: &Party, root: &Party) -> Certificate {
    let subject = Subject::legal("DE", "Example CA AG", "NTRDE-HRB1", "Example CA");
    let asked = request(pki::Profile::Ca, subject, &ca.key);
    let draft = pki::Draft::new(&asked, root.issuer()).unwrap();
    draft.sign(root.issuer()).await.unwrap()
}

/// One line of the table.
struct Line<'t> {
    text: &'t str,
    context: Context,
    leaf: &'t str,
    list: &'t str,
    policy: Policy,
    expected: String,
}

impl<'t> Line<'t> {
    fn read(text: &'t str) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [context, leaf, list, policy, expected @ ..] = words.as_slice() else {
            panic!("{text}");
        };
        Self {
            text,
            context: context.parse().unwrap(),
            leaf,
            list,
            policy: Policy::from_name(policy).unwrap(),
            expected: expected.join(" "),
        }
    }
}

/// An answer as the table writes it.
fn written(verdict: &Verdict) -> String {
    let mut words = vec![verdict.trusted.to_string()];
    words.push(match verdict.method {
        Some(Method::Direct) => "direct".into(),
        Some(Method::Pkix) => "pkix".into(),
        None => "-".into(),
    });
    words.extend(why(verdict));
    if has(verdict, &rules::OTHER_POLICY) {
        words.push(format!("({})", rules::OTHER_POLICY.id));
    }
    words.join(" ")
}

fn lines(table: &str) -> impl Iterator<Item = &str> {
    table
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

#[tokio::test]
async fn every_line_of_the_table_holds() {
    let mut world = World::new().await;
    let mut wrong = Vec::new();
    let mut asked = 0;
    for text in lines(include_str!("table.txt")) {
        let line = Line::read(text);
        let verdict = world.ask(&line).await;
        let answer = written(&verdict);
        if answer != line.expected {
            wrong.push(format!("{}\n  and the answer is {answer}", line.text));
        }
        explained(&verdict, &line);
        asked += 1;
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(asked > 150, "{asked} lines");
}

/// Each refusal says which certificate, which list, and what would have made it pass.
fn explained(verdict: &Verdict, line: &Line<'_>) {
    for finding in verdict.errors() {
        let told = format!("{}: {finding}", line.text);
        assert!(!finding.clause.is_empty(), "{told}");
        assert!(finding.evidence.contains("; to pass: "), "{told}");
        assert!(
            finding.evidence.contains("asked of ") && finding.evidence.contains(" no. 1"),
            "{told}"
        );
        let names_list = finding.is(&rules::NO_CA);
        assert!(names_list || finding.subject.contains("(sha256 "), "{told}");
    }
    assert_eq!(verdict.lists.len(), 1);
    assert_eq!(
        verdict.trusted == Trusted::Yes,
        verdict.errors().next().is_none()
    );
}

/// The leaves of the EU's reference implementation, with their own lists and with
/// that of another CA.
#[tokio::test]
async fn the_reference_leaves() {
    let test = "the_reference_leaves";
    let Some(vectors) = claviger_fixtures::vectors() else {
        return claviger_fixtures::skip(test, "../shared/vectors is absent");
    };
    let other = named("Another CA").await.certificate;
    let direct = Policy::DirectOnly;
    let pkix = Policy::DirectOrPkix;
    let not_listed = "no - PKI-DIRECT-NOT-LISTED";
    let no_path = "no - PKI-DIRECT-NOT-LISTED PKI-PATH-NO-ANCHOR";
    for (name, context, own, policy, expected) in [
        ("pid-issuer", Context::Pid, true, direct, "yes direct"),
        ("pid-issuer", Context::Pid, true, pkix, "yes direct"),
        ("pid-issuer", Context::Pid, false, direct, not_listed),
        ("pid-issuer", Context::Pid, false, pkix, no_path),
        (
            "wallet-provider",
            Context::Wallet,
            true,
            direct,
            "yes direct",
        ),
        ("wallet-provider", Context::Wallet, true, pkix, "yes direct"),
        (
            "wallet-provider",
            Context::Wallet,
            false,
            direct,
            not_listed,
        ),
        ("wallet-provider", Context::Wallet, false, pkix, no_path),
        (
            "verifier-access",
            Context::AccessCertificate,
            true,
            direct,
            "no - TRUST-NO-CA",
        ),
        (
            "verifier-access",
            Context::AccessCertificate,
            true,
            pkix,
            "no - TRUST-NO-CA",
        ),
        (
            "verifier-access",
            Context::AccessCertificate,
            false,
            direct,
            "no - PKI-PATH-NO-ANCHOR",
        ),
        (
            "verifier-access",
            Context::AccessCertificate,
            false,
            pkix,
            "no - PKI-PATH-NO-ANCHOR",
        ),
    ] {
        let file = vectors.join(format!("certificates/eudi-reference-{name}.pem"));
        let leaf = pki::read_chain(&std::fs::read(file).unwrap())
            .unwrap()
            .remove(0);
        let listed = if own { &leaf } else { &other };
        let service = holding(&[(context.list(), &[(context.service(), listed)])]).await;
        let mut request = ask(context, &[&leaf]);
        request.policy = policy;
        let verdict = service.check(&request).await;
        assert_eq!(
            written(&verdict),
            expected,
            "{name} {context} {policy}: {verdict:#?}"
        );
    }
}
