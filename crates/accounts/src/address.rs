//! The e-mail address that a user may leave: nothing is sent there but a code, until
//! that came back.

use jiff::Timestamp;
use provider_api::{AccountCode, account_code_hash};
use zeroize::Zeroizing;

use crate::secrets::random;
use crate::{Accounts, AddressCode, Consent, ConsentKind, Error, Problem, SignedIn};

/// What a user agrees to by leaving an address. It is shown word for word, and its
/// hash is kept with the consent.
pub(crate) const PURPOSE: &str = "Write to this address when something happens to one of my wallets or to this account, and for nothing else.";
/// The version of those words.
const PURPOSE_VERSION: &str = "1";

impl Accounts {
    /// What a user agrees to by leaving an address.
    pub fn letters_purpose(&self) -> &'static str {
        PURPOSE
    }

    /// Sends a code to an address. The address is the account's once the code came
    /// back. It wants a fresh sign-in: where letters go is where an owner learns of what
    /// somebody else does.
    pub async fn begin_address(&self, who: &SignedIn, address: &str) -> Result<(), Error> {
        self.require_fresh(who)?;
        let Some(letters) = &self.letters else {
            let what = "no letters are sent here";
            return Err(Error::refused(Problem::Address, "address", what));
        };
        let address = letters
            .read(address.trim())
            .map_err(|why| Error::refused(Problem::Address, "address", why.to_string()))?;
        let code = AccountCode::of(Zeroizing::new(random::<4>()?).as_slice());
        let now = self.clock.now();
        let kept = AddressCode {
            address: address.clone(),
            code: code.hash(),
            expires_at: now.checked_add(self.config.address_code).unwrap_or(now),
            at: now,
        };
        let not_before: Timestamp = now.checked_sub(self.config.address_pause).unwrap_or(now);
        self.store
            .begin_address(who.account(), kept, not_before)
            .await?;
        letters
            .confirm_address(who.account(), &address, who.language(), code.text())
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

    /// Forgets the address, for a fresh sign-in.
    pub async fn remove_address(&self, who: &SignedIn) -> Result<(), Error> {
        self.require_fresh(who)?;
        let now = self.clock.now();
        self.store.remove_address(who.account(), now).await?;
        tracing::info!(event = "account.address-removed");
        Ok(())
    }
}
