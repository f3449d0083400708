//! The decision: one chain, one context, the lists at hand.

use finding::{Finding, ListRef, Method, Severity, Trusted, Verdict};
use jiff::Timestamp;
use lote::{Anchor, ServiceKind};
use pki::{AnchorIndex, Certificate, Path, PathSettings, PathValidator, check_leaf, find_path};

use crate::context::{Context, Ways};
use crate::rules;
use crate::service::{Held, Slot, Snapshot};
use crate::source::SignerPolicy;

pub use pki::RevocationMode as Revocation;

/// One question.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// The chain, leaf first. What else is in it may stand in any order.
    pub chain: Vec<Certificate>,
    /// What it is to be trusted for.
    pub context: Context,
    /// How it may be tied to an anchor.
    pub policy: Policy,
    /// How revocation is taken.
    pub revocation: Revocation,
    /// The time the answer is to hold for.
    pub at: Timestamp,
}

/// How a chain may be tied to an anchor in lists of PID and wallet providers.
/// Access and registration certificates are always tied by a path; attestations
/// of public bodies and mobile driving licences by either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// These lists hold end-entity certificates, matched whole.
    #[default]
    DirectOnly,
    /// They may hold certification authorities too: current practice.
    DirectOrPkix,
}

impl Policy {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Policy::DirectOnly => "direct-only",
            Policy::DirectOrPkix => "direct-or-pkix",
        }
    }

    /// The policy of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Policy::DirectOnly, Policy::DirectOrPkix]
            .into_iter()
            .find(|policy| policy.name() == name)
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A decision, before revocation is looked at.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) verdict: Verdict,
    /// What is to be looked at for revocation; nothing unless the verdict is yes.
    pub(crate) stands_on: Option<StandsOn>,
}

/// The certificates that a "yes" stands on.
#[derive(Debug)]
pub(crate) enum StandsOn {
    /// The listed leaf, and its issuer where the chain brought it.
    Leaf(Certificate, Option<Certificate>),
    /// A path.
    Path(Path),
}

/// How a chain was tied to an anchor.
struct Tie<'s> {
    method: Method,
    anchor: &'s Anchor,
    stands_on: StandsOn,
}

/// Decides by the lists of a snapshot.
pub(crate) fn decide(
    snapshot: &Snapshot,
    request: &CheckRequest,
    validator: &dyn PathValidator,
) -> Decision {
    let mut verdict = Verdict {
        trusted: Trusted::No,
        context: request.context.name().to_owned(),
        method: None,
        at: request.at,
        path: request.chain.iter().map(Certificate::to_ref).collect(),
        anchor: None,
        lists: Vec::new(),
        findings: Vec::new(),
    };
    let Some((leaf, others)) = request.chain.split_first() else {
        let finding = pki::rules::PATH_EMPTY.finding("chain", "it holds no certificate");
        verdict.findings.push(finding);
        return Decision {
            verdict,
            stands_on: None,
        };
    };

    let Lists {
        usable,
        unknown,
        remarks,
    } = lists(snapshot, request);
    verdict.lists = usable.iter().map(|held| list_ref(held)).collect();
    let question = Question {
        leaf,
        others,
        request,
        validator,
        usable: &usable,
    };
    match question.tie() {
        Ok(tie) => {
            verdict.method = Some(tie.method);
            verdict.anchor = Some(tie.anchor.certificate.to_ref());
            verdict.path = match &tie.stands_on {
                StandsOn::Leaf(leaf, _) => vec![leaf.to_ref()],
                StandsOn::Path(path) => path.certificates.iter().map(Certificate::to_ref).collect(),
            };
            let findings = question.fitness(&tie);
            let fit = !finding::has_errors(&findings);
            verdict.trusted = if fit { Trusted::Yes } else { Trusted::No };
            verdict.findings.extend(findings);
            // The answer stands without the lists that could not be asked.
            verdict
                .findings
                .extend(unknown.into_iter().map(|f| at_most(f, Severity::Warning)));
            verdict.findings.extend(remarks);
            let stands_on = fit.then_some(tie.stands_on);
            Decision { verdict, stands_on }
        }
        Err(mut refused) => {
            refused.extend(question.elsewhere(snapshot));
            if unknown.is_empty() {
                verdict.findings.extend(refused);
            } else {
                // What is not on these lists may be on those that could not be asked.
                verdict.trusted = Trusted::Undecided;
                verdict.findings.extend(unknown);
                verdict
                    .findings
                    .extend(refused.into_iter().map(|f| at_most(f, Severity::Note)));
            }
            verdict.findings.extend(remarks);
            Decision {
                verdict,
                stands_on: None,
            }
        }
    }
}

