//! What is remembered between the two halves of a ceremony.

use serde::{Deserialize, Serialize};

use crate::secrets::{Token, label};
use crate::{Accounts, Error, NewCeremony, Problem, passkeys, sign_in, sign_up};

/// A ceremony under way. It lies in the store, so that any node can finish it.
#[derive(Serialize, Deserialize)]
pub(crate) enum Ceremony {
    /// An account is to be made.
    SignUp(sign_up::State),
    /// Somebody is to come in.
    SignIn(sign_in::State),
    /// A passkey is to be added.
    Passkey(passkeys::State),
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
