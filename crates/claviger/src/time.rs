use clock::{Clock, SystemClock};
use jiff::Timestamp;

/// The time a person means who names none.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}
