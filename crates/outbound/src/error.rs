use std::net::IpAddr;
use std::time::Duration;

use finding::{Finding, Rule};

use crate::rules;

/// Why something was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Not an address of the web.
    #[error("{0} is not an http or https URL with a host")]
    NotWeb(String),
    /// The URL carries a name or a password.
    #[error("the URL for {0} carries a name or a password")]
    Credentials(String),
    /// http where https is needed.
    #[error("{0} is not https")]
    NotHttps(String),
    /// An address inside this machine or network, or one that no server has.
    #[error("{0} leads to the address {1}, which is not public")]
    PrivateAddress(String, IpAddr),
    /// Redirected too often.
    #[error("more than {0} redirects")]
    TooManyRedirects(usize),
    /// A redirect that does not say where to, or that a body would not survive.
    #[error("a redirect without a usable Location")]
    BadRedirect,
    /// An answer other than 200, and 304 where that was asked for.
    #[error("the answer is {0}")]
    Status(u16),
    /// More bytes than are accepted.
    #[error("more than {0} bytes")]
    TooLarge(usize),
    /// It took too long.
    #[error("no whole answer within {0:?}")]
    Timeout(Duration),
    /// No such host, no connection, no TLS, or a broken answer.
    #[error("{0}")]
    Transport(String),
}

impl FetchError {
    /// The rule that was broken.
    pub fn rule(&self) -> &'static Rule {
        match self {
            FetchError::NotWeb(_) | FetchError::Credentials(_) => &rules::URL,
            FetchError::NotHttps(_) => &rules::HTTPS,
            FetchError::PrivateAddress(..) => &rules::ADDRESS,
            FetchError::TooManyRedirects(_) | FetchError::BadRedirect => &rules::REDIRECTS,
            FetchError::TooLarge(_) => &rules::SIZE,
            FetchError::Timeout(_) => &rules::TIME,
            FetchError::Status(_) => &rules::STATUS,
            FetchError::Transport(_) => &rules::TRANSPORT,
        }
    }

    /// The failure as a finding about `subject`, such as the URL asked for.
    pub fn finding(&self, subject: impl Into<String>) -> Finding {
        self.rule().finding(subject, self.to_string())
    }

    /// Whether the address itself is refused, which asking again does not change;
    /// otherwise what lies there is merely not known.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            FetchError::NotWeb(_)
                | FetchError::Credentials(_)
                | FetchError::NotHttps(_)
                | FetchError::PrivateAddress(..)
        )
    }
}

/// An error and its causes in one line: the outermost hides what an operator
/// needs.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text.chars().filter(|c| !c.is_control()).take(400).collect()
}
