//! `claviger trust watch` over real HTTP, and the archive of `claviger list publish`
//! as the trust service reads it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use claviger_fixtures::TestKey;
use clock::SystemClock;
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, Signer};
use lote::{Draft, NewEntity, NewService, Operator, Postal, Profile, Publication, ServiceKind};
use pki::{Certificate, Issuer, Request, Subject};
use serde_json::Value;
use trust::{
    CheckRequest, Config, Context, Limits, Location, Policy, Revocation, Source, TrustService,
    Upkeep,
};

/// An operator with two versions of a list, published by `claviger list publish` into
/// `site`, which is served.
struct Desk {
    folder: tempfile::TempDir,
    base: String,
    operator: Certificate,
    key: TestKey,
    provider: Certificate,
    /// Another certificate of the provider.
    successor: Certificate,
}

fn days(n: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * n)
}

fn ago(n: i64) -> Timestamp {
    let at = Timestamp::now() - days(n);
    Timestamp::from_second(at.as_second()).unwrap()
}

impl Desk {
    async fn new() -> Self {
        let key = TestKey::generate(Curve::P256);
        let subject = Subject::legal("EU", "Example Operator", "NTREU-1", "lists");
        let operator = certificate(pki::Profile::ListOperator, subject, &key).await;
        let subject = || Subject::legal("DE", "Example Provider", "NTRDE-HRB1", "wallet");
        let of = async |key: TestKey| certificate(pki::Profile::Wallet, subject(), &key).await;
        let provider = of(TestKey::generate(Curve::P256)).await;
        let successor = of(TestKey::generate(Curve::P256)).await;
        let folder = tempfile::tempdir().unwrap();
        let pem = pki::chain::to_pem(std::slice::from_ref(&operator));
        fs::write(folder.path().join("operator.pem"), pem).unwrap();
        let base = serve(folder.path().join("site"));
        Self {
            folder,
            base,
            operator,
            key,
            provider,
            successor,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Seals a version that was issued so many days ago and holds for so many more,
    /// with the provider's certificate or with its successor.
    async fn sealed(&self, version: i64, age: i64, holds: i64, with: bool) -> Vec<u8> {
        let place = Postal {
            street: "Example Street 1".into(),
            locality: "Berlin".into(),
            postal_code: "10115".into(),
            country: "DE".into(),
        };
        let operator = Operator {
            name: "Example Operator".into(),
            territory: "EU".into(),
            address: place.clone(),
            email: "lists@operator.example".into(),
            web: "https://operator.example/".into(),
        };
        let publication = Publication {
            scheme_name: "Example wallet list".into(),
            location: "https://operator.example/list.jws".into(),
            information: "https://operator.example/about".into(),
            archive: "https://operator.example/archive/".into(),
            policy: "https://operator.example/policy".into(),
        };
        let signers = std::slice::from_ref(&self.operator);
        let mut draft = Draft::new(Profile::Wallet, &operator, &publication, signers);
        let entity = NewEntity {
            name: "Example Provider".into(),
            registration: "NTRDE-HRB1".into(),
            member_state: "DE".into(),
            address: place,
            email: "help@provider.example".into(),
            phone: "+49301234567".into(),
            web: "https://provider.example/".into(),
            policies: "https://provider.example/policies".into(),
            law: None,
        };
        draft.add_entity(&entity).unwrap();
        let listed = if with {
            &self.provider
        } else {
            &self.successor
        };
        let service = NewService {
            kind: ServiceKind::Issuance,
            name: "Example wallet".into(),
            certificates: vec![listed.clone()],
            unique_id: Some("urn:example:1".into()),
            supply_point: None,
        };
        draft
            .add_service("Example Provider", &service, ago(age))
            .unwrap();
        draft.issue(ago(age), ago(-holds)).unwrap();
        let mut list = draft.list().clone();
        list.lote.scheme.sequence = Some(version);
        lote::seal(&list, signers, &self.key, ago(age))
            .await
            .unwrap()
            .into_bytes()
    }

    /// Publishes with `claviger list publish`, as one did then.
    async fn publish(&self, version: i64, age: i64, holds: i64, with: bool) {
        let file = self.path("list.jws");
        fs::write(&file, self.sealed(version, age, holds, with).await).unwrap();
        let at = ago(age).to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_claviger"))
            .args(["list", "publish", "--at", &at, "--out"])
            .arg(self.path("site"))
            .arg("--signer")
            .arg(self.path("operator.pem"))
            .arg(file)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn watch(&self, more: &[&str]) -> (i32, Value) {
        let output = self.run(&[&["--json"], more].concat());
        let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            Value::String(String::from_utf8_lossy(&output.stderr).into_owned())
        });
        (output.status.code().unwrap(), answer)
    }

    /// Watches the published list, or what else is said.
    fn run(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
        command.args(["trust", "watch", "--allow-loopback"]);
        if !more.contains(&"--config") {
            command.args(["--profile", "wallet", "--lists"]);
            command.arg(format!("{}/list.jws", self.base));
            command.arg("--signer").arg(self.path("operator.pem"));
        }
        command.args(more).output().unwrap()
    }
}

async fn certificate(profile: pki::Profile, subject: Subject, key: &TestKey) -> Certificate {
    let mut request = Request::new(
        profile,
        subject,
        Signer::public_key(key).clone(),
        ago(300),
        ago(-300),
    );
    request.crl_urls.clear();
    request.ca_issuers_urls.clear();
    let draft = pki::Draft::new(&request, Issuer::Itself(key)).unwrap();
    draft.sign(Issuer::Itself(key)).await.unwrap()
}

/// Serves a folder over HTTP for as long as the process lives.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                request.push(byte[0]);
            }
            let text = String::from_utf8_lossy(&request).into_owned();
            let path = text.split(' ').nth(1).unwrap_or("/");
            let (status, body) = match fs::read(folder.join(path.trim_start_matches('/'))) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body);
        }
    });
    base
}

