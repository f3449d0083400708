//! What no caller, and no plain statement, can make the store do, on both databases.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod issuance;

use jiff::SignedDuration;
use jose::{Curve, PublicKey};
use rstest::rstest;
use wallet_provider::{
    ListKind, NewEntry, RevocationReason, RevocationStore, Revoker, Tally, UnitState,
};

use super::*;
use crate::Kind::{self, Postgres, Sqlite};
use crate::sql::{Query, query};

struct Scene {
    place: Place,
    database: Database,
    store: SqlProviderStore,
    now: Timestamp,
}

/// Four points of P-256, with their `0x04`.
const POINTS: [&str; 4] = [
    "042a72536f7765e3e788b52765e87218a115ad20c016d291295e6cb6cfa467fb4e913c50526ab40405c11e7cd5e86c94044122068f6bfcd1aefce2e4b4ba6a0529",
    "04d41471505a06b9dd4a5b7fe5d2a98fce2b672f39f3240a1d50b9167e9cb9965d1bdbedbac1a2224bba30c54a48fd48d2878496436e549988ae68e0d94d5262aa",
    "047a4f054531a8b04cadfe217f6af63f5aaed7f08929813eae31bc6e6416a1ed2545435d4cea34c714d8a6b6e9a26783f11af05f2a876ecf90a83b312ed5bee062",
    "04e7478e28bb2bcdda7c32826f7e129b76152264e9000ad14593e49c07e7c61b5708c3e72fe090ceb9b51f6388fc4f95176d14b9cb5ee82e58a16c0e0faac02830",
];

fn key(n: usize) -> PublicKey {
    let hex = POINTS[n].as_bytes();
    let point: Vec<u8> = hex
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    PublicKey::from_point(Curve::P256, &point).unwrap()
}

/// Where the database is, for as long as the test runs.
enum Place {
    Folder(tempfile::TempDir),
    Server(claviger_fixtures::postgres::Database),
}

impl Place {
    async fn open(&self) -> Database {
        let opened = match self {
            Self::Folder(folder) => Database::open(folder.path().join("claviger.db")).await,
            Self::Server(server) => Database::open(server.url()).await,
        };
        opened.unwrap()
    }
}

async fn scene(kind: Kind) -> Option<Scene> {
    let place = match kind {
        Sqlite => Place::Folder(tempfile::tempdir().unwrap()),
        Postgres => Place::Server(claviger_fixtures::postgres::database()?),
    };
    let database = place.open().await;
    let store = SqlProviderStore::new(database.clone());
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    Some(Scene {
        place,
        database,
        store,
        now,
    })
}

impl Scene {
    fn later(&self, seconds: i64) -> Timestamp {
        self.now
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap()
    }

    fn request(&self) -> SpentRequest {
        SpentRequest {
            jti: UnitId::random().to_string(),
            forget_at: self.later(300),
        }
    }

    /// A unit to be activated, over a challenge that waits.
    async fn new_unit(&self, alias: &str, first_key: usize) -> NewUnit {
        let hash = jose::sha256(alias.as_bytes());
        self.store
            .add_challenge(hash, Purpose::Activation, self.later(60))
            .await
            .unwrap();
        NewUnit {
            unit: UnitId::random(),
            challenge: hash,
            alias: alias.into(),
            shown_code: None,
            new_code: [1; 32],
            consent: None,
            signing_key: key(first_key),
            agreement_key: key(first_key + 1),
            evidence: "none".into(),
            certificates: vec![],
            device_model: None,
            patch_level: None,
            wallet_version: "1".into(),
            checked_at: self.now,
            at: self.now,
        }
    }

    async fn unit(&self, alias: &str, first_key: usize) -> UnitId {
        let new = self.new_unit(alias, first_key).await;
        let unit = new.unit;
        self.store.begin_activation(new).await.unwrap();
        self.store
            .complete_activation(unit, self.request(), self.now)
            .await
            .unwrap();
        unit
    }

