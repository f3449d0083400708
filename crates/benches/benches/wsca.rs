//! The speed goals of the WSCA over a SoftHSM token: each a ratio of two things
//! measured in turn in this one run, printed beside its goal. Exits with 1 when one is
//! missed.
//!
//! `cargo bench -p claviger-benches --bench wsca`; `-- soak` runs the minute of 1,000
//! units besides.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "support/wsca_house.rs"]
mod house;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use claviger_fixtures::tokens::{Module, Tokens};
use house::{House, Measured};
use jose::Curve;
use sci::{Sci, Task};
use wscd::{UnitBinding, UserKey, WrappedKey, WrappedUnitKey, Wscd};

const FOLDER: &str = "CLAVIGER_BENCH_TOKENS";
const ROLE: &str = "CLAVIGER_BENCH_ROLE";
const BATCH: usize = 32;

fn main() -> ExitCode {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return with_a_token();
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match std::env::var(ROLE).unwrap().as_str() {
        "worker" => runtime.block_on(worker(&folder)),
        role => runtime.block_on(goals(&folder, role == "soak")),
    }
}

/// A module reads where its tokens are when it is initialised: so the measuring is
/// done by a process of its own.
fn with_a_token() -> ExitCode {
    let Some(module) = Module::SoftHsm.path() else {
        println!(
            "SKIPPED the goals of the WSCA: {}",
            Module::SoftHsm.missing()
        );
        return ExitCode::SUCCESS;
    };
    let folder = tempfile::tempdir().unwrap();
    let role = if std::env::args().any(|argument| argument == "soak") {
        "soak"
    } else {
        "goals"
    };
    let status = process(&module, folder.path(), role).status().unwrap();
    ExitCode::from(u8::from(!status.success()))
}

fn process(module: &Path, folder: &Path, role: &str) -> Command {
    let tokens = Tokens::prepare(Module::SoftHsm, module.to_owned(), folder).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .envs(tokens.environment())
        .env(FOLDER, folder)
        .env(ROLE, role);
    command
}

async fn open_token(folder: &Path) -> Arc<dyn Wscd> {
    let module = Module::SoftHsm.path().unwrap();
    let tokens = Tokens::at(Module::SoftHsm, module, folder);
    let uri = tokens.uri("bench");
    let so_pin = wscd_pkcs11::PinSource::File(folder.join("so-pin"));
    wscd_pkcs11::init(&uri, Some(so_pin)).await.unwrap();
    wscd_pkcs11::open(&uri).await.unwrap()
}

async fn goals(folder: &Path, soak: bool) -> ExitCode {
    let device = open_token(folder).await;
    let house = House::open(device, folder).await;
    let mut goals = Goals::default();
    signing(&house, &mut goals).await;
    rotating(&house, &mut goals).await;
    making(&house, &mut goals).await;
    two_processes(&mut goals);
    if soak {
        drop(house);
        let folder = tempfile::tempdir().unwrap();
        let device = Arc::new(wscd::software::SoftwareDevice::ephemeral().unwrap());
        soaking(&House::open(device, folder.path()).await, &mut goals).await;
    }
    goals.report()
}

/// One signature in an open session, and batches, against the sum of what each must
/// do: open the envelope and verify its signature, the device's work, one durable
/// audit write, and the signed and sealed answer.
async fn signing(house: &House, goals: &mut Goals) {
    let phone = house.phone().await;
    phone
        .sci
        .open_session(&house::pin(), Task::Issuance)
        .await
        .unwrap();
    let session = phone.open_by_hand(house).await;
    let keys = phone.sci.generate_keys(BATCH, Curve::P256).await.unwrap();
    for (count, rounds, most) in [(1, 120, 1.25), (BATCH, 20, 1.2)] {
        let (mut whole, mut parts) = (vec![], vec![]);
        for _ in 0..rounds {
            let request = phone.sign_request(house, &session, &keys[..count]).await;
            let begun = Instant::now();
            house.handle(&request).await;
            whole.push(begun.elapsed());
            let again = phone.sign_request(house, &session, &keys[..count]).await;
            parts.push(house.parts(&phone, &session, &again, &keys[..count]).await);
        }
        let name = format!("{count} signatures in a session / the sum of their parts");
        goals.ratio(&name, Measured::of(whole), Measured::of(parts), most);
    }
}

