//! Who asks, and whether it was our own page that asked.

use accounts::{Error, Problem, SignedIn, Token};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::Method;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use jose::json::{self, Limits};
use serde::de::DeserializeOwned;

use super::House;
use super::trouble::{JsonTrouble, Trouble, What};

/// The size of a form, in bytes: a passkey's answer is a few thousand.
const MAX_FORM: usize = 64 * 1024;
/// How many fields a form has at most.
const MAX_FIELDS: usize = 16;
/// The header in which the script sends what a form has in a field.
const FORM_TOKEN: &str = "x-form-token";

/// Anybody, with the sign-in of an earlier page if there is one.
pub(super) struct Visitor(pub(super) Option<Token>);

/// Somebody who is signed in, and may not have agreed to the text as it stands.
pub(super) struct Known(pub(super) SignedIn);

/// Somebody who is signed in and has agreed.
pub(super) struct Member(pub(super) SignedIn);

/// A form from one of our pages, sent by anybody.
pub(super) struct VisitorForm {
    pub(super) before: Option<Token>,
    pub(super) fields: Fields,
}

/// A form of somebody who is signed in.
pub(super) struct KnownForm {
    pub(super) who: SignedIn,
    pub(super) fields: Fields,
}

/// A form of somebody who is signed in and has agreed.
pub(super) struct MemberForm {
    pub(super) who: SignedIn,
    pub(super) fields: Fields,
}

/// What our script sends for anybody.
pub(super) struct VisitorJson<T> {
    pub(super) before: Option<Token>,
    pub(super) body: T,
}

/// What our script sends for somebody who is signed in and has agreed.
pub(super) struct MemberJson<T> {
    pub(super) who: SignedIn,
    pub(super) body: T,
}

/// A form's fields.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// The field of this name; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        self.optional(name).unwrap_or_default()
    }

    /// The field of this name.
    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn read(body: &[u8]) -> Result<Self, Trouble> {
        if body.len() > MAX_FORM {
            return Err(What::TooLarge.into());
        }
        let fields = url::form_urlencoded::parse(body).into_owned();
        let fields: Vec<_> = fields.take(MAX_FIELDS + 1).collect();
        if fields.len() > MAX_FIELDS {
            return Err(What::TooLarge.into());
        }
        if fields.iter().any(|(_, value)| value.contains('\0')) {
            return Err(What::Unreadable.into());
        }
        Ok(Self(fields))
    }
}

impl FromRequestParts<House> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, house: &House) -> Result<Self, Self::Rejection> {
        Ok(Self(token(&parts.headers, house)))
    }
}

impl FromRequestParts<House> for Known {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, house: &House) -> Result<Self, Trouble> {
        known(&parts.headers, house).await.map(Self)
    }
}

impl FromRequestParts<House> for Member {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, house: &House) -> Result<Self, Trouble> {
        member(&parts.headers, house).await.map(Self)
    }
}

impl FromRequest<House> for VisitorForm {
    type Rejection = Trouble;

    async fn from_request(request: Request, house: &House) -> Result<Self, Trouble> {
        let (headers, body) = ours(request, house, "application/x-www-form-urlencoded").await?;
        Ok(Self {
            before: token(&headers, house),
            fields: Fields::read(&body)?,
        })
    }
}

impl FromRequest<House> for KnownForm {
    type Rejection = Trouble;

    async fn from_request(request: Request, house: &House) -> Result<Self, Trouble> {
        let (headers, body) = ours(request, house, "application/x-www-form-urlencoded").await?;
        let who = known(&headers, house).await?;
        let fields = Fields::read(&body)?;
        who.check_form(fields.get("token"))?;
        Ok(Self { who, fields })
    }
}

impl FromRequest<House> for MemberForm {
    type Rejection = Trouble;

    async fn from_request(request: Request, house: &House) -> Result<Self, Trouble> {
        let KnownForm { who, fields } = KnownForm::from_request(request, house).await?;
        let who = agreed(who, house)?;
        Ok(Self { who, fields })
    }
}

