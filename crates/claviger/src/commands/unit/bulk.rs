//! `claviger unit revoke`: one unit, or all that a selector means.

use std::io::{BufRead, IsTerminal, Write};
use std::time::Duration;

use comfy_table::Cell;
use indicatif::{ProgressBar, ProgressStyle};
use provider_api::{
    BulkRevocation, EntryRevocation, EntryRevoked, Extent, JobState, RevocationJob, RevocationJobs,
    RevocationReason, Selected, Selector, Storage,
};
use sci::UnitId;
use serde_json::json;

use super::{NodeArgs, Unit, Units};
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{self, Output, Report};
use crate::time;

/// How often a job is asked how far it is.
const LOOK: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// The unit's identifier; or else say which ones below
    #[arg(conflicts_with = "Which")]
    unit: Option<UnitId>,
    /// Why: user-request, lost-or-stolen, superseded, security, death,
    /// provider-cancelled
    #[arg(long, value_parser = reason)]
    reason: RevocationReason,
    #[command(flatten)]
    which: Which,
    /// The entry of a status list, as a token names it: of an attestation that belongs to
    /// no unit (the reference wallet provider's interface)
    #[arg(
        long,
        value_name = "URI#INDEX",
        value_parser = place,
        conflicts_with_all = ["unit", "Which", "storage", "keystore_alone", "advisory", "dry_run"]
    )]
    entry: Option<Place>,
    /// The one storage that is revoked: wscd, keystore
    #[arg(long, value_parser = storage, requires = "unit")]
    storage: Option<Storage>,
    /// Leave the unit as it is, and revoke its keystore alone. The provider must have
    /// a risk analysis (ARF WURevocation_09c)
    #[arg(long)]
    keystore_alone: bool,
    /// The name of an advisory that tells the technical details, such as
    /// EUVD-2026-0001
    #[arg(long)]
    advisory: Option<String>,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    node: NodeArgs,
}

/// Where a status entry is.
#[derive(Debug, Clone)]
struct Place {
    uri: String,
    index: u64,
}

/// Which units: those for which all of it holds
#[derive(Debug, clap::Args)]
#[group(id = "Which", multiple = true)]
struct Which {
    /// On a device of this model
    #[arg(long)]
    model: Option<String>,
    /// On a device whose patch level (such as 202611) lies below
    #[arg(long, value_name = "YYYYMM", value_parser = super::year_and_month)]
    patch_below: Option<u32>,
    /// With a WSCD of this type: those with a KA over keys in it
    #[arg(long, value_name = "TYPE")]
    wscd_type: Option<String>,
    /// With a keystore of this type: those with a KA over keys in it
    #[arg(long, value_name = "TYPE")]
    keystore_type: Option<String>,
    /// Of this version of the wallet solution
    #[arg(long = "solution-version", value_name = "VERSION")]
    version: Option<String>,
    /// Of a version below
    #[arg(long, value_name = "VERSION")]
    version_below: Option<String>,
    /// All units
    #[arg(long)]
    everything: bool,
}

