//! How a user comes in: signing up, signing in, agreeing, signing out.

use accounts::{Begun, Finished, SignUp, Token};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::guard::{self, Known, KnownForm, Visitor, VisitorForm, VisitorJson};
use super::trouble::{JsonTrouble, Trouble};
use super::view::{self, ConsentPage, Frame, SignInPage, SignUpPage};
use super::{HOME, House};
use crate::rates::AccountGate;

/// Where a sign-in can lead, by the name that a link has for it.
const DESTINATIONS: [(&str, &str); 5] = [
    ("passkeys", "/account/passkeys"),
    ("codes", "/account/codes"),
    ("deletion", "/account/deletion"),
    ("address", "/account/address"),
    ("link", "/account/link"),
];

/// The name of a destination; nothing else is led to, whatever an address says.
fn destination(name: &str) -> (&'static str, &'static str) {
    let found = DESTINATIONS.into_iter().find(|(known, _)| *known == name);
    found.unwrap_or(("", HOME))
}

/// Where to go on after a ceremony, for our script.
#[derive(Serialize)]
pub(super) struct GoOn {
    next: &'static str,
}

/// The page to sign up.
pub(super) async fn sign_up(State(house): State<House>) -> Response {
    view::ok(SignUpPage {
        frame: Frame::public("Make an account"),
        consent: &house.accounts.config().consent,
    })
}

pub(super) async fn begin_sign_up(
    State(house): State<House>,
    form: VisitorJson<SignUp>,
) -> Result<Json<Begun>, JsonTrouble> {
    Ok(Json(house.accounts.begin_sign_up(form.body).await?))
}

pub(super) async fn finish_sign_up(
    State(house): State<House>,
    form: VisitorJson<Finished>,
) -> Result<Response, JsonTrouble> {
    let token = house
        .accounts
        .finish_sign_up(form.body, form.before.as_ref())
        .await?;
    // Recovery codes come next: a passkey alone can get lost.
    let go_on = Json(GoOn {
        next: "/account/codes",
    });
    Ok(with_cookie(Some(&token), &house, go_on))
}

/// Which page asked for a sign-in.
#[derive(Debug, Deserialize)]
pub(super) struct Then {
    #[serde(default)]
    then: String,
}

/// The page to sign in, or to sign in once more.
pub(super) async fn sign_in(
    State(house): State<House>,
    Query(then): Query<Then>,
    Visitor(token): Visitor,
) -> Response {
    let who = match &token {
        Some(token) => house.accounts.signed_in(token).await.ok(),
        None => None,
    };
    view::ok(SignInPage {
        frame: Frame::public("Sign in"),
        alias: who.map_or_else(String::new, |who| who.alias().to_owned()),
        then: destination(&then.then).0,
        wrong: None,
    })
}

/// Who wants to come in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alias {
    alias: String,
}

pub(super) async fn begin_sign_in(
    State(house): State<House>,
    gate: AccountGate,
    form: VisitorJson<Alias>,
) -> Result<Json<Begun>, JsonTrouble> {
    gate.pass(&form.body.alias)?;
    Ok(Json(house.accounts.begin_sign_in(&form.body.alias).await?))
}

pub(super) async fn finish_sign_in(
    State(house): State<House>,
    Query(then): Query<Then>,
    form: VisitorJson<Finished>,
) -> Result<Response, JsonTrouble> {
    let token = house
        .accounts
        .finish_sign_in(form.body, form.before.as_ref())
        .await?;
    let go_on = Json(GoOn {
        next: destination(&then.then).1,
    });
    Ok(with_cookie(Some(&token), &house, go_on))
}

/// A wrong code leads back to the form, which says what is wrong.
pub(super) async fn sign_in_by_code(
    State(house): State<House>,
    gate: AccountGate,
    form: VisitorForm,
) -> Result<Response, Trouble> {
    let alias = form.fields.get("alias").trim();
    gate.pass(alias)?;
    let (then, next) = destination(form.fields.get("then"));
    let signed_in = house
        .accounts
        .sign_in_by_code(alias, form.fields.get("code"), form.before.as_ref())
        .await;
    match signed_in.map_err(Trouble::from) {
        Ok(token) => Ok(with_cookie(Some(&token), &house, Redirect::to(next))),
        Err(trouble) if trouble.code() == Some(accounts::Problem::Code) => Ok(view::answer(
            StatusCode::FORBIDDEN,
            SignInPage {
                frame: Frame::public("Sign in"),
                alias: alias.chars().take(provider_api::MAX_ALIAS).collect(),
                then,
                wrong: Some("The name or the code is wrong, or the code was used before."),
            },
        )),
        Err(trouble) => Err(trouble),
    }
}

pub(super) async fn sign_out(
    State(house): State<House>,
    Visitor(token): Visitor,
    _: KnownForm,
) -> Result<Response, Trouble> {
    if let Some(token) = token {
        house.accounts.sign_out(&token).await?;
    }
    let next = Redirect::to("/account/sign-in");
    Ok(with_cookie(None, &house, next))
}

/// The text on the processing of data, for whoever wants to read it; asked of those
/// who have not agreed to it as it stands.
pub(super) async fn consent(
    State(house): State<House>,
    who: Result<Known, Trouble>,
) -> Result<Response, Trouble> {
    let who = match who {
        Ok(Known(who)) => Some(who),
        Err(trouble) if trouble.code() == Some(accounts::Problem::NotSignedIn) => None,
        Err(trouble) => return Err(trouble),
    };
    let title = "How your data is used";
    let asked = who
        .as_ref()
        .is_some_and(|who| !house.accounts.has_agreed(who));
    Ok(view::ok(ConsentPage {
        frame: match &who {
            Some(who) => Frame::of(title, who),
            None => Frame::public(title),
        },
        consent: &house.accounts.config().consent,
        asked,
    }))
}

pub(super) async fn agree(
    State(house): State<House>,
    form: KnownForm,
) -> Result<Redirect, Trouble> {
    let shown = form.fields.optional("consent");
    house.accounts.agree(&form.who, shown).await?;
    Ok(Redirect::to(HOME))
}

/// An answer with which the browser's sign-in begins or ends.
pub(super) fn with_cookie(
    token: Option<&Token>,
    house: &House,
    answer: impl IntoResponse,
) -> Response {
    let mut response = answer.into_response();
    response
        .headers_mut()
        .insert(header::SET_COOKIE, guard::set_cookie(token, house));
    response
}
