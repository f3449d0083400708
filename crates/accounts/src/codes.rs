//! Codes that are written down or typed: to come in without a passkey, and to bring
//! another phone into the account.

use jiff::Timestamp;
use provider_api::AccountCode;
use zeroize::Zeroizing;

use crate::secrets::random;
use crate::{Accounts, Error, SignedIn};

/// How many recovery codes a set has.
pub const MAX_CODES: usize = 8;

impl Accounts {
    /// A set of recovery codes in place of the one before. They are shown this once.
    pub async fn new_codes(&self, who: &SignedIn) -> Result<Vec<AccountCode>, Error> {
        self.require_fresh(who)?;
        let codes = (0..MAX_CODES)
            .map(|_| Ok(AccountCode::of(Zeroizing::new(random::<16>()?).as_slice())))
            .collect::<Result<Vec<_>, Error>>()?;
        let hashes = codes.iter().map(AccountCode::hash).collect();
        self.store
            .replace_codes(who.account(), hashes, who.sign_in(), self.clock.now())
            .await?;
        tracing::info!(event = "account.new-codes");
        Ok(codes)
    }

    /// How many recovery codes are left.
    pub async fn codes_left(&self, who: &SignedIn) -> Result<u64, Error> {
        Ok(self.store.codes_left(who.account()).await?)
    }

    /// A code that brings one wallet into the account, typed there within minutes:
    /// 64 random bits, which nobody guesses in the time. It takes the place of the one
    /// before, and wants a fresh sign-in.
    pub async fn link_code(&self, who: &SignedIn) -> Result<(AccountCode, Timestamp), Error> {
        self.require_fresh(who)?;
        let code = AccountCode::of(Zeroizing::new(random::<8>()?).as_slice());
        let now = self.clock.now();
        let ends = now.checked_add(self.config.link_code).unwrap_or(now);
        self.store
            .replace_link_code(who.account(), code.hash(), ends)
            .await?;
        Ok((code, ends))
    }
}
