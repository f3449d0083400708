//! A desk where lists are made with the command itself: a device, certificates,
//! and what people write down.
#![allow(
    dead_code,
    clippy::unwrap_used,
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
use serde_json::Value;
use wscd::{DeviceSigner, KeyName};

pub(crate) const OPERATOR: &str = "Example List Operator";
pub(crate) const ENTITY: &str = "Example Provider GmbH";
pub(crate) const REGISTRATION: &str = "NTRDE-HRB12345";

/// A folder with a device, the operator's and the provider's certificates, and
/// what people write down.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn device(&self) -> String {
        format!(
            "software:{}?key-file={}",
            self.path("device").display(),
            self.path("device.key").display()
        )
    }

    /// Runs `claviger list …`, words with a dot being files of the desk.
    pub(crate) fn list(&self, words: &str) -> (i32, Value) {
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
    pub(crate) fn does(&self, words: &str) -> Value {
        let (code, answer) = self.list(words);
        assert_eq!(code, 0, "{words}: {answer:#}");
        assert!(
            answer["findings"].as_array().is_none_or(Vec::is_empty),
            "{words}: {answer:#}"
        );
        answer
    }

    /// The rules under which something is refused.
    pub(crate) fn refuses(&self, words: &str) -> Vec<String> {
        let (code, answer) = self.list(words);
        assert_eq!(code, 1, "{words}: {answer:#}");
        let findings = answer["findings"].as_array().unwrap();
        let rules = findings
            .iter()
            .map(|f| f["rule"].as_str().unwrap().to_owned());
        rules.collect()
    }

    /// A sealed list of one entity, in `first.jws`; its draft is `draft.json`.
    pub(crate) fn first(&self, profile: &str) -> Value {
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

    pub(crate) fn seal(&self, key: &str, out: &str) -> Value {
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

pub(crate) fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
