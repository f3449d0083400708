//! Pointers of a list to other lists (TS 119 602, 6.3.13), followed.
//!
//! What a pointer leads to becomes a source like any other: fetched within the same
//! limits, pinned to the certificates that the pointer names, and of the type, the
//! territory and the operator that it says. Where the pointer is gone, so is the
//! source.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use finding::Finding;
use jiff::Timestamp;
use lote::model::{Pointer, Text};
use lote::{List, Profile};
use pki::Certificate;
use url::Url;

use crate::rules;
use crate::snapshot::{Led, Slot};
use crate::source::{Location, SignerPolicy, Source, Upkeep};

/// How far pointers are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PointerLimits {
    /// How many pointers may lie between a configured source and a list.
    pub depth: usize,
    /// How many lists may be led to in all.
    pub lists: usize,
}

impl Default for PointerLimits {
    /// Two pointers deep, as from a union's list over a state's to a region's; 64
    /// lists.
    fn default() -> Self {
        Self {
            depth: 2,
            lists: 64,
        }
    }
}

/// The sources as their pointers lead to them.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    /// The configured ones in their order, then those that pointers lead to.
    pub(crate) slots: Vec<Slot>,
    /// What was found of the pointers of a source, by its name.
    pub(crate) findings: Vec<(String, Finding)>,
    /// Those that no pointer leads to any more.
    pub(crate) gone: Vec<Slot>,
}

/// Follows the pointers of the lists that are held. A source that was led to before
/// stays as it is; `restore` gives one that was not.
pub(crate) fn follow(
    before: Vec<Slot>,
    limits: &PointerLimits,
    mut restore: impl FnMut(Slot) -> Slot,
) -> Followed {
    let (configured, mut led): (Vec<Slot>, Vec<Slot>) =
        before.into_iter().partition(|slot| slot.led.is_none());
    let mut followed = Followed::default();
    let mut seen: HashSet<String> = configured.iter().map(|s| s.name().to_owned()).collect();
    let mut waiting: VecDeque<Slot> = configured.into();
    let mut count = 0;
    while let Some(mut slot) = waiting.pop_front() {
        let mut findings = Vec::new();
        for pointer in pointers_of(&slot) {
            let step = Step::of(&slot, pointer).and_then(|step| {
                step.within(&slot, limits, &seen, count)?;
                Ok(step)
            });
            match step {
                Err(finding) => findings.push(finding),
                Ok(step) => {
                    count += 1;
                    seen.insert(step.source.location.to_string());
                    waiting.push_back(step.slot(&mut led, &mut restore));
                }
            }
        }
        let name = slot.name().to_owned();
        let named = findings.iter().map(|f| (name.clone(), f.clone()));
        followed.findings.extend(named);
        slot.remarks
            .retain(|f| !f.rule.starts_with("TRUST-POINTER-"));
        slot.remarks.extend(findings);
        followed.slots.push(slot);
    }
    followed.gone = led;
    followed
}

/// The pointers to other lists of a source whose pointers are followed.
fn pointers_of(slot: &Slot) -> impl Iterator<Item = &Pointer> {
    let held = slot.held.as_deref();
    let list = held.filter(|_| slot.source.upkeep.follow_pointers);
    let scheme = list.map(|held| held.verified.list.content().scheme());
    scheme
        .into_iter()
        .flat_map(|scheme| scheme.pointers_elsewhere())
}

/// A pointer, read.
struct Step {
    source: Source,
    led: Led,
}

