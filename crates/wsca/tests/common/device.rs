//! A device that is watched, and can be made to fail at one point.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jose::{Curve, PublicKey};
use wscd::{
    Anchor, Descriptor, DeviceError, Erasure, ExportAttempt, Generation, Health, KeyName, KeyUse,
    MacPurpose, RootState, SealPurpose, SignItem, UnitBinding, UserKey, WrappedUnitKey, Wscd,
};
use zeroize::Zeroizing;

#[derive(Debug)]
pub struct Watched {
    inner: Arc<dyn Wscd>,
    evaluations: AtomicUsize,
    anchors: AtomicUsize,
    /// Anchors as a device keeps them that compares and writes in two steps, once it
    /// was asked to.
    careless: Mutex<Option<HashMap<u16, Anchor>>>,
    refuse_anchors: AtomicBool,
    /// How many calls it still answers.
    life: AtomicI64,
}

impl Watched {
    pub fn new(inner: Arc<dyn Wscd>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            evaluations: AtomicUsize::new(0),
            anchors: AtomicUsize::new(0),
            careless: Mutex::default(),
            refuse_anchors: AtomicBool::new(false),
            life: AtomicI64::new(i64::MAX),
        })
    }

    /// How often the OPRF's seed was used.
    pub fn evaluations(&self) -> usize {
        self.evaluations.load(Ordering::SeqCst)
    }

    /// How often an anchor moved.
    pub fn anchors(&self) -> usize {
        self.anchors.load(Ordering::SeqCst)
    }

    /// From here on it keeps anchors by itself, and takes earlier ones too: as where
    /// another process wrote between its comparing and its writing.
    pub fn compares_no_anchors(&self) {
        *self.careless.lock().unwrap() = Some(HashMap::new());
    }

    /// It answers so many calls more, and then it is away.
    pub fn dies_after(&self, calls: i64) {
        self.life.store(calls, Ordering::SeqCst);
    }

    /// It is there again.
    pub fn lives(&self) {
        self.dies_after(i64::MAX);
    }

    fn call(&self) -> Result<(), DeviceError> {
        if self.life.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(DeviceError::Lost {
                cause: "as the test wants".into(),
            });
        }
        Ok(())
    }

    /// From here on no anchor is written, or they are again.
    pub fn refuse_anchors(&self, refuse: bool) {
        self.refuse_anchors.store(refuse, Ordering::SeqCst);
    }
}

#[async_trait]
impl Wscd for Watched {
    fn descriptor(&self) -> &Descriptor {
        self.inner.descriptor()
    }

    async fn health(&self) -> Result<Health, DeviceError> {
        self.call()?;
        self.inner.health().await
    }

    async fn create_unit_key(&self, unit: &UnitBinding) -> Result<WrappedUnitKey, DeviceError> {
        self.call()?;
        self.inner.create_unit_key(unit).await
    }

    async fn generate(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        curve: Curve,
        count: usize,
    ) -> Result<Vec<UserKey>, DeviceError> {
        self.call()?;
        self.inner.generate(unit, unit_key, curve, count).await
    }

    async fn sign_digests(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        items: &[SignItem<'_>],
    ) -> Result<Vec<Vec<u8>>, DeviceError> {
        self.call()?;
        self.inner.sign_digests(unit, unit_key, items).await
    }

    async fn agree(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        key: &UserKey,
        peer: &PublicKey,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        self.call()?;
        self.inner.agree(unit, unit_key, key, peer).await
    }

    async fn destroy_keys(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        keys: &[UserKey],
    ) -> Result<Erasure, DeviceError> {
        self.call()?;
        self.inner.destroy_keys(unit, unit_key, keys).await
    }

    async fn destroy_unit(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
    ) -> Result<Erasure, DeviceError> {
        self.call()?;
        self.inner.destroy_unit(unit, unit_key).await
    }

    async fn seal_item(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        self.call()?;
        self.inner.seal_item(unit, unit_key, aad, plaintext).await
    }

    async fn open_item(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        self.call()?;
        self.inner.open_item(unit, unit_key, aad, sealed).await
    }

    async fn seal(
        &self,
        purpose: SealPurpose,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        self.call()?;
        self.inner.seal(purpose, aad, plaintext).await
    }

    async fn open(
        &self,
        purpose: SealPurpose,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        self.call()?;
        self.inner.open(purpose, aad, sealed).await
    }

    async fn mac(&self, purpose: MacPurpose, data: &[u8]) -> Result<[u8; 32], DeviceError> {
        self.call()?;
        if purpose == MacPurpose::OprfSeed {
            self.evaluations.fetch_add(1, Ordering::SeqCst);
        }
        self.inner.mac(purpose, data).await
    }

    async fn read_anchor(&self, shard: u16) -> Result<Option<Anchor>, DeviceError> {
        self.call()?;
        let kept = self
            .careless
            .lock()
            .unwrap()
            .as_ref()
            .map(|all| all.get(&shard).copied());
        match kept {
            Some(Some(anchor)) => Ok(Some(anchor)),
            _ => self.inner.read_anchor(shard).await,
        }
    }

    async fn write_anchor(&self, shard: u16, anchor: &Anchor) -> Result<(), DeviceError> {
        self.call()?;
        if self.refuse_anchors.load(Ordering::SeqCst) {
            return Err(DeviceError::Lost {
                cause: "as the test wants".into(),
            });
        }
        let is_careless = self.careless.lock().unwrap().is_some();
        if is_careless && anchor.epoch.is_multiple_of(2) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        if let Some(all) = self.careless.lock().unwrap().as_mut() {
            all.insert(shard, *anchor);
            return Ok(());
        }
        let held = self.inner.read_anchor(shard).await?;
        self.inner.write_anchor(shard, anchor).await?;
        if held != Some(*anchor) {
            self.anchors.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    async fn root(&self) -> Result<RootState, DeviceError> {
        self.call()?;
        self.inner.root().await
    }

    async fn begin_rotation(&self) -> Result<RootState, DeviceError> {
        self.call()?;
        self.inner.begin_rotation().await
    }

    async fn rewrap(
        &self,
        unit: &UnitBinding,
        from: &WrappedUnitKey,
        to: &WrappedUnitKey,
        keys: &[UserKey],
    ) -> Result<Vec<UserKey>, DeviceError> {
        self.call()?;
        self.inner.rewrap(unit, from, to, keys).await
    }

    async fn finish_rotation(&self, root: Generation) -> Result<Generation, DeviceError> {
        self.call()?;
        self.inner.finish_rotation(root).await
    }

    async fn named_key(
        &self,
        name: &KeyName,
        curve: Curve,
        usage: KeyUse,
    ) -> Result<PublicKey, DeviceError> {
        self.call()?;
        self.inner.named_key(name, curve, usage).await
    }

    async fn sign_named(&self, name: &KeyName, digest: &[u8]) -> Result<Vec<u8>, DeviceError> {
        self.call()?;
        self.inner.sign_named(name, digest).await
    }

    async fn agree_named(
        &self,
        name: &KeyName,
        peer: &PublicKey,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        self.call()?;
        self.inner.agree_named(name, peer).await
    }

    async fn destroy_named(&self, name: &KeyName) -> Result<(), DeviceError> {
        self.call()?;
        self.inner.destroy_named(name).await
    }

    async fn attempt_exports(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        key: &UserKey,
    ) -> Result<Vec<ExportAttempt>, DeviceError> {
        self.call()?;
        self.inner.attempt_exports(unit, unit_key, key).await
    }
}