impl Which {
    fn selector(&self, unit: Option<UnitId>) -> Selector {
        Selector {
            unit,
            model: self.model.clone(),
            patch_below: self.patch_below,
            wscd_type: self.wscd_type.clone(),
            keystore_type: self.keystore_type.clone(),
            version: self.version.clone(),
            version_below: self.version_below.clone(),
            everything: self.everything,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Revocations {
    /// One of them
    job: Option<String>,
    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn revoke(args: &Revoke, output: Output) -> Done {
    match (&args.entry, args.unit) {
        (Some(place), _) => entry(place, args, output),
        (None, Some(unit)) if !args.dry_run => one(unit, args, output),
        _ => many(args, output),
    }
}

fn entry(place: &Place, args: &Revoke, output: Output) -> Done {
    if !args.yes {
        confirm("1 entry that belongs to no unit", 1, args.reason)?;
    }
    let asked = EntryRevocation {
        uri: place.uri.clone(),
        index: place.index,
        reason: Some(args.reason),
    };
    let revoked: EntryRevoked = args.node.ask(|http, url| {
        http.post(format!("{url}/operator/entries/revocation"))
            .json(&asked)
    })?;
    output.print(&revoked)?;
    Ok(Outcome::Yes)
}

pub(super) fn revocations(args: &Revocations, output: Output) -> Done {
    let jobs = match &args.job {
        None => args
            .node
            .ask(|http, url| http.get(format!("{url}/operator/revocations")))?,
        Some(job) => RevocationJobs {
            jobs: vec![look(&args.node, job)?],
        },
    };
    output.print(&jobs)?;
    Ok(Outcome::Yes)
}

fn one(unit: UnitId, args: &Revoke, output: Output) -> Done {
    let (reason, advisory) = (args.reason, &args.advisory);
    // A keystore alone is one storage, whether or not that is said besides.
    let alone = args.keystore_alone.then_some(Storage::Keystore);
    let (path, body) = match args.storage.or(alone) {
        None => (
            format!("operator/units/{unit}/revocation"),
            json!({ "reason": reason, "advisory": advisory }),
        ),
        Some(storage) => {
            let beside = if args.keystore_alone {
                "kept"
            } else {
                "revoked"
            };
            (
                format!("operator/units/{unit}/storages/{storage}/revocation"),
                json!({ "reason": reason, "unit": beside, "advisory": advisory }),
            )
        }
    };
    if !args.yes {
        let what = if args.keystore_alone {
            "the keystore of 1 unit"
        } else {
            "1 unit"
        };
        confirm(what, 1, reason)?;
    }
    let unit: Unit = args
        .node
        .ask(|http, url| http.post(format!("{url}/{path}")).json(&body))?;
    output.print(&Units::one(unit))?;
    Ok(Outcome::Yes)
}

fn many(args: &Revoke, output: Output) -> Done {
    let which = &args.which;
    let mut asked = BulkRevocation {
        selector: which.selector(args.unit),
        reason: args.reason,
        extent: match args.keystore_alone {
            true => Extent::Keystore,
            false => Extent::Unit,
        },
        advisory: args.advisory.clone(),
        dry_run: true,
        at_most: None,
    };
    asked
        .check()
        .map_err(|error| Failure::new(error.to_string()))?;
    let selected: Selected = post(&args.node, &asked)?;
    // A type is closed for units to come, whether or not there are any now.
    let closes = which.everything || which.wscd_type.is_some() || which.keystore_type.is_some();
    let nothing = selected.selected == 0 && selected.entries == 0 && !closes;
    if nothing && !args.dry_run && output.is_json() {
        // As whoever waits for the job's answer expects it: there is none.
        output.print(&RevocationJobs { jobs: Vec::new() })?;
        return Ok(Outcome::Yes);
    }
    if args.dry_run || nothing {
        output.print(&selected)?;
        return Ok(Outcome::Yes);
    }
    if !args.yes {
        let mut what = meant(&selected);
        if args.keystore_alone {
            what.insert_str(0, "the keystores of ");
        }
        let number = match selected.selected {
            0 => selected.entries,
            units => units,
        };
        confirm(&what, number, asked.reason)?;
    }
    asked.dry_run = false;
    // What was confirmed, and no more: who is activated meanwhile is asked about again.
    asked.at_most = Some(selected.selected);
    let job: RevocationJob = post(&args.node, &asked)?;
    let job = watch(&args.node, job)?;
    output.print(&RevocationJobs { jobs: vec![job] })?;
    Ok(Outcome::Yes)
}

fn post<T: serde::de::DeserializeOwned>(
    node: &NodeArgs,
    asked: &BulkRevocation,
) -> Result<T, Failure> {
    node.ask(|http, url| http.post(format!("{url}/operator/revocations")).json(asked))
}

fn look(node: &NodeArgs, job: &str) -> Result<RevocationJob, Failure> {
    node.ask(|http, url| http.get(format!("{url}/operator/revocations/{job}")))
}

/// What is meant, in words.
fn meant(selected: &Selected) -> String {
    let units = match selected.selected {
        0 => "no units".to_owned(),
        1 => "1 unit".to_owned(),
        many => format!("{many} units"),
    };
    let entries = match selected.entries {
        0 => return units,
        1 => "1 entry that belongs to no unit".to_owned(),
        many => format!("{many} entries that belong to no unit"),
    };
    match selected.selected {
        0 => entries,
        _ => format!("{units} and {entries}"),
    }
}

/// Asks for the first number, so that a habit does not answer.
fn confirm(what: &str, number: u64, reason: RevocationReason) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        let told = format!("revoking {what} is final: say --yes");
        return Err(Failure::new(told));
    }
    let mut out = std::io::stderr();
    write!(
        out,
        "To be revoked, for good ({}): {what}. Type the number to go on: ",
        reason.name()
    )
    .and_then(|()| out.flush())
    .doing("the question")?;
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .doing("the answer")?;
    if answer.trim() == number.to_string() {
        return Ok(());
    }
    Err(Failure::new("nothing was revoked"))
}

/// Shows how far the job is until it is done. It is done without anybody watching too.
fn watch(node: &NodeArgs, mut job: RevocationJob) -> Result<RevocationJob, Failure> {
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} revoked, {eta} left")
        .doing("the progress bar")?;
    // It draws on standard error, and only on a terminal.
    let bar = ProgressBar::new(job.selected).with_style(style);
    while job.state == JobState::Running {
        bar.set_position(job.revoked);
        std::thread::sleep(LOOK);
        job = look(node, &job.job)?;
    }
    bar.finish_and_clear();
    Ok(job)
}

fn reason(name: &str) -> Result<RevocationReason, String> {
    RevocationReason::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = RevocationReason::ALL.iter().map(|r| r.name()).collect();
        format!("one of {}", names.join(", "))
    })
}

