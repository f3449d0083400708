//! Fetching over real sockets: what is given, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Book, Route, Server};
use outbound::{
    Client, FetchError, Fetched, Limits, Request, Response, Schemes, Validators, rules,
};
use rstest::rstest;
use url::Url;

const MAX: usize = 1000;

fn here() -> Limits {
    Limits {
        timeout: Duration::from_secs(5),
        allow_insecure_loopback: true,
        ..Limits::default()
    }
}

fn client(limits: Limits) -> Client {
    Client::new(limits).unwrap()
}

async fn get(client: &Client, url: &Url) -> Result<Fetched, FetchError> {
    client.fetch(&Request::get(url, MAX)).await
}

fn body(fetched: Fetched) -> Response {
    match fetched {
        Fetched::Body(response) => response,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_comes_with_all_that_is_said_of_it() {
    let server = Server::start().await;
    let head = [
        "Content-Type: application/jwt",
        "ETag: \"one\"",
        "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
        "Cache-Control: max-age=60",
    ];
    server.says("/a", 200, &head, b"text");
    let url = server.url("/a");
    let request = Request::get(&url, 4).accept("application/jwt");
    let response = body(client(here()).fetch(&request).await.unwrap());
    assert_eq!(response.bytes, b"text");
    assert_eq!(response.content_type.as_deref(), Some("application/jwt"));
    assert_eq!(response.validators.etag.as_deref(), Some("\"one\""));
    assert_eq!(
        response.validators.last_modified.as_deref(),
        Some("Sun, 06 Nov 1994 08:49:37 GMT")
    );
    assert_eq!(response.freshness.remaining, Some(Duration::from_secs(60)));
    assert_eq!(response.url, url);
    let asked = server.asked().remove(0);
    assert!(asked.starts_with("get /a "), "{asked}");
    assert!(asked.contains("accept: application/jwt\r\n"), "{asked}");
}

#[rstest]
#[case::etag(Some("\"one\""), None, "if-none-match: \"one\"")]
#[case::date(
    None,
    Some("sun, 06 nov 1994 08:49:37 gmt"),
    "if-modified-since: sun, 06 nov 1994 08:49:37 gmt"
)]
#[tokio::test]
async fn what_is_known_is_not_sent_again(
    #[case] etag: Option<&str>,
    #[case] last_modified: Option<&str>,
    #[case] line: &'static str,
) {
    let server = Server::start().await;
    server.set("/a", Route::Unless(line));
    let known = Validators {
        etag: etag.map(str::to_owned),
        last_modified: last_modified.map(str::to_owned),
    };
    let url = server.url("/a");
    let again = client(here())
        .fetch(&Request::get(&url, MAX).unless(&known))
        .await;
    match again.unwrap() {
        Fetched::NotModified(freshness) => {
            assert_eq!(freshness.remaining, Some(Duration::from_secs(7)));
        }
        other => panic!("{other:?}"),
    }
    let first = Request::get(&url, MAX);
    let none = Validators::default();
    let first = client(here()).fetch(&first.unless(&none)).await.unwrap();
    assert_eq!(body(first).bytes, b"new");
}

#[tokio::test]
async fn a_304_that_was_not_asked_for_is_no_answer() {
    let server = Server::start().await;
    server.says("/a", 304, &[], b"");
    let error = get(&client(here()), &server.url("/a")).await.unwrap_err();
    assert_eq!(error, FetchError::BadRedirect);
}

#[tokio::test]
async fn a_body_is_posted() {
    let server = Server::start().await;
    server.set("/ocsp", Route::Echo);
    server.says("/moved", 307, &["Location: /ocsp"], b"");
    for path in ["/ocsp", "/moved"] {
        let url = server.url(path);
        let request = Request::post(&url, "application/ocsp-request", b"asked", MAX);
        let response = body(client(here()).fetch(&request).await.unwrap());
        assert_eq!(response.bytes, b"asked");
    }
    let asked = server.asked().remove(0);
    assert!(asked.starts_with("post /ocsp "), "{asked}");
    assert!(asked.contains("content-type: application/ocsp-request\r\n"));
}

