//! Status lists, from the store to the world.

mod known;
mod together;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jose::PublicKey;
use status_list::{CompressionEffort, StatusListToken, TokenFormat};
use wua::Rounding;

pub(crate) use known::KnownLists;
use known::{Current, Known, Prints, Told, lost, read};
use together::together;

use crate::keyring::Generation;
use crate::{Error, ListState, Noted, Purged, Seals, Tokens, Turn, WalletProvider, Work, counts};

/// How long a list that hands out no more indices is kept at least, so that a
/// node that still holds a block of it has long used or lost it.
const KEEP_CLOSED: SignedDuration = SignedDuration::from_hours(40 * 24);

/// How long what is past its time is kept.
const KEEP_ENDED: SignedDuration = SignedDuration::from_hours(24);

/// How many lists are published side by side.
const AT_ONCE: usize = 8;

/// How often a list is published once more because another node's newer publication
/// was overtaken.
const TRIES: u32 = 4;

/// What somebody must look at.
const ALARM: &str = "claviger::alarm";

impl WalletProvider {
    /// Publishes every list that changed since it was published or whose token
    /// ends soon; how many were due. One that fails keeps none of the others waiting;
    /// the first error is returned at the end. To be called at each start, after each
    /// change, and from time to time.
    ///
    /// A list counts as published only once its tokens survive a crash; until
    /// then the store remembers that it is to be published. Whoever waits for a list
    /// while another publishes it finds it published, so many revocations at once make
    /// few publications.
    #[tracing::instrument(name = "provider.publish", skip_all)]
    pub async fn publish_changed(&self) -> Result<usize, Error> {
        let lists = self.store.lists_to_publish(self.renew_before()).await?;
        let mut failed = None;
        for some in lists.chunks(AT_ONCE) {
            let done = together(some.iter().map(|list| self.publish_one(list.list))).await;
            for (list, done) in some.iter().zip(done) {
                if let Err(error) = done {
                    tracing::error!(event = "list.publication-failed", list = list.list, %error);
                    failed.get_or_insert(error);
                }
            }
        }
        self.lists.note_trouble(failed.as_ref());
        failed.map_or(Ok(lists.len()), Err)
    }

    /// Publishes every list anew that no status key of this provider's signed, where
    /// its keys are not those it looked with before; how many were looked at. A key
    /// that was given up as compromised signs for nothing that the world is told,
    /// whether or not the list changed.
    pub(crate) async fn publish_disowned(&self) -> Result<usize, Error> {
        let mut keys: Vec<_> = self.keys.own_keys(Seals::Status);
        keys.sort_by_key(PublicKey::thumbprint);
        if self.lists.looked_with(&keys) {
            return Ok(0);
        }
        let lists = self.store.lists_to_publish(Timestamp::MAX).await?;
        let mut failed = None;
        for list in &lists {
            if let Err(error) = self.publish_if(list.list, When::Disowned).await {
                tracing::error!(event = "list.publication-failed", list = list.list, %error);
                failed.get_or_insert(error);
            }
        }
        if failed.is_none() {
            self.lists.note_looked_with(keys);
        }
        failed.map_or(Ok(lists.len()), Err)
    }

    /// Why lists that are due could not be published when it was tried last.
    pub fn publication_trouble(&self) -> Option<String> {
        self.lists.trouble()
    }

    /// When the published list ends that ends first, where it should have been renewed
    /// long ago: whoever renews it hangs, or fails each time.
    pub async fn overdue_list(&self) -> Result<Option<Timestamp>, Error> {
        let quarter = SignedDuration::from_secs(self.config.list_lifetime.as_secs() / 4);
        let now = self.clock.now();
        let soon = now.checked_add(quarter).unwrap_or(now);
        let lists = self.store.lists_to_publish(soon).await?;
        Ok(ends(&lists).filter(|end| *end <= soon).min())
    }

