use jose::Signer;
use wua::{KaCheck, Limits, UnverifiedKa, UnverifiedKeyProof, UnverifiedWia, UnverifiedWiaProof};
use wua::{KeyProofCheck, WiaCheck, WiaProofCheck};

use crate::now;
use crate::signed::{KEY, jwt};

/// WIA, KA and the proofs of possession: the bytes as a token, and as the claims
/// of a token whose signature verifies.
pub(crate) fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        read(text);
    }
    for typ in [
        "oauth-client-attestation+jwt",
        "oauth-client-attestation-pop+jwt",
        "key-attestation+jwt",
    ] {
        if let Some(token) = jwt(typ, data) {
            read(&token);
        }
    }
}

fn read(text: &str) {
    let limits = Limits::default();
    let key = KEY.public_key();
    if let Ok(wia) = UnverifiedWia::parse(text, &limits)
        && let Ok(wia) = wia.verify(&WiaCheck::new(key, now()))
        && let Some(pop) = jwt("oauth-client-attestation-pop+jwt", b"{}")
        && let Ok(pop) = UnverifiedWiaProof::parse(&pop, &limits)
    {
        let _ = pop.verify(&WiaProofCheck::new(&wia, "https://issuer.example", now()));
    }
    if let Ok(ka) = UnverifiedKa::parse(text, &limits) {
        let _ = ka.verify(&KaCheck::new(key, now()));
    }
    let _ = UnverifiedWiaProof::parse(text, &limits);
    if let Ok(proof) = UnverifiedKeyProof::parse(text, &limits) {
        let ka = KaCheck::new(key, now());
        let check = KeyProofCheck::new(ka, "https://issuer.example", Some("n"));
        let _ = proof.verify(&check);
    }
}