#[rstest]
#[case(301)]
#[case(302)]
#[case(303)]
#[tokio::test]
async fn a_post_does_not_become_a_get(#[case] status: u16) {
    let server = Server::start().await;
    server.says("/moved", status, &["Location: /a"], b"");
    server.says("/a", 200, &[], b"got");
    let url = server.url("/moved");
    let request = Request::post(&url, "text/plain", b"asked", MAX);
    let error = client(here()).fetch(&request).await.unwrap_err();
    assert_eq!(error, FetchError::BadRedirect);
    assert_eq!(server.asked().len(), 1);
}

#[rstest]
#[case(404)]
#[case(500)]
#[case(204)]
#[tokio::test]
async fn another_status_is_no_answer(#[case] status: u16) {
    let server = Server::start().await;
    server.says("/a", status, &[], b"");
    let error = get(&client(here()), &server.url("/a")).await.unwrap_err();
    assert_eq!(error, FetchError::Status(status));
    assert_eq!(error.rule(), &rules::STATUS);
    assert!(!error.is_refusal());
}

#[tokio::test]
async fn redirects_are_followed_and_counted() {
    let server = Server::start().await;
    server.says("/1", 302, &["Location: 2"], b"");
    server.says("/2", 301, &["Location: /3"], b"");
    server.says("/3", 308, &["Location: /4"], b"");
    server.says("/4", 200, &[], b"here");
    server.says("/0", 302, &["Location: /1"], b"");
    server.says("/loop", 302, &["Location: /loop"], b"");
    server.says("/nowhere", 302, &[], b"");
    let client = client(here());
    let response = body(get(&client, &server.url("/1")).await.unwrap());
    assert_eq!(response.bytes, b"here");
    assert_eq!(response.url, server.url("/4"));
    for path in ["/0", "/loop"] {
        let error = get(&client, &server.url(path)).await.unwrap_err();
        assert_eq!(error, FetchError::TooManyRedirects(3), "{path}");
        assert_eq!(error.rule(), &rules::REDIRECTS);
    }
    let error = get(&client, &server.url("/nowhere")).await.unwrap_err();
    assert_eq!(error, FetchError::BadRedirect);
}

