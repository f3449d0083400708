//! Status lists, from the store to the world.

use jiff::{SignedDuration, Timestamp};
use jose::PublicKey;
use pki::Certificate;
use status_list::{
    Bits, Limits, Status, StatusList, StatusListCheck, StatusListToken, UnverifiedStatusList,
    VerifiedStatusList,
};
use wua::Rounding;

use crate::{Error, ListState, Purged, Seals, WalletProvider, counts};

/// How long a list that hands out no more indices is kept at least, so that a
/// node that still holds a block of it has long used or lost it.
const KEEP_CLOSED: SignedDuration = SignedDuration::from_hours(40 * 24);

/// How long what is past its time is kept.
const KEEP_ENDED: SignedDuration = SignedDuration::from_hours(24);

impl WalletProvider {
    /// Publishes every list that changed since it was published or whose token
    /// ends soon; how many. One that fails keeps none of the others waiting; the
    /// first error is returned at the end. To be called at each start, after each change, and
    /// from time to time.
    ///
    /// A list counts as published only once its token survives a crash; until
    /// then the store remembers that it is to be published.
    #[tracing::instrument(name = "provider.publish", skip_all)]
    pub async fn publish_changed(&self) -> Result<usize, Error> {
        let _one_at_a_time = self.publishing.lock().await;
        let now = self.clock.now();
        // A third of a token's life is left to try again in.
        let margin = self.config.list_lifetime.as_secs() / 3;
        let renew_before = now
            .checked_add(SignedDuration::from_secs(margin))
            .unwrap_or(now);
        let lists = self.store.lists_to_publish(renew_before).await?;
        let mut failed = None;
        for list in &lists {
            if let Err(error) = self.publish(list.list).await {
                tracing::error!(event = "list.publication-failed", list = list.list, %error);
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(lists.len()), Err)
    }

    /// Publishes one list; whether it may hand out indices, see
    /// [`WalletProvider::publish`].
    pub(crate) async fn publish_one(&self, list: i64) -> Result<bool, Error> {
        let _one_at_a_time = self.publishing.lock().await;
        self.publish(list).await
    }

    /// Forgets what ended more than a day ago, and takes away the lists that nothing
    /// refers to any more. A day, because what is forgotten too early (by a clock
    /// that ran ahead) can be replayed, or no longer be revoked.
    pub async fn purge(&self) -> Result<Purged, Error> {
        let _one_at_a_time = self.publishing.lock().await;
        let now = self.clock.now();
        let ended_by = now.checked_sub(KEEP_ENDED).unwrap_or(Timestamp::MIN);
        let closed_before = now.checked_sub(KEEP_CLOSED).unwrap_or(Timestamp::MIN);
        let purged = self.store.purge(ended_by, closed_before).await?;
        for name in &purged.lists {
            self.publisher.remove(name).await?;
        }
        tracing::info!(
            event = "purged",
            entries = purged.entries,
            lists = purged.lists.len()
        );
        Ok(purged)
    }

    /// The addresses of all lists: what a list aggregation tells.
    pub async fn status_lists(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.list_uris().await?)
    }

