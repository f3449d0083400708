//! The tokens of one device, which hold the same keys. Any of them serves a
//! request; what changes what they hold is done to all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jose::{Curve, PublicKey};
use wscd::{DeviceError, Generation, KeyName, KeyUse, RootState};

use crate::error::Fault;
use crate::objects::{Kind, Origin, ROOT_ID, root_label};
use crate::pool::Live;
use crate::token::Token;
use crate::{carry, named, rotation};

pub(crate) struct Set {
    tokens: Vec<Arc<Token>>,
    /// Spreads requests that find several tokens equally idle.
    turn: AtomicUsize,
    /// Held by whoever changes what is in the tokens.
    pub(crate) changes: tokio::sync::Mutex<()>,
    origin: Origin,
}

impl Set {
    pub(crate) fn of(tokens: Vec<Arc<Token>>, origin: Origin) -> Self {
        Self {
            tokens,
            turn: AtomicUsize::new(0),
            changes: tokio::sync::Mutex::new(()),
            origin,
        }
    }

    pub(crate) fn tokens(&self) -> &[Arc<Token>] {
        &self.tokens
    }

    /// The one token, where there is one alone.
    pub(crate) fn single(&self) -> Option<&Arc<Token>> {
        match self.tokens.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The tokens that requests go to.
    pub(crate) fn those_in(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.tokens.iter().filter(|token| token.is_in())
    }

    /// Runs a call in the idlest token, and where that one is away, or lacks what is
    /// asked for, in the next. A call that broke left nothing behind but objects of
    /// its own PKCS#11 session.
    pub(crate) async fn any<T: Send + 'static>(
        &self,
        call: impl FnMut(&Live<'_>) -> Result<T, Fault> + Clone + Send + 'static,
    ) -> Result<T, DeviceError> {
        if let Some(only) = self.single() {
            return only.run(call).await;
        }
        let mut refused = None;
        for token in self.in_turn() {
            match token.run(call.clone()).await {
                Err(error) if passes_on(&error) => {
                    note(&token, &error);
                    // A plain answer says more than that a token is away.
                    if !error.is_transient() || refused.is_none() {
                        refused = Some(error);
                    }
                }
                answer => return answer,
            }
        }
        match refused {
            Some(DeviceError::NotFound { .. }) | None => match self.away() {
                Some(away) => Err(away),
                None => Err(refused.unwrap_or_else(|| lost("it has no token".to_owned()))),
            },
            Some(error) => Err(error),
        }
    }

    /// Runs a call in every token; where one is away, in none or in some.
    pub(crate) async fn every<T: Send + 'static>(
        &self,
        call: impl FnMut(&Live<'_>) -> Result<T, Fault> + Clone + Send + 'static,
    ) -> Result<Vec<T>, DeviceError> {
        if let (Some(away), None) = (self.away(), self.single()) {
            return Err(away);
        }
        let mut answers = Vec::with_capacity(self.tokens.len());
        for token in &self.tokens {
            let answer = token.run(call.clone()).await;
            if let (Err(error), None) = (&answer, self.single()) {
                note(token, error);
            }
            answers.push(answer?);
        }
        Ok(answers)
    }

    /// The state of the roots: of the token that is furthest.
    pub(crate) async fn root(&self) -> Result<RootState, DeviceError> {
        if self.single().is_some() {
            return self.any(rotation::state).await;
        }
        let mut states = Vec::new();
        for token in self.in_turn() {
            match token.run(rotation::state).await {
                Ok(state) => states.push(state),
                Err(error) => note(&token, &error),
            }
        }
        furthest(&states).map_err(|error| self.away().unwrap_or(error))
    }

    /// Makes the next root in every token, and then puts it in force in every one.
    pub(crate) async fn begin_rotation(&self) -> Result<RootState, DeviceError> {
        let _changes = self.changes.lock().await;
        let state = furthest(&self.every(rotation::state).await?)?;
        if state.retiring.is_none() {
            // What a rotation before this one left undone somewhere.
            let current = state.current;
            self.every(move |live| match rotation::state(live)? {
                held if held == state => Ok(()),
                _ => rotation::finish(live, current),
            })
            .await?;
        }
        let target = match state.retiring {
            Some(_) => state,
            None => RootState {
                current: state
                    .current
                    .0
                    .checked_add(1)
                    .map(Generation)
                    .ok_or(DeviceError::Exhausted { what: "generation" })?,
                retiring: Some(state.current),
            },
        };
        self.bring_root(target.current).await?;
        self.every(move |live| rotation::say(live, target)).await?;
        self.root().await
    }

    /// Destroys the root being retired in every token. While one is away nothing is
    /// finished: what it holds could still open what is to be erased.
    pub(crate) async fn finish_rotation(
        &self,
        root: Generation,
    ) -> Result<Generation, DeviceError> {
        let _changes = self.changes.lock().await;
        let held = furthest(&self.every(rotation::state).await?)?;
        let current = held.current;
        if current != root {
            return Err(DeviceError::OtherRoot {
                asked: root,
                root: held,
            });
        }
        self.every(move |live| rotation::finish(live, current))
            .await?;
        Ok(current)
    }

    async fn bring_root(&self, generation: Generation) -> Result<(), DeviceError> {
        let held = self
            .every(move |live| rotation::count(live, generation))
            .await?;
        if held.iter().all(|count| *count == 1) {
            return Ok(());
        }
        match (self.single(), self.origin) {
            (Some(only), _) => {
                return only.run(move |live| rotation::make(live, generation)).await;
            }
            (None, Origin::Replicated) => {
                // A crash may have left it in some of them; it is not in force.
                self.every(move |live| rotation::clear(live, generation))
                    .await?;
                let label = root_label(generation);
                let template = Kind::Wrapping.replica(&label, Some(ROOT_ID));
                carry::secret(&self.tokens, Kind::Wrapping, template).await?;
            }
            (None, Origin::Token) => {
                let first = self.tokens.iter().zip(&held).find(|(_, count)| **count > 0);
                if let (None, Some(token)) = (first, self.tokens.first()) {
                    token
                        .run(move |live| rotation::make(live, generation))
                        .await?;
                }
            }
        }
        let held = self
            .every(move |live| rotation::count(live, generation))
            .await?;
        for (token, count) in self.tokens.iter().zip(held) {
            if count != 1 {
                return Err(DeviceError::Failed {
                    what: "begin a rotation",
                    cause: format!(
                        "the token {token} lacks the root of generation {generation}: bring it \
                         there by its maker's means and begin again"
                    ),
                });
            }
        }
        self.check_root(generation).await
    }

    /// That what one token wraps with a root, every other unwraps.
    async fn check_root(&self, generation: Generation) -> Result<(), DeviceError> {
        let Some(first) = self.tokens.first() else {
            return Ok(());
        };
        let wrapped = first
            .run(move |live| rotation::challenge(live, generation))
            .await?;
        for token in &self.tokens {
            let wrapped = wrapped.clone();
            token
                .run(move |live| rotation::answer(live, generation, &wrapped))
                .await
                .map_err(|error| match error {
                    error if error.is_transient() => error,
                    error => DeviceError::Failed {
                        what: "begin a rotation",
                        cause: format!(
                            "the token {token} has another root of generation {generation} than \
                             {first}: {error}"
                        ),
                    },
                })?;
        }
        Ok(())
    }

    /// Opens a named key or makes it. Where several tokens are to hold it, all must
    /// be there to make it: what one of them lacks is not brought to it later.
    pub(crate) async fn named_key(
        &self,
        name: &KeyName,
        curve: Curve,
        usage: KeyUse,
    ) -> Result<PublicKey, DeviceError> {
        let _changes = self.changes.lock().await;
        if let Some(only) = self.single() {
            let name = name.clone();
            return only
                .run(move |live| named::open_or_make(live, &name, curve, usage))
                .await;
        }
        let mut found = None;
        for token in self.in_turn() {
            let asked = name.clone();
            let public = token
                .run(move |live| named::look(live, &asked, curve, usage))
                .await;
            match (public, &found) {
                (Ok(Some(public)), None) => found = Some(public),
                (Ok(Some(public)), Some(other)) if public != *other => {
                    return Err(DeviceError::Failed {
                        what: "open a named key",
                        cause: format!("its tokens hold different keys named {name}"),
                    });
                }
                (Ok(_), _) => {}
                (Err(error), _) if error.is_transient() => note(&token, &error),
                (Err(error), _) => return Err(error),
            }
        }
        if let Some(public) = found {
            return Ok(public);
        }
        match (self.away(), self.origin, self.tokens.first()) {
            (Some(away), _, _) => Err(away),
            (None, Origin::Token, Some(first)) => {
                let name = name.clone();
                first
                    .run(move |live| named::open_or_make(live, &name, curve, usage))
                    .await
            }
            _ => carry::named(&self.tokens, name, curve, usage).await,
        }
    }

    /// Destroys a named key in every token.
    pub(crate) async fn destroy_named(&self, name: &KeyName) -> Result<(), DeviceError> {
        let _changes = self.changes.lock().await;
        let name = name.clone();
        self.every(move |live| named::destroy(live, &name)).await?;
        Ok(())
    }

    /// The tokens that requests go to, the idlest first.
    fn in_turn(&self) -> Vec<Arc<Token>> {
        let mut tokens: Vec<Arc<Token>> = self.those_in().cloned().collect();
        if !tokens.is_empty() {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % tokens.len();
            tokens.rotate_left(turn);
        }
        tokens.sort_by_key(|token| token.waiting());
        tokens
    }

    /// The first token that is away, as an error.
    pub(crate) fn away(&self) -> Option<DeviceError> {
        let out = |token: &Arc<Token>| Some(lost(format!("the token {token}: {}", token.out()?)));
        self.tokens.iter().find_map(out)
    }
}

/// Takes a token out that cannot work.
pub(crate) fn note(token: &Token, error: &DeviceError) {
    match error {
        DeviceError::Lost { cause } => token.take_out(cause),
        DeviceError::Failed {
            what: "log in",
            cause,
        } => token.take_out(cause),
        _ => {}
    }
}

/// Whether another token may do what this one did not.
fn passes_on(error: &DeviceError) -> bool {
    matches!(
        error,
        DeviceError::Lost { .. }
            | DeviceError::Busy { .. }
            | DeviceError::Failed { .. }
            | DeviceError::NotFound { .. }
            | DeviceError::WrongGeneration { .. }
    )
}

fn furthest(states: &[RootState]) -> Result<RootState, DeviceError> {
    states
        .iter()
        .copied()
        .max_by_key(crate::roots::order)
        .ok_or_else(|| lost("no token is there".to_owned()))
}

pub(crate) fn lost(cause: String) -> DeviceError {
    DeviceError::Lost { cause }
}

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.tokens).finish()
    }
}
