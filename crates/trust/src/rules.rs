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
    LIST_GRACE = "TRUST-LIST-GRACE", "house rule: a grace period past NextUpdate is configuration, and said", Warning,
        "a list is used up to its NextUpdate, and past it only within the configured grace period";
    LIST_ARCHIVED = "TRUST-LIST-ARCHIVED", "ETSI TS 119 602 v1.1.1, Tables D.3 to G.3", Note,
        "the time before a list is answered for by the archived instance that was current then";
    ARCHIVE_FETCH = "TRUST-ARCHIVE-FETCH", "ETSI TS 119 602 v1.1.1, Tables D.1 to G.1 (SchemeInformationURI)", Warning,
        "the archive of a source gives its index and the instances that the index names";
    ARCHIVE_INSTANCE = "TRUST-ARCHIVE-INSTANCE", "house rule: the archive is memory, not a source of trust", Warning,
        "an archived instance is what its index says it is, sealed by a signer of its list";
    LIST_UNREADABLE = "TRUST-LIST-UNREADABLE", "house rule: what is no list is passed over and reported", Warning,
        "each file of a folder of lists is a list";
    SOURCE_TRUSTED = "TRUST-SOURCE-TRUSTED", "house rule: an assumption is said", Note,
        "the lists are taken on the word of who named the place they are in";

    // Pointers to other lists.
    POINTER_LOOP = "TRUST-POINTER-LOOP", "ETSI TS 119 602 v1.1.1, 6.3.13", Warning,
        "a list is followed to once, and no pointer leads back to a list on the way";
    POINTER_DEPTH = "TRUST-POINTER-DEPTH", "house rule: pointers are followed within limits", Warning,
        "pointers are followed down to the configured depth";
    POINTER_COUNT = "TRUST-POINTER-COUNT", "house rule: pointers are followed within limits", Warning,
        "pointers lead to no more lists than configured";
    POINTER_LOCATION = "TRUST-POINTER-LOCATION", "ETSI TS 119 602 v1.1.1, 6.3.13 (a)", Warning,
        "a pointer that is followed has a URL for a location";
    POINTER_SIGNER = "TRUST-POINTER-SIGNER", "ETSI TS 119 602 v1.1.1, 6.3.13 (b)", Warning,
        "a pointer that is followed stands in a list whose signer is pinned, and names the certificates of those who seal its list";
    POINTER_TYPE = "TRUST-POINTER-TYPE", "ETSI TS 119 602 v1.1.1, 6.3.13 (c)", Note,
        "a pointer that is followed is to a list of a known type";
    POINTER_QUALIFIER = "TRUST-POINTER-QUALIFIER", "ETSI TS 119 602 v1.1.1, 6.3.13 (c)", Error,
        "a list is of the territory and the operator that the pointer to it says";
    POINTER_GONE = "TRUST-POINTER-GONE", "ETSI TS 119 602 v1.1.1, 6.3.13", Note,
        "a list that no pointer leads to any more is not used any more";

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
    PKIX_PURPOSE = "TRUST-PKIX-PURPOSE", "ETSI TS 119 602 v1.1.1, Tables D.3 to H.3; TS 119 412-6 v1.1.1, 4.5, 5.2, 8.3; TS 119 411-8 v1.1.1, 5.3", Error,
        "under PKIX the leaf does not say that it is made for another context: a QcType or access policy of another, or no QcPSB where a public body's is needed";
    HISTORY_KEY = "TRUST-HISTORY-KEY", "ETSI TS 119 602 v1.1.1, 6.7 and Table H.3", Warning,
        "a certificate is matched whole; a key that a list's history names is no certificate";
    ANCHOR_IN_CHAIN = "TRUST-ANCHOR-IN-CHAIN", "OpenID4VC HAIP 1.0 (x5c)", Warning,
        "the trust anchor is not part of the chain";
    REVOCATION_FETCH = "TRUST-REVOCATION-FETCH", "RFC 5280, 6.3.3 (a); RFC 6960, 2.1", Warning,
        "the OCSP response or CRL that the certificate names can be fetched and read";
    REVOCATION_ISSUER = "TRUST-REVOCATION-ISSUER", "RFC 5280, 6.3.3 (f)", Warning,
        "the issuer, under whose key a CRL is verified, is at hand";
    REVOCATION_BY_LIST = "TRUST-REVOCATION-BY-LIST", "ETSI TS 119 602 v1.1.1, Tables D.3 and E.3", Note,
        "a directly trusted certificate that names no revocation information is revoked by its removal from the list";

    // Evidence.
    BUNDLE_FORM = "TRUST-BUNDLE-FORM", "docs/protocols/trust-bundle.md, 1", Error,
        "a bundle is one JSON document of the known form, within its limits";
    BUNDLE_PART = "TRUST-BUNDLE-PART", "docs/protocols/trust-bundle.md, 2", Error,
        "each part of a bundle has the digest that stands beside it";
    BUNDLE_DIGEST = "TRUST-BUNDLE-DIGEST", "docs/protocols/trust-bundle.md, 2", Error,
        "the whole bundle has the digest that it bears, and that it was handed over with";
    BUNDLE_LIST = "TRUST-BUNDLE-LIST", "docs/protocols/trust-bundle.md, 3", Error,
        "each list of a bundle bears the seal of a signer that was pinned or announced";
    BUNDLE_SIGNER = "TRUST-BUNDLE-SIGNER", "docs/protocols/trust-bundle.md, 3", Error,
        "the signers that a bundle names are those that the replay pins";
    REPLAY_DIFFERS = "TRUST-REPLAY-DIFFERS", "docs/protocols/trust-bundle.md, 4", Error,
        "the evidence gives the verdict that was recorded";
    REPLAY_VERSION = "TRUST-REPLAY-VERSION", "docs/protocols/trust-bundle.md, 4", Note,
        "another version of the program gives the same answer in the same words";
}
