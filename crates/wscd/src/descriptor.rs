use jose::Curve;
use serde::{Deserialize, Serialize};

/// What a device says of itself: what a PID provider's requirements are
/// measured against (ARF `WUA_05`), and what a key attestation may claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Descriptor {
    /// The backend: `software`, `pkcs11`, `kmip`.
    pub backend: &'static str,
    /// Maker and model as the device gives them.
    pub model: String,
    /// Where the device stands (ARF 4.5).
    pub architecture: Architecture,
    /// Who provides the WSCA that drives it.
    pub wsca_provided_by: WscaProvider,
    /// The certification, or what stands in for it.
    pub assurance: Assurance,
    /// What attacks its keys withstand; none unless certified or assumed.
    pub key_storage: Option<AttackPotential>,
    /// What attacks the user authentication before its keys withstands, where
    /// the device takes part in it; none unless certified or assumed.
    pub user_authentication: Option<AttackPotential>,
    /// Whether a user key can leave it. Always false: ARF `WUA_16a`.
    pub exportable: bool,
    /// The curves it makes keys on.
    pub curves: Vec<Curve>,
    /// Whether its keys do ECDH.
    pub agreement: bool,
    /// Where user keys are.
    pub storage: StorageMode,
    /// What it is set up to hold.
    pub roles: Vec<Role>,
    /// How much it takes.
    pub limits: Limits,
}

impl Descriptor {
    /// Whether it is set up for `role`.
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// Where a device stands (ARF 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// At the wallet provider: an HSM.
    Remote,
    /// Beside the user: a smart card.
    LocalExternal,
    /// In the user's device: eSIM, embedded secure element.
    LocalInternal,
    /// The user's device's own keystore.
    LocalNative,
}

/// Who provides the WSCA (CIR (EU) 2024/2981 Annex IV 3 treats the two apart).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WscaProvider {
    /// The wallet provider.
    WalletProvider,
    /// The maker of the device or of its operating system.
    DeviceMaker,
}

/// What the claim of a level rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Assurance {
    /// Nothing: no level may be claimed.
    None,
    /// A certificate.
    Certified {
        /// The scheme: `EUCC`, `Common Criteria`, `FIPS 140-3`.
        scheme: String,
        /// The certificate's number or address.
        certificate: String,
    },
    /// An assumption of a national certification scheme, where the WSCA is not
    /// the wallet provider's (CIR (EU) 2024/2981 Annex IV 3(3)).
    Assumed {
        /// The scheme that makes it.
        scheme: String,
        /// The assumption, or where it is written.
        assumption: String,
    },
}

/// The attack potential that something withstands (ISO/IEC 18045), under the
/// names that a key attestation uses (OpenID4VCI 1.0, Appendix D.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AttackPotential {
    /// `iso_18045_basic`: VAN.2.
    #[serde(rename = "iso_18045_basic")]
    Basic,
    /// `iso_18045_enhanced-basic`: VAN.3.
    #[serde(rename = "iso_18045_enhanced-basic")]
    EnhancedBasic,
    /// `iso_18045_moderate`: VAN.4.
    #[serde(rename = "iso_18045_moderate")]
    Moderate,
    /// `iso_18045_high`: VAN.5.
    #[serde(rename = "iso_18045_high")]
    High,
}

impl AttackPotential {
    /// The name that a key attestation uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "iso_18045_basic",
            Self::EnhancedBasic => "iso_18045_enhanced-basic",
            Self::Moderate => "iso_18045_moderate",
            Self::High => "iso_18045_high",
        }
    }
}

impl std::fmt::Display for AttackPotential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Where user keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageMode {
    /// In the WSCA's database, wrapped: the key tree.
    Wrapped,
    /// In the device, each an object of its own.
    InDevice,
}

/// What a device is set up to hold. The conformance kit's mandatory checks
/// follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Keys of wallet users, with all that the WSCA needs beside them: MACs,
    /// sealing, anchors, rotation.
    UserKeys,
    /// Named keys of the service: attestations, status lists, statements.
    ServiceKeys,
}

/// How much a device takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most keys or digests in one call.
    pub max_batch: usize,
    /// Most bytes of a secret to seal.
    pub max_sealed: usize,
    /// Units served by the device, where there is a bound. With wrapped storage
    /// the objects in the device do not grow with the units.
    pub max_units: Option<u64>,
    /// Objects in the device that one unit takes: 0 with wrapped storage.
    pub objects_per_unit: u64,
    /// Shards that have an anchor.
    pub max_shards: u16,
}
