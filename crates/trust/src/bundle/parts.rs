//! The parts of a bundle, as they are written.

use hex::FromHex;
use std::sync::Arc;

use finding::{Finding, Refusal};
use jiff::Timestamp;
use jose::b64;
use pki::ocsp::Nonce;
use pki::{Certificate, Crl, MAX_CHAIN, OcspAnswer, OcspResponse};
use serde::{Deserialize, Serialize};

use crate::request::{CheckRequest, Policy};
use crate::revocation::{KeptAnswer, KeptCrl, Material};
use crate::rules;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The chain, leaf first: base64 of DER, as in x5c.
    pub(super) chain: Vec<String>,
    pub(super) context: String,
    pub(super) policy: String,
    pub(super) revocation: String,
    pub(super) at: Timestamp,
}

/// One source, and what was held of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) profile: String,
    /// Where it comes from.
    pub(super) location: String,
    pub(super) mode: String,
    /// The pinned signers; absent where anyone's seal was taken.
    pub(super) pinned: Option<Vec<String>>,
    /// The list that was held.
    pub(super) held: Option<Sealed>,
    /// The archived instance that was current at the time asked about.
    pub(super) archived: Option<Sealed>,
    /// Why there is none, where there should be.
    pub(super) no_archive: Option<Finding>,
    /// What had gone wrong at the last refresh.
    pub(super) trouble: Vec<Finding>,
    /// The lists whose pointers led to it; absent for a configured source.
    pub(super) led: Option<LedBy>,
}

/// How pointers led to a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LedBy {
    /// The sources on the way, the configured one first.
    pub(super) by: Vec<String>,
    /// Until when these vouch for it.
    pub(super) until: Option<Timestamp>,
}

/// A list as it was sealed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    pub(super) uri: String,
    /// When it was accepted.
    pub(super) accepted: Timestamp,
    pub(super) sha256: String,
    /// The text of the seal.
    pub(super) text: String,
    /// Who had sealed it, where that was announced and is not pinned.
    pub(super) announced: Option<String>,
    /// What was found when it was accepted and did not stand in the way.
    pub(super) found: Vec<Finding>,
}

/// What was known of revocation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revocation {
    /// The issuer of a directly trusted leaf, where the chain did not bring it.
    pub(super) issuer: Option<String>,
    pub(super) crls: Vec<Fetched>,
    pub(super) responses: Vec<Fetched>,
    /// What could not be had.
    pub(super) failed: Vec<Finding>,
}

/// A CRL or an OCSP response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fetched {
    pub(super) uri: String,
    pub(super) sha256: String,
    /// Base64 of the DER.
    pub(super) der: String,
    /// The nonce that was sent, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nonce: Option<String>,
}

impl Question {
    pub(super) fn of(request: &CheckRequest) -> Self {
        Self {
            chain: request.chain.iter().map(encoded).collect(),
            context: request.context.name().to_owned(),
            policy: request.policy.name().to_owned(),
            revocation: request.revocation.to_string(),
            at: request.at,
        }
    }

    pub(super) fn read(&self) -> Result<CheckRequest, Refusal> {
        let form = |what: &str, why: String| {
            let subject = format!("question.{what}");
            Refusal::because(&rules::BUNDLE_FORM, subject, why)
        };
        if self.chain.len() > MAX_CHAIN {
            let why = format!("{} certificates", self.chain.len());
            return Err(form("chain", why));
        }
        let chain = self.chain.iter().map(|text| certificate(text));
        Ok(CheckRequest {
            chain: chain
                .collect::<Result<_, _>>()
                .map_err(|e| form("chain", e))?,
            context: self
                .context
                .parse()
                .map_err(|e: crate::UnknownContext| form("context", e.to_string()))?,
            policy: Policy::from_name(&self.policy)
                .ok_or_else(|| form("policy", "no such policy".to_owned()))?,
            revocation: self
                .revocation
                .parse()
                .map_err(|e: pki::revocation::UnknownMode| form("revocation", e.to_string()))?,
            at: self.at,
        })
    }
}

