//! The WSCA in a process of its own, and the wallet provider in another: the whole
//! circle across the two, and nobody else on the link between them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jose::Curve;
use provider_api::{KaRequest, RevocationReason, UnitState};
use sci::{Code, Digest, Error, Pin, Sci, Task, UnitId};
use support::ca::{Ca, Issued};
use support::served::{Served, free_address};
use support::{Phone, is_set};
use wallet_client::keystore::DeviceKeystore;
use wsca::{AdminError, WscaAdmin};
use wsca_link::{LinkError, LinkSettings, RemoteWsca};

/// The two processes, and what the tests know of them.
struct Two {
    wsca: Served,
    provider: Served,
    wsca_url: String,
    provider_url: String,
    admin: String,
    link: String,
    ca: Ca,
    folder: tempfile::TempDir,
}

impl Two {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = Ca::new(folder.path(), "ca").await;
        let (server, client) = (ca.issue("wsca").await, ca.issue("provider").await);
        let [wsca, provider, admin, link] = std::array::from_fn(|_| free_address());
        let wsca_config = wsca_config(folder.path(), &wsca, &link, &ca, &server, &client);
        let provider_config =
            provider_config(folder.path(), &provider, &admin, &link, &ca, &client);
        // The provider first: it waits for its WSCA.
        let mut provider_process = Served::spawn(&provider_config, &provider, vec![]);
        let wsca_process = Served::start(&wsca_config, &wsca);
        provider_process.wait();
        Self {
            wsca: wsca_process,
            provider: provider_process,
            wsca_url: format!("http://{wsca}"),
            provider_url: format!("http://{provider}"),
            admin: format!("http://{admin}"),
            link: format!("https://{link}"),
            ca,
            folder,
        }
    }

    fn settings(&self, ca: &Path, shown: &Issued) -> LinkSettings {
        LinkSettings {
            url: self.link.parse().unwrap(),
            ca: std::fs::read(ca).unwrap(),
            certificate: std::fs::read(&shown.certificate).unwrap(),
            key: std::fs::read(&shown.key).unwrap(),
        }
    }
}

fn wsca_config(
    folder: &Path,
    listen: &str,
    link: &str,
    ca: &Ca,
    server: &Issued,
    client: &Issued,
) -> PathBuf {
    let text = format!(
        r#"
development = true
listen = "{listen}"
data = "{folder}/wsca"
roles = ["wsca"]
[device]
uri = "software:{folder}/wsca.store?key-file={folder}/wsca.key"
[wsca_link]
listen = "{link}"
certificate = "{certificate}"
key = "{key}"
client_ca = "{client_ca}"
clients = "{clients}"
"#,
        folder = folder.display(),
        certificate = server.certificate.display(),
        key = server.key.display(),
        client_ca = ca.certificate().display(),
        clients = client.certificate.display(),
    );
    write(folder, "wsca", &text)
}

fn provider_config(
    folder: &Path,
    listen: &str,
    admin: &str,
    link: &str,
    ca: &Ca,
    client: &Issued,
) -> PathBuf {
    std::fs::write(folder.join("token"), "the operators' token").unwrap();
    let text = format!(
        r#"
development = true
listen = "{listen}"
data = "{folder}/provider"
roles = ["wallet-provider", "lists"]
operator_token_file = "{folder}/token"
[admin]
listen = "{admin}"
[device]
uri = "software:{folder}/provider.store?key-file={folder}/provider.key"
[wallet_provider]
solution = "Sample"
client_id = "https://wallet.example"
certification = "none"
[remote_wsca]
url = "https://{link}"
ca = "{ca}"
certificate = "{certificate}"
key = "{key}"
"#,
        folder = folder.display(),
        ca = ca.certificate().display(),
        certificate = client.certificate.display(),
        key = client.key.display(),
    );
    write(folder, "provider", &text)
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let key = folder.join(format!("{name}.key"));
    std::fs::write(&key, "7".repeat(64)).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let path = folder.join(format!("{name}.toml"));
    std::fs::write(&path, text).unwrap();
    path
}

