use finding::Refusal;
use jiff::Timestamp;
use jose::{PublicKey, SignError, Signer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Problem, rules, token};

/// The typ of a signed answer.
pub const ANSWER_TYP: &str = "wallet-provider-response+jwt";

/// The largest answer that is read, in bytes: a batch of attestations.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// What the provider signs: its answer to one request, under the key that the
/// app pins (ARF `WIAM_12`, the provider's half of mutual authentication).
///
/// Problems are not signed: a forged one can deny service, which whoever can
/// forge it can do anyway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedAnswer<T> {
    /// The provider.
    pub iss: String,
    /// What it answers: the `jti` of a signed unit request, the challenge of an
    /// activation, or what [`view_asked`] makes of an instance's.
    pub in_reply_to: String,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// The answer.
    pub body: T,
}

impl<T: Serialize + Sync> SignedAnswer<T> {
    /// Signs the answer.
    pub async fn sign(&self, signer: &dyn Signer) -> Result<String, SignError> {
        token::sign(ANSWER_TYP, self, false, signer).await
    }
}

impl<T: DeserializeOwned> SignedAnswer<T> {
    /// The answer in `text`, if `pinned` signed it for `provider` in reply to
    /// `in_reply_to`, at this time.
    pub fn verify(
        text: &str,
        pinned: &PublicKey,
        provider: &str,
        in_reply_to: &str,
        now: Timestamp,
    ) -> Result<T, Refusal> {
        let refuse = |what: String| Refusal::because(&rules::ANSWER, "answer", what);
        let parsed = token::parse(text, ANSWER_TYP, MAX_ANSWER).map_err(refuse)?;
        let verified = parsed
            .verify(pinned)
            .map_err(|error| refuse(error.to_string()))?;
        let limits = jose::json::Limits::bytes(MAX_ANSWER);
        let answer: Self = jose::json::parse_as(verified.payload(), limits)
            .map_err(|error| refuse(error.to_string()))?;
        if answer.iss != provider {
            return Err(refuse("it is from another provider".into()));
        }
        if answer.in_reply_to != in_reply_to {
            return Err(refuse("it answers another request".into()));
        }
        token::check_time(answer.iat, now).map_err(refuse)?;
        Ok(answer.body)
    }

    /// What the answer in `text` says, which nobody has vouched for yet.
    pub fn claimed(text: &str) -> Result<Self, Refusal> {
        let refuse = |what: String| Refusal::because(&rules::ANSWER, "answer", what);
        let parsed = token::parse(text, ANSWER_TYP, MAX_ANSWER).map_err(refuse)?;
        token::claims(&parsed).map_err(refuse)
    }
}

/// What a signed [`crate::ProviderView`] is in reply to: the challenge that the instance
/// chose for it. No `jti` and no challenge of an activation has a colon, so an answer
/// that anybody may ask for passes for no other.
pub fn view_asked(challenge: &str) -> Result<String, Refusal> {
    if !(22..=86).contains(&challenge.len()) || !token::is_base64url(challenge) {
        let what = "not 22 to 86 characters of base64url";
        return Err(Problem::Malformed.refusal("challenge", what));
    }
    Ok(format!("provider:{challenge}"))
}
