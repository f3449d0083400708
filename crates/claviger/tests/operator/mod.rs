//! A wallet provider's operator: a configuration, its data, and OpenSSL as the CA.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;
use std::process::{Command, Output};

use claviger_fixtures::tokens::{Module, Tokens};
use serde_json::Value;

pub const SUBJECT: &str =
    "C=BE,O=Example,organizationIdentifier=VATBE-0876866142,CN=Example wallet attestations";

/// What a certificate of TS 119 412-6, clause 5, has beside what the request asks for.
pub const CONFORMING: &str = "authorityKeyIdentifier=keyid\n\
    certificatePolicies=0.4.0.2042.1.1\n\
    crlDistributionPoints=URI:http://ca.example/ca.crl\n\
    authorityInfoAccess=caIssuers;URI:http://ca.example/ca.cer\n";

/// A provider's configuration and data, and OpenSSL as its CA.
pub struct Operator {
    pub folder: PathBuf,
    _temporary: tempfile::TempDir,
    pub environment: Vec<(String, PathBuf)>,
}

impl Operator {
    /// On the software device. `None` where there is no OpenSSL.
    pub fn new(test: &str) -> Option<Self> {
        let operator = Self::without_device(test)?;
        let folder = operator.folder.display();
        operator.secret("device.key", &"7".repeat(64));
        let device = format!("software:{folder}/device.store?key-file={folder}/device.key");
        operator.configure(&device, "127.0.0.1:0");
        Some(operator)
    }

    pub fn without_device(test: &str) -> Option<Self> {
        let there = Command::new("openssl").arg("version").output();
        if !there.is_ok_and(|output| output.status.success()) {
            claviger_fixtures::skip(test, "openssl is not on this machine");
            return None;
        }
        let temporary = tempfile::tempdir().unwrap();
        let operator = Self {
            folder: temporary.path().to_owned(),
            _temporary: temporary,
            environment: Vec::new(),
        };
        operator.make_ca();
        Some(operator)
    }

    /// On a SoftHSM token that is set up, and the device's URI. `None` where there is no
    /// OpenSSL, or no SoftHSM.
    pub fn on_softhsm(test: &str) -> Option<(Self, String)> {
        let Some(module) = Module::SoftHsm.path() else {
            claviger_fixtures::skip(test, Module::SoftHsm.missing());
            return None;
        };
        let mut operator = Self::without_device(test)?;
        let tokens = Tokens::prepare(Module::SoftHsm, module, &operator.folder).unwrap();
        operator.environment = tokens
            .environment()
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect();
        let device = tokens.uri("keys");
        let init = Command::new(env!("CARGO_BIN_EXE_claviger"))
            .envs(operator.environment.iter().cloned())
            .args(["wscd", "init", "--device", &device, "--so-pin-source"])
            .arg(operator.path("so-pin"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&init.stderr);
        assert!(init.status.success(), "{said}");
        Some((operator, device))
    }

    pub fn configure(&self, device: &str, listen: &str) {
        let text = format!(
            "development = true\nlisten = \"{listen}\"\ndata = \"{}\"\n\
             roles = [\"wsca\", \"wallet-provider\"]\n\
             [device]\nuri = \"{device}\"\n[wallet_provider]\nsolution = \"Example\"\n\
             client_id = \"https://wallet.example\"\ncertification = \"none\"\n",
            self.path("data")
        );
        std::fs::write(self.path("claviger.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    pub fn secret(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.path(name), text).unwrap();
        let owner = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(self.path(name), owner).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_claviger"));
        command.envs(self.environment.iter().cloned()).arg("keys");
        command.args(arguments).arg("--json");
        command.args(["--config", &self.path("claviger.toml")]);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The document of a command that answers, and its exit status.
    pub fn keys(&self, arguments: &[&str]) -> (i32, Value) {
        let output = self.run(arguments);
        let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr))
        });
        (output.status.code().unwrap(), document)
    }

    /// What a command that cannot do its work says.
    pub fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Makes a key and a request for it; the number of its generation.
    pub fn request(&self, purpose: &str, curve: &str, out: &str) -> u64 {
        let _ = std::fs::remove_file(self.path(out));
        let (status, made) = self.keys(&[
            "request",
            "--purpose",
            purpose,
            "--curve",
            curve,
            "--subject",
            SUBJECT,
            "--out",
            &self.path(out),
        ]);
        assert_eq!(status, 0);
        made["generation"].as_u64().unwrap()
    }

    pub fn install(&self, purpose: &str, chain: &str, more: &[&str]) -> (i32, Value) {
        let chain = self.path(chain);
        let arguments = [&["install", "--purpose", purpose, "--chain", &chain], more].concat();
        self.keys(&arguments)
    }

    pub fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(&self.folder)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {said}");
    }

    pub fn make_ca(&self) {
        let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\n\
             certificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\npolicy=p\n\
             copy_extensions=copy\nunique_subject=no\nrand_serial=yes\n\
             [p]\ncountryName=optional\norganizationName=optional\n\
             organizationIdentifier=optional\ncommonName=supplied\n";
        std::fs::write(self.path("ca.cnf"), config).unwrap();
        std::fs::write(self.path("index.txt"), "").unwrap();
        self.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "3650",
            "-subj",
            "/C=BE/O=Example CA/organizationIdentifier=VATBE-0123456789/CN=Example CA",
        ]);
    }

    /// Has the CA issue what a request asks for; the dates as OpenSSL has them.
    pub fn issue(&self, request: &str, out: &str, extensions: &str, dates: (&str, &str)) {
        let file = format!("{out}.ext");
        std::fs::write(self.path(&file), extensions).unwrap();
        self.openssl(&["req", "-in", request, "-verify", "-noout"]);
        self.openssl(&[
            "ca",
            "-config",
            "ca.cnf",
            "-batch",
            "-notext",
            "-in",
            request,
            "-out",
            out,
            "-extfile",
            &file,
            "-startdate",
            dates.0,
            "-enddate",
            dates.1,
        ]);
    }
}

pub const NOW: (&str, &str) = ("20260101000000Z", "20401231000000Z");
pub const ENDED: (&str, &str) = ("20240101000000Z", "20250101000000Z");
