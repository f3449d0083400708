//! Status lists, from the store to the world.

use jiff::SignedDuration;
use status_list::{Bits, Status, StatusList, StatusListToken};

use crate::{Error, ListState, Purged, WalletProvider};

/// How long a list that hands out no more indices is kept at least, so that a
/// node that still holds a block of it has long used or lost it.
const KEEP_CLOSED: SignedDuration = SignedDuration::from_hours(40 * 24);

impl WalletProvider {
    /// Publishes every list that changed since it was published or whose token
    /// ends soon; how many. To be called at each start, after each change, and
    /// from time to time.
    ///
    /// A list counts as published only once its token survives a crash; until
    /// then the store remembers that it is to be published.
    pub async fn publish_changed(&self) -> Result<usize, Error> {
        let _one_at_a_time = self.publishing.lock().await;
        let now = self.clock.now();
        // A third of a token's life is left to try again in.
        let margin = self.config.list_lifetime.as_secs() / 3;
        let renew_before = now
            .checked_add(SignedDuration::from_secs(margin))
            .unwrap_or(now);
        let lists = self.store.lists_to_publish(renew_before).await?;
        for list in &lists {
            self.publish(list.list).await?;
        }
        Ok(lists.len())
    }

    /// Forgets what is past its time, and takes away the lists that nothing refers
    /// to any more.
    pub async fn purge(&self) -> Result<Purged, Error> {
        let _one_at_a_time = self.publishing.lock().await;
        let now = self.clock.now();
        let closed_before = now.checked_sub(KEEP_CLOSED).unwrap_or(now);
        let purged = self.store.purge(now, closed_before).await?;
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

    async fn publish(&self, list: i64) -> Result<(), Error> {
        let Some((state, revoked)) = self.store.list(list).await? else {
            return Ok(());
        };
        let now = self.clock.now();
        let expires = now.checked_add(self.config.list_lifetime).unwrap_or(now);
        let mut token = StatusListToken::new(state.uri.clone(), now, bits(&state, &revoked)?);
        token.expires = Some(expires);
        token.ttl = Some(self.config.list_ttl);
        let seal = &self.status_seal;
        let text = token
            .sign(&seal.chain, seal.signer.as_ref())
            .await
            .map_err(|error| Error::StatusList(error.into()))?;
        self.publisher.put(&state.name, text.into_bytes()).await?;
        self.store
            .published(state.list, state.revision, expires)
            .await?;
        tracing::info!(event = "list.published", revoked = revoked.len());
        Ok(())
    }
}

fn bits(state: &ListState, revoked: &[u64]) -> Result<StatusList, Error> {
    let mut list =
        StatusList::new(Bits::One, state.size).map_err(|error| Error::StatusList(error.into()))?;
    for index in revoked {
        list.set(*index, Status::INVALID)
            .map_err(|error| Error::StatusList(error.into()))?;
    }
    Ok(list)
}
