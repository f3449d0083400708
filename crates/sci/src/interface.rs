use async_trait::async_trait;
use jose::{Curve, PublicKey};
use zeroize::Zeroizing;

use crate::{ActivationInfo, Digest, Error, ItemName, KeyId, KeyInfo, Pin, SessionInfo, Task};

/// Most keys made, or digests signed, in one request.
pub const MAX_BATCH: usize = 64;

/// Most bytes of a protected item.
pub const MAX_ITEM_BYTES: usize = 4096;

/// What a wallet instance may ask of its WSCA (CIR (EU) 2024/2979, Article 5).
///
/// Every method but [`Sci::activation_info`], [`Sci::register_pin`] and
/// [`Sci::open_session`] needs a session of a task that allows it
/// ([`Task::allows`]); without one it answers [`Error::NoSession`] or a
/// refusal. There is no method that gives a private key out, and none that takes
/// one in (ARF `WUA_16a`).
///
/// *On a card*, opening a session is `VERIFY PIN` over secure messaging, a key
/// is a key reference, and a batch is several commands within one verified
/// state. *On a phone's keystore*, it is the platform's own prompt, and the task
/// is what the prompt shows. *Remotely*, it is OPAQUE inside R2PS.
#[async_trait]
pub trait Sci: std::fmt::Debug + Send + Sync {
    /// What an activation needs to know (ARF `WIAM_05`).
    async fn activation_info(&self) -> Result<ActivationInfo, Error>;

    /// Registers the unit's PIN, once.
    ///
    /// Errors: `PIN_EXISTS`; a PIN that is among the first that anyone tries.
    async fn register_pin(&self, pin: &Pin) -> Result<(), Error>;

    /// Changes the PIN. It opens a session of its own for it and ends it; any
    /// other session of the unit is ended too. A crash leaves either the old or
    /// the new PIN.
    async fn change_pin(&self, old: &Pin, new: &Pin) -> Result<(), Error>;

    /// Proves the PIN and opens a session. One that was open here before is left.
    ///
    /// Errors: [`Error::WrongPin`], `PIN_PAUSED`, `PIN_BLOCKED`, `NO_PIN`.
    async fn open_session(&self, pin: &Pin, task: Task) -> Result<SessionInfo, Error>;

    /// The session that is open here, as the WSCA sees it now: whether the user
    /// is authenticated.
    async fn session(&self) -> Result<Option<SessionInfo>, Error>;

    /// Ends the session. None is no error.
    async fn end_session(&self) -> Result<(), Error>;

    /// Makes up to [`MAX_BATCH`] keys.
    async fn generate_keys(&self, count: usize, curve: Curve) -> Result<Vec<KeyInfo>, Error>;

    /// The unit's keys, the destroyed ones among them.
    async fn list_keys(&self) -> Result<Vec<KeyInfo>, Error>;

    /// Signs up to [`MAX_BATCH`] digests, each with its own key, in one bounded
    /// action: all or none. The signatures are `r || s`, in the order asked.
    async fn sign(&self, items: &[(KeyId, Digest)]) -> Result<Vec<Vec<u8>>, Error>;

    /// ECDH with a key: the x-coordinate of the shared point (device
    /// authentication by MAC, ISO/IEC 18013-5).
    async fn agree(&self, key: &KeyId, peer: &PublicKey) -> Result<Zeroizing<Vec<u8>>, Error>;

    /// Proves possession of a key for a challenge: a compact JWS of the typ
    /// [`crate::POSSESSION_TYP`] that [`crate::verify_possession`] reads.
    async fn prove_possession(&self, key: &KeyInfo, challenge: &[u8]) -> Result<String, Error>;

    /// A statement, signed by the WSCA and bound to the live session, of keys
    /// that this unit holds: what the wallet provider issues a key attestation
    /// on. [`crate::KeyStatement::verify`] reads it.
    async fn state_keys(
        &self,
        keys: &[KeyId],
        nonce: &str,
        audience: &str,
    ) -> Result<String, Error>;

    /// The same for an association (ARF `ACP_01`, `ACP_05`): what the wallet provider
    /// signs an association statement on, that these keys are managed by one WSCA
    /// for one user. [`crate::KeyStatement::verify_for_association`] reads it.
    ///
    /// A WSCA that cannot answers `NOT_OFFERED`.
    async fn associate_keys(
        &self,
        keys: &[KeyId],
        nonce: &str,
        audience: &str,
    ) -> Result<String, Error> {
        let _ = (keys, nonce, audience);
        Err(Error::refused(crate::Code::NotOffered))
    }

    /// Stores a small protected item, at most [`MAX_ITEM_BYTES`], replacing what
    /// has that name (pseudonym credentials, ARF `PA_14`).
    async fn store_item(&self, name: &ItemName, content: &[u8]) -> Result<(), Error>;

    /// Reads an item.
    async fn read_item(&self, name: &ItemName) -> Result<Zeroizing<Vec<u8>>, Error>;

    /// Destroys an item, as keys are destroyed. One that is not there is no error.
    ///
    /// A WSCA that cannot answers `NOT_OFFERED`.
    async fn remove_item(&self, name: &ItemName) -> Result<(), Error> {
        let _ = name;
        Err(Error::refused(crate::Code::NotOffered))
    }

    /// Destroys keys (ARF `WIAM_21`, `PAD_04`): no request reaches them from
    /// here on. Keys already destroyed are no error.
    async fn destroy_keys(&self, keys: &[KeyId]) -> Result<(), Error>;

    /// Destroys the unit with all its keys and items (CIR 2024/2979, Article
    /// 5(1)(d)). It is final.
    async fn destroy_unit(&self) -> Result<(), Error>;
}
