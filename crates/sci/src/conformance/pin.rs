//! The PIN: registered once, counted always, changed with the old one.

use std::future::Future;
use std::pin::Pin as Pinned;

use jiff::SignedDuration;

use super::kit::{
    Answer, Kit, OTHER, RIGHT, Ran, WRONG, during, ensure, generate, is_not_offered, join_all,
    not_done, open, pin, refused, signs, try_sign,
};
use crate::{Code, Error, Pin, Sci, SessionInfo, Task};

pub(super) async fn first(kit: &Kit<'_>) -> Answer {
    let wallet = kit.fresh().await?;
    let opened = wallet.sci.open_session(&pin(RIGHT)?, Task::Issuance).await;
    if opened.is_ok() && is_not_offered(&wallet.sci.register_pin(&pin(RIGHT)?).await) {
        // The PIN is the platform's, and was there before.
        return Ok(Ran::NotOffered);
    }
    refused("open_session before a PIN", opened, &[Code::NoPin])?;
    let none = wallet.sci.session().await.map_err(during("session"))?;
    ensure(none.is_none(), "and yet it tells of a session")?;
    Ok(Ran::Passed)
}

pub(super) async fn once(kit: &Kit<'_>) -> Answer {
    let wallet = kit.fresh().await?;
    let sci = &wallet.sci;
    for trivial in ["111111", "123456", "987654"] {
        let registered = sci.register_pin(&pin(trivial)?).await;
        if is_not_offered(&registered) {
            return Ok(Ran::NotOffered);
        }
        not_done(&format!("register_pin of {trivial}"), registered)?;
    }
    sci.register_pin(&pin(RIGHT)?)
        .await
        .map_err(during("register_pin"))?;
    let again = sci.register_pin(&pin(OTHER)?).await;
    refused("a second register_pin", again, &[Code::PinExists])?;
    open(&**sci, Task::Issuance).await?;
    Ok(Ran::Passed)
}

pub(super) async fn wrong(kit: &Kit<'_>) -> Answer {
    let wallet = kit.registered().await?;
    let sci = &*wallet.sci;
    let all = kit.info.pin.tries;
    // As many as may be wrong without a pause after them.
    let few = kit.info.pin.tries_per_round.saturating_sub(1).min(2);
    if few == 0 {
        let left = wrong_pin(sci).await?;
        ensure(left == all.saturating_sub(1), "a wrong PIN costs no try")?;
        return Ok(Ran::Passed);
    }
    for _ in 0..2 {
        sci.end_session().await.map_err(during("end_session"))?;
        for made in 1..=few {
            let left = wrong_pin(sci).await?;
            ensure(
                left == all.saturating_sub(made),
                format!("{left} tries are left after {made} wrong ones of {all}"),
            )?;
        }
        let none = sci.session().await.map_err(during("session"))?;
        ensure(none.is_none(), "a wrong PIN opened a session")?;
        open(sci, Task::Issuance).await?;
    }
    generate(sci, 1).await?;
    Ok(Ran::Passed)
}

pub(super) async fn pause(kit: &Kit<'_>) -> Answer {
    let wallet = kit.registered().await?;
    let sci = &*wallet.sci;
    for _ in 0..kit.info.pin.tries_per_round {
        wrong_pin(sci).await?;
    }
    for digits in [RIGHT, WRONG, RIGHT] {
        let opened = sci.open_session(&pin(digits)?, Task::Issuance).await;
        let until = match &opened {
            Err(Error::Refused { retry_at, .. }) => *retry_at,
            _ => None,
        };
        let paused = matches!(&opened, Err(error) if error.code() == Some(Code::PinPaused));
        refused(
            "open_session after a round of wrong PINs",
            opened,
            &[Code::PinPaused, Code::PinBlocked],
        )?;
        ensure(
            !paused || until.is_some_and(|until| until > kit.harness.now()),
            "it pauses and does not say until when",
        )?;
    }
    Ok(Ran::Passed)
}

/// One of many, about to be made.
type Try<'a> = Pinned<Box<dyn Future<Output = Result<SessionInfo, Error>> + Send + 'a>>;

