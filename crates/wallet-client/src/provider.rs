use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use clock::Clock;
use finding::Refusal;
use jiff::Timestamp;
use jose::json::{self, JsonError, Limits};
use jose::{KeyAgreement, SignError, Signer, b64};
use provider_api::{
    AccountRequest, AccountView, ActivationAnswer, ActivationClaims, AssociationAnswer,
    AssociationRequest, Challenge, Empty, PinnedKeys, ProviderView, REQUEST_HEADER,
    RevocationRequest, SignedAnswer, UnitRequest, UnitView, agreement_proof,
};
use reqwest::header::CONTENT_TYPE;
use sci::UnitId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::Platform;
use crate::http::{self, HttpError, MAX_ANSWER};

/// The largest signed view of a provider, in bytes: with every handover that is read.
const MAX_VIEW: usize = 512 << 10;

/// Speaks with the wallet provider for one wallet instance.
///
/// Every request after the activation is signed by the unit's device key; every
/// answer to one is signed by the provider, and is believed only under the key
/// that the app pinned (ARF `WIAM_12`).
#[derive(Debug, Clone)]
pub struct ProviderClient {
    base: Url,
    view: ProviderView,
    /// The answer keys that are believed: shared, since what one clone learns of a
    /// handover all may know.
    answer_keys: Arc<RwLock<PinnedKeys>>,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
}

/// What a device brings to its activation.
#[derive(Debug)]
pub struct Activation<'a> {
    /// The account's alias.
    pub alias: &'a str,
    /// The account's code, where the account exists already.
    pub account_code: Option<&'a str>,
    /// The text that the user was shown and agreed to: its hash, as
    /// [`ProviderView::consent`] has it.
    pub consent: Option<&'a str>,
    /// The device's signing key.
    pub signing: &'a dyn Signer,
    /// The device's agreement key.
    pub agreement: &'a dyn KeyAgreement,
    /// What vouches for the device.
    pub platform: &'a dyn Platform,
    /// The version of the wallet solution.
    pub wallet_version: &'a str,
}