impl Step {
    /// Reads a pointer of the list that a source holds; or says why it cannot be
    /// followed.
    fn of(from: &Slot, pointer: &Pointer) -> Result<Self, Finding> {
        let shown: String = pointer
            .location
            .as_deref()
            .unwrap_or("no location")
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect();
        let location: Url = pointer
            .location
            .as_deref()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| rules::POINTER_LOCATION.finding(from.name(), &shown))?;
        let typed = pointer.qualifiers.iter().find_map(|q| {
            let profile = Profile::of_type(q.lote_type.as_deref()?)?;
            Some((profile, q))
        });
        let (profile, qualifier) =
            typed.ok_or_else(|| rules::POINTER_TYPE.finding(from.name(), &shown))?;
        let signers: Vec<Certificate> = pointer.certificates().collect();
        if signers.is_empty() {
            let evidence = format!("{shown}: no certificate that can be read");
            return Err(rules::POINTER_SIGNER.finding(from.name(), evidence));
        }
        // A pin is worth what the list is worth that gives it.
        if matches!(from.source.signers, SignerPolicy::Anyone) {
            let evidence = format!("{shown}: the list that points to it may be anyone's");
            return Err(rules::POINTER_SIGNER.finding(from.name(), evidence));
        }
        Ok(Self {
            source: Source {
                profile,
                location: Location::Url(location),
                signers: SignerPolicy::Pinned(signers),
                mode: from.source.mode,
                upkeep: Upkeep {
                    interval: from.source.upkeep.interval,
                    follow_pointers: true,
                    archive: None,
                },
            },
            led: Led {
                by: way_from(from),
                until: vouched_until(from),
                territory: qualifier.scheme_territory.clone(),
                operators: qualifier
                    .scheme_operator_name
                    .iter()
                    .map(|name| name.text().to_owned())
                    .collect(),
            },
        })
    }

    /// Whether it leads no longer, no further and to no more than is allowed.
    fn within(
        &self,
        from: &Slot,
        limits: &PointerLimits,
        seen: &HashSet<String>,
        count: usize,
    ) -> Result<(), Finding> {
        let to = self.source.location.to_string();
        if self.led.by.contains(&to) {
            let evidence = format!("{to} is on the way: {}", self.led.by.join(", "));
            return Err(rules::POINTER_LOOP.finding(from.name(), evidence));
        }
        if seen.contains(&to) {
            let evidence = format!("{to} is a source already");
            let mut finding = rules::POINTER_LOOP.finding(from.name(), evidence);
            finding.severity = finding::Severity::Note;
            return Err(finding);
        }
        if self.led.by.len() > limits.depth {
            let evidence = format!("{to} lies {} pointers away", self.led.by.len());
            return Err(rules::POINTER_DEPTH.finding(from.name(), evidence));
        }
        if count >= limits.lists {
            let evidence = format!("{to} would be one more than {}", limits.lists);
            return Err(rules::POINTER_COUNT.finding(from.name(), evidence));
        }
        Ok(())
    }

    /// The source it leads to: as it was, where the pointer still names the same
    /// signers, type, territory and operator; from the folder of copies otherwise.
    fn slot(self, led: &mut Vec<Slot>, restore: &mut impl FnMut(Slot) -> Slot) -> Slot {
        let name = self.source.location.to_string();
        let known = led.iter().position(|slot| slot.name() == name);
        if let Some(mut slot) = known.map(|at| led.remove(at))
            && self.is_still(&slot)
        {
            slot.source = self.source;
            slot.led = Some(Arc::new(self.led));
            return slot;
        }
        let mut slot = Slot::of(self.source);
        slot.led = Some(Arc::new(self.led));
        restore(slot)
    }

    fn is_still(&self, slot: &Slot) -> bool {
        let (SignerPolicy::Pinned(now), SignerPolicy::Pinned(before)) =
            (&self.source.signers, &slot.source.signers)
        else {
            return false;
        };
        let same_list = slot.led.as_ref().is_some_and(|led| {
            led.territory == self.led.territory && led.operators == self.led.operators
        });
        now == before && same_list && slot.source.profile == self.source.profile
    }
}

impl Led {
    /// Whether a list is the one that the pointer describes; otherwise in which way
    /// it is another.
    pub(crate) fn describes(&self, list: &List) -> Result<(), String> {
        let scheme = list.content().scheme();
        if let Some(territory) = &self.territory
            && scheme.scheme_territory.as_ref() != Some(territory)
        {
            let of = scheme.scheme_territory.as_deref().unwrap_or("none");
            return Err(format!(
                "of the territory {of}, and the pointer says {territory}"
            ));
        }
        let named = |name: &Text| self.operators.iter().any(|o| o == name.text());
        if !self.operators.is_empty() && !scheme.scheme_operator_name.iter().any(named) {
            let of = scheme.scheme_operator_name.first().map(Text::text);
            return Err(format!(
                "of the operator {}, and the pointer says {}",
                of.unwrap_or("none"),
                self.operators.join(", ")
            ));
        }
        Ok(())
    }
}

fn way_from(slot: &Slot) -> Vec<String> {
    let before = slot.led.iter().flat_map(|led| &led.by);
    before.cloned().chain([slot.name().to_owned()]).collect()
}

fn vouched_until(slot: &Slot) -> Option<Timestamp> {
    let before = slot.led.as_ref().and_then(|led| led.until);
    let held = slot.held.as_deref();
    let own = held.and_then(|h| h.verified.list.next_update());
    [before, own].into_iter().flatten().min()
}
