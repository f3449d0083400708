//! Anchors: one register per shard.
//!
//! PKCS#11 has no compare-and-swap: this process compares and writes under one
//! lock, and several processes that write one shard are serialised by their
//! caller.

use std::sync::PoisonError;

use wscd::{Anchor, DeviceError};

use crate::error::{Broken, Fault};
use crate::limits::LIMITS;
use crate::objects::{VIEW, anchor_name, anchored_shards};
use crate::pool::Live;
use crate::register::Register;
use crate::view::View;

pub(crate) fn read(live: &Live<'_>, shard: u16) -> Result<Option<Anchor>, Fault> {
    if shard >= LIMITS.max_shards {
        return Ok(None);
    }
    let register = register(live, shard)?;
    match read_register(live, register)? {
        Some(anchor) => Ok(Some(anchor)),
        // An anchor that was there is never taken for one that was not.
        None if !register.is_empty() => Err(Fault::Broken(Broken::torn(
            "read an anchor",
            format!("the objects of shard {shard} hold none"),
        ))),
        None => live.is_absent(),
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
    match read(live, shard)? {
        Some(held) if held == *anchor => return Ok(()),
        Some(held) if held.epoch >= anchor.epoch => {
            return Err(DeviceError::AnchorBehind {
                shard,
                held,
                offered: *anchor,
            }
            .into());
        }
        _ => {}
    }
    let name = anchor_name(shard);
    let register =
        register(live, shard)?.write(live.session, &name, &text(anchor), parse, |anchor| {
            anchor.epoch
        })?;
    hold(live, shard, register);
    Ok(())
}

/// Every anchor there is.
pub(crate) fn all(live: &Live<'_>) -> Result<Vec<(u16, Anchor)>, Fault> {
    let mut anchors = Vec::new();
    for shard in anchored_shards(live.session)? {
        if let Some(anchor) = read(live, shard)? {
            anchors.push((shard, anchor));
        }
    }
    Ok(anchors)
}

/// Takes over anchors that other tokens hold, where they are ahead.
pub(crate) fn take_over(live: &Live<'_>, anchors: &[(u16, Anchor)]) -> Result<(), Fault> {
    for (shard, anchor) in anchors {
        match write(live, *shard, anchor) {
            Err(Fault::Refused(DeviceError::AnchorBehind { held, .. }))
                if held.epoch > anchor.epoch => {}
            other => other?,
        }
    }
    Ok(())
}

/// Which tokens of its set count, as this one remembers it; `None` where it was
/// never one of a set.
pub(crate) fn view(live: &Live<'_>) -> Result<Option<View>, Fault> {
    let mut held = live
        .login
        .view
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    // A token that was alone when it was opened stays so: no search for nothing.
    if !held.is_empty() && !held.is_complete() {
        *held = Register::find(live.session, VIEW)?;
    }
    let view = held.read(live.session, View::parse, |view| view.number)?;
    match view {
        None if !held.is_empty() => Err(Fault::Broken(Broken::torn(
            "read which tokens count",
            "its objects say nothing".to_owned(),
        ))),
        view => Ok(view),
    }
}

/// Writes a view, unless the token has it or a later one.
pub(crate) fn write_view(live: &Live<'_>, view: &View) -> Result<(), Fault> {
    let _changes = live
        .link
        .changes
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let mut held = live
        .login
        .view
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if !held.is_complete() {
        *held = Register::find(live.session, VIEW)?;
    }
    let number = |view: &View| view.number;
    let said = held.read(live.session, View::parse, number)?;
    if said.is_none_or(|said| said.number < view.number) {
        *held = held.write(live.session, VIEW, &view.text(), View::parse, number)?;
    }
    Ok(())
}

fn read_register(live: &Live<'_>, register: Register) -> Result<Option<Anchor>, Fault> {
    register.read(live.session, parse, |anchor| anchor.epoch)
}

fn register(live: &Live<'_>, shard: u16) -> Result<Register, Fault> {
    let held = live
        .login
        .anchors
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&shard)
        .copied();
    if let Some(register) = held {
        return Ok(register);
    }
    let register = Register::find(live.session, &anchor_name(shard))?;
    // One with a single object may get its second from another process.
    if register.is_complete() {
        hold(live, shard, register);
    }
    Ok(register)
}

fn hold(live: &Live<'_>, shard: u16, register: Register) {
    if register.is_complete() {
        live.login
            .anchors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(shard, register);
    }
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
        for bad in ["", "AAAA", label.get(1..).unwrap(), &format!("{label}A")] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
