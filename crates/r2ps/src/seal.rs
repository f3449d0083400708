//! Sealing in two steps: a request's inner JWS carries a hash of the outer JWE's
//! header (`jwe_hash`), so the header has to be there before the content is.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, EphemeralPrivateKey};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use jose::jwe::ContentKey;
use jose::{Curve, Map, PublicKey, b64, sha256};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::EnvelopeError;

/// A JWE that has its header and its key, and no content yet.
pub(crate) struct Draft {
    encoded_header: String,
    key: ContentKey,
}

impl Draft {
    /// To the holder of `recipient` (`ECDH-ES`, `A256GCM`).
    pub(crate) fn to(
        header: Map,
        apu: &[u8],
        apv: &[u8],
        recipient: &PublicKey,
    ) -> Result<Self, EnvelopeError> {
        let algorithm = match recipient.curve() {
            Curve::P256 => &agreement::ECDH_P256,
            Curve::P384 => &agreement::ECDH_P384,
            Curve::P521 => &agreement::ECDH_P521,
        };
        let library = |_| EnvelopeError::Library;
        let ephemeral =
            EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()).map_err(library)?;
        let point = ephemeral.compute_public_key().map_err(library)?;
        let epk = PublicKey::from_point(recipient.curve(), point.as_ref())
            .map_err(|_| EnvelopeError::Library)?;
        let peer = agreement::UnparsedPublicKey::new(algorithm, recipient.point());
        let key = agreement::agree_ephemeral(ephemeral, peer, EnvelopeError::Library, |shared| {
            Ok(concat_kdf(shared, apu, apv))
        })?;
        let mut full = header;
        full.insert("alg".into(), "ECDH-ES".into());
        full.insert("enc".into(), "A256GCM".into());
        full.insert("epk".into(), epk.to_jwk());
        full.insert("apu".into(), b64::encode(apu).into());
        full.insert("apv".into(), b64::encode(apv).into());
        Ok(Self::with(full, key))
    }

    /// Under a session's key (`dir`, `A256GCM`).
    pub(crate) fn direct(mut header: Map, key: &ContentKey) -> Self {
        header.insert("alg".into(), "dir".into());
        header.insert("enc".into(), "A256GCM".into());
        Self::with(header, key.clone())
    }

    fn with(header: Map, key: ContentKey) -> Self {
        Self {
            encoded_header: b64::encode(Value::Object(header).to_string()),
            key,
        }
    }

    /// SHA-256 over the header as it will stand in the text.
    pub(crate) fn header_hash(&self) -> [u8; 32] {
        sha256(self.encoded_header.as_bytes())
    }

    /// The whole JWE.
    pub(crate) fn seal(self, content: &[u8]) -> Result<String, EnvelopeError> {
        let mut iv = [0; 12];
        SystemRandom::new()
            .fill(&mut iv)
            .map_err(|_| EnvelopeError::Library)?;
        let key = UnboundKey::new(&AES_256_GCM, self.key.as_slice())
            .map(LessSafeKey::new)
            .map_err(|_| EnvelopeError::Library)?;
        let mut ciphertext = content.to_vec();
        let tag = key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::from(self.encoded_header.as_bytes()),
                &mut ciphertext,
            )
            .map_err(|_| EnvelopeError::Library)?;
        Ok(format!(
            "{}..{}.{}.{}",
            self.encoded_header,
            b64::encode(iv),
            b64::encode(ciphertext),
            b64::encode(tag)
        ))
    }
}

/// The Concat KDF as RFC 7518, 4.6.2 uses it for an `A256GCM` key. What opens
/// these messages is `jose::jwe`, whose own derivation this must agree with;
/// every test of the envelope shows that it does.
fn concat_kdf(shared: &[u8], apu: &[u8], apv: &[u8]) -> ContentKey {
    let mut input = Zeroizing::new(Vec::with_capacity(shared.len() + 64));
    input.extend_from_slice(&1u32.to_be_bytes());
    input.extend_from_slice(shared);
    for part in [b"A256GCM".as_slice(), apu, apv] {
        let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
        input.extend_from_slice(&len.to_be_bytes());
        input.extend_from_slice(part);
    }
    input.extend_from_slice(&256u32.to_be_bytes());
    Zeroizing::new(sha256(&input))
}
