//! What evidence must fulfil. Google's and Apple's documents have no clause
//! numbers: the rule names the page and its section.

use finding::Rule;

finding::rules! {
    SIZE = "EVIDENCE-SIZE", "design, untrusted input", Error,
        "evidence is no larger than its limit, before it is parsed";
    CHALLENGE = "EVIDENCE-CHALLENGE", "ARF 3.0 WIAM_03, WIAM_12; Android key attestation, Verify the challenge; App Attest, Validating apps that connect to your server", Error,
        "the evidence carries the challenge that it was asked for";
    CHALLENGE_UNKNOWN = "EVIDENCE-CHALLENGE-UNKNOWN", "ARF 3.0 WIAM_03", Error,
        "evidence is judged against the challenge it was asked for; without one it may be anyone's, from any time";
    KEY = "EVIDENCE-KEY", "ARF 3.0 WIAM_08; TS3 v1.5.2, 2.3", Error,
        "the attested key is the key that the request is about";
    AGREEMENT_KEY = "EVIDENCE-AGREEMENT-KEY", "ARF 3.0 WIAM_08; Android Keystore, KeyMint 100 (agreement keys)", Warning,
        "the device's agreement key is attested too, where the platform can; otherwise only the app says where it is";
    LEVEL_NONE = "EVIDENCE-LEVEL-NONE", "ARF 3.0 WIAM_08a; OpenID4VCI 1.0, D.2", Note,
        "evidence without a basis for a level earns none";

    ANDROID_CHAIN = "EVIDENCE-ANDROID-CHAIN", "RFC 5280, 4.1; Android key attestation, Verify the certificate chain", Error,
        "the chain is a list of well-formed certificates, from the attested key to the root";
    ANDROID_SIGNATURE = "EVIDENCE-ANDROID-SIGNATURE", "RFC 5280, 6.1.3 (a)(1); Android key attestation, Verify the certificate chain", Error,
        "each certificate is signed by the next one's key, and names it as its issuer";
    ANDROID_CA = "EVIDENCE-ANDROID-CA", "RFC 5280, 6.1.4 (k) to (n)", Error,
        "each certificate that issued another is a CA's and may sign certificates, within its path length";
    ANDROID_LEGACY_CA = "EVIDENCE-ANDROID-LEGACY-CA", "RFC 5280, 6.1.4 (k); Android key attestation, factory-provisioned keys", Warning,
        "a batch certificate of early devices is no CA by its extensions; it stands only where the factory put it, directly below a CA, and attests nothing itself";
    ANDROID_ROOT = "EVIDENCE-ANDROID-ROOT", "Android key attestation, Hardware attestation root certificates", Error,
        "the chain leads to one of Google's root keys, or to one that the policy names";
    ANDROID_VALIDITY = "EVIDENCE-ANDROID-VALIDITY", "RFC 5280, 6.1.3 (a)(2); Android key attestation, Remote key provisioning", Error,
        "every certificate above the attested key is within its validity; a factory-provisioned one may be past it";
    ANDROID_EXPIRED_FACTORY = "EVIDENCE-ANDROID-EXPIRED-FACTORY", "Android key attestation, Hardware attestation root certificates", Note,
        "factory-provisioned certificates and roots outlive their dates, since devices cannot replace them";
    ANDROID_EXTENSION = "EVIDENCE-ANDROID-EXTENSION", "Android key and ID attestation, Schema; X.690, 10 and 11", Error,
        "the certificate of the attested key carries a well-formed KeyDescription";
    ANDROID_EXTENDED = "EVIDENCE-ANDROID-EXTENDED", "Android key attestation, Extract and validate the extension: only the occurrence closest to the root", Error,
        "no certificate above the attested key's carries a KeyDescription: such a chain was extended with an app's key";
    ANDROID_TAG_ORDER = "EVIDENCE-ANDROID-TAG-ORDER", "Android key and ID attestation, AuthorizationList", Error,
        "the tags of an AuthorizationList stand in ascending order";
    ANDROID_UNKNOWN_TAG = "EVIDENCE-ANDROID-UNKNOWN-TAG", "Android key and ID attestation, AuthorizationList", Note,
        "a tag that is not defined is passed over";
    ANDROID_VERSION = "EVIDENCE-ANDROID-VERSION", "Android key and ID attestation, Attestation versions", Error,
        "attestation and KeyMint versions are known ones, and not below the policy's";
    ANDROID_SECURITY_LEVEL = "EVIDENCE-ANDROID-SECURITY-LEVEL", "Android key and ID attestation, SecurityLevel", Error,
        "the attestation and the key are both of at least the required security level, as the certificate of the attesting key says too";
    ANDROID_BOOT = "EVIDENCE-ANDROID-BOOT", "Android key and ID attestation, RootOfTrust", Error,
        "the device is locked and booted what it verified, with a key that the policy accepts";
    ANDROID_BOOT_KEY_ZERO = "EVIDENCE-ANDROID-BOOT-KEY-ZERO", "Android key and ID attestation, RootOfTrust", Warning,
        "a verified boot has a verified boot key other than zeros";
    ANDROID_BOOT_KEY_OWN = "EVIDENCE-ANDROID-BOOT-KEY-OWN", "Android Verified Boot, Boot flow", Note,
        "a system signed by a key other than the maker's is one that the policy names";
    ANDROID_OS_VERSION = "EVIDENCE-ANDROID-OS-VERSION", "Android key and ID attestation, osVersion", Error,
        "the system's version is stated by hardware and not below the policy's";
    ANDROID_PATCH_LEVEL = "EVIDENCE-ANDROID-PATCH-LEVEL", "Android key and ID attestation, osPatchLevel, vendorPatchLevel, bootPatchLevel", Error,
        "patch levels are stated by hardware and not below the policy's";
    ANDROID_PATCH_AGE = "EVIDENCE-ANDROID-PATCH-AGE", "Android key and ID attestation, osPatchLevel", Error,
        "the system's last patch is no older than the policy allows: a device that is as it was gets there by itself";
    ANDROID_ORIGIN = "EVIDENCE-ANDROID-ORIGIN", "Android key and ID attestation, origin", Error,
        "the key was generated in the keystore, as hardware states";
    ANDROID_PURPOSE = "EVIDENCE-ANDROID-PURPOSE", "Android key and ID attestation, purpose", Error,
        "the key has the required purposes and none but the allowed ones";
    ANDROID_KEY_PARAMETERS = "EVIDENCE-ANDROID-KEY-PARAMETERS", "Android key and ID attestation, algorithm, keySize, ecCurve; TS3 v1.5.2, 2.6", Error,
        "the key is EC on P-256, P-384 or P-521, and the extension describes the key in the certificate";
    ANDROID_ROLLBACK = "EVIDENCE-ANDROID-ROLLBACK", "Android key and ID attestation, rollbackResistance", Error,
        "where the policy asks for it, the key is rollback-resistant";
    ANDROID_AUTHENTICATION = "EVIDENCE-ANDROID-AUTHENTICATION", "Android key and ID attestation, noAuthRequired, userAuthType", Error,
        "where the policy asks for it, hardware lets only the authenticated user use the key";
    ANDROID_APPLICATION = "EVIDENCE-ANDROID-APPLICATION", "Android key and ID attestation, AttestationApplicationId", Error,
        "the key belongs to an app that the policy names, of an accepted version, signed by its signer alone";
    ANDROID_APPLICATION_UNKNOWN = "EVIDENCE-ANDROID-APPLICATION-UNKNOWN", "Android key and ID attestation, AttestationApplicationId", Error,
        "the policy names the app that keys may belong to";
    ANDROID_REVOKED = "EVIDENCE-ANDROID-REVOKED", "Android key attestation, Certificate revocation status list", Error,
        "no certificate of the chain is revoked";
    ANDROID_SUSPENDED = "EVIDENCE-ANDROID-SUSPENDED", "Android key attestation, Certificate revocation status list", Error,
        "no certificate of the chain is suspended, which may end";
    ANDROID_REVOCATION_UNKNOWN = "EVIDENCE-ANDROID-REVOCATION-UNKNOWN", "Android key attestation, Certificate revocation status list", Error,
        "the revocation list is at hand and no older than the policy allows";
    ANDROID_REVOCATION_LIST = "EVIDENCE-ANDROID-REVOCATION-LIST", "Android key attestation, Certificate revocation status list", Error,
        "the revocation list is a JSON document of serials in hex and their status";
    ANDROID_PROVISIONING = "EVIDENCE-ANDROID-PROVISIONING", "Android key attestation, Provisioning information extension", Error,
        "the provisioning information is well-formed";
    ANDROID_MANY_CERTIFICATES = "EVIDENCE-ANDROID-MANY-CERTIFICATES", "Android key attestation, Provisioning information extension: certs_issued", Warning,
        "a device that was issued many certificates in a month may have leaked its keys";

    APPLE_FORMAT = "EVIDENCE-APPLE-FORMAT", "App Attest, Validating apps that connect to your server; WebAuthn Level 2, 6.1 and 8.8", Error,
        "attestation, assertion and authenticator data are well-formed";
    APPLE_CHAIN = "EVIDENCE-APPLE-CHAIN", "App Attest, Verify the attestation, step 1", Error,
        "x5c leads from the key's certificate over CAs to Apple's App Attestation root key, each within its validity";
    APPLE_NONCE = "EVIDENCE-APPLE-NONCE", "App Attest, Verify the attestation, steps 2 to 4", Error,
        "the certificate's nonce is the hash of authenticator data and client data hash";
    APPLE_KEY_ID = "EVIDENCE-APPLE-KEY-ID", "App Attest, Verify the attestation, steps 5 and 9", Error,
        "the key identifier is the hash of the certified key, in the authenticator data and as the app gave it";
    APPLE_APP = "EVIDENCE-APPLE-APP", "App Attest, Verify the attestation, step 6; Verify the assertion, step 4", Error,
        "the app identifier's hash is that of an app that the policy names";
    APPLE_APP_UNKNOWN = "EVIDENCE-APPLE-APP-UNKNOWN", "App Attest, Verify the attestation, step 6", Error,
        "the policy names the app that evidence may come from";
    APPLE_COUNTER = "EVIDENCE-APPLE-COUNTER", "App Attest, Verify the attestation, step 7; Verify the assertion, step 5", Error,
        "the counter is 0 in an attestation, and greater than the last one in every assertion";
    APPLE_ENVIRONMENT = "EVIDENCE-APPLE-ENVIRONMENT", "App Attest, Verify the attestation, step 8", Error,
        "the key was made in an environment that the policy accepts";
    APPLE_SIGNATURE = "EVIDENCE-APPLE-SIGNATURE", "App Attest, Verify the assertion, steps 1 to 3", Error,
        "the assertion is signed by the attested key over authenticator data and client data hash";
    APPLE_RECEIPT = "EVIDENCE-APPLE-RECEIPT", "App Attest, Assessing fraud risk", Warning,
        "the attestation carries a receipt, which is kept";

    PLAY_FORMAT = "EVIDENCE-PLAY-FORMAT", "Play Integrity, Decrypt and verify locally; RFC 7515; RFC 7516", Error,
        "the token is a JWE (A256KW, A256GCM) around a JWS (ES256) with the documented content";
    PLAY_AUTHENTIC = "EVIDENCE-PLAY-AUTHENTIC", "Play Integrity, Decrypt and verify locally", Error,
        "the token opens under the app's decryption key and verifies under its verification key";
    PLAY_NONCE = "EVIDENCE-PLAY-NONCE", "Play Integrity, Request details: nonce, requestHash", Error,
        "the token carries the nonce or the request hash that it was asked for";
    PLAY_PACKAGE = "EVIDENCE-PLAY-PACKAGE", "Play Integrity, Request details: requestPackageName; Application integrity", Error,
        "the token is about an app that the policy names, signed by its signer, of an accepted version";
    PLAY_AGE = "EVIDENCE-PLAY-AGE", "Play Integrity, Request details: timestampMillis", Error,
        "the token is neither older than the policy allows nor from the future";
    PLAY_APP = "EVIDENCE-PLAY-APP", "Play Integrity, Application integrity: appRecognitionVerdict", Error,
        "Play recognises the app as the one it distributes";
    PLAY_DEVICE = "EVIDENCE-PLAY-DEVICE", "Play Integrity, Device integrity: deviceRecognitionVerdict", Error,
        "the device has every label that the policy asks for";
    PLAY_UNEVALUATED = "EVIDENCE-PLAY-UNEVALUATED", "Play Integrity, Application integrity: UNEVALUATED; Device integrity: blank", Error,
        "Google looked at what the policy asks for: an answer that says nothing may be another one the next time";
    PLAY_ACCOUNT = "EVIDENCE-PLAY-ACCOUNT", "Play Integrity, Account details: appLicensingVerdict", Error,
        "where the policy asks for it, the user got the app from Play";
}

/// Broken only for want of knowledge: evidence with no other error is undecided.
pub(crate) static NOT_KNOWN: &[&Rule] = &[
    &CHALLENGE_UNKNOWN,
    &ANDROID_APPLICATION_UNKNOWN,
    &ANDROID_REVOCATION_UNKNOWN,
    &APPLE_APP_UNKNOWN,
];
