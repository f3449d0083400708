//! A user's wallets: what they are, what became of them, and their end; and the end
//! of the account itself.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use provider_api::{RevocationReason, UnitState};
use sci::UnitId;
use serde::Deserialize;

use super::guard::{Known, KnownForm, Member, MemberForm};
use super::start::with_cookie;
use super::trouble::{Trouble, What};
use super::view::{
    self, DeletedPage, DeletionPage, Frame, RevocationPage, Unit, UnitPage, UnitsPage,
};
use super::{HOME, House};

/// What just happened, told on the next page.
#[derive(Debug, Deserialize)]
pub(super) struct Done {
    #[serde(default)]
    done: String,
}

/// All of the account's wallets.
pub(super) async fn all(
    State(house): State<House>,
    Query(done): Query<Done>,
    Member(who): Member,
) -> Result<Response, Trouble> {
    let units = house.provider.units_of(who.account()).await?;
    let mut units: Vec<_> = units.into_iter().map(Unit::of).collect();
    // What is in use comes first, the newest before the older ones.
    units.reverse();
    units.sort_by_key(|unit| !unit.living);
    Ok(view::ok(UnitsPage {
        frame: Frame::of("Your wallets", &who),
        units,
        codes: house.accounts.codes_left(&who).await?,
        revoked: done.done == "revoked",
    }))
}

/// One wallet and its history.
pub(super) async fn one(
    State(house): State<House>,
    Path(unit): Path<String>,
    Member(who): Member,
) -> Result<Response, Trouble> {
    let view = house.provider.unit_of(who.account(), read(&unit)?).await?;
    Ok(view::ok(UnitPage {
        frame: Frame::of("A wallet", &who),
        unit: Unit::of(view),
    }))
}

/// Asks whether a wallet is really to be revoked, and says what that means.
pub(super) async fn ask(
    State(house): State<House>,
    Path(unit): Path<String>,
    Member(who): Member,
) -> Result<Response, Trouble> {
    let view = house.provider.unit_of(who.account(), read(&unit)?).await?;
    if view.state == UnitState::Revoked {
        return Ok(Redirect::to(HOME).into_response());
    }
    Ok(view::ok(RevocationPage {
        frame: Frame::of("Revoke a wallet", &who),
        unit: Unit::of(view),
    }))
}

/// Revokes it.
pub(super) async fn revoke(
    State(house): State<House>,
    Path(unit): Path<String>,
    form: MemberForm,
) -> Result<Redirect, Trouble> {
    let unit = read(&unit)?;
    let reason = RevocationReason::from_name(form.fields.get("reason"));
    let reason = reason.filter(|reason| reason.by_user());
    let reason = reason.ok_or(What::Unreadable)?;
    house
        .provider
        .revoke_by_account(form.who.account(), unit, reason)
        .await?;
    Ok(Redirect::to("/account?done=revoked"))
}

/// Asks whether the account is really to be deleted. Whoever does not agree to the
/// text can still do that.
pub(super) async fn ask_delete(
    State(house): State<House>,
    Known(who): Known,
) -> Result<Response, Trouble> {
    let units = house.provider.units_of(who.account()).await?;
    let living = units.iter().filter(|u| u.state != UnitState::Revoked);
    Ok(view::ok(DeletionPage {
        living: living.count(),
        fresh: house.accounts.require_fresh(&who).is_ok(),
        frame: Frame::of("Delete your account", &who),
    }))
}

/// Deletes it.
pub(super) async fn delete(
    State(house): State<House>,
    form: KnownForm,
) -> Result<Response, Trouble> {
    if form.fields.get("sure") != "yes" {
        return Err(What::Unreadable.into());
    }
    house.accounts.delete(&form.who).await?;
    let page = view::ok(DeletedPage {
        frame: Frame::public("Your account is deleted"),
    });
    Ok(with_cookie(None, &house, page))
}

fn read(unit: &str) -> Result<UnitId, Trouble> {
    unit.parse().map_err(|_| What::NotFound.into())
}
