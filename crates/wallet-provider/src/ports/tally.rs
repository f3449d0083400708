/// What the revoked entries of a list come to. Two sets with the same tally are taken
/// for the same: it tells a database that was put back, and then went on another way,
/// from the one that this node has read before. It is no defence against whoever can
/// write the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many there are.
    pub count: u64,
    /// The sum of their indices.
    pub sum: u64,
    /// The sum of the squares of their indices, each modulo [`Tally::MODULUS`].
    pub squares: u64,
}

impl Tally {
    /// The largest prime below 2^31: a sum of as many squares as a list has entries
    /// stays within 63 bits.
    pub const MODULUS: u64 = 2_147_483_647;

    /// The tally with one entry more.
    #[must_use]
    pub fn with(self, index: u64) -> Self {
        Self {
            count: self.count + 1,
            sum: self.sum.saturating_add(index),
            squares: self.squares + index.saturating_mul(index) % Self::MODULUS,
        }
    }

    /// The tally of all of these.
    pub fn of(indices: impl IntoIterator<Item = u64>) -> Self {
        indices.into_iter().fold(Self::default(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_that_differ_have_another_tally() {
        let all = [
            vec![],
            vec![0],
            vec![1],
            vec![5, 9],
            // The same count and sum.
            vec![6, 8],
            vec![5, 8, 1],
            vec![(1 << 27) - 1],
        ];
        for (place, one) in all.iter().enumerate() {
            for (other_place, other) in all.iter().enumerate() {
                let same = Tally::of(one.clone()) == Tally::of(other.clone());
                assert_eq!(same, place == other_place, "{one:?} {other:?}");
            }
        }
        assert_eq!(Tally::of([3, 7]), Tally::of([7]).with(3));
    }
}
