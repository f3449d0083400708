use finding::{Finding, Refusal, Rule, Trusted, Verdict};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use status_list::{Reference, Status};
use wua::{VerifiedKa, VerifiedWia};

/// What became of one attestation.
#[derive(Debug, Clone, Serialize)]
#[serde(bound = "")]
pub struct Judgement<T> {
    /// Yes, no, or not known; only "yes" is accepted.
    pub decision: Trusted,
    /// How its signer's chain was judged.
    pub signer: Option<Verdict>,
    /// What its status list said.
    pub status: Option<StatusAnswer>,
    /// Everything found on the way.
    pub findings: Vec<Finding>,
    #[serde(skip)]
    attested: Option<T>,
}

/// What became of a WIA and its proof of possession.
pub type WiaVerdict = Judgement<VerifiedWia>;

/// What became of a KA and the proof it came in.
pub type KaVerdict = Judgement<VerifiedKa>;

/// What became of a request for something device-bound: the WIA, and the KA.
#[derive(Debug, Clone, Serialize)]
pub struct IssuanceVerdict {
    /// Yes when both are accepted, no when either is refused.
    pub decision: Trusted,
    /// The WIA.
    pub wia: WiaVerdict,
    /// The KA; absent for what is not device-bound.
    pub ka: Option<KaVerdict>,
    /// What to watch for as long as what is issued lives. Empty unless accepted.
    pub references: Vec<StatusReference>,
}

/// Which of the two attestations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttestationKind {
    /// The Wallet Instance Attestation.
    Wia,
    /// The Key Attestation.
    Ka,
}

/// An entry of a status list that stands for an attestation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StatusReference {
    /// Of which attestation.
    pub kind: AttestationKind,
    /// The entry.
    pub reference: Reference,
    /// Until when the wallet provider tells its state. The PID ends before it
    /// (TS3 v1.5.2, 2.4.3).
    pub maintained_until: Timestamp,
    /// The listed provider that signed the attestation, where it is known: its
    /// status list must come from the same one.
    pub provider: Option<String>,
}

/// What a status list said about an attestation.
#[derive(Debug, Clone, Serialize)]
pub struct StatusAnswer {
    /// Of which attestation, and where it stood.
    #[serde(flatten)]
    pub entry: StatusReference,
    /// What it said; absent when it could not be learnt.
    pub status: Option<Status>,
    /// When the list was issued.
    pub list_issued: Option<Timestamp>,
    /// How the list's signer was judged.
    pub list_signer: Option<Verdict>,
}

impl<T> Judgement<T> {
    /// What was attested, when it is accepted; `None` otherwise.
    pub fn accepted(&self) -> Option<&T> {
        self.attested.as_ref()
    }

    /// Whether one of the findings falls under `rule`.
    pub fn names(&self, rule: &Rule) -> bool {
        self.findings.iter().any(|f| f.is(rule))
    }
}

impl IssuanceVerdict {
    pub(crate) fn of(wia: WiaVerdict, ka: Option<KaVerdict>) -> Self {
        let decisions = [Some(wia.decision), ka.as_ref().map(|ka| ka.decision)];
        let has = |decision| decisions.contains(&Some(decision));
        let decision = if has(Trusted::No) {
            Trusted::No
        } else if has(Trusted::Undecided) {
            Trusted::Undecided
        } else {
            Trusted::Yes
        };
        let answers = [
            wia.status.as_ref(),
            ka.as_ref().and_then(|k| k.status.as_ref()),
        ];
        let references = match decision {
            Trusted::Yes => answers
                .into_iter()
                .flatten()
                .map(|a| a.entry.clone())
                .collect(),
            _ => Vec::new(),
        };
        Self {
            decision,
            wia,
            ka,
            references,
        }
    }

    /// Whether it is yes: everything shown was accepted.
    pub fn is_accepted(&self) -> bool {
        self.decision == Trusted::Yes
    }

    /// When the first of the promised status maintenances ends: a PID, and
    /// whatever else is to be revoked with the wallet unit, ends before it (TS3
    /// v1.5.2, 2.4.3). `None` unless accepted.
    pub fn maintained_until(&self) -> Option<Timestamp> {
        self.references.iter().map(|r| r.maintained_until).min()
    }

    /// Everything found, of both attestations.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let ka = self.ka.iter().flat_map(|ka| &ka.findings);
        self.wia.findings.iter().chain(ka)
    }

    /// Whether one of the findings falls under `rule`.
    pub fn names(&self, rule: &Rule) -> bool {
        self.findings().any(|f| f.is(rule))
    }
}

/// What is gathered while an attestation is looked at.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) signer: Option<Verdict>,
    pub(crate) status: Option<StatusAnswer>,
    pub(crate) findings: Vec<Finding>,
}

impl Case {
    pub(crate) fn close<T>(mut self, result: Result<T, Stop>) -> Judgement<T> {
        let (decision, attested) = match result {
            Ok(attested) => (Trusted::Yes, Some(attested)),
            Err(stop) => {
                self.findings.extend(stop.findings);
                (stop.decision, None)
            }
        };
        Judgement {
            decision,
            signer: self.signer,
            status: self.status,
            findings: self.findings,
            attested,
        }
    }
}

/// Why no more was looked at: refused, or not known.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    pub(crate) decision: Trusted,
    pub(crate) findings: Vec<Finding>,
}

impl Stop {
    /// Refused by one rule.
    pub(crate) fn no(rule: &Rule, subject: impl Into<String>, evidence: impl Into<String>) -> Self {
        Refusal::because(rule, subject, evidence).into()
    }

    /// Not known, by one rule.
    pub(crate) fn undecided(
        rule: &Rule,
        subject: impl Into<String>,
        evidence: impl Into<String>,
    ) -> Self {
        Self {
            decision: Trusted::Undecided,
            findings: vec![rule.finding(subject, evidence)],
        }
    }

    /// The same, with what a trust check found before it.
    pub(crate) fn after(mut self, findings: &[Finding]) -> Self {
        self.findings.splice(0..0, findings.iter().cloned());
        self
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self {
            decision: Trusted::No,
            findings: refusal.into_findings(),
        }
    }
}
