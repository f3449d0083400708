//! Certificates: read, linted against their profiles, issued, matched, and
//! validated.
//!
//! Pure: bytes and a time come in, answers go out. What is fetched (a CRL, an
//! issuer's certificate) is fetched by someone else.

pub mod chain;
pub mod crl;
pub mod direct;
pub mod extension;
pub mod identifier;
pub mod issue;
pub mod leaf;
pub mod name;
pub mod ocsp;
pub mod oid;
pub mod path;
pub mod profile;
pub mod qc;
pub mod revocation;
pub mod rules;
pub mod signature;
pub mod status;

mod certificate;
mod tlv;
mod well_formed;

pub use certificate::{Certificate, CertificateError, MAX_CERTIFICATE};
pub use chain::{ChainError, MAX_CHAIN, read_chain};
pub use crl::{Crl, CrlError, CrlRequest, issue_crl};
pub use direct::AnchorIndex;
pub use extension::{AltName, BasicConstraints, Extension, KeyUsage, KeyUsages, Policy};
pub use identifier::{Identifier, IdentifierError};
pub use issue::{
    Draft, IssueError, Issuer, Request, Subject, issue, request_to_pem, signing_request,
};
pub use leaf::check_leaf;
pub use name::Name;
pub use ocsp::{OcspAnswer, OcspError, OcspFault, OcspPolicy, OcspRequest, OcspResponse};
pub use oid::Oid;
pub use path::{Certval, Path, PathFault, PathSettings, PathValidator, find_path};
pub use profile::{Person, Profile, UnknownProfile, lint};
pub use qc::{QcError, QcPsb, QcStatement, QcStatements};
pub use revocation::{
    RevocationMode, RevocationSources, RevocationStatus, path_status, status_by_crl,
};
pub use rules::RULES;
pub use signature::{AlgorithmPolicy, SignatureAlgorithm, SignatureError};
pub use status::{Known, StatusSources, path_status_with, status};
