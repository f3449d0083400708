//! Two things timed in turn, so that whatever slows the machine slows both.
#![allow(dead_code)] // Each benchmark times other things.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How often both are timed, each time over [`BATCH`] runs.
const ROUNDS: usize = 60;
const BATCH: u32 = 50;

/// The medians of one run of each.
pub(crate) fn both<A, B>(
    mut one: impl FnMut() -> A,
    mut other: impl FnMut() -> B,
) -> (Duration, Duration) {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        times.0.push(batch(&mut one));
        times.1.push(batch(&mut other));
    }
    (median(times.0), median(times.1))
}

/// As [`both`], for what takes long: single runs, seven of each.
pub(crate) fn few(mut one: impl FnMut(), mut other: impl FnMut()) -> (Duration, Duration) {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..7 {
        times.0.push(time(&mut one));
        times.1.push(time(&mut other));
    }
    (median(times.0), median(times.1))
}

/// The median of one alone.
pub(crate) fn warm_mean<T>(mut run: impl FnMut() -> T) -> Duration {
    median((0..ROUNDS).map(|_| batch(&mut run)).collect())
}

/// Runs a second by so many threads at once, over two seconds.
pub(crate) fn throughput<T>(threads: usize, run: impl Fn() -> T + Sync) -> f64 {
    let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    black_box(run());
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(Duration::from_secs(2));
        stop.store(true, Ordering::Relaxed);
    });
    done.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64()
}

/// The share of the machine that others take while we sleep; none where the kernel
/// does not say.
pub(crate) fn busy(during: Duration) -> Option<f64> {
    let before = idle_and_all()?;
    thread::sleep(during);
    let after = idle_and_all()?;
    let all = after.1.saturating_sub(before.1).max(1);
    let idle = after.0.saturating_sub(before.0);
    Some(1.0 - idle as f64 / all as f64)
}

fn idle_and_all() -> Option<(u64, u64)> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let ticks = stat.lines().next()?.split_whitespace().skip(1);
    let ticks: Vec<u64> = ticks.map_while(|tick| tick.parse().ok()).collect();
    // user, nice, system, idle, iowait, …
    Some((ticks.get(3)? + ticks.get(4)?, ticks.iter().sum()))
}

fn batch<T>(run: &mut impl FnMut() -> T) -> Duration {
    time(&mut || {
        for _ in 0..BATCH {
            black_box(run());
        }
    }) / BATCH
}

fn time(run: &mut impl FnMut()) -> Duration {
    let started = Instant::now();
    run();
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
