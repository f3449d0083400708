//! When a delivery that failed is tried again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// The pauses after the first tries; the last one goes on.
const PAUSES: [SignedDuration; 5] = [
    SignedDuration::from_mins(1),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(4),
];
/// A fifth more at most, so that what failed together does not come back together.
const SPREAD: i64 = 5;
/// Nothing is given up before: a user is to be told within 24 hours
/// (ARF `WURevocation_14`), and what comes a little late is better than nothing.
pub(crate) const LAST_TRY: SignedDuration = SignedDuration::from_mins(24 * 60 + 15);
/// Nor before it was tried so often. A node that was off for a day has a day's
/// notices to deliver, and none of them was tried.
const FEWEST_TRIES: u32 = 5;
/// No pause is longer.
pub(crate) const LONGEST: SignedDuration = SignedDuration::from_hours(5);

/// What follows a try that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another one, then.
    Again(Timestamp),
    /// Nothing.
    GiveUp,
}

/// What follows after `tries`, of a notice that was written at `since`.
pub(crate) fn next(tries: u32, since: Timestamp, now: Timestamp, chance: u16) -> Next {
    let last = later(since, LAST_TRY);
    if now >= last && tries >= FEWEST_TRIES {
        return Next::GiveUp;
    }
    let [.., longest] = PAUSES;
    let pause = tries
        .checked_sub(1)
        .and_then(|index| PAUSES.get(usize::try_from(index).ok()?))
        .copied()
        .unwrap_or(longest);
    let more = pause.as_secs() * 1000 / SPREAD * i64::from(chance) / i64::from(u16::MAX);
    let at = later(now, pause + SignedDuration::from_millis(more));
    // One try stands at the end of the time itself.
    Next::Again(if now < last && at > last { last } else { at })
}

/// A time after another, or the last there is.
pub(crate) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// A number that nobody can foresee, to spread tries by.
pub(crate) fn chance() -> u16 {
    let [low, high, ..] = *Uuid::new_v4().as_bytes();
    u16::from_le_bytes([low, high])
}

/// A pause between two looks at the outbox, spread by a fifth.
pub(crate) fn spread(pause: Duration) -> Duration {
    pause + pause / 5 * u32::from(chance()) / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    const START: Timestamp = Timestamp::constant(1_800_000_000, 0);

    /// The minutes after the start at which a delivery that always fails is tried.
    fn tries(chance: u16, start: Timestamp) -> Vec<i64> {
        let (mut tried, mut now, mut count) = (vec![], start, 0);
        loop {
            tried.push(now.duration_since(START).as_mins());
            count += 1;
            match next(count, START, now, chance) {
                Next::Again(at) => {
                    assert!(at > now && at.duration_since(now) <= LONGEST, "{at}");
                    now = at;
                }
                Next::GiveUp => return tried,
            }
        }
    }

    #[test]
    fn tries_grow_apart_and_the_last_is_a_quarter_past_the_day() {
        assert_eq!(
            tries(0, START),
            [0, 1, 6, 36, 156, 396, 636, 876, 1116, 1356, 1455]
        );
        assert_eq!(
            tries(u16::MAX, START),
            [0, 1, 7, 43, 187, 475, 763, 1051, 1339, 1455]
        );
    }

    #[test]
    fn what_was_never_tried_is_tried_however_old_it_is() {
        let late = START + SignedDuration::from_hours(48);
        assert_eq!(tries(0, late), [2880, 2881, 2886, 2916, 3036]);
    }

    #[test]
    fn a_clock_that_went_back_gives_nothing_up() {
        let back = START - SignedDuration::from_hours(1);
        let Next::Again(at) = next(40, START, back, 0) else {
            panic!("given up");
        };
        assert!(at.duration_since(back) <= LONGEST);
    }

    #[test]
    fn pauses_differ() {
        let pauses: std::collections::HashSet<_> =
            (0..50).map(|_| spread(Duration::from_secs(100))).collect();
        assert!(pauses.len() > 25);
        let all = Duration::from_secs(100)..=Duration::from_secs(120);
        assert!(pauses.iter().all(|pause| all.contains(pause)));
    }
}
