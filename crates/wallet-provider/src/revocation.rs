//! The end of a unit, and what its user may do without the phone.

use provider_api::{
    AccountRequest, AccountView, Problem, RevocationReason, RevocationRequest, Revoker, UnitState,
    UnitView, account_code_hash,
};
use sci::UnitId;
use wsca::AdminError;

use crate::{AccountRecord, Error, Keys, Revocation, Revoked, WalletProvider, counts};

/// What the WSCA's audit log reads.
const TOLD: &str = "unit-revoked";

/// How many units the WSCA is told of at a time.
const PAGE: u32 = 256;

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
        self.revoke(self.revocation(unit, Revoker::User, request.reason))
            .await
    }

    /// Revokes a unit for an operator of the provider.
    pub async fn revoke_by_operator(
        &self,
        unit: UnitId,
        reason: RevocationReason,
    ) -> Result<UnitView, Error> {
        self.revoke(self.revocation(unit, Revoker::Operator, reason))
            .await
    }

    /// Revokes a unit by the provider's own decision: a check of its device failed
    /// (ARF `WURevocation_09`).
    pub async fn revoke_by_provider(
        &self,
        unit: UnitId,
        reason: RevocationReason,
    ) -> Result<UnitView, Error> {
        self.revoke(self.revocation(unit, Revoker::Provider, reason))
            .await
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
    /// that fails keeps none of the others waiting, but for a WSCA that is away: the
    /// others wait for the next round, and not for as many time limits.
    pub async fn tell_wsca(&self) -> Result<usize, Error> {
        let (mut told, mut failed, mut after) = (0, None, None);
        'pages: loop {
            let page = self.revocations.untold(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            for (unit, keys) in page {
                match self.tell(unit, keys).await {
                    Ok(()) => told += 1,
                    Err(error) => {
                        tracing::error!(event = "unit.wsca-not-told", %error);
                        let away = matches!(error, Error::Wsca(AdminError::Unavailable(_)));
                        failed.get_or_insert(error);
                        if away {
                            break 'pages;
                        }
                    }
                }
            }
        }
        failed.map_or(Ok(told), Err)
    }

    async fn tell(&self, unit: UnitId, keys: Keys) -> Result<(), Error> {
        let done = match keys {
            Keys::Usable => self.wsca.retire(unit, TOLD).await,
            Keys::Frozen => self.wsca.freeze(unit, TOLD).await,
        };
        match done {
            // Its activation got no further than this house, or its keys are gone:
            // there is nothing left to end.
            Ok(()) | Err(AdminError::UnknownUnit | AdminError::Destroyed) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(self.revocations.told(unit, keys).await?)
    }

    /// When this returns `Ok`, the revocation is on disk and will be published
    /// whatever happens. Ending this unit's sessions at the WSCA and publishing follow
    /// at once; should one fail, [`WalletProvider::recover`] makes up for it, and the
    /// revocation stands.
    pub(crate) async fn revoke(&self, revocation: Revocation) -> Result<UnitView, Error> {
        let revoked = self.store.revoke(revocation.clone()).await?;
        self.follow_revocation(&revocation, revoked).await
    }

    /// What follows a revocation that is on disk, and the unit after it.
    pub(crate) async fn follow_revocation(
        &self,
        revocation: &Revocation,
        revoked: Revoked,
    ) -> Result<UnitView, Error> {
        self.follow(revocation, revoked).await;
        self.unit_view(revocation.unit).await
    }

    /// What follows a revocation that is on disk. What fails is told of, and due still.
    #[tracing::instrument(name = "provider.follow-revocation", skip_all)]
    pub(crate) async fn follow(&self, revocation: &Revocation, revoked: Revoked) {
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
        let keys = Keys::after(revocation.reason);
        // The world does not wait for a WSCA that hangs. Lists that fail are told of one
        // by one.
        let (told, _) = tokio::join!(self.tell(revocation.unit, keys), self.publish_changed());
        if let Err(error) = told {
            tracing::error!(event = "unit.wsca-not-told", %error);
        }
    }

    pub(crate) fn revocation(
        &self,
        unit: UnitId,
        by: Revoker,
        reason: RevocationReason,
    ) -> Revocation {
        Revocation {
            unit,
            by,
            name: None,
            reason,
            advisory: None,
            at: self.clock.now(),
        }
    }

    /// An unknown alias and a wrong code are told apart by nobody.
    async fn open_account(&self, alias: &str, code: &str) -> Result<AccountRecord, Error> {
        let shown = account_code_hash(code);
        let account = match provider_api::compose_alias(alias) {
            Some(alias) => self.store.account(&alias).await?,
            None => None,
        };
        account
            .filter(|account| account.has_code(&shown))
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
