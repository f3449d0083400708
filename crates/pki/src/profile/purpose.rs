//! What certificates of the field are for.

use crate::oid::{self, Oid};

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// A PID provider signs PIDs with it (TS 119 412-6, 4).
    Pid,
    /// A wallet provider signs attestations with it (TS 119 412-6, 5).
    Wallet,
    /// A provider of attestations (TS 119 412-6, 6).
    Eaa,
    /// A qualified provider of attestations (TS 119 412-6, 7).
    Qeaa,
    /// A public sector body's provider of attestations (TS 119 412-6, 8).
    PubEaa,
    /// A wallet-relying party's access certificate (TS 119 411-8).
    Access,
    /// A CA that issues any of these.
    Ca,
    /// The signer of a list of trusted entities (TS 119 602, 6.8).
    ListOperator,
    /// The signer of status lists.
    StatusList,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Profile; 9] = [
        Profile::Pid,
        Profile::Wallet,
        Profile::Eaa,
        Profile::Qeaa,
        Profile::PubEaa,
        Profile::Access,
        Profile::Ca,
        Profile::ListOperator,
        Profile::StatusList,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Pid => "pid",
            Profile::Wallet => "wallet",
            Profile::Eaa => "eaa",
            Profile::Qeaa => "qeaa",
            Profile::PubEaa => "pub-eaa",
            Profile::Access => "access",
            Profile::Ca => "ca",
            Profile::ListOperator => "list-operator",
            Profile::StatusList => "status-list",
        }
    }

    /// The value its QcType statement holds.
    pub fn qc_type(self) -> Option<Oid> {
        match self {
            Profile::Pid => Some(oid::QCT_PID),
            Profile::Wallet => Some(oid::QCT_WAL),
            _ => None,
        }
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// There is no profile of that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no certificate profile {0:?}: pid, wallet, eaa, qeaa, pub-eaa, access, ca, list-operator or status-list is expected"
)]
pub struct UnknownProfile(pub String);

impl std::str::FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or_else(|| UnknownProfile(name.chars().take(40).collect()))
    }
}
