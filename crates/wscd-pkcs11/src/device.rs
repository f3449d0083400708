use std::sync::Arc;

use async_trait::async_trait;
use jose::{Curve, PublicKey};
use wscd::{
    Anchor, Architecture, Assurance, AttackPotential, Descriptor, DeviceError, Erasure,
    ExportAttempt, Generation, Health, KeyName, KeyUse, MacPurpose, Role, RootState, SealPurpose,
    SignItem, StorageMode, UnitBinding, UserKey, WrappedUnitKey, WscaProvider, Wscd,
};
use zeroize::Zeroizing;

use crate::error::{Fault, during};
use crate::forms::MAC;
use crate::limits::LIMITS;
use crate::pool::Live;
use crate::set::lost;
use crate::watch::Watched;
use crate::wrap::{self, Purpose, open_unit_key, open_user_key};
use crate::{ec, exports, named, objects, seal};

/// What the operator vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assured {
    /// The certification, or the assumption that stands in for it.
    pub assurance: Assurance,
    /// What attacks the token's keys withstand, by that certification.
    pub key_storage: Option<AttackPotential>,
    /// What attacks the user authentication before its keys withstands, by the same: the
    /// token authenticates no user, but is certified with the WSCA that does.
    pub user_authentication: Option<AttackPotential>,
}

impl Default for Assured {
    /// Nothing.
    fn default() -> Self {
        Self {
            assurance: Assurance::None,
            key_storage: None,
            user_authentication: None,
        }
    }
}

/// One token behind PKCS#11, or several that hold the same keys, as a device.
pub(crate) struct Pkcs11Device {
    descriptor: Descriptor,
    tokens: Arc<Watched>,
}

impl Pkcs11Device {
    pub(crate) fn new(tokens: Arc<Watched>, assured: Assured) -> Result<Self, DeviceError> {
        let login = tokens
            .set
            .those_in()
            .find_map(|token| token.login().ok())
            .ok_or_else(|| {
                let away = tokens.set.away();
                away.unwrap_or_else(|| lost("no token is there".to_owned()))
            })?;
        let model = match tokens.set.tokens().len() {
            1 => login.model.clone(),
            count => format!("{} ({count} tokens)", login.model),
        };
        Ok(Self {
            descriptor: Descriptor {
                backend: "pkcs11",
                model,
                architecture: Architecture::Remote,
                wsca_provided_by: WscaProvider::WalletProvider,
                assurance: assured.assurance,
                key_storage: assured.key_storage,
                user_authentication: assured.user_authentication,
                exportable: false,
                curves: login.profile.curves.clone(),
                agreement: login.profile.agreement,
                storage: StorageMode::Wrapped,
                roles: vec![Role::UserKeys, Role::ServiceKeys],
                limits: LIMITS,
            },
            tokens,
        })
    }

    /// In any of the tokens.
    async fn run<T: Send + 'static>(
        &self,
        call: impl FnMut(&Live<'_>) -> Result<T, Fault> + Clone + Send + 'static,
    ) -> Result<T, DeviceError> {
        self.tokens.set.any(call).await
    }

    fn check_curve(&self, curve: Curve) -> Result<(), DeviceError> {
        if self.descriptor.curves.contains(&curve) {
            Ok(())
        } else {
            Err(DeviceError::UnsupportedCurve { curve })
        }
    }

    fn check_agreement(&self) -> Result<(), DeviceError> {
        if self.descriptor.agreement {
            Ok(())
        } else {
            Err(DeviceError::NotOffered {
                what: "key agreement",
            })
        }
    }
}

#[async_trait]
impl Wscd for Pkcs11Device {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn health(&self) -> Result<Health, DeviceError> {
        self.run(|live| {
            // A key in use, not only an open door.
            mac(live, MacPurpose::RecordBinding, b"health")?;
            let objects = objects::count(live.session)?;
            Ok(Health {
                root: live.login.fresh_roots(live.session)?.state,
                objects: Some(objects),
            })
        })
        .await
    }

    async fn create_unit_key(&self, unit: &UnitBinding) -> Result<WrappedUnitKey, DeviceError> {
        let unit = *unit;
        self.run(move |live| wrap::create_unit_key(live, &unit))
            .await
    }

