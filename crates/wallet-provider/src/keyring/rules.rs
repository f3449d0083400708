//! The rules that a chain for one of the provider's own keys can break, beside those
//! of its certificate profile.

finding::rules! {
    KEY = "WP-SEAL-KEY", "Claviger keys, 2", Error,
        "the first certificate of a chain is of the key that signs";
    CHAIN = "WP-SEAL-CHAIN", "RFC 7515, 4.1.6", Error,
        "each certificate of a chain is certified by the one after it";
    START = "WP-SEAL-START", "Claviger keys, 3", Error,
        "a key starts while its certificate is valid";
}
