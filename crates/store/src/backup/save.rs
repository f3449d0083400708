use std::io::Write;

use jiff::Timestamp;

use super::BackupError;
use super::format::{Head, Kind, ListMark, Manifest, TableHead, Writer};
use super::tables::{self, Table};
use crate::sql::{Connection, Row, Value, query};
use crate::{Database, Error, Kind as DatabaseKind};

/// How many rows are in memory at a time.
const PAGE: u32 = 1000;

/// Writes everything that is in the database, as of one moment, and gives back where
/// it wrote to. `told` hears how many rows were written.
pub async fn save<W: Write>(
    database: &Database,
    at: Timestamp,
    to: W,
    told: impl Fn(u64),
) -> Result<(W, Manifest), BackupError> {
    let mut snapshot = database.snapshot().await?;
    let connection = snapshot.connection();
    let made_from = match database.kind() {
        DatabaseKind::Sqlite => "sqlite",
        DatabaseKind::Postgres => "postgres",
    };
    let steps = tables::steps(connection).await?;
    let mut writer = Writer::begin(to, Head::new(at, made_from, steps))?;
    let mut written = 0;
    for table in tables::tables(connection).await? {
        writer.table(&table.head)?;
        let mut after = Vec::new();
        loop {
            let page = table
                .page(&after, PAGE)
                .at_length()
                .fetch_all(connection)
                .await?;
            for row in &page {
                let row = values(row, &table.head)?;
                writer.row(&table.head, &row)?;
                after = key_of(&table, row);
            }
            written += u64::try_from(page.len()).unwrap_or(u64::MAX);
            told(written);
            if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                break;
            }
        }
    }
    let lists = lists(connection).await?;
    snapshot.end().await?;
    writer.finish(lists)
}

fn values(row: &Row, table: &TableHead) -> Result<Vec<Value>, Error> {
    table
        .columns
        .iter()
        .enumerate()
        .map(|(place, (_, kind))| {
            Ok(match kind {
                Kind::Number => Value::Int(row.at(place)?),
                Kind::Text => Value::Text(row.at(place)?),
                Kind::Bytes => Value::Bytes(row.at(place)?),
            })
        })
        .collect()
}

fn key_of(table: &Table, row: Vec<Value>) -> Vec<Value> {
    let mut row: Vec<Option<Value>> = row.into_iter().map(Some).collect();
    let take = |place: usize| row.get_mut(place)?.take();
    table.key_places().into_iter().filter_map(take).collect()
}

async fn lists(connection: &mut Connection) -> Result<Vec<ListMark>, Error> {
    let lists: Vec<(String, i64, i64)> =
        query("SELECT name, revision, next_counter FROM status_list ORDER BY id")
            .all(connection)
            .await?;
    let mark = |(name, revision, next_counter)| ListMark {
        name,
        revision,
        next_counter,
    };
    Ok(lists.into_iter().map(mark).collect())
}
