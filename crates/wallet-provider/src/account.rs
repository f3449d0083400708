//! What an account's owner sees of its units and may do with them, once the house
//! that keeps accounts knows who it is.

use provider_api::{AccountId, Problem, RevocationReason, Revoker, UnitState, UnitView};
use sci::UnitId;
use subtle::{Choice, ConstantTimeEq};

use crate::{AccountRecord, Error, WalletProvider};

impl WalletProvider {
    /// The units of an account with their history, the oldest first.
    pub async fn units_of(&self, account: AccountId) -> Result<Vec<UnitView>, Error> {
        let mut units = Vec::new();
        for record in self.store.units_of(account).await? {
            units.push(self.view_of(record).await?);
        }
        Ok(units)
    }

    /// One unit of an account.
    pub async fn unit_of(&self, account: AccountId, unit: UnitId) -> Result<UnitView, Error> {
        let units = self.store.units_of(account).await?;
        let record = units.into_iter().find(|record| record.unit == unit);
        let record = record.ok_or_else(|| {
            let what = "the account has no such unit";
            Error::refused(Problem::UnknownUnit, "unit", what)
        })?;
        self.view_of(record).await
    }

    /// Revokes a unit of the account for its user, who is signed in (ARF
    /// `WURevocation_10`).
    pub async fn revoke_by_account(
        &self,
        account: AccountId,
        unit: UnitId,
        reason: RevocationReason,
    ) -> Result<UnitView, Error> {
        if !reason.by_user() {
            let what = format!("{} is not a user's reason", reason.name());
            return Err(Error::refused(Problem::NotOffered, "reason", what));
        }
        self.unit_of(account, unit).await?;
        self.revoke(self.revocation(unit, Revoker::User, reason))
            .await
    }

    /// Revokes every unit of an account that is about to be deleted; how many. All
    /// that lived when this was called are revoked, on disk, when it returns `Ok`.
    pub async fn revoke_account(&self, account: AccountId) -> Result<u64, Error> {
        let mut revoked = 0;
        for record in self.store.units_of(account).await? {
            if record.state != UnitState::Revoked {
                let reason = RevocationReason::UserRequest;
                self.revoke(self.revocation(record.unit, Revoker::User, reason))
                    .await?;
                revoked += 1;
            }
        }
        Ok(revoked)
    }
}

impl AccountRecord {
    /// Whether the code of this hash is one of the account's. All are looked at,
    /// however early one is found.
    pub(crate) fn has_code(&self, shown: &[u8; 32]) -> bool {
        let none = Choice::from(0);
        let found = self
            .codes
            .iter()
            .fold(none, |so_far, code| so_far | code.ct_eq(shown));
        found.into()
    }
}
