//! The keys of a provider in their order, and which of them signs when.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Generation, KeyPurpose, Seals};

/// The keys with certificates, whatever they are for.
#[derive(Debug, Clone, Default)]
pub struct Generations {
    /// The later start goes first; of two at once, the later generation.
    sorted: Vec<Arc<Generation>>,
}

/// How a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Its start has not come.
    Next,
    /// It signs.
    Signing,
    /// It signs no more, or not now; what it signed may still be in use.
    Earlier,
    /// It cannot sign any more.
    Ended,
}

impl Standing {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Signing => "signing",
            Self::Earlier => "earlier",
            Self::Ended => "ended",
        }
    }
}

/// One of the provider's certificates at one moment.
#[derive(Debug, Clone)]
pub struct CertificateState {
    /// The key and its certificate.
    pub generation: Arc<Generation>,
    /// How it stands.
    pub standing: Standing,
    /// Seconds until its certificate ends; below zero when it has.
    pub seconds_left: i64,
    /// Whether another key of its purpose is to sign when it ends.
    pub succession: Succession,
}

/// Whether a key's work is taken over in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Succession {
    /// Another key can sign at its end.
    Secured,
    /// None can, yet.
    Open,
}

impl FromIterator<Generation> for Generations {
    fn from_iter<I: IntoIterator<Item = Generation>>(generations: I) -> Self {
        generations.into_iter().map(Arc::new).collect()
    }
}

impl FromIterator<Arc<Generation>> for Generations {
    fn from_iter<I: IntoIterator<Item = Arc<Generation>>>(generations: I) -> Self {
        let mut sorted: Vec<_> = generations.into_iter().collect();
        sorted.sort_by_key(|g| std::cmp::Reverse((g.starts(), g.number())));
        Self { sorted }
    }
}

impl Generations {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Generation>> + Clone {
        self.sorted.iter()
    }

    /// The one that seals at `at`: of those that have started and whose certificate
    /// is valid, the one that started last.
    pub fn signing(&self, what: Seals, at: Timestamp) -> Option<&Arc<Generation>> {
        self.of_kind(what).find(|g| g.may_sign(at))
    }

    /// The certificates of all generations, and how they stand at `now`.
    pub fn certificates(&self, now: Timestamp) -> Vec<CertificateState> {
        let state = |generation: &Arc<Generation>| CertificateState {
            generation: Arc::clone(generation),
            standing: self.standing(generation, now),
            seconds_left: generation
                .certificate()
                .not_after()
                .duration_since(now)
                .as_secs(),
            succession: self.succession(generation),
        };
        self.iter().map(state).collect()
    }

    fn standing(&self, generation: &Arc<Generation>, now: Timestamp) -> Standing {
        if generation.ends() <= now {
            Standing::Ended
        } else if generation.begins() > now {
            Standing::Next
        } else if purposes(generation.purpose()).any(|what| self.signs(generation, what, now)) {
            Standing::Signing
        } else {
            Standing::Earlier
        }
    }

    fn succession(&self, generation: &Arc<Generation>) -> Succession {
        let end = generation.ends();
        let secured = purposes(generation.purpose()).all(|what| self.signing(what, end).is_some());
        if secured {
            Succession::Secured
        } else {
            Succession::Open
        }
    }

    /// Until when somebody may have to verify what a generation sealed, or will seal;
    /// `None` where it seals nothing any more and never did.
    pub(crate) fn last_use(
        &self,
        generation: &Arc<Generation>,
        now: Timestamp,
        lasts: impl Fn(Seals) -> SignedDuration,
    ) -> Option<Timestamp> {
        if generation.begins() > now && generation.begins() < generation.ends() {
            return Some(Timestamp::MAX);
        }
        let last = purposes(generation.purpose()).filter_map(|what| {
            let signed = self.last_signed(generation, what, now)?;
            Some(signed.checked_add(lasts(what)).unwrap_or(Timestamp::MAX))
        });
        last.max()
    }

    /// When a generation sealed last, up to `now`; `None` where it never did.
    fn last_signed(
        &self,
        generation: &Arc<Generation>,
        what: Seals,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if self.signs(generation, what, now) {
            return Some(now);
        }
        // Who signs changes only where some generation begins or ends.
        self.of_kind(what)
            .flat_map(|g| [g.begins(), g.ends()])
            .filter(|change| *change <= now)
            .filter(|change| {
                let before = change.checked_sub(SignedDuration::from_nanos(1));
                before.is_ok_and(|before| self.signs(generation, what, before))
            })
            .max()
    }

    /// Why nothing seals at `now`.
    pub(crate) fn why_none(&self, what: Seals, now: Timestamp) -> String {
        let last = self.of_kind(what).filter(|g| g.ends() <= now);
        let next = self.of_kind(what).map(|g| g.begins());
        match (
            last.max_by_key(|g| g.ends()),
            next.filter(|at| *at > now).min(),
        ) {
            (_, Some(begins)) => format!("no generation signs before {begins}"),
            (Some(last), None) => format!("{last} ended at {}", last.ends()),
            (None, None) => "no generation signs".into(),
        }
    }

    pub(crate) fn of_kind(&self, what: Seals) -> impl Iterator<Item = &Arc<Generation>> {
        self.iter().filter(move |g| g.purpose().seals(what))
    }

    fn signs(&self, generation: &Arc<Generation>, what: Seals, at: Timestamp) -> bool {
        self.signing(what, at)
            .is_some_and(|signing| Arc::ptr_eq(signing, generation))
    }
}

fn purposes(purpose: KeyPurpose) -> impl Iterator<Item = Seals> {
    Seals::ALL
        .into_iter()
        .filter(move |what| purpose.seals(*what))
}
