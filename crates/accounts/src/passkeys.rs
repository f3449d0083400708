//! The passkeys of an account.

use jiff::Timestamp;
use webauthn_rs::prelude::Passkey;

use crate::ceremony::{AddingPasskey, Ceremony};
use crate::secrets::new_handle;
use crate::{Accounts, Begun, Error, Finished, NewPasskey, PasskeyRecord, Problem, SignedIn};

/// A passkey as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasskeyView {
    /// What a form names it by.
    pub id: String,
    /// What its user calls it.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last signed somebody in.
    pub used_at: Option<Timestamp>,
}

/// The longest name of a passkey, in characters.
const MAX_NAME: usize = 64;

impl Accounts {
    /// The account's passkeys, the oldest first.
    pub async fn passkeys(&self, who: &SignedIn) -> Result<Vec<PasskeyView>, Error> {
        let records = self.store.passkeys(who.account()).await?;
        let view = |record: PasskeyRecord| PasskeyView {
            id: jose::b64::encode(&record.id),
            name: record.name,
            created_at: record.created_at,
            used_at: record.used_at,
        };
        Ok(records.into_iter().map(view).collect())
    }

    /// Begins to add a passkey. It opens the account like any other, so it needs a
    /// sign-in of the last minutes.
    pub async fn begin_passkey(&self, who: &SignedIn, name: &str) -> Result<Begun, Error> {
        self.require_fresh(who)?;
        let name = name.trim();
        let long = name.chars().take(MAX_NAME + 1).count() > MAX_NAME;
        if name.is_empty() || long || name.chars().any(char::is_control) {
            let what = format!("a name has 1 to {MAX_NAME} characters, none of them a control");
            return Err(Error::refused(Problem::Room, "name", what));
        }
        let known = self.store.passkeys(who.account()).await?;
        if known.len() >= self.config.passkeys as usize {
            return Err(crate::StoreError::Full.into());
        }
        let handle = self.store.handle(who.account(), new_handle()?).await?;
        let (options, passkey) = self.relying_party.begin_registration(
            handle,
            who.alias(),
            known.into_iter().map(|record| record.id).collect(),
        )?;
        let state = AddingPasskey {
            account: who.account(),
            name: name.to_owned(),
            passkey,
        };
        Ok(Begun {
            ceremony: self.begin(&Ceremony::Passkey(state)).await?,
            options,
        })
    }

    /// Adds a passkey.
    pub async fn finish_passkey(&self, who: &SignedIn, finished: Finished) -> Result<(), Error> {
        let Ceremony::Passkey(state) = self.take(&finished.ceremony).await? else {
            return Err(Ceremony::other());
        };
        if state.account != who.account() {
            let what = "it was begun for another account";
            return Err(Error::refused(Problem::Ceremony, "ceremony", what));
        }
        let passkey = self
            .relying_party
            .finish_registration(finished.credential, &state.passkey)?;
        let kept = self.to_keep(&passkey, &state.name)?;
        self.store
            .add_passkey(who.account(), kept, self.config.passkeys)
            .await?;
        tracing::info!(event = "account.passkey-added");
        Ok(())
    }

    /// Removes a passkey, as long as something is left to sign in with.
    pub async fn remove_passkey(&self, who: &SignedIn, id: &str) -> Result<(), Error> {
        self.require_fresh(who)?;
        let id = jose::b64::decode(id).map_err(|_| crate::StoreError::PasskeyUnknown)?;
        self.store
            .remove_passkey(who.account(), id, who.sign_in())
            .await?;
        tracing::info!(event = "account.passkey-removed");
        Ok(())
    }

    /// What is kept of a passkey that proved itself.
    pub(crate) fn to_keep(&self, passkey: &Passkey, name: &str) -> Result<NewPasskey, Error> {
        Ok(NewPasskey {
            id: passkey.cred_id().clone(),
            name: name.to_owned(),
            data: serde_json::to_string(passkey).map_err(|e| Error::Passkeys(e.into()))?,
            at: self.clock.now(),
        })
    }
}

/// The library's record of a passkey.
pub(crate) fn read(record: &PasskeyRecord) -> Result<Passkey, Error> {
    serde_json::from_str(&record.data).map_err(|e| Error::Passkeys(e.into()))
}
