//! Who stands behind a verdict.

use hex::FromHex;
use lote::Anchor;
use pki::Certificate;

use crate::context::Context;
use crate::service::TrustService;
use crate::snapshot::Held;

/// A party as a list names it: the entity, and one of its services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The entity's name, the English one first.
    pub entity: String,
    /// The service's name, the English one first.
    pub service: String,
    /// The certificate it is known by.
    pub certificate: Certificate,
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
            .filter_map(|slot| slot.held.as_deref())
            .flat_map(|held| behind(held, context, anchor_sha256))
            .map(|anchor| Listed {
                entity: anchor.entity_name().to_owned(),
                service: anchor.service_name.to_string(),
                certificate: anchor.certificate.clone(),
            })
            .collect()
    }
}

/// The entries of a list, for the service of a context, with the certificate that has
/// this SHA-256 (lower-case hex).
pub(crate) fn behind<'h>(
    held: &'h Held,
    context: Context,
    sha256: &str,
) -> impl Iterator<Item = &'h Anchor> + use<'h> {
    let kind = context.service();
    let anchors = held.index.of_kind(kind);
    let index = held.index.certificates(kind);
    let places = <[u8; 32]>::from_hex(sha256)
        .ok()
        .and_then(|digest| Some(index?.with_digest(digest)))
        .unwrap_or_default();
    places.into_iter().filter_map(|place| anchors.get(place))
}
