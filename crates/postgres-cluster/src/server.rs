use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cluster::random_word;
use crate::{Absent, Doing, Programs, VARIABLE};

/// A running server, as its clients see it.
#[derive(Debug, Clone)]
pub struct Server {
    url: String,
    psql: PathBuf,
}

/// A database of one test. Dropping it removes it, whoever is still connected.
#[derive(Debug)]
pub struct Database {
    server: Server,
    name: String,
}

/// What the databases of tests begin with.
const PREFIX: &str = "claviger_test_";

impl Server {
    pub(crate) fn new(url: String, psql: PathBuf) -> Self {
        Self { url, psql }
    }

    /// The server that `CLAVIGER_POSTGRES` names; `None` where it names none.
    pub fn named() -> Option<Result<Self, Absent>> {
        let url = std::env::var(VARIABLE).ok().filter(|url| !url.is_empty())?;
        Some(Programs::find().map(|programs| Self::new(url, programs.psql())))
    }

    /// Its address, without a database: what `CLAVIGER_POSTGRES` holds.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A new, empty database.
    pub fn create(&self) -> Result<Database, Absent> {
        let name = format!("{PREFIX}{}", random_word()?);
        // From template0: nobody is ever connected to it, so two can copy it at once.
        self.sql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE template0"),
        )?;
        Ok(Database {
            server: self.clone(),
            name,
        })
    }

    /// Runs a statement and answers its rows, one a line, columns divided by `|`.
    pub fn sql(&self, database: &str, statement: &str) -> Result<String, Absent> {
        let output = Command::new(&self.psql)
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"])
            .arg(self.database_url(database))
            .args(["-c", statement])
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .doing("psql")?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(Absent::new(format!("psql: {}", said.trim())))
        }
    }

    /// Removes what tests left behind that were killed.
    pub(crate) fn sweep(&self) -> Result<(), Absent> {
        let left = self.sql(
            "postgres",
            &format!("SELECT datname FROM pg_database WHERE starts_with(datname, '{PREFIX}')"),
        )?;
        for name in left.lines() {
            self.sql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"))?;
        }
        Ok(())
    }

    fn database_url(&self, database: &str) -> String {
        match self.url.split_once('?') {
            Some((place, options)) => {
                format!("{}/{database}?{options}", place.trim_end_matches('/'))
            }
            None => format!("{}/{database}", self.url.trim_end_matches('/')),
        }
    }
}

impl Database {
    /// Its address.
    pub fn url(&self) -> String {
        self.server.database_url(&self.name)
    }

    /// Runs a statement in it; the rows as [`Server::sql`] gives them.
    pub fn sql(&self, statement: &str) -> Result<String, Absent> {
        self.server.sql(&self.name, statement)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that is gone has no database to remove.
        let _ = self.server.sql(
            "postgres",
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        );
    }
}
