//! The provider's keys while the node runs: files that change are taken up, and what
//! ends soon is told long before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use clock::Clock;
use finding::Trusted;
use jiff::{SignedDuration, Timestamp};
use trust::{CheckRequest, Context, Policy, Revocation, TrustService};
use wallet_provider::{
    CertificateState, Generations, KeyPurpose, KeySet, Keyring, Seals, Standing, Succession,
    check_chain,
};

use crate::exit::Failure;
use crate::keys::{KeyFile, KeySource};

/// Keeps a keyring as the files have it.
#[derive(Debug)]
pub(super) struct KeyUpkeep {
    source: Arc<KeySource>,
    keyring: Arc<Keyring>,
    /// What the keyring was made of.
    files: Vec<KeyFile>,
    clock: Arc<dyn Clock>,
    /// What was last said of each key, and when.
    said: HashMap<String, (Urgency, Timestamp)>,
}

/// How soon something must be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Within three months: time to ask for the next certificate.
    Soon,
    /// Within a month: a trusted list needs its time too.
    Pressing,
    /// Within a week, or too late.
    Now,
}

/// How long before its end a certificate is spoken of, the most urgent first.
const ENDS: [(SignedDuration, Urgency); 3] = [
    (DAY.saturating_mul(7), Urgency::Now),
    (DAY.saturating_mul(30), Urgency::Pressing),
    (DAY.saturating_mul(90), Urgency::Soon),
];

/// What was said is said again after this, or when it grows more urgent.
const SAY_AGAIN: SignedDuration = DAY;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What somebody must look at.
const ALARM: &str = "claviger::alarm";

impl KeyUpkeep {
    /// Opens the keys as the files have them now. Outside development a key that is
    /// in use, or comes next, follows its profile (ARF `WUA_10`), or nothing starts.
    pub(super) async fn open(
        source: KeySource,
        clock: Arc<dyn Clock>,
        development: bool,
    ) -> Result<Self, Failure> {
        let files = source.files()?;
        let set = source.load(&files).await?;
        check(&set, clock.now(), development)?;
        let keyring = if files.iter().any(KeyFile::is_compromised) {
            // Revocations are taken, and lists published, also where nothing can be
            // attested any more.
            Keyring::lacking(set)
        } else {
            Keyring::new(set).map_err(|error| {
                let why = "claviger keys request and install, or wallet_provider.certificate and \
                           wallet_provider.status_certificate";
                Failure::new(format!("{error}: {why}"))
            })?
        };
        Ok(Self {
            source: Arc::new(source),
            keyring: Arc::new(keyring),
            files,
            clock,
            said: HashMap::new(),
        })
    }

    pub(super) fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring)
    }

    /// Takes up what was installed, activated or retired since the last round, and
    /// says what ends soon. Keys that cannot be taken up leave those that are in use.
    pub(super) async fn round(&mut self) -> Result<(), Failure> {
        let taken_up = self.take_up().await;
        let now = self.clock.now();
        let warnings = warnings(&self.keyring.generations(), now);
        for (about, urgency, text) in warnings {
            let before = self.said.get(&about);
            let said = before.is_some_and(|(before, at)| {
                urgency <= *before && now.duration_since(*at) < SAY_AGAIN
            });
            if said {
                continue;
            }
            match urgency {
                Urgency::Soon => tracing::warn!(event = "certificate.ends", "{text}"),
                Urgency::Pressing => tracing::error!(event = "certificate.ends", "{text}"),
                Urgency::Now => {
                    tracing::error!(target: ALARM, event = "certificate.ends", "{text}");
                }
            }
            self.said.insert(about, (urgency, now));
        }
        taken_up
    }

    async fn take_up(&mut self) -> Result<(), Failure> {
        let source = Arc::clone(&self.source);
        let read = tokio::task::spawn_blocking(move || source.files()).await;
        let files = read.map_err(|error| Failure::of("the key files", &error))??;
        if files == self.files {
            return Ok(());
        }
        match self.source.load(&files).await {
            Ok(set) => self.keyring.replace(set),
            Err(error) => {
                // Whatever is wrong with another file: what is compromised signs no more.
                self.keyring.give_up(|generation| {
                    let mut lost = files.iter().filter(|file| file.is_compromised());
                    lost.any(|file| {
                        file.purpose == generation.purpose()
                            && file.generation == generation.number()
                    })
                });
                return Err(error);
            }
        }
        tracing::info!(event = "keys.taken-up", files = files.len());
        self.files = files;
        Ok(())
    }
}

