//! The lines of a backup, written and read.

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};

use aws_lc_rs::digest::{Context, SHA256};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::BackupError;
use crate::sql::Value;

/// What this version writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// The longest line that is read, in bytes. A row holds at most what a request may
/// bring, many times over.
const LONGEST: u64 = 16 << 20;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The moment it shows.
    pub made_at: Timestamp,
    /// The kind of database it was made from: `sqlite` or `postgres`.
    pub made_from: String,
    /// The steps of its schema.
    pub schema: Vec<Step>,
    /// How many rows each table has.
    pub rows: BTreeMap<String, u64>,
    /// How far each status list had come.
    pub lists: Vec<ListMark>,
    /// SHA-256 of all lines but the last, in hexadecimal.
    pub sha256: String,
}

/// A step of a schema: its number and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step(pub i64, pub String);

/// How far a status list had come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListMark {
    /// Its name.
    pub name: String,
    /// Its revision.
    pub revision: i64,
    /// The counters below it were handed out.
    pub next_counter: i64,
}

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    backup: u32,
    pub(super) made_at: Timestamp,
    pub(super) made_from: String,
    pub(super) schema: Vec<Step>,
}

impl Head {
    pub(super) fn new(made_at: Timestamp, made_from: &str, schema: Vec<Step>) -> Self {
        Self {
            backup: FORMAT,
            made_at,
            made_from: made_from.to_owned(),
            schema,
        }
    }
}

/// The line before a table's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableHead {
    pub(super) table: String,
    pub(super) columns: Vec<(String, Kind)>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// A whole number.
    Number,
    /// A text.
    Text,
    /// Bytes, written in base64url.
    Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    end: Tail,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tail {
    rows: BTreeMap<String, u64>,
    lists: Vec<ListMark>,
    sha256: String,
}

/// Writes a backup.
pub(super) struct Writer<W: Write> {
    out: GzEncoder<W>,
    digest: Context,
    head: Head,
    rows: BTreeMap<String, u64>,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(out: W, head: Head) -> Result<Self, BackupError> {
        let mut writer = Self {
            out: GzEncoder::new(out, Compression::fast()),
            digest: Context::new(&SHA256),
            head: head.clone(),
            rows: BTreeMap::new(),
            line: Vec::new(),
        };
        writer.line(&head)?;
        Ok(writer)
    }

    pub(super) fn table(&mut self, head: &TableHead) -> Result<(), BackupError> {
        self.rows.insert(head.table.clone(), 0);
        self.line(head)
    }

    /// A row of the table that was begun last.
    pub(super) fn row(&mut self, table: &TableHead, row: &[Value]) -> Result<(), BackupError> {
        let cells: Vec<Cell> = row.iter().map(Cell::of).collect();
        *self.rows.entry(table.table.clone()).or_default() += 1;
        self.line(&cells)
    }

    /// Writes the last line and gives back where it wrote to.
    pub(super) fn finish(mut self, lists: Vec<ListMark>) -> Result<(W, Manifest), BackupError> {
        let sha256 = hex::encode(self.digest.clone().finish());
        let end = Tail {
            rows: self.rows.clone(),
            lists,
            sha256,
        };
        let manifest = manifest(self.head.clone(), end.clone());
        self.line(&Last { end })?;
        Ok((self.out.finish()?, manifest))
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), BackupError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, value).map_err(std::io::Error::from)?;
        self.line.push(b'\n');
        self.digest.update(&self.line);
        Ok(self.out.write_all(&self.line)?)
    }
}

/// What comes next in a backup.
pub(super) enum Line {
    /// Another table.
    Table(TableHead),
    /// A row of the table before.
    Row(Vec<Value>),
}

/// Reads a backup. It is known to be whole once [`Reader::manifest`] says so.
pub(super) struct Reader<R: BufRead> {
    from: std::io::BufReader<MultiGzDecoder<R>>,
    digest: Context,
    head: Head,
    table: Option<TableHead>,
    rows: BTreeMap<String, u64>,
    tail: Option<Tail>,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    pub(super) fn open(from: R) -> Result<Self, BackupError> {
        let mut reader = Self {
            from: std::io::BufReader::new(MultiGzDecoder::new(from)),
            digest: Context::new(&SHA256),
            head: Head::new(Timestamp::UNIX_EPOCH, "", vec![]),
            table: None,
            rows: BTreeMap::new(),
            tail: None,
            number: 0,
            line: Vec::new(),
        };
        if !reader.read_line()? {
            return Err(reader.damaged("it is empty"));
        }
        let head: Head = serde_json::from_slice(&reader.line)
            .map_err(|_| reader.damaged("this is not a backup of claviger"))?;
        if head.backup != FORMAT {
            return Err(reader.damaged(format!("its format is {}, not {FORMAT}", head.backup)));
        }
        reader.digest.update(&reader.line);
        reader.head = head;
        Ok(reader)
    }

