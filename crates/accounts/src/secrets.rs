//! Random values, and what is kept of them.

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::Error;

/// What authenticators know an account by: random, so that it says nothing.
pub(crate) fn new_handle() -> Result<Uuid, Error> {
    Ok(uuid::Builder::from_random_bytes(random::<16>()?).into_uuid())
}

/// What a browser shows to be known again: 256 random bits, base64url. The store has
/// its hash alone, so that a copy of the database signs in nobody.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new one.
    pub(crate) fn new() -> Result<Self, Error> {
        let bytes = Zeroizing::new(random::<32>()?);
        Ok(Self(Zeroizing::new(jose::b64::encode(bytes.as_slice()))))
    }

    /// As it came from outside.
    pub fn read(text: &str) -> Self {
        Self(Zeroizing::new(text.chars().take(64).collect()))
    }

    /// As it goes into a cookie or into a ceremony's name.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Its hash under a use's label.
    pub(crate) fn hash(&self, label: &'static str) -> [u8; 32] {
        let text = Zeroizing::new(format!("{label}\0{}", self.0.as_str()));
        jose::sha256(text.as_bytes())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The uses of a token, each with a hash of its own.
pub(crate) mod label {
    pub(crate) const CEREMONY: &str = "claviger ceremony 1";
    pub(crate) const SIGN_IN: &str = "claviger sign-in 1";
    pub(crate) const FORM: &str = "claviger form 1";
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}
