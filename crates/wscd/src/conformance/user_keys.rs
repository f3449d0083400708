//! Making and using user keys.

use std::collections::HashSet;

use jose::Curve;

use super::kit::{Answer, Kit, Peer, Ran, digest, during, ensure, join_all, refused_as};
use crate::{Assurance, DeviceError, Role, SignItem, StorageMode};

pub(super) async fn descriptor(kit: Kit<'_>) -> Answer {
    let said = kit.device.descriptor();
    let level = said.key_storage.or(said.user_authentication);
    match (&said.assurance, level) {
        (Assurance::None, Some(level)) => {
            return Err(format!(
                "it claims {level} with neither certificate nor assumption"
            ));
        }
        (
            Assurance::Certified {
                scheme,
                certificate: named,
            }
            | Assurance::Assumed {
                scheme,
                assumption: named,
            },
            _,
        ) if scheme.is_empty() || named.is_empty() => {
            return Err("it stands on a certificate or assumption and does not name it".to_owned());
        }
        _ => {}
    }
    ensure(!said.curves.is_empty(), "it offers no curve")?;
    ensure(!said.model.is_empty(), "it does not say what it is")?;
    ensure(said.limits.max_batch > 0, "it takes batches of nothing")?;
    if said.has_role(Role::UserKeys) {
        ensure(said.limits.max_shards > 0, "it has no anchors")?;
        ensure(said.limits.max_sealed >= 64, "it seals less than a key")?;
    }
    ensure(
        said.storage == StorageMode::InDevice || said.limits.objects_per_unit == 0,
        "it stores keys wrapped, and yet takes objects for each unit",
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn health(kit: Kit<'_>) -> Answer {
    let health = kit.device.health().await.map_err(during("health"))?;
    let root = kit.device.root().await.map_err(during("root"))?;
    ensure(
        health.root == root,
        format!("health says {:?}, root says {root:?}", health.root),
    )?;
    Ok(Ran::Passed)
}

pub(super) async fn generate(kit: Kit<'_>) -> Answer {
    const COUNT: usize = 8;
    let offered = &kit.device.descriptor().curves;
    ensure(offered.contains(&Curve::P256), "it does not offer P-256")?;
    let test = kit.unit(0).await?;
    let count = COUNT.min(kit.device.descriptor().limits.max_batch);
    for curve in Curve::ALL {
        let keys = kit
            .device
            .generate(&test.unit, &test.unit_key, curve, count)
            .await;
        if !offered.contains(&curve) {
            refused_as("a curve that is not offered", keys, |error| {
                matches!(error, DeviceError::UnsupportedCurve { .. })
            })?;
            continue;
        }
        let keys = keys.map_err(during("generate"))?;
        ensure(
            keys.len() == count,
            format!(
                "{} keys on {curve} where {count} were asked for",
                keys.len()
            ),
        )?;
        ensure(
            keys.iter().all(|key| key.public.curve() == curve),
            format!("a key that is not on {curve}"),
        )?;
        let distinct: HashSet<_> = keys.iter().map(|key| &key.public).collect();
        ensure(
            distinct.len() == count,
            format!("{} different keys among {count}", distinct.len()),
        )?;
        let wrapped: HashSet<_> = keys.iter().map(|key| &key.wrapped).collect();
        ensure(
            wrapped.len() == count,
            "two keys have the same wrapped form",
        )?;
        for key in &keys {
            kit.signs(&test.unit, &test.unit_key, key).await?;
        }
    }
    Ok(Ran::Passed)
}

pub(super) async fn sign(kit: Kit<'_>) -> Answer {
    let count = 8.min(kit.device.descriptor().limits.max_batch);
    let test = kit.unit(count).await?;
    let messages: Vec<Vec<u8>> = (0..count)
        .map(|n| format!("message {n}").into_bytes())
        .collect();
    let digests: Vec<Vec<u8>> = messages
        .iter()
        .map(|message| digest(Curve::P256, message))
        .collect();
    let items: Vec<SignItem<'_>> = test
        .keys
        .iter()
        .zip(&digests)
        .map(|(key, digest)| SignItem { key, digest })
        .collect();
    let signatures = kit
        .device
        .sign_digests(&test.unit, &test.unit_key, &items)
        .await
        .map_err(during("sign_digests"))?;
    ensure(
        signatures.len() == count,
        format!("{} signatures for {count} digests", signatures.len()),
    )?;
    for (n, ((key, message), signature)) in
        test.keys.iter().zip(&messages).zip(&signatures).enumerate()
    {
        ensure(
            key.public.verify(message, signature).is_ok(),
            format!("signature {n} does not verify under key {n}"),
        )?;
    }
    Ok(Ran::Passed)
}

pub(super) async fn digest_length(kit: Kit<'_>) -> Answer {
    let test = kit.unit(0).await?;
    for curve in &kit.device.descriptor().curves {
        let keys = kit
            .device
            .generate(&test.unit, &test.unit_key, *curve, 1)
            .await
            .map_err(during("generate"))?;
        let key = keys.first().ok_or("no key came")?;
        let right = crate::digest_len(*curve);
        for length in [0, 1, 20, 31, 32, 33, 48, 64, 65, 1024] {
            if length == right {
                continue;
            }
            let digest = vec![1; length];
            let item = SignItem {
                key,
                digest: &digest,
            };
            let signed = kit
                .device
                .sign_digests(&test.unit, &test.unit_key, &[item])
                .await;
            refused_as(
                &format!("a digest of {length} bytes for {curve}"),
                signed,
                |error| matches!(error, DeviceError::DigestLength { .. }),
            )?;
        }
    }
    Ok(Ran::Passed)
}

pub(super) async fn batch(kit: Kit<'_>) -> Answer {
    let limit = kit.device.descriptor().limits.max_batch;
    let too_many = |error: &DeviceError| matches!(error, DeviceError::TooMany { .. });
    let test = kit.unit(1).await?;
    let key = test.key(0)?;
    let digest = digest(Curve::P256, b"batch");
    let item = SignItem {
        key,
        digest: &digest,
    };
    let Some(over) = limit.checked_add(1) else {
        return Err("its limit is no limit".to_owned());
    };
    ensure(limit <= 65_536, format!("batches of {limit} are no bound"))?;

    let full = kit
        .device
        .sign_digests(&test.unit, &test.unit_key, &vec![item; limit])
        .await
        .map_err(during("sign_digests of a full batch"))?;
    ensure(full.len() == limit, "a full batch came back short")?;
    let none = kit
        .device
        .sign_digests(&test.unit, &test.unit_key, &[])
        .await
        .map_err(during("sign_digests of nothing"))?;
    ensure(none.is_empty(), "signatures for no digest")?;

    let signed = kit
        .device
        .sign_digests(&test.unit, &test.unit_key, &vec![item; over])
        .await;
    refused_as("one digest more than the limit", signed, too_many)?;
    let made = kit
        .device
        .generate(&test.unit, &test.unit_key, Curve::P256, over)
        .await;
    refused_as("one key more than the limit", made, too_many)?;

    if limit > 1 {
        let short = SignItem {
            key,
            digest: digest.get(1..).unwrap_or_default(),
        };
        let signed = kit
            .device
            .sign_digests(&test.unit, &test.unit_key, &[item, short])
            .await;
        refused_as("a batch whose last item is bad", signed, |error| {
            matches!(error, DeviceError::DigestLength { .. })
        })?;
    }
    Ok(Ran::Passed)
}

pub(super) async fn agree(kit: Kit<'_>) -> Answer {
    let said = kit.device.descriptor();
    let test = kit.unit(1).await?;
    if !said.agreement {
        let peer = Peer::new(Curve::P256)?;
        let agreed = kit
            .device
            .agree(&test.unit, &test.unit_key, test.key(0)?, &peer.public)
            .await;
        refused_as("an agreement, which it does not offer,", agreed, |error| {
            matches!(error, DeviceError::NotOffered { .. })
        })?;
        return Ok(Ran::NotOffered);
    }
    for curve in &said.curves {
        let keys = kit
            .device
            .generate(&test.unit, &test.unit_key, *curve, 1)
            .await
            .map_err(during("generate"))?;
        let key = keys.first().ok_or("no key came")?;
        let peer = Peer::new(*curve)?;
        let ours = kit
            .device
            .agree(&test.unit, &test.unit_key, key, &peer.public)
            .await
            .map_err(during("agree"))?;
        ensure(
            *ours == peer.agree(&key.public)?,
            format!("the two sides got different secrets on {curve}"),
        )?;
        let other = match curve {
            Curve::P256 => Curve::P384,
            Curve::P384 | Curve::P521 => Curve::P256,
        };
        let stranger = Peer::new(other)?;
        let agreed = kit
            .device
            .agree(&test.unit, &test.unit_key, key, &stranger.public)
            .await;
        refused_as("a peer on another curve", agreed, |error| {
            matches!(error, DeviceError::WrongCurve { .. })
        })?;
    }
    Ok(Ran::Passed)
}

pub(super) async fn concurrent(kit: Kit<'_>) -> Answer {
    const UNITS: usize = 16;
    let work: Vec<super::kit::Running<'_>> = (0..UNITS)
        .map(|_| -> super::kit::Running<'_> {
            Box::pin(async move {
                let test = kit.unit(2).await?;
                for _ in 0..4 {
                    for key in &test.keys {
                        kit.signs(&test.unit, &test.unit_key, key).await?;
                    }
                }
                Ok(Ran::Passed)
            })
        })
        .collect();
    for done in join_all(work).await {
        done?;
    }
    Ok(Ran::Passed)
}
