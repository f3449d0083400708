use jose::b64;
use jose::cbor::{self, Value as Cbor};
use serde::Serialize;
use serde_json::{Value, json};

use crate::compression::{self, CompressionEffort, InflateError};
use crate::{Limits, Status};

/// A status list: one [`Status`] for each index (draft-20, section 4.1).
///
/// Entries are packed from the least significant bit of each byte on. A list
/// fills whole bytes: one made for 12 entries of one bit holds 16.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusList {
    bits: Bits,
    bytes: Vec<u8>,
}

impl StatusList {
    /// A list of at least `entries` entries, all of them valid.
    pub fn new(bits: Bits, entries: u64) -> Result<Self, ListError> {
        let bytes = usize::try_from(entries.div_ceil(bits.per_byte()))
            .ok()
            .filter(|bytes| (1..=MAX_BYTES).contains(bytes))
            .ok_or(ListError::Size { entries })?;
        Ok(Self {
            bits,
            bytes: vec![0; bytes],
        })
    }

    /// A list over bytes that are already packed, as a store keeps them.
    pub fn from_bytes(bits: Bits, bytes: Vec<u8>) -> Result<Self, ListError> {
        let size = bytes.len();
        if (1..=MAX_BYTES).contains(&size) {
            Ok(Self { bits, bytes })
        } else {
            let entries = (size as u64).saturating_mul(bits.per_byte());
            Err(ListError::Size { entries })
        }
    }

    /// The status at `index`.
    pub fn get(&self, index: u64) -> Result<Status, ListError> {
        let place = self.place(index)?;
        let byte = self
            .bytes
            .get(place.byte)
            .ok_or_else(|| self.out_of_bounds(index))?;
        Ok(Status((byte >> place.shift) & self.bits.mask()))
    }

    /// Sets the status at `index`. Refused when the status does not fit the
    /// list's bits, rather than cut to them.
    pub fn set(&mut self, index: u64, status: Status) -> Result<(), ListError> {
        let mask = self.bits.mask();
        if status.0 > mask {
            return Err(ListError::StatusTooWide {
                status,
                bits: self.bits,
            });
        }
        let place = self.place(index)?;
        let out_of_bounds = self.out_of_bounds(index);
        let byte = self.bytes.get_mut(place.byte).ok_or(out_of_bounds)?;
        *byte = (*byte & !(mask << place.shift)) | (status.0 << place.shift);
        Ok(())
    }

    /// How many entries are not [`Status::VALID`].
    pub fn not_valid(&self) -> u64 {
        let mask = self.bits.mask();
        let width = usize::from(self.bits.count());
        let in_byte = |byte: u8| {
            (0..8)
                .step_by(width)
                .filter(move |at| byte >> at & mask != 0)
        };
        let count: usize = self.bytes.iter().map(|byte| in_byte(*byte).count()).sum();
        count as u64
    }

    /// How many entries there are.
    pub fn len(&self) -> u64 {
        (self.bytes.len() as u64).saturating_mul(self.bits.per_byte())
    }

    /// Always false: a list without entries cannot be made.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bits each entry takes.
    pub fn bits(&self) -> Bits {
        self.bits
    }

    /// The packed bytes, as [`StatusList::from_bytes`] takes them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The JSON form (draft-20, section 4.2): `{"bits", "lst"}`.
    pub fn to_json(&self, effort: CompressionEffort) -> Value {
        json!(packed_json(
            self.bits,
            &compression::deflate(&self.bytes, effort)
        ))
    }

    /// Reads the JSON form, decompressing no further than `limits` allow.
    pub fn from_json(value: &Value, limits: &Limits) -> Result<Self, DecodeError> {
        let bits = value
            .get("bits")
            .and_then(Value::as_u64)
            .and_then(Bits::from_count)
            .ok_or(DecodeError::Bits)?;
        let lst = value
            .get("lst")
            .and_then(Value::as_str)
            .ok_or(DecodeError::LstMissing)?;
        let packed = b64::decode(lst).map_err(|_| DecodeError::Base64)?;
        Self::unpack(bits, &packed, limits)
    }

    /// The CBOR form (draft-20, section 4.3): a map of `bits` and `lst`.
    pub fn to_cbor(&self, effort: CompressionEffort) -> Cbor {
        packed_cbor(self.bits, compression::deflate(&self.bytes, effort))
    }

