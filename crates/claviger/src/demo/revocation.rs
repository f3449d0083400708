//! Step 8: the unit is revoked, and the issuer sees it; the second unit destroys
//! its keys.

use issuer_guard::WatchState;
use jose::Curve;
use provider_api::{RevocationReason, RevocationRequest, UnitState};
use sci::{Code, Digest, Sci, Task};
use wallet_client::keystore::DeviceKeystore;

use super::circle::{Circle, StatusForms};
use super::issuer::Issuer;
use super::record::Recorder;
use super::refusals::refused_with_code;
use super::units::Shown;
use super::wallet::Wallet;
use crate::exit::{Doing, Failure};

/// The status lists after the revocation, by address.
pub(super) type After = Vec<(String, StatusForms)>;

/// Step 8.
pub(super) async fn revoke(
    recorder: &mut Recorder,
    circle: &Circle,
    issuer: &Issuer,
    first: &Wallet,
    second: &Wallet,
    shown: &Shown,
) -> Result<After, Failure> {
    let mut step = recorder.step(
        "Revoked by its user, and the issuer sees it",
        &[
            "WURevocation_07",
            "WURevocation_10",
            "WURevocation_18",
            "WIAM_13",
            "WIAM_21",
            "CIR-2024-2979-5-1-d",
        ],
    );
    // The pauses of the step before have ended every session by their time.
    first
        .sci
        .open_session(&first.pin, Task::Presentation)
        .await
        .doing("the session")?;
    let digest = || Digest::of(b"a presentation", Curve::P256);
    let signed = first.sci.sign(&[(shown.key.id, digest())]).await;
    step.demand(
        signed.is_ok(),
        "before: the first unit signs in its open session",
    )?;

    let watched: Vec<_> = issuer.watch.watched();
    let view = first
        .provider
        .revoke(&RevocationRequest {
            alias: first.alias.clone(),
            code: first.account_code.clone(),
            unit: Some(first.unit),
            reason: RevocationReason::LostOrStolen,
        })
        .await
        .doing("the revocation")?;
    step.demand(
        view.state == UnitState::Revoked,
        "the user revokes the unit without the phone, by alias and account code",
    )?;
    let changes = issuer.watch.poll().await;
    step.demand(
        changes.len() == watched.len()
            && changes
                .iter()
                .all(|change| change.to == WatchState::Revoked),
        format!(
            "the issuer's watch reports it: {} entries revoked",
            changes.len()
        ),
    )?;
    let answer = first.sci.sign(&[(shown.key.id, digest())]).await;
    refused_with_code(
        &mut step,
        "signing in the session that was open",
        answer.err().and_then(|error| error.code()),
        Code::NoSession,
    )?;
    let answer = first.sci.open_session(&first.pin, Task::Presentation).await;
    refused_with_code(
        &mut step,
        "a new session of the revoked unit, with the right PIN",
        answer.err().and_then(|error| error.code()),
        Code::UnitFrozen,
    )?;
    let cnf = first.device.fresh_signing_key().doing("a fresh key")?;
    let refused = first
        .provider
        .wias(
            first.unit,
            first.device_key(),
            &[cnf.as_ref()],
            &<_>::default(),
        )
        .await;
    let problem = refused.as_ref().err().and_then(|error| error.problem());
    let Some(found) = problem.and_then(|problem| problem.findings.first()) else {
        return Err(step.broken("a revoked unit was not refused a WIA"));
    };
    step.refused_with(
        "a WIA for the revoked unit",
        &found.rule,
        &found.clause,
        &found.evidence,
    );

    second
        .sci
        .open_session(&second.pin, Task::Presentation)
        .await
        .doing("the session")?;
    let ids: Vec<_> = second.keys.lock().await.iter().map(|key| key.id).collect();
    second
        .sci
        .destroy_keys(&ids)
        .await
        .doing("the destruction")?;
    step.proven(format!(
        "the second unit, after its PIN, destroys its {} keys",
        ids.len()
    ));
    let key = second.key(0).await?;
    let answer = second.sci.sign(&[(key.id, digest())]).await;
    refused_with_code(
        &mut step,
        "signing with a destroyed key",
        answer.err().and_then(|error| error.code()),
        Code::KeyDestroyed,
    )?;

    let mut after = After::new();
    for entry in watched {
        let uri = entry.entry.reference.uri;
        if after.iter().all(|(known, _)| *known != uri) {
            let forms = circle.fetch_status(&uri).await?;
            after.push((uri, forms));
        }
    }
    recorder.close(step);
    Ok(after)
}
