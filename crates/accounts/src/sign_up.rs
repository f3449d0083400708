//! How an account begins: an alias, a passkey, and a user who agreed.

use serde::Deserialize;
use subtle::ConstantTimeEq;

use crate::ceremony::{Ceremony, SigningUp};
use crate::secrets::{Token, new_handle};
use crate::{
    Accounts, Begun, Consent, ConsentKind, Error, Finished, NewAccount, Problem, SignedIn,
};

/// What a user fills in.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// What the account is to be called; any name will do.
    pub alias: String,
    /// The user's language (BCP 47).
    pub language: String,
    /// The digest of the text that was shown, where it was agreed to.
    pub consent: Option<String>,
}

impl std::fmt::Debug for SignUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignUp").finish_non_exhaustive()
    }
}

impl Accounts {
    /// Begins a sign-up: the browser is asked to make a passkey.
    pub async fn begin_sign_up(&self, wish: SignUp) -> Result<Begun, Error> {
        let alias = provider_api::check_alias(&wish.alias).map_err(|refusal| Error::Refused {
            problem: Problem::Alias,
            refusal,
        })?;
        let consent = self.check_consent(wish.consent.as_deref())?;
        if self.store.by_alias(&alias).await?.is_some() {
            return Err(crate::StoreError::AliasTaken.into());
        }
        let handle = new_handle()?;
        let (options, passkey) =
            self.relying_party
                .begin_registration(handle, &alias, Vec::new())?;
        let state = SigningUp {
            alias,
            language: language(wish.language),
            handle,
            consent,
            passkey,
        };
        Ok(Begun {
            ceremony: self.begin(&Ceremony::SignUp(state)).await?,
            options,
        })
    }

    /// Finishes a sign-up: the account is made, and its user signed in.
    pub async fn finish_sign_up(
        &self,
        finished: Finished,
        before: Option<&Token>,
    ) -> Result<Token, Error> {
        let Ceremony::SignUp(state) = self.take(&finished.ceremony).await? else {
            return Err(Ceremony::other());
        };
        // The text may have changed while the user looked for the phone.
        self.check_consent(Some(&state.consent))?;
        let passkey = self
            .relying_party
            .finish_registration(finished.credential, &state.passkey)?;
        let (token, sign_in) = self.new_sign_in(before)?;
        self.store
            .sign_up(NewAccount {
                alias: state.alias,
                handle: state.handle,
                language: state.language,
                passkey: self.to_keep(&passkey, FIRST)?,
                consent: self.processing(),
                sign_in,
            })
            .await?;
        tracing::info!(event = "account.made");
        Ok(token)
    }

    /// Whether the user agreed to the text as it stands now.
    pub fn has_agreed(&self, who: &SignedIn) -> bool {
        who.agreed() == Some(self.config.consent.sha256())
    }

    /// Records that the user agrees to the text whose digest the form carries.
    pub async fn agree(&self, who: &SignedIn, shown: Option<&str>) -> Result<(), Error> {
        self.check_consent(shown)?;
        Ok(self.store.agree(who.account(), self.processing()).await?)
    }

    fn processing(&self) -> Consent {
        Consent {
            kind: ConsentKind::Processing,
            version: self.config.consent.version().to_owned(),
            sha256: *self.config.consent.sha256(),
            at: self.clock.now(),
        }
    }

    fn check_consent(&self, shown: Option<&str>) -> Result<String, Error> {
        let digest = self.config.consent.digest();
        let refuse = |what| Err(Error::refused(Problem::Consent, "consent", what));
        match shown {
            None => refuse("it was not given"),
            Some(shown) if bool::from(shown.as_bytes().ct_eq(digest.as_bytes())) => Ok(digest),
            Some(_) => refuse("it was given to another text than the one that stands now"),
        }
    }
}

/// What the first passkey is called.
const FIRST: &str = "First passkey";

/// A language tag, or English where it is none.
fn language(tag: String) -> String {
    let fits =
        (2..=35).contains(&tag.len()) && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fits { tag } else { "en".to_owned() }
}
