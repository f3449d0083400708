//! What a remote WSCA needs of a device.
//!
//! A [`Wscd`] is a device that our own, remote WSCA drives: an HSM over PKCS#11
//! or KMIP, or, for development, software. The WSCA authenticates the user and
//! decides; the device makes keys, uses them, and lets none of them out.
//! (A WSCA that stands beside the user, such as a card's applet, authenticates
//! the user itself and is no `Wscd`: it implements `sci` on the client's side.)
//!
//! # The key tree
//!
//! ```text
//! root (one object in the device, with a generation)
//!  └─ unit wrapping key   (one per wallet unit; wrapped by the root)
//!      └─ user keys       (P-256, P-384, P-521; wrapped by the unit's key)
//! ```
//!
//! The wrapped forms are opaque bytes that the WSCA keeps in its database. So
//! few objects live in the device and ten million units fit, and so erasure can
//! be shown at any scale: what is destroyed loses its row at once, and at the
//! next rotation of the root ([`Wscd::begin_rotation`], [`Wscd::rewrap`],
//! [`Wscd::finish_rotation`]) every earlier copy of that row becomes useless,
//! because each unit that lives gets a *new* wrapping key and the old root, and
//! with it every old wrapping key, is gone.
//!
//! # The rooms
//!
//! - [`Wscd`], the trait, with how PKCS#11 and KMIP meet each of its methods;
//! - [`Descriptor`], what the device says of itself, and [`AttackPotential`];
//! - [`software`], the software device: real cryptography, no certification;
//! - [`DeviceSigner`] and [`DeviceAgreement`], the service's own keys as
//!   [`jose::Signer`] and [`jose::KeyAgreement`];
//! - [`conformance`], the kit that every backend runs in its tests;
//! - [`open`], from a URI to a device.

pub mod conformance;
mod descriptor;
mod device;
mod error;
mod keys;
mod open;
mod purposes;
mod signer;
pub mod software;

pub use descriptor::{
    Architecture, Assurance, AttackPotential, Descriptor, Limits, Role, StorageMode, WscaProvider,
};
pub use device::{Anchor, ExportAttempt, Health, SignItem, Wscd};
pub use error::DeviceError;
pub use keys::{
    Erasure, Generation, RootState, UnitBinding, UserKey, WrappedKey, WrappedUnitKey, digest_len,
};
pub use open::{OpenError, SUPPORTED_SCHEMES, open};
pub use purposes::{KeyName, KeyUse, MacPurpose, SealPurpose};
pub use signer::{DeviceAgreement, DeviceSigner};
