//! One way to put a statement to either database.
//!
//! A statement is written once, with SQLite's placeholders (`?`, or `?1` where one
//! value stands in several places); PostgreSQL gets `$1` in their place. What the
//! two understand alike is all that statements may use: integers of 64 bits, text,
//! bytes, `ON CONFLICT`, `RETURNING`, `IS NOT DISTINCT FROM`. Where they differ in
//! what they lock, [`Query::locking`] says it: SQLite has one writer at a time,
//! PostgreSQL locks the rows that were read.

use std::borrow::Cow;
use std::fmt::Write as _;

use rusqlite::types::FromSql;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, AssertSqlSafe, Decode, Postgres, Row as _, Type};

use crate::{Error, postgres, sqlite};

/// A connection to either database, on loan.
///
/// SQLite works in the caller's own thread: a statement is a call, not a message. What
/// takes longer than a look at some rows is marked ([`Query::at_length`]), and goes to
/// a thread where it holds nobody up.
#[derive(Debug)]
pub enum Connection {
    /// To SQLite.
    Sqlite(sqlite::Loan),
    /// To PostgreSQL.
    Postgres(postgres::Loan),
}

impl Connection {
    /// Whether rows that were read can be changed by others until they are locked.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Closes the connection instead of giving it back, which undoes whatever it had
    /// not committed.
    pub(crate) fn spoil(&mut self) {
        match self {
            Self::Sqlite(loan) => loan.spoil(),
            Self::Postgres(loan) => loan.spoil(),
        }
    }
}

/// A statement; its values are bound in the order of its placeholders.
pub fn query(sql: &'static str) -> Query {
    Query {
        sql: Cow::Borrowed(sql),
        values: Vec::new(),
        locking: false,
        at_length: false,
        whole_tables: false,
    }
}

/// A statement that was put together from the names of tables and columns, and of
/// nothing that came from outside.
pub(crate) fn built(sql: String) -> Query {
    Query {
        sql: Cow::Owned(sql),
        values: Vec::new(),
        locking: false,
        at_length: false,
        whole_tables: false,
    }
}

/// A statement on its way to a database.
#[derive(Debug, Clone)]
#[must_use = "a statement does nothing until it is put to a database"]
pub struct Query {
    sql: Cow<'static, str>,
    values: Vec<Value>,
    locking: bool,
    at_length: bool,
    whole_tables: bool,
}

/// A value of a statement. A NULL has a type too.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Int(Option<i64>),
    /// A text.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}

/// Values can be personal, or secret: their kind is all that is shown.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Int(_) => "Int",
            Self::Text(_) => "Text",
            Self::Bytes(_) => "Bytes",
        })
    }
}

impl Query {
    /// Binds the next value.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Locks the rows that it reads until the transaction ends, where others could
    /// change them meanwhile (PostgreSQL; SQLite's writer is alone already).
    pub fn locking(mut self) -> Self {
        self.locking = true;
        self
    }

    /// Says that it reads much: thousands of rows, or a whole table.
    pub fn at_length(mut self) -> Self {
        self.at_length = true;
        self
    }

    /// Says that it reads whole tables, once in a while, and is better planned for that:
    /// PostgreSQL looks everything else up by its index.
    pub fn whole_tables(mut self) -> Self {
        self.whole_tables = true;
        self.at_length()
    }

    /// Puts the statement; how many rows it changed.
    pub async fn execute(self, connection: &mut Connection) -> Result<u64, Error> {
        match connection {
            Connection::Sqlite(loan) => loan.execute(self.for_sqlite()).await,
            Connection::Postgres(loan) => {
                let (whole_tables, statement) = self.for_postgres()?;
                begin(loan, whole_tables).await?;
                let done = loan.execute(statement).await;
                end(loan, whole_tables, done).await
            }
        }
    }

