//! What the service itself keeps in the device.

use std::collections::HashSet;

use jose::Curve;

use super::isolation::changes;
use super::kit::{Answer, Kit, Peer, Ran, digest, during, ensure, refused, refused_as};
use crate::{Anchor, DeviceError, KeyName, KeyUse, MacPurpose, SealPurpose};

pub(super) async fn mac(kit: Kit<'_>) -> Answer {
    let mac = async |purpose, data: &'static [u8]| {
        kit.device.mac(purpose, data).await.map_err(during("mac"))
    };
    let mut seen = HashSet::new();
    for purpose in MacPurpose::ALL {
        let first = mac(purpose, b"some data").await?;
        ensure(
            first == mac(purpose, b"some data").await?,
            format!("the MAC for {} changes", purpose.label()),
        )?;
        ensure(
            seen.insert(first),
            format!("{} shares its key with another purpose", purpose.label()),
        )?;
        ensure(
            seen.insert(mac(purpose, b"other data").await?),
            "a MAC does not depend on its data",
        )?;
    }
    Ok(Ran::Passed)
}

pub(super) async fn seal(kit: Kit<'_>) -> Answer {
    let secret = b"the server's static key of OPAQUE";
    let purpose = SealPurpose::OpaqueServerKey;
    let sealed = kit
        .device
        .seal(purpose, b"here", secret)
        .await
        .map_err(during("seal"))?;
    let opened = kit
        .device
        .open(purpose, b"here", &sealed)
        .await
        .map_err(during("open"))?;
    ensure(*opened == secret, "a secret came back changed")?;
    ensure(
        !sealed.windows(secret.len()).any(|window| window == secret),
        "a secret is in the clear",
    )?;
    refused(
        "a secret with other associated data",
        kit.device.open(purpose, b"there", &sealed).await,
    )?;
    refused(
        "a secret of another purpose",
        kit.device
            .open(SealPurpose::ServiceSecret, b"here", &sealed)
            .await,
    )?;
    for (what, bytes) in changes(&sealed) {
        refused(
            &format!("a secret with {what}"),
            kit.device.open(purpose, b"here", &bytes).await,
        )?;
    }
    let long = vec![0; kit.device.descriptor().limits.max_sealed.saturating_add(1)];
    refused_as(
        "a secret longer than the limit",
        kit.device.seal(purpose, b"", &long).await,
        |error| matches!(error, DeviceError::TooMany { .. }),
    )?;
    Ok(Ran::Passed)
}

/// Uses the last shard but one, and leaves its anchor three epochs ahead. The last is
/// the audit log's: a device that was checked before it served would remember a log
/// that never was.
pub(super) async fn anchor(kit: Kit<'_>) -> Answer {
    let shard = kit.device.descriptor().limits.max_shards.saturating_sub(2);
    let write = async |epoch, hash: u8| {
        let anchor = Anchor {
            epoch,
            hash: [hash; 32],
        };
        kit.device.write_anchor(shard, &anchor).await
    };
    let read = async || {
        kit.device
            .read_anchor(shard)
            .await
            .map_err(during("read_anchor"))
    };
    let held = read().await?.map_or(0, |anchor| anchor.epoch);
    let at = |steps: u64| {
        held.checked_add(steps)
            .ok_or("the shard's epochs are used up")
    };
    let right = Anchor {
        epoch: at(2)?,
        hash: [2; 32],
    };
    write(at(1)?, 1).await.map_err(during("write_anchor"))?;
    write(at(2)?, 2).await.map_err(during("write_anchor"))?;
    ensure(read().await? == Some(right), "it forgot an anchor")?;
    write(at(2)?, 2)
        .await
        .map_err(during("write_anchor of the same again"))?;
    let behind = |error: &DeviceError| matches!(error, DeviceError::AnchorBehind { .. });
    refused_as("an earlier anchor", write(at(1)?, 1).await, behind)?;
    refused_as("epoch 0", write(0, 0).await, behind)?;
    refused_as("another hash at one epoch", write(at(2)?, 3).await, behind)?;
    ensure(
        read().await? == Some(right),
        "a refused anchor changed the one held",
    )?;
    write(at(3)?, 3).await.map_err(during("write_anchor"))?;
    refused_as(
        "a shard beyond the last",
        kit.device.write_anchor(u16::MAX, &right).await,
        |error| matches!(error, DeviceError::Exhausted { .. }),
    )
    .or_else(|evidence| {
        let all = kit.device.descriptor().limits.max_shards == u16::MAX;
        if all { Ok(()) } else { Err(evidence) }
    })?;
    Ok(Ran::Passed)
}

