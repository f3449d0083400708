use jiff::Timestamp;
use sci::UnitId;
use uuid::Uuid;

use crate::{Fact, MailAddress};

/// A notice as it is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its identifier, the same however often it is sent.
    pub id: NoticeId,
    /// What happened.
    pub fact: Fact,
    /// The account's number; `None` once there is no such account.
    pub account: Option<i64>,
    /// The unit it is about, if it is about one.
    pub unit: Option<UnitId>,
    /// When it happened.
    pub at: Timestamp,
    /// In which language it is told.
    pub language: Language,
}

/// A notice to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotice {
    /// Its identifier.
    pub id: NoticeId,
    /// What happened.
    pub fact: Fact,
    /// Whom it concerns.
    pub to: To,
    /// The unit it is about, if it is about one.
    pub unit: Option<UnitId>,
    /// When it happened.
    pub at: Timestamp,
}

/// Whom a notice is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// The account that the unit belongs to, at the address it has confirmed by
    /// then.
    OwnerOf(UnitId),
    /// An account, at the address it has confirmed by then.
    Account(i64),
    /// This very address, whatever the account says: one that is to be confirmed,
    /// one that was replaced, that of an account which is gone.
    Address {
        /// The account's number, if there is one still.
        account: Option<i64>,
        /// The address.
        address: MailAddress,
        /// In which language it is told.
        language: Language,
    },
}

impl NewNotice {
    /// A notice about a unit, to whoever owns it.
    pub fn of_unit(unit: UnitId, fact: Fact, at: Timestamp) -> Self {
        Self {
            id: NoticeId::random(),
            fact,
            to: To::OwnerOf(unit),
            unit: Some(unit),
            at,
        }
    }

    /// A notice about an account, to its owner.
    pub fn of_account(account: i64, fact: Fact, at: Timestamp) -> Self {
        Self {
            id: NoticeId::random(),
            fact,
            to: To::Account(account),
            unit: None,
            at,
        }
    }

    /// A notice about an account, to one address of its owner's.
    pub fn to_address(
        account: Option<i64>,
        address: MailAddress,
        language: Language,
        fact: Fact,
        at: Timestamp,
    ) -> Self {
        Self {
            id: NoticeId::random(),
            fact,
            to: To::Address {
                account,
                address,
                language,
            },
            unit: None,
            at,
        }
    }
}

/// A notice's identifier: random, and the `jti` of its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NoticeId(Uuid);

impl NoticeId {
    /// A fresh one.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Its 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The identifier of these bytes; `None` where they are not 16.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).map(Self).ok()
    }
}

impl std::fmt::Display for NoticeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A language that notices are told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English, also where none is known.
    #[default]
    English,
    /// German.
    German,
    /// French.
    French,
}

impl Language {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::English, Self::German, Self::French];

    /// Its tag (RFC 5646), as the store and the headers have it.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
        }
    }

    /// The language of a tag such as `de-AT`; English where none is ours.
    pub fn of_tag(tag: &str) -> Self {
        let first = tag.split(['-', '_']).next().unwrap_or(tag);
        let ours = |language: &Self| first.eq_ignore_ascii_case(language.tag());
        Self::ALL.into_iter().find(ours).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn a_tag_leads_to_a_language() {
        for (tag, language) in [
            ("de", Language::German),
            ("de-AT", Language::German),
            ("FR_fr", Language::French),
            ("en-GB", Language::English),
            ("deu", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::of_tag(tag), language, "{tag}");
        }
    }
}
