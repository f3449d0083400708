//! What can be told.

use provider_api::{RevocationReason, Revoker};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// What happened. The names are those of the webhooks and of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Fact {
    /// A unit was revoked, for good (ARF `WURevocation_14`).
    UnitRevoked {
        /// Who revoked it.
        by: Revoker,
        /// Why.
        reason: RevocationReason,
        /// What became of its keys at the WSCA.
        keys: Keys,
        /// Where the technical details of a breach stand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        advisory: Option<Advisory>,
    },
    /// One place where a unit keeps keys was revoked, and the unit was not
    /// (ARF `WURevocation_07a`, `WURevocation_09c`).
    KeysRevoked {
        /// Which place.
        part: Part,
        /// Who revoked it.
        by: Revoker,
        /// Why.
        reason: RevocationReason,
        /// Where the technical details of a breach stand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        advisory: Option<Advisory>,
    },
    /// An address of mail is to be confirmed by the code that is sent there.
    AddressToConfirm {
        /// The code. It is no part of what is written, and goes by mail alone.
        #[serde(skip)]
        code: Code,
    },
    /// The account writes to another address from now on, or to none. Told at the old
    /// one.
    AddressReplaced,
    /// The account and all that hung on it was deleted.
    AccountDeleted,
    /// A passkey was added to the account.
    PasskeyAdded,
    /// The account has new recovery codes, and the old ones are worth nothing.
    RecoveryCodesReplaced,
    /// Somebody signed in by a recovery code.
    SignedInByRecoveryCode,
}

/// What became of a revoked unit's keys at the WSCA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keys {
    /// Nobody can use them any more.
    Frozen,
    /// The user still can.
    Usable,
}

/// A place where a unit keeps keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The WSCD, where the keys of PIDs are.
    Wscd,
    /// The device's keystore, where keys of other attestations may be.
    Keystore,
}

/// Where the technical details of a breach stand: the name of an advisory, such as
/// `EUVD-2026-0001`, of 1 to 64 letters, digits, dots, hyphens and colons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Advisory(String);

/// The text is not an advisory's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an advisory's name is 1 to 64 letters, digits, dots, hyphens and colons")]
pub struct AdvisoryError;

/// A code that confirms an address: 1 to 64 letters, digits and hyphens.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Code(Zeroizing<String>);

/// The text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code is 1 to 64 letters, digits and hyphens")]
pub struct CodeError;

/// What the outbox holds is not a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FactError {
    /// Not a fact that this version knows.
    #[error("not a fact that this version knows")]
    Unknown,
    /// Its code is gone.
    #[error("its code is gone")]
    NoCode,
}

impl Fact {
    /// What of it is written beside its secret.
    pub fn to_json(&self) -> Result<String, FactError> {
        serde_json::to_string(self).map_err(|_| FactError::Unknown)
    }

    /// The fact that was written so.
    pub fn from_parts(json: &str, secret: Option<&str>) -> Result<Self, FactError> {
        let mut fact = serde_json::from_str(json).map_err(|_| FactError::Unknown)?;
        if let Self::AddressToConfirm { code } = &mut fact {
            let secret = secret.ok_or(FactError::NoCode)?;
            *code = secret.parse().map_err(|_| FactError::NoCode)?;
        }
        Ok(fact)
    }

    /// What of it is kept only until it is delivered.
    pub fn secret(&self) -> Option<&str> {
        match self {
            Self::AddressToConfirm { code } => Some(code.as_str()),
            _ => None,
        }
    }

    /// Whether the user must be told of it, within a day (ARF `WURevocation_14`).
    pub fn must_be_told(&self) -> bool {
        matches!(self, Self::UnitRevoked { .. } | Self::KeysRevoked { .. })
    }

    /// Its name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UnitRevoked { .. } => "unit-revoked",
            Self::KeysRevoked { .. } => "keys-revoked",
            Self::AddressToConfirm { .. } => "address-to-confirm",
            Self::AddressReplaced => "address-replaced",
            Self::AccountDeleted => "account-deleted",
            Self::PasskeyAdded => "passkey-added",
            Self::RecoveryCodesReplaced => "recovery-codes-replaced",
            Self::SignedInByRecoveryCode => "signed-in-by-recovery-code",
        }
    }
}

impl Advisory {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Advisory {
    type Err = AdvisoryError;

    fn from_str(text: &str) -> Result<Self, AdvisoryError> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
        if !(1..=64).contains(&text.len()) || !text.chars().all(known) {
            return Err(AdvisoryError);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Advisory {
    type Error = AdvisoryError;

    fn try_from(text: String) -> Result<Self, AdvisoryError> {
        text.parse()
    }
}

impl From<Advisory> for String {
    fn from(advisory: Advisory) -> Self {
        advisory.0
    }
}

impl Code {
    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        let known = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !(1..=64).contains(&text.len()) || !text.chars().all(known) {
            return Err(CodeError);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_fact_is_read_as_it_was_written() {
        let facts = [
            (
                Fact::UnitRevoked {
                    by: Revoker::User,
                    reason: RevocationReason::LostOrStolen,
                    keys: Keys::Frozen,
                    advisory: None,
                },
                r#"{"kind":"unit-revoked","by":"user","reason":"lost-or-stolen","keys":"frozen"}"#,
            ),
            (
                Fact::KeysRevoked {
                    part: Part::Keystore,
                    by: Revoker::Operator,
                    reason: RevocationReason::Security,
                    advisory: Some("EUVD-2026-0001".parse().unwrap()),
                },
                r#"{"kind":"keys-revoked","part":"keystore","by":"operator","reason":"security","advisory":"EUVD-2026-0001"}"#,
            ),
            (Fact::AddressReplaced, r#"{"kind":"address-replaced"}"#),
            (Fact::AccountDeleted, r#"{"kind":"account-deleted"}"#),
            (Fact::PasskeyAdded, r#"{"kind":"passkey-added"}"#),
            (
                Fact::RecoveryCodesReplaced,
                r#"{"kind":"recovery-codes-replaced"}"#,
            ),
            (
                Fact::SignedInByRecoveryCode,
                r#"{"kind":"signed-in-by-recovery-code"}"#,
            ),
        ];
        for (fact, json) in facts {
            assert_eq!(fact.to_json().unwrap(), json);
            assert_eq!(Fact::from_parts(json, None), Ok(fact.clone()));
            assert!(json.contains(&format!("\"kind\":\"{}\"", fact.kind())));
            assert_eq!(fact.secret(), None);
        }
    }

    #[test]
    fn a_code_is_kept_apart_and_not_shown() {
        let code: Code = "1234-5678".parse().unwrap();
        let fact = Fact::AddressToConfirm { code };
        let json = fact.to_json().unwrap();
        assert_eq!(json, r#"{"kind":"address-to-confirm"}"#);
        assert!(!format!("{fact:?}").contains("1234"));
        assert_eq!(Fact::from_parts(&json, fact.secret()), Ok(fact));
        assert_eq!(Fact::from_parts(&json, None), Err(FactError::NoCode));
        let broken = Fact::from_parts(&json, Some("12\r\nBcc: x"));
        assert_eq!(broken, Err(FactError::NoCode));
    }

    #[test]
    fn what_is_no_fact_is_refused() {
        for json in [
            "",
            "[]",
            r#"{"kind":"party"}"#,
            r#"{"kind":"unit-revoked"}"#,
            r#"{"kind":"keys-revoked","part":"wscd","by":"user","reason":"security","advisory":"see http://x"}"#,
        ] {
            assert_eq!(Fact::from_parts(json, None), Err(FactError::Unknown));
        }
    }
}