#[rstest]
#[case::private("http://10.0.0.1/", "OUT-HTTPS")]
#[case::private_https("https://10.0.0.1/", "OUT-ADDRESS")]
#[case::metadata("https://169.254.169.254/latest/meta-data", "OUT-ADDRESS")]
#[case::mapped("https://[::ffff:169.254.169.254]/", "OUT-ADDRESS")]
#[case::decimal("https://2852039166/", "OUT-ADDRESS")]
#[case::octal("https://0251.0376.0251.0376/", "OUT-ADDRESS")]
#[case::short("https://10.1/", "OUT-ADDRESS")]
#[case::file("file:///etc/passwd", "OUT-URL")]
#[case::ftp("ftp://127.0.0.1/", "OUT-URL")]
#[case::http("http://example.eu/", "OUT-HTTPS")]
#[case::credentials("https://user:word@example.eu/", "OUT-URL")]
#[tokio::test]
async fn a_redirect_is_judged_like_the_first_address(#[case] to: &str, #[case] rule: &str) {
    let server = Server::start().await;
    server.says("/a", 302, &[&format!("Location: {to}")], b"");
    let redirected = get(&client(here()), &server.url("/a")).await.unwrap_err();
    assert_eq!(redirected.rule().id, rule);
    let direct = get(&client(here()), &to.parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(direct, redirected);
    assert!(direct.is_refusal());
}

#[tokio::test]
async fn loopback_is_asked_only_where_configured() {
    let server = Server::start().await;
    server.says("/a", 200, &[], b"secret");
    let strict = client(Limits::default());
    let plain = get(&strict, &server.url("/a")).await.unwrap_err();
    assert_eq!(plain.rule(), &rules::HTTPS);
    for host in ["127.0.0.1", "127.1", "localhost", "a.localhost", "[::1]"] {
        let url = server.at(host, "/a");
        let request = Request::get(&url, MAX).schemes(Schemes::HttpToo);
        let error = strict.fetch(&request).await.unwrap_err();
        // A name that this machine does not know leads nowhere, which will do.
        let nowhere = host == "a.localhost" && error.rule() == &rules::TRANSPORT;
        assert!(
            error.rule() == &rules::ADDRESS || nowhere,
            "{host}: {error}"
        );
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused() {
    for ip in [
        "127.0.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "fd00::1",
        "fe80::1",
        "64:ff9b::7f00:1",
    ] {
        let names = Book::with("lists.example", &[&[ip]]);
        let client = Client::with_names(Limits::default(), names).unwrap();
        let url: Url = "https://lists.example/".parse().unwrap();
        let error = get(&client, &url).await.unwrap_err();
        let ip: IpAddr = ip.parse().unwrap();
        assert_eq!(error, FetchError::PrivateAddress(url.to_string(), ip));
    }
}

#[tokio::test]
async fn of_many_addresses_only_those_allowed_are_asked() {
    let server = Server::start().await;
    server.says("/a", 200, &[], b"here");
    let ips: &[&str] = &["10.255.255.1", "169.254.169.254", "127.0.0.1"];
    let client = Client::with_names(here(), Book::with("lists.example", &[ips])).unwrap();
    let url = server.at("lists.example", "/a");
    let request = Request::get(&url, MAX).schemes(Schemes::HttpToo);
    let response = body(client.fetch(&request).await.unwrap());
    assert_eq!(response.bytes, b"here");
}

/// A name is asked for once a connection, and the answer that is judged is the
/// answer that is connected to: no second answer slips in between.
#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let server = Server::start().await;
    server.says("/a", 200, &[], b"secret");
    // First an address that may be asked (and where nobody is), then this machine.
    let limits = Limits {
        timeout: Duration::from_millis(600),
        allow_private_addresses: true,
        ..Limits::default()
    };
    let names = Book::with("lists.example", &[&["192.0.2.1"], &["127.0.0.1"]]);
    let client = Client::with_names(limits, names).unwrap();
    let url = server.at("lists.example", "/a");
    let request = Request::get(&url, MAX).schemes(Schemes::HttpToo);
    let first = client.fetch(&request).await.unwrap_err();
    assert!(matches!(
        first,
        FetchError::Timeout(_) | FetchError::Transport(_)
    ));
    let second = client.fetch(&request).await.unwrap_err();
    let loopback = IpAddr::from([127, 0, 0, 1]);
    assert_eq!(
        second,
        FetchError::PrivateAddress(url.to_string(), loopback)
    );
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_name_without_addresses_is_not_found() {
    let client = Client::with_names(Limits::default(), Arc::new(Book::default())).unwrap();
    let url: Url = "https://nobody.example/".parse().unwrap();
    let error = get(&client, &url).await.unwrap_err();
    assert_eq!(error.rule(), &rules::TRANSPORT);
    let text = error.to_string();
    assert!(text.contains("no such name"), "{text}");
}

#[rstest]
#[case(Route::Gigabyte)]
#[case(Route::SaysGigabyte)]
#[tokio::test]
async fn more_than_is_accepted_is_refused_at_once(#[case] route: Route) {
    let server = Server::start().await;
    server.set("/a", route);
    let start = Instant::now();
    let error = get(&client(here()), &server.url("/a")).await.unwrap_err();
    assert_eq!(error, FetchError::TooLarge(MAX));
    assert_eq!(error.rule(), &rules::SIZE);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[rstest]
#[case(MAX, true)]
#[case(MAX + 1, false)]
#[tokio::test]
async fn the_size_limit_is_exact(#[case] len: usize, #[case] taken: bool) {
    let server = Server::start().await;
    server.says("/a", 200, &[], &vec![b'a'; len]);
    let answer = get(&client(here()), &server.url("/a")).await;
    assert_eq!(answer.is_ok(), taken);
}

#[rstest]
#[case(Route::Slow)]
#[case(Route::Drip)]
#[tokio::test]
async fn a_slow_server_is_given_up(#[case] route: Route) {
    let server = Server::start().await;
    server.set("/a", route);
    let timeout = Duration::from_millis(300);
    let limits = Limits { timeout, ..here() };
    let start = Instant::now();
    let error = get(&client(limits), &server.url("/a")).await.unwrap_err();
    assert_eq!(error, FetchError::Timeout(timeout));
    assert_eq!(error.rule(), &rules::TIME);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn what_is_allowed_is_allowed_alone() {
    let private = Limits {
        allow_private_addresses: true,
        ..Limits::default()
    };
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    assert!(here().allow(ip("127.0.0.1")));
    assert!(!here().allow(ip("10.0.0.1")));
    assert!(private.allow(ip("10.0.0.1")));
    assert!(private.allow(ip("fd00::1")));
    for never in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "224.0.0.1",
        "169.254.169.254",
        "fe80::1",
    ] {
        assert!(!private.allow(ip(never)), "{never}");
    }
}