    /// How much later it is, by the clock, than a published list could have ended at the
    /// latest while a node was at work: where it is more than a day, either none was for
    /// that long, or the clock is wrong. To be asked at a start, before anything is
    /// published.
    pub async fn clock_leap(&self) -> Result<Option<SignedDuration>, Error> {
        let lists = self.store.lists_to_publish(Timestamp::MAX).await?;
        let now = self.clock.now();
        let leap = ends(&lists).max().map(|last| now.duration_since(last));
        Ok(leap.filter(|leap| *leap > KEEP_ENDED))
    }

    /// How long a copy of a list is used before it is fetched again, in seconds.
    pub fn list_ttl_seconds(&self) -> u32 {
        u32::try_from(self.config.list_ttl.as_secs()).unwrap_or(u32::MAX)
    }

    /// The addresses of all lists: what a list aggregation tells.
    pub async fn status_lists(&self) -> Result<Vec<String>, Error> {
        Ok(self.store.list_uris().await?)
    }

    /// Forgets what ended more than a day ago, and takes away the lists that nothing
    /// refers to any more. A day, because what is forgotten too early (by a clock
    /// that ran ahead) can be replayed, or no longer be revoked.
    pub async fn purge(&self) -> Result<Purged, Error> {
        let _turn = self.store.turn(Work::Purge).await?;
        let now = self.clock.now();
        let ended_by = now.checked_sub(KEEP_ENDED).unwrap_or(Timestamp::MIN);
        let closed_before = now.checked_sub(KEEP_CLOSED).unwrap_or(Timestamp::MIN);
        let purged = self.store.purge(ended_by, closed_before).await?;
        self.revocations.forget_pid_requests(ended_by).await?;
        for ended in &purged.lists {
            // A node that was idle may hold a block of it still.
            self.allocation.give_up(ended.list).await;
            // The files go first: a list that the store has forgotten would stay
            // published for good.
            let turn = self.store.turn(Work::List(ended.list)).await?;
            self.publisher
                .remove(&ended.name, Arc::clone(&turn))
                .await?;
            self.store.forget_list(ended.list).await?;
            self.lists.forget(ended.list);
        }
        tracing::info!(
            event = "purged",
            entries = purged.entries,
            lists = purged.lists.len()
        );
        Ok(purged)
    }

    /// Publishes one list if that is due; whether it may hand out indices.
    ///
    /// It may not where the store is older than what it published: its counters are
    /// old too.
    pub(crate) async fn publish_one(&self, list: i64) -> Result<Standing, Error> {
        self.publish_if(list, When::Due).await
    }

    /// Publishes a list that never was, and compares any other with what is published
    /// of it, once in the life of this node; whether it may hand out indices. To be
    /// called before the first index of a block is used.
    pub(crate) async fn publish_first(&self, list: i64, was: bool) -> Result<Standing, Error> {
        if was && self.lists.is_compared(list) {
            return Ok(Standing::Sound);
        }
        let standing = self.publish_if(list, When::First).await?;
        self.lists.note_compared(list);
        Ok(standing)
    }

    async fn publish_if(&self, list: i64, when: When) -> Result<Standing, Error> {
        let known = self.lists.of(list);
        // First those of this node, then the nodes among each other.
        let mut known = known.lock().await;
        let turn = self.store.turn(Work::List(list)).await?;
        for _ in 0..TRIES {
            let Some(state) = self.store.list_state(list).await? else {
                return Ok(Standing::Ended);
            };
            let due = match when {
                When::Due => state.is_due(self.renew_before()),
                When::Disowned => self.is_disowned(&state).await?,
                When::First => state.published == 0 || self.is_older(&state).await?,
            };
            let (noted, standing) = match due {
                true => self.publish(&state, &mut known, &turn).await?,
                false => (Noted::Newest, Standing::of(&state)),
            };
            if standing == Standing::Ended {
                self.lists.end(list);
            }
            match noted {
                Noted::Newest => return Ok(standing),
                // A turn can be lost without its node's knowing (PostgreSQL was
                // restarted), and this was put over something newer. It is due again.
                Noted::Overtaken => {}
            }
        }
        Ok(Standing::Ended)
    }

