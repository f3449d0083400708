//! What a set of tokens remembers together: anchors, and which tokens have all of
//! them (see `view`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use wscd::{Anchor, DeviceError};

use crate::anchors;
use crate::set::{Set, lost, note};
use crate::token::Token;
use crate::view::{TokenId, View};

/// The view that this process last knew.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    view: Mutex<Option<View>>,
}

enum Written {
    Yes,
    /// The token remembers another view than was thought.
    OtherView(Option<View>),
}

impl Memory {
    /// The anchor last written, wherever it is: the furthest of every token of the
    /// view, each of which must answer.
    pub(crate) async fn read(&self, set: &Set, shard: u16) -> Result<Option<Anchor>, DeviceError> {
        if let Some(token) = alone(set).await? {
            return token.run(move |live| anchors::read(live, shard)).await;
        }
        let _changes = set.changes.lock().await;
        let (views, reached) = views(set).await?;
        let needed: BTreeSet<TokenId> = newest(&views)
            .flat_map(|view| &view.members)
            .copied()
            .collect();
        let reached_ids: BTreeSet<TokenId> = reached.iter().map(|(id, _)| *id).collect();
        if let Some(missing) = needed.difference(&reached_ids).next() {
            return Err(missing_token(set, *missing));
        }
        let mut held: Option<Anchor> = None;
        for (_, token) in &reached {
            let found = token
                .run(move |live| anchors::read(live, shard))
                .await
                .inspect_err(|error| note(token, error))?;
            held = match (held, found) {
                (Some(one), Some(other)) if one.epoch == other.epoch && one.hash != other.hash => {
                    return Err(DeviceError::Failed {
                        what: "read an anchor",
                        cause: format!(
                            "its tokens disagree on shard {shard} at epoch {}",
                            one.epoch
                        ),
                    });
                }
                (one, other) => one.max_by_epoch(other),
            };
        }
        Ok(held)
    }

