use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What wrong PINs cost: rounds of tries, a growing pause after each round, and
/// after the last round the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Tries in a round.
    pub tries_per_round: u32,
    /// Seconds of pause after each round but the last; there is one round more
    /// than there are pauses.
    pub pauses: Vec<u32>,
}

impl Default for RetryPolicy {
    /// Four rounds of four tries, with a minute, five minutes and an hour between
    /// them: sixteen guesses at a PIN of six digits in all.
    fn default() -> Self {
        Self {
            tries_per_round: 4,
            pauses: vec![60, 300, 3600],
        }
    }
}

/// Whether another try may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may.
    Allowed,
    /// Not before this time.
    PausedUntil(Timestamp),
    /// Never again.
    Blocked,
}

impl RetryPolicy {
    /// How many tries there are in a row, in all rounds together.
    pub fn tries(&self) -> u32 {
        let rounds = u32::try_from(self.pauses.len()).unwrap_or(u32::MAX);
        self.tries_per_round
            .max(1)
            .saturating_mul(rounds.saturating_add(1))
    }

    /// How many tries are left after `made` in a row.
    pub fn left(&self, made: u32) -> u32 {
        self.tries().saturating_sub(made)
    }

    /// Whether another try may be made at `now`, after `made` in a row of which
    /// the last was at `last`.
    pub fn decide(&self, made: u32, last: Option<Timestamp>, now: Timestamp) -> Decision {
        if made >= self.tries() {
            return Decision::Blocked;
        }
        match self.pause_after(made, last) {
            Some(until) if now < until => Decision::PausedUntil(until),
            _ => Decision::Allowed,
        }
    }

    /// When the pause ends that begins after `made` tries, if one does.
    pub fn pause_after(&self, made: u32, last: Option<Timestamp>) -> Option<Timestamp> {
        let per_round = self.tries_per_round.max(1);
        if made == 0 || !made.is_multiple_of(per_round) {
            return None;
        }
        let round = usize::try_from(made / per_round).ok()?.checked_sub(1)?;
        let pause = SignedDuration::from_secs(i64::from(*self.pauses.get(round)?));
        Some(last?.checked_add(pause).unwrap_or(Timestamp::MAX))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rounds_pauses_and_the_end() {
        let policy = RetryPolicy {
            tries_per_round: 2,
            pauses: vec![60, 300],
        };
        assert_eq!(policy.tries(), 6);
        let last: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let after = |seconds| last + SignedDuration::from_secs(seconds);
        let cases = [
            (0, 0, Decision::Allowed),
            (1, 0, Decision::Allowed),
            (2, 59, Decision::PausedUntil(after(60))),
            (2, 60, Decision::Allowed),
            (3, 0, Decision::Allowed),
            (4, 299, Decision::PausedUntil(after(300))),
            (4, 300, Decision::Allowed),
            (5, 0, Decision::Allowed),
            (6, 1_000_000, Decision::Blocked),
            (7, 0, Decision::Blocked),
        ];
        for (made, seconds, expected) in cases {
            let decided = policy.decide(made, Some(last), after(seconds));
            assert_eq!(decided, expected, "{made} tries, {seconds} s");
        }
        assert_eq!(RetryPolicy::default().tries(), 16);
    }

    #[test]
    fn a_clock_that_goes_back_shortens_no_pause() {
        let policy = RetryPolicy::default();
        let last: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let before = last - SignedDuration::from_hours(1);
        assert!(matches!(
            policy.decide(4, Some(last), before),
            Decision::PausedUntil(_)
        ));
    }
}
