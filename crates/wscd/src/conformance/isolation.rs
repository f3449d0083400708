//! That a key stays in the device and with its unit.

use jose::Curve;

use super::kit::{
    Answer, Kit, Peer, Ran, TestUnit, during, ensure, is_private_part, refused, refused_as,
};
use crate::{DeviceError, UserKey, WrappedKey, WrappedUnitKey};

pub(super) async fn not_exportable(kit: Kit<'_>) -> Answer {
    ensure(
        !kit.device.descriptor().exportable,
        "it says that keys can be exported",
    )?;
    let test = kit.unit(1).await?;
    let attempts = kit
        .device
        .attempt_exports(&test.unit, &test.unit_key, test.key(0)?)
        .await
        .map_err(during("attempt_exports"))?;
    match attempts.iter().find(|attempt| attempt.exported) {
        Some(leak) => Err(format!("a key came out by {}: {}", leak.means, leak.answer)),
        None => Ok(Ran::Passed),
    }
}

/// Takes every stretch of a wrapped form as a scalar, forwards and backwards.
pub(super) async fn not_in_clear(kit: Kit<'_>) -> Answer {
    let test = kit.unit(4).await?;
    for key in &test.keys {
        let mut forms = vec![key.wrapped.0.clone(), key.wrapped.0.clone()];
        if let Some(backwards) = forms.last_mut() {
            backwards.reverse();
        }
        for form in forms {
            let found = form
                .windows(key.public.curve().field_len())
                .position(|scalar| is_private_part(&key.public, scalar));
            if let Some(at) = found {
                return Err(format!(
                    "byte {at} of a wrapped form begins the private key"
                ));
            }
        }
    }
    Ok(Ran::Passed)
}

pub(super) async fn foreign_unit_key(kit: Kit<'_>) -> Answer {
    let mine = kit.unit(1).await?;
    let theirs = kit.unit(1).await?;
    let key = theirs.key(0)?;
    // A database whose columns were swapped: my unit, their unit key, with their
    // key and with mine.
    for key in [key, mine.key(0)?] {
        let signed = kit.try_sign(&mine.unit, &theirs.unit_key, key).await;
        refused("another unit's wrapping key, to sign", signed)?;
    }
    let made = kit
        .device
        .generate(&mine.unit, &theirs.unit_key, Curve::P256, 1)
        .await;
    refused("another unit's wrapping key, to make keys", made)?;
    let moved = kit
        .device
        .rewrap(
            &mine.unit,
            &theirs.unit_key,
            &mine.unit_key,
            std::slice::from_ref(key),
        )
        .await;
    refused("another unit's wrapping key, to move keys from", moved)?;
    let moved = kit
        .device
        .rewrap(
            &mine.unit,
            &mine.unit_key,
            &theirs.unit_key,
            std::slice::from_ref(mine.key(0)?),
        )
        .await;
    refused("another unit's wrapping key, to move keys to", moved)?;
    let sealed = kit
        .device
        .seal_item(&mine.unit, &theirs.unit_key, b"", b"x")
        .await;
    refused("another unit's wrapping key, to seal", sealed)?;
    let destroyed = kit.device.destroy_unit(&mine.unit, &theirs.unit_key).await;
    refused("another unit's wrapping key, to destroy", destroyed)?;
    kit.signs(&theirs.unit, &theirs.unit_key, key).await?;
    Ok(Ran::Passed)
}

pub(super) async fn foreign_user_key(kit: Kit<'_>) -> Answer {
    let mine = kit.unit(1).await?;
    let theirs = kit.unit(1).await?;
    let key = theirs.key(0)?;
    let signed = kit.try_sign(&mine.unit, &mine.unit_key, key).await;
    refused("another unit's key, to sign", signed)?;

    let dressed = UserKey {
        public: mine.key(0)?.public.clone(),
        wrapped: key.wrapped.clone(),
    };
    let signed = kit.try_sign(&mine.unit, &mine.unit_key, &dressed).await;
    refused("another unit's key beside my public key", signed)?;

    let second = kit
        .device
        .create_unit_key(&mine.unit)
        .await
        .map_err(during("create_unit_key"))?;
    let moved = kit
        .device
        .rewrap(
            &mine.unit,
            &mine.unit_key,
            &second,
            std::slice::from_ref(key),
        )
        .await;
    refused("another unit's key, to move", moved)?;

    if kit.device.descriptor().agreement {
        let peer = Peer::new(Curve::P256)?;
        let agreed = kit
            .device
            .agree(&mine.unit, &mine.unit_key, key, &peer.public)
            .await;
        refused("another unit's key, to agree", agreed)?;
    }

    // The same unit, but another wrapping key of it.
    let signed = kit.try_sign(&mine.unit, &second, mine.key(0)?).await;
    refused("a key under another wrapping key of its unit", signed)?;
    kit.signs(&mine.unit, &mine.unit_key, mine.key(0)?).await?;
    Ok(Ran::Passed)
}

