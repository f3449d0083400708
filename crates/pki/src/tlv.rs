//! Walking DER without copying it, to find where a part stands in the bytes
//! that were signed or hashed.

/// One DER element with a low tag number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tlv<'a> {
    /// The identifier octet.
    pub(crate) tag: u8,
    /// What stands inside.
    pub(crate) content: &'a [u8],
    /// The element with its tag and length.
    pub(crate) whole: &'a [u8],
}

/// Takes the next element off `input`; `None` where there is none that is DER.
pub(crate) fn next<'a>(input: &mut &'a [u8]) -> Option<Tlv<'a>> {
    let all = *input;
    let (&tag, rest) = all.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (&first, mut rest) = rest.split_first()?;
    let len = if first < 0x80 {
        usize::from(first)
    } else {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, after) = rest.split_at_checked(count)?;
        rest = after;
        let len = digits
            .iter()
            .fold(0usize, |len, &digit| len << 8 | usize::from(digit));
        // DER: the shortest form only.
        if len < 0x80 || digits.first() == Some(&0) {
            return None;
        }
        len
    };
    let (content, after) = rest.split_at_checked(len)?;
    let whole = all.get(..all.len() - after.len())?;
    *input = after;
    Some(Tlv {
        tag,
        content,
        whole,
    })
}

/// Every element of `input`; `None` unless it is made of whole elements.
pub(crate) fn all(mut input: &[u8]) -> Option<Vec<Tlv<'_>>> {
    let mut elements = Vec::new();
    while !input.is_empty() {
        elements.push(next(&mut input)?);
    }
    Some(elements)
}

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const SEQUENCE: u8 = 0x30;

/// The parts of a signed structure (a certificate or a CRL) as they were sent.
#[derive(Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) tbs: Tlv<'a>,
    pub(crate) algorithm: &'a [u8],
}

/// Splits `SEQUENCE { tbs, algorithm, signature }`, with nothing after it.
pub(crate) fn signed(der: &[u8]) -> Option<Signed<'_>> {
    let mut input = der;
    let outer = next(&mut input)?;
    if outer.tag != SEQUENCE || !input.is_empty() {
        return None;
    }
    let mut inside = outer.content;
    let tbs = next(&mut inside)?;
    let algorithm = next(&mut inside)?.whole;
    Some(Signed { tbs, algorithm })
}
