//! WIAs, and what their issuance has in common with that of KAs (`ka.rs`).

use jiff::{SignedDuration, Timestamp};
use jose::PublicKey;
use provider_api::{Attestations, KeyProof, Problem, WiaRequest};
use sci::UnitId;
use wsca::AdminError;

use crate::entries::Order;
use crate::{Caller, DeviceRecord, Error, Issuance, ListKind, Seals, WalletProvider, counts};

impl WalletProvider {
    /// Issues one WIA for each proof, each over its own key, to an instance that was
    /// checked lately. Each has its own status entry, or all have that of their issuer
    /// scope. The answer is signed.
    #[tracing::instrument(name = "provider.wia", skip_all)]
    pub async fn issue_wia(&self, caller: &Caller, request: &WiaRequest) -> Result<String, Error> {
        caller.operational()?;
        caller.sound()?;
        self.check_batch(request.proofs.len())?;
        let now = self.clock.now();
        let checked = self.last_check(caller, now)?;
        let generation = self.keys.seal(Seals::Wia, now)?;
        let preferred = self.period(request.preferred_client_status_period)?;
        let holder = self.issuer_holder(request.issuer_scope.as_deref(), None)?;
        let keys = self.prove_keys(caller, &request.proofs, now)?;
        let record = DeviceRecord::read(&caller.unit.evidence, caller.unit.created_at);
        if keys.iter().any(|key| caller.rests_on(&record, key)) {
            let what = "a key is one of the device's own: each WIA has a fresh one";
            return Err(Error::refused(Problem::KeyProof, "proofs", what));
        }

        let rounding = &self.config.rounding;
        let expires = rounding.wia_expiry(checked, self.config.wia_lifetime);
        let expires = generation.expiry(now, expires, rounding)?;
        if expires <= now {
            let what = format!("a WIA would have ended at {expires}");
            return Err(Error::refused(Problem::CheckDue, "unit", what));
        }
        let maintained_until = rounding.maintenance_end(now, expires, preferred);
        let mut issuance = Issuance::new(caller.unit(), caller.spent(), now);
        issuance.instance_keys = keys.iter().map(PublicKey::thumbprint).collect();
        issuance.holder = holder;
        let order = Order::Wias {
            version: caller.unit.wallet_version.clone(),
            keys,
            issued: rounding.down(now),
            expires,
            generation,
        };
        self.serves(issuance.unit).await?;
        let attestations = self.issue(issuance, &order, maintained_until).await?;
        tracing::info!(event = "wia.issued", count = attestations.len());
        counts::issued(ListKind::Wia, attestations.len());
        self.answer(caller.request.jti(), self.batch(attestations))
            .await
    }

    /// The keys that the proofs prove, each once.
    pub(crate) fn prove_keys(
        &self,
        caller: &Caller,
        proofs: &[String],
        now: Timestamp,
    ) -> Result<Vec<PublicKey>, Error> {
        let mut keys = Vec::with_capacity(proofs.len());
        for proof in proofs {
            let jti = caller.request.jti();
            let key = KeyProof::verify(proof, &self.config.base_url, caller.unit(), jti, now)?;
            if keys.contains(&key) {
                let what = "one key stands in two proofs: each WIA has its own";
                return Err(Error::refused(Problem::KeyProof, "proofs", what));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    /// Refuses an issuance before an index or a signature is spent on it: one that
    /// the store would refuse when it records, and one to a unit that the WSCA does
    /// not serve.
    pub(crate) async fn check_issuance(&self, issuance: &Issuance) -> Result<(), Error> {
        self.store.check_issuance(issuance).await?;
        self.serves(issuance.unit).await
    }

    /// Refuses a unit that the WSCA does not serve. The WSCA's memory is another than
    /// the store's: where that was restored from before a revocation, the WSCA still
    /// knows.
    async fn serves(&self, unit: UnitId) -> Result<(), Error> {
        let refused = |problem, what| Err(Error::refused(problem, "unit", what));
        let frozen = "the WSCA has retired, frozen or destroyed its keys";
        match self.wsca.unit_state(unit).await {
            Ok(state) if state.retired || state.frozen || state.destroyed => {
                refused(Problem::UnitRevoked, frozen)
            }
            Err(AdminError::Destroyed) => refused(Problem::UnitRevoked, frozen),
            Ok(state) if !state.has_factor => {
                let what = "the user has no PIN at the WSCA";
                refused(Problem::NoFactor, what)
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn batch(&self, attestations: Vec<String>) -> Attestations {
        Attestations {
            attestations,
            batch_size: self.config.batch_size,
            lower_limit: self.config.lower_limit,
        }
    }

    pub(crate) fn check_batch(&self, count: usize) -> Result<(), Error> {
        let most = usize::try_from(self.config.batch_size).unwrap_or(usize::MAX);
        if count == 0 || count > most {
            let what =
                format!("{count} attestations were asked for, 1 to {most} are given at once");
            return Err(Error::refused(Problem::Batch, "count", what));
        }
        Ok(())
    }

    pub(crate) fn period(&self, seconds: Option<u64>) -> Result<Option<SignedDuration>, Error> {
        let Some(seconds) = seconds else {
            return Ok(None);
        };
        let period = i64::try_from(seconds).map(SignedDuration::from_secs).ok();
        match period.filter(|period| *period <= self.config.max_status_period) {
            Some(period) => Ok(Some(period)),
            None => {
                let most = self.config.max_status_period.as_secs();
                let what = format!("{seconds} s were asked for, at most {most} s are given");
                Err(Error::refused(
                    Problem::Period,
                    "preferred status period",
                    what,
                ))
            }
        }
    }
}
