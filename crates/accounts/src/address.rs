//! The e-mail address that a user may leave: nothing is sent there but a code, until
//! that came back.

use jiff::Timestamp;
use provider_api::{AccountCode, account_code_hash};
use zeroize::Zeroizing;

use crate::secrets::random;
use crate::{Accounts, AddressCode, Consent, ConsentKind, Error, Problem, SignedIn};

/// What a user agrees to by leaving an address. It is shown word for word, and its
/// hash is kept with the consent.
pub(crate) const PURPOSE: &str = "Write to this address when one of my wallets is revoked or needs my attention, and for nothing else.";
/// The version of those words.
const PURPOSE_VERSION: &str = "1";
/// The longest address (RFC 5321, 4.5.3.1.3, without the angle brackets), in bytes.
const MAX_ADDRESS: usize = 254;

impl Accounts {
    /// What a user agrees to by leaving an address.
    pub fn letters_purpose(&self) -> &'static str {
        PURPOSE
    }

    /// Sends a code to an address. The address is the account's once the code came
    /// back.
    pub async fn begin_address(&self, who: &SignedIn, address: &str) -> Result<(), Error> {
        let Some(letters) = &self.letters else {
            let what = "no letters are sent here";
            return Err(Error::refused(Problem::Address, "address", what));
        };
        let address = address.trim();
        check(address)?;
        let code = AccountCode::of(Zeroizing::new(random::<4>()?).as_slice());
        let now = self.clock.now();
        let kept = AddressCode {
            address: address.to_owned(),
            code: code.hash(),
            expires_at: now.checked_add(self.config.address_code).unwrap_or(now),
            at: now,
        };
        let not_before: Timestamp = now.checked_sub(self.config.address_pause).unwrap_or(now);
        self.store
            .begin_address(who.account(), kept, not_before)
            .await?;
        letters
            .confirm_address(address, who.language(), code.text())
            .await
            .map_err(Error::Letter)
    }

    /// The address is the account's from now on, if this is the code that was sent
    /// there.
    pub async fn confirm_address(&self, who: &SignedIn, code: &str) -> Result<(), Error> {
        let consent = Consent {
            kind: ConsentKind::Letters,
            version: PURPOSE_VERSION.to_owned(),
            sha256: jose::sha256(PURPOSE.as_bytes()),
            at: self.clock.now(),
        };
        self.store
            .confirm_address(
                who.account(),
                account_code_hash(code),
                self.config.address_tries,
                consent,
            )
            .await?;
        tracing::info!(event = "account.address-confirmed");
        Ok(())
    }

    /// The address that waits for its code.
    pub async fn waiting_address(&self, who: &SignedIn) -> Result<Option<String>, Error> {
        let now = self.clock.now();
        Ok(self.store.waiting_address(who.account(), now).await?)
    }

    /// Forgets the address.
    pub async fn remove_address(&self, who: &SignedIn) -> Result<(), Error> {
        self.store.remove_address(who.account()).await?;
        tracing::info!(event = "account.address-removed");
        Ok(())
    }
}

/// Refuses what cannot be an address. Whether it is one shows when the code comes back.
fn check(address: &str) -> Result<(), Error> {
    let refuse = |what| Err(Error::refused(Problem::Address, "address", what));
    if address.len() > MAX_ADDRESS {
        return refuse("longer than an address can be");
    }
    let unfit = |c: char| c.is_whitespace() || c.is_control() || "<>()[],;:\\\"".contains(c);
    match address.rsplit_once('@') {
        Some((name, host)) if name.is_empty() || host.is_empty() || name.contains('@') => {
            refuse("a name, one @, and a host")
        }
        Some(_) if address.chars().any(unfit) => refuse("holds what no address holds"),
        Some(_) => Ok(()),
        None => refuse("a name, one @, and a host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for good in ["a@b", "first.last+tag@mail.example", "ü@münchen.example"] {
            assert!(check(good).is_ok(), "{good}");
        }
        let long = format!("{}@mail.example", "a".repeat(250));
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b\r\nBcc: x@y",
            "<a@b>",
            "a@b,c@d",
            &long,
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
