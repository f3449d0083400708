//! Publication by several nodes, on a full disk, over an older store, and under many
//! revocations at once: what is revoked is in the list, in both forms.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout
)]

mod house;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use clock::Clock;
use house::{Counted, Device, House, Running, files};
use provider_api::{RevocationReason, UnitState};
use status_list::Reference;
use store::sql::query;
use wallet_provider::{
    Error, FolderPublisher, ListKind, PublishError, Publisher, TokenFormat, Tokens, Turn,
};

const DAY: i64 = 86_400;

async fn revoke(running: &Running, device: &Device) {
    let reason = RevocationReason::Security;
    let revoked = running.provider.revoke_by_operator(device.unit, reason);
    assert_eq!(revoked.await.unwrap().state, UnitState::Revoked);
}

/// A unit with one WIA, and where that is listed.
async fn unit(house: &House, running: &Running, alias: &str) -> (Device, Reference) {
    let device = Device::operational(house, running, alias).await;
    let wia = device.fresh_wia(house, running, 1).await.unwrap().remove(0);
    (device, wia.status.reference)
}

async fn statement(running: &Running, sql: &'static str) {
    let done = running.database.write::<_, store::Error, _>(move |tx| {
        Box::pin(async move {
            query(sql).execute(tx).await?;
            Ok(())
        })
    });
    done.await.unwrap();
}

