//! What a wallet checks about its counterpart.
//!
//! A wallet-relying party shows two things: an *access certificate* (X.509), which
//! says who it is, and a *registration certificate* (WRPRC, a JWT or CWT), which
//! says what it may do. Here is the second, and what ties the two together:
//!
//! | question | start at |
//! | --- | --- |
//! | is this a registration certificate, and a sound one? | [`UncheckedRegistration::parse`], then [`UncheckedRegistration::verify`] |
//! | is it of the party that holds the access certificate? | [`belongs`] |
//! | what does an authorization request ask (OpenID4VP)? | [`UncheckedStatement::parse`], then [`AuthorizationRequest::read`] |
//! | what does a credential issuer offer (OpenID4VCI)? | [`UncheckedStatement::parse`], then [`IssuerMetadata::read`] |
//! | does the request stay inside what is registered? | [`within_registration`] |
//! | does the provider stay inside its entitlements? | [`within_entitlements`] |
//! | how is one made, for a test bed? | [`NewRegistration`], [`sign_jwt`], [`sign_cwt`] |
//!
//! Pure: bytes and a time come in, answers go out. Whether a chain is trusted, and
//! what a status list says, is asked by the caller (`trust::counterpart`).

mod belongs;
mod claims;
mod credential;
mod cwt;
mod dcql;
mod entitlement;
mod info;
mod issue;
mod jades;
mod metadata;
mod registration;
mod request;
pub mod rules;
mod scope;
mod show;
mod statement;
mod unchecked;

pub use belongs::belongs;
pub use claims::Text;
pub use credential::{Claim, Credential, PathStep};
pub use dcql::{CredentialQuery, Query};
pub use entitlement::{Entitlement, PaymentService};
pub use info::{Attached, attached};
pub use issue::{IssueError, NewRegistration, sign_cwt, sign_jwt};
pub use lote::Mode;
pub use metadata::{Configuration, IssuerMetadata, MetadataCheck};
pub use registration::{Authority, IntendedUse, Intermediary, Person, RegistrationCertificate};
pub use request::{AuthorizationRequest, RequestCheck};
pub use rules::RULES;
pub use scope::{within_entitlements, within_registration};
pub use statement::{Judged, Statement, StatementKind, UncheckedStatement};
pub use unchecked::{RegistrationCheck, RegistrationForm, UncheckedRegistration};

/// The longest registration certificate that is read, in bytes.
pub const MAX_REGISTRATION: usize = 128 * 1024;

/// The longest signed metadata or request object that is read, in bytes. It
/// carries a registration certificate inside, and metadata may be long.
pub const MAX_STATEMENT: usize = 1024 * 1024;

/// The most claims that are compared, of a registration or of a request.
pub const MAX_CLAIMS: usize = 2_000;
