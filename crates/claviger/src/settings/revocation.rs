use jiff::SignedDuration;
use serde::Deserialize;
use wallet_provider::Config;

/// `[wallet_provider.revocation]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RevocationSettings {
    /// Where the risk analysis stands that lets a unit go on without its keystore.
    pub(crate) keystore_risk_analysis: Option<String>,
    /// How many requests of one PID provider are taken within six minutes.
    pub(crate) pid_provider_requests: Option<u64>,
    /// After how many hours a unit that was installed and never became operational is
    /// forgotten.
    pub(crate) installed_hours: Option<u32>,
}

impl RevocationSettings {
    /// What is said here in the provider's configuration; what is not stays as it is.
    pub(crate) fn apply(&self, config: &mut Config) {
        config
            .keystore_risk_analysis
            .clone_from(&self.keystore_risk_analysis);
        if let Some(most) = self.pid_provider_requests {
            config.pid_provider_requests = most;
        }
        if let Some(hours) = self.installed_hours {
            config.installed_lifetime = SignedDuration::from_hours(i64::from(hours));
        }
    }
}
