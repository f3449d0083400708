//! The raw costs (a signature, a verification, a hash, a compression), and beside
//! them the steps of the circle, so that each can be stated as a ratio.
#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use claviger_fixtures::TestKey;
use clock::{Clock, SystemClock};
use criterion::{Criterion, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, Signer, sha256};
use pki::{AnchorIndex, Certificate, Profile, Request, Subject};
use sci::{Digest, Pin, Sci, Task, UnitId};
use status_list::{Bits, Reference, Status, StatusList, StatusListToken};
use store::Database;
use store::wsca::SqlWscaStore;
use tokio::runtime::Runtime;
use wallet_client::keystore::{DeviceKeystore, SoftwareKeystore};
use wallet_client::sci_remote::{RemoteSci, Transport, TransportError};
use wsca::{Config, DeviceKeys, Reply, Wsca, WscaAdmin};
use wscd::software::SoftwareDevice;
use wua::{Ka, KaCheck, Limits, StatusPeriod, UnverifiedKa};

fn now() -> Timestamp {
    Timestamp::from_second(SystemClock.now_seconds()).unwrap()
}

fn raw(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = c.benchmark_group("raw");
    let message = [7; 256];
    for curve in Curve::ALL {
        let key = TestKey::generate(curve);
        let algorithm = curve.algorithm();
        group.bench_function(format!("{algorithm} sign"), |b| {
            b.iter(|| runtime.block_on(key.sign(&message)).unwrap());
        });
        let signature = runtime.block_on(key.sign(&message)).unwrap();
        let public = Signer::public_key(&key);
        group.bench_function(format!("{algorithm} verify"), |b| {
            b.iter(|| public.verify(&message, &signature).unwrap());
        });
    }
    group.bench_function("SHA-256 of 1 KiB", |b| b.iter(|| sha256(&[7; 1024])));
    let list = revoked_list();
    group.bench_function("zlib of a 100,000-entry list", |b| {
        b.iter(|| {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
            encoder.write_all(list.as_bytes()).unwrap();
            encoder.finish().unwrap()
        });
    });
    group.finish();
}

/// One bit an entry, 100,000 entries, one in a hundred revoked.
fn revoked_list() -> StatusList {
    let mut list = StatusList::new(Bits::One, 100_000).unwrap();
    for index in (0..100_000).step_by(100) {
        list.set(index, Status::INVALID).unwrap();
    }
    list
}

fn attestations(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = c.benchmark_group("circle");
    let key = TestKey::generate(Curve::P256);
    let chain = vec![certificate(&runtime, &key, "provider").der().to_vec()];
    let at = now();
    let ka = Ka {
        issued: at,
        expires: at + SignedDuration::from_hours(24),
        keys: vec![Signer::public_key(&TestKey::generate(Curve::P256)).clone()],
        key_storage: Vec::new(),
        user_authentication: Vec::new(),
        certification: "https://wallet.example/certification".into(),
        nonce: None,
        status: StatusPeriod {
            reference: Reference::new("https://wallet.example/status/1", 7),
            maintained_until: at + SignedDuration::from_hours(60 * 24),
        },
    };
    group.bench_function("a KA of one key, built and signed", |b| {
        b.iter(|| runtime.block_on(ka.sign(&chain, &key)).unwrap());
    });
    let token = runtime.block_on(ka.sign(&chain, &key)).unwrap();
    group.bench_function("a KA of one key, read and verified", |b| {
        b.iter(|| {
            UnverifiedKa::parse(&token, &Limits::default())
                .unwrap()
                .verify(&KaCheck::new(Signer::public_key(&key), at))
                .unwrap()
        });
    });
    let list = StatusListToken::new("https://wallet.example/status/1", at, revoked_list());
    group.bench_function("a status list of 100,000 entries, signed", |b| {
        b.iter(|| runtime.block_on(list.sign(&chain, &key)).unwrap());
    });
    for size in [10, 1_000] {
        let certificates: Vec<Certificate> = (0..size)
            .map(|place| certificate(&runtime, &key, &format!("provider {place}")))
            .collect();
        let wanted = certificates[size / 2].clone();
        let index = AnchorIndex::new(certificates);
        group.bench_function(format!("direct trust among {size}"), |b| {
            b.iter(|| index.match_direct(&wanted).unwrap());
        });
    }
    group.finish();
}

fn certificate(runtime: &Runtime, key: &TestKey, name: &str) -> Certificate {
    let at = now();
    let request = Request::new(
        Profile::Wallet,
        Subject::legal("DE", name, "NTRDE-HRB1", &format!("{name}, attestations")),
        Signer::public_key(key).clone(),
        at - SignedDuration::from_hours(1),
        at + SignedDuration::from_hours(1000),
    );
    runtime
        .block_on(pki::issue(&request, pki::Issuer::Itself(key)))
        .unwrap()
}

/// The WSCA in this process: no network between it and the wallet instance.
#[derive(Debug)]
struct InProcess(Arc<Wsca>);

#[async_trait]
impl Transport for InProcess {
    async fn post(&self, request: String) -> Result<Vec<u8>, TransportError> {
        match self.0.handle(request.as_bytes()).await {
            Reply::Answer(answer) => Ok(answer.into_bytes()),
            Reply::Refused(problem) => Err(TransportError::Refused(problem)),
        }
    }
}

fn secure_keys(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let mut group = c.benchmark_group("wsca");
    let folder = tempfile::tempdir().unwrap();
    let (sci, key) = runtime.block_on(async {
        let database = Database::open(folder.path().join("wsca.db")).await.unwrap();
        let clock = Arc::new(SystemClock);
        // Sessions must outlast the measurement.
        let mut config = Config::default();
        config.session.idle = SignedDuration::from_hours(10);
        config.session.absolute = SignedDuration::from_hours(10);
        let wsca = Wsca::open(
            Arc::new(SoftwareDevice::ephemeral().unwrap()),
            Arc::new(SqlWscaStore::new(database)),
            clock.clone(),
            config,
        )
        .await
        .unwrap();
        let device = Arc::new(SoftwareKeystore::generate().unwrap());
        let unit = UnitId::random();
        let keys = DeviceKeys {
            sign: device.signing().public_key().clone(),
            agree: device.agreement().public_key().clone(),
        };
        wsca.enroll(unit, keys).await.unwrap();
        let service = wsca.service().clone();
        let sci = RemoteSci::new(InProcess(Arc::new(wsca)), service, unit, device, clock);
        let pin = Pin::choose("493827").unwrap();
        sci.register_pin(&pin).await.unwrap();
        sci.open_session(&pin, Task::Issuance).await.unwrap();
        let keys = sci.generate_keys(32, Curve::P256).await.unwrap();
        (sci, keys)
    });
    let digest = || Digest::of(b"a presentation", Curve::P256);
    let one = [(key[0].id, digest())];
    let batch: Vec<_> = key.iter().map(|key| (key.id, digest())).collect();
    group.bench_function("one signature in an open session", |b| {
        b.iter(|| runtime.block_on(sci.sign(&one)).unwrap());
    });
    group.bench_function("a batch of 32 signatures in an open session", |b| {
        b.iter(|| runtime.block_on(sci.sign(&batch)).unwrap());
    });
    group.finish();
}

criterion_group!(benches, raw, attestations, secure_keys);
criterion_main!(benches);
