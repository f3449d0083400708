//! CBOR from outside (RFC 8949), read strictly.
//!
//! A map that has a key twice means one thing to one reader and another to the
//! next, and a few bytes can claim a gigabyte: this reader refuses the first, and
//! counts bytes, depth and items before anything is built.

use std::collections::HashSet;

pub use ciborium::Value;

/// How much CBOR is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The size of the whole encoding, in bytes.
    pub max_bytes: usize,
    /// How many arrays, maps and tags may stand in each other; at most 64.
    pub max_depth: usize,
    /// How many data items there may be, keys and the chunks of strings included.
    pub max_items: usize,
}

impl Limits {
    /// For COSE headers and claims: 64 KiB, 16 levels, 4096 items.
    pub const TOKEN: Limits = Limits {
        max_bytes: 64 * 1024,
        max_depth: 16,
        max_items: 4096,
    };

    /// The same depth and number of items with another size.
    pub const fn bytes(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            ..Self::TOKEN
        }
    }
}

/// Why bytes were not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// More bytes than are accepted.
    #[error("{len} bytes of CBOR, at most {max} are accepted")]
    TooLarge {
        /// Their number.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Arrays, maps and tags are nested deeper than is accepted.
    #[error("CBOR nested deeper than {max} levels")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// More data items than are accepted.
    #[error("more than {max} CBOR data items")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// A map has two entries of one key.
    #[error("the CBOR map key {0} stands twice")]
    Duplicate(String),
    /// The bytes end before the data item does.
    #[error("the CBOR is cut short")]
    Truncated,
    /// Bytes follow the data item.
    #[error("bytes follow the CBOR data item")]
    Trailing,
    /// The bytes are not well-formed CBOR.
    #[error("not CBOR: {0}")]
    Syntax(String),
}

/// Reads one data item, which is all there is in `bytes`.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value, CborError> {
    if bytes.len() > limits.max_bytes {
        return Err(CborError::TooLarge {
            len: bytes.len(),
            max: limits.max_bytes,
        });
    }
    let mut scan = Scan {
        rest: bytes,
        items_left: limits.max_items,
        limits,
    };
    scan.item(limits.max_depth.min(MAX_DEPTH))?;
    if !scan.rest.is_empty() {
        return Err(CborError::Trailing);
    }
    let value: Value =
        ciborium::from_reader(bytes).map_err(|e| CborError::Syntax(e.to_string()))?;
    refuse_duplicates(&value)?;
    Ok(value)
}

/// Encodes a value, lengths definite and integers as short as they go.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A Vec takes every write, and every Value has an encoding.
    #[allow(clippy::expect_used)]
    ciborium::into_writer(value, &mut bytes).expect("a Value is written into a Vec");
    bytes
}

/// The value under `key` when `map` is a map that has it.
pub fn get(map: &Value, key: impl Into<Value>) -> Option<&Value> {
    let key = key.into();
    let mut entries = map.as_map()?.iter();
    entries.find(|(k, _)| *k == key).map(|(_, value)| value)
}

/// Goes over an encoding without building anything.
struct Scan<'a> {
    rest: &'a [u8],
    items_left: usize,
    limits: Limits,
}

/// What stands before a data item's content.
struct Head {
    major: u8,
    /// `None` for an indefinite length, or the break.
    argument: Option<u64>,
}

impl Scan<'_> {
    fn item(&mut self, depth_left: usize) -> Result<(), CborError> {
        let head = self.head()?;
        self.content(&head, depth_left)
    }

    fn content(&mut self, head: &Head, depth_left: usize) -> Result<(), CborError> {
        match (head.major, head.argument) {
            (0 | 1, Some(_)) => Ok(()),
            (2 | 3, Some(len)) => {
                self.take(usize::try_from(len).map_err(|_| CborError::Truncated)?)
            }
            (2 | 3, None) => self.chunks(head.major),
            (4..=6, argument) => {
                let depth_left = depth_left.checked_sub(1).ok_or(CborError::TooDeep {
                    max: self.limits.max_depth.min(MAX_DEPTH),
                })?;
                match (head.major, argument) {
                    (6, Some(_)) => self.item(depth_left),
                    (4, Some(count)) => self.items(count, depth_left),
                    (5, Some(count)) => self.items(count.saturating_mul(2), depth_left),
                    (4, None) => self.until_break(1, depth_left),
                    (5, None) => self.until_break(2, depth_left),
                    _ => Err(malformed("a tag of indefinite length")),
                }
            }
            (7, Some(_)) => Ok(()),
            (7, None) => Err(malformed("a break out of place")),
            _ => Err(malformed("an integer of indefinite length")),
        }
    }

    fn items(&mut self, count: u64, depth_left: usize) -> Result<(), CborError> {
        for _ in 0..count {
            self.item(depth_left)?;
        }
        Ok(())
    }

    /// Items in groups of one (an array) or two (a map) up to the break.
    fn until_break(&mut self, group: usize, depth_left: usize) -> Result<(), CborError> {
        loop {
            let head = self.head()?;
            if matches!((head.major, head.argument), (7, None)) {
                return Ok(());
            }
            self.content(&head, depth_left)?;
            for _ in 1..group {
                self.item(depth_left)?;
            }
        }
    }

    fn chunks(&mut self, major: u8) -> Result<(), CborError> {
        loop {
            let head = self.head()?;
            match head.argument {
                None if head.major == 7 => return Ok(()),
                Some(len) if head.major == major => {
                    self.take(usize::try_from(len).map_err(|_| CborError::Truncated)?)?;
                }
                _ => return Err(malformed("a string of mixed chunks")),
            }
        }
    }

    fn head(&mut self) -> Result<Head, CborError> {
        self.items_left = self.items_left.checked_sub(1).ok_or(CborError::TooMany {
            max: self.limits.max_items,
        })?;
        let first = self.byte()?;
        let width = match first & 0x1f {
            short @ 0..=23 => {
                return Ok(Head {
                    major: first >> 5,
                    argument: Some(u64::from(short)),
                });
            }
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            31 => {
                return Ok(Head {
                    major: first >> 5,
                    argument: None,
                });
            }
            _ => return Err(malformed("a reserved length")),
        };
        let mut argument = 0u64;
        for _ in 0..width {
            argument = argument << 8 | u64::from(self.byte()?);
        }
        Ok(Head {
            major: first >> 5,
            argument: Some(argument),
        })
    }

    fn byte(&mut self) -> Result<u8, CborError> {
        let (first, rest) = self.rest.split_first().ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, len: usize) -> Result<(), CborError> {
        self.rest = self.rest.get(len..).ok_or(CborError::Truncated)?;
        Ok(())
    }
}

