//! A device behind PKCS#11: an HSM, SoftHSM, kryoptic.
//!
//! [`open`] gives a [`wscd::Wscd`] whose keys never leave a token; [`init`] sets
//! a token up for it. Both take an RFC 7512 URI ([`DeviceUri`]).
//!
//! # What is in the token
//!
//! Some ten keys that are made in it, sensitive and never extractable: the root
//! (two during a rotation), a key that authenticates wrapped forms, one MAC or
//! sealing key per purpose, the service's named keys; and two data objects per
//! shard that has an anchor. Nothing of a unit, so a token serves any number of
//! them: their keys are wrapped, in the caller's database.
//!
//! # How a key is used
//!
//! Unwrapped into a session object that is sensitive and not extractable and may
//! do one thing, used, destroyed, in one PKCS#11 session. On the way in, a MAC of
//! the device binds the wrapped key to its unit, its unit's key, its generation
//! and its public key: PKCS#11's wrapping says none of that
//! (`docs/decisions/0030-pkcs11-binding.md`).
//!
//! # What is asked of a token
//!
//! AES-256, generic secret and EC key generation, `CKM_ECDSA` over digests,
//! `CKM_SHA256_HMAC`; to wrap, `CKM_AES_KEY_WRAP_PAD` or `CKM_AES_GCM`; to seal,
//! `CKM_AES_GCM` or `CKM_AES_CBC_PAD` with an HMAC. `CKM_ECDH1_DERIVE` is optional.
//! Each token is asked, and one that lacks something is refused by its name.
//!
//! # When the token is away
//!
//! Calls fail with [`wscd::DeviceError::Lost`] and the link looks for the token
//! again, at most some times a second, by itself. A PIN that was refused is never
//! tried a second time. A module that looks for tokens when it starts and only
//! then (SoftHSM) is started anew, if no other of its tokens is at work.
//!
//! # Limits that PKCS#11 sets
//!
//! A wrapped key carries no attributes: whoever has the token's PIN *and* the
//! database could unwrap a key with attributes of their own choosing. What
//! prevents it is in the token's configuration (a partition whose policy forbids
//! extractable keys outside the rotation, CKA_UNWRAP_TEMPLATE), not in this
//! crate. And an anchor is as durable as the token's own storage.

mod anchors;
mod device;
mod ec;
mod error;
mod exports;
mod forms;
mod link;
mod login;
mod module;
mod named;
mod objects;
mod pin;
mod pool;
mod profile;
mod register;
mod roots;
mod rotation;
mod seal;
mod setup;
mod uri;
mod wrap;

#[cfg(all(test, unix))]
#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;

use tokio::sync::oneshot;
use wscd::{Assurance, AttackPotential, DeviceError, Wscd};

pub use error::OpenError;
pub use pin::PinSource;
pub use uri::{DeviceUri, SCHEME};

use device::Pkcs11Device;
use link::Link;
use module::Module;

/// Opens a token as a device that claims no level.
///
/// Errors: see [`OpenError`]; a token that was not set up is `NotSetUp`, a wrong
/// PIN (tried once) `PinRefused`.
pub async fn open(uri: &str) -> Result<Arc<dyn Wscd>, OpenError> {
    open_as(uri, Assured::default()).await
}

/// Opens a token as a device that claims what its operator vouches for: a token
/// cannot say over PKCS#11 how it was certified.
pub async fn open_as(uri: &str, assured: Assured) -> Result<Arc<dyn Wscd>, OpenError> {
    let uri = DeviceUri::parse(uri)?;
    blocking(move || {
        let pin = uri.pin.read()?;
        let module = Module::at(&uri.module)?;
        let mut pin = Some(pin);
        let (link, new) = module.link(&uri.token, || match pin.take() {
            Some(pin) => Link::open(&module, &uri.token, pin),
            None => Err(OpenError::NoPin),
        })?;
        // The token was open already, and was not asked: the PIN must be the same.
        if let Some(pin) = pin
            && !link.has_pin(&pin)
        {
            return Err(OpenError::PinRefused { who: "user" });
        }
        let mut login = link.login().map_err(not_started)?;
        if !new {
            // What is in the token may be another by now than when it was opened.
            login = link.revive(Some(login.epoch)).map_err(not_started)?;
        }
        let device = Pkcs11Device::new(link, &login, uri.lines, assured).map_err(|error| {
            not_started(DeviceError::Failed {
                what: "start its threads",
                cause: error.to_string(),
            })
        })?;
        Ok(Arc::new(device) as Arc<dyn Wscd>)
    })
    .await
}

/// Sets a token up: initialises it where no token of that name is there (this
/// takes `so_pin`, the security officer's), and makes the keys that are missing.
/// Done again it changes nothing. One at a time on one token.
pub async fn init(uri: &str, so_pin: Option<PinSource>) -> Result<SetUp, OpenError> {
    let uri = DeviceUri::parse(uri)?;
    blocking(move || {
        let pin = uri.pin.read()?;
        let so_pin = so_pin.as_ref().map(PinSource::read).transpose()?;
        setup::set_up(&uri, &pin, so_pin.as_ref())
    })
    .await
}

/// What the operator vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assured {
    /// The certification, or the assumption that stands in for it.
    pub assurance: Assurance,
    /// What attacks the token's keys withstand, by that certification.
    pub key_storage: Option<AttackPotential>,
}

impl Default for Assured {
    /// Nothing.
    fn default() -> Self {
        Self {
            assurance: Assurance::None,
            key_storage: None,
        }
    }
}

/// What [`init`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetUp {
    /// Whether the token itself was initialised.
    pub token_made: bool,
    /// The labels of the objects that were made; none when all were there.
    pub objects_made: Vec<String>,
}

/// Runs what blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let (reply, answer) = oneshot::channel();
    let started = std::thread::Builder::new()
        .name("pkcs11-open".to_owned())
        .spawn(move || {
            // Who asked may have left.
            let _ = reply.send(work());
        });
    let failed = |cause: String| {
        not_started(DeviceError::Failed {
            what: "start",
            cause,
        })
    };
    started.map_err(|error| failed(error.to_string()))?;
    match answer.await {
        Ok(answer) => answer,
        Err(_) => Err(failed("it ended without an answer".to_owned())),
    }
}

fn not_started(error: DeviceError) -> OpenError {
    OpenError::Device(Box::new(error))
}
