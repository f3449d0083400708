use async_trait::async_trait;
use provider_api::UnitState;
use sci::UnitId;

use crate::{FailedCheck, StoreError, UnitRecord};

/// The units as an operator looks for them.
#[async_trait]
pub trait UnitSearch: Send + Sync + std::fmt::Debug {
    /// Those that `filter` is for, in the order of their identifiers, after `after`, at
    /// most `limit`.
    async fn search(
        &self,
        filter: &UnitFilter,
        after: Option<UnitId>,
        limit: u32,
    ) -> Result<Vec<FoundUnit>, StoreError>;

    /// The unit; `None` where there is none.
    async fn found(&self, unit: UnitId) -> Result<Option<FoundUnit>, StoreError>;
}

/// What units are looked for. What is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitFilter {
    /// Those in this state.
    pub state: Option<UnitState>,
    /// Those whose wallet solution had this version when they were activated.
    pub wallet_version: Option<String>,
    /// Those on a device of this model, as its evidence says.
    pub model: Option<String>,
    /// Those whose device is known to have this security patch level or an older one:
    /// year and month, 202611.
    pub patch_level_up_to: Option<u32>,
    /// Only those whose device turned out worse, and which get nothing until it is
    /// sound again.
    pub device_worse: bool,
}

/// A unit that was found, and what the store knows of its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundUnit {
    /// The unit.
    pub record: UnitRecord,
    /// The device's model; absent where its evidence says nothing.
    pub model: Option<String>,
    /// The security patch level of its system: year and month.
    pub patch_level: Option<u32>,
    /// When and how its device turned out worse, where it did and was not found sound
    /// since.
    pub worse: Option<FailedCheck>,
}
