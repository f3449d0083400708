//! Where accounts and units meet, on both databases. What accounts do by themselves is
//! tested in their own room, on both as well.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use accounts::{ConsentKind, NewPasskey};
use claviger_fixtures::TestKey;
use jiff::SignedDuration;
use jose::{Curve, Signer};
use sci::UnitId;
use wallet_provider::{
    Activated, AgreedText, ListKind, NewList, NewUnit, ProviderStore, Purpose, Revocation,
    RevocationReason, Revoker,
};
use wallet_provider::{Keys, RevocationStore};

use super::*;
use crate::provider::SqlProviderStore;
use crate::sql::query;

enum Kept {
    Folder {
        _folder: tempfile::TempDir,
    },
    Server {
        _database: claviger_fixtures::postgres::Database,
    },
}

struct Scene {
    _kept: Kept,
    database: Database,
    accounts: SqlAccountStore,
    units: SqlProviderStore,
    now: Timestamp,
}

/// A phone, of which the store sees two keys.
struct Phone {
    sign: TestKey,
    agree: TestKey,
}

impl Phone {
    fn new() -> Self {
        Self {
            sign: TestKey::generate(Curve::P256),
            agree: TestKey::generate(Curve::P256),
        }
    }
}

/// One on each database that this machine has.
async fn scenes() -> Vec<Scene> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("claviger.db");
    let mut places = vec![(file, Kept::Folder { _folder: folder })];
    if let Some(server) = claviger_fixtures::postgres::database() {
        places.push((server.url().into(), Kept::Server { _database: server }));
    }
    let mut scenes = Vec::new();
    for (address, kept) in places {
        let database = Database::open(address).await.unwrap();
        scenes.push(Scene {
            _kept: kept,
            accounts: SqlAccountStore::new(database.clone()),
            units: SqlProviderStore::new(database.clone()),
            database,
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
        });
    }
    scenes
}

impl Scene {
    fn later(&self, seconds: i64) -> Timestamp {
        let by = SignedDuration::from_secs(seconds);
        self.now.checked_add(by).unwrap()
    }

    /// Begins an activation at `at`; a code is shown by its hash.
    async fn begin(
        &self,
        phone: &Phone,
        alias: &str,
        shown_code: Option<[u8; 32]>,
        at: Timestamp,
    ) -> Result<Activated, wallet_provider::StoreError> {
        let challenge = jose::sha256(UnitId::random().as_bytes());
        let end = at.checked_add(SignedDuration::from_secs(60)).unwrap();
        self.units
            .add_challenge(challenge, Purpose::Activation, end)
            .await
            .unwrap();
        let new = NewUnit {
            unit: UnitId::random(),
            challenge,
            alias: alias.into(),
            shown_code,
            new_code: [1; 32],
            consent: Some(AgreedText {
                version: "1".into(),
                sha256: jose::b64::encode([3; 32]),
            }),
            signing_key: Signer::public_key(&phone.sign).clone(),
            agreement_key: Signer::public_key(&phone.agree).clone(),
            evidence: "none".into(),
            wallet_version: "1".into(),
            certificates: vec![],
            device_model: None,
            patch_level: None,
            checked_at: at,
            at,
        };
        self.units.begin_activation(new).await
    }

    /// An account that was made on a page.
    async fn account(&self, alias: &str) -> AccountId {
        let name = jose::sha256(alias.as_bytes());
        let new = NewAccount {
            alias: alias.into(),
            handle: Uuid::nil(),
            language: "en".into(),
            passkey: NewPasskey {
                id: name.to_vec(),
                name: "First".into(),
                data: "{}".into(),
                at: self.now,
            },
            consent: Consent {
                kind: ConsentKind::Processing,
                version: "1".into(),
                sha256: [3; 32],
                at: self.now,
            },
            sign_in: NewSignIn {
                hash: name,
                at: self.now,
                ends_at: self.later(100),
                replaces: None,
            },
        };
        self.accounts.sign_up(new).await.unwrap()
    }

