//! The PIN: registered, proven, changed; and never tried uncounted.
//!
//! Each of the three is an exchange of two messages. The first one has the service
//! evaluate the blinded PIN, which is what an attacker with the phone would need to
//! test a guess; so whatever it is for, it is counted in the unit's record, on disk
//! and anchored in the device, *before* it is made, and after the request's
//! signature was verified and its nonce found new. The same first message again is
//! answered the same and not counted again. A registration and a change each get a
//! fresh credential identifier, so that what they evaluate says nothing of the PIN
//! that is registered.

use jiff::Timestamp;
use jose::{Map, sha256};
use r2ps::Problem;
use r2ps::envelope::{Request, read_data, write_data};
use r2ps::opaque::server::{self, OprfMaterial};
use r2ps::opaque::{OpaqueError, Transcript};
use r2ps::service::{
    AUTHORIZED_BY_ENROLMENT, Done, EvaluateAnswer, FactorRequest, OPAQUE, ServiceType,
    SessionOpened, State,
};
use sci::{Code, Operation, Task};
use wscd::MacPurpose;
use zeroize::Zeroizing;

use crate::audit::Entry;
use crate::record::Unit;
use crate::request::{nonce_guard, nonce_write};
use crate::service::ATTEMPTS;
use crate::session::{Session, fresh_id, later};
use crate::{Batch, Decision, ExchangeKind, ExchangeRow, Guard, Write, Wsca, WscaError};

/// One half of an exchange, read.
struct Asked<'a> {
    kind: ExchangeKind,
    request: &'a Request,
    data: FactorRequest,
    task: Option<Task>,
    session: Option<&'a Session>,
}

impl Wsca {
    /// Does one half of an exchange. `session` is the one a change runs in.
    pub(crate) async fn factor(
        &self,
        unit: &Unit,
        session: Option<&Session>,
        request: &Request,
    ) -> Result<Map, WscaError> {
        let result = self.half(unit, session, request).await;
        match result {
            Ok(data) => Ok(data),
            Err(error) => self.refused(unit.id(), request, error).await,
        }
    }

    async fn half(
        &self,
        unit: &Unit,
        session: Option<&Session>,
        request: &Request,
    ) -> Result<Map, WscaError> {
        unit.must_be_usable()?;
        let kind = match (request.kind, session) {
            (ServiceType::CreateSession, None) => ExchangeKind::Login,
            (ServiceType::Registration, None) => {
                unit.must_be_active()?;
                ExchangeKind::Registration
            }
            (ServiceType::Update, Some(session)) => {
                session.must_allow(Operation::ChangePin)?;
                ExchangeKind::Update
            }
            _ => return Err(Code::UnsupportedRequestType.into()),
        };
        let data: FactorRequest = read_data(request.data.clone())?;
        if data.protocol != OPAQUE {
            return Err(Code::IllegalRequestData.into());
        }
        let task = match (&data.task, kind, data.state) {
            (Some(task), ExchangeKind::Login, State::Evaluate) => {
                Some(task.parse().map_err(|_| Code::IllegalRequestData)?)
            }
            (None, ExchangeKind::Login, State::Finalize)
            | (None, ExchangeKind::Registration | ExchangeKind::Update, _) => None,
            _ => return Err(Code::IllegalRequestData.into()),
        };
        let asked = Asked {
            kind,
            request,
            data,
            task,
            session,
        };
        match (asked.data.state, kind) {
            (State::Evaluate, _) => self.evaluate(unit, &asked).await,
            (State::Finalize, ExchangeKind::Login) => self.open_session(unit, &asked).await,
            (State::Finalize, _) => self.set_pin(unit, &asked).await,
        }
    }

