//! When a source is asked again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How often sources are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// How long before its NextUpdate a list has to have been asked for again: from
    /// then on the source is asked more and more often, until it gives the next one.
    pub margin: Duration,
    /// The shortest pause, whatever a source says of itself.
    pub shortest: Duration,
    /// The pause after a first failure; each further one doubles it.
    pub first_retry: Duration,
    /// The longest pause after failures.
    pub longest_retry: Duration,
}

impl Default for Rhythm {
    /// A day before NextUpdate; half a minute to a quarter of an hour.
    fn default() -> Self {
        Self {
            margin: Duration::from_hours(24),
            shortest: Duration::from_secs(30),
            first_retry: Duration::from_secs(30),
            longest_retry: Duration::from_mins(15),
        }
    }
}

/// Draws a number from 0 up to, not including, 1, so that many services do not ask
/// one source at one time.
pub trait Jitter: Send + Sync + std::fmt::Debug {
    /// The number.
    fn draw(&self) -> f64;
}

/// From the randomness of the standard library's hash maps: nothing secret hangs
/// on it.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomJitter;

impl Jitter for RandomJitter {
    fn draw(&self) -> f64 {
        use std::hash::{BuildHasher, RandomState};
        let drawn = RandomState::new().hash_one(0u8) >> 32;
        u32::try_from(drawn).map_or(0.0, f64::from) / (f64::from(u32::MAX) + 1.0)
    }
}

/// When a source was asked, and when it will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pace {
    /// The last time it was asked.
    pub(crate) attempted: Option<Timestamp>,
    /// The last time it gave a good list, new or the same.
    pub(crate) confirmed: Option<Timestamp>,
    /// How often it has failed since.
    pub(crate) failures: u32,
    /// When it is asked next; at once, if absent.
    pub(crate) due: Option<Timestamp>,
}

/// The share of a pause that jitter may take off.
const SHARE: f64 = 0.1;

impl Pace {
    /// Whether it is to be asked by now. A clock that was set back to before the last
    /// time says nothing about when that was.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_none_or(|due| due <= now) || self.attempted.is_some_and(|last| now < last)
    }

    /// After a good answer: at the latest after `interval`, earlier where the answer
    /// is fresh for less or the list's NextUpdate draws near. Jitter makes it
    /// earlier, never later.
    pub(crate) fn succeeded(&mut self, now: Timestamp, good: Good, rhythm: &Rhythm, drawn: f64) {
        let mut pause = good.interval.max(rhythm.shortest);
        if let Some(fresh) = good.fresh_for {
            pause = pause.min(fresh.max(rhythm.shortest));
        }
        if let Some(next) = good.next_update {
            let left = until(now, next);
            let ahead = match left.saturating_sub(rhythm.margin) {
                Duration::ZERO => (left / 2).min(rhythm.longest_retry),
                ahead => ahead,
            };
            pause = pause.min(ahead.max(rhythm.shortest));
        }
        *self = Self {
            attempted: Some(now),
            confirmed: Some(now),
            failures: 0,
            due: after(now, less(pause, SHARE, drawn)),
        };
    }

    /// After a failure or a refusal: pauses that double, and never beyond `interval`.
    pub(crate) fn failed(
        &mut self,
        now: Timestamp,
        interval: Duration,
        rhythm: &Rhythm,
        drawn: f64,
    ) {
        let doubled = rhythm
            .first_retry
            .saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let pause = doubled
            .min(rhythm.longest_retry)
            .min(interval.max(rhythm.shortest));
        // Half of it is drawn, so that those whom one outage struck do not come back
        // all at once.
        let pause = less(pause, 0.5, drawn);
        self.attempted = Some(now);
        self.failures = self.failures.saturating_add(1);
        self.due = after(now, pause);
    }
}

/// What is known after a good answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Good {
    /// The longest pause, as configured.
    pub(crate) interval: Duration,
    /// For how long the source says that its answer is fresh.
    pub(crate) fresh_for: Option<Duration>,
    /// The list's NextUpdate.
    pub(crate) next_update: Option<Timestamp>,
}

