//! How long the wallet provider's own certificates last, as gauges.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use wallet_provider::CertificateState;

const GAUGE: &str = "claviger_certificate_seconds_left";

/// Sets the gauge of every certificate. What is not held any more is set to "not a
/// number", since a gauge that stops moving looks well.
#[derive(Debug, Default)]
pub(crate) struct CertificateGauges {
    known: Mutex<BTreeSet<(&'static str, u32)>>,
}

impl CertificateGauges {
    pub(crate) fn set(&self, certificates: &[CertificateState]) {
        metrics::describe_gauge!(
            GAUGE,
            "Seconds until a certificate of the wallet provider ends; below zero when it has."
        );
        let name = |state: &CertificateState| {
            let generation = &state.generation;
            (generation.purpose().name(), generation.number())
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now: BTreeSet<_> = certificates.iter().map(name).collect();
        for (purpose, generation) in known.difference(&now) {
            metrics::gauge!(GAUGE, "purpose" => *purpose, "generation" => generation.to_string())
                .set(f64::NAN);
        }
        for state in certificates {
            let (purpose, generation) = name(state);
            let bounds = (i64::from(i32::MIN), i64::from(i32::MAX));
            let left = state.seconds_left.clamp(bounds.0, bounds.1);
            let left = i32::try_from(left).map_or(f64::NAN, f64::from);
            metrics::gauge!(GAUGE, "purpose" => purpose, "generation" => generation.to_string())
                .set(left);
        }
        *known = now;
    }
}
