//! The link to a token: its login, and what happens when the token was away.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use wscd::DeviceError;

use crate::error::OpenError;
use crate::login::Login;
use crate::module::Module;
use crate::objects::Origin;
use crate::pin::Pin;
use crate::uri::{TokenName, TokenUri};

/// How long a token that did not come back is left alone. Requests meanwhile are
/// answered at once.
const PAUSE: Duration = Duration::from_millis(250);

/// One token, for as long as anyone has it open.
pub(crate) struct Link {
    pub(crate) module: Arc<Module>,
    pub(crate) token: TokenName,
    pin: Pin,
    origin: Origin,
    /// Whether other tokens of the module may be disturbed to find this one again.
    disturbs: bool,
    /// The login in force; `None` while the token is away.
    login: RwLock<Option<Arc<Login>>>,
    /// Held by whoever logs in anew.
    revival: Mutex<Revival>,
    /// Held by whoever changes what is in the token, from comparing to writing.
    pub(crate) changes: Mutex<()>,
}

#[derive(Default)]
struct Revival {
    epoch: u64,
    failed: Option<(Instant, String)>,
    /// The PIN was refused, or is at risk: it is never tried again.
    refused: Option<String>,
}

/// The links of this process: one for each token, however often it is opened.
static LINKS: Mutex<Option<Links>> = Mutex::new(None);

type Links = HashMap<(PathBuf, TokenName), Weak<Link>>;

/// How a token is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) origin: Origin,
    /// One of several: it may be away now, and others of its module's tokens may be
    /// disturbed to find it again.
    pub(crate) of_set: bool,
}

impl Link {
    /// The link to a token: the one there is, or a new one, logged in once. One of a
    /// set that is away now is opened all the same.
    pub(crate) fn to(uri: &TokenUri, manner: Manner) -> Result<Arc<Self>, OpenError> {
        let pin = uri.pin.read()?;
        let module = Module::at(&uri.module)?;
        let mut links = LINKS.lock().unwrap_or_else(PoisonError::into_inner);
        let links = links.get_or_insert_default();
        let name = (module.path.clone(), uri.token.clone());
        if let Some(link) = links.get(&name).and_then(Weak::upgrade) {
            // The token was open already, and was not asked: the PIN must be the same.
            if !link.pin.is(&pin) {
                return Err(OpenError::PinRefused { who: "user" });
            }
            if link.origin != manner.origin {
                return Err(OpenError::BadUri {
                    cause: "the token is open already, with other words on its keys".to_owned(),
                });
            }
            // What is in the token may be another by now than when it was opened.
            let known = link.current().map(|login| login.epoch);
            return match link.revive(known) {
                Ok(_) => Ok(link),
                Err(DeviceError::Lost { .. }) if manner.of_set => Ok(link),
                Err(error) => Err(OpenError::Device(Box::new(error))),
            };
        }
        let link = Self::open(&module, &uri.token, pin, manner)?;
        links.insert(name, Arc::downgrade(&link));
        Ok(link)
    }

    /// Logs in, once.
    pub(crate) fn open(
        module: &Arc<Module>,
        token: &TokenName,
        pin: Pin,
        manner: Manner,
    ) -> Result<Arc<Self>, OpenError> {
        let link = Self {
            module: Arc::clone(module),
            token: token.clone(),
            pin,
            origin: manner.origin,
            disturbs: manner.of_set,
            login: RwLock::new(None),
            revival: Mutex::default(),
            changes: Mutex::default(),
        };
        let login = match link.connect(0) {
            // A module may list only the tokens that were there when it started.
            Err(OpenError::NoToken { .. }) => {
                link.restart_module()?;
                link.connect(0)
            }
            result => result,
        };
        match login {
            Ok(login) => link.set(Some(Arc::new(login))),
            Err(OpenError::NoToken { .. } | OpenError::Answered { .. }) if manner.of_set => {}
            Err(error) => return Err(error),
        }
        Ok(Arc::new(link))
    }

    /// The login in force, or a new one.
    pub(crate) fn login(&self) -> Result<Arc<Login>, DeviceError> {
        match self.current() {
            Some(login) => Ok(login),
            None => self.revive(None),
        }
    }

    /// Logs in anew, after the login of epoch `broken` failed somebody; whoever
    /// comes second finds it done.
    pub(crate) fn revive(&self, broken: Option<u64>) -> Result<Arc<Login>, DeviceError> {
        let mut revival = self.revival.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(login) = self.current()
            && Some(login.epoch) != broken
        {
            return Ok(login);
        }
        if let Some(cause) = &revival.refused {
            return Err(DeviceError::Failed {
                what: "log in",
                cause: cause.clone(),
            });
        }
        if let Some((when, cause)) = &revival.failed
            && when.elapsed() < PAUSE
        {
            return Err(lost(cause));
        }
        revival.epoch = revival.epoch.wrapping_add(1);
        // First without disturbing anyone, then with the module started anew.
        let again = self.connect(revival.epoch).or_else(|error| {
            if is_final(&error) {
                return Err(error);
            }
            self.set(None);
            self.restart_module()?;
            self.connect(revival.epoch)
        });
        match again {
            Ok(login) => {
                let login = Arc::new(login);
                self.set(Some(Arc::clone(&login)));
                revival.failed = None;
                Ok(login)
            }
            Err(error) => {
                self.set(None);
                let cause = error.to_string();
                if is_final(&error) {
                    revival.refused = Some(cause.clone());
                    return Err(DeviceError::Failed {
                        what: "log in",
                        cause,
                    });
                }
                revival.failed = Some((Instant::now(), cause.clone()));
                Err(lost(&cause))
            }
        }
    }

    fn connect(&self, epoch: u64) -> Result<Login, OpenError> {
        Login::new(&self.module, &self.token, &self.pin, self.origin, epoch)
    }

    fn restart_module(&self) -> Result<(), OpenError> {
        self.module
            .restart(self.disturbs)
            .map_err(|error| OpenError::Module {
                path: self.module.path.clone(),
                cause: crate::error::describe(&error),
            })
    }

    fn current(&self) -> Option<Arc<Login>> {
        self.login
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, login: Option<Arc<Login>>) {
        let comes = login.is_some();
        let old = {
            let mut held = self.login.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *held, login)
        };
        match (old.is_some(), comes) {
            (false, true) => self.module.count_up(true),
            (true, false) => self.module.count_up(false),
            _ => {}
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.set(None);
    }
}

/// Whether trying again could lock the token.
fn is_final(error: &OpenError) -> bool {
    matches!(
        error,
        OpenError::PinRefused { .. } | OpenError::PinAtRisk { .. }
    )
}

fn lost(cause: &str) -> DeviceError {
    DeviceError::Lost {
        cause: cause.to_owned(),
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Link({}, {:?})", self.token, self.module)
    }
}
