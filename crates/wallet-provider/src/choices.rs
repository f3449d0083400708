//! What TS3 leaves a wallet provider to choose, and has it tell.

use std::sync::atomic::Ordering;

use crate::Storage;
use crate::config::profile_name;
use crate::ports::issuance_store::{TypeRevocation, TypeRevoked};
use crate::{Error, RevocationReason, Revoker, WalletProvider};

impl WalletProvider {
    /// Takes note of the choices of this configuration, with their time, where they
    /// differ from those before: whoever looks at an old KA can say what its index meant.
    /// A change holds for what is issued from now on; what was issued keeps its entries
    /// until the end of their maintenance.
    pub(crate) async fn record_choices(&self) -> Result<(), Error> {
        if self.choices_recorded.load(Ordering::Relaxed) {
            return Ok(());
        }
        let config = &self.config;
        let choices = [
            ("ka_index", config.ka_index.name().to_owned()),
            ("ka_profile", profile_name(config.ka_profile).to_owned()),
            ("issuer_scopes", config.issuer_scopes.to_string()),
        ];
        let now = self.clock.now();
        for (name, value) in choices {
            if let Some(before) = self.store.record_choice(name, value.clone(), now).await? {
                tracing::warn!(event = "choice.changed", name, before, value);
            }
        }
        self.choices_recorded.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Revokes a type of WSCD or keystore for good, for an operator (ARF
    /// `WURevocation_09a`): its shared entry, and every entry of a KA over keys in a
    /// storage of that type. No KA is issued over such keys any more. The units' own
    /// entries stay as they are: an instance is revoked by itself (TS3 v1.5.2, 2.5.2).
    pub async fn revoke_storage_type(
        &self,
        kind: Storage,
        name: &str,
        reason: RevocationReason,
    ) -> Result<TypeRevoked, Error> {
        let revoked = self
            .store
            .revoke_type(TypeRevocation {
                kind,
                name: name.to_owned(),
                by: Revoker::Operator,
                reason,
                at: self.clock.now(),
            })
            .await?;
        tracing::info!(
            event = "storage-type.revoked",
            kind = kind.name(),
            name,
            units = revoked.units,
            entries = revoked.entries
        );
        // Those that fail are told of one by one, and stay due.
        let _ = self.publish_changed().await;
        Ok(revoked)
    }
}
