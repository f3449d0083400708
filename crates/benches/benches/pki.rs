//! What a certificate path costs, beside the raw verifications it needs.
//!
//! `path/warm` over `path/raw verifications` is the ratio that counts; both come
//! from one run on one machine.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::time::Instant;

use claviger_fixtures::TestKey;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use jose::{Curve, Signer};
use pki::{
    AnchorIndex, Certificate, Certval, Crl, CrlRequest, Issuer, PathSettings, Profile, Request,
    RevocationSources, Subject, check_leaf, find_path, issue, issue_crl, path_status,
};
use tokio::runtime::Runtime;

struct Ca {
    certificate: Certificate,
    key: TestKey,
}

impl Ca {
    fn issuer(&self) -> Issuer<'_> {
        Issuer::Ca {
            certificate: &self.certificate,
            signer: &self.key,
        }
    }
}

fn request(profile: Profile, name: &str, key: &TestKey) -> Request {
    let mut request = Request::new(
        profile,
        Subject::legal("BE", "Claviger Bench", "VATBE-0876866142", name),
        Signer::public_key(key).clone(),
        at("2026-01-01T00:00:00Z"),
        at("2028-01-01T00:00:00Z"),
    );
    request.crl_urls = vec!["http://ca.example/ca.crl".into()];
    request.ca_issuers_urls = vec!["http://ca.example/ca.cer".into()];
    request
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn ca(name: &str, above: Option<&Ca>) -> Ca {
    let key = TestKey::generate(Curve::P256);
    let request = request(Profile::Ca, name, &key);
    let issuer = above.map_or(Issuer::Itself(&key), Ca::issuer);
    let certificate = issue(&request, issuer).await.unwrap();
    Ca { certificate, key }
}

async fn crl(ca: &Ca) -> Crl {
    let request = CrlRequest {
        number: 1,
        this_update: at("2026-11-22T00:00:00Z"),
        next_update: at("2026-11-29T00:00:00Z"),
        revoked: vec![],
        scope: None,
        delta_base: None,
    };
    let der = issue_crl(&request, &ca.certificate, &ca.key).await.unwrap();
    Crl::from_der(&der).unwrap()
}

fn paths(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let (root, middle, leaf, crls) = runtime.block_on(async {
        let root = ca("Root", None).await;
        let middle = ca("Middle", Some(&root)).await;
        let key = TestKey::generate(Curve::P256);
        let leaf = issue(&request(Profile::Wallet, "Leaf", &key), middle.issuer())
            .await
            .unwrap();
        let crls = [crl(&root).await, crl(&middle).await];
        (root, middle, leaf, crls)
    });
    let others = [middle.certificate.clone()];
    let anchors = AnchorIndex::new([root.certificate.clone()]);
    let settings = PathSettings::at(at("2026-11-22T12:00:00Z"));
    let warm = Certval::new();
    let pairs = [(&leaf, &middle), (&middle.certificate, &root)].map(|(certificate, ca)| {
        let key = ca.certificate.public_key().unwrap();
        (key, certificate.tbs_der(), certificate.signature())
    });
    let raw = || {
        for (key, message, signature) in &pairs {
            key.verify_der(jose::HashAlg::Sha256, message, signature)
                .unwrap();
        }
    };
    let path = || find_path(&leaf, &others, &anchors, &settings, &warm).unwrap();
    // Leaf and chain as they come: bytes.
    let fresh = || {
        let leaf = Certificate::from_der(leaf.der()).unwrap();
        let others = [Certificate::from_der(middle.certificate.der()).unwrap()];
        find_path(&leaf, &others, &anchors, &settings, &warm).unwrap()
    };
    let whole = || {
        let path = path();
        assert!(check_leaf(&leaf, Profile::Wallet, settings.at).is_empty());
        let sources = RevocationSources {
            crls: &crls,
            certificates: &others,
            settings: &settings,
            validator: &warm,
        };
        assert_eq!(path_status(&path, sources).len(), 2);
    };

    // A leaf never seen before: nothing of its own is kept.
    let unseen = || find_path(&leaf, &others, &anchors, &settings, &Certval::new()).unwrap();

    let mut group = c.benchmark_group("path");
    group.bench_function("raw verifications", |b| b.iter(raw));
    group.bench_function("warm", |b| b.iter(path));
    group.bench_function("warm, the chain read from bytes", |b| b.iter(fresh));
    group.bench_function("cold", |b| {
        b.iter(unseen);
    });
    group.bench_function("warm, with purpose and CRLs", |b| b.iter(whole));
    group.finish();

    let raw = mean(raw);
    for (name, mean) in [
        ("warm path", mean(|| drop(path()))),
        ("warm path, read from bytes", mean(|| drop(fresh()))),
        ("with purpose and CRLs", mean(whole)),
        ("cold path", mean(|| drop(unseen()))),
    ] {
        println!("{name}: {:.2} x the raw verifications", mean / raw);
    }
}

/// Seconds for one of many runs.
fn mean(run: impl Fn()) -> f64 {
    const RUNS: u32 = 2_000;
    let started = Instant::now();
    for _ in 0..RUNS {
        run();
    }
    started.elapsed().as_secs_f64() / f64::from(RUNS)
}

criterion_group!(benches, paths);
criterion_main!(benches);
