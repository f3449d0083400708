use finding::{Refusal, Rule};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rules;

/// Why a request was refused: the stable code of a problem answer (RFC 9457). It
/// knows no HTTP status; the edge gives it one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Problem {
    /// The challenge is not the provider's, was answered before, or is for
    /// another use or unit.
    ChallengeUnknown,
    /// The challenge is past its time.
    ChallengeExpired,
    /// The request is not signed by the unit's device key.
    WrongDeviceKey,
    /// One of the two device keys did not prove itself.
    DeviceProof,
    /// The device key belongs to another unit.
    DeviceKnown,
    /// The evidence is not what the policy asks for.
    Evidence,
    /// The request is malformed or too large.
    Malformed,
    /// The signed request is for something else.
    WrongBinding,
    /// The signed request or proof is not of this moment.
    NotOfNow,
    /// The signed request was made before.
    Replayed,
    /// The alias is too long, empty, or holds what cannot be seen.
    Alias,
    /// The account exists and its code was not given, or is wrong.
    AccountCode,
    /// The user did not agree to the provider's text, or to another one.
    Consent,
    /// There is no such unit.
    UnknownUnit,
    /// There is no such job, entry or key storage.
    UnknownObject,
    /// The unit is not in a state that allows this.
    WrongState,
    /// The unit is revoked.
    UnitRevoked,
    /// The user has no PIN at the WSCA yet.
    NoFactor,
    /// A key did not prove itself.
    KeyProof,
    /// The WSCA's statement is not believed.
    Statement,
    /// A key is in a KA already.
    KeyAttested,
    /// The batch is empty or too large.
    Batch,
    /// The preferred status period is longer than is offered.
    Period,
    /// The provider does not offer this.
    NotOffered,
    /// The wallet instance was not checked for too long: it is to be checked first.
    CheckDue,
    /// The device is not as sound as it was.
    DeviceWorse,
    /// A key is in a WIA already.
    KeyUsed,
    /// The issuer scope is malformed, or one too many.
    Scope,
    /// The WSCD or keystore is revoked.
    StorageRevoked,
    /// The provider has no valid certificate to sign under.
    NoCertificate,
    /// Whoever asks for a revocation is no PID provider on the list of them.
    PidProvider,
    /// The WIA that is shown is none of this provider, or one whose status is no
    /// longer maintained.
    ShownWia,
    /// Too much was asked for in too short a time.
    TooMany,
}

impl Problem {
    /// Every code.
    pub const ALL: [Self; 33] = [
        Self::ChallengeUnknown,
        Self::ChallengeExpired,
        Self::WrongDeviceKey,
        Self::DeviceProof,
        Self::DeviceKnown,
        Self::Evidence,
        Self::Malformed,
        Self::WrongBinding,
        Self::NotOfNow,
        Self::Replayed,
        Self::Alias,
        Self::AccountCode,
        Self::Consent,
        Self::UnknownUnit,
        Self::UnknownObject,
        Self::WrongState,
        Self::UnitRevoked,
        Self::NoFactor,
        Self::KeyProof,
        Self::Statement,
        Self::KeyAttested,
        Self::Batch,
        Self::Period,
        Self::NotOffered,
        Self::CheckDue,
        Self::DeviceWorse,
        Self::KeyUsed,
        Self::Scope,
        Self::StorageRevoked,
        Self::NoCertificate,
        Self::PidProvider,
        Self::ShownWia,
        Self::TooMany,
    ];

    /// The rule that the request broke.
    pub fn rule(self) -> &'static Rule {
        match self {
            Self::ChallengeUnknown | Self::ChallengeExpired => &rules::CHALLENGE,
            Self::WrongDeviceKey => &rules::DEVICE_KEY,
            Self::DeviceProof => &rules::DEVICE_PROOF,
            Self::DeviceKnown => &rules::DEVICE_KNOWN,
            Self::Evidence => &rules::EVIDENCE,
            Self::Malformed => &rules::REQUEST_FORM,
            Self::WrongBinding => &rules::REQUEST_BINDING,
            Self::NotOfNow => &rules::REQUEST_TIME,
            Self::Replayed => &rules::REQUEST_REPLAY,
            Self::Alias => &rules::ALIAS,
            Self::AccountCode => &rules::ACCOUNT,
            Self::Consent => &rules::CONSENT,
            Self::UnknownUnit => &rules::UNIT_UNKNOWN,
            Self::UnknownObject => &rules::OBJECT_UNKNOWN,
            Self::WrongState => &rules::UNIT_STATE,
            Self::UnitRevoked => &rules::UNIT_REVOKED,
            Self::NoFactor => &rules::FACTOR,
            Self::KeyProof => &rules::KEY_PROOF,
            Self::Statement => &rules::STATEMENT,
            Self::KeyAttested => &rules::KEY_ONCE,
            Self::Batch => &rules::BATCH,
            Self::Period => &rules::PERIOD,
            Self::NotOffered => &rules::NOT_OFFERED,
            Self::CheckDue => &rules::CHECK_DUE,
            Self::DeviceWorse => &rules::DEVICE_WORSE,
            Self::KeyUsed => &rules::KEY_FRESH,
            Self::Scope => &rules::SCOPE,
            Self::StorageRevoked => &rules::STORAGE_REVOKED,
            Self::NoCertificate => &rules::CERTIFICATE,
            Self::PidProvider => &rules::PID_PROVIDER,
            Self::ShownWia => &rules::SHOWN_WIA,
            Self::TooMany => &rules::RATE,
        }
    }

    /// The code on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::ChallengeUnknown => "challenge-unknown",
            Self::ChallengeExpired => "challenge-expired",
            Self::WrongDeviceKey => "wrong-device-key",
            Self::DeviceProof => "device-proof",
            Self::DeviceKnown => "device-known",
            Self::Evidence => "evidence",
            Self::Malformed => "malformed",
            Self::WrongBinding => "wrong-binding",
            Self::NotOfNow => "not-of-now",
            Self::Replayed => "replayed",
            Self::Alias => "alias",
            Self::AccountCode => "account-code",
            Self::Consent => "consent",
            Self::UnknownUnit => "unknown-unit",
            Self::UnknownObject => "unknown-object",
            Self::WrongState => "wrong-state",
            Self::UnitRevoked => "unit-revoked",
            Self::NoFactor => "no-factor",
            Self::KeyProof => "key-proof",
            Self::Statement => "statement",
            Self::KeyAttested => "key-attested",
            Self::Batch => "batch",
            Self::Period => "period",
            Self::NotOffered => "not-offered",
            Self::CheckDue => "check-due",
            Self::DeviceWorse => "device-worse",
            Self::KeyUsed => "key-used",
            Self::Scope => "scope",
            Self::StorageRevoked => "storage-revoked",
            Self::NoCertificate => "no-certificate",
            Self::PidProvider => "pid-provider",
            Self::ShownWia => "shown-wia",
            Self::TooMany => "too-many",
        }
    }

    /// The refusal under this code's rule.
    pub fn refusal(self, subject: impl Into<String>, evidence: impl Into<String>) -> Refusal {
        Refusal::because(self.rule(), subject, evidence)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.code())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_code_reads_the_same_on_the_wire_and_names_a_listed_rule() {
        for problem in Problem::ALL {
            assert_eq!(serde_json::to_value(problem).unwrap(), problem.code());
            assert!(rules::RULES.contains(&problem.rule()));
        }
    }
}