/// The lists of a context: those that can be asked, why others cannot, and what
/// is to be told of the first.
struct Lists<'s> {
    usable: Vec<&'s Held>,
    unknown: Vec<Finding>,
    remarks: Vec<Finding>,
}

fn lists<'s>(snapshot: &'s Snapshot, request: &CheckRequest) -> Lists<'s> {
    let mut lists = Lists {
        usable: Vec::new(),
        unknown: Vec::new(),
        remarks: Vec::new(),
    };
    let wanted = request.context.list();
    let slots: Vec<&Slot> = snapshot
        .slots
        .iter()
        .filter(|s| s.source.profile == wanted)
        .collect();
    if slots.is_empty() {
        let evidence = format!("no list of the kind {wanted} is at hand");
        lists
            .unknown
            .push(rules::NO_LIST.finding(request.context.name(), evidence));
    }
    for slot in slots {
        let source = slot.source.location.to_string();
        let Some(held) = slot.held.as_deref() else {
            lists
                .unknown
                .push(rules::LIST_UNAVAILABLE.finding(source, "there is no good copy of it"));
            let trouble = slot.trouble.iter().cloned();
            lists
                .unknown
                .extend(trouble.map(|f| at_most(f, Severity::Warning)));
            continue;
        };
        if let Err(finding) = usable_at(held, request) {
            lists.unknown.push(finding);
            continue;
        }
        lists.usable.push(held);
        let list = &held.verified;
        lists.remarks.extend(
            list.findings
                .iter()
                .cloned()
                .map(|f| at_most(f, Severity::Warning)),
        );
        if matches!(slot.source.signers, SignerPolicy::Anyone) {
            let evidence = "its seal is taken as it is, since its place was named as trusted";
            lists
                .remarks
                .push(rules::SOURCE_TRUSTED.finding(&source, evidence));
        }
        if !slot.trouble.is_empty() {
            let evidence = format!("kept since {}; the last refresh failed", held.accepted);
            lists
                .remarks
                .push(rules::LIST_KEPT.finding(&source, evidence));
            let trouble = slot.trouble.iter().cloned();
            lists
                .remarks
                .extend(trouble.map(|f| at_most(f, Severity::Warning)));
        }
    }
    lists
}

/// Whether a list says anything about the time that is asked for.
fn usable_at(held: &Held, request: &CheckRequest) -> Result<(), Finding> {
    let list = &held.verified.list;
    let Err(why) = list.current(request.at) else {
        return Ok(());
    };
    let subject = held.uri.as_str();
    if why.is(&lote::rules::NEXT_UPDATE) {
        return Err(rules::LIST_STALE.finding(subject, why.evidence));
    }
    // Annex H keeps its history, and so answers for the past by itself.
    if list.profile() == Some(lote::Profile::PubEaa) {
        return Ok(());
    }
    Err(rules::LIST_LATER.finding(subject, why.evidence))
}

/// One question and what it is asked of.
struct Question<'s, 'r> {
    leaf: &'r Certificate,
    others: &'r [Certificate],
    request: &'r CheckRequest,
    validator: &'r dyn PathValidator,
    usable: &'r [&'s Held],
}

