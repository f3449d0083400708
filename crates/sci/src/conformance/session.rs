//! What the WSCA says of itself, and what a session is.

use jiff::SignedDuration;

use super::kit::{
    Answer, Kit, RIGHT, Ran, during, ensure, every_operation_is_refused, generate, is_not_offered,
    item, open, pin, refused, signs, try_sign,
};
use crate::{Assurance, Code, Task};

/// The longest that a session may last, whatever a WSCA says: a user who is asked for
/// a PIN now is not there any more an hour from now.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

pub(super) async fn information(kit: &Kit<'_>) -> Answer {
    let info = kit.info;
    ensure(info.max_batch > 0, "it takes batches of nothing")?;
    ensure(
        info.max_keys >= info.max_batch,
        "a unit holds fewer keys than a batch has",
    )?;
    let pin = &info.pin;
    ensure(
        pin.min_digits >= 6 && pin.max_digits >= pin.min_digits,
        "a PIN of fewer than six digits is let through",
    )?;
    ensure(
        pin.tries > 0 && pin.tries_per_round > 0,
        "it says nothing of how often a PIN is tried",
    )?;
    let rounds = u32::try_from(pin.pauses.len()).unwrap_or(u32::MAX);
    ensure(
        pin.tries == pin.tries_per_round.saturating_mul(rounds.saturating_add(1)),
        "tries, rounds and pauses do not fit together",
    )?;
    ensure(
        pin.pauses
            .iter()
            .zip(pin.pauses.iter().skip(1))
            .all(|(a, b)| a <= b),
        "the pauses after wrong PINs do not grow",
    )?;
    let wallet = kit.fresh().await?;
    let again = wallet
        .sci
        .activation_info()
        .await
        .map_err(during("activation_info"))?;
    ensure(again == *info, "it says another thing to another unit")?;
    Ok(Ran::Passed)
}

pub(super) async fn descriptor(kit: &Kit<'_>) -> Answer {
    let said = &kit.info.descriptor;
    ensure(!said.model.is_empty(), "it does not say what it is")?;
    ensure(!said.exportable, "it says that keys can leave it")?;
    ensure(!said.algorithms.is_empty(), "it offers no algorithm")?;
    let level = said.key_storage.or(said.user_authentication);
    match (&said.assurance, level) {
        (Assurance::None, Some(level)) => Err(format!(
            "it claims {level} with neither certificate nor assumption"
        )),
        (
            Assurance::Certified {
                scheme,
                certificate,
            },
            _,
        ) if scheme.is_empty() || certificate.is_empty() => {
            Err("it claims a certificate and does not name it".to_owned())
        }
        (Assurance::Assumed { scheme, assumption }, _)
            if scheme.is_empty() || assumption.is_empty() =>
        {
            Err("it stands on an assumption and does not name it".to_owned())
        }
        _ => Ok(Ran::Passed),
    }
}

pub(super) async fn without(kit: &Kit<'_>) -> Answer {
    let (owner, keys) = kit.with_keys(1).await?;
    let key = keys.first().ok_or("no key")?;
    owner
        .sci
        .end_session()
        .await
        .map_err(during("end_session"))?;
    let none = owner.sci.session().await.map_err(during("session"))?;
    ensure(none.is_none(), "it tells of a session where none is open")?;
    let codes = [Code::NoSession];
    every_operation_is_refused(&owner.sci, key, "without a session", &codes).await?;
    // A unit that never had one.
    let fresh = kit.fresh().await?;
    every_operation_is_refused(&fresh.sci, key, "before the first session", &codes).await?;
    open(&*owner.sci, Task::Presentation).await?;
    signs(&*owner.sci, key, "it is all there").await?;
    Ok(Ran::Passed)
}

pub(super) async fn inspect(kit: &Kit<'_>) -> Answer {
    let wallet = kit.registered().await?;
    let none = wallet.sci.session().await.map_err(during("session"))?;
    ensure(none.is_none(), "it tells of a session where none is open")?;
    for task in [Task::Issuance, Task::Presentation, Task::Maintenance] {
        let opened = open(&*wallet.sci, task).await?;
        let seen = wallet.sci.session().await.map_err(during("session"))?;
        let Some(seen) = seen else {
            return Err("it does not tell of the session that is open".to_owned());
        };
        ensure(
            seen.id == opened.id && seen.task == task && opened.task == task,
            "it tells of another session",
        )?;
        ensure(!seen.id.is_empty(), "the session has no identifier")?;
        ensure(
            seen.opened <= seen.idle_until && seen.idle_until <= seen.expires,
            format!("its times do not follow one another: {seen:?}"),
        )?;
        ensure(
            seen.expires.duration_since(seen.opened) <= LONGEST,
            "a session lasts longer than an hour",
        )?;
    }
    Ok(Ran::Passed)
}

