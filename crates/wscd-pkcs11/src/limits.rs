//! How much the device takes.

use wscd::Limits;

pub(crate) const LIMITS: Limits = Limits {
    max_batch: 256,
    max_sealed: 4096,
    // Nothing of a unit is in the token.
    max_units: None,
    objects_per_unit: 0,
    max_shards: 1024,
};
