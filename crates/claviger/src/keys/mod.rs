//! The wallet provider's signing keys as an operator has them: the key in the device,
//! its certificates and its time in a file of the data folder (docs/keys.md).

mod file;
mod folder;
mod source;

pub(crate) use file::{KeyFile, Retired};
pub(crate) use folder::KeyFolder;
pub(crate) use source::{FirstKeys, KeySource, generation, key_name, open};
