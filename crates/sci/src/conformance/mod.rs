//! The conformance kit: what every WSCA must do for its users, shown on the WSCA
//! itself, through [`crate::Sci`] alone.
//!
//! Each check is tied to the clause it comes from, and says where it is mandatory: on
//! every WSCA, or on a remote one. The kit attacks too: without a session, with other
//! units' handles, after destruction, with repeated and altered requests, with many
//! PINs at once. It judges by what the WSCA does, not by what it says.
//!
//! Whoever runs it brings a [`Harness`]: something that makes units. What a harness
//! cannot do (let time pass, restart the WSCA) is reported as not tried, and stands
//! against nobody. The kit brings no runtime and no clock.

mod checks;
mod erasure;
mod harness;
mod isolation;
mod keys;
mod kit;
mod pin;
mod session;
mod statements;
mod wire;

use serde::Serialize;

pub use self::harness::{Harness, Wallet, Wire};
pub use self::kit::Outcome;
use self::kit::{Kit, Ran};
use crate::Architecture;

/// Runs every check, in the order of [`checks`], and tells `progress` each one's id
/// before it begins.
///
/// Errors: the harness makes no unit, or its WSCA does not say what it is.
pub async fn run(
    harness: &dyn Harness,
    progress: &(dyn Fn(&'static str) + Sync),
) -> Result<Report, String> {
    let first = harness.wallet().await?;
    let information = first
        .sci
        .activation_info()
        .await
        .map_err(|error| format!("activation_info: {error}"))?;
    let remote = information.descriptor.architecture == Architecture::Remote;
    let mut results = Vec::with_capacity(checks::ALL.len());
    for check in checks::ALL {
        progress(check.id);
        let kit = Kit::new(harness, &information);
        let result = match (check.run)(&kit).await {
            Ok(Ran::Passed) => Outcome::Passed,
            Ok(Ran::NotOffered) => Outcome::NotOffered,
            Ok(Ran::NotTried(why)) => Outcome::NotTried(why.to_owned()),
            Err(evidence) => Outcome::Failed(evidence),
        };
        kit.clean_up().await;
        results.push(Check {
            id: check.id,
            requirement: check.requirement,
            says: check.says,
            mandatory: check.mandatory.on(remote),
            result,
        });
    }
    Ok(Report {
        model: information.descriptor.model.clone(),
        architecture: information.descriptor.architecture,
        checks: results,
    })
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
    /// The model of the device behind the WSCA.
    pub model: String,
    /// Where the WSCA stands.
    pub architecture: Architecture,
    /// Every check, in order.
    pub checks: Vec<Check>,
}

impl Report {
    /// Whether nothing failed and everything mandatory was offered.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(Check::is_in_order)
    }

    /// The ids of the checks that stand against the WSCA.
    pub fn failures(&self) -> Vec<&'static str> {
        self.checks
            .iter()
            .filter(|check| !check.is_in_order())
            .map(|check| check.id)
            .collect()
    }

    /// The ids of the checks that this harness could not try.
    pub fn not_tried(&self) -> Vec<&'static str> {
        self.checks
            .iter()
            .filter(|check| matches!(check.result, Outcome::NotTried(_)))
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
    /// Whether a WSCA of this architecture has to pass it.
    pub mandatory: bool,
    /// What came of it.
    #[serde(flatten)]
    pub result: Outcome,
}

impl Check {
    /// Whether it does not stand against the WSCA.
    pub fn is_in_order(&self) -> bool {
        match self.result {
            Outcome::Passed | Outcome::NotTried(_) => true,
            Outcome::Failed(_) => false,
            Outcome::NotOffered => !self.mandatory,
        }
    }
}
