//! What is remembered between the two halves of a ceremony.

use provider_api::AccountId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use webauthn_rs::prelude::{PasskeyAuthentication, PasskeyRegistration};

use crate::secrets::{Token, label};
use crate::{Accounts, Error, NewCeremony, Problem};

/// A ceremony under way. It lies in the store, so that any node can finish it.
#[derive(Serialize, Deserialize)]
pub(crate) enum Ceremony {
    /// An account is to be made.
    SignUp(SigningUp),
    /// Somebody is to come in.
    SignIn(SigningIn),
    /// A passkey is to be added.
    Passkey(AddingPasskey),
}

/// Of a sign-up.
#[derive(Serialize, Deserialize)]
pub(crate) struct SigningUp {
    pub(crate) alias: String,
    pub(crate) language: String,
    pub(crate) handle: Uuid,
    pub(crate) consent: String,
    pub(crate) passkey: PasskeyRegistration,
}

/// Of a sign-in.
#[derive(Serialize, Deserialize)]
pub(crate) struct SigningIn {
    /// None: nobody has the alias, and nobody may learn that.
    pub(crate) account: Option<AccountId>,
    pub(crate) passkeys: PasskeyAuthentication,
}

/// Of a passkey that is added.
#[derive(Serialize, Deserialize)]
pub(crate) struct AddingPasskey {
    pub(crate) account: AccountId,
    pub(crate) name: String,
    pub(crate) passkey: PasskeyRegistration,
}

impl Ceremony {
    /// The ceremony that was named is over now, and was another one.
    pub(crate) fn other() -> Error {
        unknown("it was begun for something else")
    }
}

fn unknown(what: &str) -> Error {
    Error::refused(Problem::Ceremony, "ceremony", what)
}

impl Accounts {
    /// Remembers a ceremony; its name.
    pub(crate) async fn begin(&self, ceremony: &Ceremony) -> Result<String, Error> {
        let name = Token::new()?;
        let now = self.clock.now();
        let state = serde_json::to_string(ceremony).map_err(|e| Error::Passkeys(e.into()))?;
        self.store
            .add_ceremony(NewCeremony {
                hash: name.hash(label::CEREMONY),
                state,
                expires_at: now.checked_add(self.config.ceremony).unwrap_or(now),
            })
            .await?;
        Ok(name.text().to_owned())
    }

    /// Takes a ceremony. Whatever comes of it, it is over.
    pub(crate) async fn take(&self, name: &str) -> Result<Ceremony, Error> {
        let hash = Token::read(name).hash(label::CEREMONY);
        let state = self.store.take_ceremony(hash, self.clock.now()).await?;
        let state = state.ok_or_else(|| unknown("it was not begun here, has ended, or is over"))?;
        serde_json::from_str(&state).map_err(|e| Error::Passkeys(e.into()))
    }
}
