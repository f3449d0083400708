//! Mail, to a real server of mail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::time::Duration;

use claviger_fixtures::mail::MailServer;
use common::*;
use notices::{
    ConfigError, Credentials, Fact, Language, Mailer, NewNotice, Outbox, Security, Still,
};
use provider_api::{RevocationReason, Revoker};
use rstest::rstest;
use store::provider::SqlProviderStore;
use wallet_provider::{ProviderStore, Revocation};

#[tokio::test]
async fn a_revocation_is_told_by_mail_with_its_reason_in_the_users_language() {
    let Some(server) = MailServer::start(&[]) else {
        return;
    };
    for (round, scene) in scenes().await.into_iter().enumerate() {
        let revocation = Revocation {
            unit: scene.unit,
            by: Revoker::User,
            name: None,
            reason: RevocationReason::LostOrStolen,
            advisory: None,
            at: scene.now(),
        };
        let provider = SqlProviderStore::new(scene.database.clone());
        provider.revoke(revocation.clone()).await.unwrap();
        // Once more: nothing is told twice.
        provider.revoke(revocation).await.unwrap();
        let courier = scene.courier(Some(mailer_to(&server)), vec![]);
        assert_eq!(scene.round(&courier).await, DELIVERED);
        assert_eq!(scene.round(&courier).await, NOTHING);

        let mail = server.wait_for(round + 1).remove(round);
        assert_eq!(mail.from, "wallet@wallet.example");
        assert_eq!(mail.to, [ADDRESS]);
        assert_eq!(mail.header("to"), ADDRESS);
        assert_eq!(
            mail.header("from"),
            "\"Example Wallet\" <wallet@wallet.example>"
        );
        assert_eq!(mail.header("auto-submitted"), "auto-generated");
        assert_eq!(mail.header("content-language"), "de");
        assert_eq!(mail.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(mail.header("date"), "Sun, 22 Nov 2026 12:00:00 +0000");
        assert_eq!(mail.hello, "wallet.example");
        assert!(mail.header("message-id").ends_with("@wallet.example>"));

        let text = mail.text();
        assert!(text.contains("am 22. November 2026 um 12:00 Uhr (UTC) widerrufen"));
        assert!(text.contains("dass das Gerät verloren ist oder gestohlen wurde"));
        for part in ["Warum", "Was weiterhin geht", "Was nicht mehr geht"] {
            assert!(text.contains(part), "{text}");
        }
        // Neither the alias, which is nobody's business, nor the whole unit.
        for absent in ["maria", "Bcc", "everybody", &scene.unit.to_string()] {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
        assert!(!mail.data.to_lowercase().contains("\nbcc:"));
        assert!(mail.data.is_ascii());
    }
}

#[tokio::test]
async fn a_code_goes_to_the_address_it_confirms_and_is_forgotten() {
    let Some(server) = MailServer::start(&[]) else {
        return;
    };
    let scene = scene().await;
    let other = "new@example.org".parse().unwrap();
    let code = "1234-5678".parse().unwrap();
    let fact = Fact::AddressToConfirm { code };
    let notice = NewNotice::to_address(Some(1), other, Language::French, fact, scene.now());
    scene.outbox.add(notice).await.unwrap();
    let kept = "SELECT coalesce(recipient, '') || coalesce(secret, '') FROM notice";
    assert_eq!(
        scene.texts(kept).await,
        [Some("new@example.org1234-5678".to_owned())]
    );

    let courier = scene.courier(Some(mailer_to(&server)), vec![]);
    assert_eq!(scene.round(&courier).await, DELIVERED);
    let mail = server.wait_for(1).remove(0);
    assert_eq!(mail.to, ["new@example.org"]);
    assert!(mail.text().contains("    1234-5678\n"), "{}", mail.text());
    assert!(mail.text().starts_with("Bonjour,"));
    assert_eq!(scene.texts(kept).await, [Some(String::new())]);
}

/// 4yz is asked again after a minute; a 5yz about the recipient or the message is
/// final, one about us is not.
#[rstest]
#[case("rcpt", "451 4.7.1 greylisted", Still::Waiting)]
#[case("data", "452 4.3.1 full", Still::Waiting)]
#[case("mail", "421 4.3.2 closing", Still::Waiting)]
#[case("mail", "550 5.7.1 not from you", Still::Waiting)]
#[case("rcpt", "550 5.1.1 <maria@example.org> is nobody", Still::Refused)]
#[case("data", "554 5.7.1 spam", Still::Refused)]
#[tokio::test]
async fn what_a_server_says(#[case] command: &str, #[case] says: &str, #[case] still: Still) {
    let Some(mut server) = MailServer::start(&[]) else {
        return;
    };
    let scene = scene().await;
    let id = scene.revoked().await;
    let courier = scene.courier(Some(mailer_to(&server)), vec![]);
    server.answers(command, &[says]);
    let first = scene.round(&courier).await;
    let trouble = scene.troubles().await.remove(0);
    assert_eq!((trouble.notice, trouble.still), (id, still));
    // The server's words may repeat the address.
    let why = trouble.why.unwrap();
    assert!(why.contains(&says[..3]) && !why.contains("maria"), "{why}");
    assert!(server.mails().is_empty());

    if still == Still::Refused {
        assert_eq!(first, ENDED);
        scene.minutes(24 * 60);
        assert_eq!(scene.round(&courier).await, NOTHING);
        return;
    }
    assert_eq!(first, PUT_OFF);
    assert_eq!(scene.round(&courier).await, NOTHING);
    scene.minutes(2);
    assert_eq!(scene.round(&courier).await, DELIVERED);
    let mail = server.wait_for(1).remove(0);
    assert_eq!(mail.header("message-id"), format!("<{id}@wallet.example>"));
    assert_eq!(scene.troubles().await, []);
}

#[rstest]
#[case::starttls("starttls", Security::StartTls)]
#[case::implicit("implicit", Security::Implicit)]
#[tokio::test]
async fn mail_goes_over_tls_to_a_server_that_is_who_it_says(
    #[case] tls: &str,
    #[case] security: Security,
) {
    let arguments = ["--tls", tls, "--user", "claviger", "--password", "word"];
    let Some(server) = MailServer::start(&arguments) else {
        return;
    };
    let scene = scene().await;
    scene.revoked().await;
    let config = |ca: bool, password: &str| notices::MailerConfig {
        security,
        ca: ca.then(|| server.ca().unwrap().as_bytes().to_vec()),
        credentials: Some(Credentials {
            user: "claviger".into(),
            password: password.to_owned().into(),
        }),
        ..mail_config(server.port())
    };
    // A certificate of nobody we know, and a password that is not the server's: each is
    // ours to put right, and the notice waits.
    for (ca, password) in [(false, "word"), (true, "wrong")] {
        let mailer = Mailer::new(config(ca, password), &sender()).unwrap();
        let courier = scene.courier(Some(mailer), vec![]);
        assert_eq!(scene.round(&courier).await, PUT_OFF);
        scene.minutes(10);
    }
    assert!(server.mails().is_empty());
    let mailer = Mailer::new(config(true, "word"), &sender()).unwrap();
    let courier = scene.courier(Some(mailer), vec![]);
    assert_eq!(scene.round(&courier).await, DELIVERED);
    let mail = server.wait_for(1).remove(0);
    assert_eq!(mail.user.as_deref(), Some("claviger"));
    assert!(mail.over_tls);
}

#[tokio::test]
async fn a_server_that_offers_no_tls_gets_nothing() {
    let Some(server) = MailServer::start(&[]) else {
        return;
    };
    let scene = scene().await;
    scene.revoked().await;
    let config = notices::MailerConfig {
        security: Security::StartTls,
        ..mail_config(server.port())
    };
    let courier = scene.courier(Some(Mailer::new(config, &sender()).unwrap()), vec![]);
    assert_eq!(scene.round(&courier).await, PUT_OFF);
    let why = scene.troubles().await.remove(0).why.unwrap();
    assert_eq!(why, "the mail server's TLS failed");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn what_cannot_be_a_mailer_is_refused() {
    let with = |change: fn(&mut notices::MailerConfig)| {
        let mut config = mail_config(25);
        change(&mut config);
        Mailer::new(config, &sender()).map(|_| ())
    };
    assert!(matches!(
        with(|config| config.host = "mail.example".into()),
        Err(ConfigError::Plain)
    ));
    assert!(matches!(
        with(|config| config.from = "wallet@example.org\r\nBcc: x@example.org".into()),
        Err(ConfigError::From(_))
    ));
    assert!(matches!(
        with(|config| {
            config.security = Security::StartTls;
            config.ca = Some(b"no certificate".to_vec());
        }),
        Err(ConfigError::Ca(_) | ConfigError::Tls(_))
    ));
}

/// The server is away, hangs up in the middle, or says nothing; then it is back.
#[tokio::test]
async fn a_server_that_is_away_or_breaks_off_is_asked_again() {
    let Some(server) = MailServer::start(&[]) else {
        return;
    };
    let away = talker(b"", true).await;
    let half = talker(b"220 mail.test\r\n250-mail.te", true).await;
    let slow = talker(b"220 mail.test\r\n", false).await;
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for (port, why) in [
        (gone, "the mail server's opening failed"),
        (away, "the mail server's opening failed"),
        (half, "the mail server's opening failed"),
        (slow, "the mail server took too long"),
    ] {
        let scene = scene().await;
        let id = scene.revoked().await;
        let config = notices::MailerConfig {
            timeout: Duration::from_millis(500),
            ..mail_config(port)
        };
        let courier = scene.courier(Some(Mailer::new(config, &sender()).unwrap()), vec![]);
        assert_eq!(scene.round(&courier).await, PUT_OFF, "{why}");
        let trouble = scene.troubles().await.remove(0);
        assert_eq!(trouble.why.as_deref(), Some(why));
        let before = server.mails().len();
        scene.minutes(2);
        let courier = scene.courier(Some(mailer_to(&server)), vec![]);
        assert_eq!(scene.round(&courier).await, DELIVERED);
        let mail = server.wait_for(before + 1).remove(before);
        assert_eq!(mail.header("message-id"), format!("<{id}@wallet.example>"));
    }
}

/// Whatever wrote it there: an address that would end its line, name others, or be
/// too long gets no mail, and neither does anybody else.
#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    let Some(server) = MailServer::start(&[]) else {
        return;
    };
    let long = format!("{}@example.org", "m".repeat(300));
    for address in [
        "maria@example.org\r\nBcc: everybody@example.org",
        "maria@example.org>\r\nRCPT TO:<eve@example.org",
        "maria@example.org, eve@example.org",
        &long,
    ] {
        let scene = scene().await;
        scene.revoked().await;
        scene.address(Some(address)).await;
        let courier = scene.courier(Some(mailer_to(&server)), vec![]);
        assert_eq!(scene.round(&courier).await, ENDED);
        let trouble = scene.troubles().await.remove(0);
        assert_eq!(trouble.still, Still::Refused);
        assert!(!trouble.why.unwrap().contains("maria"));
    }
    assert!(server.mails().is_empty());
}
