//! The audit log: what is changed, removed, moved or cut off is found, by those who
//! can read it and by those who hold a receipt alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use common::{RIGHT, World, code, pin};
use jose::Curve;
use rstest::rstest;
use sci::audit::{AuditError, Checkpoint, EntryHash, Receipt};
use sci::{Code, Digest, Error, Sci, Task};
use wsca::audit::{GENESIS, chain};
use wsca::audit_check::{AuditReport, Known, anchor, check};
use wsca::{Alarm, AuditRow, Config, WscaAdmin, WscaStore};

fn digest() -> Digest {
    Digest::of(b"m", Curve::P256)
}

async fn known(world: &World) -> Known {
    Known {
        key: Some(world.wsca.audit_key().clone()),
        anchor: anchor(&*world.device).await.unwrap(),
        ..Known::default()
    }
}

fn rules(report: &AuditReport) -> Vec<&str> {
    let mut rules: Vec<&str> = report
        .findings
        .iter()
        .filter(|f| f.severity != finding::Severity::Note)
        .map(|f| f.rule.as_ref())
        .collect();
    rules.dedup();
    rules
}

/// A log with two checkpoints and some entries after the second.
async fn busy() -> (World, Vec<Receipt>) {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let keys = phone.generate_keys(3, Curve::P256).await.unwrap();
    phone.take_receipts();
    phone.sign(&[(keys[0].id, digest())]).await.unwrap();
    world.wsca.checkpoint().await.unwrap().unwrap();
    let both = [(keys[1].id, digest()), (keys[2].id, digest())];
    phone.sign(&both).await.unwrap();
    phone.destroy_keys(&[keys[2].id]).await.unwrap();
    world.wsca.checkpoint().await.unwrap().unwrap();
    phone.sign(&[(keys[0].id, digest())]).await.unwrap();
    let receipts = phone.take_receipts();
    assert_eq!(receipts.len(), 4);
    assert_eq!(receipts[1].entries, 2);
    (world, receipts)
}

#[tokio::test]
async fn a_log_that_is_whole_is_found_whole() {
    let (world, receipts) = busy().await;
    let known = Known {
        receipts,
        ..known(&world).await
    };
    let report = check(&*world.store, &known, |_| {}).await.unwrap();
    assert_eq!(rules(&report), Vec::<&str>::new(), "{report:#?}");
    assert_eq!((report.checkpoints, report.entries), (2, report.last));
    assert_eq!(report.last, report.covered + 1);
    let nobody = check(&*world.store, &Known::default(), |_| {})
        .await
        .unwrap();
    assert_eq!(rules(&nobody), ["AUDIT-KEY"]);
    // Nothing new, no new checkpoint; and a restart goes on.
    assert!(world.wsca.checkpoint().await.unwrap().is_some());
    assert!(world.wsca.checkpoint().await.unwrap().is_none());
    let world = world.restart().await;
    assert!(world.wsca.checkpoint().await.unwrap().is_none());
}

type Attack = fn(&mut Forged);

/// What an attacker who writes the database makes of it.
struct Forged {
    rows: Vec<AuditRow>,
    checkpoints: Vec<wsca::CheckpointRow>,
}

impl Forged {
    /// The chain made anew from entry `from`, so that it holds in itself.
    fn rechain(&mut self, from: usize) {
        let mut hash = if from == 0 {
            GENESIS
        } else {
            self.rows[from - 1].hash
        };
        for (index, row) in self.rows.iter_mut().enumerate().skip(from) {
            row.sequence = index as u64 + 1;
            row.hash = chain(&hash, row.sequence, &row.entry);
            hash = row.hash;
        }
    }
}

