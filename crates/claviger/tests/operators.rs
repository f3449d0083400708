//! Operators, at the door of a running node: what each role may do, who is turned
//! away, and what is written down of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::path::{Path, PathBuf};

use reqwest::{Client, Method};
use serde_json::{Value, json};
use server::OPERATOR_ROUTES;
use store::Kind;
use store::sql::query;
use support::ca::{Ca, Issued};
use support::served::{Served, free_address};
use support::{Phone, claviger, claviger_json, rules};
use wallet_provider::operators::OperatorRole;

/// A node with an operator of each role, named for it, whose token is `token of ROLE`.
struct House {
    node: Option<Served>,
    url: String,
    config: PathBuf,
    folder: tempfile::TempDir,
    http: Client,
}

impl House {
    fn start(more: &str) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), more, Served::start)
    }

    /// One node, whatever the run asks for: each counts its own clients.
    fn that_counts(more: &str) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), more, Served::start_alone)
    }

    fn in_folder(
        folder: tempfile::TempDir,
        more: &str,
        start: impl FnOnce(&Path, &str) -> Served,
    ) -> Self {
        let listen = free_address();
        let at = folder.path();
        let mut text = format!(
            r#"
development = true
listen = "{listen}"
data = "{folder}/data"
roles = ["wsca", "wallet-provider"]
operator_token_file = "{folder}/single.token"
[device]
uri = "software:{folder}/store?key-file={folder}/key"
[wallet_provider]
solution = "Sample"
client_id = "https://wallet.example"
certification = "none"
"#,
            folder = at.display()
        );
        for role in OperatorRole::ALL {
            let hash = jose::sha256(format!("token of {role}").as_bytes());
            text.push_str(&format!(
                "[[operators]]\nname = \"{role}\"\nrole = \"{role}\"\ntoken_sha256 = \"{}\"\n",
                hex::encode(hash)
            ));
        }
        text.push_str(more);
        std::fs::write(at.join("single.token"), "the one token\n").unwrap();
        secret(&at.join("key"), &"7".repeat(64));
        let config = at.join("claviger.toml");
        std::fs::write(&config, text).unwrap();
        Self {
            node: Some(start(&config, &listen)),
            url: format!("http://{listen}"),
            config,
            folder,
            http: Client::new(),
        }
    }

    async fn ask(&self, method: &str, path: &str, token: &str) -> (u16, Value) {
        let method: Method = method.parse().unwrap();
        let request = self
            .http
            .request(method.clone(), format!("{}{path}", self.url));
        let mut request = request.bearer_auth(token);
        if method == Method::POST {
            request = request.json(&json!({ "reason": "security" }));
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    /// The trail, as an admin reads it.
    async fn trail(&self) -> Vec<Value> {
        let (status, trail) = self
            .ask("GET", "/operator/audit?limit=1000", "token of admin")
            .await;
        assert_eq!(status, 200, "{trail}");
        trail["rows"].as_array().unwrap().clone()
    }

    fn token(&self, token: &str) -> String {
        let path = self.folder.path().join("given.token");
        secret(&path, token);
        path.to_str().unwrap().to_owned()
    }

    fn verify(&self, more: &[&str]) -> (i32, Value) {
        let token = self.token("token of admin");
        let mut arguments = vec!["operator", "audit", "--verify", "--url", &self.url];
        arguments.extend(["--token-file", &token]);
        arguments.extend(more);
        claviger_json(&arguments)
    }
}

fn secret(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Over every route of the OpenAPI document that is for operators, with every role.
#[tokio::test(flavor = "multi_thread")]
async fn every_route_asks_for_its_role() {
    let house = House::start("");
    let document: Value = house
        .http
        .get(format!("{}/openapi.json", house.url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        if path.starts_with("/operator/") {
            let methods = methods.as_object().unwrap().keys();
            routes.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
        }
    }
    assert_eq!(
        routes.len(),
        OPERATOR_ROUTES.len(),
        "none is in one place alone"
    );
    let unit = "0b7b6d0e-6d8e-4d3a-9c55-1f2f3a4b5c6d";
    for (method, path) in routes {
        let route = OPERATOR_ROUTES
            .iter()
            .find(|route| route.method == method && route.path == path)
            .unwrap_or_else(|| panic!("{method} {path} is in no table"));
        let address = path
            .replace("{unit}", unit)
            .replace("{job}", unit)
            .replace("{storage}", "wscd");
        assert!(
            !address.contains('{'),
            "{address}: what stands for its part?"
        );
        for role in OperatorRole::ALL {
            let (status, problem) = house
                .ask(&method, &address, &format!("token of {role}"))
                .await;
            let asked = format!("{role}: {method} {address}: {status} {problem}");
            assert_eq!(status == 403, role < route.needs, "{asked}");
            assert_ne!(status, 401, "{asked}");
            if status == 403 {
                assert_eq!(rules(&problem), ["WP-OPERATOR-ROLE"], "{asked}");
            }
        }
        let (status, problem) = house.ask(&method, &address, "token of nobody").await;
        assert_eq!(
            (status, rules(&problem)),
            (401, vec!["WP-OPERATOR-CREDENTIAL"])
        );
    }
    let (status, _) = house.ask("GET", "/operator/units", "the one token").await;
    assert_eq!(status, 200, "the single token works as it did");

    let trail = house.trail().await;
    let refused = trail.iter().filter(|row| row["outcome"] == "forbidden");
    let expected: usize = OPERATOR_ROUTES
        .iter()
        .map(|route| {
            OperatorRole::ALL
                .iter()
                .filter(|role| **role < route.needs)
                .count()
        })
        .sum();
    assert_eq!(
        refused.count(),
        expected,
        "what was refused stands in the trail"
    );
    assert!(
        trail
            .iter()
            .any(|row| row["operator"] == "operator" && row["role"] == "admin")
    );
    assert!(trail.iter().all(|row| row["operator"] != "nobody"));
}

/// Methods and addresses that are in no table, and headers that are not quite right.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_sideways() {
    let house = House::start("");
    let units = format!("{}/operator/units", house.url);
    let hash = hex::encode(jose::sha256(b"token of admin"));
    for authorization in [
        "".to_owned(),
        "Bearer".into(),
        "Bearer ".into(),
        "Basic token of admin".into(),
        "bearer token of admin".into(),
        format!("Bearer {hash}"),
        "Bearer token of admin, Bearer token of read".into(),
        format!("Bearer {}", "x".repeat(10_000)),
    ] {
        let request = house
            .http
            .get(&units)
            .header("authorization", &authorization);
        let status = request.send().await.unwrap().status().as_u16();
        assert_eq!(status, 401, "{authorization}");
    }
    // Not a client's to say.
    let request = house
        .http
        .get(&units)
        .header("x-client-certificate", "admin");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 401);
    for (method, path, statuses) in [
        ("DELETE", "/operator/units", [403, 405]),
        ("PUT", "/operator/audit", [403, 405]),
        ("POST", "/operator/units", [403, 405]),
        ("GET", "/operator/nothing", [404, 404]),
        ("GET", "/operator//units", [404, 404]),
    ] {
        let (status, _) = house.ask(method, path, "token of admin").await;
        assert!(statuses.contains(&status), "{method} {path}: {status}");
    }
    // A look whose answer is not wanted is a look.
    let head = house.http.head(&units).bearer_auth("token of read");
    assert_eq!(head.send().await.unwrap().status().as_u16(), 200);
    let trail = house.trail().await;
    assert_eq!(trail.last().unwrap()["action"], "unit.list");
}

/// A revocation, a look and a refusal, each with who and why; then somebody meddles.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_written_down_and_meddling_shows() {
    let mut house = House::start("");
    let phone = Phone::activate_at(&house.url, &house.url, "user").await;
    let unit = phone.answer.unit.to_string();
    let token = house.token("token of revoke");
    let at = ["--url", &house.url, "--token-file", &token];
    let unit_command = |arguments: &[&str]| claviger_json(&[arguments, &at].concat());
    let (_, listed) = unit_command(&["unit", "list", "--state", "operational"]);
    assert_eq!(listed["units"][0]["unit"], unit);
    let (_, none) = unit_command(&["unit", "list", "--state", "revoked", "--version", "9"]);
    assert_eq!(none["units"], json!([]));
    let (_, shown) = unit_command(&["unit", "show", &unit, "--because", "ticket 4711"]);
    assert_eq!(shown["units"][0]["device"]["kind"], "none");
    let (status, _) = unit_command(&[
        "unit",
        "revoke",
        &unit,
        "--reason",
        "lost-or-stolen",
        "--yes",
        "--because",
        "call from the user",
    ]);
    assert_eq!(status, 0);
    let unknown = "0b7b6d0e-6d8e-4d3a-9c55-1f2f3a4b5c6d";
    let path = format!("/operator/units/{unknown}/revocation");
    assert_eq!(house.ask("POST", &path, "token of revoke").await.0, 404);

    let rows: Vec<_> = house
        .trail()
        .await
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or("").to_owned();
            [
                text("action"),
                text("object"),
                text("reason"),
                text("outcome"),
            ]
        })
        .collect();
    let row = |parts: [&str; 4]| parts.map(str::to_owned);
    assert_eq!(rows[0][0], "unit.list");
    assert_eq!(
        rows[2..],
        [
            row(["unit.show", &format!("units/{unit}"), "ticket 4711", "ok"]),
            row([
                "unit.revoke",
                &format!("units/{unit}/revocation"),
                "lost-or-stolen: call from the user",
                "ok"
            ]),
            row([
                "unit.revoke",
                &format!("units/{unknown}/revocation"),
                "security",
                "unknown-unit"
            ]),
        ]
    );

    let (status, checked) = house.verify(&[]);
    assert_eq!((status, &checked["whole"]), (0, &json!(true)), "{checked}");
    let known = checked["end"].as_str().unwrap().to_owned();
    let (status, _) = house.verify(&["--known", &known]);
    assert_eq!(status, 0);
    let node = house.node.as_ref().unwrap();
    assert!(node.logs(&known), "the log keeps each head");
    let (sequence, _) = known.split_once(':').unwrap();
    let other = format!("{sequence}:{}", "0".repeat(64));
    let (status, checked) = house.verify(&["--known", &other]);
    assert_eq!(
        (status, rules(&checked)),
        (1, vec!["WP-OPERATOR-TRAIL-END"])
    );

    // Whoever can write the database takes the revocation's reason away.
    house.node.take().unwrap().stop();
    let database = support::twins::database(&house.config);
    let database = store::Database::open(&database).await.unwrap();
    for statement in [
        match database.kind() {
            Kind::Sqlite => "DROP TRIGGER operator_trail_is_final",
            Kind::Postgres => "DROP TRIGGER operator_trail_is_final ON operator_trail",
        },
        "UPDATE operator_trail SET reason = 'superseded' WHERE action = 'unit.revoke'",
    ] {
        let done: Result<u64, store::Error> = database
            .write(move |tx| Box::pin(query(statement).execute(tx)))
            .await;
        assert!(done.unwrap() < 10);
    }
    database.close().await;
    let listen = house.url.trim_start_matches("http://").to_owned();
    house.node = Some(Served::start(&house.config, &listen));
    let (status, checked) = house.verify(&[]);
    assert_eq!(status, 1, "{checked}");
    assert!(rules(&checked).contains(&"WP-OPERATOR-TRAIL"), "{checked}");
}

