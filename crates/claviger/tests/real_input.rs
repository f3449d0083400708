//! Certificates and lists that this project did not make.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::path::{Path, PathBuf};

use support::{claviger, claviger_json, rules};

fn vectors(test: &str) -> Option<PathBuf> {
    let found = claviger_fixtures::vectors();
    if found.is_none() {
        claviger_fixtures::skip(test, "../shared/vectors is absent");
    }
    found
}

#[test]
fn the_reference_certificates_break_the_rules_they_break() {
    let Some(vectors) = vectors("the_reference_certificates_break_the_rules_they_break") else {
        return;
    };
    let cases: [(&str, &str, &[&str]); 3] = [
        (
            "pid-issuer",
            "pid",
            &["PKI-PID-QC-TYPE", "PKI-PID-QC-TYPE-PLACE"],
        ),
        (
            "wallet-provider",
            "wallet",
            &["PKI-WAL-QC-TYPE", "PKI-WAL-QC-TYPE-PLACE"],
        ),
        (
            "verifier-access",
            "access",
            &["PKI-ACCESS-CPS", "PKI-ACCESS-IDENTIFIER"],
        ),
    ];
    for (name, profile, expected) in cases {
        let file = vectors.join(format!("certificates/eudi-reference-{name}.pem"));
        let file = file.to_str().unwrap();
        let (code, document) = claviger_json(&["cert", "lint", file, "--profile", profile]);
        assert_eq!(code, 1, "{name}");
        let mut errors: Vec<&str> = document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["severity"] == "error")
            .map(|finding| finding["rule"].as_str().unwrap())
            .collect();
        errors.sort_unstable();
        assert_eq!(errors, expected, "{name}");
        for finding in document["findings"].as_array().unwrap() {
            assert!(!finding["clause"].as_str().unwrap().is_empty());
        }
    }
}

#[test]
fn the_published_list_has_the_defects_it_has() {
    let Some(vectors) = vectors("the_published_list_has_the_defects_it_has") else {
        return;
    };
    let file = vectors.join("lote/webuild-wrpac-providers-lote.json");
    let (code, document) = claviger_json(&["list", "lint", file.to_str().unwrap()]);
    assert_eq!(code, 1);
    let found = rules(&document);
    for rule in ["LOTE-POLICY-NOTICE", "LOTE-SEAL-FORM", "LOTE-NEXT-UPDATE"] {
        assert!(found.contains(&rule), "{rule} is not among {found:?}");
    }
}

#[test]
fn the_reference_pid_certificate_is_trusted_through_a_list_that_holds_it() {
    let test = "the_reference_pid_certificate_is_trusted_through_a_list_that_holds_it";
    let Some(vectors) = vectors(test) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let chain = vectors.join("certificates/eudi-reference-pid-issuer.pem");
    let bed = ListMaker::new(folder.path());
    let holds = bed.list("holds", &chain);
    let other = bed.list("other", &bed.imitation(&chain));
    let check = |list: &Path, revocation: &str| {
        claviger_json(&[
            "trust",
            "check",
            "--chain",
            chain.to_str().unwrap(),
            "--context",
            "pid",
            "--lists",
            list.to_str().unwrap(),
            "--signer",
            bed.signer().to_str().unwrap(),
            "--revocation",
            revocation,
        ])
    };

    let (code, verdict) = check(&holds, "skip");
    assert_eq!(
        (code, &verdict["trusted"]),
        (0, &"yes".into()),
        "{verdict:#}"
    );
    assert_eq!(verdict["method"], "direct");
    assert_eq!(verdict["anchor"]["sha256"], verdict["path"][0]["sha256"]);
    assert!(
        rules(&verdict).contains(&"PKI-PID-QC-TYPE"),
        "its defects are findings of their own"
    );

    let (code, verdict) = check(&holds, "hard");
    assert_eq!(
        (code, &verdict["trusted"]),
        (3, &"undecided".into()),
        "{verdict:#}"
    );

    let (code, verdict) = check(&other, "skip");
    assert_eq!(
        (code, &verdict["trusted"]),
        (1, &"no".into()),
        "{verdict:#}"
    );
    assert!(verdict["anchor"].is_null());
}

/// Makes lists on the command line, as a person would.
struct ListMaker {
    folder: PathBuf,
}

