//! Strict DER, with the high tag numbers (to 724) that key attestation uses and
//! ordinary readers refuse. It borrows from its input and allocates nothing.

/// How deep constructed elements may stand in each other.
const MAX_DEPTH: u8 = 16;

/// Why bytes are not the DER that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Asn1Error {
    #[error("{0}: the bytes end before the element does")]
    Truncated(String),
    #[error("{0}: a length that is not in its shortest form, or larger than is accepted")]
    Length(String),
    #[error("{0}: a tag number that is not in its shortest form, or larger than is accepted")]
    Tag(String),
    #[error("{what}: {found} where {expected} is expected")]
    Kind {
        what: String,
        expected: &'static str,
        found: String,
    },
    #[error("{0}: bytes follow what is expected")]
    Trailing(String),
    #[error("{0}: a BOOLEAN of 0x{1:02x}, where DER has only 00 and ff")]
    Boolean(String, u8),
    #[error("{0}: an integer that is not in its shortest form, negative, or too large")]
    Integer(String),
    #[error("{0}: the value {1} is not defined")]
    Value(String, u64),
    #[error("{0}: not text in UTF-8")]
    Text(String),
    #[error("{0}: stands twice")]
    Twice(String),
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Depth,
    #[error("{0}")]
    Cbor(String),
}

/// A tag: class, form and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag {
    class: u8,
    constructed: bool,
    number: u32,
}

impl Tag {
    const fn universal(number: u32, constructed: bool) -> Self {
        Self {
            class: 0,
            constructed,
            number,
        }
    }

    /// The number of an explicit context tag.
    fn explicit(self) -> Option<u32> {
        (self.class == 2 && self.constructed).then_some(self.number)
    }
}

impl std::fmt::Display for Tag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let form = if self.constructed {
            "constructed"
        } else {
            "primitive"
        };
        let class = ["universal", "application", "context", "private"]
            .get(usize::from(self.class))
            .copied()
            .unwrap_or("no");
        write!(f, "the {form} {class} tag {}", self.number)
    }
}

const BOOLEAN: Tag = Tag::universal(1, false);
const INTEGER: Tag = Tag::universal(2, false);
const OCTET_STRING: Tag = Tag::universal(4, false);
const NULL: Tag = Tag::universal(5, false);
const ENUMERATED: Tag = Tag::universal(10, false);
const SEQUENCE: Tag = Tag::universal(16, true);
const SET: Tag = Tag::universal(17, true);

/// A place in DER: what is left of a constructed element's content.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    depth: u8,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            depth: MAX_DEPTH,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing must be left.
    pub(crate) fn finish(self, what: &str) -> Result<(), Asn1Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Asn1Error::Trailing(what.into()))
        }
    }

    pub(crate) fn sequence(&mut self, what: &str) -> Result<Reader<'a>, Asn1Error> {
        let content = self.expect(SEQUENCE, "a SEQUENCE", what)?;
        self.inside(content)
    }

    pub(crate) fn set(&mut self, what: &str) -> Result<Reader<'a>, Asn1Error> {
        let content = self.expect(SET, "a SET", what)?;
        self.inside(content)
    }

    /// The next explicitly tagged element: its number and what it holds.
    pub(crate) fn explicit(&mut self, what: &str) -> Result<(u32, Reader<'a>), Asn1Error> {
        let (tag, content) = self.element(what)?;
        let number = tag.explicit().ok_or_else(|| Asn1Error::Kind {
            what: what.into(),
            expected: "an explicit context tag",
            found: tag.to_string(),
        })?;
        Ok((number, self.inside(content)?))
    }

    pub(crate) fn octets(&mut self, what: &str) -> Result<&'a [u8], Asn1Error> {
        self.expect(OCTET_STRING, "an OCTET STRING", what)
    }

    pub(crate) fn text(&mut self, what: &str) -> Result<String, Asn1Error> {
        let octets = self.octets(what)?;
        String::from_utf8(octets.to_vec()).map_err(|_| Asn1Error::Text(what.into()))
    }

    pub(crate) fn null(&mut self, what: &str) -> Result<(), Asn1Error> {
        let content = self.expect(NULL, "NULL", what)?;
        if content.is_empty() {
            Ok(())
        } else {
            Err(Asn1Error::Trailing(what.into()))
        }
    }

    pub(crate) fn boolean(&mut self, what: &str) -> Result<bool, Asn1Error> {
        match self.expect(BOOLEAN, "a BOOLEAN", what)? {
            [0x00] => Ok(false),
            [0xff] => Ok(true),
            [other] => Err(Asn1Error::Boolean(what.into(), *other)),
            _ => Err(Asn1Error::Length(what.into())),
        }
    }

    /// A non-negative INTEGER of at most 64 bits.
    pub(crate) fn integer(&mut self, what: &str) -> Result<u64, Asn1Error> {
        number(self.expect(INTEGER, "an INTEGER", what)?, what)
    }

    pub(crate) fn enumerated(&mut self, what: &str) -> Result<u64, Asn1Error> {
        number(self.expect(ENUMERATED, "an ENUMERATED", what)?, what)
    }

    fn inside(&self, content: &'a [u8]) -> Result<Reader<'a>, Asn1Error> {
        Ok(Reader {
            rest: content,
            depth: self.depth.checked_sub(1).ok_or(Asn1Error::Depth)?,
        })
    }

    fn expect(
        &mut self,
        tag: Tag,
        expected: &'static str,
        what: &str,
    ) -> Result<&'a [u8], Asn1Error> {
        let (found, content) = self.element(what)?;
        if found == tag {
            Ok(content)
        } else {
            Err(Asn1Error::Kind {
                what: what.into(),
                expected,
                found: found.to_string(),
            })
        }
    }

    fn element(&mut self, what: &str) -> Result<(Tag, &'a [u8]), Asn1Error> {
        let tag = self.tag(what)?;
        let len = self.len(what)?;
        let truncated = || Asn1Error::Truncated(what.into());
        let (content, rest) = self.rest.split_at_checked(len).ok_or_else(truncated)?;
        self.rest = rest;
        Ok((tag, content))
    }

    fn tag(&mut self, what: &str) -> Result<Tag, Asn1Error> {
        let bad = || Asn1Error::Tag(what.into());
        let first = self.byte(what)?;
        let mut tag = Tag {
            class: first >> 6,
            constructed: first & 0x20 != 0,
            number: u32::from(first & 0x1f),
        };
        if tag.number == 0x1f {
            tag.number = 0;
            // Three octets carry 21 bits, far above any tag in use.
            for position in 0..3 {
                let byte = self.byte(what)?;
                if position == 0 && byte == 0x80 {
                    return Err(bad());
                }
                tag.number = tag.number << 7 | u32::from(byte & 0x7f);
                if byte & 0x80 == 0 {
                    return if tag.number < 0x1f {
                        Err(bad())
                    } else {
                        Ok(tag)
                    };
                }
            }
            return Err(bad());
        }
        Ok(tag)
    }

    fn len(&mut self, what: &str) -> Result<usize, Asn1Error> {
        let bad = || Asn1Error::Length(what.into());
        let first = self.byte(what)?;
        if first < 0x80 {
            return Ok(usize::from(first));
        }
        let count = first & 0x7f;
        if count == 0 || count > 3 {
            return Err(bad());
        }
        let mut len = 0usize;
        for position in 0..count {
            let byte = self.byte(what)?;
            if position == 0 && byte == 0 {
                return Err(bad());
            }
            len = len << 8 | usize::from(byte);
        }
        if len < 0x80 { Err(bad()) } else { Ok(len) }
    }

    fn byte(&mut self, what: &str) -> Result<u8, Asn1Error> {
        let (first, rest) = self
            .rest
            .split_first()
            .ok_or_else(|| Asn1Error::Truncated(what.into()))?;
        self.rest = rest;
        Ok(*first)
    }
}

