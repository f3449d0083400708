//! What the interface's own tokens have in common: a typ each, times, sizes.

use jiff::{SignedDuration, Timestamp};
use jose::jws::{self, JwsError, Unverified};
use jose::{PublicKey, SignError, Signer};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How far a wallet instance's clock may be from the provider's.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// How long after its `iat` a proof or a signed request is taken.
pub const PROOF_LIFETIME: SignedDuration = SignedDuration::from_mins(5);

/// The largest of these tokens that is read, in bytes.
pub(crate) const MAX_TOKEN: usize = 16 * 1024;

/// Signs `claims` under `typ`, with the key's thumbprint as `kid`, or with the
/// key itself as `jwk` where the reader does not know it yet.
pub(crate) async fn sign(
    typ: &str,
    claims: &(impl Serialize + Sync),
    show_key: bool,
    signer: &dyn Signer,
) -> Result<String, SignError> {
    #[derive(Serialize)]
    struct Header<'a> {
        typ: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        jwk: Option<&'a PublicKey>,
        #[serde(skip_serializing_if = "Option::is_none")]
        kid: Option<String>,
    }
    let key = signer.public_key();
    let header = Header {
        typ,
        jwk: show_key.then_some(key),
        kid: (!show_key).then(|| key.thumbprint_b64()),
    };
    jws::sign_claims(&header, claims, signer).await
}

/// Reads a token of `typ`, of at most `max` bytes.
pub(crate) fn parse(text: &str, typ: &str, max: usize) -> Result<Unverified, String> {
    let token = jws::parse(text, max).map_err(|error| error.to_string())?;
    match token.typ() {
        Some(found) if found == typ => Ok(token),
        Some(found) => Err(format!(
            "the typ is {:?}, {typ} is expected",
            found.chars().take(64).collect::<String>()
        )),
        None => Err(format!("the typ is absent, {typ} is expected")),
    }
}

/// The claims of a token, which nobody may have vouched for yet.
pub(crate) fn claims<T: DeserializeOwned>(token: &Unverified) -> Result<T, String> {
    let claims = token
        .claims()
        .map_err(|error: JwsError| error.to_string())?;
    serde_json::from_value(serde_json::Value::Object(claims)).map_err(|error| error.to_string())
}

/// Whether this is made of the characters of base64url alone.
pub(crate) fn is_base64url(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.bytes().all(fits)
}

/// When no token made at `iat` would be taken any more.
pub(crate) fn forget_at(iat: i64) -> Timestamp {
    let seconds = iat
        .saturating_add(PROOF_LIFETIME.as_secs())
        .saturating_add(1);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// Whether `iat` lies within [`PROOF_LIFETIME`] before `now` and [`CLOCK_SKEW`]
/// after it.
pub(crate) fn check_time(iat: i64, now: Timestamp) -> Result<(), String> {
    let age = now.as_second().saturating_sub(iat);
    if age < -CLOCK_SKEW.as_secs() {
        return Err(format!("iat lies {} s ahead", age.saturating_neg()));
    }
    if age > PROOF_LIFETIME.as_secs() {
        return Err(format!(
            "iat lies {age} s back, {} s are accepted",
            PROOF_LIFETIME.as_secs()
        ));
    }
    Ok(())
}