    /// Reads the CBOR form, decompressing no further than `limits` allow.
    pub fn from_cbor(value: &Cbor, limits: &Limits) -> Result<Self, DecodeError> {
        let bits = cbor::get(value, "bits")
            .and_then(Cbor::as_integer)
            .and_then(|bits| u64::try_from(bits).ok())
            .and_then(Bits::from_count)
            .ok_or(DecodeError::Bits)?;
        let lst = cbor::get(value, "lst")
            .and_then(Cbor::as_bytes)
            .ok_or(DecodeError::LstMissing)?;
        Self::unpack(bits, lst, limits)
    }

    fn unpack(bits: Bits, packed: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        let bytes = compression::inflate(packed, limits.list_bytes)?;
        Self::from_bytes(bits, bytes).map_err(|_| DecodeError::Empty)
    }

    fn place(&self, index: u64) -> Result<Place, ListError> {
        let per_byte = self.bits.per_byte();
        let byte = usize::try_from(index / per_byte).map_err(|_| self.out_of_bounds(index))?;
        if byte >= self.bytes.len() {
            return Err(self.out_of_bounds(index));
        }
        // At most 7: the remainder times the width stays inside one byte.
        let shift = (index % per_byte) as u32 * u32::from(self.bits.count());
        Ok(Place { byte, shift })
    }

    fn out_of_bounds(&self, index: u64) -> ListError {
        ListError::OutOfBounds {
            index,
            len: self.len(),
        }
    }
}

impl std::fmt::Debug for StatusList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatusList")
            .field("bits", &self.bits.count())
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// The JSON form of a list that is compressed already.
pub(crate) fn packed_json(bits: Bits, lst: &[u8]) -> PackedJson {
    PackedJson {
        bits: bits.count(),
        lst: b64::encode(lst),
    }
}

/// What [`packed_json`] answers.
#[derive(Serialize)]
pub(crate) struct PackedJson {
    bits: u8,
    lst: String,
}

/// The CBOR form of a list that is compressed already.
pub(crate) fn packed_cbor(bits: Bits, lst: Vec<u8>) -> Cbor {
    Cbor::Map(vec![
        ("bits".into(), bits.count().into()),
        ("lst".into(), Cbor::Bytes(lst)),
    ])
}

/// How many bits one entry takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bits {
    /// Valid or invalid.
    One,
    /// Four statuses: the first that can tell "suspended".
    Two,
    /// Sixteen statuses.
    Four,
    /// 256 statuses.
    Eight,
}

impl Bits {
    /// The number: 1, 2, 4 or 8.
    pub fn count(self) -> u8 {
        match self {
            Bits::One => 1,
            Bits::Two => 2,
            Bits::Four => 4,
            Bits::Eight => 8,
        }
    }

    /// The width for a number, when it is 1, 2, 4 or 8.
    pub fn from_count(count: u64) -> Option<Self> {
        match count {
            1 => Some(Bits::One),
            2 => Some(Bits::Two),
            4 => Some(Bits::Four),
            8 => Some(Bits::Eight),
            _ => None,
        }
    }

    fn per_byte(self) -> u64 {
        8 / u64::from(self.count())
    }

    fn mask(self) -> u8 {
        u8::MAX >> (8 - self.count())
    }
}

/// Why a list could not be made, read at an index, or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The list would be empty, or larger than any list may be.
    #[error("a list of {entries} entries cannot be made")]
    Size {
        /// The entries asked for.
        entries: u64,
    },
    /// There is no such entry.
    #[error("index {index} is out of bounds: the list has {len} entries")]
    OutOfBounds {
        /// The index asked for.
        index: u64,
        /// How many entries there are.
        len: u64,
    },
    /// The status needs more bits than the list has.
    #[error("status {} does not fit {} bits", status.0, bits.count())]
    StatusTooWide {
        /// The status that was to be set.
        status: Status,
        /// The list's width.
        bits: Bits,
    },
}

/// Why the JSON or the CBOR form of a list could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// `bits` is not 1, 2, 4 or 8.
    #[error("bits is not 1, 2, 4 or 8")]
    Bits,
    /// `lst` is absent, or not a string (JSON) or byte string (CBOR).
    #[error("lst is absent or not a string of its form")]
    LstMissing,
    /// `lst` is not base64url without padding.
    #[error("lst is not base64url")]
    Base64,
    /// `lst` does not decompress within the limit.
    #[error("lst does not decompress: {0}")]
    Inflate(#[from] InflateError),
    /// `lst` holds no entry.
    #[error("lst holds no entry")]
    Empty,
}

struct Place {
    byte: usize,
    shift: u32,
}