impl<'s> Question<'s, '_> {
    /// Ties the chain to an anchor in the ways the context and policy allow.
    fn tie(&self) -> Result<Tie<'s>, Vec<Finding>> {
        let ways = self.request.context.ways();
        let by_policy = self.request.policy == Policy::DirectOrPkix;
        let mut refused = Vec::new();
        if ways != Ways::Pkix {
            match self.direct() {
                Ok(tie) => return Ok(tie),
                // Listed itself and not standing: no path lets it in again.
                Err(findings) if findings.iter().any(|f| f.is(&rules::WITHDRAWN)) => {
                    return Err(findings);
                }
                Err(findings) => refused.extend(findings),
            }
        }
        match (ways, by_policy) {
            (Ways::ByPolicy, false) => {
                if let Ok(tie) = self.pkix() {
                    let evidence = format!(
                        "{} would have found a path to {}",
                        Policy::DirectOrPkix,
                        tie.anchor.certificate.subject()
                    );
                    refused.push(rules::OTHER_POLICY.finding(self.leaf.subject(), evidence));
                }
            }
            _ => match self.pkix() {
                Ok(tie) => return Ok(tie),
                Err(findings) => refused.extend(findings),
            },
        }
        Err(refused)
    }

    fn direct(&self) -> Result<Tie<'s>, Vec<Finding>> {
        let kind = self.request.context.service();
        let mut refused = Vec::new();
        for held in self.usable {
            let matched = certificates(held, kind).match_direct(self.leaf);
            match matched {
                Ok(positions) => match self.standing(held, kind, &positions) {
                    Ok(anchor) => {
                        let issuer = self.issuer_of_leaf();
                        let stands_on = StandsOn::Leaf(self.leaf.clone(), issuer);
                        return Ok(Tie {
                            method: Method::Direct,
                            anchor,
                            stands_on,
                        });
                    }
                    Err(finding) => refused.push(finding),
                },
                Err(refusal) => refused.extend(refusal.into_findings()),
            }
        }
        Err(refused)
    }

    fn pkix(&self) -> Result<Tie<'s>, Vec<Finding>> {
        let kind = self.request.context.service();
        let mut refused = Vec::new();
        let settings = PathSettings::at(self.request.at);
        for held in self.usable {
            if !held.index.of_kind(kind).iter().any(|a| a.is_ca) {
                let evidence = "no certificate of the service is a certification authority";
                refused.push(rules::NO_CA.finding(&held.uri, evidence));
                continue;
            }
            let anchors = certificates(held, kind);
            match find_path(self.leaf, self.others, anchors, &settings, self.validator) {
                Ok(path) => {
                    let positions = anchors.positions(&path.anchor);
                    match self.standing(held, kind, &positions) {
                        Ok(anchor) => {
                            let stands_on = StandsOn::Path(path);
                            return Ok(Tie {
                                method: Method::Pkix,
                                anchor,
                                stands_on,
                            });
                        }
                        Err(finding) => refused.push(finding),
                    }
                }
                Err(refusal) => refused.extend(refusal.into_findings()),
            }
        }
        Err(refused)
    }

    /// Of several entries with one certificate, one that is not withdrawn and,
    /// where there is one, of the entity that the leaf names.
    fn standing(
        &self,
        held: &'s Held,
        kind: ServiceKind,
        positions: &[usize],
    ) -> Result<&'s Anchor, Finding> {
        let anchors = held.index.of_kind(kind);
        let found: Vec<&Anchor> = positions.iter().filter_map(|p| anchors.get(*p)).collect();
        let standing: Vec<&Anchor> = found
            .iter()
            .copied()
            .filter(|a| a.stands_at(self.request.at))
            .collect();
        standing
            .iter()
            .find(|a| a.missing_identity(self.leaf).is_empty())
            .or(standing.first())
            .copied()
            .ok_or_else(|| {
                let statuses = found.iter().flat_map(|a| &a.statuses);
                let told: Vec<String> = statuses
                    .map(|s| match s.since {
                        Some(since) => format!("{} since {since}", s.uri),
                        None => s.uri.clone(),
                    })
                    .collect();
                rules::WITHDRAWN.finding(self.leaf.subject(), told.join(", "))
            })
    }

    /// The certificate in the chain that issued the leaf, shown by its signature.
    fn issuer_of_leaf(&self) -> Option<Certificate> {
        if self.leaf.is_self_signed() {
            return Some(self.leaf.clone());
        }
        let issued = |c: &&Certificate| self.leaf.verify_signature(c.spki_der()).is_ok();
        self.others.iter().find(issued).cloned()
    }

    /// Whether the leaf is fit for the context, once it is tied to an anchor.
    fn fitness(&self, tie: &Tie<'_>) -> Vec<Finding> {
        let context = self.request.context;
        let used_as = context.leaf().unwrap_or(pki::Profile::StatusList);
        let mut findings = check_leaf(self.leaf, used_as, self.request.at);
        match tie.method {
            Method::Direct => {
                // The list vouches for this very certificate, so its purpose is
                // settled; what it says of itself is told.
                let settled = [&pki::rules::LEAF_QC_TYPE, &pki::rules::LEAF_POLICY];
                for finding in &mut findings {
                    if settled.iter().any(|rule| finding.is(rule)) {
                        finding.severity = Severity::Warning;
                    }
                }
            }
            Method::Pkix => {
                if names_the_entity(context) {
                    let missing = tie.anchor.missing_identity(self.leaf);
                    if !missing.is_empty() {
                        let evidence =
                            format!("{}: {}", tie.anchor.entity_name(), missing.join("; "));
                        findings.push(rules::PKIX_IDENTITY.finding(self.leaf.subject(), evidence));
                    }
                }
                if self.others.contains(&tie.anchor.certificate) {
                    let evidence = "the chain brings the anchor itself";
                    let subject = tie.anchor.certificate.subject();
                    findings.push(rules::ANCHOR_IN_CHAIN.finding(subject, evidence));
                }
            }
        }
        if let Some(profile) = context.leaf() {
            let defects = pki::lint(self.leaf, profile, self.request.at);
            for defect in defects {
                if !findings.iter().any(|f| f.rule == defect.rule) {
                    findings.push(at_most(defect, Severity::Warning));
                }
            }
        }
        findings
    }

    /// Where else the leaf stands, when it does not stand where it should.
    fn elsewhere(&self, snapshot: &Snapshot) -> Vec<Finding> {
        let context = self.request.context;
        let mut findings = Vec::new();
        for held in snapshot.slots.iter().filter_map(|s| s.held.as_deref()) {
            let Some(profile) = held.verified.list.profile() else {
                continue;
            };
            let mut kinds: Vec<ServiceKind> = held
                .index
                .of_certificate(self.leaf)
                .map(|a| a.kind)
                .collect();
            kinds.sort_unstable();
            kinds.dedup();
            let subject = self.leaf.subject();
            if profile != context.list() {
                if !kinds.is_empty() {
                    let evidence = format!("it stands on the {profile} list {}", held.uri);
                    findings.push(rules::OTHER_CONTEXT.finding(subject, evidence));
                }
                continue;
            }
            for kind in kinds.into_iter().filter(|kind| *kind != context.service()) {
                let evidence = format!("it stands on {} for {kind:?}", held.uri);
                findings.push(rules::OTHER_SERVICE.finding(subject.clone(), evidence));
            }
        }
        findings
    }
}

/// Whether the leaf under a listed CA has to name the listed entity. The leaves of
/// access certificates are relying parties.
fn names_the_entity(context: Context) -> bool {
    matches!(
        context.list(),
        lote::Profile::Pid | lote::Profile::Wallet | lote::Profile::PubEaa
    )
}

fn certificates(held: &Held, kind: ServiceKind) -> &AnchorIndex {
    static NONE: std::sync::LazyLock<AnchorIndex> = std::sync::LazyLock::new(AnchorIndex::default);
    held.index.certificates(kind).unwrap_or(&NONE)
}

fn list_ref(held: &Held) -> ListRef {
    let list = &held.verified.list;
    ListRef {
        uri: held.uri.clone(),
        sequence: list.sequence(),
        issued: list.issued(),
        next_update: list.next_update(),
        sha256: held.sha256_hex(),
    }
}

fn at_most(mut finding: Finding, severity: Severity) -> Finding {
    finding.severity = finding.severity.min(severity);
    finding
}
