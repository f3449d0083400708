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
//! # When a token is away
//!
//! Calls fail with [`wscd::DeviceError::Lost`] and the link looks for the token
//! again, at most some times a second, by itself. A PIN that was refused is never
//! tried a second time. A module that looks for tokens when it starts and only
//! then (SoftHSM) is started anew, if no other of its tokens is at work.
//!
//! # Several tokens
//!
//! A device may be several tokens that hold the same keys: `replica` in the URI.
//! Requests are spread over them, one that fails is passed over and comes back by
//! itself, and what changes what they hold is done to all of them. Why an anchor is
//! never read from a token that missed a write: `docs/decisions/0031-several-tokens.md`.
//!
//! # How much it serves
//!
//! Any number of units: nothing of a unit is in a token. The objects in a token are
//! some ten keys, the service's named keys, and two small ones for each shard. Their
//! handles are found when the token is opened; no operation searches.
//!
//! # Limits that PKCS#11 sets
//!
//! A wrapped key carries no attributes: whoever has the token's PIN *and* the
//! database could unwrap a key with attributes of their own choosing. What
//! prevents it is in the token's configuration (a partition whose policy forbids
//! extractable keys outside the rotation, CKA_UNWRAP_TEMPLATE), not in this
//! crate. And an anchor is as durable as the token's own storage.

mod anchors;
mod carry;
mod device;
mod ec;
mod error;
mod exports;
mod forms;
mod limits;
mod link;
mod login;
mod memory;
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
mod set;
mod setup;
mod token;
mod transport;
mod uri;
mod view;
mod watch;
mod wrap;
mod wrapping;

#[cfg(all(test, unix))]
#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;

use tokio::sync::oneshot;
use wscd::{DeviceError, Wscd};

pub use device::Assured;
pub use error::OpenError;
pub use pin::PinSource;
pub use setup::{Ceremony, SetUp};
pub use uri::{DeviceUri, SCHEME};

use device::Pkcs11Device;
use link::{Link, Manner};
use objects::Origin;
use set::Set;
use token::Token;
use watch::Watched;

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
    let tokens = Arc::new(gather(uri).await?);
    if tokens.set.single().is_none() {
        // One that was away may be back, and the tokens' own record says otherwise.
        if let Err(error) = tokens.memory.reconcile(&tokens.set).await
            && !error.is_transient()
        {
            return Err(not_started(error));
        }
        watch::start(&tokens).map_err(no_threads)?;
    }
    let device = Pkcs11Device::new(tokens, assured).map_err(not_started)?;
    Ok(Arc::new(device))
}

/// Sets a token up: initialises it where no token of that name is there (this
/// takes the security officer's PIN), and makes the keys that are missing. Several
/// tokens become a set: see [`Ceremony`]. Done again it changes nothing. One at a
/// time on one token.
pub async fn init(uri: &str, so_pin: Option<PinSource>) -> Result<SetUp, OpenError> {
    let without_missing = false;
    init_as(
        uri,
        Ceremony {
            so_pin,
            without_missing,
        },
    )
    .await
}

/// The same, said in full.
pub async fn init_as(uri: &str, ceremony: Ceremony) -> Result<SetUp, OpenError> {
    let uri = DeviceUri::parse(uri)?;
    let of_set = !uri.replicas.is_empty();
    let without_missing = ceremony.without_missing;
    let mut done = {
        let uri = uri.clone();
        blocking(move || setup::set_up(&uri, &ceremony)).await?
    };
    if of_set || without_missing {
        let tokens = gather(uri).await?;
        let founded = tokens.memory.found(&tokens.set, without_missing).await;
        done.set_made = founded.map_err(not_started)?;
    }
    Ok(done)
}

async fn gather(uri: DeviceUri) -> Result<Watched, OpenError> {
    let manner = Manner {
        origin: if uri.replicated_keys {
            Origin::Replicated
        } else {
            Origin::Token
        },
        of_set: !uri.replicas.is_empty(),
    };
    let tokens = blocking(move || {
        let open = |token| {
            let link = Link::to(token, manner)?;
            Ok(Arc::new(Token::start(link, uri.lines).map_err(no_threads)?))
        };
        uri.tokens()
            .map(open)
            .collect::<Result<Vec<_>, OpenError>>()
    })
    .await?;
    watch::gather(Set::of(tokens, manner.origin))
        .await
        .map_err(not_started)
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

fn no_threads(error: std::io::Error) -> OpenError {
    not_started(DeviceError::Failed {
        what: "start its threads",
        cause: error.to_string(),
    })
}

fn not_started(error: DeviceError) -> OpenError {
    OpenError::Device(Box::new(error))
}
