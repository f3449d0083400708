//! KAs: over keys that the WSCA states, and what KAs over a device's keystore have in
//! common with them (`keystore.rs`).

use jiff::Timestamp;
use jose::PublicKey;
use provider_api::{KaRequest, NoncePurpose, Problem, ProofType, Storage};
use sci::{KeyStatement, StatedKey};
use wua::{AttackPotential, KeyProofProfile, Level};

use crate::entries::{Order, Share};
use crate::ports::issuance_store::{Holder, KeyStorage};
use crate::{Caller, Error, Issuance, KaIndex, ListKind, Seals, WalletProvider, counts, secrets};

/// The longest `c_nonce`, in bytes.
const MAX_C_NONCE: usize = 1024;

/// A key that was found to be where it is said to be.
pub(crate) struct FoundKey {
    pub(crate) key: PublicKey,
    pub(crate) key_storage: Option<AttackPotential>,
    pub(crate) user_authentication: Option<AttackPotential>,
}

/// Keys of one storage, on their way into KAs.
pub(crate) struct Found {
    pub(crate) keys: Vec<FoundKey>,
    /// The address of what the storage is certified for.
    pub(crate) certification: String,
    pub(crate) storage: KeyStorage,
}

/// What an instance wants of its KAs.
pub(crate) struct Wanted<'a> {
    pub(crate) count: Option<u32>,
    pub(crate) proof_type: Option<ProofType>,
    pub(crate) c_nonce: Option<&'a str>,
    pub(crate) preferred: Option<u64>,
    pub(crate) issuer_scope: Option<&'a str>,
}

impl WalletProvider {
    /// Issues KAs over the keys that the WSCA states for the caller's unit, to an
    /// instance that was checked lately. The
    /// levels are the statement's; a key that earns none gets none. The answer is
    /// signed.
    #[tracing::instrument(name = "provider.ka", skip_all)]
    pub async fn issue_ka(&self, caller: &Caller, request: &KaRequest) -> Result<String, Error> {
        caller.operational()?;
        let wanted = Wanted {
            count: request.count,
            proof_type: request.proof_type,
            c_nonce: request.c_nonce.as_deref(),
            preferred: request.preferred_key_storage_status_period,
            issuer_scope: request.issuer_scope.as_deref(),
        };
        self.check_wanted(&wanted)?;
        let now = self.clock.now();
        self.last_check(caller, now)?;
        let (statement, nonce) = self.read_statement(caller, &request.statement, now)?;
        let mut issuance = Issuance::new(caller.unit(), caller.spent(), now);
        issuance.nonce = Some(nonce);
        let stated = statement.keys();
        let found = Found {
            keys: stated.iter().map(found).collect(),
            certification: self.certification_of(stated),
            storage: KeyStorage {
                kind: Storage::Wscd,
                type_name: self.wsca.information().descriptor.model.clone(),
                certification: stated.first().and_then(|key| key.certification.clone()),
            },
        };
        self.attest_keys(caller, issuance, found, &wanted).await
    }

    /// Refuses what is asked of KAs in vain, before anything else is looked at.
    pub(crate) fn check_wanted(&self, wanted: &Wanted<'_>) -> Result<(), Error> {
        let count = wanted.count.unwrap_or(1);
        self.check_batch(usize::try_from(count).unwrap_or(usize::MAX))?;
        let Some(nonce) = wanted.c_nonce else {
            if wanted.proof_type == Some(ProofType::Attestation) {
                let what = "a KA that is itself the proof answers the issuer's";
                return Err(Error::refused(Problem::Malformed, "c_nonce", what));
            }
            return Ok(());
        };
        if nonce.is_empty() || nonce.len() > MAX_C_NONCE {
            let what = "empty or too long";
            return Err(Error::refused(Problem::Malformed, "c_nonce", what));
        }
        if count != 1 {
            let what = "a KA that answers a c_nonce is asked for alone";
            return Err(Error::refused(Problem::Batch, "count", what));
        }
        // Who knows the nonce knows which visit to which issuer it is for: the provider
        // is told it only where the KA must carry it.
        if wanted.proof_type == Some(ProofType::Jwt)
            && self.config.ka_profile == KeyProofProfile::Ts3
        {
            let what = "under the profile of TS3 the jwt proof carries it, and the KA does not";
            return Err(Error::refused(Problem::NotOffered, "c_nonce", what));
        }
        Ok(())
    }

