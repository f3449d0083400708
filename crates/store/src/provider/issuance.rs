//! What is taken once: challenges, requests, keys, indices.

use crate::sql::{Connection, query};
use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::UnitState;
use wallet_provider::{Issuance, KeyStorage, NewEntry, Purpose, SpentRequest, StoreError};

use super::{activation, checks, held, rows, seconds, signed, storages};

pub(super) async fn issue(tx: &mut Connection, issuance: Issuance) -> Result<(), StoreError> {
    let unit = issuance.unit;
    spend_request(tx, unit, &issuance.request).await?;
    match locked_state(tx, unit).await? {
        UnitState::Operational => {}
        other => return Err(StoreError::UnitState(other)),
    }
    checks::not_worse(tx, unit).await?;
    if let Some(nonce) = issuance.nonce {
        answer_challenge(tx, nonce, Purpose::Statement(unit), issuance.at).await?;
    }
    if let Some(storage) = &issuance.storage {
        storages::use_one(tx, unit, storage, issuance.at).await?;
    }
    if let Some(counter) = issuance.counter {
        checks::grow_counter(tx, unit, counter).await?;
    }
    if let Some(at) = issuance.checked_at {
        checks::checked(tx, unit, at).await?;
    }
    activation::keep_certificates(tx, unit, &issuance.certificates).await?;
    keep_attested_keys(tx, &issuance.keys).await?;
    let ends = issuance.entries.iter().map(|entry| entry.maintained_until);
    let until = ends.max().unwrap_or(issuance.at);
    keep_instance_keys(tx, &issuance.instance_keys, until).await?;
    match &issuance.holder {
        Some(holder) => held::keep(tx, &issuance, holder).await,
        None => {
            for entry in &issuance.entries {
                add_entry(tx, unit, entry, issuance.storage.as_ref()).await?;
            }
            Ok(())
        }
    }
}

