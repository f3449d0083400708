//! The rules a counterpart is held to: registration certificates (`WRPRC-…`) and
//! what is said with them (`WRP-…`).

finding::rules! {
    // The token.
    SIZE = "WRPRC-SIZE", "Claviger, limits", Error,
        "a registration certificate is of at most 128 KiB, and names at most 2000 claims";
    FORM = "WRPRC-FORM", "ETSI TS 119 475 v1.2.1, GEN-5.2.1-01", Error,
        "a registration certificate is a signed JWT or CWT, without duplicate members";
    TYP = "WRPRC-TYP", "ETSI TS 119 475 v1.2.1, GEN-5.2.2-01 and GEN-5.2.3-01 (typ)", Error,
        "typ is rc-wrp+jwt in a JWT and rc-wrp+cwt in a CWT";
    ALG = "WRPRC-ALG", "ETSI TS 119 475 v1.2.1, GEN-5.2.2-01 and GEN-5.2.3-01 (alg)", Error,
        "alg names ES256, ES384 or ES512, and the key is for it";
    X5C = "WRPRC-X5C", "ETSI TS 119 475 v1.2.1, GEN-5.2.2-01 (x5c) and GEN-5.2.3-01 (x5chain)", Error,
        "the header carries the certificates of the signer, the signer's first";
    SIGNATURE = "WRPRC-SIGNATURE", "ETSI TS 119 475 v1.2.1, GEN-5.2.1-03", Error,
        "the signature verifies under the first certificate";
    JADES_TIME = "WRPRC-JADES-TIME", "ETSI TS 119 475 v1.2.1, GEN-5.2.1-04; ETSI TS 119 182-1, 5.1.11 and 6.3", Error,
        "the header of a JWT says when it was signed: iat, or before 2025-07-15 sigT, and the certificate was valid then";
    JADES_DIGEST = "WRPRC-JADES-DIGEST", "ETSI TS 119 475 v1.2.1, GEN-5.2.1-04; ETSI TS 119 182-1, 5.1.7 and 6.3", Error,
        "the header of a JWT has one digest of the signer's certificate";
    JADES_CRIT = "WRPRC-JADES-CRIT", "ETSI TS 119 475 v1.2.1, GEN-5.2.1-04; ETSI TS 119 182-1, 5.1.9", Error,
        "crit is well-formed, and names nothing that is not understood";

    // Its claims.
    SUB = "WRPRC-SUB", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-02, GEN-5.1.3-03 and GEN-5.1.5-03", Error,
        "sub is the party's identifier: a legal person's by EN 319 412-1, 5.1.4, a natural person's by 5.1.3";
    PERSON = "WRPRC-PERSON", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-01, Table 7 (sub_ln, sub_gn, sub_fn)", Error,
        "the subject is a legal person with sub_ln, or a natural one with sub_gn and sub_fn";
    NAME = "WRPRC-NAME", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-01, Table 7 (name); ARF RPRC_06", Warning,
        "name is the trade name, to be shown to the user";
    COUNTRY = "WRPRC-COUNTRY", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-01, Table 7 (country); B.2.2", Error,
        "country is a country's two letters, or EU";
    REGISTRY = "WRPRC-REGISTRY", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-01, Table 7 (registry_uri)", Error,
        "registry_uri is the URL of the national register's API";
    SERVICE_DESCRIPTION = "WRPRC-SERVICE-DESCRIPTION", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-01, Table 7 (srv_description)", Error,
        "srv_description describes the services: an array of arrays of lang and value";
    SERVICE_ID = "WRPRC-SERVICE-ID", "ARF RPRC_07a", Error,
        "an identifier of the service, where there is one, is a text";
    ENTITLEMENTS = "WRPRC-ENTITLEMENTS", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-03", Error,
        "entitlements has at least one of those of A.2";
    ENTITLEMENT_UNKNOWN = "WRPRC-ENTITLEMENT-UNKNOWN", "ETSI TS 119 475 v1.2.1, 4.2 and A.2", Warning,
        "each entitlement is one that is known here; another grants nothing";
    SUB_ENTITLEMENTS = "WRPRC-SUB-ENTITLEMENTS", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-04", Error,
        "where there is a sub-entitlement of A.3, there is one of A.3.1";
    PRIVACY_POLICY = "WRPRC-PRIVACY-POLICY", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-01, Table 7 (privacy_policy); B.2.7", Error,
        "privacy_policy is a URL; a service provider has one";
    INFO = "WRPRC-INFO-URI", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-01, Table 7 (info_uri)", Error,
        "info_uri, where it is there, is a URL";
    SUPPORT = "WRPRC-SUPPORT-URI", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-01, Table 7 (support_uri); ARF RPRC_11", Error,
        "support_uri is a URL, e-mail address or telephone number for users who want their data deleted";
    AUTHORITY = "WRPRC-SUPERVISORY-AUTHORITY", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-01, Table 7 (supervisory_authority); ARF RPRC_12", Error,
        "supervisory_authority has an e-mail address, a telephone number or a URL of the data protection authority";
    POLICY = "WRPRC-POLICY", "ETSI TS 119 475 v1.2.1, OVR-6.1.3-01 and GEN-6.2.6.1-02", Error,
        "policy_id has the policy of registration certificates, 0.4.0.19475.3.1";
    POLICY_URL = "WRPRC-CERTIFICATE-POLICY", "ETSI TS 119 475 v1.2.1, OVR-6.1.3-02 and Table 7 (certificate_policy)", Error,
        "certificate_policy is the URL of the policy and practice statement";
    IAT = "WRPRC-IAT", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-01, Table 7 (iat)", Error,
        "iat is a time, and not in the future";
    EXP = "WRPRC-EXP", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-07, Table 10 (exp)", Error,
        "exp, where it is there, is a time after iat";
    TWELVE_MONTHS = "WRPRC-TWELVE-MONTHS", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-08", Error,
        "exp is at most twelve months after iat";
    EXPIRED = "WRPRC-EXPIRED", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-07, Table 10 (exp)", Error,
        "a registration certificate is not used past its exp, nor before its nbf";
    STATUS = "WRPRC-STATUS", "ETSI TS 119 475 v1.2.1, GEN-6.2.6.1-04 and REV-6.2.6.2-03", Error,
        "status names a status list and an index in it";
    CREDENTIALS = "WRPRC-CREDENTIALS", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-06, Table 9 (credentials)", Error,
        "a service provider's registration has credentials, each with format, meta and well-formed claims";
    PURPOSE = "WRPRC-PURPOSE", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-06, Table 9 (purpose)", Error,
        "a service provider's registration has a purpose: an array of lang and value";
    INTENDED_USE = "WRPRC-INTENDED-USE", "ARF RPRC_05", Warning,
        "who is no service provider has no intended use";
    PROVIDES = "WRPRC-PROVIDES", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-05, Table 8; ARF RPRC_15", Warning,
        "a provider's registration has the attestations it provides, each with format and meta";
    PUBLIC_BODY = "WRPRC-PUBLIC-BODY", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-07, Table 10 (public_body)", Error,
        "public_body, where it is there, is true or false";
    INTERMEDIARY = "WRPRC-INTERMEDIARY", "ETSI TS 119 475 v1.2.1, GEN-5.2.4-07, Table 10 and GEN-5.2.4-09", Error,
        "an intermediary is named by the identifier in its access certificate";
    CWT_CLAIM = "WRPRC-CWT-CLAIM", "IETF RFC 8392, 3.1; ETSI TS 119 475 v1.2.1, 5.2.4", Error,
        "a CWT has the claims of RFC 8392 under their integer keys, and its own under their names";

    // Who it belongs to.
    SAME_PARTY = "WRP-SAME-PARTY", "ETSI TS 119 475 v1.2.1, GEN-5.1.1-02 to -04; ARF RPRC_17a, RPRC_22b", Error,
        "the registration certificate is of the party that the access certificate names by its organizationIdentifier or serialNumber, or names it as the intermediary";
    SAME_SERVICE = "WRP-SAME-SERVICE", "ARF RPRC_17a; Reg_33", Error,
        "the service that the registration certificate names is one of the access certificate";
    SERVICE_NAMES = "WRP-SERVICE-NAMES", "ETSI TS 119 475 v1.2.1, GEN-5.1.1-03, Tables 1 and 3", Warning,
        "trade name, support URI and country are the same in both certificates; where they differ, the identifier alone links them";

    // Statements: signed metadata and request objects.
    STATEMENT_SIZE = "WRP-STATEMENT-SIZE", "Claviger, limits", Error,
        "signed metadata or a request object is of at most 1 MiB, and asks for at most 2000 claims";
    STATEMENT_FORM = "WRP-STATEMENT-FORM", "IETF RFC 7515, 7.1; RFC 9101, 4; OpenID4VCI 1.0, 12.2.3", Error,
        "signed metadata and request objects are compact JWS with JSON claims, without duplicate members";
    STATEMENT_TYP = "WRP-STATEMENT-TYP", "OpenID4VCI 1.0, 12.2.3; OpenID4VP 1.0, 5", Error,
        "typ is openidvci-issuer-metadata+jwt or oauth-authz-req+jwt";
    STATEMENT_ALG = "WRP-STATEMENT-ALG", "OpenID4VC HAIP 1.0, 7; ETSI TS 119 472-2 v1.1.1, 6.2", Error,
        "alg names ES256, ES384 or ES512, and the key is for it";
    STATEMENT_X5C = "WRP-STATEMENT-X5C", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-20 and -21", Error,
        "x5c carries the access certificate first";
    STATEMENT_SIGNATURE = "WRP-STATEMENT-SIGNATURE", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-19", Error,
        "the signature verifies under the access certificate";
    STATEMENT_TIME = "WRP-STATEMENT-TIME", "IETF RFC 7519, 4.1; OpenID4VCI 1.0, 12.2.3", Error,
        "what is signed is used between its iat or nbf and its exp";
    METADATA_ISSUER = "WRP-METADATA-ISSUER", "OpenID4VCI 1.0, 12.2.3 and 12.2.4", Error,
        "sub and credential_issuer are the identifier that the metadata was fetched for";
    METADATA_IAT = "WRP-METADATA-IAT", "OpenID4VCI 1.0, 12.2.3", Error,
        "signed metadata says when it was issued";
    METADATA_CONFIGURATIONS = "WRP-METADATA-CONFIGURATIONS", "OpenID4VCI 1.0, 12.2.4", Error,
        "credential_configurations_supported says of each configuration its format and type";
    REQUEST_IAT = "WRP-REQUEST-IAT", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-22", Error,
        "the header of a request object says when it was signed";
    REQUEST_CLIENT_ID = "WRP-REQUEST-CLIENT-ID", "OpenID4VP 1.0, 5.9.3; ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-15", Error,
        "client_id is that of the certificate: its hash (x509_hash), or a DNS name of it (x509_san_dns)";
    REQUEST_PREFIX = "WRP-REQUEST-PREFIX", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_GEN_REQ-02", Error,
        "the prefix of client_id is x509_hash";
    REQUEST_OUTER = "WRP-REQUEST-OUTER", "IETF RFC 9101, 5; OpenID4VP 1.0, 5", Error,
        "client_id in the request object is the one beside it";
    REQUEST_RESPONSE = "WRP-REQUEST-RESPONSE", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-02 to -04; OpenID4VP 1.0, 5.9.3", Error,
        "response_mode is direct_post.jwt, and response_uri an https URL, of the host of an x509_san_dns client";
    REQUEST_NONCE = "WRP-REQUEST-NONCE", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-14", Error,
        "nonce is there";
    REQUEST_AUD = "WRP-REQUEST-AUD", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-23; OpenID4VP 1.0, 5.8", Error,
        "aud is there, and is the wallet or https://self-issued.me/v2";
    REQUEST_KEYS = "WRP-REQUEST-KEYS", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-10 to -13", Error,
        "client_metadata.jwks has keys, each with use and a kid of its own";
    REQUEST_QUERY = "WRP-REQUEST-QUERY", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-17; OpenID4VP 1.0, 6", Error,
        "dcql_query is there and well-formed";
    REQUEST_FORMAT = "WRP-REQUEST-FORMAT", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_GEN_REQ-03", Error,
        "the formats asked for are dc+sd-jwt, mso_mdoc, x509_attr, jwt_vc_json and vp+jwt";
    INFO_FORM = "WRP-INFO-FORM", "OpenID4VP 1.0, 5.1; ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-05 to -09; TS 119 472-3, 4.2.3", Error,
        "verifier_info and issuer_info are non-empty arrays of format and data; a registration certificate is registration_cert, by value, without credential_ids";
    INFO_ENCODING = "WRP-INFO-ENCODING", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-09", Warning,
        "data in verifier_info is base64url of the registration certificate";
    INFO_ABSENT = "WRP-INFO-ABSENT", "ETSI TS 119 472-2 v1.1.1, OIDFVP-HAIP_COMMON_RO_REQ-06; ARF RPRC_17, RPRC_22a", Warning,
        "a registration certificate is shown; without one, only the register tells what is registered";
    INFO_MANY = "WRP-INFO-MANY", "ARF RPRC_19", Error,
        "a single registration certificate is shown";

    // What may be done.
    NO_INTENDED_USE = "WRP-NO-INTENDED-USE", "ETSI TS 119 475 v1.2.1, 4.2; ARF RPRC_05", Error,
        "who asks for attestations is registered as a service provider";
    SCOPE_CREDENTIAL = "WRP-SCOPE-CREDENTIAL", "ARF RPRC_21; ETSI TS 119 475 v1.2.1, GEN-5.2.4-06", Error,
        "each credential that is asked for is registered, by format and type";
    SCOPE_CLAIM = "WRP-SCOPE-CLAIM", "ARF RPRC_21; ETSI TS 119 475 v1.2.1, GEN-5.2.4-06 (claim)", Error,
        "each attribute that is asked for is registered with its credential";
    SCOPE_VALUES = "WRP-SCOPE-VALUES", "ETSI TS 119 475 v1.2.1, B.2.10 (values)", Error,
        "an attribute that is registered for certain values is asked for with these alone";
    PROVIDER_ENTITLEMENT = "WRP-PROVIDER-ENTITLEMENT", "ARF ISSU_24a and ISSU_34a; ETSI TS 119 475 v1.2.1, A.2", Error,
        "who issues PIDs is entitled as a PID provider, who issues attestations as a provider of a kind of them";
    PROVIDER_ATTESTATION = "WRP-PROVIDER-ATTESTATION", "ARF ISSU_24b, ISSU_34b and RPRC_23; ETSI TS 119 475 v1.2.1, GEN-5.2.4-05", Error,
        "each credential that is offered is registered in provides_attestations, by format and type";
    PROVIDER_WANTED = "WRP-PROVIDER-WANTED", "OpenID4VCI 1.0, 4.1.1", Error,
        "the configuration that is wanted is one of those offered";
}
