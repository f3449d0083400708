//! `claviger operator`: tokens for operators, and the trail of what they did.

use std::io::Write;
use std::path::PathBuf;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use comfy_table::{Cell, ColumnConstraint, Width};
use finding::{Finding, Severity};
use owo_colors::OwoColorize;
use serde::{Deserialize, Serialize};
use wallet_provider::operators::{Head, OperatorRole, TrailRow, verify};
use wallet_provider::rules::OPERATOR_TRAIL_END;
use zeroize::Zeroizing;

use super::node::NodeArgs;
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{self, Output, Report};
use crate::{files, runtime, time};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a token, and say how the configuration names its operator
    Token(Token),
    /// Show what operators did, and check that the trail is whole
    Audit(Audit),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Token {
    /// The operator's name, as the trail is to have it
    #[arg(long)]
    name: String,
    /// What the operator may do: read, support, revoke, admin
    #[arg(long, value_parser = role)]
    role: OperatorRole,
    /// The file to write the token to; it is shown once, if absent
    #[arg(long)]
    out: Option<PathBuf>,
}

fn role(name: &str) -> Result<OperatorRole, String> {
    OperatorRole::from_name(name).ok_or_else(|| {
        let names = OperatorRole::ALL.map(OperatorRole::name);
        format!("one of {}", names.join(", "))
    })
}

#[derive(Debug, clap::Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    node: NodeArgs,
    /// Check the whole trail: exit status 1 where it is not whole
    #[arg(long)]
    verify: bool,
    /// A row that was noted before, SEQUENCE:HASH, as the log has them: it must be in
    /// the trail still. Several may be given
    #[arg(long, requires = "verify")]
    known: Vec<Head>,
    /// Those after this number
    #[arg(long, default_value_t = 0, conflicts_with = "verify")]
    after: u64,
    /// How many, at most 1000
    #[arg(
        long,
        default_value_t = 100,
        conflicts_with = "verify",
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    limit: u32,
}

pub(crate) fn run(command: &Command, output: Output) -> Done {
    match command {
        Command::Token(args) => token(args, output),
        Command::Audit(args) if args.verify => check(args, output),
        Command::Audit(args) => {
            let path = format!("operator/audit?after={}&limit={}", args.after, args.limit);
            let trail: Trail = args
                .node
                .ask(|http, url| http.get(format!("{url}/{path}")))?;
            output.print(&trail)?;
            Ok(Outcome::Yes)
        }
    }
}

fn token(args: &Token, output: Output) -> Done {
    let mut secret = Zeroizing::new([0; 32]);
    SystemRandom::new()
        .fill(secret.as_mut())
        .map_err(|_| Failure::new("no randomness could be had"))?;
    let token = Zeroizing::new(jose::b64::encode(secret.as_ref()));
    // What a node would refuse is refused before anything is written.
    let hash = jose::sha256(token.as_bytes());
    let known = server::KnownOperator::by_token(&args.name, args.role, hash);
    server::KnownOperators::new(vec![known]).doing("--name")?;
    if let Some(path) = &args.out {
        if path.exists() {
            return Err(Failure::new(format!(
                "{}: is there already",
                path.display()
            )));
        }
        files::write_secret(path, token.as_bytes()).doing(path.display())?;
    }
    let made = Made {
        name: args.name.clone(),
        role: args.role,
        token_sha256: hex::encode(hash),
        token: args.out.is_none().then(|| token.to_string()),
        file: args.out.as_ref().map(|path| path.display().to_string()),
    };
    output.print(&made)?;
    Ok(Outcome::Yes)
}

/// A token that was made. It is kept nowhere else.
#[derive(Serialize)]
struct Made {
    name: String,
    role: OperatorRole,
    token_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

impl Report for Made {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if let Some(token) = &self.token {
            writeln!(out, "{}", "The token. It is shown this once:".yellow())?;
            writeln!(out, "\n  {token}\n")?;
        }
        if let Some(file) = &self.file {
            writeln!(out, "The token is in {file}.\n")?;
        }
        writeln!(out, "Into the configuration of each node:\n")?;
        writeln!(out, "[[operators]]")?;
        writeln!(out, "name = \"{}\"", self.name)?;
        writeln!(out, "role = \"{}\"", self.role)?;
        writeln!(out, "token_sha256 = \"{}\"", self.token_sha256)
    }
}

/// How many rows are asked for at once.
const PAGE: usize = 1000;

/// Reads the whole trail and checks it here: the node is not asked for its opinion.
fn check(args: &Audit, output: Output) -> Done {
    let node = args.node.open()?;
    let checked = runtime::block_on(async {
        let page = |after: u64| {
            let path = format!("operator/audit?after={after}&limit={PAGE}");
            node.ask::<Trail>(move |http, url| http.get(format!("{url}/{path}")))
        };
        let mut trail = page(0).await?;
        let start: Head = trail.start.parse().doing("the trail's start")?;
        let (mut head, mut rows, mut findings) = (start, 0, forgotten(&args.known, start));
        loop {
            let last = trail.rows.len() < PAGE;
            let mut known = args.known.clone();
            known.push(trail.end.parse().doing("the trail's end")?);
            // What lies beyond this page is missing only where no page follows.
            let reached = trail.rows.last().map_or(head.sequence, |row| row.sequence);
            known.retain(|known| last || known.sequence <= reached);
            let (end, found) = verify(head, &trail.rows, &known);
            findings.extend(found);
            head = end;
            rows += trail.rows.len();
            if last {
                break;
            }
            trail = page(head.sequence).await?;
        }
        Ok::<_, Failure>(Checked {
            whole: !finding::has_errors(&findings),
            rows,
            start: start.to_string(),
            end: head.to_string(),
            findings,
        })
    })?;
    output.print(&checked)?;
    Ok(Outcome::of(&checked.findings))
}

