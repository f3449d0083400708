//! What a decision's certificates were looked up in.

use std::sync::Arc;

use finding::Finding;
use pki::{Certificate, Crl, OcspAnswer};

/// Everything that was at hand about revocation, as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Material {
    /// The issuer of a directly trusted leaf, under whose key the rest is verified.
    pub(crate) issuer: Option<Certificate>,
    pub(crate) crls: Vec<Arc<KeptCrl>>,
    pub(crate) answers: Vec<Arc<KeptAnswer>>,
    /// What could not be had.
    pub(crate) failed: Vec<Finding>,
}

/// A CRL and where it came from.
#[derive(Debug)]
pub(crate) struct KeptCrl {
    pub(crate) uri: String,
    pub(crate) der: Vec<u8>,
    pub(crate) crl: Crl,
}

/// An OCSP response, the nonce that was sent for it, and where it came from.
#[derive(Debug)]
pub(crate) struct KeptAnswer {
    pub(crate) uri: String,
    pub(crate) der: Vec<u8>,
    pub(crate) answer: OcspAnswer,
}
