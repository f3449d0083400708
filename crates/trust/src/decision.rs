//! What is decided before revocation is looked at.

use finding::Verdict;
use pki::{Certificate, Path};

/// A decision, before revocation is looked at.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) verdict: Verdict,
    /// What is to be looked at for revocation; nothing unless the verdict is yes.
    pub(crate) stands_on: Option<StandsOn>,
}

/// The certificates that a "yes" stands on.
#[derive(Debug)]
pub(crate) enum StandsOn {
    /// The listed leaf, and its issuer where the chain brought it.
    Leaf(Certificate, Option<Certificate>),
    /// A path.
    Path(Path),
}
