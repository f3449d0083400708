//! The software device: real cryptography and no certification.
//!
//! It is for development, tests and demonstrations, and says so: its
//! [`Descriptor`] claims no level, so a key attestation over its keys claims
//! none either.
//!
//! What a hardware device keeps inside (the roots, the MAC and sealing keys, the
//! named keys, the anchors) is here in memory that is zeroized, and in one
//! store file ([`StoreKey`] says under which key it is sealed). Whoever holds
//! that file *and* its key holds the device. An older copy of the file is an
//! older device: erasure by rotation holds only once such copies, backups and
//! snapshots of the disk among them, are gone too.

mod ec;
mod secret;
mod state;
mod store;
mod wrap;

use std::path::Path;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use jose::{Curve, PublicKey};
use zeroize::Zeroizing;

pub use store::StoreKey;

use self::{
    ec::EcKey,
    state::{NamedKey, State},
    store::Store,
    wrap::UnitKey,
};
use crate::{
    Anchor, Architecture, Assurance, Descriptor, DeviceError, Erasure, ExportAttempt, Generation,
    Health, KeyName, KeyUse, Limits, MacPurpose, OpenError, Role, RootState, SealPurpose, SignItem,
    StorageMode, UnitBinding, UserKey, WrappedUnitKey, WscaProvider, Wscd,
};

const LIMITS: Limits = Limits {
    max_batch: 256,
    max_sealed: 4096,
    max_units: None,
    objects_per_unit: 0,
    max_shards: 1024,
};

/// The software device.
pub struct SoftwareDevice {
    descriptor: Descriptor,
    /// What is in force. Read by every operation, held for no longer than it
    /// takes to copy a key or to swap the state: signing never waits for a disk.
    state: RwLock<State>,
    /// Held by whoever changes the state, from reading it until it is on disk.
    /// `None` when the device lives in memory alone.
    store: Mutex<Option<Store>>,
}

impl SoftwareDevice {
    /// A device that lives in memory and is gone when it is dropped.
    pub fn ephemeral() -> Result<Self, DeviceError> {
        Ok(Self::from_parts(State::create()?, None))
    }

    /// Opens the device whose store is at `path`, or makes it. The store is
    /// locked for as long as the device is open.
    pub fn open(path: &Path, key: StoreKey) -> Result<Self, OpenError> {
        let (store, found) = Store::open(path, key)?;
        let made = |error: DeviceError| OpenError::Device(Box::new(error));
        let (state, changed) = match found {
            Some(mut state) => {
                let changed = state.add_missing_purposes().map_err(made)?;
                (state, changed)
            }
            None => (State::create().map_err(made)?, true),
        };
        if changed {
            store.write(&state)?;
        }
        Ok(Self::from_parts(state, Some(store)))
    }

    fn from_parts(state: State, store: Option<Store>) -> Self {
        Self {
            descriptor: describe(),
            state: RwLock::new(state),
            store: Mutex::new(store),
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        // A writer only swaps the whole state in, so a poisoned lock still
        // guards a whole one.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state: on disk first, then in memory. When the disk fails,
    /// nothing has changed here.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<Changed<T>, DeviceError>,
    ) -> Result<T, DeviceError> {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = self.state().clone();
        match change(&mut next)? {
            Changed::Not(value) => Ok(value),
            Changed::Yes(value) => {
                if let Some(store) = store.as_ref() {
                    store.write(&next).map_err(|error| DeviceError::Failed {
                        what: "write its store",
                        cause: match std::error::Error::source(&error) {
                            Some(source) => format!("{error}: {source}"),
                            None => error.to_string(),
                        },
                    })?;
                }
                *self.state.write().unwrap_or_else(PoisonError::into_inner) = next;
                Ok(value)
            }
        }
    }

    fn open_unit(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
    ) -> Result<UnitKey, DeviceError> {
        wrap::open_unit_key(&self.state(), unit, unit_key)
    }

    fn open_user(&self, unit_key: &UnitKey, key: &UserKey) -> Result<EcKey, DeviceError> {
        let root = self.state().root_state();
        wrap::open_user_key(root, unit_key, key)
    }

    fn named(&self, name: &KeyName, asked: KeyUse) -> Result<NamedKey, DeviceError> {
        let key = self
            .state()
            .named
            .get(name)
            .cloned()
            .ok_or_else(|| DeviceError::NotFound {
                what: "key",
                name: name.to_string(),
            })?;
        key.check_use(name, asked)?;
        Ok(key)
    }
}

/// Whether a change of the state has to be written.
enum Changed<T> {
    Yes(T),
    Not(T),
}

#[async_trait]
impl Wscd for SoftwareDevice {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn health(&self) -> Result<Health, DeviceError> {
        let state = self.state();
        Ok(Health {
            root: state.root_state(),
            objects: Some(state.objects()),
        })
    }

