//! The guard over a sealed wallet provider list, fetched over real HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use claviger_fixtures::TestKey;
use common::*;
use finding::Trusted;
use issuer_guard::{
    GuardSettings, HttpSettings, HttpStatusSource, IssuerGuard, KeyProofs, ListTrust, StatusLists,
    StatusSettings, StatusWatch, WatchState, rules,
};
use jose::{Curve, Signer};
use lote::{NewEntity, NewService, Operator, Postal, Publication, ServiceKind};
use pki::{Issuer, Profile, Request, Subject};
use status_list::Status;
use trust::{Config, Outcome, Policy, Revocation, Source, TrustService};

const OPERATOR: &str = "Example List Operator";
const PROVIDER: &str = "Wallet Provider GmbH";
const REGISTRATION: &str = "NTRDE-HRB12345";
const RIVAL: &str = "Rival Wallet GmbH";

/// A certificate of this profile, under `ca` or self-signed.
async fn party(profile: Profile, subject: &Subject, serial: u8, ca: Option<&Party>) -> Party {
    let key = TestKey::generate(Curve::P256);
    let public = Signer::public_key(&key).clone();
    let (from, to) = (start() - hours(24 * 300), start() + hours(24 * 300));
    let mut request = Request::new(profile, subject.clone(), public, from, to);
    request.serial = Some(vec![serial]);
    let issuer = match ca {
        Some(ca) => {
            request.ca_issuers_urls = vec!["http://ca.example/ca.cer".into()];
            request.crl_urls = vec!["http://ca.example/ca.crl".into()];
            Issuer::Ca {
                certificate: &ca.certificate,
                signer: &ca.key,
            }
        }
        None => Issuer::Itself(&key),
    };
    let draft = pki::Draft::new(&request, issuer).unwrap();
    let certificate = draft.sign(issuer).await.unwrap();
    Party { key, certificate }
}

fn postal() -> Postal {
    Postal {
        street: "Example Street 1".into(),
        locality: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
    }
}