    async fn count(&self, statement: &'static str) -> i64 {
        let mut reader = self.database.reader().await.unwrap();
        query(statement).one(&mut reader).await.unwrap()
    }

    async fn write(&self, statement: &'static str) {
        self.database
            .write(move |tx| {
                boxed(async move { Ok(query(statement).execute(tx).await.map(drop)?) })
            })
            .await
            .unwrap();
    }
}

fn refused(result: Result<Activated, wallet_provider::StoreError>) -> bool {
    matches!(result, Err(wallet_provider::StoreError::AccountCode))
}

#[tokio::test]
async fn a_link_code_brings_one_unit_in_and_lets_that_one_begin_again() {
    for scene in scenes().await {
        let account = scene.account("mine").await;
        let end = scene.later(600);
        scene
            .accounts
            .replace_link_code(account, [8; 32], end)
            .await
            .unwrap();
        let (first, second) = (Phone::new(), Phone::new());
        assert!(refused(scene.begin(&first, "mine", None, scene.now).await));
        let wrong = scene.begin(&first, "mine", Some([9; 32]), scene.now);
        assert!(refused(wrong.await));
        let other = scene.begin(&first, "other", Some([8; 32]), scene.now);
        assert!(refused(other.await), "another account's");

        let joined = scene.begin(&first, "mine", Some([8; 32]), scene.now);
        let joined = joined.await.unwrap();
        assert!(!joined.new_code);
        let units = scene.units.units_of(account).await.unwrap();
        assert_eq!(units[0].unit, joined.unit);

        let used = scene.begin(&second, "mine", Some([8; 32]), scene.now);
        assert!(refused(used.await), "used up");
        // Its answer was lost: the same phone begins again with the same code, and
        // without one it gets no new one: the account was not made by it.
        let again = scene.begin(&first, "mine", Some([8; 32]), scene.later(1));
        assert_eq!(again.await.unwrap(), joined);
        assert!(refused(
            scene.begin(&first, "mine", None, scene.later(1)).await
        ));

        // A new one replaces it, and ends.
        scene
            .accounts
            .replace_link_code(account, [7; 32], end)
            .await
            .unwrap();
        let late = scene.begin(&second, "mine", Some([7; 32]), end);
        assert!(refused(late.await), "too late");
        let old = scene.begin(&second, "mine", Some([8; 32]), scene.now);
        assert!(refused(old.await), "replaced");
    }
}

