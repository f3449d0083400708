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
    /// How long what was destroyed waits at most for its erasure: the root is
    /// rotated this long after the last rotation. None, and it is rotated on demand
    /// alone.
    pub rotate_every: Option<SignedDuration>,
    /// How often a checkpoint of the audit log is signed, where it has grown.
    pub checkpoint_every: SignedDuration,
    /// What becomes of a unit whose user has forgotten the PIN.
    pub recovery: Recovery,
}

/// What becomes of a unit whose user has forgotten the PIN. Keeping its keys is not
/// among the choices: see `docs/decisions/0041`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recovery {
    /// The wallet provider, having identified the user anew, may have its keys
    /// destroyed and a new PIN registered.
    #[default]
    DestroyKeys,
    /// Nothing: the unit is destroyed, and another one activated.
    Forbidden,
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
            rotate_every: Some(SignedDuration::from_hours(24)),
            checkpoint_every: SignedDuration::from_mins(1),
            recovery: Recovery::default(),
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
