//! Checks, storages and entries that are used again, on both databases.

use wallet_provider::{
    FailedCheck, Holder, InstanceCheck, IssuanceStore, KeyStorage, LooseIssuance, LooseSelection,
    ReferenceStore, SpentCheck, Storage, TypeRevocation, TypeRevoked, UpkeepStore,
};

use super::*;

impl Scene {
    fn spent(&self, unit: UnitId) -> SpentCheck {
        SpentCheck {
            unit,
            request: self.request(),
            nonce: None,
            at: self.later(60),
        }
    }

    fn check(&self, unit: UnitId) -> InstanceCheck {
        InstanceCheck {
            spent: self.spent(unit),
            evidence: None,
            certificates: vec![],
            patch_level: None,
            counter: None,
        }
    }

    fn for_issuer(&self, unit: UnitId, list: i64, index: u64, scope: u8) -> Issuance {
        let mut issuance = self.issuance(unit, list, index);
        issuance.holder = Some(issuer(scope, 2));
        issuance
    }

    fn for_type(&self, unit: UnitId, list: i64, index: u64) -> Issuance {
        let mut issuance = self.issuance(unit, list, index);
        issuance.storage = Some(storage("one"));
        issuance.holder = Some(holder());
        issuance
    }

    async fn revoke_type(&self, name: &str) -> TypeRevoked {
        let revocation = TypeRevocation {
            kind: Storage::Wscd,
            name: name.into(),
            by: Revoker::Operator,
            reason: RevocationReason::Security,
            at: self.now,
        };
        self.store.revoke_type(revocation).await.unwrap()
    }

    async fn set(&self, list: i64) -> Vec<i64> {
        let mut reader = self.database.reader().await.unwrap();
        query("SELECT idx FROM status_set WHERE list = ? ORDER BY idx")
            .bind(list)
            .all(&mut reader)
            .await
            .unwrap()
    }
}

fn issuer(scope: u8, most: u32) -> Holder {
    Holder::Issuer {
        scope: [scope; 32],
        about: None,
        most,
    }
}

fn storage(name: &str) -> KeyStorage {
    KeyStorage {
        kind: Storage::Wscd,
        type_name: name.into(),
        certification: None,
    }
}

fn holder() -> Holder {
    Holder::StorageType {
        kind: Storage::Wscd,
        name: "one".into(),
    }
}

#[rstest]
#[tokio::test]
async fn a_check_moves_on_and_never_back(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    let store = &scene.store;
    let kept = async || store.unit(unit).await.unwrap().unwrap();
    assert_eq!(kept().await.checked_at, scene.now);
    let mut check = scene.check(unit);
    check.evidence = Some(("none".into(), "newer".into()));
    check.patch_level = Some(202_611);
    store.record_check(check).await.unwrap();
    let after = kept().await;
    assert_eq!(
        (after.checked_at, after.evidence.as_str()),
        (scene.later(60), "newer")
    );
    // What was read before that is no longer so.
    let mut stale = scene.check(unit);
    stale.evidence = Some(("none".into(), "older".into()));
    let refused = store.record_check(stale).await;
    assert!(
        matches!(refused, Err(StoreError::UnitChanged)),
        "{refused:?}"
    );
    let mut early = scene.check(unit);
    early.spent.at = scene.now;
    store.record_check(early).await.unwrap();
    assert_eq!(kept().await.checked_at, scene.later(60));
    // A nonce, too, is answered once.
    let nonce = Some(([7; 32], scene.later(300)));
    store.spend(unit, scene.request(), nonce).await.unwrap();
    for expected in [true, false] {
        let mut check = scene.check(unit);
        check.spent.nonce = Some([7; 32]);
        assert_eq!(store.record_check(check).await.is_ok(), expected);
    }
}

