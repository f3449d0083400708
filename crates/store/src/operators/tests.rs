//! The trail on either database: whole, whoever writes at once and whatever is taken
//! away in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use claviger_fixtures::postgres;
use jiff::SignedDuration;
use sci::UnitId;
use wallet_provider::operators::{GENESIS, verify};
use wallet_provider::{RevocationReason, Revoker};

use super::*;

/// A database, and the address that a second node opens it by.
struct Scene {
    address: String,
    trail: SqlOperatorTrail,
    _folder: tempfile::TempDir,
    _postgres: Option<postgres::Database>,
}

/// SQLite, and PostgreSQL where it can be run.
async fn scenes() -> Vec<Scene> {
    let mut scenes = Vec::new();
    for postgres in [None, postgres::database()] {
        let folder = tempfile::tempdir().unwrap();
        let address = match (&postgres, scenes.is_empty()) {
            (Some(postgres), _) => postgres.url(),
            (None, true) => folder.path().join("claviger.db").display().to_string(),
            (None, false) => continue,
        };
        let trail = SqlOperatorTrail::new(Database::open(&address).await.unwrap());
        scenes.push(Scene {
            address,
            trail,
            _folder: folder,
            _postgres: postgres,
        });
    }
    scenes
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

    /// What someone does who can write the database.
    async fn meddle(&self, statements: &[&'static str]) {
        for statement in statements {
            let done: Result<u64, Error> = self
                .trail
                .database
                .write({
                    let statement = *statement;
                    move |tx| Box::pin(query(statement).execute(tx))
                })
                .await;
            done.unwrap();
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

#[tokio::test]
async fn what_was_done_is_read_back_in_its_order() {
    for scene in scenes().await {
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
}

/// Two nodes, each with its own connections, and many writers on each.
#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_keep_one_chain() {
    for scene in scenes().await {
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
}

#[tokio::test]
async fn a_row_stays_as_it_was_written() {
    for scene in scenes().await {
        scene.trail.append(act(0)).await.unwrap();
        let changed: Result<u64, Error> = scene
            .trail
            .database
            .write(|tx| Box::pin(query("UPDATE operator_trail SET operator = 'eve'").execute(tx)))
            .await;
        assert!(changed.is_err());
        assert_eq!(scene.rows().await[0].act.operator, "ada");
    }
}

#[tokio::test]
async fn meddling_is_noticed() {
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
        for scene in scenes().await {
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
}

/// An act that is refused leaves no row of its transaction, and an act's row none
/// without the act.
#[tokio::test]
async fn an_act_and_its_row_are_one() {
    for scene in scenes().await {
        let revocation = Revocation {
            unit: UnitId::random(),
            by: Revoker::Operator,
            reason: RevocationReason::Security,
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
}

#[tokio::test]
async fn what_is_too_old_goes_and_the_rest_still_holds() {
    for scene in scenes().await {
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
}
