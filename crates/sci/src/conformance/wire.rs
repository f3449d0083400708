//! Attacks from the way, many at once, and a restart in between.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin as Pinned;

use super::kit::{
    Answer, Kit, Ran, during, ensure, generate, is_not_offered, item, join_all, listed, open,
    refused, signs, try_sign,
};
use super::pin::wrong_pin;
use crate::{Code, KeyId, KeyState, Task};

const NO_WIRE: Ran = Ran::NotTried("nothing goes over a wire that this harness hears");

pub(super) async fn replay(kit: &Kit<'_>) -> Answer {
    let wallet = kit.opened(Task::Issuance).await?;
    let Some(wire) = &wallet.wire else {
        return Ok(NO_WIRE);
    };
    let sci = &*wallet.sci;
    let heard = || wire.last().ok_or_else(|| "no request passed".to_owned());
    let keys = generate(sci, 1).await?;
    let key = keys.first().ok_or("no key")?;
    let generated = heard()?;
    let name = item("replay")?;
    let stored = sci.store_item(&name, b"first").await;
    let items = !is_not_offered(&stored);
    let stored = if items {
        stored.map_err(during("store_item"))?;
        let request = heard()?;
        sci.store_item(&name, b"second")
            .await
            .map_err(during("store_item"))?;
        Some(request)
    } else {
        None
    };
    let repeat = async |request: &Vec<u8>| {
        for _ in 0..3 {
            wire.send(request.clone()).await;
        }
    };
    repeat(&generated).await;
    let told = sci.list_keys().await.map_err(during("list_keys"))?;
    ensure(
        told.len() == 1,
        format!("{} keys where one was asked for", told.len()),
    )?;
    if let Some(request) = &stored {
        repeat(request).await;
        let read = sci.read_item(&name).await.map_err(during("read_item"))?;
        ensure(
            *read == b"second",
            "a repeated store_item put the old item back",
        )?;
    }
    // The session ends, and its requests with it.
    sci.end_session().await.map_err(during("end_session"))?;
    let ended = heard()?;
    repeat(&generated).await;
    open(sci, Task::Issuance).await?;
    repeat(&ended).await;
    signs(sci, key, "a repeated end_session does not end another").await?;
    repeat(&generated).await;
    let told = sci.list_keys().await.map_err(during("list_keys"))?;
    ensure(told.len() == 1, "a request of an ended session was taken")?;
    if !kit.can_spare(2) {
        return Ok(Ran::Passed);
    }
    // The one that opens a session costs a try, and a repetition must not.
    let left = wrong_pin(sci).await?;
    let tried = heard()?;
    repeat(&tried).await;
    let next = wrong_pin(sci).await?;
    ensure(
        next + 1 == left,
        format!("a repeated attempt cost tries: {left} were left, then {next}"),
    )?;
    open(sci, Task::Issuance).await?;
    Ok(Ran::Passed)
}

pub(super) async fn altered(kit: &Kit<'_>) -> Answer {
    let wallet = kit.opened(Task::Issuance).await?;
    let Some(wire) = &wallet.wire else {
        return Ok(NO_WIRE);
    };
    let sci = &*wallet.sci;
    generate(sci, 1).await?;
    let request = wire.last().ok_or("no request passed")?;
    let step = (request.len() / 24).max(1);
    for place in (0..request.len()).step_by(step) {
        let mut changed = request.clone();
        if let Some(byte) = changed.get_mut(place) {
            *byte = if *byte == b'A' { b'B' } else { b'A' };
        }
        wire.send(changed).await;
    }
    for length in [0, 1, request.len() / 2, request.len().saturating_sub(1)] {
        wire.send(request.get(..length).unwrap_or_default().to_vec())
            .await;
    }
    wire.send(vec![b'A'; 4 << 20]).await;
    wire.send(vec![0xff; 64]).await;
    let told = sci.list_keys().await.map_err(during("list_keys"))?;
    ensure(
        told.len() == 1,
        format!("{} keys where one was asked for", told.len()),
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn concurrent(kit: &Kit<'_>) -> Answer {
    const MANY: usize = 8;
    let (wallet, keys) = kit.with_keys(MANY).await?;
    let (other, _) = kit.with_keys(1).await?;
    let sci = &*wallet.sci;
    type Job<'a> = Pinned<Box<dyn Future<Output = Result<Vec<KeyId>, String>> + Send + 'a>>;
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for (n, key) in keys.iter().enumerate() {
        jobs.push(Box::pin(async move {
            signs(sci, key, &format!("at once {n}"))
                .await
                .map(|_| vec![])
        }));
        let maker = if n % 2 == 0 { sci } else { &*other.sci };
        jobs.push(Box::pin(async move {
            let made = generate(maker, 1).await?;
            Ok(made.iter().map(|key| key.id).collect())
        }));
    }
    let mut made = HashSet::new();
    for outcome in join_all(jobs).await {
        for id in outcome? {
            ensure(made.insert(id), "one key came twice")?;
        }
    }
    ensure(made.len() == MANY, "a key is missing")?;
    let mine: HashSet<KeyId> = ids(sci).await?;
    let theirs: HashSet<KeyId> = ids(&*other.sci).await?;
    ensure(
        mine.len() == MANY + MANY / 2 && theirs.len() == 1 + MANY / 2,
        format!("{} and {} keys are there", mine.len(), theirs.len()),
    )?;
    ensure(mine.is_disjoint(&theirs), "one key belongs to two units")?;
    ensure(
        made.iter()
            .all(|id| mine.contains(id) || theirs.contains(id)),
        "a key that was acknowledged is lost",
    )?;
    Ok(Ran::Passed)
}

async fn ids(sci: &dyn crate::Sci) -> Result<HashSet<KeyId>, String> {
    let keys = sci.list_keys().await.map_err(during("list_keys"))?;
    Ok(keys.iter().map(|key| key.id).collect())
}

pub(super) async fn restart(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(2).await?;
    let [kept, gone] = keys.as_slice() else {
        return Err("no keys".to_owned());
    };
    let sci = &*wallet.sci;
    let name = item("restart")?;
    let stored = sci.store_item(&name, b"content").await;
    let items = !is_not_offered(&stored);
    if items {
        stored.map_err(during("store_item"))?;
    }
    sci.destroy_keys(&[gone.id])
        .await
        .map_err(during("destroy_keys"))?;
    let counts = kit.can_spare(2);
    let left = if counts { wrong_pin(sci).await? } else { 0 };
    match kit.harness.restart().await {
        None => return Ok(Ran::NotTried("this harness cannot restart it")),
        Some(restarted) => restarted?,
    }
    let next = if counts { wrong_pin(sci).await? } else { 0 };
    ensure(
        !counts || next + 1 == left,
        format!("a restart changed the tries: {left} were left, then {next}"),
    )?;
    open(sci, Task::Presentation).await?;
    signs(sci, kept, "after a restart").await?;
    refused(
        "sign with a key destroyed before",
        try_sign(sci, gone.id).await,
        &[Code::KeyDestroyed],
    )?;
    let seen = listed(sci, gone.id).await?;
    ensure(seen.state != KeyState::Active, "a destroyed key is back")?;
    if items {
        let read = sci.read_item(&name).await.map_err(during("read_item"))?;
        ensure(*read == b"content", "an item is not what it was")?;
    }
    Ok(Ran::Passed)
}
