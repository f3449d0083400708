use serde::{Deserialize, Serialize};

/// The status of one entry (draft-20, section 7.1).
///
/// Every value but [`Status::VALID`] means "do not rely on this": what a value
/// is not known to mean is never read as valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Status(pub u8);

impl Status {
    /// Valid, correct, legal.
    pub const VALID: Status = Status(0);
    /// Revoked, annulled, taken back.
    pub const INVALID: Status = Status(1);
    /// Invalid for the time being.
    pub const SUSPENDED: Status = Status(2);

    /// Whether this is [`Status::VALID`].
    pub fn is_valid(self) -> bool {
        self == Self::VALID
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => f.pad("valid"),
            1 => f.pad("invalid"),
            2 => f.pad("suspended"),
            3 | 0x0c..=0x0f => write!(f, "application-specific ({:#04x})", self.0),
            other => write!(f, "unregistered ({other:#04x})"),
        }
    }
}