#[rstest]
#[case::changed(|f: &mut Forged| f.rows[3].entry.outcome = "PIN_BLOCKED".into(), "AUDIT-CHAIN")]
#[case::another_unit(|f: &mut Forged| f.rows[3].entry.unit = None, "AUDIT-CHAIN")]
#[case::another_time(|f: &mut Forged| f.rows[3].entry.at = jiff::Timestamp::UNIX_EPOCH, "AUDIT-CHAIN")]
#[case::removed(|f: &mut Forged| { f.rows.remove(3); }, "AUDIT-CHAIN")]
#[case::removed_and_renumbered(
    |f: &mut Forged| {
        f.rows.remove(3);
        for (index, row) in f.rows.iter_mut().enumerate() {
            row.sequence = index as u64 + 1;
        }
    },
    "AUDIT-CHAIN"
)]
#[case::moved(
    |f: &mut Forged| {
        let (a, b) = (f.rows[3].entry.clone(), f.rows[4].entry.clone());
        f.rows[3].entry = b;
        f.rows[4].entry = a;
    },
    "AUDIT-CHAIN"
)]
#[case::first_removed(|f: &mut Forged| { f.rows.remove(0); }, "AUDIT-CHAIN")]
#[case::changed_and_chained_anew(
    |f: &mut Forged| {
        f.rows[3].entry.outcome = "PIN_BLOCKED".into();
        f.rechain(3);
    },
    "AUDIT-CHECKPOINT"
)]
#[case::chained_anew_without_checkpoints(
    |f: &mut Forged| {
        f.rows[3].entry.outcome = "PIN_BLOCKED".into();
        f.rechain(3);
        f.checkpoints.clear();
    },
    "AUDIT-CHECKPOINT"
)]
#[case::cut_off_before_the_checkpoint(
    |f: &mut Forged| f.rows.truncate(f.rows.len() - 3),
    "AUDIT-TRUNCATED"
)]
#[case::cut_off_with_its_checkpoint(
    |f: &mut Forged| {
        f.rows.truncate(f.rows.len() - 3);
        f.checkpoints.pop();
    },
    "AUDIT-TRUNCATED"
)]
#[case::emptied(
    |f: &mut Forged| {
        f.rows.clear();
        f.checkpoints.clear();
    },
    "AUDIT-TRUNCATED"
)]
#[case::checkpoint_moved(
    |f: &mut Forged| f.checkpoints[0].token = f.checkpoints[1].token.clone(),
    "AUDIT-CHECKPOINT"
)]
#[case::checkpoint_removed(|f: &mut Forged| { f.checkpoints.remove(0); }, "AUDIT-CHECKPOINT")]
#[case::checkpoint_damaged(|f: &mut Forged| { f.checkpoints[0].token.pop(); }, "AUDIT-CHECKPOINT")]
#[tokio::test]
async fn what_was_done_to_the_log_is_found(#[case] attack: Attack, #[case] rule: &str) {
    let (world, _) = busy().await;
    let mut forged = Forged {
        rows: world.store.audit(0, 10_000).await.unwrap(),
        checkpoints: vec![],
    };
    let mut at = 0;
    while let Some(row) = world.store.checkpoint_over(at + 1).await.unwrap() {
        at = row.sequence;
        forged.checkpoints.push(row);
    }
    attack(&mut forged);
    let store = common::forged::ForgedLog::new(forged.rows, forged.checkpoints);
    let known = known(&world).await;
    let report = check(&store, &known, |_| {}).await.unwrap();
    assert!(rules(&report).contains(&rule), "{:#?}", report.findings);
}

/// What the database and the device no longer say, a checkpoint or a receipt that was
/// kept elsewhere does.
#[tokio::test]
async fn kept_checkpoints_and_receipts_find_what_was_cut_off() {
    let (world, receipts) = busy().await;
    let token = world.wsca.checkpoint().await.unwrap().unwrap();
    let mut rows = world.store.audit(0, 10_000).await.unwrap();
    rows.truncate(rows.len() - 1);
    let store = common::forged::ForgedLog::new(rows, vec![]);
    let key = Some(world.wsca.audit_key().clone());
    let cases = [
        Known {
            key: key.clone(),
            checkpoints: vec![token.clone()],
            ..Known::default()
        },
        Known {
            key: key.clone(),
            receipts: receipts.clone(),
            ..Known::default()
        },
    ];
    for known in cases {
        let report = check(&store, &known, |_| {}).await.unwrap();
        assert_eq!(rules(&report), ["AUDIT-TRUNCATED"]);
    }
    let mut other = receipts[0].clone();
    other.hash = EntryHash([7; 32]);
    let known = Known {
        key: key.clone(),
        receipts: vec![other],
        ..Known::default()
    };
    let report = check(&*world.store, &known, |_| {}).await.unwrap();
    assert_eq!(rules(&report), ["AUDIT-RECEIPT"]);
    // A checkpoint by another key is none.
    let stranger = World::new().await;
    let known = Known {
        key: Some(stranger.wsca.audit_key().clone()),
        checkpoints: vec![token],
        ..Known::default()
    };
    let report = check(&*world.store, &known, |_| {}).await.unwrap();
    assert_eq!(rules(&report), ["AUDIT-CHECKPOINT"]);
}