    /// What was published as revoked stays so, and the token's time does not go
    /// back, whatever the store says: it may have been restored from an older copy.
    /// Then the list is closed, for its counters are old too. An older copy shows by
    /// an entry that it does not know to be revoked, or by a token that ends later than
    /// any that it knows of: that end is noted before a token is put.
    async fn publish(
        &self,
        state: &ListState,
        known: &mut Option<Known>,
        turn: &Arc<dyn Turn>,
    ) -> Result<(Noted, Standing), Error> {
        // Read before the store is: what another node published in between is in
        // the store by then.
        let [jwt, cwt] = self.tokens(state).await?;
        let prints = Prints::of(jwt.as_deref(), cwt.as_deref());
        let told = match known
            .as_ref()
            .map(|known| (known.prints == prints, known.told()))
        {
            // This very pair was verified or made by this process.
            Some((true, own)) => Some(own),
            // What this process told itself stays told, whatever lies there now.
            Some((false, own)) => match self.verify_told(state, [jwt, cwt])? {
                Some(told) => Some(told.and(&own)?),
                None => Some(own),
            },
            None => self.verify_told(state, [jwt, cwt])?,
        };
        let Some(mut current) = self.revoked(state.list, known.as_ref()).await? else {
            return Ok((Noted::Newest, Standing::Ended));
        };
        let now = self.clock.now();
        let mut issued = now;
        if let Some(told) = told {
            issued = issued.max(told.issued);
            let lost = lost(&current.list, &told.list);
            if !lost.is_empty() || current.state.is_older_than(told.until) {
                tracing::error!(
                    target: ALARM,
                    event = "list.restored",
                    list = state.list,
                    entries = lost.len(),
                    "the store is older than what it published: it does not know of the last \
                     publication, or of entries that are revoked in it; they stay revoked, and \
                     the list is closed"
                );
                self.store.set_again(state.list, lost, now).await?;
                let Some(again) = self.revoked(state.list, None).await? else {
                    return Ok((Noted::Newest, Standing::Ended));
                };
                current = again;
            }
        }
        let Current { state, list, tally } = current;
        let generation = self.keys.seal(Seals::Status, now)?;
        let lifetime = self.config.list_lifetime;
        let expires = issued.checked_add(lifetime).unwrap_or(issued);
        // A list's times are not rounded: nothing is linked by them.
        let exact = Rounding::to(SignedDuration::ZERO);
        let expires = generation.expiry(issued, expires, &exact)?;
        let mut token = StatusListToken::new(state.uri.clone(), issued, list.clone());
        token.expires = Some(expires);
        token.ttl = Some(self.config.list_ttl);
        token.aggregation_uri = Some(self.config.status_url.clone());
        token.effort = CompressionEffort::Quick;
        let tokens = sign(token, &generation).await?;
        let prints = Prints::of(Some(&tokens.jwt), Some(&tokens.cwt));
        self.store.promise(state.list, expires).await?;
        self.publisher
            .put(&state.name, tokens, Arc::clone(turn))
            .await?;
        let noted = self
            .store
            .published(state.list, state.revision, expires)
            .await?;
        tracing::info!(event = "list.published", revoked = tally.count);
        counts::published();
        *known = Some(Known {
            revision: state.revision,
            list,
            tally,
            issued,
            until: expires,
            prints,
        });
        Ok((noted, Standing::of(&state)))
    }

    /// The list as it stands in the store, from what this node knows of it and what
    /// was revoked since; from all of the store where the two do not come to the same,
    /// as after a restore.
    async fn revoked(&self, list: i64, known: Option<&Known>) -> Result<Option<Current>, Error> {
        if let Some(known) = known {
            let Some(since) = self.store.list(list, Some(known.revision)).await? else {
                return Ok(None);
            };
            if let Some(grown) = known.grown(&since)? {
                return Ok(Some(grown));
            }
            tracing::warn!(event = "list.read-again", list);
        }
        match self.store.list(list, None).await? {
            Some(content) => Ok(Some(Current::of(content)?)),
            None => Ok(None),
        }
    }

