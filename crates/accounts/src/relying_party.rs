//! The one place that knows the WebAuthn library.

use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use webauthn_rs::fake::{FakePasskeyDistribution, WebauthnFakeCredentialGenerator};
use webauthn_rs::prelude::{
    AuthenticationResult, Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::{Config, ConfigError, Error, Problem};

/// Whom passkeys are for: this house, at its origin.
pub(crate) struct RelyingParty {
    webauthn: Webauthn,
    made_up: WebauthnFakeCredentialGenerator<FakePasskeyDistribution>,
}

impl RelyingParty {
    /// `secret` is the same on all nodes: what is made up for an alias that nobody
    /// has must not change from node to node.
    pub(crate) fn new(config: &Config, secret: &[u8; 32]) -> Result<Self, ConfigError> {
        let wrong = |error: WebauthnError| ConfigError {
            key: "rp_id",
            what: error.to_string(),
        };
        let origin: &Url = &config.origin;
        let timeout = std::time::Duration::try_from(config.ceremony);
        let webauthn = WebauthnBuilder::new(&config.rp_id, origin)
            .map_err(wrong)?
            .rp_name(&config.rp_name)
            .timeout(timeout.unwrap_or(webauthn_rs::DEFAULT_AUTHENTICATOR_TIMEOUT))
            .build()
            .map_err(wrong)?;
        let made_up = WebauthnFakeCredentialGenerator::new(secret).map_err(wrong)?;
        Ok(Self { webauthn, made_up })
    }

    /// Begins the registration of a passkey beside those that are `known`.
    pub(crate) fn begin_registration(
        &self,
        handle: Uuid,
        alias: &str,
        known: Vec<Vec<u8>>,
    ) -> Result<(Value, PasskeyRegistration), Error> {
        let (options, state) = self
            .webauthn
            .start_passkey_registration(handle, alias, alias, Some(known))
            .map_err(failed)?;
        Ok((serde_json::to_value(options).map_err(failed)?, state))
    }

    pub(crate) fn finish_registration(
        &self,
        credential: Value,
        state: &PasskeyRegistration,
    ) -> Result<Passkey, Error> {
        let credential: RegisterPublicKeyCredential =
            serde_json::from_value(credential).map_err(unreadable)?;
        self.webauthn
            .finish_passkey_registration(&credential, state)
            .map_err(refused)
    }

    /// Begins a sign-in with one of these passkeys.
    pub(crate) fn begin_sign_in(
        &self,
        passkeys: &[Passkey],
    ) -> Result<(Value, PasskeyAuthentication), Error> {
        let (options, state) = self
            .webauthn
            .start_passkey_authentication(passkeys)
            .map_err(failed)?;
        Ok((serde_json::to_value(options).map_err(failed)?, state))
    }

    /// What a sign-in under an alias that nobody has begins with: it looks like one
    /// that somebody has, each time the same.
    pub(crate) fn make_up_sign_in(&self, alias: &str) -> Result<Value, Error> {
        let (mut options, _) = self.begin_sign_in(&[])?;
        let made_up = self.made_up.generate(alias.as_bytes()).map_err(failed)?;
        let made_up: Vec<_> = made_up
            .iter()
            .map(|id| json!({ "type": "public-key", "id": jose::b64::encode(id) }))
            .collect();
        if let Some(allowed) = options.pointer_mut("/publicKey/allowCredentials") {
            *allowed = made_up.into();
        }
        Ok(options)
    }

    pub(crate) fn finish_sign_in(
        &self,
        credential: Value,
        state: &PasskeyAuthentication,
    ) -> Result<AuthenticationResult, Error> {
        let credential: PublicKeyCredential =
            serde_json::from_value(credential).map_err(unreadable)?;
        self.webauthn
            .finish_passkey_authentication(&credential, state)
            .map_err(refused)
    }
}

impl std::fmt::Debug for RelyingParty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RelyingParty")
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Passkeys(Box::new(error))
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::refused(Problem::Passkey, "credential", error.to_string())
}

/// What the library found. A counter that went back is told apart: it can mean a copy.
fn refused(error: WebauthnError) -> Error {
    let problem = match error {
        WebauthnError::CredentialPossibleCompromise => Problem::Counter,
        WebauthnError::CredentialNotFound => Problem::PasskeyUnknown,
        _ => Problem::Passkey,
    };
    Error::refused(problem, "credential", format!("{error:?}"))
}
