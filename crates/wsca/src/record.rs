//! The record of a unit is one piece: its columns are bound together by a MAC of
//! the device, so that none can be changed, or be moved to another unit, by someone
//! who can write the database. The same MAC binds its keys and items, through a
//! hash over them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use jose::{PublicKey, sha256};
use sci::{Code, KeyId, UnitId};
use wscd::{Generation, MacPurpose, UnitBinding, UserKey, WrappedKey, WrappedUnitKey, Wscd};

use crate::{Holdings, ItemRow, KeyRow, Member, RetryPolicy, UnitRow, WscaError};

/// A unit whose record the device has vouched for.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    row: UnitRow,
    status: Status,
    pub(crate) signing: PublicKey,
    pub(crate) agreement: PublicKey,
    pub(crate) policy: RetryPolicy,
    pub(crate) keys: Vec<KeyRow>,
    pub(crate) items: Vec<ItemRow>,
}

/// How a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    /// What it has can be used, and nothing is added or stated.
    Retired,
    Frozen,
    Destroyed,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Frozen => "frozen",
            Self::Destroyed => "destroyed",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Retired, Self::Frozen, Self::Destroyed]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// What this process remembers of records: which were vouched for (the hash of a
/// row with its MAC either was seen to fit or was not), and how far each unit had
/// come.
#[derive(Debug, Default)]
pub(crate) struct Vouched {
    rows: Mutex<HashSet<[u8; 32]>>,
    versions: Mutex<Versions>,
}

/// How far units had come: those met last, and those met before them. What is not met
/// for long is forgotten, a half at a time, so that memory has a bound.
#[derive(Debug, Default)]
struct Versions {
    met: HashMap<UnitId, u64>,
    before: HashMap<UnitId, u64>,
}

impl Versions {
    /// A quarter of a million units in each half: some 20 MB in all.
    const MOST: usize = 1 << 18;

    fn of(&mut self, unit: UnitId) -> u64 {
        if let Some(version) = self.met.get(&unit) {
            return *version;
        }
        let version = self.before.get(&unit).copied().unwrap_or(0);
        if version > 0 {
            self.put(unit, version);
        }
        version
    }

    fn put(&mut self, unit: UnitId, version: u64) {
        let version = version.max(self.before.get(&unit).copied().unwrap_or(0));
        if self.met.len() >= Self::MOST && !self.met.contains_key(&unit) {
            self.before = std::mem::take(&mut self.met);
        }
        let newest = self.met.entry(unit).or_insert(version);
        *newest = version.max(*newest);
    }
}

impl Vouched {
    const MOST: usize = 16384;

    /// The newest version of a unit's record that was seen: taken before a read, so
    /// that the read can be measured against it.
    pub(crate) fn version(&self, unit: UnitId) -> u64 {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.of(unit)
    }

    /// A record was written at this version.
    pub(crate) fn wrote(&self, unit: UnitId, version: u64) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.put(unit, version);
    }

    /// Forgets how far units had come: someone has decided that an earlier state is
    /// the one to go on from.
    pub(crate) fn forget_versions(&self) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        *versions = Versions::default();
    }

    /// Checks the MAC over a record, and that it is the unit's that was asked for. After
    /// it, anything odd in the row was written by the WSCA itself.
    pub(crate) async fn vouch(
        &self,
        row: &UnitRow,
        asked: UnitId,
        device: &dyn Wscd,
    ) -> Result<(), WscaError> {
        let hash = record_hash(row);
        let seen = sha256(&[hash.as_slice(), &row.mac].concat());
        if !self.knows(&seen) {
            let mac = record_mac(&hash, device).await?;
            if aws_lc_rs::constant_time::verify_slices_are_equal(&mac, &row.mac).is_err() {
                return Err(altered(asked, "the record's MAC"));
            }
            self.learn(seen, row.unit, row.version);
        }
        if row.unit != asked {
            return Err(altered(asked, "the unit"));
        }
        Ok(())
    }

    fn knows(&self, row: &[u8; 32]) -> bool {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.contains(row)
    }

    fn learn(&self, row: [u8; 32], unit: UnitId, version: u64) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= Self::MOST {
            rows.clear();
        }
        rows.insert(row);
        drop(rows);
        self.wrote(unit, version);
    }
}

fn altered(unit: UnitId, what: &str) -> WscaError {
    tracing::error!(
        target: "claviger::alarm",
        %unit, what,
        "a unit's record was altered outside the WSCA"
    );
    Code::RecordAltered.into()
}

/// Where a unit stands by its record, which was vouched for.
pub(crate) fn standing(row: &UnitRow) -> Result<(Status, RetryPolicy), WscaError> {
    let altered = |what| altered(row.unit, what);
    Ok((
        Status::from_name(&row.state).ok_or_else(|| altered("the state"))?,
        serde_json::from_slice(&row.policy).map_err(|_| altered("the policy"))?,
    ))
}

