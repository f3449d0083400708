//! Android devices of the test bed.

use claviger_fixtures::TestKey;
use device_evidence::android::{AndroidPolicy, Levels, RevocationList};
use device_evidence::{App, Digest, RootKey};
use jose::Curve;
use pki::{Certificate, Extension, oid};

use super::{Cert, ca_extensions, der, extension, public, sign, signing_usage, time};

pub const AT: &str = "2026-11-20T12:00:00Z";
pub const CHALLENGE: &[u8] = b"a challenge of the provider's";
pub const PACKAGE: &str = "eu.example.wallet";
pub const SIGNER: [u8; 32] = [0x51; 32];
pub const KEY_DESCRIPTION: &str = "1.3.6.1.4.1.11129.2.1.17";

/// What a KeyDescription says. `hardware` and `software` are tags with their
/// content, in the order they are written.
#[derive(Clone)]
pub struct Description {
    pub attestation_version: u64,
    pub attestation_level: u64,
    pub keymint_version: u64,
    pub keymint_level: u64,
    pub challenge: Vec<u8>,
    pub software: Vec<(u32, Vec<u8>)>,
    pub hardware: Vec<(u32, Vec<u8>)>,
}

pub fn boot(key: &[u8], locked: bool, state: u64) -> Vec<u8> {
    der::seq(&[
        der::octets(key),
        der::boolean(locked),
        der::enumerated(state),
        der::octets(&[9; 32]),
    ])
}

pub fn application(package: &str, version: u64, signers: &[[u8; 32]]) -> Vec<u8> {
    let id = der::seq(&[
        der::set(&[der::seq(&[
            der::octets(package.as_bytes()),
            der::integer(version),
        ])]),
        der::set(&signers.iter().map(|s| der::octets(s)).collect::<Vec<_>>()),
    ]);
    der::octets(&id)
}

impl Description {
    /// A sound one: a signing key in the trusted environment of a locked device.
    pub fn sound() -> Self {
        Self {
            attestation_version: 300,
            attestation_level: 1,
            keymint_version: 300,
            keymint_level: 1,
            challenge: CHALLENGE.to_vec(),
            software: vec![
                (701, der::integer(1_790_000_000_000)),
                (709, application(PACKAGE, 7, &[SIGNER])),
            ],
            hardware: vec![
                (1, der::set(&[der::integer(2)])),
                (2, der::integer(3)),
                (3, der::integer(256)),
                (5, der::set(&[der::integer(4)])),
                (10, der::integer(1)),
                (503, der::null()),
                (702, der::integer(0)),
                (704, boot(&[7; 32], true, 0)),
                (705, der::integer(160_000)),
                (706, der::integer(202_610)),
                (710, der::octets(b"examplebrand")),
                (717, der::octets(b"Example One")),
                (718, der::integer(20_261_005)),
                (719, der::integer(20_261_005)),
            ],
        }
    }

    pub fn strong_box() -> Self {
        Self {
            attestation_level: 2,
            keymint_level: 2,
            ..Self::sound()
        }
    }

    pub fn with(mut self, tag: u32, value: Vec<u8>) -> Self {
        self = self.without(tag);
        let place = self.hardware.iter().position(|(other, _)| *other > tag);
        let place = place.unwrap_or(self.hardware.len());
        self.hardware.insert(place, (tag, value));
        self
    }

    pub fn without(mut self, tag: u32) -> Self {
        self.hardware.retain(|(other, _)| *other != tag);
        self
    }

    pub fn with_application(mut self, id: Vec<u8>) -> Self {
        self.software = vec![(709, id)];
        self
    }

    pub fn to_der(&self) -> Vec<u8> {
        let list = |tags: &[(u32, Vec<u8>)]| {
            der::seq(
                &tags
                    .iter()
                    .map(|(tag, value)| der::explicit(*tag, value))
                    .collect::<Vec<_>>(),
            )
        };
        der::seq(&[
            der::integer(self.attestation_version),
            der::enumerated(self.attestation_level),
            der::integer(self.keymint_version),
            der::enumerated(self.keymint_level),
            der::octets(&self.challenge),
            der::octets(b""),
            list(&self.software),
            list(&self.hardware),
        ])
    }

    pub fn to_extension(&self) -> Extension {
        extension(KEY_DESCRIPTION, false, &self.to_der())
    }
}

/// A maker: its root and intermediate, and the attesting key of one device.
pub struct Bed {
    pub root_key: TestKey,
    pub root: Certificate,
    pub intermediate_key: TestKey,
    pub intermediate: Certificate,
    pub batch_key: TestKey,
    pub batch: Certificate,
    pub app_key: TestKey,
}

const ROOT: &[(pki::Oid, &str)] = &[(oid::SERIAL_NUMBER, "testroot")];
const INTERMEDIATE: &[(pki::Oid, &str)] = &[(oid::SERIAL_NUMBER, "testintermediate")];
pub const BATCH_TEE: &[(pki::Oid, &str)] =
    &[(oid::SERIAL_NUMBER, "testbatch"), (oid::TITLE, "TEE")];
pub const BATCH_STRONG_BOX: &[(pki::Oid, &str)] =
    &[(oid::SERIAL_NUMBER, "testbatch"), (oid::TITLE, "StrongBox")];
