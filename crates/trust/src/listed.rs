//! Who stands behind a verdict.

use crate::context::Context;
use crate::service::TrustService;

/// A party as a list names it: the entity, and one of its services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The entity's name, the English one first.
    pub entity: String,
    /// The service's name, the English one first.
    pub service: String,
}

impl TrustService {
    /// The parties whose services of `context`, in the lists that are held, are
    /// known by the certificate with this SHA-256 (lower-case hex): who stands
    /// behind the anchor of a verdict.
    pub fn listed(&self, context: Context, anchor_sha256: &str) -> Vec<Listed> {
        let snapshot = self.snapshot();
        snapshot
            .slots
            .iter()
            .filter(|slot| slot.source.profile == context.list())
            .filter_map(|slot| slot.held.as_ref())
            .flat_map(|held| held.index.of_kind(context.service()))
            .filter(|anchor| anchor.certificate.sha256_hex() == anchor_sha256)
            .map(|anchor| Listed {
                entity: anchor.entity_name().to_owned(),
                service: anchor.service_name.clone(),
            })
            .collect()
    }
}
