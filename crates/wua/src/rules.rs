//! The rules that attestations and proofs are held to.

finding::rules! {
    // The Wallet Instance Attestation.
    WIA_SIZE = "WIA-SIZE", "Claviger, limits of input", Error,
        "a WIA is not longer than the reader's limit";
    WIA_FORMAT = "WIA-FORMAT", "TS3 v1.5.2, 2.1; RFC 7519, 7.2", Error,
        "a WIA is a well-formed JWT, no member of which stands twice";
    WIA_TYP = "WIA-TYP", "draft-ietf-oauth-attestation-based-client-auth-10, 4", Error,
        "the header's typ is oauth-client-attestation+jwt";
    WIA_ALG = "WIA-ALG", "TS3 v1.5.2, 2.6", Error,
        "a WIA is signed with ES256, ES384 or ES512";
    WIA_CRIT = "WIA-CRIT", "RFC 7515, 4.1.11", Error,
        "no critical header extension is left that the reader does not process";
    WIA_X5C = "WIA-X5C", "TS3 v1.5.2, 2.2.1.2", Error,
        "x5c carries the signing certificate, and no more certificates than the reader's limit";
    WIA_SIGNATURE = "WIA-SIGNATURE", "TS3 v1.5.2, 2.2.1.2", Error,
        "the signature verifies under the key of the signing certificate";
    WIA_ISS = "WIA-ISS", "draft-ietf-oauth-attestation-based-client-auth-07, 5.1", Error,
        "under draft 07, iss names the issuer";
    WIA_SUB = "WIA-SUB", "draft-ietf-oauth-attestation-based-client-auth-10, 4", Error,
        "sub is there, and equals the request's client_id where there is one";
    WIA_IAT = "WIA-IAT", "draft-ietf-oauth-attestation-based-client-auth-10, 4", Error,
        "iat, where present, is a time that does not lie in the future";
    WIA_NBF = "WIA-NBF", "draft-ietf-oauth-attestation-based-client-auth-07, 5.1", Error,
        "a WIA with nbf is not used before it";
    WIA_EXP = "WIA-EXP", "draft-ietf-oauth-attestation-based-client-auth-10, 4", Error,
        "exp is there and is a time";
    WIA_EXPIRED = "WIA-EXPIRED", "TS3 v1.5.2, 2.2.1.2", Error,
        "a WIA past its exp is not used";
    WIA_LIFETIME = "WIA-LIFETIME", "TS3 v1.5.2, 2.2.1.1", Error,
        "exp lies less than 24 hours after the check of the wallet instance";
    WIA_CNF = "WIA-CNF", "draft-ietf-oauth-attestation-based-client-auth-10, 4", Error,
        "cnf holds a jwk: a public key for ES256, ES384 or ES512";
    WIA_CNF_PRIVATE = "WIA-CNF-PRIVATE", "draft-ietf-oauth-attestation-based-client-auth-10, 7.1", Error,
        "the key in cnf is not a private key";
    WIA_WALLET_NAME = "WIA-WALLET-NAME", "TS3 v1.5.2, 2.3.1", Error,
        "wallet_name is the identifier of the wallet solution on the wallet provider list";
    WIA_WALLET_VERSION = "WIA-WALLET-VERSION", "TS3 v1.5.2, 2.3.1", Error,
        "wallet_version is the version of the wallet solution";
    WIA_WALLET_LINK = "WIA-WALLET-LINK", "TS3 v1.5.2, 2.3.1", Error,
        "wallet_link, where present, is a URI";
    WIA_WALLET_LINK_ABSENT = "WIA-WALLET-LINK-ABSENT", "TS3 v1.5.2, 2.3.1", Note,
        "wallet_link should be there";
    WIA_CERTIFICATION = "WIA-CERTIFICATION", "TS3 v1.5.2, 2.3.1", Error,
        "wallet_solution_certification_information is there";
    WIA_STATUS = "WIA-STATUS", "TS3 v1.5.2, 2.3.1", Error,
        "client_status refers to one entry of a status list";
    WIA_STATUS_EXP = "WIA-STATUS-EXP", "TS3 v1.5.2, 2.4.1", Error,
        "client_status says until when the status is maintained";
    WIA_STATUS_PERIOD = "WIA-STATUS-PERIOD", "TS3 v1.5.2, 2.4.2", Error,
        "client_status.exp lies at least 31 days ahead when the WIA is shown";

    // Its proof of possession.
    POP_SIZE = "WIA-POP-SIZE", "Claviger, limits of input", Error,
        "a proof of possession is not longer than the reader's limit";
    POP_FORMAT = "WIA-POP-FORMAT", "draft-ietf-oauth-attestation-based-client-auth-10, 5.1", Error,
        "a proof of possession is a well-formed JWT, no member of which stands twice";
    POP_TYP = "WIA-POP-TYP", "draft-ietf-oauth-attestation-based-client-auth-10, 5.1", Error,
        "the header's typ is oauth-client-attestation-pop+jwt";
    POP_ALG = "WIA-POP-ALG", "TS3 v1.5.2, 2.6", Error,
        "a proof of possession is signed with ES256, ES384 or ES512, as the key in cnf demands";
    POP_CRIT = "WIA-POP-CRIT", "RFC 7515, 4.1.11", Error,
        "no critical header extension is left that the reader does not process";
    POP_SIGNATURE = "WIA-POP-SIGNATURE", "TS3 v1.5.2, 2.2.1.2", Error,
        "the signature verifies under the key in the WIA's cnf";
    POP_ISS = "WIA-POP-ISS", "draft-ietf-oauth-attestation-based-client-auth-07, 5.2", Error,
        "under draft 07, iss equals the WIA's sub";
    POP_AUD = "WIA-POP-AUD", "draft-ietf-oauth-attestation-based-client-auth-10, 7.2", Error,
        "aud is the identifier of the server the proof is shown to, and of no other";
    POP_JTI = "WIA-POP-JTI", "draft-ietf-oauth-attestation-based-client-auth-10, 5.1", Error,
        "jti is there, and of a bounded length";
    POP_IAT = "WIA-POP-IAT", "draft-ietf-oauth-attestation-based-client-auth-10, 5.1", Error,
        "iat is there and is a time";
    POP_WINDOW = "WIA-POP-WINDOW", "draft-ietf-oauth-attestation-based-client-auth-10, 7.2", Error,
        "the proof was made within the accepted window";
    POP_NBF = "WIA-POP-NBF", "draft-ietf-oauth-attestation-based-client-auth-07, 5.2", Error,
        "a proof with nbf is not used before it";
    POP_CHALLENGE = "WIA-POP-CHALLENGE", "draft-ietf-oauth-attestation-based-client-auth-10, 7.2", Error,
        "the challenge is the one the server gave, where it gave one";

    // The Key Attestation.
    KA_SIZE = "KA-SIZE", "Claviger, limits of input", Error,
        "a KA is not longer than the reader's limit";
    KA_FORMAT = "KA-FORMAT", "TS3 v1.5.2, 2.1; RFC 7519, 7.2", Error,
        "a KA is a well-formed JWT, no member of which stands twice";
    KA_TYP = "KA-TYP", "OpenID4VCI 1.0, D.1", Error,
        "the header's typ is key-attestation+jwt";
    KA_ALG = "KA-ALG", "TS3 v1.5.2, 2.6", Error,
        "a KA is signed with ES256, ES384 or ES512";
    KA_CRIT = "KA-CRIT", "RFC 7515, 4.1.11", Error,
        "no critical header extension is left that the reader does not process";
    KA_X5C = "KA-X5C", "TS3 v1.5.2, 2.2.2.2", Error,
        "x5c carries the signing certificate, and no more certificates than the reader's limit";
    KA_SIGNATURE = "KA-SIGNATURE", "TS3 v1.5.2, 2.2.2.2", Error,
        "the signature verifies under the key of the signing certificate";
    KA_IAT = "KA-IAT", "OpenID4VCI 1.0, D.1", Error,
        "iat is there, is a time, and does not lie in the future";
    KA_EXP = "KA-EXP", "OpenID4VCI 1.0, D.1", Error,
        "exp is there and is a time after iat";
    KA_EXPIRED = "KA-EXPIRED", "OpenID4VCI 1.0, D.1", Error,
        "a KA past its exp is not used";
    KA_NBF = "KA-NBF", "RFC 7519, 4.1.5", Error,
        "a KA with nbf is not used before it";
    KA_KEYS = "KA-KEYS", "TS3 v1.5.2, 2.2.2.1", Error,
        "attested_keys is an array of at least one key";
    KA_KEYS_MANY = "KA-KEYS-MANY", "Claviger, limits of input", Error,
        "attested_keys holds no more keys than the reader's limit";
    KA_KEY = "KA-KEY", "TS3 v1.5.2, 2.6; RFC 7517", Error,
        "each attested key is a public key for ES256, ES384 or ES512";
    KA_KEY_PRIVATE = "KA-KEY-PRIVATE", "OpenID4VCI 1.0, F.4", Error,
        "no attested key is a private key";
    KA_KEY_REPEATED = "KA-KEY-REPEATED", "TS3 v1.5.2, 2.2.2.1", Error,
        "each attested key stands there once";
    KA_STORAGE = "KA-STORAGE", "OpenID4VCI 1.0, D.1", Error,
        "key_storage, where present, is a non-empty array of strings";
    KA_USER_AUTH = "KA-USER-AUTH", "OpenID4VCI 1.0, D.1", Error,
        "user_authentication, where present, is a non-empty array of strings";
    KA_LEVEL_ABSENT = "KA-LEVEL-ABSENT", "TS3 v1.5.2, 2.3.2", Warning,
        "key_storage and user_authentication say what attack potential is resisted";
    KA_CERTIFICATION = "KA-CERTIFICATION", "TS3 v1.5.2, 2.3.2", Error,
        "certification links to what the WSCD or keystore was certified for";
    KA_NONCE = "KA-NONCE", "TS3 v1.5.2, 2.2.2.2", Error,
        "in an attestation proof, nonce is the c_nonce the issuer gave";
    KA_STATUS = "KA-STATUS", "TS3 v1.5.2, 2.3.2", Error,
        "key_storage_status refers to one entry of a status list";
    KA_STATUS_EXP = "KA-STATUS-EXP", "TS3 v1.5.2, 2.4.1", Error,
        "key_storage_status says until when the status is maintained";
    KA_STATUS_PERIOD = "KA-STATUS-PERIOD", "TS3 v1.5.2, 2.4.2", Error,
        "key_storage_status.exp lies at least 31 days ahead when the KA is shown";

    // The proofs a KA travels in.
    PROOF_ONE = "PROOF-ONE", "OpenID4VCI 1.0, F", Error,
        "an attestation proof is an array of exactly one KA, a jwt proof of exactly one JWT";
    PROOF_SIZE = "PROOF-SIZE", "Claviger, limits of input", Error,
        "a jwt proof is not longer than the reader's limit";
    PROOF_FORMAT = "PROOF-FORMAT", "OpenID4VCI 1.0, F.1", Error,
        "a jwt proof is a well-formed JWT, no member of which stands twice";
    PROOF_TYP = "PROOF-TYP", "OpenID4VCI 1.0, F.1", Error,
        "the header's typ is openid4vci-proof+jwt";
    PROOF_ALG = "PROOF-ALG", "TS3 v1.5.2, 2.6", Error,
        "a jwt proof is signed with ES256, ES384 or ES512, as its key demands";
    PROOF_CRIT = "PROOF-CRIT", "RFC 7515, 4.1.11", Error,
        "no critical header extension is left that the reader does not process";
    PROOF_KEY_ATTESTATION = "PROOF-KEY-ATTESTATION", "TS3 v1.5.2, 2.2.2", Error,
        "the header's key_attestation carries the KA";
    PROOF_KEY = "PROOF-KEY", "OpenID4VCI 1.0, F.1 and F.4", Error,
        "a key that the header names is public and is the attested key the proof is signed with";
    PROOF_SIGNATURE = "PROOF-SIGNATURE", "TS3 v1.5.2, 2.2.2.2", Error,
        "the signature verifies under the key at index 0 of attested_keys";
    PROOF_AUD = "PROOF-AUD", "OpenID4VCI 1.0, F.1", Error,
        "aud is the credential issuer's identifier";
    PROOF_ISS = "PROOF-ISS", "OpenID4VCI 1.0, F.1", Error,
        "iss, where present, is the client_id of the client";
    PROOF_IAT = "PROOF-IAT", "OpenID4VCI 1.0, F.1", Error,
        "iat is there and is a time";
    PROOF_WINDOW = "PROOF-WINDOW", "OpenID4VCI 1.0, F.4", Error,
        "the proof was made within the accepted window";
    PROOF_NONCE = "PROOF-NONCE", "TS3 v1.5.2, 2.2.2.2", Error,
        "nonce is the c_nonce the issuer gave";
    PROOF_KA_NONCE = "PROOF-KA-NONCE", "OpenID4VCI 1.0, F.1", Error,
        "by the letter of OpenID4VCI, the KA in a jwt proof carries the c_nonce too";

    // The association of keys.
    ASSOC_FORMAT = "ASSOC-FORMAT", "docs/protocols/wsca.md, 12; RFC 7519, 7.2", Error,
        "an association is a bounded, signed JWT without critical extensions";
    ASSOC_TYP = "ASSOC-TYP", "ARF 3.0, ACP_01; docs/decisions/0008", Error,
        "an association has a typ of its own, so that no user key and no other statement makes one";
    ASSOC_ALG = "ASSOC-ALG", "TS3 v1.5.2, 2.6", Error,
        "an association is signed with ES256, ES384 or ES512";
    ASSOC_X5C = "ASSOC-X5C", "ARF 3.0, ACP_05", Error,
        "an association carries its signer's chain, to be found on the list of wallet providers";
    ASSOC_SIGNATURE = "ASSOC-SIGNATURE", "ARF 3.0, ACP_05", Error,
        "the signature verifies under the wallet provider's key";
    ASSOC_CLAIMS = "ASSOC-CLAIMS", "docs/protocols/wsca.md, 12", Error,
        "an association names who states it";
    ASSOC_AUD = "ASSOC-AUD", "docs/protocols/wsca.md, 12", Error,
        "an association is read by the one it was made for alone";
    ASSOC_NONCE = "ASSOC-NONCE", "docs/protocols/wsca.md, 12", Error,
        "an association answers the nonce that its reader gave";
    ASSOC_TIMES = "ASSOC-TIMES", "docs/protocols/wsca.md, 12", Error,
        "an association is good for five minutes at most, and these are not over";
    ASSOC_KEYS = "ASSOC-KEYS", "ARF 3.0, ACP_01, ACP_05", Error,
        "an association names two or more keys, each once, the two that are asked after among them";
}
