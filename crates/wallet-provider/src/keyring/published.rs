//! What others may know of the provider's keys: the key set at `jwks`, and how long
//! each certificate lasts.

use jiff::SignedDuration;
use jose::b64;
use serde_json::{Value, json};

use super::{CertificateState, Generation, Seals};
use crate::WalletProvider;

/// How much longer than what it signed a key is published: a node whose clock is
/// behind may have signed with it a little later.
const LINGERS: SignedDuration = SignedDuration::from_hours(24);

impl WalletProvider {
    /// The public keys under which attestations and status lists of this provider are
    /// to be verified now, as a JWK set (RFC 7517): those that sign, those that come
    /// next, and those whose work has not all ended. Answer keys are not among them:
    /// they vouch for no attestation.
    pub fn jwks(&self) -> Value {
        let now = self.clock.now();
        let set = self.keys.set();
        let mut keys: Vec<Value> = Vec::new();
        for generation in set.generations.iter() {
            let live = set
                .generations
                .last_use(generation, now, |what| self.lasts(what) + LINGERS);
            if live.is_some_and(|last| now <= last) {
                keys.push(jwk(generation));
            }
        }
        json!({ "keys": keys })
    }

    /// The provider's certificates and how they stand.
    pub fn certificates(&self) -> Vec<CertificateState> {
        self.keys.set().generations.certificates(self.clock.now())
    }

    /// How long what is sealed lasts at most.
    fn lasts(&self, what: Seals) -> SignedDuration {
        match what {
            Seals::Wia => self.config.wia_lifetime,
            Seals::Ka => self.config.ka_lifetime,
            Seals::Status => self.config.list_lifetime,
        }
    }
}

fn jwk(generation: &Generation) -> Value {
    let seal = generation.seal();
    let key = seal.signer.public_key();
    let mut jwk = key.to_jwk();
    let chain: Vec<String> = seal.chain.iter().map(b64::encode_std).collect();
    if let Some(members) = jwk.as_object_mut() {
        members.insert("kid".into(), key.thumbprint_b64().into());
        members.insert("use".into(), "sig".into());
        members.insert("alg".into(), key.algorithm().name().into());
        members.insert("x5c".into(), chain.into());
    }
    jwk
}