    async fn block(&self, count: u64) -> Block {
        let name = UnitId::random().to_string();
        let uri = format!("https://provider.example/status/{name}");
        let new = NewList {
            kind: ListKind::Wia,
            name,
            uri,
            size: 16,
            key_check: [0; 8],
        };
        self.store.take_block(new, count, self.now).await.unwrap()
    }

    async fn content(&self, list: i64, since: Option<i64>) -> ListContent {
        self.store.list(list, since).await.unwrap().unwrap()
    }

    fn issuance(&self, unit: UnitId, list: i64, index: u64) -> Issuance {
        let mut issuance = Issuance::new(unit, self.request(), self.now);
        issuance.entries = vec![NewEntry {
            list,
            index,
            maintained_until: self.later(1000),
        }];
        issuance
    }

    fn revocation(&self, unit: UnitId) -> Revocation {
        let reason = RevocationReason::Security;
        Revocation {
            unit,
            by: Revoker::Operator,
            name: None,
            reason,
            advisory: None,
            at: self.now,
        }
    }

    async fn raw(&self, statement: Query) -> Result<(), Error> {
        self.database
            .write(move |tx| {
                Box::pin(async move {
                    statement.execute(tx).await?;
                    Ok(())
                })
            })
            .await
    }
}

#[rstest]
#[tokio::test]
async fn a_unit_that_is_begun_again_keeps_what_its_device_showed_last(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let device = [key(0), key(1)].map(|key| key.thumbprint());
    let begun = async |alias: &str| {
        let challenge = jose::sha256(b"mine");
        let found = scene
            .store
            .begun_activation(challenge, device, alias, scene.now);
        found.await
    };
    let mut first = scene.new_unit("mine", 0).await;
    first.certificates = vec![[1; 32]];
    let unit = first.unit;
    assert_eq!(begun("mine").await.unwrap(), None);
    scene.store.begin_activation(first).await.unwrap();
    assert!(matches!(
        begun("mine").await,
        Err(StoreError::ChallengeUnknown)
    ));

    let mut again = scene.new_unit("mine", 0).await;
    assert_eq!(begun("mine").await.unwrap().as_deref(), Some("none"));
    assert_eq!(begun("other").await.unwrap(), None);
    again.evidence = "newer".into();
    again.certificates = vec![[2; 32]];
    again.wallet_version = "2".into();
    again.checked_at = scene.later(5);
    let activated = scene.store.begin_activation(again).await.unwrap();
    assert_eq!(activated.unit, unit);
    let kept = scene.store.unit(unit).await.unwrap().unwrap();
    assert_eq!(
        (kept.evidence.as_str(), kept.wallet_version.as_str()),
        ("newer", "2")
    );
    assert_eq!(kept.checked_at, scene.later(5));
    let resting = scene.store.resting_on(&[[1; 32], [2; 32]]).await.unwrap();
    assert_eq!(resting, [[2; 32]]);

    // One that is operational is not begun again.
    scene
        .store
        .complete_activation(unit, scene.request(), scene.now)
        .await
        .unwrap();
    let late = scene.new_unit("mine", 0).await;
    assert_eq!(begun("mine").await.unwrap(), None);
    assert!(scene.store.begin_activation(late).await.is_err());
}

#[rstest]
#[tokio::test]
async fn a_revoked_unit_does_not_come_back_by_a_plain_statement(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    scene.store.revoke(scene.revocation(unit)).await.unwrap();
    let refused = scene
        .raw(query("UPDATE unit SET state = 'operational'"))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("a revoked unit stays revoked"));
    let found = scene.store.unit(unit).await.unwrap().unwrap();
    assert_eq!(found.state, UnitState::Revoked);
}

