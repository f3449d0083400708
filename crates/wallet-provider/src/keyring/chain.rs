use finding::Finding;
use jiff::Timestamp;
use jose::PublicKey;
use pki::Certificate;

use super::{KeyPurpose, rules};

/// What is wrong with `chain` for a key of `purpose` that is to sign from `starts` on:
/// it is the key's own, each certificate is certified by the next, the first one
/// follows the profile (ARF `WUA_10`: TS 119 412-6, clause 5), and its dates fit.
pub fn check_chain(
    chain: &[Certificate],
    purpose: KeyPurpose,
    key: &PublicKey,
    starts: Timestamp,
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some((own, issuers)) = chain.split_first() else {
        findings.push(rules::KEY.finding("chain", "there is no certificate"));
        return findings;
    };
    let subject = own.subject();
    match own.public_key() {
        Ok(certified) if &certified == key => {}
        Ok(certified) => findings.push(rules::KEY.finding(
            subject.as_str(),
            format!(
                "it certifies the key {}, the device's is {}",
                certified.thumbprint_b64(),
                key.thumbprint_b64()
            ),
        )),
        Err(error) => findings.push(rules::KEY.finding(subject.as_str(), error.to_string())),
    }
    for (certificate, issuer) in chain.iter().zip(issuers) {
        let fault = match certificate.verify_issued_by(issuer) {
            _ if certificate.issuer_der() != issuer.subject_der() => {
                format!("it names {} as its issuer", certificate.issuer())
            }
            Err(error) => error.to_string(),
            Ok(()) => continue,
        };
        let what = format!("not certified by {}: {fault}", issuer.subject());
        findings.push(rules::CHAIN.finding(certificate.subject(), what));
    }
    // A certificate may be made ahead of its time; then it is judged as of its start.
    let at = now.max(own.not_before());
    if let Some(profile) = purpose.profile() {
        findings.extend(pki::lint(own, profile, at));
    }
    if starts < own.not_before() || starts >= own.not_after() {
        let what = format!(
            "the start is {starts}, the certificate lasts from {} to {}",
            own.not_before(),
            own.not_after()
        );
        findings.push(rules::START.finding(subject, what));
    }
    findings
}
