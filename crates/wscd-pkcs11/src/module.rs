//! PKCS#11 modules, loaded and initialised once per process.
//!
//! A module is one for the whole process, and so is a login: what one part logs
//! in, every part is logged in to. So modules are
//! kept in one place.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, TryLockError};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::session::Session;

use crate::error::{OpenError, describe};

/// A module, initialised.
pub(crate) struct Module {
    pub(crate) path: PathBuf,
    pkcs11: Pkcs11,
    /// Counts the module's initialisations. Whoever calls into the module holds
    /// it for reading; whoever initialises it anew, for writing: handles of one
    /// count mean nothing, or something else, in the next.
    count: RwLock<u64>,
    /// How many links to its tokens are up.
    up: AtomicUsize,
    /// When it was last started anew although other tokens were at work.
    disturbed: Mutex<Option<Instant>>,
}

/// How often a module is started anew, to look for a token that is away, while
/// others of its tokens are at work: they have to log in again.
const DISTURBANCE: Duration = Duration::from_secs(2);

/// The right to call into a module, and which initialisation it is.
pub(crate) struct Gate<'a> {
    pub(crate) pkcs11: &'a Pkcs11,
    count: RwLockReadGuard<'a, u64>,
}

impl Gate<'_> {
    pub(crate) fn count(&self) -> u64 {
        *self.count
    }
}

impl Module {
    /// The module at `path`, loaded if it is not yet.
    pub(crate) fn at(path: &Path) -> Result<Arc<Self>, OpenError> {
        static MODULES: Mutex<Option<HashMap<PathBuf, Arc<Module>>>> = Mutex::new(None);
        let failed = |cause: String| OpenError::Module {
            path: path.to_owned(),
            cause,
        };
        // The same file under two names is one module.
        let path_itself = path
            .canonicalize()
            .map_err(|error| failed(error.to_string()))?;
        let mut modules = MODULES.lock().unwrap_or_else(PoisonError::into_inner);
        let modules = modules.get_or_insert_with(HashMap::new);
        if let Some(module) = modules.get(&path_itself) {
            return Ok(Arc::clone(module));
        }
        let pkcs11 = Pkcs11::new(&path_itself).map_err(|error| failed(describe(&error)))?;
        initialize(&pkcs11).map_err(|error| failed(describe(&error)))?;
        let module = Arc::new(Self {
            path: path.to_owned(),
            pkcs11,
            count: RwLock::new(0),
            up: AtomicUsize::new(0),
            disturbed: Mutex::default(),
        });
        modules.insert(path_itself, Arc::clone(&module));
        Ok(module)
    }

    /// Waits while the module is being initialised anew. Not to be entered twice
    /// by one thread.
    pub(crate) fn enter(&self) -> Gate<'_> {
        Gate {
            pkcs11: &self.pkcs11,
            count: self.count.read().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Finalises and initialises the module: some (SoftHSM) look for tokens then
    /// and only then. While another of its tokens is at work, seldom, and only
    /// where `disturb` says so: calls under way end first, and later ones log in
    /// again.
    pub(crate) fn restart(&self, disturb: bool) -> Result<(), Error> {
        let mut count = self.count.write().unwrap_or_else(PoisonError::into_inner);
        if self.up.load(Ordering::Acquire) > 0 {
            let mut last = self
                .disturbed
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if !disturb || last.is_some_and(|when| when.elapsed() < DISTURBANCE) {
                return Ok(());
            }
            *last = Some(Instant::now());
        }
        *count = count.wrapping_add(1);
        match self.pkcs11.clone().finalize() {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiNotInitialized, _)) => {}
            Err(error) => return Err(error),
        }
        initialize(&self.pkcs11)
    }

    /// Closes a PKCS#11 session that was opened in the initialisation `count`;
    /// one of an earlier initialisation is gone, and its number may be another's.
    pub(crate) fn close(&self, count: u64, session: Session) {
        let now = match self.count.try_read() {
            Ok(now) => now,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // It is being initialised anew, which closes every session.
            Err(TryLockError::WouldBlock) => return,
        };
        if *now == count {
            let _ = session.close();
        }
    }

    /// Counts a link that came up or went down.
    pub(crate) fn count_up(&self, up: bool) {
        if up {
            self.up.fetch_add(1, Ordering::AcqRel);
        } else {
            self.up.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

fn initialize(pkcs11: &Pkcs11) -> Result<(), Error> {
    match pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        Err(error) => Err(error),
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Module({})", self.path.display())
    }
}
