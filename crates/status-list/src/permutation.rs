use aws_lc_rs::hmac;
use zeroize::Zeroizing;

/// A keyed pseudorandom permutation of `0..n`: every number maps to another one
/// of the same range, none twice, in an order that says nothing to whoever does
/// not hold the key.
///
/// It is a balanced Feistel network of ten rounds over HMAC-SHA256 on the
/// smallest even number of bits that holds `n`; a result outside the range is
/// permuted again until it falls inside ("cycle walking"), which takes fewer
/// than four turns on average. The same key and `n` give the same permutation,
/// so a list needs to remember one counter and not its free indices; every list
/// needs a key of its own.
pub struct Permutation {
    // aws-lc-rs keeps the key inside an HMAC context, which is wiped when dropped.
    key: hmac::Key,
    n: u64,
    half_bits: u32,
}

impl Permutation {
    /// The permutation of `0..n` under `key`. `n` is at least 1 and at most 2^62.
    pub fn new(key: Zeroizing<[u8; 32]>, n: u64) -> Result<Self, PermutationError> {
        if n == 0 || n > 1 << 62 {
            return Err(PermutationError::Size { n });
        }
        let bits = u64::BITS - (n - 1).leading_zeros();
        Ok(Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()),
            n,
            half_bits: bits.div_ceil(2).max(1),
        })
    }

    /// Where `counter` goes; `None` when it is not below [`Permutation::len`].
    pub fn at(&self, counter: u64) -> Option<u64> {
        if counter >= self.n {
            return None;
        }
        // Ends: walking a cycle of a permutation from a value below `n` comes
        // back to that value at the latest.
        let mut value = self.feistel(counter);
        while value >= self.n {
            value = self.feistel(value);
        }
        Some(value)
    }

    /// How many numbers are permuted.
    pub fn len(&self) -> u64 {
        self.n
    }

    /// Always false: there is no permutation of nothing.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    fn feistel(&self, value: u64) -> u64 {
        let mask = (1u64 << self.half_bits) - 1;
        let mut left = (value >> self.half_bits) & mask;
        let mut right = value & mask;
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ (self.round(round, right) & mask));
        }
        (left << self.half_bits) | right
    }

    fn round(&self, round: u8, half: u64) -> u64 {
        let mut input = [0u8; 17];
        let (head, tail) = input.split_at_mut(9);
        head.copy_from_slice(&[&[round], self.n.to_be_bytes().as_slice()].concat());
        tail.copy_from_slice(&half.to_be_bytes());
        let tag = hmac::sign(&self.key, &input);
        tag.as_ref()
            .iter()
            .take(8)
            .fold(0, |word, byte| (word << 8) | u64::from(*byte))
    }
}

impl std::fmt::Debug for Permutation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Permutation")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}

/// Why there is no such permutation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermutationError {
    /// `n` is zero or above 2^62.
    #[error("a permutation of {n} numbers cannot be made")]
    Size {
        /// The numbers asked for.
        n: u64,
    },
}

/// Four would do against one who sees few outputs; ten hold for the smallest
/// lists too, at some 5 µs for each index.
const ROUNDS: u8 = 10;

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]
    use super::*;
    use proptest::prelude::*;

    fn permutation(seed: u8, n: u64) -> Permutation {
        Permutation::new(Zeroizing::new([seed; 32]), n).unwrap()
    }

    fn assert_bijection(p: &Permutation) {
        let n = p.len();
        let mut seen = vec![false; n as usize];
        for counter in 0..n {
            let index = p.at(counter).unwrap();
            assert!(index < n, "{index} of {n}");
            assert!(!std::mem::replace(&mut seen[index as usize], true));
        }
        assert_eq!(p.at(n), None);
        assert_eq!(p.at(u64::MAX), None);
    }

    #[test]
    fn every_small_size_is_a_bijection() {
        for n in 1..=130 {
            assert_bijection(&permutation(7, n));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_size_and_key_is_a_bijection(seed: u8, n in 1u64..6000) {
            assert_bijection(&permutation(seed, n));
        }
    }

    #[test]
    fn the_order_is_neither_sequential_nor_a_measure_of_time() {
        let n = 20_000u64;
        let p = permutation(42, n);
        let order: Vec<u64> = (0..n).map(|c| p.at(c).unwrap()).collect();
        // Neighbours in time are no more often neighbours in the list than chance
        // has it (expected 2 in 20,000).
        let adjacent = order
            .windows(2)
            .filter(|w| w[0].abs_diff(w[1]) == 1)
            .count();
        assert!(adjacent < 15, "{adjacent} adjacent");
        // Rank correlation between the time of issue and the index: for n values
        // drawn at random its standard deviation is 1/sqrt(n-1), here 0.007.
        let mean = (n - 1) as f64 / 2.0;
        let (mut cov, mut var) = (0.0, 0.0);
        for (time, index) in order.iter().enumerate() {
            cov += (time as f64 - mean) * (*index as f64 - mean);
            var += (time as f64 - mean).powi(2);
        }
        assert!((cov / var).abs() < 0.035, "correlation {}", cov / var);
        // A block drawn at one time spreads over the whole list.
        for block in order.chunks(1000) {
            let low = block.iter().filter(|i| **i < n / 2).count();
            assert!((400..600).contains(&low), "{low} of 1000 in the lower half");
        }
    }

    #[test]
    fn key_and_size_both_decide_the_order() {
        let order = |p: Permutation| (0..50).map(|c| p.at(c).unwrap()).collect::<Vec<_>>();
        let one = order(permutation(1, 1000));
        assert_eq!(one, order(permutation(1, 1000)));
        assert_ne!(one, order(permutation(2, 1000)));
        assert_ne!(one, order(permutation(1, 1001)));
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        for n in [0, (1 << 62) + 1, u64::MAX] {
            let refused = Permutation::new(Zeroizing::new([0; 32]), n).map(|_| ());
            assert_eq!(refused, Err(PermutationError::Size { n }));
        }
        let largest = permutation(3, 1 << 62);
        assert!(largest.at((1 << 62) - 1).is_some());
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(
            format!("{:?}", permutation(0xaa, 8)),
            "Permutation { n: 8, .. }"
        );
    }
}
