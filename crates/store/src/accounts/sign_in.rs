//! Sign-ins.

use accounts::{Account, AccountId, NewSignIn, PasskeyUse, SignInRecord, StoreError};
use jiff::Timestamp;
use notices::Fact;

use super::{damaged, keys, seconds, tell, time};
use crate::sql::{Connection, query};

pub(super) async fn by_passkey(
    tx: &mut Connection,
    used: PasskeyUse,
    sign_in: NewSignIn,
) -> Result<(), StoreError> {
    let last: Option<i64> = query("SELECT counter FROM passkey WHERE id = ? AND account = ?")
        .bind(&used.id)
        .bind(used.account.0)
        .locking()
        .optional(tx)
        .await?;
    let last = last.ok_or(StoreError::PasskeyUnknown)?;
    let counter = i64::from(used.counter);
    // Two copies of a passkey could have begun at once, with the same last counter.
    if counter <= last && (counter, last) != (0, 0) {
        return Err(StoreError::CounterBack);
    }
    query("UPDATE passkey SET counter = ?, data = ?, used_at = ? WHERE id = ?")
        .bind(counter)
        .bind(used.data)
        .bind(seconds(sign_in.at))
        .bind(used.id)
        .execute(tx)
        .await?;
    begin(tx, used.account, sign_in).await
}

pub(super) async fn by_code(
    tx: &mut Connection,
    alias: String,
    code: [u8; 32],
    sign_in: NewSignIn,
) -> Result<AccountId, StoreError> {
    let account: Option<i64> =
        query("SELECT id FROM account WHERE alias = ? AND deleted_at IS NULL")
            .bind(alias)
            .locking()
            .optional(tx)
            .await?;
    let account = AccountId(account.ok_or(StoreError::Code)?);
    // Where nothing else opens the account, the code goes on opening it until there are
    // new ones: a user who came in and made none would be shut out for good. That
    // somebody came in is kept all the same: it is no activation's to replace any more.
    let only_way =
        keys::codes_left(tx, account).await? == 1 && keys::count_passkeys(tx, account).await? == 0;
    let used = query(
        "UPDATE recovery_code SET used_at = ?, first = 0
         WHERE account = ? AND hash = ? AND used_at IS NULL",
    )
    .bind((!only_way).then(|| seconds(sign_in.at)))
    .bind(account.0)
    .bind(code)
    .execute(tx)
    .await?;
    if used != 1 {
        return Err(StoreError::Code);
    }
    begin(tx, account, sign_in).await?;
    tell(tx, account, Fact::SignedInByRecoveryCode, sign_in.at).await?;
    Ok(account)
}

pub(super) async fn begin(
    tx: &mut Connection,
    account: AccountId,
    new: NewSignIn,
) -> Result<(), StoreError> {
    if let Some(before) = new.replaces {
        end(tx, before).await?;
    }
    query(
        "INSERT INTO sign_in (hash, account, since, seen_at, ends_at) VALUES (?1, ?2, ?3, ?3, ?4)",
    )
    .bind(new.hash)
    .bind(account.0)
    .bind(seconds(new.at))
    .bind(seconds(new.ends_at))
    .execute(tx)
    .await?;
    Ok(())
}

type Row = (
    i64,
    String,
    String,
    Option<String>,
    i64,
    i64,
    i64,
    Option<Vec<u8>>,
);

pub(super) async fn find(
    connection: &mut Connection,
    hash: [u8; 32],
) -> Result<Option<SignInRecord>, StoreError> {
    let row: Option<Row> = query(
        "SELECT account.id, account.alias, account.language, account.email,
                sign_in.since, sign_in.seen_at, sign_in.ends_at,
                (SELECT sha256 FROM consent
                 WHERE consent.account = account.id AND kind = 'processing'
                 ORDER BY consent.id DESC LIMIT 1)
         FROM sign_in JOIN account ON account.id = sign_in.account
         WHERE sign_in.hash = ? AND account.deleted_at IS NULL",
    )
    .bind(hash)
    .optional(connection)
    .await?;
    let Some((id, alias, language, address, since, seen_at, ends_at, agreed)) = row else {
        return Ok(None);
    };
    let agreed = agreed.map(|hash| hash.try_into());
    Ok(Some(SignInRecord {
        account: Account {
            id: AccountId(id),
            alias,
            language,
            address,
        },
        since: time("sign_in", "since", since)?,
        seen_at: time("sign_in", "seen_at", seen_at)?,
        ends_at: time("sign_in", "ends_at", ends_at)?,
        agreed: agreed
            .transpose()
            .map_err(|_| damaged("consent", "sha256", "has another length"))?,
    }))
}

pub(super) async fn seen(
    tx: &mut Connection,
    hash: [u8; 32],
    at: Timestamp,
) -> Result<(), StoreError> {
    query("UPDATE sign_in SET seen_at = ?1 WHERE hash = ?2 AND seen_at < ?1")
        .bind(seconds(at))
        .bind(hash)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn end(tx: &mut Connection, hash: [u8; 32]) -> Result<(), StoreError> {
    query("DELETE FROM sign_in WHERE hash = ?")
        .bind(hash)
        .execute(tx)
        .await?;
    Ok(())
}

/// Ends every sign-in of the account but one's own.
pub(super) async fn end_others(
    tx: &mut Connection,
    account: AccountId,
    own: [u8; 32],
) -> Result<(), StoreError> {
    query("DELETE FROM sign_in WHERE account = ? AND hash <> ?")
        .bind(account.0)
        .bind(own)
        .execute(tx)
        .await?;
    Ok(())
}