fn malformed(what: &str) -> CborError {
    CborError::Syntax(what.to_owned())
}

/// Keys are compared as values: `02` and `18 02` are one key in two encodings.
fn refuse_duplicates(value: &Value) -> Result<(), CborError> {
    match value {
        Value::Array(items) => items.iter().try_for_each(refuse_duplicates),
        Value::Tag(_, inner) => refuse_duplicates(inner),
        Value::Map(entries) => {
            let mut seen = HashSet::with_capacity(entries.len());
            for (key, value) in entries {
                if !seen.insert(encode(key)) {
                    let shown: String = format!("{key:?}").chars().take(64).collect();
                    return Err(CborError::Duplicate(shown));
                }
                refuse_duplicates(key)?;
                refuse_duplicates(value)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Well below what `ciborium` itself recurses to (256).
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn small(bytes: &[u8]) -> Result<Value, CborError> {
        let limits = Limits {
            max_bytes: 64,
            max_depth: 3,
            max_items: 10,
        };
        parse(bytes, limits)
    }

    #[test]
    fn what_is_well_formed_is_read_and_reads_back() {
        let value = Value::Map(vec![
            (1.into(), "text".into()),
            ("key".into(), Value::Bytes(vec![1, 2])),
            ((-7).into(), Value::Array(vec![Value::Null, true.into()])),
        ]);
        assert_eq!(small(&encode(&value)), Ok(value.clone()));
        assert_eq!(get(&value, -7).and_then(Value::as_array).unwrap().len(), 2);
        // Indefinite lengths: a string in chunks, an array, a map.
        assert_eq!(
            small(b"\x5f\x41\x01\x42\x02\x03\xff"),
            Ok(vec![1u8, 2, 3].as_slice().into())
        );
        assert_eq!(small(b"\x9f\x01\xff"), Ok(Value::Array(vec![1.into()])));
        assert_eq!(
            small(b"\xbf\x01\x02\xff"),
            Ok(Value::Map(vec![(1.into(), 2.into())]))
        );
    }

    #[test]
    fn each_way_to_be_refused_has_its_cause() {
        use CborError::*;
        let syntax = |what: &str| Syntax(what.to_owned());
        let cases: [(&[u8], CborError); 15] = [
            (b"", Truncated),
            (b"\x42\x01", Truncated),
            (b"\x1b\x00", Truncated),
            (b"\x82\x01", Truncated),
            // A string and an array that claim 2^64 - 1.
            (b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", Truncated),
            (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", Truncated),
            (b"\x01\x01", Trailing),
            (b"\x81\x81\x81\x81\x01", TooDeep { max: 3 }),
            (b"\xd2\xd2\xd2\xd2\x01", TooDeep { max: 3 }),
            (
                b"\x9f\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\xff",
                TooMany { max: 10 },
            ),
            (b"\xff", syntax("a break out of place")),
            (b"\x1c", syntax("a reserved length")),
            (b"\x1f", syntax("an integer of indefinite length")),
            (b"\xdf", syntax("a tag of indefinite length")),
            (b"\x5f\x61a\xff", syntax("a string of mixed chunks")),
        ];
        for (bytes, cause) in cases {
            assert_eq!(small(bytes), Err(cause), "{bytes:02x?}");
        }
        assert_eq!(small(&[0; 65]), Err(TooLarge { len: 65, max: 64 }));
        assert!(matches!(small(b"\x61\xff"), Err(Syntax(_))), "not UTF-8");
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_however_it_is_written() {
        let cases: [&[u8]; 4] = [
            b"\xa2\x02\x01\x02\x01",
            b"\xa2\x02\x01\x18\x02\x01",
            b"\x81\xa2\x61a\x01\x61a\x02",
            b"\xa2\x61a\x01\x7f\x61a\xff\x02",
        ];
        for bytes in cases {
            assert!(
                matches!(small(bytes), Err(CborError::Duplicate(_))),
                "{bytes:02x?}"
            );
        }
    }
}
