//! The kit against devices that were spoiled on purpose: each must fail at the
//! rows that say what is wrong with it, and at no others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use jose::{Curve, PublicKey};
use rstest::rstest;
use wscd::conformance::{self, Outcome, Scope};
use wscd::{
    Anchor, Assurance, AttackPotential, Descriptor, DeviceError, Erasure, ExportAttempt,
    Generation, Health, KeyName, KeyUse, MacPurpose, Role, RootState, SealPurpose, SignItem,
    UnitBinding, UserKey, WrappedKey, WrappedUnitKey, Wscd,
};
use zeroize::Zeroizing;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    SaysExportable,
    ExportsByAttribute,
    WrapsInClear,
    NamesNoAssumption,
    ClaimsALevel,
    MakesOneKeyTwice,
    MixesUnits,
    IgnoresThePublicKey,
    IgnoresDestruction,
    KeepsTheOldRoot,
    RotatesTheMacs,
    AnchorsGoBack,
    OneMacKey,
    SealsWithoutPurpose,
    PadsDigests,
    IgnoresItsLimits,
    SignsInTheWrongOrder,
    NamesAreFresh,
    NamedKeysDoEverything,
    NamedKeysStay,
    AgreesOnNothing,
    FailsRatherThanRefuses,
    OffersNoP256,
}

#[rstest]
#[case(Fault::None, &[])]
#[case(Fault::SaysExportable, &["WSCD-NOT-EXPORTABLE"])]
#[case(Fault::ExportsByAttribute, &["WSCD-NOT-EXPORTABLE"])]
#[case(Fault::ClaimsALevel, &["WSCD-DESCRIPTOR"])]
#[case(Fault::NamesNoAssumption, &["WSCD-DESCRIPTOR"])]
#[case(Fault::MakesOneKeyTwice, &["WSCD-GENERATE"])]
#[case(Fault::MixesUnits, &["WSCD-FOREIGN-UNIT-KEY", "WSCD-FOREIGN-USER-KEY"])]
#[case(Fault::IgnoresThePublicKey, &["WSCD-SWAPPED-KEY"])]
#[case(Fault::IgnoresDestruction, &["WSCD-DESTROY"])]
#[case(Fault::KeepsTheOldRoot, &["WSCD-ROTATION-ERASES"])]
#[case(Fault::RotatesTheMacs, &["WSCD-ROTATION-KEEPS"])]
#[case(Fault::AnchorsGoBack, &["WSCD-ANCHOR"])]
#[case(Fault::OneMacKey, &["WSCD-MAC"])]
#[case(Fault::SealsWithoutPurpose, &["WSCD-SEAL"])]
#[case(Fault::PadsDigests, &["WSCD-DIGEST-LENGTH", "WSCD-BATCH"])]
#[case(Fault::IgnoresItsLimits, &["WSCD-BATCH"])]
#[case(Fault::SignsInTheWrongOrder, &["WSCD-SIGN"])]
#[case(Fault::NamesAreFresh, &["WSCD-NAMED-SIGN"])]
#[case(Fault::NamedKeysDoEverything, &["WSCD-NAMED-SIGN"])]
#[case(Fault::NamedKeysStay, &["WSCD-NAMED-DESTROY"])]
#[case(Fault::AgreesOnNothing, &["WSCD-AGREE"])]
#[case(Fault::FailsRatherThanRefuses, &["WSCD-TAMPERED-KEY", "WSCD-ROTATION-ERASES"])]
#[case(Fault::OffersNoP256, &["WSCD-GENERATE"])]
#[tokio::test]
async fn a_spoiled_device_fails_at_the_right_rows(
    #[case] fault: Fault,
    #[case] rows: &[&'static str],
) {
    let device = Spoiled::with(fault);
    let report = conformance::run(&device, Scope::Empty).await;
    assert_eq!(report.failures(), rows, "{report:#?}");
    assert_eq!(report.passed(), rows.is_empty());
    for check in &report.checks {
        if rows.contains(&check.id) {
            assert!(
                matches!(&check.result, Outcome::Failed(evidence) if !evidence.is_empty()),
                "{check:?}"
            );
        }
    }
}

/// What is checked is what somebody asks for: each row names the letter of Article 5 or
/// the ARF's requirement that it comes from.
#[test]
fn every_check_names_a_letter_of_article_5_or_a_requirement() {
    let mut ids = std::collections::HashSet::new();
    for (id, requirement, says) in conformance::checks() {
        assert!(ids.insert(id), "{id} twice");
        assert!(id.starts_with("WSCD-") && !says.is_empty(), "{id}");
        let names = requirement.contains("2024/2979 Art. 5(1)(") || requirement.contains("ARF ");
        assert!(names, "{id}: {requirement}");
    }
    for letter in ["(c)", "(d)", "(e)", "(f)", "(g)"] {
        let article = format!("2024/2979 Art. 5(1){letter}");
        assert!(
            conformance::checks().any(|(_, from, _)| from.contains(&article)),
            "nothing checks {article}"
        );
    }
}

