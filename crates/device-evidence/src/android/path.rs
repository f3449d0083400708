//! The chain itself: signatures, CAs, the root, dates, revocation.

use std::borrow::Cow;

use finding::{Finding, Severity};
use jiff::SignedDuration;
use pki::Certificate;

use super::{Check, KEY_DESCRIPTION, KEY_DESCRIPTION_EAT, Leniency, Provisioning, roots};
use super::{RevocationList, WithoutRevocationList};
use crate::chain::{NoWay, RootKey, climb, not_a_ca};
use crate::rules;

/// How far the copy of the revocation list may be from the future: clocks.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Judges the chain; the name of the root key it leads to.
pub(super) fn check(
    chain: &[Certificate],
    check: &Check<'_>,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    only_the_first_attests(chain, findings);
    revocation(chain, check, findings);
    let roots = roots(check);
    match climb(chain, &roots) {
        Err(NoWay::Link(position, why)) => {
            findings.push(rules::ANDROID_SIGNATURE.finding(nth(position), why));
            None
        }
        Err(NoWay::Root) => {
            findings.push(rules::ANDROID_ROOT.finding(
                nth(chain.len().saturating_sub(1)),
                "neither it nor its signature is of a trusted root key",
            ));
            None
        }
        Ok(way) => {
            if way.below.is_empty() {
                findings.push(rules::ANDROID_CHAIN.finding("x5c", "there is only the root in it"));
            }
            let factory = matches!(Provisioning::of(chain), Ok(Provisioning::Factory));
            authorities(way.below, factory, check, findings);
            validity(way.below, factory, check, findings);
            Some(way.root.name.clone())
        }
    }
}

/// How the attesting key came into the device. What cannot be read is a finding,
/// and counts as the factory's.
pub(super) fn provisioning(
    chain: &[Certificate],
    check: &Check<'_>,
    findings: &mut Vec<Finding>,
) -> Provisioning {
    let provisioning = match Provisioning::of(chain) {
        Ok(provisioning) => provisioning,
        Err(error) => {
            findings.push(rules::ANDROID_PROVISIONING.finding("certificate 2", error.to_string()));
            Provisioning::Factory
        }
    };
    if let Provisioning::Remote {
        certificates_issued: Some(issued),
    } = provisioning
        && check
            .policy
            .max_certificates_issued
            .is_some_and(|most| issued > most)
    {
        findings.push(
            rules::ANDROID_MANY_CERTIFICATES
                .finding("certificate 2", format!("{issued} in about 30 days")),
        );
    }
    provisioning
}

/// What stops an app that lets its own key sign a certificate with whatever
/// KeyDescription it likes: the keystore's own then stands above it.
fn only_the_first_attests(chain: &[Certificate], findings: &mut Vec<Finding>) {
    for (position, certificate) in chain.iter().enumerate().skip(1) {
        for extension in [KEY_DESCRIPTION, KEY_DESCRIPTION_EAT] {
            if certificate.extension(extension).is_some() {
                findings.push(rules::ANDROID_EXTENDED.finding(
                    nth(position),
                    format!(
                        "it attests a key itself (extension {extension}), so it is no authority"
                    ),
                ));
            }
        }
    }
}

fn authorities(
    below: &[Certificate],
    factory: bool,
    check: &Check<'_>,
    findings: &mut Vec<Finding>,
) {
    for (position, certificate) in below.iter().enumerate().skip(1) {
        let Some(why) = not_a_ca(certificate, position - 1) else {
            continue;
        };
        // The batch certificate of a factory: directly above the key, directly
        // below a CA that is not the root.
        let where_a_batch_stands = factory && position == 1 && below.len() > 2;
        let lenient = check.policy.factory_certificate_without_ca == Leniency::Warn;
        if where_a_batch_stands && lenient && !certificate.is_ca() {
            findings.push(rules::ANDROID_LEGACY_CA.finding(nth(position), why));
        } else {
            findings.push(rules::ANDROID_CA.finding(nth(position), why));
        }
    }
}

/// The dates of the key's own certificate are the device's, and say nothing.
fn validity(below: &[Certificate], factory: bool, check: &Check<'_>, findings: &mut Vec<Finding>) {
    for (position, certificate) in below.iter().enumerate().skip(1) {
        let dates = format!(
            "valid from {} to {}, looked at {}",
            certificate.not_before(),
            certificate.not_after(),
            check.at
        );
        if check.at < certificate.not_before() {
            findings.push(rules::ANDROID_VALIDITY.finding(nth(position), dates));
        } else if check.at > certificate.not_after() {
            let rule = if factory {
                &rules::ANDROID_EXPIRED_FACTORY
            } else {
                &rules::ANDROID_VALIDITY
            };
            findings.push(rule.finding(nth(position), dates));
        }
    }
}

fn revocation(chain: &[Certificate], check: &Check<'_>, findings: &mut Vec<Finding>) {
    let severity = match check.policy.revocation {
        WithoutRevocationList::Undecided => Severity::Error,
        WithoutRevocationList::Record => Severity::Warning,
    };
    let unknown = |why: String| {
        rules::ANDROID_REVOCATION_UNKNOWN.finding_as(severity, "the revocation list", why)
    };
    let Some(list) = check.revocation else {
        findings.push(unknown("there is no copy of it".into()));
        return;
    };
    if let Some(why) = stale(list, check) {
        findings.push(unknown(why));
    }
    // An old list still knows what was revoked when it was made.
    for (position, certificate) in chain.iter().enumerate() {
        if let Some(status) = list.status(certificate) {
            let rule = if status.is_suspended() {
                &rules::ANDROID_SUSPENDED
            } else {
                &rules::ANDROID_REVOKED
            };
            findings.push(rule.finding(
                nth(position),
                format!(
                    "serial {} is {}: {}",
                    certificate.serial(),
                    status.status,
                    status.reason.as_deref().unwrap_or("no reason given")
                ),
            ));
        }
    }
}

fn stale(list: &RevocationList, check: &Check<'_>) -> Option<String> {
    let age = check.at.duration_since(list.fetched());
    let most = SignedDuration::from_hours(i64::from(check.policy.revocation_max_age_hours));
    if age > most {
        Some(format!(
            "it is of {}, {} hours old; at most {} are accepted",
            list.fetched(),
            age.as_hours(),
            check.policy.revocation_max_age_hours
        ))
    } else if age < -SKEW {
        Some(format!("it is of {}, which is yet to come", list.fetched()))
    } else {
        None
    }
}

fn roots<'a>(check: &Check<'a>) -> Cow<'a, [RootKey]> {
    match (check.policy.google_roots, check.policy.roots.as_slice()) {
        (false, own) => Cow::Borrowed(own),
        (true, []) => Cow::Borrowed(&*roots::GOOGLE),
        (true, own) => roots::GOOGLE.iter().chain(own).cloned().collect(),
    }
}

/// How findings name a certificate: the attested key's is the first.
pub(super) fn nth(position: usize) -> String {
    format!("certificate {}", position + 1)
}