    /// What was published as revoked stays so, and the token's time does not go
    /// back, whatever the store says: it may have been restored from an older copy.
    /// Then the list is closed, for its counters are old too, and the answer is
    /// `false`.
    async fn publish(&self, list: i64) -> Result<bool, Error> {
        let Some((state, _)) = self.store.list(list).await? else {
            return Ok(false);
        };
        // Read before the store is: what another node published in between is in
        // the store by then.
        let published = self.published(&state).await?;
        let Some((state, revoked)) = self.store.list(list).await? else {
            return Ok(false);
        };
        let now = self.clock.now();
        let mut list = bits(&state, &revoked)?;
        let mut issued = now;
        let mut sound = true;
        if let Some(published) = published {
            issued = issued.max(published.issued());
            let lost = lost(&list, published.list());
            if !lost.is_empty() {
                tracing::error!(
                    target: ALARM,
                    event = "list.restored",
                    list = state.list,
                    entries = lost.len(),
                    "entries that are published as revoked are not in the store: it is older \
                     than its publications; they stay revoked, and the list is closed"
                );
                for index in &lost {
                    set(&mut list, *index)?;
                }
                self.store.set_again(state.list, lost).await?;
                self.store.close_list(state.list, now).await?;
                sound = false;
            }
        }
        let generation = self.keys.seal(Seals::Status, now)?;
        let lifetime = self.config.list_lifetime;
        let expires = issued.checked_add(lifetime).unwrap_or(issued);
        // A list's times are not rounded: nothing is linked by them.
        let exact = Rounding::to(SignedDuration::ZERO);
        let expires = generation.expiry(issued, expires, &exact)?;
        let mut token = StatusListToken::new(state.uri.clone(), issued, list);
        token.expires = Some(expires);
        token.ttl = Some(self.config.list_ttl);
        let seal = generation.seal();
        let text = token
            .sign(&seal.chain, seal.signer.as_ref())
            .await
            .map_err(|error| Error::StatusList(error.into()))?;
        self.publisher.put(&state.name, text.into_bytes()).await?;
        self.store
            .published(state.list, state.revision, expires)
            .await?;
        tracing::info!(event = "list.published", revoked = revoked.len());
        counts::published();
        Ok(sound)
    }

    /// The list as the world reads it now. `None` where there is none, or none that
    /// one of this provider's status keys signed, of whatever generation: such a one
    /// says nothing, and is replaced.
    async fn published(&self, state: &ListState) -> Result<Option<VerifiedStatusList>, Error> {
        let Some(token) = self.publisher.get(&state.name).await? else {
            return Ok(None);
        };
        match read(&token, state, &self.keys.own_keys(Seals::Status)) {
            Ok(published) => Ok(Some(published)),
            Err(refusal) => {
                tracing::error!(
                    target: ALARM,
                    event = "list.not-ours",
                    list = state.list,
                    %refusal,
                    "the published token is not one that a status key of ours signed; it is replaced"
                );
                Ok(None)
            }
        }
    }
}

/// What somebody must look at.
const ALARM: &str = "claviger::alarm";

/// A token of one's own, at whatever time: it may have expired, and the clock may
/// have gone back.
fn read(token: &[u8], state: &ListState, keys: &[PublicKey]) -> Result<VerifiedStatusList, String> {
    let list_bytes = usize::try_from(state.size.div_ceil(8)).unwrap_or(usize::MAX);
    let limits = Limits {
        // What does not compress grows by a third, twice, and has a header.
        token_bytes: list_bytes.saturating_mul(2).saturating_add(1 << 18),
        list_bytes,
    };
    let issued = std::str::from_utf8(token)
        .ok()
        .and_then(|text| {
            jose::jws::parse(text, limits.token_bytes)
                .ok()?
                .claims()
                .ok()
        })
        .and_then(|claims| status_list::numeric_date(claims.get("iat")?))
        .ok_or("it is no status list token")?;
    let token =
        UnverifiedStatusList::parse(token, &limits).map_err(|refusal| refusal.to_string())?;
    // The certificate it carries says which key is meant; whether that is ours is for
    // the signature to show.
    let key = token
        .x5c()
        .first()
        .and_then(|own| Certificate::from_der(own).ok()?.public_key().ok())
        .and_then(|named| keys.iter().find(|key| **key == named))
        .ok_or("it names a key that is not ours")?;
    token
        .verify(&StatusListCheck::new(&state.uri, key, issued))
        .map_err(|refusal| refusal.to_string())
}

/// The entries that are set in `published` and not in `list`.
fn lost(list: &StatusList, published: &StatusList) -> Vec<u64> {
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
    list.set(index, Status::INVALID)
        .map_err(|error| Error::StatusList(error.into()))
}

fn bits(state: &ListState, revoked: &[u64]) -> Result<StatusList, Error> {
    let mut list =
        StatusList::new(Bits::One, state.size).map_err(|error| Error::StatusList(error.into()))?;
    for index in revoked {
        set(&mut list, *index)?;
    }
    Ok(list)
}
