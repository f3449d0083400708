//! A key of the targets' own, to sign what is otherwise never read.

use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use jose::{Curve, Map, PublicKey, SignError, Signer, jws};

/// The key. Its value does not matter: nothing of it stays in a corpus.
#[allow(clippy::expect_used)]
pub(crate) static KEY: LazyLock<Key> = LazyLock::new(|| {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let public = PublicKey::from_point(Curve::P256, pair.public_key().as_ref()).expect("a point");
    Key { pair, public }
});

#[derive(Debug)]
pub(crate) struct Key {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

#[async_trait]
impl Signer for Key {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.pair
            .sign(&SystemRandom::new(), message)
            .map(|signature| signature.as_ref().to_vec())
            .map_err(|_| SignError::Refused("the library failed".into()))
    }
}

/// The bytes as the payload of a JWS with this `typ` and a one-certificate `x5c`.
pub(crate) fn jwt(typ: &str, payload: &[u8]) -> Option<String> {
    let mut header = Map::new();
    header.insert("typ".into(), typ.into());
    header.insert("kid".into(), KEY.public.thumbprint_b64().into());
    header.insert("x5c".into(), vec!["MAA="].into());
    ready(jws::sign(header, payload, &*KEY))?.ok()
}

/// The bytes as what is signed in a certificate, a CRL or an OCSP response:
/// `SEQUENCE { bytes, ecdsa-with-SHA256, signature }`.
pub(crate) fn der(tbs: &[u8]) -> Option<Vec<u8>> {
    let signature = ready(KEY.sign(tbs))?.ok()?;
    let signature = jose::ecdsa_to_der(&signature)?;
    let algorithm = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let parts = [
        tbs.to_vec(),
        element(0x30, &element(6, &algorithm)),
        element(3, &[&[0], signature.as_slice()].concat()),
    ];
    Some(element(0x30, &parts.concat()))
}

/// One DER element.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = content.len().to_be_bytes();
    let digits: Vec<u8> = len.into_iter().skip_while(|digit| *digit == 0).collect();
    let mut element = vec![tag];
    match (content.len(), u8::try_from(digits.len())) {
        (short, _) if short < 0x80 => element.push(digits.first().copied().unwrap_or_default()),
        (_, count) => {
            element.push(0x80 | count.unwrap_or_default());
            element.extend(digits);
        }
    }
    element.extend_from_slice(content);
    element
}

/// What a future says that has nothing to wait for.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
