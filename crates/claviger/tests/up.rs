//! `claviger up`: what it acknowledged survives `kill -9`; a restart goes on where
//! it was; its interface is the documented one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use provider_api::{AccountCode, RevocationReason, UnitState};
use support::{Phone, Up, is_set};
use wallet_client::keystore::DeviceKeystore;

async fn get(url: &str) -> Vec<u8> {
    let response = reqwest::get(url).await.unwrap().error_for_status().unwrap();
    response.bytes().await.unwrap().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_revocation_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut up = Up::start(&data, "127.0.0.1:0");
    let listen = up.listen();
    for round in 0..3 {
        let phone = Phone::activate(&up, &format!("user {round}")).await;
        let (_, uri, index) = phone.wia().await;
        assert!(!is_set(&get(&uri).await, &uri, index));
        let view = phone
            .provider
            .revoke(&phone.revocation(RevocationReason::LostOrStolen))
            .await
            .unwrap();
        assert_eq!(view.state, UnitState::Revoked);
        // Nothing else may happen between the acknowledgement and this.
        up.kill();

        up = Up::start(&data, &listen);
        assert!(
            is_set(&get(&uri).await, &uri, index),
            "round {round}: the published list shows the revocation"
        );
        let unit = phone
            .provider
            .unit(phone.answer.unit, phone.device.signing())
            .await;
        assert_eq!(unit.unwrap().state, UnitState::Revoked);
        let key = phone.device.fresh_signing_key().unwrap();
        let refused = phone
            .provider
            .wias(
                phone.answer.unit,
                phone.device.signing(),
                &[key.as_ref()],
                &<_>::default(),
            )
            .await
            .unwrap_err();
        assert_eq!(refused.problem().unwrap().code, "unit-revoked");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let up = Up::start(&data, "127.0.0.1:0");
    let listen = up.listen();
    let phone = Phone::activate(&up, "user").await;
    let wallet_list = get(&format!("{}/lists/wallet.jws", up.url)).await;
    let identity = get(&format!("{}/wallet-provider/provider", up.url)).await;
    let signed = format!("{}/wallet-provider/provider?challenge=", up.url);
    let answer = reqwest::get(format!("{signed}{}", "x".repeat(22))).await;
    assert_eq!(
        answer.unwrap().headers()["content-type"],
        "application/jose"
    );
    let refused = reqwest::get(format!("{signed}short")).await.unwrap();
    assert_eq!(refused.status(), 400);
    let problem: serde_json::Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "malformed");
    drop(up);

    let up = Up::start(&data, &listen);
    assert_eq!(
        get(&format!("{}/lists/wallet.jws", up.url)).await,
        wallet_list
    );
    assert_eq!(
        get(&format!("{}/wallet-provider/provider", up.url)).await,
        identity
    );
    let unit = phone
        .provider
        .unit(phone.answer.unit, phone.device.signing())
        .await;
    assert_eq!(unit.unwrap().state, UnitState::Operational);
    let pin = sci::Pin::new("493827").unwrap();
    sci::Sci::open_session(&phone.sci, &pin, sci::Task::Issuance)
        .await
        .expect("the PIN is known after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_do_not_share_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let _up = Up::start_alone(&data, "127.0.0.1:0");
    let second = support::claviger(&[
        "up",
        "--listen",
        "127.0.0.1:0",
        "--data",
        data.to_str().unwrap(),
    ]);
    assert_eq!(second.status.code(), Some(2));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("in use"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_need_their_token() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(&folder.path().join("data"), "127.0.0.1:0");
    let phone = Phone::activate(&up, "user").await;
    let token = up.data.join("operator.token");
    let list = |token: &str| {
        support::claviger(&[
            "unit",
            "list",
            "--json",
            "--url",
            &up.url,
            "--token-file",
            token,
        ])
    };
    let shown = list(token.to_str().unwrap());
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["units"][0]["unit"], phone.answer.unit.to_string());

    let wrong = folder.path().join("wrong");
    std::fs::write(&wrong, "not the token").unwrap();
    let refused = list(wrong.to_str().unwrap());
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("401"));
    // There is no such unit; and nobody is there to be asked.
    let show = |url: &str| {
        let unit = "00000000-0000-4000-8000-000000000000";
        let who = ["--url", url, "--token-file", token.to_str().unwrap()];
        support::claviger(&[&["unit", "show", unit][..], &who].concat())
            .status
            .code()
    };
    assert_eq!(show(&up.url), Some(1));
    assert_eq!(show("http://127.0.0.1:1"), Some(3));
    assert_eq!(show("no address"), Some(2));

    let unit = phone.answer.unit.to_string();
    let revoke = |more: &[&str]| {
        let mut args = vec!["unit", "revoke", &unit, "--reason", "security"];
        args.extend(["--url", &up.url, "--token-file", token.to_str().unwrap()]);
        args.extend(more);
        support::claviger(&args)
    };
    for wrong in [["--patch-level-up-to", "2026"], ["--limit", "0"]] {
        let refused = support::claviger(&[&["unit", "list"][..], &wrong].concat());
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
    }
    // Nobody is there to be asked.
    let unasked = revoke(&[]);
    assert_eq!(unasked.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unasked.stderr).contains("--yes"));
    // A keystore alone needs a risk analysis, and never takes its unit with it.
    let alone = revoke(&["--keystore-alone", "--yes"]);
    assert_eq!(alone.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&alone.stderr).contains("risk analysis"));
    let advised = revoke(&["--advisory", "see http://x", "--yes"]);
    assert_eq!(advised.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&advised.stderr).contains("advisory"));
    let seen = phone
        .provider
        .unit(phone.answer.unit, phone.device.signing())
        .await;
    assert_eq!(seen.unwrap().state, UnitState::Operational);
    let revoked = revoke(&["--advisory", "EUVD-2026-0001", "--yes", "--json"]);
    assert!(revoked.status.success());
    let revoked: serde_json::Value = serde_json::from_slice(&revoked.stdout).unwrap();
    assert_eq!(revoked["units"][0]["already"], false);
    for more in [&["--yes"][..], &["--storage", "wscd", "--yes"]] {
        let again = revoke(more);
        assert!(again.status.success());
        let told = String::from_utf8_lossy(&again.stdout);
        assert!(
            told.contains("it was revoked before: nothing changed"),
            "{told}"
        );
        let again = revoke(&[more, &["--json"]].concat());
        let again: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
        assert_eq!(again["units"][0]["already"], true);
    }
    let seen = phone
        .provider
        .unit(phone.answer.unit, phone.device.signing())
        .await;
    assert_eq!(seen.unwrap().state, UnitState::Revoked);
}

