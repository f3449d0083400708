//! JWE in the compact serialization (RFC 7516), with A256GCM for the content and
//! either direct agreement (`ECDH-ES`, RFC 7518, 4.6) or a shared key (`dir`).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, EphemeralPrivateKey};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::json::{self, JsonError, Limits};
use crate::{Curve, KeyAgreement, KeyError, Map, PublicKey, SignError, b64, sha256};

/// A 256-bit content encryption key. It is wiped when dropped.
pub type ContentKey = Zeroizing<[u8; 32]>;

/// Why a JWE was not made or not opened.
#[derive(Debug, thiserror::Error)]
pub enum JweError {
    /// The text is larger than is accepted.
    #[error("a JWE of {len} bytes, at most {max} are accepted")]
    TooLarge {
        /// Its size in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Not five parts with dots between them.
    #[error("not a compact JWE: five parts separated by dots are expected")]
    NotCompact,
    /// A part is not base64url, or not as long as it must be.
    #[error("the {0} is malformed")]
    Part(&'static str),
    /// The header is not a JSON object that we accept.
    #[error("the header: {0}")]
    Header(JsonError),
    /// The header asks for something else than this reader does.
    #[error("the header member {0:?} is missing or not what is accepted here")]
    Unsupported(&'static str),
    /// The ephemeral key is no key on the recipient's curve.
    #[error("the ephemeral key: {0}")]
    EphemeralKey(KeyError),
    /// The recipient's private key could not be used.
    #[error(transparent)]
    Key(#[from] SignError),
    /// The content does not open: another key, or changed on the way.
    #[error("the content does not open under this key")]
    NotAuthentic,
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Library,
}

/// A well-formed JWE that has not been opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    header: Map,
    encoded_header: String,
    iv: [u8; 12],
    ciphertext: Vec<u8>,
}

/// Reads a compact JWE of at most `max_bytes`. Nothing in it has been
/// authenticated yet.
pub fn parse(text: &str, max_bytes: usize) -> Result<Sealed, JweError> {
    if text.len() > max_bytes {
        return Err(JweError::TooLarge {
            len: text.len(),
            max: max_bytes,
        });
    }
    let parts: Vec<&str> = text.splitn(6, '.').collect();
    let [encoded_header, encrypted_key, iv, ciphertext, tag] = parts.as_slice() else {
        return Err(JweError::NotCompact);
    };
    let decode =
        |name: &'static str, text: &str| b64::decode(text).map_err(|_| JweError::Part(name));
    let header = json::parse_object(&decode("header", encoded_header)?, Limits::TOKEN)
        .map_err(JweError::Header)?;
    if header.contains_key("crit") || header.contains_key("zip") {
        return Err(JweError::Unsupported("crit or zip"));
    }
    if !encrypted_key.is_empty() {
        return Err(JweError::Part("encrypted key"));
    }
    let iv = <[u8; 12]>::try_from(decode("initialization vector", iv)?)
        .map_err(|_| JweError::Part("initialization vector"))?;
    let tag = decode("tag", tag)?;
    if tag.len() != AES_256_GCM.tag_len() {
        return Err(JweError::Part("tag"));
    }
    let mut ciphertext = decode("ciphertext", ciphertext)?;
    ciphertext.extend_from_slice(&tag);
    Ok(Sealed {
        header,
        encoded_header: (*encoded_header).to_owned(),
        iv,
        ciphertext,
    })
}

impl Sealed {
    /// The protected header; authentic only once the content has opened.
    pub fn header(&self) -> &Map {
        &self.header
    }

    /// The header as it stands in the text, for whoever hashes it.
    pub fn encoded_header(&self) -> &str {
        &self.encoded_header
    }

    /// A header member that is a string.
    pub fn member(&self, name: &'static str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }

    /// Opens a JWE that was encrypted to `recipient` by `ECDH-ES`.
    pub async fn open_with(
        &self,
        recipient: &dyn KeyAgreement,
    ) -> Result<Zeroizing<Vec<u8>>, JweError> {
        self.expect("alg", "ECDH-ES")?;
        self.expect("enc", "A256GCM")?;
        let epk = self.header.get("epk").ok_or(JweError::Unsupported("epk"))?;
        let epk = PublicKey::from_jwk(epk).map_err(JweError::EphemeralKey)?;
        if epk.curve() != recipient.public_key().curve() {
            return Err(JweError::Unsupported("epk"));
        }
        let shared = recipient.agree(&epk).await?;
        let key = concat_kdf(&shared, &self.party("apu")?, &self.party("apv")?);
        self.open(&key)
    }

    /// Opens a JWE that was encrypted under a shared key (`dir`).
    pub fn open_direct(&self, key: &ContentKey) -> Result<Zeroizing<Vec<u8>>, JweError> {
        self.expect("alg", "dir")?;
        self.expect("enc", "A256GCM")?;
        self.open(key)
    }

    fn open(&self, key: &ContentKey) -> Result<Zeroizing<Vec<u8>>, JweError> {
        let mut content = Zeroizing::new(self.ciphertext.clone());
        let len = aead(key)?
            .open_in_place(
                Nonce::assume_unique_for_key(self.iv),
                Aad::from(self.encoded_header.as_bytes()),
                &mut content,
            )
            .map_err(|_| JweError::NotAuthentic)?
            .len();
        content.truncate(len);
        Ok(content)
    }

    fn expect(&self, name: &'static str, value: &str) -> Result<(), JweError> {
        if self.member(name) == Some(value) {
            Ok(())
        } else {
            Err(JweError::Unsupported(name))
        }
    }

    fn party(&self, name: &'static str) -> Result<Vec<u8>, JweError> {
        match self.header.get(name) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => b64::decode(text).map_err(|_| JweError::Part(name)),
            Some(_) => Err(JweError::Part(name)),
        }
    }
}

/// Encrypts `content` to `recipient` (`ECDH-ES`, `A256GCM`). `alg`, `enc`, `epk`
/// and, where not empty, `apu` and `apv` are set here; the other members of the
/// header are the caller's.
pub fn encrypt_to(
    header: Map,
    apu: &[u8],
    apv: &[u8],
    content: &[u8],
    recipient: &PublicKey,
) -> Result<String, JweError> {
    Draft::to(header, apu, apv, recipient)?.seal(content)
}

/// Encrypts `content` under a shared key (`dir`, `A256GCM`).
pub fn encrypt_direct(header: Map, content: &[u8], key: &ContentKey) -> Result<String, JweError> {
    Draft::direct(header, key).seal(content)
}

/// A JWE that has its header and its key, and no content yet: for a content that
/// speaks of the header it will stand under. It seals once.
pub struct Draft {
    encoded_header: String,
    key: ContentKey,
}

impl Draft {
    /// To the holder of `recipient`, as [`encrypt_to`] has it.
    pub fn to(
        header: Map,
        apu: &[u8],
        apv: &[u8],
        recipient: &PublicKey,
    ) -> Result<Self, JweError> {
        let algorithm = ecdh(recipient.curve());
        let ephemeral = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new())
            .map_err(|_| JweError::Library)?;
        let point = ephemeral
            .compute_public_key()
            .map_err(|_| JweError::Library)?;
        let epk = PublicKey::from_point(recipient.curve(), point.as_ref())
            .map_err(JweError::EphemeralKey)?;
        let peer = agreement::UnparsedPublicKey::new(algorithm, recipient.point());
        let key = agreement::agree_ephemeral(ephemeral, peer, JweError::Library, |shared| {
            Ok(concat_kdf(shared, apu, apv))
        })?;
        let mut full = Map::new();
        full.insert("alg".into(), "ECDH-ES".into());
        full.insert("enc".into(), "A256GCM".into());
        full.insert("epk".into(), epk.to_jwk());
        for (name, value) in [("apu", apu), ("apv", apv)] {
            if !value.is_empty() {
                full.insert(name.into(), b64::encode(value).into());
            }
        }
        Ok(Self::with(full, header, key))
    }

    /// Under a shared key, as [`encrypt_direct`] has it.
    pub fn direct(header: Map, key: &ContentKey) -> Self {
        let mut full = Map::new();
        full.insert("alg".into(), "dir".into());
        full.insert("enc".into(), "A256GCM".into());
        Self::with(full, header, key.clone())
    }

    fn with(mut full: Map, header: Map, key: ContentKey) -> Self {
        for (name, value) in header {
            full.entry(name).or_insert(value);
        }
        Self {
            encoded_header: b64::encode(Value::Object(full).to_string()),
            key,
        }
    }

    /// The header as it will stand in the text, for whoever hashes it.
    pub fn encoded_header(&self) -> &str {
        &self.encoded_header
    }

    /// The whole JWE.
    pub fn seal(self, content: &[u8]) -> Result<String, JweError> {
        let mut iv = [0; 12];
        SystemRandom::new()
            .fill(&mut iv)
            .map_err(|_| JweError::Library)?;
        let mut ciphertext = content.to_vec();
        let tag = aead(&self.key)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::from(self.encoded_header.as_bytes()),
                &mut ciphertext,
            )
            .map_err(|_| JweError::Library)?;
        Ok(format!(
            "{}..{}.{}.{}",
            self.encoded_header,
            b64::encode(iv),
            b64::encode(ciphertext),
            b64::encode(tag)
        ))
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Draft({})", self.encoded_header)
    }
}

fn aead(key: &ContentKey) -> Result<LessSafeKey, JweError> {
    UnboundKey::new(&AES_256_GCM, key.as_slice())
        .map(LessSafeKey::new)
        .map_err(|_| JweError::Library)
}

fn ecdh(curve: Curve) -> &'static agreement::Algorithm {
    match curve {
        Curve::P256 => &agreement::ECDH_P256,
        Curve::P384 => &agreement::ECDH_P384,
        Curve::P521 => &agreement::ECDH_P521,
    }
}

