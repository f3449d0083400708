//! The account pages over real HTTP, as a browser asks for them and as nobody's browser
//! would: forms without their token, from other sites, for other people's wallets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use claviger_fixtures::SoftAuthenticator;
use provider_api::{AccountRequest, UnitState};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use support::{Phone, Up, is_set};
use wallet_client::keystore::DeviceKeystore;

/// A browser without a window: it keeps one cookie and follows nothing.
struct Browser {
    http: reqwest::Client,
    origin: String,
    cookie: Option<String>,
}

/// A page as it came.
struct Page {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Browser {
    fn at(up: &Up) -> Self {
        Self {
            http: reqwest::Client::builder()
                .redirect(Policy::none())
                .build()
                .unwrap(),
            origin: up.account.trim_end_matches("/account").to_owned(),
            cookie: None,
        }
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.origin))
            .header("accept", "text/html");
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request
    }

    async fn done(&mut self, request: RequestBuilder) -> Page {
        let response: Response = request.send().await.unwrap();
        if let Some(set) = response.headers().get("set-cookie") {
            let set = set.to_str().unwrap();
            self.cookie =
                (!set.contains("Max-Age=0")).then(|| set.split(';').next().unwrap().to_owned());
        }
        Page {
            status: response.status(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    async fn get(&mut self, path: &str) -> Page {
        let request = self.ask(Method::GET, path);
        self.done(request).await
    }

    fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.ask(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = self.form(path, fields).header("origin", &self.origin);
        self.done(request).await
    }

    /// Sends a page's form with the token that is in it.
    async fn send(&mut self, page: &Page, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = page.token();
        let fields = [fields, &[("token", token.as_str())]].concat();
        self.post(path, &fields).await
    }

    async fn json(&mut self, path: &str, body: &Value) -> Page {
        let request = self
            .ask(Method::POST, path)
            .header("origin", &self.origin)
            .json(body);
        self.done(request).await
    }

    async fn sign_up(&mut self, alias: &str) -> SoftAuthenticator {
        let page = self.get("/account/sign-up").await;
        let consent = page.after("name=\"consent\" value=\"");
        let wish = json!({ "alias": alias, "language": "en", "consent": consent });
        let begun = self.json("/account/sign-up/begin", &wish).await.json();
        let mut passkey = SoftAuthenticator::at(&self.origin);
        let credential = passkey.create(&begun["options"]);
        let finished = json!({ "ceremony": begun["ceremony"], "credential": credential });
        let page = self.json("/account/sign-up/finish", &finished).await;
        assert_eq!(page.json()["next"], "/account/codes");
        passkey
    }
}

impl Page {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect(&self.text)
    }

    fn token(&self) -> String {
        self.after("name=\"token\" value=\"")
    }

    /// What stands after a piece of the page, to the next quote or tag.
    fn after(&self, piece: &str) -> String {
        let (_, after) = self.text.split_once(piece).expect(&self.text);
        after.split(['"', '<']).next().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

async fn get(url: &str) -> Vec<u8> {
    let response = reqwest::get(url).await.unwrap().error_for_status().unwrap();
    response.bytes().await.unwrap().to_vec()
}

fn up() -> (tempfile::TempDir, Up) {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(&folder.path().join("data"), "127.0.0.1:0");
    (folder, up)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_brings_a_wallet_in_and_revokes_it_on_the_page() {
    let (_folder, up) = up();
    let mut user = Browser::at(&up);
    user.sign_up("mine").await;
    let page = user.get("/account/link").await;
    let page = user.send(&page, "/account/link", &[]).await;
    let code = page.after("<code id=\"link-code\">");
    let phone = Phone::join(&up.url, "mine", &code).await.unwrap();
    let again = Phone::join(&up.url, "mine", &code).await.err().unwrap();
    assert_eq!(again.problem().unwrap().code, "account-code");
    let (_, uri, index) = phone.wia().await;

    let unit = phone.answer.unit.to_string();
    let page = user.get("/account").await;
    assert!(page.text.contains(&unit) && page.text.contains("In use"));
    let here = format!("/account/units/{unit}/revocation");
    let page = user.get(&here).await;
    let none = user.send(&page, &here, &[("reason", "death")]).await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST, "not a user's reason");
    let done = user
        .send(&page, &here, &[("reason", "lost-or-stolen")])
        .await;
    assert_eq!(done.header("location"), "/account?done=revoked");
    assert!(is_set(&get(&uri).await, &uri, index));
    let page = user.get("/account?done=revoked").await;
    assert!(page.text.contains("The wallet is revoked."));
    assert!(
        page.text
            .contains("It was revoked by you: the device was lost or stolen")
    );
    let seen = phone
        .provider
        .unit(phone.answer.unit, phone.device.signing())
        .await;
    assert_eq!(seen.unwrap().state, UnitState::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_needs_its_token_and_its_own_page() {
    let (_folder, up) = up();
    let (mut user, mut stranger) = (Browser::at(&up), Browser::at(&up));
    user.sign_up("mine").await;
    stranger.sign_up("theirs").await;
    let here = "/account/link";
    let token = user.get(here).await.token();
    let theirs = stranger.get(here).await.token();
    let own = user.origin.clone();
    let elsewhere = "https://evil.example".to_owned();
    let null = "null".to_owned();
    for (case, token, origin) in [
        ("without a token", "", Some(&own)),
        ("with another's token", &*theirs, Some(&own)),
        ("cross-origin", &*token, Some(&elsewhere)),
        ("from nowhere", &*token, None),
        ("from a page that hides", &*token, Some(&null)),
    ] {
        let mut request = user.form(here, &[("token", token)]);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let page = user.done(request).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{case}");
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{case}"
        );
        assert!(!page.text.contains("link-code"), "{case}");
    }
    // As another media type, which a form of another site could send without asking.
    let request = user
        .ask(Method::POST, here)
        .header("origin", &own)
        .header("content-type", "text/plain")
        .body(format!("token={token}"));
    assert_eq!(user.done(request).await.status, StatusCode::FORBIDDEN);
    let page = user.post(here, &[("token", &token)]).await;
    assert_eq!(page.status, StatusCode::OK, "the form itself works");

    // The same for the script: its token is in a header.
    let name = json!({ "name": "new" });
    let refused = user.json("/account/passkeys/begin", &name).await;
    assert_eq!(refused.json()["code"], "form");
    let request = user
        .ask(Method::POST, "/account/passkeys/begin")
        .header("origin", &own)
        .header("x-form-token", &token)
        .json(&name);
    assert_eq!(user.done(request).await.status, StatusCode::OK);
    let request = user
        .ask(Method::POST, "/account/sign-in/begin")
        .header("origin", &elsewhere)
        .json(&json!({ "alias": "mine" }));
    assert_eq!(user.done(request).await.json()["code"], "form");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_revokes_another_users_wallet() {
    let (_folder, up) = up();
    let phone = Phone::activate(&up, "mine").await;
    let mut stranger = Browser::at(&up);
    stranger.sign_up("theirs").await;
    let unit = format!("/account/units/{}", phone.answer.unit);
    let form = format!("{unit}/revocation");
    for path in [&unit, &form] {
        let page = stranger.get(path).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
    }
    let page = stranger.get("/account").await;
    assert!(!page.text.contains(&phone.answer.unit.to_string()));
    let page = stranger
        .send(&page, &form, &[("reason", "lost-or-stolen")])
        .await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    let mut nobody = Browser::at(&up);
    for path in ["/account", "/account/codes", &unit, "/account/deletion"] {
        let page = nobody.get(path).await;
        assert_eq!(page.header("location"), "/account/sign-in", "{path}");
    }
    let view = phone
        .provider
        .unit(phone.answer.unit, phone.device.signing())
        .await;
    assert_eq!(view.unwrap().state, UnitState::Operational);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phones_account_opens_with_its_code_until_it_has_others() {
    let (_folder, up) = up();
    let phone = Phone::activate(&up, "mine").await;
    let code = phone.answer.account_code.clone().unwrap();
    let request = AccountRequest {
        alias: "mine".into(),
        code: code.clone(),
    };
    // The interface without pages takes the code and does not use it up.
    for _ in 0..2 {
        let view = phone.provider.account(&request).await.unwrap();
        assert_eq!(view.units.len(), 1);
    }
    let mut user = Browser::at(&up);
    let fields = [
        ("alias", "mine"),
        ("code", &*code),
        ("then", "https://evil.example"),
    ];
    let wrong = [("alias", "mine"), ("code", "0000-0000"), ("then", "codes")];
    let page = user.post("/account/sign-in/code", &wrong).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("role=\"alert\"") && page.text.contains("autofocus"));
    let page = user.post("/account/sign-in/code", &fields).await;
    assert_eq!(page.header("location"), "/account", "nowhere else");
    let page = user.get("/account").await;
    assert!(page.text.contains("You have one recovery code left."));
    // Whoever comes in and makes no others is not shut out.
    phone.provider.account(&request).await.unwrap();
    let page = user.post("/account/sign-in/code", &fields).await;
    assert_eq!(page.header("location"), "/account");

    // New ones are shown once.
    let page = user.get("/account/codes").await;
    let shown = user.send(&page, "/account/codes", &[]).await;
    assert_eq!(shown.text.matches("<li><code>").count(), 8);
    let page = user.get("/account/codes").await;
    assert_eq!(page.text.matches("<li><code>").count(), 0);
    let page = user.post("/account/sign-in/code", &fields).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "replaced");
    let gone = phone.provider.account(&request).await.unwrap_err();
    assert_eq!(gone.problem().unwrap().code, "account-code");
    let request = AccountRequest {
        alias: "mine".into(),
        code: shown.after("<li><code>"),
    };
    phone.provider.account(&request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_agreed_is_asked_before_anything_else_and_can_leave() {
    let (_folder, up) = up();
    let phone = Phone::without_consent(&up, "mine").await;
    let code = phone.answer.account_code.clone().unwrap();
    let mut user = Browser::at(&up);
    let fields = [("alias", "mine"), ("code", &*code)];
    user.post("/account/sign-in/code", &fields).await;
    let unit = format!("/account/units/{}/revocation", phone.answer.unit);
    for path in ["/account", "/account/codes", "/account/link", &unit] {
        let page = user.get(path).await;
        assert_eq!(page.header("location"), "/account/consent", "{path}");
    }
    let page = user.get("/account/deletion").await;
    assert_eq!(page.status, StatusCode::OK);
    let refused = user.send(&page, &unit, &[("reason", "superseded")]).await;
    assert_eq!(refused.header("location"), "/account/consent");

    let page = user.get("/account/consent").await;
    let none = user.send(&page, "/account/consent", &[]).await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
    let text = page.after("name=\"consent\" value=\"");
    let agreed = user
        .send(&page, "/account/consent", &[("consent", &text)])
        .await;
    assert_eq!(agreed.header("location"), "/account");
    assert_eq!(user.get("/account").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_takes_its_wallets_with_it() {
    let (_folder, up) = up();
    let phone = Phone::activate(&up, "mine").await;
    let (_, uri, index) = phone.wia().await;
    let code = phone.answer.account_code.clone().unwrap();
    let mut user = Browser::at(&up);
    let fields = [("alias", "mine"), ("code", &*code)];
    user.post("/account/sign-in/code", &fields).await;
    let page = user.get("/account/deletion").await;
    assert!(page.text.contains("<strong>1</strong> in use"));
    let unsure = user.send(&page, "/account/deletion", &[]).await;
    assert_eq!(unsure.status, StatusCode::BAD_REQUEST);
    let cookie = user.cookie.clone();
    let gone = user
        .send(&page, "/account/deletion", &[("sure", "yes")])
        .await;
    assert!(gone.text.contains("Your account is deleted"));
    assert_eq!(user.cookie, None);
    assert!(is_set(&get(&uri).await, &uri, index));
    user.cookie = cookie;
    let page = user.get("/account").await;
    assert_eq!(page.header("location"), "/account/sign-in");
    // The alias is somebody else's to have.
    user.sign_up("mine").await;
    let page = user.get("/account").await;
    assert!(page.text.contains("No wallet belongs to this account yet."));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_lets_nothing_in_from_elsewhere() {
    let (_folder, up) = up();
    let mut user = Browser::at(&up);
    let page = user.get("/account/sign-up").await;
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{part}");
    }
    assert!(!policy.contains("unsafe"));
    assert_eq!(page.header("referrer-policy"), "same-origin");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(!page.text.contains("style=\"") && !page.text.contains("<script>"));
    for (kind, before) in [
        ("css", "stylesheet\" href=\""),
        ("javascript", "script src=\""),
    ] {
        let address = page.after(before);
        let asset = user.get(&address).await;
        assert_eq!(asset.status, StatusCode::OK);
        assert!(asset.header("content-type").contains(kind));
        assert!(asset.header("cache-control").contains("immutable"));
    }
    let old = user.get("/account/assets/old.css").await;
    assert_eq!(old.status, StatusCode::NOT_FOUND);

    // What a user wrote stays text.
    let hostile = "<script>alert(1)</script>\"'";
    user.sign_up(hostile).await;
    let page = user.get("/account").await;
    assert!(!page.text.contains("<script>alert"));
    assert!(page.text.contains("&#60;script&#62;") || page.text.contains("&lt;script&gt;"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_is_a_cookie_that_scripts_and_other_sites_do_not_see() {
    let (_folder, up) = up();
    let mut user = Browser::at(&up);
    let mut passkey = user.sign_up("mine").await;
    let begun = user
        .json("/account/sign-in/begin", &json!({ "alias": "mine" }))
        .await
        .json();
    let finished = json!({
        "ceremony": begun["ceremony"],
        "credential": passkey.get(&begun["options"]),
    });
    let page = user
        .json("/account/sign-in/finish?then=codes", &finished)
        .await;
    assert_eq!(page.json()["next"], "/account/codes");
    let cookie = page.header("set-cookie");
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain") && !cookie.contains("Expires"));
    let replayed = user.json("/account/sign-in/finish", &finished).await;
    assert_eq!(replayed.json()["code"], "ceremony");

    let page = user.get("/account").await;
    let kept = user.cookie.clone();
    let out = user.send(&page, "/account/sign-out", &[]).await;
    assert_eq!(out.header("location"), "/account/sign-in");
    user.cookie = kept;
    let page = user.get("/account").await;
    assert_eq!(page.header("location"), "/account/sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_pages_for_a_browser_and_problems_for_a_program() {
    let (_folder, up) = up();
    let mut user = Browser::at(&up);
    for (method, path, status) in [
        (Method::GET, "/account/nowhere", StatusCode::NOT_FOUND),
        (
            Method::POST,
            "/account/sign-up",
            StatusCode::METHOD_NOT_ALLOWED,
        ),
    ] {
        let page = user.done(user.ask(method.clone(), path)).await;
        assert_eq!(page.status, status);
        assert!(page.text.contains("<html lang=\"en\">"), "{path}");
    }
    let request = user
        .http
        .get(format!("{}/account/nowhere", user.origin))
        .header("accept", "application/json");
    let page = user.done(request).await;
    assert_eq!(page.json()["code"], "not-found");

    let long = "x".repeat(70 * 1024);
    let page = user
        .post("/account/sign-in/code", &[("alias", &long)])
        .await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let many = [("a", "b"); 20];
    let page = user.post("/account/sign-in/code", &many).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let twice = "{\"alias\":\"a\",\"alias\":\"b\"}";
    let request = user
        .ask(Method::POST, "/account/sign-in/begin")
        .header("origin", &user.origin)
        .header("content-type", "application/json")
        .body(twice);
    assert_eq!(user.done(request).await.json()["code"], "malformed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_at_an_address_of_numbers_is_sent_where_passkeys_work() {
    let (_folder, up) = up();
    assert!(
        up.account.starts_with("http://localhost:"),
        "{}",
        up.account
    );
    let mut user = Browser::at(&up);
    user.origin.clone_from(&up.url);
    let page = user.get("/account/sign-up").await;
    assert_eq!(page.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(page.header("location"), format!("{}/sign-up", up.account));
}
