//! Certification paths (RFC 5280, 6): found among the certificates at hand, and
//! validated behind the [`PathValidator`] trait.
//!
//! What comes with a chain is a bag of certificates, in any order, with the
//! anchor or without it. The search is bounded in certificates, attempts and
//! steps, so that no chain can make it explode.

mod validator;

use finding::{Finding, Refusal, Rule};
use jiff::Timestamp;

use crate::certificate::Certificate;
use crate::direct::AnchorIndex;
use crate::oid::Oid;
use crate::profile::validity;
use crate::rules;
use crate::signature::AlgorithmPolicy;

pub use validator::{Certval, MAX_KEPT};

/// What a path must satisfy, and how hard it is searched for.
#[derive(Debug, Clone)]
pub struct PathSettings {
    /// The time the path must be valid at.
    pub at: Timestamp,
    /// Which algorithms and key sizes are good enough.
    pub algorithms: AlgorithmPolicy,
    /// user-initial-policy-set (RFC 5280, 6.1.1 (c)); empty for any policy.
    pub policies: Vec<Oid>,
    /// initial-explicit-policy (RFC 5280, 6.1.1 (f)).
    pub explicit_policy: bool,
    /// initial-policy-mapping-inhibit (RFC 5280, 6.1.1 (e)).
    pub inhibit_policy_mapping: bool,
    /// initial-any-policy-inhibit (RFC 5280, 6.1.1 (g)).
    pub inhibit_any_policy: bool,
    /// Whether the constraints in the anchor's own certificate hold too
    /// (RFC 5937), and whether it must be a valid CA.
    pub anchor_constraints: bool,
    /// How many certificates a path may have, without the anchor.
    pub max_certificates: usize,
    /// How many candidate paths are validated.
    pub max_attempts: usize,
}

impl PathSettings {
    /// Any policy, agreed algorithms, the anchor's own constraints enforced; at
    /// most 10 certificates and 32 attempts.
    pub fn at(at: Timestamp) -> Self {
        Self {
            at,
            algorithms: AlgorithmPolicy::AGREED,
            policies: vec![],
            explicit_policy: false,
            inhibit_policy_mapping: false,
            inhibit_any_policy: false,
            anchor_constraints: true,
            max_certificates: 10,
            max_attempts: 32,
        }
    }
}

/// A path that validates.
#[derive(Debug, Clone)]
pub struct Path {
    /// The certificates, leaf first, without the anchor.
    pub certificates: Vec<Certificate>,
    /// The anchor.
    pub anchor: Certificate,
    /// The anchor's position in its index.
    pub position: usize,
}

impl Path {
    /// Each certificate of the path with the one that issued it, leaf first.
    pub fn pairs(&self) -> impl Iterator<Item = (&Certificate, &Certificate)> {
        let issuers = self.certificates.iter().skip(1).chain([&self.anchor]);
        self.certificates.iter().zip(issuers)
    }
}

/// Why one candidate path does not validate.
#[derive(Debug, Clone)]
pub struct PathFault {
    /// The rule it breaks.
    pub rule: &'static Rule,
    /// Which certificate breaks it.
    pub subject: String,
    /// What was seen.
    pub evidence: String,
}

/// Validates one candidate path. Chaining of names, signatures, constraints and
/// policies are its job; times and algorithms have been looked at before.
pub trait PathValidator: std::fmt::Debug + Send + Sync {
    /// Validates `path` (the certificate issued by the anchor first, the leaf
    /// last) under `anchor`.
    fn validate(
        &self,
        anchor: &Certificate,
        path: &[&Certificate],
        settings: &PathSettings,
    ) -> Result<(), PathFault>;
}

/// Finds a path from `leaf` over any of `others` to one of the anchors, and
/// validates it. A refusal holds what was wrong with each path that was tried.
pub fn find_path(
    leaf: &Certificate,
    others: &[Certificate],
    anchors: &AnchorIndex,
    settings: &PathSettings,
    validator: &dyn PathValidator,
) -> Result<Path, Refusal> {
    if let Some(anchor) = anchors.with_key_but_other_bytes(leaf) {
        return Err(Refusal::because(
            &rules::PATH_ANCHOR_KEY,
            leaf.subject(),
            format!("it has the key of the anchor {}", anchor.sha256_hex()),
        ));
    }
    let mut search = Search {
        others,
        anchors,
        settings,
        validator,
        attempts: 0,
        steps: 0,
        findings: vec![],
    };
    match search.above(&mut vec![leaf]) {
        Some(path) => Ok(path),
        None => Err(search.refusal(leaf)),
    }
}

/// How many certificates are looked at as possible issuers.
const MAX_STEPS: usize = 2_000;
/// How many findings of failed attempts a refusal holds.
const MAX_FINDINGS: usize = 16;

struct Search<'s> {
    others: &'s [Certificate],
    anchors: &'s AnchorIndex,
    settings: &'s PathSettings,
    validator: &'s dyn PathValidator,
    attempts: usize,
    steps: usize,
    findings: Vec<Finding>,
}

