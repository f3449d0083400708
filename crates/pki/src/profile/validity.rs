//! Whether a certificate is within its dates.

use finding::Finding;
use jiff::Timestamp;

use crate::certificate::Certificate;
use crate::rules;

/// Findings about a validity period, as of a time.
pub(crate) fn validity(certificate: &Certificate, about: &str, at: Timestamp) -> Option<Finding> {
    if at < certificate.not_before() {
        let evidence = format!("notBefore is {}, the time {at}", certificate.not_before());
        return Some(rules::NOT_YET_VALID.finding(about, evidence));
    }
    if at > certificate.not_after() {
        let evidence = format!("notAfter is {}, the time {at}", certificate.not_after());
        return Some(rules::EXPIRED.finding(about, evidence));
    }
    None
}
