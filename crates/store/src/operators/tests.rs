//! The trail on either database: whole, whoever writes at once and whatever is taken
//! away in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use claviger_fixtures::postgres;
use jiff::SignedDuration;
use rstest::rstest;
use sci::UnitId;
use wallet_provider::operators::{GENESIS, UnitFilter, UnitSearch, verify};
use wallet_provider::{RevocationReason, Revoker, UnitState};

use super::*;
use crate::Kind::{self, Postgres, Sqlite};
use crate::provider::SqlProviderStore;
use crate::sql::Query;

/// A database, and the address that a second node opens it by.
struct Scene {
    address: String,
    trail: SqlOperatorTrail,
    _folder: tempfile::TempDir,
    _postgres: Option<postgres::Database>,
}

async fn scene(kind: Kind) -> Option<Scene> {
    let folder = tempfile::tempdir().unwrap();
    let (address, postgres) = match kind {
        Sqlite => (
            folder.path().join("claviger.db").display().to_string(),
            None,
        ),
        Postgres => {
            let postgres = postgres::database()?;
            (postgres.url(), Some(postgres))
        }
    };
    let trail = SqlOperatorTrail::new(Database::open(&address).await.unwrap());
    Some(Scene {
        address,
        trail,
        _folder: folder,
        _postgres: postgres,
    })
}

fn act(number: i64) -> Act {
    Act {
        at: at(number),
        operator: "ada".into(),
        role: OperatorRole::Support,
        by: Credential::Certificate,
        action: "unit.show".into(),
        object: format!("units/{number}"),
        reason: (number % 2 == 0).then(|| "ticket 12".to_owned()),
        outcome: "ok".into(),
    }
}

fn at(second: i64) -> Timestamp {
    let begin: Timestamp = "2026-11-30T12:00:00.123Z".parse().unwrap();
    begin + SignedDuration::from_secs(second)
}

impl Scene {
    async fn rows(&self) -> Vec<TrailRow> {
        self.trail.rows(0, 1000).await.unwrap()
    }

    /// What is wrong with the trail as the database has it.
    async fn wrong(&self) -> Vec<String> {
        let ends = self.trail.ends().await.unwrap();
        let (_, findings) = verify(ends.start, &self.rows().await, &[ends.end]);
        findings.into_iter().map(|f| f.subject).collect()
    }

    async fn put(&self, statement: Query) {
        let done: Result<u64, Error> = self
            .trail
            .database
            .write(move |tx| Box::pin(statement.execute(tx)))
            .await;
        done.unwrap();
    }

    /// What someone does who can write the database.
    async fn meddle(&self, statements: &[&'static str]) {
        for statement in statements {
            self.put(query(statement)).await;
        }
    }

    fn unlock(&self) -> &'static str {
        if self.address.starts_with("postgres") {
            "DROP TRIGGER operator_trail_is_final ON operator_trail"
        } else {
            "DROP TRIGGER operator_trail_is_final"
        }
    }
}

#[rstest]
#[tokio::test]
async fn what_was_done_is_read_back_in_its_order(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    assert_eq!(scene.trail.ends().await.unwrap().end, GENESIS);
    let mut written = Vec::new();
    for number in 0..5 {
        written.push(scene.trail.append(act(number)).await.unwrap());
    }
    assert_eq!(scene.rows().await, written);
    assert_eq!(scene.trail.rows(2, 2).await.unwrap(), written[2..4]);
    assert_eq!(scene.trail.ends().await.unwrap().end, written[4].head());
    assert_eq!(scene.wrong().await, [""; 0]);
}

/// Two nodes, each with its own connections, and many writers on each.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_keep_one_chain(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let other = SqlOperatorTrail::new(Database::open(&scene.address).await.unwrap());
    let mut writing = tokio::task::JoinSet::new();
    for number in 0..60 {
        let trail = [&scene.trail, &other][usize::try_from(number % 2).unwrap()].clone();
        writing.spawn(async move { trail.append(act(number)).await });
    }
    while let Some(written) = writing.join_next().await {
        written.unwrap().unwrap();
    }
    let rows = scene.rows().await;
    assert_eq!(rows.len(), 60);
    let mut objects: Vec<_> = rows.iter().map(|row| &row.act.object).collect();
    objects.sort();
    objects.dedup();
    assert_eq!(objects.len(), 60, "none is lost, none is there twice");
    assert_eq!(scene.wrong().await, [""; 0]);
}

#[rstest]
#[tokio::test]
async fn a_row_stays_as_it_was_written(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    scene.trail.append(act(0)).await.unwrap();
    let changed: Result<u64, Error> = scene
        .trail
        .database
        .write(|tx| Box::pin(query("UPDATE operator_trail SET operator = 'eve'").execute(tx)))
        .await;
    assert!(changed.is_err());
    assert_eq!(scene.rows().await[0].act.operator, "ada");
}