/// A sealed wallet provider list of one provider, and of a rival whose statuses
/// `rival` signs.
async fn sealed_list(
    operator: &Party,
    issuance: &Party,
    revocation: &Party,
    rival: &Party,
) -> String {
    let by = Operator {
        name: OPERATOR.into(),
        territory: "EU".into(),
        address: postal(),
        email: "lists@operator.example".into(),
        web: "https://operator.example/".into(),
    };
    let place = Publication {
        scheme_name: "Example wallet list".into(),
        location: "https://operator.example/wallet".into(),
        information: "https://operator.example/about".into(),
        archive: "https://operator.example/archive".into(),
        policy: "https://operator.example/policy".into(),
    };
    let signers = [operator.certificate.clone()];
    let mut draft = lote::Draft::new(lote::Profile::Wallet, &by, &place, &signers);
    let entity = NewEntity {
        name: PROVIDER.into(),
        registration: REGISTRATION.into(),
        member_state: "DE".into(),
        address: postal(),
        email: "help@provider.example".into(),
        phone: "+49301234567".into(),
        web: "https://provider.example/".into(),
        policies: "https://provider.example/policies".into(),
        law: None,
    };
    draft.add_entity(&entity).unwrap();
    let another = NewEntity {
        name: RIVAL.into(),
        registration: "NTRDE-HRB666".into(),
        ..entity
    };
    draft.add_entity(&another).unwrap();
    let issued = start() - hours(24);
    for (of, name, kind, party) in [
        (PROVIDER, "Example Wallet", ServiceKind::Issuance, issuance),
        (
            PROVIDER,
            "Example Wallet",
            ServiceKind::Revocation,
            revocation,
        ),
        (RIVAL, "Rival Wallet", ServiceKind::Revocation, rival),
    ] {
        let service = NewService {
            kind,
            name: name.into(),
            certificates: vec![party.certificate.clone()],
            unique_id: Some(format!("urn:example:{}", name.replace(' ', "-"))),
            supply_point: None,
        };
        draft.add_service(of, &service, issued).unwrap();
    }
    draft.issue(issued, start() + hours(24 * 90)).unwrap();
    lote::seal(draft.list(), &signers, &operator.key, issued)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_sealed_list_decides_whose_attestations_are_accepted() {
    let mut world = World::new().await;
    let subject = Subject::legal("DE", PROVIDER, REGISTRATION, "Signing unit");
    let authority = Subject::legal("DE", "Example CA AG", "NTRDE-HRB1", "Example CA");
    let operator = Subject::legal("EU", OPERATOR, "NTRDE-HRB7", "List signer");
    let ca = party(Profile::Ca, &authority, 1, None).await;
    let operator = party(Profile::ListOperator, &operator, 2, None).await;
    world.provider = party(Profile::Wallet, &subject, 7, Some(&ca)).await;
    world.status_signer = party(Profile::StatusList, &subject, 8, Some(&ca)).await;
    let rival = Subject::legal("DE", RIVAL, "NTRDE-HRB666", "Statuses");
    let rival = party(Profile::StatusList, &rival, 9, Some(&ca)).await;
    let list = sealed_list(&operator, &world.provider, &world.status_signer, &rival).await;
    world
        .server
        .serve_as("/lists/wallet", &list, "application/jose");
    world.publish(WIA_LIST, &[]).await;
    world.publish(KA_LIST, &[]).await;

    let url = world.server.uri("/lists/wallet").parse().unwrap();
    let signers = vec![operator.certificate.clone()];
    let config = Config {
        sources: vec![Source::pinned(lote::Profile::Wallet, url, signers)],
        limits: trust::Limits {
            allow_insecure_loopback: true,
            timeout: Duration::from_secs(2),
            ..trust::Limits::default()
        },
        ..Config::default()
    };
    let service = Arc::new(TrustService::new(config, world.clock.clone()).unwrap());
    let trust = ListTrust::new(service.clone(), Policy::DirectOnly, Revocation::Skip);
    let trust = Arc::new(trust);
    let http = HttpSettings {
        timeout: Duration::from_secs(2),
        private_hosts: true,
        ..HttpSettings::default()
    };
    let lists = Arc::new(StatusLists::new(
        Arc::new(HttpStatusSource::new(&http).unwrap()),
        trust.clone(),
        StatusSettings::default(),
    ));
    let guard = IssuerGuard::new(
        trust,
        lists.clone(),
        world.replay.clone(),
        world.clock.clone(),
        GuardSettings::new(ISSUER),
    );
    let issue = async |by: &Party, nonce: &str| {
        let wia = world.sealed_wia(&world.wia(), by).await;
        let proof = world.wia_proof(nonce).await;
        let proofs = world.key_proof(&world.ka(), by, nonce).await;
        guard
            .verify_issuance(shown(&wia, &proof), Some((KeyProofs::Jwt(&proofs), nonce)))
            .await
    };

    // Before a list was fetched, nothing is known.
    let verdict = issue(&world.provider, "n-0").await;
    assert_eq!(verdict.decision, Trusted::Undecided);
    assert!(verdict.names(&rules::WALLET_UNDECIDED));

    let report = service.refresh().await;
    assert!(
        !report.sources.iter().any(|s| s.outcome == Outcome::Refused),
        "{:?}",
        report.sources
    );

    // Not on the list; of the same subject and serial number; a PID provider's;
    // the listed signer of status lists in the place of the attestations'.
    let stranger = Subject::legal("DE", "Nobody GmbH", "NTRDE-HRB9", "Signing unit");
    for (profile, subject) in [
        (Profile::Wallet, &stranger),
        (Profile::Wallet, &subject),
        (Profile::Pid, &subject),
    ] {
        let other = party(profile, subject, 7, Some(&ca)).await;
        let verdict = issue(&other, "n-1").await;
        assert_eq!(verdict.decision, Trusted::No);
        assert!(verdict.wia.names(&rules::WALLET_CHAIN), "{profile:?}");
        assert!(
            verdict.ka.unwrap().names(&rules::WALLET_CHAIN),
            "{profile:?}"
        );
    }
    let verdict = issue(&world.status_signer, "n-1").await;
    assert!(verdict.names(&rules::WALLET_CHAIN));

    // Statuses by another provider's listed signer say nothing of this one's units.
    let statuses = world.list(WIA_LIST, &[]).await;
    let by_rival = statuses.sign(&rival.x5c(), &rival.key).await.unwrap();
    world.server.serve(WIA_LIST, &by_rival);
    let wia = world.sealed_wia(&world.wia(), &world.provider).await;
    let proof = world.wia_proof("n-rival").await;
    let verdict = guard.verify_wia(shown(&wia, &proof)).await;
    assert_eq!(verdict.decision, Trusted::No);
    assert!(verdict.names(&rules::STATUS_PROVIDER));
    world.publish(WIA_LIST, &[]).await;

    // A solution that the list does not name for this provider (TS3, 3.2.1).
    let mut misnamed = world.wia();
    misnamed.wallet_name = "Rival Wallet".into();
    let misnamed = world.sealed_wia(&misnamed, &world.provider).await;
    let proof = world.wia_proof("n-misnamed").await;
    let verdict = guard.verify_wia(shown(&misnamed, &proof)).await;
    assert_eq!(verdict.decision, Trusted::No);
    assert!(verdict.names(&wua::rules::WIA_WALLET_NAME));

    // The listed provider, by direct trust; and its unit's revocation is seen.
    let verdict = issue(&world.provider, "n-1").await;
    let found: Vec<_> = verdict.findings().collect();
    assert_eq!(verdict.decision, Trusted::Yes, "{found:?}");
    let signer = verdict.wia.signer.as_ref().unwrap();
    assert_eq!(signer.method, Some(finding::Method::Direct));
    assert!(
        !verdict.names(&rules::STATUS_SIGNER_ISSUANCE),
        "listed for revocation"
    );
    let watch = StatusWatch::new(lists, world.clock.clone());
    watch.watch("pid-1", &verdict.references);
    assert!(watch.poll().await.is_empty());
    world.clock.advance(hours(1));
    world
        .publish(WIA_LIST, &[(WIA_INDEX, Status::INVALID)])
        .await;
    let changes = watch.poll().await;
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].to, WatchState::Revoked);
}
