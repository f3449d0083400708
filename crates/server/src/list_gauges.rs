//! How the lists of trusted entities stand, as gauges.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use trust::{ListState, Watch, WatchedList};

/// Sets the gauges of every list. What is not held any more is set to "not a
/// number", since a gauge that stops moving looks well.
#[derive(Debug, Default)]
pub(crate) struct ListGauges {
    known: Mutex<BTreeSet<(String, String)>>,
}

const GAUGES: [&str; 6] = [
    "claviger_list_age_seconds",
    "claviger_list_next_update_seconds",
    "claviger_list_sequence",
    "claviger_list_fresh",
    "claviger_list_confirmed_age_seconds",
    "claviger_list_refresh_failures",
];

impl ListGauges {
    pub(crate) fn set(&self, watch: &Watch) {
        describe();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now: BTreeSet<(String, String)> = watch
            .lists
            .iter()
            .map(|list| (list.source.clone(), list.profile.clone()))
            .collect();
        for (source, profile) in known.difference(&now) {
            for name in GAUGES {
                metrics::gauge!(name, "source" => source.clone(), "profile" => profile.clone())
                    .set(f64::NAN);
            }
        }
        for list in &watch.lists {
            for (name, value) in GAUGES.into_iter().zip(values(list, watch)) {
                metrics::gauge!(name,
                    "source" => list.source.clone(), "profile" => list.profile.clone())
                .set(value);
            }
        }
        *known = now;
    }
}

/// In the order of [`GAUGES`].
fn values(list: &WatchedList, watch: &Watch) -> [f64; 6] {
    let seconds = |n: Option<i64>| {
        n.and_then(|n| i32::try_from(n).ok())
            .map_or(f64::NAN, f64::from)
    };
    let confirmed = list
        .confirmed
        .map(|at| watch.at.duration_since(at).as_secs());
    [
        seconds(list.age_seconds),
        seconds(list.left_seconds),
        list.sequence
            .and_then(|n| u32::try_from(n).ok())
            .map_or(f64::NAN, f64::from),
        f64::from(u8::from(list.state == ListState::Fresh)),
        seconds(confirmed),
        f64::from(list.failures),
    ]
}

fn describe() {
    let says = [
        "Seconds since the list was issued.",
        "Seconds until the list's NextUpdate; below zero when it has passed.",
        "The list's sequence number.",
        "1 while the list decides, 0 when it is missing or past its NextUpdate.",
        "Seconds since the source last said that the list is the current one.",
        "How often the source has failed since.",
    ];
    for (name, text) in GAUGES.into_iter().zip(says) {
        metrics::describe_gauge!(name, text);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use metrics_exporter_prometheus::PrometheusBuilder;

    fn list(source: &str, left: i64) -> WatchedList {
        WatchedList {
            source: source.into(),
            led_by: None,
            profile: "wallet".into(),
            territory: None,
            state: if left > 0 {
                ListState::Fresh
            } else {
                ListState::Stale
            },
            sequence: Some(7),
            issued: None,
            next_update: None,
            age_seconds: Some(60),
            left_seconds: Some(left),
            accepted: None,
            confirmed: None,
            last_attempt: None,
            last_outcome: None,
            failures: 2,
            next_attempt: None,
            instances: 0,
            trouble: Vec::new(),
            remarks: Vec::new(),
        }
    }

    fn watch(lists: Vec<WatchedList>) -> Watch {
        Watch {
            at: "2026-11-22T12:00:00Z".parse().unwrap(),
            lists,
        }
    }

    #[test]
    fn each_list_has_its_gauges_and_a_gone_one_none() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let gauges = ListGauges::default();
        let told = |watch: &Watch| {
            metrics::with_local_recorder(&recorder, || gauges.set(watch));
            recorder.handle().render()
        };
        let text = told(&watch(vec![list("a", 3600), list("b", -5)]));
        for line in [
            r#"claviger_list_age_seconds{source="a",profile="wallet"} 60"#,
            r#"claviger_list_next_update_seconds{source="a",profile="wallet"} 3600"#,
            r#"claviger_list_next_update_seconds{source="b",profile="wallet"} -5"#,
            r#"claviger_list_sequence{source="a",profile="wallet"} 7"#,
            r#"claviger_list_fresh{source="a",profile="wallet"} 1"#,
            r#"claviger_list_fresh{source="b",profile="wallet"} 0"#,
            r#"claviger_list_refresh_failures{source="a",profile="wallet"} 2"#,
            r#"claviger_list_confirmed_age_seconds{source="a",profile="wallet"} NaN"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        let text = told(&watch(vec![list("a", 3600)]));
        let gone = r#"claviger_list_fresh{source="b",profile="wallet"} NaN"#;
        assert!(text.contains(gone), "{text}");
    }
}
