//! Over a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::time::{Duration, Instant};

use postgres_cluster::{Cluster, Programs, Stop, shared};

/// Says so in the house's words: the fixtures stand on this room, not it on them.
fn absent(test: &str) -> bool {
    let Err(why) = Programs::find() else {
        return false;
    };
    let line = format!("SKIPPED {test}: {why}\n");
    eprint!("{line}");
    if let Some(log) = std::env::var_os("CLAVIGER_SKIP_LOG") {
        use std::io::Write;
        let mut log = std::fs::OpenOptions::new().append(true).open(log).unwrap();
        log.write_all(line.as_bytes()).unwrap();
    }
    true
}

/// A folder of this test in the target folder.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("postgres-cluster-{name}-{}", std::process::id());
        Self(std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_cluster_is_durable_and_closed_to_strangers_and_survives_being_killed() {
    if absent("a_cluster_is_durable_and_closed_to_strangers_and_survives_being_killed") {
        return;
    }
    let folder = Folder::new("own");
    let mut cluster = Cluster::start_in(&folder.0).unwrap();
    let server = cluster.server();
    for (setting, value) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
    ] {
        let shown = server.sql("postgres", &format!("SHOW {setting}")).unwrap();
        assert_eq!(shown.trim(), value, "{setting}");
    }
    let database = server.create().unwrap();
    database.sql("CREATE TABLE kept (x INT)").unwrap();
    for (round, how) in [None, Some(Stop::Immediate), Some(Stop::Fast)]
        .into_iter()
        .enumerate()
    {
        database
            .sql(&format!("INSERT INTO kept VALUES ({round})"))
            .unwrap();
        match how {
            Some(how) => cluster.stop(how).unwrap(),
            None => {
                cluster.kill().unwrap();
                while cluster.is_running() {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        }
        assert!(database.sql("SELECT 1").is_err());
        cluster.start().unwrap();
        assert_eq!(server.url(), cluster.server().url());
        let rows = database.sql("SELECT count(*) FROM kept").unwrap();
        assert_eq!(rows.trim(), (round + 1).to_string());
    }
}

#[test]
fn the_shared_server_has_a_database_for_each_and_stops_after_its_last_user() {
    if absent("the_shared_server_has_a_database_for_each_and_stops_after_its_last_user") {
        return;
    }
    let folder = Folder::new("shared");
    let (one, two) = std::thread::scope(|scope| {
        let lease = || shared(&folder.0).unwrap();
        let (one, two) = (scope.spawn(lease), scope.spawn(lease));
        (one.join().unwrap(), two.join().unwrap())
    });
    assert_eq!(one.server().url(), two.server().url());
    let (mine, yours) = (
        one.server().create().unwrap(),
        two.server().create().unwrap(),
    );
    mine.sql("CREATE TABLE mine (x INT)").unwrap();
    assert!(yours.sql("SELECT x FROM mine").is_err());
    let name = mine.url().rsplit('/').next().unwrap().to_owned();
    drop(mine);
    let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(two.server().sql("postgres", &left).unwrap().trim(), "0");
    // Left behind by a test that was killed: gone with the next start.
    std::mem::forget(yours);
    let server = one.server().clone();
    drop((one, two));
    let begun = Instant::now();
    while server.sql("postgres", "SELECT 1").is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it still runs");
        std::thread::sleep(Duration::from_millis(200));
    }
    let again = shared(&folder.0).unwrap();
    let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'claviger_test_%'";
    assert_eq!(again.server().sql("postgres", left).unwrap().trim(), "0");
}

/// Says where its server is and is killed.
const CHILD: &str = "POSTGRES_CLUSTER_CHILD";

#[test]
fn a_process_that_is_killed_leaves_no_server_behind() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    const TEST: &str = "a_process_that_is_killed_leaves_no_server_behind";
    if let Some(folder) = std::env::var_os(CHILD) {
        let cluster = Cluster::start_in(folder.as_ref()).unwrap();
        eprintln!("at {}", cluster.server().url());
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    if absent(TEST) {
        return;
    }
    let folder = Folder::new("killed");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", TEST])
        .env(CHILD, &folder.0)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let url = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("at ")?.to_owned()))
        .unwrap();
    let address = url.rsplit('@').next().unwrap();
    assert!(std::net::TcpStream::connect(address).is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = Instant::now();
    while std::net::TcpStream::connect(address).is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it still runs");
        std::thread::sleep(Duration::from_millis(100));
    }
}
