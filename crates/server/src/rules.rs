//! The rules of the edge's own answers: what AuthZEN for trust registries asks
//! (draft-johansson-authzen-trust-01) beyond a verdict, and how often may be asked.

finding::rules! {
    RATE = "EDGE-RATE", "Claviger operations 4", Error,
        "an address or an account is asked from no more often than the configuration says";
    AUTHZEN_ACTION = "AUTHZEN-ACTION", "draft-johansson-authzen-trust-01, Action", Error,
        "the question names a role that a list of trusted entities decides: a key is trusted for a role, never for all of them";
    AUTHZEN_KEY = "AUTHZEN-KEY", "draft-johansson-authzen-trust-01, Resource", Error,
        "the question brings the key, with the certificate chain that lists decide by";
    AUTHZEN_NAME = "AUTHZEN-NAME", "draft-johansson-authzen-trust-01, Resource", Error,
        "the leaf certificate bears the subject's name";
}
