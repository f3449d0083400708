use jiff::SignedDuration;
use url::Url;

/// How accounts do what the texts leave open. [`Config::new`] has the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the pages are, as a browser has it: scheme, host and port.
    pub origin: Url,
    /// What a passkey is for: the host's name, or a domain that it is in.
    pub rp_id: String,
    /// What an authenticator shows of whom a passkey is for.
    pub rp_name: String,
    /// What a user agrees to before there is an account.
    pub consent: ConsentText,
    /// How long a ceremony may take.
    pub ceremony: SignedDuration,
    /// A sign-in ends when its user was away for so long.
    pub idle: SignedDuration,
    /// A sign-in ends after this, whatever its user does.
    pub longest: SignedDuration,
    /// What cannot be taken back needs a sign-in that is no older.
    pub fresh: SignedDuration,
    /// How long a link code may be typed.
    pub link_code: SignedDuration,
    /// How long the code that confirms an address may be typed.
    pub address_code: SignedDuration,
    /// How long until another one is sent.
    pub address_pause: SignedDuration,
    /// How often it may be typed wrong.
    pub address_tries: u32,
    /// How many passkeys an account may have.
    pub passkeys: u32,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {what}")]
pub struct ConfigError {
    /// Which part.
    pub key: &'static str,
    /// Why.
    pub what: String,
}

impl Config {
    /// For pages at `origin`, on whose host passkeys work: https and a name, or
    /// `localhost` in development.
    pub fn new(
        origin: Url,
        rp_name: impl Into<String>,
        consent: ConsentText,
    ) -> Result<Self, ConfigError> {
        let wrong = |what: &str| {
            Err(ConfigError {
                key: "origin",
                what: format!("{origin}: {what}"),
            })
        };
        let Some(host) = origin.domain().map(str::to_owned) else {
            return wrong("passkeys need a host with a name");
        };
        if origin.scheme() != "https" && host != "localhost" {
            return wrong("passkeys need https");
        }
        Ok(Self {
            rp_id: host,
            origin,
            rp_name: rp_name.into(),
            consent,
            ceremony: SignedDuration::from_mins(5),
            idle: SignedDuration::from_mins(15),
            longest: SignedDuration::from_hours(8),
            fresh: SignedDuration::from_mins(5),
            link_code: SignedDuration::from_mins(10),
            address_code: SignedDuration::from_mins(30),
            address_pause: SignedDuration::from_mins(1),
            address_tries: 5,
            passkeys: 10,
        })
    }
}

/// What a user is asked to agree to (ARF `WIAM_05`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentText {
    version: String,
    text: String,
    sha256: [u8; 32],
}

impl ConsentText {
    /// The text, and the name of its version. The first line is its title; an empty
    /// line stands between paragraphs.
    pub fn new(version: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            version: version.into(),
            sha256: jose::sha256(text.as_bytes()),
            text,
        }
    }

    /// The version's name.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its first line.
    pub fn title(&self) -> &str {
        self.text.trim_start().lines().next().unwrap_or_default()
    }

    /// What follows its first line.
    pub fn paragraphs(&self) -> impl Iterator<Item = &str> {
        let after = self.text.trim_start().split_once('\n');
        let after = after.map_or("", |(_, after)| after);
        after.split("\n\n").map(str::trim).filter(|p| !p.is_empty())
    }

    /// The SHA-256 of the whole text.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// The same in hexadecimal, as a form carries it.
    pub fn digest(&self) -> String {
        hex::encode(self.sha256)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn passkeys_need_a_name_and_https() {
        let config = |origin: &str| {
            let consent = ConsentText::new("1", "Title\n\nOne.\n\nTwo\nlines.\n");
            Config::new(origin.parse().unwrap(), "Wallet", consent)
        };
        assert_eq!(
            config("https://wallet.example").unwrap().rp_id,
            "wallet.example"
        );
        assert_eq!(config("http://localhost:8710").unwrap().rp_id, "localhost");
        for wrong in [
            "http://127.0.0.1:8710",
            "https://[::1]",
            "http://wallet.example",
        ] {
            assert_eq!(config(wrong).unwrap_err().key, "origin", "{wrong}");
        }
    }

    #[test]
    fn a_text_has_a_title_and_paragraphs() {
        let text = ConsentText::new("1", "Title\n\nOne.\n\nTwo\nlines.\n");
        assert_eq!(text.title(), "Title");
        assert_eq!(
            text.paragraphs().collect::<Vec<_>>(),
            ["One.", "Two\nlines."]
        );
        assert_ne!(text.digest(), ConsentText::new("1", "Title").digest());
    }
}