/// What the reference's interface issues belongs to no unit. It goes by its place, and
/// with everything though there is no unit.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_no_unit_is_revoked_by_its_place_and_with_everything() {
    let house =
        House::start("[wallet_provider.compatibility]\nreference = true\nwallet_version = \"1\"\n");
    let issue = async || {
        let key = claviger_fixtures::TestKey::generate(jose::Curve::P256);
        let jwk = jose::Signer::public_key(&key).to_jwk();
        let path = "reference-provider/wallet-instance-attestation/jwk";
        let request = house.http.post(format!("{}/{path}", house.url));
        let issued = request.json(&json!({ "jwk": jwk })).send().await.unwrap();
        let issued: Value = issued.json().await.unwrap();
        let wia = issued["walletInstanceAttestation"].as_str().unwrap();
        let claims = jose::jws::parse(wia, 1 << 20).unwrap().claims().unwrap();
        let entry = &claims["client_status"]["status"]["status_list"];
        let uri = entry["uri"].as_str().unwrap().to_owned();
        (uri, entry["idx"].as_u64().unwrap())
    };
    let set = async |(uri, index): &(String, u64)| {
        let list = house.http.get(uri).send().await.unwrap();
        support::is_set(&list.bytes().await.unwrap(), uri, *index)
    };
    let revoke = |role: &str, more: &[&str]| {
        let token = house.token(&format!("token of {role}"));
        let mut args = vec!["--json", "unit", "revoke", "--reason", "security"];
        args.extend(["--url", &house.url, "--token-file", &token]);
        args.extend(more);
        let output = claviger(&args);
        let shown = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code(), shown)
    };
    let (one, two) = (issue().await, issue().await);
    let place = format!("{}#{}", one.0, one.1);
    // Nobody is there to be asked.
    assert_eq!(revoke("revoke", &["--entry", &place]).0, Some(2));
    assert_eq!(revoke("support", &["--entry", &place, "--yes"]).0, Some(2));
    assert!(!set(&one).await);
    for already in [false, true] {
        let (status, shown) = revoke("revoke", &["--entry", &place, "--yes"]);
        assert_eq!((status, &shown["already"]), (Some(0), &json!(already)));
    }
    assert!(set(&one).await && !set(&two).await);
    let nowhere = format!("{}#9999999", one.0);
    assert_eq!(revoke("revoke", &["--entry", &nowhere, "--yes"]).0, Some(1));
    for (object, outcome) in [(place, "ok"), (nowhere, "unknown-object")] {
        let rows = house.trail().await;
        let found = rows.iter().any(|row| {
            (&row["action"], &row["outcome"]) == (&json!("entry.revoke"), &json!(outcome))
                && row["object"] == format!("entries/{object}")
        });
        assert!(found, "{object}: {rows:?}");
    }

    let (_, counted) = revoke("admin", &["--everything", "--dry-run"]);
    assert_eq!(counted, json!({ "selected": 0, "entries": 1 }));
    let (status, done) = revoke("admin", &["--everything", "--yes"]);
    assert_eq!(
        (status, &done["jobs"][0]["state"]),
        (Some(0), &json!("done"))
    );
    assert!(set(&two).await);
    // To count is not to revoke, and each says what was meant.
    let job = done["jobs"][0]["job"].as_str().unwrap();
    let what = r#"{"everything":true}"#;
    let rows = house.trail().await;
    for (action, object) in [
        ("units.count", format!("revocations {what}")),
        ("units.revoke", format!("revocations/{job} {what}")),
    ] {
        let mut found = rows.iter().filter(|row| row["action"] == action);
        assert!(
            found.any(|row| row["object"] == object && row["reason"] == "security"),
            "{action}: {rows:?}"
        );
    }
    let revoked = rows.iter().filter(|row| row["action"] == "units.revoke");
    assert_eq!(revoked.count(), 1);
}