pub const LEAF: &[(pki::Oid, &str)] = &[(oid::COMMON_NAME, "Android Keystore Key")];

impl Bed {
    pub fn new() -> Self {
        Self::with_batch(BATCH_TEE, ca_extensions(None))
    }

    pub fn strong_box() -> Self {
        Self::with_batch(BATCH_STRONG_BOX, ca_extensions(None))
    }

    pub fn with_batch(subject: &[(pki::Oid, &str)], extensions: Vec<Extension>) -> Self {
        Self::with_dates(
            subject,
            extensions,
            "2024-01-01T00:00:00Z",
            "2034-01-01T00:00:00Z",
        )
    }

    pub fn with_dates(
        subject: &[(pki::Oid, &str)],
        extensions: Vec<Extension>,
        from: &str,
        to: &str,
    ) -> Self {
        let root_key = TestKey::generate(Curve::P384);
        let intermediate_key = TestKey::generate(Curve::P384);
        let batch_key = TestKey::generate(Curve::P256);
        let root = sign(
            &Cert {
                subject: ROOT,
                serial: &[1],
                key: public(&root_key),
                from: "2016-01-01T00:00:00Z",
                // Past: a root is its key.
                to: "2026-01-01T00:00:00Z",
                extensions: ca_extensions(None),
            },
            ROOT,
            &root_key,
        );
        let intermediate = sign(
            &Cert {
                subject: INTERMEDIATE,
                serial: &[0x0a, 0xbc],
                key: public(&intermediate_key),
                from: "2020-01-01T00:00:00Z",
                to: "2036-01-01T00:00:00Z",
                extensions: ca_extensions(Some(1)),
            },
            ROOT,
            &root_key,
        );
        let batch = sign(
            &Cert {
                subject,
                serial: &[0x0d, 0xef, 0x01],
                key: public(&batch_key),
                from,
                to,
                extensions,
            },
            INTERMEDIATE,
            &intermediate_key,
        );
        Self {
            root_key,
            root,
            intermediate_key,
            intermediate,
            batch_key,
            batch,
            app_key: TestKey::generate(Curve::P256),
        }
    }

    /// The maker gives the device another attesting key.
    pub fn change_batch(&mut self, serial: &[u8]) {
        self.batch_key = TestKey::generate(Curve::P256);
        self.batch = sign(
            &Cert {
                subject: BATCH_TEE,
                serial,
                key: public(&self.batch_key),
                from: "2024-01-01T00:00:00Z",
                to: "2034-01-01T00:00:00Z",
                extensions: ca_extensions(None),
            },
            INTERMEDIATE,
            &self.intermediate_key,
        );
    }

    pub fn policy(&self) -> AndroidPolicy {
        AndroidPolicy {
            google_roots: false,
            roots: vec![RootKey::new("test bed", self.root.spki_der().to_vec())],
            apps: vec![App {
                package: PACKAGE.into(),
                signers: vec![Digest(SIGNER)],
                min_version: 5,
            }],
            levels: Levels::BY_PLACE,
            ..AndroidPolicy::default()
        }
    }

    pub fn leaf(&self, description: &Description) -> Certificate {
        self.leaf_with(vec![signing_usage(), description.to_extension()])
    }

    pub fn leaf_with(&self, extensions: Vec<Extension>) -> Certificate {
        self.leaf_for(public(&self.app_key), extensions)
    }

    /// Of another key of the device's.
    pub fn leaf_for(&self, key: jose::PublicKey, extensions: Vec<Extension>) -> Certificate {
        sign(
            &Cert {
                subject: LEAF,
                serial: &[1],
                key,
                from: "1970-01-01T00:00:00Z",
                to: "2048-01-01T00:00:00Z",
                extensions,
            },
            &subject(&self.batch),
            &self.batch_key,
        )
    }

    pub fn chain(&self, description: &Description) -> Vec<Vec<u8>> {
        self.chain_of(&self.leaf(description))
    }

    pub fn chain_of(&self, leaf: &Certificate) -> Vec<Vec<u8>> {
        [leaf, &self.batch, &self.intermediate, &self.root]
            .map(|certificate| certificate.der().to_vec())
            .to_vec()
    }
}

/// The subject's attributes that the bed uses.
fn subject(certificate: &Certificate) -> Vec<(pki::Oid, &'static str)> {
    let name = certificate.subject_name();
    match name.first(oid::TITLE).as_deref() {
        Some("StrongBox") => BATCH_STRONG_BOX.to_vec(),
        Some("TEE") => BATCH_TEE.to_vec(),
        _ => vec![(oid::COMMON_NAME, "rkp"), (oid::ORGANIZATION, "TEE")],
    }
}

pub const RKP: &[(pki::Oid, &str)] = &[(oid::COMMON_NAME, "rkp"), (oid::ORGANIZATION, "TEE")];

/// basicConstraints, keyUsage and provisioning information.
pub fn rkp_extensions(issued: u8) -> Vec<Extension> {
    let mut extensions = ca_extensions(None);
    extensions.push(extension(
        "1.3.6.1.4.1.11129.2.1.30",
        false,
        &[0xa1, 0x01, 0x18, issued],
    ));
    extensions
}

/// A list that names nothing, of now.
pub fn nothing_revoked() -> RevocationList {
    RevocationList::from_json(br#"{"entries":{}}"#, time(AT)).unwrap()
}