/// Keys made, against the sum of what that must do. The units are of no use after it:
/// what is done by hand leaves their records behind.
async fn making(house: &House, goals: &mut Goals) {
    let (mut whole, mut parts) = (vec![], vec![]);
    for _ in 0..10 {
        let other = house.phone().await;
        let session = other.open_by_hand(house).await;
        let request = other.generate_request(house, &session, BATCH).await;
        let begun = Instant::now();
        house.handle(&request).await;
        whole.push(begun.elapsed());
        let again = other.generate_request(house, &session, BATCH).await;
        parts.push(house.parts_of_making(&other, &session, &again, BATCH).await);
    }
    let name = format!("{BATCH} keys made in a session / the sum of their parts");
    goals.ratio(&name, Measured::of(whole), Measured::of(parts), 1.2);
}

/// A rotation, against the same units' keys unwrapped and wrapped by hand.
async fn rotating(house: &House, goals: &mut Goals) {
    const UNITS: usize = 24;
    for _ in 0..UNITS {
        let phone = house.phone().await;
        phone
            .sci
            .open_session(&house::pin(), Task::Issuance)
            .await
            .unwrap();
        phone.sci.generate_keys(BATCH, Curve::P256).await.unwrap();
    }
    let mut ratios = vec![];
    let (mut whole, mut raw) = (vec![], vec![]);
    for _ in 0..3 {
        let begun = Instant::now();
        let rotated = house.wsca.rotate(|_| {}).await.unwrap();
        let took = begun.elapsed();
        let by_hand = house.rewrap_all().await;
        assert_eq!(by_hand.1, rotated.keys);
        ratios.push(took.as_secs_f64() / by_hand.0.as_secs_f64());
        whole.push(took);
        raw.push(by_hand.0);
        let each = took / u32::try_from(rotated.keys).unwrap().max(1);
        println!(
            "         {} units, {} keys: {took:.1?}, {each:.1?} a key; 10,000,000 units of {BATCH} keys: {:.0} hours on one such token",
            rotated.units,
            rotated.keys,
            each.as_secs_f64() * 1e7 * BATCH as f64 / 3600.0
        );
    }
    goals.ratio(
        "a rotation / unwrapping and wrapping alone",
        Measured::of(whole),
        Measured::of(raw),
        1.3,
    );
}

/// Two processes, each with its own token, against one: SoftHSM locks within one.
fn two_processes(goals: &mut Goals) {
    let module = Module::SoftHsm.path().unwrap();
    let run = |count: usize| -> f64 {
        let folders: Vec<_> = (0..count).map(|_| tempfile::tempdir().unwrap()).collect();
        let workers: Vec<Child> = folders
            .iter()
            .map(|folder| {
                process(&module, folder.path(), "worker")
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                let output = worker.wait_with_output().unwrap();
                let text = String::from_utf8(output.stdout).unwrap();
                text.trim().parse::<f64>().unwrap()
            })
            .sum()
    };
    let mut ratios: Vec<f64> = (0..5).map(|_| run(2) / run(1)).collect();
    ratios.sort_by(f64::total_cmp);
    goals.at_least("two processes with a token each / one", ratios[2], 1.6);
}