    /// All rows.
    pub async fn fetch_all(self, connection: &mut Connection) -> Result<Vec<Row>, Error> {
        match connection {
            Connection::Sqlite(loan) => {
                let rows = loan.fetch(self.for_sqlite(), usize::MAX).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Connection::Postgres(loan) => {
                let (whole_tables, statement) = self.for_postgres()?;
                begin(loan, whole_tables).await?;
                let done = loan.fetch_all(statement).await;
                let rows = end(loan, whole_tables, done).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// The first row, if there is one.
    pub async fn fetch_optional(self, connection: &mut Connection) -> Result<Option<Row>, Error> {
        match connection {
            Connection::Sqlite(loan) => {
                let rows = loan.fetch(self.for_sqlite(), 1).await?;
                Ok(rows.into_iter().next().map(Row::Sqlite))
            }
            Connection::Postgres(loan) => {
                let (whole_tables, statement) = self.for_postgres()?;
                begin(loan, whole_tables).await?;
                let done = loan.fetch_optional(statement).await;
                let row = end(loan, whole_tables, done).await?;
                Ok(row.map(Row::Postgres))
            }
        }
    }

    /// The row that must be there.
    pub async fn fetch_one(self, connection: &mut Connection) -> Result<Row, Error> {
        let row = self.fetch_optional(connection).await?;
        row.ok_or(Error::Sql(sqlx::Error::RowNotFound))
    }

    /// All rows, column by column.
    pub async fn all<T: Columns>(self, connection: &mut Connection) -> Result<Vec<T>, Error> {
        let rows = self.fetch_all(connection).await?;
        rows.iter().map(T::read).collect()
    }

    /// The first row, column by column.
    pub async fn optional<T: Columns>(
        self,
        connection: &mut Connection,
    ) -> Result<Option<T>, Error> {
        let row = self.fetch_optional(connection).await?;
        row.as_ref().map(T::read).transpose()
    }

    /// The row that must be there, column by column.
    pub async fn one<T: Columns>(self, connection: &mut Connection) -> Result<T, Error> {
        T::read(&self.fetch_one(connection).await?)
    }

    fn for_sqlite(self) -> sqlite::Asked {
        sqlite::Asked {
            sql: self.sql,
            values: self.values,
            at_length: self.at_length,
        }
    }

    /// Whether it reads whole tables, and what is put.
    fn for_postgres(self) -> Result<(bool, postgres::Statement), Error> {
        let mut sql = String::with_capacity(self.sql.len() + 32);
        self.write_postgres(0, &mut sql);
        let arguments = arguments(self.values)?;
        let statement = sqlx::query_with(AssertSqlSafe(sql), arguments);
        Ok((self.whole_tables, statement))
    }

    /// Writes the statement for PostgreSQL, where so many values stand before its own.
    fn write_postgres(&self, before: usize, out: &mut String) {
        dollars(&self.sql, before, out);
        if self.locking {
            out.push_str(" FOR UPDATE");
        }
    }
}

/// Before a statement that may read whole tables.
async fn begin(loan: &mut postgres::Loan, whole_tables: bool) -> Result<(), Error> {
    match whole_tables {
        true => loan.whole_tables(true).await,
        false => Ok(()),
    }
}

/// After it. What it failed of is what is told.
async fn end<T>(
    loan: &mut postgres::Loan,
    whole_tables: bool,
    done: Result<T, Error>,
) -> Result<T, Error> {
    let ended = match whole_tables {
        true => loan.whole_tables(false).await,
        false => Ok(()),
    };
    let done = done?;
    if ended.is_err() {
        // Nobody else is to have it as it is.
        loan.spoil();
    }
    ended.map(|()| done)
}

/// Statements that have nothing to do with each other, as none looks at what another one
/// changes, each with what it must come to. PostgreSQL gets them as one statement, on one
/// way there and back; SQLite one after the other. One statement sees the rows of one
/// moment: what the others are to see only once it is locked is locked before.
///
/// The first refusal in their order is the answer, and then a transaction is for undoing
/// what the others changed.
#[derive(Debug)]
pub struct Together<E> {
    parts: Vec<Part<E>>,
}

#[derive(Debug)]
struct Part<E> {
    query: Query,
    does: Does,
    refusal: E,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Change,
    Find,
    FindNone,
}

impl<E> Default for Together<E> {
    fn default() -> Self {
        Self { parts: Vec::new() }
    }
}

impl<E: From<Error>> Together<E> {
    /// A statement that must change a row, or it is refused.
    pub fn changes(&mut self, query: Query, refusal: E) {
        self.add(query, Does::Change, refusal);
    }

    /// A statement that must find a row.
    pub fn finds(&mut self, query: Query, refusal: E) {
        self.add(query, Does::Find, refusal);
    }

    /// A statement that must find no row.
    pub fn finds_none(&mut self, query: Query, refusal: E) {
        self.add(query, Does::FindNone, refusal);
    }

    fn add(&mut self, query: Query, does: Does, refusal: E) {
        self.parts.push(Part {
            query,
            does,
            refusal,
        });
    }

    /// Puts them to a database.
    pub async fn put(self, connection: &mut Connection) -> Result<(), E> {
        if connection.is_postgres() {
            return self.put_as_one(connection).await;
        }
        for part in self.parts {
            let count = match part.does {
                Does::Change => part.query.execute(connection).await?,
                Does::Find | Does::FindNone => {
                    u64::from(part.query.fetch_optional(connection).await?.is_some())
                }
            };
            if (count == 0) != (part.does == Does::FindNone) {
                return Err(part.refusal);
            }
        }
        Ok(())
    }

    async fn put_as_one(self, connection: &mut Connection) -> Result<(), E> {
        if self.parts.is_empty() {
            return Ok(());
        }
        let (mut with, mut counts) = (String::new(), String::new());
        let (mut values, mut ends) = (Vec::new(), Vec::new());
        for (place, part) in self.parts.into_iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let _ = write!(with, "{comma}part{place} AS (");
            part.query.write_postgres(values.len(), &mut with);
            with.push_str(match part.does {
                Does::Change => " RETURNING 1)",
                Does::Find | Does::FindNone => ")",
            });
            let _ = write!(counts, "{comma}(SELECT count(*) FROM part{place})");
            values.extend(part.query.values);
            ends.push((part.does, part.refusal));
        }
        let mut whole = built(format!("WITH {with} SELECT {counts}"));
        whole.values = values;
        let row = whole.fetch_one(connection).await?;
        for (place, (does, refusal)) in ends.into_iter().enumerate() {
            let count: i64 = row.at(place)?;
            if (count == 0) != (does == Does::FindNone) {
                return Err(refusal);
            }
        }
        Ok(())
    }
}

fn arguments(values: Vec<Value>) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Writes the statement with PostgreSQL's placeholders, the first of them the one after
/// `before`. No statement of ours has a question mark of another meaning.
fn dollars(sql: &str, before: usize, out: &mut String) {
    let mut next = before;
    let mut rest = sql.split('?');
    out.push_str(rest.next().unwrap_or_default());
    for after in rest {
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, text) = after.split_at(digits);
        let place = match number.parse::<usize>() {
            Ok(number) => before + number,
            Err(_) => {
                next += 1;
                next
            }
        };
        let _ = write!(out, "${place}{text}");
    }
}

macro_rules! values {
    ($($of:ty => $kind:ident: $make:expr;)*) => {$(
        impl From<$of> for Value {
            fn from(value: $of) -> Self {
                let make: fn($of) -> _ = $make;
                Self::$kind(Some(make(value)))
            }
        }

        impl From<Option<$of>> for Value {
            fn from(value: Option<$of>) -> Self {
                let make: fn($of) -> _ = $make;
                Self::$kind(value.map(make))
            }
        }
    )*};
}

values! {
    i64 => Int: |value| value;
    i32 => Int: i64::from;
    u32 => Int: i64::from;
    u16 => Int: i64::from;
    bool => Int: i64::from;
    &str => Text: str::to_owned;
    String => Text: |value| value;
    &String => Text: String::clone;
    &[u8] => Bytes: <[u8]>::to_vec;
    Vec<u8> => Bytes: |value| value;
    &Vec<u8> => Bytes: Vec::clone;
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}

impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}

/// A row of either database.
pub enum Row {
    /// Of SQLite.
    Sqlite(sqlite::Row),
    /// Of PostgreSQL.
    Postgres(PgRow),
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Row")
    }
}