/// Why the provider did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It could not be asked, or refused.
    #[error("the wallet provider")]
    Http(#[from] HttpError),
    /// What it said cannot be read.
    #[error("the wallet provider's answer: {0}")]
    Json(#[from] JsonError),
    /// What it said is not signed as it must be.
    #[error("the wallet provider's answer is not to be believed: {0}")]
    NotBelieved(#[from] Refusal),
    /// A device key could not be used.
    #[error("the device")]
    Device(#[from] SignError),
    /// The address of the provider cannot be used.
    #[error("the wallet provider's address cannot be used")]
    Address,
    /// No randomness could be had.
    #[error("no randomness could be had")]
    Random,
    /// What came is not the batch that was asked for.
    #[error("the wallet provider's batch")]
    Batch(#[from] crate::NotABatch),
    /// The other side is another provider than was pinned.
    #[error("the provider is not the one that was pinned")]
    NotPinned,
}

impl ProviderError {
    /// The problem that the provider answered with, if it did.
    pub fn problem(&self) -> Option<&http::ProblemDetails> {
        match self {
            ProviderError::Http(error) => error.problem(),
            _ => None,
        }
    }

    /// The stable code of that problem.
    pub fn code(&self) -> Option<&str> {
        self.problem().map(|problem| problem.code.as_str())
    }
}

impl ProviderClient {
    /// Asks the provider at `base` who it is, and pins the answer key that signs what
    /// it says of itself: trust on first use, for development. An app ships the key and
    /// uses [`ProviderClient::pinned`].
    pub async fn discover(base: &str, clock: Arc<dyn Clock>) -> Result<Self, ProviderError> {
        Self::discover_by(http::client()?, base, clock).await
    }

    /// As [`ProviderClient::discover`], by a client of the caller's: its anchors and
    /// time limits hold.
    pub async fn discover_by(
        http: reqwest::Client,
        base: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ProviderError> {
        let mut base = Url::parse(base).map_err(|_| ProviderError::Address)?;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let told = Told::by(&http, &base).await?;
        let pinned = told.keys_from(told.view.answer_key.clone())?;
        let issuer = told.view.issuer.clone();
        Ok(Self {
            view: told.believed(&pinned, &issuer, clock.now())?,
            answer_keys: Arc::new(RwLock::new(pinned)),
            base,
            http,
            clock,
        })
    }

    /// As [`ProviderClient::discover`], and refuses a provider whose answer key
    /// is neither `answer_key` nor one that this handed over to, by one handover or
    /// several.
    pub async fn pinned(
        base: &str,
        answer_key: &jose::PublicKey,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ProviderError> {
        let client = Self::discover(base, clock).await?;
        let handovers = &client.view.answer_key_handovers;
        let keys = PinnedKeys::follow(answer_key.clone(), handovers, &client.view.issuer)?;
        if !keys.hold(&client.view.answer_key) {
            return Err(ProviderError::NotPinned);
        }
        client.believe_in(keys);
        Ok(client)
    }

    /// The answer key to pin from now on: an app keeps it in place of the one it
    /// pinned, so that it needs no handover that lies behind.
    pub fn answer_key_to_pin(&self) -> jose::PublicKey {
        let keys = self.answer_keys.read();
        let keys = keys.unwrap_or_else(PoisonError::into_inner);
        keys.to_pin(self.clock.now()).clone()
    }

    /// What the provider says of itself; the certification of its solution is to
    /// be shown to the user (ARF `WIAM_10a`).
    pub fn view(&self) -> &ProviderView {
        &self.view
    }

    /// Begins an activation: challenge, proof by both device keys, evidence.
    pub async fn activate(
        &self,
        device: &Activation<'_>,
    ) -> Result<ActivationAnswer, ProviderError> {
        let challenge: Challenge = self.plain("challenge", &Empty {}).await?;
        let challenge = challenge.challenge;
        let proof = agreement_proof(
            device.agreement,
            &self.view.agreement_key,
            &challenge,
            device.signing.public_key(),
        )
        .await?;
        let claims = ActivationClaims {
            aud: self.view.issuer.clone(),
            challenge: challenge.clone(),
            iat: self.clock.now_seconds(),
            alias: device.alias.to_owned(),
            account_code: device.account_code.map(str::to_owned),
            consent: device.consent.map(str::to_owned),
            agreement_key: device.agreement.public_key().clone(),
            agreement_proof: proof,
            evidence: device
                .platform
                .activation(
                    &challenge,
                    device.signing.public_key(),
                    device.agreement.public_key(),
                )
                .await?,
            wallet_version: device.wallet_version.to_owned(),
        };
        let request = claims.sign(device.signing).await?;
        let bytes = self.send("activations", &request, None).await?;
        self.believe(&bytes, &challenge).await
    }

    /// Completes the activation, once the PIN is registered at the WSCA.
    pub async fn complete_activation(
        &self,
        unit: UnitId,
        device: &dyn Signer,
    ) -> Result<UnitView, ProviderError> {
        self.signed(unit, device, "unit/activation", |_| Empty {})
            .await
    }

    /// The unit as the provider sees it.
    pub async fn unit(&self, unit: UnitId, device: &dyn Signer) -> Result<UnitView, ProviderError> {
        self.signed(unit, device, "unit", |_| Empty {}).await
    }

    /// A statement that the keys of a statement of the WSCA belong together
    /// ([`sci::Sci::associate_keys`]), for `audience` on the nonce that it gave.
    pub async fn associate(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        request: &AssociationRequest,
    ) -> Result<AssociationAnswer, ProviderError> {
        let request = request.clone();
        self.signed(unit, device, "unit/association", |_| request)
            .await
    }

    /// The units of an account, asked for without a phone.
    pub async fn account(&self, request: &AccountRequest) -> Result<AccountView, ProviderError> {
        self.plain("account", request).await
    }

    /// Revokes a unit, without a phone (ARF `WURevocation_10`). It is final.
    pub async fn revoke(&self, request: &RevocationRequest) -> Result<UnitView, ProviderError> {
        self.plain("account/revocation", request).await
    }

    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(crate) async fn signed<B: Serialize, T: DeserializeOwned>(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        path: &str,
        body: impl FnOnce(&str) -> B,
    ) -> Result<T, ProviderError> {
        let jti = fresh_id()?;
        let body = body(&jti);
        self.signed_as(unit, device, path, &body, jti).await
    }

    pub(crate) async fn signed_as<T: DeserializeOwned>(
        &self,
        unit: UnitId,
        device: &dyn Signer,
        path: &str,
        body: &impl Serialize,
        jti: String,
    ) -> Result<T, ProviderError> {
        let bytes = encode(body)?;
        let request = UnitRequest::new(
            unit,
            &self.view.issuer,
            "POST",
            self.address(path)?.as_str(),
            &bytes,
            &jti,
            self.clock.now(),
        );
        let header = request.sign(device).await?;
        let answer = self.send_bytes(path, bytes, Some(&header)).await?;
        self.believe(&answer, &jti).await
    }

    async fn plain<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ProviderError> {
        let bytes = self.send(path, body, None).await?;
        Ok(json::parse_as(&bytes, Limits::bytes(1 << 20))?)
    }

    async fn send(
        &self,
        path: &str,
        body: &impl Serialize,
        header: Option<&str>,
    ) -> Result<Vec<u8>, ProviderError> {
        self.send_bytes(path, encode(body)?, header).await
    }

    async fn send_bytes(
        &self,
        path: &str,
        body: Vec<u8>,
        header: Option<&str>,
    ) -> Result<Vec<u8>, ProviderError> {
        let mut request = self
            .http
            .post(self.address(path)?)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        if let Some(header) = header {
            request = request.header(REQUEST_HEADER, header);
        }
        let response = request.send().await.map_err(HttpError::Unreachable)?;
        Ok(http::body(response).await?)
    }

    /// The answer, if a key signed it that is believed now. A key that is not known
    /// may have been handed over to since: then the provider is asked who it is, and
    /// its handovers are followed from the keys that are known.
    async fn believe<T: DeserializeOwned>(
        &self,
        answer: &[u8],
        in_reply_to: &str,
    ) -> Result<T, ProviderError> {
        let text = std::str::from_utf8(answer).unwrap_or_default();
        let key = match self.answer_key(text) {
            Some(key) => key,
            None => {
                self.follow().await?;
                // Under a key that is still not known it is refused, by name.
                self.answer_key(text)
                    .unwrap_or_else(|| self.answer_key_to_pin())
            }
        };
        Ok(SignedAnswer::verify(
            text,
            &key,
            &self.view.issuer,
            in_reply_to,
            self.clock.now(),
        )?)
    }

    /// The key that the answer names, if that is believed now.
    fn answer_key(&self, text: &str) -> Option<jose::PublicKey> {
        let keys = self.answer_keys.read();
        let keys = keys.unwrap_or_else(PoisonError::into_inner);
        named(text, &keys, self.clock.now())
    }

    /// Learns of handovers that were made since the provider was asked last.
    async fn follow(&self) -> Result<(), ProviderError> {
        let told = Told::by(&self.http, &self.base).await?;
        let issuer = &self.view.issuer;
        let keys = {
            let keys = self.answer_keys.read();
            let keys = keys.unwrap_or_else(PoisonError::into_inner);
            keys.extended(&told.view.answer_key_handovers, issuer)?
        };
        told.believed(&keys, issuer, self.clock.now())?;
        self.believe_in(keys);
        Ok(())
    }

    fn believe_in(&self, keys: PinnedKeys) {
        let held = self.answer_keys.write();
        *held.unwrap_or_else(PoisonError::into_inner) = keys;
    }

    fn address(&self, path: &str) -> Result<Url, ProviderError> {
        self.base.join(path).map_err(|_| ProviderError::Address)
    }
}

/// What somebody at the provider's address says of the provider.
struct Told {
    text: String,
    /// What it has to be in reply to.
    asked: String,
    /// As it claims.
    view: ProviderView,
}

impl Told {
    async fn by(http: &reqwest::Client, base: &Url) -> Result<Self, ProviderError> {
        let challenge = fresh_id()?;
        let asked = provider_api::view_asked(&challenge)?;
        let mut address = base.join("provider").map_err(|_| ProviderError::Address)?;
        address
            .query_pairs_mut()
            .append_pair("challenge", &challenge);
        let response = http.get(address).send().await;
        let bytes = http::body(response.map_err(HttpError::Unreachable)?).await?;
        if bytes.len() > MAX_VIEW {
            return Err(HttpError::TooLarge.into());
        }
        let text = String::from_utf8(bytes).unwrap_or_default();
        let view = SignedAnswer::<ProviderView>::claimed(&text)?.body;
        Ok(Self { text, asked, view })
    }

    /// The keys that those from `pinned` on handed over to, by what is claimed.
    fn keys_from(&self, pinned: jose::PublicKey) -> Result<PinnedKeys, Refusal> {
        PinnedKeys::follow(pinned, &self.view.answer_key_handovers, &self.view.issuer)
    }

    /// The view, if one of these keys signed it now for that provider, in reply to what
    /// was asked.
    fn believed(
        self,
        keys: &PinnedKeys,
        issuer: &str,
        now: Timestamp,
    ) -> Result<ProviderView, ProviderError> {
        let key = named(&self.text, keys, now).ok_or(ProviderError::NotPinned)?;
        let view = SignedAnswer::verify(&self.text, &key, issuer, &self.asked, now);
        Ok(view?)
    }
}

/// The key that an answer names, if it is one of these and may sign now.
fn named(text: &str, keys: &PinnedKeys, now: Timestamp) -> Option<jose::PublicKey> {
    let token = jose::jws::parse(text, MAX_ANSWER).ok()?;
    let kid = token.header().get("kid")?.as_str()?;
    keys.at(kid, now).cloned()
}

fn encode(body: &impl Serialize) -> Result<Vec<u8>, ProviderError> {
    serde_json::to_vec(body).map_err(|error| JsonError::Shape(error.to_string()).into())
}

/// 128 random bits in base64url.
pub(crate) fn fresh_id() -> Result<String, ProviderError> {
    let mut bytes = [0; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| ProviderError::Random)?;
    Ok(b64::encode(bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use claviger_fixtures::TestKey;
    use jose::Curve;

    const ISSUER: &str = "https://provider.example";

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn pinned(key: &TestKey) -> PinnedKeys {
        PinnedKeys::only(Signer::public_key(key).clone())
    }

    /// What a provider with this key says in reply to a challenge.
    async fn told(key: &TestKey, challenge: &str, at: Timestamp) -> String {
        let public = Signer::public_key(key).clone();
        let view = ProviderView {
            issuer: ISSUER.into(),
            answer_key: public.clone(),
            answer_key_handovers: Vec::new(),
            agreement_key: public,
            wallet_name: "A Wallet".into(),
            certification: "none".into(),
            consent: None,
            offers: provider_api::Offers::default(),
        };
        let answer = SignedAnswer {
            iss: ISSUER.into(),
            in_reply_to: provider_api::view_asked(challenge).unwrap(),
            iat: at.as_second(),
            body: view,
        };
        answer.sign(key).await.unwrap()
    }

    fn read(text: String, challenge: &str) -> Result<Told, Refusal> {
        Ok(Told {
            asked: provider_api::view_asked(challenge).unwrap(),
            view: SignedAnswer::<ProviderView>::claimed(&text)?.body,
            text,
        })
    }

    #[tokio::test]
    async fn a_provider_is_believed_about_itself_under_the_pinned_key_alone() {
        let key = TestKey::generate(Curve::P256);
        let challenge = fresh_id().unwrap();
        let text = told(&key, &challenge, now()).await;
        let honest = read(text.clone(), &challenge).unwrap();
        let view = honest.believed(&pinned(&key), ISSUER, now()).unwrap();
        assert_eq!(view.wallet_name, "A Wallet");

        // Somebody else's key, and a text of somebody else under the pinned key's name.
        let other = TestKey::generate(Curve::P256);
        let told_by_other = read(told(&other, &challenge, now()).await, &challenge).unwrap();
        let refused = told_by_other.believed(&pinned(&key), ISSUER, now());
        assert!(matches!(refused, Err(ProviderError::NotPinned)));
        let parts: Vec<&str> = text.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            unreachable!()
        };
        let mut claims: serde_json::Value =
            serde_json::from_slice(&b64::decode(payload).unwrap()).unwrap();
        *claims.pointer_mut("/body/wallet_name").unwrap() = "Another Wallet".into();
        let altered = b64::encode(claims.to_string());
        let altered = read(format!("{header}.{altered}.{signature}"), &challenge).unwrap();
        let refused = altered.believed(&pinned(&key), ISSUER, now());
        assert!(matches!(refused, Err(ProviderError::NotBelieved(_))));

        // What another instance was told, and what this one was told ten minutes ago.
        let again = read(text.clone(), &fresh_id().unwrap()).unwrap();
        let refused = again.believed(&pinned(&key), ISSUER, now());
        assert!(matches!(refused, Err(ProviderError::NotBelieved(_))));
        let later = now() + jiff::SignedDuration::from_secs(600);
        let late = read(text, &challenge)
            .unwrap()
            .believed(&pinned(&key), ISSUER, later);
        assert!(matches!(late, Err(ProviderError::NotBelieved(_))));
        // And what nobody signed.
        assert!(read("{}".into(), &challenge).is_err());
    }

    /// Anybody may have a view signed: it answers nothing else, whatever is asked.
    #[tokio::test]
    async fn a_view_is_no_answer_to_a_request() {
        let key = TestKey::generate(Curve::P256);
        let jti = fresh_id().unwrap();
        let text = told(&key, &jti, now()).await;
        let public = Signer::public_key(&key);
        let taken = SignedAnswer::<serde_json::Value>::verify(&text, public, ISSUER, &jti, now());
        assert!(taken.is_err());
        for bad in [
            "",
            "short",
            &"x".repeat(87),
            "provider:aaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(provider_api::view_asked(bad).is_err(), "{bad}");
        }
    }
}
