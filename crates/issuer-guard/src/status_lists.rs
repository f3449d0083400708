use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use finding::{Finding, Trusted, Verdict};
use jiff::{SignedDuration, Timestamp};
use status_list::{
    Caching, Limits, Status, StatusListCheck, TokenFormat, UnverifiedStatusList, VerifiedStatusList,
};

use crate::guard::leaf_key;
use crate::http_source::declared_format;
use crate::judgement::Stop;
use crate::{
    AttestationKind, ChainTrust, FetchError, StatusReference, StatusSource, TrustContext, rules,
};

/// Status lists, fetched, checked, and kept for as long as they say.
#[derive(Debug)]
pub struct StatusLists {
    source: Arc<dyn StatusSource>,
    trust: Arc<dyn ChainTrust>,
    settings: StatusSettings,
    kept: Mutex<HashMap<String, Arc<CheckedList>>>,
}

/// How status lists are fetched and kept.
#[derive(Debug, Clone)]
pub struct StatusSettings {
    /// How much of a list is read.
    pub limits: Limits,
    /// How long a list is used.
    pub caching: Caching,
    /// How far the status issuer's clock may be off.
    pub skew: SignedDuration,
    /// How old a list may be that does not say when it ends.
    pub max_age: SignedDuration,
    /// The most lists kept.
    pub kept: usize,
}

/// A status list whose signature, times and signer were checked.
#[derive(Debug)]
pub struct CheckedList {
    list: VerifiedStatusList,
    signer: Verdict,
    provider: Option<String>,
    fetched: Timestamp,
    fresh_until: Timestamp,
    findings: Vec<Finding>,
}

impl StatusLists {
    /// Lists from `source`, their signers judged by `trust`.
    pub fn new(
        source: Arc<dyn StatusSource>,
        trust: Arc<dyn ChainTrust>,
        settings: StatusSettings,
    ) -> Self {
        Self {
            source,
            trust,
            settings,
            kept: Mutex::new(HashMap::new()),
        }
    }

    /// The list at `uri`: the one kept, or a fresh one when its time has passed.
    /// Its signer belongs to `provider`, where both are known.
    pub(crate) async fn get(
        &self,
        uri: &str,
        provider: Option<&str>,
        at: Timestamp,
    ) -> Result<Arc<CheckedList>, Stop> {
        let usable = |list: &Arc<CheckedList>| list.is_fresh(at) && list.is_of(provider);
        match self.kept(uri).filter(usable) {
            Some(list) => Ok(list),
            None => self.fetch(uri, provider, at).await,
        }
    }

    /// The list at `uri` as it is served now, whatever is kept.
    pub(crate) async fn fetch(
        &self,
        uri: &str,
        provider: Option<&str>,
        at: Timestamp,
    ) -> Result<Arc<CheckedList>, Stop> {
        let list = Arc::new(self.fetch_and_check(uri, at).await?);
        if let (Some(provider), None) = (provider, &list.provider) {
            let evidence = format!("whose signer it is is not known; it has to be {provider}'s");
            return Err(Stop::undecided(
                &rules::STATUS_SIGNER_UNDECIDED,
                uri,
                evidence,
            ));
        }
        // Before it is kept: another provider's list must not take the place of
        // this one's.
        if !list.is_of(provider) {
            let evidence = format!(
                "signed by {:?}, the attestation by {provider:?}",
                list.provider
            );
            return Err(Stop::no(&rules::STATUS_PROVIDER, uri, evidence));
        }
        self.keep(uri, list, at)
    }

    async fn fetch_and_check(&self, uri: &str, at: Timestamp) -> Result<CheckedList, Stop> {
        let limits = &self.settings.limits;
        let fetched = self.source.fetch(uri, limits.token_bytes).await;
        let fetched = fetched.map_err(|error| {
            let evidence = error.to_string();
            match &error {
                FetchError::TooLarge(_) => Stop::no(&status_list::rules::SIZE, uri, evidence),
                _ if error.is_refusal() => Stop::no(&rules::STATUS_URI, uri, evidence),
                _ => Stop::undecided(&rules::STATUS_UNREACHABLE, uri, evidence),
            }
        })?;
        let mut findings = Vec::new();
        let declared = declared_format(fetched.content_type.as_deref());
        if declared.is_none() {
            let served = fetched.content_type.as_deref().unwrap_or_default();
            let evidence = format!("Content-Type is {served:?}");
            findings.push(rules::STATUS_MEDIA_TYPE.finding(uri, evidence));
        }
        let format = declared.unwrap_or_else(|| TokenFormat::of(&fetched.bytes));
        let token = UnverifiedStatusList::parse_as(format, &fetched.bytes, limits)?;
        let (context, signer) = self.judge_signer(uri, token.x5c(), at).await?;
        if context == TrustContext::Wallet {
            let evidence = "trusted as a wallet provider's signer";
            findings.push(rules::STATUS_SIGNER_ISSUANCE.finding(uri, evidence));
        }
        let key = leaf_key(token.x5c(), &signer, &rules::STATUS_SIGNER)?;
        let check = StatusListCheck {
            skew: self.settings.skew,
            ..StatusListCheck::new(uri, &key, at)
        };
        let list = token.verify(&check).map_err(|refusal| {
            // Past its time it is sound and says nothing of now: a fresh one may.
            let expired = refusal.names(&status_list::rules::EXPIRED);
            let stop = Stop::from(refusal);
            if !expired {
                return stop;
            }
            Stop::undecided(&rules::STATUS_STALE, uri, "it has expired").after(&stop.findings)
        })?;
        let age = at.duration_since(list.issued());
        if list.expires().is_none() && age > self.settings.max_age {
            let evidence = format!("issued at {}, and without exp", list.issued());
            return Err(Stop::undecided(&rules::STATUS_STALE, uri, evidence));
        }
        findings.extend_from_slice(list.findings());
        let provider = self.trust.listed(context, &signer).await;
        Ok(CheckedList {
            fresh_until: self.settings.caching.fresh_until(&list, at),
            fetched: at,
            provider: provider.map(|party| party.entity),
            list,
            signer,
            findings,
        })
    }

