//! The table of requirements is whole: every test and file that it names exists.
#![allow(clippy::unwrap_used)]

use xtask::requirements::{TestIndex, check};
use xtask::workspace::Workspace;

#[test]
fn the_table_is_whole() {
    let (requirements, problems) = check(&Workspace::open().unwrap()).unwrap();
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(requirements.requirement.len() > 250);
}

#[test]
fn a_test_that_does_not_exist_is_not_found() {
    let index = TestIndex::scan(&Workspace::open().unwrap()).unwrap();
    for (named, stands) in [
        ("xtask/tests/requirements.rs::the_table_is_whole", true),
        ("xtask::requirements::tests::an_id_stands_once", true),
        ("xtask/tests/requirements.rs::the_table_is_hole", false),
        ("xtask/tests/house.rs::the_table_is_whole", false),
        ("xtask::tests::an_id_stands_once", false),
        ("xtask::requirements::tests::table", false),
    ] {
        assert_eq!(index.find(named).is_some(), stands, "{named}");
    }
}
