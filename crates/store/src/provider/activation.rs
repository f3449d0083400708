//! Accounts, and units on their way to being operational.

use crate::sql::{Connection, query};
use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::UnitState;
use wallet_provider::{Activated, NewUnit, Purpose, SpentRequest, StoreError};

use super::issuance::{answer_challenge, locked_state, spend_request};
use super::{rows, seconds};

pub(super) async fn begin(tx: &mut Connection, new: NewUnit) -> Result<Activated, StoreError> {
    answer_challenge(tx, new.challenge, Purpose::Activation, new.at).await?;
    if let Some(again) = find_again(tx, &new).await? {
        return Ok(again);
    }
    let (account, new_code) = find_account(tx, &new).await?;
    let inserted = query(
        "INSERT INTO unit (id, account, state, signing_key, signing_thumbprint, agreement_key,
                           agreement_thumbprint, evidence, wallet_version, created_at)
         VALUES (?, ?, 'installed', ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(new.unit.as_bytes().as_slice())
    .bind(account)
    .bind(new.signing_key.to_spki_der())
    .bind(new.signing_key.thumbprint().as_slice())
    .bind(new.agreement_key.to_spki_der())
    .bind(new.agreement_key.thumbprint().as_slice())
    .bind(&new.evidence)
    .bind(&new.wallet_version)
    .bind(seconds(new.at))
    .execute(tx)
    .await;
    match inserted {
        // The identifier is random: what is there already is a device's key.
        Err(error) if error.is_unique_violation() => return Err(StoreError::DeviceKnown),
        other => other?,
    };
    for certificate in &new.certificates {
        query(
            "INSERT INTO unit_certificate (certificate, unit) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(certificate)
        .bind(new.unit.as_bytes())
        .execute(tx)
        .await?;
    }
    add_event(tx, new.unit, UnitState::Installed, new.at).await?;
    Ok(Activated {
        unit: new.unit,
        new_code,
    })
}

pub(super) async fn complete(
    tx: &mut Connection,
    unit: UnitId,
    request: SpentRequest,
    at: Timestamp,
) -> Result<(), StoreError> {
    spend_request(tx, unit, &request).await?;
    match locked_state(tx, unit).await? {
        UnitState::Operational => return Ok(()),
        UnitState::Installed => {}
        revoked => return Err(StoreError::UnitState(revoked)),
    }
    query("UPDATE unit SET state = 'operational' WHERE id = ?")
        .bind(unit.as_bytes().as_slice())
        .execute(tx)
        .await?;
    add_event(tx, unit, UnitState::Operational, at).await
}

/// Writes a line of the unit's history.
async fn add_event(
    tx: &mut Connection,
    unit: UnitId,
    state: UnitState,
    at: Timestamp,
) -> Result<(), StoreError> {
    query("INSERT INTO unit_event (unit, at_ms, state) VALUES (?, ?, ?)")
        .bind(unit.as_bytes())
        .bind(at.as_millisecond())
        .bind(state.name())
        .execute(tx)
        .await?;
    Ok(())
}

/// The installed unit of the same two device keys and account, whose first answer
/// was lost. Its account gets the new code if the unit is all it has: its code was
/// in the answer that was lost.
async fn find_again(tx: &mut Connection, new: &NewUnit) -> Result<Option<Activated>, StoreError> {
    let found: Option<(Vec<u8>, i64, Vec<u8>, i64)> = query(
        "SELECT unit.id, account.id, account.code_hash,
                (SELECT count(*) FROM unit AS other WHERE other.account = account.id)
         FROM unit JOIN account ON account.id = unit.account
         WHERE unit.signing_thumbprint = ? AND unit.agreement_thumbprint = ?
           AND unit.state = 'installed' AND account.alias = ?",
    )
    .bind(new.signing_key.thumbprint().as_slice())
    .bind(new.agreement_key.thumbprint().as_slice())
    .bind(&new.alias)
    .optional(tx)
    .await?;
    let Some((unit, account, code, units)) = found else {
        return Ok(None);
    };
    let unit = rows::unit_id("unit", "id", &unit)?;
    let shown = new.shown_code.is_some_and(|shown| code == shown);
    if shown {
        return Ok(Some(Activated {
            unit,
            new_code: false,
        }));
    }
    if units != 1 || new.shown_code.is_some() {
        return Err(StoreError::AccountCode);
    }
    query("UPDATE account SET code_hash = ? WHERE id = ?")
        .bind(new.new_code.as_slice())
        .bind(account)
        .execute(tx)
        .await?;
    Ok(Some(Activated {
        unit,
        new_code: true,
    }))
}

/// The account of the alias, if its code was shown; a new one, if there is none.
async fn find_account(tx: &mut Connection, new: &NewUnit) -> Result<(i64, bool), StoreError> {
    let found: Option<(i64, Vec<u8>)> = query("SELECT id, code_hash FROM account WHERE alias = ?")
        .bind(&new.alias)
        .locking()
        .optional(tx)
        .await?;
    if let Some((account, code)) = found {
        // Hashes of 128 random bits: how long a comparison takes tells nothing.
        return match new.shown_code {
            Some(shown) if code == shown => Ok((account, false)),
            _ => Err(StoreError::AccountCode),
        };
    }
    if new.shown_code.is_some() {
        return Err(StoreError::AccountCode);
    }
    // Of two that make it at once, the second has not shown the first one's code.
    let made: Option<i64> = query(
        "INSERT INTO account (alias, code_hash, created_at) VALUES (?, ?, ?)
         ON CONFLICT (alias) DO NOTHING RETURNING id",
    )
    .bind(&new.alias)
    .bind(new.new_code)
    .bind(seconds(new.at))
    .optional(tx)
    .await?;
    made.map(|id| (id, true)).ok_or(StoreError::AccountCode)
}
