//! How an account ends.

use crate::secrets::random;
use crate::{Accounts, Error, SignedIn, StoreError};

/// How often what belongs to the account is ended again, because something joined it
/// in the meantime.
const TRIES: u32 = 4;

impl Accounts {
    /// Deletes the account: first all that belongs to it ends, then everything that
    /// is its user's goes in one step. Whatever fails between the two, the account is
    /// there, and the same request goes on where it was.
    pub async fn delete(&self, who: &SignedIn) -> Result<(), Error> {
        self.require_fresh(who)?;
        for _ in 0..TRIES {
            self.belongings
                .end(who.account())
                .await
                .map_err(Error::Belongings)?;
            let tombstone = format!("deleted:{}", hex::encode(random::<16>()?));
            let deleted = self
                .store
                .delete(who.account(), tombstone, self.clock.now())
                .await;
            match deleted {
                Err(StoreError::InUse) => {}
                other => {
                    other?;
                    tracing::info!(event = "account.deleted");
                    return Ok(());
                }
            }
        }
        Err(StoreError::InUse.into())
    }
}
