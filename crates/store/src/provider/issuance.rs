//! What is taken once: challenges, requests, keys, indices.

use crate::sql::{Connection, Query, Together, query};
use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::UnitState;
use wallet_provider::{Issuance, KeyStorage, NewEntry, Purpose, SpentRequest, StoreError};

use super::{activation, checks, held, rows, seconds, signed, storages};

pub(super) async fn issue(tx: &mut Connection, issuance: Issuance) -> Result<(), StoreError> {
    let unit = issuance.unit;
    // The lock keeps a revocation away until this is committed: what that finds of the
    // unit's entries is then all of them.
    match locked_state(tx, unit).await? {
        UnitState::Operational => {}
        other => return Err(StoreError::UnitState(other)),
    }
    if let Some(nonce) = issuance.nonce {
        answer_challenge(tx, nonce, Purpose::Statement(unit), issuance.at).await?;
    }
    let mut record = Together::default();
    record.changes(spent(unit, &issuance.request), StoreError::Replayed);
    record.finds_none(checks::failed_one(unit), StoreError::DeviceWorse);
    attest_keys(&mut record, &issuance.keys);
    keep_instance_keys(&mut record, &issuance.instance_keys, keys_end(&issuance));
    if issuance.holder.is_none() {
        for entry in &issuance.entries {
            add_entry(&mut record, unit, entry, issuance.storage.as_ref());
        }
    }
    record.put(tx).await?;
    if let Some(storage) = &issuance.storage {
        storages::use_one(tx, unit, storage, issuance.at).await?;
    }
    if let Some(counter) = issuance.counter {
        checks::grow_counter(tx, unit, counter).await?;
    }
    activation::keep_certificates(tx, unit, &issuance.certificates).await?;
    match &issuance.holder {
        Some(holder) => held::keep(tx, &issuance, holder).await,
        None => Ok(()),
    }
}