#[tokio::test]
async fn fresh_refused_stale_and_missing_are_told_apart() {
    let desk = Desk::new().await;
    let (code, answer) = desk.watch(&[]);
    assert_eq!((code, &answer["lists"][0]["state"]), (3, &"missing".into()));

    desk.publish(1, 30, 60, true).await;
    let (code, answer) = desk.watch(&[]);
    let list = &answer["lists"][0];
    assert_eq!((code, &list["state"]), (0, &"fresh".into()), "{answer:#}");
    assert_eq!(list["sequence"], 1);
    assert_eq!(list["profile"], "wallet");
    assert_eq!(list["last_outcome"], "updated");
    let left = list["left_seconds"].as_i64().unwrap();
    assert!((days(60).as_secs() - 600..=days(60).as_secs()).contains(&left));
    let output = desk.run(&["--once"]);
    assert_eq!(output.status.code(), Some(0));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["fresh", "wallet EU", "30 d", "in 59 d 23 h"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }

    // A publisher who is late, and one who is somebody else.
    let served = desk.path("site/list.jws");
    fs::write(&served, desk.sealed(2, 20, -1, true).await).unwrap();
    let (code, answer) = desk.watch(&[]);
    assert_eq!((code, &answer["lists"][0]["state"]), (3, &"stale".into()));
    let thief = Desk::new().await;
    fs::write(&served, thief.sealed(2, 20, 60, true).await).unwrap();
    let (code, answer) = desk.watch(&[]);
    let list = &answer["lists"][0];
    assert_eq!((code, &list["state"]), (1, &"missing".into()));
    assert_eq!(list["trouble"][0]["rule"], "LOTE-SEAL-SIGNER");
}