impl List {
    pub(super) fn altered(&self) -> Vec<Finding> {
        let sealed = [&self.held, &self.archived];
        sealed
            .into_iter()
            .flatten()
            .filter_map(|s| altered(&s.uri, s.text.as_bytes(), &s.sha256))
            .collect()
    }
}

impl Revocation {
    pub(super) fn of(material: &Material) -> Self {
        Self {
            issuer: material.issuer.as_ref().map(encoded),
            crls: material
                .crls
                .iter()
                .map(|kept| Fetched::of(&kept.uri, &kept.der, None))
                .collect(),
            responses: material
                .answers
                .iter()
                .map(|kept| Fetched::of(&kept.uri, &kept.der, kept.answer.nonce))
                .collect(),
            failed: material.failed.clone(),
        }
    }

    pub(super) fn altered(&self) -> Vec<Finding> {
        let parts = self.crls.iter().chain(&self.responses);
        parts
            .filter_map(|part| match b64::decode_std(&part.der) {
                Ok(der) => altered(&part.uri, &der, &part.sha256),
                Err(e) => Some(rules::BUNDLE_PART.finding(&part.uri, e.to_string())),
            })
            .collect()
    }

    pub(super) fn read(&self) -> Result<Material, Refusal> {
        let issuer = self.issuer.as_deref().map(certificate).transpose();
        let form = |subject: &str, why| Refusal::because(&rules::BUNDLE_FORM, subject, why);
        let mut material = Material {
            issuer: issuer.map_err(|e| form("revocation.issuer", e))?,
            failed: self.failed.clone(),
            ..Material::default()
        };
        for part in &self.crls {
            let bad = |why| form(&part.uri, why);
            let der = b64::decode_std(&part.der).map_err(|e| bad(e.to_string()))?;
            let crl = Crl::from_der(&der).map_err(|e| bad(e.to_string()))?;
            let uri = part.uri.clone();
            material.crls.push(Arc::new(KeptCrl { uri, der, crl }));
        }
        for part in &self.responses {
            let bad = |why| form(&part.uri, why);
            let der = b64::decode_std(&part.der).map_err(|e| bad(e.to_string()))?;
            let response = OcspResponse::from_der(&der).map_err(|e| bad(e.to_string()))?;
            let nonce = part.nonce.as_deref().map(nonce).transpose().map_err(bad)?;
            let answer = OcspAnswer { response, nonce };
            let uri = part.uri.clone();
            let kept = KeptAnswer { uri, der, answer };
            material.answers.push(Arc::new(kept));
        }
        Ok(material)
    }
}

impl Fetched {
    fn of(uri: &str, der: &[u8], nonce: Option<Nonce>) -> Self {
        Self {
            uri: uri.to_owned(),
            sha256: hex::encode(jose::sha256(der)),
            der: b64::encode_std(der),
            nonce: nonce.map(|nonce| hex::encode(nonce.as_bytes())),
        }
    }
}

fn altered(uri: &str, bytes: &[u8], digest: &str) -> Option<Finding> {
    let own = hex::encode(jose::sha256(bytes));
    (own != digest).then(|| {
        let evidence = format!("its digest is {own}, not {}", super::shown(digest));
        rules::BUNDLE_PART.finding(super::shown(uri), evidence)
    })
}

pub(super) fn encoded(certificate: &Certificate) -> String {
    b64::encode_std(certificate.der())
}

pub(super) fn certificate(text: &str) -> Result<Certificate, String> {
    let der = b64::decode_std(text).map_err(|e| e.to_string())?;
    Certificate::from_der(&der).map_err(|e| e.to_string())
}

fn nonce(text: &str) -> Result<Nonce, String> {
    let octets =
        <[u8; 32]>::from_hex(text).map_err(|_| "a nonce of 32 octets in hex is expected")?;
    Ok(Nonce::from(octets))
}
