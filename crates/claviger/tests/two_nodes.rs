//! Two nodes on one PostgreSQL and one token, behind an address that gives every
//! request to the other node: they are one provider and one WSCA.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use claviger_fixtures::postgres::{Cluster, Stop};
use jose::Curve;
use provider_api::{RevocationReason, UnitState};
use sci::{Digest, Pin, Sci, Task};
use serde_json::{Value, json};
use support::nodes::{Device, Nodes};
use support::{Phone, claviger_json, is_set};
use wallet_client::keystore::DeviceKeystore;

struct House {
    nodes: Nodes,
    cluster: Cluster,
    _place: tempfile::TempDir,
}

async fn house(test: &str, nodes: usize) -> Option<House> {
    let place = tempfile::tempdir().unwrap();
    let device = match nodes {
        1 => Device::Software,
        _ => Device::token(test)?,
    };
    let cluster = claviger_fixtures::postgres::cluster(&place.path().join("postgres"))?;
    let database = cluster.server().create().unwrap();
    let nodes = Nodes::start(place.path(), nodes, Some(&database.url()), &device).await;
    // It goes with its cluster.
    std::mem::forget(database);
    Some(House {
        nodes,
        cluster,
        _place: place,
    })
}

/// The kit that any WSCA must pass, each of its requests to the other node.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_are_one_wsca() {
    let Some(house) = house("two_nodes_are_one_wsca", 2).await else {
        return;
    };
    let url = house.nodes.front.url.clone();
    let kit = move || claviger_json(&["sci", "conformance", "--wsca", &url]);
    let (status, report) = tokio::task::spawn_blocking(kit).await.unwrap();
    assert_eq!(
        (status, &report["passed"]),
        (0, &Value::Bool(true)),
        "{report:#}"
    );
}

/// The circle: activated, attested, keys made and used, revoked, seen; and what was
/// spent at one node is spent at the other.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_are_one_provider() {
    let Some(house) = house("two_nodes_are_one_provider", 2).await else {
        return;
    };
    let url = &house.nodes.front.url;
    let mine = Phone::try_activate(url, "mine").await.unwrap();
    let other = Phone::try_activate(url, "other").await.unwrap();
    let mut places = HashSet::new();
    for _ in 0..6 {
        for phone in [&mine, &other] {
            let (_, uri, index) = phone.wia().await;
            assert!(places.insert((uri, index)), "an index was used twice");
        }
    }
    // Blocks of two nodes, of one list.
    let lists: HashSet<&String> = places.iter().map(|(uri, _)| uri).collect();
    assert_eq!(lists.len(), 1);

    let pin = Pin::new("493827").unwrap();
    mine.sci.open_session(&pin, Task::Issuance).await.unwrap();
    let keys = mine.sci.generate_keys(2, Curve::P256).await.unwrap();
    let (unit, signing) = (mine.answer.unit, mine.device.signing());
    let nonce = mine.provider.statement_nonce(unit, signing).await.unwrap();
    let digest = Digest::of(b"m", Curve::P256);
    mine.sci.sign(&[(keys[0].id, digest)]).await.unwrap();
    drop(nonce);

    let (_, uri, index) = mine.wia().await;
    let revocation = mine.revocation(RevocationReason::LostOrStolen);
    let view = mine.provider.revoke(&revocation).await.unwrap();
    assert_eq!(view.state, UnitState::Revoked);
    for address in &house.nodes.addresses {
        let direct = uri.replace(url.as_str(), &format!("http://{address}"));
        let token = reqwest::get(&direct).await.unwrap().bytes().await.unwrap();
        assert!(is_set(&token, &uri, index), "at {address}");
    }
    // Four tries meet each node twice.
    for _ in 0..4 {
        let refused = mine.try_wia().await.unwrap_err();
        assert_eq!(refused.problem().unwrap().code, "unit-revoked");
        let digest = Digest::of(b"m", Curve::P256);
        assert!(mine.sci.sign(&[(keys[0].id, digest)]).await.is_err());
    }
    other.wia().await;
    let (status, whole) = house.nodes.command(&["db", "check"]);
    assert_eq!(status, 0, "{whole:#}");
    assert_eq!((&whole["units"], &whole["revoked"]), (&json!(2), &json!(1)));
}

/// Requests are told to come again while the database is away, and the node goes on
/// by itself when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_comes_back_finds_its_node_at_work() {
    let Some(mut house) = house("a_database_that_comes_back_finds_its_node_at_work", 1).await
    else {
        return;
    };
    let url = house.nodes.front.url.clone();
    let phone = Phone::try_activate(&url, "patient").await.unwrap();
    phone.wia().await;
    for how in [Stop::Fast, Stop::Immediate] {
        house.cluster.stop(how).unwrap();
        let refused = phone.try_wia().await.unwrap_err();
        let wallet_client::ProviderError::Http(refused) = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!((refused.status(), refused.retry_after()), (503, Some(5)));
        let challenge = reqwest::Client::new()
            .post(format!("{url}/wallet-provider/challenge"))
            .json(&json!({}))
            .send()
            .await
            .unwrap();
        assert_eq!(challenge.status(), 503);
        assert!(challenge.headers().contains_key("retry-after"));
        let ready = reqwest::get(format!("{url}/ready")).await.unwrap();
        assert_eq!(ready.status(), 503);
        // It lives all the same, and what is published is served.
        assert_eq!(
            reqwest::get(format!("{url}/health"))
                .await
                .unwrap()
                .status(),
            200
        );
        house.cluster.start().unwrap();
        let begun = Instant::now();
        while let Err(error) = phone.try_wia().await {
            assert!(begun.elapsed() < Duration::from_secs(20), "{error:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let begun = Instant::now();
        while reqwest::get(format!("{url}/ready")).await.unwrap().status() != 200 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it is not ready");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}
