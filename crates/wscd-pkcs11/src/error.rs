use std::path::PathBuf;

use cryptoki::error::{Error, RvError};
use wscd::DeviceError;

/// Why a token did not open, or was not set up.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Not a device URI.
    #[error("not a PKCS#11 URI for a device: {cause}")]
    BadUri {
        /// What is wrong with it.
        cause: String,
    },
    /// A PIN stands in the URI, where others can read it.
    #[error("a PIN does not belong in a URI: use pin-source=FILE or pin-env=NAME")]
    PinInUri,
    /// Nothing says where the PIN is.
    #[error("it does not say where the PIN is: add pin-source=FILE or pin-env=NAME")]
    NoPin,
    /// The environment variable does not hold a PIN.
    #[error("the environment variable {name} {cause}")]
    PinEnv {
        /// The variable.
        name: String,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// The file does not hold a PIN.
    #[error("the PIN file {} {cause}", .path.display())]
    PinFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// Others than its owner may use the PIN file.
    #[error(
        "the PIN file {} has mode {mode:04o}: its owner alone may read it (chmod 600)",
        .path.display()
    )]
    PinFilePermissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The PIN file cannot be read.
    #[error("cannot read the PIN file {}", .path.display())]
    PinUnreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The module is not there, is no PKCS#11 module, or does not start.
    #[error("the PKCS#11 module {} does not load: {cause}", .path.display())]
    Module {
        /// The module.
        path: PathBuf,
        /// What was seen.
        cause: String,
    },
    /// The module shows no such token.
    #[error("the module has no token {token}")]
    NoToken {
        /// The token looked for.
        token: String,
    },
    /// Several tokens have that label.
    #[error("several tokens are labelled {token}: add ;serial=NUMBER")]
    AmbiguousToken {
        /// The token looked for.
        token: String,
    },
    /// No token is there to be initialised.
    #[error("no slot of the module has a token that waits to be initialised")]
    NoFreeToken,
    /// Initialising a token, or its user's PIN, takes the security officer.
    #[error("the token is not initialised: give the security officer's PIN as well")]
    NoSecurityOfficer,
    /// The token refused the PIN. It was tried once, and is not tried again.
    #[error("the token refuses the PIN of the {who}; it was tried once and is not tried again")]
    PinRefused {
        /// Whose PIN.
        who: &'static str,
    },
    /// A further wrong PIN would lock the token, or has locked it.
    #[error("the token's PIN {cause}: log in with the maker's tool first")]
    PinAtRisk {
        /// What the token says.
        cause: &'static str,
    },
    /// The token does not do what a device must.
    #[error("the token does not offer {what}")]
    NotOffered {
        /// The mechanism or curve.
        what: &'static str,
    },
    /// The token has not been set up for this service.
    #[error("the token has no {object}: set it up with `claviger wscd init`")]
    NotSetUp {
        /// The first object that was missed.
        object: String,
    },
    /// A token of a set lacks what the first one holds.
    #[error(
        "the token {token} lacks {object}, which the first one holds: bring its keys there by \
         their maker's means, or set new tokens up together with keys=replicated"
    )]
    NotReplicated {
        /// The token that lacks it.
        token: String,
        /// What it lacks.
        object: String,
    },
    /// An object is not what this backend makes: planted, or loosened.
    #[error("the token's object {object} cannot be trusted: {cause}")]
    Untrusted {
        /// Its label.
        object: String,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// The token answered with an error.
    #[error("the token failed to {what}: {cause}")]
    Answered {
        /// What was being done.
        what: &'static str,
        /// Its answer.
        cause: String,
    },
    /// The device itself failed.
    #[error("the device does not start")]
    Device(#[source] Box<DeviceError>),
}

/// Why a call into the module did not do its work.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The request's own fault, or the device's plain answer.
    Refused(DeviceError),
    /// The connection is not what it was; worth another try over a new one.
    Broken(Broken),
}

/// What a broken connection answered.
#[derive(Debug)]
pub(crate) struct Broken {
    what: &'static str,
    cause: String,
    gone: bool,
}

/// Turns a module's error into what it means.
pub(crate) fn during(what: &'static str) -> impl Fn(Error) -> Fault {
    move |error| {
        let cause = describe(&error);
        let rv = match &error {
            Error::Pkcs11(rv, _) => *rv,
            _ => return Fault::Refused(DeviceError::Failed { what, cause }),
        };
        match rv {
            RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::UserNotLoggedIn
            | RvError::DeviceError
            | RvError::CryptokiNotInitialized => Fault::Broken(Broken {
                what,
                cause,
                gone: true,
            }),
            RvError::ObjectHandleInvalid
            | RvError::KeyHandleInvalid
            | RvError::UnwrappingKeyHandleInvalid
            | RvError::WrappingKeyHandleInvalid
            | RvError::OperationActive
            | RvError::FunctionFailed
            | RvError::GeneralError => Fault::Broken(Broken {
                what,
                cause,
                gone: false,
            }),
            RvError::SessionCount | RvError::HostMemory => {
                Fault::Refused(DeviceError::Busy { retry_after: None })
            }
            RvError::DeviceMemory => Fault::Refused(DeviceError::Exhausted { what: "object" }),
            _ => Fault::Refused(DeviceError::Failed { what, cause }),
        }
    }
}

/// A module's error by its names, without the long texts of the standard.
pub(crate) fn describe(error: &Error) -> String {
    match error {
        Error::Pkcs11(rv, function) => format!("C_{function:?} answered {rv:?}"),
        other => other.to_string(),
    }
}

impl Broken {
    /// A login that another thread has replaced.
    pub(crate) fn outdated() -> Self {
        Self {
            what: "use its connection",
            cause: "the module was started anew".to_owned(),
            gone: true,
        }
    }

    /// What was there is not found: the token may be on its way out or in.
    pub(crate) fn torn(what: &'static str, cause: String) -> Self {
        Self {
            what,
            cause,
            gone: false,
        }
    }

    /// What the caller hears when a new connection did not help either.
    pub(crate) fn give_up(self) -> DeviceError {
        if self.gone {
            DeviceError::Lost {
                cause: format!("it failed to {}: {}", self.what, self.cause),
            }
        } else {
            DeviceError::Failed {
                what: self.what,
                cause: self.cause,
            }
        }
    }
}

impl From<DeviceError> for Fault {
    fn from(error: DeviceError) -> Self {
        Self::Refused(error)
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(DeviceError::Failed { what, cause }) => Self::Answered { what, cause },
            Fault::Refused(error) => Self::Device(Box::new(error)),
            Fault::Broken(Broken { what, cause, .. }) => Self::Answered { what, cause },
        }
    }
}
