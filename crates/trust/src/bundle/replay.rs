//! The same verdict from a bundle, offline, later. No network and no clock: the
//! time is the question's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use finding::{Refusal, Verdict};
use lote::{Mode, Signers, Verifier};
use pki::{Certificate, Certval};

use super::parts::{self, List, Sealed};
use super::record::made_by;
use super::{Bundle, shown};
use crate::check::decide;
use crate::revocation::judge;
use crate::rules;
use crate::snapshot::{self, Held, Led, Loaded, Slot, Snapshot};
use crate::source::{Location, SignerPolicy, Source, Upkeep};

/// What who replays a bundle knows of it by himself. A bundle is no more than its
/// maker's word for whose seals were accepted; with these it is shown.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// The signers of the lists.
    pub signers: Option<Vec<Certificate>>,
    /// The digest the bundle was handed over with ([`Bundle::digest`]).
    pub digest: Option<String>,
}

impl Bundle {
    /// Gives the verdict again, from the evidence alone.
    ///
    /// # Errors
    /// Refused under [`rules::BUNDLE_DIGEST`] or [`rules::BUNDLE_SIGNER`] when the
    /// pins are not the bundle's, under [`rules::BUNDLE_FORM`] or
    /// [`rules::BUNDLE_LIST`] when a part cannot be used, and under
    /// [`rules::REPLAY_DIFFERS`] when the verdict does not follow from it.
    pub fn replay(&self, pins: &Pins) -> Result<Verdict, Refusal> {
        if let Some(digest) = &pins.digest
            && !digest.eq_ignore_ascii_case(&self.digest())
        {
            let evidence = format!("it is {}, not {}", self.digest(), shown(digest));
            return Err(Refusal::because(&rules::BUNDLE_DIGEST, "bundle", evidence));
        }
        let request = self.question()?;
        let material = self.body.revocation.read()?;
        let lists = self.body.lists.iter().map(|list| slot(list, pins));
        let snapshot = Snapshot {
            slots: lists.collect::<Result<_, _>>()?,
            grace: Duration::from_secs(self.body.grace_seconds),
        };
        snapshot
            .slots
            .iter()
            .try_for_each(|slot| pointed_to(slot, &snapshot))?;
        let validator = Certval::new();
        let decision = decide(&snapshot, &request, &validator);
        let mut verdict = judge(decision, &request, &material, &validator);
        verdict.findings.extend(self.body.remarks.iter().cloned());
        self.compare(verdict)
    }

    /// The same verdict. Another version of the program may tell of it in other
    /// words.
    fn compare(&self, mut verdict: Verdict) -> Result<Verdict, Refusal> {
        let recorded = &self.body.verdict;
        if verdict == *recorded {
            return Ok(verdict);
        }
        let same_answer = Verdict {
            findings: Vec::new(),
            ..verdict.clone()
        } == Verdict {
            findings: Vec::new(),
            ..recorded.clone()
        };
        if same_answer && self.body.made_by != made_by() {
            let evidence = format!(
                "made by {}, replayed by {}; the findings differ",
                shown(&self.body.made_by),
                made_by()
            );
            verdict
                .findings
                .push(rules::REPLAY_VERSION.finding("bundle", evidence));
            return Ok(verdict);
        }
        let evidence = difference(recorded, &verdict);
        Err(Refusal::because(
            &rules::REPLAY_DIFFERS,
            "verdict",
            evidence,
        ))
    }
}

/// Where two verdicts part, in words.
fn difference(recorded: &Verdict, replayed: &Verdict) -> String {
    if recorded.trusted != replayed.trusted {
        let why = replayed.findings.iter().max_by_key(|f| f.severity);
        let why = why.map(ToString::to_string).unwrap_or_default();
        return format!(
            "recorded {}, and the evidence gives {}: {why}",
            recorded.trusted, replayed.trusted
        );
    }
    let named = |verdict: &Verdict| -> BTreeSet<String> {
        let rules = verdict.findings.iter().map(|f| f.rule.to_string());
        rules.collect()
    };
    let (recorded_rules, replayed_rules) = (named(recorded), named(replayed));
    let differ: Vec<&String> = recorded_rules
        .symmetric_difference(&replayed_rules)
        .collect();
    if differ.is_empty() {
        return "the same answer with another method, path, list or evidence".to_owned();
    }
    format!("the same answer by other rules: {differ:?}")
}

