//! Evidence with a byte changed: the parts that it has, and the rules that a byte in
//! each of them can break.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::ops::Range;

use device_evidence::{Assessment, rules};
use finding::{Rule, Severity};
use jose::cbor::{self, Limits, Value};

/// How many places are tried in each part.
const PLACES: usize = 8;

/// A part of a piece of evidence.
#[derive(Debug)]
pub struct Part {
    pub name: String,
    pub bytes: Range<usize>,
    /// One of these is broken, whatever is changed.
    pub one_of: Vec<&'static Rule>,
    /// These can be broken as well.
    pub also: Vec<&'static Rule>,
}

impl Part {
    fn new(
        name: impl Into<String>,
        bytes: Range<usize>,
        one_of: &[&'static Rule],
        also: &[&'static Rule],
    ) -> Self {
        Self {
            name: name.into(),
            bytes,
            one_of: one_of.to_vec(),
            also: also.to_vec(),
        }
    }
}

/// Changes a bit at a few places of each part, its ends among them, and holds the rules
/// that `errors` tells then against those that the part can break.
pub fn try_each(whole: &[u8], parts: &[Part], errors: impl Fn(&[u8]) -> Vec<String>) {
    for part in parts {
        for (n, byte) in spread(&part.bytes).into_iter().enumerate() {
            let mut changed = whole.to_vec();
            changed[byte] ^= [0x01, 0x10, 0x80][n % 3];
            let found = errors(&changed);
            let is_of = |rules: &[&'static Rule], id: &str| rules.iter().any(|rule| rule.id == id);
            let case = format!("{}, byte {byte}: {found:?}", part.name);
            assert!(found.iter().any(|id| is_of(&part.one_of, id)), "{case}");
            let known = |id: &String| is_of(&part.one_of, id) || is_of(&part.also, id);
            assert!(found.iter().all(known), "{case}");
        }
    }
}

/// The rules of the errors in an assessment.
pub fn errors<Said>(assessment: &Assessment<Said>) -> Vec<String> {
    let errors = assessment.findings.iter();
    errors
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.rule.to_string())
        .collect()
}

fn spread(range: &Range<usize>) -> Vec<usize> {
    let step = range.len().div_ceil(PLACES).max(1);
    let mut places: Vec<usize> = range.clone().step_by(step).collect();
    places.extend(range.clone().next_back());
    places.dedup();
    places
}

/// What is told apart in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Header,
    Serial,
    Extension,
    Signature,
}

/// The bytes of each class.
pub fn classes(der: &[u8]) -> Vec<(Class, Range<usize>)> {
    let certificate = element(der, 0);
    let tbs = element(der, certificate.start);
    let (mut serial, mut extensions) = (None, None);
    let mut at = tbs.start;
    while at < tbs.end {
        let content = element(der, at);
        match der[at] {
            0x02 => serial = Some(content.clone()),
            0xa3 => extensions = Some(content.clone()),
            _ => {}
        }
        at = content.end;
    }
    let (serial, extensions) = (serial.unwrap(), extensions.unwrap());
    let algorithm = element(der, tbs.end);
    let signature = element(der, algorithm.end);
    vec![
        (Class::Header, 0..serial.start),
        (Class::Serial, serial.clone()),
        (Class::Header, serial.end..extensions.start),
        (Class::Extension, extensions.clone()),
        // The unsigned statement of the algorithm, and how many bits are unused.
        (Class::Header, extensions.end..signature.start + 1),
        (Class::Signature, signature.start + 1..signature.end),
    ]
}

/// The content of the DER element at `at`.
fn element(der: &[u8], at: usize) -> Range<usize> {
    let first = usize::from(der[at + 1]);
    let octets = first.saturating_sub(0x80);
    let start = at + 2 + octets;
    let len = if first < 0x80 {
        first
    } else {
        let written = der[at + 2..start].iter();
        written.fold(0, |len, octet| (len << 8) + usize::from(*octet))
    };
    start..start + len
}

/// The parts of a certificate of an Android chain. Whatever is changed, it is no longer
/// what its issuer signed, or no certificate.
pub fn android_certificate(der: &[u8], position: usize, is_last: bool) -> Vec<Part> {
    let description = [
        &rules::CHALLENGE,
        &rules::ANDROID_EXTENSION,
        &rules::ANDROID_KEY_PARAMETERS,
        &rules::ANDROID_TAG_ORDER,
        &rules::ANDROID_VERSION,
        &rules::ANDROID_SECURITY_LEVEL,
        &rules::ANDROID_BOOT,
        &rules::ANDROID_ORIGIN,
        &rules::ANDROID_PURPOSE,
        &rules::ANDROID_APPLICATION,
    ];
    let parts = classes(der).into_iter();
    let parts = parts.map(|(class, bytes)| {
        let mut one_of = vec![&rules::ANDROID_SIGNATURE];
        if class != Class::Signature {
            one_of.push(&rules::ANDROID_CHAIN);
        }
        // With its key changed, the last one is no root's.
        if is_last && class == Class::Header {
            one_of.push(&rules::ANDROID_ROOT);
        }
        let also: Vec<&'static Rule> = match (class, position) {
            (Class::Header, 0) => vec![&rules::ANDROID_KEY_PARAMETERS, &rules::ANDROID_EXTENSION],
            (Class::Extension, 0) => description.to_vec(),
            // Its subject says where the attesting key is.
            (Class::Header, 1) => vec![&rules::ANDROID_SECURITY_LEVEL],
            (Class::Extension, _) => vec![&rules::ANDROID_PROVISIONING],
            _ => vec![],
        };
        let name = format!("certificate {position}, {class:?}");
        Part::new(name, bytes, &one_of, &also)
    });
    parts.collect()
}

