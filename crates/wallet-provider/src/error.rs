use finding::{Refusal, Verdict};
use provider_api::Problem;

use wsca::AdminError;

use crate::{PublishError, StoreError};

/// Why the provider did not do what it was asked. It knows no HTTP status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request is refused, by a stable code and a rule.
    #[error("{problem}: {refusal}")]
    Refused {
        /// The stable code.
        problem: Problem,
        /// The rule that was broken, and the evidence.
        refusal: Refusal,
    },
    /// The lists cannot tell now whether the request is to be taken. The same request
    /// may be later.
    #[error("the lists of {} cannot decide now", _0.context)]
    Undecided(Box<Verdict>),
    /// The store failed. The same request may work later.
    #[error(transparent)]
    Store(StoreError),
    /// The WSCA refused or cannot be reached.
    #[error("the WSCA: {0}")]
    Wsca(#[from] AdminError),
    /// One of the provider's own keys could not be used.
    #[error("a key of the provider: {0}")]
    Sign(#[from] jose::SignError),
    /// An attestation could not be built.
    #[error("an attestation: {0}")]
    Build(#[from] wua::BuildError),
    /// A status list could not be built.
    #[error("a status list: {0}")]
    StatusList(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A status list could not be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The machine gave no random bytes.
    #[error("no random bytes could be had")]
    Random,
}

impl Error {
    /// A refusal.
    pub(crate) fn refused(
        problem: Problem,
        subject: impl Into<String>,
        evidence: impl Into<String>,
    ) -> Self {
        Self::Refused {
            problem,
            refusal: problem.refusal(subject, evidence),
        }
    }

    /// The code, where the request was refused.
    pub fn problem(&self) -> Option<Problem> {
        match self {
            Self::Refused { problem, .. } => Some(*problem),
            _ => None,
        }
    }

    /// What was found, where the request was refused.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal),
            _ => None,
        }
    }
}

/// A refusal that the interface's own checks made.
impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let problem = Problem::ALL
            .into_iter()
            .find(|problem| refusal.names(problem.rule()))
            .unwrap_or(Problem::Malformed);
        Self::Refused { problem, refusal }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (problem, subject) = match &error {
            StoreError::ChallengeUnknown => (Problem::ChallengeUnknown, "challenge"),
            StoreError::ChallengeExpired => (Problem::ChallengeExpired, "challenge"),
            StoreError::Replayed => (Problem::Replayed, provider_api::REQUEST_HEADER),
            StoreError::UnitUnknown => (Problem::UnknownUnit, "unit"),
            StoreError::UnitState(provider_api::UnitState::Revoked) => {
                (Problem::UnitRevoked, "unit")
            }
            StoreError::UnitState(_) => (Problem::WrongState, "unit"),
            StoreError::DeviceKnown => (Problem::DeviceKnown, "device key"),
            StoreError::AccountCode => (Problem::AccountCode, "account"),
            StoreError::StorageUnknown => (Problem::UnknownObject, "storage"),
            StoreError::JobUnknown => (Problem::UnknownObject, "job"),
            StoreError::EntryUnknown => (Problem::UnknownObject, "entry"),
            StoreError::TooManyRequests => (Problem::TooMany, "request"),
            StoreError::KeyAttested(_) => (Problem::KeyAttested, "keys"),
            StoreError::KeyUsed(_) => (Problem::KeyUsed, "proofs"),
            StoreError::TooManyScopes(_) => (Problem::Scope, "issuer_scope"),
            StoreError::StorageRevoked => (Problem::StorageRevoked, "keys"),
            StoreError::OtherStorage | StoreError::CounterBack => (Problem::Evidence, "evidence"),
            StoreError::DeviceWorse => (Problem::DeviceWorse, "device"),
            StoreError::UnitChanged => (Problem::WrongState, "unit"),
            StoreError::EntryMoved
            | StoreError::IndexInUse { .. }
            | StoreError::TooManyChallenges
            | StoreError::Failed(_) => return Self::Store(error),
        };
        Self::refused(problem, subject, error.to_string())
    }
}
