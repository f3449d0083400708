//! A WSCA in the memory of a test: it signs for real, on P-256, and can be spoiled in
//! one way at a time.
#![allow(unreachable_pub)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use claviger_fixtures::TestKey;
use jiff::{SignedDuration, Timestamp};
use jose::{Algorithm, Curve, PublicKey};
use p256_opaque::elliptic_curve::ff::PrimeField;
use p256_opaque::elliptic_curve::ops::Reduce;
use p256_opaque::elliptic_curve::point::AffineCoordinates;
use p256_opaque::elliptic_curve::sec1::{FromEncodedPoint, ToEncodedPoint};
use p256_opaque::{AffinePoint, EncodedPoint, FieldBytes, ProjectivePoint, Scalar, U256};
use sci::conformance::{Harness, Wallet, Wire};
use sci::{
    ActivationInfo, Architecture, Assurance, AttackPotential, Code, Descriptor, Digest, Error,
    ItemName, KeyId, KeyInfo, KeyState, MAX_ITEM_BYTES, Operation, Pin, PinRules,
    STATEMENT_LIFETIME, Sci, SessionInfo, StatedKey, StatementClaims, Task, UnitId, WscaProvider,
};
use zeroize::Zeroizing;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    OnlyKeys,
    ClaimsALevel,
    NamesNoAssumption,
    SaysExportable,
    SignsWithoutSession,
    IgnoresTheTask,
    SessionsStay,
    SessionsHaveNoTime,
    SessionsOutliveRevocation,
    RegistersAgain,
    TakesTrivialPins,
    CountsNothing,
    NeverBlocks,
    TheRightPinIsNeverPaused,
    CountsAfterwards,
    TheOldPinStays,
    MakesOneKeyTwice,
    HasNoLimit,
    SignsInTheWrongOrder,
    SignsWhatItCan,
    PadsDigests,
    ReusesItsNonce,
    AgreesOnNothing,
    ProvesAnything,
    ReadsKeysAsItems,
    StatesForAnyone,
    OneStatementForAll,
    ItemsEndWithTheirSession,
    MixesUnits,
    SharesItems,
    ServesAnyPhone,
    StrangersCostTries,
    IgnoresDestruction,
    UnitsLiveOn,
    TakesRepetitions,
    TakesAlteredRequests,
    DoublesUnderLoad,
    ForgetsTriesOnRestart,
    ForgetsDestructionOnRestart,
}

/// The WSCA, and the harness around it.
#[derive(Debug, Clone)]
pub struct Card(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    fault: Fault,
    info: ActivationInfo,
    statements: TestKey,
    powers: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    later: SignedDuration,
    units: HashMap<UnitId, Unit>,
    /// What was sent already: a serial number for each request.
    spent: HashSet<u64>,
    sent: u64,
    /// How many requests are at work.
    at_work: usize,
}

#[derive(Debug, Clone, Default)]
struct Unit {
    pin: Option<String>,
    old_pin: Option<String>,
    tries: u32,
    last_try: Option<Timestamp>,
    session: Option<SessionInfo>,
    keys: BTreeMap<KeyId, Key>,
    items: HashMap<ItemName, Vec<u8>>,
    frozen: bool,
    destroyed: bool,
}

#[derive(Debug, Clone)]
struct Key {
    secret: Scalar,
    info: KeyInfo,
}

const TRIES_PER_ROUND: u32 = 3;
const PAUSES: [u64; 2] = [60, 600];
const IDLE: SignedDuration = SignedDuration::from_mins(2);
const ABSOLUTE: SignedDuration = SignedDuration::from_mins(10);
const MAX_BATCH: usize = 16;

