//! One way to put a statement to either database.
//!
//! A statement is written once, with SQLite's placeholders (`?`, or `?1` where one
//! value stands in several places); PostgreSQL gets `$1` in their place. What the
//! two understand alike is all that statements may use: integers of 64 bits, text,
//! bytes, `ON CONFLICT`, `RETURNING`, `IS NOT DISTINCT FROM`. Where they differ in
//! what they lock, [`Query::locking`] says it: SQLite has one writer at a time,
//! PostgreSQL locks the rows that were read.

use std::borrow::Cow;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments, AssertSqlSafe, Decode, Postgres, Row as _, SqlSafeStr, SqlStr, Sqlite, Type,
};

use crate::Error;

/// A connection to either database.
#[derive(Debug)]
pub enum Connection {
    /// To SQLite.
    Sqlite(PoolConnection<Sqlite>),
    /// To PostgreSQL.
    Postgres(PoolConnection<Postgres>),
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
            Self::Sqlite(connection) => connection.close_on_drop(),
            Self::Postgres(connection) => connection.close_on_drop(),
        }
    }
}

/// A statement; its values are bound in the order of its placeholders.
pub fn query(sql: &'static str) -> Query {
    Query {
        sql: Cow::Borrowed(sql),
        values: Vec::new(),
        locking: false,
    }
}

/// A statement that was put together from the names of tables and columns, and of
/// nothing that came from outside.
pub(crate) fn built(sql: String) -> Query {
    Query {
        sql: Cow::Owned(sql),
        values: Vec::new(),
        locking: false,
    }
}

/// A statement on its way to a database.
#[derive(Debug, Clone)]
#[must_use = "a statement does nothing until it is put to a database"]
pub struct Query {
    sql: Cow<'static, str>,
    values: Vec<Value>,
    locking: bool,
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

    /// Puts the statement; how many rows it changed.
    pub async fn execute(self, connection: &mut Connection) -> Result<u64, Error> {
        Ok(match connection {
            Connection::Sqlite(to) => {
                let (sql, values) = self.for_sqlite()?;
                let done = sqlx::query_with(sql, values).execute(&mut **to).await?;
                done.rows_affected()
            }
            Connection::Postgres(to) => {
                let (sql, values) = self.for_postgres()?;
                let done = sqlx::query_with(AssertSqlSafe(sql), values)
                    .execute(&mut **to)
                    .await?;
                done.rows_affected()
            }
        })
    }

    /// All rows.
    pub async fn fetch_all(self, connection: &mut Connection) -> Result<Vec<Row>, Error> {
        Ok(match connection {
            Connection::Sqlite(from) => {
                let (sql, values) = self.for_sqlite()?;
                let rows = sqlx::query_with(sql, values).fetch_all(&mut **from).await?;
                rows.into_iter().map(Row::Sqlite).collect()
            }
            Connection::Postgres(from) => {
                let (sql, values) = self.for_postgres()?;
                let rows = sqlx::query_with(AssertSqlSafe(sql), values)
                    .fetch_all(&mut **from)
                    .await?;
                rows.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// The first row, if there is one.
    pub async fn fetch_optional(self, connection: &mut Connection) -> Result<Option<Row>, Error> {
        Ok(match connection {
            Connection::Sqlite(from) => {
                let (sql, values) = self.for_sqlite()?;
                let row = sqlx::query_with(sql, values)
                    .fetch_optional(&mut **from)
                    .await?;
                row.map(Row::Sqlite)
            }
            Connection::Postgres(from) => {
                let (sql, values) = self.for_postgres()?;
                let row = sqlx::query_with(AssertSqlSafe(sql), values)
                    .fetch_optional(&mut **from)
                    .await?;
                row.map(Row::Postgres)
            }
        })
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

    fn for_sqlite(self) -> Result<(SqlStr, SqliteArguments), Error> {
        let mut arguments = SqliteArguments::default();
        for value in self.values {
            match value {
                Value::Int(value) => arguments.add(value),
                Value::Text(value) => arguments.add(value),
                Value::Bytes(value) => arguments.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        let sql = match self.sql {
            Cow::Borrowed(sql) => sql.into_sql_str(),
            Cow::Owned(sql) => AssertSqlSafe(sql).into_sql_str(),
        };
        Ok((sql, arguments))
    }

    fn for_postgres(self) -> Result<(String, PgArguments), Error> {
        let mut arguments = PgArguments::default();
        for value in self.values {
            match value {
                Value::Int(value) => arguments.add(value),
                Value::Text(value) => arguments.add(value),
                Value::Bytes(value) => arguments.add(value),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        let mut sql = dollars(&self.sql);
        if self.locking {
            sql.push_str(" FOR UPDATE");
        }
        Ok((sql, arguments))
    }
}

/// The statement with PostgreSQL's placeholders. No statement of ours has a question
/// mark of another meaning.
fn dollars(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 16);
    let mut next = 1;
    let mut rest = sql.chars().peekable();
    while let Some(char) = rest.next() {
        if char != '?' {
            out.push(char);
            continue;
        }
        out.push('$');
        if rest.peek().is_some_and(char::is_ascii_digit) {
            continue;
        }
        out.push_str(&next.to_string());
        next += 1;
    }
    out
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
    Sqlite(SqliteRow),
    /// Of PostgreSQL.
    Postgres(PgRow),
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Row")
    }
}

/// What a column can be read as.
pub trait Cell<'r>:
    Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

impl<'r, T> Cell<'r> for T where
    T: Decode<'r, Sqlite> + Type<Sqlite> + Decode<'r, Postgres> + Type<Postgres>
{
}

impl Row {
    /// The column of this name.
    pub fn get<'r, T: Cell<'r>>(&'r self, column: &str) -> Result<T, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// The column at this place.
    pub fn at<'r, T: Cell<'r>>(&'r self, place: usize) -> Result<T, Error> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(place)?,
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
            $($of: for<'r> Cell<'r>),+
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
            assert_eq!(dollars(ours), theirs);
        }
    }

    #[test]
    fn a_value_is_not_shown() {
        let query = query("SELECT ?").bind("a secret");
        assert!(!format!("{query:?}").contains("secret"));
    }
}
