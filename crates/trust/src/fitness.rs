//! Whether a leaf that is tied to an anchor is fit for its context.
//!
//! Under direct trust the list vouches for this very certificate, so what it is
//! for is settled. Under PKIX nobody has vouched for the leaf but a CA that may
//! issue many kinds of certificates: there the leaf itself has to say that it is
//! made for the context, and whose it is.

use finding::{Finding, Method, Severity};
use pki::{AltName, Certificate, Oid, check_leaf, oid};

use crate::context::Context;
use crate::rules;
use crate::tie::{Question, Tie};
use crate::told::{at_most, told_of};

/// What is to be said of the leaf; it is fit when none of it is an error.
pub(crate) fn fitness(question: &Question<'_, '_>, tie: &Tie<'_>) -> Vec<Finding> {
    let leaf = question.leaf;
    let at = question.request.at;
    let context = question.request.context;
    let mut findings = check_leaf(leaf, context.used_as(), at);
    match tie.method {
        Method::Direct => {
            let settled = [&pki::rules::LEAF_QC_TYPE, &pki::rules::LEAF_POLICY];
            for finding in &mut findings {
                if settled.iter().any(|rule| finding.is(rule)) {
                    finding.severity = Severity::Warning;
                }
            }
        }
        Method::Pkix => {
            findings.extend(purpose(leaf, context));
            findings.extend(identity(leaf, context, tie));
            if question.others.contains(&tie.anchor.certificate) {
                let evidence = "the chain brings the anchor itself";
                let subject = tie.anchor.certificate.subject();
                findings.push(rules::ANCHOR_IN_CHAIN.finding(subject, evidence));
            }
        }
    }
    if let Some(profile) = context.leaf() {
        for defect in pki::lint(leaf, profile, at) {
            if !findings.iter().any(|f| f.rule == defect.rule) {
                findings.push(at_most(defect, Severity::Warning));
            }
        }
    }
    told_of(tie.held, findings)
}

/// Why the leaf is not made for the context, by what it says of itself.
fn purpose(leaf: &Certificate, context: Context) -> Option<Finding> {
    let found = |what: &str| Some(rules::PKIX_PURPOSE.finding(leaf.subject(), what));
    let list = context.list();
    let types = purposes(leaf);
    let own = match list {
        lote::Profile::Pid => Some(oid::QCT_PID),
        lote::Profile::Wallet => Some(oid::QCT_WAL),
        _ => None,
    };
    if !own.is_some_and(|own| types.contains(&own)) {
        if types.contains(&oid::QCT_PID) {
            return found("its QcType is that of a PID provider's certificate (id-etsi-qct-pid)");
        }
        if types.contains(&oid::QCT_WAL) {
            return found(
                "its QcType is that of a wallet provider's certificate (id-etsi-qct-wal)",
            );
        }
    }
    let usage = leaf.extended_key_usage().unwrap_or_default();
    if usage.contains(&MDL_DS) && list != lote::Profile::Mdl {
        return found("its extended key usage is that of a signer of mobile driving licences");
    }
    let statements = leaf.qc_statements().ok().flatten().unwrap_or_default();
    match (statements.psb(), list == lote::Profile::PubEaa) {
        (Some(_), false) => return found("it holds the QcPSB statement of a public sector body"),
        (None, true) if context == Context::PubEaa => {
            return found("it holds no QcPSB statement, which a public sector body's does");
        }
        _ => {}
    }
    match (access_policy(leaf), context == Context::AccessCertificate) {
        (AccessPolicy::Access(id), false) => {
            found(&format!("its policy {id} is that of an access certificate"))
        }
        (AccessPolicy::Other(ids), true) => found(&format!(
            "its policies [{ids}] are not those of an access certificate, nor its provider's own with a way to reach the party"
        )),
        _ => None,
    }
}

/// What a leaf's policies say of it.
enum AccessPolicy {
    /// It is an access certificate.
    Access(Oid),
    /// It may be one: the policy is its provider's own (TS 119 411-8,
    /// GEN-6.6.1-03), and it says how to reach the party (GEN-6.6.1-07).
    Own,
    /// It is none.
    Other(String),
}

fn access_policy(leaf: &Certificate) -> AccessPolicy {
    let policies: Vec<Oid> = leaf
        .policies()
        .into_iter()
        .map(|policy| policy.id)
        .collect();
    if let Some(id) = policies.iter().find(|id| ACCESS_POLICIES.contains(id)) {
        return AccessPolicy::Access(*id);
    }
    let own = policies.iter().any(|id| {
        let id = id.to_string();
        !GENERAL_POLICIES.iter().any(|arc| id.starts_with(arc))
    });
    let reached = leaf.alt_names().iter().any(|name| {
        matches!(
            name,
            AltName::Uri(_) | AltName::Email(_) | AltName::Phone(_)
        )
    });
    if own && reached {
        return AccessPolicy::Own;
    }
    let shown: Vec<String> = policies.iter().map(ToString::to_string).collect();
    AccessPolicy::Other(shown.join(", "))
}

/// Whether the leaf is the listed entity's: by name and registration number, or,
/// for what signs mobile driving licences, by the purpose that only their CAs give.
/// The leaves of access certificates are relying parties.
fn identity(leaf: &Certificate, context: Context, tie: &Tie<'_>) -> Option<Finding> {
    if context == Context::AccessCertificate {
        return None;
    }
    let usage = leaf.extended_key_usage().unwrap_or_default();
    if context == Context::Mdl && usage.contains(&MDL_DS) {
        return None;
    }
    let missing = tie.anchor.missing_identity(leaf);
    let evidence = format!("{}: {}", tie.anchor.entity_name(), missing.join("; "));
    (!missing.is_empty()).then(|| rules::PKIX_IDENTITY.finding(leaf.subject(), evidence))
}

/// The values of its QcType, and those that stand as statements of their own, as
/// some issuers write them.
fn purposes(leaf: &Certificate) -> Vec<Oid> {
    let statements = leaf.qc_statements().ok().flatten().unwrap_or_default();
    let mut types = statements.qc_types().unwrap_or_default();
    types.extend(statements.0.iter().map(|statement| statement.id));
    types
}

/// The policies of access certificates (TS 119 411-8, 5.3).
const ACCESS_POLICIES: [Oid; 4] = [
    oid::NCP_N_EUDIWRP,
    oid::NCP_L_EUDIWRP,
    oid::QCP_N_EUDIWRP,
    oid::QCP_L_EUDIWRP,
];

/// The arcs of the policies of EN 319 411-1 and -2, which any certificate may name
/// and which are nobody's own.
const GENERAL_POLICIES: [&str; 2] = ["0.4.0.2042.", "0.4.0.194112."];

/// id-mdl-kp-mdlDS: it signs mobile driving licences (ISO/IEC 18013-5, B.1.4).
const MDL_DS: Oid = Oid::new_unwrap("1.0.18013.5.1.2");
