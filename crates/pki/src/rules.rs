//! Every rule of this room, with the clause it comes from.

finding::rules! {
    // Every certificate: RFC 5280.
    VERSION = "PKI-VERSION", "RFC 5280, 4.1.2.1", Error,
        "a certificate with extensions is of version 3";
    SERIAL = "PKI-SERIAL", "RFC 5280, 4.1.2.2", Error,
        "the serial number is positive and at most 20 octets long";
    SIGNATURE_FIELDS = "PKI-SIGNATURE-FIELDS", "RFC 5280, 4.1.1.2", Error,
        "the signed and the unsigned signature algorithm are the same";
    VALIDITY_ORDER = "PKI-VALIDITY-ORDER", "RFC 5280, 4.1.2.5", Error,
        "notBefore does not come after notAfter";
    NOT_YET_VALID = "PKI-NOT-YET-VALID", "RFC 5280, 6.1.3 (a)(2)", Error,
        "a certificate is not used before its notBefore";
    EXPIRED = "PKI-EXPIRED", "RFC 5280, 6.1.3 (a)(2)", Error,
        "a certificate is not used after its notAfter";
    SELF_SIGNATURE = "PKI-SELF-SIGNATURE", "RFC 5280, 3.2", Error,
        "a certificate whose issuer is its subject is signed with its own key";
    CRITICAL_MISSING = "PKI-CRITICAL-MISSING", "RFC 5280, 4.2.1", Error,
        "an extension that must be critical is critical";
    ALGORITHM = "PKI-ALGORITHM", "ECCG Agreed Cryptographic Mechanisms v2.0, 5", Error,
        "keys and signature algorithms are agreed mechanisms: ECDSA on P-256 and above or RSA of 3000 bits and above, with SHA-256 and above";

    // EN 319 412-2, for every leaf.
    AKI = "PKI-AKI", "ETSI EN 319 412-2 v2.4.1, GEN-4.3.1-1", Error,
        "a certificate issued by a CA holds the key identifier of its issuer";
    KU_PRESENT = "PKI-KU-PRESENT", "ETSI EN 319 412-2 v2.4.1, NAT-4.3.2-1", Error,
        "the key usage extension is present";
    KU_TYPE = "PKI-KU-TYPE", "ETSI EN 319 412-2 v2.4.1, NAT-4.3.2-1", Error,
        "the key usage is one of the settings A to F of table 1";
    POLICIES = "PKI-POLICIES", "ETSI EN 319 412-2 v2.4.1, GEN-4.3.3-2", Error,
        "a certificate issued by a CA names at least one certificate policy";
    REVOCATION_INFO = "PKI-REVOCATION-INFO", "ETSI EN 319 412-2 v2.4.1, GEN-4.3.11-2", Error,
        "a certificate without an OCSP address and without the validity-assured extension names a CRL distribution point";
    AIA = "PKI-AIA", "ETSI EN 319 412-2 v2.4.1, GEN-4.4.1-2", Error,
        "the Authority Information Access extension is present";
    AIA_CA_ISSUERS = "PKI-AIA-CA-ISSUERS", "ETSI EN 319 412-2 v2.4.1, GEN-4.4.1-3", Error,
        "Authority Information Access names where the issuer's certificate is";
    NOT_CA = "PKI-NOT-CA", "RFC 5280, 4.2.1.9", Error,
        "an end-entity certificate does not say that it is a CA";
    AIA_CA_ISSUERS_HTTP = "PKI-AIA-CA-ISSUERS-HTTP", "ETSI EN 319 412-2 v2.4.1, GEN-4.4.1-4", Error,
        "at least one of these addresses is an http or https one";
    CRL_ADDRESS = "PKI-CRL-ADDRESS", "ETSI EN 319 412-2 v2.4.1, GEN-4.3.11-4", Error,
        "at least one of the CRL distribution points' addresses is an http or ldap one";
    OCSP_ADDRESS = "PKI-OCSP-ADDRESS", "ETSI EN 319 412-2 v2.4.1, GEN-4.4.1-6", Error,
        "at least one of the OCSP responders' addresses is an http or https one";
    CA_EXTENSION = "PKI-CA-EXTENSION", "ETSI EN 319 412-2 v2.4.1, GEN-4.3.4-1, GEN-4.3.8-1, GEN-4.3.9-1 and GEN-4.3.12-1", Error,
        "an end entity has no policy mappings, name constraints, policy constraints or inhibitAnyPolicy";
    NEVER_CRITICAL = "PKI-NEVER-CRITICAL", "ETSI EN 319 412-2 v2.4.1, GEN-4.3.5-1, GEN-4.3.6-1, GEN-4.3.10-1 and GEN-4.3.11-5", Error,
        "alternative names, extended key usage and CRL distribution points are not critical";
    ISSUER_NAME = "PKI-ISSUER-NAME", "ETSI EN 319 412-2 v2.4.1, GEN-4.2.3.1-2 and GEN-4.2.3.2-2", Error,
        "the issuer's name holds countryName, organizationName and commonName; of a natural person serialNumber and its own name in place of the organization's";
    ISSUER_ONE_EACH = "PKI-ISSUER-ONE-EACH", "ETSI EN 319 412-2 v2.4.1, GEN-4.2.3.1-5 and GEN-4.2.3.2-3", Error,
        "the issuer's name holds only one of each of these attributes";
    ISSUER_IDENTIFIER = "PKI-ISSUER-IDENTIFIER", "ETSI EN 319 412-2 v2.4.1, GEN-4.2.3.1-3 and GEN-4.2.3.1-8", Error,
        "an issuer's organizationIdentifier differs from the organization's name";

    // EN 319 412-2, 4.2.4: natural persons.
    NAT_COUNTRY = "PKI-NAT-COUNTRY", "ETSI EN 319 412-2 v2.4.1, NAT-4.2.4-1", Error,
        "a natural person's subject holds countryName";
    NAT_PERSON_NAME = "PKI-NAT-PERSON-NAME", "ETSI EN 319 412-2 v2.4.1, NAT-4.2.4-1 and NAT-4.2.4-4", Error,
        "a natural person's subject holds givenName or surname, or else pseudonym";
    NAT_COMMON_NAME = "PKI-NAT-COMMON-NAME", "ETSI EN 319 412-2 v2.4.1, NAT-4.2.4-1", Error,
        "a natural person's subject holds commonName";
    NAT_ONE_EACH = "PKI-NAT-ONE-EACH", "ETSI EN 319 412-2 v2.4.1, NAT-4.2.4-3", Error,
        "a natural person's subject holds only one countryName and one commonName";
    NAT_IDENTIFIER_FORM = "PKI-NAT-IDENTIFIER-FORM", "ETSI EN 319 412-1 v1.5.1, NAT-5.1.3-02 and -03", Warning,
        "a natural person's serialNumber has the form of the semantics identifier for natural persons";

    // EN 319 412-3, 4.2.1: legal persons.
    LEG_COUNTRY = "PKI-LEG-COUNTRY", "ETSI EN 319 412-3 v1.3.1, LEG-4.2.1-2", Error,
        "a legal person's subject holds countryName";
    LEG_ORGANIZATION = "PKI-LEG-ORGANIZATION", "ETSI EN 319 412-3 v1.3.1, LEG-4.2.1-2", Error,
        "a legal person's subject holds organizationName";
    LEG_IDENTIFIER = "PKI-LEG-IDENTIFIER", "ETSI EN 319 412-3 v1.3.1, LEG-4.2.1-2", Error,
        "a legal person's subject holds organizationIdentifier";
    LEG_COMMON_NAME = "PKI-LEG-COMMON-NAME", "ETSI EN 319 412-3 v1.3.1, LEG-4.2.1-2", Error,
        "a legal person's subject holds commonName";
    LEG_ONE_EACH = "PKI-LEG-ONE-EACH", "ETSI EN 319 412-3 v1.3.1, LEG-4.2.1-3", Error,
        "a legal person's subject holds only one of each mandatory attribute";
    LEG_ESTABLISHED = "PKI-LEG-ESTABLISHED", "ETSI EN 319 412-3 v1.3.1, LEG-4.2.1-4", Warning,
        "countryName is the country in which the legal person is established";
    LEG_IDENTIFIER_IS_NAME = "PKI-LEG-IDENTIFIER-IS-NAME", "ETSI EN 319 412-3 v1.3.1, LEG-4.2.1-6", Error,
        "organizationIdentifier differs from the organization's name";
    LEG_IDENTIFIER_FORM = "PKI-LEG-IDENTIFIER-FORM", "ETSI EN 319 412-1 v1.5.1, LEG-5.1.4-02 to -08", Warning,
        "organizationIdentifier has the form of the semantics identifier for legal persons";
    LEG_KU_CONTENT = "PKI-LEG-KU-CONTENT", "ETSI EN 319 412-3 v1.3.1, LEG-4.3.1-3", Error,
        "a certificate for signatures over content has a key usage of type A, B or F (for PID and wallet providers also C: TS 119 412-6, PID-4.4.1-02)";

    // TS 119 412-6, 4: PID providers; 5.1 applies 4.1 to 4.4 to wallet providers.
    CRITICALITY = "PKI-CRITICALITY", "ETSI TS 119 412-6 v1.1.1, PID-4.1-02", Error,
        "no extension is critical unless RFC 5280 or the profile allows it";
    SKI = "PKI-SKI", "ETSI TS 119 412-6 v1.1.1, PID-4.4.2-01", Error,
        "the subject key identifier is present";
    PID_AIA = "PKI-PID-AIA", "ETSI TS 119 412-6 v1.1.1, PID-4.4.3-01", Error,
        "a PID or wallet provider's certificate that is not self-signed holds Authority Information Access";
    PID_CA_ISSUERS = "PKI-PID-CA-ISSUERS", "ETSI TS 119 412-6 v1.1.1, PID-4.4.3-02", Error,
        "its Authority Information Access names where the CA's certificate is";
    PID_CA_ISSUERS_HTTP = "PKI-PID-CA-ISSUERS-HTTP", "ETSI TS 119 412-6 v1.1.1, PID-4.4.3-03", Error,
        "at least one of these addresses is an http or https one";
    QC_STATEMENTS = "PKI-QC-STATEMENTS", "ETSI EN 319 412-5 v2.5.1, 4.1", Error,
        "the qcStatements extension is a SEQUENCE of statements and each known one holds what it must";
    PID_QC_TYPE = "PKI-PID-QC-TYPE", "ETSI TS 119 412-6 v1.1.1, PID-4.5-01", Error,
        "a PID provider's certificate holds the QcType statement with the value id-etsi-qct-pid";
    PID_QC_TYPE_PLACE = "PKI-PID-QC-TYPE-PLACE", "ETSI TS 119 412-6 v1.1.1, PID-4.5-01", Error,
        "id-etsi-qct-pid is a value inside the QcType statement, not a statement of its own";
    WAL_QC_TYPE = "PKI-WAL-QC-TYPE", "ETSI TS 119 412-6 v1.1.1, WAL-5.2-01", Error,
        "a wallet provider's certificate holds the QcType statement with the value id-etsi-qct-wal";
    WAL_QC_TYPE_PLACE = "PKI-WAL-QC-TYPE-PLACE", "ETSI TS 119 412-6 v1.1.1, WAL-5.2-01", Error,
        "id-etsi-qct-wal is a value inside the QcType statement, not a statement of its own";
    WAL_QC_TYPE_ONLY = "PKI-WAL-QC-TYPE-ONLY", "ETSI TS 119 412-6 v1.1.1, WAL-5.2-01", Error,
        "a wallet provider's QcType statement holds no other value";

    // TS 119 412-6, 7 and 8: qualified and public-sector attestation providers.
    EAA_AIA = "PKI-EAA-AIA", "ETSI TS 119 412-6 v1.1.1, QEA-7.2.1-01 and PSB-8.2.1-01", Error,
        "the certificate holds Authority Information Access";
    EAA_CA_ISSUERS = "PKI-EAA-CA-ISSUERS", "ETSI TS 119 412-6 v1.1.1, QEA-7.2.1-02 and PSB-8.2.1-02", Error,
        "its Authority Information Access names where the CA's certificate is";
    EAA_CA_ISSUERS_HTTP = "PKI-EAA-CA-ISSUERS-HTTP", "ETSI TS 119 412-6 v1.1.1, QEA-7.2.1-03 and PSB-8.2.1-03", Error,
        "at least one of these addresses is an http or https one";
    PSB_STATEMENT = "PKI-PSB-STATEMENT", "ETSI TS 119 412-6 v1.1.1, PSB-8.3-01", Error,
        "a public-sector attestation provider's certificate holds the QcPSB statement";
    PSB_LAW = "PKI-PSB-LAW", "ETSI TS 119 412-6 v1.1.1, PSB-8.3-02", Error,
        "the QcPSB statement identifies the law";
    PSB_SOURCE = "PKI-PSB-SOURCE", "ETSI TS 119 412-6 v1.1.1, PSB-8.3-03", Error,
        "the QcPSB statement identifies the authentic source";
    PSB_COUNTRY = "PKI-PSB-COUNTRY", "ETSI TS 119 412-6 v1.1.1, PSB-8.3-04", Error,
        "the QcPSB statement holds an alpha-2 country code, or EU";

    // TS 119 411-8: access certificates of wallet-relying parties.
    ACCESS_POLICY = "PKI-ACCESS-POLICY", "ETSI TS 119 411-8 v1.1.1, GEN-6.6.1-03", Error,
        "an access certificate names one of the four policies of 5.3, or the provider's own";
    ACCESS_POLICY_KIND = "PKI-ACCESS-POLICY-KIND", "ETSI TS 119 411-8 v1.1.1, 5.3", Error,
        "an access certificate's policy goes with its subject: -n- for natural persons, -l- for legal persons";
    ACCESS_POLICY_OWN = "PKI-ACCESS-POLICY-OWN", "ETSI TS 119 411-8 v1.1.1, GEN-6.6.1-03", Note,
        "the policy is the provider's own, so what it demands is not known here";
    ACCESS_QUALIFIED = "PKI-ACCESS-QUALIFIED", "ETSI TS 119 411-8 v1.1.1, GEN-6.6.1-02", Error,
        "an access certificate under a QCP policy says that it is qualified (QcCompliance)";
    ACCESS_IDENTIFIER = "PKI-ACCESS-IDENTIFIER", "ETSI TS 119 411-8 v1.1.1, GEN-6.6.1-05", Error,
        "a legal person's access certificate holds an organizationIdentifier in the form of EN 319 412-1, 5.1.4, with EL for Greece";
    ACCESS_CPS = "PKI-ACCESS-CPS", "ETSI TS 119 411-8 v1.1.1, GEN-6.6.1-06", Error,
        "an access certificate's policies say where the practice statement is (cpsURI)";
    ACCESS_CONTACT = "PKI-ACCESS-CONTACT", "ETSI TS 119 411-8 v1.1.1, GEN-6.6.1-07", Error,
        "an access certificate's subjectAltName holds a website, a phone number or an e-mail address";
    ACCESS_SHORT_TERM = "PKI-ACCESS-SHORT-TERM", "ETSI TS 119 411-8 v1.1.1, GEN-6.6.1-01", Error,
        "an access certificate is not a short-term (validity-assured) one";

    // CAs.
    CA_BASIC_CONSTRAINTS = "PKI-CA-BASIC-CONSTRAINTS", "RFC 5280, 4.2.1.9", Error,
        "a CA's certificate says so in basicConstraints";
    CA_KEY_USAGE = "PKI-CA-KEY-USAGE", "RFC 5280, 4.2.1.3", Error,
        "a CA's key usage holds keyCertSign";
    CA_SUBJECT = "PKI-CA-SUBJECT", "ETSI EN 319 412-2 v2.4.1, GEN-4.2.3.1-2", Error,
        "a CA's name, as it will stand in what it issues, holds countryName, organizationName and commonName";

    // Signers of lists and status lists.
    LIST_SUBJECT = "PKI-LIST-SUBJECT", "ETSI TS 119 602 v1.1.1, 6.8", Error,
        "a list signer's subject holds countryName and organizationName";
    LIST_EKU = "PKI-LIST-EKU", "ETSI TS 119 612 v2.4.1, 5.7.1", Warning,
        "a list signer's extended key usage holds id-tsl-kp-tslSigning";
    LIST_KEY_USAGE = "PKI-LIST-KEY-USAGE", "ETSI TS 119 612 v2.4.1, 5.7.1", Error,
        "a list signer's key usage is digitalSignature or nonRepudiation and nothing else";
    SIGNS = "PKI-SIGNS", "RFC 5280, 4.2.1.3", Error,
        "the key usage of a certificate whose key signs holds digitalSignature";

    // Direct trust.
    DIRECT_NOT_LISTED = "PKI-DIRECT-NOT-LISTED", "ETSI TS 119 602 v1.1.1, 6.6.3.1", Error,
        "under direct trust the certificate itself stands in the list, byte for byte";
    DIRECT_LOOKALIKE = "PKI-DIRECT-LOOKALIKE", "ETSI TS 119 602 v1.1.1, 6.6.3.1", Error,
        "a certificate with a listed one's issuer or subject and serial number, but other bytes, is another certificate";
    DIRECT_SAME_KEY = "PKI-DIRECT-SAME-KEY", "ETSI TS 119 602 v1.1.1, 6.6.3.1", Error,
        "a certificate with a listed one's key, but other bytes, is another certificate";
    DIRECT_SAME_SUBJECT = "PKI-DIRECT-SAME-SUBJECT", "ETSI TS 119 602 v1.1.1, 6.6.3.1", Error,
        "a certificate with a listed one's subject, but another key, is another certificate";
    DIRECT_ISSUER_LISTED = "PKI-DIRECT-ISSUER-LISTED", "ETSI TS 119 602 v1.1.1, 6.6.3.1", Note,
        "the list holds the certificate's issuer; direct trust does not build paths";

    // Paths.
    PATH_EMPTY = "PKI-PATH-EMPTY", "RFC 5280, 6.1", Error,
        "a chain holds at least the certificate to be validated";
    PATH_NO_ANCHOR = "PKI-PATH-NO-ANCHOR", "RFC 5280, 6.1", Error,
        "a path leads from the certificate to a trust anchor";
    PATH_LIMIT = "PKI-PATH-LIMIT", "RFC 5280, 6.1", Error,
        "a path is found within the limits on certificates and attempts";
    PATH_ANCHOR_KEY = "PKI-PATH-ANCHOR-KEY", "RFC 5280, 6.1.1 (d)", Error,
        "a certificate with an anchor's key, but other bytes, is not that anchor and is not used";
    PATH_LEAF_IS_ANCHOR = "PKI-PATH-LEAF-IS-ANCHOR", "RFC 5280, 6.1", Error,
        "a trust anchor is not its own end entity: a listed certificate is matched by direct trust";
    PATH_NAME_CHAINING = "PKI-PATH-NAME-CHAINING", "RFC 5280, 6.1.3 (a)(4)", Error,
        "each certificate's issuer is the subject of the one above";
    PATH_SIGNATURE = "PKI-PATH-SIGNATURE", "RFC 5280, 6.1.3 (a)(1)", Error,
        "each certificate's signature verifies under the key of the one above";
    PATH_VALIDITY = "PKI-PATH-VALIDITY", "RFC 5280, 6.1.3 (a)(2)", Error,
        "each certificate of the path, and its anchor, is valid at the time";
    PATH_BASIC_CONSTRAINTS = "PKI-PATH-BASIC-CONSTRAINTS", "RFC 5280, 6.1.4 (k)", Error,
        "each certificate above the leaf is a CA";
    PATH_LENGTH = "PKI-PATH-LENGTH", "RFC 5280, 6.1.4 (l), (m)", Error,
        "no CA has more CAs below it than its pathLenConstraint allows";
    PATH_KEY_USAGE = "PKI-PATH-KEY-USAGE", "RFC 5280, 6.1.4 (n)", Error,
        "each CA's key usage holds keyCertSign, and the leaf's what is asked of it";
    PATH_POLICY = "PKI-PATH-POLICY", "RFC 5280, 6.1.5 (g)", Error,
        "the path is valid under a policy that is asked for";
    PATH_NAME_CONSTRAINTS = "PKI-PATH-NAME-CONSTRAINTS", "RFC 5280, 6.1.3 (b), (c)", Error,
        "each name stands inside the name constraints above it";
    PATH_CRITICAL_EXTENSION = "PKI-PATH-CRITICAL-EXTENSION", "RFC 5280, 6.1.4 (o), 6.1.5 (f)", Error,
        "each critical extension is understood";
    PATH_ENCODING = "PKI-PATH-ENCODING", "RFC 5280, 4.1", Error,
        "each certificate and extension is encoded as it must be";
    PATH_OTHER = "PKI-PATH-OTHER", "RFC 5280, 6.1", Error,
        "the path validates";

    // A leaf for its context.
    LEAF_KEY_USAGE = "PKI-LEAF-KEY-USAGE", "RFC 5280, 4.2.1.3", Error,
        "the key usage of a leaf that signs holds digitalSignature, or, where it attests attributes, nonRepudiation";
    LEAF_IS_CA = "PKI-LEAF-IS-CA", "RFC 5280, 4.2.1.9", Error,
        "the leaf of a chain is not a CA";
    LEAF_QC_TYPE = "PKI-LEAF-QC-TYPE", "ETSI TS 119 412-6 v1.1.1, PID-4.5-01 and WAL-5.2-01", Error,
        "a leaf's QcType holds the value of its context: id-etsi-qct-pid for PIDs, id-etsi-qct-wal for wallets";
    LEAF_POLICY = "PKI-LEAF-POLICY", "ETSI TS 119 411-8 v1.1.1, GEN-6.6.1-03", Error,
        "an access certificate's leaf names a certificate policy";

    // Revocation.
    REVOKED = "PKI-REVOKED", "RFC 5280, 6.3", Error,
        "a revoked certificate is not used";
    REVOCATION_UNKNOWN = "PKI-REVOCATION-UNKNOWN", "RFC 5280, 6.3", Warning,
        "whether the certificate is revoked is known";
    OCSP_NONCE = "PKI-OCSP-NONCE", "RFC 9654, 2.1", Note,
        "an OCSP response echoes the nonce that was sent; one without may be a stored one, good until its nextUpdate";
    REVOCATION_SKIPPED = "PKI-REVOCATION-SKIPPED", "RFC 5280, 6.3", Note,
        "revocation was not looked at, because the policy says so";
    REVOCATION_NONE = "PKI-REVOCATION-NONE", "RFC 9608, 4; ETSI EN 319 412-1 v1.5.1, 5.2", Note,
        "the issuer says that there is no revocation information for this certificate";
}