/// Signs for three seconds, and says how many a second it were.
async fn worker(folder: &Path) -> ExitCode {
    let house = House::open(open_token(folder).await, folder).await;
    let phone = house.phone().await;
    phone
        .sci
        .open_session(&house::pin(), Task::Issuance)
        .await
        .unwrap();
    let keys = phone.sci.generate_keys(1, Curve::P256).await.unwrap();
    let digest = sci::Digest::of(b"m", Curve::P256);
    let begun = Instant::now();
    let mut signed = 0u32;
    while begun.elapsed() < Duration::from_secs(3) {
        phone
            .sci
            .sign(&[(keys[0].id, digest.clone())])
            .await
            .unwrap();
        signed += 1;
    }
    println!("{}", f64::from(signed) / begun.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

/// 1,000 units with 32 keys each open and sign at random for a minute.
async fn soaking(house: &House, goals: &mut Goals) {
    const UNITS: usize = 1000;
    let mut units = vec![];
    for _ in 0..UNITS {
        let phone = house.phone().await;
        phone
            .sci
            .open_session(&house::pin(), Task::Issuance)
            .await
            .unwrap();
        let keys = phone.sci.generate_keys(BATCH, Curve::P256).await.unwrap();
        units.push((phone, keys));
    }
    let (units, digest) = (Arc::new(units), sci::Digest::of(b"m", Curve::P256));
    let before = resident();
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for seed in 1..=4u64 {
        let (units, digest) = (units.clone(), digest.clone());
        tasks.spawn(async move {
            let mut times = vec![];
            let mut state = seed;
            let mut next = |below: usize| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                usize::try_from(state >> 33).unwrap() % below
            };
            while begun.elapsed() < Duration::from_secs(60) {
                // Four users at a time, none of them in another's unit.
                let at = next(UNITS / 4) * 4 + usize::try_from(seed - 1).unwrap();
                let (phone, keys) = &units[at];
                if next(8) == 0 {
                    phone
                        .sci
                        .open_session(&house::pin(), Task::Presentation)
                        .await
                        .unwrap();
                }
                let item = [(keys[next(BATCH)].id, digest.clone())];
                let begun = Instant::now();
                match phone.sci.sign(&item).await {
                    Ok(_) => times.push(begun.elapsed()),
                    // It was idle for too long: the user proves the PIN again.
                    Err(error) if error.code() == Some(sci::Code::NoSession) => {
                        phone
                            .sci
                            .open_session(&house::pin(), Task::Presentation)
                            .await
                            .unwrap();
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            times
        });
    }
    let mut times: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    times.sort_unstable();
    let grown = resident() as f64 / before as f64;
    let place = |share: usize| times[times.len() * share / 100];
    println!(
        "         {} signatures in a minute, p50 {:.1?}, p99 {:.1?}, memory {} MB to {} MB",
        times.len(),
        place(50),
        place(99),
        before >> 20,
        resident() >> 20
    );
    let spread = place(99).as_secs_f64() / place(50).as_secs_f64();
    goals.at_most("1,000 units for a minute: p99 / p50", spread, 5.0);
    goals.at_most(
        "1,000 units for a minute: memory after / before",
        grown,
        1.2,
    );
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.unwrap_or(1u64) * 4096
}

/// What was measured, beside what it should be.
#[derive(Default)]
struct Goals {
    missed: usize,
}

impl Goals {
    fn ratio(&mut self, name: &str, of: Measured, to: Measured, most: f64) {
        let name = format!("{name} ({of:.2?} / {to:.2?})");
        self.at_most(
            &name,
            of.median.as_secs_f64() / to.median.as_secs_f64(),
            most,
        );
    }

    fn at_most(&mut self, name: &str, seen: f64, most: f64) {
        self.line(seen <= most, &format!("{seen:.2} (at most {most})  {name}"));
    }

    fn at_least(&mut self, name: &str, seen: f64, least: f64) {
        self.line(
            seen >= least,
            &format!("{seen:.2} (at least {least})  {name}"),
        );
    }

    fn line(&mut self, met: bool, text: &str) {
        self.missed += usize::from(!met);
        println!("{}  {text}", if met { "met    " } else { "MISSED " });
    }

    fn report(&self) -> ExitCode {
        ExitCode::from(u8::from(self.missed > 0))
    }
}

/// By hand, what a rotation asks of the device.
impl House {
    async fn rewrap_all(&self) -> (Duration, u64) {
        let mut took = Duration::ZERO;
        let mut moved = 0;
        for (unit, wrapping, keys) in self.everything().await {
            let unit = UnitBinding(unit);
            let begun = Instant::now();
            let to = self.device.create_unit_key(&unit).await.unwrap();
            let fresh = self
                .device
                .rewrap(&unit, &wrapping, &to, &keys)
                .await
                .unwrap();
            took += begun.elapsed();
            moved += fresh.len() as u64;
        }
        (took, moved)
    }
}

/// What stands in the database, as the device takes it.
pub(crate) fn as_the_device_takes(
    holdings: &wsca::Holdings,
) -> ([u8; 16], WrappedUnitKey, Vec<UserKey>) {
    let keys = holdings.keys.iter().filter_map(|row| {
        Some(UserKey {
            public: jose::PublicKey::from_spki_der(&row.public_key).ok()?,
            wrapped: WrappedKey(row.wrapped.clone()?),
        })
    });
    let wrapping = WrappedUnitKey {
        generation: wscd::Generation(holdings.unit.wrapping_generation),
        bytes: holdings.unit.wrapping_key.clone(),
    };
    (*holdings.unit.unit.as_bytes(), wrapping, keys.collect())
}