pub(super) async fn parallel(kit: &Kit<'_>) -> Answer {
    let wallet = kit.registered().await?;
    let per_round = usize::try_from(kit.info.pin.tries_per_round).unwrap_or(usize::MAX);
    let many = per_round.saturating_add(8).min(32);
    let (wrong, right) = (pin(WRONG)?, pin(RIGHT)?);
    let tries: Vec<Try<'_>> = (0..many)
        .map(|_| wallet.sci.open_session(&wrong, Task::Issuance))
        .collect();
    let mut evaluated = 0_usize;
    for outcome in join_all(tries).await {
        match outcome {
            Ok(_) => return Err("a wrong PIN opened a session".to_owned()),
            Err(Error::WrongPin { .. }) => evaluated += 1,
            Err(error) => refused::<()>(
                "one of many wrong PINs",
                Err(error),
                &[Code::PinPaused, Code::PinBlocked, Code::TryLater],
            )?,
        }
    }
    ensure(
        evaluated <= per_round,
        format!("{evaluated} wrong PINs were tried at once, a round has {per_round}"),
    )?;
    ensure(evaluated > 0, "no wrong PIN was tried at all")?;
    if evaluated == per_round {
        refused(
            "the right PIN after all those",
            wallet.sci.open_session(&right, Task::Issuance).await,
            &[Code::PinPaused, Code::PinBlocked],
        )?;
    }
    Ok(Ran::Passed)
}

pub(super) async fn block(kit: &Kit<'_>) -> Answer {
    let wallet = kit.registered().await?;
    let sci = &*wallet.sci;
    let rules = &kit.info.pin;
    let mut made = 0;
    for round in 0..=rules.pauses.len() {
        for _ in 0..rules.tries_per_round {
            let left = wrong_pin(sci).await?;
            made += 1;
            ensure(
                left == rules.tries.saturating_sub(made),
                format!("{left} tries are left after {made} wrong ones"),
            )?;
        }
        let Some(pause) = rules.pauses.get(round) else {
            break;
        };
        let pause = SignedDuration::from_secs(i64::try_from(*pause).unwrap_or(i64::MAX));
        if !kit.harness.pass(pause + SignedDuration::from_secs(1)).await {
            return Ok(Ran::NotTried("time is not in this harness's hands"));
        }
    }
    kit.harness.pass(SignedDuration::from_hours(24 * 30)).await;
    refused(
        "the right PIN after the last round",
        sci.open_session(&pin(RIGHT)?, Task::Issuance).await,
        &[Code::PinBlocked],
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn change(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(1).await?;
    let key = keys.first().ok_or("no key")?;
    let sci = &*wallet.sci;
    let (right, other, wrong) = (pin(RIGHT)?, pin(OTHER)?, pin(WRONG)?);
    let changed = sci.change_pin(&wrong, &other).await;
    if is_not_offered(&changed) {
        return Ok(Ran::NotOffered);
    }
    match changed {
        Err(Error::WrongPin { .. }) => {}
        other => return Err(format!("change_pin with a wrong old PIN: {other:?}")),
    }
    not_done(
        "change_pin to a trivial PIN",
        sci.change_pin(&right, &pin("222222")?).await,
    )?;
    open(sci, Task::Issuance).await?;
    sci.change_pin(&right, &other)
        .await
        .map_err(during("change_pin"))?;
    refused(
        "sign in a session of the old PIN",
        try_sign(sci, key.id).await,
        &[Code::NoSession],
    )?;
    match sci.open_session(&right, Task::Issuance).await {
        Err(Error::WrongPin { .. }) => {}
        opened => return Err(format!("the old PIN after the change: {opened:?}")),
    }
    sci.open_session(&other, Task::Presentation)
        .await
        .map_err(during("open_session with the new PIN"))?;
    signs(sci, key, "by the new PIN").await?;
    // Back, so that the kit can clean up after itself.
    sci.change_pin(&other, &right)
        .await
        .map_err(during("change_pin"))?;
    Ok(Ran::Passed)
}

/// Tries a wrong PIN; how many tries are left.
pub(super) async fn wrong_pin(sci: &dyn Sci) -> Result<u32, String> {
    let wrong: Pin = pin(WRONG)?;
    match sci.open_session(&wrong, Task::Issuance).await {
        Err(Error::WrongPin { tries_left, .. }) => Ok(tries_left),
        Ok(_) => Err("a wrong PIN opened a session".to_owned()),
        Err(error) => Err(format!("a wrong PIN: refused for another reason: {error}")),
    }
}
