//! Step 7: what has to be refused is tried, and refused by its rule.

use std::sync::Arc;

use clock::{Clock, ManualClock};
use finding::Rule;
use jiff::SignedDuration;
use jose::{Curve, Signer};
use pki::{Certificate, Issuer as CertificateIssuer, Profile, Request, Subject};
use sci::{Code, Digest, Error, Pin, Sci, Task};
use status_list::Reference;
use wallet_client::keystore::DeviceKeystore;
use wua::{Ka, StatusPeriod};

use super::circle::{C_NONCE, Circle};
use super::issuer::Issuer;
use super::record::{Open, Recorder};
use super::units::{Shown, key_proof};
use super::wallet::Wallet;
use crate::commands::up::seal;
use crate::exit::{Doing, Failure};
use crate::testbed::party_names as names;

/// Step 7.
pub(super) async fn refuse(
    recorder: &mut Recorder,
    circle: &Circle,
    issuer: &Issuer,
    first: &Wallet,
    second: &Wallet,
    shown: &Shown,
) -> Result<(), Failure> {
    let mut step = recorder.step(
        "What must be refused is refused",
        &["TS3-2.2.2.2", "WIAM_09", "WIAM_14", "CIR-2024-2979-5-1-b"],
    );
    forged_attestations(&mut step, circle, issuer, first, shown).await?;
    replay(&mut step, issuer, shown).await?;
    past_its_time(&mut step, circle, issuer, shown).await?;
    another_units_key(&mut step, first, second).await?;
    wrong_pins(&mut step, circle).await?;
    recorder.close(step);
    Ok(())
}

/// KAs that say the same as the true one, sealed by whom the list does not vouch
/// for.
async fn forged_attestations(
    step: &mut Open,
    circle: &Circle,
    issuer: &Issuer,
    first: &Wallet,
    shown: &Shown,
) -> Result<(), Failure> {
    let bed = &circle.development.test_bed;
    let stranger = first.device.fresh_signing_key().doing("a key")?;
    let unlisted = certificate(circle, stranger.as_ref(), "Unlisted Provider GmbH", None).await?;
    let true_one = &bed.wallet_provider.certificate;
    let lookalike = certificate(
        circle,
        stranger.as_ref(),
        names::WALLET_PROVIDER.0,
        Some(true_one),
    )
    .await?;
    let pid = seal(&bed.pid_provider);
    let cases: [(&str, &dyn Signer, Vec<u8>, &Rule); 3] = [
        (
            "a KA sealed by a certificate that is not on the list",
            stranger.as_ref(),
            unlisted.der().to_vec(),
            &pki::rules::DIRECT_NOT_LISTED,
        ),
        (
            "a KA sealed by one with the listed subject and serial, and another key",
            stranger.as_ref(),
            lookalike.der().to_vec(),
            &pki::rules::DIRECT_LOOKALIKE,
        ),
        (
            "a KA sealed by the PID provider",
            bed.pid_provider.signer.as_ref(),
            pid.chain.concat(),
            &trust::rules::OTHER_CONTEXT,
        ),
    ];
    for (attempt, signer, leaf, rule) in cases {
        let now = circle.clock.now();
        let forged = Ka {
            issued: now,
            expires: now + SignedDuration::from_hours(24),
            keys: vec![shown.key.public_key.clone()],
            key_storage: Vec::new(),
            user_authentication: Vec::new(),
            certification: "https://wallet.example/certification".into(),
            nonce: None,
            status: StatusPeriod {
                reference: Reference::new(format!("{}/status/forged", circle.url), 1),
                maintained_until: now + SignedDuration::from_hours(60 * 24),
            },
        }
        .sign(&[leaf], signer)
        .await
        .doing("the forged KA")?;
        let nonce = format!("nonce of {attempt}");
        let proof = key_proof(circle, first, &shown.key, &forged, &nonce).await?;
        let verdict = issuer
            .development
            .verify_ka_jwt_proof(&[proof], &nonce)
            .await;
        step.refused_by(attempt, &verdict.findings, rule)?;
    }
    Ok(())
}