fn place(text: &str) -> Result<Place, String> {
    let place = text.rsplit_once('#').and_then(|(uri, index)| {
        Some(Place {
            uri: uri.to_owned(),
            index: index.parse().ok()?,
        })
    });
    place.ok_or_else(|| "a list's address, #, and an index are expected".to_owned())
}

fn storage(name: &str) -> Result<Storage, String> {
    Storage::from_name(name).ok_or_else(|| "one of wscd, keystore".to_owned())
}

impl Report for Selected {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let meant = meant(self);
        match self.selected.saturating_add(self.entries) {
            0 => writeln!(out, "{meant} are meant"),
            1 => writeln!(out, "{meant} is meant, and left as it is"),
            _ => writeln!(out, "{meant} are meant, and left as they are"),
        }
    }
}

impl Report for EntryRevoked {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let when = if self.already { "before" } else { "now" };
        writeln!(out, "{}#{} revoked {when}", self.uri, self.index)
    }
}

/// Which units a job means, and what of them, in words.
fn units(job: &RevocationJob) -> String {
    let Selector {
        unit,
        model,
        patch_below,
        wscd_type,
        keystore_type,
        version,
        version_below,
        everything,
    } = &job.selector;
    let named = |name: &str, text: &Option<String>| {
        let text = text.as_ref()?;
        Some(format!("{name} {text}"))
    };
    let parts = [
        everything.then(|| "all".to_owned()),
        unit.map(|unit| unit.to_string()),
        named("model", model),
        patch_below.map(|level| format!("patch below {level}")),
        named("WSCD type", wscd_type),
        named("keystore type", keystore_type),
        named("version", version),
        named("version below", version_below),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let which = parts.join(", ");
    match job.extent {
        Extent::Unit => which,
        Extent::Keystore => format!("the keystores of {which}"),
    }
}

impl Report for RevocationJobs {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.jobs.is_empty() {
            return writeln!(out, "no revocations of many units");
        }
        let mut table = output::table(&["job", "units", "reason", "state", "revoked", "began"]);
        output::keep_whole(&mut table, 0);
        for job in &self.jobs {
            table.add_row(vec![
                Cell::new(&job.job),
                Cell::new(units(job)),
                Cell::new(job.reason.name()),
                Cell::new(job.state.name()),
                Cell::new(format!("{} of {}", job.revoked, job.selected)),
                Cell::new(time::whole_second(job.began)),
            ]);
        }
        writeln!(out, "{table}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;
    use jiff::Timestamp;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        revoke: Revoke,
    }

    #[test]
    fn each_flag_selects_what_it_is_called() {
        for (flag, value, expected) in [
            ("--model", "A Phone", json!({"model": "A Phone"})),
            ("--patch-below", "202601", json!({"patch_below": 202_601})),
            ("--wscd-type", "hsm", json!({"wscd_type": "hsm"})),
            ("--keystore-type", "tee", json!({"keystore_type": "tee"})),
            ("--solution-version", "1.2", json!({"version": "1.2"})),
            ("--version-below", "1.3", json!({"version_below": "1.3"})),
        ] {
            let line = ["x", "--reason", "security", flag, value];
            let parsed = Line::try_parse_from(line).unwrap().revoke;
            let selector = parsed.which.selector(parsed.unit);
            assert_eq!(json!(selector), expected, "{flag}");
        }
        let line = ["x", "--reason", "security", "--everything"];
        let parsed = Line::try_parse_from(line).unwrap().revoke;
        let selector = parsed.which.selector(parsed.unit);
        assert_eq!(json!(selector), json!({"everything": true}));
    }

    #[test]
    fn the_units_of_a_job_are_told_in_words() {
        let told = |selector, extent| {
            units(&RevocationJob {
                job: "1".to_owned(),
                selector,
                reason: RevocationReason::Security,
                extent,
                advisory: None,
                name: None,
                began: Timestamp::UNIX_EPOCH,
                finished: None,
                state: JobState::Done,
                selected: 0,
                revoked: 0,
            })
        };
        assert_eq!(told(Selector::everything(), Extent::Unit), "all");
        let selector = Selector {
            model: Some("Example One".to_owned()),
            patch_below: Some(202_609),
            version: Some("1.4.0".to_owned()),
            ..Selector::default()
        };
        let which = "model Example One, patch below 202609, version 1.4.0";
        assert_eq!(told(selector.clone(), Extent::Unit), which);
        let keystores = told(selector, Extent::Keystore);
        assert_eq!(keystores, format!("the keystores of {which}"));
    }
}
