//! What a revoked unit may still do.
//!
//! ARF 3.0, 4.6.4: in the state *Revoked* everything goes on as in *Operational*,
//! but for the issuance of PIDs and attestations, and for what issuers take away by
//! revoking what they issued. The exceptions here are those of a reason that says
//! that the keys are in the wrong hands, or in nobody's. `docs/decisions/0067` tells
//! why each is as it is.

use provider_api::{RevocationReason, Storage};

/// What becomes of a revoked unit's keys at the WSCA. Its sessions end in either
/// case, and in either case it gets no new keys and no attestations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keys {
    /// The user can sign in again and use them.
    Usable,
    /// Nobody can use them any more.
    Frozen,
}

impl Keys {
    /// What a revocation for this reason leaves of them.
    pub fn after(reason: RevocationReason) -> Self {
        KEYS.iter()
            .find(|row| row.reason == reason)
            // A reason that is younger than the table is taken for the worst.
            .map_or(Self::Frozen, |row| row.keys)
    }

    /// The worse of two.
    pub fn worst(self, other: Self) -> Self {
        self.max(other)
    }
}

/// What one reason means for a unit's keys.
#[derive(Debug, Clone, Copy)]
pub struct KeysRow {
    /// The reason.
    pub reason: RevocationReason,
    /// What becomes of the keys.
    pub keys: Keys,
    /// The clause.
    pub clause: &'static str,
    /// Why.
    pub because: &'static str,
}

/// Every reason and what it means for a unit's keys at the WSCA.
pub const KEYS: &[KeysRow] = &[
    KeysRow {
        reason: RevocationReason::UserRequest,
        keys: Keys::Usable,
        clause: "ARF 3.0, 4.6.4, Revoked",
        because: "the user still has the device: attestations that their issuers leave valid can be presented",
    },
    KeysRow {
        reason: RevocationReason::Superseded,
        keys: Keys::Usable,
        clause: "ARF 3.0, 4.6.4, Revoked",
        because: "the user moves to another unit at their own pace",
    },
    KeysRow {
        reason: RevocationReason::ProviderCancelled,
        keys: Keys::Usable,
        clause: "ARF 3.0, WPNot_06 and 4.6.4, Revoked",
        because: "the provider lost its standing, not the user the device",
    },
    KeysRow {
        reason: RevocationReason::LostOrStolen,
        keys: Keys::Frozen,
        clause: "ARF 3.0, 6.5.4.2 and WURevocation_10",
        because: "4.6.4 tells what the user may do, and whoever has the device is not the user",
    },
    KeysRow {
        reason: RevocationReason::Security,
        keys: Keys::Frozen,
        clause: "ARF 3.0, WURevocation_09 and 6.5.4.2, level 3 and 4",
        because: "what the device asks for can no longer be told from what an attacker asks for",
    },
    KeysRow {
        reason: RevocationReason::Death,
        keys: Keys::Frozen,
        clause: "ARF 3.0, WURevocation_11",
        because: "there is no user any more whom the keys could act for",
    },
];

/// Something that a unit does for its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Having PIDs and attestations issued.
    Issuance,
    /// Presenting a PID.
    PresentPid,
    /// Presenting an attestation that is bound to the WSCD.
    PresentBound,
    /// Presenting an attestation that is bound to no key, or to one of the device.
    PresentOther,
    /// Viewing PIDs and attestations.
    View,
    /// The log of transactions, and what can be asked and reported from it.
    TransactionLog,
    /// Deleting PIDs and attestations.
    Delete,
    /// The account at the provider.
    Account,
    /// Uninstalling the wallet instance.
    Uninstall,
}

/// Whether a function works after a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// It does.
    Works,
    /// As long as its issuer leaves the attestation valid.
    UntilIssuerRevokes,
    /// It does not.
    Ends,
}

/// What remains of one function.
#[derive(Debug, Clone, Copy)]
pub struct FunctionRow {
    /// The function.
    pub function: Function,
    /// After a revocation that leaves the keys usable.
    pub usable: Remains,
    /// After one that freezes them.
    pub frozen: Remains,
    /// The clause.
    pub clause: &'static str,
}

