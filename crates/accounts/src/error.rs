use finding::{Refusal, Rule};

use crate::{BoxError, StoreError, rules};

/// Why an account did not do what it was asked. It knows no HTTP status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request is refused, by a stable code and a rule.
    #[error("{}: {refusal}", problem.code())]
    Refused {
        /// The stable code.
        problem: Problem,
        /// The rule that was broken, and the evidence.
        refusal: Refusal,
    },
    /// The store failed. The same request may work later.
    #[error("the store failed: {0}")]
    Store(#[source] BoxError),
    /// What belongs to the account could not be ended. The same request may work later.
    #[error("what belongs to the account: {0}")]
    Belongings(#[source] BoxError),
    /// A letter could not be sent. The same request may work later.
    #[error("a letter could not be sent: {0}")]
    Letter(#[source] BoxError),
    /// The WebAuthn library could not begin a ceremony, or a kept passkey cannot be read.
    #[error("passkeys: {0}")]
    Passkeys(#[source] BoxError),
    /// The machine gave no random bytes.
    #[error("no random bytes could be had")]
    Random,
}

/// Why a request was refused: a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// The alias is empty, too long, or holds what cannot be seen.
    Alias,
    /// The alias belongs to somebody.
    AliasTaken,
    /// The ceremony is not ours, has ended, or was finished.
    Ceremony,
    /// The passkey did not prove itself.
    Passkey,
    /// The passkey belongs to an account already.
    PasskeyKnown,
    /// The account has no such passkey.
    PasskeyUnknown,
    /// The passkey's counter went back.
    Counter,
    /// No such alias, or no such unused code.
    Code,
    /// Nobody is signed in.
    NotSignedIn,
    /// The sign-in is too old for this.
    NotFresh,
    /// The form is not from our page, or not for this sign-in.
    Form,
    /// The text was not agreed to, or is another one by now.
    Consent,
    /// The e-mail address cannot be one.
    Address,
    /// The code that confirms the address is wrong or has ended.
    AddressCode,
    /// A letter was sent a moment ago.
    TooSoon,
    /// Nothing would be left to sign in with.
    LastWay,
    /// The account has as many as it may have, or a name is too long.
    Room,
}

impl Problem {
    /// Every code.
    pub const ALL: [Self; 17] = [
        Self::Alias,
        Self::AliasTaken,
        Self::Ceremony,
        Self::Passkey,
        Self::PasskeyKnown,
        Self::PasskeyUnknown,
        Self::Counter,
        Self::Code,
        Self::NotSignedIn,
        Self::NotFresh,
        Self::Form,
        Self::Consent,
        Self::Address,
        Self::AddressCode,
        Self::TooSoon,
        Self::LastWay,
        Self::Room,
    ];

    /// The rule that the request broke.
    pub fn rule(self) -> &'static Rule {
        match self {
            Self::Alias => &provider_api::rules::ALIAS,
            Self::AliasTaken => &rules::ALIAS_TAKEN,
            Self::Ceremony => &rules::CEREMONY,
            Self::Passkey => &rules::PASSKEY,
            Self::PasskeyKnown => &rules::PASSKEY_ONCE,
            Self::PasskeyUnknown => &rules::PASSKEY_UNKNOWN,
            Self::Counter => &rules::COUNTER,
            Self::Code => &rules::CODE,
            Self::NotSignedIn => &rules::SIGNED_IN,
            Self::NotFresh => &rules::FRESH,
            Self::Form => &rules::FORM,
            Self::Consent => &rules::CONSENT,
            Self::Address | Self::AddressCode => &rules::ADDRESS,
            Self::TooSoon => &rules::ADDRESS_PAUSE,
            Self::LastWay => &rules::LAST_WAY,
            Self::Room => &rules::ROOM,
        }
    }

    /// The code on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::AliasTaken => "alias-taken",
            Self::Ceremony => "ceremony",
            Self::Passkey => "passkey",
            Self::PasskeyKnown => "passkey-known",
            Self::PasskeyUnknown => "passkey-unknown",
            Self::Counter => "counter",
            Self::Code => "code",
            Self::NotSignedIn => "not-signed-in",
            Self::NotFresh => "not-fresh",
            Self::Form => "form",
            Self::Consent => "consent",
            Self::Address => "address",
            Self::AddressCode => "address-code",
            Self::TooSoon => "too-soon",
            Self::LastWay => "last-way",
            Self::Room => "room",
        }
    }
}

impl Error {
    /// A refusal. What only the one who asked may know goes into no log: the
    /// evidence names no alias, code or address.
    pub fn refused(
        problem: Problem,
        subject: impl Into<String>,
        evidence: impl Into<String>,
    ) -> Self {
        Self::Refused {
            problem,
            refusal: Refusal::because(problem.rule(), subject, evidence),
        }
    }

    /// The code, where the request was refused.
    pub fn problem(&self) -> Option<Problem> {
        match self {
            Self::Refused { problem, .. } => Some(*problem),
            _ => None,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (problem, subject) = match error {
            StoreError::AliasTaken => (Problem::AliasTaken, "alias"),
            StoreError::PasskeyKnown => (Problem::PasskeyKnown, "passkey"),
            StoreError::PasskeyUnknown => (Problem::PasskeyUnknown, "passkey"),
            StoreError::CounterBack => (Problem::Counter, "passkey"),
            StoreError::Code => (Problem::Code, "code"),
            StoreError::AccountUnknown => (Problem::NotSignedIn, "account"),
            StoreError::LastWay => (Problem::LastWay, "passkey"),
            StoreError::Full => (Problem::Room, "passkey"),
            StoreError::AddressCode => (Problem::AddressCode, "code"),
            StoreError::TooSoon => (Problem::TooSoon, "address"),
            StoreError::InUse => return Self::Belongings(error.into()),
            StoreError::Failed(error) => return Self::Store(error),
        };
        let evidence = error.to_string();
        Self::refused(problem, subject, evidence)
    }
}
