use std::str::FromStr;

/// An address that mail can be sent to: `local@domain`, in ASCII, the domain in
/// the form that DNS knows (an international one is converted).
///
/// Nothing that ends a header line or separates addresses gets through.
#[derive(Clone, PartialEq, Eq)]
pub struct MailAddress(lettre::Address);

/// Why a text is no address that mail is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Longer than 254 bytes, or 64 before the `@` (RFC 5321, 4.5.3.1).
    #[error("the address is too long")]
    TooLong,
    /// A control character, such as the end of a line.
    #[error("the address holds a control character")]
    Control,
    /// Not ASCII before the `@`.
    #[error("the address is not ASCII before its @")]
    NotAscii,
    /// Not `local@domain` with a domain's name.
    #[error("not the form local@domain")]
    Form,
}

const MAX: usize = 254;
const MAX_LOCAL: usize = 64;

impl MailAddress {
    /// The part behind the `@`.
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    /// The whole of it.
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    pub(crate) fn inner(&self) -> &lettre::Address {
        &self.0
    }
}

impl FromStr for MailAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > MAX {
            return Err(AddressError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(AddressError::Control);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::Form)?;
        if local.len() > MAX_LOCAL {
            return Err(AddressError::TooLong);
        }
        if !local.is_ascii() {
            return Err(AddressError::NotAscii);
        }
        // A quoted local part may hold what separates addresses elsewhere.
        if local.contains(['"', '\\', ' ', ',', ';', '<', '>']) {
            return Err(AddressError::Form);
        }
        let Ok(url::Host::Domain(domain)) = url::Host::parse(domain) else {
            return Err(AddressError::Form);
        };
        // Converted, the domain may have grown.
        if local.len() + 1 + domain.len() > MAX {
            return Err(AddressError::TooLong);
        }
        lettre::Address::new(local, domain.as_str())
            .map(Self)
            .map_err(|_| AddressError::Form)
    }
}

impl std::fmt::Debug for MailAddress {
    /// Personal data: shown nowhere.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MailAddress")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("maria@example.org", "maria@example.org")]
    #[case("m.a-r+ia_1@mail.example.org", "m.a-r+ia_1@mail.example.org")]
    #[case("maria@Bücher.example", "maria@xn--bcher-kva.example")]
    #[case("maria@localhost", "maria@localhost")]
    fn addresses(#[case] text: &str, #[case] read: &str) {
        assert_eq!(text.parse::<MailAddress>().unwrap().as_str(), read);
    }

    #[rstest]
    #[case::cr_lf("maria@example.org\r\nBcc: all@example.org", AddressError::Control)]
    #[case::cr_lf_before("maria\r\nBcc: x@example.org", AddressError::Control)]
    #[case::line("maria\n@example.org", AddressError::Control)]
    #[case::nul("maria\0@example.org", AddressError::Control)]
    #[case::two("maria@example.org,eve@example.org", AddressError::Form)]
    #[case::two_the_other_way("maria,eve@example.org", AddressError::Form)]
    #[case::angle("<maria@example.org>", AddressError::Form)]
    #[case::named("Maria <maria@example.org>", AddressError::Form)]
    #[case::quoted("\"maria eve\"@example.org", AddressError::Form)]
    #[case::umlaut("märia@example.org", AddressError::NotAscii)]
    #[case::no_at("maria", AddressError::Form)]
    #[case::no_local("@example.org", AddressError::Form)]
    #[case::no_domain("maria@", AddressError::Form)]
    #[case::number("maria@127.0.0.1", AddressError::Form)]
    #[case::literal("maria@[::1]", AddressError::Form)]
    #[case::parameter("maria@example.org SIZE=1", AddressError::Form)]
    #[case::empty("", AddressError::Form)]
    fn no_addresses(#[case] text: &str, #[case] why: AddressError) {
        assert_eq!(text.parse::<MailAddress>(), Err(why));
    }

    #[test]
    fn too_long() {
        let local = |length: usize| format!("{}@example.org", "m".repeat(length));
        assert!(local(64).parse::<MailAddress>().is_ok());
        assert_eq!(local(65).parse::<MailAddress>(), Err(AddressError::TooLong));
        let domain = format!("m@{}", "d".repeat(253));
        assert_eq!(domain.parse::<MailAddress>(), Err(AddressError::TooLong));
        // What grows by the conversion is measured after it.
        let grows = format!("m@{}.example", "ü.".repeat(80).trim_end_matches('.'));
        assert_eq!(grows.parse::<MailAddress>(), Err(AddressError::TooLong));
    }

    #[test]
    fn an_address_is_not_shown() {
        let address: MailAddress = "maria@example.org".parse().unwrap();
        assert_eq!(format!("{address:?}"), "MailAddress");
    }
}