#[tokio::test]
async fn of_two_phones_that_type_one_link_code_at_once_one_joins() {
    for scene in scenes().await {
        let account = scene.account("mine").await;
        scene
            .accounts
            .replace_link_code(account, [8; 32], scene.later(600))
            .await
            .unwrap();
        let (one, two) = (Phone::new(), Phone::new());
        let (one, two) = tokio::join!(
            scene.begin(&one, "mine", Some([8; 32]), scene.now),
            scene.begin(&two, "mine", Some([8; 32]), scene.now),
        );
        assert_ne!(one.is_ok(), two.is_ok());
        assert_eq!(scene.units.units_of(account).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_recovery_code_joins_units_until_somebody_signs_in_with_it_and_others_are_left() {
    let phones = [(); 4].map(|()| Phone::new());
    for scene in scenes().await {
        let made = scene.begin(&phones[0], "mine", None, scene.now);
        assert!(made.await.unwrap().new_code);
        for phone in &phones[1..3] {
            let joined = scene.begin(phone, "mine", Some([1; 32]), scene.now);
            joined.await.unwrap();
        }
        let record = scene.units.account("mine").await.unwrap().unwrap();
        assert_eq!((record.codes.len(), record.units.len()), (1, 3));
        let sign_in = NewSignIn {
            hash: [5; 32],
            at: scene.now,
            ends_at: scene.later(100),
            replaces: None,
        };
        let account = scene
            .accounts
            .sign_in_by_code("mine".into(), [1; 32], sign_in)
            .await
            .unwrap();
        let found = scene.accounts.signed_in([5; 32]).await.unwrap().unwrap();
        assert_eq!(found.account.id, account);
        assert_eq!(found.agreed, Some([3; 32]), "through the instance");
        let others = vec![[6; 32], [7; 32]];
        scene
            .accounts
            .replace_codes(account, others, [5; 32], scene.now)
            .await
            .unwrap();
        let sign_in = NewSignIn {
            hash: [4; 32],
            at: scene.now,
            ends_at: scene.later(100),
            replaces: None,
        };
        scene
            .accounts
            .sign_in_by_code("mine".into(), [6; 32], sign_in)
            .await
            .unwrap();
        for code in [1, 6] {
            let used = scene.begin(&phones[3], "mine", Some([code; 32]), scene.now);
            assert!(refused(used.await), "replaced, and used up");
        }
        let record = scene.units.account("mine").await.unwrap().unwrap();
        assert_eq!(record.codes, [[7; 32]]);
    }
}

#[tokio::test]
async fn the_only_code_of_an_account_opens_it_until_something_else_does() {
    let phones = [(); 2].map(|()| Phone::new());
    for scene in scenes().await {
        let sign_in = async |name: u8| {
            let sign_in = NewSignIn {
                hash: [name; 32],
                at: scene.now,
                ends_at: scene.later(100),
                replaces: None,
            };
            let signed_in = scene
                .accounts
                .sign_in_by_code("mine".into(), [1; 32], sign_in);
            signed_in.await
        };
        let made = scene.begin(&phones[0], "mine", None, scene.now);
        made.await.unwrap();
        // The browser is closed before there are new codes: the code still signs in, and
        // still is what a unit is revoked by.
        let account = sign_in(1).await.unwrap();
        assert_eq!(sign_in(2).await.unwrap(), account);
        let record = scene.units.account("mine").await.unwrap().unwrap();
        assert_eq!(record.codes, [[1; 32]]);
        // Somebody came in: it is nothing any more that a phone alone replaces, nor one
        // that goes with a unit that was never completed.
        let again = scene.begin(&phones[0], "mine", None, scene.now);
        assert!(refused(again.await));
        scene
            .units
            .forget_installed(scene.later(1), 10)
            .await
            .unwrap();
        assert!(scene.accounts.by_alias("mine").await.unwrap().is_some());
        // Beside a passkey it signs in once more.
        let passkey = NewPasskey {
            id: vec![1],
            name: "First".into(),
            data: "{}".into(),
            at: scene.now,
        };
        scene
            .accounts
            .add_passkey(account, passkey, 10)
            .await
            .unwrap();
        sign_in(3).await.unwrap();
        assert!(matches!(sign_in(4).await, Err(StoreError::Code)));
        let used = scene.begin(&phones[1], "mine", Some([1; 32]), scene.now);
        assert!(refused(used.await), "used up");
    }
}

#[tokio::test]
async fn a_lost_answers_code_is_replaced_only_while_nothing_else_opens_the_account() {
    for scene in scenes().await {
        let phone = Phone::new();
        scene.begin(&phone, "mine", None, scene.now).await.unwrap();
        let again = scene.begin(&phone, "mine", None, scene.now).await.unwrap();
        assert!(again.new_code);
        // The user agreed both times.
        assert_eq!(scene.count("SELECT count(*) FROM consent").await, 2);
        let account = scene.accounts.by_alias("mine").await.unwrap().unwrap();
        scene
            .accounts
            .replace_codes(account, vec![[6; 32]], [0; 32], scene.now)
            .await
            .unwrap();
        // Its user has been here and made codes: the phone alone changes none.
        assert!(refused(scene.begin(&phone, "mine", None, scene.now).await));
    }
}

#[tokio::test]
async fn an_account_is_deleted_after_its_units_and_its_shell_after_their_references() {
    for scene in scenes().await {
        let phone = Phone::new();
        let unit = scene.begin(&phone, "mine", None, scene.now).await.unwrap();
        let account = scene.accounts.by_alias("mine").await.unwrap().unwrap();
        let delete = || {
            scene
                .accounts
                .delete(account, "deleted:1".into(), scene.now)
        };
        assert!(matches!(delete().await, Err(StoreError::InUse)));
        let list = NewList {
            kind: ListKind::Wia,
            name: "a".into(),
            uri: "https://provider.example/status/a".into(),
            size: 16,
            key_check: [0; 8],
        };
        let list = scene
            .units
            .take_block(list, 8, scene.now)
            .await
            .unwrap()
            .list;
        let id = unit.unit;
        scene
            .database
            .write(move |tx| {
                boxed(async move {
                    query("INSERT INTO status_entry (list, idx, unit, maintained_until) VALUES (?, 1, ?, 5)")
                        .bind(list)
                        .bind(id.as_bytes().as_slice())
                        .execute(tx)
                        .await?;
                    Ok(())
                })
            })
            .await
            .unwrap();
        let revocation = Revocation {
            unit: unit.unit,
            by: Revoker::User,
            name: None,
            reason: RevocationReason::UserRequest,
            advisory: None,
            at: scene.now,
        };
        scene.units.revoke(revocation).await.unwrap();
        delete().await.unwrap();
        assert!(matches!(delete().await, Err(StoreError::AccountUnknown)));
        assert!(scene.units.account("mine").await.unwrap().is_none());
        let purge = || scene.accounts.purge(scene.now, scene.now);
        // The WSCA was not told yet; then a status entry is still maintained.
        assert_eq!(purge().await.unwrap().shells, 0);
        scene.units.told(unit.unit, Keys::Usable).await.unwrap();
        assert_eq!(purge().await.unwrap().shells, 0);
        scene.write("DELETE FROM status_entry").await;
        assert_eq!(purge().await.unwrap().shells, 1);
        let left = "SELECT (SELECT count(*) FROM account) + (SELECT count(*) FROM unit)
                    + (SELECT count(*) FROM unit_event)";
        assert_eq!(scene.count(left).await, 0);
        // A revoked unit's phone may be somebody's new one.
        scene.begin(&phone, "mine", None, scene.now).await.unwrap();
    }
}

#[tokio::test]
async fn an_account_that_nobody_came_into_goes_with_its_installed_unit_and_no_other() {
    for scene in scenes().await {
        let begin = |alias, code| {
            let (scene, phone) = (&scene, Phone::new());
            async move { scene.begin(&phone, alias, code, scene.now).await.unwrap() }
        };
        begin("nobody came", None).await;
        // A page's account, a unit that joined one, and somebody who signed in.
        let page = scene.account("has a passkey").await;
        let end = scene.later(600);
        scene
            .accounts
            .replace_link_code(page, [8; 32], end)
            .await
            .unwrap();
        begin("has a passkey", Some([8; 32])).await;
        begin("came in", None).await;
        let sign_in = NewSignIn {
            hash: [5; 32],
            at: scene.now,
            ends_at: end,
            replaces: None,
        };
        scene
            .accounts
            .sign_in_by_code("came in".into(), [1; 32], sign_in)
            .await
            .unwrap();
        let forgotten = scene.units.forget_installed(scene.later(1), 10).await;
        assert_eq!(forgotten.unwrap(), 3);
        for (alias, stays) in [
            ("nobody came", false),
            ("has a passkey", true),
            ("came in", true),
        ] {
            let found = scene.accounts.by_alias(alias).await.unwrap();
            assert_eq!(found.is_some(), stays, "{alias}");
        }
        assert_eq!(scene.count("SELECT count(*) FROM unit").await, 0);
    }
}

/// An older database has a code in each account.
#[tokio::test]
async fn the_code_of_an_older_account_is_its_first_recovery_code() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.db");
    let old = Database::open_at(&file, &[1, 2]).await.unwrap();
    old.write::<_, Error, _>(|tx| {
        Box::pin(async move {
            query("INSERT INTO account (alias, code_hash, created_at) VALUES ('mine', ?, 5)")
                .bind([4; 32])
                .execute(tx)
                .await?;
            Ok(())
        })
    })
    .await
    .unwrap();
    old.close().await;
    let database = Database::open(&file).await.unwrap();
    let record = SqlProviderStore::new(database).account("mine").await;
    assert_eq!(record.unwrap().unwrap().codes, [[4; 32]]);
}