#[rstest]
#[tokio::test]
async fn an_index_is_used_once_whatever_a_caller_says(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let (mine, other) = (scene.unit("mine", 0).await, scene.unit("other", 2).await);
    let list = scene.block(8).await.list;
    scene
        .store
        .issue(scene.issuance(mine, list, 5))
        .await
        .unwrap();
    for unit in [mine, other] {
        let refused = scene.store.issue(scene.issuance(unit, list, 5)).await;
        assert!(
            matches!(refused, Err(StoreError::IndexInUse { index: 5, .. })),
            "{refused:?}"
        );
    }
    // A refused issuance spends nothing: the same request goes through elsewhere.
    let mut again = scene.issuance(mine, list, 5);
    assert!(scene.store.issue(again.clone()).await.is_err());
    again.entries[0].index = 6;
    scene.store.issue(again.clone()).await.unwrap();
    assert!(matches!(
        scene.store.issue(again).await,
        Err(StoreError::Replayed)
    ));
}

#[rstest]
#[tokio::test]
async fn blocks_of_a_list_follow_each_other_and_end_with_it(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let (first, second, third) = (
        scene.block(10).await,
        scene.block(10).await,
        scene.block(10).await,
    );
    assert_eq!((first.counters, second.counters), (0..10, 10..16));
    assert_eq!((first.list, third.counters), (second.list, 0..10));
    assert_ne!(first.list, third.list);
    scene.store.close_list(third.list, scene.now).await.unwrap();
    assert_ne!(scene.block(1).await.list, third.list);
}

#[rstest]
#[tokio::test]
async fn an_older_publication_does_not_hide_that_a_newer_one_is_due(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    let list = scene.block(8).await.list;
    scene
        .store
        .issue(scene.issuance(unit, list, 3))
        .await
        .unwrap();
    let before = scene.content(list, None).await;
    assert_eq!(before.revoked, [] as [u64; 0]);
    let before = before.state;
    let revoked = scene.store.revoke(scene.revocation(unit)).await.unwrap();
    assert_eq!((revoked.already, revoked.entries), (false, 1));
    // The publication that began before the revocation ends after it.
    scene
        .store
        .published(list, before.revision, scene.later(10_000))
        .await
        .unwrap();
    let due = scene.store.lists_to_publish(scene.now).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(scene.content(list, None).await.revoked, [3]);
    let published = async |revision| {
        let until = scene.later(10_000);
        let noted = scene.store.published(list, revision, until).await.unwrap();
        (
            noted,
            scene.store.lists_to_publish(scene.now).await.unwrap(),
        )
    };
    let (noted, left) = published(due[0].revision).await;
    assert_eq!((noted, left.len()), (Noted::Newest, 0));
    // One that comes later still may lie over the newer one: that is due again.
    let (noted, left) = published(before.revision).await;
    assert_eq!((noted, left.len()), (Noted::Overtaken, 1));
    let (noted, left) = published(left[0].revision).await;
    assert_eq!((noted, left.len()), (Noted::Newest, 0));
}

#[rstest]
#[tokio::test]
async fn what_was_revoked_since_is_told_with_what_all_comes_to(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let (mine, other) = (scene.unit("mine", 0).await, scene.unit("other", 2).await);
    let list = scene.block(8).await.list;
    for (unit, index) in [(mine, 3), (mine, 5), (other, 4)] {
        let issuance = scene.issuance(unit, list, index);
        scene.store.issue(issuance).await.unwrap();
    }
    let empty = scene.content(list, None).await;
    assert_eq!(empty.tally, Tally::default());
    scene.store.revoke(scene.revocation(mine)).await.unwrap();
    let first = scene.content(list, Some(empty.state.revision)).await;
    assert_eq!(sorted(&first.revoked), [3, 5]);
    assert_eq!(first.tally, Tally::of([3, 5]));
    scene.store.revoke(scene.revocation(other)).await.unwrap();
    let second = scene.content(list, Some(first.state.revision)).await;
    assert_eq!(second.revoked, [4]);
    assert_eq!(second.tally, Tally::of([3, 4, 5]));
    assert_eq!(sorted(&scene.content(list, None).await.revoked), [3, 4, 5]);

    // What the world knew and the store did not is a change too, and ends the list.
    let lost = vec![5, 9];
    scene.store.set_again(list, lost, scene.now).await.unwrap();
    let third = scene.content(list, Some(second.state.revision)).await;
    assert_eq!((&third.revoked[..], third.state.restored), (&[9][..], true));
    assert_eq!(third.tally, Tally::of([3, 4, 5, 9]));
    assert_ne!(scene.block(8).await.list, list);
}