/// Noted rows that the trail has forgotten. The hash of the newest one is kept; of
/// those before it nothing can be said.
fn forgotten(known: &[Head], start: Head) -> Vec<Finding> {
    let found = |known: &Head| {
        let subject = format!("row {}", known.sequence);
        if known.sequence < start.sequence {
            let evidence = "it was forgotten when its time had come, and cannot be compared";
            Some(OPERATOR_TRAIL_END.finding_as(Severity::Note, subject, evidence))
        } else if known.sequence == start.sequence && *known != start {
            Some(OPERATOR_TRAIL_END.finding(subject, "another row was noted elsewhere"))
        } else {
            None
        }
    };
    known.iter().filter_map(found).collect()
}

#[derive(Debug, Serialize, Deserialize)]
struct Trail {
    start: String,
    end: String,
    rows: Vec<TrailRow>,
}

impl Report for Trail {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.rows.is_empty() {
            return writeln!(out, "no rows");
        }
        let mut table = output::table(&["", "when", "who", "what", "why", "outcome"]);
        let widest = self.rows.iter().map(|row| object(row).chars().count());
        let wide = widest.max().unwrap_or(0).min(IDENTIFIER);
        output::keep_whole(&mut table, WHEN);
        if let Some(column) = table.column_mut(WHAT) {
            // A space on each side.
            let wide = u16::try_from(wide + 2).unwrap_or(0);
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(wide)));
        }
        for row in &self.rows {
            let act = &row.act;
            // The day above the hour: what needs the room is what it was done to.
            let at = time::whole_second(act.at).to_string();
            table.add_row(vec![
                Cell::new(row.sequence),
                Cell::new(at.replacen('T', "\n", 1)),
                Cell::new(format!(
                    "{}\n{} by {}",
                    act.operator,
                    act.role,
                    act.by.name()
                )),
                Cell::new(format!("{}\n{}", act.action, object(row))),
                Cell::new(act.reason.as_deref().unwrap_or("")),
                Cell::new(&act.outcome),
            ]);
        }
        writeln!(out, "{table}")
    }
}

/// The column of the time.
const WHEN: usize = 1;

/// The column of what was done, and to what.
const WHAT: usize = 3;

/// The length of what is to stand in one line, so that it can be copied: `units/` and an
/// identifier.
const IDENTIFIER: usize = 42;

/// What it was done to, without what the action says already.
fn object(row: &TrailRow) -> &str {
    let object = row.act.object.as_str();
    match object.strip_suffix("/revocation") {
        Some(unit) if row.act.action.ends_with(".revoke") => unit,
        _ => object,
    }
}

/// What was found of a whole trail.
#[derive(Debug, Serialize)]
struct Checked {
    whole: bool,
    rows: usize,
    start: String,
    end: String,
    findings: Vec<Finding>,
}

impl Report for Checked {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let answer = if self.whole {
            format!("{}", "whole".green().bold())
        } else {
            format!("{}", "not whole".red().bold())
        };
        let rows = output::counted(self.rows, "row", "rows");
        writeln!(out, "{answer}  {rows}")?;
        writeln!(out, "start  {}", self.start)?;
        writeln!(out, "end    {}", self.end)?;
        output::findings(out, &self.findings)?;
        writeln!(
            out,
            "\nNote the end elsewhere; --known compares it next time."
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wallet_provider::operators::{Act, Credential, GENESIS};

    #[test]
    fn what_was_revoked_stands_in_one_line() {
        let unit = "units/0b7b6d0e-6d8e-4d3a-9c55-1f2f3a4b5c6d";
        let act = |object: String| Act {
            at: "2026-11-22T12:00:00.123Z".parse().unwrap(),
            operator: "ada-of-the-service-desk".into(),
            role: OperatorRole::Revoke,
            by: Credential::Certificate,
            action: "storage.revoke".into(),
            object,
            reason: Some("lost-or-stolen: a call from the user, ticket 4711".into()),
            outcome: "ok".into(),
        };
        let first = TrailRow::after(GENESIS, act(format!("{unit}/revocation")));
        let second = TrailRow::after(first.head(), act("x".repeat(500)));
        let trail = Trail {
            start: String::new(),
            end: String::new(),
            rows: vec![first, second],
        };
        let mut out = Vec::new();
        trail.for_people(&mut out).unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert!(shown.lines().any(|line| line.contains(unit)), "{shown}");
        assert!(!shown.contains("/revocation"), "{shown}");
        assert!(shown.contains("12:00:00Z"), "{shown}");
    }
}