fn slot(list: &List, pins: &Pins) -> Result<Slot, Refusal> {
    let form = |what: &str| {
        let subject = shown(&list.location);
        Refusal::because(&rules::BUNDLE_FORM, subject, format!("no such {what}"))
    };
    let profile = lote::Profile::from_name(&list.profile).ok_or_else(|| form("profile"))?;
    let mode = match list.mode.as_str() {
        "strict" => Mode::Strict,
        "interop" => Mode::Interop,
        _ => return Err(form("mode")),
    };
    let signers = match &list.pinned {
        None => SignerPolicy::Anyone,
        Some(pinned) => {
            let read = pinned.iter().map(|text| parts::certificate(text));
            let read = read.collect::<Result<_, _>>();
            SignerPolicy::Pinned(read.map_err(|_| form("signer"))?)
        }
    };
    let location = match list.location.parse() {
        Ok(url) => Location::Url(url),
        Err(_) => Location::File(list.location.clone().into()),
    };
    let source = Source {
        profile,
        location,
        signers,
        mode,
        upkeep: Upkeep::default(),
    };
    let mut slot = Slot::of(source);
    slot.memory.source = list.location.clone();
    slot.trouble = list.trouble.clone();
    // Whom a pointer leads to is sealed by whom the pointer names.
    let pinned = pins.signers.as_deref().filter(|_| list.led.is_none());
    let current = list.held.as_ref().map(|h| held(h, &slot.source, pinned));
    slot.held = current.transpose()?.map(Arc::new);
    slot.led = list.led.as_ref().map(|led| {
        Arc::new(Led {
            by: led.by.clone(),
            until: led.until,
            territory: None,
            operators: Vec::new(),
        })
    });
    slot.past = match (&list.archived, &list.no_archive) {
        (Some(archived), _) => Some(Ok(Arc::new(held(archived, &slot.source, pinned)?))),
        (None, Some(finding)) => Some(Err(finding.clone())),
        (None, None) => None,
    };
    Ok(slot)
}

/// A list that pointers led to bears the seal of a signer whom the list before it
/// names (TS 119 602, 6.3.13), and that one stands one step nearer to a configured
/// source: lists that vouch for each other in a circle vouch for nothing.
fn pointed_to(slot: &Slot, snapshot: &Snapshot) -> Result<(), Refusal> {
    let Some(led) = &slot.led else { return Ok(()) };
    let (by, before) = match led.by.split_last() {
        Some((by, before)) => (by.as_str(), before),
        None => ("", &[][..]),
    };
    let way = |slot: &Slot| slot.led.as_ref().map_or(Vec::new(), |led| led.by.clone());
    let pointing = snapshot
        .slots
        .iter()
        .find(|slot| slot.name() == by && way(slot) == before);
    let named: Vec<Certificate> = pointing
        .and_then(|slot| slot.held.as_deref())
        .into_iter()
        .flat_map(|held| held.verified.list.content().scheme().pointers_elsewhere())
        .flat_map(lote::model::Pointer::certificates)
        .collect();
    let past = slot.past.as_ref().and_then(|past| past.as_ref().ok());
    for held in slot.held.iter().chain(past) {
        if !held
            .verified
            .signer
            .as_ref()
            .is_some_and(|s| named.contains(s))
        {
            let evidence = format!(
                "{} does not name its signer, or is not in the bundle",
                shown(by)
            );
            return Err(Refusal::because(&rules::BUNDLE_SIGNER, &held.uri, evidence));
        }
    }
    Ok(())
}

/// A list of the bundle, its seal verified again.
fn held(sealed: &Sealed, source: &Source, pinned: Option<&[Certificate]>) -> Result<Held, Refusal> {
    let uri = shown(&sealed.uri);
    let (mut verified, index) = authenticate(sealed, source)
        .map_err(|why| Refusal::because(&rules::BUNDLE_LIST, &uri, why))?;
    if verified.list.profile() != Some(source.profile) {
        let why = format!("it is of the type {}", shown(verified.list.lote_type()));
        return Err(Refusal::because(&rules::BUNDLE_LIST, &uri, why));
    }
    if let Some(pinned) = pinned
        && !verified.signer.as_ref().is_some_and(|s| pinned.contains(s))
    {
        let why = "none of the signers that are pinned for this replay sealed it";
        return Err(Refusal::because(&rules::BUNDLE_SIGNER, &uri, why));
    }
    verified.findings = sealed.found.clone();
    let text: Arc<[u8]> = sealed.text.as_bytes().into();
    Ok(Held::new(
        sealed.uri.clone(),
        (verified, index),
        sealed.accepted,
        snapshot::Sealed::Here(text),
    ))
}

fn authenticate(sealed: &Sealed, source: &Source) -> Result<Loaded, String> {
    let announced = sealed.announced.as_deref().map(parts::certificate);
    let announced = announced.transpose()?;
    let mut accepted: Vec<Certificate> = match &source.signers {
        SignerPolicy::Pinned(pinned) => pinned.clone(),
        SignerPolicy::Anyone => Vec::new(),
    };
    accepted.extend(announced);
    let signers = match &source.signers {
        SignerPolicy::Pinned(_) => Signers::Pinned(&accepted),
        SignerPolicy::Anyone => Signers::Anyone,
    };
    let mode = source.mode;
    let verifier = Verifier { signers, mode };
    verifier
        .load(sealed.text.as_bytes(), sealed.accepted)
        .map_err(|refusal| refusal.to_string())
}