/// The parts of an App Attest attestation. The receipt is none: it is Apple's, and kept.
pub fn attestation(object: &[u8]) -> Vec<Part> {
    let value = cbor::parse(object, Limits::bytes(1 << 16)).unwrap();
    let Some(Value::Bytes(auth_data)) = cbor::get(&value, "authData") else {
        panic!("there is no authData")
    };
    let statement = cbor::get(&value, "attStmt").unwrap();
    let Some(Value::Array(x5c)) = cbor::get(statement, "x5c") else {
        panic!("there is no x5c")
    };
    let (nonce, format) = (&rules::APPLE_NONCE, &rules::APPLE_FORMAT);
    let key_id = &rules::APPLE_KEY_ID;
    let at = place(object, auth_data);
    let end = at + auth_data.len();
    let mut parts = vec![
        Part::new("rpIdHash", at..at + 32, &[&rules::APPLE_APP], &[nonce]),
        Part::new("flags", at + 32..at + 33, &[nonce, format], &[]),
        Part::new(
            "signCount",
            at + 33..at + 37,
            &[&rules::APPLE_COUNTER],
            &[nonce],
        ),
        Part::new(
            "aaguid",
            at + 37..at + 53,
            &[&rules::APPLE_ENVIRONMENT],
            &[nonce],
        ),
        Part::new(
            "credentialIdLength",
            at + 53..at + 55,
            &[format, key_id],
            &[nonce],
        ),
        Part::new("credentialId", at + 55..at + 87, &[key_id], &[nonce]),
        Part::new(
            "credentialPublicKey",
            at + 87..end,
            &[format, key_id, nonce],
            &[],
        ),
    ];
    for (position, certificate) in x5c.iter().enumerate() {
        let Value::Bytes(der) = certificate else {
            panic!("a certificate is bytes")
        };
        let at = place(object, der);
        for (class, bytes) in classes(der) {
            let also: Vec<&'static Rule> = match (class, position) {
                (Class::Header, 0) => vec![key_id, nonce],
                (Class::Extension, 0) => vec![nonce],
                _ => vec![],
            };
            let name = format!("x5c/{position}, {class:?}");
            let bytes = at + bytes.start..at + bytes.end;
            parts.push(Part::new(name, bytes, &[&rules::APPLE_CHAIN], &also));
        }
    }
    let texts: [&[u8]; 5] = [
        b"cfmt",
        b"oapple-appattest",
        b"gattStmt",
        b"cx5c",
        b"hauthData",
    ];
    parts.extend(texts.into_iter().map(|text| framing(object, text)));
    parts
}

/// The parts of an App Attest assertion.
pub fn assertion(object: &[u8]) -> Vec<Part> {
    let value = cbor::parse(object, Limits::bytes(1 << 16)).unwrap();
    let bytes = |name: &str| {
        let found = cbor::get(&value, name).and_then(Value::as_bytes);
        found.cloned().unwrap()
    };
    let (signed, signature) = (bytes("authenticatorData"), bytes("signature"));
    let of_signature = &rules::APPLE_SIGNATURE;
    let (at, from) = (place(object, &signed), place(object, &signature));
    let mut parts = vec![
        Part::new(
            "signature",
            from..from + signature.len(),
            &[of_signature],
            &[],
        ),
        Part::new(
            "rpIdHash",
            at..at + 32,
            &[&rules::APPLE_APP],
            &[of_signature],
        ),
        Part::new("flags", at + 32..at + 33, &[of_signature], &[]),
        Part::new(
            "signCount",
            at + 33..at + 37,
            &[of_signature],
            &[&rules::APPLE_COUNTER],
        ),
    ];
    let texts: [&[u8]; 2] = [b"isignature", b"qauthenticatorData"];
    parts.extend(texts.into_iter().map(|text| framing(object, text)));
    parts
}

/// A text of the object, given with its CBOR head, which stays.
fn framing(object: &[u8], text: &[u8]) -> Part {
    let at = place(object, text);
    let name = String::from_utf8_lossy(&text[1..]);
    let bytes = at + 1..at + text.len();
    Part::new(name, bytes, &[&rules::APPLE_FORMAT], &[])
}

fn place(object: &[u8], bytes: &[u8]) -> usize {
    let found = object.windows(bytes.len()).position(|at| at == bytes);
    found.unwrap()
}
