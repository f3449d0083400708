//! DEFLATE in the ZLIB format (RFC 1950, RFC 1951), written whole and read
//! with a bound.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

/// How hard a list is compressed. The result means the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CompressionEffort {
    /// The highest level, as draft-20, section 4.1 recommends.
    #[default]
    Best,
    /// A middle level: about a twentieth of the time for a sixth more of size.
    /// For large lists that are published often.
    Quick,
}

/// Compresses `bytes`.
pub(crate) fn deflate(bytes: &[u8], effort: CompressionEffort) -> Vec<u8> {
    let level = match effort {
        CompressionEffort::Best => Compression::best(),
        CompressionEffort::Quick => Compression::new(5),
    };
    let mut encoder = ZlibEncoder::new(Vec::new(), level);
    // Writing into a Vec has no way to fail.
    #[allow(clippy::expect_used)]
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("a Vec takes every write")
}

/// Decompresses `packed`, and stops as soon as more than `limit` bytes come out:
/// what a few bytes claim to hold is never allocated on their word.
pub(crate) fn inflate(packed: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    let mut decoder = Decompress::new(true);
    let mut out = Vec::new();
    let mut chunk = vec![0u8; CHUNK];
    loop {
        let read = usize::try_from(decoder.total_in()).map_err(|_| InflateError::Corrupt)?;
        let rest = packed.get(read..).ok_or(InflateError::Corrupt)?;
        let before = (decoder.total_in(), decoder.total_out());
        let status = decoder
            .decompress(rest, &mut chunk, FlushDecompress::None)
            .map_err(|_| InflateError::Corrupt)?;
        let produced = usize::try_from(decoder.total_out() - before.1).unwrap_or(usize::MAX);
        if out.len().saturating_add(produced) > limit {
            return Err(InflateError::TooLarge { limit });
        }
        out.extend_from_slice(chunk.get(..produced).ok_or(InflateError::Corrupt)?);
        match status {
            Status::StreamEnd if decoder.total_in() == packed.len() as u64 => return Ok(out),
            Status::StreamEnd => return Err(InflateError::Trailing),
            Status::Ok | Status::BufError => {
                if before == (decoder.total_in(), decoder.total_out()) {
                    return Err(InflateError::Truncated);
                }
            }
        }
    }
}

/// Why a compressed list could not be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// Not a zlib stream, or one that breaks its own checksum.
    #[error("not a sound zlib stream")]
    Corrupt,
    /// The stream ends before its end mark.
    #[error("the zlib stream is cut short")]
    Truncated,
    /// Bytes follow the stream's end mark.
    #[error("bytes follow the zlib stream")]
    Trailing,
    /// More comes out than is accepted.
    #[error("more than {limit} bytes come out")]
    TooLarge {
        /// The bytes accepted.
        limit: usize,
    },
}

const CHUNK: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )]
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1u32;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(len)
        .collect()
    }

    #[test]
    fn what_goes_in_comes_out() {
        for effort in [CompressionEffort::Best, CompressionEffort::Quick] {
            for len in [0, 1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 300_000] {
                let bytes = noise(len);
                assert_eq!(inflate(&deflate(&bytes, effort), len), Ok(bytes));
            }
        }
    }

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let bomb = deflate(&vec![0; 64 * 1024 * 1024], CompressionEffort::Best);
        assert!(bomb.len() < 100_000, "it is small: {}", bomb.len());
        let limit = 1024 * 1024;
        assert_eq!(inflate(&bomb, limit), Err(InflateError::TooLarge { limit }));
    }

    #[test]
    fn the_limit_is_exact() {
        let packed = deflate(&noise(1000), CompressionEffort::Best);
        assert!(inflate(&packed, 1000).is_ok());
        assert_eq!(
            inflate(&packed, 999),
            Err(InflateError::TooLarge { limit: 999 })
        );
    }

    #[test]
    fn every_truncation_is_refused() {
        let packed = deflate(&noise(500), CompressionEffort::Best);
        for len in 0..packed.len() {
            let cut = inflate(&packed[..len], 1 << 20);
            assert_eq!(cut, Err(InflateError::Truncated), "cut at {len}");
        }
    }

    #[test]
    fn trailing_bytes_and_broken_checksums_are_refused() {
        let mut packed = deflate(b"list", CompressionEffort::Best);
        packed.push(0);
        assert_eq!(inflate(&packed, 100), Err(InflateError::Trailing));
        packed.pop();
        *packed.last_mut().unwrap() ^= 1;
        assert_eq!(inflate(&packed, 100), Err(InflateError::Corrupt));
        assert_eq!(inflate(b"not zlib", 100), Err(InflateError::Corrupt));
    }
}
