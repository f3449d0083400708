//! Erasure: of a key, of a unit, and of everything that was left behind.

use super::kit::{Answer, Kit, Peer, Ran, TestUnit, during, ensure, refused, refused_as};
use crate::{DeviceError, Erasure, Generation, MacPurpose, SealPurpose, WrappedUnitKey};

pub(super) async fn destroy(kit: Kit<'_>) -> Answer {
    let test = kit.unit(2).await?;
    let key = test.key(0)?;
    let root = kit.device.root().await.map_err(during("root"))?;
    for _ in 0..2 {
        let erasure = kit
            .device
            .destroy_keys(&test.unit, &test.unit_key, std::slice::from_ref(key))
            .await
            .map_err(during("destroy_keys"))?;
        match erasure {
            Erasure::Complete => refused(
                "a key whose erasure is said to be complete",
                kit.try_sign(&test.unit, &test.unit_key, key).await,
            )?,
            Erasure::AtRotation(generation) => ensure(
                root.opens(generation) && generation == test.unit_key.generation,
                format!("erased with generation {generation}, under which the key is not"),
            )?,
        }
    }
    kit.signs(&test.unit, &test.unit_key, test.key(1)?).await?;
    let erasure = kit
        .device
        .destroy_unit(&test.unit, &test.unit_key)
        .await
        .map_err(during("destroy_unit"))?;
    if erasure == Erasure::Complete {
        refused(
            "a unit whose erasure is said to be complete",
            kit.try_sign(&test.unit, &test.unit_key, test.key(1)?).await,
        )?;
    }
    Ok(Ran::Passed)
}

