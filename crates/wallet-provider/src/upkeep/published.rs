use jose::PublicKey;
use status_list::{Limits, StatusListCheck, UnverifiedStatusList, VerifiedStatusList};

use crate::{Error, Publisher};

/// What the world reads: the lists that are published, and the keys that may have
/// signed them.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// Where they are.
    pub publisher: &'a dyn Publisher,
    /// The names of all that are there, known or not.
    pub names: &'a [String],
    /// The status keys, those of earlier times too.
    pub keys: &'a [PublicKey],
}

/// The longest token that is read, in bytes: of a list of some ten million entries.
const LARGEST: usize = 8 << 20;

/// What was found under a list's name.
#[derive(Debug)]
pub(super) enum Found {
    /// A token of one's own.
    List(VerifiedStatusList),
    /// None.
    Nothing,
    /// One that no status key signed, or that is no token at all.
    NotOurs(String),
}

impl Published<'_> {
    /// The list of that name: of `uri`, or of whatever it says it is.
    pub(super) async fn read(&self, name: &str, uri: Option<&str>) -> Result<Found, Error> {
        let Some(token) = self.publisher.get(name).await? else {
            return Ok(Found::Nothing);
        };
        let mut refused = "no status key is at hand".to_owned();
        for key in self.keys {
            match verified(&token, uri, key) {
                Ok(list) => return Ok(Found::List(list)),
                Err(why) => refused = why,
            }
        }
        Ok(Found::NotOurs(refused))
    }
}

/// At whatever time: the token may have ended, and says what it says all the same.
fn verified(
    token: &[u8],
    uri: Option<&str>,
    key: &PublicKey,
) -> Result<VerifiedStatusList, String> {
    let limits = Limits {
        token_bytes: LARGEST,
        list_bytes: LARGEST,
    };
    let issued = std::str::from_utf8(token)
        .ok()
        .and_then(|text| jose::jws::parse(text, LARGEST).ok()?.claims().ok())
        .and_then(|claims| status_list::numeric_date(claims.get("iat")?))
        .ok_or("it is no status list token")?;
    let token = UnverifiedStatusList::parse(token, &limits).map_err(|why| why.to_string())?;
    let claimed = token.claimed_uri().unwrap_or_default();
    let uri = uri.unwrap_or(&claimed);
    token
        .verify(&StatusListCheck::new(uri, key, issued))
        .map_err(|why| why.to_string())
}

/// The indices that are set.
pub(super) fn set(list: &VerifiedStatusList) -> impl Iterator<Item = u64> {
    let list = list.list();
    (0..list.len()).filter(|index| list.get(*index).is_ok_and(|status| !status.is_valid()))
}
