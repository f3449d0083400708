//! Making and using keys.

use std::collections::HashSet;

use jose::Curve;

use super::kit::{
    Answer, Kit, Peer, Ran, during, ensure, holds_private_part, is_not_offered, item, listed,
    not_done, open, refused, signs,
};
use crate::{
    Code, Digest, KeyId, KeyInfo, KeyState, KeyStatement, MAX_BATCH, Task, verify_possession,
};

pub(super) async fn generate(kit: &Kit<'_>) -> Answer {
    let wallet = kit.opened(Task::Issuance).await?;
    let curves: Vec<Curve> = kit
        .info
        .descriptor
        .algorithms
        .iter()
        .map(|algorithm| algorithm.curve())
        .collect();
    ensure(curves.contains(&Curve::P256), "it does not offer P-256")?;
    let count = kit.info.max_batch.min(8);
    let mut all = HashSet::new();
    for curve in Curve::ALL {
        let keys = wallet.sci.generate_keys(count, curve).await;
        if !curves.contains(&curve) {
            refused("a curve that is not offered", keys, &[Code::NotOffered])?;
            continue;
        }
        let keys = keys.map_err(during("generate_keys"))?;
        ensure(
            keys.len() == count,
            format!("{} keys came, {count} were asked for", keys.len()),
        )?;
        for key in &keys {
            ensure(key.curve() == curve, format!("a key is not on {curve}"))?;
            ensure(
                all.insert(key.id) && all.len() == all.iter().collect::<HashSet<_>>().len(),
                "two keys have one name",
            )?;
            signs(&*wallet.sci, key, "a fresh key signs").await?;
        }
        let points: HashSet<_> = keys.iter().map(|key| key.public_key.point()).collect();
        ensure(points.len() == count, "one key was made twice")?;
    }
    let told = wallet.sci.list_keys().await.map_err(during("list_keys"))?;
    let told: HashSet<KeyId> = told.iter().map(|key| key.id).collect();
    ensure(told == all, "it lists other keys than it made")?;
    Ok(Ran::Passed)
}

pub(super) async fn properties(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(2).await?;
    let said = &kit.info.descriptor;
    for key in &keys {
        let seen = listed(&*wallet.sci, key.id).await?;
        ensure(
            seen.public_key == key.public_key,
            "it lists another public key than it made",
        )?;
        for told in [key, &seen] {
            ensure(!told.exportable, "a key is said to be exportable")?;
            ensure(told.state == KeyState::Active, "a fresh key is not active")?;
            ensure(
                told.key_storage == said.key_storage
                    && told.user_authentication == said.user_authentication,
                "a key claims another level than the device",
            )?;
            ensure(
                told.certification == said.assurance.reference(),
                "a key names another certification than the device",
            )?;
            let age = kit.harness.now().duration_since(told.created);
            ensure(
                age.abs() < jiff::SignedDuration::from_mins(10),
                "a fresh key was not made now",
            )?;
        }
    }
    Ok(Ran::Passed)
}