/// What a column can be read as.
pub trait Cell: FromSql + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

impl<T> Cell for T where T: FromSql + for<'r> Decode<'r, Postgres> + Type<Postgres> {}

impl Row {
    /// The column of this name.
    pub fn get<T: Cell>(&self, column: &str) -> Result<T, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// The column at this place.
    pub fn at<T: Cell>(&self, place: usize) -> Result<T, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.at(place)?,
            Self::Postgres(row) => row.try_get(place)?,
        })
    }
}

/// A row as a tuple of its columns, or as its only column.
pub trait Columns: Sized {
    /// Reads them.
    fn read(row: &Row) -> Result<Self, Error>;
}

macro_rules! single {
    ($($of:ty),*) => {$(
        impl Columns for $of {
            fn read(row: &Row) -> Result<Self, Error> {
                row.at(0)
            }
        }
    )*};
}

single!(
    i64,
    bool,
    String,
    Vec<u8>,
    Option<i64>,
    Option<String>,
    Option<Vec<u8>>
);

macro_rules! tuples {
    ($(($($of:ident $place:tt),+))*) => {$(
        impl<$($of),+> Columns for ($($of,)+)
        where
            $($of: Cell),+
        {
            fn read(row: &Row) -> Result<Self, Error> {
                Ok(($(row.at::<$of>($place)?,)+))
            }
        }
    )*};
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_become_postgresqls() {
        for (ours, theirs) in [
            ("SELECT 1", "SELECT 1"),
            ("a = ? AND b = ?", "a = $1 AND b = $2"),
            ("SELECT ?2, ?1, ?2", "SELECT $2, $1, $2"),
            ("?12)", "$12)"),
        ] {
            let mut out = String::new();
            dollars(ours, 0, &mut out);
            assert_eq!(out, theirs);
        }
    }

    #[test]
    fn a_value_is_not_shown() {
        let query = query("SELECT ?").bind("a secret");
        assert!(!format!("{query:?}").contains("secret"));
    }
}
