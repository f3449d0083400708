//! `claviger serve` refuses what only development may have, unless the file says
//! that it is development.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::claviger;

fn config(folder: &std::path::Path, text: &str) -> String {
    let path = folder.join("claviger.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const COMMON: &str = r#"
listen = "127.0.0.1:0"
data = "/dev/null/claviger"
roles = ["wsca", "wallet-provider"]
[wallet_provider]
solution = "Solution"
client_id = "https://wallet.example"
certification = "none"
"#;

#[test]
fn the_software_device_is_refused_in_production() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        format!("public_url = \"https://wallet.example\"\n{COMMON}[device]\nuri = \"software:\"\n");
    for command in [vec!["serve", "--config"], vec!["config", "check"]] {
        let file = config(folder.path(), &text);
        let mut arguments = command.clone();
        arguments.push(&file);
        let output = claviger(&arguments);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("device.uri") && said.contains("development"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn development_says_so_loudly() {
    let folder = tempfile::tempdir().unwrap();
    let folder_shown = folder.path().display();
    let key = folder.path().join("key");
    std::fs::write(&key, "7".repeat(64)).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "development = true\n{COMMON}[device]\n\
         uri = \"software:{folder_shown}/store?key-file={folder_shown}/key\"\n"
    );
    let file = config(folder.path(), &text);
    let checked = claviger(&["config", "check", &file]);
    assert_eq!(checked.status.code(), Some(0));
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(said.contains("DEVELOPMENT"), "{said}");
    assert!(said.contains("device are not opened"), "{said}");
    // The data folder cannot be made, so it ends; what matters is what it said.
    let served = claviger(&["serve", "--config", &file]);
    assert_eq!(served.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&served.stderr).contains("NOT FOR REAL USERS"));
}

#[test]
fn the_sample_configuration_holds() {
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/claviger.example.toml"
    );
    let checked = claviger(&["config", "check", sample]);
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
}

/// What is wrong with a configuration is said by the key's name.
#[test]
fn trust_settings_are_named_when_they_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    for (key, value) in [("policy", "any"), ("revocation", "sometimes")] {
        let text = format!(
            "development = true\n{COMMON}[device]\nuri = \"software:\"\n[trust]\n{key} = \"{value}\"\n"
        );
        let output = claviger(&["config", "check", &config(folder.path(), &text)]);
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("trust.{key}")), "{said}");
    }
}