    async fn evaluate(&self, unit: &Unit, asked: &Asked<'_>) -> Result<Map, WscaError> {
        // A message that is none costs its sender nothing.
        let message = asked.data.p_data.as_bytes();
        match asked.kind {
            ExchangeKind::Login => server::check_login(message)?,
            ExchangeKind::Registration | ExchangeKind::Update => {
                server::check_registration(message)?;
            }
        }
        let (unit, exchange, now) = match self.count(unit, asked).await? {
            Counted::Now(unit, exchange, now) => (*unit, *exchange, now),
            Counted::Before(answer) => return Ok(answer),
        };
        // Counted, on disk, anchored. Only now is anything evaluated.
        let (p_data, kept) = match asked.kind {
            ExchangeKind::Login => {
                let row = unit.row();
                let (Some(record), Some(credential)) = (&row.pin_record, &row.pin_credential)
                else {
                    return Err(Code::NoPin.into());
                };
                let material = self.oprf_material(credential).await?;
                let transcript = self.transcript(&unit, &exchange)?;
                server::evaluate_login(
                    &self.secrets.opaque,
                    &material,
                    record,
                    message,
                    transcript,
                )?
            }
            ExchangeKind::Registration | ExchangeKind::Update => {
                let credential = fresh_credential(&unit)?;
                let material = self.oprf_material(&credential).await?;
                let answer =
                    server::evaluate_registration(&self.secrets.opaque, &material, message)?;
                (answer, Zeroizing::new(credential))
            }
        };
        let row = unit.row();
        let tries = row.tries.saturating_add(1);
        let answer = EvaluateAnswer {
            success: true,
            p_data: p_data.into(),
            session_id: exchange.id.clone(),
            tries_left: unit.policy.left(tries),
            retry_at: unit.policy.pause_after(tries, Some(now)),
        };
        let data = write_data(&answer)?;
        let aad = binding(&exchange, &unit);
        let batch = Batch {
            guards: vec![Guard::Exchange(exchange.id.clone())],
            writes: vec![Write::ExchangeAnswered {
                answer: serde_json::to_vec(&data)
                    .map_err(|error| WscaError::Internal(error.to_string()))?,
                sealed: self.secrets.seal(&exchange.id, &aad, &kept)?,
                id: exchange.id,
            }],
        };
        self.commit(batch).await?;
        Ok(data)
    }

