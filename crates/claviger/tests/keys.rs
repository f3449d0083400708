//! `claviger keys`: a year of an operator's, with a CA that is not ours.
#![allow(
    clippy::cmp_owned,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod operator;
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clock::SystemClock;
use operator::{CONFORMING, ENDED, NOW, Operator, SUBJECT};
use serde_json::Value;
use support::served::{Served, free_address};
use support::{Phone, claviger, rules};
use wallet_client::{ProviderClient, ProviderError};

#[test]
fn a_request_is_certified_installed_and_listed() {
    let Some(operator) = Operator::new("a_request_is_certified_installed_and_listed") else {
        return;
    };
    for (purpose, curve, algorithm) in [
        ("attestations", "P-256", "ES256"),
        ("wia", "P-384", "ES384"),
        ("ka", "P-521", "ES512"),
    ] {
        assert_eq!(operator.request(purpose, curve, "csr.pem"), 1);
        operator.issue("csr.pem", "issued.pem", CONFORMING, NOW);
        let start: &[&str] = match purpose {
            "attestations" => &[],
            _ => &["--start", "2036-01-01T00:00:00Z"],
        };
        let (status, done) = operator.install(purpose, "issued.pem", start);
        assert_eq!(
            (status, &done["installed"]),
            (0, &Value::Bool(true)),
            "{done}"
        );
        let (_, listing) = operator.keys(&["list"]);
        let keys = listing["keys"].as_array().unwrap();
        let key = keys.iter().find(|key| key["purpose"] == purpose).unwrap();
        assert_eq!(key["algorithm"], algorithm);
        assert_eq!(
            key["standing"],
            if start.is_empty() { "signing" } else { "next" }
        );
        // Done again it changes nothing.
        let (status, again) = operator.install(purpose, "issued.pem", &["--generation", "1"]);
        assert_eq!((status, &again["starts"]), (0, &done["starts"]));
    }
    // The start that has not come is moved; then it has.
    let activate = [
        "activate",
        "--purpose",
        "ka",
        "--generation",
        "1",
        "--start",
        "now",
    ];
    assert_eq!(operator.keys(&activate).0, 0);
    let config = operator.path("claviger.toml");
    let moved = claviger(&[
        "keys",
        "activate",
        "--config",
        &config,
        "--purpose",
        "wia",
        "--generation",
        "1",
        "--start",
        "2036-02-01T00:00:00Z",
    ]);
    let told = String::from_utf8_lossy(&moved.stdout);
    assert!(
        told.starts_with("activated wia generation 1 signs from 2036-02-01"),
        "{told}"
    );
    assert!(operator.fails(&activate).contains("began to sign"));
    // A second generation of what signs needs a start.
    assert_eq!(operator.request("attestations", "P-256", "csr.pem"), 2);
    operator.issue("csr.pem", "second.pem", CONFORMING, NOW);
    let chain = operator.path("second.pem");
    let arguments = ["install", "--purpose", "attestations", "--chain", &chain];
    assert!(operator.fails(&arguments).contains("--start"));
    // The only key for status lists is not retired by mistake.
    operator.request("status", "P-256", "csr.pem");
    operator.issue("csr.pem", "status.pem", CONFORMING, NOW);
    assert_eq!(operator.install("status", "status.pem", &[]).0, 0);
    let retire = ["retire", "--purpose", "status", "--generation", "1"];
    assert!(operator.fails(&retire).contains("the only one"));
    let (status, gone) = operator.keys(&[&retire[..], &["--compromised"]].concat());
    assert_eq!((status, &gone["compromised"]), (0, &Value::Bool(true)));
}