impl Card {
    pub fn with(fault: Fault, architecture: Architecture) -> Self {
        let statements = TestKey::generate(Curve::P256);
        let info = ActivationInfo {
            descriptor: Descriptor {
                model: "a card in a test".into(),
                architecture,
                wsca_provided_by: WscaProvider::WalletProvider,
                assurance: match fault {
                    Fault::NamesNoAssumption => Assurance::Assumed {
                        scheme: "a national scheme".into(),
                        assumption: String::new(),
                    },
                    _ => Assurance::None,
                },
                key_storage: (fault == Fault::ClaimsALevel).then_some(AttackPotential::High),
                user_authentication: None,
                exportable: fault == Fault::SaysExportable,
                algorithms: vec![Algorithm::Es256],
                agreement: true,
            },
            pin: PinRules {
                min_digits: Pin::MIN,
                max_digits: Pin::MAX,
                tries: 9,
                pauses: PAUSES.to_vec(),
                tries_per_round: TRIES_PER_ROUND,
            },
            max_batch: MAX_BATCH,
            max_keys: 64,
            statement_key: jose::Signer::public_key(&statements).clone(),
        };
        Self(Arc::new(Inside {
            fault,
            info,
            statements,
            powers: true,
            state: Mutex::default(),
        }))
    }

    pub fn without_powers(self) -> Self {
        let inside = Arc::into_inner(self.0).unwrap();
        Self(Arc::new(Inside {
            powers: false,
            ..inside
        }))
    }

    fn is(&self, fault: Fault) -> bool {
        self.0.fault == fault
    }

    fn time(&self, state: &State) -> Timestamp {
        clock_now() + state.later
    }

    fn add(&self) -> Wallet {
        let unit = UnitId::random();
        let platform_pin = self.is(Fault::OnlyKeys).then(|| "493827".to_owned());
        let fresh = Unit {
            pin: platform_pin,
            ..Unit::default()
        };
        self.0.state.lock().unwrap().units.insert(unit, fresh);
        let hands = Arc::new(Hands {
            card: self.clone(),
            unit,
            has_phone: true,
            last: Mutex::default(),
        });
        Wallet {
            unit,
            sci: hands.clone(),
            wire: self.0.powers.then_some(hands as Arc<dyn Wire>),
        }
    }
}

fn clock_now() -> Timestamp {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    let passed = SignedDuration::try_from(start.elapsed()).unwrap();
    Timestamp::from_second(1_790_000_000).unwrap() + passed
}

#[async_trait]
impl Harness for Card {
    async fn wallet(&self) -> Result<Wallet, String> {
        Ok(self.add())
    }

    fn now(&self) -> Timestamp {
        self.time(&self.0.state.lock().unwrap())
    }

    async fn impostor(&self, unit: &Wallet) -> Option<Arc<dyn Sci>> {
        self.0.powers.then(|| {
            Arc::new(Hands {
                card: self.clone(),
                unit: unit.unit,
                has_phone: false,
                last: Mutex::default(),
            }) as Arc<dyn Sci>
        })
    }

    async fn pass(&self, time: SignedDuration) -> bool {
        if self.0.powers {
            self.0.state.lock().unwrap().later += time;
        }
        self.0.powers
    }

    async fn restart(&self) -> Option<Result<(), String>> {
        let mut state = self.0.state.lock().unwrap();
        for unit in state.units.values_mut() {
            unit.session = None;
            if self.is(Fault::ForgetsTriesOnRestart) {
                unit.tries = 0;
            }
            if self.is(Fault::ForgetsDestructionOnRestart) {
                for key in unit.keys.values_mut() {
                    key.info.state = KeyState::Active;
                }
            }
        }
        self.0.powers.then_some(Ok(()))
    }

    async fn revoke(&self, unit: &Wallet) -> Option<Result<(), String>> {
        if !self.0.powers {
            return None;
        }
        let mut state = self.0.state.lock().unwrap();
        let unit = state.units.get_mut(&unit.unit).unwrap();
        unit.frozen = true;
        if !self.is(Fault::SessionsOutliveRevocation) {
            unit.session = None;
        }
        Some(Ok(()))
    }
}

/// A wallet instance's hands, or somebody's who has not the phone.
#[derive(Debug)]
struct Hands {
    card: Card,
    unit: UnitId,
    has_phone: bool,
    last: Mutex<Option<Vec<u8>>>,
}

