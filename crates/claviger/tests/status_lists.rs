//! Status lists as they are served: both forms by `Accept`, caching, compression,
//! browsers, the aggregation; what an operator sees of a full disk; and
//! `claviger status inspect`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use provider_api::RevocationReason;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use support::{Phone, Up, claviger};

const JWT: &str = "application/statuslist+jwt";
const CWT: &str = "application/statuslist+cwt";

struct Served {
    _folder: tempfile::TempDir,
    up: Up,
    phone: Phone,
    uri: String,
    index: u64,
    http: Client,
}

async fn served() -> Served {
    served_by(Up::start).await
}

async fn served_by(start: impl FnOnce(&Path, &str) -> Up) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let up = start(&folder.path().join("data"), "127.0.0.1:0");
    let phone = Phone::activate(&up, "user").await;
    let (_, uri, index) = phone.wia().await;
    Served {
        _folder: folder,
        up,
        phone,
        uri,
        index,
        http: Client::new(),
    }
}

impl Served {
    async fn ask(&self, method: Method, headers: &[(&str, &[u8])]) -> Response {
        self.ask_at(&self.uri, method, headers).await
    }

    async fn ask_at(&self, url: &str, method: Method, headers: &[(&str, &[u8])]) -> Response {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        let request = self.http.request(method, url).headers(map);
        request.send().await.unwrap()
    }

    async fn revoke(&self, phone: &Phone) {
        let request = phone.revocation(RevocationReason::LostOrStolen);
        phone.provider.revoke(&request).await.unwrap();
    }
}

fn header<'r>(response: &'r Response, name: &str) -> &'r str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

