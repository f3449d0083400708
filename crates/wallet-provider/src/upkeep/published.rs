use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use jose::PublicKey;
use status_list::{Limits, StatusListCheck, UnverifiedStatusList, VerifiedStatusList};

use crate::{Error, PublishError};

/// What the world reads: the lists that are published, and the keys that may have
/// signed them.
#[derive(Debug, Clone)]
pub struct Published {
    folder: PathBuf,
    names: Vec<String>,
    keys: Vec<PublicKey>,
}

/// The longest token that is read, in bytes: of a list of some ten million entries.
const LARGEST: usize = 8 << 20;

/// The forms a list is published in, and how their files end.
const FORMS: [(&str, &str); 2] = [("JWT", ".jwt"), ("CWT", ".cwt")];

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

impl Published {
    /// The lists in a folder, in whatever form; `keys` are the status keys, those of
    /// earlier times too. A folder that is not there holds none.
    pub fn in_folder(folder: &Path, keys: Vec<PublicKey>) -> Result<Self, PublishError> {
        let fail = |source| PublishError {
            path: folder.to_owned(),
            what: "cannot be read",
            source,
        };
        let mut names = Vec::new();
        match std::fs::read_dir(folder) {
            Ok(entries) => {
                for entry in entries {
                    let name = entry.map_err(fail)?.file_name();
                    let name = name.to_str().unwrap_or_default();
                    let list = FORMS.iter().find_map(|(_, end)| name.strip_suffix(end));
                    names.extend(list.map(str::to_owned));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
        names.sort_unstable();
        names.dedup();
        Ok(Self {
            folder: folder.to_owned(),
            names,
            keys,
        })
    }

    /// The names of all that are there, known or not.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The list of that name, in each form: of `uri`, or of whatever it says it is.
    pub(super) fn read(
        &self,
        name: &str,
        uri: Option<&str>,
    ) -> Result<[(&'static str, Found); 2], Error> {
        let [jwt, cwt] = FORMS.map(|(form, end)| {
            let path = self.folder.join(format!("{name}{end}"));
            Ok::<_, Error>((form, self.read_file(path, uri)?))
        });
        Ok([jwt?, cwt?])
    }

    fn read_file(&self, path: PathBuf, uri: Option<&str>) -> Result<Found, PublishError> {
        let mut token = Vec::new();
        let read = std::fs::File::open(&path)
            .and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut token));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(source) => {
                let what = "cannot be read";
                return Err(PublishError { path, what, source });
            }
        }
        let mut refused = "no status key is at hand".to_owned();
        for key in &self.keys {
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
    let token = UnverifiedStatusList::parse(token, &limits).map_err(|why| why.to_string())?;
    let issued = token.claimed_issued().ok_or("it has no iat")?;
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