    async fn generate(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        curve: Curve,
        count: usize,
    ) -> Result<Vec<UserKey>, DeviceError> {
        check_batch("keys", count)?;
        self.check_curve(curve)?;
        let (unit, unit_key) = (*unit, unit_key.clone());
        self.run(move |live| {
            let unit_key = open_unit_key(live, &unit, &unit_key)?;
            let by = unit_key.unwrap(live, Purpose::Wrap)?;
            (0..count)
                .map(|_| {
                    let (public, private) = ec::generate(live.session, curve)?;
                    wrap::wrap_user_key(live, &unit_key, by.handle, &public, private.handle)
                })
                .collect()
        })
        .await
    }

    async fn sign_digests(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        items: &[SignItem<'_>],
    ) -> Result<Vec<Vec<u8>>, DeviceError> {
        check_batch("digests", items.len())?;
        for item in items {
            ec::check_digest(item.key.public.curve(), item.digest)?;
        }
        let (unit, unit_key) = (*unit, unit_key.clone());
        let items: Vec<(UserKey, Vec<u8>)> = items
            .iter()
            .map(|item| (item.key.clone(), item.digest.to_vec()))
            .collect();
        self.run(move |live| {
            let unit_key = open_unit_key(live, &unit, &unit_key)?;
            let by = unit_key.unwrap(live, Purpose::Unwrap)?;
            items
                .iter()
                .map(|(key, digest)| {
                    let open = open_user_key(live, &unit_key, by.handle, key, Purpose::Sign)?;
                    ec::sign(live.session, open.handle, key.public.curve(), digest)
                })
                .collect()
        })
        .await
    }

    async fn agree(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        key: &UserKey,
        peer: &PublicKey,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        self.check_agreement()?;
        ec::check_peer(key.public.curve(), peer)?;
        let (unit, unit_key) = (*unit, unit_key.clone());
        let (key, peer) = (key.clone(), peer.clone());
        self.run(move |live| {
            let unit_key = open_unit_key(live, &unit, &unit_key)?;
            let by = unit_key.unwrap(live, Purpose::Unwrap)?;
            let open = open_user_key(live, &unit_key, by.handle, &key, Purpose::Derive)?;
            ec::agree(live.session, open.handle, &peer)
        })
        .await
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
        let (unit, unit_key) = (*unit, unit_key.clone());
        self.run(move |live| match open_unit_key(live, &unit, &unit_key) {
            Ok(opened) => Ok(Erasure::AtRotation(opened.head.generation)),
            Err(Fault::Refused(DeviceError::WrongGeneration { .. })) => Ok(Erasure::Complete),
            Err(error) => Err(error),
        })
        .await
    }

    async fn seal_item(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        check_sealed(plaintext)?;
        let (unit, unit_key, aad) = (*unit, unit_key.clone(), aad.to_vec());
        let plaintext = Zeroizing::new(plaintext.to_vec());
        self.run(move |live| {
            let unit_key = open_unit_key(live, &unit, &unit_key)?;
            seal::seal_item(live, &unit_key, &aad, &plaintext)
        })
        .await
    }

    async fn open_item(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let (unit, unit_key) = (*unit, unit_key.clone());
        let (aad, sealed) = (aad.to_vec(), sealed.to_vec());
        self.run(move |live| {
            let unit_key = open_unit_key(live, &unit, &unit_key)?;
            seal::open_item(live, &unit_key, &aad, &sealed)
        })
        .await
    }

    async fn seal(
        &self,
        purpose: SealPurpose,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        check_sealed(plaintext)?;
        let (aad, plaintext) = (aad.to_vec(), Zeroizing::new(plaintext.to_vec()));
        self.run(move |live| seal::seal(live, purpose, &aad, &plaintext))
            .await
    }

    async fn open(
        &self,
        purpose: SealPurpose,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let (aad, sealed) = (aad.to_vec(), sealed.to_vec());
        self.run(move |live| seal::open(live, purpose, &aad, &sealed))
            .await
    }

    async fn mac(&self, purpose: MacPurpose, data: &[u8]) -> Result<[u8; 32], DeviceError> {
        let data = Zeroizing::new(data.to_vec());
        self.run(move |live| mac(live, purpose, &data)).await
    }

    async fn read_anchor(&self, shard: u16) -> Result<Option<Anchor>, DeviceError> {
        self.tokens.memory.read(&self.tokens.set, shard).await
    }

    async fn write_anchor(&self, shard: u16, anchor: &Anchor) -> Result<(), DeviceError> {
        if shard >= LIMITS.max_shards {
            return Err(DeviceError::Exhausted { what: "shard" });
        }
        self.tokens
            .memory
            .write(&self.tokens.set, shard, anchor)
            .await
    }

    async fn root(&self) -> Result<RootState, DeviceError> {
        self.tokens.set.root().await
    }

    async fn begin_rotation(&self) -> Result<RootState, DeviceError> {
        self.tokens.set.begin_rotation().await
    }

    async fn rewrap(
        &self,
        unit: &UnitBinding,
        from: &WrappedUnitKey,
        to: &WrappedUnitKey,
        keys: &[UserKey],
    ) -> Result<Vec<UserKey>, DeviceError> {
        check_batch("keys", keys.len())?;
        let (unit, from, to, keys) = (*unit, from.clone(), to.clone(), keys.to_vec());
        self.run(move |live| {
            let from = open_unit_key(live, &unit, &from)?;
            let to = open_unit_key(live, &unit, &to)?;
            let out = from.unwrap(live, Purpose::Unwrap)?;
            let by = to.unwrap(live, Purpose::Wrap)?;
            keys.iter()
                .map(|key| {
                    let open = open_user_key(live, &from, out.handle, key, Purpose::Move)?;
                    wrap::wrap_user_key(live, &to, by.handle, &key.public, open.handle)
                })
                .collect()
        })
        .await
    }

    async fn finish_rotation(&self, root: Generation) -> Result<Generation, DeviceError> {
        self.tokens.set.finish_rotation(root).await
    }

    async fn named_key(
        &self,
        name: &KeyName,
        curve: Curve,
        usage: KeyUse,
    ) -> Result<PublicKey, DeviceError> {
        self.check_curve(curve)?;
        if usage == KeyUse::Agree {
            self.check_agreement()?;
        }
        self.tokens.set.named_key(name, curve, usage).await
    }

    async fn sign_named(&self, name: &KeyName, digest: &[u8]) -> Result<Vec<u8>, DeviceError> {
        let (name, digest) = (name.clone(), digest.to_vec());
        self.run(move |live| {
            let key = named::get(live, &name, KeyUse::Sign)?;
            ec::check_digest(key.public.curve(), &digest)?;
            ec::sign(live.session, key.private, key.public.curve(), &digest)
        })
        .await
    }

    async fn agree_named(
        &self,
        name: &KeyName,
        peer: &PublicKey,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let (name, peer) = (name.clone(), peer.clone());
        self.run(move |live| {
            let key = named::get(live, &name, KeyUse::Agree)?;
            ec::check_peer(key.public.curve(), &peer)?;
            ec::agree(live.session, key.private, &peer)
        })
        .await
    }

    async fn destroy_named(&self, name: &KeyName) -> Result<(), DeviceError> {
        self.tokens.set.destroy_named(name).await
    }

    async fn attempt_exports(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        key: &UserKey,
    ) -> Result<Vec<ExportAttempt>, DeviceError> {
        let (unit, unit_key, key) = (*unit, unit_key.clone(), key.clone());
        self.run(move |live| {
            let unit_key = open_unit_key(live, &unit, &unit_key)?;
            exports::attempt(live, &unit_key, &key)
        })
        .await
    }
}

fn mac(live: &Live<'_>, purpose: MacPurpose, data: &[u8]) -> Result<[u8; MAC], Fault> {
    let key = live.login.mac(purpose)?;
    let mac = live
        .session
        .sign(&cryptoki::mechanism::Mechanism::Sha256Hmac, key, data)
        .map_err(during("compute a MAC"))?;
    mac.try_into().map_err(|mac: Vec<u8>| {
        DeviceError::Failed {
            what: "compute a MAC",
            cause: format!("{} bytes came", mac.len()),
        }
        .into()
    })
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

impl std::fmt::Debug for Pkcs11Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pkcs11Device")
            .field("tokens", &self.tokens.set)
            .finish_non_exhaustive()
    }
}
