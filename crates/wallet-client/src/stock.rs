//! WIAs and KAs that are used once (ARF Topic 10, method A): a stock of them, which says
//! when it wants the next batch.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use jose::Signer;
use provider_api::{Attestations, MAX_PROOFS};
use sci::{KeyInfo, MAX_BATCH, Sci, UnitId};

use crate::keystore::DeviceKeystore;
use crate::{KaOptions, Platform, ProviderClient, ProviderError, WiaOptions};

/// The longest attestation that is taken in, in bytes.
const MAX_ATTESTATION: usize = 1 << 18;

/// Attestations that were not used yet, each with its key or keys. `K` is what the
/// instance signs with: a signer for a WIA, what the WSCA says of the key for a KA.
///
/// What is taken is gone: no attestation is shown twice (ARF `ISSU_44`).
#[derive(Debug)]
pub struct Stock<K> {
    held: VecDeque<Stocked<K>>,
    /// How many are asked for at once, and at how many there is to be more, as the
    /// provider told with the last batch.
    policy: Option<(u32, u32)>,
}

/// One attestation of a stock.
#[derive(Debug)]
pub struct Stocked<K> {
    /// The attestation, a compact JWS.
    pub attestation: String,
    /// Its key.
    pub key: K,
    /// When it ends.
    pub ends: Timestamp,
}

/// A batch that cannot be taken in. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotABatch {
    /// There are not as many attestations as keys.
    #[error("{attestations} attestations for {keys} keys")]
    Count {
        /// How many attestations came.
        attestations: usize,
        /// How many keys they were asked for.
        keys: usize,
    },
    /// An attestation does not say when it ends.
    #[error("attestation {0} does not say when it ends")]
    NoEnd(usize),
}

impl<K> Default for Stock<K> {
    fn default() -> Self {
        Self {
            held: VecDeque::new(),
            policy: None,
        }
    }
}

impl<K> Stock<K> {
    /// An empty stock, which wants a first one: what a batch is, is told with that.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a batch in: `keys` are those it was asked for, in the order of the request.
    pub fn fill(&mut self, batch: Attestations, keys: Vec<K>) -> Result<(), NotABatch> {
        let attestations = batch.attestations;
        if attestations.len() != keys.len() {
            return Err(NotABatch::Count {
                attestations: attestations.len(),
                keys: keys.len(),
            });
        }
        let mut fresh = Vec::with_capacity(keys.len());
        for (place, (attestation, key)) in attestations.into_iter().zip(keys).enumerate() {
            let ends = end(&attestation).ok_or(NotABatch::NoEnd(place))?;
            fresh.push(Stocked {
                attestation,
                key,
                ends,
            });
        }
        self.held.extend(fresh);
        self.policy = Some((batch.batch_size, batch.lower_limit));
        Ok(())
    }

    /// The next one that lasts at `now`, for good: it is to be used once. Those that
    /// ended are thrown away.
    pub fn take(&mut self, now: Timestamp) -> Option<Stocked<K>> {
        self.forget_ended(now);
        self.held.pop_front()
    }

    /// How many last at `now`.
    pub fn left(&self, now: Timestamp) -> usize {
        self.held.iter().filter(|held| held.ends > now).count()
    }

    /// How many to ask for now: a batch, once no more than the lower limit are left
    /// (ARF `ISSU_45`), and one to begin with. Never more than a provider looks at.
    pub fn wants(&self, now: Timestamp) -> Option<u32> {
        match self.policy {
            None => Some(1),
            Some((batch, limit)) => {
                let left = u32::try_from(self.left(now)).unwrap_or(u32::MAX);
                let most = u32::try_from(MAX_PROOFS).unwrap_or(u32::MAX);
                (left <= limit).then_some(batch.clamp(1, most))
            }
        }
    }

    fn forget_ended(&mut self, now: Timestamp) {
        self.held.retain(|held| held.ends > now);
    }
}

/// When an attestation of one's own provider ends, as it says.
fn end(attestation: &str) -> Option<Timestamp> {
    let token = jose::jws::parse(attestation, MAX_ATTESTATION).ok()?;
    let ends = token.claims().ok()?.get("exp")?.as_i64()?;
    Timestamp::from_second(ends).ok()
}

impl ProviderClient {
    /// Fills a stock of WIAs where it wants that, each over a fresh key of the device;
    /// how many were taken in. Where the provider wants the instance checked first, that
    /// is done. No action of the user is needed (ARF `ISSU_42`).
    pub async fn refill_wias(
        &self,
        unit: UnitId,
        device: &dyn DeviceKeystore,
        platform: &dyn Platform,
        stock: &mut Stock<Arc<dyn Signer>>,
        options: &WiaOptions,
    ) -> Result<u32, ProviderError> {
        let Some(count) = stock.wants(self.clock().now()) else {
            return Ok(0);
        };
        let keys = (0..count)
            .map(|_| device.fresh_signing_key())
            .collect::<Result<Vec<_>, _>>()?;
        let signers: Vec<&dyn Signer> = keys.iter().map(AsRef::as_ref).collect();
        let batch = self
            .checked_wias(unit, device.signing(), platform, &signers, options)
            .await?;
        stock.fill(batch, keys)?;
        Ok(count)
    }

