//! Association: that keys belong together, stated over what the WSCA proved.

use jiff::SignedDuration;
use provider_api::{AssociationAnswer, AssociationRequest, Problem};
use sci::KeyStatement;
use wua::{Association, MAX_ASSOCIATION_LIFETIME};

use crate::{Caller, Error, Issuance, Seals, WalletProvider, secrets};

/// The longest audience or nonce that is signed, in bytes.
const MAX_LABEL: usize = 1024;

impl WalletProvider {
    /// States that keys which the WSCA holds for the caller's unit belong together
    /// (ARF `ACP_01`, `ACP_05`): at issuance, for one audience, on its nonce. The WSCA
    /// proved them in one live session, in a statement of a typ of its own, which earns
    /// no KA; nor does a KA's statement earn an association. The answer is signed.
    ///
    /// Nothing of it is kept but that the nonce was spent: neither the audience nor the
    /// keys (ARF `WIAM_12a`).
    pub async fn associate(
        &self,
        caller: &Caller,
        request: &AssociationRequest,
    ) -> Result<String, Error> {
        caller.operational()?;
        for (name, text) in [("audience", &request.audience), ("nonce", &request.nonce)] {
            if text.is_empty() || text.len() > MAX_LABEL {
                return Err(Error::refused(
                    Problem::Malformed,
                    name,
                    "empty or too long",
                ));
            }
        }
        let now = self.clock.now();
        let refuse = |what: String| Error::refused(Problem::Statement, "statement", what);
        let ours = jose::jws::parse(&request.statement, provider_api::MAX_BODY)
            .and_then(|token| token.claims())
            .map_err(|error| refuse(error.to_string()))?;
        let ours = ours.get("nonce").and_then(serde_json::Value::as_str);
        let ours = ours.ok_or_else(|| refuse("the nonce is absent".into()))?;
        let key = self.wsca.statement_key();
        let base = &self.config.base_url;
        let statement =
            KeyStatement::verify_for_association(&request.statement, key, ours, base, now)
                .map_err(|error| refuse(error.to_string()))?;
        if statement.unit() != caller.unit() {
            return Err(refuse("it is over another unit's keys".into()));
        }
        if statement.claims().device != caller.unit.signing_key.thumbprint_b64() {
            return Err(refuse("another device asked for it".into()));
        }
        if statement.keys().len() < 2 {
            return Err(refuse("one key belongs together with none".into()));
        }
        let issuance = Issuance {
            unit: caller.unit(),
            request: caller.spent(),
            nonce: Some(secrets::challenge_hash(ours)),
            keys: Vec::new(),
            entries: Vec::new(),
            at: now,
        };
        self.check_issuance(&issuance).await?;
        let life: SignedDuration = MAX_ASSOCIATION_LIFETIME;
        let association = Association {
            issuer: base.clone(),
            audience: request.audience.clone(),
            nonce: request.nonce.clone(),
            issued: now,
            expires: now.checked_add(life).unwrap_or(now),
            keys: statement
                .keys()
                .iter()
                .map(|key| key.jwk.thumbprint_b64())
                .collect(),
        };
        let generation = self.keys.seal(Seals::Ka, now)?;
        let seal = generation.seal();
        let association = association.sign(&seal.chain, seal.signer.as_ref()).await?;
        self.store.issue(issuance).await?;
        tracing::info!(event = "association.signed", keys = statement.keys().len());
        self.answer(caller.request.jti(), AssociationAnswer { association })
            .await
    }
}
