//! WIAs and KAs.

use jiff::{SignedDuration, Timestamp};
use jose::PublicKey;
use provider_api::{Attestations, KaRequest, KeyProof, Problem, WiaRequest};
use sci::{KeyStatement, StatedKey};
use wsca::AdminError;
use wua::{AttackPotential, Ka, Level, StatusPeriod, Wia};

use crate::allocation::Allocated;
use crate::{Caller, Error, Issuance, ListKind, NewEntry, Seals, WalletProvider, counts, secrets};

impl WalletProvider {
    /// Issues one WIA for each proof, each over its own key and with its own
    /// status entry. The answer is signed.
    #[tracing::instrument(name = "provider.wia", skip_all)]
    pub async fn issue_wia(&self, caller: &Caller, request: &WiaRequest) -> Result<String, Error> {
        caller.operational()?;
        self.check_batch(request.proofs.len())?;
        if request.issuer_scope.is_some() {
            let what = "reuse for one issuer is not offered yet";
            return Err(Error::refused(Problem::NotOffered, "issuer_scope", what));
        }
        let now = self.clock.now();
        let generation = self.keys.seal(Seals::Wia, now)?;
        let preferred = self.period(request.preferred_client_status_period)?;
        let keys = self.prove_keys(caller, &request.proofs, now)?;

        // Without device evidence, the last check of the instance is this very
        // request, signed by its device key.
        let rounding = &self.config.rounding;
        let expires = rounding.wia_expiry(now, self.config.wia_lifetime);
        let expires = generation.expiry(now, expires, rounding)?;
        let maintained_until = rounding.maintenance_end(now, expires, preferred);
        let mut issuance = Issuance {
            unit: caller.unit(),
            request: caller.spent(),
            nonce: None,
            keys: Vec::new(),
            entries: Vec::new(),
            at: now,
        };
        self.check_issuance(&issuance).await?;
        let entries = self.allocate(ListKind::Wia, keys.len()).await?;
        let mut attestations = Vec::with_capacity(keys.len());
        for (key, entry) in keys.into_iter().zip(&entries) {
            let wia = self.wia(
                &caller.unit.wallet_version,
                key,
                now,
                expires,
                entry,
                maintained_until,
            );
            let seal = generation.seal();
            attestations.push(
                wia.sign(self.config.wia_draft, &seal.chain, seal.signer.as_ref())
                    .await?,
            );
        }
        issuance.entries = new_entries(&entries, maintained_until);
        self.store.issue(issuance).await?;
        tracing::info!(event = "wia.issued", count = attestations.len());
        counts::issued(ListKind::Wia, attestations.len());
        self.answer(caller.request.jti(), self.batch(attestations))
            .await
    }

    /// Issues KAs over the keys that the WSCA states for the caller's unit. The
    /// levels are the statement's; a key that earns none gets none. The answer is
    /// signed.
    #[tracing::instrument(name = "provider.ka", skip_all)]
    pub async fn issue_ka(&self, caller: &Caller, request: &KaRequest) -> Result<String, Error> {
        caller.operational()?;
        let count = request.count.unwrap_or(1);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        self.check_batch(count)?;
        if request.c_nonce.is_some() && count != 1 {
            let what = "a KA that answers a c_nonce is asked for alone";
            return Err(Error::refused(Problem::Batch, "count", what));
        }
        let nonce_limit = 1024;
        if request
            .c_nonce
            .as_ref()
            .is_some_and(|nonce| nonce.is_empty() || nonce.len() > nonce_limit)
        {
            return Err(Error::refused(
                Problem::Malformed,
                "c_nonce",
                "empty or too long",
            ));
        }
        let now = self.clock.now();
        let generation = self.keys.seal(Seals::Ka, now)?;
        let preferred = self.period(request.preferred_key_storage_status_period)?;
        let (statement, nonce) = self.read_statement(caller, &request.statement, now)?;
        let keys = statement.keys();
        if !keys.len().is_multiple_of(count) {
            let what = format!("{} keys cannot be dealt out to {count} evenly", keys.len());
            return Err(Error::refused(Problem::Batch, "count", what));
        }

        let rounding = &self.config.rounding;
        let issued = rounding.down(now);
        let expires = rounding.down(now.checked_add(self.config.ka_lifetime).unwrap_or(now));
        let expires = generation.expiry(now, expires, rounding)?;
        let maintained_until = rounding.maintenance_end(now, expires, preferred);
        let mut issuance = Issuance {
            unit: caller.unit(),
            request: caller.spent(),
            nonce: Some(nonce),
            keys: keys.iter().map(|key| key.jwk.thumbprint()).collect(),
            entries: Vec::new(),
            at: now,
        };
        self.check_issuance(&issuance).await?;
        let entries = self.allocate(ListKind::Ka, count).await?;
        let mut attestations = Vec::with_capacity(count);
        for (share, entry) in keys.chunks(keys.len() / count).zip(&entries) {
            let ka = Ka {
                issued,
                expires,
                keys: share.iter().map(|key| key.jwk.clone()).collect(),
                key_storage: common_level(share, |key| key.key_storage),
                user_authentication: common_level(share, |key| key.user_authentication),
                certification: self.certification_of(share),
                nonce: request.c_nonce.clone(),
                status: StatusPeriod {
                    reference: entry.reference.clone(),
                    maintained_until,
                },
            };
            let seal = generation.seal();
            attestations.push(ka.sign(&seal.chain, seal.signer.as_ref()).await?);
        }
        issuance.entries = new_entries(&entries, maintained_until);
        self.store.issue(issuance).await?;
        tracing::info!(
            event = "ka.issued",
            count = attestations.len(),
            keys = keys.len()
        );
        counts::issued(ListKind::Ka, attestations.len());
        self.answer(caller.request.jti(), self.batch(attestations))
            .await
    }

