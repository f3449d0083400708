//! A list's whole life on the command line, for every profile: new, add, seal,
//! lint, verify, publish; then its next versions, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jose::{Curve, Signer};
use pki::{Issuer, Request, Subject};
use rstest::rstest;
use serde_json::Value;
use wscd::{DeviceSigner, KeyName};

const OPERATOR: &str = "Example List Operator";
const ENTITY: &str = "Example Provider GmbH";
const REGISTRATION: &str = "NTRDE-HRB12345";

/// A folder with a device, the operator's and the provider's certificates, and
/// what people write down.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Desk {
            folder: tempfile::tempdir().unwrap(),
        };
        let key = desk.path("device.key");
        fs::write(&key, "7".repeat(64)).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let device = wscd::open(&desk.device()).await.unwrap();
            let operator = |id: &str| Subject::legal("EU", OPERATOR, id, "lists");
            let provider = Subject::legal("DE", ENTITY, REGISTRATION, ENTITY);
            for (name, subject, profile) in [
                ("operator", operator("NTREU-1"), pki::Profile::ListOperator),
                ("successor", operator("NTREU-1"), pki::Profile::ListOperator),
                ("leaf", provider.clone(), pki::Profile::StatusList),
                ("ca", provider, pki::Profile::Ca),
            ] {
                let signer = DeviceSigner::open(
                    Arc::clone(&device),
                    KeyName::new(name).unwrap(),
                    Curve::P256,
                )
                .await
                .unwrap();
                let at = Timestamp::now();
                let request = Request::new(
                    profile,
                    subject,
                    signer.public_key().clone(),
                    at - SignedDuration::from_hours(24),
                    at + SignedDuration::from_hours(24 * 365),
                );
                let made = pki::issue(&request, Issuer::Itself(&signer)).await.unwrap();
                let pem = pki::chain::to_pem(&[made]);
                fs::write(desk.path(&format!("{name}.pem")), pem).unwrap();
            }
        });
        fs::write(desk.path("list.toml"), LIST).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn device(&self) -> String {
        format!(
            "software:{}?key-file={}",
            self.path("device").display(),
            self.path("device.key").display()
        )
    }

    /// Runs `claviger list …`, words with a dot being files of the desk.
    fn list(&self, words: &str) -> (i32, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
        command.args(["--json", "list"]);
        for word in words.split_ascii_whitespace() {
            if word.contains('.') || word == "site" {
                command.arg(self.path(word));
            } else if word == "DEVICE" {
                command.arg(self.device());
            } else {
                command.arg(word);
            }
        }
        let output = command.output().unwrap();
        let code = output.status.code().unwrap();
        let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            Value::String(said.into_owned())
        });
        (code, answer)
    }

    /// As [`Desk::list`], for what has to work without any finding.
    fn does(&self, words: &str) -> Value {
        let (code, answer) = self.list(words);
        assert_eq!(code, 0, "{words}: {answer:#}");
        assert!(
            answer["findings"].as_array().is_none_or(Vec::is_empty),
            "{words}: {answer:#}"
        );
        answer
    }

    /// The rules under which something is refused.
    fn refuses(&self, words: &str) -> Vec<String> {
        let (code, answer) = self.list(words);
        assert_eq!(code, 1, "{words}: {answer:#}");
        let findings = answer["findings"].as_array().unwrap();
        let rules = findings
            .iter()
            .map(|f| f["rule"].as_str().unwrap().to_owned());
        rules.collect()
    }

    /// A sealed list of one entity, in `first.jws`; its draft is `draft.json`.
    fn first(&self, profile: &str) -> Value {
        fs::write(self.path("entity.toml"), entity(profile)).unwrap();
        self.does(&format!(
            "new --profile {profile} --description list.toml --signer operator.pem --out draft.json"
        ));
        let certificate = match profile {
            "access" | "registration" => "ca.pem",
            _ => "leaf.pem",
        };
        let status = match profile {
            "registrars" => "",
            _ => "--status-certificate leaf.pem",
        };
        self.does(&format!(
            "add draft.json --entity entity.toml --certificate {certificate} {status}"
        ));
        self.seal("operator", "first.jws")
    }

    fn seal(&self, key: &str, out: &str) -> Value {
        self.does(&format!(
            "seal draft.json --device DEVICE --key {key} --certificate {key}.pem --out {out}"
        ))
    }
}

