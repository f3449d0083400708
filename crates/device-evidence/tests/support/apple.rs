//! Apple devices of the test bed.

use claviger_fixtures::TestKey;
use device_evidence::RootKey;
use device_evidence::apple::{AppId, AppleLevels, ApplePolicy, Environment};
use jose::cbor::{self, Value};
use jose::{Curve, Signer, sha256};
use pki::{Certificate, oid};

use super::{Cert, ca_extensions, der, extension, public, ready, sign};

pub const AT: &str = "2026-11-20T12:00:00Z";
pub const APP: &str = "TEAM123456.eu.example.wallet";
pub const PRODUCTION: &[u8; 16] = b"appattest\0\0\0\0\0\0\0";
pub const DEVELOPMENT: &[u8; 16] = b"appattestdevelop";

pub struct Bed {
    pub root_key: TestKey,
    pub ca_key: TestKey,
    pub ca: Certificate,
    pub key: TestKey,
}

const ROOT: &[(pki::Oid, &str)] = &[(oid::COMMON_NAME, "test root")];
const CA: &[(pki::Oid, &str)] = &[(oid::COMMON_NAME, "test CA 1")];

/// What an attestation is made of.
pub struct Attestation<'a> {
    pub client_data_hash: [u8; 32],
    pub app: &'a str,
    pub aaguid: &'a [u8; 16],
    pub counter: u32,
    /// The nonce, where it is not the right one.
    pub nonce: Option<[u8; 32]>,
    /// The credential id, where it is not the right one.
    pub id: Option<Vec<u8>>,
    /// The COSE key's owner, where it is not the certified key.
    pub cose: Option<&'a TestKey>,
    pub fmt: &'a str,
    pub to: &'a str,
}

impl Attestation<'_> {
    pub fn sound(client_data_hash: [u8; 32]) -> Self {
        Self {
            client_data_hash,
            app: APP,
            aaguid: PRODUCTION,
            counter: 0,
            nonce: None,
            id: None,
            cose: None,
            fmt: "apple-appattest",
            to: "2026-11-23T00:00:00Z",
        }
    }
}

impl Bed {
    pub fn new() -> Self {
        let root_key = TestKey::generate(Curve::P384);
        let ca_key = TestKey::generate(Curve::P384);
        let ca = sign(
            &Cert {
                subject: CA,
                serial: &[2],
                key: public(&ca_key),
                from: "2020-01-01T00:00:00Z",
                to: "2030-01-01T00:00:00Z",
                extensions: ca_extensions(Some(0)),
            },
            ROOT,
            &root_key,
        );
        Self {
            root_key,
            ca_key,
            ca,
            key: TestKey::generate(Curve::P256),
        }
    }

    pub fn policy(&self) -> ApplePolicy {
        ApplePolicy {
            apple_root: false,
            roots: vec![RootKey::new(
                "test bed",
                public(&self.root_key).to_spki_der(),
            )],
            apps: vec![AppId::try_from(APP.to_owned()).unwrap()],
            environments: vec![Environment::Production],
            levels: AppleLevels::BY_PLACE,
        }
    }

    pub fn key_id(&self) -> [u8; 32] {
        sha256(public(&self.key).point())
    }

    pub fn auth_data(&self, made: &Attestation<'_>) -> Vec<u8> {
        let id = made.id.clone().unwrap_or_else(|| self.key_id().to_vec());
        let owner = public(made.cose.unwrap_or(&self.key));
        let (x, y) = owner.point()[1..].split_at(32);
        let cose = cbor::encode(&Value::Map(vec![
            (1.into(), 2.into()),
            (3.into(), (-7).into()),
            ((-1).into(), 1.into()),
            ((-2).into(), Value::Bytes(x.to_vec())),
            ((-3).into(), Value::Bytes(y.to_vec())),
        ]));
        let mut data = sha256(made.app.as_bytes()).to_vec();
        data.push(0x40);
        data.extend(made.counter.to_be_bytes());
        data.extend(made.aaguid);
        data.extend(u16::try_from(id.len()).unwrap().to_be_bytes());
        data.extend(id);
        data.extend(cose);
        data
    }

    pub fn leaf(&self, made: &Attestation<'_>) -> Certificate {
        let auth_data = self.auth_data(made);
        let nonce = made
            .nonce
            .unwrap_or_else(|| sha256(&[auth_data.as_slice(), &made.client_data_hash].concat()));
        let value = der::seq(&[der::explicit(1, &der::octets(&nonce))]);
        sign(
            &Cert {
                subject: &[(oid::COMMON_NAME, "a key")],
                serial: &[3],
                key: public(&self.key),
                from: "2026-11-19T00:00:00Z",
                to: made.to,
                extensions: vec![
                    extension("2.5.29.19", true, &der::seq(&[])),
                    extension("1.2.840.113635.100.8.2", false, &value),
                ],
            },
            CA,
            &self.ca_key,
        )
    }

    pub fn attest(&self, made: &Attestation<'_>) -> Vec<u8> {
        let leaf = self.leaf(made);
        self.object(made, &[leaf.der(), self.ca.der()])
    }

    pub fn object(&self, made: &Attestation<'_>, chain: &[&[u8]]) -> Vec<u8> {
        let x5c = chain.iter().map(|der| Value::Bytes(der.to_vec())).collect();
        cbor::encode(&Value::Map(vec![
            ("fmt".into(), made.fmt.into()),
            (
                "attStmt".into(),
                Value::Map(vec![
                    ("x5c".into(), Value::Array(x5c)),
                    ("receipt".into(), Value::Bytes(vec![0x30, 0x80])),
                ]),
            ),
            ("authData".into(), Value::Bytes(self.auth_data(made))),
        ]))
    }

    pub fn assert(&self, client_data_hash: &[u8; 32], app: &str, counter: u32) -> Vec<u8> {
        let mut data = sha256(app.as_bytes()).to_vec();
        data.push(0x40);
        data.extend(counter.to_be_bytes());
        let nonce = sha256(&[data.as_slice(), client_data_hash].concat());
        let signature = ready(self.key.sign(&nonce)).unwrap();
        cbor::encode(&Value::Map(vec![
            (
                "signature".into(),
                Value::Bytes(jose::ecdsa_to_der(&signature).unwrap()),
            ),
            ("authenticatorData".into(), Value::Bytes(data)),
        ]))
    }
}
