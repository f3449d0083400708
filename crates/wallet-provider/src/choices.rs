//! What TS3 leaves a wallet provider to choose, and has it tell.

use std::sync::atomic::Ordering;

use crate::config::profile_name;
use crate::ports::issuance_store::{TypeRevocation, TypeRevoked};
use crate::{Error, RevocationReason, Revoker, Selector, Storage, WalletProvider};

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

    /// Closes a type of WSCD or keystore that an operator revokes for all its units (ARF
    /// `WURevocation_09a`): no KA is issued over such keys any more, and the entry that
    /// they share is set, if they share one. It can be repeated.
    pub(crate) async fn close_type(
        &self,
        selector: &Selector,
        reason: RevocationReason,
    ) -> Result<(), Error> {
        let Some((kind, name)) = whole_type(selector) else {
            return Ok(());
        };
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
        if revoked != TypeRevoked::Already {
            tracing::warn!(event = "storage-type.revoked", %kind, name, ?revoked);
            // Those that fail are told of one by one, and stay due.
            let _ = self.publish_changed().await;
        }
        Ok(())
    }
}

/// The type that a selector means, and nothing narrower.
pub(crate) fn whole_type(selector: &Selector) -> Option<(Storage, &str)> {
    let only = |kind, name: &str| {
        let mut alone = Selector::default();
        match kind {
            Storage::Wscd => alone.wscd_type = Some(name.to_owned()),
            Storage::Keystore => alone.keystore_type = Some(name.to_owned()),
        }
        alone == *selector
    };
    let wscd = selector
        .wscd_type
        .as_deref()
        .map(|name| (Storage::Wscd, name));
    let keystore = selector.keystore_type.as_deref();
    let keystore = keystore.map(|name| (Storage::Keystore, name));
    wscd.or(keystore).filter(|(kind, name)| only(*kind, name))
}