fn digest() -> Digest {
    Digest::of(b"signed across two processes", Curve::P256)
}

/// Made, attested, used and revoked, with the WSCA in a process that knows of
/// attestations nothing, and a provider that has no way to a user's key.
#[tokio::test(flavor = "multi_thread")]
async fn the_circle_goes_across_two_processes() {
    let two = Two::start().await;
    let phone = Phone::activate_at(&two.provider_url, &two.wsca_url, "user").await;
    let pin = Pin::new("493827").unwrap();
    phone.sci.open_session(&pin, Task::Issuance).await.unwrap();
    let keys = phone.sci.generate_keys(3, Curve::P256).await.unwrap();
    let (unit, device) = (phone.answer.unit, phone.device.signing());
    let nonce = phone.provider.statement_nonce(unit, device).await.unwrap();
    let audience = phone.provider.view().issuer.clone();
    let statement = phone
        .sci
        .state_keys(&[keys[0].id], &nonce.challenge, &audience)
        .await
        .unwrap();
    let request = KaRequest {
        statement,
        ..KaRequest::default()
    };
    let attested = phone.provider.kas(unit, device, &request).await.unwrap();
    assert_eq!(attested.attestations.len(), 1);
    let (_, uri, index) = phone.wia().await;
    let signatures = phone.sci.sign(&[(keys[0].id, digest())]).await.unwrap();
    keys[0]
        .public_key
        .verify(b"signed across two processes", &signatures[0])
        .unwrap();

    let revocation = phone.revocation(RevocationReason::LostOrStolen);
    let view = phone.provider.revoke(&revocation).await.unwrap();
    assert_eq!(view.state, UnitState::Revoked);
    // Frozen in the other process by the time this is answered.
    match phone.sci.sign(&[(keys[0].id, digest())]).await {
        Err(Error::NoSession) => {}
        Err(error) => assert!(
            matches!(error.code(), Some(Code::NoSession | Code::UnitFrozen)),
            "{error}"
        ),
        Ok(_) => panic!("a revoked unit signs"),
    }
    let list = reqwest::get(&uri).await.unwrap().bytes().await.unwrap();
    assert!(is_set(&list, &uri, index));

    // Each process serves its own, and operators have a door of their own.
    for (url, path, status) in [
        (&two.provider_url, "/wsca/identity", 404),
        (&two.wsca_url, "/wallet-provider/provider", 404),
        (&two.wsca_url, "/wsca/identity", 200),
        (&two.wsca_url, "/wsca-link/v1", 404),
        (&two.provider_url, "/metrics", 404),
        (&two.provider_url, "/operator/units", 404),
        (&two.provider_url, "/ready", 200),
        (&two.admin, "/metrics", 200),
        (&two.admin, "/operator/units", 401),
        (&two.admin, "/wallet-provider/provider", 404),
    ] {
        let response = reqwest::get(format!("{url}{path}")).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{url}{path}");
    }
}

/// Whoever has not the provider's certificate has no way in, and whoever is not
/// the WSCA is told nothing.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_on_the_link() {
    let two = Two::start().await;
    let right = two.settings(&two.ca.certificate(), &issued(&two, "provider"));
    RemoteWsca::connect(&right).await.unwrap();

    let other = Ca::new(two.folder.path(), "other").await;
    let cases = [
        ("of another CA", other.issue("provider").await),
        ("expired", two.ca.issue_expired("late").await),
        (
            "of the right CA, and not named",
            two.ca.issue("third").await,
        ),
    ];
    for (what, shown) in &cases {
        let tried = RemoteWsca::connect(&two.settings(&two.ca.certificate(), shown)).await;
        assert!(
            matches!(tried, Err(LinkError::Unreachable(_))),
            "{what}: {tried:?}"
        );
    }
    // A client that believes another CA does not believe this WSCA.
    let mistaken = two.settings(&other.certificate(), &issued(&two, "provider"));
    let tried = RemoteWsca::connect(&mistaken).await;
    assert!(matches!(tried, Err(LinkError::Unreachable(_))), "{tried:?}");
    // Nor does it speak without TLS at all.
    let plain = LinkSettings {
        url: two.link.replace("https", "http").parse().unwrap(),
        ..right.clone()
    };
    let tried = RemoteWsca::connect(&plain).await;
    assert!(matches!(tried, Err(LinkError::NotHttps)), "{tried:?}");

    let order = || serde_json::json!({"order": "describe"}).to_string();
    let ca = std::fs::read(two.ca.certificate()).unwrap();
    let ca = reqwest::Certificate::from_pem(&ca).unwrap();
    let nameless = reqwest::Client::builder()
        .tls_certs_only([ca])
        .build()
        .unwrap();
    for url in [two.link.clone(), two.link.replace("https", "http")] {
        let sent = nameless
            .post(format!("{url}/wsca-link/v1"))
            .body(order())
            .send()
            .await;
        assert!(sent.is_err(), "{url}: {sent:?}");
    }
    // All that left it as it was.
    RemoteWsca::connect(&right).await.unwrap();
}

