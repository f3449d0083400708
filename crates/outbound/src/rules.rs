//! The rules that an outgoing request is held to.
//!
//! Those that only say that something could not be learnt weigh as warnings.

finding::rules! {
    URL = "OUT-URL", "RFC 9110, 4.2", Error,
        "an address that is asked is an http or https URL with a host, without name and password";
    HTTPS = "OUT-HTTPS", "RFC 9110, 4.2.2", Error,
        "an address that is asked is https, unless what lies there is signed and meant to be fetched by http";
    ADDRESS = "OUT-ADDRESS", "RFC 6890", Error,
        "an address that is asked leads to a public host, unless configured otherwise";
    REDIRECTS = "OUT-REDIRECTS", "RFC 9110, 15.4", Error,
        "redirects are few, and each says where to";
    SIZE = "OUT-SIZE", "Claviger, outgoing requests", Error,
        "an answer is no longer than what is accepted of its kind";
    TIME = "OUT-TIME", "Claviger, outgoing requests", Warning,
        "the whole answer arrives in time";
    STATUS = "OUT-STATUS", "RFC 9110, 15", Warning,
        "the answer is 200, or 304 where it was asked for";
    TRANSPORT = "OUT-TRANSPORT", "RFC 9110, 3.3", Warning,
        "the host is found, and answers whole over a good connection";
}
