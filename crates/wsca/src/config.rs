use jiff::SignedDuration;

use crate::RetryPolicy;

/// How a WSCA behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// The security context's name: part of every transcript. Changing it makes
    /// every registered PIN useless.
    pub context: String,
    /// What wrong PINs cost. It is written into each unit when that is enrolled.
    pub retry: RetryPolicy,
    /// How long sessions last.
    pub session: SessionPolicy,
    /// Most active keys of one unit.
    pub max_keys: usize,
    /// Most items of one unit.
    pub max_items: usize,
    /// Into how many shards units are spread. Fixed when the database is new.
    pub shards: u16,
}

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Without a request.
    pub idle: SignedDuration,
    /// Whatever happens.
    pub absolute: SignedDuration,
    /// How long an exchange may wait for its second half.
    pub exchange: SignedDuration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            context: "claviger-wsca".into(),
            retry: RetryPolicy::default(),
            session: SessionPolicy::default(),
            max_keys: 512,
            max_items: 64,
            shards: 4,
        }
    }
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            idle: SignedDuration::from_mins(2),
            absolute: SignedDuration::from_mins(10),
            exchange: SignedDuration::from_mins(1),
        }
    }
}