    /// The next table or row; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Line>, BackupError> {
        if self.tail.is_some() {
            return Ok(None);
        }
        if !self.read_line()? {
            return Err(self.damaged("it ends here, and is not at its end"));
        }
        if self.line.starts_with(b"{\"end\"") {
            let last: Last = self.parse()?;
            self.check(&last.end)?;
            self.tail = Some(last.end);
            return Ok(None);
        }
        self.digest.update(&self.line);
        if self.line.starts_with(b"{") {
            let table: TableHead = self.parse()?;
            if self.rows.insert(table.table.clone(), 0).is_some() {
                return Err(self.damaged("this table was there before"));
            }
            self.table = Some(table.clone());
            return Ok(Some(Line::Table(table)));
        }
        let cells: Vec<Cell> = self.parse()?;
        let Some(table) = &self.table else {
            return Err(self.damaged("a row of no table"));
        };
        if cells.len() != table.columns.len() {
            return Err(self.damaged("a row of another table"));
        }
        let row: Option<Vec<Value>> = cells
            .into_iter()
            .zip(&table.columns)
            .map(|(cell, (_, kind))| cell.value(*kind))
            .collect();
        let Some(row) = row else {
            return Err(self.damaged("a value that its column cannot hold"));
        };
        if let Some(count) = self.rows.get_mut(&table.table) {
            *count += 1;
        }
        Ok(Some(Line::Row(row)))
    }

    /// What was read, once it was read to its end.
    pub(super) fn manifest(&self) -> Result<Manifest, BackupError> {
        match &self.tail {
            Some(tail) => Ok(manifest(self.head.clone(), tail.clone())),
            None => Err(self.damaged("it was not read to its end")),
        }
    }

    fn check(&mut self, tail: &Tail) -> Result<(), BackupError> {
        let found = hex::encode(self.digest.clone().finish());
        if found != tail.sha256 {
            return Err(self.damaged("what was read has another SHA-256 than it must have"));
        }
        if self.rows != tail.rows {
            return Err(self.damaged("the tables have other numbers of rows than they must have"));
        }
        if self.read_line()? {
            return Err(self.damaged("something follows its end"));
        }
        Ok(())
    }

    /// Whether there was a line.
    fn read_line(&mut self) -> Result<bool, BackupError> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.from)
            .take(LONGEST)
            .read_until(b'\n', &mut self.line);
        match read {
            Ok(0) => Ok(false),
            Ok(_) if self.line.ends_with(b"\n") => Ok(true),
            Ok(_) => Err(self.damaged("the line does not end")),
            // What gzip refuses is the file's fault; what the disk refuses is not.
            Err(error) if is_gzips(&error) => Err(self.damaged(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, BackupError> {
        serde_json::from_slice(&self.line).map_err(|error| self.damaged(error.to_string()))
    }

    fn damaged(&self, what: impl Into<String>) -> BackupError {
        BackupError::Damaged {
            line: self.number,
            what: what.into(),
        }
    }
}

fn is_gzips(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

fn manifest(head: Head, tail: Tail) -> Manifest {
    Manifest {
        made_at: head.made_at,
        made_from: head.made_from,
        schema: head.schema,
        rows: tail.rows,
        lists: tail.lists,
        sha256: tail.sha256,
    }
}

/// A value as it stands in a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Cell {
    Null(()),
    Number(i64),
    Text(String),
}

impl Cell {
    fn of(value: &Value) -> Self {
        match value {
            Value::Int(Some(number)) => Self::Number(*number),
            Value::Text(Some(text)) => Self::Text(text.clone()),
            Value::Bytes(Some(bytes)) => Self::Text(jose::b64::encode(bytes)),
            Value::Int(None) | Value::Text(None) | Value::Bytes(None) => Self::Null(()),
        }
    }

    fn value(self, kind: Kind) -> Option<Value> {
        Some(match (kind, self) {
            (Kind::Number, Self::Null(())) => Value::Int(None),
            (Kind::Number, Self::Number(number)) => Value::Int(Some(number)),
            (Kind::Text, Self::Null(())) => Value::Text(None),
            (Kind::Text, Self::Text(text)) => Value::Text(Some(text)),
            (Kind::Bytes, Self::Null(())) => Value::Bytes(None),
            (Kind::Bytes, Self::Text(text)) => Value::Bytes(Some(jose::b64::decode(&text).ok()?)),
            _ => return None,
        })
    }
}