fn issued(two: &Two, name: &str) -> Issued {
    Issued {
        certificate: two.folder.path().join(format!("ca-{name}.pem")),
        key: two.folder.path().join(format!("ca-{name}.key")),
    }
}

/// What the link carries arrives as it would in one process.
#[tokio::test(flavor = "multi_thread")]
async fn orders_are_carried_out_and_can_be_repeated() {
    let two = Two::start().await;
    let settings = two.settings(&two.ca.certificate(), &issued(&two, "provider"));
    let wsca = RemoteWsca::connect(&settings).await.unwrap();
    let keystore = wallet_client::keystore::SoftwareKeystore::generate().unwrap();
    let keys = wsca::DeviceKeys {
        sign: keystore.signing().public_key().clone(),
        agree: keystore.agreement().public_key().clone(),
    };
    let unit = UnitId::random();
    assert!(matches!(
        wsca.unit_state(unit).await,
        Err(AdminError::UnknownUnit)
    ));
    for _ in 0..2 {
        wsca.enroll(unit, keys.clone()).await.unwrap();
    }
    let swapped = wsca::DeviceKeys {
        sign: keys.agree.clone(),
        agree: keys.sign.clone(),
    };
    assert!(matches!(
        wsca.enroll(unit, swapped).await,
        Err(AdminError::AlreadyEnrolled)
    ));
    let twice = wsca::DeviceKeys {
        agree: keys.sign.clone(),
        ..keys.clone()
    };
    assert!(matches!(
        wsca.enroll(UnitId::random(), twice).await,
        Err(AdminError::DeviceKeys)
    ));
    wsca.end_sessions(unit).await.unwrap();
    for _ in 0..2 {
        wsca.freeze(unit, "revoked").await.unwrap();
        assert!(wsca.unit_state(unit).await.unwrap().frozen);
    }
    for _ in 0..2 {
        wsca.destroy_unit(unit).await.unwrap();
        assert!(wsca.unit_state(unit).await.unwrap().destroyed);
    }
    assert!(matches!(
        wsca.enroll(unit, keys).await,
        Err(AdminError::Destroyed)
    ));
    wsca.check().await.unwrap();
}

