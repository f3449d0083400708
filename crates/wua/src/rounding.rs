use jiff::{SignedDuration, Timestamp};

use crate::{MAX_WIA_LIFETIME, MIN_MAINTENANCE};

/// Makes times too coarse to tell which attestations were issued together
/// (ARF ISSU_36): `iat` and `exp` are rounded down, the end of status maintenance
/// is rounded up, and the times of proofs are not rounded at all.
///
/// Rounding down never makes a token live longer than it may; rounding up never
/// ends a promise early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rounding {
    seconds: i64,
}

impl Rounding {
    /// Rounds to whole multiples of `unit` since 1970; less than a second counts
    /// as a second.
    pub fn to(unit: SignedDuration) -> Self {
        Self {
            seconds: unit.as_secs().max(1),
        }
    }

    /// The last multiple that is not after `time`.
    pub fn down(&self, time: Timestamp) -> Timestamp {
        let seconds = time.as_second().div_euclid(self.seconds) * self.seconds;
        Timestamp::from_second(seconds).unwrap_or(time)
    }

    /// The first multiple that is not before `time`.
    pub fn up(&self, time: Timestamp) -> Timestamp {
        let down = self.down(time);
        if down == time {
            return time;
        }
        down.checked_add(SignedDuration::from_secs(self.seconds))
            .unwrap_or(time)
    }

    /// The `exp` of a WIA whose wallet instance was checked at `checked`: at most
    /// `lifetime` later, and less than 24 hours later in any case.
    pub fn wia_expiry(&self, checked: Timestamp, lifetime: SignedDuration) -> Timestamp {
        let longest = MAX_WIA_LIFETIME - SignedDuration::from_secs(1);
        let exact = checked
            .checked_add(lifetime.min(longest))
            .unwrap_or(checked);
        self.down(exact)
    }

    /// The `exp` of `client_status` or `key_storage_status` for a token that ends
    /// at `token_ends`: 31 days ahead even when the token is shown at its very
    /// end, and as long as the issuer prefers when the token is issued at `now`.
    pub fn maintenance_end(
        &self,
        now: Timestamp,
        token_ends: Timestamp,
        preferred: Option<SignedDuration>,
    ) -> Timestamp {
        let needed = token_ends
            .checked_add(MIN_MAINTENANCE)
            .unwrap_or(Timestamp::MAX);
        // The preference holds when the issuer reads the token, which may be as
        // late as the token's end.
        let wished = preferred
            .and_then(|p| token_ends.max(now).checked_add(p).ok())
            .unwrap_or(needed);
        self.up(needed.max(wished))
    }
}

impl Default for Rounding {
    /// To the hour.
    fn default() -> Self {
        Self::to(SignedDuration::from_hours(1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_of_one_hour_become_one_time() {
        let rounding = Rounding::default();
        for minute in ["00:00", "00:01", "59:59"] {
            let t = time(&format!("2026-11-22T12:{minute}Z"));
            assert_eq!(rounding.down(t), time("2026-11-22T12:00:00Z"));
        }
        assert_eq!(
            rounding.up(time("2026-11-22T12:00:00Z")),
            time("2026-11-22T12:00:00Z")
        );
        assert_eq!(
            rounding.up(time("2026-11-22T12:00:01Z")),
            time("2026-11-22T13:00:00Z")
        );
        assert_eq!(
            rounding.up(time("2026-11-22T12:00:00.5Z")),
            time("2026-11-22T13:00:00Z")
        );
        assert_eq!(
            rounding.down(time("1969-12-31T23:59:59Z")),
            time("1969-12-31T23:00:00Z")
        );
        let none = Rounding::to(SignedDuration::ZERO);
        assert_eq!(
            none.down(time("2026-11-22T12:00:01.9Z")),
            time("2026-11-22T12:00:01Z")
        );
    }

    #[test]
    fn a_wia_always_ends_within_24_hours_of_the_check() {
        let rounding = Rounding::default();
        let checked = time("2026-11-22T12:00:00Z");
        for hours in [1, 12, 24, 1000] {
            let exp = rounding.wia_expiry(checked, SignedDuration::from_hours(hours));
            let life = exp.duration_since(checked);
            assert!(life < MAX_WIA_LIFETIME && life <= SignedDuration::from_hours(hours));
        }
    }

    #[test]
    fn maintenance_lasts_31_days_past_the_token_or_as_preferred() {
        let rounding = Rounding::default();
        let now = time("2026-11-22T12:10:00Z");
        let ends = time("2026-11-23T11:00:00Z");
        let day = |n: i64| SignedDuration::from_hours(24 * n);
        let end = rounding.maintenance_end(now, ends, None);
        assert_eq!(end, time("2026-12-24T11:00:00Z"));
        assert_eq!(rounding.maintenance_end(now, ends, Some(day(1))), end);
        let wished = rounding.maintenance_end(now, ends, Some(day(90)));
        assert!(wished.duration_since(ends) >= day(90));
    }
}
