//! Operators: who they are, what their role lets them do, and the trail of what
//! they did.
//!
//! [`OperatorDesk`] is the way in. It does what an operator asks and writes it down;
//! where the act itself writes, both are one transaction.

mod desk;
mod trail;

pub use crate::ports::unit_search::{FoundUnit, UnitFilter, UnitSearch};
pub use desk::{OperatorDesk, RevokedUnit, SeenUnit, UnitPage};
pub use trail::{Act, GENESIS, Head, NoHead, TrailEnds, TrailRow, chain, verify};

use finding::Refusal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::rules;

/// What an operator may do. Each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperatorRole {
    /// See which units there are, and in which state.
    Read,
    /// See one unit with its history, to help its user.
    Support,
    /// Revoke.
    Revoke,
    /// Everything, and the trail of the others.
    Admin,
}

impl OperatorRole {
    /// Every role, the least first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Support, Self::Revoke, Self::Admin];

    /// The name in the configuration and in the trail.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Support => "support",
            Self::Revoke => "revoke",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl std::fmt::Display for OperatorRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// How an operator proved to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Credential {
    /// A bearer token.
    Token,
    /// A client certificate, by mutual TLS.
    Certificate,
}

impl Credential {
    /// The name in the trail.
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Certificate => "certificate",
        }
    }

    /// The credential of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Token, Self::Certificate]
            .into_iter()
            .find(|credential| credential.name() == name)
    }
}

/// An operator who proved to be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The name in the configuration.
    pub name: String,
    /// What the operator may do.
    pub role: OperatorRole,
    /// How the operator proved to be one.
    pub by: Credential,
}

impl Operator {
    /// Refuses what is not within the role.
    pub fn may(&self, needed: OperatorRole, action: &str) -> Result<(), Refusal> {
        if self.role >= needed {
            return Ok(());
        }
        Err(Refusal::because(
            &rules::OPERATOR_ROLE,
            action,
            format!(
                "it needs the role {needed}, and {} has {}",
                self.name, self.role
            ),
        ))
    }

    /// What is written down of an act of this operator.
    pub fn act(&self, errand: &Errand, outcome: &str, at: Timestamp) -> Act {
        Act {
            at,
            operator: self.name.clone(),
            role: self.role,
            by: self.by,
            action: errand.action.clone(),
            object: errand.object.clone(),
            reason: errand.reason.clone(),
            outcome: outcome.to_owned(),
        }
    }
}

/// What an operator is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    /// What, in a word: `unit.show`, `unit.revoke`.
    pub action: String,
    /// To what: an address below `/operator`.
    pub object: String,
    /// Why, in the operator's words or by the reason of a revocation.
    pub reason: Option<String>,
}

impl Errand {
    /// The most characters of a reason.
    pub const MAX_REASON: usize = 200;

    /// An errand whose reason can stand in the trail.
    pub fn new(
        action: impl Into<String>,
        object: impl Into<String>,
        reason: Option<&str>,
    ) -> Result<Self, Refusal> {
        let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
        if let Some(reason) = reason
            && (reason.chars().count() > Self::MAX_REASON || reason.chars().any(char::is_control))
        {
            return Err(Refusal::because(
                &rules::OPERATOR_REASON,
                "reason",
                format!(
                    "operator-reason: {} characters; at most {}, and no control characters",
                    reason.chars().count(),
                    Self::MAX_REASON
                ),
            ));
        }
        Ok(Self {
            action: action.into(),
            object: object.into(),
            reason: reason.map(str::to_owned),
        })
    }

    /// The same errand for a reason that has a name, before the operator's own words.
    #[must_use]
    pub fn for_reason(mut self, name: &str) -> Self {
        self.reason = Some(match self.reason {
            Some(words) => format!("{name}: {words}"),
            None => name.to_owned(),
        });
        self
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn each_role_includes_those_before_it() {
        for (has, role) in OperatorRole::ALL.into_iter().enumerate() {
            let operator = Operator {
                name: "ada".into(),
                role,
                by: Credential::Token,
            };
            for (needs, needed) in OperatorRole::ALL.into_iter().enumerate() {
                let answer = operator.may(needed, "unit.show");
                assert_eq!(answer.is_ok(), has >= needs, "{role} for {needed}");
                if let Err(refusal) = answer {
                    assert!(refusal.names(&rules::OPERATOR_ROLE));
                }
            }
            assert_eq!(OperatorRole::from_name(role.name()), Some(role));
        }
    }

    #[test]
    fn a_reason_is_a_few_words_of_one_line() {
        for (given, kept) in [
            (None, Ok(None)),
            (Some("  "), Ok(None)),
            (Some(" ticket 12 "), Ok(Some("ticket 12"))),
            (Some("ticket\n12"), Err(())),
        ] {
            let errand = Errand::new("unit.show", "units", given);
            match (errand, kept) {
                (Ok(errand), Ok(kept)) => assert_eq!(errand.reason.as_deref(), kept),
                (Err(refusal), Err(())) => assert!(refusal.names(&rules::OPERATOR_REASON)),
                (errand, _) => panic!("{given:?}: {errand:?}"),
            }
        }
        let long = "x".repeat(Errand::MAX_REASON + 1);
        let refusal = Errand::new("unit.show", "units", Some(&long)).unwrap_err();
        let evidence = refusal.findings().first().map(|found| &*found.evidence);
        assert_eq!(
            evidence,
            Some("operator-reason: 201 characters; at most 200, and no control characters")
        );
        let revoking = Errand::new("unit.revoke", "units/1", Some("ticket 12")).unwrap();
        let revoking = revoking.for_reason("security");
        assert_eq!(revoking.reason.as_deref(), Some("security: ticket 12"));
    }
}
