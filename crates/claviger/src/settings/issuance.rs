//! `[wallet_provider.issuance]`: what TS3 and the ARF leave a provider to choose.

use jiff::SignedDuration;
use serde::Deserialize;
use wallet_provider::reference::ReferenceProfile;
use wallet_provider::{CheckBy, Config, KaIndex};
use wua::{ClientAttestationDraft, KeyProofProfile, Rounding};

/// `[wallet_provider.issuance]`; what is absent is as [`Config::new`] has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IssuanceSettings {
    /// How long after the last check of its instance a WIA ends, in seconds.
    wia_seconds: Option<u32>,
    /// How old that check may be when a WIA is issued, in seconds.
    max_check_age_seconds: Option<u32>,
    /// With what an Android device is checked again: key, or key-or-play.
    check_by: Option<CheckBy>,
    /// How long a KA lasts, in seconds.
    ka_seconds: Option<u32>,
    /// The longest status maintenance that an issuer is given, in seconds.
    max_status_seconds: Option<u32>,
    /// How coarse the times in attestations are, in seconds.
    rounding_seconds: Option<u32>,
    /// How many attestations are given at once, at most.
    batch_size: Option<u32>,
    /// At how many unused ones an instance asks again.
    lower_limit: Option<u32>,
    /// Which draft of the client attestation a WIA follows: draft07 or draft10.
    wia_draft: Option<ClientAttestationDraft>,
    /// Which text a KA follows: ts3 or openid4vcifinal.
    ka_profile: Option<KeyProofProfile>,
    /// How KAs share status entries: per-ka or type-shared.
    ka_index: Option<KaIndex>,
    /// For how many issuers a unit may have entries that are used again; 0 is none.
    issuer_scopes: Option<u32>,
    /// How long a challenge or nonce waits for its answer, in seconds.
    challenge_seconds: Option<u32>,
    /// How many activations may wait for their answer at once.
    max_challenges: Option<u64>,
    /// Where it is told what the WSCD is certified for; the provider's own page if absent.
    storage_certification: Option<String>,
    /// The same of devices' own keystores.
    keystore_certification: Option<String>,
}

/// `[wallet_provider.compatibility]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CompatibilitySettings {
    /// Whether the interface of the EU reference wallet provider is served too, under
    /// `/reference-provider`.
    reference: bool,
    /// The version of the wallet solution in what it issues; needed with `reference`.
    wallet_version: String,
}

impl CompatibilitySettings {
    /// The profile, where it is switched on.
    pub(crate) fn profile(&self) -> Option<ReferenceProfile> {
        self.reference.then(|| ReferenceProfile {
            wallet_version: self.wallet_version.clone(),
        })
    }
}

impl IssuanceSettings {
    /// Sets what the settings name.
    pub(crate) fn apply(&self, config: &mut Config) {
        let times = [
            (self.wia_seconds, &mut config.wia_lifetime),
            (self.max_check_age_seconds, &mut config.max_check_age),
            (self.ka_seconds, &mut config.ka_lifetime),
            (self.max_status_seconds, &mut config.max_status_period),
            (self.challenge_seconds, &mut config.challenge_lifetime),
        ];
        for (setting, time) in times {
            set(time, setting.map(|s| SignedDuration::from_secs(s.into())));
        }
        let rounding = self
            .rounding_seconds
            .map(|s| SignedDuration::from_secs(s.into()));
        set(&mut config.rounding, rounding.map(Rounding::to));
        set(&mut config.check_by, self.check_by);
        set(&mut config.batch_size, self.batch_size);
        set(&mut config.lower_limit, self.lower_limit);
        set(&mut config.wia_draft, self.wia_draft);
        set(&mut config.ka_profile, self.ka_profile);
        set(&mut config.ka_index, self.ka_index);
        set(&mut config.issuer_scopes, self.issuer_scopes);
        set(&mut config.max_challenges, self.max_challenges);
        set(
            &mut config.storage_certification,
            self.storage_certification.clone(),
        );
        set(
            &mut config.keystore_certification,
            self.keystore_certification.clone(),
        );
    }
}

fn set<T>(to: &mut T, setting: Option<T>) {
    if let Some(value) = setting {
        *to = value;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wallet_provider::WalletSolution;

    use super::*;

    fn config() -> Config {
        Config::new(
            "https://provider.example",
            WalletSolution {
                client_id: "c".into(),
                name: "n".into(),
                link: None,
                certification: "none".into(),
            },
        )
    }

    #[test]
    fn every_setting_reaches_the_provider() {
        let text = r#"
            wia_seconds = 7200
            max_check_age_seconds = 3600
            check_by = "key-or-play"
            ka_seconds = 86400
            max_status_seconds = 8640000
            rounding_seconds = 60
            batch_size = 20
            lower_limit = 5
            wia_draft = "draft07"
            ka_profile = "openid4vcifinal"
            ka_index = "type-shared"
            issuer_scopes = 100
            challenge_seconds = 60
            max_challenges = 5
            storage_certification = "https://c.example/wscd"
            keystore_certification = "https://c.example/keystore"
        "#;
        let settings: IssuanceSettings = toml::from_str(text).unwrap();
        let mut set = config();
        settings.apply(&mut set);
        set.check().unwrap();
        let (set, plain) = (format!("{set:#?}"), format!("{:#?}", config()));
        // One line of the configuration for each line of the settings.
        let changed = set.lines().zip(plain.lines()).filter(|(a, b)| a != b);
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        assert!(changed.count() >= lines.count(), "{set}");

        let mut untouched = config();
        IssuanceSettings::default().apply(&mut untouched);
        assert_eq!(format!("{untouched:?}"), format!("{:?}", config()));
    }

    #[test]
    fn what_cannot_be_run_is_refused_by_its_key() {
        for (text, key) in [
            ("wia_seconds = 86400", "wia_lifetime"),
            ("max_check_age_seconds = 82800", "max_check_age"),
            ("max_check_age_seconds = 0", "max_check_age"),
            ("lower_limit = 10", "lower_limit"),
            ("batch_size = 65", "batch_size"),
            (
                "keystore_certification = \"https://provider.example/certification\"",
                "keystore_certification",
            ),
        ] {
            let settings: IssuanceSettings = toml::from_str(text).unwrap();
            let mut config = config();
            settings.apply(&mut config);
            assert_eq!(config.check().unwrap_err().key, key, "{text}");
        }
        assert!(toml::from_str::<IssuanceSettings>("typo = 1").is_err());
        assert!(toml::from_str::<IssuanceSettings>("ka_index = \"both\"").is_err());
    }
}