#[rstest]
#[tokio::test]
async fn a_list_goes_only_when_it_is_closed_and_nothing_refers_to_it(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    let list = scene.block(8).await.list;
    let forget = async || {
        scene.store.forget_list(list).await.unwrap();
        scene.store.list_state(list).await.unwrap().is_some()
    };
    let expires = scene.later(1000);
    scene.store.published(list, 1, expires).await.unwrap();
    assert_eq!(scene.store.list_uris().await.unwrap().len(), 1);
    assert!(forget().await, "it is open");
    // Its files went before it was asked: it is published anew.
    assert_eq!(scene.store.list_uris().await.unwrap(), [] as [String; 0]);
    let due = scene.store.lists_to_publish(scene.now).await.unwrap();
    assert!(due.iter().any(|due| due.list == list));
    scene.store.close_list(list, scene.now).await.unwrap();
    let issuance = scene.issuance(unit, list, 3);
    scene.store.issue(issuance).await.unwrap();
    scene.store.revoke(scene.revocation(unit)).await.unwrap();
    assert!(forget().await, "a unit refers to it");
    let after = scene.later(1000);
    let purged = scene.store.purge(after, after).await.unwrap();
    assert_eq!(purged.lists.len(), 1);
    assert_eq!(purged.lists[0].list, list);
    assert!(scene.store.list_state(list).await.unwrap().is_some());
    assert!(!forget().await);
}

#[rstest]
#[tokio::test]
async fn one_at_a_time_has_its_turn_and_it_passes_on(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let other = SqlProviderStore::new(scene.place.open().await);
    let held = scene.store.turn(Work::List(1)).await.unwrap();
    // Other work waits for nothing.
    drop(other.turn(Work::List(2)).await.unwrap());
    drop(other.turn(Work::Purge).await.unwrap());
    let waiting = tokio::spawn(async move { other.turn(Work::List(1)).await });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    drop(held);
    waiting.await.unwrap().unwrap();
}

fn sorted(indices: &[u64]) -> Vec<u64> {
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    sorted
}

#[rstest]
#[tokio::test]
async fn a_revocation_is_all_or_nothing(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    let list = scene.block(8).await.list;
    scene
        .store
        .issue(scene.issuance(unit, list, 3))
        .await
        .unwrap();
    let broken: &[&str] = match kind {
        Sqlite => &[
            "CREATE TRIGGER broken BEFORE UPDATE OF revision ON status_list
                     BEGIN SELECT RAISE(ABORT, 'on purpose'); END",
        ],
        Postgres => &[
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN RAISE EXCEPTION ''on purpose''; END'",
            "CREATE TRIGGER broken BEFORE UPDATE OF revision ON status_list
             FOR EACH ROW EXECUTE FUNCTION broken()",
        ],
    };
    for statement in broken {
        scene.raw(query(statement)).await.unwrap();
    }
    let failed = scene.store.revoke(scene.revocation(unit)).await;
    assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    let found = scene.store.unit(unit).await.unwrap().unwrap();
    assert_eq!(found.state, UnitState::Operational);
    assert_eq!(scene.content(list, None).await.tally, Tally::default());
    assert!(scene.store.untold(None, 10).await.unwrap().is_empty());
}

#[rstest]
#[tokio::test]
async fn a_damaged_row_is_an_error_that_names_its_column(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    scene
        .raw(query("UPDATE unit SET signing_key = ?").bind([0; 1]))
        .await
        .unwrap();
    let error = scene.store.unit(unit).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("unit.signing_key: is no public key"),
        "{error}"
    );
}

