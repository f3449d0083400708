//! The rules that a request to an account can break.

finding::rules! {
    ALIAS_TAKEN = "ACC-ALIAS", "ARF 3.0, WIAM_06", Error,
        "an alias belongs to one account";
    CEREMONY = "ACC-CEREMONY", "Web Authentication Level 3, 7.1 and 7.2", Error,
        "a ceremony is one that was begun here, is finished once, and within its time";
    PASSKEY = "ACC-PASSKEY", "Web Authentication Level 3, 7.1 and 7.2", Error,
        "a passkey proves itself for this site and this ceremony, with its user verified";
    PASSKEY_ONCE = "ACC-PASSKEY-ONCE", "Web Authentication Level 3, 7.1", Error,
        "a passkey belongs to one account";
    PASSKEY_UNKNOWN = "ACC-PASSKEY-UNKNOWN", "ARF 3.0, WIAM_06", Error,
        "a passkey that is used or removed is one of the account's";
    COUNTER = "ACC-COUNTER", "Web Authentication Level 3, 6.1.1", Error,
        "a passkey's signature counter never goes back: two of the same counter are two copies";
    CODE = "ACC-CODE", "ARF 3.0, WIAM_06", Error,
        "whoever signs in without a passkey shows a recovery code that nobody signed in with";
    SIGNED_IN = "ACC-SIGNED-IN", "ARF 3.0, WIAM_06", Error,
        "an account is seen and changed by whoever is signed in to it";
    FRESH = "ACC-FRESH", "ARF 3.0, WIAM_06", Error,
        "what cannot be taken back needs a sign-in of the last minutes";
    FORM = "ACC-FORM", "Claviger accounts 1, 3", Error,
        "a form comes from our own page, and from the one who is signed in";
    CONSENT = "ACC-CONSENT", "ARF 3.0, WIAM_05", Error,
        "a user agrees to the text that was shown, as it stands now";
    ADDRESS = "ACC-ADDRESS", "Claviger accounts 1, 5", Error,
        "an e-mail address is one that can be written to, and is confirmed by a code that was sent there";
    ADDRESS_PAUSE = "ACC-ADDRESS-PAUSE", "Claviger accounts 1, 5", Error,
        "letters that anybody can cause are few";
    LAST_WAY = "ACC-LAST-WAY", "ARF 3.0, WIAM_06", Error,
        "an account keeps a way in";
    ROOM = "ACC-ROOM", "Claviger accounts 1, 2", Error,
        "an account has a bounded number of passkeys, each with a short name";
}
