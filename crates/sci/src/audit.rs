//! What a WSCA's audit log shows to those who cannot read it: receipts and signed
//! checkpoints.
//!
//! A WSCA answers each key operation with a [`Receipt`]: the operation's place in a
//! log whose entries are chained by hash. Now and then it signs a [`Checkpoint`]: how
//! far the log had come, and the root of a Merkle tree over the entries since the
//! checkpoint before. An [`InclusionProof`] leads from a receipt to a checkpoint and
//! tells nothing of what others did. So whoever holds a receipt finds out later
//! whether the log still says what it said then.

use jiff::Timestamp;
use jose::json::{self, JsonError, Limits};
use jose::{Map, PublicKey, SignError, Signer, b64, jws};
use serde::{Deserialize, Serialize};

use crate::merkle;

/// The typ of a checkpoint. The key that signs checkpoints signs nothing else.
pub const CHECKPOINT_TYP: &str = "claviger-audit-checkpoint+jwt";

/// Most entries that one checkpoint covers.
pub const CHECKPOINT_SPAN: u64 = 65_536;

/// The largest checkpoint that is read, in bytes.
const MAX_BYTES: usize = 4096;

/// A tree over [`CHECKPOINT_SPAN`] entries is not higher.
const MAX_PATH: usize = 16;

/// An operation's place in the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The operation's last entry: one a key, without a gap.
    pub sequence: u64,
    /// How many entries it has.
    pub entries: u64,
    /// The chain's hash up to its last entry.
    pub hash: EntryHash,
}

/// A hash of the log's chain: 32 bytes, base64url without padding on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryHash(pub [u8; 32]);

/// The text is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hash: 32 bytes in base64url are expected")]
pub struct NotAHash;

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointClaims {
    /// The WSCA's context.
    pub iss: String,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// The last entry of the checkpoint before; 0 for the first.
    pub after: u64,
    /// The chain's hash up to that entry; all zero for the first.
    pub after_hash: EntryHash,
    /// The last entry that this one covers.
    pub sequence: u64,
    /// The chain's hash up to that entry.
    pub hash: EntryHash,
    /// The root of the tree over the hashes of the entries `after + 1` to `sequence`.
    pub tree: EntryHash,
}

/// A checkpoint whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    claims: CheckpointClaims,
}

/// Leads from a receipt to the checkpoint that covers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionProof {
    /// The checkpoint, signed.
    pub checkpoint: String,
    /// The hashes beside the way from the entry to the checkpoint's root.
    pub path: Vec<EntryHash>,
}

/// Why a checkpoint, or a proof, is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// It is no JWS, or its signature does not verify.
    #[error(transparent)]
    Jws(#[from] jws::JwsError),
    /// Its typ is another.
    #[error("the typ is not {CHECKPOINT_TYP}")]
    Typ,
    /// What it says cannot be read.
    #[error("the claims: {0}")]
    Claims(JsonError),
    /// It is another WSCA's.
    #[error("it is of another WSCA")]
    Issuer,
    /// It covers nothing, or more than a checkpoint does.
    #[error("it covers entries {after} to {sequence}")]
    Span {
        /// The entry before its first.
        after: u64,
        /// Its last entry.
        sequence: u64,
    },
    /// It does not cover the entry.
    #[error("it covers entries {after} to {sequence}, not entry {entry}")]
    NotCovered {
        /// The entry before its first.
        after: u64,
        /// Its last entry.
        sequence: u64,
        /// The receipt's.
        entry: u64,
    },
    /// The log has another entry there than the receipt says.
    #[error("the log holds another entry {0} than the one the receipt was given for")]
    Altered(u64),
}

impl CheckpointClaims {
    /// Signs the checkpoint. The key must sign nothing else.
    pub async fn sign(&self, signer: &dyn Signer) -> Result<String, SignError> {
        let mut header = Map::new();
        header.insert("typ".into(), CHECKPOINT_TYP.into());
        header.insert("kid".into(), signer.public_key().thumbprint_b64().into());
        let payload =
            serde_json::to_vec(self).map_err(|error| SignError::Refused(error.to_string()))?;
        jws::sign(header, &payload, signer).await
    }
}

impl Checkpoint {
    /// Reads a checkpoint that `key` signed.
    pub fn verify(text: &str, key: &PublicKey) -> Result<Self, AuditError> {
        let unverified = jws::parse(text, MAX_BYTES)?;
        if unverified.typ() != Some(CHECKPOINT_TYP) {
            return Err(AuditError::Typ);
        }
        let verified = unverified.verify(key)?;
        let claims: CheckpointClaims = json::parse_as(verified.payload(), Limits::bytes(MAX_BYTES))
            .map_err(AuditError::Claims)?;
        let span = claims.sequence.checked_sub(claims.after);
        if !span.is_some_and(|span| (1..=CHECKPOINT_SPAN).contains(&span)) {
            return Err(AuditError::Span {
                after: claims.after,
                sequence: claims.sequence,
            });
        }
        Ok(Self { claims })
    }

    /// What it says.
    pub fn claims(&self) -> &CheckpointClaims {
        &self.claims
    }

    /// When it was made.
    pub fn made(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.claims.iat).ok()
    }

    /// Whether it covers an entry.
    pub fn covers(&self, sequence: u64) -> bool {
        self.claims.after < sequence && sequence <= self.claims.sequence
    }
}

impl InclusionProof {
    /// Checks that the log of `context`, whose checkpoints `key` signs, holds what
    /// `receipt` was given for.
    pub fn verify(
        &self,
        receipt: &Receipt,
        context: &str,
        key: &PublicKey,
    ) -> Result<Checkpoint, AuditError> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, key)?;
        let claims = &checkpoint.claims;
        if claims.iss != context {
            return Err(AuditError::Issuer);
        }
        let altered = AuditError::Altered(receipt.sequence);
        if !checkpoint.covers(receipt.sequence) {
            return Err(AuditError::NotCovered {
                after: claims.after,
                sequence: claims.sequence,
                entry: receipt.sequence,
            });
        }
        let size = claims.sequence.saturating_sub(claims.after);
        let index = receipt
            .sequence
            .saturating_sub(claims.after)
            .saturating_sub(1);
        if self.path.len() > MAX_PATH {
            return Err(altered);
        }
        let path: Vec<[u8; 32]> = self.path.iter().map(|hash| hash.0).collect();
        match merkle::root_of_path(&receipt.hash.0, index, size, &path) {
            Some(root) if root == claims.tree.0 => Ok(checkpoint),
            _ => Err(altered),
        }
    }
}

impl std::fmt::Display for EntryHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&b64::encode(self.0))
    }
}

impl From<EntryHash> for String {
    fn from(hash: EntryHash) -> String {
        hash.to_string()
    }
}

impl TryFrom<String> for EntryHash {
    type Error = NotAHash;

    fn try_from(text: String) -> Result<Self, NotAHash> {
        let bytes = b64::decode(&text).map_err(|_| NotAHash)?;
        <[u8; 32]>::try_from(bytes.as_slice())
            .map(Self)
            .map_err(|_| NotAHash)
    }
}
