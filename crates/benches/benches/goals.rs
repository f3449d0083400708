//! The speed goals of lists and chains: each a ratio of two things measured in
//! turn in this one run, or a bound, printed beside its goal. Exits with 1 when
//! one is missed.
//!
//! `cargo bench -p claviger-benches --bench goals`
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "support/chains.rs"]
mod chains;
#[path = "support/goals.rs"]
mod goals;
#[path = "support/lists.rs"]
mod lists;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/timing.rs"]
mod timing;
#[path = "support/world.rs"]
mod world;

use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Duration;

use goals::Goals;
use lists::List;
use timing::{both, throughput, warm_mean};
use tokio::runtime::Runtime;
use world::{Direct, Pkix};

const ENTITIES: usize = 10_000;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(memory::ROLE) {
        return memory::measure(arguments);
    }
    let runtime = Runtime::new().unwrap();
    let mut goals = Goals::default();
    chains_and_paths(&runtime, &mut goals);
    let large = runtime.block_on(List::of(ENTITIES));
    let small = runtime.block_on(List::of(10));
    direct_trust(&runtime, &large, &small, &mut goals);
    loading(&large, &mut goals);
    goals.report()
}

/// Path validation with one intermediate, and the whole check.
fn chains_and_paths(runtime: &Runtime, goals: &mut Goals) {
    let pkix = runtime.block_on(Pkix::new());
    let (path, raw) = both(|| pkix.path(), || pkix.raw());
    goals.ratio("path, one intermediate / raw verifications", path, raw, 1.3);
    let (check, raw) = both(|| runtime.block_on(pkix.check()), || pkix.raw());
    goals.ratio(
        "whole check, cached CRLs / raw verifications",
        check,
        raw,
        1.8,
    );
    let cores = available_parallelism().map_or(1, usize::from);
    if let Some(busy) = timing::busy(Duration::from_millis(500)).filter(|busy| *busy > 0.25) {
        let busy = busy * 100.0;
        println!("SKIPPED throughput over cores: other work takes {busy:.0} % of the machine");
    } else if cores > 1 {
        let one = throughput(1, || runtime.block_on(pkix.check()));
        let all = throughput(cores, || runtime.block_on(pkix.check()));
        let name = format!("whole checks a second, {cores} cores / one ({all:.0} / {one:.0})");
        goals.at_least(name, all / one, 0.75 * cores as f64);
    }
}

/// A listed leaf to its verdict.
fn direct_trust(runtime: &Runtime, large: &List, small: &List, goals: &mut Goals) {
    let (large, small) =
        runtime.block_on(async { (Direct::new(large).await, Direct::new(small).await) });
    let check = |list: &Direct| {
        runtime.block_on(list.check());
    };
    let (many, few) = both(|| check(&large), || check(&small));
    goals.at_most(
        "direct trust among 10,000 entities",
        many,
        Duration::from_micros(20),
    );
    goals.ratio("direct trust, 10,000 entities / 10", many, few, 1.2);
    let parsed = warm_mean(|| runtime.block_on(large.check_from_bytes()));
    println!("    (with the chain read from DER: {parsed:?})");
}

/// A sealed list into an index, in time and memory.
fn loading(list: &List, goals: &mut Goals) {
    let (load, parse) = timing::few(|| drop(list.loaded()), || drop(list.parsed()));
    goals.ratio(
        "loading 10,000 entities / serde_json's parse",
        load,
        parse,
        4.0,
    );
    match memory::of_loading(list) {
        Ok(memory) => {
            let own = list.certificate_bytes() as f64;
            println!(
                "    ({} bytes sealed, {} bytes of certificates, {} kept, {} at the peak)",
                list.sealed.len(),
                own,
                memory.kept,
                memory.peak
            );
            goals.bound(
                "kept after loading / the certificates' bytes",
                memory.kept as f64 / own,
                3.0,
            );
            goals.bound(
                "peak while loading / the certificates' bytes",
                memory.peak as f64 / own,
                12.0,
            );
        }
        Err(why) => println!("SKIPPED memory of loading: {why}"),
    }
}
