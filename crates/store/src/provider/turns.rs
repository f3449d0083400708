//! One node at a time.

use std::sync::Arc;

use wallet_provider::{StoreError, Turn, Work};

use crate::Database;
use crate::alone::{Held, Lock};

impl Turn for Held {}

pub(super) async fn take(database: &Database, work: Work) -> Result<Arc<dyn Turn>, StoreError> {
    let lock = match work {
        Work::List(list) => Lock::StatusList(list),
        Work::Purge => Lock::Purge,
    };
    Ok(Arc::new(database.alone(lock).await?))
}