/// What has to be said of the keys: about which, how urgently, in which words.
pub(super) fn warnings(keys: &Generations, now: Timestamp) -> Vec<(String, Urgency, String)> {
    let mut warnings = Vec::new();
    for what in Seals::ALL {
        if keys.signing(what, now).is_none() {
            let name = what.name();
            let text = format!("nothing signs for {name}: no certificate of it is valid now");
            warnings.push((name.to_owned(), Urgency::Now, text));
        }
    }
    for state in keys.certificates(now) {
        // What somebody takes over from may end.
        if state.standing == Standing::Signing
            && state.succession == Succession::Open
            && let Some(urgency) = urgency(&state)
        {
            let days = state.seconds_left.div_euclid(DAY.as_secs());
            let end = state.generation.ends();
            let about = state.generation.to_string();
            let text = format!("{about} ends in {days} days, at {end}, and nothing comes after it");
            warnings.push((about, urgency, text));
        }
    }
    warnings
}

fn urgency(state: &CertificateState) -> Option<Urgency> {
    let left = SignedDuration::from_secs(state.seconds_left);
    let within = ENDS.iter().find(|(within, _)| left <= *within);
    within.map(|(_, urgency)| *urgency)
}

/// Holds what signs, and what comes next, against its profile.
fn check(set: &KeySet, now: Timestamp, development: bool) -> Result<(), Failure> {
    for state in set.generations.certificates(now) {
        if !matches!(state.standing, Standing::Signing | Standing::Next) {
            continue;
        }
        let generation = &state.generation;
        let seal = generation.seal();
        let chain =
            pki::chain::from_ders(&seal.chain).map_err(|error| Failure::of(generation, &error))?;
        let key = seal.signer.public_key();
        let starts = generation.starts();
        let findings = check_chain(&chain, generation.purpose(), key, starts, now);
        for finding in &findings {
            tracing::warn!(key = %generation, %finding, "the provider's own certificate");
        }
        if !development && let Err(refusal) = finding::Refusal::unless_clean(findings) {
            return Err(Failure::new(format!(
                "{generation}: its certificate does not follow its profile (ARF WUA_10): {refusal}"
            )));
        }
    }
    Ok(())
}

/// What was found of the lists that name this provider, in words for `/ready`.
#[derive(Debug, Clone, Default)]
pub(super) struct Listing(Arc<Mutex<Vec<String>>>);

/// How often the lists are asked.
const ASK: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// How long before its NextUpdate a list that names this provider is spoken of.
const LIST_ENDS: SignedDuration = DAY.saturating_mul(3);

impl Listing {
    pub(super) fn warnings(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks the lists again and again whether they name the certificates in use, and
    /// the next ones. Ends with the task.
    pub(super) async fn watch(
        self,
        keyring: Arc<Keyring>,
        trust: Arc<TrustService>,
        policy: Policy,
        clock: Arc<dyn Clock>,
    ) {
        let mut pause = tokio::time::interval(ASK);
        loop {
            pause.tick().await;
            let found = ask(&keyring.generations(), &trust, policy, clock.now()).await;
            for text in &found {
                tracing::warn!(event = "certificate.listing", "{text}");
            }
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = found;
        }
    }
}

async fn ask(
    keys: &Generations,
    trust: &TrustService,
    policy: Policy,
    now: Timestamp,
) -> Vec<String> {
    let mut found = Vec::new();
    for state in keys.certificates(now) {
        let generation = &state.generation;
        let context = match (state.standing, generation.purpose()) {
            (Standing::Ended | Standing::Earlier, _) => continue,
            (_, KeyPurpose::Status) => Context::WalletStatus,
            _ => Context::Wallet,
        };
        let Ok(chain) = pki::chain::from_ders(&generation.seal().chain) else {
            continue;
        };
        let request = CheckRequest {
            chain,
            context,
            policy,
            // Whether it is listed is the question here.
            revocation: Revocation::Skip,
            at: now.max(generation.certificate().not_before()),
        };
        let verdict = trust.check(&request).await;
        if verdict.trusted != Trusted::Yes {
            let why = verdict.findings.iter().map(|f| f.rule.as_ref());
            let why: Vec<&str> = why.collect();
            found.push(format!(
                "the trusted lists do not bear out {generation} as {context}: {} ({})",
                verdict.trusted,
                why.join(", ")
            ));
        }
        for list in &verdict.lists {
            let soon = |next: &Timestamp| next.duration_since(now) <= LIST_ENDS;
            if let Some(next) = list.next_update.filter(soon) {
                let text = format!("the trusted list {} ends at {next}", list.uri);
                if !found.contains(&text) {
                    found.push(text);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
