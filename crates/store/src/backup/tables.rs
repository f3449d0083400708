//! What tables there are, asked of the database itself.

use std::collections::{BTreeMap, BTreeSet};

use super::BackupError;
use super::format::{Kind, Step, TableHead};
use crate::Error;
use crate::sql::{Connection, Query, built, query};

/// sqlx's own table: which steps of the schema were applied.
const STEPS: &str = "_sqlx_migrations";

/// Tables that the schema itself puts a row into: they hold one in an empty database.
const SEEDED: &[&str] = &["operator_trail_ends"];

/// A table and its columns.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) head: TableHead,
    /// The columns of its primary key, in order.
    key: Vec<String>,
    /// Columns that count by themselves.
    pub(super) counted: Vec<String>,
    refers_to: BTreeSet<String>,
}

impl Table {
    /// The same table, its columns in another order.
    pub(super) fn with_columns_of(&self, head: TableHead) -> Self {
        Self {
            head,
            ..self.clone()
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.head.table
    }

    /// The rows after those of `after`, in the order of the key; all, if it is empty.
    pub(super) fn page(&self, after: &[crate::sql::Value], limit: u32) -> Query {
        let columns = list(self.head.columns.iter().map(|(name, _)| name));
        let key = list(&self.key);
        let beginning = match after.len() {
            0 => String::new(),
            count => format!("WHERE ({key}) > ({})", holders(count)),
        };
        let sql = format!(
            "SELECT {columns} FROM {} {beginning} ORDER BY {key} LIMIT {limit}",
            quoted(self.name())
        );
        after
            .iter()
            .fold(built(sql), |query, value| query.bind(value.clone()))
    }

    /// The places of the key's columns in a row.
    pub(super) fn key_places(&self) -> Vec<usize> {
        let place = |name: &String| self.head.columns.iter().position(|(own, _)| own == name);
        self.key.iter().filter_map(place).collect()
    }

    /// A statement that puts in so many rows.
    pub(super) fn insert(&self, rows: usize) -> String {
        let columns = list(self.head.columns.iter().map(|(name, _)| name));
        let row = format!("({})", holders(self.head.columns.len()));
        let rows = vec![row; rows].join(", ");
        format!(
            "INSERT INTO {} ({columns}) VALUES {rows}",
            quoted(self.name())
        )
    }

    /// Whether it has a row that something put there. One of the schema's own is taken
    /// away.
    pub(super) async fn has_rows(&self, connection: &mut Connection) -> Result<bool, Error> {
        if SEEDED.contains(&self.name()) {
            let taken = built(format!("DELETE FROM {}", quoted(self.name())));
            taken.execute(connection).await?;
        }
        let any = built(format!("SELECT 1 FROM {} LIMIT 1", quoted(self.name())));
        Ok(any.fetch_optional(connection).await?.is_some())
    }

    /// Lets PostgreSQL count on where the rows that were put in end; SQLite does it by
    /// itself.
    pub(super) async fn count_on(&self, connection: &mut Connection) -> Result<(), Error> {
        if !connection.is_postgres() {
            return Ok(());
        }
        for column in &self.counted {
            let sql = format!(
                "SELECT setval(pg_get_serial_sequence(?, ?), max({0})) FROM {1} HAVING max({0}) > 0",
                quoted(column),
                quoted(self.name())
            );
            built(sql)
                .bind(quoted(self.name()))
                .bind(column)
                .fetch_optional(connection)
                .await?;
        }
        Ok(())
    }
}

/// All tables but sqlx's own, each after those that it refers to.
pub(super) async fn tables(connection: &mut Connection) -> Result<Vec<Table>, BackupError> {
    let names: Vec<String> = query(if connection.is_postgres() {
        "SELECT table_name::text FROM information_schema.tables
         WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite$_%' ESCAPE '$'
         ORDER BY name"
    })
    .all(connection)
    .await?;
    let mut found = Vec::new();
    for name in names.into_iter().filter(|name| name != STEPS) {
        found.push(if connection.is_postgres() {
            of_postgres(connection, name).await?
        } else {
            of_sqlite(connection, name).await?
        });
    }
    in_order(found)
}

/// Takes every row away, on PostgreSQL: what keeps single rows from being deleted does
/// not keep them.
pub(super) async fn clear(tables: &[Table], connection: &mut Connection) -> Result<(), Error> {
    let names: Vec<String> = tables.iter().map(|table| quoted(table.name())).collect();
    built(format!("TRUNCATE {}", names.join(", ")))
        .execute(connection)
        .await?;
    Ok(())
}

/// The steps of the schema that were applied, in their order.
pub(super) async fn steps(connection: &mut Connection) -> Result<Vec<Step>, Error> {
    let steps: Vec<(i64, String)> =
        query("SELECT version, description FROM _sqlx_migrations ORDER BY version")
            .all(connection)
            .await?;
    Ok(steps
        .into_iter()
        .map(|(version, name)| Step(version, name))
        .collect())
}

async fn of_sqlite(connection: &mut Connection, name: String) -> Result<Table, BackupError> {
    let columns: Vec<(String, String, i64)> =
        query("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid")
            .bind(&name)
            .all(connection)
            .await?;
    let refers_to: Vec<String> = query("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?)")
        .bind(&name)
        .all(connection)
        .await?;
    let mut key: Vec<(i64, String)> = columns
        .iter()
        .filter(|(_, _, place)| *place > 0)
        .map(|(column, _, place)| (*place, column.clone()))
        .collect();
    key.sort_unstable();
    let columns = columns
        .into_iter()
        .map(|(column, found, _)| (column, found));
    table(
        name,
        columns,
        key.into_iter().map(|(_, column)| column).collect(),
        vec![],
        refers_to,
    )
}

async fn of_postgres(connection: &mut Connection, name: String) -> Result<Table, BackupError> {
    let columns: Vec<(String, String, i64)> = query(
        "SELECT column_name::text, data_type::text,
                CASE WHEN is_identity = 'YES' THEN 1::bigint ELSE 0::bigint END
         FROM information_schema.columns
         WHERE table_schema = current_schema() AND table_name = ? ORDER BY ordinal_position",
    )
    .bind(&name)
    .all(connection)
    .await?;
    let key: Vec<String> = query(
        "SELECT a.attname::text FROM pg_class c
         JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
         CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
         WHERE c.relname = ? AND c.relnamespace = current_schema()::regnamespace
         ORDER BY k.place",
    )
    .bind(&name)
    .all(connection)
    .await?;
    let refers_to: Vec<String> = query(
        "SELECT DISTINCT other.relname::text FROM pg_constraint f
         JOIN pg_class c ON c.oid = f.conrelid
         JOIN pg_class other ON other.oid = f.confrelid
         WHERE f.contype = 'f' AND c.relname = ?
           AND c.relnamespace = current_schema()::regnamespace",
    )
    .bind(&name)
    .all(connection)
    .await?;
    let counted = columns
        .iter()
        .filter(|(_, _, counts)| *counts == 1)
        .map(|(column, _, _)| column.clone())
        .collect();
    let columns = columns
        .into_iter()
        .map(|(column, found, _)| (column, found));
    table(name, columns, key, counted, refers_to)
}

fn table(
    name: String,
    columns: impl Iterator<Item = (String, String)>,
    key: Vec<String>,
    counted: Vec<String>,
    refers_to: Vec<String>,
) -> Result<Table, BackupError> {
    let columns = columns.map(|(column, found)| {
        let kind = match found.to_ascii_lowercase().as_str() {
            "integer" | "bigint" => Kind::Number,
            "text" => Kind::Text,
            "blob" | "bytea" => Kind::Bytes,
            _ => {
                return Err(BackupError::Type {
                    table: name.clone(),
                    column,
                    found,
                });
            }
        };
        Ok((column, kind))
    });
    let columns = columns.collect::<Result<_, _>>()?;
    if key.is_empty() {
        return Err(BackupError::Table {
            table: name,
            what: "it has no primary key to be read in the order of",
        });
    }
    Ok(Table {
        refers_to: refers_to
            .into_iter()
            .filter(|other| *other != name)
            .collect(),
        head: TableHead {
            table: name,
            columns,
        },
        key,
        counted,
    })
}

fn in_order(tables: Vec<Table>) -> Result<Vec<Table>, BackupError> {
    let mut left: BTreeMap<String, Table> = tables
        .into_iter()
        .map(|table| (table.name().to_owned(), table))
        .collect();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let free: Vec<String> = left
            .values()
            .filter(|table| !table.refers_to.iter().any(|other| left.contains_key(other)))
            .map(|table| table.name().to_owned())
            .collect();
        if free.is_empty() {
            let table = left.into_keys().next().unwrap_or_default();
            let what = "it refers to itself by way of others";
            return Err(BackupError::Table { table, what });
        }
        ordered.extend(free.iter().filter_map(|name| left.remove(name)));
    }
    Ok(ordered)
}