/// What the configuration says of revocation holds in development as everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_risk_analysis_that_is_named_lets_a_keystore_go_alone() {
    let named = "[wallet_provider.revocation]\n\
                 keystore_risk_analysis = \"https://wallet.example/risks\"\n";
    let house = House::start(named);
    let phone = Phone::activate_at(&house.url, &house.url, "user").await;
    let unit = phone.answer.unit.to_string();
    let token = house.token("token of revoke");
    let refused = claviger(&[
        "unit",
        "revoke",
        &unit,
        "--keystore-alone",
        "--reason",
        "security",
        "--yes",
        "--url",
        &house.url,
        "--token-file",
        &token,
    ]);
    // It has no keystore, and keeps what it has.
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("the unit has no such storage"), "{said}");
    let (_, shown) = house
        .ask(
            "GET",
            &format!("/operator/units/{unit}"),
            "token of support",
        )
        .await;
    assert_eq!(shown["state"], "operational");
}

/// Guesses are limited, and the limit holds for the right guess too.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_tokens_are_limited() {
    let house = House::that_counts("[limits]\nwrong_credentials = { per_minute = 1, burst = 3 }\n");
    for _ in 0..4 {
        let (status, _) = house.ask("GET", "/operator/units", "a guess").await;
        assert_eq!(status, 401);
    }
    for token in ["a guess", "token of admin"] {
        let (status, problem) = house.ask("GET", "/operator/units", token).await;
        assert_eq!(
            (status, rules(&problem)),
            (429, vec!["EDGE-RATE"]),
            "{token}"
        );
    }
    let metrics = house
        .http
        .get(format!("{}/metrics", house.url))
        .send()
        .await
        .unwrap();
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains(r#"claviger_limited_total{limit="credential"} 2"#),
        "{metrics}"
    );
    assert!(metrics.contains(r#"code="unauthorized""#), "{metrics}");
}

/// Challenges are limited for each address, and a header does not make another one.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_its_share_whatever_its_headers_say() {
    let limits = "per_address_tight = { per_minute = 1, burst = 3 }\n";
    let challenge = |house: &House, header: &'static str, value: String| {
        let request = house
            .http
            .post(format!("{}/wallet-provider/challenge", house.url));
        request.header(header, value).json(&json!({})).send()
    };
    // No proxy is trusted.
    let house = House::that_counts(&format!("[limits]\n{limits}"));
    let mut statuses = Vec::new();
    for host in 0..5 {
        let forged = format!("198.51.100.{host}");
        let response = challenge(&house, "x-forwarded-for", forged).await.unwrap();
        if response.status() == 429 {
            let retry: u32 = response.headers()["retry-after"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            assert!((1..=60).contains(&retry));
            assert_eq!(
                response.headers()["content-type"],
                "application/problem+json"
            );
        }
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    let health = reqwest::get(format!("{}/health", house.url)).await.unwrap();
    assert_eq!(health.status(), 200);

    // What asks for as much, or needs no unit, has the same share.
    let reference = "[wallet_provider.compatibility]\nreference = true\nwallet_version = \"1\"\n";
    let house = House::that_counts(&format!("[limits]\n{limits}{reference}"));
    let mut paths = vec!["/wallet-provider/revocation-requests".to_owned()];
    for attested in ["wallet-instance-attestation", "key-attestation"] {
        for by in ["android", "ios"] {
            let path = format!("{attested}/platform-key-attestation/{by}");
            paths.push(format!("/reference-provider/{path}"));
        }
    }
    for path in [
        "challenge",
        "wallet-instance-attestation/jwk",
        "key-attestation/jwk-set",
        "wallet-unit-attestation/jwk-set",
    ] {
        paths.push(format!("/reference-provider/{path}"));
    }
    for (place, path) in paths.iter().chain(&paths).enumerate() {
        let request = house.http.post(format!("{}{path}", house.url));
        let response = request.json(&json!({})).send().await.unwrap();
        let (status, limited) = (response.status().as_u16(), place >= 3);
        assert_eq!(status == 429, limited, "{path}: {status}");
        assert_ne!(status, 404, "{path}");
    }

    // Behind a trusted proxy, its word counts, and what the client wrote before it not.
    let trusted = format!("[limits]\n{limits}trusted_proxies = [\"127.0.0.1\"]\n");
    let house = House::that_counts(&trusted);
    for host in 0..5 {
        let said = format!("203.0.113.{host}");
        let response = challenge(&house, "x-forwarded-for", said).await.unwrap();
        assert_eq!(response.status(), 200, "each client has its own share");
    }
    let mut statuses = Vec::new();
    for host in 0..5 {
        let said = format!("198.51.100.{host}, 203.0.113.99");
        let response = challenge(&house, "x-forwarded-for", said).await.unwrap();
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    for host in 0..5 {
        let said = format!("for=198.51.100.{host}");
        let response = challenge(&house, "forwarded", said).await.unwrap();
        let expected = if host < 3 { 200 } else { 429 };
        assert_eq!(
            response.status(),
            expected,
            "the proxy does not write this header"
        );
    }
}

/// Codes of one account are limited, however its alias is written.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_its_share_however_it_is_written() {
    let house = House::that_counts("[limits]\nper_account = { per_minute = 1, burst = 3 }\n");
    let mut statuses = Vec::new();
    for alias in ["Ada", "ada", "ADA", "aDa", " ada", "bob"] {
        let body = json!({ "alias": alias, "code": "0000-0000" });
        let request = house
            .http
            .post(format!("{}/wallet-provider/account", house.url));
        let response = request.json(&body).send().await.unwrap();
        statuses.push(response.status().as_u16());
    }
    assert_eq!(statuses, [403, 403, 403, 429, 429, 403]);
}

/// What a client asks to be traced by comes back, and what it makes up does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_belongs_to_its_trace() {
    let house = House::start("");
    let told = async |sent: &str| {
        let request = house.http.get(format!("{}/health", house.url));
        let response = request.header("traceparent", sent).send().await.unwrap();
        response.headers()["traceparent"]
            .to_str()
            .unwrap()
            .to_owned()
    };
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let followed = told(&format!("00-{trace}-00f067aa0ba902b7-01")).await;
    assert_eq!((&followed[3..35], followed.len()), (trace, 55));
    let begun = told(&format!(
        "00-{trace}-00f067aa0ba902b7-01-{}",
        "x".repeat(9000)
    ))
    .await;
    assert_ne!(&begun[3..35], trace);
    let _ = house.ask("GET", "/operator/units", "token of read").await;
    assert!(
        house.node.as_ref().unwrap().logs("trace="),
        "it is in the log"
    );
}

