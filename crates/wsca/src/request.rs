//! From bytes to an answer: who asks, in which session, and may they.

use jiff::{SignedDuration, Timestamp};
use jose::{Map, Signer};
use r2ps::envelope::{
    self, Outer, Protection, Request, SealedRequest, WINDOW, read_data, write_data,
};
use r2ps::service::{
    Done, Failure, InformationAnswer, Nothing, ProofAnswer, ProofRequest, RECEIPT, ServiceType,
    SessionAnswer,
};
use r2ps::{Nonce, Problem};
use sci::audit::{EntryHash, Receipt};
use sci::{Code, Operation, UnitId};
use wscd::DeviceError;

use crate::audit::Entry;
use crate::keys::Stated;
use crate::outcome::{Outcome, Then};
use crate::record::Unit;
use crate::service::{ATTEMPTS, forget_secrets, unchanged};
use crate::session::{Session, later};
use crate::{Appended, Batch, Guard, NonceRow, Write, Wsca, WscaError};

/// What goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A sealed and signed answer, of the media type [`r2ps::MEDIA_TYPE`]. It may
    /// say no.
    Answer(String),
    /// A refusal of someone who is not known, or whose request cannot be opened: it
    /// says no more than its code.
    Refused(Problem),
}

impl Wsca {
    /// Answers one R2PS request, whatever the bytes are.
    pub async fn handle(&self, bytes: &[u8]) -> Reply {
        match self.answer(bytes).await {
            Ok(text) => Reply::Answer(text),
            Err(error) => {
                if error.is_ours() {
                    tracing::error!(%error, "a request failed");
                } else {
                    tracing::debug!(%error, "a request was refused");
                }
                Reply::Refused(error.problem())
            }
        }
    }

    async fn answer(&self, bytes: &[u8]) -> Result<String, WscaError> {
        let sealed = SealedRequest::parse(bytes)?;
        match sealed.outer() {
            Outer::OneFactor {
                client_id,
                context,
                recipient,
            } => {
                if *context != self.identity.context
                    || *recipient != self.identity.agreement.thumbprint_b64()
                {
                    return Err(Code::IllegalRequestData.into());
                }
                // An unknown unit and a wrong signature look the same from outside.
                let id: UnitId = client_id.parse().map_err(|_| Code::Unauthorized)?;
                self.one_factor(&sealed, id).await
            }
            Outer::TwoFactor { session_id } => self.two_factor(&sealed, session_id).await,
        }
    }

    async fn one_factor(&self, sealed: &SealedRequest, id: UnitId) -> Result<String, WscaError> {
        let opened = sealed.open_with(&self.agreement).await?;
        let unit = self.load(id).await?.ok_or(Code::Unauthorized)?;
        let now = self.now();
        let request = opened.verify(&unit.signing, now)?;
        let result = match request.kind {
            ServiceType::Registration | ServiceType::CreateSession => {
                self.factor(&unit, None, &request).await
            }
            ServiceType::Information => self.inform(&unit, &request).await,
            ServiceType::AuditProof => self.prove(&unit, &request).await,
            _ => Err(Code::UnsupportedRequestType.into()),
        };
        let client = id.to_string();
        let protection = Protection::OneFactor {
            recipient: &unit.agreement,
            from: &self.identity.context,
            to: &client,
        };
        self.seal(protection, id, &request, result).await
    }

    async fn two_factor(
        &self,
        sealed: &SealedRequest,
        session_id: &str,
    ) -> Result<String, WscaError> {
        if session_id.len() > 64 {
            return Err(Code::NoSession.into());
        }
        let (unit, session) = self.load_session(session_id).await?;
        let request = sealed
            .open_in_session(&session.key)?
            .verify(&unit.signing, self.now())?;
        let result = self.perform(&unit, &session, &request).await;
        let protection = Protection::TwoFactor {
            session_id,
            key: &session.key,
        };
        self.seal(protection, unit.id(), &request, result).await
    }

    async fn load_session(&self, id: &str) -> Result<(Unit, Session), WscaError> {
        let row = self.store.session(id).await?.ok_or(Code::NoSession)?;
        let unit = self.load(row.unit).await?.ok_or(Code::NoSession)?;
        let session = Session::open(row, &unit, &self.secrets, self.now())?;
        Ok((unit, session))
    }

    async fn seal(
        &self,
        protection: Protection<'_>,
        unit: UnitId,
        request: &Request,
        result: Result<Map, WscaError>,
    ) -> Result<String, WscaError> {
        let data = match result {
            Ok(data) => data,
            Err(error) => {
                let problem = error.problem();
                if error.is_ours() {
                    tracing::error!(%unit, kind = %request.kind, %error, "a request failed");
                } else {
                    tracing::info!(
                        %unit, kind = %request.kind, code = problem.code.name(),
                        "a request was refused"
                    );
                }
                write_data(&Failure::from(problem))?
            }
        };
        let text =
            envelope::seal_response(protection, data, &request.nonce, self.now(), &self.answers)
                .await?;
        Ok(text)
    }