pub(super) async fn swapped(kit: Kit<'_>) -> Answer {
    let test = kit.unit(2).await?;
    let swapped = UserKey {
        public: test.key(0)?.public.clone(),
        wrapped: test.key(1)?.wrapped.clone(),
    };
    let signed = kit.try_sign(&test.unit, &test.unit_key, &swapped).await;
    refused("a wrapped key beside another public key", signed)?;
    let second = kit
        .device
        .create_unit_key(&test.unit)
        .await
        .map_err(during("create_unit_key"))?;
    let moved = kit
        .device
        .rewrap(&test.unit, &test.unit_key, &second, &[swapped])
        .await;
    refused("a wrapped key beside another public key, to move", moved)?;
    Ok(Ran::Passed)
}

pub(super) async fn tampered(kit: Kit<'_>) -> Answer {
    let test = kit.unit(1).await?;
    let key = test.key(0)?;
    for (what, bytes) in changes(&key.wrapped.0) {
        let changed = UserKey {
            public: key.public.clone(),
            wrapped: WrappedKey(bytes),
        };
        let signed = kit.try_sign(&test.unit, &test.unit_key, &changed).await;
        refused(&format!("a wrapped key with {what}"), signed)?;
    }
    for (what, bytes) in changes(&test.unit_key.bytes) {
        let changed = WrappedUnitKey {
            generation: test.unit_key.generation,
            bytes,
        };
        let signed = kit.try_sign(&test.unit, &changed, key).await;
        refused(&format!("a wrapping key with {what}"), signed)?;
    }
    Ok(Ran::Passed)
}

pub(super) async fn items(kit: Kit<'_>) -> Answer {
    let mine = kit.unit(0).await?;
    let theirs = kit.unit(0).await?;
    let secret = b"a pseudonym's credential";
    let seal = async |test: &TestUnit| {
        kit.device
            .seal_item(&test.unit, &test.unit_key, b"slot 1", secret)
            .await
            .map_err(during("seal_item"))
    };
    let open = async |test: &TestUnit, aad: &'static [u8], sealed: &[u8]| {
        kit.device
            .open_item(&test.unit, &test.unit_key, aad, sealed)
            .await
    };
    let sealed = seal(&mine).await?;
    let opened = open(&mine, b"slot 1", &sealed)
        .await
        .map_err(during("open_item"))?;
    ensure(*opened == secret, "an item came back changed")?;
    ensure(
        !sealed.windows(secret.len()).any(|window| window == secret),
        "an item is in the clear",
    )?;
    ensure(sealed != seal(&mine).await?, "sealing twice gives the same")?;
    refused(
        "another unit's item",
        open(&theirs, b"slot 1", &sealed).await,
    )?;
    refused(
        "an item with other associated data",
        open(&mine, b"slot 2", &sealed).await,
    )?;
    for (what, bytes) in changes(&sealed) {
        refused(
            &format!("an item with {what}"),
            open(&mine, b"slot 1", &bytes).await,
        )?;
    }
    let limit = kit.device.descriptor().limits.max_sealed;
    let long = vec![0; limit.saturating_add(1)];
    let sealed = kit
        .device
        .seal_item(&mine.unit, &mine.unit_key, b"", &long)
        .await;
    refused_as("an item longer than the limit", sealed, |error| {
        matches!(error, DeviceError::TooMany { .. })
    })?;
    Ok(Ran::Passed)
}

/// The same bytes, changed in every way that a small change can be: each byte,
/// a cut at several places, an addition.
pub(super) fn changes(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut changed: Vec<(String, Vec<u8>)> = (0..bytes.len())
        .map(|at| {
            let mut copy = bytes.to_vec();
            if let Some(byte) = copy.get_mut(at) {
                *byte ^= 0x01;
            }
            (format!("byte {at} changed"), copy)
        })
        .collect();
    for length in [0, 1, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        let cut = bytes.get(..length).unwrap_or_default().to_vec();
        changed.push((format!("only its first {length} bytes"), cut));
    }
    changed.push(("a byte added".to_owned(), [bytes, &[0]].concat()));
    changed
}
