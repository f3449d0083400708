//! The rules of the house: which room may know what. ARCHITECTURE.md gives the
//! reasons. Each rule is a function over a small graph, so that a made-up house
//! can show that the rule breaks when it should.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use cargo_metadata::DependencyKind;

use crate::manifest::Manifest;
use crate::source::{code_only, without_tests};
use crate::workspace::{Workspace, rust_files};
use crate::{Doing, Failure};

/// Rooms in which bytes and a time come in and answers go out.
pub const PURE: &[&str] = &[
    "device-evidence",
    "finding",
    "jose",
    "lote",
    "pki",
    "status-list",
    "wrp",
    "wua",
];

/// What brings a network, a database or an async runtime with it.
pub const RUNTIMES: &[&str] = &[
    "async-std",
    "axum",
    "hyper",
    "mio",
    "reqwest",
    "smol",
    "sqlx",
    "tokio",
    "ureq",
];

/// Rooms whose errors know no HTTP status, because they know no HTTP.
const NO_HTTP: &[&str] = &[
    "accounts",
    "clock",
    "r2ps",
    "sci",
    "store",
    "wallet-provider",
    "wsca",
    "wscd",
];

/// Rooms for tests alone, and the rooms that may stand on them all the same.
const TEST_MATERIAL: &[(&str, &[&str])] = &[
    ("claviger-fixtures", &[]),
    // It is built before all else, to start what tests need.
    ("postgres-cluster", &["claviger-fixtures", "xtask"]),
];

/// What knows HTTP.
const HTTP: &[&str] = &["axum", "http", "hyper", "reqwest", "tower-http"];

/// A family of third-party crates, and the rooms that alone may know it.
const KEEPERS: &[(&str, &[&str], &[&str])] = &[
    (
        "HOUSE-AXUM",
        &["axum", "axum-*", "utoipa-axum"],
        &["server"],
    ),
    ("HOUSE-SQLX", &["sqlx", "sqlx-*", "rusqlite"], &["store"]),
    (
        "HOUSE-WEBAUTHN",
        &["webauthn-*", "webauthn_*"],
        &["accounts"],
    ),
    (
        "HOUSE-DEVICE-PROTOCOL",
        &["cryptoki", "cryptoki-*", "kmip*", "pcsc", "pkcs11"],
        &["sci-card", "wscd", "wscd-*"],
    ),
];

/// The rooms that may call a device: the WSCA on a user's behalf, its own
/// families, and the binary that wires them.
const KNOW_WSCD: &[&str] = &["claviger", "wsca", "wscd-*"];

/// What reads the clock, the network, files or the process: not in pure rooms.
const OUTSIDE_WORLD: &[&str] = &[
    "Instant::now",
    "File::open",
    "SystemClock",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "tokio",
];

/// What reads the time of day: only where clocks are made.
const TIME_OF_DAY: &[&str] = &["SystemTime::now", "Timestamp::now", "Zoned::now"];

/// Rooms outside the rule on time of day, and why.
const OWN_TIME: &[&str] = &[
    "clock",             // it is the clock
    "claviger-fixtures", // test material
    "xtask",             // no part of the product
];

/// Rooms that choose the clock which the others are given.
const CHOOSE_CLOCK: &[&str] = &["claviger", "claviger-fixtures", "clock", "xtask"];

/// A crate as far as the rules look at it.
#[derive(Debug, Clone, Default)]
pub struct Room {
    /// Names of the packages it depends on, workspace and third-party alike.
    pub normal: BTreeSet<String>,
    /// The same for its build script.
    pub build: BTreeSet<String>,
    /// The same for its tests, benches and examples.
    pub dev: BTreeSet<String>,
    /// The licence field.
    pub licence: Option<String>,
    /// Whether it takes the workspace's lints.
    pub workspace_lints: bool,
    /// Dependencies whose version is not the workspace's.
    pub own_versions: Vec<String>,
    /// Its source without comments, text and tests, by file.
    pub code: BTreeMap<String, String>,
}

/// All crates of the workspace.
#[derive(Debug, Clone, Default)]
pub struct House {
    /// By package name.
    pub rooms: BTreeMap<String, Room>,
    /// Whether the workspace's lints forbid unsafe code.
    pub forbids_unsafe_code: bool,
}

/// A rule that is broken, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    /// The rule's id.
    pub rule: &'static str,
    /// The crate that breaks it.
    pub room: String,
    /// How.
    pub how: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.rule, self.room, self.how)
    }
}

