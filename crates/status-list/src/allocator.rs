use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Permutation;

/// Hands out indices of one list from one block of its counters.
///
/// Whoever keeps the list's counter (a store, under a short lock) moves it
/// forward by a block and gives that block to a node; the node then draws from
/// an `Allocator` without asking anyone. Because the whole list is one
/// permutation, an index tells neither the node, nor the block, nor the time.
/// What is left of a block when a node stops is lost, never handed out twice.
#[derive(Debug)]
pub struct Allocator {
    permutation: Arc<Permutation>,
    next: AtomicU64,
    end: u64,
}

impl Allocator {
    /// Draws from the counters in `block`. What reaches past the list is cut off.
    pub fn new(permutation: Arc<Permutation>, block: Range<u64>) -> Self {
        let end = block.end.min(permutation.len());
        Self {
            permutation,
            next: AtomicU64::new(block.start.min(end)),
            end,
        }
    }

    /// An index that this block has not given before; `None` when it is used up.
    pub fn draw(&self) -> Option<u64> {
        let counter = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                (next < self.end).then(|| next + 1)
            })
            .ok()?;
        self.permutation.at(counter)
    }

    /// How many indices are left in the block.
    pub fn remaining(&self) -> u64 {
        self.end.saturating_sub(self.next.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use std::collections::HashSet;
    use zeroize::Zeroizing;

    fn permutation(n: u64) -> Arc<Permutation> {
        Arc::new(Permutation::new(Zeroizing::new([9; 32]), n).unwrap())
    }

    #[test]
    fn blocks_of_one_list_never_meet() {
        let p = permutation(1000);
        let mut seen = HashSet::new();
        for start in (0..1000).step_by(300) {
            let block = Allocator::new(p.clone(), start..start + 300);
            while let Some(index) = block.draw() {
                assert!(seen.insert(index), "{index} twice");
            }
            assert_eq!(block.remaining(), 0);
            assert_eq!(block.draw(), None);
        }
        assert_eq!(seen.len(), 1000);
    }

    #[test]
    fn threads_that_share_a_block_never_draw_the_same_index() {
        let block = Allocator::new(permutation(4000), 0..4000);
        let drawn: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| std::iter::from_fn(|| block.draw()).collect::<Vec<_>>()))
                .collect();
            threads
                .into_iter()
                .flat_map(|t| t.join().unwrap())
                .collect()
        });
        assert_eq!(drawn.len(), 4000);
        assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), 4000);
    }

    #[test]
    fn a_block_past_the_end_gives_nothing() {
        for block in [10..20, 25..30] {
            assert_eq!(Allocator::new(permutation(10), block).draw(), None);
        }
    }
}
