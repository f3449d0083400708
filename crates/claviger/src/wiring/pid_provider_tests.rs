#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use claviger_fixtures::TestKey;
use clock::{Clock, ShiftedClock};
use issuer_guard::RevocationRequest;
use jiff::SignedDuration;
use jose::{Curve, Signer};
use pki::{Issuer, Profile, Request, Subject};
use provider_api::UnitState;
use serde_json::{Value, json};
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};
use wallet_client::sci_remote::HttpTransport;
use wallet_client::{ProviderClient, SetUp, Unattested};
use wallet_provider::{Error, WalletProvider};

use super::*;
use crate::commands::up::Development;
use crate::testbed::Party;

const URL: &str = "http://127.0.0.1:1";

/// A node with its sample lists of trusted entities, sealed, on disk.
async fn node(clock: &Arc<ShiftedClock>) -> (tempfile::TempDir, Development) {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = clock.clone();
    let development = Development::open(folder.path(), URL, clock).await.unwrap();
    (folder, development)
}

/// What comes of a request with a WIA that says nothing: whoever is believed to be a
/// PID provider is told so.
async fn asked(
    provider: &WalletProvider,
    chain: &[Vec<u8>],
    signer: &dyn Signer,
    clock: &dyn Clock,
) -> Result<(), Error> {
    let request = RevocationRequest {
        wallet_provider: format!("{URL}/wallet-provider"),
        wia: "a.b.c".into(),
    };
    let signed = request.sign(chain, signer, clock).await.unwrap();
    provider.revoke_by_pid_provider(&signed).await.map(drop)
}

async fn asked_by(
    development: &Development,
    party: &Party,
    beside: &[&Party],
    clock: &dyn Clock,
) -> Result<(), Error> {
    let chain: Vec<Vec<u8>> = std::iter::once(party)
        .chain(beside.iter().copied())
        .map(|party| party.certificate.der().to_vec())
        .collect();
    let provider = development.node.provider().unwrap();
    asked(provider, &chain, party.signer.as_ref(), clock).await
}

fn problem(asked: Result<(), Error>) -> Problem {
    let error = asked.unwrap_err();
    error.problem().unwrap_or_else(|| panic!("{error:?}"))
}

#[tokio::test]
async fn only_whom_the_list_of_pid_providers_names_is_one() {
    let clock = Arc::new(ShiftedClock::new());
    let (_folder, development) = node(&clock).await;
    let bed = &development.test_bed;
    let now = clock.as_ref();

    let one = asked_by(&development, &bed.pid_provider, &[], now).await;
    assert_eq!(
        problem(one),
        Problem::ShownWia,
        "it is one, and showed nothing"
    );

    for (who, other, beside) in [
        ("the wallet provider itself", &bed.wallet_provider, vec![]),
        ("its status lists' signer", &bed.wallet_status, vec![]),
        ("the lists' operator", &bed.operator, vec![]),
        ("an access certificate", &bed.access, vec![&bed.access_ca]),
        (
            "with a PID provider beside it",
            &bed.access,
            vec![&bed.pid_provider],
        ),
    ] {
        let refused = asked_by(&development, other, &beside, now).await;
        assert_eq!(problem(refused), Problem::PidProvider, "{who}");
    }
    development.node.close().await;
}

/// The subject of the listed certificate, in one that somebody else made.
#[tokio::test]
async fn a_lookalike_is_none() {
    let clock = Arc::new(ShiftedClock::new());
    let (_folder, development) = node(&clock).await;
    let listed = &development.test_bed.pid_provider.certificate;
    let key = TestKey::generate(Curve::P256);
    let (name, identifier) = ("Sample PID Provider GmbH", "NTRDE-HRB100002");
    let common_name = format!("{name}, person identification data");
    let request = Request::new(
        Profile::Pid,
        Subject::legal("DE", name, identifier, &common_name),
        Signer::public_key(&key).clone(),
        listed.not_before(),
        listed.not_after(),
    );
    let lookalike = pki::issue(&request, Issuer::Itself(&key)).await.unwrap();
    assert_eq!(lookalike.subject_der(), listed.subject_der());
    let provider = development.node.provider().unwrap();
    for chain in [
        vec![lookalike.der().to_vec()],
        vec![lookalike.der().to_vec(), listed.der().to_vec()],
    ] {
        let refused = asked(provider, &chain, &key, clock.as_ref()).await;
        assert_eq!(problem(refused), Problem::PidProvider);
    }
    development.node.close().await;
}