pub(super) async fn tasks(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(1).await?;
    let key = keys.first().ok_or("no key")?;
    let sci = &wallet.sci;
    let codes = [Code::TaskForbids];
    // Issuance is open.
    refused(
        "destroy_unit while issuing",
        sci.destroy_unit().await,
        &codes,
    )?;
    let peer = super::kit::Peer::new()?;
    let agreed = sci.agree(&key.id, &peer.public).await;
    if !is_not_offered(&agreed) {
        refused("agree while issuing", agreed, &codes)?;
    }
    open(&**sci, Task::Presentation).await?;
    signs(&**sci, key, "while presenting").await?;
    refused(
        "generate_keys while presenting",
        sci.generate_keys(1, jose::Curve::P256).await,
        &codes,
    )?;
    refused(
        "destroy_unit while presenting",
        sci.destroy_unit().await,
        &codes,
    )?;
    let stored = sci.store_item(&item("task")?, b"x").await;
    if !is_not_offered(&stored) {
        refused("store_item while presenting", stored, &codes)?;
    }
    let stated = sci.state_keys(&[key.id], "nonce", "audience").await;
    if !is_not_offered(&stated) {
        refused("state_keys while presenting", stated, &codes)?;
    }
    open(&**sci, Task::Maintenance).await?;
    refused(
        "sign while maintaining",
        try_sign(&**sci, key.id).await,
        &codes,
    )?;
    refused(
        "generate_keys while maintaining",
        sci.generate_keys(1, jose::Curve::P256).await,
        &codes,
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn end(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(1).await?;
    let key = keys.first().ok_or("no key")?;
    wallet
        .sci
        .end_session()
        .await
        .map_err(during("end_session"))?;
    wallet
        .sci
        .end_session()
        .await
        .map_err(during("end_session where none is open"))?;
    every_operation_is_refused(
        &wallet.sci,
        key,
        "after the session's end",
        &[Code::NoSession],
    )
    .await?;
    Ok(Ran::Passed)
}

pub(super) async fn idle(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(1).await?;
    let key = keys.first().ok_or("no key")?;
    let sci = &*wallet.sci;
    let opened = open(sci, Task::Presentation).await?;
    let quiet = opened.idle_until.duration_since(opened.opened) + SignedDuration::from_secs(1);
    if !kit.harness.pass(quiet).await {
        return Ok(Ran::NotTried("time is not in this harness's hands"));
    }
    refused(
        "sign after a long silence",
        try_sign(sci, key.id).await,
        &[Code::NoSession],
    )?;
    let opened = open(sci, Task::Presentation).await?;
    let step = opened.idle_until.duration_since(opened.opened) / 2;
    let mut passed = SignedDuration::ZERO;
    let whole = opened.expires.duration_since(opened.opened);
    while passed + step < whole {
        kit.harness.pass(step).await;
        passed += step;
        signs(sci, key, "still there").await?;
    }
    kit.harness.pass(step).await;
    refused(
        "sign after the session's time",
        try_sign(sci, key.id).await,
        &[Code::NoSession],
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn revoked(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(1).await?;
    let key = keys.first().ok_or("no key")?;
    match kit.harness.revoke(&wallet).await {
        None => return Ok(Ran::NotTried("this harness cannot revoke")),
        Some(revoked) => revoked?,
    }
    let codes = [Code::NoSession, Code::UnitFrozen, Code::UnitDestroyed];
    every_operation_is_refused(&wallet.sci, key, "after revocation", &codes).await?;
    refused(
        "open_session after revocation",
        wallet
            .sci
            .open_session(&pin(RIGHT)?, Task::Presentation)
            .await,
        &[Code::UnitFrozen, Code::UnitDestroyed],
    )?;
    let (other, _) = kit.with_keys(1).await?;
    generate(&*other.sci, 1).await?;
    Ok(Ran::Passed)
}