/// The listener for operators, with certificates.
struct Mutual {
    house: House,
    admin: String,
    ca: Ca,
}

impl Mutual {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = Ca::new(folder.path(), "ca").await;
        let (server, ada) = (ca.issue("admin").await, ca.issue("ada").await);
        let late = ca.issue_expired("late").await;
        ca.issue("stranger").await;
        let listen = free_address();
        let mut text = format!(
            "[admin]\nlisten = \"{listen}\"\ncertificate = \"{}\"\nkey = \"{}\"\n\
             client_ca = \"{}\"\n",
            server.certificate.display(),
            server.key.display(),
            ca.certificate().display()
        );
        for (name, issued) in [("ada", &ada), ("late", &late)] {
            text.push_str(&format!(
                "[[operators]]\nname = \"{name}\"\nrole = \"support\"\n\
                 certificate_sha256 = \"{}\"\n",
                sha256(issued)
            ));
        }
        let house = House::in_folder(folder, &text, Served::start);
        Self {
            house,
            admin: format!("https://{listen}"),
            ca,
        }
    }

    fn issued(&self, name: &str) -> Issued {
        let at = |ending: &str| self.house.folder.path().join(format!("ca-{name}.{ending}"));
        Issued {
            certificate: at("pem"),
            key: at("key"),
        }
    }

    fn client(&self, shown: Option<&Issued>) -> Client {
        let ca = std::fs::read(self.ca.certificate()).unwrap();
        let ca = reqwest::Certificate::from_pem(&ca).unwrap();
        let mut client = Client::builder().tls_certs_only([ca]);
        if let Some(shown) = shown {
            let mut both = std::fs::read(&shown.certificate).unwrap();
            both.extend(std::fs::read(&shown.key).unwrap());
            client = client.identity(reqwest::Identity::from_pem(&both).unwrap());
        }
        client.build().unwrap()
    }
}