/// Every function and what remains of it.
pub const FUNCTIONS: &[FunctionRow] = &[
    FunctionRow {
        function: Function::Issuance,
        usable: Remains::Ends,
        frozen: Remains::Ends,
        clause: "ARF 3.0, 4.6.4, Revoked, first exception",
    },
    FunctionRow {
        // No PID stays valid: its provider revokes it at once (WURevocation_18).
        function: Function::PresentPid,
        usable: Remains::Ends,
        frozen: Remains::Ends,
        clause: "ARF 3.0, 4.6.4, Revoked, second exception; WURevocation_18",
    },
    FunctionRow {
        function: Function::PresentBound,
        usable: Remains::UntilIssuerRevokes,
        frozen: Remains::Ends,
        clause: "ARF 3.0, 4.6.4, Revoked, third exception; WURevocation_19",
    },
    FunctionRow {
        function: Function::PresentOther,
        usable: Remains::UntilIssuerRevokes,
        frozen: Remains::UntilIssuerRevokes,
        clause: "ARF 3.0, 4.6.4, Revoked, third exception; WURevocation_19",
    },
    FunctionRow {
        function: Function::View,
        usable: Remains::Works,
        frozen: Remains::Works,
        clause: "ARF 3.0, 4.6.4; WURevocation_14, note",
    },
    FunctionRow {
        function: Function::TransactionLog,
        usable: Remains::Works,
        frozen: Remains::Works,
        clause: "ARF 3.0, 4.6.4",
    },
    FunctionRow {
        function: Function::Delete,
        usable: Remains::Works,
        frozen: Remains::Works,
        clause: "ARF 3.0, 4.6.4",
    },
    FunctionRow {
        function: Function::Account,
        usable: Remains::Works,
        frozen: Remains::Works,
        clause: "ARF 3.0, WURevocation_14, note; WIAM_06",
    },
    FunctionRow {
        function: Function::Uninstall,
        usable: Remains::Works,
        frozen: Remains::Works,
        clause: "ARF 3.0, 4.6.4",
    },
];

impl FunctionRow {
    /// What remains of it after a revocation that leaves the keys so.
    pub fn after(&self, keys: Keys) -> Remains {
        match keys {
            Keys::Usable => self.usable,
            Keys::Frozen => self.frozen,
        }
    }
}

/// Whether a unit outlives the revocation of one of its storages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitAfter {
    /// It is revoked with it, always.
    Revoked,
    /// It goes on where a risk analysis says why, and is revoked otherwise.
    WithRiskAnalysis,
}

/// What the revocation of a storage means for its unit.
///
/// 4.6.4 moves a unit to *Revoked* when any of its storages is revoked. For a WSCD
/// 6.5.4.2 says the same. For a keystore `WURevocation_09c` lets the unit go on, and
/// as the requirement it goes first.
pub fn unit_after(storage: Storage) -> (UnitAfter, &'static str) {
    match storage {
        Storage::Wscd => (
            UnitAfter::Revoked,
            "ARF 3.0, 4.6.4 and 6.5.4.2; WURevocation_09a, note",
        ),
        Storage::Keystore => (UnitAfter::WithRiskAnalysis, "ARF 3.0, WURevocation_09c"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_reason_stands_in_the_table_once_with_its_clause() {
        for reason in RevocationReason::ALL {
            let rows: Vec<_> = KEYS.iter().filter(|row| row.reason == reason).collect();
            assert_eq!(rows.len(), 1, "{}", reason.name());
            assert!(rows.iter().all(|row| row.clause.starts_with("ARF 3.0")));
        }
        let frozen: Vec<&str> = RevocationReason::ALL
            .into_iter()
            .filter(|reason| Keys::after(*reason) == Keys::Frozen)
            .map(RevocationReason::name)
            .collect();
        assert_eq!(frozen, ["lost-or-stolen", "security", "death"]);
    }

    #[test]
    fn no_revoked_unit_has_anything_issued_and_frozen_keys_never_allow_more() {
        for row in FUNCTIONS {
            if row.function == Function::Issuance {
                assert_eq!((row.usable, row.frozen), (Remains::Ends, Remains::Ends));
            }
            let order = [Remains::Works, Remains::UntilIssuerRevokes, Remains::Ends];
            let place = |remains| order.iter().position(|one| *one == remains).unwrap();
            assert!(place(row.after(Keys::Frozen)) >= place(row.after(Keys::Usable)));
        }
        assert_eq!(Keys::Usable.worst(Keys::Frozen), Keys::Frozen);
    }
}