#[test]
fn what_does_not_fit_is_refused_by_its_rule() {
    let Some(operator) = Operator::new("what_does_not_fit_is_refused_by_its_rule") else {
        return;
    };
    operator.request("attestations", "P-256", "first.csr");
    operator.request("attestations", "P-256", "second.csr");
    operator.issue("first.csr", "good.pem", CONFORMING, NOW);
    operator.issue("second.csr", "other.pem", CONFORMING, NOW);
    operator.issue("first.csr", "ended.pem", CONFORMING, ENDED);
    operator.issue("first.csr", "bare.pem", "basicConstraints=CA:false\n", NOW);
    let read = |name: &str| std::fs::read_to_string(operator.path(name)).unwrap();
    let strange = format!("{}{}", read("good.pem"), read("other.pem"));
    std::fs::write(operator.path("strange.pem"), strange).unwrap();
    for (chain, rule) in [
        ("other.pem", "WP-SEAL-KEY"),
        ("strange.pem", "WP-SEAL-CHAIN"),
        ("ended.pem", "PKI-EXPIRED"),
        ("bare.pem", "PKI-POLICIES"),
    ] {
        let (status, refused) = operator.install("attestations", chain, &["--generation", "1"]);
        assert_eq!(
            (status, &refused["installed"]),
            (1, &Value::Bool(false)),
            "{chain}"
        );
        assert!(rules(&refused).contains(&rule), "{chain}: {refused}");
    }
    let after = ["--generation", "1", "--start", "2041-01-01T00:00:00Z"];
    let (_, refused) = operator.install("attestations", "good.pem", &after);
    assert_eq!(rules(&refused), ["WP-SEAL-START"]);
    // Cut in the middle it is no chain at all.
    let cut = read("good.pem");
    std::fs::write(operator.path("cut.pem"), cut.split_at(cut.len() / 2).0).unwrap();
    let cut = operator.path("cut.pem");
    let arguments = [
        "install",
        "--purpose",
        "attestations",
        "--generation",
        "1",
        "--chain",
        &cut,
    ];
    assert!(operator.fails(&arguments).contains("cut.pem"));
    let (_, listing) = operator.keys(&["list"]);
    let standings = listing["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["standing"]);
    assert!(standings.clone().count() == 2 && standings.clone().all(|s| s == "requested"));
}

#[test]
fn a_request_is_written_once_and_says_how_to_go_on() {
    let Some(operator) = Operator::new("a_request_is_written_once_and_says_how_to_go_on") else {
        return;
    };
    let (config, out) = (operator.path("claviger.toml"), operator.path("csr.pem"));
    let request = [
        "request",
        "--purpose",
        "wia",
        "--subject",
        SUBJECT,
        "--out",
        &out,
    ];
    let made = claviger(&[&["keys"][..], &request, &["--config", &config]].concat());
    let told = String::from_utf8_lossy(&made.stdout);
    let next = format!("claviger keys install --config {config} --purpose wia --generation 1");
    assert!(told.contains(&next), "{told}");
    // The request that was made is not lost, and no key is made for nothing.
    let kept = std::fs::read(&out).unwrap();
    assert!(operator.fails(&request).contains("it is there already"));
    assert_eq!(std::fs::read(&out).unwrap(), kept);
    let (_, listing) = operator.keys(&["list"]);
    assert_eq!(listing["keys"].as_array().unwrap().len(), 1);
    // Given up before its certificate came, it waits for none.
    let retire = ["retire", "--purpose", "wia", "--generation", "1"];
    assert_eq!(operator.keys(&retire).0, 0);
    let (_, listing) = operator.keys(&["list"]);
    assert_eq!(listing["keys"][0]["standing"], "retired");
}

#[test]
fn a_device_that_a_node_holds_is_not_opened_and_what_to_do_is_said() {
    let test = "a_device_that_a_node_holds_is_not_opened_and_what_to_do_is_said";
    let Some(operator) = Operator::new(test) else {
        return;
    };
    let (store, key) = (operator.path("device.store"), operator.path("device.key"));
    let uri = format!("software:{store}?key-file={key}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let held = runtime.block_on(wscd::open(&uri)).unwrap();
    let said = operator.fails(&["request", "--purpose", "wia", "--subject", SUBJECT]);
    assert!(said.contains("is in use: stop the node first"), "{said}");
    drop(held);
}

/// Two install at once: one wins, and the other is told. Some are killed on the way:
/// a key has all of its certificates or none.
#[test]
fn at_once_or_killed_an_installation_is_whole() {
    let Some(operator) = Operator::new("at_once_or_killed_an_installation_is_whole") else {
        return;
    };
    for round in 0..8 {
        let number = operator.request("wia", "P-256", "csr.pem").to_string();
        operator.issue("csr.pem", "a.pem", CONFORMING, NOW);
        operator.issue("csr.pem", "b.pem", CONFORMING, NOW);
        let start = |chain: &str| {
            let chain = operator.path(chain);
            let mut install = operator.command(&[
                "install",
                "--purpose",
                "wia",
                "--generation",
                &number,
                "--chain",
                &chain,
                "--start",
                "2036-01-01T00:00:00Z",
            ]);
            install.stdout(std::process::Stdio::null());
            install.stderr(std::process::Stdio::null());
            install.spawn().unwrap()
        };
        let mut both = [start("a.pem"), start("b.pem")];
        if round % 2 == 1 {
            std::thread::sleep(Duration::from_millis(5 * round));
            both.iter_mut().for_each(|one| one.kill().unwrap());
        }
        let won = both
            .iter_mut()
            .filter_map(|one| one.wait().unwrap().code())
            .filter(|code| *code == 0)
            .count();
        assert!(won <= 1, "both won");
        let (_, listing) = operator.keys(&["list"]);
        let keys = listing["keys"].as_array().unwrap();
        let key = keys
            .iter()
            .find(|key| key["generation"].to_string() == number);
        let standing = key.unwrap()["standing"].as_str().unwrap();
        match (round % 2, won) {
            (0, _) => assert_eq!((won, standing), (1, "next")),
            (_, 0) => assert!(["requested", "next"].contains(&standing)),
            _ => assert_eq!(standing, "next"),
        }
    }
}

/// A node takes up what is installed while it runs, and switches at the start; an app
/// that pinned the first answer key follows.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_takes_up_new_keys_from_a_token() {
    let test = "a_running_node_takes_up_new_keys_from_a_token";
    let Some((operator, device)) = Operator::on_softhsm(test) else {
        return;
    };
    let listen = free_address();
    operator.configure(&device, &listen);
    let url = format!("http://{listen}");
    let config = operator.folder.join("claviger.toml");
    let environment = operator.environment.clone();
    let node = Served::start_with(&config, &url, environment);

    let phone = Phone::activate_at(&url, &url, "mine").await;
    let first = phone.provider.view().answer_key.clone();
    assert_eq!(algorithm(&phone.wia().await.0), "ES256");

    operator.request("attestations", "P-384", "csr.pem");
    operator.issue("csr.pem", "issued.pem", CONFORMING, NOW);
    assert_eq!(
        operator
            .install("attestations", "issued.pem", &["--start", "now"])
            .0,
        0
    );
    let (_, handed) = operator.keys(&["hand-over", "--start", "now", "--curve", "P-521"]);
    let begun = Instant::now();
    loop {
        let (tag, jwks) = jwks(&url).await;
        let keys = jwks["keys"].as_array().unwrap();
        if keys.iter().any(|key| key["alg"] == "ES384") {
            // The sample's key is still there: what it signed has not ended.
            assert!(keys.iter().any(|key| key["alg"] == "ES256"));
            let asked = reqwest::Client::new().get(format!("{url}/wallet-provider/jwks"));
            let asked = asked.header("if-none-match", &tag).send().await.unwrap();
            assert_eq!(asked.status(), 304);
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "{}", node.log());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // The client has the answer under the new key, without being told of it.
    let (wia, _, _) = phone.wia().await;
    assert_eq!(algorithm(&wia), "ES384");
    let own = jose::jws::parse(&wia, 1 << 20).unwrap().header()["x5c"][0].clone();
    let (_, jwks) = jwks(&url).await;
    let key = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["x5c"][0] == own);
    let key = jose::PublicKey::from_jwk(key.unwrap()).unwrap();
    let read = wua::UnverifiedWia::parse(&wia, &wua::Limits::default()).unwrap();
    let now = clock::Clock::now(&SystemClock);
    read.verify(&wua::WiaCheck::new(&key, now)).unwrap();
    // An app that starts anew with the first key pinned follows; with another it does not.
    let base = format!("{url}/wallet-provider");
    let clock = Arc::new(SystemClock);
    let client = ProviderClient::pinned(&base, &first, clock.clone())
        .await
        .unwrap();
    assert_eq!(
        client.view().answer_key.thumbprint_b64(),
        handed["kid"].as_str().unwrap()
    );
    let other = claviger_fixtures::TestKey::generate(jose::Curve::P256);
    let other = jose::Signer::public_key(&other).clone();
    let refused = ProviderClient::pinned(&base, &other, clock).await;
    assert!(matches!(refused, Err(ProviderError::NotPinned)));
    // What ends is in the metrics.
    let metrics = reqwest::get(format!("{url}/metrics"))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let gauge = r#"claviger_certificate_seconds_left{purpose="attestations",generation="1"}"#;
    assert!(metrics.contains(gauge), "{metrics}");
    node.stop();
}

fn algorithm(token: &str) -> String {
    let token = jose::jws::parse(token, 1 << 20).unwrap();
    token.header()["alg"].as_str().unwrap().to_owned()
}

async fn jwks(url: &str) -> (String, Value) {
    let address = format!("{url}/wallet-provider/jwks");
    let response = reqwest::get(address).await.unwrap();
    assert_eq!(response.headers()["cache-control"], "public, max-age=300");
    assert_eq!(
        response.headers()["content-type"],
        "application/jwk-set+json"
    );
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let bytes = response.bytes().await.unwrap();
    (tag, serde_json::from_slice(&bytes).unwrap())
}
