use jose::{Algorithm, PublicKey};
use serde::{Deserialize, Serialize};

/// What an activation needs to know of a WSCA (ARF `WIAM_05`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationInfo {
    /// What it is.
    pub descriptor: Descriptor,
    /// What it wants of a PIN.
    pub pin: PinRules,
    /// Most keys made, or digests signed, in one request.
    pub max_batch: usize,
    /// Most active keys of one unit.
    pub max_keys: usize,
    /// The key that its statements verify under.
    pub statement_key: PublicKey,
}

/// What a WSCA wants of a PIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinRules {
    /// The fewest digits.
    pub min_digits: usize,
    /// The most digits.
    pub max_digits: usize,
    /// How many wrong tries there are in a row until it is blocked for good.
    pub tries: u32,
    /// Seconds that must pass after each round of tries but the last.
    pub pauses: Vec<u64>,
    /// How many tries make a round.
    pub tries_per_round: u32,
}

/// What a WSCA says of itself and of the device behind it: what a key
/// attestation may claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Maker and model of the device.
    pub model: String,
    /// Where it stands (ARF 4.5).
    pub architecture: Architecture,
    /// Who provides the WSCA.
    pub wsca_provided_by: WscaProvider,
    /// The certification, or what stands in for it.
    pub assurance: Assurance,
    /// What attacks its keys withstand; none unless certified or assumed.
    pub key_storage: Option<AttackPotential>,
    /// What attacks the user authentication withstands; none likewise.
    pub user_authentication: Option<AttackPotential>,
    /// Whether a key can leave it. Always false: ARF `WUA_16a`.
    pub exportable: bool,
    /// The signature algorithms.
    #[serde(with = "algorithm_names")]
    pub algorithms: Vec<Algorithm>,
    /// Whether keys agree (ECDH).
    pub agreement: bool,
}

/// Where a WSCA and its device stand (ARF 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// At the wallet provider: an HSM.
    Remote,
    /// Beside the user: a smart card.
    LocalExternal,
    /// In the user's device: an eSIM, an embedded secure element.
    LocalInternal,
    /// The user's device's own keystore.
    LocalNative,
}

/// Who provides the WSCA (CIR (EU) 2024/2981 Annex IV 3 treats the two apart).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// An assumption of a national scheme (CIR (EU) 2024/2981 Annex IV 3(3)).
    Assumed {
        /// The scheme that makes it.
        scheme: String,
        /// The assumption, or where it is written.
        assumption: String,
    },
}

impl Assurance {
    /// The certificate or assumption in one line; none where there is none.
    pub fn reference(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Certified {
                scheme,
                certificate,
            } => Some(format!("{scheme}: {certificate}")),
            Self::Assumed { scheme, assumption } => Some(format!("{scheme}: {assumption}")),
        }
    }
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
        f.pad(self.name())
    }
}

mod algorithm_names {
    use jose::Algorithm;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(list: &[Algorithm], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(list.iter().map(|algorithm| algorithm.name()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Algorithm>, D::Error> {
        Vec::<String>::deserialize(d)?
            .iter()
            .map(|name| {
                Algorithm::from_name(name).ok_or_else(|| de::Error::custom("unknown algorithm"))
            })
            .collect()
    }
}
