//! What the WSCA states, and what it keeps besides keys.

use super::kit::{Answer, Kit, Ran, during, ensure, is_not_offered, item, not_done, open, refused};
use crate::{Code, KeyId, KeyStatement, MAX_ITEM_BYTES, Task};

pub(super) async fn state(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(3).await?;
    let ids: Vec<KeyId> = keys.iter().map(|key| key.id).collect();
    let sci = &*wallet.sci;
    let stated = sci.state_keys(&ids, "the nonce", "https://provider").await;
    if is_not_offered(&stated) {
        return Ok(Ran::NotOffered);
    }
    let text = stated.map_err(during("state_keys"))?;
    let key = &kit.info.statement_key;
    let now = kit.harness.now();
    let read = KeyStatement::verify(&text, key, "the nonce", "https://provider", now)
        .map_err(|error| format!("the statement: {error}"))?;
    ensure(read.unit() == wallet.unit, "it is about another unit")?;
    let named: Vec<_> = read.keys().iter().map(|key| (key.id, &key.jwk)).collect();
    let asked: Vec<_> = keys.iter().map(|key| (key.id, &key.public_key)).collect();
    ensure(named == asked, "it names other keys than were asked for")?;
    for stated in read.keys() {
        ensure(
            stated.key_storage == kit.info.descriptor.key_storage
                && stated.user_authentication == kit.info.descriptor.user_authentication,
            "it claims another level than the device",
        )?;
    }
    ensure(
        read.auth_time() <= read.claims().iat,
        "the user was authenticated after it was made",
    )?;
    let (Some(first), Some(second)) = (ids.first(), ids.get(1)) else {
        return Err("no keys".to_owned());
    };
    let twice = sci.state_keys(&[*first, *first], "n", "a").await;
    not_done("a statement that names a key twice", twice)?;
    not_done(
        "a statement of nothing",
        sci.state_keys(&[], "n", "a").await,
    )?;
    not_done(
        "a statement without a nonce",
        sci.state_keys(&ids, "", "a").await,
    )?;
    sci.destroy_keys(&[*second])
        .await
        .map_err(during("destroy_keys"))?;
    refused(
        "a statement of a destroyed key",
        sci.state_keys(&ids, "n", "a").await,
        &[Code::KeyDestroyed],
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn associate(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(2).await?;
    let ids: Vec<KeyId> = keys.iter().map(|key| key.id).collect();
    let stated = wallet.sci.associate_keys(&ids, "nonce", "issuer").await;
    if is_not_offered(&stated) {
        return Ok(Ran::NotOffered);
    }
    let text = stated.map_err(during("associate_keys"))?;
    let (key, now) = (&kit.info.statement_key, kit.harness.now());
    let read = KeyStatement::verify_for_association(&text, key, "nonce", "issuer", now)
        .map_err(|error| format!("the statement: {error}"))?;
    let named: Vec<_> = read.keys().iter().map(|key| key.id).collect();
    ensure(named == ids, "it names other keys than were asked for")?;
    ensure(
        KeyStatement::verify(&text, key, "nonce", "issuer", now).is_err(),
        "it would pass for a statement that earns an attestation",
    )?;
    refused(
        "an association with a key that is none",
        wallet
            .sci
            .associate_keys(&[KeyId::random()], "nonce", "issuer")
            .await,
        &[Code::NoSuchKey],
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn items(kit: &Kit<'_>) -> Answer {
    let wallet = kit.opened(Task::Issuance).await?;
    let sci = &*wallet.sci;
    let (name, largest) = (item("pseudonym.one")?, vec![0x5a; MAX_ITEM_BYTES]);
    let stored = sci.store_item(&name, b"first").await;
    if is_not_offered(&stored) {
        return Ok(Ran::NotOffered);
    }
    stored.map_err(during("store_item"))?;
    for content in [b"second".as_slice(), &[], &largest] {
        sci.store_item(&name, content)
            .await
            .map_err(during("store_item"))?;
        let read = sci.read_item(&name).await.map_err(during("read_item"))?;
        ensure(
            *read == content,
            "an item is read otherwise than it was stored",
        )?;
    }
    let too_large = vec![0; MAX_ITEM_BYTES + 1];
    not_done(
        "an item that is too large",
        sci.store_item(&name, &too_large).await,
    )?;
    refused(
        "read_item of none",
        sci.read_item(&item("pseudonym.two")?).await,
        &[Code::NoSuchItem],
    )?;
    open(sci, Task::Presentation).await?;
    let read = sci.read_item(&name).await.map_err(during("read_item"))?;
    ensure(*read == largest, "an item did not outlive its session")?;
    open(sci, Task::Maintenance).await?;
    let removed = sci.remove_item(&name).await;
    if !is_not_offered(&removed) {
        removed.map_err(during("remove_item"))?;
        refused(
            "read_item of what was removed",
            sci.read_item(&name).await,
            &[Code::NoSuchItem],
        )?;
    }
    Ok(Ran::Passed)
}
