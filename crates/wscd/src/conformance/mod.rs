//! The conformance kit: what every device must do for a remote WSCA, shown on
//! the device itself.
//!
//! Each check is tied to the clause it comes from and to the [`crate::Role`] that makes
//! it mandatory. The kit attacks too: other units' keys, swapped, changed and
//! outdated wrapped forms, ways to get a key out, several callers at once. It
//! judges by what the device does, not by what it says.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use wscd::conformance::{self, Scope};
//!
//! let device = wscd::open("software:").await?;
//! let report = conformance::run(device.as_ref(), Scope::Empty).await;
//! assert!(report.passed());
//! # Ok(())
//! # }
//! ```

mod checks;
mod isolation;
mod kit;
mod restart;
mod rotation;
mod service;
mod user_keys;

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

pub use self::kit::Outcome;
use self::kit::{Kit, MadeUnits, Ran};
pub use self::restart::Marks;
use crate::{StorageMode, Wscd};

/// What the kit may do to the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everything. The root is rotated, so whatever else hangs from it is
    /// erased; and the anchor of the last shard but one moves. For a device that
    /// serves nobody.
    Empty,
    /// Nothing that touches what is there: checks that rotate or anchor are
    /// skipped, and the report cannot pass.
    InUse,
}

/// Runs every check, in the order of [`checks`].
pub async fn run(device: &dyn Wscd, scope: Scope) -> Report {
    let descriptor = device.descriptor();
    let mut results = Vec::with_capacity(checks::ALL.len());
    for check in checks::ALL {
        let concerned = descriptor.has_role(check.role)
            && !(check.of_wrapped && descriptor.storage == StorageMode::InDevice);
        let mandatory = check.mandatory && concerned;
        let result = if !concerned {
            Outcome::NotOffered
        } else if check.touches && scope == Scope::InUse {
            Outcome::Skipped("it would touch what the device holds".to_owned())
        } else {
            let made = Mutex::default();
            let answer = (check.run)(Kit::new(device, &made)).await;
            clean_up(device, made).await;
            match answer {
                Ok(Ran::Passed) => Outcome::Passed,
                Ok(Ran::NotOffered) => Outcome::NotOffered,
                Err(evidence) => Outcome::Failed(evidence),
            }
        };
        results.push(Check {
            id: check.id,
            requirement: check.requirement,
            says: check.says,
            mandatory,
            result,
        });
    }
    Report {
        backend: descriptor.backend,
        model: descriptor.model.clone(),
        checks: results,
    }
}

/// Destroys the units that a check made. What a rotation erased meanwhile is
/// refused, and that is well.
async fn clean_up(device: &dyn Wscd, made: MadeUnits) {
    let made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (unit, unit_key) in made {
        let _ = device.destroy_unit(&unit, &unit_key).await;
    }
}

/// The checks there are: id, clause, and what is checked.
pub fn checks() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    checks::ALL
        .iter()
        .map(|check| (check.id, check.requirement, check.says))
}

/// What the kit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The device's backend.
    pub backend: &'static str,
    /// The device's model.
    pub model: String,
    /// Every check, in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether nothing failed and everything mandatory was offered and passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(Check::is_in_order)
    }

    /// The ids of the checks that stand against the device.
    pub fn failures(&self) -> Vec<&'static str> {
        self.checks
            .iter()
            .filter(|check| !check.is_in_order())
            .map(|check| check.id)
            .collect()
    }
}

/// One check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The check's stable id.
    pub id: &'static str,
    /// The clauses it comes from.
    pub requirement: &'static str,
    /// What is checked, in one line.
    pub says: &'static str,
    /// Whether a device with these roles has to pass it.
    pub mandatory: bool,
    /// What came of it.
    #[serde(flatten)]
    pub result: Outcome,
}

impl Check {
    /// Whether it does not stand against the device.
    pub fn is_in_order(&self) -> bool {
        match self.result {
            Outcome::Passed => true,
            Outcome::Failed(_) => false,
            Outcome::NotOffered | Outcome::Skipped(_) => !self.mandatory,
        }
    }
}
