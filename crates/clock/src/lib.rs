//! Time comes through a [`Clock`].
//!
//! No room of the house reads the machine's clock by itself. Every check takes
//! the time it is made for, so that it can be replayed "as of T"; whatever has
//! to wait (a lock-out, a session's end, a refresh) asks the clock it was given,
//! so that tests and the demo can let days pass in a moment.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// A source of the current time.
pub trait Clock: Debug + Send + Sync {
    /// The current time, with whatever precision the source has.
    fn now(&self) -> Timestamp;

    /// The current time as whole seconds since 1970, as JWT claims carry it.
    fn now_seconds(&self) -> i64 {
        self.now().as_second()
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The machine's clock plus an offset that its owner moves.
///
/// Real time goes on underneath, so timings stay true, while lock-outs and
/// expiry can be passed by [`ShiftedClock::advance`].
#[derive(Debug, Default)]
pub struct ShiftedClock {
    offset_ms: AtomicI64,
}

impl ShiftedClock {
    /// A clock that starts at the machine's time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock forward (or, in tests of hostile clocks, back).
    pub fn advance(&self, by: SignedDuration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        let before = self.offset_ms.load(Ordering::SeqCst);
        self.offset_ms
            .store(before.saturating_add(ms), Ordering::SeqCst);
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_millis(self.offset_ms.load(Ordering::SeqCst));
        let now = Timestamp::now();
        now.checked_add(offset).unwrap_or(now)
    }
}

/// A clock that stands still until it is set.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at `at` (milliseconds are kept, finer parts are not).
    pub fn at(at: Timestamp) -> Self {
        Self {
            now_ms: AtomicI64::new(at.as_millisecond()),
        }
    }

    /// Sets the time.
    pub fn set(&self, to: Timestamp) {
        self.now_ms.store(to.as_millisecond(), Ordering::SeqCst);
    }

    /// Moves the time.
    pub fn advance(&self, by: SignedDuration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let start: Timestamp = "2026-11-22T00:00:00Z".parse().expect("a timestamp");
        let clock = ManualClock::at(start);
        assert_eq!(clock.now(), start);
        clock.advance(SignedDuration::from_hours(1));
        assert_eq!(clock.now().to_string(), "2026-11-22T01:00:00Z");
    }

    #[test]
    fn a_shifted_clock_keeps_the_offset() {
        let clock = ShiftedClock::new();
        clock.advance(SignedDuration::from_hours(48));
        let ahead = clock.now_seconds() - SystemClock.now_seconds();
        assert!((48 * 3600 - 1..=48 * 3600 + 1).contains(&ahead));
    }
}
