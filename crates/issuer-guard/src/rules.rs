//! The rules an issuer holds a presentation to, beyond those of the tokens
//! themselves (`WIA-…`, `KA-…`, `PROOF-…`, `SL-…`).
//!
//! A rule that says something is not known weighs as a warning and makes the
//! verdict undecided.

finding::rules! {
    WALLET_CHAIN = "ISSUER-WALLET-CHAIN", "TS3 v1.5.2, 2.2.1.2 and 2.2.2.2", Error,
        "the signing certificate verifies with an anchor on the wallet provider list";
    WALLET_UNDECIDED = "ISSUER-WALLET-UNDECIDED", "TS3 v1.5.2, 2.2.1.2 and 2.2.2.2", Warning,
        "whether the wallet provider list vouches for the signer has to be known";
    SIGNER_KEY = "ISSUER-SIGNER-KEY", "TS3 v1.5.2, 2.6", Error,
        "the signing certificate can be read and holds a key for ES256, ES384 or ES512";
    LEVEL = "ISSUER-LEVEL", "TS3 v1.5.2, 2.3.2; ARF Topic 9", Error,
        "keys and user authentication resist the attack potential that the issuer requires";
    REPLAY_PROOF = "ISSUER-REPLAY-PROOF", "draft-ietf-oauth-attestation-based-client-auth-10, 11.1", Error,
        "a proof of possession is used once";
    REPLAY_NONCE = "ISSUER-REPLAY-NONCE", "OpenID4VCI 1.0, 13.8", Error,
        "a c_nonce serves one credential request";
    REPLAY_KA = "ISSUER-REPLAY-KA", "TS3 v1.5.2, 2.2.2.1", Error,
        "a KA is used at most once, and a key stands in at most one KA";
    REPLAY_UNDECIDED = "ISSUER-REPLAY-UNDECIDED", "Claviger, replay store", Warning,
        "whether something was used before has to be known";
    STATUS_URI = "ISSUER-STATUS-URI", "Claviger, outgoing requests", Error,
        "a status list is fetched over https from a public host, unless configured otherwise";
    STATUS_UNREACHABLE = "ISSUER-STATUS-UNREACHABLE", "TS3 v1.5.2, 2.4.3", Warning,
        "the status has to be known: its list can be fetched";
    STATUS_STALE = "ISSUER-STATUS-STALE", "draft-ietf-oauth-status-list-20, 8.3", Warning,
        "the status has to be known now: its list is neither expired nor, without exp, too old";
    STATUS_MEDIA_TYPE = "ISSUER-STATUS-MEDIA-TYPE", "draft-ietf-oauth-status-list-20, 8.2", Warning,
        "a status list token is served as application/statuslist+jwt or application/statuslist+cwt";
    STATUS_SIGNER = "ISSUER-STATUS-SIGNER", "ARF WPNot_03a; ETSI TS 119 602 v1.1.1, Annex E", Error,
        "a status list is signed by a certificate that the wallet provider list vouches for";
    STATUS_SIGNER_UNDECIDED = "ISSUER-STATUS-SIGNER-UNDECIDED", "ARF WPNot_03a", Warning,
        "whether the wallet provider list vouches for the status list's signer has to be known";
    STATUS_SIGNER_ISSUANCE = "ISSUER-STATUS-SIGNER-ISSUANCE", "ETSI TS 119 602 v1.1.1, Annex E", Note,
        "the status list's signer is listed for issuance, not for revocation";
    STATUS_PROVIDER = "ISSUER-STATUS-PROVIDER", "ARF WPNot_03a", Error,
        "a status list's signer belongs to the provider that signed the attestation";
    STATUS_ROLLBACK = "ISSUER-STATUS-ROLLBACK", "draft-ietf-oauth-status-list-20, 8.3", Error,
        "a status list older than one already seen is not used";
    STATUS_SMALL = "ISSUER-STATUS-SMALL", "TS3 v1.5.2, 2.5.1", Warning,
        "the status list of a WIA relates to at least 10,000 attestations";
    REVOKED = "ISSUER-REVOKED", "TS3 v1.5.2, 2.4.3", Error,
        "nothing is issued on an attestation whose status is invalid";
    NOT_VALID = "ISSUER-NOT-VALID", "draft-ietf-oauth-status-list-20, 7.1", Error,
        "a status other than valid is not taken for valid";
    WATCH_OVERDUE = "ISSUER-WATCH-OVERDUE", "TS3 v1.5.2, 2.4.3; ARF WURevocation_18", Error,
        "a status is checked at least once every 24 hours";
    WATCH_ENDED = "ISSUER-WATCH-ENDED", "TS3 v1.5.2, 2.4.1", Warning,
        "a status is not watched past the end of its maintenance";
}
