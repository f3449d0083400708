//! The e-mail address that a user may leave.

use axum::extract::State;
use axum::response::{Redirect, Response};

use super::House;
use super::guard::{Member, MemberForm};
use super::trouble::Trouble;
use super::view::{self, AddressPage, Frame};

const HERE: &str = "/account/address";

pub(super) async fn show(
    State(house): State<House>,
    Member(who): Member,
) -> Result<Response, Trouble> {
    Ok(view::ok(AddressPage {
        address: who.address().map(str::to_owned),
        waiting: house.accounts.waiting_address(&who).await?,
        possible: house.accounts.sends_letters(),
        purpose: house.accounts.letters_purpose(),
        fresh: house.accounts.require_fresh(&who).is_ok(),
        frame: Frame::of("E-mail", &who),
    }))
}

/// Has a code sent there.
pub(super) async fn begin(
    State(house): State<House>,
    form: MemberForm,
) -> Result<Redirect, Trouble> {
    let address = form.fields.get("address");
    house.accounts.begin_address(&form.who, address).await?;
    Ok(Redirect::to(HERE))
}

pub(super) async fn confirm(
    State(house): State<House>,
    form: MemberForm,
) -> Result<Redirect, Trouble> {
    let code = form.fields.get("code");
    house.accounts.confirm_address(&form.who, code).await?;
    Ok(Redirect::to(HERE))
}

pub(super) async fn remove(
    State(house): State<House>,
    form: MemberForm,
) -> Result<Redirect, Trouble> {
    house.accounts.remove_address(&form.who).await?;
    Ok(Redirect::to(HERE))
}