impl House {
    /// Every broken rule, sorted.
    pub fn breaches(&self) -> Vec<Breach> {
        let mut breaches = Vec::new();
        for rule in [
            House::pure_rooms_know_no_runtime,
            House::pure_rooms_stand_on_pure_rooms,
            House::pure_rooms_leave_the_world_alone,
            House::time_comes_through_a_clock,
            House::families_have_keepers,
            House::only_the_wsca_calls_a_device,
            House::domain_rooms_know_no_http,
            House::fixtures_are_for_tests,
            House::nothing_goes_in_circles,
            House::one_set_of_lints_licences_and_versions,
        ] {
            rule(self, &mut breaches);
        }
        breaches.sort();
        breaches.dedup();
        breaches
    }

    fn pure(&self) -> impl Iterator<Item = (&str, &Room)> {
        self.rooms
            .iter()
            .map(|(name, room)| (name.as_str(), room))
            .filter(|(name, _)| PURE.contains(name))
    }

    /// Directly, or through other rooms of the workspace.
    fn pure_rooms_know_no_runtime(&self, breaches: &mut Vec<Breach>) {
        for (name, _) in self.pure() {
            for (through, room) in self.reach(name) {
                for found in named(&room.normal, RUNTIMES) {
                    breach(
                        breaches,
                        "HOUSE-PURE",
                        name,
                        format!("knows {found} through {through}"),
                    );
                }
            }
        }
    }

    fn pure_rooms_stand_on_pure_rooms(&self, breaches: &mut Vec<Breach>) {
        for (name, room) in self.pure() {
            for other in room
                .normal
                .iter()
                .filter(|other| self.rooms.contains_key(*other))
            {
                if !PURE.contains(&other.as_str()) {
                    breach(
                        breaches,
                        "HOUSE-PURE",
                        name,
                        format!("stands on {other}, which is not pure"),
                    );
                }
            }
        }
    }

    fn pure_rooms_leave_the_world_alone(&self, breaches: &mut Vec<Breach>) {
        for (name, room) in self.pure() {
            for (file, word) in room.mentions(OUTSIDE_WORLD) {
                breach(
                    breaches,
                    "HOUSE-PURE",
                    name,
                    format!("uses {word} in {file}"),
                );
            }
        }
    }

    fn time_comes_through_a_clock(&self, breaches: &mut Vec<Breach>) {
        for (name, room) in &self.rooms {
            if !OWN_TIME.contains(&name.as_str()) {
                for (file, word) in room.mentions(TIME_OF_DAY) {
                    breach(
                        breaches,
                        "HOUSE-CLOCK",
                        name,
                        format!("calls {word} in {file}"),
                    );
                }
            }
            if !CHOOSE_CLOCK.contains(&name.as_str()) {
                for (file, word) in room.mentions(&["SystemClock"]) {
                    breach(
                        breaches,
                        "HOUSE-CLOCK",
                        name,
                        format!("chooses {word} in {file}"),
                    );
                }
            }
        }
    }

    fn families_have_keepers(&self, breaches: &mut Vec<Breach>) {
        for (rule, family, keepers) in KEEPERS {
            for (name, room) in &self.rooms {
                if matches(name, keepers) {
                    continue;
                }
                for found in room.any().filter(|found| matches(found, family)) {
                    breach(breaches, rule, name, format!("knows {found}"));
                }
            }
        }
    }

    /// CIR (EU) 2024/2979, Article 5(1)(h), as a dependency rule.
    fn only_the_wsca_calls_a_device(&self, breaches: &mut Vec<Breach>) {
        for (name, room) in &self.rooms {
            let device = |other: &&String| matches(other, &["wscd", "wscd-*"]);
            if !matches(name, KNOW_WSCD) {
                for other in room.normal.iter().chain(&room.build).filter(device) {
                    breach(breaches, "HOUSE-WSCD", name, format!("knows {other}"));
                }
            }
        }
    }

    fn domain_rooms_know_no_http(&self, breaches: &mut Vec<Breach>) {
        for (name, room) in &self.rooms {
            if PURE.contains(&name.as_str()) || NO_HTTP.contains(&name.as_str()) {
                for found in named(&room.normal, HTTP) {
                    breach(breaches, "HOUSE-NO-HTTP", name, format!("knows {found}"));
                }
            }
        }
    }

    fn fixtures_are_for_tests(&self, breaches: &mut Vec<Breach>) {
        for (name, room) in &self.rooms {
            for (material, may) in TEST_MATERIAL {
                if room.normal.contains(*material) && !may.contains(&name.as_str()) {
                    breach(
                        breaches,
                        "HOUSE-FIXTURES",
                        name,
                        format!("ships {material}"),
                    );
                }
            }
        }
    }