    /// Counts a try, or finds that this very message was counted before.
    async fn count(&self, unit: &Unit, asked: &Asked<'_>) -> Result<Counted, WscaError> {
        let id = unit.id();
        let message = message_hash(asked);
        let _turn = self.turn(id).await;
        for _ in 0..ATTEMPTS {
            let unit = self.load(id).await?.ok_or(Code::Unauthorized)?;
            unit.must_be_usable()?;
            let has_pin = unit.row().pin_record.is_some();
            match asked.kind {
                ExchangeKind::Registration if has_pin => return Err(Code::PinExists.into()),
                ExchangeKind::Login | ExchangeKind::Update if !has_pin => {
                    return Err(Code::NoPin.into());
                }
                _ => {}
            }
            let now = self.now();
            if let Some(before) = self.store.exchange_of(id, &message).await?
                && now < before.expires
            {
                let answer = before.answer.ok_or(Code::TryLater)?;
                let data = serde_json::from_slice(&answer).map_err(|_| Code::RecordAltered)?;
                return Ok(Counted::Before(data));
            }
            let exchange_id = match asked.session {
                None => fresh_id()?,
                // One change in a session: the draft allows one exchange.
                Some(session) => {
                    let exchange_id = format!("{}.update", session.info.id);
                    if self.store.exchange(&exchange_id).await?.is_some() {
                        return Err(Code::TaskForbids.into());
                    }
                    exchange_id
                }
            };
            let row = unit.row();
            match unit.policy.decide(row.tries, row.last_try, now) {
                Decision::Allowed => {}
                Decision::PausedUntil(until) => {
                    return Err(Problem {
                        code: Code::PinPaused,
                        retry_at: Some(until),
                    }
                    .into());
                }
                Decision::Blocked => return Err(Code::PinBlocked.into()),
            }
            let exchange = ExchangeRow {
                id: exchange_id,
                unit: id,
                kind: asked.kind,
                message,
                session: asked.session.map(|session| session.info.id.clone()),
                task: asked.task.map(|task| task.name().into()),
                duration: asked.data.session_duration,
                expires: later(now, self.config.session.exchange),
                answer: None,
                sealed: None,
            };
            let new = unit
                .next_record(&*self.device, |row| {
                    row.tries = row.tries.saturating_add(1);
                    row.last_try = Some(now);
                })
                .await?;
            let mut guards = vec![nonce_guard(id, &asked.request.nonce)];
            guards.extend(
                asked
                    .session
                    .map(|s| Guard::SessionLive(s.info.id.clone(), now)),
            );
            let operation = format!("{} evaluate", asked.request.kind);
            let batch = Batch {
                guards,
                writes: vec![
                    nonce_write(id, &asked.request.nonce, now),
                    Write::Exchange(exchange.clone()),
                    Write::Audit(Entry::done(now, id, operation)),
                ],
            };
            match self.commit_change(&unit, new, batch).await {
                Ok(_) => return Ok(Counted::Now(Box::new(unit), Box::new(exchange), now)),
                Err(WscaError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(WscaError::Conflict)
    }

    /// The second half of a login: the proof.
    async fn open_session(&self, unit: &Unit, asked: &Asked<'_>) -> Result<Map, WscaError> {
        let (exchange, kept) = self.exchange(unit, asked).await?;
        let transcript = self.transcript(unit, &exchange)?;
        let task = transcript.task;
        let proof = asked.data.p_data.as_bytes();
        let key = match server::finish_login(&kept, proof, transcript) {
            Ok(key) => key,
            Err(error @ (OpaqueError::Proof | OpaqueError::Message)) => {
                // One answer to one evaluation: there is no second guess at it.
                self.commit(Batch {
                    guards: vec![],
                    writes: vec![Write::EndExchange(exchange.id)],
                })
                .await?;
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        };
        let now = self.now();
        let session = Session::begin(
            exchange.id.clone(),
            task,
            key,
            exchange.duration,
            self.config.session,
            now,
        );
        self.conclude_exchange(unit, asked, &exchange, now, |unit| {
            let epoch = unit.row().session_epoch;
            let row = session.row(unit, epoch, &self.secrets)?;
            Ok((vec![Write::Session(row)], None))
        })
        .await?;
        Ok(write_data(&SessionOpened {
            success: true,
            p_data: None,
            session_id: session.info.id.clone(),
            task: task.name().into(),
            session_expiration_time: session.info.expires.as_second(),
            session: session.info.clone(),
        })?)
    }

    /// The second half of a registration or a change: the new record.
    async fn set_pin(&self, unit: &Unit, asked: &Asked<'_>) -> Result<Map, WscaError> {
        let authorized = asked.data.authorization_type.as_deref() == Some(AUTHORIZED_BY_ENROLMENT);
        if asked.kind == ExchangeKind::Registration && !authorized {
            return Err(Code::IllegalRequestData.into());
        }
        let (exchange, credential) = self.exchange(unit, asked).await?;
        if exchange.session.as_deref() != asked.session.map(|session| session.info.id.as_str()) {
            return Err(Code::PinUnproven.into());
        }
        let record = server::finish_registration(asked.data.p_data.as_bytes())?;
        let now = self.now();
        let kind = asked.kind;
        self.conclude_exchange(unit, asked, &exchange, now, |unit| {
            let has_pin = unit.row().pin_record.is_some();
            match kind {
                ExchangeKind::Registration if has_pin => return Err(Code::PinExists.into()),
                ExchangeKind::Update if !has_pin => return Err(Code::NoPin.into()),
                _ => {}
            }
            // With the old PIN go all sessions that it opened.
            let writes = vec![Write::EndSessions(unit.id())];
            Ok((writes, Some((record.clone(), credential.to_vec()))))
        })
        .await?;
        Ok(write_data(&Done::OK)?)
    }

    /// Ends an exchange well: the tries start again from nothing, and what it was
    /// for is written with that, or nothing is.
    async fn conclude_exchange(
        &self,
        unit: &Unit,
        asked: &Asked<'_>,
        exchange: &ExchangeRow,
        now: Timestamp,
        make: impl Fn(&Unit) -> Result<Concluded, WscaError> + Sync,
    ) -> Result<(), WscaError> {
        let id = unit.id();
        let _turn = self.turn(id).await;
        let epoch = unit.row().session_epoch;
        for _ in 0..ATTEMPTS {
            let unit = self.load(id).await?.ok_or(Code::Unauthorized)?;
            unit.must_be_usable()?;
            if unit.row().session_epoch != epoch {
                // Revoked, or another PIN, since the exchange was read.
                return Err(Code::PinUnproven.into());
            }
            let (writes, pin) = make(&unit)?;
            let new = unit
                .next_record(&*self.device, |row| {
                    row.tries = 0;
                    row.last_try = None;
                    if let Some((record, credential)) = pin {
                        row.pin_record = Some(record);
                        row.pin_credential = Some(credential);
                        row.session_epoch = row.session_epoch.saturating_add(1);
                    }
                })
                .await?;
            let mut batch = Batch {
                guards: vec![
                    Guard::Exchange(exchange.id.clone()),
                    nonce_guard(id, &asked.request.nonce),
                ],
                writes: vec![
                    nonce_write(id, &asked.request.nonce, now),
                    Write::EndExchange(exchange.id.clone()),
                ],
            };
            if let Some(session) = asked.session {
                let live = Guard::SessionLive(session.info.id.clone(), now);
                batch.guards.push(live);
            }
            batch.writes.extend(writes);
            let entry = Entry::done(now, id, asked.request.kind.name());
            batch.writes.push(Write::Audit(entry));
            match self.commit_change(&unit, new, batch).await {
                Err(WscaError::Conflict) => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(()),
            }
        }
        Err(WscaError::Conflict)
    }

    /// The exchange that a second half finishes, and what was kept for it.
    async fn exchange(
        &self,
        unit: &Unit,
        asked: &Asked<'_>,
    ) -> Result<(ExchangeRow, Zeroizing<Vec<u8>>), WscaError> {
        let id = asked.data.session_id.as_deref();
        let id = id
            .filter(|id| id.len() <= 64)
            .ok_or(Code::IllegalRequestData)?;
        let row = self.store.exchange(id).await?.ok_or(Code::PinUnproven)?;
        let fits = row.unit == unit.id() && row.kind == asked.kind && self.now() < row.expires;
        let sealed = row.sealed.as_deref().filter(|_| fits);
        let aad = binding(&row, unit);
        let kept = self
            .secrets
            .open_sealed(&row.id, &aad, sealed.ok_or(Code::PinUnproven)?)?
            .ok_or(Code::PinUnproven)?;
        Ok((row, kept))
    }

    /// The device's part of an evaluation.
    async fn oprf_material(&self, credential: &[u8]) -> Result<OprfMaterial, WscaError> {
        let info = server::oprf_info(credential);
        let material = self.device.mac(MacPurpose::OprfSeed, &info).await?;
        Ok(Zeroizing::new(material))
    }

    fn transcript<'a>(
        &'a self,
        unit: &Unit,
        exchange: &'a ExchangeRow,
    ) -> Result<Transcript<'a>, WscaError> {
        let task = exchange.task.as_deref().and_then(|task| task.parse().ok());
        Ok(Transcript {
            unit: unit.id(),
            context: &self.identity.context,
            signing_key: unit.signing.thumbprint(),
            task: task.ok_or(Code::PinUnproven)?,
            session_id: &exchange.id,
        })
    }
}

/// What ends an exchange: writes, and a new PIN's record and credential.
type Concluded = (Vec<Write>, Option<(Vec<u8>, Vec<u8>)>);

/// What counting came to.
enum Counted {
    /// It was counted now: the unit as it was before, the exchange, the time.
    Now(Box<Unit>, Box<ExchangeRow>, Timestamp),
    /// It was counted before: its answer.
    Before(Map),
}

/// A credential identifier that no other registration has.
fn fresh_credential(unit: &Unit) -> Result<Vec<u8>, WscaError> {
    let mut random = [0; 32];
    aws_lc_rs::rand::fill(&mut random)
        .map_err(|_| WscaError::Internal("the cryptographic library failed".into()))?;
    Ok([unit.id().as_bytes().as_slice(), &random].concat())
}

/// What makes a first message the same as another.
fn message_hash(asked: &Asked<'_>) -> [u8; 32] {
    let duration = asked.data.session_duration.map(u64::to_be_bytes);
    let mut bytes = Vec::with_capacity(256);
    let parts: [&[u8]; 5] = [
        asked.kind.name().as_bytes(),
        asked.task.map_or("", Task::name).as_bytes(),
        duration.as_ref().map_or(&[], <[u8; 8]>::as_slice),
        asked.session.map_or("", |s| s.info.id.as_str()).as_bytes(),
        asked.data.p_data.as_bytes(),
    ];
    for part in parts {
        let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(part);
    }
    sha256(&bytes)
}

/// What the seal of an exchange binds. The session epoch goes in, so that no
/// exchange outlives a revocation or a new PIN.
fn binding(exchange: &ExchangeRow, unit: &Unit) -> Vec<u8> {
    let duration = exchange.duration.map(u64::to_be_bytes);
    let id = unit.id();
    let signing = unit.signing.thumbprint();
    let epoch = unit.row().session_epoch.to_be_bytes();
    let expires = exchange.expires.as_millisecond().to_be_bytes();
    let parts: [&[u8]; 9] = [
        b"claviger-wsca-exchange-v1",
        id.as_bytes(),
        &signing,
        &epoch,
        exchange.kind.name().as_bytes(),
        exchange.task.as_deref().unwrap_or_default().as_bytes(),
        duration.as_ref().map_or(&[], <[u8; 8]>::as_slice),
        exchange.session.as_deref().unwrap_or_default().as_bytes(),
        &expires,
    ];
    let mut aad = Vec::with_capacity(256);
    for part in parts {
        let len = u64::try_from(part.len()).unwrap_or(u64::MAX);
        aad.extend_from_slice(&len.to_be_bytes());
        aad.extend_from_slice(part);
    }
    aad.extend_from_slice(exchange.id.as_bytes());
    aad
}
