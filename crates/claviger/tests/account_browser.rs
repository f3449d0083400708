//! The account pages in a real browser: a passkey from a virtual authenticator, a wallet
//! that is seen and revoked, and pages that work with a keyboard, narrow and dark.
//!
//! It needs `chromium` and `chromedriver`. With `CLAVIGER_PICTURES` naming a folder,
//! each page is put there as a picture, to be looked at.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use claviger_fixtures::mail::MailServer;
use serde_json::{Value, json};
use support::served::{Served, free_address};
use support::{Phone, Up, is_set};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const SPACE: &str = " ";

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_up_with_a_passkey_sees_a_wallet_and_revokes_it() {
    let name = "a_user_signs_up_with_a_passkey_sees_a_wallet_and_revokes_it";
    let Some(browser) = Browser::start(name).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(&folder.path().join("data"), "127.0.0.1:0");
    browser.give_authenticator().await;

    // By the address of numbers, which leads to where passkeys work; by keyboard alone.
    browser.go(&format!("{}/account/sign-up", up.url)).await;
    assert_eq!(browser.address().await, format!("{}/sign-up", up.account));
    browser.looks_right("sign-up").await;
    browser.tab_to("alias").await;
    browser.press("my wallets").await;
    browser.tab_to("consent").await;
    browser.press(SPACE).await;
    browser.press(TAB).await;
    browser.press(ENTER).await;
    browser.arrives("/account/codes").await;

    browser.looks_right("codes").await;
    browser.click("main form button").await;
    browser.has("ol.codes").await;
    assert_eq!(browser.count("ol.codes li").await, 8);
    browser.looks_right("new-codes").await;

    browser.go(&format!("{}/link", up.account)).await;
    browser.looks_right("link").await;
    browser.click("main form button").await;
    let code = browser.text("#link-code").await;
    browser.looks_right("link-code").await;
    let phone = Phone::join(&up.url, "my wallets", &code).await.unwrap();
    let (_, uri, index) = phone.wia().await;
    assert!(!is_set(&get(&uri).await, &uri, index));

    browser.go(&up.account).await;
    let unit = phone.answer.unit.to_string();
    let shown = browser.text("article").await;
    assert!(
        shown.contains(&unit[..8]) && shown.contains("In use"),
        "{shown}"
    );
    browser.looks_right("wallets").await;
    browser.click("article a.bad").await;
    browser
        .arrives(&format!("/account/units/{unit}/revocation"))
        .await;
    browser.looks_right("revocation").await;
    // Without a reason the browser itself holds the form.
    browser.click("main button.bad").await;
    browser
        .arrives(&format!("/account/units/{unit}/revocation"))
        .await;
    browser.click("#lost").await;
    browser.click("main button.bad").await;
    browser.has("p.note.good").await;
    assert!(browser.text("article .tag").await.contains("Revoked"));
    browser.click("summary").await;
    browser.looks_right("revoked").await;
    assert!(
        is_set(&get(&uri).await, &uri, index),
        "the published list says so"
    );

    for page in [
        "passkeys",
        "address",
        "deletion",
        "consent",
        &format!("units/{unit}"),
    ] {
        browser.go(&format!("{}/{page}", up.account)).await;
        browser.looks_right(page.split('/').next().unwrap()).await;
    }

    // Out, and in again with the same passkey.
    browser.click(".who button").await;
    browser.arrives("/account/sign-in").await;
    browser.looks_right("sign-in").await;
    browser.tab_to("alias").await;
    browser.press("my wallets").await;
    browser.press(ENTER).await;
    browser.arrives("/account").await;
    browser.go(&format!("{}/passkeys", up.account)).await;
    assert!(browser.text("main").await.contains("last used"));

    // Somebody who has no passkey here is told so, in the form.
    browser.click(".who button").await;
    browser.arrives("/account/sign-in").await;
    browser.tab_to("alias").await;
    browser.press("somebody else").await;
    browser.press(ENTER).await;
    browser.has(".says:not([hidden])").await;
    browser.looks_right("refused").await;
    browser.complains_of_nothing().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_is_told_by_mail_at_the_address_that_was_confirmed() {
    let name = "a_revocation_is_told_by_mail_at_the_address_that_was_confirmed";
    let Some(browser) = Browser::start(name).await else {
        return;
    };
    let Some(server) = MailServer::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let listen = free_address();
    let url = format!("http://localhost:{}", listen.split(':').nth(1).unwrap());
    let config = configuration(folder.path(), &listen, &url, server.port());
    let _served = Served::start(&config, &format!("http://{listen}"));
    browser.give_authenticator().await;
    let page = |path: &str| format!("{url}/account/{path}");

    browser.go(&page("sign-up")).await;
    let main = browser.text("main").await;
    assert!(
        main.contains("What the test keeps"),
        "the operator's own text"
    );
    browser.tab_to("alias").await;
    browser.press("my wallets").await;
    browser.click("#consent").await;
    browser.click("main form button").await;
    browser.arrives("/account/codes").await;

    browser.go(&page("address")).await;
    browser.looks_right("no-address").await;
    browser.tab_to("address").await;
    browser.press("maria@example.org").await;
    browser.click("#purpose").await;
    browser.press(ENTER).await;
    browser.has("#code").await;
    browser.looks_right("address-waits").await;
    let mail = server.wait_for(1).remove(0);
    assert_eq!(mail.to, ["maria@example.org"]);
    let code = code_in(&mail.text());
    browser.tab_to("code").await;
    browser.press(&format!("{code}{ENTER}")).await;
    browser.has("section.row").await;
    assert!(
        browser
            .text("section.row")
            .await
            .contains("maria@example.org")
    );
    browser.looks_right("address-confirmed").await;

    browser.go(&page("link")).await;
    browser.click("main form button").await;
    let code = browser.text("#link-code").await;
    let phone = Phone::join(&url, "my wallets", &code).await.unwrap();
    let (_, uri, index) = phone.wia().await;
    let unit = phone.answer.unit.to_string();
    browser.go(&page(&format!("units/{unit}/revocation"))).await;
    browser.click("#lost").await;
    browser.click("main button.bad").await;
    browser.has("p.note.good").await;
    assert!(
        is_set(&get(&uri).await, &uri, index),
        "the published list says so"
    );
    let mails = server.wait_for(2);
    assert_eq!(mails[1].to, ["maria@example.org"]);
    let subject = mails[1].header("subject");
    assert!(subject.contains("revoked"), "{subject}");
    browser.complains_of_nothing().await;
}

/// A node for development, with a mail server of this machine.
fn configuration(folder: &Path, listen: &str, url: &str, mail: u16) -> PathBuf {
    let shown = folder.display();
    let key = folder.join("device.hex");
    std::fs::write(&key, "07".repeat(32)).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(
        folder.join("consent.txt"),
        "What the test keeps\n\nNothing for long.\n",
    )
    .unwrap();
    let config = format!(
        r#"
        development = true
        listen = "{listen}"
        public_url = "{url}"
        data = "{shown}/data"
        roles = ["wallet-provider", "wsca", "lists"]
        [device]
        uri = "software:{shown}/device.store?key-file={shown}/device.hex"
        [wallet_provider]
        solution = "Example Wallet"
        client_id = "https://wallet.example"
        certification = "none"
        [accounts]
        consent = "{shown}/consent.txt"
        consent_version = "1"
        [notices.smtp]
        host = "127.0.0.1"
        port = {mail}
        security = "plain"
        from = "wallet@wallet.example"
        "#
    );
    let file = folder.join("claviger.toml");
    std::fs::write(&file, config).unwrap();
    file
}

/// The code of eight digits, in two groups, that a mail holds.
fn code_in(text: &str) -> String {
    text.split_whitespace()
        .find(|word| {
            word.len() == 9
                && word.char_indices().all(|(at, c)| match at {
                    4 => c == '-',
                    _ => c.is_ascii_hexdigit(),
                })
        })
        .expect(text)
        .to_owned()
}

async fn get(url: &str) -> Vec<u8> {
    let response = reqwest::get(url).await.unwrap().error_for_status().unwrap();
    response.bytes().await.unwrap().to_vec()
}

/// A browser that is driven (W3C WebDriver).
struct Browser {
    driver: Child,
    http: reqwest::Client,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// The browser of this machine; none, and the log says so.
    async fn start(test: &str) -> Option<Self> {
        let find = |variable: &str, names: &[&str]| {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let named = std::env::var_os(variable).map(PathBuf::from);
            named.or_else(|| {
                std::env::split_paths(&path)
                    .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
                    .find(|file| file.is_file())
            })
        };
        let names = ["chromium", "chromium-browser", "google-chrome"];
        let Some(browser) = find("CLAVIGER_CHROMIUM", &names) else {
            claviger_fixtures::skip(test, "no chromium found");
            return None;
        };
        let Some(driver) = find("CLAVIGER_CHROMEDRIVER", &["chromedriver"]) else {
            claviger_fixtures::skip(test, "no chromedriver found");
            return None;
        };
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port: u16 = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| {
                let (_, port) = line.split_once("successfully on port ")?;
                port.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says its port");
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let options = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "binary": browser,
                "args": [
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                    "--window-size=1100,900",
                    format!("--user-data-dir={}", profile.path().display()),
                ],
            },
        } } });
        let http = reqwest::Client::new();
        let base = format!("http://127.0.0.1:{port}/session");
        let started = call(http.post(&base).json(&options)).await;
        let id = started["sessionId"].as_str().unwrap();
        Some(Self {
            session: format!("{base}/{id}"),
            driver,
            http,
            _profile: profile,
        })
    }

    async fn post(&self, command: &str, body: Value) -> Value {
        call(
            self.http
                .post(format!("{}/{command}", self.session))
                .json(&body),
        )
        .await
    }

    async fn ask(&self, command: &str) -> Value {
        call(self.http.get(format!("{}/{command}", self.session))).await
    }

    /// A passkey on this device, whose user is there and verified.
    async fn give_authenticator(&self) {
        let authenticator = json!({
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": true,
            "hasUserVerification": true,
            "isUserConsenting": true,
            "isUserVerified": true,
        });
        self.post("webauthn/authenticator", authenticator).await;
    }

    async fn go(&self, address: &str) {
        self.post("url", json!({ "url": address })).await;
    }

    async fn address(&self) -> String {
        self.ask("url").await.as_str().unwrap().to_owned()
    }

    /// Waits until the browser is at a path.
    async fn arrives(&self, path: &str) {
        let begun = Instant::now();
        loop {
            let address = self.address().await;
            let there = address.split_once("//").unwrap().1;
            let there = there.split_once('/').map_or("", |(_, path)| path);
            if format!("/{there}").split('?').next() == Some(path) {
                return;
            }
            if begun.elapsed() > Duration::from_secs(20) {
                panic!("at {address}, not at {path}: {}", self.shown().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the page has such an element.
    async fn has(&self, selector: &str) {
        let begun = Instant::now();
        while self.count(selector).await == 0 {
            if begun.elapsed() > Duration::from_secs(20) {
                panic!("no {selector}: {}", self.shown().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// All that the page says.
    async fn shown(&self) -> Value {
        let script = "return document.body.innerText";
        self.run(script, json!([])).await
    }

    async fn count(&self, selector: &str) -> u64 {
        let script = "return document.querySelectorAll(arguments[0]).length";
        self.run(script, json!([selector])).await.as_u64().unwrap()
    }

    async fn element(&self, selector: &str) -> String {
        self.has(selector).await;
        let by = json!({ "using": "css selector", "value": selector });
        let found = self.post("element", by).await;
        let found = found.as_object().unwrap().values().next().unwrap();
        found.as_str().unwrap().to_owned()
    }

    async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/click"), json!({}))
            .await;
    }

    async fn text(&self, selector: &str) -> String {
        let element = self.element(selector).await;
        let text = self.ask(&format!("element/{element}/text")).await;
        text.as_str().unwrap().to_owned()
    }

    /// Presses keys wherever the focus is.
    async fn press(&self, keys: &str) {
        let presses: Vec<_> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keys", "actions": presses }] });
        self.post("actions", actions).await;
    }

    /// Presses Tab until the focus is on the element of this id. On each way there, the
    /// focus can be seen.
    async fn tab_to(&self, id: &str) {
        for _ in 0..20 {
            let script = "return document.activeElement.id";
            if self.run(script, json!([])).await == id {
                return;
            }
            self.press(TAB).await;
            let script = "const style = getComputedStyle(document.activeElement);
                return document.activeElement === document.body || style.outlineStyle";
            let outline = self.run(script, json!([])).await;
            assert_ne!(outline, "none", "the focus cannot be seen");
        }
        panic!("no Tab leads to {id}");
    }

    async fn run(&self, script: &str, arguments: Value) -> Value {
        let script = json!({ "script": script, "args": arguments });
        self.post("execute/sync", script).await
    }

    /// A page's structure, and that it fits a telephone and a dark room.
    async fn looks_right(&self, name: &str) {
        let wrong = self.run(STRUCTURE, json!([])).await;
        assert_eq!(wrong, json!([]), "{name}");
        self.picture(name, "wide").await;
        let paper = |colour: &str| format!("rgb({colour})");
        assert_eq!(self.paper().await, paper("244, 246, 250"), "{name}");

        let dark = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
        self.emulate("Emulation.setEmulatedMedia", json!({ "features": dark }))
            .await;
        assert_eq!(self.paper().await, paper("16, 21, 30"), "{name}");
        self.picture(name, "dark").await;
        self.emulate("Emulation.setEmulatedMedia", json!({ "features": [] }))
            .await;

        let phone = json!({ "width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": true });
        self.emulate("Emulation.setDeviceMetricsOverride", phone)
            .await;
        let script = "return document.documentElement.scrollWidth";
        let width = self.run(script, json!([])).await;
        assert!(
            width.as_u64().unwrap() <= 360,
            "{name}: {width} wide on a telephone"
        );
        self.picture(name, "narrow").await;
        self.emulate("Emulation.clearDeviceMetricsOverride", json!({}))
            .await;
    }

    async fn paper(&self) -> Value {
        let script = "return getComputedStyle(document.body).backgroundColor";
        self.run(script, json!([])).await
    }

    async fn emulate(&self, command: &str, parameters: Value) {
        let command = json!({ "cmd": command, "params": parameters });
        self.post("goog/cdp/execute", command).await;
    }

    async fn picture(&self, name: &str, how: &str) {
        let Some(folder) = std::env::var_os("CLAVIGER_PICTURES") else {
            return;
        };
        let picture =
            json!({ "cmd": "Page.captureScreenshot", "params": { "captureBeyondViewport": true } });
        let picture = self.post("goog/cdp/execute", picture).await;
        let picture = jose::b64::decode_std(picture["data"].as_str().unwrap()).unwrap();
        let file = PathBuf::from(folder).join(format!("{name}-{how}.png"));
        std::fs::write(file, picture).unwrap();
    }

    /// Nothing was blocked by the pages' own policy, and no script failed. That a request
    /// was refused, as the test wanted, is all that may stand in the log.
    async fn complains_of_nothing(&self) {
        let log = self.post("se/log", json!({ "type": "browser" })).await;
        let severe: Vec<_> = log
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .filter(|entry| !entry["message"].as_str().unwrap().contains("status of 403"))
            .collect();
        assert!(severe.is_empty(), "{severe:?}");
    }
}

/// What is wrong with a page, by what assistive technology goes by.
const STRUCTURE: &str = r#"
    const wrong = [];
    const all = (selector) => [...document.querySelectorAll(selector)];
    const one = (selector) => {
        if (all(selector).length !== 1) wrong.push(`${all(selector).length} ${selector}`);
    };
    ["h1", "main", "title", "html[lang=en]", "a.skip[href='#content']"].forEach(one);
    let before = 0;
    for (const heading of all("h1, h2, h3, h4")) {
        const level = Number(heading.tagName[1]);
        if (level > before + 1) wrong.push(`h${level} after h${before}`);
        before = level;
    }
    for (const field of all("input:not([type=hidden])")) {
        if (!field.labels.length) wrong.push(`no label: ${field.name}`);
    }
    for (const group of all("nav, section, article[aria-labelledby]")) {
        const by = group.getAttribute("aria-labelledby");
        if (by ? !document.getElementById(by) : !group.ariaLabel && group.matches("nav")) {
            wrong.push(`no name: ${group.outerHTML.slice(0, 60)}`);
        }
    }
    for (const described of all("[aria-describedby]")) {
        if (!document.getElementById(described.getAttribute("aria-describedby"))) {
            wrong.push(`describes nothing: ${described.id}`);
        }
    }
    for (const named of all("button, a")) {
        if (!named.textContent.trim()) wrong.push(`no words: ${named.outerHTML.slice(0, 60)}`);
    }
    const ids = all("[id]").map((element) => element.id);
    if (new Set(ids).size !== ids.length) wrong.push("an id twice");
    if (all("[style], script:not([src])").length) wrong.push("inline style or script");
    return wrong;
"#;

async fn call(request: reqwest::RequestBuilder) -> Value {
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let value = answer["value"].clone();
    assert!(value["error"].is_null(), "{value}");
    value
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromedriver ends its browser when it is asked to, and orphans it when killed.
        let session = self.session.clone();
        let end = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let _ = runtime.block_on(async {
                let end = reqwest::Client::new().delete(session).send();
                tokio::time::timeout(Duration::from_secs(10), end).await
            });
        });
        let _ = end.join();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
