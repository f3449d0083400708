use jiff::{SignedDuration, Timestamp};

use crate::VerifiedStatusList;

/// How long a fetched list is used before it is fetched again (draft-20,
/// sections 8.3 and 11.5). Its own bounds stand against a publisher whose `ttl`
/// would have everybody ask every second, or never again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caching {
    /// What a list without `ttl` gets.
    pub default_ttl: SignedDuration,
    /// No list is fetched again sooner than this, unless it has expired.
    pub min_ttl: SignedDuration,
    /// No list is used longer than this.
    pub max_ttl: SignedDuration,
}

impl Caching {
    /// The time until which `list`, fetched at `fetched`, is used without asking
    /// again: `ttl` (bounded) after the fetch, and never past its `exp`.
    pub fn fresh_until(&self, list: &VerifiedStatusList, fetched: Timestamp) -> Timestamp {
        let ttl = list
            .ttl()
            .unwrap_or(self.default_ttl)
            .max(self.min_ttl)
            .min(self.max_ttl);
        let by_ttl = fetched.checked_add(ttl).unwrap_or(Timestamp::MAX);
        list.expires().map_or(by_ttl, |exp| by_ttl.min(exp))
    }
}

impl Default for Caching {
    /// One hour unless the list says otherwise, at least a minute, at most the
    /// 24 hours within which a PID provider looks again (TS3 v1.5.2, 2.4.3).
    fn default() -> Self {
        Self {
            default_ttl: SignedDuration::from_hours(1),
            min_ttl: SignedDuration::from_mins(1),
            max_ttl: SignedDuration::from_hours(24),
        }
    }
}