#[rstest]
#[tokio::test]
async fn what_is_past_its_time_is_forgotten_and_nothing_else(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    let list = scene.block(8).await.list;
    scene
        .store
        .issue(scene.issuance(unit, list, 3))
        .await
        .unwrap();
    scene
        .store
        .add_challenge([9; 32], Purpose::Statement(unit), scene.later(60))
        .await
        .unwrap();
    let early = scene.store.purge(scene.later(59), scene.now).await.unwrap();
    assert_eq!(early, Purged::default());
    let purged = scene
        .store
        .purge(scene.later(300), scene.now)
        .await
        .unwrap();
    assert_eq!(
        (purged.challenges, purged.requests, purged.entries),
        (1, 2, 0)
    );
    let purged = scene
        .store
        .purge(scene.later(1000), scene.later(1000))
        .await
        .unwrap();
    assert_eq!(
        (purged.entries, purged.lists.len()),
        (1, 0),
        "an open list stays"
    );
}

/// The account's alias stands in one place, and no key or attestation leads from
/// it to anyone (the design's "keep the reference, not the token").
#[rstest]
#[tokio::test]
async fn the_tables_hold_no_token_and_the_alias_once(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    scene.unit("an alias nobody else has", 0).await;
    let columns = query(match kind {
        Sqlite => {
            "SELECT m.name || '.' || c.name
             FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
             WHERE m.type = 'table' AND (c.name LIKE '%alias%' OR c.name LIKE '%token%')"
        }
        Postgres => {
            "SELECT table_name || '.' || column_name FROM information_schema.columns
             WHERE table_schema = 'public'
               AND (column_name LIKE '%alias%' OR column_name LIKE '%token%')"
        }
    });
    let columns: Vec<String> = columns
        .all(&mut scene.database.reader().await.unwrap())
        .await
        .unwrap();
    let own: Vec<_> = columns
        .iter()
        .filter(|name| !name.starts_with("wsca"))
        .collect();
    assert_eq!(own, ["account.alias"]);
}

/// Two nodes at once: of one challenge, one alias, one request, one key and one index
/// there is one; a unit that is being revoked gets nothing; blocks do not overlap.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_once_is_taken_once_by_many_at_once(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    let list = scene.block(1).await.list;
    let mut tasks = Vec::new();
    for n in 0..40 {
        let (store, mut issuance) = (scene.store.clone(), scene.issuance(unit, list, n % 8));
        issuance.keys = vec![[u8::try_from(n % 8).unwrap(); 32]];
        tasks.push(tokio::spawn(async move { store.issue(issuance).await }));
    }
    let mut issued = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => issued += 1,
            Err(StoreError::KeyAttested(_) | StoreError::IndexInUse { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(issued, 8);

    let mut tasks = Vec::new();
    for n in 8..16 {
        let (store, issuance) = (scene.store.clone(), scene.issuance(unit, list, n));
        tasks.push(tokio::spawn(async move { store.issue(issuance).await }));
    }
    let revoked = scene.store.revoke(scene.revocation(unit)).await.unwrap();
    let mut late = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => late += 1,
            Err(StoreError::UnitState(UnitState::Revoked)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(revoked.entries, issued + late, "every entry was set");
    let content = scene.content(list, None).await;
    assert_eq!(content.tally.count, issued + late);

    let blocks: Vec<_> = (0..20)
        .map(|_| {
            let (store, at) = (scene.store.clone(), scene.now);
            let name = UnitId::random().to_string();
            let new = NewList {
                kind: ListKind::Ka,
                uri: format!("https://provider.example/status/{name}"),
                name,
                size: 16,
                key_check: [0; 8],
            };
            tokio::spawn(async move { store.take_block(new, 4, at).await.unwrap() })
        })
        .collect();
    let mut seen = std::collections::HashSet::new();
    for block in blocks {
        let block = block.await.unwrap();
        for counter in block.counters {
            assert!(seen.insert((block.list, counter)));
        }
    }
    assert_eq!(seen.len(), 80);
}