fn counted(house: &House) -> Arc<Counted> {
    Arc::new(Counted {
        lists: FolderPublisher::new(house.folder.join("lists")).unwrap(),
        puts: AtomicUsize::new(0),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_publish_at_once_and_lose_nothing() {
    let house = House::new();
    let nodes = [house.start().await, house.start().await];
    let mut units = Vec::new();
    for n in 0..12 {
        units.push(unit(&house, &nodes[n % 2], &format!("user {n}")).await);
    }
    for round in units.chunks(4) {
        let (a, b) = (&nodes[0], &nodes[1]);
        tokio::join!(
            revoke(a, &round[0].0),
            revoke(b, &round[1].0),
            revoke(a, &round[2].0),
            revoke(b, &round[3].0),
        );
        for (_, reference) in round {
            assert!(house.revoked(reference));
        }
    }
    assert!(units.iter().all(|(_, reference)| house.revoked(reference)));
    for node in &nodes {
        assert_eq!(node.provider.publish_changed().await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_revocations_at_once_make_few_publications() {
    let house = Arc::new(House::new());
    let lists = counted(&house);
    let running = Arc::new(house.start_with(lists.clone()).await);
    let mut units = Vec::new();
    for n in 0..50 {
        units.push(unit(&house, &running, &format!("user {n}")).await);
    }
    let before = lists.puts.load(Ordering::Relaxed);
    let tasks: Vec<_> = units
        .into_iter()
        .map(|(device, reference)| {
            let (house, running) = (house.clone(), running.clone());
            tokio::spawn(async move {
                revoke(&running, &device).await;
                // It was acknowledged, and so it is there.
                for format in [TokenFormat::Jwt, TokenFormat::Cwt] {
                    assert!(house.tells(&reference, format));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let puts = lists.puts.load(Ordering::Relaxed) - before;
    println!("50 revocations at once: {puts} publications");
    assert!((1..=25).contains(&puts), "{puts} publications");
}

#[tokio::test]
async fn only_what_changed_is_signed_again() {
    let house = House::new();
    let lists = counted(&house);
    let running = house.start_with(lists.clone()).await;
    let (device, wia) = unit(&house, &running, "mine").await;
    let other = Device::operational(&house, &running, "other").await;
    let ka = other.fresh_ka(&house, &running, 1, 1).await.unwrap();
    let ka = &ka[0].status.reference;
    let token = |at: &Reference| std::fs::read(house.file(&at.uri, TokenFormat::Cwt)).unwrap();
    let (wia_before, ka_before) = (token(&wia), token(ka));
    let puts = lists.puts.load(Ordering::Relaxed);
    running.provider.recover().await.unwrap();
    assert_eq!(lists.puts.load(Ordering::Relaxed), puts);
    revoke(&running, &device).await;
    assert_eq!(lists.puts.load(Ordering::Relaxed), puts + 1);
    assert_ne!(token(&wia), wia_before);
    assert_eq!(token(ka), ka_before);
}

#[tokio::test]
async fn a_node_goes_on_from_what_another_published() {
    let house = House::new();
    let (one, other) = (house.start().await, house.start().await);
    let (first, first_at) = unit(&house, &one, "first").await;
    let (second, second_at) = unit(&house, &one, "second").await;
    let (third, third_at) = unit(&house, &one, "third").await;
    for (node, device) in [(&one, &first), (&other, &second), (&one, &third)] {
        revoke(node, device).await;
    }
    for at in [first_at, second_at, third_at] {
        assert!(house.revoked(&at));
    }
}

/// `/dev/full` takes no byte, as a full disk does.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_keeps_a_revocation_due_and_says_so() {
    let house = House::alone(|_| {});
    let running = house.start().await;
    let (device, reference) = unit(&house, &running, "mine").await;
    let (other, other_at) = unit(&house, &running, "other").await;
    for format in [TokenFormat::Cwt, TokenFormat::Jwt] {
        let mut half = house.file(&reference.uri, format).into_os_string();
        half.push(".part");
        std::os::unix::fs::symlink("/dev/full", half).unwrap();
        let device = match format {
            TokenFormat::Cwt => &device,
            TokenFormat::Jwt => &other,
        };
        // Acknowledged all the same: it is in the store.
        revoke(&running, device).await;
        assert!(!house.revoked(&reference) && !house.revoked(&other_at));
        let trouble = running.provider.publication_trouble().unwrap();
        assert!(trouble.contains("cannot be written"), "{trouble}");
    }
    // There is room again.
    assert_eq!(running.provider.publish_changed().await.unwrap(), 1);
    assert!(house.revoked(&reference) && house.revoked(&other_at));
    assert_eq!(running.provider.publication_trouble(), None);
}

/// Nobody renews the lists: that is told while they still last.
#[tokio::test]
async fn a_list_that_nobody_renews_is_told_of_before_it_ends() {
    let house = House::new();
    let running = house.start().await;
    unit(&house, &running, "mine").await;
    assert_eq!(running.provider.overdue_list().await.unwrap(), None);
    house.pass(17 * 3600);
    assert_eq!(running.provider.overdue_list().await.unwrap(), None);
    house.pass(3600 + 60);
    let ends = running.provider.overdue_list().await.unwrap().unwrap();
    assert!(ends > house.clock.now());
    running.provider.publish_changed().await.unwrap();
    assert_eq!(running.provider.overdue_list().await.unwrap(), None);
}

/// A clock that runs ahead is seen before anything is published by it, as a long pause
/// is: neither has anything forgotten at once.
#[tokio::test]
async fn a_clock_that_leaps_ahead_is_told_of() {
    let house = House::new();
    let running = house.start().await;
    assert_eq!(running.provider.clock_leap().await.unwrap(), None);
    unit(&house, &running, "mine").await;
    house.pass(DAY + DAY / 2);
    assert_eq!(running.provider.clock_leap().await.unwrap(), None);
    house.pass(58 * DAY);
    let leap = running.provider.clock_leap().await.unwrap().unwrap();
    assert!(leap.as_secs() > 57 * DAY, "{leap:#}");
    running.provider.publish_changed().await.unwrap();
    assert_eq!(running.provider.clock_leap().await.unwrap(), None);
}

#[tokio::test]
async fn older_files_that_are_put_back_do_not_last() {
    let house = House::new();
    let running = house.start().await;
    let (device, reference) = unit(&house, &running, "mine").await;
    let (other, other_at) = unit(&house, &running, "other").await;
    let files = [TokenFormat::Jwt, TokenFormat::Cwt].map(|f| house.file(&reference.uri, f));
    let old = files.each_ref().map(|file| std::fs::read(file).unwrap());
    revoke(&running, &device).await;
    for (file, old) in files.iter().zip(old) {
        std::fs::write(file, old).unwrap();
    }
    assert!(!house.revoked(&reference));
    revoke(&running, &other).await;
    assert!(house.revoked(&reference) && house.revoked(&other_at));
}

/// The store of a running node is put back, as PostgreSQL can be, and goes on another
/// way. What was published stays so, by the files or, where these are gone too, by
/// what the node remembers; and the list hands out no more.
#[tokio::test]
async fn an_older_store_under_a_running_node_is_found_out() {
    for files_too in [false, true] {
        let house = House::alone(|_| {});
        let running = house.start().await;
        let (device, reference) = unit(&house, &running, "mine").await;
        let (other, other_at) = unit(&house, &running, "other").await;
        revoke(&running, &device).await;
        // The revocation never was, and its revision is taken by another.
        for sql in [
            "DELETE FROM status_set",
            "UPDATE status_list SET revision = revision - 1, published = published - 1",
        ] {
            statement(&running, sql).await;
        }
        if files_too {
            for format in [TokenFormat::Jwt, TokenFormat::Cwt] {
                std::fs::remove_file(house.file(&reference.uri, format)).unwrap();
            }
        }
        revoke(&running, &other).await;
        assert!(house.revoked(&reference) && house.revoked(&other_at));
        let (_, new) = unit(&house, &running, "third").await;
        assert_ne!(new.uri, reference.uri, "its counters are old");
        // The store knows again: another node needs neither files nor memory.
        let node = house.start().await;
        for file in files(&house.folder.join("lists")) {
            std::fs::remove_file(house.folder.join("lists").join(file)).unwrap();
        }
        house.pass(DAY);
        node.provider.publish_changed().await.unwrap();
        assert!(house.revoked(&reference) && house.revoked(&other_at));
    }
}

/// A crash between the two renames leaves the forms apart; then the older store comes
/// back. What either form told is kept.
#[tokio::test]
async fn what_one_form_alone_told_is_kept_too() {
    for kept in [TokenFormat::Jwt, TokenFormat::Cwt] {
        let house = House::new();
        let running = house.start().await;
        let (device, reference) = unit(&house, &running, "mine").await;
        let other = match kept {
            TokenFormat::Jwt => TokenFormat::Cwt,
            TokenFormat::Cwt => TokenFormat::Jwt,
        };
        let file = house.file(&reference.uri, other);
        let old = std::fs::read(&file).unwrap();
        revoke(&running, &device).await;
        std::fs::write(&file, old).unwrap();
        statement(&running, "DELETE FROM status_set").await;
        drop(running);
        let running = house.start().await;
        house.pass(DAY * 2 / 3);
        assert_eq!(running.provider.publish_changed().await.unwrap(), 1);
        assert!(house.revoked(&reference), "{kept:?}");
    }
}

/// Another node publishes something newer at the first put, which is only possible
/// where a turn was lost.
#[derive(Debug)]
struct Overtaken {
    lists: Arc<Counted>,
    database: store::Database,
    armed: std::sync::Mutex<bool>,
}

#[async_trait]
impl Publisher for Overtaken {
    async fn put(
        &self,
        name: &str,
        tokens: Tokens,
        turn: Arc<dyn Turn>,
    ) -> Result<(), PublishError> {
        if std::mem::take(&mut *self.armed.lock().unwrap()) {
            let newer = "UPDATE status_list SET revision = revision + 1, published = revision + 1";
            let done = self.database.write::<_, store::Error, _>(move |tx| {
                Box::pin(async move {
                    query(newer).execute(tx).await?;
                    Ok(())
                })
            });
            done.await.unwrap();
        }
        self.lists.put(name, tokens, turn).await
    }

    async fn get(&self, name: &str, format: TokenFormat) -> Result<Option<Vec<u8>>, PublishError> {
        self.lists.get(name, format).await
    }

    async fn remove(&self, name: &str, turn: Arc<dyn Turn>) -> Result<(), PublishError> {
        self.lists.remove(name, turn).await
    }
}

#[tokio::test]
async fn a_publication_that_lies_over_a_newer_one_is_made_again() {
    let house = House::new();
    let first = house.start().await;
    let (device, reference) = unit(&house, &first, "mine").await;
    let lists = counted(&house);
    let publisher = Arc::new(Overtaken {
        lists: lists.clone(),
        database: first.database.clone(),
        armed: true.into(),
    });
    let running = house.start_with(publisher).await;
    revoke(&running, &device).await;
    assert_eq!(lists.puts.load(Ordering::Relaxed), 2);
    assert!(house.revoked(&reference));
    assert_eq!(running.provider.publish_changed().await.unwrap(), 0);
}

/// A client that goes away takes nothing with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_whose_caller_is_gone_leaves_lists_whole() {
    let house = House::new();
    let running = house.start().await;
    let mut units = Vec::new();
    for n in 0..12 {
        units.push(unit(&house, &running, &format!("user {n}")).await);
    }
    for (place, (device, _)) in units.iter().enumerate() {
        let pause = std::time::Duration::from_micros(700 * place as u64);
        let _ = tokio::time::timeout(pause, revoke(&running, device)).await;
        // Whatever is there is whole, and the same in both forms unless the two
        // renames are just being made.
        running.provider.publish_changed().await.unwrap();
    }
    for (device, reference) in &units {
        revoke(&running, device).await;
        assert!(house.revoked(reference));
    }
}

#[tokio::test]
async fn a_list_goes_from_the_folder_before_the_store_forgets_it() {
    #[derive(Debug)]
    struct Sticky(FolderPublisher, AtomicUsize);

    #[async_trait]
    impl Publisher for Sticky {
        async fn put(
            &self,
            name: &str,
            tokens: Tokens,
            turn: Arc<dyn Turn>,
        ) -> Result<(), PublishError> {
            self.0.put(name, tokens, turn).await
        }

        async fn get(
            &self,
            name: &str,
            format: TokenFormat,
        ) -> Result<Option<Vec<u8>>, PublishError> {
            self.0.get(name, format).await
        }

        async fn remove(&self, name: &str, turn: Arc<dyn Turn>) -> Result<(), PublishError> {
            if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
                return Err(PublishError {
                    path: name.into(),
                    what: "cannot be removed",
                    source: std::io::ErrorKind::ReadOnlyFilesystem.into(),
                });
            }
            self.0.remove(name, turn).await
        }
    }

    let house = House::tuned(|config| config.block_size = 10_000);
    let lists = FolderPublisher::new(house.folder.join("lists")).unwrap();
    let running = house
        .start_with(Arc::new(Sticky(lists, AtomicUsize::new(0))))
        .await;
    let _ = unit(&house, &running, "mine").await;
    house.pass(100 * DAY);
    let stuck = running.provider.purge().await;
    assert!(matches!(stuck, Err(Error::Publish(_))), "{stuck:?}");
    assert_eq!(running.provider.status_lists().await.unwrap().len(), 1);
    // Two nodes at once, and one of them finds it.
    let other = house.start().await;
    let (one, two) = tokio::join!(running.provider.purge(), other.provider.purge());
    assert_eq!(one.unwrap().lists.len() + two.unwrap().lists.len(), 1);
    assert_eq!(files(&house.folder.join("lists")), [] as [String; 0]);
    assert_eq!(
        running.provider.status_lists().await.unwrap(),
        [] as [String; 0]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_draw_through_several_lists_and_no_index_twice() {
    const EACH: usize = 13_000;
    let house = House::tuned(|config| config.block_size = 700);
    let nodes = [house.start().await, house.start().await];
    let draw = async |node: &Running| {
        let mut drawn = Vec::with_capacity(EACH);
        while drawn.len() < EACH {
            drawn.extend(node.provider.draw(ListKind::Wia, 250).await.unwrap());
        }
        drawn
    };
    let (one, other) = tokio::join!(draw(&nodes[0]), draw(&nodes[1]));
    let all: Vec<_> = one.iter().chain(&other).collect();
    let unique: HashSet<_> = all.iter().collect();
    assert_eq!(unique.len(), 2 * EACH);
    let lists: HashSet<_> = all.iter().map(|reference| &reference.uri).collect();
    assert!(lists.len() >= 3, "{} lists", lists.len());
    // Each was published before an index of it was drawn.
    assert!(
        lists
            .iter()
            .all(|uri| house.file(uri, TokenFormat::Cwt).exists())
    );
}