impl Unit {
    /// Checks what came from the database: the MAC over the record, and that the
    /// keys and items are those it was made over.
    pub(crate) async fn check(
        holdings: Holdings,
        asked: UnitId,
        device: &dyn Wscd,
        vouched: &Vouched,
    ) -> Result<Self, WscaError> {
        let Holdings {
            unit: row,
            keys,
            items,
            ..
        } = holdings;
        vouched.vouch(&row, asked, device).await?;
        let altered = |what| altered(asked, what);
        if holdings_hash(&keys, &items).as_slice() != row.holdings {
            return Err(altered("the keys or items"));
        }
        let key = |der: &[u8]| PublicKey::from_spki_der(der).map_err(|_| altered("a device key"));
        let (status, policy) = standing(&row)?;
        Ok(Self {
            signing: key(&row.signing_key)?,
            agreement: key(&row.agreement_key)?,
            policy,
            status,
            row,
            keys,
            items,
        })
    }

    pub(crate) fn id(&self) -> UnitId {
        self.row.unit
    }

    pub(crate) fn row(&self) -> &UnitRow {
        &self.row
    }

    pub(crate) fn status(&self) -> Status {
        self.status
    }

    /// Refuses what needs keys that can be used.
    pub(crate) fn must_be_usable(&self) -> Result<(), WscaError> {
        match self.status {
            Status::Active | Status::Retired => Ok(()),
            Status::Frozen => Err(Code::UnitFrozen.into()),
            Status::Destroyed => Err(Code::UnitDestroyed.into()),
        }
    }

    /// Refuses what a unit does on its way to new attestations.
    pub(crate) fn must_be_active(&self) -> Result<(), WscaError> {
        match self.status {
            Status::Retired => Err(Code::UnitRetired.into()),
            _ => self.must_be_usable(),
        }
    }

    /// How the device knows the unit.
    pub(crate) fn binding(&self) -> UnitBinding {
        UnitBinding(*self.row.unit.as_bytes())
    }

    pub(crate) fn wrapping_key(&self) -> WrappedUnitKey {
        WrappedUnitKey {
            generation: Generation(self.row.wrapping_generation),
            bytes: self.row.wrapping_key.clone(),
        }
    }

    /// What the shard's hash holds for it now.
    pub(crate) fn member(&self) -> Member {
        member(&self.row)
    }

    /// A key that can be used.
    pub(crate) fn usable(&self, id: KeyId) -> Result<UserKey, WscaError> {
        let row = self.key(id)?;
        let wrapped = row.wrapped.clone().ok_or(Code::KeyDestroyed)?;
        Ok(UserKey {
            public: public_key(row)?,
            wrapped: WrappedKey(wrapped),
        })
    }

    /// A key, destroyed or not.
    pub(crate) fn key(&self, id: KeyId) -> Result<&KeyRow, WscaError> {
        self.keys
            .iter()
            .find(|key| key.id == id)
            .ok_or_else(|| Code::NoSuchKey.into())
    }

    /// All keys that can be used.
    pub(crate) fn user_keys(&self) -> Result<Vec<UserKey>, WscaError> {
        self.keys
            .iter()
            .filter_map(|row| Some((row, row.wrapped.clone()?)))
            .map(|(row, wrapped)| {
                Ok(UserKey {
                    public: public_key(row)?,
                    wrapped: WrappedKey(wrapped),
                })
            })
            .collect()
    }

    pub(crate) fn active_keys(&self) -> usize {
        self.keys.iter().filter(|key| key.wrapped.is_some()).count()
    }

    /// The next version of the record, as `change` makes it, with these keys and
    /// items, vouched for by the device.
    pub(crate) async fn next(
        &self,
        device: &dyn Wscd,
        keys: &[KeyRow],
        items: &[ItemRow],
        change: impl FnOnce(&mut UnitRow) + Send,
    ) -> Result<UnitRow, WscaError> {
        let mut row = self.row.clone();
        row.version = row.version.saturating_add(1);
        row.holdings = holdings_hash(keys, items).to_vec();
        change(&mut row);
        seal(&mut row, device).await?;
        Ok(row)
    }

    /// The next version with the same keys and items.
    pub(crate) async fn next_record(
        &self,
        device: &dyn Wscd,
        change: impl FnOnce(&mut UnitRow) + Send,
    ) -> Result<UnitRow, WscaError> {
        self.next(device, &self.keys, &self.items, change).await
    }
}