/// Nothing is signed over a log that is not what was signed over before.
#[tokio::test]
async fn an_altered_log_gets_no_checkpoint_and_raises_an_alarm() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    world.wsca.checkpoint().await.unwrap().unwrap();
    let earlier = world.copy_database().await;
    let (unit, keystore) = (phone.unit, phone.keystore.clone());
    phone.session().await.unwrap();
    world.wsca.checkpoint().await.unwrap().unwrap();
    drop(phone);
    let world = world.restore_and_restart(&earlier).await;
    let phone = world.phone(unit, keystore);
    let _ = phone.open_session(&pin(RIGHT), Task::Issuance).await;
    assert!(world.wsca.checkpoint().await.is_err());
    assert!(
        matches!(world.wsca.alarms().last(), Some(Alarm::AuditAltered(_))),
        "{:?}",
        world.wsca.alarms()
    );
}

#[tokio::test]
async fn a_receipt_is_proven_by_its_owner_and_nobody_else() {
    let world = World::new().await;
    let phone = world.opened(Task::Issuance).await;
    let other = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    phone.sign(&[(key.id, digest())]).await.unwrap();
    let audit_key = phone.audit_key().await.unwrap();
    assert_eq!(audit_key, *world.wsca.audit_key());
    let receipts = phone.take_receipts();
    assert_eq!(receipts.len(), 2);
    for receipt in &receipts {
        let early = phone.prove_receipt(receipt, &audit_key).await.unwrap();
        assert_eq!(early, None, "no checkpoint yet");
    }
    world.wsca.checkpoint().await.unwrap().unwrap();
    for receipt in &receipts {
        let proven = phone.prove_receipt(receipt, &audit_key).await.unwrap();
        assert!(proven.unwrap().covers(receipt.sequence));
        // Another unit learns nothing of it.
        let asked = other.prove_receipt(receipt, &audit_key).await.unwrap();
        assert_eq!(asked, None);
    }
    // A receipt for something else than the log holds is not proven.
    let mut false_one = receipts[1].clone();
    false_one.hash = receipts[0].hash;
    let refused = phone.prove_receipt(&false_one, &audit_key).await;
    assert!(matches!(refused, Err(Error::Answer(_))), "{refused:?}");
    let stranger = World::new().await;
    let key = stranger.wsca.audit_key().clone();
    let refused = phone.prove_receipt(&receipts[0], &key).await;
    assert!(matches!(refused, Err(Error::Answer(_))), "{refused:?}");
}

#[tokio::test]
async fn a_checkpoint_is_no_other_token_and_no_other_keys() {
    let (world, receipts) = busy().await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let statement = phone.state_keys(&[key.id], "n", "a").await.unwrap();
    let audit_key = world.wsca.audit_key();
    assert_eq!(
        Checkpoint::verify(&statement, world.wsca.statement_key()),
        Err(AuditError::Typ)
    );
    let token = world.wsca.checkpoint().await.unwrap().unwrap();
    assert!(Checkpoint::verify(&token, world.wsca.statement_key()).is_err());
    assert!(Checkpoint::verify(&token, audit_key).is_ok());
    let proof = sci::audit::InclusionProof {
        checkpoint: token,
        path: vec![],
    };
    let elsewhere = proof.verify(&receipts[0], "another", audit_key);
    assert_eq!(elsewhere, Err(AuditError::Issuer));
    let covered = proof.verify(&receipts[0], "claviger-wsca", audit_key);
    assert!(
        matches!(covered, Err(AuditError::NotCovered { .. })),
        "{covered:?}"
    );
}

