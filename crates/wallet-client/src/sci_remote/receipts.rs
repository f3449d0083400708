//! Receipts: what a wallet instance keeps of an operation, to find out later whether
//! the WSCA's audit log still tells of it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jose::{Map, PublicKey};
use r2ps::service::{InformationAnswer, Nothing, ProofAnswer, ProofRequest, RECEIPT, ServiceType};
use sci::Error;
use sci::audit::{Checkpoint, Receipt};

use super::{RemoteSci, Transport};

/// The newest receipts, until they are taken.
#[derive(Debug, Default)]
pub(super) struct Receipts(Mutex<VecDeque<Receipt>>);

/// How many are kept: the oldest go first.
const MOST: usize = 256;

impl Receipts {
    /// Keeps the receipt of an answer, if it has one.
    pub(super) fn keep(&self, data: &Map) {
        let receipt = data.get(RECEIPT).cloned();
        let Some(receipt) = receipt.and_then(|value| serde_json::from_value(value).ok()) else {
            return;
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.pop_front();
        }
        kept.push_back(receipt);
    }

    fn take(&self) -> Vec<Receipt> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *kept).into()
    }
}

impl<T: Transport> RemoteSci<T> {
    /// The receipts of what was done since they were last taken, the oldest first.
    pub fn take_receipts(&self) -> Vec<Receipt> {
        self.receipts.take()
    }

    /// The key that the WSCA's checkpoints verify under. Whoever means to rely on it
    /// later keeps it: it does not change.
    pub async fn audit_key(&self) -> Result<PublicKey, Error> {
        let answer: InformationAnswer = self.ask(ServiceType::Information, &Nothing {}).await?;
        answer
            .audit_key
            .ok_or_else(|| Error::Answer("it names no audit key".into()))
    }

    /// Asks for the proof that the audit log still holds what `receipt` was given for,
    /// and checks it. `None` where no checkpoint covers it yet: worth asking again
    /// some minutes later, and suspicious long after.
    ///
    /// A log that tells otherwise is [`Error::Answer`].
    pub async fn prove_receipt(
        &self,
        receipt: &Receipt,
        audit_key: &PublicKey,
    ) -> Result<Option<Checkpoint>, Error> {
        let request = ProofRequest {
            receipt: receipt.clone(),
        };
        let answer: ProofAnswer = self.ask(ServiceType::AuditProof, &request).await?;
        answer
            .proof
            .map(|proof| proof.verify(receipt, &self.service.context, audit_key))
            .transpose()
            .map_err(|error| Error::Answer(error.to_string()))
    }
}
