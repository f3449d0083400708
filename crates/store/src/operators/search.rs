//! The units that an operator looks for.

use async_trait::async_trait;
use sci::UnitId;
use wallet_provider::operators::{FoundUnit, UnitFilter, UnitSearch};
use wallet_provider::{FailedCheck, StoreError, UnitState};

use crate::Error;
use crate::provider::SqlProviderStore;
use crate::provider::rows::{UnitRow, damaged, time};
use crate::sql::{Columns, Row, query};

#[async_trait]
impl UnitSearch for SqlProviderStore {
    async fn search(
        &self,
        filter: &UnitFilter,
        after: Option<UnitId>,
        limit: u32,
    ) -> Result<Vec<FoundUnit>, StoreError> {
        let after = after.map_or_else(Vec::new, |unit| unit.as_bytes().to_vec());
        let rows: Vec<FoundRow> = query(
            "SELECT unit.*, failed_check.at AS worse_at, failed_check.why AS worse_why
             FROM unit LEFT JOIN failed_check ON failed_check.unit = unit.id
             WHERE id > ?1
             AND (?2 IS NULL OR state = ?2)
             AND (?3 IS NULL OR wallet_version = ?3)
             AND (?4 IS NULL OR device_model = ?4)
             AND (?5 IS NULL OR patch_level <= ?5)
             AND (?6 = 0 OR failed_check.unit IS NOT NULL)
             ORDER BY id LIMIT ?7",
        )
        .bind(after)
        .bind(filter.state.map(UnitState::name))
        .bind(filter.wallet_version.clone())
        .bind(filter.model.clone())
        .bind(filter.patch_level_up_to)
        .bind(i64::from(filter.device_worse))
        .bind(limit)
        .at_length()
        .all(&mut self.database().reader().await?)
        .await?;
        rows.into_iter().map(FoundRow::found).collect()
    }

    async fn found(&self, unit: UnitId) -> Result<Option<FoundUnit>, StoreError> {
        let row: Option<FoundRow> = query(
            "SELECT unit.*, failed_check.at AS worse_at, failed_check.why AS worse_why
             FROM unit LEFT JOIN failed_check ON failed_check.unit = unit.id WHERE id = ?",
        )
        .bind(unit.as_bytes())
        .optional(&mut self.database().reader().await?)
        .await?;
        row.map(FoundRow::found).transpose()
    }
}

/// A unit's row, and what it says of the device.
struct FoundRow {
    unit: UnitRow,
    model: Option<String>,
    patch_level: Option<i64>,
    worse_at: Option<i64>,
    worse_why: Option<String>,
}

impl Columns for FoundRow {
    fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            unit: UnitRow::read(row)?,
            model: row.get("device_model")?,
            patch_level: row.get("patch_level")?,
            worse_at: row.get("worse_at")?,
            worse_why: row.get("worse_why")?,
        })
    }
}

impl FoundRow {
    fn found(self) -> Result<FoundUnit, StoreError> {
        let level = |level: i64| {
            u32::try_from(level).map_err(|_| damaged("unit", "patch_level", "is no level"))
        };
        let record = self.unit.record()?;
        let worse = match (self.worse_at, self.worse_why) {
            (Some(at), Some(why)) => Some(FailedCheck {
                unit: record.unit,
                at: time("failed_check", "at", at)?,
                why,
            }),
            _ => None,
        };
        Ok(FoundUnit {
            record,
            worse,
            model: self.model,
            patch_level: self.patch_level.map(level).transpose()?,
        })
    }
}
