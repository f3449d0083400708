use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use provider_api::{
    BulkRevocation, EntryRevocation, EntryRevoked, Extent, Problem, RevocationJob,
    RevocationReason, Revoker, Selected, Storage, UnitView, check_advisory,
};
use sci::UnitId;

use super::{Errand, FoundUnit, Operator, TrailEnds, TrailRow, UnitFilter, UnitSearch};
use crate::{
    DeviceRecord, EntryName, Error, FailedCheck, OperatorTrail, Revocation, StorageRevocation,
    StoreError, WalletProvider,
};

/// Where operators are served: the provider, and the trail of what they did.
#[derive(Debug)]
pub struct OperatorDesk {
    provider: Arc<WalletProvider>,
    trail: Arc<dyn OperatorTrail>,
    search: Arc<dyn UnitSearch>,
}

/// A unit as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenUnit {
    /// As its user sees it.
    pub view: UnitView,
    /// The version of the wallet solution it was activated with.
    pub wallet_version: String,
    /// When its activation began.
    pub activated_at: Timestamp,
    /// What was found of the device.
    pub device: DeviceRecord,
    /// The device's model; absent where its evidence says nothing.
    pub model: Option<String>,
    /// The security patch level of its system: year and month.
    pub patch_level: Option<u32>,
    /// When and how its device turned out worse, where it did and was not found sound
    /// since.
    pub worse: Option<FailedCheck>,
}

/// A unit that an operator had revoked, or a storage of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedUnit {
    /// The unit after it.
    pub view: UnitView,
    /// Whether it was revoked before.
    pub already: bool,
}

/// Some of the units that were looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitPage {
    /// In the order of their identifiers.
    pub units: Vec<SeenUnit>,
    /// After which one to go on; absent where there is nothing more.
    pub next: Option<UnitId>,
}

impl OperatorDesk {
    /// A desk for this provider.
    pub fn new(
        provider: Arc<WalletProvider>,
        trail: Arc<dyn OperatorTrail>,
        search: Arc<dyn UnitSearch>,
    ) -> Self {
        Self {
            provider,
            trail,
            search,
        }
    }

    /// The provider.
    pub fn provider(&self) -> &Arc<WalletProvider> {
        &self.provider
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.provider.clock.now()
    }

    /// Writes down what an operator did, or was refused, that wrote nothing else.
    pub async fn note(
        &self,
        operator: &Operator,
        errand: &Errand,
        outcome: &str,
    ) -> Result<TrailRow, Error> {
        let act = operator.act(errand, outcome, self.now());
        let row = self.trail.append(act).await?;
        told(&row);
        Ok(row)
    }

    /// Revokes a unit. The revocation and its row are one transaction; a refusal has a
    /// row of its own. `advisory` names what tells the technical details to its user.
    pub async fn revoke(
        &self,
        operator: &Operator,
        errand: &Errand,
        unit: UnitId,
        reason: RevocationReason,
        advisory: Option<String>,
    ) -> Result<RevokedUnit, Error> {
        let errand = errand.clone().for_reason(reason.name());
        let revocation = match self.revocation(operator, unit, reason, advisory) {
            Ok(revocation) => revocation,
            Err(error) => return self.refused(operator, &errand, error).await,
        };
        let act = operator.act(&errand, "ok", revocation.at);
        match self.trail.revoke(revocation.clone(), act).await {
            Ok((revoked, row)) => {
                told(&row);
                let view = self.provider.follow_revocation(&revocation, revoked);
                Ok(RevokedUnit {
                    view: view.await?,
                    already: revoked.already,
                })
            }
            Err(error) => self.refused(operator, &errand, error.into()).await,
        }
    }