/// Nothing else of such a device works, so its other rows are red too.
#[tokio::test]
async fn a_private_key_in_the_clear_is_found() {
    let device = Spoiled::with(Fault::WrapsInClear);
    let report = conformance::run(&device, Scope::Empty).await;
    let row = report.checks.iter().find(|c| c.id == "WSCD-NOT-IN-CLEAR");
    match &row.unwrap().result {
        Outcome::Failed(evidence) => assert!(evidence.contains("begins the private key")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn not_offering_what_is_mandatory_is_a_failure_and_what_is_optional_is_none() {
    let mut device = Spoiled::with(Fault::None);
    device.descriptor.agreement = false;
    device.refuses_agreement = true;
    let report = conformance::run(&device, Scope::Empty).await;
    assert!(report.passed(), "{:?}", report.failures());
    let offered = |id| report.checks.iter().find(|c| c.id == id).unwrap();
    assert_eq!(offered("WSCD-AGREE").result, Outcome::NotOffered);
    assert!(!offered("WSCD-AGREE").mandatory);

    // A device for the service's keys alone need not hold users' keys.
    let mut device = Spoiled::with(Fault::None);
    device.descriptor.roles = vec![Role::ServiceKeys];
    let report = conformance::run(&device, Scope::Empty).await;
    assert!(report.passed());
    assert!(report.checks.iter().any(|c| c.result == Outcome::Passed));
    assert_eq!(
        report
            .checks
            .iter()
            .find(|c| c.id == "WSCD-SIGN")
            .unwrap()
            .result,
        Outcome::NotOffered
    );
}

#[tokio::test]
async fn a_report_is_one_flat_row_for_each_check() {
    let device = Spoiled::with(Fault::OneMacKey);
    let report = conformance::run(&device, Scope::InUse).await;
    let json = serde_json::to_value(&report).unwrap();
    let row = |id| {
        json["checks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["id"] == id)
            .unwrap()
    };
    assert_eq!(row("WSCD-SIGN")["result"], "passed");
    assert_eq!(row("WSCD-MAC")["result"], "failed");
    assert!(row("WSCD-MAC")["evidence"].is_string());
    assert_eq!(row("WSCD-ANCHOR")["result"], "skipped");
    assert_eq!(row("WSCD-ANCHOR")["mandatory"], true);
}

/// A sound device behind one fault.
#[derive(Debug)]
struct Spoiled {
    inner: Arc<dyn Wscd>,
    descriptor: Descriptor,
    fault: Fault,
    refuses_agreement: bool,
    memory: Mutex<Memory>,
}

/// What a faulty device remembers in order to do what it must not.
#[derive(Default)]
struct Memory {
    unit_keys: HashMap<Vec<u8>, UnitBinding>,
    owners: HashMap<WrappedKey, (UnitBinding, WrappedUnitKey)>,
    publics: HashMap<WrappedKey, PublicKey>,
    anchors: HashMap<u16, Anchor>,
    finished: u64,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory")
    }
}

impl Spoiled {
    fn with(fault: Fault) -> Self {
        let inner: Arc<dyn Wscd> = Arc::new(wscd::software::SoftwareDevice::ephemeral().unwrap());
        let mut descriptor = inner.descriptor().clone();
        assert_eq!(descriptor.assurance, Assurance::None);
        match fault {
            Fault::NamesNoAssumption => {
                descriptor.assurance = Assurance::Assumed {
                    scheme: "a national scheme".into(),
                    assumption: String::new(),
                };
            }
            Fault::SaysExportable => descriptor.exportable = true,
            Fault::ClaimsALevel => descriptor.key_storage = Some(AttackPotential::High),
            Fault::OffersNoP256 => descriptor.curves = vec![Curve::P384, Curve::P521],
            _ => {}
        }
        Self {
            inner,
            descriptor,
            fault,
            refuses_agreement: false,
            memory: Mutex::default(),
        }
    }

    fn remember(&self, unit: &UnitBinding, unit_key: &WrappedUnitKey, keys: &[UserKey]) {
        let mut memory = self.memory.lock().unwrap();
        for key in keys {
            let wrapped = key.wrapped.clone();
            memory
                .owners
                .insert(wrapped.clone(), (*unit, unit_key.clone()));
            memory.publics.insert(wrapped, key.public.clone());
        }
    }

    /// The unit that a wrapping key really is of, when this device mixes units.
    fn unit_of(&self, unit: &UnitBinding, unit_key: &WrappedUnitKey) -> UnitBinding {
        if self.fault != Fault::MixesUnits {
            return *unit;
        }
        let memory = self.memory.lock().unwrap();
        *memory.unit_keys.get(&unit_key.bytes).unwrap_or(unit)
    }

    fn seal_purpose(&self, purpose: SealPurpose) -> SealPurpose {
        match self.fault {
            Fault::SealsWithoutPurpose => SealPurpose::ServiceSecret,
            _ => purpose,
        }
    }
}

#[async_trait]
impl Wscd for Spoiled {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    async fn health(&self) -> Result<Health, DeviceError> {
        self.inner.health().await
    }

    async fn create_unit_key(&self, unit: &UnitBinding) -> Result<WrappedUnitKey, DeviceError> {
        let key = self.inner.create_unit_key(unit).await?;
        let mut memory = self.memory.lock().unwrap();
        memory.unit_keys.insert(key.bytes.clone(), *unit);
        Ok(key)
    }

    async fn generate(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        curve: Curve,
        count: usize,
    ) -> Result<Vec<UserKey>, DeviceError> {
        let unit = &self.unit_of(unit, unit_key);
        if self.fault == Fault::IgnoresItsLimits && count > self.descriptor.limits.max_batch {
            return self.inner.generate(unit, unit_key, curve, 1).await;
        }
        let mut keys = self.inner.generate(unit, unit_key, curve, count).await?;
        match self.fault {
            Fault::MakesOneKeyTwice if count > 4 => keys[1] = keys[0].clone(),
            Fault::WrapsInClear => {
                for key in keys.iter_mut().filter(|_| curve == Curve::P256) {
                    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                    let scalar: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().unwrap();
                    let public = PublicKey::from_point(curve, pair.public_key().as_ref()).unwrap();
                    key.wrapped.0.extend_from_slice(scalar.as_ref());
                    key.public = public;
                }
            }
            _ => {}
        }
        self.remember(unit, unit_key, &keys);
        Ok(keys)
    }

    async fn sign_digests(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        items: &[SignItem<'_>],
    ) -> Result<Vec<Vec<u8>>, DeviceError> {
        let limit = self.descriptor.limits.max_batch;
        if self.fault == Fault::IgnoresItsLimits && items.len() > limit {
            return self
                .inner
                .sign_digests(unit, unit_key, &items[..limit])
                .await;
        }
        if items.is_empty() || items.len() > limit {
            return self.inner.sign_digests(unit, unit_key, items).await;
        }
        let unit = &self.unit_of(unit, unit_key);
        let mut signatures = Vec::new();
        let mut owned = Vec::new();
        for item in items {
            let mut key = item.key.clone();
            let mut digest = item.digest.to_vec();
            let mut under = (*unit, unit_key.clone());
            let memory = self.memory.lock().unwrap();
            match self.fault {
                Fault::MixesUnits => {
                    if let Some(owner) = memory.owners.get(&key.wrapped)
                        && owner.0 != *unit
                    {
                        under = owner.clone();
                        key.public = memory.publics[&key.wrapped].clone();
                    }
                }
                Fault::IgnoresThePublicKey => {
                    if let Some(public) = memory.publics.get(&key.wrapped)
                        && under.0 == memory.owners[&key.wrapped].0
                    {
                        key.public = public.clone();
                    }
                }
                Fault::PadsDigests => digest.resize(wscd::digest_len(key.public.curve()), 0),
                _ => {}
            }
            drop(memory);
            owned.push((under, key, digest));
        }
        if self.fault == Fault::SignsInTheWrongOrder && owned.len() == 8 {
            owned.reverse();
        }
        for ((unit, unit_key), key, digest) in &owned {
            let item = SignItem { key, digest };
            let signed = self.inner.sign_digests(unit, unit_key, &[item]).await;
            match (signed, self.fault) {
                (Err(DeviceError::Tampered { .. }), Fault::FailsRatherThanRefuses) => {
                    return Err(DeviceError::Failed {
                        what: "unwrap",
                        cause: "CKR_FUNCTION_FAILED".to_owned(),
                    });
                }
                (signed, _) => signatures.extend(signed?),
            }
        }
        Ok(signatures)
    }

    async fn agree(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        key: &UserKey,
        peer: &PublicKey,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        if self.refuses_agreement {
            return Err(DeviceError::NotOffered { what: "agreement" });
        }
        let agreed = self.inner.agree(unit, unit_key, key, peer).await?;
        Ok(match self.fault {
            Fault::AgreesOnNothing => Zeroizing::new(vec![0; agreed.len()]),
            _ => agreed,
        })
    }

    async fn destroy_keys(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        keys: &[UserKey],
    ) -> Result<Erasure, DeviceError> {
        let done = self.inner.destroy_keys(unit, unit_key, keys).await?;
        Ok(match self.fault {
            Fault::IgnoresDestruction => Erasure::Complete,
            _ => done,
        })
    }

    async fn destroy_unit(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
    ) -> Result<Erasure, DeviceError> {
        self.inner.destroy_unit(unit, unit_key).await
    }

    async fn seal_item(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        self.inner.seal_item(unit, unit_key, aad, plaintext).await
    }

    async fn open_item(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        self.inner.open_item(unit, unit_key, aad, sealed).await
    }

    async fn seal(
        &self,
        purpose: SealPurpose,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>, DeviceError> {
        let purpose = self.seal_purpose(purpose);
        self.inner.seal(purpose, aad, plaintext).await
    }

    async fn open(
        &self,
        purpose: SealPurpose,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let purpose = self.seal_purpose(purpose);
        self.inner.open(purpose, aad, sealed).await
    }

    async fn mac(&self, purpose: MacPurpose, data: &[u8]) -> Result<[u8; 32], DeviceError> {
        match self.fault {
            Fault::OneMacKey => self.inner.mac(MacPurpose::OprfSeed, data).await,
            Fault::RotatesTheMacs => {
                let finished = self.memory.lock().unwrap().finished;
                let data = [data, &finished.to_be_bytes()].concat();
                self.inner.mac(purpose, &data).await
            }
            _ => self.inner.mac(purpose, data).await,
        }
    }

    async fn read_anchor(&self, shard: u16) -> Result<Option<Anchor>, DeviceError> {
        if self.fault == Fault::AnchorsGoBack {
            return Ok(self.memory.lock().unwrap().anchors.get(&shard).copied());
        }
        self.inner.read_anchor(shard).await
    }

    async fn write_anchor(&self, shard: u16, anchor: &Anchor) -> Result<(), DeviceError> {
        if self.fault == Fault::AnchorsGoBack {
            self.memory.lock().unwrap().anchors.insert(shard, *anchor);
            return Ok(());
        }
        self.inner.write_anchor(shard, anchor).await
    }

    async fn root(&self) -> Result<RootState, DeviceError> {
        let mut root = self.inner.root().await?;
        if self.fault == Fault::KeepsTheOldRoot && self.memory.lock().unwrap().finished > 0 {
            root.retiring = None;
        }
        Ok(root)
    }

    async fn begin_rotation(&self) -> Result<RootState, DeviceError> {
        self.inner.begin_rotation().await
    }

    async fn rewrap(
        &self,
        unit: &UnitBinding,
        from: &WrappedUnitKey,
        to: &WrappedUnitKey,
        keys: &[UserKey],
    ) -> Result<Vec<UserKey>, DeviceError> {
        let moved = self.inner.rewrap(unit, from, to, keys).await?;
        self.remember(unit, to, &moved);
        Ok(moved)
    }

    async fn finish_rotation(&self, root: Generation) -> Result<Generation, DeviceError> {
        let current = self.inner.root().await?.current;
        if current == root {
            self.memory.lock().unwrap().finished += 1;
            if self.fault == Fault::KeepsTheOldRoot {
                return Ok(current);
            }
        }
        self.inner.finish_rotation(root).await
    }

    async fn named_key(
        &self,
        name: &KeyName,
        curve: Curve,
        usage: KeyUse,
    ) -> Result<PublicKey, DeviceError> {
        if self.fault == Fault::NamesAreFresh && name.as_str().ends_with("sign") {
            self.inner.destroy_named(name).await?;
        }
        self.inner.named_key(name, curve, usage).await
    }

    async fn sign_named(&self, name: &KeyName, digest: &[u8]) -> Result<Vec<u8>, DeviceError> {
        self.inner.sign_named(name, digest).await
    }

    async fn agree_named(
        &self,
        name: &KeyName,
        peer: &PublicKey,
    ) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        match self.inner.agree_named(name, peer).await {
            Err(DeviceError::WrongUse { .. }) if self.fault == Fault::NamedKeysDoEverything => {
                Ok(Zeroizing::new(vec![1; 32]))
            }
            other => other,
        }
    }

    async fn destroy_named(&self, name: &KeyName) -> Result<(), DeviceError> {
        if self.fault == Fault::NamedKeysStay {
            return Ok(());
        }
        self.inner.destroy_named(name).await
    }

    async fn attempt_exports(
        &self,
        _unit: &UnitBinding,
        _unit_key: &WrappedUnitKey,
        _key: &UserKey,
    ) -> Result<Vec<ExportAttempt>, DeviceError> {
        let attempt = |means: &str, exported| ExportAttempt {
            means: means.to_owned(),
            exported,
            answer: "CKR_OK".to_owned(),
        };
        Ok(vec![
            attempt("C_WrapKey by another key", false),
            attempt(
                "C_GetAttributeValue of CKA_VALUE",
                self.fault == Fault::ExportsByAttribute,
            ),
        ])
    }
}
