//! What a certificate path costs, beside the raw verifications it needs. The
//! ratios between them are measured in `goals`.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/chains.rs"]
mod chains;

use chains::{at, ca, crl_der, request_at};
use claviger_fixtures::TestKey;
use criterion::{Criterion, criterion_group, criterion_main};
use jose::Curve;
use pki::{
    AnchorIndex, Certificate, Certval, Crl, PathSettings, Profile, RevocationSources, check_leaf,
    find_path, issue, path_status,
};
use tokio::runtime::Runtime;

fn paths(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let (root, middle, leaf, crls) = runtime.block_on(async {
        let base = "http://ca.example";
        let root = ca("Root", base, None).await;
        let middle = ca("Middle", base, Some(&root)).await;
        let key = TestKey::generate(Curve::P256);
        let leaf = request_at(
            Profile::Wallet,
            "Leaf",
            &key,
            "http://ca.example/middle.crl",
        );
        let leaf = issue(&leaf, middle.issuer()).await.unwrap();
        let crls =
            [crl_der(&root).await, crl_der(&middle).await].map(|der| Crl::from_der(&der).unwrap());
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
}

criterion_group!(benches, paths);
criterion_main!(benches);
