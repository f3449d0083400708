//! Units apart.

use super::kit::{
    Answer, Kit, Peer, RIGHT, Ran, during, ensure, is_not_offered, item, not_done, open, pin,
    refused, signs, try_sign,
};
use super::pin::wrong_pin;
use crate::{Code, Digest, KeyId, Task};

pub(super) async fn keys(kit: &Kit<'_>) -> Answer {
    let (owner, owned) = kit.with_keys(1).await?;
    let (thief, own) = kit.with_keys(1).await?;
    let (Some(key), Some(own)) = (owned.first(), own.first()) else {
        return Err("no key".to_owned());
    };
    let none = [Code::NoSuchKey];
    // The same answer as for a key that there is not.
    for id in [key.id, KeyId::random()] {
        let sci = &*thief.sci;
        open(sci, Task::Issuance).await?;
        refused("sign with it", try_sign(sci, id).await, &none)?;
        let both: Vec<_> = [own.id, id]
            .map(|id| (id, Digest::of(b"x", jose::Curve::P256)))
            .into();
        refused("sign with it among one's own", sci.sign(&both).await, &none)?;
        let stated = sci.state_keys(&[own.id, id], "nonce", "audience").await;
        if !is_not_offered(&stated) {
            refused("state it", stated, &none)?;
        }
        let info = crate::KeyInfo { id, ..key.clone() };
        not_done(
            "prove possession of it",
            sci.prove_possession(&info, b"challenge").await,
        )?;
        refused("destroy it", sci.destroy_keys(&[id]).await, &none)?;
        open(sci, Task::Presentation).await?;
        let agreed = sci.agree(&id, &Peer::new()?.public).await;
        if !is_not_offered(&agreed) {
            refused("agree with it", agreed, &none)?;
        }
        let told = sci.list_keys().await.map_err(during("list_keys"))?;
        ensure(
            told.iter().all(|told| told.id == own.id),
            "another unit's key is listed",
        )?;
    }
    signs(&*owner.sci, key, "nothing happened to it").await?;
    Ok(Ran::Passed)
}

pub(super) async fn items(kit: &Kit<'_>) -> Answer {
    let owner = kit.opened(Task::Issuance).await?;
    let thief = kit.opened(Task::Issuance).await?;
    let name = item("pseudonym")?;
    let stored = owner.sci.store_item(&name, b"the owner's").await;
    if is_not_offered(&stored) {
        return Ok(Ran::NotOffered);
    }
    stored.map_err(during("store_item"))?;
    refused(
        "read_item of another unit",
        thief.sci.read_item(&name).await,
        &[Code::NoSuchItem],
    )?;
    thief
        .sci
        .store_item(&name, b"the thief's")
        .await
        .map_err(during("store_item"))?;
    let read = owner.sci.read_item(&name).await;
    ensure(
        *read.map_err(during("read_item"))? == b"the owner's",
        "another unit's item took its place",
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn impostor(kit: &Kit<'_>) -> Answer {
    let (owner, keys) = kit.with_keys(1).await?;
    let key = keys.first().ok_or("no key")?;
    let Some(impostor) = kit.harness.impostor(&owner).await else {
        return Ok(Ran::NotTried("this harness has no impostor"));
    };
    let right = pin(RIGHT)?;
    let tries = kit.info.pin.tries;
    for _ in 0..tries.saturating_add(2) {
        not_done(
            "open_session without the phone",
            impostor.open_session(&right, Task::Presentation).await,
        )?;
    }
    not_done(
        "register_pin without the phone",
        impostor.register_pin(&right).await,
    )?;
    not_done(
        "change_pin without the phone",
        impostor.change_pin(&right, &pin(super::kit::OTHER)?).await,
    )?;
    not_done(
        "activation_info without the phone",
        impostor.activation_info().await,
    )?;
    if kit.can_spare(1) {
        let left = wrong_pin(&*owner.sci).await?;
        ensure(
            left == tries.saturating_sub(1),
            format!("somebody without the phone cost tries: {left} are left"),
        )?;
    }
    open(&*owner.sci, Task::Presentation).await?;
    signs(&*owner.sci, key, "nothing happened to it").await?;
    Ok(Ran::Passed)
}
