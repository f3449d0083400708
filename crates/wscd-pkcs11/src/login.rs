//! A login to a token, and the handles found under it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use jose::PublicKey;
use wscd::{KeyName, KeyUse, MacPurpose, SealPurpose};

use crate::error::{Fault, OpenError, during};
use crate::module::{Gate, Module};
use crate::objects::{self, BIND, Kind, Origin, VIEW, mac_label, seal_label};
use crate::pin::Pin;
use crate::profile::Profile;
use crate::register::Register;
use crate::roots::Roots;
use crate::uri::TokenName;
use crate::view::TokenId;

/// What one login to a token found. Handles hold in every PKCS#11 session of the
/// same login, and in none of another.
pub(crate) struct Login {
    pub(crate) epoch: u64,
    pub(crate) slot: Slot,
    /// Tells the token from others that hold the same keys.
    pub(crate) id: TokenId,
    pub(crate) profile: Profile,
    /// The maker and model, as the token gives them.
    pub(crate) model: String,
    /// Names the token's own keys in every wrapped form.
    pub(crate) device: [u8; 8],
    pub(crate) bind: ObjectHandle,
    macs: HashMap<MacPurpose, ObjectHandle>,
    seals: HashMap<SealPurpose, ObjectHandle>,
    pub(crate) roots: RwLock<Roots>,
    pub(crate) named: Mutex<HashMap<KeyName, NamedKey>>,
    pub(crate) anchors: Mutex<HashMap<u16, Register>>,
    pub(crate) view: Mutex<Register>,
    pub(crate) origin: Origin,
    /// While it is open, the login lasts.
    keeper: Line,
}

/// One of the service's own keys, found.
#[derive(Debug, Clone)]
pub(crate) struct NamedKey {
    pub(crate) public: PublicKey,
    pub(crate) private: ObjectHandle,
    pub(crate) usage: KeyUse,
}

/// A PKCS#11 session that closes itself, if it is still what it was.
pub(crate) struct Line {
    module: Arc<Module>,
    /// The initialisation of the module, and the login, that it belongs to.
    count: u64,
    pub(crate) epoch: u64,
    /// Taken when it closes. The lock is never contended: a line has one user.
    session: Mutex<Option<Session>>,
}

impl Line {
    pub(crate) fn open(
        module: &Arc<Module>,
        gate: &Gate<'_>,
        slot: Slot,
        epoch: u64,
    ) -> Result<Self, Fault> {
        let session = gate
            .pkcs11
            .open_rw_session_no_drop(slot)
            .map_err(during("open a connection"))?;
        Ok(Self {
            module: Arc::clone(module),
            count: gate.count(),
            epoch,
            session: Mutex::new(Some(session)),
        })
    }

    /// Closes it now, for one who holds the gate.
    pub(crate) fn close_within(mut self, gate: &Gate<'_>) {
        let session = self
            .session
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(session) = session
            && self.count == gate.count()
        {
            let _ = session.close();
        }
    }

    pub(crate) fn fits(&self, gate: &Gate<'_>, epoch: u64) -> bool {
        self.count == gate.count() && self.epoch == epoch
    }

    /// Lends the session.
    pub(crate) fn with<T, E: From<Fault>>(
        &self,
        call: impl FnOnce(&Session) -> Result<T, E>,
    ) -> Result<T, E> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        match session.as_ref() {
            Some(session) => call(session),
            None => Err(during("use a closed connection")(Error::Pkcs11(
                RvError::SessionClosed,
                cryptoki::context::Function::GetSessionInfo,
            ))
            .into()),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let session = self
            .session
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(session) = session {
            self.module.close(self.count, session);
        }
    }
}

impl Login {
    /// Finds the token, logs in and finds what must be there.
    pub(crate) fn new(
        module: &Arc<Module>,
        token: &TokenName,
        pin: &Pin,
        origin: Origin,
        epoch: u64,
    ) -> Result<Self, OpenError> {
        let gate = module.enter();
        let (slot, about) = find_token(gate.pkcs11, token)?.ok_or_else(|| OpenError::NoToken {
            token: token.to_string(),
        })?;
        let profile = Profile::probe(gate.pkcs11, slot)?;
        let keeper = Line::open(module, &gate, slot, epoch)?;
        let found = keeper.with(|session| {
            log_in(session, &about, pin)?;
            Found::load(session, origin)
        });
        // A line that closes asks for the gate.
        drop(gate);
        let found = found?;
        Ok(Self {
            epoch,
            slot,
            profile,
            model: format!("{} {}", about.manufacturer_id(), about.model())
                .trim()
                .to_owned(),
            device: found.device,
            bind: found.bind,
            macs: found.macs,
            seals: found.seals,
            roots: RwLock::new(found.roots),
            named: Mutex::default(),
            anchors: Mutex::default(),
            view: Mutex::new(found.view),
            origin,
            id: TokenId::of(&about),
            keeper,
        })
    }

    /// Whether its handles mean anything in this initialisation of the module.
    pub(crate) fn is_of(&self, gate: &Gate<'_>) -> bool {
        self.keeper.fits(gate, self.epoch)
    }

