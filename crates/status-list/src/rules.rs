//! The rules a status list token is held to.

finding::rules! {
    SIZE = "SL-SIZE", "Claviger, limits of input", Error,
        "a status list token is not longer than the reader's limit";
    FORMAT = "SL-FORMAT", "draft-ietf-oauth-status-list-20, 5.1, 5.2; RFC 7519, 7.2; RFC 8392, 7.2", Error,
        "a status list token is a well-formed JWT in JWS compact form, or CWT in a tagged COSE_Sign1";
    TYP = "SL-TYP", "draft-ietf-oauth-status-list-20, 5.1, 5.2", Error,
        "the protected header's typ is statuslist+jwt, or application/statuslist+cwt in a CWT";
    ALG = "SL-ALG", "TS3 v1.5.2, 2.6", Error,
        "the token is signed with ES256, ES384 or ES512";
    CRIT = "SL-CRIT", "RFC 7515, 4.1.11; RFC 9052, 3.1", Error,
        "no critical header extension is left that the reader does not process";
    X5C = "SL-X5C", "RFC 7515, 4.1.6; RFC 9360, 2", Error,
        "x5c or x5chain, where present, holds certificates, at least one";
    SIGNATURE = "SL-SIGNATURE", "draft-ietf-oauth-status-list-20, 5.1, 5.2", Error,
        "the signature verifies under the status issuer's key";
    SUB = "SL-SUB", "draft-ietf-oauth-status-list-20, 8.3", Error,
        "sub equals the uri that the referenced token names";
    IAT = "SL-IAT", "draft-ietf-oauth-status-list-20, 5.1, 5.2", Error,
        "iat is there, is a time, and does not lie in the future";
    EXP = "SL-EXP", "draft-ietf-oauth-status-list-20, 5.1, 5.2", Error,
        "exp, where present, is a time after iat";
    EXPIRED = "SL-EXPIRED", "draft-ietf-oauth-status-list-20, 8.3", Error,
        "a token past its exp is not used";
    TTL = "SL-TTL", "draft-ietf-oauth-status-list-20, 5.1, 5.2", Error,
        "ttl, where present, is a positive number, and in a CWT a whole one";
    NBF = "SL-NBF", "RFC 7519, 4.1.5; RFC 8392, 3.1.5", Error,
        "a token with nbf is not used before it";
    UNBOUNDED = "SL-UNBOUNDED", "draft-ietf-oauth-status-list-20, 5.1, 5.2", Warning,
        "exp and ttl are recommended: a token with neither never grows old by itself";
    LIST = "SL-LIST", "draft-ietf-oauth-status-list-20, 4.2, 4.3", Error,
        "status_list has bits 1, 2, 4 or 8 and lst in zlib, which JSON carries in base64url";
    LIST_SIZE = "SL-LIST-SIZE", "Claviger, limits of input", Error,
        "a list does not decompress to more than the reader's limit";
    AGGREGATION = "SL-AGGREGATION", "draft-ietf-oauth-status-list-20, 4.2, 4.3", Error,
        "aggregation_uri, where present, is a URI";
    REFERENCE = "SL-REFERENCE", "draft-ietf-oauth-status-list-20, 6.2", Error,
        "a status reference has a non-negative integer idx and an absolute uri";
    INDEX = "SL-INDEX", "draft-ietf-oauth-status-list-20, 8.3", Error,
        "an index out of the list's bounds is refused";
}
