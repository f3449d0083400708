//! How a server ends with those who use it: they hold a shared lock on a file, and a
//! small shell beside the server waits for the exclusive one. It gets it when the
//! last user has ended, however it ended, and stops the server then. So neither a
//! test that panics, nor Ctrl-C, nor `kill -9` leaves a server behind.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Absent, Cluster, Doing};

/// Stops the server `linger` seconds after the last lock on `users` is gone.
pub(crate) fn stop_after_the_last(
    cluster: &Cluster,
    users: &Path,
    linger: u32,
) -> Result<(), Absent> {
    use std::os::unix::process::CommandExt;
    let script = format!(
        "trap '' HUP INT TERM
         exec 9<\"$0\"
         while :; do
           flock -x 9 || exit 1
           flock -u 9
           sleep {linger}
           flock -n -x 9 && break
         done
         {}",
        cluster.stop_line()
    );
    let flock = Command::new("flock").arg("--version").output();
    if !flock.is_ok_and(|output| output.status.success()) {
        return Err(Absent::new(
            "flock is missing (Debian: apt-get install util-linux)",
        ));
    }
    let watcher = Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(users)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C goes to the group of whoever runs the tests.
        .process_group(0)
        .spawn()
        .doing("sh")?;
    // It outlives us.
    drop(watcher);
    Ok(())
}

/// A file to lock, made where it is missing.
pub(crate) fn open(path: &Path) -> Result<File, Absent> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .doing(path.display())
}