#[tokio::test]
async fn a_list_past_its_time_decides_nothing() {
    let clock = Arc::new(ShiftedClock::new());
    let (_folder, development) = node(&clock).await;
    clock.advance(SignedDuration::from_hours(24 * 160));
    let party = &development.test_bed.pid_provider;
    let asked = asked_by(&development, party, &[], clock.as_ref()).await;
    assert!(matches!(asked, Err(Error::Undecided(_))), "{asked:?}");
    development.node.close().await;
}

/// Whether the list that the WIA names says, as it is served, that it is revoked.
async fn is_revoked(wia: &str, clock: &dyn Clock) -> bool {
    let claims = jose::jws::parse(wia, 1 << 20).unwrap().claims().unwrap();
    let entry = &claims["client_status"]["status"]["status_list"];
    let (uri, index) = (
        entry["uri"].as_str().unwrap(),
        entry["idx"].as_u64().unwrap(),
    );
    let token = reqwest::get(uri).await.unwrap().bytes().await.unwrap();
    let limits = status_list::Limits::default();
    let list = status_list::UnverifiedStatusList::parse(&token, &limits).unwrap();
    let leaf = Certificate::from_der(&list.x5c()[0]).unwrap();
    let key = leaf.public_key().unwrap();
    let check = status_list::StatusListCheck::new(uri, &key, clock.now());
    let place = status_list::Reference::new(uri, index);
    let list = list.verify(&check).unwrap();
    !list.status(&place).unwrap().is_valid()
}

/// The whole way: a unit that an app set up, the WIA that it shows, a request signed by
/// whom the sealed list names, and the list that the world reads.
#[tokio::test(flavor = "multi_thread")]
async fn over_http_the_listed_one_has_the_unit_revoked_and_nobody_else() {
    let clock = Arc::new(ShiftedClock::new());
    let shared: Arc<dyn Clock> = clock.clone();
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let development = Development::open(folder.path(), &url, shared.clone())
        .await
        .unwrap();
    let app = development.node.app().unwrap().into_router();
    let never = std::future::pending::<()>;
    let served = tokio::spawn(server::serve(listener, app, never(), never()));

    let base = format!("{url}/wallet-provider");
    let device = Arc::new(SoftwareKeystore::generate().unwrap());
    let provider = ProviderClient::discover(&base, shared).await.unwrap();
    let pin = sci::Pin::choose("493827").unwrap();
    let address = format!("{url}/wsca/r2ps").parse().unwrap();
    let shown = provider.certification().shown();
    let unit = provider
        .set_up(
            shown,
            SetUp {
                alias: "user",
                account_code: None,
                consent: None,
                device: device.clone(),
                platform: &Unattested,
                wallet_version: "1",
                pin: &pin,
                transport: HttpTransport::new(reqwest::Client::new(), address),
                keys: 1,
            },
        )
        .await
        .unwrap();
    let wia = unit.wia.attestation;
    let state = async || {
        let view = provider.unit(unit.unit, device.signing()).await.unwrap();
        (view.state, is_revoked(&wia, clock.as_ref()).await)
    };

    let http = reqwest::Client::new();
    let ask = async |body: &Value| {
        let request = http.post(format!("{base}/revocation-requests")).json(body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let said: Value = answer.json().await.unwrap();
        (status, said["code"].as_str().unwrap_or("none").to_owned())
    };
    let request = RevocationRequest {
        wallet_provider: base.clone(),
        wia: wia.clone(),
    };
    let signed = async |party: &Party| {
        let chain = [party.certificate.der().to_vec()];
        let signed = request.sign(&chain, party.signer.as_ref(), clock.as_ref());
        serde_json::to_value(signed.await.unwrap()).unwrap()
    };
    let bed = &development.test_bed;
    let told = |status: u16, code: &str| (status, code.to_owned());
    let no_request = json!({ "request": "a.b.c" });
    assert_eq!(ask(&no_request).await, told(400, "malformed"));
    let stranger = signed(&bed.wallet_provider).await;
    assert_eq!(ask(&stranger).await, told(403, "pid-provider"));
    assert_eq!(state().await, (UnitState::Operational, false));

    let listed = signed(&bed.pid_provider).await;
    assert_eq!(ask(&listed).await, told(200, "none"));
    assert_eq!(state().await, (UnitState::Revoked, true));
    assert_eq!(ask(&listed).await, told(409, "replayed"));
    served.abort();
    development.node.close().await;
}
