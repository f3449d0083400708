use std::io::Write;
use std::path::{Path, PathBuf};

use finding::Finding;
use owo_colors::OwoColorize;
use serde::Serialize;
use store::Database;
use store::backup::{self, BackupError, Loaded, Onto};
use store::provider::SqlProviderStore;
use wallet_provider::upkeep::{self, Published, Restored};
use wsca::{OpenError, WscaStore};
use wscd::DeviceError;

use super::{Held, Where, published};
use crate::commands::at_rest::{AtRest, Found, not_opened};
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{self, Output, Report, TIMED};
use crate::{runtime, time};

#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    place: Where,
    /// Take away whatever is in the database
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Reconcile {
    #[command(flatten)]
    place: Where,
}

pub(super) fn restore(args: &Restore, output: Output) -> Done {
    let found = args.place.place.find()?;
    let lists = published(&found, &args.place.status_certificate)?;
    let onto = match args.replace {
        true => Onto::Anything,
        false => Onto::Empty,
    };
    let report = runtime::block_on(async {
        let progress = output.progress(1, TIMED);
        let bar = progress.clone();
        let told = move |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let loaded = backup::restore(&found.database, &args.file, onto, time::now(), told).await;
        let Loaded {
            database,
            manifest,
            closed,
        } = loaded.map_err(|error| not_loaded(&args.file, &error))?;
        progress.finish_and_clear();
        let held = Held {
            file: args.file.display().to_string(),
            manifest,
        };
        let mut report = bring_up(found, database, lists, Some(held), output).await?;
        report.provider.closed += closed;
        Ok::<_, Failure>(report)
    })?;
    finish(&report, output)
}

pub(super) fn reconcile(args: &Reconcile, output: Output) -> Done {
    let found = args.place.place.find()?;
    found.must_be_there()?;
    let lists = published(&found, &args.place.status_certificate)?;
    let report = runtime::block_on(async {
        let database = Database::open(&found.database)
            .await
            .map_err(|error| not_opened(&error))?;
        bring_up(found, database, lists, None, output).await
    })?;
    finish(&report, output)
}

fn not_loaded(file: &Path, error: &BackupError) -> Failure {
    match error {
        BackupError::NotEmpty { .. } => {
            Failure::new(format!("{error}: --replace takes away what is there"))
        }
        BackupError::Database(error) => not_opened(error),
        error => Failure::of(file.display(), error),
    }
}

/// No, where a published list is not one's own; undecided, where lists are gone or none
/// could be verified, so that revocations may be missing, or where the device is another.
fn finish(report: &BroughtUp, output: Output) -> Done {
    output.print(report)?;
    let findings = &report.provider.findings;
    let mut wrong: Vec<Finding> = findings.clone();
    wrong.retain(|finding| !finding.is(&upkeep::rules::MISSING));
    Ok(match Outcome::of(&wrong) {
        Outcome::Yes if !findings.is_empty() => Outcome::Undecided,
        outcome => outcome,
    })
}

async fn bring_up(
    found: Found,
    database: Database,
    lists: Published,
    backup: Option<Held>,
    output: Output,
) -> Result<BroughtUp, Failure> {
    let store = SqlProviderStore::new(database.clone());
    let progress = output.progress(u64::try_from(lists.names().len()).unwrap_or(0), TIMED);
    let mut provider = upkeep::after_restore(&store, &lists, time::now(), |done| {
        progress.set_position(done);
    })
    .await
    .doing("the published lists")?;
    progress.finish_and_clear();
    let wsca = Shards::look(&found.with(database.clone())).await?;
    if let Some(why) = &wsca.of_another_device {
        let finding = upkeep::rules::DEVICE.finding(
            "the WSCA's tables",
            format!(
                "the backup's keys were sealed by another device than the configured one \
                 ({why}): no node starts on them with this one"
            ),
        );
        provider.findings.push(finding);
    }
    let report = BroughtUp {
        database: database.place(),
        backup,
        provider,
        wsca,
    };
    database.close().await;
    Ok(report)
}