pub(super) async fn limits(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(1).await?;
    let key = keys.first().ok_or("no key")?;
    let sci = &*wallet.sci;
    let more = kit.info.max_batch.max(MAX_BATCH) + 1;
    for count in [0, more, usize::MAX] {
        not_done(
            &format!("generate_keys of {count}"),
            sci.generate_keys(count, Curve::P256).await,
        )?;
    }
    not_done("sign of nothing", sci.sign(&[]).await)?;
    let digest = Digest::of(b"x", Curve::P256);
    let many: Vec<_> = (0..more).map(|_| (key.id, digest.clone())).collect();
    not_done(&format!("sign of {more}"), sci.sign(&many).await)?;
    let told = sci.list_keys().await.map_err(during("list_keys"))?;
    ensure(
        told.len() == 1,
        format!("{} keys where one was made", told.len()),
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn sign(kit: &Kit<'_>) -> Answer {
    let count = kit.info.max_batch.min(8);
    let (wallet, keys) = kit.with_keys(count).await?;
    let texts: Vec<String> = (0..count).map(|n| format!("message {n}")).collect();
    let mut items: Vec<(KeyId, Digest)> = keys
        .iter()
        .zip(&texts)
        .map(|(key, text)| (key.id, Digest::of(text.as_bytes(), key.curve())))
        .collect();
    let signatures = wallet.sci.sign(&items).await.map_err(during("sign"))?;
    ensure(
        signatures.len() == count,
        format!("{} signatures for {count} digests", signatures.len()),
    )?;
    for (n, ((key, text), signature)) in keys.iter().zip(&texts).zip(&signatures).enumerate() {
        ensure(
            key.public_key.verify(text.as_bytes(), signature).is_ok(),
            format!("signature {n} does not verify under key {n}"),
        )?;
    }
    if let Some(last) = items.last_mut() {
        last.0 = KeyId::random();
    }
    refused(
        "a batch with a key that is none",
        wallet.sci.sign(&items).await,
        &[Code::NoSuchKey],
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn digest_length(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(1).await?;
    let key = keys.first().ok_or("no key")?;
    for curve in [Curve::P384, Curve::P521] {
        let digest = Digest::of(b"longer", curve);
        not_done(
            &format!("a digest of {} bytes", digest.as_bytes().len()),
            wallet.sci.sign(&[(key.id, digest)]).await,
        )?;
    }
    signs(&*wallet.sci, key, "the right length").await?;
    Ok(Ran::Passed)
}

pub(super) async fn nonces(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(2).await?;
    let mut seen = HashSet::new();
    for n in 0..8 {
        for key in &keys {
            let signature = signs(&*wallet.sci, key, &format!("message {n}")).await?;
            let r = signature.get(..32).ok_or("a signature is too short")?;
            ensure(
                seen.insert(r.to_vec()),
                "two signatures share their nonce: the key follows from them",
            )?;
        }
    }
    Ok(Ran::Passed)
}

pub(super) async fn agree(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(1).await?;
    let key = keys.first().ok_or("no key")?;
    open(&*wallet.sci, Task::Presentation).await?;
    let peer = Peer::new()?;
    let agreed = wallet.sci.agree(&key.id, &peer.public).await;
    if !kit.info.descriptor.agreement {
        ensure(
            is_not_offered(&agreed),
            "it agrees, and says that it does not",
        )?;
        return Ok(Ran::NotOffered);
    }
    let ours = peer.agree(&key.public_key)?;
    ensure(
        *agreed.map_err(during("agree"))? == ours,
        "the two sides do not agree",
    )?;
    let foreign = claviger_point_on(Curve::P384)?;
    not_done(
        "agree with a point on another curve",
        wallet.sci.agree(&key.id, &foreign).await,
    )?;
    Ok(Ran::Passed)
}

/// A public key on another curve than the kit's keys.
fn claviger_point_on(curve: Curve) -> Result<jose::PublicKey, String> {
    use aws_lc_rs::agreement::{ECDH_P384, PrivateKey};
    let point = PrivateKey::generate(&ECDH_P384)
        .and_then(|private| private.compute_public_key())
        .map_err(|_| "the kit made no key")?;
    jose::PublicKey::from_point(curve, point.as_ref()).map_err(|error| error.to_string())
}

pub(super) async fn possession(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(2).await?;
    let (Some(key), Some(other)) = (keys.first(), keys.get(1)) else {
        return Err("no keys".to_owned());
    };
    let proof = wallet
        .sci
        .prove_possession(key, b"challenge")
        .await
        .map_err(during("prove_possession"))?;
    verify_possession(&proof, &key.public_key, b"challenge").map_err(|e| e.to_string())?;
    ensure(
        verify_possession(&proof, &key.public_key, b"another").is_err()
            && verify_possession(&proof, &other.public_key, b"challenge").is_err(),
        "the proof answers another challenge, or for another key",
    )?;
    let stranger = KeyInfo {
        id: KeyId::random(),
        ..key.clone()
    };
    not_done(
        "prove_possession of a key that is none",
        wallet.sci.prove_possession(&stranger, b"challenge").await,
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn no_export(kit: &Kit<'_>) -> Answer {
    let (wallet, keys) = kit.with_keys(1).await?;
    let key = keys.first().ok_or("no key")?;
    let sci = &*wallet.sci;
    let mut answers: Vec<Vec<u8>> = vec![signs(sci, key, "what comes out").await?];
    answers.push(format!("{:?}", sci.list_keys().await.map_err(during("list_keys"))?).into());
    let proof = sci.prove_possession(key, b"challenge").await;
    answers.push(proof.map_err(during("prove_possession"))?.into());
    let stated = sci.state_keys(&[key.id], "nonce", "audience").await;
    if let Ok(statement) = stated {
        let read = KeyStatement::verify(
            &statement,
            &kit.info.statement_key,
            "nonce",
            "audience",
            kit.harness.now(),
        );
        ensure(
            read.is_ok_and(|read| read.keys().iter().all(|key| !key.exportable)),
            "a statement says that a key can leave",
        )?;
        answers.push(statement.into());
    }
    // A key is no item, and an item under its name is not the key.
    let name = item(&key.id.to_string())?;
    let read = sci.read_item(&name).await;
    if let Ok(content) = &read {
        answers.push(content.to_vec());
    }
    if !is_not_offered(&read) {
        refused("read_item of a key's name", read, &[Code::NoSuchItem])?;
        sci.store_item(&name, &[7; 32])
            .await
            .map_err(during("store_item under a key's name"))?;
        signs(sci, key, "it is the same key").await?;
    }
    open(sci, Task::Presentation).await?;
    // The generator would give the public x-coordinate, and nothing else.
    for point in [key.public_key.clone(), Peer::new()?.public] {
        if let Ok(secret) = sci.agree(&key.id, &point).await {
            answers.push(secret.to_vec());
        }
    }
    ensure(
        !answers
            .iter()
            .any(|answer| holds_private_part(&key.public_key, answer)),
        "an answer holds the private key",
    )?;
    Ok(Ran::Passed)
}
