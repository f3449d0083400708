//! Cleaning up: keys whose attestations can no longer be presented are destroyed
//! (ARF `WIAM_21`).

use sci::{Error, KeyId, KeyInfo, KeyState, Sci};

/// Destroys every active key that `needed` does not name, in the session that is open,
/// and says which they were. Which attestations have expired or were used up is known
/// to the wallet instance alone (ARF `WIAM_12a`), so it is the one to say.
///
/// Worth doing whenever the user has been authenticated for something else. Without
/// a session it is [`Error::NoSession`] and destroys nothing.
pub async fn clean_up(
    sci: &dyn Sci,
    needed: impl Fn(&KeyInfo) -> bool + Send,
) -> Result<Vec<KeyId>, Error> {
    let keys = sci.list_keys().await?;
    let done: Vec<KeyId> = keys
        .iter()
        .filter(|key| key.state == KeyState::Active && !needed(key))
        .map(|key| key.id)
        .collect();
    if !done.is_empty() {
        sci.destroy_keys(&done).await?;
    }
    Ok(done)
}
