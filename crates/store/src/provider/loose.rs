//! Attestations that belong to no unit.

use async_trait::async_trait;
use jiff::Timestamp;
use wallet_provider::{
    EntryName, LooseIssuance, LooseSelection, Purpose, ReferenceStore, StoreError,
};

use super::issuance::{answer_challenge, attest_keys, end_of_day, keep_instance_keys, waits};
use super::revocation::mark_changed;
use super::storages::set_entry;
use super::{SqlProviderStore, boxed, seconds, signed};
use crate::sql::{Connection, Together, query};

#[async_trait]
impl ReferenceStore for SqlProviderStore {
    async fn challenge_waits(&self, challenge: [u8; 32], at: Timestamp) -> Result<(), StoreError> {
        let mut reader = self.database.reader().await?;
        waits(&mut reader, challenge, Purpose::Activation, at).await
    }

    async fn issue_loose(&self, issuance: LooseIssuance) -> Result<(), StoreError> {
        self.database
            .write(move |tx| boxed(issue(tx, issuance)))
            .await
    }

    async fn revoke_loose(&self, selection: LooseSelection) -> Result<u64, StoreError> {
        self.database
            .write(move |tx| boxed(revoke(tx, selection)))
            .await
    }

    async fn count_loose(&self, selection: LooseSelection) -> Result<u64, StoreError> {
        let chosen = chosen(&mut self.database.reader().await?, selection).await?;
        Ok(u64::try_from(chosen.len()).unwrap_or(u64::MAX))
    }
}

async fn issue(tx: &mut Connection, issuance: LooseIssuance) -> Result<(), StoreError> {
    if let Some(challenge) = issuance.challenge {
        answer_challenge(tx, challenge, Purpose::Activation, issuance.at).await?;
    }
    let Some(entry) = issuance.entry else {
        return Err(StoreError::Failed("an attestation has an entry".into()));
    };
    let mut record = Together::default();
    attest_keys(&mut record, &issuance.keys);
    keep_instance_keys(
        &mut record,
        &issuance.instance_keys,
        end_of_day(entry.maintained_until),
    );
    let in_use = || StoreError::IndexInUse {
        list: entry.list,
        index: entry.index,
    };
    let taken = query("SELECT 1 FROM status_entry WHERE list = ? AND idx = ?")
        .bind(entry.list)
        .bind(signed(entry.index));
    record.finds_none(taken, in_use());
    let add = query(
        "INSERT INTO loose_entry (list, idx, maintained_until, device_model, patch_level)
         VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(entry.list)
    .bind(signed(entry.index))
    .bind(seconds(entry.maintained_until))
    .bind(issuance.device_model)
    .bind(issuance.patch_level);
    record.changes(add, in_use());
    record.put(tx).await?;
    Ok(())
}

/// Entries of no unit that are not set.
macro_rules! unset {
    ($which:literal) => {
        concat!(
            "SELECT list, idx FROM loose_entry
             WHERE NOT EXISTS (
                 SELECT 1 FROM status_set
                 WHERE status_set.list = loose_entry.list AND status_set.idx = loose_entry.idx)",
            $which
        )
    };
}

/// The lists and indices of the entries that are meant and not set.
async fn chosen(
    connection: &mut Connection,
    selection: LooseSelection,
) -> Result<Vec<(i64, i64)>, StoreError> {
    let chosen = match selection {
        LooseSelection::Entry { uri, index } => query(unset!(
            " AND list IN (SELECT id FROM status_list WHERE uri = ?) AND idx = ?"
        ))
        .bind(uri)
        .bind(signed(index)),
        LooseSelection::Model(model) => query(unset!(" AND device_model = ?")).bind(model),
        LooseSelection::PatchedBefore(month) => query(unset!(" AND patch_level < ?")).bind(month),
        LooseSelection::All => query(unset!("")),
    };
    Ok(chosen.whole_tables().all(connection).await?)
}

async fn revoke(tx: &mut Connection, selection: LooseSelection) -> Result<u64, StoreError> {
    let chosen = chosen(tx, selection).await?;
    let lists = chosen.iter().map(|(list, _)| *list).collect();
    mark_changed(tx, lists).await?;
    let mut set = 0;
    for (list, index) in chosen {
        set += set_entry(tx, list, index).await?;
    }
    Ok(set)
}

/// Revokes the entry at this place; how many were not set before. `None` where no such
/// entry belongs to no unit.
pub(crate) async fn revoke_one(
    tx: &mut Connection,
    entry: EntryName,
) -> Result<Option<u64>, StoreError> {
    let found = query(
        "SELECT 1 FROM loose_entry
         WHERE list IN (SELECT id FROM status_list WHERE uri = ?) AND idx = ?",
    )
    .bind(&entry.uri)
    .bind(signed(entry.index))
    .fetch_optional(tx)
    .await?;
    if found.is_none() {
        return Ok(None);
    }
    let EntryName { uri, index } = entry;
    Ok(Some(
        revoke(tx, LooseSelection::Entry { uri, index }).await?,
    ))
}