#[rstest]
#[tokio::test]
async fn an_assertion_counter_only_grows_whoever_writes(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    let with = |counter| InstanceCheck {
        counter: Some(counter),
        ..scene.check(unit)
    };
    for (counter, grows) in [(3, true), (3, false), (2, false), (u32::MAX, true)] {
        let result = scene.store.record_check(with(counter)).await;
        let back = matches!(result, Err(StoreError::CounterBack));
        assert_eq!((result.is_ok(), back), (grows, !grows), "{counter}");
    }
    let kept = scene.store.assertion_counter(unit).await.unwrap();
    assert_eq!(kept, Some(u32::MAX));
    let back = scene
        .raw(query("UPDATE assertion_counter SET counter = 1"))
        .await;
    assert!(back.unwrap_err().to_string().contains("only grows"));
    // At once, the highest stays, whatever came first.
    let unit = scene.unit("other", 2).await;
    let mut tasks = Vec::new();
    for counter in 1..=16 {
        let (store, check) = (
            scene.store.clone(),
            InstanceCheck {
                counter: Some(counter),
                ..scene.check(unit)
            },
        );
        tasks.push(tokio::spawn(async move { store.record_check(check).await }));
    }
    for task in tasks {
        let result = task.await.unwrap();
        assert!(
            matches!(result, Ok(()) | Err(StoreError::CounterBack)),
            "{result:?}"
        );
    }
    assert_eq!(scene.store.assertion_counter(unit).await.unwrap(), Some(16));
}

#[rstest]
#[tokio::test]
async fn a_failed_check_stops_issuance_until_one_is_passed(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    for why in ["first", "second"] {
        let spent = scene.spent(unit);
        scene
            .store
            .record_failed_check(spent, why.into())
            .await
            .unwrap();
    }
    let expected = FailedCheck {
        unit,
        at: scene.later(60),
        why: "first".into(),
    };
    assert_eq!(scene.store.failed_checks(5).await.unwrap(), [expected]);
    let list = scene.block(8).await.list;
    let issuance = scene.issuance(unit, list, 1);
    for refused in [
        scene.store.check_issuance(&issuance).await,
        scene.store.issue(issuance.clone()).await,
    ] {
        assert!(matches!(refused, Err(StoreError::DeviceWorse)));
    }
    let check = scene.check(unit);
    scene.store.record_check(check).await.unwrap();
    assert_eq!(scene.store.failed_checks(5).await.unwrap(), []);
    scene.store.issue(issuance).await.unwrap();

    // Of a revoked unit nothing has to come.
    let spent = scene.spent(unit);
    scene
        .store
        .record_failed_check(spent, "third".into())
        .await
        .unwrap();
    scene.store.revoke(scene.revocation(unit)).await.unwrap();
    assert_eq!(scene.store.failed_checks(5).await.unwrap(), []);

    // Nor of one whose revocation is taken over from what is published.
    let other = scene.unit("other", 2).await;
    let issuance = scene.issuance(other, list, 2);
    scene.store.issue(issuance).await.unwrap();
    let spent = scene.spent(other);
    scene
        .store
        .record_failed_check(spent, "fourth".into())
        .await
        .unwrap();
    let taken = UpkeepStore::take_over(&scene.store, list, vec![2], scene.now).await;
    assert_eq!(taken.unwrap().units, 1);
    assert_eq!(scene.store.failed_checks(5).await.unwrap(), []);
}