impl ListMaker {
    /// The operator's key is in a software device of its own; its certificate is
    /// issued here.
    fn new(folder: &Path) -> Self {
        let key = folder.join("device.key");
        std::fs::write(&key, "7".repeat(64)).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let maker = Self {
            folder: folder.to_owned(),
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let device = wscd::open(&maker.device()).await.unwrap();
            let name = wscd::KeyName::new("list-operator").unwrap();
            let signer = wscd::DeviceSigner::open(device, name, jose::Curve::P256)
                .await
                .unwrap();
            let now = clock::Clock::now(&clock::SystemClock);
            let hours = |n| jiff::SignedDuration::from_hours(n);
            let request = pki::Request::new(
                pki::Profile::ListOperator,
                pki::Subject::legal("EU", "Test Operator", "NTREU-1", "Test Operator lists"),
                jose::Signer::public_key(&signer).clone(),
                now - hours(1),
                now + hours(24 * 365),
            );
            let certificate = pki::issue(&request, pki::Issuer::Itself(&signer))
                .await
                .unwrap();
            std::fs::write(maker.signer(), pki::chain::to_pem(&[certificate])).unwrap();
        });
        maker
    }

    fn device(&self) -> String {
        let folder = self.folder.display();
        format!("software:{folder}/device.store?key-file={folder}/device.key")
    }

    fn signer(&self) -> PathBuf {
        self.folder.join("operator.pem")
    }

    /// A certificate of the same subject that is another one.
    fn imitation(&self, chain: &Path) -> PathBuf {
        let original = pki::read_chain(&std::fs::read(chain).unwrap())
            .unwrap()
            .remove(0);
        let key = claviger_fixtures::TestKey::generate(jose::Curve::P256);
        let issuer = pki::Issuer::Itself(&key);
        let request = pki::Request::new(
            pki::Profile::Pid,
            pki::Subject::legal("EU", "x", "x", "x"),
            jose::Signer::public_key(&key).clone(),
            original.not_before(),
            original.not_after(),
        );
        let mut draft = pki::Draft::new(&request, issuer).unwrap();
        draft.subject = original.subject_der().to_vec();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let made = runtime.block_on(draft.sign(issuer)).unwrap();
        assert_eq!(made.subject(), original.subject());
        let path = self.folder.join("imitation.pem");
        std::fs::write(&path, pki::chain::to_pem(&[made])).unwrap();
        path
    }

    /// A sealed PID list that holds exactly this certificate.
    fn list(&self, name: &str, certificate: &Path) -> PathBuf {
        let write = |name: &str, text: &str| {
            let path = self.folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let address =
            "{ street = \"Street 1\", locality = \"Town\", postal_code = \"1\", country = \"DE\" }";
        let description = write(
            "list.toml",
            &format!(
                "[operator]\nname = \"Test Operator\"\nterritory = \"EU\"\naddress = {address}\n\
                 email = \"lists@operator.example\"\nweb = \"https://operator.example\"\n\
                 [publication]\nscheme_name = \"test list\"\nlocation = \"https://operator.example/pid.jws\"\n\
                 information = \"https://operator.example/lists\"\narchive = \"https://operator.example/archive\"\n\
                 policy = \"https://operator.example/policy\"\n"
            ),
        );
        let entity = write(
            "entity.toml",
            &format!(
                "name = \"Niscy\"\nregistration = \"LEIXG-123456789\"\nmember_state = \"DE\"\naddress = {address}\n\
                 email = \"contact@provider.example\"\nphone = \"+491\"\nweb = \"https://provider.example\"\n\
                 policies = \"https://provider.example/policy\"\n[service]\nname = \"PID\"\n"
            ),
        );
        let draft = self.folder.join(format!("{name}.json"));
        let draft = draft.to_str().unwrap();
        let out = self.folder.join(format!("{name}.jws"));
        let signer = self.signer();
        let signer = signer.to_str().unwrap();
        for arguments in [
            vec![
                "list",
                "new",
                "--profile",
                "pid",
                "--description",
                &description,
                "--signer",
                signer,
                "--out",
                draft,
            ],
            vec![
                "list",
                "add",
                draft,
                "--entity",
                &entity,
                "--certificate",
                certificate.to_str().unwrap(),
            ],
            vec![
                "list",
                "seal",
                draft,
                "--device",
                &self.device(),
                "--certificate",
                signer,
                "--out",
                out.to_str().unwrap(),
            ],
            vec!["list", "verify", out.to_str().unwrap(), "--signer", signer],
        ] {
            let output = claviger(&arguments);
            assert!(
                output.status.success(),
                "{arguments:?}: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        out
    }
}
