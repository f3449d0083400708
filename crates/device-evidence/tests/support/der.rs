//! Writing DER.

pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    with_tag(&[tag], content)
}

pub fn with_tag(tag: &[u8], content: &[u8]) -> Vec<u8> {
    let mut out = tag.to_vec();
    let len = content.len();
    match len {
        0..=0x7f => out.push(len as u8),
        0x80..=0xff => out.extend([0x81, len as u8]),
        _ => out.extend([0x82, (len >> 8) as u8, len as u8]),
    }
    out.extend_from_slice(content);
    out
}

pub fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x31, &parts.concat())
}

fn digits(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let start = bytes.iter().position(|b| *b != 0).unwrap_or(7);
    let mut digits = bytes[start..].to_vec();
    if digits[0] >= 0x80 {
        digits.insert(0, 0);
    }
    digits
}

pub fn integer(number: u64) -> Vec<u8> {
    tlv(0x02, &digits(number))
}

pub fn enumerated(number: u64) -> Vec<u8> {
    tlv(0x0a, &digits(number))
}

pub fn octets(bytes: &[u8]) -> Vec<u8> {
    tlv(0x04, bytes)
}

pub fn boolean(value: bool) -> Vec<u8> {
    tlv(0x01, &[if value { 0xff } else { 0 }])
}

pub fn null() -> Vec<u8> {
    tlv(0x05, &[])
}

/// An explicit context tag of any number.
pub fn explicit(number: u32, content: &[u8]) -> Vec<u8> {
    if number < 0x1f {
        return tlv(0xa0 | number as u8, content);
    }
    let mut tag = vec![0xbf];
    if number >= 0x80 {
        tag.push(0x80 | (number >> 7) as u8);
    }
    tag.push((number & 0x7f) as u8);
    with_tag(&tag, content)
}
