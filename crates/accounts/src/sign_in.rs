//! How a user comes in again: with a passkey, or with a recovery code.

use provider_api::{AccountId, account_code_hash, compose_alias};

use crate::ceremony::{Ceremony, SigningIn};
use crate::passkeys::read;
use crate::secrets::Token;
use crate::{Accounts, Begun, Error, Finished, PasskeyUse, Problem};

/// What somebody must look at.
const ALARM: &str = "claviger::alarm";

impl Accounts {
    /// Begins a sign-in with a passkey. An alias that nobody has gets an answer like
    /// any other.
    pub async fn begin_sign_in(&self, alias: &str) -> Result<Begun, Error> {
        let composed = compose_alias(alias);
        let account = match &composed {
            Some(alias) => self.store.by_alias(alias).await?,
            None => None,
        };
        let passkeys = match account {
            Some(account) => self.store.passkeys(account).await?,
            None => Vec::new(),
        };
        let passkeys = passkeys.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let (mut options, state) = self.relying_party.begin_sign_in(&passkeys)?;
        if passkeys.is_empty() {
            // The same for one alias however it was typed, as where there are some.
            let alias = composed.as_deref().unwrap_or(alias);
            options = self.relying_party.make_up_sign_in(alias)?;
        }
        let state = SigningIn {
            account: account.filter(|_| !passkeys.is_empty()),
            passkeys: state,
        };
        Ok(Begun {
            ceremony: self.begin(&Ceremony::SignIn(state)).await?,
            options,
        })
    }

    /// Finishes a sign-in with a passkey.
    pub async fn finish_sign_in(
        &self,
        finished: Finished,
        before: Option<&Token>,
    ) -> Result<Token, Error> {
        let Ceremony::SignIn(state) = self.take(&finished.ceremony).await? else {
            return Err(Ceremony::other());
        };
        let Some(account) = state.account else {
            return Err(crate::StoreError::PasskeyUnknown.into());
        };
        let signed = self.finish_with_passkey(account, &state, finished, before);
        let token = signed.await.inspect_err(|error| {
            if error.problem() == Some(Problem::Counter) {
                tracing::error!(
                    target: ALARM,
                    event = "passkey.counter-back",
                    %account,
                    "a passkey's counter went back: there may be a copy of it"
                );
            }
        })?;
        tracing::info!(event = "account.signed-in", by = "passkey");
        Ok(token)
    }

    async fn finish_with_passkey(
        &self,
        account: AccountId,
        state: &SigningIn,
        finished: Finished,
        before: Option<&Token>,
    ) -> Result<Token, Error> {
        let result = self
            .relying_party
            .finish_sign_in(finished.credential, &state.passkeys)?;
        // As it is kept now: it may have been used or removed since the beginning.
        let records = self.store.passkeys(account).await?;
        let record = records.iter().find(|record| record.id == *result.cred_id());
        let record = record.ok_or(crate::StoreError::PasskeyUnknown)?;
        let mut passkey = read(record)?;
        passkey.update_credential(&result);
        let data = serde_json::to_string(&passkey).map_err(|e| Error::Passkeys(e.into()))?;
        let (token, sign_in) = self.new_sign_in(before)?;
        self.store
            .sign_in_by_passkey(
                PasskeyUse {
                    account,
                    id: record.id.clone(),
                    counter: result.counter(),
                    data,
                },
                sign_in,
            )
            .await?;
        Ok(token)
    }

    /// Signs in with an alias and a recovery code, which is used up, unless nothing else
    /// opens the account. An unknown alias and a wrong code are told apart by nobody.
    pub async fn sign_in_by_code(
        &self,
        alias: &str,
        code: &str,
        before: Option<&Token>,
    ) -> Result<Token, Error> {
        let alias = compose_alias(alias).ok_or(crate::StoreError::Code)?;
        let (token, sign_in) = self.new_sign_in(before)?;
        self.store
            .sign_in_by_code(alias, account_code_hash(code), sign_in)
            .await?;
        tracing::info!(event = "account.signed-in", by = "recovery code");
        Ok(token)
    }
}
