//! A CA for TLS, and the certificates it issues, as PEM files.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, PublicKey, SignError, Signer};
use pki::{Certificate, Draft, Issuer, Oid};

const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";

/// A CA of its own.
pub struct Ca {
    certificate: Certificate,
    key: TlsKey,
    folder: PathBuf,
    name: String,
}

/// A certificate's file, and its key's.
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Ca {
    pub async fn new(folder: &Path, name: &str) -> Self {
        let key = TlsKey::generate();
        let draft = draft(name, name, &key, days(-1), days(30))
            .with(oid(BASIC_CONSTRAINTS), true, &[0x30, 3, 1, 1, 0xff])
            .unwrap()
            .with(oid(KEY_USAGE), true, &[3, 2, 2, 4])
            .unwrap();
        let certificate = draft.sign(Issuer::Itself(&key)).await.unwrap();
        let ca = Self {
            certificate,
            key,
            folder: folder.to_owned(),
            name: name.to_owned(),
        };
        std::fs::write(ca.certificate(), pem("CERTIFICATE", ca.certificate.der())).unwrap();
        ca
    }

    /// The CA's own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join(format!("{}.pem", self.name))
    }

    /// A certificate for `localhost` and 127.0.0.1, to serve and to connect with.
    pub async fn issue(&self, name: &str) -> Issued {
        self.issue_until(name, days(30)).await
    }

    /// One that ended yesterday.
    pub async fn issue_expired(&self, name: &str) -> Issued {
        self.issue_until(name, days(-1)).await
    }

    async fn issue_until(&self, name: &str, until: Timestamp) -> Issued {
        let key = TlsKey::generate();
        let both_usages = [
            &[0x30, 20, 6, 8][..],
            &[0x2b, 6, 1, 5, 5, 7, 3, 1],
            &[6, 8],
            &[0x2b, 6, 1, 5, 5, 7, 3, 2],
        ]
        .concat();
        let names = [
            &[0x30, 17, 0x82, 9][..],
            b"localhost",
            &[0x87, 4, 127, 0, 0, 1],
        ]
        .concat();
        let certificate = draft(&self.name, name, &key, days(-2), until)
            .with(oid(EXTENDED_KEY_USAGE), false, &both_usages)
            .unwrap()
            .with(oid(SUBJECT_ALT_NAME), false, &names)
            .unwrap()
            .sign(Issuer::Ca {
                certificate: &self.certificate,
                signer: &self.key,
            })
            .await
            .unwrap();
        let issued = Issued {
            certificate: self.folder.join(format!("{}-{name}.pem", self.name)),
            key: self.folder.join(format!("{}-{name}.key", self.name)),
        };
        std::fs::write(&issued.certificate, pem("CERTIFICATE", certificate.der())).unwrap();
        std::fs::write(&issued.key, pem("PRIVATE KEY", &key.pkcs8)).unwrap();
        issued
    }
}

fn draft(issuer: &str, subject: &str, key: &TlsKey, from: Timestamp, until: Timestamp) -> Draft {
    let name = |name| pki::issue::name_der(&[(pki::oid::COMMON_NAME, name)]).unwrap();
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).unwrap();
    serial[0] = 0x41;
    Draft {
        serial: serial.to_vec(),
        issuer: name(issuer),
        subject: name(subject),
        spki: key.public.to_spki_der(),
        not_before: from,
        not_after: until,
        extensions: vec![],
    }
}

fn oid(text: &str) -> Oid {
    Oid::new_unwrap(text)
}

fn days(count: i64) -> Timestamp {
    clock::Clock::now(&clock::SystemClock) + SignedDuration::from_hours(24 * count)
}

fn pem(label: &str, der: &[u8]) -> String {
    let lines: Vec<String> = jose::b64::encode_std(der)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// A key whose private part goes into a file.
#[derive(Debug)]
struct TlsKey {
    public: PublicKey,
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
}

impl TlsKey {
    fn generate() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap();
        Self {
            public: PublicKey::from_point(Curve::P256, pair.public_key().as_ref()).unwrap(),
            pair,
            pkcs8: document.as_ref().to_vec(),
        }
    }
}

#[async_trait]
impl Signer for TlsKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.pair.sign(&SystemRandom::new(), message).unwrap();
        Ok(signature.as_ref().to_vec())
    }
}
