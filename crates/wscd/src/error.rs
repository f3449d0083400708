use std::time::Duration;

use jose::Curve;

use crate::{Anchor, Generation, KeyUse, RootState};

/// Why a device did not do what it was asked.
///
/// The first three say something of the device, the next ones of the wrapped
/// form it was given (each of them may be an attack and is worth an audit
/// entry), the rest of the request.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The device has no room for another request now.
    #[error("the device is busy")]
    Busy {
        /// When to ask again, where it can tell.
        retry_after: Option<Duration>,
    },
    /// The device is away: token removed, connection lost, process gone.
    #[error("the device is away: {cause}")]
    Lost {
        /// What was seen.
        cause: String,
    },
    /// The device answered with an error of its own.
    #[error("the device failed to {what}: {cause}")]
    Failed {
        /// What was being done.
        what: &'static str,
        /// The device's own answer (a PKCS#11 return value, say).
        cause: String,
    },

    /// The wrapped form belongs to another wallet unit (ARF `WIAM_09`).
    #[error("the {what} belongs to another wallet unit")]
    WrongUnit {
        /// Which form: unit key, user key, item.
        what: &'static str,
    },
    /// The wrapped form belongs to another public key than the one beside it.
    #[error("the wrapped key is not of the public key it stands beside")]
    WrongKey,
    /// The user key or item is not under the unit key that was given.
    #[error("the {what} is not under the unit key that was given")]
    WrongUnitKey {
        /// Which form: user key or item.
        what: &'static str,
    },
    /// It is under a root that is gone: erased, and beyond this device's reach.
    #[error("wrapped under root generation {generation}, which is gone (now {})", .root.current)]
    WrongGeneration {
        /// The generation it is under.
        generation: Generation,
        /// The roots there are.
        root: RootState,
    },
    /// It does not authenticate: changed, of another device, or sealed with
    /// other associated data.
    #[error("the {what} does not authenticate: {cause}")]
    Tampered {
        /// Which form.
        what: &'static str,
        /// Where it failed.
        cause: &'static str,
    },

    /// Another root is in force than the one that a rotation was to end with.
    #[error("root generation {asked} is not in force (now {})", .root.current)]
    OtherRoot {
        /// The root that everything was moved to.
        asked: Generation,
        /// The roots there are.
        root: RootState,
    },

    /// No such thing.
    #[error("no {what} named {name}")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The digest's length does not fit the key's curve.
    #[error("a digest of {got} bytes for a key that signs {expected}")]
    DigestLength {
        /// Bytes that the key's algorithm signs.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// More items, or bytes, than the descriptor allows in one call.
    #[error("{got} {what} in one call; the device takes {limit}")]
    TooMany {
        /// What of.
        what: &'static str,
        /// The descriptor's limit.
        limit: usize,
        /// What came.
        got: usize,
    },
    /// The device does not know this curve.
    #[error("the device has no keys on {curve}")]
    UnsupportedCurve {
        /// The curve asked for.
        curve: Curve,
    },
    /// The key, or the peer's key, is on another curve.
    #[error("{what} is on {got}, where {expected} is needed")]
    WrongCurve {
        /// Which key.
        what: &'static str,
        /// The curve that fits.
        expected: Curve,
        /// The curve that came.
        got: Curve,
    },
    /// A named key was made for the other use.
    #[error("key {name} is for {is}, not for {asked}")]
    WrongUse {
        /// The key.
        name: String,
        /// What it was made for.
        is: KeyUse,
        /// What was asked of it.
        asked: KeyUse,
    },
    /// Not a name that every device can carry: see [`crate::KeyName`].
    #[error("{name:?} is no key name: 1 to 64 of a-z, 0-9, '-', '_', '.'")]
    BadName {
        /// The name.
        name: String,
    },
    /// An anchor that would not move the shard forward.
    #[error(
        "shard {shard} is anchored at epoch {}, and epoch {} would not move it forward",
        .held.epoch, .offered.epoch
    )]
    AnchorBehind {
        /// The shard.
        shard: u16,
        /// What the device holds.
        held: Anchor,
        /// What it was offered.
        offered: Anchor,
    },
    /// The device is full.
    #[error("the device has no room for another {what}")]
    Exhausted {
        /// What of.
        what: &'static str,
    },
    /// The device does not offer this at all.
    #[error("the device does not offer {what}")]
    NotOffered {
        /// What.
        what: &'static str,
    },
}

impl DeviceError {
    /// Whether the same request may succeed later without anyone's doing.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Lost { .. })
    }

    /// Whether the device refused the wrapped form it was given: it belongs
    /// elsewhere, it was changed, or its root is gone. May be an attack.
    pub fn refuses_form(&self) -> bool {
        matches!(
            self,
            Self::WrongUnit { .. }
                | Self::WrongKey
                | Self::WrongUnitKey { .. }
                | Self::WrongGeneration { .. }
                | Self::Tampered { .. }
        )
    }
}
