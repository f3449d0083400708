//! What both platforms' chains have in common: certificates from the attested
//! key's up, each signed by the next.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pki::{Certificate, KeyUsages};
use serde::{Deserialize, Deserializer, de};

/// The most bytes of a chain: Android's are about 6 KB, Apple's about 2 KB.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

/// The most certificates in a chain.
pub(crate) const MAX_LEN: usize = 10;

/// A public key that chains may lead to.
#[derive(Clone, PartialEq, Eq)]
pub struct RootKey {
    /// What it is called.
    pub name: String,
    spki: Vec<u8>,
}

impl RootKey {
    /// A root key of this name, as a DER SubjectPublicKeyInfo.
    pub fn new(name: impl Into<String>, spki: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            spki,
        }
    }

    /// One that the house itself knows: its base64 is under test.
    pub(crate) fn known(name: &str, spki: &str) -> Self {
        Self::new(name, STANDARD.decode(spki).unwrap_or_default())
    }

    /// Its DER SubjectPublicKeyInfo.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }
}

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RootKey({})", self.name)
    }
}

/// In a policy: a name and the key's SubjectPublicKeyInfo in base64, or a
/// certificate or public key in PEM.
impl<'de> Deserialize<'de> for RootKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            name: String,
            key: String,
        }
        let Written { name, key } = Written::deserialize(from)?;
        let body: String = key
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .flat_map(str::split_ascii_whitespace)
            .collect();
        let der = STANDARD
            .decode(body)
            .map_err(|error| de::Error::custom(format_args!("root key {name:?}: {error}")))?;
        let spki = if key.contains("BEGIN CERTIFICATE") {
            Certificate::from_der(&der)
                .map_err(|error| de::Error::custom(format_args!("root key {name:?}: {error}")))?
                .spki_der()
                .to_vec()
        } else {
            der
        };
        if x509_cert::spki::SubjectPublicKeyInfoRef::try_from(spki.as_slice()).is_err() {
            return Err(de::Error::custom(format_args!(
                "root key {name:?}: not a SubjectPublicKeyInfo"
            )));
        }
        Ok(Self::new(name, spki))
    }
}

/// A way up to a root key.
pub(crate) struct Way<'a> {
    /// The root key it ends in.
    pub(crate) root: &'a RootKey,
    /// The certificates below the root's own, where the chain has that one.
    pub(crate) below: &'a [Certificate],
}

/// Why there is no way up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoWay {
    /// The certificate at this position is not signed by the next one's key, or
    /// names another issuer.
    Link(usize, String),
    /// The chain ends in no root key that is trusted.
    Root,
}

/// Verifies every signature from the first certificate up to one of the root
/// keys. The root's certificate may be there, expired or not: it is known by its
/// key. It may be missing too.
pub(crate) fn climb<'a>(chain: &'a [Certificate], roots: &'a [RootKey]) -> Result<Way<'a>, NoWay> {
    for (position, pair) in chain.windows(2).enumerate() {
        if let [below, above] = pair {
            link(below, above).map_err(|why| NoWay::Link(position, why))?;
        }
    }
    let (top, rest) = chain.split_last().ok_or(NoWay::Root)?;
    if let Some(root) = roots.iter().find(|root| root.spki == top.spki_der()) {
        // Its own signature protects the rest of it (names, extensions).
        if top.verify_signature(&root.spki).is_err() {
            return Err(NoWay::Link(
                rest.len(),
                "the root's certificate is not signed by its own key".into(),
            ));
        }
        return Ok(Way { root, below: rest });
    }
    let root = roots
        .iter()
        .find(|root| top.verify_signature(&root.spki).is_ok())
        .ok_or(NoWay::Root)?;
    Ok(Way { root, below: chain })
}

fn link(below: &Certificate, above: &Certificate) -> Result<(), String> {
    if !below.issuer_name().matches(&above.subject_name()) {
        return Err(format!(
            "its issuer is {:?}, the next certificate's subject {:?}",
            below.issuer(),
            above.subject()
        ));
    }
    if !below.signature_algorithms_agree() {
        return Err("it states two signature algorithms".into());
    }
    below
        .verify_issued_by(above)
        .map_err(|error| format!("{error} (that of {:?})", above.subject()))
}

/// What keeps a certificate from issuing another with `between` certificates
/// between that one and itself.
pub(crate) fn not_a_ca(certificate: &Certificate, between: usize) -> Option<String> {
    let Some(constraints) = certificate.basic_constraints() else {
        return Some("it has no basicConstraints".into());
    };
    if !constraints.ca {
        return Some("its basicConstraints say that it is no CA".into());
    }
    if constraints
        .path_len_constraint
        .is_some_and(|most| usize::from(most) < between)
    {
        return Some(format!(
            "{between} certificates stand between it and the attested key's, more than its path length allows"
        ));
    }
    certificate.key_usage().and_then(|usage| {
        (!usage.0.contains(KeyUsages::KeyCertSign))
            .then(|| "its keyUsage does not allow to sign certificates".into())
    })
}