    /// Writes an anchor to every token of the view; one that is away is first
    /// written out of the view, where the rest may go on without it.
    pub(crate) async fn write(
        &self,
        set: &Set,
        shard: u16,
        anchor: &Anchor,
    ) -> Result<(), DeviceError> {
        let anchor = *anchor;
        if let Some(token) = alone(set).await? {
            return token
                .run(move |live| anchors::write(live, shard, &anchor))
                .await;
        }
        let _changes = set.changes.lock().await;
        // Each round takes a token out, or learns of a view; neither goes on for long.
        for _ in 0..4 + set.tokens().len() {
            let view = self.known(set).await?;
            let targets = self.targets(set, &view).await?;
            let Some(targets) = targets else { continue };
            let mut done = true;
            for token in &targets {
                let expected = view.clone();
                let written = token
                    .run(move |live| match anchors::view(live)? {
                        Some(held) if held == expected => {
                            anchors::write(live, shard, &anchor).map(|()| Written::Yes)
                        }
                        other => Ok(Written::OtherView(other)),
                    })
                    .await;
                match written {
                    Ok(Written::Yes) => {}
                    Ok(Written::OtherView(other)) => {
                        self.learn(token, &view, other).await?;
                        done = false;
                        break;
                    }
                    Err(error @ DeviceError::AnchorBehind { .. }) => return Err(error),
                    Err(error) if error.is_transient() || is_login(&error) => {
                        note(token, &error);
                        done = false;
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            if done {
                return Ok(());
            }
        }
        Err(DeviceError::Busy { retry_after: None })
    }

    /// Brings every token that is there into the view: each gets every anchor from
    /// now on, then what it missed, and then counts.
    pub(crate) async fn reconcile(&self, set: &Set) -> Result<(), DeviceError> {
        let _changes = set.changes.lock().await;
        let (views, reached) = views(set).await?;
        let here: BTreeSet<TokenId> = reached.iter().map(|(id, _)| *id).collect();
        let tops: Vec<&View> = newest(&views).collect();
        let [first, others @ ..] = tops.as_slice() else {
            return Err(not_a_set());
        };
        let is_divided = others.iter().any(|view| view != first);
        let members: BTreeSet<TokenId> = tops.iter().flat_map(|v| &v.members).copied().collect();
        let is_whole = !is_divided && first.joining.is_empty() && members == here;
        let is_said = views.len() == reached.len() && views.iter().all(|view| view == *first);
        if is_whole && is_said {
            *self.lock() = Some((*first).clone());
            return Ok(());
        }
        if let Some(missing) = members.difference(&here).next() {
            return Err(missing_token(set, *missing));
        }
        // After a division none has every anchor: all join, and all must be read.
        let joining = if is_divided {
            here.clone()
        } else {
            &here - &(&members - &first.joining)
        };
        let joins = first.next(members, joining);
        self.write_view(&reached, &joins).await?;
        let mut all: BTreeMap<u16, Anchor> = BTreeMap::new();
        for (_, token) in &reached {
            for (shard, anchor) in token.run(anchors::all).await? {
                let held = all.entry(shard).or_insert(anchor);
                if anchor.epoch > held.epoch {
                    *held = anchor;
                }
            }
        }
        let all: Vec<(u16, Anchor)> = all.into_iter().collect();
        for (_, token) in &reached {
            let all = all.clone();
            token
                .run(move |live| anchors::take_over(live, &all))
                .await?;
        }
        let whole = joins.next(here, BTreeSet::new());
        self.write_view(&reached, &whole).await
    }

    /// Makes a set of tokens that were none: the first view. What they have as
    /// anchors already, all get.
    ///
    /// With `without_missing`, of tokens that are a set: those that do not answer
    /// are left out for good.
    pub(crate) async fn found(
        &self,
        set: &Set,
        without_missing: bool,
    ) -> Result<bool, DeviceError> {
        let (views, reached) = {
            let _changes = set.changes.lock().await;
            views_if_any(set).await?
        };
        let here: BTreeSet<TokenId> = reached.iter().map(|(id, _)| *id).collect();
        let first = match newest(&views).next() {
            None if set.single().is_some() => return Ok(false),
            None => {
                if let Some(away) = set.away() {
                    return Err(away);
                }
                View {
                    number: 1,
                    members: here.clone(),
                    joining: here,
                }
            }
            Some(view) => {
                let strangers = &view.members - &here;
                if strangers.is_empty() || !without_missing {
                    return Ok(false);
                }
                let members = &view.members - &strangers;
                let joining = &here - &members;
                view.next(members, joining)
            }
        };
        for _ in 0..2 {
            // Both objects of the register, so that every process holds both.
            self.write_view(&reached, &first).await?;
        }
        self.reconcile(set).await?;
        Ok(true)
    }

    /// The view to write under; learnt from the tokens where it is not known.
    async fn known(&self, set: &Set) -> Result<View, DeviceError> {
        if let Some(view) = self.lock().clone() {
            return Ok(view);
        }
        let (views, _) = views(set).await?;
        let view = newest(&views).next().cloned().ok_or_else(not_a_set)?;
        *self.lock() = Some(view.clone());
        Ok(view)
    }

    /// The tokens to write to; `None` after the view was changed.
    async fn targets(
        &self,
        set: &Set,
        view: &View,
    ) -> Result<Option<Vec<Arc<Token>>>, DeviceError> {
        let wanted: BTreeSet<TokenId> = view.members.union(&view.joining).copied().collect();
        let reached: Vec<(TokenId, Arc<Token>)> = set
            .those_in()
            .filter_map(|token| Some((token.id()?, Arc::clone(token))))
            .filter(|(id, _)| wanted.contains(id))
            .collect();
        let here: BTreeSet<TokenId> = reached.iter().map(|(id, _)| *id).collect();
        if here == wanted {
            return Ok(Some(reached.into_iter().map(|(_, token)| token).collect()));
        }
        let members: BTreeSet<TokenId> = view.members.intersection(&here).copied().collect();
        let joining: BTreeSet<TokenId> = view.joining.intersection(&here).copied().collect();
        let configured = set.tokens().iter().filter(|token| !token.is_in()).count();
        let missing = wanted.len() - here.len();
        if missing > configured {
            return Err(DeviceError::Failed {
                what: "write an anchor",
                cause: format!(
                    "its tokens are a set with {missing} others, {configured} of which this \
                     device names; name them as replicas, or set it up without them"
                ),
            });
        }
        if !view.may_go_on_with(&(&members - &joining)) {
            return Err(set
                .away()
                .unwrap_or_else(|| lost("too few of its tokens are there".to_owned())));
        }
        let next = view.next(members, joining);
        tracing::warn!(view = %next.text(), "going on without a token");
        match self.write_view(&reached, &next).await {
            Ok(()) => Ok(None),
            Err(error) if error.is_transient() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A token remembers `held`, where `view` was thought.
    async fn learn(
        &self,
        token: &Arc<Token>,
        view: &View,
        held: Option<View>,
    ) -> Result<(), DeviceError> {
        match held {
            Some(held) if held.number >= view.number => {
                *self.lock() = None;
                Ok(())
            }
            // It missed the view, and is in it all the same: as after a crash.
            _ => {
                let view = view.clone();
                token
                    .run(move |live| anchors::write_view(live, &view))
                    .await
            }
        }
    }

    async fn write_view(
        &self,
        tokens: &[(TokenId, Arc<Token>)],
        view: &View,
    ) -> Result<(), DeviceError> {
        *self.lock() = None;
        for (_, token) in tokens {
            let view = view.clone();
            token
                .run(move |live| anchors::write_view(live, &view))
                .await
                .inspect_err(|error| note(token, error))?;
        }
        *self.lock() = Some(view.clone());
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<View>> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The device's one token, if it never was one of a set.
async fn alone(set: &Set) -> Result<Option<&Arc<Token>>, DeviceError> {
    let Some(token) = set.single() else {
        return Ok(None);
    };
    let view = token.run(anchors::view).await?;
    Ok(view.is_none().then_some(token))
}

type Reached = Vec<(TokenId, Arc<Token>)>;

/// What each token that is there remembers.
async fn views(set: &Set) -> Result<(Vec<View>, Reached), DeviceError> {
    let (views, reached) = views_if_any(set).await?;
    if reached.is_empty() {
        return Err(set
            .away()
            .unwrap_or_else(|| lost("no token is there".to_owned())));
    }
    if views.is_empty() {
        return Err(not_a_set());
    }
    Ok((views, reached))
}

async fn views_if_any(set: &Set) -> Result<(Vec<View>, Reached), DeviceError> {
    let (mut views, mut reached) = (Vec::new(), Vec::new());
    for token in set.those_in() {
        match token.run(anchors::view).await {
            Ok(view) => {
                views.extend(view);
                if let Some(id) = token.id() {
                    reached.push((id, Arc::clone(token)));
                }
            }
            Err(error) if error.is_transient() => note(token, &error),
            Err(error) => return Err(error),
        }
    }
    Ok((views, reached))
}

/// The views of the highest number: several after a division.
fn newest(views: &[View]) -> impl Iterator<Item = &View> {
    let number = views.iter().map(|view| view.number).max();
    views.iter().filter(move |view| Some(view.number) == number)
}

fn missing_token(set: &Set, missing: TokenId) -> DeviceError {
    set.away().unwrap_or_else(|| {
        lost(format!(
            "the token {missing} of its set is none of those it names, and may hold later \
             anchors: name it as a replica, or set the device up without it"
        ))
    })
}

fn not_a_set() -> DeviceError {
    DeviceError::Failed {
        what: "find which of its tokens count",
        cause: "they were not set up as a set: run `claviger wscd init` with all of them"
            .to_owned(),
    }
}

fn is_login(error: &DeviceError) -> bool {
    matches!(error, DeviceError::Failed { what: "log in", .. })
}

trait MaxByEpoch {
    fn max_by_epoch(self, other: Self) -> Self;
}

impl MaxByEpoch for Option<Anchor> {
    fn max_by_epoch(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(other)) if other.epoch > one.epoch => Some(other),
            (one, other) => one.or(other),
        }
    }
}
