//! What must never be (ARCHITECTURE.md), checked on the house as it stands, and
//! on made-up houses that break one rule each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use xtask::house::{House, PURE, RUNTIMES, Room};
use xtask::source::{code_only, without_tests};
use xtask::workspace::Workspace;

#[test]
fn the_house_keeps_its_rules() {
    let house = House::read(&Workspace::open().unwrap()).unwrap();
    assert!(house.rooms.len() > 15, "{:?}", house.rooms.keys());
    let breaches: Vec<String> = house.breaches().iter().map(ToString::to_string).collect();
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

/// The rules look at what a room declares; this looks at all that comes with it.
#[test]
fn nothing_below_a_pure_room_brings_a_runtime() {
    let workspace = Workspace::open().unwrap();
    let rooms = PURE.iter().filter(|room| workspace.package(room).is_some());
    for room in rooms {
        let tree = workspace
            .cargo([
                "tree",
                "--quiet",
                "--offline",
                "--edges=normal",
                "--prefix=none",
            ])
            .args(["--package", room])
            .output()
            .unwrap();
        let tree = String::from_utf8(tree.stdout).unwrap();
        assert!(tree.starts_with(room), "cargo tree says nothing of {room}");
        let found = tree
            .lines()
            .filter_map(|line| line.split(' ').next())
            .find(|name| RUNTIMES.contains(name));
        assert_eq!(found, None, "below {room}");
    }
}

#[test]
fn a_house_that_keeps_the_rules_has_no_breach() {
    assert_eq!(sound().breaches(), []);
}

/// One change to a sound house, and what must be said about it.
#[test]
fn each_rule_breaks_when_it_should() {
    type Change = fn(&mut House);
    let cases: &[(&str, &str, Change)] = &[
        ("HOUSE-PURE", "jose knows tokio through jose", |house| {
            normal(house, "jose", "tokio");
        }),
        ("HOUSE-PURE", "wua knows reqwest through pki", |house| {
            normal(house, "pki", "reqwest");
        }),
        (
            "HOUSE-PURE",
            "lote stands on clock, which is not pure",
            |house| {
                normal(house, "lote", "clock");
            },
        ),
        (
            "HOUSE-PURE",
            "pki uses Timestamp::now in src/lib.rs",
            |house| {
                code(house, "pki", "fn f() { jiff::Timestamp::now(); }");
            },
        ),
        (
            "HOUSE-PURE",
            "pki uses SystemClock in src/lib.rs",
            |house| {
                code(house, "pki", "use clock::SystemClock;");
            },
        ),
        ("HOUSE-PURE", "pki uses std::fs in src/lib.rs", |house| {
            code(house, "pki", "use std::fs;");
        }),
        (
            "HOUSE-CLOCK",
            "wsca calls Timestamp::now in src/lib.rs",
            |house| {
                code(house, "wsca", "let t = Timestamp::now();");
            },
        ),
        (
            "HOUSE-CLOCK",
            "wsca chooses SystemClock in src/lib.rs",
            |house| {
                code(house, "wsca", "let c = clock::SystemClock;");
            },
        ),
        ("HOUSE-AXUM", "wsca knows axum", |house| {
            normal(house, "wsca", "axum")
        }),
        ("HOUSE-AXUM", "claviger knows utoipa-axum", |house| {
            dev(house, "claviger", "utoipa-axum");
        }),
        ("HOUSE-SQLX", "wsca knows sqlx", |house| {
            dev(house, "wsca", "sqlx")
        }),
        ("HOUSE-WEBAUTHN", "server knows webauthn-rs", |house| {
            normal(house, "server", "webauthn-rs");
        }),
        ("HOUSE-DEVICE-PROTOCOL", "wsca knows cryptoki", |house| {
            normal(house, "wsca", "cryptoki");
        }),
        ("HOUSE-WSCD", "wallet-provider knows wscd", |house| {
            normal(house, "wallet-provider", "wscd");
        }),
        ("HOUSE-WSCD", "server knows wscd-pkcs11", |house| {
            normal(house, "server", "wscd-pkcs11");
        }),
        ("HOUSE-NO-HTTP", "wallet-provider knows http", |house| {
            normal(house, "wallet-provider", "http");
        }),
        ("HOUSE-FIXTURES", "store ships claviger-fixtures", |house| {
            normal(house, "store", "claviger-fixtures");
        }),
        ("HOUSE-FIXTURES", "store ships postgres-cluster", |house| {
            normal(house, "store", "postgres-cluster");
        }),
        (
            "HOUSE-CIRCLE",
            "wscd depends on itself through wsca",
            |house| {
                normal(house, "wscd", "wsca");
            },
        ),
        (
            "HOUSE-UNSAFE",
            "the workspace does not forbid unsafe code",
            |house| {
                house.forbids_unsafe_code = false;
            },
        ),
        (
            "HOUSE-LINTS",
            "jose does not take the workspace's lints",
            |house| {
                room(house, "jose").workspace_lints = false;
            },
        ),
        ("HOUSE-LICENCE", "jose has the licence None", |house| {
            room(house, "jose").licence = None;
        }),
        (
            "HOUSE-VERSIONS",
            "jose has its own version of base64",
            |house| {
                room(house, "jose").own_versions = vec!["base64".into()];
            },
        ),
    ];
    for (rule, said, change) in cases {
        let mut house = sound();
        change(&mut house);
        let breaches: Vec<String> = house.breaches().iter().map(ToString::to_string).collect();
        assert!(
            breaches.contains(&format!("{rule}: {said}")),
            "{rule}: {said}\nfound {breaches:#?}"
        );
    }
}

/// What stands beside a breach and is none.
#[test]
fn what_is_allowed_is_left_alone() {
    let mut house = sound();
    dev(&mut house, "jose", "tokio");
    dev(&mut house, "wallet-provider", "wscd");
    dev(&mut house, "wscd", "wsca");
    dev(&mut house, "wsca", "claviger-fixtures");
    normal(&mut house, "claviger", "wscd-pkcs11");
    code(&mut house, "claviger", "clock::SystemClock");
    code(
        &mut house,
        "clock",
        "pub struct SystemClock; fn f() { Timestamp::now() }",
    );
    code(
        &mut house,
        "pki",
        "// std::fs\nlet a = \"SystemTime\"; my_tokio(); tokio_free();\n\
         #[cfg(test)]\nmod tests { use std::fs; fn f() { Timestamp::now(); } }",
    );
    assert_eq!(house.breaches(), []);
}

fn sound() -> House {
    let rooms = [
        ("finding", &[][..]),
        ("jose", &["finding", "serde"]),
        ("pki", &["jose", "der"]),
        ("lote", &["pki"]),
        ("wua", &["pki", "jose"]),
        ("clock", &["jiff"]),
        ("wscd", &["jose"]),
        ("wsca", &["wscd", "clock", "tokio"]),
        ("wallet-provider", &["wsca", "wua"]),
        ("store", &["wsca", "sqlx"]),
        ("server", &["wallet-provider", "axum"]),
        ("claviger", &["server", "store", "wscd", "tokio"]),
        ("claviger-fixtures", &["jose"]),
    ];
    House {
        forbids_unsafe_code: true,
        rooms: rooms
            .into_iter()
            .map(|(name, normal)| {
                let room = Room {
                    normal: normal.iter().map(ToString::to_string).collect(),
                    licence: Some("Apache-2.0".into()),
                    workspace_lints: true,
                    ..Room::default()
                };
                (name.to_owned(), room)
            })
            .collect::<BTreeMap<_, _>>(),
    }
}

fn room<'a>(house: &'a mut House, name: &str) -> &'a mut Room {
    house.rooms.get_mut(name).unwrap()
}

fn normal(house: &mut House, name: &str, other: &str) {
    room(house, name).normal.insert(other.into());
}

fn dev(house: &mut House, name: &str, other: &str) {
    room(house, name).dev.insert(other.into());
}

fn code(house: &mut House, name: &str, text: &str) {
    room(house, name)
        .code
        .insert("src/lib.rs".into(), without_tests(&code_only(text)));
}
