//! The speed goals of attestations, in process: each a ratio of two things measured
//! in turn in this one run. Exits with 1 when one is missed.
//!
//! `cargo bench -p claviger-benches --bench attestations`
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "support/goals.rs"]
mod goals;
#[path = "support/timing.rs"]
mod timing;

use std::process::ExitCode;
use std::time::Duration;

use claviger_fixtures::TestKey;
use goals::Goals;
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, Signer};
use pki::{Profile, Request, Subject};
use status_list::Reference;
use timing::both;
use tokio::runtime::Runtime;
use wua::{Ka, StatusPeriod};

/// How many further keys are looked at.
const FURTHER: u32 = 31;

fn main() -> ExitCode {
    let runtime = Runtime::new().unwrap();
    let key = TestKey::generate(Curve::P256);
    let chain = vec![certificate(&runtime, &key)];
    let [one, many] = [1, 1 + FURTHER].map(ka);
    let signed = |ka: &Ka| runtime.block_on(ka.sign(&chain, &key)).unwrap();
    // What is signed: all but the last part.
    let message = |ka: &Ka| {
        let token = signed(ka);
        token.rsplit_once('.').unwrap().0.to_owned()
    };
    let raw = |message: &str| runtime.block_on(key.sign(message.as_bytes())).unwrap();

    let mut goals = Goals::default();
    let text = message(&one);
    let (built, bare) = both(|| signed(&one), || raw(&text));
    goals.ratio("a KA of one key / the raw signature", built, bare, 1.3);
    let text = message(&many);
    let (more, fewer) = both(|| signed(&many), || signed(&one));
    let each = more.saturating_sub(fewer) / FURTHER;
    goals.at_most("each further key", each, Duration::from_micros(2));
    let (_, bare) = both(|| signed(&one), || raw(&text));
    println!(
        "    (the raw signature over what a KA of {} keys signs: {bare:.1?})",
        1 + FURTHER
    );
    goals.report()
}

fn ka(keys: u32) -> Ka {
    let at = Timestamp::from_second(1_796_000_000).unwrap();
    Ka {
        issued: at,
        expires: at + SignedDuration::from_hours(24),
        keys: (0..keys)
            .map(|_| Signer::public_key(&TestKey::generate(Curve::P256)).clone())
            .collect(),
        key_storage: Vec::new(),
        user_authentication: Vec::new(),
        certification: "https://wallet.example/certification".into(),
        nonce: None,
        status: StatusPeriod {
            reference: Reference::new("https://wallet.example/status/1", 7),
            maintained_until: at + SignedDuration::from_hours(60 * 24),
        },
    }
}

fn certificate(runtime: &Runtime, key: &TestKey) -> Vec<u8> {
    let at = Timestamp::from_second(1_796_000_000).unwrap();
    let request = Request::new(
        Profile::Wallet,
        Subject::legal("DE", "Provider", "NTRDE-HRB1", "Provider, attestations"),
        Signer::public_key(key).clone(),
        at - SignedDuration::from_hours(1),
        at + SignedDuration::from_hours(1000),
    );
    let issued = runtime.block_on(pki::issue(&request, pki::Issuer::Itself(key)));
    issued.unwrap().der().to_vec()
}