    /// Deals the keys out to KAs, in their order, and issues those.
    pub(crate) async fn attest_keys(
        &self,
        caller: &Caller,
        mut issuance: Issuance,
        found: Found,
        wanted: &Wanted<'_>,
    ) -> Result<String, Error> {
        let now = issuance.at;
        let preferred = self.period(wanted.preferred)?;
        let count = usize::try_from(wanted.count.unwrap_or(1)).unwrap_or(usize::MAX);
        let keys = found.keys;
        if keys.is_empty() || count == 0 || !keys.len().is_multiple_of(count) {
            let what = format!("{} keys cannot be dealt out to {count} evenly", keys.len());
            return Err(Error::refused(Problem::Batch, "count", what));
        }
        let generation = self.keys.seal(Seals::Ka, now)?;
        let rounding = &self.config.rounding;
        let issued = rounding.down(now);
        let expires = rounding.down(now.checked_add(self.config.ka_lifetime).unwrap_or(now));
        let expires = generation.expiry(now, expires, rounding)?;
        let maintained_until = rounding.maintenance_end(now, expires, preferred);
        issuance.keys = keys.iter().map(|found| found.key.thumbprint()).collect();
        issuance.holder = self.ka_holder(&found.storage, wanted.issuer_scope)?;
        issuance.storage = Some(found.storage);
        let share = |keys: &[FoundKey]| Share {
            keys: keys.iter().map(|found| found.key.clone()).collect(),
            key_storage: common_level(keys, |key| key.key_storage),
            user_authentication: common_level(keys, |key| key.user_authentication),
            certification: found.certification.clone(),
        };
        let order = Order::Kas {
            shares: keys.chunks(keys.len() / count).map(share).collect(),
            nonce: wanted.c_nonce.map(str::to_owned),
            issued,
            expires,
            generation,
        };
        self.check_issuance(&issuance).await?;
        let attestations = self.issue(issuance, &order, maintained_until).await?;
        tracing::info!(event = "ka.issued", count, keys = keys.len());
        counts::issued(ListKind::Ka, attestations.len());
        self.answer(caller.request.jti(), self.batch(attestations))
            .await
    }

    /// For whom the KAs' entry is kept: for all units of the storage's type, for one
    /// issuer, or for nobody (TS3 v1.5.2, 2.5.2).
    fn ka_holder(
        &self,
        storage: &KeyStorage,
        scope: Option<&str>,
    ) -> Result<Option<Holder>, Error> {
        match self.config.ka_index {
            KaIndex::PerKa => self.issuer_holder(scope, Some(storage.kind)),
            KaIndex::TypeShared if scope.is_some() => {
                let what = "all units of one type share an entry, whatever the issuer";
                Err(Error::refused(Problem::NotOffered, "issuer_scope", what))
            }
            KaIndex::TypeShared => Ok(Some(Holder::StorageType {
                kind: storage.kind,
                name: storage.type_name.clone(),
            })),
        }
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
        let nonce = secrets::nonce_hash(NoncePurpose::Statement, &nonce);
        Ok((statement, nonce))
    }

    /// What the statement says of the certification, where that is an address;
    /// the provider's own page on it otherwise.
    fn certification_of(&self, keys: &[StatedKey]) -> String {
        let first = keys.first().and_then(|key| key.certification.as_deref());
        address(first).unwrap_or_else(|| self.config.storage_certification.clone())
    }
}

/// The text, if it is an address.
pub(crate) fn address(text: Option<&str>) -> Option<String> {
    text.filter(|text| url::Url::parse(text).is_ok_and(|url| url.has_host()))
        .map(str::to_owned)
}

fn found(stated: &StatedKey) -> FoundKey {
    let level = |level: Option<sci::AttackPotential>| {
        level.and_then(|level| AttackPotential::from_name(level.name()))
    };
    FoundKey {
        key: stated.jwk.clone(),
        key_storage: level(stated.key_storage),
        user_authentication: level(stated.user_authentication),
    }
}

/// The level that every one of the keys earns: the lowest, and none where one
/// earns none.
pub(crate) fn common_level(
    keys: &[FoundKey],
    level: impl Fn(&FoundKey) -> Option<AttackPotential>,
) -> Vec<Level> {
    let lowest = keys.iter().map(level).min().flatten();
    lowest.map(Level::Iso).into_iter().collect()
}