/// What the WSCA's device says of the WSCA's tables.
#[derive(Debug, Serialize)]
struct Shards {
    /// Units in them.
    units: u64,
    /// Shards that are older than the device remembers, and so locked.
    locked: Vec<u16>,
    /// Why the device was not asked, where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_asked: Option<String>,
    /// What shows that another device sealed the tables, where one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    of_another_device: Option<String>,
}

impl Shards {
    async fn look(at_rest: &AtRest) -> Result<Self, Failure> {
        let units = at_rest.store.unit_count().await.doing("the WSCA's units")?;
        let mut found = Self {
            units,
            locked: vec![],
            not_asked: None,
            of_another_device: None,
        };
        if units == 0 {
            return Ok(found);
        }
        match at_rest.start().await {
            Ok(Ok(wsca)) => {
                let locked = wsca.locked_shards();
                found.locked = locked.into_iter().map(|shard| shard.shard).collect();
            }
            Ok(Err(OpenError::Device(why @ DeviceError::Tampered { .. }))) => {
                found.of_another_device = Some(why.to_string());
            }
            Ok(Err(why)) => found.not_asked = Some(Failure::of("the WSCA", &why).to_string()),
            Err(why) => found.not_asked = Some(why.to_string()),
        }
        Ok(found)
    }
}

/// What a restore or a reconciliation did.
#[derive(Debug, Serialize)]
struct BroughtUp {
    database: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<Held>,
    #[serde(flatten)]
    provider: Restored,
    wsca: Shards,
}

impl Report for BroughtUp {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        match &self.backup {
            Some(held) => {
                writeln!(out, "{}  {}", "restored".green().bold(), self.database)?;
                held.for_people(out)?;
            }
            None => writeln!(out, "{}  {}", "reconciled".green().bold(), self.database)?,
        }
        let Restored {
            closed,
            lists,
            entries,
            units,
            storages,
            of_nobody,
            adopted,
            findings,
        } = &self.provider;
        writeln!(out)?;
        writeln!(
            out,
            "closed   {closed} lists that were open; new ones will be opened"
        )?;
        writeln!(out, "read     {} published lists", lists.len())?;
        writeln!(
            out,
            "revoked  {units} units and {storages} key storages, whose entries are published as revoked"
        )?;
        if units + storages > 0 {
            writeln!(
                out,
                "         their users are told nothing of it: why is not known any more, and a notice went\n         \
                 out when they were revoked, if it had the time"
            )?;
        }
        writeln!(
            out,
            "set      {entries} entries, {of_nobody} of them of no known unit"
        )?;
        writeln!(
            out,
            "kept     {adopted} lists that were opened after the backup"
        )?;
        self.wsca.for_people(out)?;
        output::findings(out, findings)?;
        writeln!(
            out,
            "\nNot in the backup and not to be found out: units that were activated after it (their\n\
             users activate again), entries that were handed out after it and are not revoked (they\n\
             stay valid, and no unit leads to them), keys that entered a KA after it, what users did\n\
             to their accounts after it (recovery codes that were used and passkeys that were removed\n\
             work again, deleted accounts are back: tell all users to look at theirs), revocations\n\
             that were acknowledged after it and not yet published."
        )
    }
}

impl Shards {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.of_another_device.is_some() {
            return writeln!(out, "WSCA     {} units, of another device", self.units);
        }
        match (&self.not_asked, self.locked.as_slice()) {
            (Some(why), _) => writeln!(
                out,
                "WSCA     {} units; the device was not asked ({why}): a node finds at its start\n         \
                 which shards are older than the device remembers",
                self.units
            ),
            (None, []) => writeln!(out, "WSCA     {} units, no shard is locked", self.units),
            (None, locked) => writeln!(
                out,
                "WSCA     {} units; {} shards are older than the device remembers, and locked:\n         \
                 {locked:?}; claviger wsca shards, then claviger wsca unlock",
                self.units,
                locked.len()
            ),
        }
    }
}