/// Gives the unit an entry, if it is nobody's.
pub(super) fn add_entry(
    to: &mut Together<StoreError>,
    unit: UnitId,
    entry: &NewEntry,
    storage: Option<&KeyStorage>,
) {
    let add = query(
        "INSERT INTO status_entry (list, idx, unit, maintained_until, storage)
         VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(entry.list)
    .bind(signed(entry.index))
    .bind(unit.as_bytes().as_slice())
    .bind(seconds(entry.maintained_until))
    .bind(storage.map(|storage| storage.kind.name()));
    let in_use = StoreError::IndexInUse {
        list: entry.list,
        index: entry.index,
    };
    to.changes(add, in_use);
}

/// Takes note of keys that enter a KA, if none is in one, or in a WIA.
pub(super) fn attest_keys(to: &mut Together<StoreError>, thumbprints: &[[u8; 32]]) {
    for (place, thumbprint) in thumbprints.iter().enumerate() {
        to.finds_none(in_a_wia(thumbprint), StoreError::KeyUsed(place));
        let add = query("INSERT INTO attested_key (hash) VALUES (?) ON CONFLICT DO NOTHING")
            .bind(attested_key_hash(thumbprint));
        to.changes(add, StoreError::KeyAttested(place));
    }
}

/// When the keys of an issuance's WIAs are forgotten.
pub(super) fn keys_end(issuance: &Issuance) -> i64 {
    let ends = issuance.entries.iter().map(|entry| entry.maintained_until);
    end_of_day(ends.max().unwrap_or(issuance.at))
}

/// Keys are kept to the end of a day, so that the time tells no more of their WIAs than
/// those do.
pub(super) fn end_of_day(until: Timestamp) -> i64 {
    const DAY: i64 = 86_400;
    let days = seconds(until).div_euclid(DAY).saturating_add(1);
    days.saturating_mul(DAY)
}

/// Takes note of keys that enter a WIA, if none was in one, or is in a KA.
pub(super) fn keep_instance_keys(
    to: &mut Together<StoreError>,
    thumbprints: &[[u8; 32]],
    forget_at: i64,
) {
    for (place, thumbprint) in thumbprints.iter().enumerate() {
        to.finds_none(in_a_ka(thumbprint), StoreError::KeyAttested(place));
        let add = query(
            "INSERT INTO instance_key (hash, forget_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(instance_key_hash(thumbprint))
        .bind(forget_at);
        to.changes(add, StoreError::KeyUsed(place));
    }
}

/// What [`issue`] would answer now, as far as the request, the unit, the nonce and
/// the keys go. It changes nothing.
pub(super) async fn check(
    connection: &mut Connection,
    issuance: &Issuance,
) -> Result<(), StoreError> {
    let unit = issuance.unit;
    let request = query("SELECT 1 FROM spent_request WHERE unit = ? AND jti = ?")
        .bind(unit.as_bytes().as_slice())
        .bind(&issuance.request.jti);
    let mut all = Together::default();
    all.finds_none(request, StoreError::Replayed);
    all.finds(operational(unit), StoreError::UnitUnknown);
    all.finds_none(checks::failed_one(unit), StoreError::DeviceWorse);
    or_its_state(all.put(connection).await, connection, unit).await?;
    if let Some(nonce) = issuance.nonce {
        waits(connection, nonce, Purpose::Statement(unit), issuance.at).await?;
    }
    let mut all = Together::default();
    for thumbprints in [&issuance.keys, &issuance.instance_keys] {
        for (place, thumbprint) in thumbprints.iter().enumerate() {
            all.finds_none(in_a_ka(thumbprint), StoreError::KeyAttested(place));
            all.finds_none(in_a_wia(thumbprint), StoreError::KeyUsed(place));
        }
    }
    all.put(connection).await?;
    match &issuance.storage {
        Some(storage) => storages::check(connection, unit, storage).await,
        None => Ok(()),
    }
}

fn operational(unit: UnitId) -> Query {
    query("SELECT 1 FROM unit WHERE id = ? AND state = ?")
        .bind(unit.as_bytes().as_slice())
        .bind(UnitState::Operational.name())
}

/// A unit that is not operational is told where it stands.
async fn or_its_state(
    done: Result<(), StoreError>,
    connection: &mut Connection,
    unit: UnitId,
) -> Result<(), StoreError> {
    match done {
        Err(StoreError::UnitUnknown) => Err(match state(connection, unit).await? {
            UnitState::Operational => StoreError::UnitChanged,
            other => StoreError::UnitState(other),
        }),
        done => done,
    }
}

/// A key that is in a KA. Issuers that are shown one key know the unit by it,
/// whichever attestation it is in.
fn in_a_ka(thumbprint: &[u8; 32]) -> Query {
    query("SELECT 1 FROM attested_key WHERE hash = ?").bind(attested_key_hash(thumbprint))
}

/// A key that was in a WIA whose status is still maintained.
fn in_a_wia(thumbprint: &[u8; 32]) -> Query {
    query("SELECT 1 FROM instance_key WHERE hash = ?").bind(instance_key_hash(thumbprint))
}

/// How many challenges for an activation wait for their answer.
pub(super) async fn waiting_activations(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let count: i64 = query("SELECT count(*) FROM challenge WHERE unit IS NULL AND expires_at > ?")
        .bind(seconds(now))
        .at_length()
        .one(connection)
        .await?;
    rows::unsigned("challenge", "count", count)
}

pub(super) async fn forget_challenges(
    tx: &mut Connection,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let done = query("DELETE FROM challenge WHERE expires_at <= ?")
        .bind(seconds(now))
        .execute(tx)
        .await?;
    Ok(done)
}

pub(super) async fn add_challenge(
    tx: &mut Connection,
    hash: [u8; 32],
    purpose: Purpose,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    query("INSERT INTO challenge (hash, unit, expires_at) VALUES (?, ?, ?)")
        .bind(hash.as_slice())
        .bind(owner(purpose))
        .bind(seconds(expires_at))
        .execute(tx)
        .await?;
    Ok(())
}

/// Takes the challenge away, if it waits for this answer.
pub(super) async fn answer_challenge(
    tx: &mut Connection,
    hash: [u8; 32],
    purpose: Purpose,
    at: Timestamp,
) -> Result<(), StoreError> {
    let expires_at: Option<i64> = query(
        "DELETE FROM challenge WHERE hash = ? AND unit IS NOT DISTINCT FROM ? RETURNING expires_at",
    )
    .bind(hash.as_slice())
    .bind(owner(purpose))
    .optional(tx)
    .await?;
    still_waits(expires_at, at)
}

/// Whether the challenge waits for this answer. It changes nothing.
pub(super) async fn waits(
    connection: &mut Connection,
    hash: [u8; 32],
    purpose: Purpose,
    at: Timestamp,
) -> Result<(), StoreError> {
    let expires_at =
        query("SELECT expires_at FROM challenge WHERE hash = ? AND unit IS NOT DISTINCT FROM ?")
            .bind(hash)
            .bind(owner(purpose))
            .optional(connection)
            .await?;
    still_waits(expires_at, at)
}

fn still_waits(expires_at: Option<i64>, at: Timestamp) -> Result<(), StoreError> {
    match expires_at {
        None => Err(StoreError::ChallengeUnknown),
        Some(end) if end <= seconds(at) => Err(StoreError::ChallengeExpired),
        Some(_) => Ok(()),
    }
}

/// Takes note of a request, if it was not made before. Where the unit's row is locked
/// too, that comes first.
pub(super) async fn spend_request(
    tx: &mut Connection,
    unit: UnitId,
    request: &SpentRequest,
) -> Result<(), StoreError> {
    match spent(unit, request).execute(tx).await? {
        0 => Err(StoreError::Replayed),
        _ => Ok(()),
    }
}

fn spent(unit: UnitId, request: &SpentRequest) -> Query {
    query(
        "INSERT INTO spent_request (unit, jti, forget_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(unit.as_bytes().as_slice())
    .bind(&request.jti)
    .bind(seconds(request.forget_at))
}

/// Where the unit stands, inside the transaction.
pub(super) async fn state(tx: &mut Connection, unit: UnitId) -> Result<UnitState, StoreError> {
    let found = query("SELECT state FROM unit WHERE id = ?").bind(unit.as_bytes().as_slice());
    read_state(found.optional(tx).await?)
}

/// Where the unit stands, and stays until the transaction ends.
pub(super) async fn locked_state(
    tx: &mut Connection,
    unit: UnitId,
) -> Result<UnitState, StoreError> {
    let found = query("SELECT state FROM unit WHERE id = ?").bind(unit.as_bytes().as_slice());
    read_state(found.locking().optional(tx).await?)
}

fn read_state(found: Option<String>) -> Result<UnitState, StoreError> {
    let name = found.ok_or(StoreError::UnitUnknown)?;
    rows::named("unit", "state", &name, UnitState::from_name)
}

fn owner(purpose: Purpose) -> Option<Vec<u8>> {
    match purpose {
        Purpose::Activation => None,
        Purpose::Statement(unit) => Some(unit.as_bytes().to_vec()),
    }
}

/// What is kept of a key: not the thumbprint, which stands in places that others
/// see.
pub(super) fn instance_key_hash(thumbprint: &[u8; 32]) -> [u8; 32] {
    jose::sha256(&[b"claviger instance key 1".as_slice(), thumbprint].concat())
}

/// The same of a key that is in a KA.
pub(super) fn attested_key_hash(thumbprint: &[u8; 32]) -> [u8; 32] {
    jose::sha256(&[b"claviger attested key 1".as_slice(), thumbprint].concat())
}
