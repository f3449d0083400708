//! Distinguished names: their text (RFC 4514) and their attributes.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use der::asn1::Any;
use der::{Decode, Encode, Tag, Tagged};
use x509_cert::attr::AttributeTypeAndValue;

use crate::oid::{self, Oid};
use crate::tlv;

/// A distinguished name. Cheap to clone, with what was once made of it.
#[derive(Clone)]
pub struct Name(Arc<Inner>);

struct Inner {
    name: x509_cert::name::Name,
    text: OnceLock<String>,
    key: OnceLock<[u8; 32]>,
}

impl Name {
    /// A name from its DER.
    pub fn from_der(der: &[u8]) -> Result<Self, der::Error> {
        x509_cert::name::Name::from_der(der).map(Self::from)
    }

    /// The name with one more relative name (a DER SET) at its end.
    pub(crate) fn with_relative(&self, rdn: &[u8]) -> Option<Self> {
        let own = self.0.name.to_der().ok()?;
        let content = tlv::next(&mut own.as_slice())?.content;
        let der = Any::new(Tag::Sequence, [content, rdn].concat()).ok()?;
        Self::from_der(&der.to_der().ok()?).ok()
    }

    pub(crate) fn empty() -> Self {
        Self::from(x509_cert::name::Name::default())
    }

    /// Whether it has no attributes.
    pub fn is_empty(&self) -> bool {
        self.0.name.is_empty()
    }

    /// The text of every attribute of this type, in order. A value that is not
    /// a string counts as empty.
    pub fn all(&self, attribute: Oid) -> Vec<String> {
        self.0
            .name
            .iter()
            .filter(|a| a.oid == attribute)
            .map(|a| text(&a.value).unwrap_or_default())
            .collect()
    }

    /// The text of the first attribute of this type.
    pub fn first(&self, attribute: Oid) -> Option<String> {
        self.all(attribute).into_iter().next()
    }

    /// commonName.
    pub fn common_name(&self) -> Option<String> {
        self.first(oid::COMMON_NAME)
    }

    /// countryName.
    pub fn country(&self) -> Option<String> {
        self.first(oid::COUNTRY)
    }

    /// organizationName.
    pub fn organization(&self) -> Option<String> {
        self.first(oid::ORGANIZATION)
    }

    /// organizationIdentifier.
    pub fn organization_identifier(&self) -> Option<String> {
        self.first(oid::ORGANIZATION_IDENTIFIER)
    }

    /// serialNumber, of the subject (not of the certificate).
    pub fn serial_number(&self) -> Option<String> {
        self.first(oid::SERIAL_NUMBER)
    }

    /// Whether the two are the same name by the rules of RFC 5280, 7.1 (case and
    /// spacing of printable text do not count).
    pub fn matches(&self, other: &Name) -> bool {
        self == other || certval::compare_names(&self.0.name, &other.0.name)
    }

    /// A digest that is the same for names that match, to find them by. Names
    /// with the same digest need not match.
    pub(crate) fn key(&self) -> [u8; 32] {
        *self.0.key.get_or_init(|| self.folded())
    }

    fn folded(&self) -> [u8; 32] {
        let mut folded = Vec::new();
        for rdn in self.0.name.iter_rdn() {
            let mut parts: Vec<String> = rdn
                .iter()
                .map(|a| {
                    let value = text(&a.value).unwrap_or_else(|| hex::encode(a.value.value()));
                    let words: Vec<&str> = value.split_whitespace().collect();
                    format!("{}={}", a.oid, words.join(" ").to_lowercase())
                })
                .collect();
            parts.sort();
            folded.extend_from_slice(parts.join("+").as_bytes());
            folded.push(0);
        }
        jose::sha256(&folded)
    }
}

impl From<x509_cert::name::Name> for Name {
    fn from(name: x509_cert::name::Name) -> Self {
        Self(Arc::new(Inner {
            name,
            text: OnceLock::new(),
            key: OnceLock::new(),
        }))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.name == other.0.name
    }
}

impl Eq for Name {}

impl std::fmt::Display for Name {
    /// RFC 4514: the last relative name first.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.text.get_or_init(|| {
            let names = self.0.name.iter_rdn().map(|rdn| {
                let parts: Vec<String> = rdn.iter().map(attribute_text).collect();
                parts.join("+")
            });
            let mut names: Vec<String> = names.collect();
            names.reverse();
            names.join(",")
        }))
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Name({self})")
    }
}

/// The string in a DirectoryString or IA5String; `None` where it is another type
/// or not the text it claims to be.
fn text(value: &Any) -> Option<String> {
    let bytes = value.value();
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            std::str::from_utf8(bytes).ok().map(str::to_owned)
        }
        // In practice Latin-1.
        Tag::TeletexString => Some(bytes.iter().map(|&byte| char::from(byte)).collect()),
        Tag::BmpString => {
            let units: Vec<u16> = bytes
                .chunks(2)
                .map(|pair| {
                    pair.iter()
                        .fold(0, |unit, &byte| unit << 8 | u16::from(byte))
                })
                .collect();
            bytes
                .len()
                .is_multiple_of(2)
                .then(|| String::from_utf16(&units).ok())
                .flatten()
        }
        _ => None,
    }
}

fn attribute_text(attribute: &AttributeTypeAndValue) -> String {
    let label = label(attribute.oid);
    match (label, text(&attribute.value)) {
        (Some(label), Some(text)) => format!("{label}={}", escaped(&text)),
        _ => format!(
            "{}=#{}",
            attribute.oid,
            hex::encode(attribute.value.to_der().unwrap_or_default())
        ),
    }
}

/// The short names of RFC 4514, 3, and the descriptors that certificates of the
/// field use.
fn label(attribute: Oid) -> Option<&'static str> {
    Some(match attribute {
        oid::COMMON_NAME => "CN",
        oid::LOCALITY => "L",
        oid::STATE => "ST",
        oid::ORGANIZATION => "O",
        oid::ORGANIZATIONAL_UNIT => "OU",
        oid::COUNTRY => "C",
        oid::STREET => "STREET",
        oid::DOMAIN_COMPONENT => "DC",
        oid::USER_ID => "UID",
        oid::SURNAME => "SN",
        oid::GIVEN_NAME => "GN",
        oid::SERIAL_NUMBER => "serialNumber",
        oid::TITLE => "title",
        oid::PSEUDONYM => "pseudonym",
        oid::ORGANIZATION_IDENTIFIER => "organizationIdentifier",
        oid::EMAIL_ADDRESS => "emailAddress",
        _ => return None,
    })
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.chars().count().saturating_sub(1);
    for (i, c) in text.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '#' if i == 0 => out.push_str("\\#"),
            ' ' if i == 0 || i == last => out.push_str("\\ "),
            // No control character reaches a terminal or a log.
            c if c.is_control() => {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    let _ = write!(out, "\\{byte:02x}");
                }
            }
            c => out.push(c),
        }
    }
    out
}