#[rstest]
#[tokio::test]
async fn meddling_is_noticed(#[values(Sqlite, Postgres)] kind: Kind) {
    let cases: [(&[&'static str], &str); 5] = [
        (
            &["UPDATE operator_trail SET operator = 'eve' WHERE sequence = 3"],
            "row 3",
        ),
        (&["DELETE FROM operator_trail WHERE sequence = 3"], "row 4"),
        (&["DELETE FROM operator_trail WHERE sequence = 1"], "row 2"),
        (
            &["DELETE FROM operator_trail WHERE sequence = 5"],
            "the trail",
        ),
        (
            &[
                "UPDATE operator_trail SET sequence = 9 WHERE sequence = 3",
                "UPDATE operator_trail SET sequence = 3 WHERE sequence = 4",
                "UPDATE operator_trail SET sequence = 4 WHERE sequence = 9",
            ],
            "row 3",
        ),
    ];
    for (statements, subject) in cases {
        let Some(scene) = scene(kind).await else {
            return;
        };
        for number in 0..5 {
            scene.trail.append(act(number)).await.unwrap();
        }
        scene.meddle(&[scene.unlock()]).await;
        scene.meddle(statements).await;
        let wrong = scene.wrong().await;
        assert_eq!(
            wrong.first().map(String::as_str),
            Some(subject),
            "{statements:?}"
        );
    }
}

/// An act that is refused leaves no row of its transaction, and an act's row none
/// without the act.
#[rstest]
#[tokio::test]
async fn an_act_and_its_row_are_one(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let revocation = Revocation {
        unit: UnitId::random(),
        by: Revoker::Operator,
        name: None,
        reason: RevocationReason::Security,
        advisory: None,
        at: at(0),
    };
    let refused = scene.trail.revoke(revocation, act(0)).await;
    assert!(
        matches!(refused, Err(StoreError::UnitUnknown)),
        "{refused:?}"
    );
    assert_eq!(scene.rows().await, []);
    assert_eq!(scene.trail.ends().await.unwrap().end, GENESIS);
}

#[rstest]
#[tokio::test]
async fn what_is_too_old_goes_and_the_rest_still_holds(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    for number in 0..5 {
        scene.trail.append(act(number)).await.unwrap();
    }
    assert_eq!(scene.trail.forget(at(0)).await.unwrap(), 0);
    assert_eq!(scene.trail.forget(at(2)).await.unwrap(), 2);
    assert_eq!(scene.rows().await.first().unwrap().sequence, 3);
    assert_eq!(scene.wrong().await, [""; 0]);
    assert_eq!(scene.trail.ends().await.unwrap().start.sequence, 2);
    // All of it is old: the newest row stays.
    assert_eq!(scene.trail.forget(at(1000)).await.unwrap(), 2);
    assert_eq!(scene.rows().await.len(), 1);
    scene.trail.append(act(5)).await.unwrap();
    assert_eq!(scene.wrong().await, [""; 0]);
    assert_eq!(scene.rows().await.last().unwrap().sequence, 6);
}

/// Three units; each filter finds those it is for, in pages, in one order.
#[rstest]
#[tokio::test]
async fn units_are_found_by_what_is_known_of_them(#[values(Sqlite, Postgres)] kind: Kind) {
    let Some(scene) = scene(kind).await else {
        return;
    };
    let store = SqlProviderStore::new(scene.trail.database.clone());
    let rows: [(&str, &str, Option<&str>, Option<i64>); 3] = [
        ("installed", "1.0", None, None),
        ("operational", "1.0", Some("Pixel 9"), Some(202_601)),
        ("operational", "2.0", Some("Pixel 9"), Some(202_611)),
    ];
    let statement = "INSERT INTO account (id, alias, created_at) VALUES (1, 'ada', 0)";
    scene.put(query(statement)).await;
    for ((state, version, model, level), number) in rows.into_iter().zip(1u8..) {
        let key = claviger_fixtures::TestKey::generate(jose::Curve::P256);
        let spki = jose::Signer::public_key(&key).to_spki_der();
        let statement = query(
            "INSERT INTO unit (id, account, state, signing_key, signing_thumbprint, agreement_key,
             agreement_thumbprint, evidence, wallet_version, created_at, device_model, patch_level)
             VALUES (?, 1, ?, ?, ?, ?, ?, 'none', ?, 0, ?, ?)",
        );
        let statement = statement
            .bind([number; 16])
            .bind(state)
            .bind(&spki)
            .bind([number; 32])
            .bind(&spki)
            .bind([number; 32])
            .bind(version)
            .bind(model)
            .bind(level);
        scene.put(statement).await;
    }
    let found = async |filter: &UnitFilter, after: Option<u8>, limit: u32| {
        let after = after.map(|number| UnitId::from_slice(&[number; 16]).unwrap());
        let found = store.search(filter, after, limit).await.unwrap();
        found
            .iter()
            .map(|unit| unit.record.unit.as_bytes()[0])
            .collect::<Vec<_>>()
    };
    let all = UnitFilter::default();
    assert_eq!(found(&all, None, 10).await, [1, 2, 3]);
    assert_eq!(found(&all, None, 2).await, [1, 2]);
    assert_eq!(found(&all, Some(2), 2).await, [3]);
    let state = |state| UnitFilter {
        state: Some(state),
        ..UnitFilter::default()
    };
    assert_eq!(found(&state(UnitState::Installed), None, 9).await, [1]);
    assert_eq!(found(&state(UnitState::Revoked), None, 9).await, [0; 0]);
    let version = UnitFilter {
        wallet_version: Some("1.0".into()),
        ..state(UnitState::Operational)
    };
    assert_eq!(found(&version, None, 9).await, [2]);
    let model = UnitFilter {
        model: Some("Pixel 9".into()),
        ..UnitFilter::default()
    };
    assert_eq!(found(&model, None, 9).await, [2, 3]);
    let old = UnitFilter {
        patch_level_up_to: Some(202_601),
        ..model
    };
    assert_eq!(found(&old, None, 9).await, [2], "not what is not known");
    let injected = UnitFilter {
        model: Some("' OR 1=1 --".into()),
        ..UnitFilter::default()
    };
    assert_eq!(found(&injected, None, 9).await, [0; 0]);
    let one = store.found(UnitId::from_slice(&[2; 16]).unwrap()).await;
    let one = one.unwrap().unwrap();
    assert_eq!(
        (one.model.as_deref(), one.patch_level),
        (Some("Pixel 9"), Some(202_601))
    );
}
