//! Which list answers for a time: the one that is held, the archived instance that
//! was current then, or the held one within its grace period.

use std::time::Duration;

use finding::Finding;
use jiff::{SignedDuration, Timestamp};
use lote::Profile;

use crate::rules;
use crate::snapshot::{Held, Slot};

/// The list of a source that answers for a time.
#[derive(Debug)]
pub(crate) struct Answering<'s> {
    /// The list.
    pub(crate) held: &'s Held,
    /// What has to be told of its standing at that time: that it is past its
    /// NextUpdate and within its grace, or that it is an archived instance.
    pub(crate) remark: Option<Finding>,
}

impl Slot {
    /// The list of this source that answers for `at`.
    ///
    /// # Errors
    /// What leaves a question about `at` open: [`rules::LIST_UNAVAILABLE`],
    /// [`rules::LIST_STALE`] or [`rules::LIST_LATER`].
    pub(crate) fn answering(
        &self,
        at: Timestamp,
        grace: Duration,
    ) -> Result<Answering<'_>, Finding> {
        let Some(held) = self.held.as_deref() else {
            let evidence = "there is no good copy of it";
            return Err(rules::LIST_UNAVAILABLE.finding(self.name(), evidence));
        };
        if let Some(led) = &self.led
            && let Some(until) = led.until.and_then(|until| later(until, grace))
            && until <= at
        {
            let by = led.by.last().map(String::as_str).unwrap_or_default();
            let evidence = format!("{by}, which points to it, was past its NextUpdate at {at}");
            return Err(rules::LIST_STALE.finding(&held.uri, evidence));
        }
        let list = &held.verified.list;
        let Err(why) = list.current(at) else {
            return Ok(Answering { held, remark: None });
        };
        if why.is(&lote::rules::NEXT_UPDATE) {
            return within_grace(held, at, grace)
                .map(|remark| Answering {
                    held,
                    remark: Some(remark),
                })
                .ok_or_else(|| {
                    let evidence = format!("NextUpdate {}", why.evidence);
                    rules::LIST_STALE.finding(&held.uri, evidence)
                });
        }
        // Annex H keeps its history, and so answers for the past by itself.
        if list.profile() == Some(Profile::PubEaa) {
            return Ok(Answering { held, remark: None });
        }
        match &self.past {
            Some(Ok(instance)) => match instance.verified.list.current(at) {
                Ok(()) => Ok(Answering {
                    held: instance,
                    remark: Some(archived(instance, list.sequence())),
                }),
                Err(why) => Err(rules::LIST_LATER.finding(&instance.uri, why.evidence)),
            },
            Some(Err(finding)) => Err(finding.clone()),
            None => Err(rules::LIST_LATER.finding(&held.uri, why.evidence)),
        }
    }
}

fn within_grace(held: &Held, at: Timestamp, grace: Duration) -> Option<Finding> {
    let next = held.verified.list.next_update()?;
    let ends = later(next, grace)?;
    (at < ends).then(|| {
        let evidence = format!(
            "NextUpdate passed on {next}; the grace period of {} s lasts {} s more, until {ends}",
            grace.as_secs(),
            ends.duration_since(at).as_secs()
        );
        rules::LIST_GRACE.finding(&held.uri, evidence)
    })
}

fn later(time: Timestamp, by: Duration) -> Option<Timestamp> {
    let by = SignedDuration::try_from(by).ok()?;
    Some(time.checked_add(by).unwrap_or(Timestamp::MAX))
}

fn archived(instance: &Held, current: u64) -> Finding {
    let list = &instance.verified.list;
    let evidence = format!(
        "no. {}, issued {}, which no. {current} has replaced since",
        list.sequence(),
        list.issued()
    );
    rules::LIST_ARCHIVED.finding(&instance.uri, evidence)
}
