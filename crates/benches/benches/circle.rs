//! The raw costs (a signature, a verification, a hash, a compression), and beside
//! them the steps of the circle, so that each can be stated as a ratio.
#![allow(missing_docs, clippy::unwrap_used)]

use std::io::Write;

use claviger_fixtures::TestKey;
use criterion::{Criterion, criterion_group, criterion_main};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use jose::{Curve, Signer, sha256};
use tokio::runtime::Runtime;

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
    // One bit an entry, 100,000 entries, one in a hundred set.
    let mut list = vec![0u8; 100_000 / 8];
    for index in (0..100_000).step_by(100) {
        list[index / 8] |= 1 << (index % 8);
    }
    group.bench_function("zlib of a 100,000-entry list", |b| {
        b.iter(|| {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
            encoder.write_all(&list).unwrap();
            encoder.finish().unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, raw);
criterion_main!(benches);
