//! Each node of a test twice, on one PostgreSQL and one token, where the run asks for
//! it: `CLAVIGER_HOUSE=two-nodes`. What the test talks to gives each request to the
//! other of the two, so that whatever a node keeps to itself shows.

use std::path::{Path, PathBuf};

use claviger_fixtures::tokens::{Module, Tokens};

use super::front::Front;
use super::nodes::init_token;
use super::served::free_address;

/// Two nodes in place of one, before they run.
pub(super) struct Twins {
    /// What each is started on, and where it is.
    pub nodes: [(PathBuf, String); 2],
    pub environment: Vec<(String, PathBuf)>,
    /// What stands in front of them, at each address that the one node would have.
    pub fronts: Vec<Front>,
}

/// Where the nodes of this configuration keep their database.
pub fn database(config: &Path) -> PathBuf {
    match std::fs::read_to_string(place(config).join("database")) {
        Ok(shared) => shared.into(),
        Err(_) => config.with_file_name("data").join("claviger.db"),
    }
}

/// Whether this run has each node twice.
pub(super) fn wanted() -> bool {
    std::env::var("CLAVIGER_HOUSE").is_ok_and(|house| house == "two-nodes")
}

fn place(config: &Path) -> PathBuf {
    config.with_extension("twins")
}

impl Twins {
    /// In place of the node of this configuration, if it is on the embedded defaults.
    /// Where there is no token or no PostgreSQL to share, the one node runs, and the
    /// test says so as a skip.
    pub(super) fn of(config: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(config).unwrap();
        let mut table: toml::Table = text.parse().unwrap();
        if !wanted() || table.contains_key("database") {
            return None;
        }
        let place = place(config);
        let Some(module) = Module::SoftHsm.path() else {
            let test = std::thread::current();
            let test = test.name().unwrap_or("a test over two nodes");
            claviger_fixtures::skip(test, Module::SoftHsm.missing());
            return None;
        };
        let new = !place.exists();
        let tokens = match new {
            true => {
                let database = claviger_fixtures::postgres::database()?;
                std::fs::create_dir_all(&place).unwrap();
                std::fs::write(place.join("database"), database.url()).unwrap();
                // A test may stop its nodes and start them: it goes with the server,
                // or stays where somebody else named one.
                std::mem::forget(database);
                let tokens = Tokens::prepare(Module::SoftHsm, module, &place).unwrap();
                init_token(&tokens, "twins");
                tokens
            }
            false => Tokens::at(Module::SoftHsm, module, &place),
        };
        let database = std::fs::read_to_string(place.join("database")).unwrap();
        table.insert("database".into(), database.into());
        let device = toml::Table::from_iter([("uri".into(), tokens.uri("twins").into())]);
        table.insert("device".into(), device.into());
        // At its address before another test takes it, and before there is a node.
        let mut listen = vec![twice(&table)];
        listen.extend(
            table
                .get("admin")
                .and_then(toml::Value::as_table)
                .map(twice),
        );
        let front = format!("http://{}", table["listen"].as_str().unwrap());
        table.entry("public_url").or_insert(front.into());
        let nodes = [0, 1].map(|which| {
            let mut own = table.clone();
            own.insert("listen".into(), listen[0].0[which].clone().into());
            if let Some(toml::Value::Table(admin)) = own.get_mut("admin") {
                admin.insert("listen".into(), listen[1].0[which].clone().into());
            }
            let path = place.join(format!("node{which}.toml"));
            std::fs::write(&path, own.to_string()).unwrap();
            (path, listen[0].0[which].clone())
        });
        let environment = tokens.environment();
        Some(Self {
            nodes,
            environment: environment.map(|(name, path)| (name.into(), path)).into(),
            fronts: listen.into_iter().map(|(_, front)| front).collect(),
        })
    }
}

/// The addresses of two nodes, and what stands in front of them.
fn twice(table: &toml::Table) -> ([String; 2], Front) {
    let nodes = [free_address(), free_address()];
    let tls = table.contains_key("certificate");
    let listen = table["listen"].as_str().unwrap();
    let front = Front::start_at(listen, nodes.to_vec(), tls);
    (nodes, front)
}