/// Every key operation and every authentication event stands in the log, and its
/// database holds no PIN, no digest, no signature and no name.
#[tokio::test]
async fn everything_is_in_the_log_and_nothing_of_the_users() {
    let world = World::with(Config {
        shards: 1,
        ..Config::default()
    })
    .await;
    let phone = world.opened(Task::Issuance).await;
    let key = phone.generate_keys(1, Curve::P256).await.unwrap().remove(0);
    let digest = Digest::of(b"a contract that nobody may know of", Curve::P256);
    let signature = phone
        .sign(&[(key.id, digest.clone())])
        .await
        .unwrap()
        .remove(0);
    phone
        .state_keys(&[key.id], "nonce-of-the-issuer", "https://issuer.example")
        .await
        .unwrap();
    phone
        .associate_keys(&[key.id], "nonce-of-the-issuer", "https://issuer.example")
        .await
        .unwrap();
    let name = sci::ItemName::new("pseudonym-at-shop").unwrap();
    phone.store_item(&name, b"pseudonym content").await.unwrap();
    phone.read_item(&name).await.unwrap();
    let wrong = phone
        .open_session(&pin(common::WRONG), Task::Issuance)
        .await;
    assert!(matches!(wrong, Err(Error::WrongPin { .. })));
    phone
        .open_session(&pin(RIGHT), Task::Presentation)
        .await
        .unwrap();
    phone.agree(&key.id, &key.public_key).await.unwrap();
    phone.change_pin(&pin(RIGHT), &pin("739104")).await.unwrap();
    phone
        .open_session(&pin("739104"), Task::Maintenance)
        .await
        .unwrap();
    phone.destroy_keys(&[key.id]).await.unwrap();
    assert_eq!(
        code(phone.generate_keys(1, Curve::P256).await),
        Code::TaskForbids
    );
    world.wsca.rotate(|_| {}).await.unwrap();
    world.wsca.freeze(phone.unit, "stolen").await.unwrap();
    world.wsca.destroy_unit(phone.unit).await.unwrap();
    world.wsca.checkpoint().await.unwrap();

    let rows = world.store.audit(0, 10_000).await.unwrap();
    let said: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row.entry.operation, row.entry.outcome))
        .collect();
    for expected in [
        "enroll ok",
        "2fa_registration evaluate ok",
        "2fa_registration ok",
        "create_session evaluate ok",
        "create_session ok",
        "key_generate ok",
        "key_sign ok",
        "key_state ok",
        "key_associate ok",
        "key_agree ok",
        "item_store ok",
        "item_read ok",
        "2fa_update evaluate ok",
        "2fa_update ok",
        "key_destroy ok",
        "key_generate TASK_FORBIDS",
        "rotation_begin 2 ok",
        "rotate 2 ok",
        "rotation_finish 2 ok",
        "freeze stolen ok",
        "destroy_unit ok",
    ] {
        assert!(said.iter().any(|s| s == expected), "{expected}: {said:#?}");
    }

    // The bytes of the database, whatever table they are in.
    world.database.close().await;
    let mut bytes = vec![];
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    assert!(holds(b"key_sign"), "the search works");
    let digest_b64 = jose::b64::encode(digest.as_bytes());
    let signature_b64 = jose::b64::encode(&signature);
    for secret in [
        RIGHT.as_bytes(),
        common::WRONG.as_bytes(),
        b"739104",
        digest.as_bytes(),
        digest_b64.as_bytes(),
        signature.as_slice(),
        signature_b64.as_bytes(),
        b"issuer.example",
        b"nonce-of-the-issuer",
        b"pseudonym content",
    ] {
        assert!(!holds(secret), "{}", String::from_utf8_lossy(secret));
    }
}
