//! The revocation of a WSCD or a keystore of a unit (ARF `WURevocation_07a`, `_09a`,
//! `_09c`; TS3 v1.5.2, 2.5.2).

use finding::Refusal;
use provider_api::{Problem, RevocationReason, Revoker, Storage, UnitView, rules};
use sci::UnitId;

use crate::lifecycle::{UnitAfter, unit_after};
use crate::{Error, KaIndex, Revoked, StorageRevocation, WalletProvider};

/// Whether the unit is to outlive the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitGoes {
    /// The unit is revoked too: what `WURevocation_09c` says should be.
    Too,
    /// The unit stays: for a keystore, where there is a risk analysis.
    On,
}

impl WalletProvider {
    /// Revokes one storage of a unit. A WSCD goes with its unit, always; a keystore
    /// goes alone if that is asked for and the provider has a risk analysis that says
    /// why, and with its unit otherwise.
    pub async fn revoke_storage(
        &self,
        unit: UnitId,
        storage: Storage,
        by: Revoker,
        reason: RevocationReason,
        goes: UnitGoes,
    ) -> Result<UnitView, Error> {
        let revocation = self.revocation(unit, by, reason);
        if goes == UnitGoes::Too {
            return self.revoke(revocation).await;
        }
        self.storage_alone(storage)?;
        let revocation = StorageRevocation {
            storage,
            revocation,
        };
        let revoked = self.revocations.revoke_storage(revocation.clone()).await?;
        self.follow_storage(&revocation, revoked).await
    }

    /// What follows the revocation of a storage that is on disk, and the unit after it.
    pub(crate) async fn follow_storage(
        &self,
        revocation: &StorageRevocation,
        revoked: Revoked,
    ) -> Result<UnitView, Error> {
        let StorageRevocation {
            storage,
            revocation,
        } = revocation;
        tracing::info!(
            event = "storage.revoked",
            storage = storage.name(),
            by = revocation.by.name(),
            reason = revocation.reason.name(),
            entries = revoked.entries,
            already = revoked.already
        );
        let _ = self.publish_changed().await;
        self.unit_view(revocation.unit).await
    }

    /// Refuses to revoke a storage of one unit without the unit where that cannot be.
    pub(crate) fn storage_alone(&self, storage: Storage) -> Result<(), Error> {
        match unit_after(storage) {
            (UnitAfter::WithRiskAnalysis, _) => self.keystore_alone()?,
            (UnitAfter::Revoked, clause) => {
                let what = format!("a {storage} is revoked with its unit ({clause})");
                return Err(Error::refused(Problem::NotOffered, "storage", what));
            }
        }
        if self.config.ka_index == KaIndex::TypeShared {
            let what = "all units of its type share one entry, which is revoked with the type";
            return Err(Error::refused(Problem::NotOffered, "storage", what));
        }
        Ok(())
    }

    /// Refuses to revoke a keystore without its unit where no risk analysis is named.
    pub(crate) fn keystore_alone(&self) -> Result<(), Error> {
        if self.config.keystore_risk_analysis.is_some() {
            return Ok(());
        }
        let what = "the configuration names no risk analysis (keystore_risk_analysis)";
        Err(Error::Refused {
            problem: Problem::NotOffered,
            refusal: Refusal::because(&rules::KEYSTORE_ALONE, "extent", what),
        })
    }
}
