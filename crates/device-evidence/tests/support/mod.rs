//! A test bed's own devices: chains under a root of its own, with whatever the
//! real vectors do not show.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

pub mod android;
pub mod apple;
pub mod der;
pub mod play;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use claviger_fixtures::TestKey;
use jiff::Timestamp;
use jose::{PublicKey, Signer};
use pki::issue::{Draft, Issuer, name_der};
use pki::{Certificate, Extension, Oid};

/// What a future says that has nothing to wait for.
pub fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a key in memory answers at once"),
    }
}

/// Every chain of a folder of vectors that has a JSON beside it.
pub fn chains_with_json(folder: &Path) -> Vec<PathBuf> {
    let mut open = vec![folder.to_path_buf()];
    let mut found = Vec::new();
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "pem")
                && path.with_extension("json").exists()
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// An RFC 3339 time.
pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// What a certificate is made of.
pub struct Cert<'a> {
    pub subject: &'a [(Oid, &'a str)],
    pub serial: &'a [u8],
    pub key: PublicKey,
    pub from: &'a str,
    pub to: &'a str,
    pub extensions: Vec<Extension>,
}

/// Signs it with a key, as issued by a subject.
pub fn sign(cert: &Cert<'_>, issuer: &[(Oid, &str)], signer: &TestKey) -> Certificate {
    let draft = Draft {
        serial: cert.serial.to_vec(),
        issuer: name_der(issuer).unwrap(),
        subject: name_der(cert.subject).unwrap(),
        spki: cert.key.to_spki_der(),
        not_before: time(cert.from),
        not_after: time(cert.to),
        extensions: cert.extensions.clone(),
    };
    ready(draft.sign(Issuer::Itself(signer))).unwrap()
}

pub fn public(key: &TestKey) -> PublicKey {
    Signer::public_key(key).clone()
}

/// basicConstraints and keyUsage of a CA.
pub fn ca_extensions(path_len: Option<u8>) -> Vec<Extension> {
    let mut inside = der::boolean(true);
    if let Some(len) = path_len {
        inside.extend(der::integer(u64::from(len)));
    }
    vec![
        extension("2.5.29.19", true, &der::tlv(0x30, &inside)),
        extension("2.5.29.15", true, &[0x03, 0x02, 0x02, 0x04]),
    ]
}

/// keyUsage digitalSignature.
pub fn signing_usage() -> Extension {
    extension("2.5.29.15", true, &[0x03, 0x02, 0x07, 0x80])
}

pub fn extension(id: &str, critical: bool, value: &[u8]) -> Extension {
    let none = Draft {
        serial: vec![1],
        issuer: vec![],
        subject: vec![],
        spki: vec![],
        not_before: Timestamp::UNIX_EPOCH,
        not_after: Timestamp::UNIX_EPOCH,
        extensions: vec![],
    };
    let with = none.with(Oid::new_unwrap(id), critical, value).unwrap();
    with.extensions.into_iter().next().unwrap()
}
