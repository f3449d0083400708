//! Mutations of a sound input, the same in every run.

/// A small generator of numbers (SplitMix64): equal seeds, equal mutations.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0 when that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % (end.max(1) as u64)) as usize
    }
}

/// `input` changed in one to four places: bits and bytes altered, pieces cut out,
/// doubled, or taken from `other`, and values set that stand at some limit.
pub fn mutate(input: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut data = input.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len());
        let len = 1 + random.below(16.min(data.len().saturating_sub(at).max(1)));
        let end = (at + len).min(data.len());
        match random.below(8) {
            0 => alter(&mut data, at, |byte| byte ^ (1 << random.below(8))),
            1 => alter(&mut data, at, |_| random.number() as u8),
            2 => alter(&mut data, at, |_| {
                EDGES.get(random.below(EDGES.len())).copied().unwrap_or(0)
            }),
            3 => alter(&mut data, at, |byte| byte.wrapping_add(1)),
            4 => drop(data.drain(at..end)),
            5 => {
                let piece: Vec<u8> = data.get(at..end).unwrap_or_default().to_vec();
                data.splice(at..at, piece);
            }
            6 => {
                let from = random.below(other.len());
                let piece: Vec<u8> = other.iter().skip(from).take(len).copied().collect();
                data.splice(at..end, piece);
            }
            _ => {
                if random.below(8) == 0 {
                    data.truncate(at);
                } else if let Some(word) = WORDS.get(random.below(WORDS.len())) {
                    data.splice(at..end, word.bytes());
                }
            }
        }
    }
    data
}

fn alter(data: &mut [u8], at: usize, new: impl FnOnce(u8) -> u8) {
    if let Some(byte) = data.get_mut(at) {
        *byte = new(*byte);
    }
}

const EDGES: [u8; 12] = [
    0x00, 0x01, 0x1f, 0x30, 0x5f, 0x7f, 0x80, 0x81, 0x84, 0x9f, 0xbf, 0xff,
];

const WORDS: [&str; 12] = [
    "\"",
    "{",
    "}",
    "[",
    "null",
    "-1",
    "1e999",
    "18446744073709551616",
    "\\u0000",
    "\u{fffd}",
    ".",
    "\n",
];
