//! The policy against a verdict.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use finding::Finding;
use jiff::SignedDuration;

use super::{Bound, Check, Said};
use crate::{rules, same};

/// How far Google's clock may be ahead of ours.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// base64url, padded or not: apps give either, and Google repeats it.
const URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn judge(said: &Said, check: &Check<'_>, findings: &mut Vec<Finding>) {
    bound(said, check, findings);
    age(said, check, findings);
    package(said, check, findings);
    app(said, check, findings);
    device(said, check, findings);
    account(said, check, findings);
}

fn bound(said: &Said, check: &Check<'_>, findings: &mut Vec<Finding>) {
    let request = &said.request;
    let (place, good) = match check.bound {
        None => {
            let why = "there is none to compare it with";
            findings.push(rules::CHALLENGE_UNKNOWN.finding("requestDetails", why));
            return;
        }
        Some(Bound::Nonce(expected)) => (
            "requestDetails.nonce",
            request
                .nonce
                .as_deref()
                .and_then(|nonce| URL.decode(nonce).ok())
                .is_some_and(|nonce| same(&nonce, expected)),
        ),
        Some(Bound::RequestHash(expected)) => (
            "requestDetails.requestHash",
            request
                .request_hash
                .as_deref()
                .is_some_and(|hash| same(hash.as_bytes(), expected.as_bytes())),
        ),
    };
    if !good {
        findings.push(rules::PLAY_NONCE.finding(place, "absent, or another one than was given"));
    }
}

fn age(said: &Said, check: &Check<'_>, findings: &mut Vec<Finding>) {
    let age = check.at.duration_since(said.request.at);
    let most = SignedDuration::from_secs(i64::from(check.policy.max_age_seconds));
    if age > most || age < -SKEW {
        findings.push(rules::PLAY_AGE.finding(
            "requestDetails.timestampMillis",
            format!(
                "of {}, looked at {}; at most {} s old are accepted",
                said.request.at, check.at, check.policy.max_age_seconds
            ),
        ));
    }
}

fn package(said: &Said, check: &Check<'_>, findings: &mut Vec<Finding>) {
    let mut add = |place: &str, why: String| {
        findings.push(rules::PLAY_PACKAGE.finding(place, why));
    };
    let name = &said.request.package;
    let Some(known) = check.policy.apps.iter().find(|app| app.package == *name) else {
        let why = format!("{name:?} is none that the policy names");
        return add("requestDetails.requestPackageName", why);
    };
    if said.app.package.as_ref().is_some_and(|app| app != name) {
        add("appIntegrity.packageName", format!("it is not {name:?}"));
    }
    // Without an evaluation of the app there is neither signer nor version.
    if said.app.package.is_none() {
        return;
    }
    let accepted = |signer: &String| {
        URL.decode(signer)
            .is_ok_and(|signer| known.signers.iter().any(|known| same(&known.0, &signer)))
    };
    if said.app.signers.is_empty() || !said.app.signers.iter().all(accepted) {
        let why = format!("{:?} are not the app's signers", said.app.signers);
        add("appIntegrity.certificateSha256Digest", why);
    }
    if said
        .app
        .version
        .is_none_or(|version| version < known.min_version)
    {
        let why = format!(
            "{:?}, at least {} is required",
            said.app.version, known.min_version
        );
        add("appIntegrity.versionCode", why);
    }
}

fn app(said: &Said, check: &Check<'_>, findings: &mut Vec<Finding>) {
    if !check.policy.recognized_app {
        return;
    }
    let rule = match said.app.verdict.as_str() {
        "PLAY_RECOGNIZED" if said.app.package.is_some() => return,
        "UNEVALUATED" => &rules::PLAY_UNEVALUATED,
        _ => &rules::PLAY_APP,
    };
    findings.push(rule.finding(
        "appIntegrity.appRecognitionVerdict",
        format!("{}, PLAY_RECOGNIZED is required", said.app.verdict),
    ));
}

fn device(said: &Said, check: &Check<'_>, findings: &mut Vec<Finding>) {
    let place = "deviceIntegrity.deviceRecognitionVerdict";
    let (asked, labels) = (&check.policy.device_labels, &said.device.labels);
    if labels.is_empty() && !asked.is_empty() {
        let why = format!("there is no label, {} are required", asked.join(", "));
        findings.push(rules::PLAY_UNEVALUATED.finding(place, why));
        return;
    }
    for label in asked {
        if !labels.contains(label) {
            let why = format!("{label} is not among {labels:?}");
            findings.push(rules::PLAY_DEVICE.finding(place, why));
        }
    }
}

fn account(said: &Said, check: &Check<'_>, findings: &mut Vec<Finding>) {
    if check.policy.licensed && said.licensing.as_deref() != Some("LICENSED") {
        findings.push(rules::PLAY_ACCOUNT.finding(
            "accountDetails.appLicensingVerdict",
            format!("{:?}, LICENSED is required", said.licensing),
        ));
    }
}
