//! What a leaf must be for its context, whatever ties it to an anchor.

use finding::Finding;
use jiff::Timestamp;

use crate::certificate::Certificate;
use crate::extension::KeyUsage;
use crate::profile::{Profile, usage_text, validity};
use crate::rules;

/// Checks the leaf of a chain for what it is used as: valid at the time, signing,
/// not a CA, and of the purpose of its context. Each breach is a finding of its
/// own; none means the leaf is fit.
pub fn check_leaf(leaf: &Certificate, used_as: Profile, at: Timestamp) -> Vec<Finding> {
    let about = leaf.subject();
    let mut findings: Vec<Finding> = validity(leaf, &about, at).into_iter().collect();
    match leaf.key_usage() {
        Some(usage) if signs(usage, used_as) => {}
        Some(usage) => {
            findings.push(rules::LEAF_KEY_USAGE.finding(about.as_str(), usage_text(usage)));
        }
        None => {
            findings.push(rules::LEAF_KEY_USAGE.finding(about.as_str(), "no key usage extension"));
        }
    }
    if leaf.is_ca() {
        findings.push(rules::LEAF_IS_CA.finding(about.as_str(), "cA is true"));
    }
    if let Some(value) = used_as.qc_type() {
        let types = leaf
            .qc_statements()
            .and_then(|statements| statements.unwrap_or_default().qc_types());
        match types {
            Ok(types) if types.contains(&value) => {}
            Ok(types) => {
                let seen: Vec<String> = types.iter().map(ToString::to_string).collect();
                findings.push(rules::LEAF_QC_TYPE.finding(
                    about.as_str(),
                    format!("QcType holds [{}], not {value}", seen.join(", ")),
                ));
            }
            Err(error) => {
                findings.push(rules::LEAF_QC_TYPE.finding(about.as_str(), error.to_string()));
            }
        }
    }
    if used_as == Profile::Access && leaf.policies().is_empty() {
        findings.push(rules::LEAF_POLICY.finding(about.as_str(), "no certificate policy"));
    }
    findings
}

/// What attests attributes commits to content, for which EN 319 412-3,
/// LEG-4.3.1-3 knows the key usage of type A, nonRepudiation alone.
fn signs(usage: KeyUsage, used_as: Profile) -> bool {
    let commits = matches!(used_as, Profile::Eaa | Profile::Qeaa | Profile::PubEaa);
    usage.digital_signature() || commits && usage.non_repudiation()
}
