use std::fmt::Debug;

use async_trait::async_trait;
use jose::{Curve, PublicKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    Descriptor, DeviceError, Erasure, Generation, KeyName, KeyUse, MacPurpose, RootState,
    SealPurpose, UnitBinding, UserKey, WrappedUnitKey,
};

/// A device that a remote WSCA drives.
///
/// No method returns a private key, and none takes one: CIR (EU) 2024/2979
/// Article 5(1)(f) and ARF `WUA_16a`. The device authenticates no user; only
/// `wsca` may call it on a user's behalf (Article 5(1)(h)).
///
/// Every method may fail with [`DeviceError::Busy`] (try again) or
/// [`DeviceError::Lost`] (the device is away; it may come back by itself).
/// Methods that take several items do all of them or none.
///
/// # How a hardware backend fits
///
/// *PKCS#11.* Handles of the few long-lived objects (roots, MAC and sealing
/// keys, named keys, anchors) are found once at start and held. Wrapped keys
/// are unwrapped into session objects, used, and destroyed within one session.
/// Calls block, so a backend runs them on threads of its own.
///
/// *KMIP.* A wrapped form is either a key taken out with `Get` under a
/// `KeyWrappingSpecification` and put back with `Register`, or, where a server
/// cannot do that, the unique identifier of a managed object; the descriptor
/// says which ([`crate::StorageMode`]), and in the second case
/// [`Wscd::destroy_keys`] is what erases.
#[async_trait]
pub trait Wscd: Send + Sync + Debug {
    /// What the device says of itself. Does not change while it is open.
    fn descriptor(&self) -> &Descriptor;

    /// Asks the device whether it can work now.
    ///
    /// PKCS#11: `C_GetTokenInfo` and a MAC with a held handle, after logging in
    /// again where the token was away. KMIP: `Query`.
    async fn health(&self) -> Result<Health, DeviceError>;

    // ---- the key tree -------------------------------------------------------

    /// Makes a wrapping key for a unit, under the current root.
    ///
    /// PKCS#11: `C_GenerateKey(AES-256)` as an extractable session object,
    /// `C_WrapKey` with the root (GCM with the binding as AAD where the token
    /// wraps with GCM; else `AES_KEY_WRAP_PAD` and an HMAC of the device over
    /// binding and wrapped bytes), `C_DestroyObject`, in one session. KMIP:
    /// `Create` and `Get` wrapped by the root.
    async fn create_unit_key(&self, unit: &UnitBinding) -> Result<WrappedUnitKey, DeviceError>;

    /// Makes `count` key pairs for a unit (CIR 2024/2979 Art. 5(1)(c)).
    /// `count` is at most the descriptor's `max_batch`; none is an empty list.
    ///
    /// PKCS#11: unwrap the unit's key once; per pair `C_GenerateKeyPair`,
    /// `C_WrapKey`, `C_DestroyObject` in the same session. KMIP:
    /// `CreateKeyPair`, `Get` wrapped.
    ///
    /// Errors: `WrongUnit`, `WrongGeneration`, `Tampered` for the unit's key;
    /// `UnsupportedCurve`; `TooMany`.
    async fn generate(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        curve: Curve,
        count: usize,
    ) -> Result<Vec<UserKey>, DeviceError>;

