//! How a chain is tied to an anchor of the lists at hand.

use finding::{Finding, Method};
use lote::{Anchor, ServiceKind};
use pki::{AnchorIndex, Certificate, PathSettings, PathValidator, find_path};

use crate::context::Ways;
use crate::decision::StandsOn;
use crate::history;
use crate::request::{CheckRequest, Policy};
use crate::revocation::has_issued;
use crate::rules;
use crate::snapshot::{Held, Snapshot};
use crate::told::{named, told_of};

/// How a chain was tied to an anchor.
pub(crate) struct Tie<'s> {
    pub(crate) method: Method,
    pub(crate) held: &'s Held,
    pub(crate) anchor: &'s Anchor,
    pub(crate) stands_on: StandsOn,
}

/// One question and what it is asked of.
pub(crate) struct Question<'s, 'r> {
    pub(crate) leaf: &'r Certificate,
    pub(crate) others: &'r [Certificate],
    pub(crate) request: &'r CheckRequest,
    pub(crate) validator: &'r dyn PathValidator,
    pub(crate) usable: &'r [&'s Held],
}

impl<'s> Question<'s, '_> {
    /// Ties the chain to an anchor in the ways the context and policy allow.
    pub(crate) fn tie(&self) -> Result<Tie<'s>, Vec<Finding>> {
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
        for &held in self.usable {
            let matched = certificates(held, kind).match_direct(self.leaf);
            let tied = matched
                .map_err(finding::Refusal::into_findings)
                .and_then(|positions| self.standing(held, kind, &positions));
            match tied {
                Ok(anchor) => {
                    return Ok(Tie {
                        method: Method::Direct,
                        held,
                        anchor,
                        stands_on: StandsOn::Leaf(self.leaf.clone(), self.issuer_of_leaf()),
                    });
                }
                Err(findings) => {
                    refused.extend(told_of(held, findings));
                    let then = history::key_then(held, kind, self.leaf, self.request.at);
                    refused.extend(then);
                }
            }
        }
        Err(refused)
    }

    fn pkix(&self) -> Result<Tie<'s>, Vec<Finding>> {
        let kind = self.request.context.service();
        let mut refused = Vec::new();
        // A CA may stand on several lists, for several entities: the entity that the
        // leaf names comes first.
        let mut another = None;
        let settings = PathSettings::at(self.request.at);
        for &held in self.usable {
            if !held.index.of_kind(kind).iter().any(|a| a.is_ca) {
                let evidence = "no certificate of the service is a certification authority";
                let finding = rules::NO_CA.finding(&held.uri, evidence);
                refused.extend(told_of(held, vec![finding]));
                continue;
            }
            let anchors = certificates(held, kind);
            let found = find_path(self.leaf, self.others, anchors, &settings, self.validator);
            let tied = found
                .map_err(finding::Refusal::into_findings)
                .and_then(|path| {
                    let positions = anchors.positions(&path.anchor);
                    let anchor = self.standing(held, kind, &positions)?;
                    Ok((path, anchor))
                });
            match tied {
                Ok((path, anchor)) => {
                    let tie = Tie {
                        method: Method::Pkix,
                        held,
                        anchor,
                        stands_on: StandsOn::Path(path),
                    };
                    if anchor.missing_identity(self.leaf).is_empty() {
                        return Ok(tie);
                    }
                    another.get_or_insert(tie);
                }
                Err(findings) => refused.extend(told_of(held, findings)),
            }
        }
        another.ok_or(refused)
    }

    /// Of several entries with one certificate, one that is not withdrawn and,
    /// where there is one, of the entity that the leaf names.
    fn standing(
        &self,
        held: &'s Held,
        kind: ServiceKind,
        positions: &[usize],
    ) -> Result<&'s Anchor, Vec<Finding>> {
        let anchors = held.index.of_kind(kind);
        let found: Vec<&Anchor> = positions.iter().filter_map(|p| anchors.get(*p)).collect();
        let mut standing = Vec::new();
        let mut refused = Vec::new();
        for anchor in found {
            match self.stands(held, anchor) {
                Ok(()) => standing.push(anchor),
                Err(finding) => refused.push(finding),
            }
        }
        standing
            .iter()
            .find(|a| a.missing_identity(self.leaf).is_empty())
            .or(standing.first())
            .copied()
            .ok_or(refused)
    }

    /// Whether an entry may be relied on at the time, by this certificate.
    fn stands(&self, held: &Held, anchor: &Anchor) -> Result<(), Finding> {
        let at = self.request.at;
        let subject = anchor.certificate.subject();
        if !anchor.stands_at(at) {
            let told: Vec<String> = anchor
                .statuses
                .iter()
                .map(|s| match s.since {
                    Some(since) => format!("{} since {since}", s.uri),
                    None => s.uri.clone(),
                })
                .collect();
            return Err(rules::WITHDRAWN.finding(subject, told.join(", ")));
        }
        match history::had_another_key(held, anchor, at) {
            Some(evidence) => Err(rules::WITHDRAWN.finding(subject, evidence)),
            None => Ok(()),
        }
    }

    /// The certificate in the chain that issued the leaf, shown by its signature.
    fn issuer_of_leaf(&self) -> Option<Certificate> {
        if self.leaf.is_self_signed() {
            return Some(self.leaf.clone());
        }
        let mut others = self.others.iter();
        others.find(|c| has_issued(c, self.leaf)).cloned()
    }

    /// Where else the leaf stands, when it does not stand where it should.
    pub(crate) fn elsewhere(&self, snapshot: &Snapshot) -> Vec<Finding> {
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
                    let evidence = format!("it stands on the {profile} list {}", named(held));
                    findings.push(rules::OTHER_CONTEXT.finding(subject, evidence));
                }
                continue;
            }
            for kind in kinds.into_iter().filter(|kind| *kind != context.service()) {
                let evidence = format!("it stands on {} for {kind:?}", named(held));
                findings.push(rules::OTHER_SERVICE.finding(subject.clone(), evidence));
            }
        }
        findings
    }
}

fn certificates(held: &Held, kind: ServiceKind) -> &AnchorIndex {
    static NONE: std::sync::LazyLock<AnchorIndex> = std::sync::LazyLock::new(AnchorIndex::default);
    held.index.certificates(kind).unwrap_or(&NONE)
}
