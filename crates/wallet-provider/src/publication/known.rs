//! What a node remembers of the lists it published: one bit for each entry, so that
//! the next publication reads what changed and not the whole list.
//!
//! Nothing of it is believed unseen. What is published is compared with it by the
//! hash of the very bytes, what is in the store by its [`Tally`].

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jose::PublicKey;
use pki::Certificate;
use status_list::{Bits, Limits, Status, StatusList, StatusListCheck, UnverifiedStatusList};

use crate::{Error, ListContent, ListState, Tally};

/// The lists that this node knows, by the list.
#[derive(Debug, Default)]
pub(crate) struct KnownLists {
    lists: Mutex<HashMap<i64, Arc<tokio::sync::Mutex<Option<Known>>>>>,
    ended: Mutex<HashSet<i64>>,
    /// Those whose publication this node has compared with the store.
    compared: Mutex<HashSet<i64>>,
    trouble: Mutex<Option<String>>,
    /// The status keys under which every list was last looked at.
    keys: Mutex<Option<Vec<PublicKey>>>,
}

impl KnownLists {
    /// What is known of one list. Whoever holds its lock publishes it, alone in this
    /// node.
    pub(super) fn of(&self, list: i64) -> Arc<tokio::sync::Mutex<Option<Known>>> {
        Arc::clone(lock(&self.lists).entry(list).or_default())
    }

    /// The store was older than this list: what is left of a block of it may be in
    /// somebody else's hands.
    pub(super) fn end(&self, list: i64) {
        lock(&self.ended).insert(list);
    }

    /// Whether no more is to be drawn from a block of this list.
    pub(crate) fn has_ended(&self, list: i64) -> bool {
        lock(&self.ended).contains(&list)
    }

    /// Whether the store was seen to be as new as what is published of this list.
    pub(super) fn is_compared(&self, list: i64) -> bool {
        lock(&self.compared).contains(&list)
    }

    pub(super) fn note_compared(&self, list: i64) {
        lock(&self.compared).insert(list);
    }

    pub(super) fn forget(&self, list: i64) {
        lock(&self.lists).remove(&list);
        lock(&self.compared).remove(&list);
    }

    /// Whether the lists were looked at with these keys, and no others.
    pub(super) fn looked_with(&self, keys: &[PublicKey]) -> bool {
        lock(&self.keys).as_deref() == Some(keys)
    }

    pub(super) fn note_looked_with(&self, keys: Vec<PublicKey>) {
        *lock(&self.keys) = Some(keys);
    }

    pub(super) fn note_trouble(&self, error: Option<&Error>) {
        *lock(&self.trouble) = error.map(ToString::to_string);
    }

    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A list as this node published it last.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) revision: i64,
    pub(super) list: StatusList,
    pub(super) tally: Tally,
    pub(super) issued: Timestamp,
    pub(super) until: Timestamp,
    pub(super) prints: Prints,
}

impl Known {
    /// What the world was told.
    pub(super) fn told(&self) -> Told {
        Told {
            list: self.list.clone(),
            issued: self.issued,
            until: self.until,
        }
    }

    /// The list with what was revoked since; `None` where that is not what the store
    /// holds.
    pub(super) fn grown(&self, since: &ListContent) -> Result<Option<Current>, Error> {
        let mut list = self.list.clone();
        let mut tally = self.tally;
        for index in &since.revoked {
            if list.get(*index).map_err(failed)?.is_valid() {
                set(&mut list, *index)?;
                tally = tally.with(*index);
            }
        }
        if since.tally != tally || since.state.revision < self.revision {
            return Ok(None);
        }
        Ok(Some(Current {
            state: since.state.clone(),
            list,
            tally,
        }))
    }
}

/// A list as it stands in the store.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) state: ListState,
    pub(super) list: StatusList,
    pub(super) tally: Tally,
}

impl Current {
    /// From all of its revoked entries.
    pub(super) fn of(content: ListContent) -> Result<Self, Error> {
        let size = content.state.size;
        let mut list = StatusList::new(Bits::One, size).map_err(failed)?;
        for index in &content.revoked {
            set(&mut list, *index)?;
        }
        Ok(Self {
            state: content.state,
            list,
            tally: Tally::of(content.revoked),
        })
    }
}

/// The hashes of a list's two tokens as they were published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prints([Option<[u8; 32]>; 2]);

impl Prints {
    pub(super) fn of(jwt: Option<&[u8]>, cwt: Option<&[u8]>) -> Self {
        Self([jwt, cwt].map(|token| token.map(jose::sha256)))
    }
}

/// What the world was told: the entries that are revoked in either form, and the
/// later of the two times, and of the two ends.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) list: StatusList,
    pub(super) issued: Timestamp,
    pub(super) until: Timestamp,
}

impl Told {
    /// With what the other form told.
    pub(super) fn and(mut self, other: &Self) -> Result<Self, Error> {
        for index in lost(&self.list, &other.list) {
            set(&mut self.list, index)?;
        }
        self.issued = self.issued.max(other.issued);
        self.until = self.until.max(other.until);
        Ok(self)
    }
}

/// A token of one's own, at whatever time: it may have expired, and the clock may
/// have gone back.
pub(super) fn read(token: &[u8], state: &ListState, keys: &[PublicKey]) -> Result<Told, String> {
    let list_bytes = usize::try_from(state.size.div_ceil(8)).unwrap_or(usize::MAX);
    let limits = Limits {
        // What does not compress grows by a third, twice, and has a header.
        token_bytes: list_bytes.saturating_mul(2).saturating_add(1 << 18),
        list_bytes,
    };
    let token = UnverifiedStatusList::parse(token, &limits).map_err(|error| error.to_string())?;
    let issued = token.claimed_issued().ok_or("it has no iat")?;
    // The certificate it carries says which key is meant; whether that is ours is for
    // the signature to show.
    let key = token
        .x5c()
        .first()
        .and_then(|own| Certificate::from_der(own).ok()?.public_key().ok())
        .and_then(|named| keys.iter().find(|key| **key == named))
        .ok_or("it names a key that is not ours")?;
    let verified = token
        .verify(&StatusListCheck::new(&state.uri, key, issued))
        .map_err(|refusal| refusal.to_string())?;
    if verified.list().bits() != Bits::One {
        return Err(format!("{:?} is no list of one bit", verified.list()));
    }
    Ok(Told {
        list: verified.list().clone(),
        issued,
        until: verified.expires().unwrap_or(issued),
    })
}

/// The entries that are set in `published` and not in `list`.
pub(super) fn lost(list: &StatusList, published: &StatusList) -> Vec<u64> {
    let bytes = list.as_bytes().iter().zip(published.as_bytes());
    (0u64..)
        .step_by(8)
        .zip(bytes)
        .filter(|(_, (own, told))| *told & !*own != 0)
        .flat_map(|(first, (own, told))| {
            let lost = told & !own;
            (0..8)
                .filter(move |bit| lost >> bit & 1 == 1)
                .map(move |bit| first + bit)
        })
        .collect()
}

fn set(list: &mut StatusList, index: u64) -> Result<(), Error> {
    list.set(index, Status::INVALID).map_err(failed)
}

fn failed(error: status_list::ListError) -> Error {
    Error::StatusList(error.into())
}