    async fn create_unit_key(&self, unit: &UnitBinding) -> Result<WrappedUnitKey, DeviceError> {
        wrap::create_unit_key(&self.state(), unit)
    }

    async fn generate(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        curve: Curve,
        count: usize,
    ) -> Result<Vec<UserKey>, DeviceError> {
        check_batch("keys", count)?;
        let unit_key = self.open_unit(unit, unit_key)?;
        (0..count)
            .map(|_| wrap::wrap_user_key(&unit_key, &EcKey::generate(curve)?))
            .collect()
    }

    async fn sign_digests(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        items: &[SignItem<'_>],
    ) -> Result<Vec<Vec<u8>>, DeviceError> {
        check_batch("digests", items.len())?;
        let unit_key = self.open_unit(unit, unit_key)?;
        items
            .iter()
            .map(|item| {
                self.open_user(&unit_key, item.key)?
                    .sign_digest(item.digest)
            })
            .collect()
    }

    async fn agree(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        key: &UserKey,
        peer: &PublicKey,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let unit_key = self.open_unit(unit, unit_key)?;
        self.open_user(&unit_key, key)?.agree(peer)
    }

    async fn destroy_keys(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        _keys: &[UserKey],
    ) -> Result<Erasure, DeviceError> {
        self.destroy_unit(unit, unit_key).await
    }

    async fn destroy_unit(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
    ) -> Result<Erasure, DeviceError> {
        // Nothing is cached, so nothing is left to drop; what counts is the root
        // that the wrapped forms hang from.
        match self.open_unit(unit, unit_key) {
            Ok(_) => Ok(Erasure::AtRotation(unit_key.generation)),
            Err(DeviceError::WrongGeneration { .. }) => Ok(Erasure::Complete),
            Err(error) => Err(error),
        }
    }

    async fn seal_item(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        check_sealed(plaintext)?;
        wrap::seal_item(&self.open_unit(unit, unit_key)?, aad, plaintext)
    }

    async fn open_item(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let unit_key = self.open_unit(unit, unit_key)?;
        let root = self.state().root_state();
        wrap::open_item(root, &unit_key, aad, sealed)
    }

    async fn seal(
        &self,
        purpose: SealPurpose,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        check_sealed(plaintext)?;
        wrap::seal(&self.state(), purpose, aad, plaintext)
    }

    async fn open(
        &self,
        purpose: SealPurpose,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        wrap::open(&self.state(), purpose, aad, sealed)
    }

    async fn mac(&self, purpose: MacPurpose, data: &[u8]) -> Result<[u8; 32], DeviceError> {
        Ok(self.state().mac_key(purpose)?.hmac(data))
    }

    async fn read_anchor(&self, shard: u16) -> Result<Option<Anchor>, DeviceError> {
        Ok(self.state().anchors.get(&shard).copied())
    }

    async fn write_anchor(&self, shard: u16, anchor: &Anchor) -> Result<(), DeviceError> {
        if shard >= LIMITS.max_shards {
            return Err(DeviceError::Exhausted { what: "shard" });
        }
        self.change(|state| match state.anchors.get(&shard) {
            Some(held) if held == anchor => Ok(Changed::Not(())),
            Some(held) if held.epoch >= anchor.epoch => Err(DeviceError::AnchorBehind {
                shard,
                held: *held,
                offered: *anchor,
            }),
            _ => {
                state.anchors.insert(shard, *anchor);
                Ok(Changed::Yes(()))
            }
        })
    }

    async fn root(&self) -> Result<RootState, DeviceError> {
        Ok(self.state().root_state())
    }

    async fn begin_rotation(&self) -> Result<RootState, DeviceError> {
        self.change(|state| {
            let changed = state.begin_rotation()?;
            let root = state.root_state();
            Ok(if changed {
                Changed::Yes(root)
            } else {
                Changed::Not(root)
            })
        })
    }

    async fn rewrap(
        &self,
        unit: &UnitBinding,
        from: &WrappedUnitKey,
        to: &WrappedUnitKey,
        keys: &[UserKey],
    ) -> Result<Vec<UserKey>, DeviceError> {
        check_batch("keys", keys.len())?;
        let from = self.open_unit(unit, from)?;
        let to = self.open_unit(unit, to)?;
        keys.iter()
            .map(|key| wrap::wrap_user_key(&to, &self.open_user(&from, key)?))
            .collect()
    }

    async fn finish_rotation(&self, root: Generation) -> Result<Generation, DeviceError> {
        self.change(|state| {
            let held = state.root_state();
            if held.current != root {
                return Err(DeviceError::OtherRoot {
                    asked: root,
                    root: held,
                });
            }
            let changed = state.finish_rotation();
            let current = state.root_state().current;
            Ok(if changed {
                Changed::Yes(current)
            } else {
                Changed::Not(current)
            })
        })
    }

    async fn named_key(
        &self,
        name: &KeyName,
        curve: Curve,
        usage: KeyUse,
    ) -> Result<PublicKey, DeviceError> {
        self.change(|state| {
            if let Some(key) = state.named.get(name) {
                key.check_use(name, usage)?;
                if key.key.curve() != curve {
                    return Err(DeviceError::WrongCurve {
                        what: "the named key",
                        expected: key.key.curve(),
                        got: curve,
                    });
                }
                return Ok(Changed::Not(key.key.public().clone()));
            }
            let key = EcKey::generate(curve)?;
            let public = key.public().clone();
            state.named.insert(name.clone(), NamedKey { usage, key });
            Ok(Changed::Yes(public))
        })
    }

    async fn sign_named(&self, name: &KeyName, digest: &[u8]) -> Result<Vec<u8>, DeviceError> {
        self.named(name, KeyUse::Sign)?.key.sign_digest(digest)
    }

    async fn agree_named(
        &self,
        name: &KeyName,
        peer: &PublicKey,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        self.named(name, KeyUse::Agree)?.key.agree(peer)
    }

    async fn destroy_named(&self, name: &KeyName) -> Result<(), DeviceError> {
        self.change(|state| {
            Ok(match state.named.remove(name) {
                Some(_) => Changed::Yes(()),
                None => Changed::Not(()),
            })
        })
    }

    async fn attempt_exports(
        &self,
        _unit: &UnitBinding,
        _unit_key: &WrappedUnitKey,
        _key: &UserKey,
    ) -> Result<Vec<ExportAttempt>, DeviceError> {
        Ok(Vec::new())
    }
}

impl std::fmt::Debug for SoftwareDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoftwareDevice")
            .field("state", &*self.state())
            .finish_non_exhaustive()
    }
}

fn describe() -> Descriptor {
    Descriptor {
        backend: "software",
        model: format!("Claviger software device {}", env!("CARGO_PKG_VERSION")),
        architecture: Architecture::Remote,
        wsca_provided_by: WscaProvider::WalletProvider,
        assurance: Assurance::None,
        key_storage: None,
        user_authentication: None,
        exportable: false,
        curves: Curve::ALL.to_vec(),
        agreement: true,
        storage: StorageMode::Wrapped,
        roles: vec![Role::UserKeys, Role::ServiceKeys],
        limits: LIMITS,
    }
}

fn check_batch(what: &'static str, got: usize) -> Result<(), DeviceError> {
    check_limit(what, LIMITS.max_batch, got)
}

fn check_sealed(plaintext: &[u8]) -> Result<(), DeviceError> {
    check_limit("bytes to seal", LIMITS.max_sealed, plaintext.len())
}

fn check_limit(what: &'static str, limit: usize, got: usize) -> Result<(), DeviceError> {
    if got > limit {
        return Err(DeviceError::TooMany { what, limit, got });
    }
    Ok(())
}