    /// Revokes one storage of a unit and leaves the unit, as
    /// [`WalletProvider::revoke_storage`] does. The revocation and its row are one
    /// transaction.
    pub async fn revoke_storage(
        &self,
        operator: &Operator,
        errand: &Errand,
        unit: UnitId,
        storage: Storage,
        reason: RevocationReason,
        advisory: Option<String>,
    ) -> Result<RevokedUnit, Error> {
        let errand = errand.clone().for_reason(reason.name());
        let allowed = self.provider.storage_alone(storage);
        let revocation =
            match allowed.and_then(|()| self.revocation(operator, unit, reason, advisory)) {
                Ok(revocation) => StorageRevocation {
                    storage,
                    revocation,
                },
                Err(error) => return self.refused(operator, &errand, error).await,
            };
        let act = operator.act(&errand, "ok", revocation.revocation.at);
        match self.trail.revoke_storage(revocation.clone(), act).await {
            Ok((revoked, row)) => {
                told(&row);
                let view = self.provider.follow_storage(&revocation, revoked);
                Ok(RevokedUnit {
                    view: view.await?,
                    already: revoked.already,
                })
            }
            Err(error) => self.refused(operator, &errand, error.into()).await,
        }
    }

    /// Revokes one entry that belongs to no unit. The revocation and its row are one
    /// transaction; the place stands in the row.
    pub async fn revoke_entry(
        &self,
        operator: &Operator,
        errand: &Errand,
        asked: EntryRevocation,
    ) -> Result<EntryRevoked, Error> {
        let mut errand = errand.clone();
        if let Some(reason) = asked.reason {
            errand = errand.for_reason(reason.name());
        }
        if !asked.names_a_list() {
            let what = "the address of a status list is expected";
            let error = Error::refused(Problem::Malformed, "uri", what);
            return self.refused(operator, &errand, error).await;
        }
        let EntryRevocation { uri, index, .. } = asked;
        errand.object = format!("entries/{uri}#{index}");
        let entry = EntryName {
            uri: uri.clone(),
            index,
        };
        let act = operator.act(&errand, "ok", self.now());
        match self.trail.revoke_entry(entry, act).await {
            Ok((set, row)) => {
                told(&row);
                self.provider.follow_loose(set).await;
                Ok(EntryRevoked {
                    uri,
                    index,
                    already: set == 0,
                })
            }
            Err(error) => self.refused(operator, &errand, error.into()).await,
        }
    }

    /// Counts what a revocation of many units would take. The row says that it was
    /// counted alone, and what.
    pub async fn count_bulk_revocation(
        &self,
        operator: &Operator,
        errand: &Errand,
        asked: &BulkRevocation,
    ) -> Result<Selected, Error> {
        let errand = Errand {
            action: "units.count".to_owned(),
            object: format!("revocations {}", asked_for(asked)),
            ..errand.clone().for_reason(asked.reason.name())
        };
        match self.provider.count_selected(asked).await {
            Ok(selected) => {
                self.note(operator, &errand, "ok").await?;
                Ok(selected)
            }
            Err(error) => self.refused(operator, &errand, error).await,
        }
    }

    /// Begins the revocation of many units. The job and its row are one transaction;
    /// what is asked for stands in the row.
    pub async fn begin_bulk_revocation(
        &self,
        operator: &Operator,
        errand: &Errand,
        asked: BulkRevocation,
    ) -> Result<RevocationJob, Error> {
        let what = asked_for(&asked);
        let errand = Errand {
            object: format!("revocations {what}"),
            ..errand.clone().for_reason(asked.reason.name())
        };
        let name = Some(operator.name.clone());
        let new = match self.provider.prepare_job(asked, name).await {
            Ok(new) => new,
            Err(error) => return self.refused(operator, &errand, error).await,
        };
        let errand = Errand {
            object: format!("revocations/{} {what}", new.job),
            ..errand
        };
        let (job, act) = (new.job.clone(), operator.act(&errand, "ok", new.at));
        match self.trail.add_job(new, act).await {
            Ok(row) => {
                told(&row);
                self.provider.job_began(&job).await
            }
            Err(error) => self.refused(operator, &errand, error.into()).await,
        }
    }

