use jiff::Timestamp;
use jose::PublicKey;
use sci::UnitId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ConsentView;
use crate::Storage;

/// What a wallet instance has to know of its provider; the app pins `answer_key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderView {
    /// The provider's identifier: the audience of every request, the issuer of
    /// every answer, the audience of key statements.
    pub issuer: String,
    /// The key that signs answers.
    #[schema(value_type = Object)]
    pub answer_key: PublicKey,
    /// The [`crate::Handover`]s from the provider's first answer key to the one in
    /// force, and to the next where one is announced, each signed by the key before
    /// it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answer_key_handovers: Vec<String>,
    /// The key that a device's agreement key proves itself towards.
    #[schema(value_type = Object)]
    pub agreement_key: PublicKey,
    /// The wallet solution, as on the list of wallet providers.
    pub wallet_name: String,
    /// The certification of the solution, to be shown to the user (ARF
    /// `WIAM_10a`). In development it says that there is none.
    #[schema(value_type = Object)]
    pub certification: serde_json::Value,
    /// What the user is asked to agree to (ARF `WIAM_05`), where the provider keeps
    /// accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentView>,
}

/// A challenge, good for one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Challenge {
    /// At least 128 random bits, base64url.
    pub challenge: String,
    /// When it ends.
    #[schema(value_type = String, format = "date-time")]
    pub expires_at: Timestamp,
}

/// A body with nothing in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// Where a unit stands (ARF 3.0, 4.6.4). Whether it is *valid*, that is, holds a
/// valid PID, is known to the wallet instance alone (`WIAM_12a`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UnitState {
    /// Activation has begun.
    Installed,
    /// Activation is complete: the unit gets attestations.
    Operational,
    /// For good.
    Revoked,
}

impl UnitState {
    /// The name on the wire and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Operational => "operational",
            Self::Revoked => "revoked",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Installed, Self::Operational, Self::Revoked]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

impl std::fmt::Display for UnitState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Why a unit was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RevocationReason {
    /// The user asked for it, without a reason.
    UserRequest,
    /// The device is lost or was stolen.
    LostOrStolen,
    /// The user moves to another unit.
    Superseded,
    /// The unit is no longer secure.
    Security,
    /// The user died.
    Death,
    /// The provider or its solution was cancelled.
    ProviderCancelled,
}

impl RevocationReason {
    /// Every reason.
    pub const ALL: [Self; 6] = [
        Self::UserRequest,
        Self::LostOrStolen,
        Self::Superseded,
        Self::Security,
        Self::Death,
        Self::ProviderCancelled,
    ];

    /// The name on the wire and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserRequest => "user-request",
            Self::LostOrStolen => "lost-or-stolen",
            Self::Superseded => "superseded",
            Self::Security => "security",
            Self::Death => "death",
            Self::ProviderCancelled => "provider-cancelled",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }

    /// Whether a user may give it.
    pub fn by_user(self) -> bool {
        matches!(
            self,
            Self::UserRequest | Self::LostOrStolen | Self::Superseded
        )
    }
}

/// Who revoked a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Revoker {
    /// The user, by the account.
    User,
    /// Someone who operates the provider.
    Operator,
    /// A PID provider, because the user died (ARF `WURevocation_11`).
    PidProvider,
    /// The provider by itself: a check of the device failed, or a list of revoked
    /// devices named it (ARF `WURevocation_09`).
    Provider,
}

impl Revoker {
    /// Everyone who can.
    pub const ALL: [Self; 4] = [
        Self::User,
        Self::Operator,
        Self::PidProvider,
        Self::Provider,
    ];

    /// The name on the wire and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Operator => "operator",
            Self::PidProvider => "pid-provider",
            Self::Provider => "provider",
        }
    }

    /// The revoker of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|who| who.name() == name)
    }
}

/// A unit as its user may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnitView {
    /// Its identifier.
    #[schema(value_type = String, format = "uuid")]
    pub unit: UnitId,
    /// Where it stands.
    pub state: UnitState,
    /// How it came there, the oldest first.
    pub history: Vec<HistoryEntry>,
}

/// One change of a unit's state, or the revocation of one of its storages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// When.
    #[schema(value_type = String, format = "date-time")]
    pub at: Timestamp,
    /// The state it went to.
    pub state: UnitState,
    /// Who revoked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Revoker>,
    /// Why it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RevocationReason>,
    /// The storage that was revoked, where it was one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// The name of the PID provider that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What an account holds, asked for without a phone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRequest {
    /// The account's alias.
    pub alias: String,
    /// The account's code.
    pub code: String,
}

/// The units of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountView {
    /// The units, the oldest first.
    pub units: Vec<UnitView>,
}

/// A user's wish to revoke a unit, without a phone (ARF `WURevocation_10`).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationRequest {
    /// The account's alias.
    pub alias: String,
    /// The account's code.
    pub code: String,
    /// The unit; it may be left out where the account has one that is not revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    pub unit: Option<UnitId>,
    /// Why.
    pub reason: RevocationReason,
}

impl std::fmt::Debug for AccountRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountRequest").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RevocationRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevocationRequest")
            .field("unit", &self.unit)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_in_the_store_are_names_on_the_wire() {
        for reason in RevocationReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.name());
            assert_eq!(RevocationReason::from_name(reason.name()), Some(reason));
        }
        for state in [
            UnitState::Installed,
            UnitState::Operational,
            UnitState::Revoked,
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
            assert_eq!(UnitState::from_name(state.name()), Some(state));
        }
        for who in Revoker::ALL {
            assert_eq!(serde_json::to_value(who).unwrap(), who.name());
            assert_eq!(Revoker::from_name(who.name()), Some(who));
        }
    }

    #[test]
    fn debug_shows_no_code() {
        let request = AccountRequest {
            alias: "mine".into(),
            code: "secret".into(),
        };
        assert_eq!(format!("{request:?}"), "AccountRequest { .. }");
    }
}