fn number(content: &[u8], what: &str) -> Result<u64, Asn1Error> {
    let bad = || Asn1Error::Integer(what.into());
    let digits = match content {
        [] => return Err(bad()),
        [0, next, ..] if *next < 0x80 => return Err(bad()),
        [0, digits @ ..] if !digits.is_empty() => digits,
        [first, ..] if *first >= 0x80 => return Err(bad()),
        digits => digits,
    };
    if digits.len() > 8 {
        return Err(bad());
    }
    Ok(digits
        .iter()
        .fold(0u64, |number, digit| number << 8 | u64::from(*digit)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[test]
    fn high_tags_are_read_in_their_shortest_form_only() {
        let mut reader = Reader::new(&[0xbf, 0x85, 0x40, 0x02, 0x05, 0x00]);
        let (number, mut inside) = reader.explicit("tag").unwrap();
        assert_eq!(number, 704);
        inside.null("null").unwrap();
        inside.finish("inside").unwrap();
        reader.finish("outside").unwrap();
        for bytes in [
            &[0xbf, 0x1e, 0x00][..],
            &[0xbf, 0x80, 0x40, 0x00],
            &[0xbf, 0x85, 0x85, 0x85, 0x40, 0x00],
        ] {
            assert_eq!(
                Reader::new(bytes).explicit("tag").unwrap_err(),
                Asn1Error::Tag("tag".into()),
                "{bytes:02x?}"
            );
        }
    }

    #[rstest]
    #[case(&[0x02, 0x01, 0x05], Ok(5))]
    #[case(&[0x02, 0x02, 0x00, 0x80], Ok(128))]
    #[case(&[0x02, 0x09, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Ok(u64::MAX))]
    #[case(&[0x02, 0x00], Err(Asn1Error::Integer("n".into())))]
    #[case(&[0x02, 0x01, 0x80], Err(Asn1Error::Integer("n".into())))]
    #[case(&[0x02, 0x02, 0x00, 0x05], Err(Asn1Error::Integer("n".into())))]
    #[case(&[0x02, 0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0], Err(Asn1Error::Integer("n".into())))]
    #[case(&[0x02, 0x02, 0x05], Err(Asn1Error::Truncated("n".into())))]
    #[case(&[0x02, 0x81, 0x01, 0x05], Err(Asn1Error::Length("n".into())))]
    #[case(&[0x02, 0x80, 0x05], Err(Asn1Error::Length("n".into())))]
    #[case(&[], Err(Asn1Error::Truncated("n".into())))]
    fn integers(#[case] bytes: &[u8], #[case] expected: Result<u64, Asn1Error>) {
        assert_eq!(Reader::new(bytes).integer("n"), expected);
    }

    #[test]
    fn a_boolean_is_00_or_ff() {
        assert_eq!(Reader::new(&[1, 1, 0xff]).boolean("b"), Ok(true));
        assert_eq!(Reader::new(&[1, 1, 0]).boolean("b"), Ok(false));
        assert_eq!(
            Reader::new(&[1, 1, 1]).boolean("b"),
            Err(Asn1Error::Boolean("b".into(), 1))
        );
    }

    #[test]
    fn depth_is_bounded() {
        let mut bytes = vec![0x30, 0];
        for _ in 0..20 {
            let len = u8::try_from(bytes.len()).unwrap();
            bytes.splice(0..0, [0x30, len]);
        }
        let mut reader = Reader::new(&bytes);
        let error = loop {
            match reader.sequence("s") {
                Ok(inside) => reader = inside,
                Err(error) => break error,
            }
        };
        assert_eq!(error, Asn1Error::Depth);
    }
}