pub(super) async fn moves(kit: Kit<'_>) -> Answer {
    let device = kit.device;
    let test = kit.unit(2).await?;
    let before = device.root().await.map_err(during("root"))?;
    let during_it = device
        .begin_rotation()
        .await
        .map_err(during("begin_rotation"))?;
    ensure(
        before.retiring.is_some() || during_it.retiring == Some(before.current),
        "the root in force is not the one being retired",
    )?;
    ensure(
        during_it
            .retiring
            .is_some_and(|old| old < during_it.current),
        "a new root does not have a higher generation",
    )?;
    let again = device
        .begin_rotation()
        .await
        .map_err(during("begin_rotation"))?;
    ensure(
        again == during_it,
        "beginning again does not resume the rotation",
    )?;

    // Under load: old keys still work, and new ones can be made under them.
    kit.signs(&test.unit, &test.unit_key, test.key(0)?).await?;
    let fresh = rewrap_to_new(kit, &test).await?;
    ensure(
        fresh.unit_key.generation == during_it.current,
        "a new wrapping key is not under the new root",
    )?;
    for key in &fresh.keys {
        kit.signs(&fresh.unit, &fresh.unit_key, key).await?;
    }
    let later = Generation(during_it.current.0.saturating_add(1));
    refused_as(
        "an end with another root than the one in force",
        device.finish_rotation(later).await,
        |error| matches!(error, DeviceError::OtherRoot { .. }),
    )?;
    kit.signs(&test.unit, &test.unit_key, test.key(0)?).await?;
    device
        .finish_rotation(during_it.current)
        .await
        .map_err(during("finish_rotation"))?;
    for key in &fresh.keys {
        kit.signs(&fresh.unit, &fresh.unit_key, key).await?;
    }
    let after = device.root().await.map_err(during("root"))?;
    ensure(
        after.retiring.is_none() && after.current == during_it.current,
        format!("after the rotation it holds {after:?}"),
    )?;
    let still = device
        .finish_rotation(after.current)
        .await
        .map_err(during("finish_rotation of nothing"))?;
    ensure(
        still == after.current,
        "finishing again changed the generation",
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn erases(kit: Kit<'_>) -> Answer {
    let device = kit.device;
    // The old copy of the database, of one unit that lives on without its second
    // key and of one that was destroyed.
    let lives = kit.unit(2).await?;
    let destroyed = kit.unit(1).await?;
    let item = device
        .seal_item(&destroyed.unit, &destroyed.unit_key, b"", b"secret")
        .await
        .map_err(during("seal_item"))?;

    device
        .begin_rotation()
        .await
        .map_err(during("begin_rotation"))?;
    let kept = TestUnit {
        unit: lives.unit,
        unit_key: lives.unit_key.clone(),
        keys: vec![lives.key(0)?.clone()],
    };
    let fresh = rewrap_to_new(kit, &kept).await?;
    let other = device
        .create_unit_key(&destroyed.unit)
        .await
        .map_err(during("create_unit_key"))?;
    device
        .finish_rotation(other.generation)
        .await
        .map_err(during("finish_rotation"))?;

    kit.signs(&fresh.unit, &fresh.unit_key, fresh.key(0)?)
        .await?;
    for (what, old, new) in [
        ("the old form of a destroyed key", &lives, &fresh.unit_key),
        ("the old form of a destroyed unit", &destroyed, &other),
    ] {
        for key in &old.keys {
            let signed = kit.try_sign(&old.unit, &old.unit_key, key).await;
            refused(&format!("{what}, to sign"), signed)?;
            let signed = kit.try_sign(&old.unit, new, key).await;
            refused(&format!("{what} under a living wrapping key"), signed)?;
            let redated = WrappedUnitKey {
                generation: new.generation,
                bytes: old.unit_key.bytes.clone(),
            };
            let signed = kit.try_sign(&old.unit, &redated, key).await;
            refused(&format!("{what}, said to be of the new root"), signed)?;
            let moved = device
                .rewrap(&old.unit, &old.unit_key, new, std::slice::from_ref(key))
                .await;
            refused(&format!("{what}, to move"), moved)?;
            if device.descriptor().agreement {
                let peer = Peer::new(key.public.curve())?;
                let agreed = device
                    .agree(&old.unit, &old.unit_key, key, &peer.public)
                    .await;
                refused(&format!("{what}, to agree"), agreed)?;
            }
        }
    }
    let made = device
        .generate(&destroyed.unit, &destroyed.unit_key, jose::Curve::P256, 1)
        .await;
    refused("an old wrapping key, to make keys", made)?;
    for unit_key in [&destroyed.unit_key, &other] {
        let opened = device
            .open_item(&destroyed.unit, unit_key, b"", &item)
            .await;
        refused("an item of a destroyed unit", opened)?;
    }
    Ok(Ran::Passed)
}

pub(super) async fn keeps(kit: Kit<'_>) -> Answer {
    let device = kit.device;
    let mut macs = Vec::new();
    for purpose in MacPurpose::ALL {
        macs.push(device.mac(purpose, b"kept").await.map_err(during("mac"))?);
    }
    let sealed = device
        .seal(SealPurpose::OpaqueServerKey, b"", b"kept")
        .await
        .map_err(during("seal"))?;
    let root = device
        .begin_rotation()
        .await
        .map_err(during("begin_rotation"))?;
    device
        .finish_rotation(root.current)
        .await
        .map_err(during("finish_rotation"))?;
    for (purpose, before) in MacPurpose::ALL.into_iter().zip(macs) {
        let after = device.mac(purpose, b"kept").await.map_err(during("mac"))?;
        ensure(
            before == after,
            format!("the MAC for {} changed", purpose.label()),
        )?;
    }
    let opened = device
        .open(SealPurpose::OpaqueServerKey, b"", &sealed)
        .await
        .map_err(during("open"))?;
    ensure(*opened == b"kept", "a secret came back changed")?;
    Ok(Ran::Passed)
}

/// Moves a unit to a wrapping key of its own under the root in force.
async fn rewrap_to_new(kit: Kit<'_>, old: &TestUnit) -> Result<TestUnit, String> {
    let unit_key = kit
        .device
        .create_unit_key(&old.unit)
        .await
        .map_err(during("create_unit_key"))?;
    let keys = kit
        .device
        .rewrap(&old.unit, &old.unit_key, &unit_key, &old.keys)
        .await
        .map_err(during("rewrap"))?;
    let same = keys.len() == old.keys.len()
        && keys
            .iter()
            .zip(&old.keys)
            .all(|(new, old)| new.public == old.public);
    ensure(same, "moved keys are not the same keys, in the same order")?;
    Ok(TestUnit {
        unit: old.unit,
        unit_key,
        keys,
    })
}