/// As the configuration has it: of the certificate in DER.
fn sha256(issued: &Issued) -> String {
    let pem = std::fs::read(&issued.certificate).unwrap();
    let chain = pki::read_chain(&pem).unwrap();
    hex::encode(chain[0].sha256())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_as_good_as_a_token_and_no_better() {
    let mutual = Mutual::start().await;
    let units = format!("{}/operator/units", mutual.admin);
    let audit = format!("{}/operator/audit", mutual.admin);
    let other = Ca::new(mutual.house.folder.path(), "other").await;

    let ada = mutual.client(Some(&mutual.issued("ada")));
    assert_eq!(ada.get(&units).send().await.unwrap().status(), 200);
    assert_eq!(
        ada.get(&audit).send().await.unwrap().status(),
        403,
        "support"
    );
    // A token beside a certificate does not make more of it.
    let both = ada.get(&audit).bearer_auth("token of admin").send().await;
    assert_eq!(both.unwrap().status(), 403);

    // Of the right CA, and nobody: as without one.
    let stranger = mutual.client(Some(&mutual.issued("stranger")));
    let response = stranger.get(&units).send().await.unwrap();
    assert_eq!(response.status(), 401);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(rules(&problem), ["WP-OPERATOR-CREDENTIAL"]);

    // Expired, and named in the configuration; of a CA that is not ours: no handshake.
    for shown in [mutual.issued("late"), other.issue("eve").await] {
        let refused = mutual.client(Some(&shown)).get(&units).send().await;
        assert!(refused.is_err(), "{refused:?}");
    }

    // Without one, a token still opens, and nothing does not.
    let nameless = mutual.client(None);
    assert_eq!(nameless.get(&units).send().await.unwrap().status(), 401);
    let by_token = nameless
        .get(&audit)
        .bearer_auth("token of admin")
        .send()
        .await
        .unwrap();
    assert_eq!(by_token.status(), 200);
    let trail: Value = by_token.json().await.unwrap();
    let first = &trail["rows"][0];
    assert_eq!(
        (&first["operator"], &first["by"]),
        (&json!("ada"), &json!("certificate"))
    );

    // Not at the public listener, with whatever.
    let response = mutual
        .house
        .ask("GET", "/operator/units", "token of admin")
        .await;
    assert_eq!(response.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_shows_a_certificate() {
    let mutual = Mutual::start().await;
    let ada = mutual.issued("ada");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (certificate, key) = (path(&ada.certificate), path(&ada.key));
    let ca = path(&mutual.ca.certificate());
    let shown = ["--certificate", &certificate, "--key", &key, "--ca", &ca];
    let command = [&["unit", "list", "--url", &mutual.admin][..], &shown].concat();
    let (status, listed) = claviger_json(&command);
    assert_eq!((status, &listed["units"]), (0, &json!([])));
    // One without the other is a mistake of use.
    let half = claviger(&["unit", "list", "--certificate", &certificate]);
    assert_eq!(half.status.code(), Some(2));
}

#[test]
fn a_token_is_made_and_its_hash_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let made = ["operator", "token", "--name", "ada", "--role", "support"];
    let (status, shown) = claviger_json(&made);
    assert_eq!(status, 0);
    let token = shown["token"].as_str().unwrap();
    assert_eq!(token.len(), 43, "256 bits");
    let hash = hex::encode(jose::sha256(token.as_bytes()));
    assert_eq!(shown["token_sha256"], hash);
    let (_, again) = claviger_json(&made);
    assert_ne!(again["token"], token);

    let file = folder.path().join("ada.token");
    let out = [&made[..], &["--out", file.to_str().unwrap()]].concat();
    let (_, shown) = claviger_json(&out);
    assert_eq!(shown["token"], Value::Null, "it is in the file alone");
    let kept = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        shown["token_sha256"],
        hex::encode(jose::sha256(kept.as_bytes()))
    );
    assert_eq!(
        claviger(&out).status.code(),
        Some(2),
        "no file is overwritten"
    );

    for (name, role) in [("a b", "read"), ("", "read"), ("ada", "king")] {
        let refused = claviger(&["operator", "token", "--name", name, "--role", role]);
        assert_eq!(refused.status.code(), Some(2), "{name} {role}");
        assert!(refused.stdout.is_empty(), "no token is shown");
    }
}