    /// Fills a stock of KAs over keys of the WSCD where it wants that, each over one fresh
    /// key; how many were taken in. It takes a session for issuance, which the user opens
    /// ([`Sci::open_session`]) and the caller ends.
    pub async fn refill_kas(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        sci: &dyn Sci,
        stock: &mut Stock<KeyInfo>,
    ) -> Result<u32, RefillError> {
        let Some(count) = stock.wants(self.clock().now()) else {
            return Ok(0);
        };
        let keys = usize::try_from(count).unwrap_or(MAX_BATCH).min(MAX_BATCH);
        let count = u32::try_from(keys).unwrap_or(count);
        let (batch, keys) = self
            .wscd_kas::<RefillError>(unit, device, sci, keys, Some(count))
            .await?;
        stock.fill(batch, keys).map_err(ProviderError::from)?;
        Ok(count)
    }

    /// The same of KAs over keys of the platform's keystore; `None` where that attests
    /// none.
    pub async fn refill_keystore_kas(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        platform: &dyn Platform,
        stock: &mut Stock<Arc<dyn Signer>>,
        options: &KaOptions,
    ) -> Result<Option<u32>, ProviderError> {
        let Some(count) = stock.wants(self.clock().now()) else {
            return Ok(Some(0));
        };
        let options = KaOptions {
            count: Some(count),
            ..options.clone()
        };
        let keys = usize::try_from(count).unwrap_or(MAX_PROOFS);
        let made = self
            .keystore_kas(unit, device, platform, keys, &options)
            .await?;
        let Some(made) = made else {
            return Ok(None);
        };
        stock.fill(made.attestations, made.keys)?;
        Ok(Some(count))
    }
}

/// Why a stock of KAs was not filled.
#[derive(Debug, thiserror::Error)]
pub enum RefillError {
    /// The wallet provider, or a device key.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The WSCA.
    #[error("the WSCA")]
    Wsca(#[from] sci::Error),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use jose::b64;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn token(claims: &str) -> String {
        let part = |text: &str| b64::encode(text);
        let header = part(r#"{"alg":"ES256"}"#);
        format!("{header}.{}.{}", part(claims), b64::encode([7; 64]))
    }

    fn batch(ends: &[i64]) -> Attestations {
        let attestations = ends.iter().map(|end| token(&format!("{{\"exp\":{end}}}")));
        Attestations {
            attestations: attestations.collect(),
            batch_size: 4,
            lower_limit: 1,
        }
    }

    #[test]
    fn a_stock_is_used_up_one_by_one_and_asks_for_more_at_its_limit() {
        let mut stock = Stock::new();
        assert_eq!(stock.wants(at(0)), Some(1), "what a batch is, is not known");
        stock.fill(batch(&[100]), vec!["first"]).unwrap();
        assert_eq!(stock.wants(at(0)), Some(4));
        let ends = [100, 101, 102, 103];
        stock.fill(batch(&ends), vec!["a", "b", "c", "d"]).unwrap();
        let mut seen = Vec::new();
        while stock.wants(at(0)).is_none() {
            seen.push(stock.take(at(0)).unwrap().key);
        }
        assert_eq!(
            seen,
            ["first", "a", "b", "c"],
            "each once, the oldest first"
        );
        assert_eq!((stock.left(at(0)), stock.wants(at(0))), (1, Some(4)));
        assert_eq!(stock.take(at(0)).unwrap().key, "d");
        assert!(stock.take(at(0)).is_none());
    }

    #[test]
    fn what_ended_counts_for_nothing() {
        let mut stock = Stock::new();
        let ends = [10, 20, 30, 40];
        stock.fill(batch(&ends), vec![1, 2, 3, 4]).unwrap();
        assert_eq!((stock.left(at(20)), stock.wants(at(20))), (2, None));
        assert_eq!(stock.wants(at(30)), Some(4));
        assert_eq!(stock.take(at(30)).unwrap().key, 4);
        assert!(stock.take(at(30)).is_none());
    }

    #[test]
    fn of_a_batch_that_is_none_nothing_is_taken() {
        let mut stock = Stock::new();
        let short = stock.fill(batch(&[10]), vec![1, 2]);
        let expected = NotABatch::Count {
            attestations: 1,
            keys: 2,
        };
        assert_eq!(short, Err(expected));
        for claims in ["{}", r#"{"exp":"soon"}"#, r#"{"exp":9e99}"#, "[]"] {
            let mut endless = batch(&[10, 20]);
            endless.attestations[1] = token(claims);
            let refused = stock.fill(endless, vec![1, 2]);
            assert_eq!(refused, Err(NotABatch::NoEnd(1)), "{claims}");
        }
        let mut none = batch(&[10]);
        none.attestations[0] = "x".repeat(MAX_ATTESTATION + 1);
        assert_eq!(stock.fill(none, vec![1]), Err(NotABatch::NoEnd(0)));
        assert_eq!((stock.left(at(0)), stock.wants(at(0))), (0, Some(1)));
    }
}
