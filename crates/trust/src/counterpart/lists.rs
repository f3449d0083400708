use std::path::PathBuf;
use std::sync::Arc;

use lote::ListedEntity;
use pki::Certificate;

use super::Counterpart;
use crate::check::Answer;
use crate::context::Context;
use crate::fetch::Limits;
use crate::listed::behind;
use crate::offline::{OfflineError, answer_offline};
use crate::request::{CheckRequest, Policy};
use crate::service::TrustService;

/// The lists that are asked.
#[derive(Debug, Clone, Copy)]
pub enum Lists<'a> {
    /// Those that a service keeps fresh.
    Service(&'a TrustService),
    /// Those in files and folders, as [`crate::check_offline`] takes them.
    Files {
        /// The files and folders.
        places: &'a [PathBuf],
        /// Who must have sealed them; anyone, if absent, which is said.
        signers: Option<&'a [Certificate]>,
        /// Within which revocation information is fetched.
        limits: Limits,
    },
}

impl Lists<'_> {
    /// Whether a chain is trusted, and what the answer stands on.
    pub(super) async fn ask(
        &self,
        how: &Counterpart<'_>,
        context: Context,
        chain: Vec<Certificate>,
    ) -> Result<Answer, OfflineError> {
        let request = CheckRequest {
            chain,
            context,
            // Access and registration certificates are tied by a path, whatever it is.
            policy: Policy::default(),
            revocation: how.revocation,
            at: how.at,
        };
        match self {
            Self::Service(service) => Ok(service.answer(&request).await),
            Self::Files {
                places,
                signers,
                limits,
            } => answer_offline(places, *signers, *limits, &request).await,
        }
    }
}

/// A listed entity: the same by its names and registration numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Provider(Arc<ListedEntity>);

impl Provider {
    /// The entities behind the anchor of an answer.
    pub(super) fn behind(answer: &Answer, context: Context) -> Vec<Self> {
        let Some(anchor) = &answer.verdict.anchor else {
            return Vec::new();
        };
        let slots = answer.snapshot.slots.iter();
        let slots = slots.filter(|slot| slot.source.profile == context.list());
        let lists = slots.flat_map(|slot| {
            let past = slot.past.as_ref().and_then(|past| past.as_ref().ok());
            slot.held.iter().chain(past)
        });
        lists
            .flat_map(|held| behind(held, context, &anchor.sha256))
            .map(|listed| Self(Arc::clone(&listed.entity)))
            .collect()
    }
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.0.names.first();
        f.write_str(name.map_or("an entity without name", |name| name))
    }
}
