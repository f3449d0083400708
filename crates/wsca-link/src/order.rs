use sci::{ActivationInfo, UnitId};
use serde::{Deserialize, Serialize};
use wsca::{AdminError, DeviceKeys, ServiceIdentity, StoreError, UnitState, WscaAdmin};

/// Where orders go on the link's listener, by `POST`.
pub const PATH: &str = "/wsca-link/v1";

/// The largest order or answer, in bytes.
pub const MAX_ORDER: usize = 64 * 1024;

/// What the wallet provider asks of the WSCA: a call of [`WscaAdmin`], written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// Tell what the WSCA is and how its clients know it.
    Describe {},
    /// Make a unit for a phone with these keys.
    Enroll {
        /// The unit.
        unit: UnitId,
        /// Its phone's keys.
        keys: DeviceKeys,
    },
    /// Tell how a unit stands.
    UnitState {
        /// The unit.
        unit: UnitId,
    },
    /// End every session of a unit.
    EndSessions {
        /// The unit.
        unit: UnitId,
    },
    /// Let a unit use what it has, and add nothing to it.
    Retire {
        /// The unit.
        unit: UnitId,
        /// A word for the audit log.
        reason: String,
    },
    /// Freeze a unit.
    Freeze {
        /// The unit.
        unit: UnitId,
        /// A word for the audit log.
        reason: String,
    },
    /// Destroy a unit.
    DestroyUnit {
        /// The unit.
        unit: UnitId,
    },
    /// Let a unit's user register a new PIN; the keys go with the old one.
    ResetFactor {
        /// The unit.
        unit: UnitId,
    },
}

/// What comes back of an order that was carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    /// It was done.
    Done,
    /// How the unit stands.
    UnitState(UnitState),
    /// What the WSCA is.
    Description(Box<Description>),
}

/// What a WSCA is and how its clients know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The context and keys that a wallet instance must know and pin.
    pub service: ServiceIdentity,
    /// The key that key statements verify under.
    pub statement_key: jose::PublicKey,
    /// What an activation needs to know.
    pub information: ActivationInfo,
}

/// Carries an order out on the WSCA's side.
pub async fn carry_out(wsca: &dyn WscaAdmin, order: Order) -> Result<Answer, AdminError> {
    match order {
        Order::Describe {} => Ok(Answer::Description(Box::new(Description {
            service: wsca.service().clone(),
            statement_key: wsca.statement_key().clone(),
            information: wsca.information().clone(),
        }))),
        Order::Enroll { unit, keys } => wsca.enroll(unit, keys).await.map(|()| Answer::Done),
        Order::UnitState { unit } => wsca.unit_state(unit).await.map(Answer::UnitState),
        Order::EndSessions { unit } => wsca.end_sessions(unit).await.map(|()| Answer::Done),
        Order::Retire { unit, reason } => wsca.retire(unit, &reason).await.map(|()| Answer::Done),
        Order::Freeze { unit, reason } => wsca.freeze(unit, &reason).await.map(|()| Answer::Done),
        Order::DestroyUnit { unit } => wsca.destroy_unit(unit).await.map(|()| Answer::Done),
        Order::ResetFactor { unit } => wsca.reset_factor(unit).await.map(|()| Answer::Done),
    }
}

/// Why an order was not carried out, on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// In words, for the provider's log.
    #[serde(default)]
    pub detail: String,
}

/// Why an order was not carried out. The names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// There is no such unit.
    UnknownUnit,
    /// The unit is there with other keys.
    AlreadyEnrolled,
    /// The unit was destroyed.
    Destroyed,
    /// The unit is frozen.
    Frozen,
    /// The WSCA lets no PIN be replaced.
    RecoveryForbidden,
    /// The device keys are not two keys on P-256.
    DeviceKeys,
    /// The unit's record is not what the WSCA wrote.
    RecordAltered,
    /// The database is older than the device remembers.
    StateRolledBack,
    /// The WSCA, its device or its store is busy or away.
    Unavailable,
    /// The order cannot be read.
    Malformed,
    /// Something failed inside.
    Internal,
}