/// A request as it goes over the wire: a serial number, what is asked, and a check over
/// both.
fn request(serial: u64, asked: &str) -> Vec<u8> {
    let text = format!("{serial}|{asked}");
    let check = jose::b64::encode(jose::sha256(text.as_bytes()));
    format!("{check}|{text}").into_bytes()
}

impl Hands {
    fn is(&self, fault: Fault) -> bool {
        self.card.is(fault)
    }

    /// Says what is asked, so that it can be overheard.
    fn say(&self, asked: &str) {
        let mut state = self.card.0.state.lock().unwrap();
        state.sent += 1;
        let serial = state.sent;
        state.spent.insert(serial);
        *self.last.lock().unwrap() = Some(request(serial, asked));
    }

    fn with<R>(&self, act: impl FnOnce(&mut State, Timestamp) -> R) -> R {
        let mut state = self.card.0.state.lock().unwrap();
        let now = self.card.time(&state);
        act(&mut state, now)
    }

    /// Runs within the session, where it allows `operation`.
    fn within<R>(
        &self,
        operation: Operation,
        act: impl FnOnce(&mut Unit, Timestamp) -> Result<R, Error>,
    ) -> Result<R, Error> {
        self.with(|state, now| {
            let unit = state.units.get_mut(&self.unit).unwrap();
            let lax = self.is(Fault::SignsWithoutSession) && operation == Operation::Sign;
            if !lax {
                self.session_allows(unit, operation, now)?;
            }
            act(unit, now)
        })
    }

    fn session_allows(
        &self,
        unit: &mut Unit,
        operation: Operation,
        now: Timestamp,
    ) -> Result<(), Error> {
        if !self.has_phone {
            return Err(Error::refused(Code::Unauthorized));
        }
        if unit.destroyed && !self.is(Fault::UnitsLiveOn) {
            return Err(Error::refused(Code::UnitDestroyed));
        }
        if unit.frozen && !self.is(Fault::SessionsOutliveRevocation) {
            return Err(Error::refused(Code::UnitFrozen));
        }
        let Some(session) = &mut unit.session else {
            return Err(Error::NoSession);
        };
        let over = now > session.idle_until || now > session.expires;
        if over && !self.is(Fault::SessionsHaveNoTime) {
            unit.session = None;
            return Err(Error::refused(Code::NoSession));
        }
        if !session.task.allows(operation) && !self.is(Fault::IgnoresTheTask) {
            return Err(Error::refused(Code::TaskForbids));
        }
        session.idle_until = (now + IDLE).min(session.expires);
        Ok(())
    }

    /// Proves a PIN, counting first.
    fn prove(&self, state: &mut State, now: Timestamp, pin: &Pin) -> Result<(), Error> {
        let at_work = state.at_work;
        let unit = state.units.get_mut(&self.unit).unwrap();
        let digits = String::from_utf8(pin.expose().to_vec()).unwrap();
        if !self.has_phone && !self.is(Fault::ServesAnyPhone) {
            if self.is(Fault::StrangersCostTries) && unit.tries < 2 {
                unit.tries += 1;
            }
            return Err(Error::refused(Code::Unauthorized));
        }
        if unit.destroyed && !self.is(Fault::UnitsLiveOn) {
            return Err(Error::refused(Code::UnitDestroyed));
        }
        if unit.frozen {
            return Err(Error::refused(Code::UnitFrozen));
        }
        let Some(registered) = &unit.pin else {
            return Err(Error::refused(Code::NoPin));
        };
        let old = self.is(Fault::TheOldPinStays) && unit.old_pin.as_ref() == Some(&digits);
        let right = *registered == digits || old;
        let allowed = self.decide(unit, now);
        let lets = self.is(Fault::TheRightPinIsNeverPaused) && right
            // Asked while others are still being answered.
            || self.is(Fault::CountsAfterwards) && at_work > 1;
        if let Err(error) = allowed
            && !lets
        {
            return Err(error);
        }
        if !self.is(Fault::CountsNothing) {
            unit.tries += 1;
            unit.last_try = Some(now);
        }
        if !right {
            return Err(Error::WrongPin {
                tries_left: 9_u32.saturating_sub(unit.tries),
                retry_at: None,
            });
        }
        unit.tries = 0;
        Ok(())
    }

