//! One cluster for all tests of a target folder, whichever process needs it first.
//!
//! Every process that uses it holds a shared lock on a file, and [`watch`] stops the
//! server when nobody does any more.
//!
//! [`watch`]: crate::watch

use std::fs::File;
use std::path::Path;

use crate::watch::{open, stop_after_the_last};
use crate::{Absent, Cluster, Doing, Programs, Server};

/// How long a server without users is kept, in seconds: the next test binary need
/// not start it again.
const LINGER: u32 = 5;

/// The right to use the shared server. It is stopped some seconds after the last
/// one was given back.
#[derive(Debug)]
pub struct Lease {
    server: Server,
    _users: File,
}

impl Lease {
    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }
}

/// The cluster in `target`/postgres, made and started where it is not.
pub fn shared(target: &Path) -> Result<Lease, Absent> {
    let wanted = target.join("postgres");
    std::fs::create_dir_all(&wanted).doing(wanted.display())?;
    let (users, starting) = (wanted.join("users.lock"), wanted.join("starting.lock"));
    let lease = open(&users)?;
    lease.lock_shared().doing(users.display())?;
    let one_at_a_time = open(&starting)?;
    one_at_a_time.lock().doing(starting.display())?;
    let server = running(&wanted, &users)?;
    Ok(Lease {
        server,
        _users: lease,
    })
}

fn running(folder: &Path, users: &Path) -> Result<Server, Absent> {
    let programs = Programs::find()?;
    let mut cluster = Cluster::at(programs.clone(), folder)?;
    if !cluster.is_running() {
        if cluster.start().is_err() {
            // Left damaged, or made by another version: it holds nothing of worth.
            let data = cluster.data();
            std::fs::remove_dir_all(&data).doing(data.display())?;
            cluster = Cluster::at(programs, folder)?;
            cluster.start()?;
        }
        stop_after_the_last(&cluster, users, LINGER)?;
        cluster.server().sweep()?;
    }
    Ok(cluster.server())
}
