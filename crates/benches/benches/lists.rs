//! A sealed list of 10,000 entities is loaded (seal, parse, check, index), beside
//! what `serde_json` needs to parse the same JSON into values.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use claviger_fixtures::TestKey;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, Signer, b64};
use lote::{
    Draft, Index, Mode, NewEntity, NewService, Operator, Postal, Profile, Publication, ServiceKind,
    Signers, Verifier,
};
use pki::{Certificate, Issuer, Request, Subject};
use serde_json::Value;
use tokio::runtime::Runtime;

const ENTITIES: usize = 10_000;
const OPERATOR: &str = "Example List Operator";

struct List {
    sealed: Vec<u8>,
    payload: Vec<u8>,
    signer: Certificate,
    at: Timestamp,
}

impl List {
    /// A list of wallet providers, each with two services and its own certificate.
    async fn of(entities: usize) -> Self {
        let at: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let (key, signer) = party("EU", OPERATOR, pki::Profile::ListOperator, at).await;
        let operator = Operator {
            name: OPERATOR.into(),
            territory: "EU".into(),
            address: postal(),
            email: "lists@operator.example".into(),
            web: "https://operator.example".into(),
        };
        let publication = Publication {
            scheme_name: "example list".into(),
            location: "https://operator.example/list.jws".into(),
            information: "https://operator.example/about".into(),
            archive: "https://operator.example/archive".into(),
            policy: "https://operator.example/policy".into(),
        };
        let signers = [signer.clone()];
        // Entities are added one by one to lists of one, as each look-up by name
        // goes through the whole list.
        let mut list = None;
        let mut all = Vec::with_capacity(entities);
        for i in 0..entities {
            let name = format!("Example Provider {i} GmbH");
            let (_, certificate) = party("DE", &name, pki::Profile::StatusList, at).await;
            let mut draft = Draft::new(Profile::Wallet, &operator, &publication, &signers);
            draft.add_entity(&entity(&name)).unwrap();
            for kind in [ServiceKind::Issuance, ServiceKind::Revocation] {
                let service = NewService {
                    kind,
                    name: "Example wallet solution".into(),
                    certificates: vec![certificate.clone()],
                    unique_id: Some(format!("https://provider.example/solutions/{i}")),
                    supply_point: None,
                };
                draft.add_service(&name, &service, at).unwrap();
            }
            draft.issue(at, lote::next_update_after(at, 150)).unwrap();
            let mut one = draft.list().clone();
            all.extend(one.lote.entities.take().unwrap());
            list = Some(one);
        }
        let mut list = list.unwrap();
        list.lote.entities = Some(all);
        let sealed = lote::seal(&list, &signers, &key, at).await.unwrap();
        let payload = b64::decode(sealed.split('.').nth(1).unwrap()).unwrap();
        Self {
            sealed: sealed.into_bytes(),
            payload,
            signer,
            at,
        }
    }

    fn parsed(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap()
    }

    fn loaded(&self) -> Index {
        let signers = std::slice::from_ref(&self.signer);
        let verifier = Verifier {
            signers: Signers::Pinned(signers),
            mode: Mode::Strict,
        };
        let verified = verifier.verify(&self.sealed, self.at).unwrap();
        Index::of(&verified.list)
    }
}

async fn party(
    country: &str,
    name: &str,
    profile: pki::Profile,
    at: Timestamp,
) -> (TestKey, Certificate) {
    let key = TestKey::generate(Curve::P256);
    let subject = Subject::legal(country, name, &format!("NTR{country}-1"), name);
    let public = Signer::public_key(&key).clone();
    let year = SignedDuration::from_hours(24 * 365);
    let request = Request::new(profile, subject, public, at, at + year);
    let made = pki::issue(&request, Issuer::Itself(&key)).await.unwrap();
    (key, made)
}

fn entity(name: &str) -> NewEntity {
    NewEntity {
        name: name.into(),
        registration: "NTRDE-1".into(),
        member_state: "DE".into(),
        address: postal(),
        email: "contact@provider.example".into(),
        phone: "+49301234567".into(),
        web: "https://provider.example".into(),
        policies: "https://provider.example/policy".into(),
        law: None,
    }
}

fn postal() -> Postal {
    Postal {
        street: "Example Street 1".into(),
        locality: "Berlin".into(),
        postal_code: "10115".into(),
        country: "DE".into(),
    }
}

fn loading(c: &mut Criterion) {
    let list = Runtime::new().unwrap().block_on(List::of(ENTITIES));
    ratio(&list);
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

/// Both in turn, so that whatever slows the machine slows both: at most 4.
fn ratio(list: &List) {
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    let mut parse = Vec::new();
    let mut load = Vec::new();
    for _ in 0..7 {
        parse.push(time(&|| drop(black_box(list.parsed()))));
        load.push(time(&|| drop(black_box(list.loaded()))));
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    let (parse, load) = (median(&mut parse), median(&mut load));
    println!(
        "loading {ENTITIES} entities ({} bytes sealed): {load:?}, serde_json's parse {parse:?}, ratio {:.2}",
        list.sealed.len(),
        load.as_secs_f64() / parse.as_secs_f64()
    );
}

criterion_group!(benches, loading);
criterion_main!(benches);