    async fn inform(&self, unit: &Unit, request: &Request) -> Result<Map, WscaError> {
        let _: Nothing = read_data(request.data.clone())?;
        let now = self.now();
        self.commit(Batch {
            guards: vec![nonce_guard(unit.id(), &request.nonce)],
            writes: vec![nonce_write(unit.id(), &request.nonce, now)],
        })
        .await?;
        Ok(write_data(&InformationAnswer {
            success: true,
            information: self.information.clone(),
            audit_key: Some(self.checkpoints.public_key().clone()),
        })?)
    }

    /// Leads from a receipt of this unit to the checkpoint that covers it.
    async fn prove(&self, unit: &Unit, request: &Request) -> Result<Map, WscaError> {
        let asked: ProofRequest = read_data(request.data.clone())?;
        let now = self.now();
        self.commit(Batch {
            guards: vec![nonce_guard(unit.id(), &request.nonce)],
            writes: vec![nonce_write(unit.id(), &request.nonce, now)],
        })
        .await?;
        Ok(write_data(&ProofAnswer {
            success: true,
            proof: self.prove_receipt(unit.id(), &asked.receipt).await?,
        })?)
    }

    /// Does what a session's request asks, again where the unit changed meanwhile.
    async fn perform(
        &self,
        unit: &Unit,
        session: &Session,
        request: &Request,
    ) -> Result<Map, WscaError> {
        if request.kind == ServiceType::Update {
            return self.factor(unit, Some(session), request).await;
        }
        let mut result = self.try_perform(unit, session, request).await;
        let mut under = unit.row().wrapping_generation;
        for _ in 1..ATTEMPTS {
            let moved = match &result {
                Err(WscaError::Conflict) => false,
                // Its root went between reading the unit and using it: a rotation.
                Err(WscaError::Device(DeviceError::WrongGeneration { .. })) => true,
                _ => break,
            };
            let (unit, session) = self.load_session(&session.info.id).await?;
            let now_under = unit.row().wrapping_generation;
            if moved && now_under == under {
                break;
            }
            under = now_under;
            result = self.try_perform(&unit, &session, request).await;
        }
        match result {
            Ok(data) => Ok(data),
            Err(error) => self.refused(unit.id(), request, error).await,
        }
    }

    async fn try_perform(
        &self,
        unit: &Unit,
        session: &Session,
        request: &Request,
    ) -> Result<Map, WscaError> {
        unit.must_be_usable()?;
        session.must_allow(operation(request.kind)?)?;
        let now = self.now();
        let outcome = match request.kind {
            ServiceType::SessionInfo => Outcome {
                data: write_data(&SessionAnswer {
                    success: true,
                    session: session.touched(self.config.session, now),
                })?,
                ..Outcome::default()
            },
            ServiceType::SessionEnd => Outcome {
                data: write_data(&Done::OK)?,
                then: Then::EndSession,
                ..Outcome::default()
            },
            ServiceType::KeyGenerate => self.generate(unit, request).await?,
            ServiceType::KeyList => self.list(unit, request).await?,
            ServiceType::KeySign => self.sign(unit, request).await?,
            ServiceType::KeyAgree => self.agree(unit, request).await?,
            ServiceType::KeyState => self.state(unit, session, request, Stated::Keys).await?,
            ServiceType::KeyAssociate => {
                self.state(unit, session, request, Stated::Association)
                    .await?
            }
            ServiceType::KeyDestroy => self.destroy(unit, request).await?,
            ServiceType::ItemStore => self.store_item(unit, request).await?,
            ServiceType::ItemRead => self.read_item(unit, request).await?,
            ServiceType::ItemRemove => self.remove_item(unit, request)?,
            ServiceType::UnitDestroy => self.destroy_self(unit, request).await?,
            ServiceType::Registration
            | ServiceType::CreateSession
            | ServiceType::Update
            | ServiceType::AuditProof
            | ServiceType::Information => return Err(Code::UnsupportedRequestType.into()),
        };
        self.conclude(unit, session, request, outcome, now).await
    }