/// No list is larger than this, whatever the limits say: 2^31 entries of one bit.
const MAX_BYTES: usize = 256 * 1024 * 1024;

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]
    use super::*;

    #[test]
    fn every_width_keeps_its_entries_apart() {
        for bits in [Bits::One, Bits::Two, Bits::Four, Bits::Eight] {
            let mut list = StatusList::new(bits, 40).unwrap();
            let value = |i: u64| Status((i * 7 + 1) as u8 & bits.mask());
            for i in 0..40 {
                list.set(i, value(i)).unwrap();
            }
            for i in 0..40 {
                assert_eq!(list.get(i).unwrap(), value(i), "{bits:?} at {i}");
            }
            let zeros = (0..40).filter(|i| value(*i).is_valid()).count() as u64;
            assert_eq!(list.not_valid(), 40 - zeros);
            list.set(11, Status::VALID).unwrap();
            assert_eq!(list.get(10).unwrap(), value(10));
            assert_eq!(list.get(12).unwrap(), value(12));
        }
    }

    #[test]
    fn an_index_past_the_end_is_refused() {
        let mut list = StatusList::new(Bits::Two, 8).unwrap();
        assert_eq!(list.len(), 8);
        for index in [8, 9, 1 << 40, u64::MAX] {
            let refused = ListError::OutOfBounds { index, len: 8 };
            assert_eq!(list.get(index), Err(refused.clone()));
            assert_eq!(list.set(index, Status::INVALID), Err(refused));
        }
    }

    #[test]
    fn a_status_too_wide_is_refused_and_nothing_changes() {
        let mut list = StatusList::new(Bits::One, 8).unwrap();
        let before = list.clone();
        assert_eq!(
            list.set(3, Status::SUSPENDED),
            Err(ListError::StatusTooWide {
                status: Status::SUSPENDED,
                bits: Bits::One
            })
        );
        assert_eq!(list, before);
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        for entries in [0, u64::MAX, 1 << 40] {
            assert_eq!(
                StatusList::new(Bits::One, entries),
                Err(ListError::Size { entries })
            );
        }
        assert_eq!(StatusList::new(Bits::One, 9).unwrap().len(), 16);
        assert!(StatusList::from_bytes(Bits::Eight, vec![]).is_err());
    }

    #[test]
    fn cbor_that_is_not_a_list_is_refused_by_cause() {
        let limits = Limits::default();
        let list = StatusList::new(Bits::Two, 8).unwrap();
        let good = list.to_cbor(CompressionEffort::Best);
        assert_eq!(StatusList::from_cbor(&good, &limits), Ok(list));
        let lst = cbor::get(&good, "lst").unwrap();
        let map =
            |bits: Cbor, lst: Cbor| Cbor::Map(vec![("bits".into(), bits), ("lst".into(), lst)]);
        let empty = compression::deflate(&[], CompressionEffort::Best);
        let cases = [
            (Cbor::Null, DecodeError::Bits),
            (map(3.into(), lst.clone()), DecodeError::Bits),
            (map((-1).into(), lst.clone()), DecodeError::Bits),
            (map(1.0.into(), lst.clone()), DecodeError::Bits),
            (map("1".into(), lst.clone()), DecodeError::Bits),
            (map(1.into(), "eNpj".into()), DecodeError::LstMissing),
            (map(1.into(), Cbor::Null), DecodeError::LstMissing),
            (
                map(1.into(), Cbor::Bytes(vec![0; 3])),
                DecodeError::Inflate(InflateError::Corrupt),
            ),
            (map(1.into(), Cbor::Bytes(empty)), DecodeError::Empty),
        ];
        for (value, cause) in cases {
            let refused = StatusList::from_cbor(&value, &limits);
            assert_eq!(refused, Err(cause), "{value:?}");
        }
    }

    #[test]
    fn json_that_is_not_a_list_is_refused_by_cause() {
        let limits = Limits::default();
        let good = StatusList::new(Bits::One, 8)
            .unwrap()
            .to_json(CompressionEffort::Best);
        let cases = [
            (json!(null), DecodeError::Bits),
            (json!({"bits": 3, "lst": good["lst"]}), DecodeError::Bits),
            (json!({"bits": "1", "lst": good["lst"]}), DecodeError::Bits),
            (json!({"bits": 1}), DecodeError::LstMissing),
            (json!({"bits": 1, "lst": [1]}), DecodeError::LstMissing),
            (json!({"bits": 1, "lst": "a+b/"}), DecodeError::Base64),
            (
                json!({"bits": 1, "lst": "AAAA"}),
                DecodeError::Inflate(InflateError::Corrupt),
            ),
            (
                json!({"bits": 1, "lst": b64::encode(compression::deflate(&[], CompressionEffort::Best))}),
                DecodeError::Empty,
            ),
        ];
        for (value, cause) in cases {
            assert_eq!(
                StatusList::from_json(&value, &limits),
                Err(cause),
                "{value}"
            );
        }
    }
}