    fn revocation(
        &self,
        operator: &Operator,
        unit: UnitId,
        reason: RevocationReason,
        advisory: Option<String>,
    ) -> Result<Revocation, Error> {
        check_advisory(advisory.as_deref())
            .map_err(|error| Error::refused(Problem::Malformed, "advisory", error.to_string()))?;
        Ok(Revocation {
            name: Some(operator.name.clone()),
            advisory,
            ..self.provider.revocation(unit, Revoker::Operator, reason)
        })
    }

    /// Writes a refusal down, and refuses.
    async fn refused<T>(
        &self,
        operator: &Operator,
        errand: &Errand,
        error: Error,
    ) -> Result<T, Error> {
        let outcome = error.problem().map_or("failed", |problem| problem.code());
        self.note(operator, errand, outcome).await?;
        Err(error)
    }

    /// The units that `filter` is for, after `after`, at most `limit`.
    pub async fn units(
        &self,
        filter: &UnitFilter,
        after: Option<UnitId>,
        limit: u32,
    ) -> Result<UnitPage, Error> {
        // One more than was asked for tells whether there is more.
        let more = limit.saturating_add(1);
        let mut found = self.search.search(filter, after, more).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let cut = found.len() > limit;
        found.truncate(limit);
        let mut units = Vec::with_capacity(found.len());
        for unit in found {
            units.push(self.seen(unit).await?);
        }
        let next = cut.then(|| units.last().map(|unit| unit.view.unit));
        Ok(UnitPage {
            next: next.flatten(),
            units,
        })
    }

    /// One unit.
    pub async fn unit(&self, unit: UnitId) -> Result<SeenUnit, Error> {
        match self.search.found(unit).await? {
            Some(found) => self.seen(found).await,
            None => Err(StoreError::UnitUnknown.into()),
        }
    }

    /// The rows of the trail after number `after`, the oldest first.
    pub async fn trail(&self, after: u64, limit: u32) -> Result<Vec<TrailRow>, Error> {
        Ok(self.trail.rows(after, limit).await?)
    }

    /// Where the trail begins and ends.
    pub async fn trail_ends(&self) -> Result<TrailEnds, Error> {
        Ok(self.trail.ends().await?)
    }

    /// Forgets the rows that are older than so many days, and keeps the chain of those
    /// that stay; how many. 0 keeps them all.
    pub async fn forget_older(&self, days: u32) -> Result<u64, Error> {
        let age = SignedDuration::from_hours(24 * i64::from(days));
        match self.now().checked_sub(age) {
            Ok(before) if days > 0 => Ok(self.trail.forget(before).await?),
            _ => Ok(0),
        }
    }

    async fn seen(&self, found: FoundUnit) -> Result<SeenUnit, Error> {
        let record = found.record;
        Ok(SeenUnit {
            wallet_version: record.wallet_version.clone(),
            activated_at: record.created_at,
            device: DeviceRecord::read(&record.evidence, record.created_at),
            model: found.model,
            patch_level: found.patch_level,
            worse: found.worse,
            view: self.provider.view_of(record).await?,
        })
    }
}

/// The most characters of what a revocation of many units asks for that a row keeps.
const MAX_ASKED: usize = 2048;

/// What a revocation of many units asks for, as its row has it: the selector, and what
/// of the units where it is not all.
fn asked_for(asked: &BulkRevocation) -> String {
    let mut text = serde_json::to_string(&asked.selector).unwrap_or_default();
    if asked.extent != Extent::Unit {
        text.push_str(&format!(" {}", asked.extent.name()));
    }
    text.chars().take(MAX_ASKED).collect()
}

/// The log keeps each head outside of the database.
fn told(row: &TrailRow) {
    tracing::info!(
        event = "operator.act",
        operator = row.act.operator,
        role = row.act.role.name(),
        action = row.act.action,
        object = row.act.object,
        outcome = row.act.outcome,
        head = %row.head(),
    );
}
