//! The pages on which a user looks after an account and its wallets, without the
//! phone (docs/protocols/accounts.md).
//!
//! Plain forms, rendered here; the one script is for passkeys, which no form can ask
//! for. What a handler is given says who asks: a [`guard::Visitor`] may be anybody, a
//! [`guard::Member`] is signed in and has agreed, and the forms of either came from
//! our own origin. A handler that changes something takes a form, so none can forget
//! to look.

mod address;
mod assets;
mod guard;
mod keys;
mod start;
mod trouble;
mod units;
mod view;

use std::sync::Arc;

use accounts::Accounts;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use wallet_provider::WalletProvider;

pub(crate) use assets::STYLE;
pub(crate) use trouble::page_of;

/// Where the pages stand.
pub(crate) const HOME: &str = "/account";

/// What the pages are made of.
#[derive(Debug, Clone)]
pub struct AccountPages {
    /// Who users are.
    pub accounts: Arc<Accounts>,
    /// Whose wallets they are.
    pub provider: Arc<WalletProvider>,
}

pub(crate) type House = Arc<AccountPages>;

/// The pages, under [`HOME`]. How often one address may ask is limited around this
/// router ([`crate::rates`]), how often of one account where its alias is known.
pub(crate) fn routes(pages: AccountPages) -> Router {
    let house: House = Arc::new(pages);
    Router::new()
        .route("/account", get(units::all))
        .route("/account/units/{unit}", get(units::one))
        .route(
            "/account/units/{unit}/revocation",
            get(units::ask).post(units::revoke),
        )
        .route("/account/sign-up", get(start::sign_up))
        .route("/account/sign-up/begin", post(start::begin_sign_up))
        .route("/account/sign-up/finish", post(start::finish_sign_up))
        .route("/account/sign-in", get(start::sign_in))
        .route("/account/sign-in/begin", post(start::begin_sign_in))
        .route("/account/sign-in/finish", post(start::finish_sign_in))
        .route("/account/sign-in/code", post(start::sign_in_by_code))
        .route("/account/sign-out", post(start::sign_out))
        .route("/account/consent", get(start::consent).post(start::agree))
        .route("/account/passkeys", get(keys::passkeys))
        .route("/account/passkeys/begin", post(keys::begin_passkey))
        .route("/account/passkeys/finish", post(keys::finish_passkey))
        .route("/account/passkeys/removal", post(keys::remove_passkey))
        .route("/account/codes", get(keys::codes).post(keys::new_codes))
        .route("/account/link", get(keys::link).post(keys::link_code))
        .route("/account/address", get(address::show).post(address::begin))
        .route("/account/address/code", post(address::confirm))
        .route("/account/address/removal", post(address::remove))
        .route(
            "/account/deletion",
            get(units::ask_delete).post(units::delete),
        )
        .route("/account/assets/{name}", get(assets::asset))
        .method_not_allowed_fallback(trouble::no_such_method)
        .layer(middleware::from_fn_with_state(
            Arc::clone(&house),
            at_the_origin,
        ))
        .layer(middleware::map_response(with_policy))
        .with_state(house)
}

/// A browser that came by a loopback address is sent to `localhost`, where passkeys
/// work. Nothing else is redirected: a proxy may give us any host.
async fn at_the_origin(State(house): State<House>, request: Request, next: Next) -> Response {
    let origin = &house.accounts.config().origin;
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let by_address = host.starts_with("127.") || host.starts_with("[::1]");
    if by_address && origin.host_str() == Some("localhost") && request.method() == Method::GET {
        let mut there = origin.clone();
        there.set_path(request.uri().path());
        return Redirect::temporary(there.as_str()).into_response();
    }
    next.run(request).await
}

/// Nothing from elsewhere, nothing inline, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
     frame-ancestors 'none'";

/// What every page carries.
async fn with_policy(mut response: Response) -> Response {
    add_policy(&mut response);
    response
}

fn add_policy(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    // Not `no-referrer`: with it a browser's form says `Origin: null`, and nobody
    // could tell our own forms from a stranger's.
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        "cross-origin-opener-policy",
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static(
            "publickey-credentials-create=(self), publickey-credentials-get=(self), \
             camera=(), geolocation=(), microphone=()",
        ),
    );
}
