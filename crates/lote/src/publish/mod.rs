//! A list as it is published: the page that a person can read (TLPub_05), and
//! the index of its earlier instances.
//!
//! Every page is one self-contained file: no script, nothing loaded from
//! elsewhere, and a content security policy that allows neither. What a list
//! says is text from outside, and is escaped by the one writer of mark-up.

mod archive;
mod entity;
mod html;
mod page;
mod service;

pub use archive::{Instance, archive};
pub use page::{Links, page};

use crate::Profile;

/// What the lists of a profile are called by people.
pub fn title(profile: Profile) -> &'static str {
    match profile {
        Profile::Pid => "Providers of person identification data",
        Profile::Wallet => "Wallet providers",
        Profile::Access => "Providers of wallet-relying party access certificates",
        Profile::Registration => "Providers of wallet-relying party registration certificates",
        Profile::PubEaa => "Public sector bodies that issue attestations of attributes",
        Profile::Registrars => "Registrars and registers of wallet-relying parties",
        Profile::Mdl => "Providers of mobile driving licences",
    }
}