impl<T: DeserializeOwned> FromRequest<House> for VisitorJson<T> {
    type Rejection = JsonTrouble;

    async fn from_request(request: Request, house: &House) -> Result<Self, JsonTrouble> {
        let (headers, body) = ours(request, house, "application/json").await?;
        Ok(Self {
            before: token(&headers, house),
            body: read_json(&body)?,
        })
    }
}

impl<T: DeserializeOwned> FromRequest<House> for MemberJson<T> {
    type Rejection = JsonTrouble;

    async fn from_request(request: Request, house: &House) -> Result<Self, JsonTrouble> {
        let (headers, body) = ours(request, house, "application/json").await?;
        let who = member(&headers, house).await?;
        who.check_form(text(&headers, FORM_TOKEN))
            .map_err(Trouble::from)?;
        Ok(Self {
            who,
            body: read_json(&body)?,
        })
    }
}

fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Trouble> {
    json::parse_as(body, Limits::bytes(MAX_FORM)).map_err(|_| What::Unreadable.into())
}

/// The body of a request that one of our own pages made: its origin is ours, and its
/// media type is what that page sends.
async fn ours(
    request: Request,
    house: &House,
    media_type: &str,
) -> Result<(HeaderMap, Bytes), Trouble> {
    let headers = request.headers().clone();
    let refuse = |what| Error::refused(Problem::Form, "form", what);
    let own = house
        .accounts
        .config()
        .origin
        .origin()
        .ascii_serialization();
    if *request.method() != Method::POST {
        return Err(refuse("another method than POST").into());
    }
    match text(&headers, "origin") {
        "" => return Err(refuse("it does not say which page it came from").into()),
        origin if origin == own => {}
        _ => return Err(refuse("it came from another site's page").into()),
    }
    let kind = text(&headers, "content-type");
    if kind.split(';').next().unwrap_or_default().trim() != media_type {
        return Err(refuse("our pages send another media type").into());
    }
    let body = Bytes::from_request(request, house).await;
    Ok((headers, body.map_err(|_| What::TooLarge)?))
}

async fn known(headers: &HeaderMap, house: &House) -> Result<SignedIn, Trouble> {
    let Some(token) = token(headers, house) else {
        let what = "no sign-in was shown";
        return Err(Error::refused(Problem::NotSignedIn, "sign-in", what).into());
    };
    Ok(house.accounts.signed_in(&token).await?)
}

async fn member(headers: &HeaderMap, house: &House) -> Result<SignedIn, Trouble> {
    agreed(known(headers, house).await?, house)
}

fn agreed(who: SignedIn, house: &House) -> Result<SignedIn, Trouble> {
    if house.accounts.has_agreed(&who) {
        return Ok(who);
    }
    Err(What::NotAgreed.into())
}

/// Whether browsers reach us by https.
fn secure(house: &House) -> bool {
    house.accounts.config().origin.scheme() == "https"
}

/// With `__Host-` a browser takes the cookie over https alone, for this host alone.
/// Loopback in development has no https.
fn cookie_name(house: &House) -> &'static str {
    match secure(house) {
        true => "__Host-claviger-account",
        false => "claviger-account",
    }
}

fn token(headers: &HeaderMap, house: &House) -> Option<Token> {
    let name = cookie_name(house);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok())
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| Token::read(value))
}

/// What makes a browser keep a sign-in until it is closed; with none, forget it.
pub(super) fn set_cookie(token: Option<&Token>, house: &House) -> HeaderValue {
    let name = cookie_name(house);
    let value = token.map_or("", Token::text);
    let ends = if token.is_some() { "" } else { "; Max-Age=0" };
    let over = if secure(house) { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{over}{ends}");
    HeaderValue::from_str(&cookie).unwrap_or_else(|_| HeaderValue::from_static(""))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}
