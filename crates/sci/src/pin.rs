use zeroize::Zeroizing;

/// A wallet's PIN, as the user typed it. It never leaves the wallet instance:
/// not in a message, not in a log, and in memory it is wiped when dropped.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

/// Why a text is not accepted as a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Too short or too long.
    #[error("a PIN has {} to {} digits", Pin::MIN, Pin::MAX)]
    Length,
    /// Something else than digits.
    #[error("a PIN has digits only")]
    NotDigits,
    /// One digit over and over, or digits in a row: the first that anyone tries.
    #[error("this PIN is among the first that anyone tries")]
    Trivial,
}

impl Pin {
    /// The fewest digits.
    pub const MIN: usize = 6;
    /// The most digits.
    pub const MAX: usize = 16;

    /// A PIN that was typed to be checked.
    pub fn new(text: &str) -> Result<Self, PinError> {
        if !(Self::MIN..=Self::MAX).contains(&text.len()) {
            return Err(PinError::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PinError::NotDigits);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// A PIN that is to be set: not one of the first that anyone tries.
    pub fn choose(text: &str) -> Result<Self, PinError> {
        let pin = Self::new(text)?;
        if pin.is_trivial() {
            return Err(PinError::Trivial);
        }
        Ok(pin)
    }

    /// Whether it is one digit over and over, or digits in a row.
    pub fn is_trivial(&self) -> bool {
        let digits = self.0.as_bytes();
        let steps = || digits.iter().zip(digits.iter().skip(1));
        [0, 1, 9].iter().any(|step| {
            // Modulo ten, so that 890123 counts as a row.
            steps().all(|(a, b)| (b + 10 - a) % 10 == *step)
        })
    }

    /// The digits, for the one who hardens and blinds them.
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pins_that_are_not_accepted() {
        for (text, why) in [
            ("", PinError::Length),
            ("12345", PinError::Length),
            ("12345678901234567", PinError::Length),
            ("12345a", PinError::NotDigits),
            ("１２", PinError::NotDigits),
            ("111111", PinError::Trivial),
            ("123456", PinError::Trivial),
            ("987654", PinError::Trivial),
            ("890123", PinError::Trivial),
        ] {
            assert_eq!(Pin::choose(text).unwrap_err(), why, "{text}");
        }
        assert!(Pin::choose("493827").is_ok());
        assert!(Pin::new("111111").is_ok(), "to be checked, anything goes");
    }

    #[test]
    fn debug_shows_nothing() {
        let shown = format!("{:?}", Pin::new("493827").unwrap());
        assert!(!shown.contains("493827"));
    }
}
