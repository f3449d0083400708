//! Where the indices of new attestations come from.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};

use status_list::{Allocator, Permutation, Reference};
use tokio::sync::Mutex;

use crate::publication::Standing;
use crate::{Block, Error, IndexSecret, ListKind, NewList, StoreError, WalletProvider, secrets};

/// What this node has taken of the open lists, in memory. What is left of it when
/// the node stops is lost, and never handed out twice.
#[derive(Debug)]
pub(crate) struct Allocation {
    secret: IndexSecret,
    wia: Mutex<Option<Arc<Taken>>>,
    ka: Mutex<Option<Arc<Taken>>>,
}

#[derive(Debug)]
struct Taken {
    list: i64,
    uri: String,
    indices: Allocator,
    /// Those of issuances that were refused: no attestation with one of them has left the
    /// house.
    returned: std::sync::Mutex<Vec<u64>>,
}

impl Taken {
    fn returned(&self) -> MutexGuard<'_, Vec<u64>> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self) -> Option<u64> {
        let returned = self.returned().pop();
        returned.or_else(|| self.indices.draw())
    }

    fn is_used_up(&self) -> bool {
        self.indices.remaining() == 0 && self.returned().is_empty()
    }
}

/// An index that nobody else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allocated {
    pub(crate) list: i64,
    pub(crate) reference: Reference,
}

/// How many blocks are tried before the store is said to be at fault.
const TRIES: u32 = 8;

impl Allocation {
    pub(crate) fn new(secret: IndexSecret) -> Self {
        Self {
            secret,
            wia: Mutex::default(),
            ka: Mutex::default(),
        }
    }

    fn of(&self, kind: ListKind) -> &Mutex<Option<Arc<Taken>>> {
        match kind {
            ListKind::Wia => &self.wia,
            ListKind::Ka => &self.ka,
        }
    }

    /// Gives up what is left of a block of this list, which is no more.
    pub(crate) async fn give_up(&self, list: i64) {
        for kind in ListKind::ALL {
            let mut slot = self.of(kind).lock().await;
            if slot.as_ref().is_some_and(|taken| taken.list == list) {
                *slot = None;
            }
        }
    }
}

impl WalletProvider {
    /// Takes `count` indices of the open list of `kind` for good, as each issuance
    /// does.
    pub async fn draw(&self, kind: ListKind, count: usize) -> Result<Vec<Reference>, Error> {
        let drawn = self.allocate(kind, count).await?;
        Ok(drawn.into_iter().map(|drawn| drawn.reference).collect())
    }

    /// `count` indices of the open list of `kind`. The list is published before
    /// the first index of it is used.
    pub(crate) async fn allocate(
        &self,
        kind: ListKind,
        count: usize,
    ) -> Result<Vec<Allocated>, Error> {
        let mut drawn = Vec::with_capacity(count);
        let mut tries = 0;
        while drawn.len() < count {
            let taken = {
                let mut slot = self.allocation.of(kind).lock().await;
                let sound =
                    |taken: &&Arc<Taken>| !taken.is_used_up() && !self.lists.has_ended(taken.list);
                match slot.as_ref().filter(sound) {
                    Some(taken) => taken.clone(),
                    None => {
                        tries += 1;
                        if tries > TRIES {
                            let what = "no block of indices could be had";
                            return Err(Error::Store(StoreError::Failed(what.into())));
                        }
                        let taken = Arc::new(self.take(kind).await?);
                        slot.insert(taken).clone()
                    }
                }
            };
            while drawn.len() < count {
                let Some(index) = taken.draw() else {
                    break;
                };
                drawn.push(Allocated {
                    list: taken.list,
                    reference: Reference::new(taken.uri.clone(), index),
                });
            }
        }
        Ok(drawn)
    }

    /// Takes indices back that were drawn for an issuance which the store refused: what
    /// was sealed with them was thrown away.
    pub(crate) async fn give_back(&self, kind: ListKind, drawn: &[Allocated]) {
        let slot = self.allocation.of(kind).lock().await;
        // Those of a block that is used up are lost.
        let Some(taken) = slot.as_ref() else { return };
        let own = drawn.iter().filter(|drawn| drawn.list == taken.list);
        taken.returned().extend(own.map(|own| own.reference.idx));
    }

    /// Gives up the blocks of those lists that another node purged meanwhile; whether
    /// there are any.
    pub(crate) async fn give_up_purged(&self, drawn: &[Allocated]) -> Result<bool, Error> {
        let lists: BTreeSet<i64> = drawn.iter().map(|drawn| drawn.list).collect();
        let mut purged = false;
        for list in lists {
            if self.store.list_state(list).await?.is_none() {
                tracing::warn!(event = "list.purged", list, "a block of it was left");
                self.allocation.give_up(list).await;
                purged = true;
            }
        }
        Ok(purged)
    }

    async fn take(&self, kind: ListKind) -> Result<Taken, Error> {
        let secret = &self.allocation.secret;
        for _ in 0..TRIES {
            let now = self.clock.now();
            let name = hex::encode(secrets::random::<16>()?);
            let uri = format!("{}/{name}", self.config.status_url);
            let new = NewList {
                kind,
                key_check: secret.check(&uri),
                name,
                uri,
                size: self.config.list_size,
            };
            let block = self
                .store
                .take_block(new, self.config.block_size, now)
                .await?;
            if block.key_check != secret.check(&block.uri) {
                // Opened under another secret: its order is not ours to go on with.
                tracing::warn!(
                    event = "list.closed",
                    why = "opened under another index secret"
                );
                self.store.close_list(block.list, now).await?;
                continue;
            }
            if self.publish_first(block.list, block.published).await? == Standing::Ended {
                // Published since the store's time: its counters were handed out
                // already. The list is closed now.
                continue;
            }
            return self.open(block);
        }
        let what = "no open list could be had";
        Err(Error::Store(StoreError::Failed(what.into())))
    }

    fn open(&self, block: Block) -> Result<Taken, Error> {
        let key = self.allocation.secret.permutation_key(&block.uri);
        let permutation =
            Permutation::new(key, block.size).map_err(|error| Error::StatusList(error.into()))?;
        Ok(Taken {
            list: block.list,
            uri: block.uri,
            indices: Allocator::new(Arc::new(permutation), block.counters),
            returned: std::sync::Mutex::default(),
        })
    }
}
