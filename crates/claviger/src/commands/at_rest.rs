//! The WSCA's data and its device, opened by a command and not by a node.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clock::{Clock, SystemClock};
use store::Database;
use store::wsca::SqlWscaStore;
use wsca::{OpenError, Wsca};
use wscd::Wscd;

use crate::exit::{Doing, Failure};
use crate::settings::{DATABASE_FILE, Settings};

/// Where the data is, and which device it belongs to.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Place {
    /// The configuration that the node is run with: it names data and device
    #[arg(long, conflicts_with = "data")]
    config: Option<PathBuf>,
    /// The folder of the data; of `claviger up`, whose device is in it, if none is named
    #[arg(long)]
    data: Option<PathBuf>,
    /// The device, where --config does not name it
    #[arg(long)]
    device: Option<String>,
}

/// What a place turns out to be.
#[derive(Debug)]
pub(crate) struct Found {
    /// The folder of the data.
    pub(crate) data: PathBuf,
    /// The database's address.
    pub(crate) database: PathBuf,
    /// The certificate of the key that signs status lists, where it is known.
    pub(crate) status_certificate: Option<PathBuf>,
    /// The folder that status lists are published into.
    pub(crate) status_folder: PathBuf,
    config: wsca::Config,
    device: Option<String>,
}

/// Data that was opened.
#[derive(Debug)]
pub(crate) struct AtRest {
    pub(crate) database: Database,
    pub(crate) store: Arc<SqlWscaStore>,
    found: Found,
}

impl Place {
    /// What the configuration or the folder says.
    pub(crate) fn find(&self) -> Result<Found, Failure> {
        let mut found = match (&self.config, &self.data) {
            (Some(path), _) => {
                let settings = Settings::read(path)?;
                let provider = settings.wallet_provider.as_ref();
                Found {
                    database: settings.database(),
                    status_certificate: provider.and_then(|p| p.status_certificate.clone()),
                    status_folder: provider
                        .and_then(|p| p.status_folder.clone())
                        .unwrap_or_else(|| status_folder(&settings.data)),
                    config: settings.wsca.config(),
                    device: Some(settings.device.uri),
                    data: settings.data,
                }
            }
            (None, Some(data)) => Found {
                data: data.clone(),
                database: data.join(DATABASE_FILE),
                status_certificate: None,
                status_folder: status_folder(data),
                config: wsca::Config::default(),
                device: None,
            },
            (None, None) => return Err(Failure::new("--config FILE or --data DIR is needed")),
        };
        if self.device.is_some() {
            found.device = self.device.clone();
        }
        // A development folder's sample certificate.
        let sample = found.data.join("pki").join("wallet-status.pem");
        if found.status_certificate.is_none() && sample.is_file() {
            found.status_certificate = Some(sample);
        }
        Ok(found)
    }

    /// Opens the data. It must be there: a command makes none.
    pub(crate) async fn open(&self) -> Result<AtRest, Failure> {
        let found = self.find()?;
        found.must_be_there()?;
        let database = Database::open(&found.database)
            .await
            .map_err(|error| not_opened(&error))?;
        Ok(found.with(database))
    }
}

impl Found {
    /// A server's database is there or cannot be opened; a file would be made.
    pub(crate) fn must_be_there(&self) -> Result<(), Failure> {
        let path = &self.database;
        let server = path.to_str().is_some_and(|text| text.contains("://"));
        if server || path.is_file() {
            return Ok(());
        }
        Err(Failure::new(format!(
            "{}: there is no database",
            path.display()
        )))
    }

    /// With the database that was opened there.
    pub(crate) fn with(self, database: Database) -> AtRest {
        AtRest {
            store: Arc::new(SqlWscaStore::new(database.clone())),
            database,
            found: self,
        }
    }
}

impl AtRest {
    /// Opens the device.
    pub(crate) async fn device(&self) -> Result<Arc<dyn Wscd>, Failure> {
        match &self.found.device {
            Some(uri) => crate::device::open(uri).await,
            None if has_development_device(&self.found.data) => {
                super::up::open_device(&self.found.data).await
            }
            None => Err(Failure::new(format!(
                "{}: no device is in it: name it by --device",
                self.found.data.display()
            ))),
        }
    }

    /// Starts the WSCA on data and device, as a node does.
    pub(crate) async fn wsca(&self) -> Result<Arc<Wsca>, Failure> {
        self.start().await?.doing("the WSCA")
    }

    /// As [`AtRest::wsca`]; why it does not start on a device that was opened is told
    /// in its own words.
    pub(crate) async fn start(&self) -> Result<Result<Arc<Wsca>, OpenError>, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Arc::clone(&self.store) as Arc<dyn wsca::WscaStore>;
        let wsca = Wsca::open(
            self.device().await?,
            store,
            clock,
            self.found.config.clone(),
        );
        Ok(wsca.await.map(Arc::new))
    }
}

/// What a database that was not opened means: of one that cannot be reached nothing
/// can be said.
pub(crate) fn not_opened(error: &store::Error) -> Failure {
    let failure = Failure::of("the database", error);
    match error {
        store::Error::Away { .. } => failure.undecided(),
        _ => failure,
    }
}

fn status_folder(data: &Path) -> PathBuf {
    data.join("public").join("status")
}

fn has_development_device(data: &Path) -> bool {
    data.join("device.key").is_file() && data.join("device.store").is_file()
}