    /// Tests may look back (cargo allows it); code may not.
    fn nothing_goes_in_circles(&self, breaches: &mut Vec<Breach>) {
        for name in self.rooms.keys() {
            let circle = self
                .reach(name)
                .into_iter()
                .find(|(_, room)| room.normal.contains(name) || room.build.contains(name));
            if let Some((through, _)) = circle {
                breach(
                    breaches,
                    "HOUSE-CIRCLE",
                    name,
                    format!("depends on itself through {through}"),
                );
            }
        }
    }

    fn one_set_of_lints_licences_and_versions(&self, breaches: &mut Vec<Breach>) {
        if !self.forbids_unsafe_code {
            breach(
                breaches,
                "HOUSE-UNSAFE",
                "the workspace",
                "does not forbid unsafe code".into(),
            );
        }
        for (name, room) in &self.rooms {
            if !room.workspace_lints {
                breach(
                    breaches,
                    "HOUSE-LINTS",
                    name,
                    "does not take the workspace's lints".into(),
                );
            }
            if room.licence.as_deref() != Some("Apache-2.0") {
                breach(
                    breaches,
                    "HOUSE-LICENCE",
                    name,
                    format!("has the licence {:?}", room.licence),
                );
            }
            for own in &room.own_versions {
                breach(
                    breaches,
                    "HOUSE-VERSIONS",
                    name,
                    format!("has its own version of {own}"),
                );
            }
        }
    }

    /// The room itself and every room that it depends on, however far.
    fn reach(&self, name: &str) -> BTreeMap<&str, &Room> {
        let mut reached = BTreeMap::new();
        let mut open = vec![name];
        while let Some(next) = open.pop() {
            let Some((next, room)) = self.rooms.get_key_value(next) else {
                continue;
            };
            if reached.insert(next.as_str(), room).is_none() {
                open.extend(room.normal.iter().chain(&room.build).map(String::as_str));
            }
        }
        reached
    }

    /// The house as it stands.
    pub fn read(workspace: &Workspace) -> Result<Self, Failure> {
        let mut house = House {
            forbids_unsafe_code: Manifest::read(&workspace.root.join("Cargo.toml"))?
                .forbids_unsafe_code(),
            ..House::default()
        };
        for package in &workspace.metadata.packages {
            let manifest = Manifest::read(package.manifest_path.as_std_path())?;
            let mut room = Room {
                licence: package.license.clone(),
                workspace_lints: manifest.takes_workspace_lints(),
                own_versions: manifest.own_dependencies(),
                ..Room::default()
            };
            for dependency in &package.dependencies {
                let kind = match dependency.kind {
                    DependencyKind::Development => &mut room.dev,
                    DependencyKind::Build => &mut room.build,
                    _ => &mut room.normal,
                };
                kind.insert(dependency.name.clone());
            }
            if let Some(folder) = workspace.package_dir(&package.name) {
                for file in rust_files(&folder.join("src"))? {
                    let shown = file.strip_prefix(&folder).unwrap_or(&file);
                    // A file that is all tests is declared so by its parent.
                    let all_tests = shown
                        .with_extension("")
                        .iter()
                        .any(|part| part.to_string_lossy().ends_with("tests"));
                    if all_tests {
                        continue;
                    }
                    let text = std::fs::read_to_string(&file).doing(file.display())?;
                    room.code.insert(
                        shown.display().to_string(),
                        without_tests(&code_only(&text)),
                    );
                }
            }
            house.rooms.insert(package.name.to_string(), room);
        }
        Ok(house)
    }
}

impl Room {
    fn any(&self) -> impl Iterator<Item = &String> {
        self.normal.iter().chain(&self.build).chain(&self.dev)
    }

    /// Where the code says one of these words (whole words only).
    fn mentions<'a>(&'a self, words: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.code.iter().flat_map(move |(file, code)| {
            words
                .iter()
                .filter(move |word| says(code, word))
                .map(move |word| (file.as_str(), *word))
        })
    }
}

fn says(code: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

fn breach(breaches: &mut Vec<Breach>, rule: &'static str, room: &str, how: String) {
    breaches.push(Breach {
        rule,
        room: room.to_owned(),
        how,
    });
}

fn named<'a>(dependencies: &'a BTreeSet<String>, names: &[&str]) -> Vec<&'a str> {
    dependencies
        .iter()
        .map(String::as_str)
        .filter(|name| matches(name, names))
        .collect()
}

/// Whether one of the patterns is this name, or ends in `*` and begins it.
fn matches(name: &str, patterns: &[&str]) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *pattern,
        })
}
