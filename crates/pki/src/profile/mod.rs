//! The certificate profiles of the field, and the lint that holds a certificate
//! against them: TS 119 412-6, EN 319 412-2 and -3, TS 119 411-8.

mod access;
mod common;
mod end_entity;
mod lint;
mod person;
mod purpose;
mod statements;
mod subject;
mod validity;
mod words;

use finding::Finding;
use jiff::Timestamp;

use crate::certificate::Certificate;
use lint::Lint;

pub use person::Person;
pub use purpose::{Profile, UnknownProfile};
pub(crate) use validity::validity;
pub(crate) use words::usage_text;

/// Holds a certificate against a profile, as of `at`. Each rule it breaks is a
/// finding; a certificate without an error among them conforms.
pub fn lint(certificate: &Certificate, profile: Profile, at: Timestamp) -> Vec<Finding> {
    let number = Profile::ALL.iter().position(|p| *p == profile);
    let number = number.unwrap_or(Profile::ALL.len());
    let mut findings = certificate.kept_lint(number, || whenever(certificate, profile));
    findings.extend(validity(certificate, &certificate.subject(), at));
    findings
}

/// What does not depend on the time.
fn whenever(certificate: &Certificate, profile: Profile) -> Vec<Finding> {
    let mut lint = Lint::new(certificate, profile);
    common::every_certificate(&mut lint);
    match profile {
        Profile::Pid | Profile::Wallet => {
            subject::person(&mut lint);
            end_entity::every_end_entity(&mut lint);
            end_entity::content_key_usage(&mut lint, true);
            end_entity::criticality(&mut lint);
            end_entity::provider_extensions(&mut lint);
            statements::provider_qc_type(&mut lint);
        }
        Profile::Eaa => {
            subject::person(&mut lint);
            end_entity::every_end_entity(&mut lint);
            end_entity::content_key_usage(&mut lint, false);
            end_entity::authority_information(&mut lint);
        }
        Profile::Qeaa | Profile::PubEaa => {
            subject::person(&mut lint);
            end_entity::every_end_entity(&mut lint);
            end_entity::content_key_usage(&mut lint, false);
            end_entity::attestation_authority_information(&mut lint);
            if profile == Profile::PubEaa {
                statements::public_body(&mut lint);
            }
        }
        Profile::Access => {
            subject::person(&mut lint);
            end_entity::every_end_entity(&mut lint);
            end_entity::authority_information(&mut lint);
            access::check(&mut lint);
        }
        Profile::Ca => common::ca(&mut lint),
        Profile::ListOperator => common::list_operator(&mut lint),
        Profile::StatusList => common::status_list(&mut lint),
    }
    lint.findings
}
