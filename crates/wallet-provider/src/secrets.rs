//! Random values, and what is kept of them.

use aws_lc_rs::hmac;
use provider_api::AccountCode;
use zeroize::Zeroizing;

use crate::Error;

/// The secret from which the permutation of each status list is derived. It stays
/// the same as long as one of its lists is open: a list that was opened under
/// another secret is closed, and goes on being published.
pub struct IndexSecret(Zeroizing<[u8; 32]>);

impl IndexSecret {
    /// The secret from its 32 bytes.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The key that permutes the list at `uri`.
    pub(crate) fn permutation_key(&self, uri: &str) -> Zeroizing<[u8; 32]> {
        self.derive("claviger status list permutation 1", uri)
    }

    /// A value that shows whether the list at `uri` was opened under this secret,
    /// and nothing of its key.
    pub(crate) fn check(&self, uri: &str) -> [u8; 8] {
        let mut check = [0; 8];
        let derived = self.derive("claviger status list check 1", uri);
        check
            .iter_mut()
            .zip(derived.iter())
            .for_each(|(to, from)| *to = *from);
        check
    }

    fn derive(&self, label: &str, uri: &str) -> Zeroizing<[u8; 32]> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_slice());
        let tag = hmac::sign(&key, format!("{label}\0{uri}").as_bytes());
        let mut out = Zeroizing::new([0; 32]);
        out.iter_mut()
            .zip(tag.as_ref())
            .for_each(|(to, from)| *to = *from);
        out
    }
}

impl std::fmt::Debug for IndexSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IndexSecret(..)")
    }
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}

/// A challenge: 256 random bits, base64url.
pub(crate) fn challenge() -> Result<String, Error> {
    Ok(jose::b64::encode(random::<32>()?))
}

/// A challenge is kept as its hash, so that a copy of the database answers none.
pub(crate) fn challenge_hash(challenge: &str) -> [u8; 32] {
    labelled_hash("claviger challenge 1", challenge)
}

/// An account's code: 128 random bits.
pub(crate) fn account_code() -> Result<AccountCode, Error> {
    Ok(AccountCode::of(Zeroizing::new(random::<16>()?).as_slice()))
}

fn labelled_hash(label: &str, text: &str) -> [u8; 32] {
    jose::sha256(Zeroizing::new(format!("{label}\0{text}")).as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use provider_api::account_code_hash;

    use super::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = account_code().unwrap();
        assert_eq!(code.text().len(), 39);
        let typed = code.text().to_uppercase().replace('-', " ");
        assert_eq!(account_code_hash(&typed), code.hash());
        assert_ne!(account_code().unwrap().hash(), code.hash());
        let short = code.text().get(..35).unwrap();
        assert_ne!(account_code_hash(short), code.hash());
    }

    #[test]
    fn each_list_has_a_key_of_its_own_that_its_check_does_not_show() {
        let secret = |byte| IndexSecret::new(Zeroizing::new([byte; 32]));
        let (one, two) = (secret(1), secret(2));
        assert_eq!(one.permutation_key("a"), one.permutation_key("a"));
        assert_ne!(one.permutation_key("a"), one.permutation_key("b"));
        assert_ne!(one.check("a"), two.check("a"));
        assert_ne!(
            one.permutation_key("a").get(..8),
            Some(one.check("a").as_slice())
        );
        assert_eq!(format!("{one:?}"), "IndexSecret(..)");
    }
}