pub(super) async fn named_sign(kit: Kit<'_>) -> Answer {
    let name = kit_name("sign")?;
    let device = kit.device;
    device
        .destroy_named(&name)
        .await
        .map_err(during("destroy_named"))?;
    let public = device
        .named_key(&name, Curve::P256, KeyUse::Sign)
        .await
        .map_err(during("named_key"))?;
    let again = device
        .named_key(&name, Curve::P256, KeyUse::Sign)
        .await
        .map_err(during("named_key"))?;
    ensure(public == again, "the same name gave two keys")?;
    let signature = device
        .sign_named(&name, &digest(Curve::P256, b"named"))
        .await
        .map_err(during("sign_named"))?;
    ensure(
        public.verify(b"named", &signature).is_ok(),
        "a signature does not verify under its named key",
    )?;
    refused_as(
        "a digest of 20 bytes",
        device.sign_named(&name, &[1; 20]).await,
        |error| matches!(error, DeviceError::DigestLength { .. }),
    )?;
    let peer = Peer::new(Curve::P256)?;
    refused_as(
        "agreement with a signing key",
        device.agree_named(&name, &peer.public).await,
        |error| matches!(error, DeviceError::WrongUse { .. }),
    )?;
    refused_as(
        "a signing key opened for agreement",
        device.named_key(&name, Curve::P256, KeyUse::Agree).await,
        |error| matches!(error, DeviceError::WrongUse { .. }),
    )?;
    if device.descriptor().curves.contains(&Curve::P384) {
        refused_as(
            "a key opened on another curve",
            device.named_key(&name, Curve::P384, KeyUse::Sign).await,
            |error| matches!(error, DeviceError::WrongCurve { .. }),
        )?;
    }
    device
        .destroy_named(&name)
        .await
        .map_err(during("destroy_named"))?;
    Ok(Ran::Passed)
}

pub(super) async fn named_agree(kit: Kit<'_>) -> Answer {
    let device = kit.device;
    if !device.descriptor().agreement {
        return Ok(Ran::NotOffered);
    }
    let name = kit_name("agree")?;
    device
        .destroy_named(&name)
        .await
        .map_err(during("destroy_named"))?;
    let public = device
        .named_key(&name, Curve::P256, KeyUse::Agree)
        .await
        .map_err(during("named_key"))?;
    let peer = Peer::new(Curve::P256)?;
    let ours = device
        .agree_named(&name, &peer.public)
        .await
        .map_err(during("agree_named"))?;
    ensure(
        *ours == peer.agree(&public)?,
        "the two sides got different secrets",
    )?;
    refused_as(
        "a signature with an agreement key",
        device.sign_named(&name, &[1; 32]).await,
        |error| matches!(error, DeviceError::WrongUse { .. }),
    )?;
    device
        .destroy_named(&name)
        .await
        .map_err(during("destroy_named"))?;
    Ok(Ran::Passed)
}

pub(super) async fn named_destroy(kit: Kit<'_>) -> Answer {
    let device = kit.device;
    let name = kit_name("destroy")?;
    let make = async || {
        device
            .named_key(&name, Curve::P256, KeyUse::Sign)
            .await
            .map_err(during("named_key"))
    };
    let destroy = async || {
        device
            .destroy_named(&name)
            .await
            .map_err(during("destroy_named"))
    };
    let first = make().await?;
    destroy().await?;
    refused_as(
        "a signature with a destroyed key",
        device.sign_named(&name, &[1; 32]).await,
        |error| matches!(error, DeviceError::NotFound { .. }),
    )?;
    destroy().await?;
    ensure(make().await? != first, "a destroyed key came back")?;
    destroy().await?;
    Ok(Ran::Passed)
}

/// A name that no service uses.
fn kit_name(what: &str) -> Result<KeyName, String> {
    KeyName::new(format!("conformance-kit.{what}")).map_err(|error| error.to_string())
}