/// The WSCA dies under use: the provider says so, with the time to come back, loses
/// nothing, and goes on by itself once the WSCA is there again.
#[tokio::test(flavor = "multi_thread")]
async fn a_wsca_that_dies_is_survived() {
    let mut two = Two::start().await;
    let first = Phone::activate_at(&two.provider_url, &two.wsca_url, "first").await;
    let pin = Pin::new("493827").unwrap();
    first.sci.open_session(&pin, Task::Issuance).await.unwrap();
    let key = first
        .sci
        .generate_keys(1, Curve::P256)
        .await
        .unwrap()
        .remove(0);

    // Under use: somebody activates all the while.
    let (provider, wsca) = (two.provider_url.clone(), two.wsca_url.clone());
    let busy = tokio::spawn(async move {
        let mut activated = 0;
        while activated < 3 {
            let (provider, wsca) = (provider.clone(), wsca.clone());
            let alias = format!("busy-{activated}-{}", UnitId::random());
            let one = tokio::spawn(async move {
                Phone::activate_at(&provider, &wsca, &alias).await;
            });
            match one.await {
                Ok(()) => activated += 1,
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    two.wsca.kill();

    let base = format!("{}/wallet-provider", two.provider_url);
    let refused = activation_status(&base).await;
    assert_eq!(refused.0, 503, "{refused:?}");
    assert!(refused.1.is_some_and(|seconds| seconds > 0), "{refused:?}");
    let ready = reqwest::get(format!("{}/ready", two.provider_url))
        .await
        .unwrap();
    assert_eq!(ready.status().as_u16(), 503);
    // A revocation counts although nobody can be told of it now.
    let revocation = first.revocation(RevocationReason::LostOrStolen);
    let _ = first.provider.revoke(&revocation).await;

    two.wsca.restart();
    tokio::time::timeout(Duration::from_secs(60), busy)
        .await
        .expect("it recovers")
        .unwrap();
    let ready = reqwest::get(format!("{}/ready", two.provider_url))
        .await
        .unwrap();
    assert_eq!(ready.status().as_u16(), 200);
    // The provider tells the WSCA what it missed, at the latest in half a minute.
    let settings = two.settings(&two.ca.certificate(), &issued(&two, "provider"));
    let wsca = RemoteWsca::connect(&settings).await.unwrap();
    for _ in 0..100 {
        if wsca.unit_state(first.answer.unit).await.unwrap().frozen {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(wsca.unit_state(first.answer.unit).await.unwrap().frozen);
    let signed = first.sci.sign(&[(key.id, digest())]).await;
    assert!(signed.is_err(), "a revoked unit signs");
    two.provider.stop();
}

/// What somebody who activates is told: the status, and when to come back.
async fn activation_status(base: &str) -> (u16, Option<u64>) {
    // A complete activation fails at its second request; this sends that request
    // through a client that shows the answer's head.
    let clock = std::sync::Arc::new(clock::SystemClock);
    let device = wallet_client::keystore::SoftwareKeystore::generate().unwrap();
    let client = wallet_client::ProviderClient::discover(base, clock)
        .await
        .unwrap();
    let activation = wallet_client::Activation {
        alias: "someone",
        account_code: None,
        consent: None,
        signing: device.signing(),
        agreement: device.agreement(),
        platform: &wallet_client::Unattested,
        wallet_version: "1",
    };
    match client.activate(&activation).await {
        Err(wallet_client::ProviderError::Http(error)) => (error.status(), error.retry_after()),
        other => panic!("{other:?}"),
    }
}

/// The public listener speaks TLS by itself where it has a certificate.
#[tokio::test(flavor = "multi_thread")]
async fn the_public_listener_speaks_tls() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::new(folder.path(), "ca").await;
    let server = ca.issue("server").await;
    let listen = free_address();
    let text = format!(
        r#"
development = true
listen = "{listen}"
data = "{folder}/data"
roles = ["wsca"]
[tls]
certificate = "{certificate}"
key = "{key}"
[device]
uri = "software:{folder}/tls.store?key-file={folder}/tls.key"
"#,
        folder = folder.path().display(),
        certificate = server.certificate.display(),
        key = server.key.display(),
    );
    let _served = Served::start(&write(folder.path(), "tls", &text), &listen);
    let anchor = std::fs::read(ca.certificate()).unwrap();
    let http = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(&anchor).unwrap()])
        .build()
        .unwrap();
    for host in [listen.clone(), listen.replace("127.0.0.1", "localhost")] {
        let answer = http
            .get(format!("https://{host}/health"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status().as_u16(), 200);
    }
    assert!(
        http.get(format!("http://{listen}/health"))
            .send()
            .await
            .is_err()
    );
    let unbelieving = reqwest::Client::builder().build().unwrap();
    assert!(
        unbelieving
            .get(format!("https://{listen}/health"))
            .send()
            .await
            .is_err()
    );
    // Someone who connects and says nothing holds nobody up.
    let _silent = std::net::TcpStream::connect(&listen).unwrap();
    let answer = http
        .get(format!("https://{listen}/health"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 200);
}
