//! The rules that a request to the wallet provider can break.

finding::rules! {
    CHALLENGE = "WP-CHALLENGE", "ARF 3.0, WIAM_04", Error,
        "a challenge is the provider's own, for this use and this unit, unexpired, and answered once";
    DEVICE_KEY = "WP-DEVICE-KEY", "ARF 3.0, WIAM_12", Error,
        "a unit's request is signed by the unit's device-bound key";
    DEVICE_PROOF = "WP-DEVICE-PROOF", "ARF 3.0, WIAM_04", Error,
        "both device keys prove themselves over the challenge";
    DEVICE_KNOWN = "WP-DEVICE-KNOWN", "ARF 3.0, WIAM_09", Error,
        "a device key belongs to one wallet unit";
    EVIDENCE = "WP-EVIDENCE", "ARF 3.0, WIAM_04", Error,
        "an activation carries the device evidence that the policy asks for";
    REQUEST_FORM = "WP-REQUEST-FORM", "Claviger wallet provider protocol 1, 2", Error,
        "a request has the shape and size that the protocol gives it";
    REQUEST_BINDING = "WP-REQUEST-BINDING", "Claviger wallet provider protocol 1, 4", Error,
        "a signed request is for this provider, method, address and body";
    REQUEST_TIME = "WP-REQUEST-TIME", "Claviger wallet provider protocol 1, 4", Error,
        "a signed request or proof is of this moment";
    REQUEST_REPLAY = "WP-REQUEST-REPLAY", "Claviger wallet provider protocol 1, 4", Error,
        "a signed request is made once";
    ALIAS = "WP-ALIAS", "ARF 3.0, WIAM_06", Error,
        "an account's alias has 1 to 64 characters that can be seen, and spaces between them";
    ACCOUNT = "WP-ACCOUNT", "ARF 3.0, WIAM_06", Error,
        "who adds to an account, or asks after it, proves it by its code";
    CONSENT = "WP-CONSENT", "ARF 3.0, WIAM_05", Error,
        "an activation says that the user agreed to the provider's text on the processing of data";
    UNIT_UNKNOWN = "WP-UNIT-UNKNOWN", "ARF 3.0, WUA_37", Error,
        "the unit is one of this provider";
    OBJECT_UNKNOWN = "WP-OBJECT-UNKNOWN", "Claviger wallet provider protocol 1, 9", Error,
        "the job, the entry or the key storage that a request names is there";
    UNIT_STATE = "WP-UNIT-STATE", "ARF 3.0, 4.6.4", Error,
        "the unit is in a state that allows the request";
    UNIT_REVOKED = "WP-UNIT-REVOKED", "ARF 3.0, 4.6.4", Error,
        "a revoked unit gets no attestation, and never comes back";
    FACTOR = "WP-FACTOR", "ARF 3.0, WIAM_14", Error,
        "a unit is operational only once its user has a PIN at the WSCA";
    KEY_PROOF = "WP-KEY-PROOF", "TS3 v1.5.2, 2.2.1", Error,
        "whoever asks for a WIA over a key has that key";
    STATEMENT = "WP-STATEMENT", "ARF 3.0, WUA_12", Error,
        "a KA is issued on the WSCA's own statement over this unit's keys and the provider's nonce";
    KEY_ONCE = "WP-KEY-ONCE", "TS3 v1.5.2, 2.2.2", Error,
        "a key enters one KA only";
    BATCH = "WP-BATCH", "ARF 3.0, ISSU_38", Error,
        "a batch has at least one attestation and at most as many as the provider offers";
    PERIOD = "WP-PERIOD", "TS3 v1.5.2, 2.4.2", Error,
        "a preferred status period is one that the provider offers";
    NOT_OFFERED = "WP-NOT-OFFERED", "Claviger wallet provider protocol 1, 6", Error,
        "what a request asks for is offered";
    CHECK_DUE = "WP-CHECK-DUE", "TS3 v1.5.2, 2.2.1.1", Error,
        "a WIA is issued to a wallet instance that was checked lately, and ends less than 24 hours after that check";
    DEVICE_WORSE = "WP-DEVICE-WORSE", "TS3 v1.5.2, 2.2.1.1; ARF 3.0, WURevocation_09", Error,
        "a device is as sound as when it was looked at last: locked, booted by the same key, no older patch, no revoked key";
    KEY_FRESH = "WP-KEY-FRESH", "ARF 3.0, ISSU_35a", Error,
        "the key of a WIA is fresh: it was in none before";
    SCOPE = "WP-SCOPE", "TS3 v1.5.2, 2.5.1 and 2.5.2", Error,
        "an issuer scope has 32 bytes, and a unit has no more of them than the provider offers";
    STORAGE_REVOKED = "WP-STORAGE-REVOKED", "ARF 3.0, WURevocation_07a and _09a", Error,
        "a KA is issued over keys of a WSCD or keystore that is not revoked";
    CERTIFICATE = "WP-CERTIFICATE", "ARF 3.0, WUA_10", Error,
        "the provider signs only under a certificate of its own that is valid";
    ANSWER_KEY = "WP-ANSWER-KEY", "ARF 3.0, WIAM_12", Error,
        "the key of the answers is the pinned one, or one that it handed over to";
    PID_PROVIDER = "WP-PID-PROVIDER", "ARF 3.0, WURevocation_12", Error,
        "who asks for a revocation as a PID provider is one on the list of PID providers";
    SHOWN_WIA = "WP-SHOWN-WIA", "ARF 3.0, WURevocation_11", Error,
        "a unit is named by a WIA that this provider made and whose status it still maintains";
    RATE = "WP-RATE", "Claviger wallet provider protocol 1, 8.3", Error,
        "requests come no faster than is told";
    KEYSTORE_ALONE = "WP-KEYSTORE-ALONE", "ARF 3.0, WURevocation_09c", Error,
        "a keystore is revoked without its unit only where a risk analysis says why";
    ANSWER = "WP-ANSWER", "ARF 3.0, WIAM_12", Error,
        "an answer is signed by the provider's pinned key, for this unit and this request";
}
