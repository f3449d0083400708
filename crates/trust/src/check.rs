//! The decision: one chain, one context, the lists at hand.

use std::sync::Arc;

use finding::{Finding, ListRef, Severity, Trusted, Verdict};
use pki::{Certificate, PathValidator};

use crate::decision::{Decision, StandsOn};
use crate::fitness::fitness;
use crate::request::CheckRequest;
use crate::revocation::{Material, Revocations, judge};
use crate::rules;
use crate::snapshot::{Held, Slot, Snapshot};
use crate::source::SignerPolicy;
use crate::tie::Question;
use crate::told::at_most;

/// An answer, and what it stood on.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) material: Material,
    /// What is told beside, of files that are no lists.
    pub(crate) remarks: Vec<Finding>,
}

/// Decides by the lists of a snapshot, and looks up what is known of revocation.
pub(crate) async fn answer(
    snapshot: Arc<Snapshot>,
    request: &CheckRequest,
    revocations: &Revocations,
    validator: &dyn PathValidator,
) -> Answer {
    let decision = decide(&snapshot, request, validator);
    let stands_on = decision.stands_on.as_ref();
    let material = revocations.gather(stands_on, request).await;
    Answer {
        verdict: judge(decision, request, &material, validator),
        snapshot,
        material,
        remarks: Vec::new(),
    }
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

    if request.chain.len() > pki::MAX_CHAIN {
        let evidence = format!(
            "{} certificates, at most {} are looked at",
            request.chain.len(),
            pki::MAX_CHAIN
        );
        let finding = pki::rules::PATH_LIMIT.finding("chain", evidence);
        verdict.path.truncate(pki::MAX_CHAIN);
        verdict.findings.push(finding);
        return Decision {
            verdict,
            stands_on: None,
        };
    }

    let Lists {
        usable,
        mut unknown,
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
            let findings = fitness(&question, &tie);
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
            unknown.extend(refused.extract_if(.., |f| f.is(&rules::HISTORY_KEY)));
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
        let answering = match slot.answering(request.at, snapshot.grace) {
            Ok(answering) => answering,
            Err(finding) => {
                lists.unknown.push(finding);
                if slot.held.is_none() {
                    let trouble = slot.trouble.iter().cloned();
                    let told = trouble.map(|f| at_most(f, Severity::Warning));
                    lists.unknown.extend(told);
                }
                continue;
            }
        };
        let held = answering.held;
        lists.usable.push(held);
        lists.remarks.extend(answering.remark);
        let found = held.verified.findings.iter().cloned();
        lists
            .remarks
            .extend(found.map(|f| at_most(f, Severity::Warning)));
        if matches!(slot.source.signers, SignerPolicy::Anyone) {
            let evidence = "its seal is taken as it is, since its place was named as trusted";
            let finding = rules::SOURCE_TRUSTED.finding(slot.name(), evidence);
            lists.remarks.push(finding);
        }
        if !slot.trouble.is_empty() {
            let evidence = format!("kept since {}; the last refresh failed", held.accepted);
            let finding = rules::LIST_KEPT.finding(slot.name(), evidence);
            lists.remarks.push(finding);
            let trouble = slot.trouble.iter().cloned();
            lists
                .remarks
                .extend(trouble.map(|f| at_most(f, Severity::Warning)));
        }
    }
    lists
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
