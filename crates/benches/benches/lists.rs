//! A sealed list of 10,000 entities is loaded (seal, parse, check, index), beside
//! what `serde_json` needs to parse the same JSON into values. The ratio between
//! them, and the memory, are measured in `goals`.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "support/lists.rs"]
mod lists;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lists::List;
use tokio::runtime::Runtime;

fn loading(c: &mut Criterion) {
    let list = Runtime::new().unwrap().block_on(List::of(10_000));
    let mut group = c.benchmark_group("a list of 10,000 entities");
    group.sample_size(10);
    group.bench_function("its JSON into values (serde_json)", |b| {
        b.iter(|| black_box(list.parsed()));
    });
    group.bench_function("seal, parse, check and index", |b| {
        b.iter(|| black_box(list.loaded()));
    });
    group.finish();
}

criterion_group!(benches, loading);
criterion_main!(benches);
