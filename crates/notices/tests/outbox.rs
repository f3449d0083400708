//! The outbox on a bad day: two nodes, one that dies, a clock that goes back, a day
//! without success.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use claviger_fixtures::mail::MailServer;
use common::*;
use jiff::SignedDuration;
use notices::{Channel, Claim, Fact, NewNotice, NoticeId, Outbox, Outcome, Place, Settled, Still};
use rstest::rstest;
use store::Error;
use store::notices::SqlOutbox;

/// What a receiver recognises a notice by.
fn ids(server: &WebServer) -> Vec<String> {
    let jti = |post: &Post| {
        let token = jose::jws::parse(&post.body, 64 * 1024).unwrap();
        let claims = token.claims().unwrap();
        claims["jti"].as_str().unwrap().to_owned()
    };
    server.posts().iter().map(jti).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_at_once_deliver_each_notice_once() {
    for scene in scenes().await {
        let server = WebServer::start(200).await;
        let mut sent = HashSet::new();
        for _ in 0..60 {
            sent.insert(scene.revoked().await.to_string());
        }
        let nodes = [(); 2].map(|()| {
            let courier = scene.courier(None, vec![scene.webhook("a", &server.url())]);
            let now = scene.now();
            tokio::spawn(async move {
                let mut delivered = 0;
                loop {
                    let round = courier.round(now).await.unwrap();
                    assert_eq!((round.put_off, round.ended, round.lost), (0, 0, 0));
                    if round == NOTHING {
                        return delivered;
                    }
                    delivered += round.delivered;
                }
            })
        });
        let mut delivered = 0;
        for node in nodes {
            delivered += node.await.unwrap();
        }
        // One that found nothing while the other held the last may have left early.
        let courier = scene.courier(None, vec![scene.webhook("a", &server.url())]);
        delivered += scene.round(&courier).await.delivered;
        let got = ids(&server);
        assert_eq!((delivered, got.len()), (60, 60));
        assert_eq!(got.into_iter().collect::<HashSet<_>>(), sent);
    }
}

/// A node delivers and dies before it has written that down. Its claim ends, and the
/// notice comes a second time, under the same identifier. What the dead node would
/// still say counts no more.
#[tokio::test]
async fn a_node_killed_between_delivery_and_note_delivers_again_under_the_same_identifier() {
    for scene in scenes().await {
        let Some(server) = MailServer::start(&[]) else {
            return;
        };
        let id = scene.revoked().await;
        let alive = scene.courier(Some(mailer_to(&server)), vec![]);
        // The outbox of the node that dies loses every note that it writes.
        let dead = dying(&scene, &server);
        assert!(dead.round(scene.now()).await.is_err());
        assert_eq!(server.wait_for(1).len(), 1);

        assert_eq!(
            scene.round(&alive).await,
            NOTHING,
            "the claim has not ended"
        );
        scene.minutes(6);
        assert_eq!(scene.round(&alive).await, DELIVERED);
        let mails = server.wait_for(2);
        let expected = format!("<{id}@wallet.example>");
        assert_eq!(mails[0].header("message-id"), expected);
        assert_eq!(mails[1].header("message-id"), expected);
    }
}

fn dying(scene: &Scene, server: &MailServer) -> notices::Courier {
    notices::Courier::new(notices::CourierParts {
        outbox: Arc::new(NoNote(scene.outbox.clone())),
        sender: sender(),
        mailer: Some(mailer_to(server)),
        webhooks: vec![],
        clock: scene.clock.clone(),
        bell: scene.database.bell(),
        keep: SignedDuration::from_hours(1),
    })
    .unwrap()
}

/// The outbox, for a node whose power fails before each note.
#[derive(Debug)]
struct NoNote(Arc<SqlOutbox>);

#[async_trait::async_trait]
impl Outbox for NoNote {
    async fn settle(&self, _: Settled) -> Result<Place, notices::OutboxError> {
        Err(notices::OutboxError("no power".into()))
    }
    async fn add(&self, notice: NewNotice) -> Result<(), notices::OutboxError> {
        self.0.add(notice).await
    }
    async fn spread(
        &self,
        mail: notices::MailAtHand,
        webhooks: &[Channel],
        at: jiff::Timestamp,
        limit: u32,
    ) -> Result<u64, notices::OutboxError> {
        self.0.spread(mail, webhooks, at, limit).await
    }
    async fn claim(&self, claim: Claim) -> Result<Vec<notices::Due>, notices::OutboxError> {
        self.0.claim(claim).await
    }
    async fn end_without_channel(
        &self,
        channels: &[Channel],
        before: jiff::Timestamp,
        at: jiff::Timestamp,
    ) -> Result<u64, notices::OutboxError> {
        self.0.end_without_channel(channels, before, at).await
    }
    async fn standing(&self) -> Result<notices::Standing, notices::OutboxError> {
        self.0.standing().await
    }
    async fn troubles(&self, limit: u32) -> Result<Vec<notices::Trouble>, notices::OutboxError> {
        self.0.troubles(limit).await
    }
    async fn forget(&self, before: jiff::Timestamp) -> Result<u64, notices::OutboxError> {
        self.0.forget(before).await
    }
}

#[tokio::test]
async fn what_is_settled_under_a_claim_that_another_took_over_is_not_written() {
    for scene in scenes().await {
        let id = scene.revoked().await;
        let mail = notices::MailAtHand::Yes;
        scene
            .outbox
            .spread(mail, &[], scene.now(), 10)
            .await
            .unwrap();
        let claim = |n: u8| Claim {
            id: [n; 16],
            channel: Channel::Mail,
            at: scene.now(),
            until: later(&scene, 5),
            horizon: later(&scene, 300),
            limit: 10,
        };
        let settled = |n: u8, outcome| Settled {
            claim: [n; 16],
            notice: id,
            channel: Channel::Mail,
            outcome,
            at: scene.now(),
        };
        assert_eq!(scene.outbox.claim(claim(1)).await.unwrap().len(), 1);
        assert_eq!(scene.outbox.claim(claim(2)).await.unwrap().len(), 0);
        scene.minutes(5);
        assert_eq!(scene.outbox.claim(claim(2)).await.unwrap().len(), 1);
        let late = settled(1, Outcome::NoChannel);
        assert_eq!(scene.outbox.settle(late).await.unwrap(), Place::Lost);
        let held = settled(2, Outcome::Delivered);
        assert_eq!(
            scene.outbox.settle(held.clone()).await.unwrap(),
            Place::Held
        );
        // And once is once.
        assert_eq!(scene.outbox.settle(held).await.unwrap(), Place::Lost);
        assert_eq!(scene.troubles().await, []);
    }
}

fn later(scene: &Scene, minutes: i64) -> jiff::Timestamp {
    scene
        .now()
        .checked_add(SignedDuration::from_mins(minutes))
        .unwrap()
}

/// Tries for a day and a quarter of an hour, and not less; then an alarm, a line for
/// the operator, and no address any more.
#[tokio::test]
async fn what_nobody_takes_in_a_day_is_undelivered_with_an_alarm() {
    let log = Log::default();
    let _guard = log.listen();
    for scene in scenes().await {
        let id = scene.revoked().await;
        let server = WebServer::start(503).await;
        let courier = scene.courier(None, vec![scene.webhook("a", &server.url())]);
        let (start, mut tries) = (scene.now(), vec![]);
        let minutes = |at: jiff::Timestamp| at.duration_since(start).as_mins();
        loop {
            let round = scene.round(&courier).await;
            if round != NOTHING {
                tries.push(minutes(scene.now()));
            }
            if round == ENDED {
                break;
            }
            assert!(minutes(scene.now()) < 26 * 60, "never given up");
            // Minute by minute at first; both steps meet the last try.
            let step = if minutes(scene.now()) < 60 { 1 } else { 5 };
            scene.minutes(step);
        }
        assert_eq!(tries[0], 0);
        assert!((1..=2).contains(&tries[1]), "{tries:?}");
        assert_eq!(tries.last(), Some(&(24 * 60 + 15)), "{tries:?}");
        assert!((10..=11).contains(&tries.len()), "{tries:?}");
        assert!(
            log.alarms()
                .iter()
                .any(|line| line.contains(&id.to_string()))
        );
        let told = scene.troubles().await;
        let told = told.iter().find(|line| line.still == Still::Undelivered);
        let told = told.expect("a line for the operator");
        assert_eq!(told.notice, id);
        assert_eq!(told.why.as_deref(), Some("the webhook said 503"));
        assert_eq!(told.channel, Channel::Webhook("a".into()));
        scene.minutes(24 * 60);
        assert_eq!(scene.round(&courier).await, NOTHING);
    }
    let all = log.lines().join("\n");
    for secret in ["example.org", "gestohlen", "maria"] {
        assert!(!all.contains(secret), "{secret} is in the log");
    }
}

/// The node was off for two days: what waited is tried all the same.
#[tokio::test]
async fn what_nobody_tried_in_time_is_tried_late() {
    let scene = scene().await;
    scene.revoked().await;
    scene.minutes(48 * 60);
    let server = WebServer::start(503).await;
    let courier = scene.courier(None, vec![scene.webhook("a", &server.url())]);
    assert_eq!(scene.round(&courier).await, PUT_OFF);
    server.says(200);
    scene.minutes(2);
    assert_eq!(scene.round(&courier).await, DELIVERED);
}

#[tokio::test]
async fn a_clock_that_goes_an_hour_back_keeps_nothing_waiting_and_gives_nothing_up() {
    for scene in scenes().await {
        let server = WebServer::start(503).await;
        let courier = scene.courier(None, vec![scene.webhook("a", &server.url())]);
        let id = scene.revoked().await;
        scene.minutes(-60);
        // Written in what is now the future: due all the same.
        assert_eq!(scene.round(&courier).await, PUT_OFF);
        // Put off until later than any pause: by a clock that was ahead.
        scene
            .raw("UPDATE notice_delivery SET due_at = due_at + 36000", None)
            .await;
        server.says(200);
        assert_eq!(scene.round(&courier).await, DELIVERED);
        assert_eq!(ids(&server), [id.to_string(), id.to_string()]);
    }
}

#[tokio::test]
async fn a_user_without_an_address_is_told_by_webhook_alone_and_that_is_recorded() {
    for scene in scenes().await {
        let Some(mail) = MailServer::start(&[]) else {
            return;
        };
        let server = WebServer::start(200).await;
        let webhooks = vec![scene.webhook("a", &server.url())];
        let courier = scene.courier(Some(mailer_to(&mail)), webhooks);
        scene.revoked().await;
        // Left, and not confirmed.
        scene
            .raw("UPDATE account SET email_confirmed_at = NULL", None)
            .await;
        let round = scene.round(&courier).await;
        assert_eq!((round.delivered, round.put_off), (1, 1));
        let line = scene.troubles().await.remove(0);
        assert_eq!((line.still, line.channel), (Still::Waiting, Channel::Mail));
        // Many users never have an address: that is no backlog.
        assert_eq!(courier.measure(scene.now()).await.unwrap().waiting, 0);
        let log = Log::default();
        let guard = log.listen();
        wait_for_the_end(&scene, &courier).await;
        drop(guard);
        assert_eq!(log.alarms(), [] as [String; 0], "the webhook took it");
        let line = scene.troubles().await.remove(0);
        assert_eq!(
            (line.still, line.channel),
            (Still::NoChannel, Channel::Mail)
        );
        assert!(mail.mails().is_empty());
        assert_eq!(ids(&server).len(), 1);
    }
}

/// Until nothing waits any more: a day and a quarter of an hour.
async fn wait_for_the_end(scene: &Scene, courier: &notices::Courier) {
    let start = scene.now();
    while scene.round(courier).await != ENDED {
        scene.minutes(5);
        let waited = scene.now().duration_since(start);
        assert!(waited < SignedDuration::from_hours(26), "never given up");
    }
    let waited = scene.now().duration_since(start);
    assert!(waited >= SignedDuration::from_hours(24), "{waited:?}");
}

/// An address that is confirmed within the day gets what happened before it was.
#[tokio::test]
async fn an_address_that_is_confirmed_the_same_day_is_written_to() {
    for scene in scenes().await {
        let Some(mail) = MailServer::start(&[]) else {
            return;
        };
        let courier = scene.courier(Some(mailer_to(&mail)), vec![]);
        let id = scene.revoked().await;
        scene
            .raw("UPDATE account SET email_confirmed_at = NULL", None)
            .await;
        assert_eq!(scene.round(&courier).await, PUT_OFF);
        scene.minutes(2);
        assert_eq!(scene.round(&courier).await, PUT_OFF);
        scene
            .raw("UPDATE account SET email_confirmed_at = 0", None)
            .await;
        scene.minutes(10);
        assert_eq!(scene.round(&courier).await, DELIVERED);
        let expected = format!("<{id}@wallet.example>");
        assert_eq!(mail.wait_for(1)[0].header("message-id"), expected);
    }
}

/// No address all day, and no webhook: somebody has to write a letter.
#[tokio::test]
async fn a_user_who_cannot_be_told_in_a_day_is_an_alarm() {
    for scene in scenes().await {
        let Some(mail) = MailServer::start(&[]) else {
            return;
        };
        let courier = scene.courier(Some(mailer_to(&mail)), vec![]);
        let id = scene.revoked().await.to_string();
        scene
            .raw("UPDATE account SET email_confirmed_at = NULL", None)
            .await;
        let log = Log::default();
        let guard = log.listen();
        wait_for_the_end(&scene, &courier).await;
        drop(guard);
        assert!(log.alarms().iter().any(|line| line.contains(&id)));
        let line = scene.troubles().await.remove(0);
        assert_eq!(line.still, Still::NoChannel);
    }
}

/// An account ends, or is given another address by whoever took it over, while mail
/// waits: what waits goes where it would have gone, and so does the news of that.
#[rstest]
#[case::account(true, "gelöscht")]
#[case::address(false, "schreibt nicht mehr an diese Adresse")]
#[tokio::test]
async fn what_waits_goes_where_it_would_have_gone(#[case] ends: bool, #[case] told: &str) {
    for scene in scenes().await {
        let Some(mail) = MailServer::start(&[]) else {
            return;
        };
        let revoked = scene.revoked().await;
        let at = scene.now();
        scene
            .database
            .write::<_, Error, _>(move |tx| {
                Box::pin(async move {
                    match ends {
                        true => store::notices::account_ends(tx, 1, at).await,
                        false => store::notices::address_ends(tx, 1, at).await,
                    }
                })
            })
            .await
            .unwrap();
        let next = (!ends).then_some("eve@example.org");
        scene.address(next).await;
        let courier = scene.courier(Some(mailer_to(&mail)), vec![]);
        let round = scene.round(&courier).await;
        assert_eq!((round.delivered, round.ended), (2, 0));
        let mails = mail.wait_for(2);
        assert!(mails.iter().all(|mail| mail.to == [ADDRESS]));
        assert!(mails.iter().any(|mail| mail.text().contains(told)));
        let id = format!("<{revoked}@wallet.example>");
        assert!(mails.iter().any(|mail| mail.header("message-id") == id));
        assert_eq!(
            scene.texts("SELECT recipient FROM notice").await,
            [None, None]
        );
        // What happens afterwards is told at the address that holds then.
        scene.revoked().await;
        let round = scene.round(&courier).await;
        assert_eq!(
            (round.delivered, round.put_off),
            if ends { (0, 1) } else { (1, 0) }
        );
    }
}

#[tokio::test]
async fn a_webhook_that_is_no_more_ends_what_waits_for_it() {
    for scene in scenes().await {
        let server = WebServer::start(503).await;
        scene.revoked().await;
        let before = scene.courier(None, vec![scene.webhook("a", &server.url())]);
        assert_eq!(scene.round(&before).await, PUT_OFF);
        let after = scene.courier(None, vec![]);
        after.tidy(scene.now()).await.unwrap();
        assert_eq!(after.measure(scene.now()).await.unwrap().waiting, 1);
        scene.minutes(25 * 60);
        after.tidy(scene.now()).await.unwrap();
        assert_eq!(after.measure(scene.now()).await.unwrap().waiting, 0);
        let lines = scene.troubles().await;
        let line = lines.iter().find(|line| line.still == Still::Undelivered);
        assert_eq!(line.unwrap().why.as_deref(), Some("the channel is no more"));
    }
}

#[tokio::test]
async fn what_is_over_is_forgotten_after_its_time_and_what_waits_is_not() {
    for scene in scenes().await {
        let server = WebServer::start(200).await;
        let courier = scene.courier(None, vec![scene.webhook("a", &server.url())]);
        scene.revoked().await;
        assert_eq!(scene.round(&courier).await, DELIVERED);
        server.says(503);
        let waits = scene.revoked().await;
        assert_eq!(scene.round(&courier).await, PUT_OFF);
        assert_eq!(courier.measure(scene.now()).await.unwrap().waiting, 1);
        let count = "SELECT CAST(count(*) AS TEXT) FROM notice";
        scene.minutes(29 * 24 * 60);
        assert_eq!(scene.outbox.forget(keep(&scene)).await.unwrap(), 0);
        scene.minutes(2 * 24 * 60);
        assert_eq!(scene.outbox.forget(keep(&scene)).await.unwrap(), 1);
        assert_eq!(scene.texts(count).await, [Some("1".to_owned())]);
        let standing = courier.measure(scene.now()).await.unwrap();
        assert_eq!(standing.waiting, 1);
        assert_eq!(standing.age(scene.now()).as_secs(), 31 * 24 * 3600);
        assert_eq!(
            scene
                .troubles()
                .await
                .iter()
                .filter(|t| t.notice == waits)
                .count(),
            2
        );
    }
}

fn keep(scene: &Scene) -> jiff::Timestamp {
    let kept = SignedDuration::from_hours(30 * 24);
    scene.now().checked_sub(kept).unwrap()
}

/// What this version does not know is refused, with an alarm, and holds up nothing.
#[tokio::test]
async fn a_fact_that_cannot_be_read_keeps_no_other_waiting() {
    for scene in scenes().await {
        let server = WebServer::start(200).await;
        let courier = scene.courier(None, vec![scene.webhook("a", &server.url())]);
        scene.revoked().await;
        scene
            .raw("UPDATE notice SET fact = '{\"kind\":\"party\"}'", None)
            .await;
        let good = scene.revoked().await;
        let round = scene.round(&courier).await;
        assert_eq!((round.delivered, round.ended), (1, 1));
        assert_eq!(ids(&server), [good.to_string()]);
    }
}

#[tokio::test]
async fn a_notice_is_written_with_what_it_tells_or_not_at_all() {
    for scene in scenes().await {
        let (unit, at) = (scene.unit, scene.now());
        let failed = scene
            .database
            .write_and_tell::<(), Error, _>(move |tx| {
                Box::pin(async move {
                    let notice = NewNotice::of_unit(unit, Fact::PasskeyAdded, at);
                    store::notices::add(tx, &notice).await?;
                    Err(Error::Closed)
                })
            })
            .await;
        assert!(failed.is_err());
        let count = "SELECT CAST(count(*) AS TEXT) FROM notice";
        assert_eq!(scene.texts(count).await, [Some("0".to_owned())]);
    }
}

/// The bell rings on this node, and the courier does not wait for its next look.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_there_on_this_node_leaves_at_once() {
    let scene = scene().await;
    let server = WebServer::start(200).await;
    let courier = scene.courier(None, vec![scene.webhook("a", &server.url())]);
    let running = tokio::spawn(Arc::clone(&courier).run());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = std::time::Instant::now();
    let id = scene.revoked().await;
    while server.posts().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(started.elapsed() < Duration::from_secs(3), "it waited");
    }
    assert_eq!(ids(&server), [id.to_string()]);
    running.abort();
}

#[tokio::test]
async fn a_notice_about_a_unit_that_is_not_there_goes_to_nobody() {
    let scene = scene().await;
    let Some(mail) = MailServer::start(&[]) else {
        return;
    };
    let notice = NewNotice::of_unit(sci::UnitId::random(), Fact::PasskeyAdded, scene.now());
    let id: NoticeId = notice.id;
    scene.outbox.add(notice).await.unwrap();
    let courier = scene.courier(Some(mailer_to(&mail)), vec![]);
    assert_eq!(scene.round(&courier).await, ENDED);
    let line = scene.troubles().await.remove(0);
    assert_eq!((line.notice, line.still), (id, Still::NoChannel));
}

/// What was logged while it listens.
#[derive(Default, Clone)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn alarms(&self) -> Vec<String> {
        let lines = self.lines().into_iter();
        lines
            .filter(|line| line.contains("claviger::alarm"))
            .collect()
    }
}

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