    fn decide(&self, unit: &Unit, now: Timestamp) -> Result<(), Error> {
        let tries = unit.tries;
        if tries >= 9 {
            return match self.is(Fault::NeverBlocks) {
                true if unit
                    .last_try
                    .is_some_and(|at| now > at + SignedDuration::from_hours(1)) =>
                {
                    Ok(())
                }
                _ => Err(Error::refused(Code::PinBlocked)),
            };
        }
        if tries > 0 && tries.is_multiple_of(TRIES_PER_ROUND) {
            let pause = PAUSES[(tries / TRIES_PER_ROUND - 1) as usize];
            let until = unit.last_try.unwrap() + SignedDuration::from_secs(pause as i64);
            if now < until {
                return Err(Error::Refused {
                    code: Code::PinPaused,
                    retry_at: Some(until),
                });
            }
        }
        Ok(())
    }

    fn begin(&self, unit: &mut Unit, task: Task, now: Timestamp) -> SessionInfo {
        let session = SessionInfo {
            id: KeyId::random().to_string(),
            task,
            opened: now,
            idle_until: now + IDLE,
            expires: now + ABSOLUTE,
        };
        unit.session = Some(session.clone());
        if self.is(Fault::ItemsEndWithTheirSession) {
            unit.items.clear();
        }
        session
    }

    fn new_keys(&self, unit: &mut Unit, count: usize, now: Timestamp) -> Vec<KeyInfo> {
        let mut made = Vec::new();
        for n in 0..count {
            let secret = match (self.is(Fault::MakesOneKeyTwice), made.first()) {
                (true, Some(first)) if n == 1 => {
                    let first: &KeyInfo = first;
                    unit.keys[&first.id].secret
                }
                _ => random_scalar(),
            };
            let id = KeyId::random();
            let descriptor = &self.card.0.info.descriptor;
            let info = KeyInfo {
                id,
                public_key: public(&secret),
                key_storage: descriptor.key_storage,
                user_authentication: None,
                certification: None,
                exportable: descriptor.exportable,
                state: KeyState::Active,
                created: now,
            };
            made.push(info.clone());
            unit.keys.insert(id, Key { secret, info });
        }
        made
    }

    /// A key that may be used.
    fn usable(&self, id: KeyId) -> Result<Key, Error> {
        let state = self.card.0.state.lock().unwrap();
        let own = state.units[&self.unit].keys.get(&id);
        let any = || state.units.values().find_map(|unit| unit.keys.get(&id));
        let key = match own {
            None if self.is(Fault::MixesUnits) => any(),
            own => own,
        };
        let key = key.ok_or(Error::refused(Code::NoSuchKey))?;
        match key.info.state {
            KeyState::Active => Ok(key.clone()),
            _ => Err(Error::refused(Code::KeyDestroyed)),
        }
    }

    fn state_as(
        &self,
        keys: &[KeyId],
        nonce: &str,
        audience: &str,
    ) -> Result<StatementClaims, Error> {
        if self.is(Fault::OnlyKeys) {
            return Err(Error::refused(Code::NotOffered));
        }
        self.within(Operation::StateKeys, |_, _| Ok(()))?;
        let illegal = Error::refused(Code::IllegalRequestData);
        if keys.is_empty() || nonce.is_empty() || audience.is_empty() {
            return Err(illegal);
        }
        let mut stated: Vec<StatedKey> = Vec::new();
        for id in keys {
            let key = self.usable(*id)?;
            if stated.iter().any(|other| other.id == *id) {
                return Err(illegal);
            }
            stated.push(StatedKey {
                id: *id,
                jwk: key.info.public_key,
                key_storage: key.info.key_storage,
                user_authentication: None,
                certification: None,
                exportable: key.info.exportable,
            });
        }
        let iat = self.with(|_, now| now.as_second());
        Ok(StatementClaims {
            iss: "card".into(),
            sub: self.unit,
            aud: match self.is(Fault::StatesForAnyone) && audience.starts_with("https") {
                true => "anyone".into(),
                false => audience.into(),
            },
            nonce: nonce.into(),
            iat,
            exp: iat + STATEMENT_LIFETIME.as_secs(),
            auth_time: iat,
            device: "phone".into(),
            keys: stated,
        })
    }
}

