//! What the wallet provider and the users' accounts have in common: which account,
//! and the codes that are typed for it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

/// A user's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub i64);

impl std::fmt::Display for AccountId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The text that a user is asked to agree to, through the wallet instance, before
/// anything is processed (ARF `WIAM_05`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentView {
    /// Which text it is, for people.
    pub version: String,
    /// The SHA-256 of the text, base64url: what an activation says was agreed to.
    pub sha256: String,
    /// Where it is shown.
    pub url: String,
}

/// A code of an account, to be written down or typed: groups of four hexadecimal
/// digits with a hyphen between them.
#[derive(Clone)]
pub struct AccountCode(Zeroizing<String>);

impl AccountCode {
    /// The code that these random bytes make.
    pub fn of(random: &[u8]) -> Self {
        let mut code = Zeroizing::new(String::with_capacity(random.len() * 5 / 2));
        for (place, byte) in random.iter().enumerate() {
            if place > 0 && place % 2 == 0 {
                code.push('-');
            }
            for half in [byte >> 4, byte & 0xf] {
                code.extend(char::from_digit(u32::from(half), 16));
            }
        }
        Self(code)
    }

    /// As it is shown.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> [u8; 32] {
        account_code_hash(&self.0)
    }
}

impl std::fmt::Debug for AccountCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountCode(..)")
    }
}

/// What is kept of a code, however it was typed. It needs no stretching: what its
/// maker drew cannot be guessed.
pub fn account_code_hash(code: &str) -> [u8; 32] {
    const LABEL: &str = "claviger account code 1\0";
    let mut labelled = Zeroizing::new(String::with_capacity(LABEL.len() + 64));
    labelled.push_str(LABEL);
    labelled.extend(
        code.chars()
            .filter(char::is_ascii_hexdigit)
            .take(64)
            .map(|c| c.to_ascii_lowercase()),
    );
    jose::sha256(labelled.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = AccountCode::of(&[0xab; 16]);
        assert_eq!(code.text(), "abab-abab-abab-abab-abab-abab-abab-abab");
        let typed = code.text().to_uppercase().replace('-', " ");
        assert_eq!(account_code_hash(&typed), code.hash());
        assert_ne!(AccountCode::of(&[0xab; 8]).hash(), code.hash());
        assert_eq!(format!("{code:?}"), "AccountCode(..)");
    }
}