    /// The statement, if the WSCA made it for this provider, this unit and its
    /// device. Its nonce is spent later, with the issuance.
    fn read_statement(
        &self,
        caller: &Caller,
        text: &str,
        now: Timestamp,
    ) -> Result<(KeyStatement, [u8; 32]), Error> {
        let refuse = |what: String| Error::refused(Problem::Statement, "statement", what);
        // The nonce it claims to answer: whether that is ours, for this unit and
        // unspent, is for the store to say.
        let nonce = jose::jws::parse(text, provider_api::MAX_BODY)
            .and_then(|token| token.claims())
            .map_err(|error| refuse(error.to_string()))?
            .get("nonce")
            .and_then(serde_json::Value::as_str)
            .ok_or_else(|| refuse("the nonce is absent".into()))?
            .to_owned();
        let key = self.wsca.statement_key();
        let statement = KeyStatement::verify(text, key, &nonce, &self.config.base_url, now)
            .map_err(|error| refuse(error.to_string()))?;
        if statement.unit() != caller.unit() {
            return Err(refuse("it is over another unit's keys".into()));
        }
        if statement.claims().device != caller.unit.signing_key.thumbprint_b64() {
            return Err(refuse("another device asked for it".into()));
        }
        Ok((statement, secrets::challenge_hash(&nonce)))
    }

    fn prove_keys(
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

    fn wia(
        &self,
        version: &str,
        key: PublicKey,
        now: Timestamp,
        expires: Timestamp,
        entry: &Allocated,
        maintained_until: Timestamp,
    ) -> Wia {
        let solution = &self.config.solution;
        Wia {
            issuer: Some(self.config.base_url.clone()),
            client_id: solution.client_id.clone(),
            issued: Some(self.config.rounding.down(now)),
            expires,
            key,
            wallet_name: solution.name.clone(),
            wallet_version: version.to_owned(),
            wallet_link: solution.link.clone(),
            certification: solution.certification.clone(),
            status: StatusPeriod {
                reference: entry.reference.clone(),
                maintained_until,
            },
        }
    }

    /// What the statement says of the certification, where that is an address;
    /// the provider's own page on it otherwise.
    fn certification_of(&self, keys: &[StatedKey]) -> String {
        let first = keys.first().and_then(|key| key.certification.as_deref());
        match first.filter(|text| url::Url::parse(text).is_ok_and(|url| url.has_host())) {
            Some(address) => address.to_owned(),
            None => self.config.storage_certification.clone(),
        }
    }

    /// Refuses an issuance before an index or a signature is spent on it: one that
    /// the store would refuse when it records, and one to a unit that the WSCA does
    /// not serve. The WSCA's memory is another: where the store was restored from
    /// before a revocation, the WSCA still knows.
    pub(crate) async fn check_issuance(&self, issuance: &Issuance) -> Result<(), Error> {
        self.store.check_issuance(issuance).await?;
        let refused = |problem, what| Err(Error::refused(problem, "unit", what));
        let frozen = "the WSCA has retired, frozen or destroyed its keys";
        match self.wsca.unit_state(issuance.unit).await {
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

    fn batch(&self, attestations: Vec<String>) -> Attestations {
        Attestations {
            attestations,
            batch_size: self.config.batch_size,
            lower_limit: self.config.lower_limit,
        }
    }

    fn check_batch(&self, count: usize) -> Result<(), Error> {
        let most = usize::try_from(self.config.batch_size).unwrap_or(usize::MAX);
        if count == 0 || count > most {
            let what =
                format!("{count} attestations were asked for, 1 to {most} are given at once");
            return Err(Error::refused(Problem::Batch, "count", what));
        }
        Ok(())
    }

    fn period(&self, seconds: Option<u64>) -> Result<Option<SignedDuration>, Error> {
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

fn new_entries(entries: &[Allocated], maintained_until: Timestamp) -> Vec<NewEntry> {
    let new = |entry: &Allocated| NewEntry {
        list: entry.list,
        index: entry.reference.idx,
        maintained_until,
    };
    entries.iter().map(new).collect()
}

/// The level that every one of the keys earns: the lowest, and none where one
/// earns none.
fn common_level(
    keys: &[StatedKey],
    level: impl Fn(&StatedKey) -> Option<sci::AttackPotential>,
) -> Vec<Level> {
    let lowest = keys.iter().map(level).min().flatten();
    let named = lowest.and_then(|level| AttackPotential::from_name(level.name()));
    named.map(Level::Iso).into_iter().collect()
}