fn less(pause: Duration, share: f64, drawn: f64) -> Duration {
    pause.mul_f64(1.0 - share * drawn.clamp(0.0, 1.0))
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO)
}

fn after(now: Timestamp, pause: Duration) -> Option<Timestamp> {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    Some(now.checked_add(pause).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use rstest::rstest;

    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn pause(pace: &Pace) -> u64 {
        until(now(), pace.due.unwrap()).as_secs()
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[rstest]
    #[case::interval(None, None, 0.0, 6 * HOUR)]
    #[case::jitter_makes_it_earlier(None, None, 0.5, 6 * HOUR * 19 / 20)]
    #[case::fresh_for_less(Some(HOUR), None, 0.0, HOUR)]
    #[case::fresh_for_more_changes_nothing(Some(2 * DAY), None, 0.0, 6 * HOUR)]
    #[case::fresh_for_nothing_is_not_at_once(Some(0), None, 0.0, 30)]
    #[case::a_margin_before_next_update(None, Some(DAY + HOUR), 0.0, HOUR)]
    #[case::far_from_next_update(None, Some(30 * DAY), 0.0, 6 * HOUR)]
    #[case::just_before_the_margin(None, Some(DAY + 1), 0.0, 30)]
    #[case::within_the_margin_as_after_failures(None, Some(DAY), 0.0, 15 * 60)]
    #[case::half_of_what_is_left(None, Some(20 * 60), 0.0, 10 * 60)]
    #[case::almost_stale(None, Some(1), 0.0, 30)]
    fn after_a_good_answer(
        #[case] fresh_for: Option<u64>,
        #[case] next_update: Option<u64>,
        #[case] drawn: f64,
        #[case] expected: u64,
    ) {
        let mut pace = Pace {
            failures: 7,
            ..Pace::default()
        };
        let good = Good {
            interval: seconds(6 * HOUR),
            fresh_for: fresh_for.map(seconds),
            next_update: next_update.and_then(|n| after(now(), seconds(n))),
        };
        pace.succeeded(now(), good, &Rhythm::default(), drawn);
        assert_eq!(pause(&pace), expected);
        assert_eq!((pace.failures, pace.confirmed), (0, Some(now())));
    }

    #[test]
    fn after_failures_the_pauses_double_up_to_a_limit() {
        let mut pace = Pace::default();
        let mut pauses = Vec::new();
        for _ in 0..8 {
            pace.failed(now(), seconds(6 * HOUR), &Rhythm::default(), 0.0);
            pauses.push(pause(&pace));
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 900, 900, 900]);
        pace.failures = 200;
        pace.failed(now(), seconds(300), &Rhythm::default(), 0.0);
        assert_eq!(pause(&pace), 300, "never beyond the interval");
        pace.failures = 5;
        pace.failed(now(), seconds(6 * HOUR), &Rhythm::default(), 1.0);
        assert_eq!(pause(&pace), 450, "half of it is drawn");
        assert_eq!(pace.confirmed, None);
    }

    #[test]
    fn due_at_once_then_at_its_time() {
        let mut pace = Pace::default();
        assert!(pace.is_due(now()));
        pace.failed(now(), seconds(300), &Rhythm::default(), 0.0);
        assert!(!pace.is_due(now()));
        assert!(pace.is_due(after(now(), seconds(30)).unwrap()));
        // The clock was set back.
        assert!(pace.is_due("2025-01-01T00:00:00Z".parse().unwrap()));
    }

    #[test]
    fn jitter_is_drawn_within_its_range_and_varies() {
        let drawn: Vec<f64> = (0..64).map(|_| RandomJitter.draw()).collect();
        assert!(drawn.iter().all(|d| (0.0..1.0).contains(d)));
        assert!(drawn.iter().any(|d| *d != drawn[0]));
    }
}