/// Gives the unit an entry, if it is nobody's.
pub(super) async fn add_entry(
    tx: &mut Connection,
    unit: UnitId,
    entry: &NewEntry,
    storage: Option<&KeyStorage>,
) -> Result<(), StoreError> {
    let added = query(
        "INSERT INTO status_entry (list, idx, unit, maintained_until, storage)
         VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(entry.list)
    .bind(signed(entry.index))
    .bind(unit.as_bytes().as_slice())
    .bind(seconds(entry.maintained_until))
    .bind(storage.map(|storage| storage.kind.name()))
    .execute(tx)
    .await?;
    if added == 0 {
        return Err(StoreError::IndexInUse {
            list: entry.list,
            index: entry.index,
        });
    }
    Ok(())
}

/// Takes note of keys that enter a KA, if none is in one, or in a WIA.
pub(super) async fn keep_attested_keys(
    tx: &mut Connection,
    thumbprints: &[[u8; 32]],
) -> Result<(), StoreError> {
    for (place, thumbprint) in thumbprints.iter().enumerate() {
        in_no_wia(tx, place, thumbprint).await?;
        let added = query("INSERT INTO attested_key (hash) VALUES (?) ON CONFLICT DO NOTHING")
            .bind(attested_key_hash(thumbprint).as_slice())
            .execute(tx)
            .await?;
        if added == 0 {
            return Err(StoreError::KeyAttested(place));
        }
    }
    Ok(())
}

/// Takes note of keys that enter a WIA, if none was in one, or is in a KA. They are
/// kept to the end of a day, so that the time tells no more of their WIAs than those do.
pub(super) async fn keep_instance_keys(
    tx: &mut Connection,
    thumbprints: &[[u8; 32]],
    until: Timestamp,
) -> Result<(), StoreError> {
    const DAY: i64 = 86_400;
    let days = seconds(until).div_euclid(DAY).saturating_add(1);
    let forget_at = days.saturating_mul(DAY);
    for (place, thumbprint) in thumbprints.iter().enumerate() {
        in_no_ka(tx, place, thumbprint).await?;
        let added = query(
            "INSERT INTO instance_key (hash, forget_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(instance_key_hash(thumbprint))
        .bind(forget_at)
        .execute(tx)
        .await?;
        if added == 0 {
            return Err(StoreError::KeyUsed(place));
        }
    }
    Ok(())
}

/// What [`issue`] would answer now, as far as the request, the unit, the nonce and
/// the keys go. It changes nothing.
pub(super) async fn check(tx: &mut Connection, issuance: &Issuance) -> Result<(), StoreError> {
    let unit = issuance.unit;
    let spent = query("SELECT 1 FROM spent_request WHERE unit = ? AND jti = ?")
        .bind(unit.as_bytes().as_slice())
        .bind(&issuance.request.jti)
        .fetch_optional(tx)
        .await?;
    if spent.is_some() {
        return Err(StoreError::Replayed);
    }
    match state(tx, unit).await? {
        UnitState::Operational => {}
        other => return Err(StoreError::UnitState(other)),
    }
    checks::not_worse(tx, unit).await?;
    if let Some(nonce) = issuance.nonce {
        waits(tx, nonce, Purpose::Statement(unit), issuance.at).await?;
    }
    for thumbprints in [&issuance.keys, &issuance.instance_keys] {
        for (place, thumbprint) in thumbprints.iter().enumerate() {
            in_no_ka(tx, place, thumbprint).await?;
            in_no_wia(tx, place, thumbprint).await?;
        }
    }
    match &issuance.storage {
        Some(storage) => storages::check(tx, unit, storage).await,
        None => Ok(()),
    }
}

/// Refuses a key that is in a KA. Issuers that are shown one key know the unit by it,
/// whichever attestation it is in.
async fn in_no_ka(
    connection: &mut Connection,
    place: usize,
    thumbprint: &[u8; 32],
) -> Result<(), StoreError> {
    let found = query("SELECT 1 FROM attested_key WHERE hash = ?")
        .bind(attested_key_hash(thumbprint))
        .fetch_optional(connection)
        .await?;
    found.map_or(Ok(()), |_| Err(StoreError::KeyAttested(place)))
}

/// Refuses a key that was in a WIA whose status is still maintained.
async fn in_no_wia(
    connection: &mut Connection,
    place: usize,
    thumbprint: &[u8; 32],
) -> Result<(), StoreError> {
    let found = query("SELECT 1 FROM instance_key WHERE hash = ?")
        .bind(instance_key_hash(thumbprint))
        .fetch_optional(connection)
        .await?;
    found.map_or(Ok(()), |_| Err(StoreError::KeyUsed(place)))
}

/// How many challenges for an activation wait for their answer.
pub(super) async fn waiting_activations(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let count: i64 = query("SELECT count(*) FROM challenge WHERE unit IS NULL AND expires_at > ?")
        .bind(seconds(now))
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

/// Takes note of a request, if it was not made before.
pub(super) async fn spend_request(
    tx: &mut Connection,
    unit: UnitId,
    request: &SpentRequest,
) -> Result<(), StoreError> {
    let spent = query(
        "INSERT INTO spent_request (unit, jti, forget_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(unit.as_bytes().as_slice())
    .bind(&request.jti)
    .bind(seconds(request.forget_at))
    .execute(tx)
    .await?;
    match spent {
        0 => Err(StoreError::Replayed),
        _ => Ok(()),
    }
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
fn instance_key_hash(thumbprint: &[u8; 32]) -> [u8; 32] {
    jose::sha256(&[b"claviger instance key 1".as_slice(), thumbprint].concat())
}

/// The same of a key that is in a KA.
fn attested_key_hash(thumbprint: &[u8; 32]) -> [u8; 32] {
    jose::sha256(&[b"claviger attested key 1".as_slice(), thumbprint].concat())
}
