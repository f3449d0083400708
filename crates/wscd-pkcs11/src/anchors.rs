//! Anchors: one data object per shard, whose label is its anchor.
//!
//! A data object's value cannot be changed in place, its label can. PKCS#11 has
//! no compare-and-swap: this process compares and writes under one lock, and
//! several processes that write one shard are serialised by their caller.

use std::sync::PoisonError;

use cryptoki::object::ObjectHandle;
use wscd::{Anchor, DeviceError};

use crate::device::LIMITS;
use crate::error::{Broken, Fault};
use crate::objects::{anchor_label, create_data, find_data, label_of, set_label};
use crate::pool::Live;

pub(crate) fn read(live: &Live<'_>, shard: u16) -> Result<Option<Anchor>, Fault> {
    if shard >= LIMITS.max_shards {
        return Ok(None);
    }
    match object(live, shard)? {
        Some(object) => read_object(live, shard, object).map(Some),
        None => Ok(None),
    }
}

pub(crate) fn write(live: &Live<'_>, shard: u16, anchor: &Anchor) -> Result<(), Fault> {
    if shard >= LIMITS.max_shards {
        return Err(DeviceError::Exhausted { what: "shard" }.into());
    }
    let _changes = live
        .link
        .changes
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let Some(object) = object(live, shard)? else {
        let object = create_data(live.session, &anchor_label(shard), &text(anchor))?;
        hold(live, shard, object);
        return Ok(());
    };
    let held = read_object(live, shard, object)?;
    if held == *anchor {
        return Ok(());
    }
    if held.epoch >= anchor.epoch {
        return Err(DeviceError::AnchorBehind {
            shard,
            held,
            offered: *anchor,
        }
        .into());
    }
    set_label(live.session, object, &text(anchor))
}

fn object(live: &Live<'_>, shard: u16) -> Result<Option<ObjectHandle>, Fault> {
    let held = live
        .login
        .anchors
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&shard)
        .copied();
    if held.is_some() {
        return Ok(held);
    }
    match find_data(live.session, &anchor_label(shard))? {
        Some(object) => {
            hold(live, shard, object);
            Ok(Some(object))
        }
        None => live.is_absent(),
    }
}

fn hold(live: &Live<'_>, shard: u16, object: ObjectHandle) {
    live.login
        .anchors
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(shard, object);
}

fn read_object(live: &Live<'_>, shard: u16, object: ObjectHandle) -> Result<Anchor, Fault> {
    label_of(live.session, object)?
        .and_then(|label| parse(&label))
        .ok_or_else(|| {
            Fault::Broken(Broken::torn(
                "read an anchor",
                format!("shard {shard}'s object holds none"),
            ))
        })
}

/// base64url of `epoch(8) hash(32)`: short enough for any token's labels.
fn text(anchor: &Anchor) -> String {
    jose::b64::encode([anchor.epoch.to_be_bytes().as_slice(), &anchor.hash].concat())
}

fn parse(text: &str) -> Option<Anchor> {
    let bytes = jose::b64::decode(text).ok()?;
    let (epoch, hash) = bytes.split_first_chunk::<8>()?;
    Some(Anchor {
        epoch: u64::from_be_bytes(*epoch),
        hash: hash.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_anchor_reads_back_and_nothing_else_reads_as_one() {
        let anchor = Anchor {
            epoch: u64::MAX - 1,
            hash: [0xab; 32],
        };
        let label = text(&anchor);
        assert!(label.len() <= 64);
        assert_eq!(parse(&label), Some(anchor));
        for bad in ["", "AAAA", &label[1..], &format!("{label}A")] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