/// An operator counts first, and then revokes what was counted.
#[tokio::test(flavor = "multi_thread")]
async fn many_units_are_counted_and_then_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(&folder.path().join("data"), "127.0.0.1:0");
    let token = folder.path().join("data/operator.token");
    let mut phones = Vec::new();
    for alias in ["one", "two", "three"] {
        phones.push(Phone::activate(&up, alias).await);
    }
    let (_, uri, index) = phones[0].wia().await;
    let asked = |more: &[&str]| {
        let mut args = vec!["--json", "unit", "revoke", "--reason", "provider-cancelled"];
        args.extend(["--url", &up.url, "--token-file", token.to_str().unwrap()]);
        args.extend(more);
        support::claviger(&args)
    };
    let said = |output: &std::process::Output| -> serde_json::Value {
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{shown}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let counted = said(&asked(&["--everything", "--dry-run"]));
    assert_eq!(counted["selected"], 3);
    let none = said(&asked(&["--model", "No Such Phone", "--yes"]));
    assert_eq!(none, serde_json::json!({ "jobs": [] }), "as with a job");
    // Nobody is there to type the number.
    assert_eq!(asked(&["--everything"]).status.code(), Some(2));
    assert_eq!(asked(&[]).status.code(), Some(2), "nothing is selected");

    let done = said(&asked(&["--everything", "--yes"]));
    let job = &done["jobs"][0];
    assert_eq!(
        (&job["state"], &job["revoked"]),
        (&"done".into(), &3.into())
    );
    let list = reqwest::get(&uri).await.unwrap().bytes().await.unwrap();
    assert!(support::is_set(&list, &uri, index));
    for phone in &phones {
        let device = phone.device.signing();
        let seen = phone
            .provider
            .unit(phone.answer.unit, device)
            .await
            .unwrap();
        assert_eq!(seen.state, UnitState::Revoked);
    }
    let args = ["--json", "unit", "revocations", "--url", &up.url];
    let token = ["--token-file", token.to_str().unwrap()];
    let jobs = said(&support::claviger(&[&args[..], &token[..]].concat()));
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1);
}

