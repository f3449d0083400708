//! The rules behind the codes that a WSCA refuses with.

use finding::Rule;

use crate::Code;

finding::rules! {
    REQUEST = "WSCA-REQUEST", "draft-santesson-r2ps-00; docs/protocols/wsca.md", Error,
        "a request is well-formed, within limits, of a known type, and of this moment";
    POSSESSION = "WSCA-POSSESSION", "CIR (EU) 2024/2979, Art. 5(1)(a), (b)", Error,
        "the device-bound key of the unit, and of the session, signs every request";
    REPLAY = "WSCA-REPLAY", "docs/protocols/wsca.md", Error,
        "no request is taken twice";
    PIN = "WSCA-PIN", "CIR (EU) 2015/1502, Annex 2.2.1; ARF 3.0, WIAM_14", Error,
        "the PIN is registered once, and proven before a key is used";
    PIN_RETRY = "WSCA-PIN-RETRY", "CIR (EU) 2015/1502, Annex 2.2.1; ARF 3.0, WIAM_14", Error,
        "wrong PINs are counted before they are tried, with growing pauses, and end";
    SESSION = "WSCA-SESSION", "CIR (EU) 2024/2979, Art. 5(1)(a); ARF 3.0, WIAM_17", Error,
        "keys are used in a live session of a task that allows it, and nowhere else";
    ISOLATION = "WSCA-ISOLATION", "ARF 3.0, WIAM_09", Error,
        "a unit reaches its own keys and items, and no others";
    ERASED = "WSCA-ERASED", "CIR (EU) 2024/2979, Art. 5(1)(d); ARF 3.0, WIAM_21", Error,
        "what was destroyed is not used again";
    FROZEN = "WSCA-FROZEN", "ARF 3.0, 4.6.4, WURevocation_09c", Error,
        "a revoked unit's keys are not used again";
    RETIRED = "WSCA-RETIRED", "ARF 3.0, 4.6.4, Revoked", Error,
        "a revoked unit gets no new keys, and none are stated for an attestation";
    LIMITS = "WSCA-LIMITS", "house rule: a unit holds no more than it may", Error,
        "a unit has so many keys and items, and the device offers what it offers";
    INTEGRITY = "WSCA-INTEGRITY", "CIR (EU) 2024/2979, Art. 5(1)(f)", Error,
        "a unit's record is what the WSCA wrote, and not older than the device remembers";
    AVAILABLE = "WSCA-AVAILABLE", "house rule: a failure uses nothing up", Error,
        "the WSCA and its device are there";
}

impl Code {
    /// The rule that stands behind the code.
    pub fn rule(self) -> &'static Rule {
        match self {
            Self::IllegalRequestData | Self::UnsupportedRequestType | Self::Stale => &REQUEST,
            Self::Unauthorized => &POSSESSION,
            Self::Replayed => &REPLAY,
            Self::PinPaused | Self::PinBlocked => &PIN_RETRY,
            Self::NoPin | Self::PinExists | Self::PinUnproven => &PIN,
            Self::NoSession | Self::TaskForbids => &SESSION,
            Self::NoSuchKey | Self::NoSuchItem => &ISOLATION,
            Self::KeyDestroyed | Self::UnitDestroyed => &ERASED,
            Self::UnitFrozen => &FROZEN,
            Self::UnitRetired => &RETIRED,
            Self::TooMany | Self::NotOffered => &LIMITS,
            Self::RecordAltered | Self::StateRolledBack => &INTEGRITY,
            Self::TryLater | Self::ServerError => &AVAILABLE,
        }
    }
}
