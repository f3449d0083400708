//! The rules of what a wallet checks about its counterpart, beyond those of the
//! tokens themselves (`WRP-…`, `WRPRC-…`).
//!
//! A rule that says something is not known weighs as a warning and leaves its half
//! undecided.

finding::rules! {
    ACCESS = "COUNTERPART-ACCESS", "ARF RPA_04, ISSU_24, ISSU_34; ETSI TS 119 602 v1.1.1, Annex F", Error,
        "the access certificate is trusted, by the list of providers of access certificates";
    ACCESS_UNDECIDED = "COUNTERPART-ACCESS-UNDECIDED", "ARF RPA_04, ISSU_24, ISSU_34", Warning,
        "whether the access certificate is trusted has to be known";
    NO_PROOF = "COUNTERPART-NO-PROOF", "ETSI TS 119 475 v1.2.1, Table E.1 (cryptographic binding)", Warning,
        "who speaks signs with the key of an access certificate; a registration certificate authenticates nobody";
    IDENTITY = "COUNTERPART-IDENTITY", "ETSI TS 119 475 v1.2.1, 4.5", Error,
        "what may be done is asked of a party that is who it says";
    IDENTITY_UNDECIDED = "COUNTERPART-IDENTITY-UNDECIDED", "ETSI TS 119 475 v1.2.1, 4.5", Warning,
        "what may be done is known once it is known who asks";
    REGISTRAR = "COUNTERPART-REGISTRAR", "ARF RPRC_17, RPRC_22a; ETSI TS 119 602 v1.1.1, Annex G", Error,
        "the signer of a registration certificate is trusted, by the list of providers of them";
    REGISTRAR_UNDECIDED = "COUNTERPART-REGISTRAR-UNDECIDED", "ARF RPRC_17, RPRC_22a", Warning,
        "whether the signer of a registration certificate is trusted has to be known";
    STATUS_UNKNOWN = "COUNTERPART-STATUS-UNKNOWN", "ETSI TS 119 475 v1.2.1, CSS-6.2.3.10-02 and -03", Warning,
        "the status of a registration certificate has to be known: its list is at hand, and of now";
    STATUS_LIST = "COUNTERPART-STATUS-LIST", "ETSI TS 119 475 v1.2.1, GEN-6.2.6.1-06 and REV-6.2.6.2-05", Error,
        "a status list is fetched as outgoing requests are to be, and carries the certificates of its signer";
    STATUS_SIGNER = "COUNTERPART-STATUS-SIGNER", "ETSI TS 119 602 v1.1.1, Table G.3 (Revocation)", Error,
        "a status list is signed by a revocation service on the list of providers of registration certificates";
    STATUS_SIGNER_UNDECIDED = "COUNTERPART-STATUS-SIGNER-UNDECIDED", "ETSI TS 119 602 v1.1.1, Table G.3 (Revocation)", Warning,
        "whether the signer of a status list is trusted has to be known";
    STATUS_PROVIDER = "COUNTERPART-STATUS-PROVIDER", "ETSI TS 119 602 v1.1.1, Table G.3 (Revocation); ETSI TS 119 475 v1.2.1, REV-6.2.6.2-02", Error,
        "a status list is signed by the provider that signed the registration certificate";
    REVOKED = "COUNTERPART-REVOKED", "ETSI TS 119 475 v1.2.1, REV-6.2.6.2-04", Error,
        "a registration certificate that is revoked gives nothing";
    NOT_VALID = "COUNTERPART-NOT-VALID", "ETSI TS 119 475 v1.2.1, REV-6.2.6.2-04", Error,
        "a status other than valid is not taken for valid";
}
