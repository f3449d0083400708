use clock::{Clock, SystemClock};
use jiff::Timestamp;

/// The time a person means who names none.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// The same moment without its fraction: lists cannot carry one.
pub(crate) fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
