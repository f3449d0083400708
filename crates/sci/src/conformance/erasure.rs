//! What is destroyed stays destroyed.

use super::kit::{
    Answer, Kit, Peer, RIGHT, Ran, during, ensure, every_operation_is_refused, is_not_offered,
    listed, not_done, open, pin, refused, signs, try_sign,
};
use crate::{Code, Digest, KeyState, Task};

pub(super) async fn keys(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(3).await?;
    let [gone, also, kept] = keys.as_slice() else {
        return Err("no keys".to_owned());
    };
    let sci = &*wallet.sci;
    sci.destroy_keys(&[gone.id, also.id])
        .await
        .map_err(during("destroy_keys"))?;
    sci.destroy_keys(&[gone.id])
        .await
        .map_err(during("destroy_keys of what is destroyed"))?;
    let codes = [Code::KeyDestroyed];
    for task in [Task::Issuance, Task::Presentation] {
        open(sci, task).await?;
        for key in [gone, also] {
            refused("sign", try_sign(sci, key.id).await, &codes)?;
            not_done(
                "prove_possession",
                sci.prove_possession(key, b"challenge").await,
            )?;
            let seen = listed(sci, key.id).await?;
            ensure(
                seen.state != KeyState::Active,
                "a destroyed key is said to be active",
            )?;
        }
        let mixed: Vec<_> = [kept.id, gone.id]
            .map(|id| (id, Digest::of(b"x", jose::Curve::P256)))
            .into();
        refused("sign among living keys", sci.sign(&mixed).await, &codes)?;
        signs(sci, kept, "the others live").await?;
    }
    let agreed = sci.agree(&gone.id, &Peer::new()?.public).await;
    if !is_not_offered(&agreed) {
        refused("agree", agreed, &codes)?;
    }
    let seen = listed(sci, kept.id).await?;
    ensure(
        seen.state == KeyState::Active,
        "a living key is said to be gone",
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn unit(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(1).await?;
    let (other, others) = kit.with_keys(1).await?;
    let (Some(key), Some(others)) = (keys.first(), others.first()) else {
        return Err("no key".to_owned());
    };
    open(&*wallet.sci, Task::Maintenance).await?;
    wallet
        .sci
        .destroy_unit()
        .await
        .map_err(during("destroy_unit"))?;
    let gone = [Code::UnitDestroyed, Code::NoSession, Code::Unauthorized];
    every_operation_is_refused(&wallet.sci, key, "after destroy_unit", &gone).await?;
    let finals = [Code::UnitDestroyed, Code::Unauthorized, Code::NoPin];
    refused(
        "open_session after destroy_unit",
        wallet.sci.open_session(&pin(RIGHT)?, Task::Issuance).await,
        &finals,
    )?;
    let registered = wallet.sci.register_pin(&pin(RIGHT)?).await;
    if !is_not_offered(&registered) {
        refused("register_pin after destroy_unit", registered, &finals)?;
    }
    signs(&*other.sci, others, "another unit").await?;
    Ok(Ran::Passed)
}
