//! Accounts, and units on their way to being operational.

use crate::sql::{Connection, query};
use jiff::Timestamp;
use sci::UnitId;
use wallet_provider::UnitState;
use wallet_provider::{Activated, AgreedText, NewUnit, Purpose, SpentRequest, StoreError};

use super::issuance::{answer_challenge, locked_state, spend_request, waits};
use super::{rows, seconds};

/// What was found of the device of the installed unit, where the challenge waits.
pub(super) async fn begun(
    connection: &mut Connection,
    challenge: [u8; 32],
    device: [[u8; 32]; 2],
    alias: &str,
    at: Timestamp,
) -> Result<Option<String>, StoreError> {
    waits(connection, challenge, Purpose::Activation, at).await?;
    let [signing, agreement] = device;
    let found: Option<String> = query(
        "SELECT unit.evidence FROM unit JOIN account ON account.id = unit.account
         WHERE unit.signing_thumbprint = ? AND unit.agreement_thumbprint = ?
           AND unit.state = 'installed' AND account.alias = ?",
    )
    .bind(signing)
    .bind(agreement)
    .bind(alias)
    .optional(connection)
    .await?;
    Ok(found)
}

pub(super) async fn begin(tx: &mut Connection, new: NewUnit) -> Result<Activated, StoreError> {
    answer_challenge(tx, new.challenge, Purpose::Activation, new.at).await?;
    if let Some(again) = find_again(tx, &new).await? {
        return Ok(again);
    }
    let (account, new_code) = find_account(tx, &new).await?;
    if let Some(consent) = &new.consent {
        agree(tx, account, consent, new.at).await?;
    }
    let inserted = query(
        "INSERT INTO unit (id, account, state, signing_key, signing_thumbprint, agreement_key,
                           agreement_thumbprint, evidence, wallet_version, created_at,
                           checked_at, device_model, patch_level)
         VALUES (?, ?, 'installed', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    .bind(seconds(new.checked_at))
    .bind(new.device_model)
    .bind(new.patch_level)
    .execute(tx)
    .await;
    match inserted {
        // The identifier is random: what is there already is a device's key.
        Err(error) if error.is_unique_violation() => return Err(StoreError::DeviceKnown),
        other => other?,
    };
    keep_certificates(tx, new.unit, &new.certificates).await?;
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
    let state = locked_state(tx, unit).await?;
    spend_request(tx, unit, &request).await?;
    match state {
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

/// Takes note of what the unit's evidence rests on.
pub(super) async fn keep_certificates(
    tx: &mut Connection,
    unit: UnitId,
    certificates: &[[u8; 32]],
) -> Result<(), StoreError> {
    for certificate in certificates {
        query(
            "INSERT INTO unit_certificate (certificate, unit) VALUES (?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(certificate)
        .bind(unit.as_bytes())
        .execute(tx)
        .await?;
    }
    Ok(())
}

/// Writes a line of the unit's history.
pub(super) async fn add_event(
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
/// was lost. Its account gets a new code if that activation made it, and its code was
/// in the answer that was lost: it is then the only thing that opens the account.
/// What its device showed this time is kept in place of what it showed before.
async fn find_again(tx: &mut Connection, new: &NewUnit) -> Result<Option<Activated>, StoreError> {
    let found: Option<(Vec<u8>, i64, i64)> = query(
        "SELECT unit.id, account.id,
                (SELECT count(*) FROM unit AS other WHERE other.account = account.id)
                + (SELECT count(*) FROM passkey WHERE passkey.account = account.id)
         FROM unit JOIN account ON account.id = unit.account
         WHERE unit.signing_thumbprint = ? AND unit.agreement_thumbprint = ?
           AND unit.state = 'installed' AND account.alias = ?",
    )
    .bind(new.signing_key.thumbprint().as_slice())
    .bind(new.agreement_key.thumbprint().as_slice())
    .bind(&new.alias)
    .optional(tx)
    .await?;
    let Some((unit, account, others)) = found else {
        return Ok(None);
    };
    let unit = rows::unit_id("unit", "id", &unit)?;
    let new_code = open_again(tx, new, unit, account, others).await?;
    renew(tx, unit, new).await?;
    if let Some(consent) = &new.consent {
        agree(tx, account, consent, new.at).await?;
    }
    Ok(Some(Activated { unit, new_code }))
}

/// Whether the account of a unit that is begun again gets a new code; refused where
/// nothing opens it.
async fn open_again(
    tx: &mut Connection,
    new: &NewUnit,
    unit: UnitId,
    account: i64,
    others: i64,
) -> Result<bool, StoreError> {
    if let Some(shown) = new.shown_code {
        let brought = query(
            "SELECT 1 FROM link_code
             WHERE account = ? AND hash = ? AND used_by = ? AND expires_at > ?",
        )
        .bind(account)
        .bind(shown)
        .bind(unit.as_bytes().as_slice())
        .bind(seconds(new.at));
        if brought.fetch_optional(tx).await?.is_some() || is_code(tx, account, shown).await? {
            return Ok(false);
        }
        return Err(StoreError::AccountCode);
    }
    let replaced = query(
        "UPDATE recovery_code SET hash = ? WHERE account = ? AND first = 1 AND used_at IS NULL",
    )
    .bind(new.new_code)
    .bind(account);
    if others != 1 || replaced.execute(tx).await? != 1 {
        return Err(StoreError::AccountCode);
    }
    Ok(true)
}

/// Keeps what was found of the device of a unit that is begun again: an App Attest key
/// is a new one each time, and later assertions are of the newest.
async fn renew(tx: &mut Connection, unit: UnitId, new: &NewUnit) -> Result<(), StoreError> {
    let changed = query(
        "UPDATE unit SET evidence = ?, wallet_version = ?, checked_at = ?, device_model = ?,
                         patch_level = ?
         WHERE id = ? AND state = 'installed'",
    )
    .bind(&new.evidence)
    .bind(&new.wallet_version)
    .bind(seconds(new.checked_at))
    .bind(new.device_model.clone())
    .bind(new.patch_level)
    .bind(unit.as_bytes().as_slice())
    .execute(tx)
    .await?;
    if changed == 0 {
        return Err(StoreError::DeviceKnown);
    }
    query("DELETE FROM unit_certificate WHERE unit = ?")
        .bind(unit.as_bytes())
        .execute(tx)
        .await?;
    keep_certificates(tx, unit, &new.certificates).await
}

/// The account of the alias, if a code of it was shown; a new one, if there is none.
async fn find_account(tx: &mut Connection, new: &NewUnit) -> Result<(i64, bool), StoreError> {
    let found: Option<i64> = query("SELECT id FROM account WHERE alias = ? AND deleted_at IS NULL")
        .bind(&new.alias)
        .locking()
        .optional(tx)
        .await?;
    if let Some(account) = found {
        let shown = new.shown_code.ok_or(StoreError::AccountCode)?;
        if use_link_code(tx, account, shown, new).await? || is_code(tx, account, shown).await? {
            return Ok((account, false));
        }
        return Err(StoreError::AccountCode);
    }
    if new.shown_code.is_some() {
        return Err(StoreError::AccountCode);
    }
    // Of two that make it at once, the second has not shown the first one's code.
    let made: Option<i64> = query(
        "INSERT INTO account (alias, created_at) VALUES (?, ?)
         ON CONFLICT (alias) DO NOTHING RETURNING id",
    )
    .bind(&new.alias)
    .bind(seconds(new.at))
    .optional(tx)
    .await?;
    let account = made.ok_or(StoreError::AccountCode)?;
    query("INSERT INTO recovery_code (account, hash, first, created_at) VALUES (?, ?, 1, ?)")
        .bind(account)
        .bind(new.new_code)
        .bind(seconds(new.at))
        .execute(tx)
        .await?;
    Ok((account, true))
}

/// Records what the account's user agreed to, through the instance.
async fn agree(
    tx: &mut Connection,
    account: i64,
    consent: &AgreedText,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sha256 = jose::b64::decode(&consent.sha256).unwrap_or_default();
    query(
        "INSERT INTO consent (account, kind, version, sha256, given_at)
         VALUES (?, 'processing', ?, ?, ?)",
    )
    .bind(account)
    .bind(&consent.version)
    .bind(sha256)
    .bind(seconds(at))
    .execute(tx)
    .await?;
    Ok(())
}

/// Whether it is a recovery code that nobody signed in with. These are hashes of 128
/// random bits: how long a comparison takes tells nothing.
async fn is_code(tx: &mut Connection, account: i64, shown: [u8; 32]) -> Result<bool, StoreError> {
    let found =
        query("SELECT 1 FROM recovery_code WHERE account = ? AND hash = ? AND used_at IS NULL")
            .bind(account)
            .bind(shown);
    Ok(found.fetch_optional(tx).await?.is_some())
}

/// Uses up the account's link code, if that is what was shown, for the new unit.
async fn use_link_code(
    tx: &mut Connection,
    account: i64,
    shown: [u8; 32],
    new: &NewUnit,
) -> Result<bool, StoreError> {
    let used = query(
        "UPDATE link_code SET used_by = ?
         WHERE account = ? AND hash = ? AND used_by IS NULL AND expires_at > ?",
    )
    .bind(new.unit.as_bytes().as_slice())
    .bind(account)
    .bind(shown)
    .bind(seconds(new.at));
    Ok(used.execute(tx).await? == 1)
}
