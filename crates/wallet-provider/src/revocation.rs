//! The end of a unit, and what its user may do without the phone.

use provider_api::{
    AccountRequest, AccountView, Problem, RevocationReason, RevocationRequest, Revoker, UnitState,
    UnitView,
};
use sci::UnitId;
use subtle::ConstantTimeEq;
use wsca::AdminError;

use crate::{AccountRecord, Error, Revocation, Revoked, WalletProvider, counts, secrets};

/// What the WSCA's audit log reads.
const FREEZE_REASON: &str = "unit-revoked";

impl WalletProvider {
    /// Revokes a unit for its user, who shows the account's code (ARF
    /// `WURevocation_10`).
    pub async fn revoke_by_user(&self, request: &RevocationRequest) -> Result<UnitView, Error> {
        if !request.reason.by_user() {
            let what = format!("{} is not a user's reason", request.reason.name());
            return Err(Error::refused(Problem::NotOffered, "reason", what));
        }
        let account = self.open_account(&request.alias, &request.code).await?;
        let unit = chosen(&account, request.unit)?;
        self.revoke(unit, Revoker::User, request.reason).await
    }

    /// Revokes a unit for an operator of the provider.
    pub async fn revoke_by_operator(
        &self,
        unit: UnitId,
        reason: RevocationReason,
    ) -> Result<UnitView, Error> {
        self.revoke(unit, Revoker::Operator, reason).await
    }

    /// The units of an account, for whoever shows its code.
    pub async fn account_view(&self, request: &AccountRequest) -> Result<AccountView, Error> {
        let account = self.open_account(&request.alias, &request.code).await?;
        let mut units = Vec::with_capacity(account.units.len());
        for record in account.units {
            units.push(self.view_of(record).await?);
        }
        Ok(AccountView { units })
    }

    /// Tells the WSCA of every revocation that it was not told of; how many. One
    /// that fails keeps none of the others waiting.
    pub async fn freeze_revoked(&self) -> Result<usize, Error> {
        let units = self.store.unfrozen().await?;
        let mut failed = None;
        for unit in &units {
            if let Err(error) = self.freeze(*unit).await {
                tracing::error!(event = "unit.freeze-failed", %error);
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(units.len()), Err)
    }

    async fn freeze(&self, unit: UnitId) -> Result<(), Error> {
        match self.wsca.freeze(unit, FREEZE_REASON).await {
            // Its activation got no further than this house, or its keys are gone:
            // there is nothing left to freeze.
            Ok(()) | Err(AdminError::UnknownUnit | AdminError::Destroyed) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.store.frozen(unit).await?)
    }

    /// When this returns `Ok`, the revocation is on disk and will be published
    /// whatever happens. Freezing this unit's keys and publishing follow at once;
    /// should one fail, [`WalletProvider::recover`] makes up for it, and the
    /// revocation stands.
    async fn revoke(
        &self,
        unit: UnitId,
        by: Revoker,
        reason: RevocationReason,
    ) -> Result<UnitView, Error> {
        let revocation = Revocation {
            unit,
            by,
            reason,
            at: self.clock.now(),
        };
        let revoked = self.store.revoke(revocation).await?;
        self.follow_revocation(revocation, revoked).await
    }

    /// What follows a revocation that is on disk.
    #[tracing::instrument(name = "provider.follow-revocation", skip_all)]
    pub(crate) async fn follow_revocation(
        &self,
        revocation: Revocation,
        revoked: Revoked,
    ) -> Result<UnitView, Error> {
        tracing::info!(
            event = "unit.revoked",
            by = revocation.by.name(),
            reason = revocation.reason.name(),
            entries = revoked.entries,
            already = revoked.already
        );
        if !revoked.already {
            counts::revoked(revocation.by, revocation.reason);
        }
        if let Err(error) = self.freeze(revocation.unit).await {
            tracing::error!(event = "unit.freeze-failed", %error);
        }
        // Those that fail are told of one by one.
        let _ = self.publish_changed().await;
        self.unit_view(revocation.unit).await
    }

    /// An unknown alias and a wrong code are told apart by nobody.
    async fn open_account(&self, alias: &str, code: &str) -> Result<AccountRecord, Error> {
        let shown = secrets::account_code_hash(code);
        let account = if alias.len() > 4 * provider_api::MAX_ALIAS {
            None
        } else {
            self.store.account(alias).await?
        };
        account
            .filter(|account| bool::from(account.code.ct_eq(&shown)))
            .ok_or_else(|| {
                let what = "there is no account of this alias and code";
                Error::refused(Problem::AccountCode, "account", what)
            })
    }
}

fn chosen(account: &AccountRecord, named: Option<UnitId>) -> Result<UnitId, Error> {
    let unknown = |what: &str| Error::refused(Problem::UnknownUnit, "unit", what);
    if let Some(named) = named {
        let own = account.units.iter().any(|record| record.unit == named);
        return own
            .then_some(named)
            .ok_or_else(|| unknown("the account has no such unit"));
    }
    let mut living = account
        .units
        .iter()
        .filter(|record| record.state != UnitState::Revoked);
    match (living.next(), living.next()) {
        (Some(one), None) => Ok(one.unit),
        (Some(_), Some(_)) => Err(unknown("the account has several: which one must be said")),
        (None, _) => Err(unknown("the account has none that is not revoked")),
    }
}