fn list<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| quoted(name)).collect();
    names.join(", ")
}

fn holders(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn made_up(name: &str, refers_to: &[&str]) -> Table {
        let columns = [("id".to_owned(), "BIGINT".to_owned())];
        let refers_to = refers_to.iter().map(ToString::to_string).collect();
        table(
            name.into(),
            columns.into_iter(),
            vec!["id".into()],
            vec![],
            refers_to,
        )
        .unwrap()
    }

    #[test]
    fn each_table_comes_after_those_it_refers_to() {
        let tables = [
            made_up("a", &["c", "a"]),
            made_up("b", &[]),
            made_up("c", &["b"]),
        ];
        let names: Vec<String> = in_order(tables.to_vec())
            .unwrap()
            .iter()
            .map(|table| table.name().to_owned())
            .collect();
        assert_eq!(names, ["b", "c", "a"]);
        let circle = in_order(vec![made_up("a", &["b"]), made_up("b", &["a"])]);
        assert!(matches!(circle, Err(BackupError::Table { table, .. }) if table == "a"));
    }

    #[test]
    fn a_column_of_another_type_is_refused_by_name() {
        let columns = [("at".to_owned(), "timestamp with time zone".to_owned())];
        let refused = table(
            "t".into(),
            columns.into_iter(),
            vec!["at".into()],
            vec![],
            vec![],
        );
        assert!(matches!(refused, Err(BackupError::Type { column, .. }) if column == "at"));
    }
}
