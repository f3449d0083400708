//! How the key that signs the provider's answers is replaced, and how an app that
//! pinned an earlier one follows.

use finding::Refusal;
use jiff::{SignedDuration, Timestamp};
use jose::{PublicKey, SignError, Signer};
use serde::{Deserialize, Serialize};

use crate::{rules, token};

/// The typ of a handover.
pub const HANDOVER_TYP: &str = "wallet-provider-answer-key+jwt";

/// How many handovers a provider may show.
pub const MAX_HANDOVERS: usize = 64;

/// How long before its start the next key is taken already, and how long after that
/// the earlier one still: clocks differ, and answers are under way.
pub const HANDOVER_OVERLAP: SignedDuration = SignedDuration::from_hours(24);

/// What the key in force signs of the key after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// The provider.
    pub iss: String,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// The next key.
    pub answer_key: PublicKey,
    /// When it begins to sign answers, in seconds since 1970.
    pub starts: i64,
}

impl Handover {
    /// Signs the handover with the key that is in force until then.
    pub async fn sign(&self, current: &dyn Signer) -> Result<String, SignError> {
        token::sign(HANDOVER_TYP, self, false, current).await
    }
}

/// The answer keys that an app may believe: the one that it pinned, and those that
/// were handed over to from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedKeys {
    pinned: PublicKey,
    /// With their starts, which never go back.
    after: Vec<(PublicKey, Timestamp)>,
}

impl PinnedKeys {
    /// One key, and none after it.
    pub fn only(pinned: PublicKey) -> Self {
        Self {
            pinned,
            after: Vec::new(),
        }
    }

    /// Follows the handovers of `provider`, the earliest first, from the pinned key
    /// on. Those before it are passed over: who pinned a later key needs none.
    pub fn follow(
        pinned: PublicKey,
        handovers: &[String],
        provider: &str,
    ) -> Result<Self, Refusal> {
        let mut keys = Self::only(pinned);
        keys.learn(handovers, provider)?;
        Ok(keys)
    }

    /// Follows those handovers that go on from the newest key.
    fn learn(&mut self, handovers: &[String], provider: &str) -> Result<(), Refusal> {
        let refuse = |what: String| Refusal::because(&rules::ANSWER_KEY, "handover", what);
        if handovers.len() > MAX_HANDOVERS {
            let what = format!("{} of them, {MAX_HANDOVERS} are read", handovers.len());
            return Err(refuse(what));
        }
        for text in handovers {
            let parsed = token::parse(text, HANDOVER_TYP, token::MAX_TOKEN).map_err(refuse)?;
            let kid = parsed.header().get("kid").and_then(|kid| kid.as_str());
            if kid != Some(self.newest().thumbprint_b64().as_str()) {
                continue;
            }
            let verified = parsed
                .verify(self.newest())
                .map_err(|error| refuse(error.to_string()))?;
            let handover: Handover = token::claims(&verified).map_err(refuse)?;
            if handover.iss != provider {
                return Err(refuse(format!(
                    "it is of another provider: {}, not {provider}",
                    handover.iss
                )));
            }
            let starts = Timestamp::from_second(handover.starts)
                .map_err(|_| refuse("its start is no time".into()))?;
            if self
                .after
                .last()
                .is_some_and(|(_, before)| starts < *before)
            {
                return Err(refuse("it starts before the one before it".into()));
            }
            self.after.push((handover.answer_key, starts));
        }
        Ok(())
    }

    /// These keys, and those that the newest of them handed over to since. Nothing that
    /// is known is forgotten, whatever is left out of `handovers`: a key that was
    /// replaced does not come back.
    pub fn extended(&self, handovers: &[String], provider: &str) -> Result<Self, Refusal> {
        let mut keys = self.clone();
        keys.learn(handovers, provider)?;
        Ok(keys)
    }

    /// The key that is followed from.
    pub fn pinned(&self) -> &PublicKey {
        &self.pinned
    }

    /// The key of that thumbprint (`kid`), if it may sign at `now`, give or take
    /// [`HANDOVER_OVERLAP`].
    pub fn at(&self, kid: &str, now: Timestamp) -> Option<&PublicKey> {
        let starts = self.after.iter().map(|(_, starts)| Some(*starts));
        let ends = starts.clone().chain([None]);
        let begun = |start: Timestamp| start.duration_since(now) <= HANDOVER_OVERLAP;
        let open = |end: Timestamp| now.duration_since(end) <= HANDOVER_OVERLAP;
        let all = [&self.pinned]
            .into_iter()
            .chain(self.after.iter().map(|(key, _)| key));
        all.zip([None].into_iter().chain(starts))
            .zip(ends)
            .find(|((key, start), end)| {
                start.is_none_or(begun) && end.is_none_or(open) && key.thumbprint_b64() == kid
            })
            .map(|((key, _), _)| key)
    }

    /// Whether `key` is one of them, of whatever time.
    pub fn hold(&self, key: &PublicKey) -> bool {
        &self.pinned == key || self.after.iter().any(|(other, _)| other == key)
    }

    /// The key to pin from now on: the newest whose start has come for every clock.
    pub fn to_pin(&self, now: Timestamp) -> &PublicKey {
        self.after
            .iter()
            .rev()
            .find(|(_, starts)| now.duration_since(*starts) > HANDOVER_OVERLAP)
            .map_or(&self.pinned, |(key, _)| key)
    }

    fn newest(&self) -> &PublicKey {
        self.after.last().map_or(&self.pinned, |(key, _)| key)
    }
}
