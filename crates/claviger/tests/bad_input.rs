//! Every command that reads a file, given every file a person or an attacker
//! could hand it: one clear line, exit status 1 or 2, never a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The commands, with `FILE` where the file goes.
const COMMANDS: &[&[&str]] = &[
    &["cert", "lint", "FILE", "--profile", "pid"],
    &["cert", "path", "--chain", "FILE", "--anchors", "FILE"],
    &["list", "lint", "FILE"],
    &["list", "verify", "FILE", "--signer", "FILE"],
    &["list", "diff", "FILE", "FILE"],
    &[
        "list",
        "add",
        "FILE",
        "--certificate",
        "FILE",
        "--entity",
        "FILE",
    ],
    &[
        "trust",
        "check",
        "--chain",
        "FILE",
        "--context",
        "pid",
        "--lists",
        "FILE",
    ],
    &[
        "trust",
        "token",
        "FILE",
        "--context",
        "wallet",
        "--lists",
        "FILE",
    ],
    &["wua", "verify", "--ka", "FILE", "--lists", "FILE"],
    &["wua", "verify", "--wia", "FILE", "--lists", "FILE"],
    &["status", "inspect", "FILE"],
    &["config", "check", "FILE"],
    &["serve", "--config", "FILE"],
];

#[test]
fn no_file_makes_a_command_panic_or_ramble() {
    let folder = tempfile::tempdir().unwrap();
    let files = hostile_files(folder.path());
    for command in COMMANDS {
        for file in &files {
            check(command, file);
        }
    }
}

fn check(command: &[&str], file: &Path) {
    let arguments: Vec<OsString> = command
        .iter()
        .map(|part| match *part {
            "FILE" => file.as_os_str().to_owned(),
            part => OsString::from(part),
        })
        .collect();
    let output = Command::new(env!("CARGO_BIN_EXE_claviger"))
        .args(&arguments)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let shown = format!("{command:?} with {}: {stderr}{stdout}", file.display());
    assert!(!stderr.contains("panicked"), "{shown}");
    match output.status.code() {
        Some(1) => assert!(stdout.contains("error"), "no reason given: {shown}"),
        Some(2) => {
            assert_eq!(stderr.lines().count(), 1, "not one line: {shown}");
            assert!(stderr.starts_with("error: "), "{shown}");
        }
        other => panic!("exit status {other:?}: {shown}"),
    }
}

fn hostile_files(folder: &Path) -> Vec<PathBuf> {
    let write = |name: &OsStr, content: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let zeroes = folder.join("zeroes");
    fs::File::create(&zeroes)
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
    let truncated = concat!(
        "-----BEGIN CERTIFICATE-----\n",
        "MIIBszCCAVmgAwIBAgIUQk1O5Jb5cY9mT0m3n6wDkU2sYpQwCgYIKoZIzj0EAwIw\n",
        "-----END CERTIFICATE-----\n"
    );
    let directory = folder.join("directory");
    fs::create_dir(&directory).unwrap();
    vec![
        folder.join("missing"),
        directory,
        zeroes,
        write(OsStr::new("empty"), b""),
        write(OsStr::new("truncated.pem"), truncated.as_bytes()),
        write(
            OsStr::new("truncated.der"),
            &[0x30, 0x82, 0x01, 0xb3, 0x30, 0x82],
        ),
        write(OsStr::new("nested.json"), "[".repeat(10_000).as_bytes()),
        write(OsStr::new("twice.json"), br#"{"LoTE":{},"LoTE":{}}"#),
        write(OsStr::new("dots"), b"e30.e30.e30"),
        write(OsStr::from_bytes(b"not-\xff-utf8"), &[0xff, 0xfe, 0x00]),
    ]
}

/// The same, with good files in every place but one.
#[test]
fn one_hostile_file_among_good_ones_is_refused_too() {
    let folder = tempfile::tempdir().unwrap();
    let good = folder.path().join("good");
    let made = Command::new(env!("CARGO_BIN_EXE_claviger"))
        .args(["demo", "--out"])
        .arg(&good)
        .output()
        .unwrap();
    assert!(made.status.success());
    let good = |name: &str| good.join(name).to_str().unwrap().to_owned();
    let (chain, list, signer) = (
        good("pid-provider.pem"),
        good("lists/pid.jws"),
        good("list-operator.pem"),
    );
    let ka = good("ka.jwt");
    let commands: [&[&str]; 7] = [
        &[
            "list",
            "publish",
            "FILE",
            "--signer",
            &signer,
            "--out",
            "/nonexistent/lists",
        ],
        &[
            "trust",
            "check",
            "--chain",
            &chain,
            "--context",
            "pid",
            "--lists",
            "FILE",
        ],
        &[
            "trust",
            "check",
            "--chain",
            &chain,
            "--context",
            "pid",
            "--lists",
            &list,
            "--signer",
            "FILE",
        ],
        &["wua", "verify", "--ka", &ka, "--lists", "FILE"],
        &["list", "verify", &list, "--signer", "FILE"],
        &["list", "diff", &list, "FILE"],
        &[
            "unit",
            "list",
            "--token-file",
            "FILE",
            "--url",
            "http://127.0.0.1:1",
        ],
    ];
    let files = hostile_files(folder.path());
    for command in commands {
        for file in &files {
            // A folder of lists may be given, and a token may be any text.
            let fits =
                (file.is_dir() && command.contains(&"--lists")) || command.first() == Some(&"unit");
            if !fits {
                check(command, file);
            }
        }
    }
}

#[test]
fn a_directory_of_lists_may_be_empty_but_not_missing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    check(
        &[
            "trust",
            "check",
            "--chain",
            "FILE",
            "--context",
            "pid",
            "--lists",
            "/nonexistent",
        ],
        &missing,
    );
}