/// The Concat KDF (NIST SP 800-56A) as RFC 7518, 4.6.2 uses it for direct
/// agreement on an `A256GCM` key: one round of SHA-256.
fn concat_kdf(shared: &[u8], apu: &[u8], apv: &[u8]) -> ContentKey {
    let mut input = Zeroizing::new(Vec::with_capacity(shared.len() + 64));
    input.extend_from_slice(&1u32.to_be_bytes());
    input.extend_from_slice(shared);
    for part in [b"A256GCM".as_slice(), apu, apv] {
        // The parts are bounded by the size of a token, far below 4 GiB.
        let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
        input.extend_from_slice(&len.to_be_bytes());
        input.extend_from_slice(part);
    }
    input.extend_from_slice(&256u32.to_be_bytes());
    Zeroizing::new(sha256(&input))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_key_derivation_is_that_of_rfc_7518_appendix_c() {
        // RFC 7518, appendix C, derives 128 bits for A128GCM; the construction
        // is checked here with its own inputs, hashed for A128GCM by hand.
        let z = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49,
            110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        let mut input = vec![0, 0, 0, 1];
        input.extend_from_slice(&z);
        for part in [b"A128GCM".as_slice(), b"Alice", b"Bob"] {
            input.extend_from_slice(&u32::try_from(part.len()).expect("small").to_be_bytes());
            input.extend_from_slice(part);
        }
        input.extend_from_slice(&128u32.to_be_bytes());
        assert_eq!(
            b64::encode(&sha256(&input)[..16]),
            "VqqN6vgjbSBcIijNcacQGg",
            "the appendix's own result"
        );
        let ours = concat_kdf(&z, b"Alice", b"Bob");
        assert_ne!(
            &ours[..16],
            &sha256(&input)[..16],
            "the algorithm is bound in"
        );
    }
}