const LIST: &str = r#"
[operator]
name = "Example List Operator"
territory = "EU"
address = { street = "Example Street 1", locality = "Berlin", postal_code = "10115", country = "DE" }
email = "lists@operator.example"
web = "https://operator.example"

[publication]
scheme_name = "example list"
location = "https://operator.example/list.jws"
information = "https://operator.example/about"
archive = "https://operator.example/archive/"
policy = "https://operator.example/policy"
"#;

fn entity(profile: &str) -> String {
    let law = match profile {
        "pub-eaa" => "law = \"OJ:DE:example-law\"",
        _ => "",
    };
    let service = match profile {
        "wallet" => "unique_id = \"https://provider.example/solutions/1\"",
        "registrars" => "supply_point = \"https://provider.example/register\"",
        _ => "",
    };
    format!(
        r#"
name = "{ENTITY}"
registration = "{REGISTRATION}"
member_state = "DE"
address = {{ street = "Example Street 2", locality = "Berlin", postal_code = "10115", country = "DE" }}
email = "contact@provider.example"
phone = "+49301234567"
web = "https://provider.example"
policies = "https://provider.example/policy"
{law}

[service]
name = "Example service"
{service}
"#
    )
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[rstest]
#[case("pid")]
#[case("wallet")]
#[case("access")]
#[case("registration")]
#[case("pub-eaa")]
#[case("registrars")]
#[case("mdl")]
fn a_list_of_every_profile_is_made_and_published(#[case] profile: &str) {
    let desk = Desk::new();
    desk.first(profile);
    let linted = desk.does("lint first.jws");
    assert_eq!(linted["profile"], profile);
    let verified = desk.does("verify first.jws --signer operator.pem");
    assert_eq!(verified["sequence"], 1);
    let published = desk.does("publish first.jws --out site --signer operator.pem");
    assert_eq!(published["sequence"], 1);

    let sealed = read(&desk.path("first.jws"));
    assert_eq!(read(&desk.path("site/list.jws")), sealed);
    assert_eq!(read(&desk.path("site/archive/1.jws")), sealed);
    let payload = String::from_utf8(sealed).unwrap();
    let payload = jose::b64::decode(payload.split('.').nth(1).unwrap()).unwrap();
    assert_eq!(read(&desk.path("site/list.json")), payload);
    assert_eq!(read(&desk.path("site/archive/1.json")), payload);
    let page = String::from_utf8(read(&desk.path("site/index.html"))).unwrap();
    for said in [
        OPERATOR,
        ENTITY,
        REGISTRATION,
        "no. 1",
        "archive/index.html",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let index: Value =
        serde_json::from_slice(&read(&desk.path("site/archive/index.json"))).unwrap();
    assert_eq!(index[0]["sequence"], 1);
    assert_eq!(index[0]["entities"], 1);
    for file in published["files"].as_array().unwrap() {
        assert!(desk.path("site").join(file.as_str().unwrap()).is_file());
    }
    // What is served is what was sealed, whoever reads it.
    desk.does("verify site/list.jws --signer operator.pem");
    desk.does("lint site/archive/1.jws");
}

#[test]
fn versions_follow_each_other_and_none_goes_back() {
    let desk = Desk::new();
    desk.first("pid");
    desk.does("publish first.jws --out site --signer operator.pem");
    // Once more, as after a crash in the middle.
    fs::remove_file(desk.path("site/index.html")).unwrap();
    desk.does("publish first.jws --out site --signer operator.pem");
    assert!(desk.path("site/index.html").is_file());

    // The same number with another content.
    let draft = read(&desk.path("draft.json"));
    desk.seal("operator", "second.jws");
    desk.does("publish second.jws --out site --signer operator.pem");
    fs::write(desk.path("draft.json"), &draft).unwrap();
    desk.does("signers draft.json --announce successor.pem");
    desk.seal("operator", "other.jws");
    let other = "publish other.jws --out site --signer operator.pem";
    assert_eq!(desk.refuses(other), ["LOTE-SEQUENCE-BACK"]);
    // An older one.
    let first = "publish first.jws --out site --signer operator.pem";
    assert!(
        desk.refuses(first)
            .contains(&"LOTE-SEQUENCE-BACK".to_owned())
    );
    let second = read(&desk.path("second.jws"));
    assert_eq!(read(&desk.path("site/list.jws")), second);
    // Not even when the archive is gone.
    fs::remove_dir_all(desk.path("site/archive")).unwrap();
    assert!(
        desk.refuses(first)
            .contains(&"LOTE-SEQUENCE-BACK".to_owned())
    );

    desk.does("publish second.jws --out site --signer operator.pem");
    let index: Value =
        serde_json::from_slice(&read(&desk.path("site/archive/index.json"))).unwrap();
    assert_eq!(index.as_array().unwrap().len(), 1);
}

#[test]
fn what_does_not_verify_is_not_published() {
    let desk = Desk::new();
    desk.first("wallet");
    let stranger = "publish first.jws --out site --signer leaf.pem";
    assert_eq!(desk.refuses(stranger), ["LOTE-SEAL-SIGNER"]);
    let stale = "publish first.jws --out site --signer operator.pem --at 2040-01-01T00:00:00Z";
    let (code, _) = desk.list(stale);
    assert_eq!(code, 1);
    let mut altered = read(&desk.path("first.jws"));
    let middle = altered.len() / 2;
    altered[middle] = if altered[middle] == b'A' { b'B' } else { b'A' };
    fs::write(desk.path("altered.jws"), altered).unwrap();
    let altered = "publish altered.jws --out site --signer operator.pem";
    assert_eq!(desk.refuses(altered), ["LOTE-SEAL-SIGNATURE"]);
    let plain = "publish draft.json --out site --signer operator.pem";
    assert_eq!(desk.refuses(plain), ["LOTE-SEAL-FORM"]);
    assert!(!desk.path("site/list.jws").exists() && !desk.path("site/archive/1.jws").exists());
}

#[test]
fn a_signer_changes_only_as_announced() {
    let desk = Desk::new();
    desk.first("pid");
    let both = [
        read(&desk.path("operator.pem")),
        read(&desk.path("successor.pem")),
    ]
    .concat();
    fs::write(desk.path("both.pem"), both).unwrap();
    desk.does("publish first.jws --out site --signer both.pem");
    let draft = read(&desk.path("draft.json"));

    // The successor at once: refused, even though both are pinned.
    desk.seal("successor", "hasty.jws");
    let hasty = "publish hasty.jws --out site --signer both.pem";
    assert_eq!(desk.refuses(hasty), ["LOTE-SEAL-SUCCESSOR"]);
    let (_, told) = desk.list("diff first.jws hasty.jws");
    assert!(
        told.to_string()
            .contains(", not announced by the older version")
    );

    // Announced, then sealing.
    fs::write(desk.path("draft.json"), draft).unwrap();
    desk.does("signers draft.json --announce successor.pem");
    desk.seal("operator", "second.jws");
    let (_, told) = desk.list("diff first.jws second.jws");
    assert!(
        told.to_string()
            .contains("is announced: it may seal later versions")
    );
    desk.does("publish second.jws --out site --signer both.pem");
    desk.does("signers draft.json --retire operator.pem");
    desk.seal("successor", "third.jws");
    let (_, told) = desk.list("diff second.jws third.jws");
    assert!(
        told.to_string()
            .contains("), announced by the older version")
    );
    assert!(told.to_string().contains("is announced no longer"));
    desk.does("publish third.jws --out site --signer both.pem");
    desk.does("lint site/list.jws");
    let index: Value =
        serde_json::from_slice(&read(&desk.path("site/archive/index.json"))).unwrap();
    let numbers: Vec<u64> = index
        .as_array()
        .unwrap()
        .iter()
        .map(|instance| instance["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn a_folder_is_published_by_one_at_a_time() {
    let desk = Desk::new();
    desk.first("mdl");
    fs::create_dir(desk.path("site")).unwrap();
    let lock = fs::File::create(desk.path("site/.publish.lock")).unwrap();
    lock.lock().unwrap();
    let (code, said) = desk.list("publish first.jws --out site --signer operator.pem");
    assert_eq!(code, 2);
    assert!(
        said.as_str()
            .unwrap()
            .contains("another publish is under way")
    );
    // Not by dropping it: a process that another test is starting may still hold it.
    lock.unlock().unwrap();
    desk.does("publish first.jws --out site --signer operator.pem");
}
