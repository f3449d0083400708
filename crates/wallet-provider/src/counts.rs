//! What is counted and measured: numbers alone, and no label that names a unit
//! (docs/operations.md lists them).

use jiff::Timestamp;
use provider_api::{RevocationReason, Revoker};

use crate::publication::ends;
use crate::{Error, ListKind, WalletProvider};

/// Attestations left the house.
pub(crate) fn issued(kind: ListKind, count: usize) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    metrics::counter!("claviger_issued_total", "kind" => kind.name()).increment(count);
}

/// A unit was revoked.
pub(crate) fn revoked(by: Revoker, reason: RevocationReason) {
    metrics::counter!("claviger_revoked_total", "by" => by.name(), "reason" => reason.name())
        .increment(1);
}

/// A status list was published.
pub(crate) fn published() {
    metrics::counter!("claviger_lists_published_total").increment(1);
}

impl WalletProvider {
    /// Measures what waits: challenges for an answer, revocations for the WSCA to be
    /// told, lists to be published; and how long the published list that ends first
    /// still lasts. To be called from time to time.
    pub async fn measure(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let challenges = self.store.waiting_activations(now).await?;
        let untold = self.revocations.count_untold().await?;
        let lists = self.store.lists_to_publish(Timestamp::MAX).await?;
        let unpublished = lists.iter().filter(|list| list.is_due(now)).count();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let few = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        for (name, value) in [
            ("claviger_challenges_waiting", few(challenges)),
            ("claviger_revocations_untold", few(untold)),
            ("claviger_lists_unpublished", number(unpublished)),
        ] {
            metrics::gauge!(name).set(f64::from(value));
        }
        if let Some(list) = self.held_revocation_list() {
            let age = now.duration_since(list.fetched()).as_secs_f64();
            metrics::gauge!("claviger_revocation_list_age_seconds").set(age);
        }
        if let Some(ends) = ends(&lists).min() {
            let left = ends.duration_since(now).as_secs_f64();
            metrics::gauge!("claviger_status_list_seconds_left").set(left);
        }
        Ok(())
    }
}