#[tokio::test]
async fn a_configuration_is_watched() {
    let desk = Desk::new().await;
    desk.publish(1, 30, 60, true).await;
    let file = desk.path("claviger.toml");
    let text = |more: &str| {
        format!(
            r#"
development = true
listen = "127.0.0.1:0"
data = "{0}/data"
roles = ["wsca"]
[device]
uri = "software:{0}/store?key-file={0}/key"
[trust]
grace_seconds = 3600
pointer_depth = 1
[[trusted_lists]]
profile = "wallet"
location = "{1}/list.jws"
signer = "{0}/operator.pem"
refresh_seconds = 60
follow_pointers = true
archive = "{1}/archive"
{more}
"#,
            desk.folder.path().display(),
            desk.base
        )
    };
    let config = ["--config", file.to_str().unwrap()];
    fs::write(&file, text("")).unwrap();
    let (code, answer) = desk.watch(&config);
    assert_eq!(code, 0, "{answer:#}");
    assert_eq!(answer["lists"][0]["sequence"], 1);
    // Due again within the minute that was configured.
    let at = |what: &str| -> Timestamp {
        let text = match what {
            "at" => &answer["at"],
            _ => &answer["lists"][0][what],
        };
        text.as_str().unwrap().parse().unwrap()
    };
    let pause = at("next_attempt").duration_since(at("last_attempt"));
    assert!((54..=60).contains(&pause.as_secs()), "{pause}");

    for (more, key) in [
        ("grace = 1", "grace"),
        ("refresh_seconds = 0", "refresh_seconds"),
    ] {
        let bad = match key {
            "grace" => text(more),
            _ => text("").replace("refresh_seconds = 60", more),
        };
        fs::write(&file, bad).unwrap();
        let (code, said) = desk.watch(&config);
        assert_eq!(code, 2, "{said}");
        assert!(said.to_string().contains(key), "{said}");
    }
    let nothing = Command::new(env!("CARGO_BIN_EXE_claviger"))
        .args(["trust", "watch"])
        .output()
        .unwrap();
    assert_eq!(nothing.status.code(), Some(2));
}

#[tokio::test]
async fn the_archive_that_publish_writes_answers_for_the_past() {
    let desk = Desk::new().await;
    desk.publish(1, 60, 60, true).await;
    desk.publish(2, 10, 60, false).await;
    let folder = Location::File(desk.path("site/archive"));
    let address = Location::Url(format!("{}/archive", desk.base).parse().unwrap());
    for archive in [folder, address] {
        let (then, now) = verdicts(&desk, Some(archive)).await;
        assert_eq!(then.trusted, finding::Trusted::Yes, "{then:#?}");
        assert_eq!(then.lists[0].sequence, 1);
        assert_eq!(now.trusted, finding::Trusted::No);
    }
    let (then, _) = verdicts(&desk, None).await;
    assert_eq!(then.trusted, finding::Trusted::Undecided);
}

/// Of the provider as of thirty days ago and as of now, by a service that never saw
/// the first version.
async fn verdicts(desk: &Desk, archive: Option<Location>) -> (finding::Verdict, finding::Verdict) {
    let copies = tempfile::tempdir_in(desk.folder.path()).unwrap();
    let url = format!("{}/list.jws", desk.base).parse().unwrap();
    let config = Config {
        sources: vec![Source {
            upkeep: Upkeep {
                archive,
                ..Upkeep::default()
            },
            ..Source::pinned(Profile::Wallet, url, vec![desk.operator.clone()])
        }],
        limits: Limits {
            allow_insecure_loopback: true,
            ..Limits::default()
        },
        copies: Some(Path::to_owned(copies.path())),
        ..Config::default()
    };
    let service = TrustService::new(config, Arc::new(SystemClock)).unwrap();
    service.refresh().await;
    let question = |at: Timestamp| CheckRequest {
        chain: vec![desk.provider.clone()],
        context: Context::Wallet,
        policy: Policy::DirectOnly,
        revocation: Revocation::Skip,
        at,
    };
    (
        service.check(&question(ago(30))).await,
        service.check(&question(ago(0))).await,
    )
}
