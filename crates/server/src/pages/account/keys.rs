//! What opens the account: passkeys and recovery codes; and what brings another phone
//! into it.

use accounts::{AccountCode, Begun, Finished};
use axum::Json;
use axum::extract::State;
use axum::response::{Redirect, Response};
use serde::{Deserialize, Serialize};

use super::House;
use super::guard::{Member, MemberForm, MemberJson};
use super::trouble::{JsonTrouble, Trouble};
use super::view::{self, CodesPage, Frame, LinkPage, Moment, PasskeysPage};

pub(super) async fn passkeys(
    State(house): State<House>,
    Member(who): Member,
) -> Result<Response, Trouble> {
    let passkeys = house.accounts.passkeys(&who).await?;
    Ok(view::ok(PasskeysPage {
        passkeys: passkeys.into_iter().map(Into::into).collect(),
        fresh: house.accounts.require_fresh(&who).is_ok(),
        frame: Frame::of("Passkeys", &who),
    }))
}

/// What a new passkey is called.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Name {
    name: String,
}

pub(super) async fn begin_passkey(
    State(house): State<House>,
    form: MemberJson<Name>,
) -> Result<Json<Begun>, JsonTrouble> {
    let begun = house.accounts.begin_passkey(&form.who, &form.body.name);
    Ok(Json(begun.await?))
}

/// Where to go on.
#[derive(Serialize)]
pub(super) struct GoOn {
    next: &'static str,
}

pub(super) async fn finish_passkey(
    State(house): State<House>,
    form: MemberJson<Finished>,
) -> Result<Json<GoOn>, JsonTrouble> {
    house.accounts.finish_passkey(&form.who, form.body).await?;
    Ok(Json(GoOn {
        next: "/account/passkeys",
    }))
}

pub(super) async fn remove_passkey(
    State(house): State<House>,
    form: MemberForm,
) -> Result<Redirect, Trouble> {
    let id = form.fields.get("passkey");
    house.accounts.remove_passkey(&form.who, id).await?;
    Ok(Redirect::to("/account/passkeys"))
}

pub(super) async fn codes(
    State(house): State<House>,
    Member(who): Member,
) -> Result<Response, Trouble> {
    Ok(view::ok(CodesPage {
        left: house.accounts.codes_left(&who).await?,
        fresh: house.accounts.require_fresh(&who).is_ok(),
        codes: Vec::new(),
        frame: Frame::of("Recovery codes", &who),
    }))
}

/// Makes a new set and shows it, this once.
pub(super) async fn new_codes(
    State(house): State<House>,
    form: MemberForm,
) -> Result<Response, Trouble> {
    let codes = house.accounts.new_codes(&form.who).await?;
    Ok(view::ok(CodesPage {
        left: codes.len() as u64,
        fresh: true,
        codes: codes
            .iter()
            .map(AccountCode::text)
            .map(str::to_owned)
            .collect(),
        frame: Frame::of("Recovery codes", &form.who),
    }))
}

pub(super) async fn link(State(house): State<House>, Member(who): Member) -> Response {
    view::ok(LinkPage {
        fresh: house.accounts.require_fresh(&who).is_ok(),
        frame: Frame::of("Add a phone", &who),
        code: None,
    })
}

/// Makes a link code and shows it, this once.
pub(super) async fn link_code(
    State(house): State<House>,
    form: MemberForm,
) -> Result<Response, Trouble> {
    let (code, ends) = house.accounts.link_code(&form.who).await?;
    Ok(view::ok(LinkPage {
        frame: Frame::of("Add a phone", &form.who),
        code: Some((code.text().to_owned(), Moment(ends))),
        fresh: true,
    }))
}
