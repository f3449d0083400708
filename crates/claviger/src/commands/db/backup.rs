use std::fs::File;
use std::path::PathBuf;

use store::Database;
use store::backup::{self, BackupError};

use super::Held;
use crate::commands::at_rest::{Place, not_opened};
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::files::Beside;
use crate::output::Output;
use crate::{runtime, time};

#[derive(Debug, clap::Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    place: Place,
    /// The file to write. It must not be there
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The backup
    file: PathBuf,
}

/// How far a backup has come; its end is not known before.
const COUNTED: &str = "{spinner} {human_pos} rows";

/// What is in it is not for everybody's eyes.
const MODE: u32 = 0o600;

pub(super) fn backup(args: &Backup, output: Output) -> Done {
    let shown = args.out.display();
    if args.out.exists() {
        return Err(Failure::new(format!("{shown}: it is there already")));
    }
    let found = args.place.find()?;
    found.must_be_there()?;
    let manifest = runtime::block_on(async {
        let database = Database::open_as_it_is(&found.database).await;
        let database = database.map_err(|error| not_opened(&error))?;
        let mut file = Beside::create(&args.out, MODE).doing(&shown)?;
        let progress = output.progress(0, COUNTED);
        let saved = backup::save(&database, time::now(), file.file(), |rows| {
            progress.set_position(rows);
        })
        .await;
        let (_, manifest) = saved.doing("the backup")?;
        file.into_place().doing(&shown)?;
        progress.finish_and_clear();
        database.close().await;
        Ok::<_, Failure>(manifest)
    })?;
    output.print(&Held {
        file: shown.to_string(),
        manifest,
    })?;
    Ok(Outcome::Yes)
}

pub(super) fn verify(args: &Verify, output: Output) -> Done {
    let shown = args.file.display();
    let file = File::open(&args.file).doing(&shown)?;
    match backup::verify(file) {
        Ok(manifest) => {
            output.print(&Held {
                file: shown.to_string(),
                manifest,
            })?;
            Ok(Outcome::Yes)
        }
        Err(error @ BackupError::Damaged { .. }) => Err(Failure::of(shown, &error).no()),
        Err(error) => Err(Failure::of(shown, &error)),
    }
}