    /// Whether the world reads something of this list that is not signed by a key of
    /// ours. What is not there at all is due by itself.
    async fn is_disowned(&self, state: &ListState) -> Result<bool, Error> {
        let keys = self.keys.own_keys(Seals::Status);
        let mut tokens = self.tokens(state).await?.into_iter().flatten();
        Ok(tokens.any(|token| read(&token, state, &keys).is_err()))
    }

    /// Whether something of this list was published later than the store knows of.
    async fn is_older(&self, state: &ListState) -> Result<bool, Error> {
        let keys = self.keys.own_keys(Seals::Status);
        let told = |token: Vec<u8>| read(&token, state, &keys);
        let mut tokens = self.tokens(state).await?.into_iter().flatten();
        Ok(tokens.any(|token| told(token).is_ok_and(|told| state.is_older_than(told.until))))
    }

    /// What the world reads of a list, as JWT and as CWT.
    async fn tokens(&self, state: &ListState) -> Result<[Option<Vec<u8>>; 2], Error> {
        Ok([
            self.publisher.get(&state.name, TokenFormat::Jwt).await?,
            self.publisher.get(&state.name, TokenFormat::Cwt).await?,
        ])
    }

    /// The list as the world reads it now, in either form. A token that no status key
    /// of this provider's signed, of whatever generation, says nothing, and is replaced.
    fn verify_told(
        &self,
        state: &ListState,
        tokens: [Option<Vec<u8>>; 2],
    ) -> Result<Option<Told>, Error> {
        let keys = self.keys.own_keys(Seals::Status);
        let mut told: Option<Told> = None;
        for token in tokens.into_iter().flatten() {
            match read(&token, state, &keys) {
                Ok(read) => {
                    told = Some(match told {
                        Some(told) => told.and(&read)?,
                        None => read,
                    });
                }
                Err(refusal) => tracing::error!(
                    target: ALARM,
                    event = "list.not-ours",
                    list = state.list,
                    %refusal,
                    "a published token is not one that a status key of ours signed; it is replaced"
                ),
            }
        }
        Ok(told)
    }

    /// A third of a token's life is left to try again in.
    fn renew_before(&self) -> Timestamp {
        let now = self.clock.now();
        let margin = self.config.list_lifetime.as_secs() / 3;
        now.checked_add(SignedDuration::from_secs(margin))
            .unwrap_or(now)
    }
}

/// When those of the lists end that were ever published.
pub(crate) fn ends(lists: &[ListState]) -> impl Iterator<Item = Timestamp> {
    let published = lists.iter().filter(|list| list.published > 0);
    published.map(|list| list.published_until)
}

/// When a list is published.
#[derive(Debug, Clone, Copy)]
enum When {
    /// It changed, or its token ends soon.
    Due,
    /// A token of it is signed by none of the provider's keys.
    Disowned,
    /// It never was, or it was by a store that was newer than this one.
    First,
}

/// Both forms over one compression, which other requests do not wait for.
async fn sign(token: StatusListToken, generation: &Generation) -> Result<Tokens, Error> {
    let failed = |error| Error::StatusList(Box::new(error));
    let packed = tokio::task::spawn_blocking(move || token.pack())
        .await
        .map_err(|error| Error::StatusList(error.into()))?
        .map_err(failed)?;
    let seal = generation.seal();
    let signer = seal.signer.as_ref();
    let jwt = packed.sign(&seal.chain, signer).await.map_err(failed)?;
    let cwt = packed.sign_cwt(&seal.chain, signer).await.map_err(failed)?;
    Ok(Tokens {
        jwt: jwt.into_bytes(),
        cwt,
    })
}

/// What a list can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is published, and its blocks are sound.
    Sound,
    /// It was found to be restored, or is no more: its blocks may have been handed out
    /// before.
    Ended,
}

impl Standing {
    fn of(state: &ListState) -> Self {
        if state.restored {
            Self::Ended
        } else {
            Self::Sound
        }
    }
}
