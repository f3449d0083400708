//! LtHash: the hash of a set that can be kept up to date one member at a time
//! (Bellare and Micciancio 1997; parameters as in Lewi, Kim, Maykov and Weis,
//! "Securing Update Propagation with Homomorphic Hashing", 2019: 1024 lanes of 16
//! bits). Finding another set with the same hash is a short-vector problem that is
//! believed to be beyond 200 bits; a sum of plain 256-bit hashes would not be.

use jose::sha256;

const LANES: usize = 1024;

/// The state, in bytes.
pub(crate) const LEN: usize = LANES * 2;

/// The hash of a set of members.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LtHash([u16; LANES]);

impl LtHash {
    /// The hash of the empty set.
    pub(crate) fn empty() -> Self {
        Self([0; LANES])
    }

    /// Adds a member that is not in the set.
    pub(crate) fn add(&mut self, member: &[u8; 32]) {
        for (lane, term) in self.0.iter_mut().zip(expand(member)) {
            *lane = lane.wrapping_add(term);
        }
    }

    /// Takes a member out that is in the set.
    pub(crate) fn remove(&mut self, member: &[u8; 32]) {
        for (lane, term) in self.0.iter_mut().zip(expand(member)) {
            *lane = lane.wrapping_sub(term);
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|lane| lane.to_le_bytes()).collect()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != LEN {
            return None;
        }
        let mut hash = Self::empty();
        for (lane, pair) in hash.0.iter_mut().zip(bytes.as_chunks::<2>().0) {
            *lane = u16::from_le_bytes(*pair);
        }
        Some(hash)
    }
}

/// A member, spread over all lanes: SHA-256 in counter mode.
fn expand(member: &[u8; 32]) -> impl Iterator<Item = u16> {
    let mut input = [0; 34];
    for (to, from) in input.iter_mut().zip(member) {
        *to = *from;
    }
    (0u16..64).flat_map(move |counter| {
        let [.., high, low] = &mut input;
        [*high, *low] = counter.to_be_bytes();
        let block = sha256(&input);
        let mut lanes = [0; 16];
        for (lane, pair) in lanes.iter_mut().zip(block.as_chunks::<2>().0) {
            *lane = u16::from_le_bytes(*pair);
        }
        lanes
    })
}

impl std::fmt::Debug for LtHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LtHash(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn order_does_not_count_and_membership_does() {
        let members: Vec<[u8; 32]> = (0u8..50).map(|n| sha256(&[n])).collect();
        let (mut one, mut other) = (LtHash::empty(), LtHash::empty());
        members.iter().for_each(|member| one.add(member));
        members.iter().rev().for_each(|member| other.add(member));
        assert_eq!(one, other);
        assert_eq!(LtHash::from_bytes(&one.to_bytes()).unwrap(), one);

        other.remove(&sha256(&[7]));
        assert_ne!(one, other);
        other.add(&sha256(&[7]));
        assert_eq!(one, other);
        assert!(LtHash::from_bytes(&[0; LEN - 1]).is_none());
    }
}
