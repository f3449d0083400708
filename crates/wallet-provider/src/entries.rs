//! From what is to be attested to what was: status entries, seals, and the record of
//! both in one transaction.

use std::sync::Arc;

use jiff::Timestamp;
use jose::PublicKey;
use provider_api::{Problem, Storage};
use status_list::Reference;
use wua::{Ka, Level, StatusPeriod, Wia};

use crate::allocation::Allocated;
use crate::ports::issuance_store::Holder;
use crate::{Error, Generation, Issuance, ListKind, NewEntry, StoreError, WalletProvider};

/// How often entries are looked up or drawn before the store is said to be at fault: each
/// time, another issuance came first, or a list was purged.
const TRIES: u32 = 8;

/// What is to be attested.
pub(crate) enum Order {
    /// One WIA for each key.
    Wias {
        version: String,
        keys: Vec<PublicKey>,
        issued: Timestamp,
        expires: Timestamp,
        generation: Arc<Generation>,
    },
    /// KAs.
    Kas {
        shares: Vec<Share>,
        nonce: Option<String>,
        issued: Timestamp,
        expires: Timestamp,
        generation: Arc<Generation>,
    },
}

/// The keys of one KA.
pub(crate) struct Share {
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) key_storage: Vec<Level>,
    pub(crate) user_authentication: Vec<Level>,
    pub(crate) certification: String,
}

impl Order {
    fn count(&self) -> usize {
        match self {
            Self::Wias { keys, .. } => keys.len(),
            Self::Kas { shares, .. } => shares.len(),
        }
    }

    pub(crate) fn list(&self) -> ListKind {
        match self {
            Self::Wias { .. } => ListKind::Wia,
            Self::Kas { .. } => ListKind::Ka,
        }
    }
}

impl WalletProvider {
    /// Seals what was ordered and records it. Only what was recorded leaves the house.
    /// What can be refused before is the caller's to refuse.
    ///
    /// An entry that is kept for a holder is looked up first, and taken note of with the
    /// issuance. Where another issuance took note of another one meanwhile, this one is
    /// sealed again over that.
    pub(crate) async fn issue(
        &self,
        mut issuance: Issuance,
        order: &Order,
        maintained_until: Timestamp,
    ) -> Result<Vec<String>, Error> {
        for _ in 0..TRIES {
            let entries = self.entries(&issuance, order).await?;
            let sealed = self.seal(order, &entries, maintained_until).await?;
            issuance.entries = entries
                .iter()
                .map(|e| recorded(e, maintained_until))
                .collect();
            if issuance.holder.is_some() {
                issuance.entries.truncate(1);
            }
            match self.store.issue(issuance.clone()).await {
                Ok(()) => return Ok(sealed),
                Err(StoreError::EntryMoved) => {}
                // A list that is no more takes no entry; nothing was recorded.
                Err(error @ StoreError::Failed(_)) => {
                    if !self.give_up_purged(&entries).await.unwrap_or(false) {
                        return Err(error.into());
                    }
                }
                Err(error) => {
                    if refuses_all(&error) && issuance.holder.is_none() {
                        self.give_back(order.list(), &entries).await;
                    }
                    return Err(error.into());
                }
            }
        }
        let what = "the entries did not stay the same";
        Err(Error::Store(StoreError::Failed(what.into())))
    }

    /// One entry for each attestation: fresh ones, or the holder's for all of them.
    async fn entries(&self, issuance: &Issuance, order: &Order) -> Result<Vec<Allocated>, Error> {
        let Some(holder) = &issuance.holder else {
            return self.allocate(order.list(), order.count()).await;
        };
        let one = match self.store.held_entry(issuance.unit, holder).await? {
            Some(held) => vec![Allocated {
                list: held.entry.list,
                reference: Reference::new(held.uri, held.entry.index),
            }],
            None => self.allocate(order.list(), 1).await?,
        };
        Ok(one.into_iter().cycle().take(order.count()).collect())
    }

    pub(crate) async fn seal(
        &self,
        order: &Order,
        entries: &[Allocated],
        maintained_until: Timestamp,
    ) -> Result<Vec<String>, Error> {
        let status = |entry: &Allocated| StatusPeriod {
            reference: entry.reference.clone(),
            maintained_until,
        };
        let mut sealed = Vec::with_capacity(entries.len());
        match order {
            Order::Wias {
                version,
                keys,
                issued,
                expires,
                generation,
            } => {
                let solution = &self.config.solution;
                let (seal, draft) = (generation.seal(), self.config.wia_draft);
                for (key, entry) in keys.iter().zip(entries) {
                    let wia = Wia {
                        issuer: Some(self.config.base_url.clone()),
                        client_id: solution.client_id.clone(),
                        issued: Some(*issued),
                        expires: *expires,
                        key: key.clone(),
                        wallet_name: solution.name.clone(),
                        wallet_version: version.clone(),
                        wallet_link: solution.link.clone(),
                        certification: solution.certification.clone(),
                        status: status(entry),
                    };
                    sealed.push(wia.sign(draft, &seal.chain, seal.signer.as_ref()).await?);
                }
            }
            Order::Kas {
                shares,
                nonce,
                issued,
                expires,
                generation,
            } => {
                let seal = generation.seal();
                for (share, entry) in shares.iter().zip(entries) {
                    let ka = Ka {
                        issued: *issued,
                        expires: *expires,
                        keys: share.keys.clone(),
                        key_storage: share.key_storage.clone(),
                        user_authentication: share.user_authentication.clone(),
                        certification: share.certification.clone(),
                        nonce: nonce.clone(),
                        status: status(entry),
                    };
                    sealed.push(ka.sign(&seal.chain, seal.signer.as_ref()).await?);
                }
            }
        }
        Ok(sealed)
    }

    /// The holder of an entry for one issuer, where the instance names a scope.
    pub(crate) fn issuer_holder(
        &self,
        scope: Option<&str>,
        about: Option<Storage>,
    ) -> Result<Option<Holder>, Error> {
        let Some(scope) = scope else {
            return Ok(None);
        };
        let most = self.config.issuer_scopes;
        if most == 0 {
            let what = "reuse for one issuer is not offered";
            return Err(Error::refused(Problem::NotOffered, "issuer_scope", what));
        }
        let scope = jose::b64::decode(scope)
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .ok_or_else(|| {
                let what = "32 bytes in base64url are expected";
                Error::refused(Problem::Scope, "issuer_scope", what)
            })?;
        Ok(Some(Holder::Issuer { scope, about, most }))
    }
}

/// Whether the store refused an issuance for what it is, and so keeps nothing of it. An
/// index that is in use is somebody's, and a failure says nothing.
fn refuses_all(error: &StoreError) -> bool {
    use StoreError::{
        ChallengeExpired, ChallengeUnknown, CounterBack, DeviceWorse, KeyAttested, KeyUsed,
        Replayed, StorageRevoked, UnitState,
    };
    matches!(
        error,
        ChallengeExpired
            | ChallengeUnknown
            | CounterBack
            | DeviceWorse
            | KeyAttested(_)
            | KeyUsed(_)
            | Replayed
            | StorageRevoked
            | UnitState(_)
    )
}

fn recorded(entry: &Allocated, maintained_until: Timestamp) -> NewEntry {
    NewEntry {
        list: entry.list,
        index: entry.reference.idx,
        maintained_until,
    }
}