/// At a terminal the number is asked for, and another one revokes nothing; then a bar
/// shows how far it is.
#[tokio::test(flavor = "multi_thread")]
async fn at_a_terminal_the_number_is_typed_and_a_bar_is_shown() {
    let typed = |line: &str, command: &str| {
        let mut script = Command::new("script")
            .args(["-qec", command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut keyboard = script.stdin.take().unwrap();
        writeln!(keyboard, "{line}").unwrap();
        let shown = script.wait_with_output().unwrap();
        drop(keyboard);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        Some((shown.status.code(), text))
    };
    if typed("", "true").is_none() {
        let why = "script is not on this machine (Debian: bsdutils)";
        claviger_fixtures::skip("at_a_terminal_the_number_is_typed_and_a_bar_is_shown", why);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(&folder.path().join("data"), "127.0.0.1:0");
    let phones = [
        Phone::activate(&up, "one").await,
        Phone::activate(&up, "two").await,
    ];
    let states = async || {
        let mut states = BTreeSet::new();
        for phone in &phones {
            let device = phone.device.signing();
            let seen = phone.provider.unit(phone.answer.unit, device).await;
            states.insert(seen.unwrap().state.name());
        }
        states.into_iter().collect::<Vec<_>>()
    };
    let command = format!(
        "{} unit revoke --everything --reason security --url {} --token-file {}",
        env!("CARGO_BIN_EXE_claviger"),
        up.url,
        folder.path().join("data/operator.token").display()
    );
    let (status, text) = typed("1", &command).unwrap();
    assert!(text.contains("(security): 2 units."), "{text}");
    assert!(text.contains("nothing was revoked"), "{text}");
    assert_eq!((status, states().await), (Some(2), vec!["operational"]));

    let (status, text) = typed("2", &command).unwrap();
    assert!(text.contains("of 2 revoked"), "{text}");
    assert_eq!((status, states().await), (Some(0), vec!["revoked"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_is_the_golden_one() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start_alone(&folder.path().join("data"), "127.0.0.1:0");
    let served: serde_json::Value =
        serde_json::from_slice(&get(&format!("{}/openapi.json", up.url)).await).unwrap();
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&served).unwrap());
    if std::env::var_os("CLAVIGER_BLESS").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        kept == text,
        "docs/openapi.json is not what is served; if that is meant, run with CLAVIGER_BLESS=1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_edge_refuses_in_one_form() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start_alone(&folder.path().join("data"), "127.0.0.1:0");
    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", up.url);
    let cases = [
        (http.get(url("/nothing")), 404, "not-found"),
        (http.get(url("/lists/..%2fclaviger.db")), 404, "not-found"),
        (http.get(url("/lists/.hidden")), 404, "not-found"),
        (http.delete(url("/health")), 405, "method"),
        (
            http.post(url("/wallet-provider/activations")).body("{"),
            400,
            "malformed",
        ),
        (
            http.post(url("/wallet-provider/activations"))
                .body(r#"{"activation":"a","activation":"b"}"#),
            400,
            "malformed",
        ),
        (
            http.post(url("/wallet-provider/unit/wia"))
                .body(r#"{"proofs":[]}"#),
            400,
            "malformed",
        ),
        (
            http.post(url("/wsca/r2ps")).body("x"),
            400,
            "ILLEGAL_REQUEST_DATA",
        ),
        (
            http.post(url("/wallet-provider/challenge"))
                .body("{\"x\":1}"),
            400,
            "malformed",
        ),
        (http.get(url("/operator/units")), 401, "unauthorized"),
    ];
    for (request, status, code) in cases {
        let response = request.send().await.unwrap();
        let address = response.url().to_string();
        assert_eq!(response.status().as_u16(), status, "{address}");
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json",
            "{address}"
        );
        let problem: serde_json::Value =
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        assert_eq!(problem["code"], code, "{address}");
        assert_eq!(problem["status"], status, "{address}");
    }
    let said = announce(&up, 300 * 1024);
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    assert!(said.contains(r#""code":"too-large""#), "{said}");
    for path in ["/health", "/ready"] {
        let body = get(&url(path)).await;
        assert_eq!(String::from_utf8(body).unwrap(), r#"{"status":"ok"}"#);
    }
    let metrics = String::from_utf8(get(&url("/metrics")).await).unwrap();
    assert!(
        metrics.contains("claviger_http_requests_total"),
        "{metrics}"
    );
    assert!(
        !metrics.contains("hidden"),
        "addresses do not become labels"
    );
}

/// What an operator is told to watch is measured, and what is measured is told.
#[tokio::test(flavor = "multi_thread")]
async fn every_metric_that_is_written_down_is_there_and_none_beside() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let told = std::fs::read_to_string(root.join("docs/operations.md")).unwrap();
    let row = |line: &str| {
        let name = line.strip_prefix("| `claviger_")?.split('`').next()?;
        Some(format!("claviger_{name}"))
    };
    let written: BTreeSet<String> = told.lines().filter_map(row).collect();
    assert!(written.len() > 15, "{written:?}");

    let folder = tempfile::tempdir().unwrap();
    let up = Up::start_alone(&folder.path().join("data"), "127.0.0.1:0");
    let phone = Phone::activate(&up, "measured").await;
    phone.wia().await;
    let mut wrong = phone.revocation(RevocationReason::LostOrStolen);
    wrong.code = AccountCode::of(&[0; 16]).text().to_owned();
    phone.provider.revoke(&wrong).await.unwrap_err();
    phone
        .provider
        .revoke(&phone.revocation(RevocationReason::LostOrStolen))
        .await
        .unwrap();

    let metrics = get(&format!("{}/metrics", up.url)).await;
    let metrics = String::from_utf8(metrics).unwrap();
    for line in [
        r#"claviger_issued_total{kind="wia"} 1"#,
        r#"claviger_revoked_total{by="user",reason="lost-or-stolen"} 1"#,
        r#"claviger_refused_total{route="/wallet-provider/account/revocation",code="account-code"} 1"#,
        "claviger_revocations_untold 0",
        "claviger_lists_unpublished 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
    let family = |line: &str| {
        line.strip_prefix("# TYPE ")?
            .split(' ')
            .next()
            .map(str::to_owned)
    };
    let measured: BTreeSet<String> = metrics.lines().filter_map(family).collect();
    // Those of trusted lists are written down elsewhere.
    let beside = |name: &&String| !name.starts_with("claviger_list_");
    let untold: Vec<_> = measured.difference(&written).filter(beside).collect();
    assert!(untold.is_empty(), "{untold:?}");
    // What this node has not met, or has not: a limit, too much work, Google's list, a
    // way to its users; and a list when it measured last, before there was any.
    let not_met = |name: &&String| {
        ![
            "claviger_limited_total",
            "claviger_wsca_turned_away_total",
            "claviger_revocation_list_age_seconds",
            "claviger_notices_total",
            "claviger_status_list_seconds_left",
        ]
        .contains(&name.as_str())
    };
    let missing: Vec<_> = written.difference(&measured).filter(not_met).collect();
    assert!(missing.is_empty(), "{missing:?} of {metrics}");
}

/// Announces a body of this length and sends none of it; what the node says to that.
fn announce(up: &Up, length: usize) -> String {
    use std::io::Read;
    let mut stream = std::net::TcpStream::connect(up.listen()).unwrap();
    write!(
        stream,
        "POST /wallet-provider/activations HTTP/1.1\r\nHost: node\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n"
    )
    .unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn a_client_that_sends_half_a_request_does_not_hold_up_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start_alone(&folder.path().join("data"), "127.0.0.1:0");
    let mut slow = std::net::TcpStream::connect(up.listen()).unwrap();
    slow.write_all(b"GET /heal").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    let stopped = up.interrupt_twice(std::time::Duration::from_secs(10));
    assert!(stopped, "asked twice, it stops at once");
    drop(slow);
}