/// Whether the device vouches for a record, and the record for the keys and items
/// that stand with it.
pub(crate) async fn vouched_for(holdings: &Holdings, device: &dyn Wscd) -> Result<bool, WscaError> {
    let row = &holdings.unit;
    let mac = record_mac(&record_hash(row), device).await?;
    let sealed = aws_lc_rs::constant_time::verify_slices_are_equal(&mac, &row.mac).is_ok();
    Ok(sealed && holdings_hash(&holdings.keys, &holdings.items).as_slice() == row.holdings)
}

/// A key row's public key.
pub(crate) fn public_key(row: &KeyRow) -> Result<PublicKey, WscaError> {
    PublicKey::from_spki_der(&row.public_key).map_err(|_| Code::RecordAltered.into())
}

/// What the shard's hash holds for a row.
pub(crate) fn member(row: &UnitRow) -> Member {
    Member {
        unit: row.unit,
        version: row.version,
        mac: row.mac.clone(),
    }
}

/// Has the device vouch for a row.
pub(crate) async fn seal(row: &mut UnitRow, device: &dyn Wscd) -> Result<(), WscaError> {
    row.mac = record_mac(&record_hash(row), device).await?.to_vec();
    Ok(())
}

async fn record_mac(hash: &[u8; 32], device: &dyn Wscd) -> Result<[u8; 32], WscaError> {
    let message = [b"claviger-wsca-unit-v1".as_slice(), hash].concat();
    Ok(device.mac(MacPurpose::RecordBinding, &message).await?)
}

/// A hash over all columns but the MAC, each with its length before it and an
/// absent one told from an empty one.
fn record_hash(row: &UnitRow) -> [u8; 32] {
    let UnitRow {
        unit,
        shard,
        version,
        state,
        signing_key,
        agreement_key,
        pin_record,
        pin_credential,
        tries,
        last_try,
        session_epoch,
        wrapping_generation,
        wrapping_key,
        policy,
        holdings,
        mac: _,
    } = row;
    let last_try = last_try.map(|at| at.as_millisecond().to_be_bytes());
    let columns: [Option<&[u8]>; 15] = [
        Some(unit.as_bytes()),
        Some(&shard.to_be_bytes()),
        Some(&version.to_be_bytes()),
        Some(state.as_bytes()),
        Some(signing_key),
        Some(agreement_key),
        pin_record.as_deref(),
        pin_credential.as_deref(),
        Some(&tries.to_be_bytes()),
        last_try.as_ref().map(<[u8; 8]>::as_slice),
        Some(&session_epoch.to_be_bytes()),
        Some(&wrapping_generation.to_be_bytes()),
        Some(wrapping_key),
        Some(policy),
        Some(holdings),
    ];
    hash_parts(&columns)
}

/// A hash over keys and items, which come in the order of their names.
pub(crate) fn holdings_hash(keys: &[KeyRow], items: &[ItemRow]) -> [u8; 32] {
    let mut parts = Vec::with_capacity((keys.len() + items.len()) * 32);
    for key in keys {
        let created = key.created.as_millisecond().to_be_bytes();
        let erased_with = key.erased_with.map(u64::to_be_bytes);
        parts.extend_from_slice(&hash_parts(&[
            Some(b"key"),
            Some(key.unit.as_bytes()),
            Some(key.id.as_bytes()),
            Some(&key.public_key),
            key.wrapped.as_deref(),
            Some(&created),
            erased_with.as_ref().map(<[u8; 8]>::as_slice),
        ]));
    }
    for item in items {
        parts.extend_from_slice(&hash_parts(&[
            Some(b"item"),
            Some(item.unit.as_bytes()),
            Some(item.name.as_bytes()),
            Some(&item.sealed),
        ]));
    }
    sha256(&parts)
}

fn hash_parts(parts: &[Option<&[u8]>]) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(1024);
    for part in parts {
        match part {
            None => bytes.push(0),
            Some(part) => {
                bytes.push(1);
                let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
                bytes.extend_from_slice(&len.to_be_bytes());
                bytes.extend_from_slice(part);
            }
        }
    }
    sha256(&bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn how_far_a_unit_had_come_outlives_many_others() {
        let vouched = Vouched::default();
        let unit = UnitId::random();
        vouched.wrote(unit, 7);
        for round in 0..4 {
            for _ in 0..Versions::MOST / 2 {
                vouched.wrote(UnitId::random(), 1);
            }
            assert_eq!(vouched.version(unit), 7, "after {round} rounds");
        }
        vouched.wrote(unit, 6);
        assert_eq!(vouched.version(unit), 7, "it never goes back");
        let versions = vouched.versions.into_inner().unwrap();
        assert!(versions.met.len() <= Versions::MOST);
        assert!(versions.before.len() <= Versions::MOST);
    }
}