#[rstest]
#[tokio::test]
async fn an_entry_for_an_issuer_is_one_and_its_units(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let (mine, other) = (scene.unit("mine", 0).await, scene.unit("other", 2).await);
    let list = scene.block(8).await.list;
    let store = &scene.store;
    assert_eq!(store.held_entry(mine, &issuer(1, 2)).await.unwrap(), None);
    store
        .issue(scene.for_issuer(mine, list, 1, 1))
        .await
        .unwrap();
    let held = store
        .held_entry(mine, &issuer(1, 2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((held.entry.list, held.entry.index), (list, 1));
    assert_eq!(store.held_entry(other, &issuer(1, 2)).await.unwrap(), None);
    // Another entry for the same issuer, and the same entry for another unit.
    let moved = store.issue(scene.for_issuer(mine, list, 2, 1)).await;
    assert!(matches!(moved, Err(StoreError::EntryMoved)), "{moved:?}");
    let stolen = store.issue(scene.for_issuer(other, list, 1, 1)).await;
    assert!(
        matches!(stolen, Err(StoreError::IndexInUse { .. })),
        "{stolen:?}"
    );
    // The end of its maintenance moves on, and never back.
    for (seconds, kept) in [(5000, 5000), (10, 5000)] {
        let mut issuance = scene.for_issuer(mine, list, 1, 1);
        issuance.entries[0].maintained_until = scene.later(seconds);
        store.issue(issuance).await.unwrap();
        let held = store
            .held_entry(mine, &issuer(1, 2))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(held.entry.maintained_until, scene.later(kept));
    }
    let purged = store.purge(scene.later(2000), scene.now).await.unwrap();
    assert_eq!(purged.entries, 0, "its entry is maintained as well");
    store
        .issue(scene.for_issuer(mine, list, 3, 2))
        .await
        .unwrap();
    let many = store.issue(scene.for_issuer(mine, list, 4, 3)).await;
    assert!(
        matches!(many, Err(StoreError::TooManyScopes(2))),
        "{many:?}"
    );
    store.purge(scene.later(6000), scene.now).await.unwrap();
    assert_eq!(store.held_entry(mine, &issuer(1, 2)).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn of_first_entries_at_once_one_is_kept(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    let list = scene.block(16).await.list;
    for for_type in [false, true] {
        let mut tasks = Vec::new();
        for index in 0..8 {
            let (store, issuance) = (
                scene.store.clone(),
                match for_type {
                    true => scene.for_type(unit, list, index),
                    false => scene.for_issuer(unit, list, 8 + index, 1),
                },
            );
            tasks.push(tokio::spawn(async move { store.issue(issuance).await }));
        }
        let mut kept = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => kept += 1,
                Err(StoreError::EntryMoved) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(kept, 1);
    }
}

#[rstest]
#[tokio::test]
async fn a_type_is_closed_for_good_with_the_entry_that_it_shares(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let (mine, other) = (scene.unit("mine", 0).await, scene.unit("other", 2).await);
    let list = scene.block(16).await.list;
    let store = &scene.store;
    let per_ka = |unit, index, name: &str| {
        let mut issuance = scene.issuance(unit, list, index);
        issuance.storage = Some(storage(name));
        issuance
    };
    store.issue(per_ka(mine, 1, "one")).await.unwrap();
    store.issue(scene.for_type(mine, list, 2)).await.unwrap();
    store.issue(per_ka(other, 4, "two")).await.unwrap();
    assert_eq!(scene.revoke_type("one").await, TypeRevoked::ClosedAndSet);
    assert_eq!(scene.set(list).await, [2], "units' own are the job's");
    assert_eq!(scene.revoke_type("one").await, TypeRevoked::Already);
    for unit in [mine, other] {
        for issuance in [per_ka(unit, 5, "one"), scene.for_type(unit, list, 2)] {
            let check = store.check_issuance(&issuance).await;
            assert!(
                matches!(check, Err(StoreError::StorageRevoked)),
                "{check:?}"
            );
            let refused = store.issue(issuance).await;
            assert!(
                matches!(refused, Err(StoreError::StorageRevoked)),
                "{refused:?}"
            );
        }
    }
    store.issue(per_ka(other, 6, "two")).await.unwrap();
    assert_eq!(scene.revoke_type("two").await, TypeRevoked::Closed);
    let back = scene
        .raw(query("UPDATE storage_type SET revoked_at = NULL"))
        .await;
    assert!(back.unwrap_err().to_string().contains("stays revoked"));
}

#[rstest]
#[tokio::test]
async fn a_key_is_in_a_wia_or_in_a_ka(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    let list = scene.block(16).await.list;
    let with = |index, keys: &[u8], instance_keys: &[u8]| {
        let mut issuance = scene.issuance(unit, list, index);
        issuance.keys = keys.iter().map(|key| [*key; 32]).collect();
        issuance.instance_keys = instance_keys.iter().map(|key| [*key; 32]).collect();
        issuance
    };
    scene.store.issue(with(1, &[1], &[])).await.unwrap();
    scene.store.issue(with(2, &[], &[2])).await.unwrap();
    let cases: [(&[u8], &[u8], bool); 4] = [
        (&[3, 1], &[], true),
        (&[3, 2], &[], false),
        (&[], &[3, 1], true),
        (&[], &[3, 2], false),
    ];
    for (keys, instance_keys, in_ka) in cases {
        let refused = [
            scene
                .store
                .check_issuance(&with(3, keys, instance_keys))
                .await,
            scene.store.issue(with(3, keys, instance_keys)).await,
        ];
        for refused in refused {
            match refused {
                Err(StoreError::KeyAttested(1)) if in_ka => {}
                Err(StoreError::KeyUsed(1)) if !in_ka => {}
                other => panic!("{other:?} for {keys:?} and {instance_keys:?}"),
            }
        }
    }
    // What was refused took nothing.
    scene.store.issue(with(3, &[3], &[])).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn a_key_of_a_wia_is_forgotten_with_its_status(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    let list = scene.block(16).await.list;
    let with_key = |index| {
        let mut issuance = scene.issuance(unit, list, index);
        issuance.instance_keys = vec![[5; 32]];
        issuance
    };
    scene.store.issue(with_key(1)).await.unwrap();
    let used = scene.store.issue(with_key(2)).await;
    assert!(matches!(used, Err(StoreError::KeyUsed(0))), "{used:?}");
    let used = scene.store.check_issuance(&with_key(2)).await;
    assert!(matches!(used, Err(StoreError::KeyUsed(0))), "{used:?}");
    scene
        .store
        .purge(scene.later(2000), scene.now)
        .await
        .unwrap();
    assert!(
        scene.store.issue(with_key(2)).await.is_err(),
        "to the end of the day"
    );
    scene
        .store
        .purge(scene.later(86_400), scene.now)
        .await
        .unwrap();
    scene.store.issue(with_key(2)).await.unwrap();
}

#[rstest]
#[tokio::test]
async fn what_belongs_to_no_unit_keeps_its_list_alive(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let list = scene.block(16).await.list;
    let hash = [3; 32];
    let ends = scene.later(60);
    scene
        .store
        .add_challenge(hash, Purpose::Activation, ends)
        .await
        .unwrap();
    let loose = |index| LooseIssuance {
        challenge: Some(hash),
        keys: vec![],
        instance_keys: vec![],
        entry: Some(NewEntry {
            list,
            index,
            maintained_until: scene.later(1000),
        }),
        device_model: Some("m".into()),
        patch_level: Some(202_610),
        at: scene.now,
    };
    scene.store.challenge_waits(hash, scene.now).await.unwrap();
    let late = scene.store.challenge_waits(hash, ends).await;
    assert!(
        matches!(late, Err(StoreError::ChallengeExpired)),
        "{late:?}"
    );
    scene.store.issue_loose(loose(1)).await.unwrap();
    let again = scene.store.issue_loose(loose(2)).await;
    assert!(
        matches!(again, Err(StoreError::ChallengeUnknown)),
        "{again:?}"
    );
    let taken = LooseIssuance {
        challenge: None,
        ..loose(1)
    };
    let taken = scene.store.issue_loose(taken).await;
    assert!(
        matches!(taken, Err(StoreError::IndexInUse { .. })),
        "{taken:?}"
    );
    scene.store.close_list(list, scene.now).await.unwrap();
    let purge = async |at| scene.store.purge(at, scene.later(1)).await.unwrap().lists;
    assert!(purge(scene.later(999)).await.is_empty());
    let revoked = scene.store.revoke_loose(LooseSelection::All).await.unwrap();
    assert_eq!((revoked, scene.set(list).await), (1, vec![1]));
    assert_eq!(purge(scene.later(1000)).await.len(), 1);
}

/// On PostgreSQL they are recorded together, until one of them is refused.
#[rstest]
#[tokio::test]
async fn of_many_at_once_only_those_that_are_no_good_are_refused(
    #[values(Sqlite, Postgres)] kind: Kind,
) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let (good, revoked) = (scene.unit("good", 0).await, scene.unit("bad", 2).await);
    let list = scene.block(16).await.list;
    scene.store.revoke(scene.revocation(revoked)).await.unwrap();
    let rows = async |table| {
        let count: i64 = query(table)
            .one(&mut scene.database.reader().await.unwrap())
            .await
            .unwrap();
        count
    };
    let spent_before = rows("SELECT count(*) FROM spent_request").await;
    let with_key = |unit, index: u8| {
        let mut issuance = scene.issuance(unit, list, u64::from(index));
        issuance.instance_keys = vec![[index; 32]];
        issuance
    };
    let mut all: Vec<Issuance> = (0..12).map(|index| with_key(good, index)).collect();
    let mut replayed = with_key(good, 12);
    replayed.request = all[0].request.clone();
    let mut index_again = with_key(good, 13);
    index_again.entries[0].index = 3;
    let mut key_again = with_key(good, 14);
    key_again.instance_keys = vec![[5; 32]];
    all.extend([replayed, index_again, key_again, with_key(revoked, 15)]);
    let tasks: Vec<_> = all
        .into_iter()
        .map(|issuance| {
            let store = scene.store.clone();
            tokio::spawn(async move { store.issue(issuance).await })
        })
        .collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    // Of two that cannot both be, one is.
    for (one, other) in [(0, 12), (3, 13), (5, 14)] {
        let refused = match (&done[one], &done[other]) {
            (Ok(()), Err(refused)) | (Err(refused), Ok(())) => refused,
            both => panic!("{both:?}"),
        };
        let named = match other {
            12 => matches!(refused, StoreError::Replayed),
            13 => matches!(refused, StoreError::IndexInUse { .. }),
            _ => matches!(refused, StoreError::KeyUsed(0)),
        };
        assert!(named, "{other}: {refused:?}");
    }
    assert!(
        matches!(done[15], Err(StoreError::UnitState(UnitState::Revoked))),
        "{:?}",
        done[15]
    );
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 12);
    // Nothing is left of those that were refused.
    let spent = rows("SELECT count(*) FROM spent_request").await - spent_before;
    let entries = rows("SELECT count(*) FROM status_entry").await;
    let keys = rows("SELECT count(*) FROM instance_key").await;
    assert_eq!((spent, entries, keys), (12, 12, 12));
}

#[rstest]
#[tokio::test]
async fn a_caller_comes_with_what_it_did(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let unit = scene.unit("mine", 0).await;
    let request = scene.request();
    let caller = async |jti: &str| scene.store.caller(unit, jti).await.unwrap().unwrap();
    let before = caller(&request.jti).await;
    assert_eq!(
        (before.unit.unit, before.spent, before.worse),
        (unit, false, false)
    );
    scene
        .store
        .spend(unit, request.clone(), None)
        .await
        .unwrap();
    assert!(caller(&request.jti).await.spent);
    let failed = scene.spent(unit);
    scene
        .store
        .record_failed_check(failed, "a rooted device".into())
        .await
        .unwrap();
    let after = caller("another").await;
    assert_eq!((after.spent, after.worse), (false, true));
    let nobody = scene.store.caller(UnitId::random(), "another").await;
    assert_eq!(nobody.unwrap(), None);
}