    /// Writes what came of an operation, all of it or nothing, and only then gives
    /// the answer out: a signature whose audit entry is not on disk does not leave.
    async fn conclude(
        &self,
        unit: &Unit,
        session: &Session,
        request: &Request,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<Map, WscaError> {
        let mut batch = Batch {
            guards: vec![
                Guard::SessionLive(session.info.id.clone(), now),
                nonce_guard(unit.id(), &request.nonce),
            ],
            writes: vec![nonce_write(unit.id(), &request.nonce, now)],
        };
        batch.writes.extend(outcome.writes);
        batch.writes.push(match outcome.then {
            Then::GoOn => {
                let touched = session.touched(self.config.session, now);
                session.touch(&touched, unit, &self.secrets)?
            }
            Then::EndSession => Write::EndSession(session.info.id.clone()),
            Then::DestroyUnit => Write::EndSessions(unit.id()),
        });
        let entry = Entry::done(now, unit.id(), request.kind.name());
        if outcome.keys.is_empty() {
            batch.writes.push(Write::Audit(entry));
        } else {
            let entries = outcome.keys.into_iter().map(|key| entry.with_key(key));
            batch.writes.extend(entries.map(Write::Audit));
        }
        let appended = match outcome.holdings {
            None => {
                batch.guards.push(unchanged(unit));
                self.commit(batch).await?
            }
            Some((keys, items)) => {
                let new = unit
                    .next(&*self.device, &keys, &items, |row| {
                        if outcome.then == Then::DestroyUnit {
                            row.state = crate::record::Status::Destroyed.name().into();
                            row.session_epoch = row.session_epoch.saturating_add(1);
                            forget_secrets(row);
                        }
                    })
                    .await?;
                self.commit_change(unit, new, batch).await?
            }
        };
        let mut data = outcome.data;
        if let Some(receipt) = receipt(&appended)? {
            data.insert(RECEIPT.into(), receipt);
        }
        Ok(data)
    }

    /// A refusal of someone who is known is written down, and uses up the nonce.
    pub(crate) async fn refused(
        &self,
        unit: UnitId,
        request: &Request,
        error: WscaError,
    ) -> Result<Map, WscaError> {
        let code = error.problem().code;
        if error.is_ours() || code == Code::Replayed {
            return Err(error);
        }
        let now = self.now();
        let entry = Entry::refused(now, unit, request.kind.name(), code);
        let batch = Batch {
            guards: vec![nonce_guard(unit, &request.nonce)],
            writes: vec![nonce_write(unit, &request.nonce, now), Write::Audit(entry)],
        };
        match self.commit(batch).await {
            Err(replayed @ WscaError::Refused(_)) => Err(replayed),
            _ => Err(error),
        }
    }
}

/// What the asker is given to find the operation's entries in the audit log again.
fn receipt(appended: &[Appended]) -> Result<Option<serde_json::Value>, WscaError> {
    let Some(last) = appended.last() else {
        return Ok(None);
    };
    serde_json::to_value(Receipt {
        sequence: last.sequence,
        entries: u64::try_from(appended.len()).unwrap_or(u64::MAX),
        hash: EntryHash(last.hash),
    })
    .map(Some)
    .map_err(|error| WscaError::Internal(error.to_string()))
}

pub(crate) fn nonce_guard(unit: UnitId, nonce: &Nonce) -> Guard {
    Guard::NonceUnused(unit, nonce.as_bytes().to_vec())
}

/// A nonce is remembered for as long as its request could be accepted again.
pub(crate) fn nonce_write(unit: UnitId, nonce: &Nonce, now: Timestamp) -> Write {
    let seconds = WINDOW.as_secs().saturating_mul(2).saturating_add(2);
    Write::Nonce(NonceRow {
        unit,
        nonce: nonce.as_bytes().to_vec(),
        until: later(now, SignedDuration::from_secs(seconds)),
        now,
    })
}

fn operation(kind: ServiceType) -> Result<Operation, WscaError> {
    Ok(match kind {
        ServiceType::SessionInfo => Operation::InspectSession,
        ServiceType::SessionEnd => Operation::EndSession,
        ServiceType::KeyGenerate => Operation::GenerateKeys,
        ServiceType::KeyList => Operation::ListKeys,
        ServiceType::KeySign => Operation::Sign,
        ServiceType::KeyAgree => Operation::Agree,
        ServiceType::KeyState | ServiceType::KeyAssociate => Operation::StateKeys,
        ServiceType::KeyDestroy => Operation::DestroyKeys,
        ServiceType::ItemStore | ServiceType::ItemRemove => Operation::StoreItem,
        ServiceType::ItemRead => Operation::ReadItem,
        ServiceType::UnitDestroy => Operation::DestroyUnit,
        ServiceType::Update => Operation::ChangePin,
        ServiceType::Registration
        | ServiceType::CreateSession
        | ServiceType::AuditProof
        | ServiceType::Information => {
            return Err(Code::UnsupportedRequestType.into());
        }
    })
}
