//! Token Status List: the list itself, its token, the reference to one entry,
//! and the permutation that indices are drawn from.
//!
//! Source: *Token Status List*, draft-ietf-oauth-status-list-20. Everything here
//! is pure: bytes and a time come in, answers go out.
//!
//! | to do | start at |
//! | --- | --- |
//! | keep statuses and write them | [`StatusList`], [`StatusListToken`] |
//! | read a token somebody else wrote | [`UnverifiedStatusList::parse`], then [`UnverifiedStatusList::verify`] |
//! | know when to fetch again | [`Caching`] |
//! | point from a token to its entry | [`Reference`] |
//! | draw indices that tell nothing | [`Permutation`], [`Allocator`] |
//!
//! The token is read and written in both its forms ([`TokenFormat`]), JWT and CWT.
//! They differ in framing alone: both are held to the same rules and end in the
//! same [`VerifiedStatusList`].

mod allocator;
mod caching;
mod claims;
mod compression;
mod list;
mod numeric_date;
mod permutation;
mod reference;
pub mod rules;
mod status;
mod token;
mod unverified;
mod verify;

pub use allocator::Allocator;
pub use caching::Caching;
pub use compression::{CompressionEffort, InflateError};
pub use list::{Bits, DecodeError, ListError, StatusList};
pub use numeric_date::numeric_date;
pub use permutation::{Permutation, PermutationError};
pub use reference::Reference;
pub use rules::RULES;
pub use status::Status;
pub use token::{BuildError, PackedToken, StatusListToken};
pub use unverified::UnverifiedStatusList;
pub use verify::{StatusListCheck, VerifiedStatusList};

/// The forms a status list token comes in, by media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenFormat {
    /// `application/statuslist+jwt`: a JWS in compact form.
    Jwt,
    /// `application/statuslist+cwt`: a tagged COSE_Sign1 in binary.
    Cwt,
}

impl TokenFormat {
    /// The media type a status provider serves this form with.
    pub fn media_type(self) -> &'static str {
        match self {
            TokenFormat::Jwt => "application/statuslist+jwt",
            TokenFormat::Cwt => "application/statuslist+cwt",
        }
    }

    /// The form that `bytes` have: CBOR tags begin with a byte that no JWS has.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes.first() {
            Some(0xc0..=0xdb) => TokenFormat::Cwt,
            _ => TokenFormat::Jwt,
        }
    }

    /// The form a `Content-Type` names, its parameters aside.
    pub fn from_media_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        [TokenFormat::Jwt, TokenFormat::Cwt]
            .into_iter()
            .find(|f| essence.eq_ignore_ascii_case(f.media_type()))
    }
}

/// How much of somebody else's token is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest token accepted, in bytes, as received.
    pub token_bytes: usize,
    /// The longest list accepted, in bytes, after decompression. A list of ten
    /// million entries of one bit takes 1.25 MB.
    pub list_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            token_bytes: 8 * 1024 * 1024,
            list_bytes: 32 * 1024 * 1024,
        }
    }
}