impl RefusalCode {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownUnit => "unknown-unit",
            Self::AlreadyEnrolled => "already-enrolled",
            Self::Destroyed => "destroyed",
            Self::Frozen => "frozen",
            Self::RecoveryForbidden => "recovery-forbidden",
            Self::DeviceKeys => "device-keys",
            Self::RecordAltered => "record-altered",
            Self::StateRolledBack => "state-rolled-back",
            Self::Unavailable => "unavailable",
            Self::Malformed => "malformed",
            Self::Internal => "internal",
        }
    }
}

impl From<&AdminError> for RefusalCode {
    fn from(error: &AdminError) -> Self {
        match error {
            AdminError::UnknownUnit => Self::UnknownUnit,
            AdminError::AlreadyEnrolled => Self::AlreadyEnrolled,
            AdminError::Destroyed => Self::Destroyed,
            AdminError::Frozen => Self::Frozen,
            AdminError::RecoveryForbidden => Self::RecoveryForbidden,
            AdminError::DeviceKeys => Self::DeviceKeys,
            AdminError::RecordAltered => Self::RecordAltered,
            AdminError::StateRolledBack => Self::StateRolledBack,
            AdminError::Unavailable(_) | AdminError::Store(StoreError::Unavailable(_)) => {
                Self::Unavailable
            }
            AdminError::Store(StoreError::Damaged(_)) => Self::RecordAltered,
            AdminError::Internal(_) => Self::Internal,
        }
    }
}

impl From<Refusal> for AdminError {
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            RefusalCode::UnknownUnit => Self::UnknownUnit,
            RefusalCode::AlreadyEnrolled => Self::AlreadyEnrolled,
            RefusalCode::Destroyed => Self::Destroyed,
            RefusalCode::Frozen => Self::Frozen,
            RefusalCode::RecoveryForbidden => Self::RecoveryForbidden,
            RefusalCode::DeviceKeys => Self::DeviceKeys,
            RefusalCode::RecordAltered => Self::RecordAltered,
            RefusalCode::StateRolledBack => Self::StateRolledBack,
            RefusalCode::Unavailable => Self::Unavailable(refusal.detail),
            RefusalCode::Malformed | RefusalCode::Internal => Self::Internal(refusal.detail),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_refusal_comes_back_as_what_it_was() {
        let errors = [
            AdminError::UnknownUnit,
            AdminError::AlreadyEnrolled,
            AdminError::Destroyed,
            AdminError::Frozen,
            AdminError::RecoveryForbidden,
            AdminError::DeviceKeys,
            AdminError::RecordAltered,
            AdminError::StateRolledBack,
            AdminError::Unavailable("busy".into()),
            AdminError::Internal("why".into()),
        ];
        for error in errors {
            let code = RefusalCode::from(&error);
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
            let back = AdminError::from(Refusal {
                code,
                detail: String::new(),
            });
            assert_eq!(
                std::mem::discriminant(&back),
                std::mem::discriminant(&error)
            );
        }
    }

    #[test]
    fn an_order_has_one_written_form() {
        let unit = UnitId::random();
        let order = Order::Freeze {
            unit,
            reason: "revoked".into(),
        };
        let text = serde_json::to_value(&order).unwrap();
        assert_eq!(
            text,
            serde_json::json!({"order": "freeze", "unit": unit, "reason": "revoked"})
        );
        assert_eq!(serde_json::from_value::<Order>(text).unwrap(), order);
        for foreign in [
            serde_json::json!({"order": "sign", "unit": unit}),
            serde_json::json!({"order": "freeze", "unit": unit}),
            serde_json::json!({"order": "unit-state", "unit": unit, "more": 1}),
            serde_json::json!({"order": "unit-state", "unit": unit.to_string().to_uppercase()}),
        ] {
            assert!(
                serde_json::from_value::<Order>(foreign.clone()).is_err(),
                "{foreign}"
            );
        }
    }
}