/// Lets every other request of the same moment begin before it goes on.
async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if yielded {
            return std::task::Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[async_trait]
impl Sci for Hands {
    async fn activation_info(&self) -> Result<ActivationInfo, Error> {
        match self.has_phone {
            true => Ok(self.card.0.info.clone()),
            false => Err(Error::refused(Code::Unauthorized)),
        }
    }

    async fn register_pin(&self, pin: &Pin) -> Result<(), Error> {
        if self.is(Fault::OnlyKeys) {
            return Err(Error::refused(Code::NotOffered));
        }
        if pin.is_trivial() && !self.is(Fault::TakesTrivialPins) {
            return Err(sci::PinError::Trivial.into());
        }
        if !self.has_phone {
            return Err(Error::refused(Code::Unauthorized));
        }
        self.with(|state, _| {
            let unit = state.units.get_mut(&self.unit).unwrap();
            if unit.destroyed && !self.is(Fault::UnitsLiveOn) {
                return Err(Error::refused(Code::UnitDestroyed));
            }
            if unit.pin.is_some() && !self.is(Fault::RegistersAgain) {
                return Err(Error::refused(Code::PinExists));
            }
            // It took the trivial one, and takes the next all the same.
            unit.pin = Some(String::from_utf8(pin.expose().to_vec()).unwrap());
            Ok(())
        })
    }

    async fn change_pin(&self, old: &Pin, new: &Pin) -> Result<(), Error> {
        if self.is(Fault::OnlyKeys) {
            return Err(Error::refused(Code::NotOffered));
        }
        if new.is_trivial() && !self.is(Fault::TakesTrivialPins) {
            return Err(sci::PinError::Trivial.into());
        }
        self.with(|state, now| {
            self.prove(state, now, old)?;
            let unit = state.units.get_mut(&self.unit).unwrap();
            unit.old_pin = unit.pin.clone();
            unit.pin = Some(String::from_utf8(new.expose().to_vec()).unwrap());
            unit.session = None;
            Ok(())
        })
    }

    async fn open_session(&self, pin: &Pin, task: Task) -> Result<SessionInfo, Error> {
        self.say("open");
        self.with(|state, _| state.at_work += 1);
        yield_once().await;
        let opened = self.with(|state, now| {
            self.prove(state, now, pin)?;
            let unit = state.units.get_mut(&self.unit).unwrap();
            Ok(self.begin(unit, task, now))
        });
        yield_once().await;
        self.with(|state, _| state.at_work -= 1);
        opened
    }

    async fn session(&self) -> Result<Option<SessionInfo>, Error> {
        self.with(|state, now| {
            let unit = state.units.get_mut(&self.unit).unwrap();
            match self.session_allows(unit, Operation::InspectSession, now) {
                Ok(()) => Ok(unit.session.clone()),
                Err(Error::NoSession) => Ok(None),
                Err(error) if error.code() == Some(Code::NoSession) => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    async fn end_session(&self) -> Result<(), Error> {
        self.say("end");
        if !self.is(Fault::SessionsStay) {
            self.with(|state, _| state.units.get_mut(&self.unit).unwrap().session = None);
        }
        Ok(())
    }

    async fn generate_keys(&self, count: usize, curve: Curve) -> Result<Vec<KeyInfo>, Error> {
        self.say(&format!("generate {count}"));
        if curve != Curve::P256 {
            return Err(Error::refused(Code::NotOffered));
        }
        let most = if self.is(Fault::HasNoLimit) {
            1000
        } else {
            MAX_BATCH
        };
        if count == 0 || count > most {
            return Err(Error::refused(Code::TooMany));
        }
        self.with(|state, _| state.at_work += 1);
        yield_once().await;
        let crowded = self.with(|state, _| state.at_work > 2);
        let made = self.within(Operation::GenerateKeys, |unit, now| {
            let made = self.new_keys(unit, count, now);
            if crowded && self.is(Fault::DoublesUnderLoad) {
                self.new_keys(unit, count, now);
            }
            Ok(made)
        });
        self.with(|state, _| state.at_work -= 1);
        made
    }

    async fn list_keys(&self) -> Result<Vec<KeyInfo>, Error> {
        self.within(Operation::ListKeys, |unit, _| {
            Ok(unit.keys.values().map(|key| key.info.clone()).collect())
        })
    }

    async fn sign(&self, items: &[(KeyId, Digest)]) -> Result<Vec<Vec<u8>>, Error> {
        self.within(Operation::Sign, |_, _| Ok(()))?;
        let most = if self.is(Fault::HasNoLimit) {
            1000
        } else {
            MAX_BATCH
        };
        if items.is_empty() || items.len() > most {
            return Err(Error::refused(Code::TooMany));
        }
        let mut signatures = Vec::new();
        for (id, digest) in items {
            let key = match self.usable(*id) {
                Err(_) if self.is(Fault::SignsWhatItCan) && !signatures.is_empty() => continue,
                key => key?,
            };
            if digest.as_bytes().len() != 32 && !self.is(Fault::PadsDigests) {
                return Err(Error::refused(Code::IllegalRequestData));
            }
            let nonce = match self.is(Fault::ReusesItsNonce) {
                true => Scalar::from(4711_u64),
                false => random_scalar(),
            };
            signatures.push(ecdsa(&key.secret, &digest.as_bytes()[..32], nonce));
        }
        if self.is(Fault::SignsInTheWrongOrder) {
            signatures.reverse();
        }
        Ok(signatures)
    }

    async fn agree(&self, key: &KeyId, peer: &PublicKey) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.within(Operation::Agree, |_, _| Ok(()))?;
        let key = self.usable(*key)?;
        if peer.curve() != Curve::P256 {
            return Err(Error::refused(Code::IllegalRequestData));
        }
        if self.is(Fault::AgreesOnNothing) {
            return Ok(vec![0; 32].into());
        }
        let point = EncodedPoint::from_bytes(peer.point()).unwrap();
        let point = AffinePoint::from_encoded_point(&point).unwrap();
        let shared = (ProjectivePoint::from(point) * key.secret).to_affine();
        Ok(shared.x().to_vec().into())
    }

    async fn prove_possession(&self, key: &KeyInfo, challenge: &[u8]) -> Result<String, Error> {
        let challenge = match self.is(Fault::ProvesAnything) {
            true => b"another",
            false => challenge,
        };
        sci::prove_possession(self, key, challenge).await
    }

    async fn state_keys(
        &self,
        keys: &[KeyId],
        nonce: &str,
        audience: &str,
    ) -> Result<String, Error> {
        let claims = self.state_as(keys, nonce, audience)?;
        Ok(claims.sign(&self.card.0.statements).await?)
    }

    async fn associate_keys(
        &self,
        keys: &[KeyId],
        nonce: &str,
        audience: &str,
    ) -> Result<String, Error> {
        let claims = self.state_as(keys, nonce, audience)?;
        let signer = &self.card.0.statements;
        Ok(match self.is(Fault::OneStatementForAll) {
            true => claims.sign(signer).await?,
            false => claims.sign_for_association(signer).await?,
        })
    }

    async fn store_item(&self, name: &ItemName, content: &[u8]) -> Result<(), Error> {
        if self.is(Fault::OnlyKeys) {
            return Err(Error::refused(Code::NotOffered));
        }
        if content.len() > MAX_ITEM_BYTES {
            return Err(Error::refused(Code::TooMany));
        }
        let text = jose::b64::encode(content);
        self.say(&format!("store {name} {text}"));
        self.within(Operation::StoreItem, |unit, _| {
            unit.items.insert(name.clone(), content.to_vec());
            Ok(())
        })
    }

    async fn read_item(&self, name: &ItemName) -> Result<Zeroizing<Vec<u8>>, Error> {
        if self.is(Fault::OnlyKeys) {
            return Err(Error::refused(Code::NotOffered));
        }
        if self.is(Fault::ReadsKeysAsItems)
            && let Ok(id) = name.as_str().parse()
            && let Ok(key) = self.usable(id)
        {
            return Ok(key.secret.to_repr().to_vec().into());
        }
        let own = self.within(Operation::ReadItem, |unit, _| {
            Ok(unit.items.get(name).cloned())
        })?;
        let others = || {
            self.with(|state, _| {
                state
                    .units
                    .values()
                    .find_map(|unit| unit.items.get(name).cloned())
            })
        };
        let content = match own {
            None if self.is(Fault::SharesItems) && name.as_str() == "pseudonym" => others(),
            own => own,
        };
        content
            .map(Into::into)
            .ok_or(Error::refused(Code::NoSuchItem))
    }

    async fn destroy_keys(&self, keys: &[KeyId]) -> Result<(), Error> {
        self.within(Operation::DestroyKeys, |unit, _| {
            if !keys.iter().all(|id| unit.keys.contains_key(id)) {
                return Err(Error::refused(Code::NoSuchKey));
            }
            for id in keys {
                let key = unit.keys.get_mut(id).unwrap();
                if !self.is(Fault::IgnoresDestruction) {
                    key.info.state = KeyState::Destroyed;
                }
            }
            Ok(())
        })
    }

    async fn destroy_unit(&self) -> Result<(), Error> {
        self.within(Operation::DestroyUnit, |unit, _| {
            unit.destroyed = true;
            Ok(())
        })
    }
}

#[async_trait]
impl Wire for Hands {
    fn last(&self) -> Option<Vec<u8>> {
        self.last.lock().unwrap().clone()
    }

    async fn send(&self, request: Vec<u8>) {
        let Ok(text) = String::from_utf8(request) else {
            return;
        };
        let Some((check, rest)) = text.split_once('|') else {
            return;
        };
        let genuine = check == jose::b64::encode(jose::sha256(rest.as_bytes()));
        let Some((serial, asked)) = rest.split_once('|') else {
            return;
        };
        let spent = serial
            .parse()
            .is_ok_and(|serial| self.with(|state, _| state.spent.contains(&serial)));
        let taken = match (genuine, spent) {
            (true, true) => self.is(Fault::TakesRepetitions),
            (false, _) => self.is(Fault::TakesAlteredRequests),
            (true, false) => true,
        };
        if !taken {
            return;
        }
        match asked.split(' ').collect::<Vec<_>>().as_slice() {
            ["generate", ..] => {
                let _ = self.within(Operation::GenerateKeys, |unit, now| {
                    Ok(self.new_keys(unit, 1, now))
                });
            }
            ["store", name, content] => {
                let content = jose::b64::decode(content).unwrap_or_default();
                let name = ItemName::new(*name).unwrap();
                let _ = self.within(Operation::StoreItem, |unit, _| {
                    unit.items.insert(name, content);
                    Ok(())
                });
            }
            _ => {}
        }
    }
}

fn random_scalar() -> Scalar {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    <Scalar as Reduce<U256>>::reduce_bytes(FieldBytes::from_slice(&bytes))
}

fn public(secret: &Scalar) -> PublicKey {
    let point = (ProjectivePoint::GENERATOR * secret).to_affine();
    PublicKey::from_point(Curve::P256, point.to_encoded_point(false).as_bytes()).unwrap()
}

/// A signature with this nonce (FIPS 186-5, 6.4.1), `r || s`.
fn ecdsa(secret: &Scalar, digest: &[u8], nonce: Scalar) -> Vec<u8> {
    let point = (ProjectivePoint::GENERATOR * nonce).to_affine();
    let r = <Scalar as Reduce<U256>>::reduce_bytes(&point.x());
    let z = <Scalar as Reduce<U256>>::reduce_bytes(FieldBytes::from_slice(digest));
    let s = nonce.invert().unwrap() * (z + r * secret);
    [r.to_repr(), s.to_repr()].concat()
}
