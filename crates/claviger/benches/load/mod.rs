//! Phones that ask a node for WIAs, and how long that takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::Phone;

/// Clients at once, each with a unit of its own.
pub(crate) const CLIENTS: usize = 64;

/// So many units, activated at the node.
pub(crate) async fn phones(url: &str, name: &str, count: usize) -> Vec<Arc<Phone>> {
    let mut phones = Vec::new();
    for number in 0..count {
        let alias = format!("{name} {number}");
        phones.push(Arc::new(
            Phone::activate_quickly(url, &alias).await.unwrap(),
        ));
    }
    phones
}

/// WIAs a second and how long each took, the slowest last: as many as can be had, or
/// at this pace, where a WIA that starts late counts from when it was due.
pub(crate) async fn rate(
    phones: &[Arc<Phone>],
    during: Duration,
    pace: Option<f64>,
) -> (f64, Vec<Duration>) {
    let begun = Instant::now();
    let clients = phones.iter().enumerate().map(|(place, phone)| {
        let phone = Arc::clone(phone);
        let every = pace.map(|pace| Duration::from_secs_f64(phones.len() as f64 / pace));
        let first = every.map(|every| every.mul_f64(place as f64 / phones.len() as f64));
        tokio::spawn(async move {
            let (mut took, mut due) = (Vec::new(), begun + first.unwrap_or_default());
            while begun.elapsed() < during {
                if every.is_some() {
                    tokio::time::sleep_until(due.into()).await;
                } else {
                    due = Instant::now();
                }
                phone.wia().await;
                took.push(due.elapsed());
                due += every.unwrap_or_default();
            }
            took
        })
    });
    let mut all = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        all.extend(client.await.unwrap());
    }
    let rate = all.len() as f64 / begun.elapsed().as_secs_f64();
    all.sort_unstable();
    (rate, all)
}

/// Within how long this share of them was done.
pub(crate) fn at(sorted: &[Duration], share: f64) -> Duration {
    let place = (sorted.len() as f64 * share) as usize;
    sorted[place.min(sorted.len() - 1)]
}
