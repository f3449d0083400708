//! `claviger trust watch`: how old the lists are, and until when they hold.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clock::SystemClock;
use finding::Finding;
use jiff::Timestamp;
use serde::Serialize;
use trust::{Config, Limits, ListState, SignerPolicy, Source, TrustService, Upkeep, WatchedList};

use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{self, Output, Report};
use crate::settings::Settings;
use crate::wiring::{location, trust_config};
use crate::{input, runtime, shutdown, time};

#[derive(Debug, clap::Args)]
pub(crate) struct Watch {
    /// The configuration whose lists are watched (TOML)
    #[arg(long, conflicts_with_all = ["lists", "profile", "signer", "follow_pointers"], required_unless_present = "lists")]
    config: Option<PathBuf>,
    /// Lists: addresses or files; several may be named
    #[arg(long, num_args = 1.., requires = "profile")]
    lists: Vec<String>,
    /// What kind of lists these are: pid, wallet, access, registration, pub-eaa,
    /// registrars or mdl
    #[arg(long, value_parser = profile)]
    profile: Option<lote::Profile>,
    /// The certificates that must have sealed them (PEM or DER); without them the
    /// place is trusted
    #[arg(long)]
    signer: Option<PathBuf>,
    /// Watch the lists that they point to as well
    #[arg(long)]
    follow_pointers: bool,
    /// Ask once, answer and end: 0 when all lists are fresh, 1 when one was refused,
    /// 3 when one is stale or missing. So does --json
    #[arg(long)]
    once: bool,
    /// How often the screen is drawn again, in seconds; each list is asked for when it
    /// is due
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Allow http, and addresses on this machine: for development
    #[arg(long)]
    allow_loopback: bool,
}

fn profile(name: &str) -> Result<lote::Profile, String> {
    lote::Profile::from_name(name).ok_or_else(|| "no list has this profile".to_owned())
}

pub(super) fn run(args: &Watch, output: Output) -> Done {
    let mut config = match &args.config {
        Some(path) => trust_config(&Settings::read(path)?)?,
        None => named(args)?,
    };
    config.limits.allow_insecure_loopback |= args.allow_loopback;
    if config.sources.is_empty() {
        return Err(Failure::new("there is no list to watch"));
    }
    runtime::block_on(async {
        let service = TrustService::new(config, Arc::new(SystemClock)).doing("the lists")?;
        service.refresh().await;
        if args.once || output.is_json() {
            let shown = Shown::of(&service);
            output.print(&shown)?;
            return Ok(shown.outcome());
        }
        let stop = shutdown::requested();
        tokio::select! {
            () = service.keep_fresh(stop) => {}
            drawn = draw(&service, output, Duration::from_secs(args.every)) => drawn?,
        }
        Ok(Shown::of(&service).outcome())
    })
}

/// The lists that were named on the command line.
fn named(args: &Watch) -> Result<Config, Failure> {
    let profile = args
        .profile
        .ok_or_else(|| Failure::new("--profile: it is needed with --lists"))?;
    let signers = args.signer.as_deref().map(input::certificates);
    let signers = signers.transpose()?;
    let source = |text: &String| Source {
        profile,
        location: location(text),
        signers: match &signers {
            Some(signers) => SignerPolicy::Pinned(signers.clone()),
            None => SignerPolicy::Anyone,
        },
        mode: lote::Mode::Interop,
        upkeep: Upkeep {
            follow_pointers: args.follow_pointers,
            ..Upkeep::default()
        },
    };
    Ok(Config {
        sources: args.lists.iter().map(source).collect(),
        limits: Limits::default(),
        ..Config::default()
    })
}

async fn draw(service: &TrustService, output: Output, every: Duration) -> Result<(), Failure> {
    loop {
        if std::io::stdout().is_terminal() {
            // The screen is cleared, and drawn from its corner.
            let mut out = anstream::stdout().lock();
            write!(out, "\x1b[2J\x1b[H").doing("standard output")?;
        }
        output.print(&Shown::of(service))?;
        tokio::time::sleep(every).await;
    }
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    watch: trust::Watch,
}

