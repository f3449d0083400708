use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA384_ASN1,
    ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_FIXED,
    ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1, ECDSA_P521_SHA512_ASN1,
    ECDSA_P521_SHA512_FIXED, EcdsaVerificationAlgorithm, ParsedPublicKey, UnparsedPublicKey,
};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::{Algorithm, Curve, HashAlg, b64, sha256};

/// An elliptic-curve public key, known to be a point on its curve.
#[derive(Clone)]
pub struct PublicKey {
    curve: Curve,
    point: Arc<[u8]>,
    parsed: Arc<ParsedPublicKey>,
}

/// Why bytes or JSON are not a public key we use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The key type is not EC.
    #[error("the key type is {0:?}, not EC")]
    NotEc(String),
    /// The curve is not P-256, P-384 or P-521.
    #[error("the curve {0:?} is not P-256, P-384 or P-521")]
    UnknownCurve(String),
    /// A member of the JWK is missing or not what it should be.
    #[error("the JWK member {0:?} is missing or malformed")]
    Member(&'static str),
    /// The JWK holds a private key, which has no business here.
    #[error("the JWK holds a private key")]
    Private,
    /// The bytes are not a SubjectPublicKeyInfo of a named curve with an
    /// uncompressed point.
    #[error("not a SubjectPublicKeyInfo of P-256, P-384 or P-521")]
    NotSpki,
    /// The point does not lie on the curve.
    #[error("the point is not on {0}")]
    NotOnCurve(Curve),
}

/// A signature does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify under this key")]
pub struct BadSignature;

impl PublicKey {
    /// A key from its uncompressed point `04 || x || y`.
    pub fn from_point(curve: Curve, point: &[u8]) -> Result<Self, KeyError> {
        if point.len() != curve.point_len() || point.first() != Some(&4) {
            return Err(KeyError::NotOnCurve(curve));
        }
        let parsed =
            ParsedPublicKey::new(fixed(curve), point).map_err(|_| KeyError::NotOnCurve(curve))?;
        Ok(Self {
            curve,
            point: point.into(),
            parsed: Arc::new(parsed),
        })
    }

    /// A key from a JWK (RFC 7517). Members that do not describe the key are
    /// passed over; a private key is refused.
    pub fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let text = |name: &'static str| {
            jwk.get(name)
                .and_then(Value::as_str)
                .ok_or(KeyError::Member(name))
        };
        let kty = text("kty")?;
        if kty != "EC" {
            return Err(KeyError::NotEc(kty.chars().take(32).collect()));
        }
        if jwk.get("d").is_some() {
            return Err(KeyError::Private);
        }
        let crv = text("crv")?;
        let curve = Curve::from_name(crv)
            .ok_or_else(|| KeyError::UnknownCurve(crv.chars().take(32).collect()))?;
        let mut point = Vec::with_capacity(curve.point_len());
        point.push(4);
        for name in ["x", "y"] {
            let coordinate = b64::decode(text(name)?).map_err(|_| KeyError::Member(name))?;
            if coordinate.len() != curve.field_len() {
                return Err(KeyError::Member(name));
            }
            point.extend_from_slice(&coordinate);
        }
        Self::from_point(curve, &point)
    }

    /// The key as a JWK with the members `kty`, `crv`, `x`, `y`.
    pub fn to_jwk(&self) -> Value {
        json!(self)
    }

    /// A key from a DER SubjectPublicKeyInfo (RFC 5480) with a named curve and
    /// an uncompressed point.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        for curve in Curve::ALL {
            if let Some(point) = der.strip_prefix(spki_prefix(curve)) {
                return Self::from_point(curve, point);
            }
        }
        Err(KeyError::NotSpki)
    }

    /// The key as a DER SubjectPublicKeyInfo.
    pub fn to_spki_der(&self) -> Vec<u8> {
        [spki_prefix(self.curve), &self.point].concat()
    }

    /// The uncompressed point `04 || x || y`.
    pub fn point(&self) -> &[u8] {
        &self.point
    }

    /// The curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The algorithm its signatures are made with.
    pub fn algorithm(&self) -> Algorithm {
        self.curve.algorithm()
    }

    /// The JWK thumbprint (RFC 7638, SHA-256).
    pub fn thumbprint(&self) -> [u8; 32] {
        let (x, y) = self.coordinates();
        let canonical = format!(
            r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
            self.curve.name(),
            b64::encode(x),
            b64::encode(y)
        );
        sha256(canonical.as_bytes())
    }

    /// The JWK thumbprint in base64url.
    pub fn thumbprint_b64(&self) -> String {
        b64::encode(self.thumbprint())
    }

    /// Verifies a JOSE signature `r || s` over `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.parsed
            .verify_sig(message, signature)
            .map_err(|_| BadSignature)
    }

    /// Verifies a DER signature over `message`, made with `hash`: X.509 lets
    /// curve and hash be paired freely.
    pub fn verify_der(
        &self,
        hash: HashAlg,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let algorithm = match (self.curve, hash) {
            (Curve::P256, HashAlg::Sha256) => &ECDSA_P256_SHA256_ASN1,
            (Curve::P256, HashAlg::Sha384) => &ECDSA_P256_SHA384_ASN1,
            (Curve::P384, HashAlg::Sha256) => &ECDSA_P384_SHA256_ASN1,
            (Curve::P384, HashAlg::Sha384) => &ECDSA_P384_SHA384_ASN1,
            (Curve::P521, HashAlg::Sha256) => &ECDSA_P521_SHA256_ASN1,
            (Curve::P521, HashAlg::Sha384) => &ECDSA_P521_SHA384_ASN1,
            (Curve::P521, HashAlg::Sha512) => &ECDSA_P521_SHA512_ASN1,
            (Curve::P256 | Curve::P384, HashAlg::Sha512) => return Err(BadSignature),
        };
        UnparsedPublicKey::new(algorithm, &self.point)
            .verify(message, signature)
            .map_err(|_| BadSignature)
    }

    fn coordinates(&self) -> (&[u8], &[u8]) {
        self.point
            .get(1..)
            .unwrap_or_default()
            .split_at(self.curve.field_len())
    }
}

fn fixed(curve: Curve) -> &'static EcdsaVerificationAlgorithm {
    match curve {
        Curve::P256 => &ECDSA_P256_SHA256_FIXED,
        Curve::P384 => &ECDSA_P384_SHA384_FIXED,
        Curve::P521 => &ECDSA_P521_SHA512_FIXED,
    }
}

/// Everything of a DER SubjectPublicKeyInfo that comes before the point. DER has
/// one encoding only, so comparing bytes is parsing.
fn spki_prefix(curve: Curve) -> &'static [u8] {
    match curve {
        Curve::P256 => &[
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
            0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ],
        Curve::P384 => &[
            0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
            0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
        ],
        Curve::P521 => &[
            0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
            0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00,
        ],
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.curve == other.curve && self.point == other.point
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.curve.hash(state);
        self.point.hash(state);
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({}, {})", self.curve, self.thumbprint_b64())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (x, y) = self.coordinates();
        let mut jwk = serializer.serialize_struct("jwk", 4)?;
        jwk.serialize_field("kty", "EC")?;
        jwk.serialize_field("crv", self.curve.name())?;
        jwk.serialize_field("x", &b64::encode(x))?;
        jwk.serialize_field("y", &b64::encode(y))?;
        jwk.end()
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let jwk = Value::deserialize(deserializer)?;
        Self::from_jwk(&jwk).map_err(serde::de::Error::custom)
    }
}
