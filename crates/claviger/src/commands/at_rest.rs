//! The WSCA's data and its device, opened by a command and not by a node.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clock::{Clock, SystemClock};
use store::Database;
use store::wsca::SqlWscaStore;
use wsca::Wsca;
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

/// Data that was opened.
#[derive(Debug)]
pub(crate) struct AtRest {
    pub(crate) database: Database,
    pub(crate) store: Arc<SqlWscaStore>,
    config: wsca::Config,
    device: Option<String>,
    data: PathBuf,
}

impl Place {
    /// Opens the data. It must be there: a command makes none.
    pub(crate) async fn open(&self) -> Result<AtRest, Failure> {
        let (data, path, config, configured) = match (&self.config, &self.data) {
            (Some(path), _) => {
                let settings = Settings::read(path)?;
                let (database, config) = (settings.database(), settings.wsca.config());
                (settings.data, database, config, Some(settings.device.uri))
            }
            (None, Some(data)) => {
                let database = data.join(DATABASE_FILE);
                (data.clone(), database, wsca::Config::default(), None)
            }
            (None, None) => return Err(Failure::new("--config FILE or --data DIR is needed")),
        };
        // A server's database is there or cannot be opened; a file would be made.
        let server = path.to_str().is_some_and(|text| text.contains("://"));
        if !server && !path.is_file() {
            return Err(Failure::new(format!(
                "{}: there is no database",
                path.display()
            )));
        }
        let database = Database::open(&path).await.doing("the database")?;
        Ok(AtRest {
            store: Arc::new(SqlWscaStore::new(database.clone())),
            database,
            config,
            device: self.device.clone().or(configured),
            data,
        })
    }
}

impl AtRest {
    /// Opens the device.
    pub(crate) async fn device(&self) -> Result<Arc<dyn Wscd>, Failure> {
        match &self.device {
            Some(uri) => crate::device::open(uri).await,
            None if has_development_device(&self.data) => super::up::open_device(&self.data).await,
            None => Err(Failure::new(format!(
                "{}: no device is in it: name it by --device",
                self.data.display()
            ))),
        }
    }

    /// Starts the WSCA on data and device, as a node does.
    pub(crate) async fn wsca(&self) -> Result<Arc<Wsca>, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Arc::clone(&self.store) as Arc<dyn wsca::WscaStore>;
        let wsca = Wsca::open(self.device().await?, store, clock, self.config.clone());
        Ok(Arc::new(wsca.await.doing("the WSCA")?))
    }
}

fn has_development_device(data: &Path) -> bool {
    data.join("device.key").is_file() && data.join("device.store").is_file()
}