/// A self-signed wallet certificate of a stranger; with the serial number of
/// another, and its subject, where one is to be imitated.
async fn certificate(
    circle: &Circle,
    key: &dyn Signer,
    organization: &str,
    imitated: Option<&Certificate>,
) -> Result<Certificate, Failure> {
    let at = circle.clock.now();
    let (identifier, common_name) = match imitated {
        Some(_) => (
            names::WALLET_PROVIDER.1,
            format!("{organization}, wallet unit attestations"),
        ),
        None => ("NTRDE-HRB999999", format!("{organization}, attestations")),
    };
    let subject = Subject::legal(names::COUNTRY, organization, identifier, &common_name);
    let mut request = Request::new(
        Profile::Wallet,
        subject,
        key.public_key().clone(),
        at - SignedDuration::from_hours(1),
        at + SignedDuration::from_hours(365 * 24),
    );
    request.serial =
        imitated.map(|certificate| hex::decode(certificate.serial()).unwrap_or_default());
    pki::issue(&request, CertificateIssuer::Itself(key))
        .await
        .doing("a stranger's certificate")
}

async fn replay(step: &mut Open, issuer: &Issuer, shown: &Shown) -> Result<(), Failure> {
    let verdict = issuer
        .development
        .verify_ka_jwt_proof(std::slice::from_ref(&shown.ka_proof), C_NONCE)
        .await;
    step.refused_by(
        "a proof that was shown before",
        &verdict.findings,
        &issuer_guard::rules::REPLAY_NONCE,
    )
}

async fn past_its_time(
    step: &mut Open,
    circle: &Circle,
    issuer: &Issuer,
    shown: &Shown,
) -> Result<(), Failure> {
    let later = circle.clock.now() + SignedDuration::from_hours(31 * 24);
    let guard = issuer.with_clock(Arc::new(ManualClock::at(later)));
    let verdict = guard
        .verify_ka_jwt_proof(std::slice::from_ref(&shown.ka_proof), C_NONCE)
        .await;
    step.refused_by(
        "a KA past its time",
        &verdict.findings,
        &wua::rules::KA_EXPIRED,
    )
}

async fn another_units_key(
    step: &mut Open,
    first: &Wallet,
    second: &Wallet,
) -> Result<(), Failure> {
    let key = first.key(0).await?;
    let digest = Digest::of(b"not yours to sign", Curve::P256);
    let answer = second.sci.sign(&[(key.id, digest)]).await;
    let code = answer.err().and_then(|error| error.code());
    refused_with_code(
        step,
        "the second unit asks to sign with the first unit's key",
        code,
        Code::NoSuchKey,
    )
}

/// A phone in a stranger's hands: every try is counted, the pauses grow, and after
/// the policy's last try nothing opens it any more, not even the right PIN.
async fn wrong_pins(step: &mut Open, circle: &Circle) -> Result<(), Failure> {
    let policy = wsca::RetryPolicy::default();
    let lost = Wallet::activate(circle, "lost phone", "718293").await?;
    let wrong = Pin::new("718294").doing("a PIN")?;
    let mut pauses = 0;
    for tried in 1..=policy.tries() {
        loop {
            match lost.sci.open_session(&wrong, Task::Presentation).await {
                Err(Error::WrongPin { tries_left, .. }) => {
                    let left = policy.tries() - tried;
                    if tries_left != left {
                        return Err(step.broken(format!(
                            "after {tried} tries {tries_left} were left, not {left}"
                        )));
                    }
                    break;
                }
                Err(Error::Refused {
                    code: Code::PinPaused,
                    retry_at: Some(until),
                }) => {
                    pauses += 1;
                    let wait = until.duration_since(circle.clock.now());
                    circle.clock.advance(wait + SignedDuration::from_secs(1));
                }
                other => {
                    return Err(step.broken(format!("try {tried}: {other:?}")));
                }
            }
        }
    }
    step.demand(
        pauses == policy.pauses.len(),
        format!(
            "wrong PINs: {} tries, each counted, with {pauses} growing pauses",
            policy.tries()
        ),
    )?;
    let answer = lost.sci.open_session(&lost.pin, Task::Presentation).await;
    let code = answer.err().and_then(|error| error.code());
    refused_with_code(
        step,
        "the right PIN, after the last wrong one",
        code,
        Code::PinBlocked,
    )
}

/// Writes down a refusal of the WSCA, by its code's rule.
pub(super) fn refused_with_code(
    step: &mut Open,
    attempt: &str,
    code: Option<Code>,
    expected: Code,
) -> Result<(), Failure> {
    if code != Some(expected) {
        return Err(step.broken(format!("{attempt}: was to be {expected}, came {code:?}")));
    }
    let rule = expected.rule();
    step.refused_with(attempt, rule.id, rule.clause, expected.name());
    Ok(())
}
