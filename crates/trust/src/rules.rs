//! The rules of trust decisions. Rules of lists (`LOTE-…`) and certificates
//! (`PKI-…`) stand in verdicts beside them.
//!
//! A verdict is "no" when, and only when, one of its findings is an error. What
//! leaves a verdict undecided is a warning, and stands first.

finding::rules! {
    // Lists of a context.
    NO_LIST = "TRUST-NO-LIST", "house rule: nothing is trusted without a list", Warning,
        "there is at least one list for the context";
    LIST_UNAVAILABLE = "TRUST-LIST-UNAVAILABLE", "house rule: a source that never answered decides nothing", Warning,
        "each source of the context has given a list";
    LIST_STALE = "TRUST-LIST-STALE", "ETSI TS 119 602 v1.1.1, 6.3.15", Warning,
        "a list past its NextUpdate decides nothing";
    LIST_LATER = "TRUST-LIST-LATER", "ETSI TS 119 602 v1.1.1, Tables D.3 to G.3", Warning,
        "a list that keeps no history says nothing of the time before its issue";
    LIST_TYPE = "TRUST-LIST-TYPE", "ETSI TS 119 602 v1.1.1, 6.3.3", Error,
        "a source gives lists of the type it is configured for";
    LIST_ROLLBACK = "TRUST-LIST-ROLLBACK", "ETSI TS 119 602 v1.1.1, 6.3.2", Error,
        "a list is not replaced by an earlier one";
    LIST_KEPT = "TRUST-LIST-KEPT", "house rule: the last good copy is used until it is stale", Note,
        "the list is the last good copy, since a newer one could not be had";
    LIST_FETCH = "TRUST-LIST-FETCH", "house rule: lists are fetched within limits", Error,
        "the source answers within its limits of time, size and redirects";
    LIST_COPY = "TRUST-LIST-COPY", "house rule: the last good copy is kept on disk", Error,
        "the last good copy of a list can be written and read";
    LIST_UNREADABLE = "TRUST-LIST-UNREADABLE", "house rule: what is no list is passed over and reported", Warning,
        "each file of a folder of lists is a list";
    SOURCE_TRUSTED = "TRUST-SOURCE-TRUSTED", "house rule: an assumption is said", Note,
        "the lists are taken on the word of who named the place they are in";

    // The answer.
    OTHER_CONTEXT = "TRUST-OTHER-CONTEXT", "ETSI TS 119 602 v1.1.1, 6.6.1", Error,
        "a certificate is trusted for the context whose list it stands on, and for no other";
    OTHER_SERVICE = "TRUST-OTHER-SERVICE", "ETSI TS 119 602 v1.1.1, 6.6.1", Error,
        "a certificate of an issuance service signs no statuses, and the other way round";
    WITHDRAWN = "TRUST-WITHDRAWN", "ETSI TS 119 602 v1.1.1, Table H.3", Error,
        "the service is not withdrawn at the time, and was listed by then";
    OTHER_POLICY = "TRUST-OTHER-POLICY", "house policies direct-only and direct-or-pkix", Note,
        "the other policy would have found an anchor";
    NO_CA = "TRUST-NO-CA", "ETSI TS 119 602 v1.1.1, Tables F.3 and G.3", Error,
        "the list holds at least one certification authority for the service";
    PKIX_IDENTITY = "TRUST-PKIX-IDENTITY", "ETSI TS 119 602 v1.1.1, Tables D.3 and E.3", Error,
        "under PKIX the leaf names the listed entity and its registration number, so that a CA does not carry trust from one context into another";
    ANCHOR_IN_CHAIN = "TRUST-ANCHOR-IN-CHAIN", "OpenID4VC HAIP 1.0 (x5c)", Warning,
        "the trust anchor is not part of the chain";
    REVOCATION_FETCH = "TRUST-REVOCATION-FETCH", "RFC 5280, 6.3.3 (a)", Warning,
        "the CRL that the certificate names can be fetched and read";
    REVOCATION_ISSUER = "TRUST-REVOCATION-ISSUER", "RFC 5280, 6.3.3 (f)", Warning,
        "the issuer, under whose key a CRL is verified, is at hand";
    REVOCATION_BY_LIST = "TRUST-REVOCATION-BY-LIST", "ETSI TS 119 602 v1.1.1, Tables D.3 and E.3", Note,
        "a directly trusted certificate that names no revocation information is revoked by its removal from the list";
}