    pub(crate) fn mac(&self, purpose: MacPurpose) -> Result<ObjectHandle, Fault> {
        self.macs
            .get(&purpose)
            .copied()
            .ok_or_else(|| missing(purpose.label()))
    }

    pub(crate) fn seal(&self, purpose: SealPurpose) -> Result<ObjectHandle, Fault> {
        self.seals
            .get(&purpose)
            .copied()
            .ok_or_else(|| missing(purpose.label()))
    }

    pub(crate) fn roots(&self) -> Roots {
        self.roots
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The roots as the token says now.
    pub(crate) fn fresh_roots(&self, session: &Session) -> Result<Roots, Fault> {
        let roots = self.roots().refresh(session)?;
        self.set_roots(roots.clone());
        Ok(roots)
    }

    pub(crate) fn set_roots(&self, roots: Roots) {
        *self.roots.write().unwrap_or_else(PoisonError::into_inner) = roots;
    }
}

/// The token of that name, if the module shows it.
pub(crate) fn find_token(
    pkcs11: &Pkcs11,
    token: &TokenName,
) -> Result<Option<(Slot, TokenInfo)>, OpenError> {
    let slots = pkcs11
        .get_slots_with_token()
        .map_err(during("list its slots"))?;
    let mut found = None;
    for slot in slots {
        // One broken token does not keep us from another.
        let Ok(about) = pkcs11.get_token_info(slot) else {
            continue;
        };
        let fits = about.token_initialized()
            && about.label() == token.label
            && token
                .serial
                .as_ref()
                .is_none_or(|serial| about.serial_number() == serial);
        if fits && found.replace((slot, about)).is_some() {
            return Err(OpenError::AmbiguousToken {
                token: token.to_string(),
            });
        }
    }
    Ok(found)
}

/// Logs in as the user: one try, and none when a wrong one would lock the token.
pub(crate) fn log_in(session: &Session, about: &TokenInfo, pin: &Pin) -> Result<(), OpenError> {
    let state = session
        .get_session_info()
        .map_err(during("describe a connection"))?
        .session_state();
    if matches!(state, SessionState::RwUser) {
        return Ok(());
    }
    if about.user_pin_locked() {
        return Err(OpenError::PinAtRisk { cause: "is locked" });
    }
    if about.user_pin_final_try() {
        return Err(OpenError::PinAtRisk {
            cause: "has one try left",
        });
    }
    log_in_as(session, UserType::User, "user", pin)
}

pub(crate) fn log_in_as(
    session: &Session,
    user: UserType,
    who: &'static str,
    pin: &Pin,
) -> Result<(), OpenError> {
    match session.login(user, Some(pin.expose())) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Error::Pkcs11(RvError::PinLocked, _)) => {
            Err(OpenError::PinAtRisk { cause: "is locked" })
        }
        Err(Error::Pkcs11(
            RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::PinExpired,
            _,
        )) => Err(OpenError::PinRefused { who }),
        Err(error) => Err(during("log in")(error).into()),
    }
}

struct Found {
    device: [u8; 8],
    bind: ObjectHandle,
    macs: HashMap<MacPurpose, ObjectHandle>,
    seals: HashMap<SealPurpose, ObjectHandle>,
    roots: Roots,
    view: Register,
}

impl Found {
    fn load(session: &Session, origin: Origin) -> Result<Self, OpenError> {
        let key = |kind: Kind, label: &str| {
            let found = objects::find_one(session, ObjectClass::SECRET_KEY, label)?;
            let key = found.ok_or_else(|| OpenError::NotSetUp {
                object: label.to_owned(),
            })?;
            kind.check(session, label, key, origin)?;
            Ok::<_, OpenError>(key)
        };
        let bind = key(Kind::Hmac, BIND)?;
        let mut macs = HashMap::new();
        for purpose in MacPurpose::ALL {
            macs.insert(purpose, key(Kind::Hmac, &mac_label(purpose))?);
        }
        let mut seals = HashMap::new();
        for purpose in SealPurpose::ALL {
            seals.insert(purpose, key(Kind::Sealing, &seal_label(purpose))?);
        }
        let roots = Roots::find(session, origin)?.ok_or_else(|| OpenError::NotSetUp {
            object: objects::ROOTS.to_owned(),
        })?;
        Ok(Self {
            device: device_id(session, bind)?,
            bind,
            macs,
            seals,
            roots,
            view: Register::find(session, VIEW)?,
        })
    }
}

/// Names the token by what only it can compute; it needs no object of its own and
/// a replica has the same.
fn device_id(session: &Session, bind: ObjectHandle) -> Result<[u8; 8], Fault> {
    let mac = session
        .sign(&Mechanism::Sha256Hmac, bind, b"claviger/device")
        .map_err(during("compute a MAC"))?;
    match mac.first_chunk() {
        Some(id) if mac.len() == 32 => Ok(*id),
        _ => Err(wscd::DeviceError::Failed {
            what: "compute a MAC",
            cause: format!("{} bytes came", mac.len()),
        }
        .into()),
    }
}

fn missing(label: &str) -> Fault {
    wscd::DeviceError::NotFound {
        what: "key of the device",
        name: label.to_owned(),
    }
    .into()
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("epoch", &self.epoch)
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}