fn varies(response: &Response) -> bool {
    let lines = response.headers().get_all("vary").iter();
    let text: Vec<&str> = lines.map(|line| line.to_str().unwrap()).collect();
    let text = text.join(",").to_ascii_lowercase();
    let names: Vec<&str> = text.split(',').map(str::trim).collect();
    names.contains(&"accept") && names.contains(&"accept-encoding")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_is_the_one_that_is_accepted() {
    let served = served().await;
    let many = format!("{}{CWT}", "text/html,".repeat(300));
    let cases: [(&[&[u8]], Option<&str>); 12] = [
        (&[], Some(JWT)),
        (&[b"*/*"], Some(JWT)),
        (&[JWT.as_bytes()], Some(JWT)),
        (&[CWT.as_bytes()], Some(CWT)),
        (
            &[b"application/*;q=0.3, application/statuslist+cwt"],
            Some(CWT),
        ),
        (&[b"application/statuslist+jwt;q=0, */*"], Some(CWT)),
        (
            &[b"text/html", b"APPLICATION/StatusList+CWT;q=0.001"],
            Some(CWT),
        ),
        // Hostile: refused, and nothing else.
        (&[b"application/json"], None),
        (&[b"\xff\xfe\x80"], None),
        (&[b";;;,,,=q=q;q=,"], None),
        (
            &[b"application/statuslist+cwt;q=99999999999999999999"],
            None,
        ),
        (&[many.as_bytes()], None),
    ];
    for (accept, expected) in cases {
        let headers: Vec<_> = accept.iter().map(|value| ("accept", *value)).collect();
        let response = served.ask(Method::GET, &headers).await;
        assert!(varies(&response), "{accept:?}");
        match expected {
            Some(media_type) => {
                assert_eq!(response.status(), 200, "{accept:?}");
                assert_eq!(header(&response, "content-type"), media_type);
                let bytes = response.bytes().await.unwrap();
                let format = status_list::TokenFormat::of(&bytes);
                assert_eq!(format.media_type(), media_type);
            }
            None => {
                assert_eq!(response.status(), 406, "{accept:?}");
                let problem: Value = response.json().await.unwrap();
                assert_eq!(problem["code"], "not-acceptable");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_recognised_until_the_list_changes() {
    let served = served().await;
    let mut tags = Vec::new();
    for form in [JWT, CWT] {
        let accept = ("accept", form.as_bytes());
        let response = served.ask(Method::GET, &[accept]).await;
        assert_eq!(header(&response, "cache-control"), "public, max-age=300");
        let tag = header(&response, "etag").to_owned();
        assert!(tag.starts_with('"'), "{tag}");
        let weak = format!("\"other\", W/{tag}");
        for known in [tag.as_str(), weak.as_str(), "*"] {
            let known = ("if-none-match", known.as_bytes());
            let again = served.ask(Method::GET, &[accept, known]).await;
            assert_eq!(again.status(), 304, "{known:?}");
            assert_eq!(header(&again, "etag"), tag);
            assert_eq!(header(&again, "cache-control"), "public, max-age=300");
            assert!(varies(&again));
            assert!(again.bytes().await.unwrap().is_empty());
        }
        let head = served.ask(Method::HEAD, &[accept]).await;
        assert_eq!(
            (head.status().as_u16(), header(&head, "etag")),
            (200, &*tag)
        );
        assert_eq!(header(&head, "content-type"), form);
        tags.push(tag);
    }
    assert_ne!(tags[0], tags[1]);
    served.revoke(&served.phone).await;
    for (form, tag) in [JWT, CWT].into_iter().zip(tags) {
        let known = ("if-none-match", tag.as_bytes());
        let changed = served
            .ask(Method::GET, &[("accept", form.as_bytes()), known])
            .await;
        assert_eq!(changed.status(), 200, "{form}");
    }
}

/// A node remembers what it has served for a second; its answers stay what they were.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_is_answered_as_what_was_read() {
    let served = served().await;
    let gzip = ("accept-encoding", &b"gzip"[..]);
    let cases: [&[(&str, &[u8])]; 3] = [&[], &[gzip], &[("accept", CWT.as_bytes())]];
    let mut tags = Vec::new();
    for headers in cases {
        let first = served.ask(Method::GET, headers).await;
        let tag = header(&first, "etag").to_owned();
        let content = first.bytes().await.unwrap();
        tokio::time::sleep(Duration::from_millis(1100)).await;
        // Read for the last time, and remembered.
        for _ in 0..2 {
            let whole = served.ask(Method::GET, headers).await;
            assert_eq!(header(&whole, "etag"), tag);
            assert_eq!(whole.bytes().await.unwrap(), content);
            let head = served.ask(Method::HEAD, headers).await;
            assert_eq!(header(&head, "etag"), tag);
            assert_eq!(header(&head, "content-length"), content.len().to_string());
            assert!(varies(&head));
            let known = ("if-none-match", tag.as_bytes());
            let again = served.ask(Method::GET, &[headers, &[known]].concat()).await;
            assert_eq!(
                (again.status().as_u16(), header(&again, "etag")),
                (304, &*tag)
            );
        }
        tags.push(tag);
    }
    served.revoke(&served.phone).await;
    for (headers, tag) in cases.into_iter().zip(&tags) {
        let known = ("if-none-match", tag.as_bytes());
        let changed = served.ask(Method::GET, &[headers, &[known]].concat()).await;
        assert_eq!(changed.status(), 200, "{headers:?}");
        let head = served
            .ask(Method::HEAD, &[headers, &[known]].concat())
            .await;
        assert_eq!(head.status(), 200, "{headers:?}");
        assert_ne!(header(&head, "etag"), tag);
    }
}

/// What a JWT leaves to be gained is base64url: a quarter. A CWT leaves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_gains_by_it_is_compressed_for_those_who_take_it() {
    let served = served().await;
    let plain = served.ask(Method::GET, &[]).await;
    assert_eq!(header(&plain, "content-encoding"), "");
    let plain_tag = header(&plain, "etag").to_owned();
    let plain = plain.bytes().await.unwrap();
    let gzip = ("accept-encoding", &b"br, gzip;q=0.5"[..]);
    for _ in 0..2 {
        let packed = served.ask(Method::GET, &[gzip]).await;
        assert_eq!(header(&packed, "content-encoding"), "gzip");
        assert_ne!(header(&packed, "etag"), plain_tag, "another representation");
        let packed = packed.bytes().await.unwrap();
        assert!(packed.len() < plain.len() / 10 * 9);
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed[..])
            .read_to_end(&mut unpacked)
            .unwrap();
        assert_eq!(unpacked, plain);
    }
    for headers in [
        &[("accept-encoding", &b"gzip;q=0"[..])][..],
        &[("accept-encoding", &b"identity"[..])],
        &[("accept", CWT.as_bytes()), gzip],
    ] {
        let response = served.ask(Method::GET, headers).await;
        assert_eq!(header(&response, "content-encoding"), "", "{headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_of_any_origin_may_ask() {
    let served = served().await;
    let origin = ("origin", &b"https://verifier.example"[..]);
    let seen = served.ask(Method::GET, &[origin]).await;
    assert_eq!(header(&seen, "access-control-allow-origin"), "*");
    assert!(header(&seen, "access-control-expose-headers").contains("etag"));
    let preflight = served
        .ask(
            Method::OPTIONS,
            &[
                origin,
                ("access-control-request-method", b"GET"),
                ("access-control-request-headers", b"if-none-match"),
            ],
        )
        .await;
    assert_eq!(preflight.status(), 200);
    assert_eq!(header(&preflight, "access-control-allow-origin"), "*");
    assert!(header(&preflight, "access-control-allow-methods").contains("GET"));
    assert!(header(&preflight, "access-control-allow-headers").contains("if-none-match"));
    // A refusal can be read too.
    let refused = served
        .ask(Method::GET, &[origin, ("accept", b"text/html")])
        .await;
    assert_eq!(header(&refused, "access-control-allow-origin"), "*");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_questions_are_refused_plainly() {
    let served = served().await;
    let base = format!("{}/status", served.up.url);
    let cases = [
        (
            format!("{}?time=1686925000", served.uri),
            501,
            "historical-resolution",
        ),
        (
            format!("{}?a=b&time=", served.uri),
            501,
            "historical-resolution",
        ),
        (format!("{base}/nothing"), 404, "not-found"),
        (format!("{base}/..%2f..%2fclaviger.db"), 404, "not-found"),
        (format!("{base}/.hidden"), 404, "not-found"),
        (format!("{}.jwt", served.uri), 404, "not-found"),
        (format!("{base}/%00"), 404, "not-found"),
    ];
    for (url, status, code) in cases {
        let response = served.ask_at(&url, Method::GET, &[]).await;
        assert_eq!(response.status().as_u16(), status, "{url}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], code, "{url}");
    }
    let put = served.ask(Method::PUT, &[]).await;
    assert_eq!(put.status(), 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aggregation_names_every_list_and_every_list_names_it() {
    let served = served().await;
    let all = format!("{}/status", served.up.url);
    let response = served.ask_at(&all, Method::GET, &[]).await;
    assert_eq!(header(&response, "content-type"), "application/json");
    assert_eq!(header(&response, "access-control-allow-origin"), "*");
    let told: Value = response.json().await.unwrap();
    assert_eq!(told["status_lists"], serde_json::json!([served.uri]));
    for form in ["jwt", "cwt"] {
        let seen = inspect(&[&served.uri, "--form", form]);
        assert_eq!(seen["aggregation_uri"], all.as_str());
    }
}

fn inspect(arguments: &[&str]) -> Value {
    let mut all = vec!["status", "inspect", "--json"];
    all.extend(arguments);
    let output = claviger(&all);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
async fn inspect_reads_both_forms_from_an_address_and_from_a_file() {
    let served = served().await;
    served.revoke(&served.phone).await;
    let folder = tempfile::tempdir().unwrap();
    let index = served.index.to_string();
    for (form, media_type) in [("jwt", JWT), ("cwt", CWT)] {
        let accept = [("accept", media_type.as_bytes())];
        let token = served
            .ask(Method::GET, &accept)
            .await
            .bytes()
            .await
            .unwrap();
        let file = folder.path().join(form);
        std::fs::write(&file, token).unwrap();
        let file = file.to_str().unwrap();
        for source in [&[served.uri.as_str(), "--form", form][..], &[file]] {
            let mut arguments = source.to_vec();
            arguments.extend(["--index", &index]);
            let seen = inspect(&arguments);
            assert_eq!(seen["form"], media_type);
            assert_eq!(
                (&seen["uri"], &seen["set"]),
                (&served.uri.as_str().into(), &1.into())
            );
            assert_eq!(
                (&seen["entries"], &seen["bits"]),
                (&100_000.into(), &1.into())
            );
            assert_eq!(seen["status"], "invalid");
            let checks: Vec<_> = seen["checks"].as_array().unwrap().iter().collect();
            let names: Vec<_> = checks.iter().map(|check| &check["check"]).collect();
            assert_eq!(
                names,
                ["form", "signature", "subject", "times", "list", "index"]
            );
            assert!(
                checks.iter().all(|check| check["result"] == "holds"),
                "{checks:?}"
            );
        }
        // What is wrong is said by the step at which it was found.
        let result = |arguments: &[&str], place: usize| {
            let seen = inspect(arguments);
            seen["checks"][place]["result"].as_str().unwrap().to_owned()
        };
        assert_eq!(result(&[file, "--index", "100000"], 5), "broken");
        assert_eq!(
            result(&[file, "--uri", "https://other.example"], 2),
            "broken"
        );
        assert_eq!(result(&[file, "--at", "2050-01-01T00:00:00Z"], 3), "broken");
        let mut bytes = std::fs::read(file).unwrap();
        let last = bytes.len() - 2;
        // Of either form's alphabet.
        bytes[last] = if bytes[last] == b'A' { b'B' } else { b'A' };
        std::fs::write(file, bytes).unwrap();
        assert_eq!(result(&[file], 1), "broken");
        assert_eq!(result(&[file], 2), "not-reached");
    }
}

/// `/dev/full` takes no byte, as a full disk does.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_written_shows_in_readiness_until_it_is() {
    // Each node tells of its own writing.
    let served = served_by(Up::start_alone).await;
    let other = Phone::activate(&served.up, "other").await;
    let name = served.uri.rsplit('/').next().unwrap();
    let half = served
        .up
        .data
        .join(format!("public/status/{name}.cwt.part"));
    std::os::unix::fs::symlink("/dev/full", half).unwrap();
    served.revoke(&served.phone).await;
    let ready = format!("{}/ready", served.up.url);
    let seen = served.ask_at(&ready, Method::GET, &[]).await;
    assert_eq!(seen.status(), 503);
    let seen: Value = seen.json().await.unwrap();
    assert_eq!(seen["unavailable"], serde_json::json!(["wallet provider"]));
    let list = served.ask(Method::GET, &[]).await.bytes().await.unwrap();
    assert!(!support::is_set(&list, &served.uri, served.index));
    // There is room again, and the next change makes up for it.
    served.revoke(&other).await;
    let list = served.ask(Method::GET, &[]).await.bytes().await.unwrap();
    assert!(support::is_set(&list, &served.uri, served.index));
    assert_eq!(served.ask_at(&ready, Method::GET, &[]).await.status(), 200);
}
