//! The rules that a delivery is held to. What may still succeed weighs as a
//! warning, what ends a delivery as an error.

finding::rules! {
    ADDRESS = "NOTICE-ADDRESS", "RFC 5321, 4.1.2 and 4.5.3.1", Error,
        "mail is sent to one address of the form local@domain, of at most 254 bytes, without control characters";
    NO_ADDRESS = "NOTICE-NO-ADDRESS", "ARF 3.0, WURevocation_14", Warning,
        "an account has a confirmed address; where it has none, the news of a revocation waits for one until the day is over";
    TEXT = "NOTICE-TEXT", "Claviger, notices", Error,
        "a notice in the outbox is one that this version knows, and whole";
    MAIL_REFUSED = "NOTICE-MAIL-REFUSED", "RFC 5321, 4.2.1", Error,
        "the mail server takes the recipient and the message; 5yz to either is final";
    MAIL_LATER = "NOTICE-MAIL-LATER", "RFC 5321, 4.5.4.1", Warning,
        "the mail server answers, takes this client, and does not put it off; otherwise it is asked again";
    WEBHOOK_REFUSED = "NOTICE-WEBHOOK-REFUSED", "RFC 9110, 15.5", Error,
        "a webhook takes the notice; 400, 410, 413, 415 and 422 say that it never will, and are final";
    WEBHOOK_LATER = "NOTICE-WEBHOOK-LATER", "RFC 9110, 15.6", Warning,
        "a webhook answers 2xx, whole and in time; otherwise it is asked again";
    SIGNED = "NOTICE-SIGNED", "RFC 7515, 5.1", Warning,
        "a webhook's notice is signed by the provider's key; while that is away, it waits";
}