    /// Whether the list's signer is listed for revocation, or at least for
    /// issuance by a wallet provider.
    async fn judge_signer(
        &self,
        uri: &str,
        chain: &[Vec<u8>],
        at: Timestamp,
    ) -> Result<(TrustContext, Verdict), Stop> {
        if chain.is_empty() {
            let evidence = "the token has no x5c";
            return Err(Stop::no(&rules::STATUS_SIGNER, uri, evidence));
        }
        let mut undecided = None;
        let mut refused = Vec::new();
        for context in [TrustContext::WalletStatus, TrustContext::Wallet] {
            let verdict = self.trust.check(context, chain, at).await;
            match verdict.trusted {
                Trusted::Yes => return Ok((context, verdict)),
                Trusted::Undecided => undecided = Some(verdict),
                Trusted::No => refused.extend(verdict.findings),
            }
        }
        Err(match undecided {
            Some(verdict) => {
                let evidence = format!("{} is undecided", verdict.context);
                Stop::undecided(&rules::STATUS_SIGNER_UNDECIDED, uri, evidence)
                    .after(&verdict.findings)
            }
            None => {
                let evidence = "trusted neither as wallet-status nor as wallet";
                Stop::no(&rules::STATUS_SIGNER, uri, evidence).after(&refused)
            }
        })
    }

    fn kept(&self, uri: &str) -> Option<Arc<CheckedList>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(uri).cloned()
    }

    /// Keeps a list, unless a newer one is kept already: an older list may come
    /// from a slow cache, or from someone who would like a revocation forgotten.
    fn keep(
        &self,
        uri: &str,
        list: Arc<CheckedList>,
        at: Timestamp,
    ) -> Result<Arc<CheckedList>, Stop> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(uri)
            && list.list.issued() < known.list.issued()
        {
            let evidence = format!(
                "issued at {}, one of {} was seen at {}",
                list.list.issued(),
                known.list.issued(),
                known.fetched
            );
            return Err(Stop::no(&rules::STATUS_ROLLBACK, uri, evidence));
        }
        if kept.len() >= self.settings.kept && !kept.contains_key(uri) {
            kept.retain(|_, list| list.is_fresh(at));
            if kept.len() >= self.settings.kept {
                let oldest = kept.iter().min_by_key(|(_, list)| list.fetched);
                if let Some(oldest) = oldest.map(|(uri, _)| uri.clone()) {
                    kept.remove(&oldest);
                }
            }
        }
        kept.insert(uri.to_owned(), list.clone());
        Ok(list)
    }
}

impl CheckedList {
    /// What the list says of an entry; refused when it cannot say anything of it.
    pub(crate) fn status(&self, entry: &StatusReference) -> Result<Status, Stop> {
        Ok(self.list.status(&entry.reference)?)
    }

    /// What is worth saying of the list where it is the list of a WIA or KA.
    pub(crate) fn findings(&self, kind: AttestationKind) -> Vec<Finding> {
        let mut findings = self.findings.clone();
        let len = self.list.list().len();
        if kind == AttestationKind::Wia && len < MIN_ENTRIES {
            let evidence = format!("{len} entries");
            findings.push(rules::STATUS_SMALL.finding(self.list.uri(), evidence));
        }
        findings
    }

    /// The list.
    pub fn list(&self) -> &VerifiedStatusList {
        &self.list
    }

    /// How its signer was judged.
    pub fn signer(&self) -> &Verdict {
        &self.signer
    }

    /// Whether it is of a provider; of any, where it is not known who signed the
    /// attestation.
    fn is_of(&self, provider: Option<&str>) -> bool {
        provider.is_none_or(|expected| self.provider.as_deref() == Some(expected))
    }

    fn is_fresh(&self, at: Timestamp) -> bool {
        (self.fetched..self.fresh_until).contains(&at)
    }
}

impl Default for StatusSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            caching: Caching::default(),
            skew: SignedDuration::from_secs(60),
            max_age: SignedDuration::from_hours(24),
            kept: 64,
        }
    }
}

/// TS3 v1.5.2, 2.5.1.
const MIN_ENTRIES: u64 = 10_000;
