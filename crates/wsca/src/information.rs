//! What an activation is told of the WSCA and its device (ARF `WIAM_05`).

use jose::{Algorithm, PublicKey};
use sci::{ActivationInfo, Pin, PinRules};
use wscd::Wscd;

use crate::Config;

/// What the device says of itself, in the interface's own words.
pub(crate) fn information(
    device: &dyn Wscd,
    config: &Config,
    statement_key: &PublicKey,
) -> ActivationInfo {
    let found = device.descriptor();
    let potential = |potential: wscd::AttackPotential| match potential {
        wscd::AttackPotential::Basic => sci::AttackPotential::Basic,
        wscd::AttackPotential::EnhancedBasic => sci::AttackPotential::EnhancedBasic,
        wscd::AttackPotential::Moderate => sci::AttackPotential::Moderate,
        wscd::AttackPotential::High => sci::AttackPotential::High,
    };
    let assurance = match &found.assurance {
        wscd::Assurance::None => sci::Assurance::None,
        wscd::Assurance::Certified {
            scheme,
            certificate,
        } => sci::Assurance::Certified {
            scheme: scheme.clone(),
            certificate: certificate.clone(),
        },
        wscd::Assurance::Assumed { scheme, assumption } => sci::Assurance::Assumed {
            scheme: scheme.clone(),
            assumption: assumption.clone(),
        },
    };
    // No level without something that it rests on, whatever the device says.
    let level = |claimed: Option<wscd::AttackPotential>| {
        claimed
            .filter(|_| assurance != sci::Assurance::None)
            .map(potential)
    };
    let curves = &found.curves;
    ActivationInfo {
        descriptor: sci::Descriptor {
            model: found.model.clone(),
            architecture: match found.architecture {
                wscd::Architecture::Remote => sci::Architecture::Remote,
                wscd::Architecture::LocalExternal => sci::Architecture::LocalExternal,
                wscd::Architecture::LocalInternal => sci::Architecture::LocalInternal,
                wscd::Architecture::LocalNative => sci::Architecture::LocalNative,
            },
            wsca_provided_by: match found.wsca_provided_by {
                wscd::WscaProvider::WalletProvider => sci::WscaProvider::WalletProvider,
                wscd::WscaProvider::DeviceMaker => sci::WscaProvider::DeviceMaker,
            },
            key_storage: level(found.key_storage),
            user_authentication: level(found.user_authentication),
            assurance,
            exportable: found.exportable,
            algorithms: [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512]
                .into_iter()
                .filter(|algorithm| curves.contains(&algorithm.curve()))
                .collect(),
            agreement: found.agreement,
        },
        pin: PinRules {
            min_digits: Pin::MIN,
            max_digits: Pin::MAX,
            tries: config.retry.tries(),
            pauses: config.retry.pauses.iter().map(|p| u64::from(*p)).collect(),
            tries_per_round: config.retry.tries_per_round,
        },
        max_batch: sci::MAX_BATCH,
        max_keys: config.max_keys,
        statement_key: statement_key.clone(),
    }
}
