//! Merkle trees over SHA-256 (RFC 9162, 2.1): one root for many entries, and a short
//! proof that an entry is among them which tells nothing of the others.

use jose::sha256;

/// The root over `leaves`, in their order.
pub fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => sha256(&[]),
        [one] => leaf(one),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The hashes beside the way from leaf `index` up to the root; `None` where there is
/// no such leaf.
pub fn path(leaves: &[[u8; 32]], index: usize) -> Option<Vec<[u8; 32]>> {
    if index >= leaves.len() {
        return None;
    }
    if leaves.len() == 1 {
        return Some(Vec::new());
    }
    let at = split(leaves.len());
    let (left, right) = leaves.split_at(at);
    let mut hashes;
    if index < at {
        hashes = path(left, index)?;
        hashes.push(root(right));
    } else {
        hashes = path(right, index.saturating_sub(at))?;
        hashes.push(root(left));
    }
    Some(hashes)
}

/// The root that `entry`, as leaf `index` of `size`, and the hashes beside its way
/// come to; `None` where they cannot be of such a tree (RFC 9162, 2.1.3.2).
pub fn root_of_path(
    entry: &[u8; 32],
    index: u64,
    size: u64,
    path: &[[u8; 32]],
) -> Option<[u8; 32]> {
    if index >= size {
        return None;
    }
    let (mut at, mut last) = (index, size.saturating_sub(1));
    let mut hash = leaf(entry);
    for beside in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(beside, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, beside);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// The largest power of two below `len`, which is at least two.
fn split(len: usize) -> usize {
    let half = len.next_power_of_two() / 2;
    half.max(1)
}

fn leaf(entry: &[u8; 32]) -> [u8; 32] {
    sha256(&[[0].as_slice(), entry].concat())
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256(&[[1].as_slice(), left, right].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn leaves(count: u8) -> Vec<[u8; 32]> {
        (0..count).map(|n| sha256(&[n])).collect()
    }

    #[test]
    fn every_leaf_of_every_tree_proves_itself_and_no_other() {
        for size in 1..=33 {
            let leaves = leaves(size);
            let root = root(&leaves);
            let size = u64::from(size);
            for (index, entry) in leaves.iter().enumerate() {
                let mut path = path(&leaves, index).unwrap();
                let at = index as u64;
                assert_eq!(root_of_path(entry, at, size, &path), Some(root));
                let other = sha256(b"other");
                assert_ne!(root_of_path(&other, at, size, &path), Some(root));
                for wrong in (0..size).filter(|wrong| *wrong != at) {
                    assert_ne!(root_of_path(entry, wrong, size, &path), Some(root));
                }
                path.push(other);
                assert_eq!(root_of_path(entry, at, size, &path), None);
                path.pop();
                if path.pop().is_some() {
                    assert_eq!(root_of_path(entry, at, size, &path), None);
                }
            }
            assert_eq!(root_of_path(&leaves[0], size, size, &[]), None);
            assert_eq!(super::path(&leaves, leaves.len()), None);
        }
    }

    /// The trees of RFC 9162 itself: of nothing, and of one empty entry as a leaf.
    #[test]
    fn the_empty_tree_is_the_hash_of_nothing() {
        assert_eq!(root(&[]), sha256(&[]));
        assert_ne!(root(&leaves(2)), root(&[leaves(2)[1], leaves(2)[0]]));
    }
}