impl Shown {
    fn of(service: &TrustService) -> Self {
        Self {
            watch: service.watch(),
        }
    }

    fn outcome(&self) -> Outcome {
        if self.watch.has_refusals() {
            Outcome::No
        } else if self.watch.is_fresh() {
            Outcome::Yes
        } else {
            Outcome::Undecided
        }
    }
}

impl Report for Shown {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let lists = output::counted(self.watch.lists.len(), "list", "lists");
        let at = time::whole_second(self.watch.at);
        writeln!(out, "{lists} at {at}")?;
        let mut table = output::table(&[
            "List",
            "State",
            "No.",
            "Issued",
            "Next update",
            "Confirmed",
            "Asked again",
        ]);
        for list in &self.watch.lists {
            table.add_row(row(list, self.watch.at));
        }
        writeln!(out, "{table}")?;
        for list in &self.watch.lists {
            let said: Vec<Finding> = list.trouble.iter().chain(&list.remarks).cloned().collect();
            output::findings(out, &said)?;
        }
        Ok(())
    }
}

fn row(list: &WatchedList, now: Timestamp) -> Vec<String> {
    let state = match list.state {
        ListState::Fresh => "fresh",
        ListState::Grace => "in its grace",
        ListState::Stale => "stale",
        ListState::Missing => "missing",
    };
    let led = list.led_by.as_ref().map(|_| "↳ ").unwrap_or_default();
    let territory = list.territory.as_deref().unwrap_or("?");
    let ago = |at: Option<Timestamp>| match at {
        Some(at) => format!("{} ago", span(now.duration_since(at).as_secs())),
        None => "never".to_owned(),
    };
    vec![
        format!("{led}{} {territory}\n{}", list.profile, short(&list.source)),
        state.to_owned(),
        list.sequence.map_or_else(String::new, |n| n.to_string()),
        list.issued.map_or_else(String::new, |_| ago(list.issued)),
        match list.left_seconds {
            Some(left) if left >= 0 => format!("in {}", span(left)),
            Some(left) => format!("{} ago", span(-left)),
            None if list.sequence.is_some() => "never: closed".to_owned(),
            None => String::new(),
        },
        ago(list.confirmed),
        match list.next_attempt {
            Some(next) => format!("in {}", span(next.duration_since(now).as_secs().max(0))),
            None => "now".to_owned(),
        },
    ]
}

/// A number of seconds in its two greatest units.
fn span(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (unit, name) in units {
        if left >= unit && parts.len() < 2 {
            parts.push(format!("{} {name}", left / unit));
            left %= unit;
        }
    }
    if parts.is_empty() {
        return "0 s".to_owned();
    }
    parts.join(" ")
}

/// The end of a long address or path, which tells it from others.
fn short(source: &str) -> String {
    const LONGEST: usize = 48;
    let length = source.chars().count();
    if length <= LONGEST {
        return source.to_owned();
    }
    let name = Path::new(source).file_name().map_or_else(
        || source.chars().skip(length - LONGEST).collect(),
        |name| name.to_string_lossy().into_owned(),
    );
    let head: String = source.chars().take(LONGEST / 2).collect();
    format!("{head}…/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(0, "0 s")]
    #[case(59, "59 s")]
    #[case(60, "1 min")]
    #[case(3_661, "1 h 1 min")]
    #[case(86_400 * 130 + 3_600 * 5 + 59, "130 d 5 h")]
    fn spans(#[case] seconds: i64, #[case] expected: &str) {
        assert_eq!(span(seconds), expected);
    }

    #[test]
    fn a_long_address_keeps_its_ends() {
        let long = "https://lists.example/a-very-long-path/that/goes/on/and/on/wallet.jws";
        assert_eq!(short(long), "https://lists.example/a-…/wallet.jws");
        assert_eq!(short("list.jws"), "list.jws");
    }
}