impl<'s> Search<'s> {
    /// Extends a chain (leaf first) upwards until one validates.
    fn above(&mut self, chain: &mut Vec<&'s Certificate>) -> Option<Path> {
        let top = *chain.last()?;
        let issuer = top.issuer_name();
        for (position, anchor) in self.anchors.with_subject(&issuer) {
            if anchor == top {
                continue;
            }
            if self.exhausted() {
                return None;
            }
            self.attempts += 1;
            match self.try_path(anchor, chain) {
                Ok(()) => {
                    return Some(Path {
                        certificates: chain.iter().map(|c| (*c).clone()).collect(),
                        anchor: anchor.clone(),
                        position,
                    });
                }
                Err(fault) => self.note(fault.rule.finding(fault.subject, fault.evidence)),
            }
        }
        if chain.len() >= self.settings.max_certificates {
            self.note(rules::PATH_LIMIT.finding(
                top.subject(),
                format!("more than {} certificates", self.settings.max_certificates),
            ));
            return None;
        }
        for next in self.issuers_of(top, chain) {
            if self.exhausted() {
                return None;
            }
            chain.push(next);
            let found = self.above(chain);
            if found.is_some() {
                return found;
            }
            chain.pop();
        }
        None
    }

    /// The certificates that may have issued `top`, the likeliest first.
    fn issuers_of(&mut self, top: &Certificate, chain: &[&'s Certificate]) -> Vec<&'s Certificate> {
        let issuer = top.issuer_name();
        let wanted = top.authority_key_id();
        let mut candidates = Vec::new();
        for other in self.others {
            self.steps += 1;
            if !self.anchors.positions(other).is_empty()
                || !other.subject_name().matches(&issuer)
                || repeats(chain, other)
            {
                continue;
            }
            if let Some(anchor) = self.anchors.with_key_but_other_bytes(other) {
                let evidence = format!("it has the key of the anchor {}", anchor.sha256_hex());
                self.note(rules::PATH_ANCHOR_KEY.finding(other.subject(), evidence));
                continue;
            }
            let likely = other.is_ca() && wanted.is_some() && other.subject_key_id() == wanted;
            candidates.push((!likely, other));
        }
        candidates.sort_by_key(|(unlikely, _)| *unlikely);
        candidates.into_iter().map(|(_, other)| other).collect()
    }

    fn exhausted(&mut self) -> bool {
        let exhausted = self.attempts >= self.settings.max_attempts || self.steps >= MAX_STEPS;
        if exhausted && !self.findings.iter().any(|f| f.is(&rules::PATH_LIMIT)) {
            self.findings.push(rules::PATH_LIMIT.finding(
                "the chain",
                format!(
                    "no path after {} attempts and {} steps",
                    self.attempts, self.steps
                ),
            ));
        }
        exhausted
    }

    fn try_path(&self, anchor: &Certificate, chain: &[&Certificate]) -> Result<(), PathFault> {
        let policy = self.settings.algorithms;
        for certificate in chain.iter().copied().chain([anchor]) {
            let fault = |rule, evidence| PathFault {
                rule,
                subject: certificate.subject(),
                evidence,
            };
            // An anchor's own dates bind where its constraints do.
            if (certificate != anchor || self.settings.anchor_constraints)
                && let Some(finding) = validity(certificate, "", self.settings.at)
            {
                return Err(fault(&rules::PATH_VALIDITY, finding.evidence));
            }
            let signed = match certificate == anchor {
                true => Ok(()),
                false => policy.accepts_algorithm(certificate.signature_algorithm()),
            };
            let key = match certificate.kept_key() {
                Some(_) => Ok(()),
                None => policy.accepts_key(certificate.spki_der()),
            };
            key.and(signed)
                .map_err(|what| fault(&rules::ALGORITHM, what))?;
        }
        if self.settings.anchor_constraints && !anchor.is_ca() {
            return Err(PathFault {
                rule: &rules::PATH_BASIC_CONSTRAINTS,
                subject: anchor.subject(),
                evidence: "the anchor is not a CA".into(),
            });
        }
        if self.settings.anchor_constraints
            && anchor
                .key_usage()
                .is_some_and(|usage| !usage.key_cert_sign())
        {
            return Err(PathFault {
                rule: &rules::PATH_KEY_USAGE,
                subject: anchor.subject(),
                evidence: "the anchor's key usage holds no keyCertSign".into(),
            });
        }
        let path: Vec<&Certificate> = chain.iter().rev().copied().collect();
        self.validator.validate(anchor, &path, self.settings)
    }

    fn note(&mut self, finding: Finding) {
        if self.findings.len() < MAX_FINDINGS && !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn refusal(mut self, leaf: &Certificate) -> Refusal {
        if self.attempts == 0 {
            let (rule, evidence) = match self.anchors.positions(leaf).is_empty() {
                false => (
                    &rules::PATH_LEAF_IS_ANCHOR,
                    "the certificate itself is an anchor".to_owned(),
                ),
                true => (
                    &rules::PATH_NO_ANCHOR,
                    format!(
                        "no chain of names from it over {} other certificates to one of {} anchors; its issuer is {}",
                        self.others.len(),
                        self.anchors.len(),
                        leaf.issuer()
                    ),
                ),
            };
            self.findings
                .insert(0, rule.finding(leaf.subject(), evidence));
        }
        Refusal::unless_clean(self.findings)
            .err()
            .unwrap_or_else(|| rules::PATH_NO_ANCHOR.finding(leaf.subject(), "").into())
    }
}

/// Whether the chain already holds this subject with this key: cross-signed CAs
/// lead in circles (RFC 4158, 5.2).
fn repeats(chain: &[&Certificate], other: &Certificate) -> bool {
    chain
        .iter()
        .any(|c| c.spki_der() == other.spki_der() && c.subject_der() == other.subject_der())
}