    /// Signs one digest per item, each with its own key; signatures are
    /// `r || s`, in the order of the items. All are signed or none.
    ///
    /// The digest's length must fit the key's curve ([`crate::digest_len`]).
    /// A wrapped form that is not of the public key it stands beside is
    /// `WrongKey`; of another unit, `WrongUnit`; wrapped by another wrapping
    /// key of this unit, `WrongUnitKey`; under a root that is gone,
    /// `WrongGeneration`.
    ///
    /// PKCS#11: `C_UnwrapKey` with `SIGN`, `SENSITIVE` true and `EXTRACTABLE`
    /// false, raw `CKM_ECDSA`, `C_DestroyObject`. KMIP: `Register` wrapped,
    /// `Sign` with `Digested Data`, `Destroy`.
    async fn sign_digests(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        items: &[SignItem<'_>],
    ) -> Result<Vec<Vec<u8>>, DeviceError>;

    /// ECDH with a user key: the x-coordinate of the shared point, as long as
    /// the curve's field (what PKCS#11 gives, and what ISO 18013-5 needs).
    /// `peer` must be on the key's curve (`WrongCurve`).
    ///
    /// PKCS#11: `C_UnwrapKey` with `DERIVE`, `CKM_ECDH1_DERIVE` with
    /// `CKD_NULL`, the value of the derived secret read. KMIP: `DeriveKey`
    /// where the server knows asymmetric derivation; else not offered.
    async fn agree(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        key: &UserKey,
        peer: &PublicKey,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError>;

    /// Destroys keys as far as the device can now, and says how far that is.
    /// The caller deletes their wrapped forms.
    ///
    /// With [`crate::StorageMode::Wrapped`] nothing of a key is in the device,
    /// so this drops what may be cached and answers
    /// [`Erasure::AtRotation`]; with `InDevice` it destroys the objects and
    /// answers [`Erasure::Complete`]. Keys already gone are no error.
    async fn destroy_keys(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        keys: &[UserKey],
    ) -> Result<Erasure, DeviceError>;

    /// Destroys a unit as far as the device can now: its wrapping key, every
    /// cached handle, every object. See [`Wscd::destroy_keys`].
    async fn destroy_unit(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
    ) -> Result<Erasure, DeviceError>;

    // ---- small secrets of a unit and of the WSCA -------------------------------

    /// Seals a small secret of one unit (a pseudonym's credential, ARF `PA_14`)
    /// under the unit's wrapping key, bound to `aad`; at most the descriptor's
    /// `max_sealed` bytes. It is erased as the unit's keys are, so at a rotation
    /// it must be opened and sealed anew under the new wrapping key.
    ///
    /// PKCS#11: `CKM_AES_GCM` with the unwrapped unit key, or, where a token
    /// keeps wrapping and encrypting keys apart, with a second key wrapped
    /// beside it.
    async fn seal_item(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, DeviceError>;

    /// Opens what [`Wscd::seal_item`] sealed. Another unit's item is
    /// `WrongUnit`; another `aad`, or a changed byte, is `Tampered`.
    async fn open_item(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError>;

    /// Seals a small secret of the WSCA itself (the server's static key of
    /// OPAQUE) under a key of the device made for `purpose` alone. These keys
    /// do not rotate with the root: what they seal must outlive it.
    ///
    /// PKCS#11: `CKM_AES_GCM` with a held handle. KMIP: `Encrypt`.
    async fn seal(
        &self,
        purpose: SealPurpose,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, DeviceError>;

    /// Opens what [`Wscd::seal`] sealed; another `aad`, another purpose, or a
    /// changed byte is `Tampered`.
    async fn open(
        &self,
        purpose: SealPurpose,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError>;

    /// HMAC-SHA-256 with a key of the device made for `purpose` alone. These
    /// keys do not rotate with the root: a PIN registered under
    /// [`MacPurpose::OprfSeed`] must still be checked after a rotation.
    ///
    /// For OPAQUE, `mac(OprfSeed, credential_identifier || "OprfKey" || 0x01)`
    /// is what RFC 9807 derives from its `oprf_seed` with
    /// HKDF-Expand-SHA-256 to 32 bytes, with a seed that stays in the device.
    ///
    /// PKCS#11: `CKM_SHA256_HMAC` with a held handle. KMIP: `MAC`.
    async fn mac(&self, purpose: MacPurpose, data: &[u8]) -> Result<[u8; 32], DeviceError>;

    // ---- anchors against a rolled-back database --------------------------------

    /// The anchor last written for a shard, if any.
    async fn read_anchor(&self, shard: u16) -> Result<Option<Anchor>, DeviceError>;

    /// Writes a shard's anchor. Once this returns, it is durable.
    ///
    /// The epoch must be above the one held; the same anchor again is accepted
    /// (a writer may repeat after a crash), anything else is `AnchorBehind`,
    /// and nothing changes.
    ///
    /// PKCS#11 has no compare-and-swap: the backend keeps one data object per
    /// shard, whose label (which can be rewritten in place, 0.2 ms) holds epoch
    /// and hash, and compares before it writes; so writers of one shard must be
    /// serialised outside (the store's lock of the shard). KMIP: a custom
    /// attribute of a managed object.
    async fn write_anchor(&self, shard: u16, anchor: &Anchor) -> Result<(), DeviceError>;

    // ---- rotation: erasure at any scale -----------------------------------------
    //
    // A device that keeps each key as an object of its own has no tree to rotate:
    // it answers `NotOffered` to `begin_rotation` and `rewrap`.

    /// The generation of the root that wraps now, and the one being retired.
    async fn root(&self) -> Result<RootState, DeviceError>;

    /// Makes the next root. From here on unit keys are wrapped by it, and those
    /// under the old one still open. While a rotation is under way it answers
    /// the same again (so that it can be resumed after a crash).
    ///
    /// PKCS#11: `C_GenerateKey` of a token object, sensitive, never
    /// extractable, its label naming the generation. KMIP: `Create`.
    async fn begin_rotation(&self) -> Result<RootState, DeviceError>;

    /// Moves keys of a unit from its old wrapping key to a new one. This path
    /// can move keys and cannot use them. They come back in the order they came,
    /// with the same public keys.
    ///
    /// The caller makes the unit's new key first ([`Wscd::create_unit_key`]
    /// after [`Wscd::begin_rotation`]) and then moves its keys in batches of at
    /// most `max_batch`, so that a crash leaves each key either old or new. The
    /// unit's key must be *new*: were the old one only wrapped again, a key
    /// destroyed before the rotation would still open from an older copy of
    /// the database.
    ///
    /// PKCS#11: unwrap both unit keys; per key `C_UnwrapKey` with
    /// `EXTRACTABLE` true and `SIGN`, `DERIVE` false, `C_WrapKey`,
    /// `C_DestroyObject`. KMIP: `Register` and `Get` with the two wrapping keys.
    async fn rewrap(
        &self,
        unit: &UnitBinding,
        from: &WrappedUnitKey,
        to: &WrappedUnitKey,
        keys: &[UserKey],
    ) -> Result<Vec<UserKey>, DeviceError>;

    /// Destroys the root being retired. What is still under it is erased:
    /// the caller makes sure first that everything that lives has been moved to
    /// `root`. Where another root is in force by now (somebody else has finished this
    /// rotation and begun the next one) it is `OtherRoot`, and nothing is destroyed.
    /// Without a rotation under way it changes nothing.
    ///
    /// Once this returns, the destruction is durable. A backup or replica of
    /// the device must have destroyed it too.
    async fn finish_rotation(&self, root: Generation) -> Result<Generation, DeviceError>;

    // ---- the service's own keys ---------------------------------------------------

    /// Opens a named key, or makes it; the same name always gives the same key.
    /// Another curve than the one it was made with is `WrongCurve`, another use
    /// `WrongUse`.
    ///
    /// PKCS#11: a key pair as token objects under a label, with `SIGN` or
    /// `DERIVE` alone. KMIP: `CreateKeyPair` with a `Name`.
    async fn named_key(
        &self,
        name: &KeyName,
        curve: Curve,
        usage: KeyUse,
    ) -> Result<PublicKey, DeviceError>;

    /// Signs a digest with a named key; the signature is `r || s`.
    async fn sign_named(&self, name: &KeyName, digest: &[u8]) -> Result<Vec<u8>, DeviceError>;

    /// ECDH with a named key: the x-coordinate.
    async fn agree_named(
        &self,
        name: &KeyName,
        peer: &PublicKey,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError>;

    /// Destroys a named key at once; one that is not there is no error.
    async fn destroy_named(&self, name: &KeyName) -> Result<(), DeviceError>;

    // ---- for the conformance kit ----------------------------------------------------

    /// Tries to get a user key's private part out by every means that the
    /// backend's own interface has (PKCS#11: `C_GetAttributeValue` of
    /// `CKA_VALUE`, `C_WrapKey` by a key of the attacker's choice,
    /// `C_CopyObject` and `C_SetAttributeValue` to loosen attributes, …), and
    /// says what came of each. A backend whose interface has no such means
    /// answers with an empty list; the kit then judges by the wrapped forms.
    async fn attempt_exports(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        key: &UserKey,
    ) -> Result<Vec<ExportAttempt>, DeviceError>;
}

/// One digest to sign, and the key to sign it with.
#[derive(Debug, Clone, Copy)]
pub struct SignItem<'a> {
    /// The key: its wrapped form must be of its public key.
    pub key: &'a UserKey,
    /// The digest: 32, 48 or 64 bytes by the key's curve.
    pub digest: &'a [u8],
}

/// What a shard's state was when it was last committed: the device's memory
/// against a database put back to an earlier day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Counts the writes; never goes back.
    pub epoch: u64,
    /// The hash of the shard's state at that epoch.
    pub hash: [u8; 32],
}

/// The answer of a device that can work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// The root's state.
    pub root: RootState,
    /// How many of the device's own objects are in use, where it can tell.
    pub objects: Option<u64>,
}

/// One way of getting a private key out, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportAttempt {
    /// What was tried, in the backend's own terms.
    pub means: String,
    /// Whether the key came out.
    pub exported: bool,
    /// What the device answered.
    pub answer: String,
}
