use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jose::{Curve, Signer};
use wallet_provider::KeyPurpose;
use wscd::{DeviceError, DeviceSigner, KeyName, Wscd};

use crate::exit::{Doing, Failure};
use crate::keys::{KeyFile, KeyFolder, key_name};
use crate::settings::Settings;
use crate::time;

/// The provider whose keys are meant.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The configuration of `claviger serve`: it names the data folder and the device
    #[arg(long)]
    config: PathBuf,
}

impl Place {
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        Settings::read(&self.config)
    }

    /// The configuration's name, for a command that is told to go on with it.
    pub(super) fn config(&self) -> String {
        self.config.display().to_string()
    }
}

pub(super) fn folder(settings: &Settings) -> KeyFolder {
    KeyFolder::of(&settings.data)
}

/// A new key of this purpose in the device, under the first number that is free.
pub(super) async fn make_key(
    device: &Arc<dyn Wscd>,
    keys: &[KeyFile],
    purpose: KeyPurpose,
    curve: Curve,
) -> Result<(KeyFile, DeviceSigner), Failure> {
    let of_purpose = keys.iter().filter(|key| key.purpose == purpose);
    let first = of_purpose.map(|key| key.generation).max().unwrap_or(0) + 1;
    // A request that was killed between the device and the file left a key without
    // one. On another curve it is in the way.
    const TRIES: u32 = 16;
    for generation in first..first.saturating_add(TRIES) {
        let key = key_name(purpose, generation);
        let name = KeyName::new(key.as_str()).doing("a key's name")?;
        match DeviceSigner::open(Arc::clone(device), name, curve).await {
            Err(DeviceError::WrongCurve { .. }) => {}
            opened => {
                let signer = opened.doing("the device")?;
                let file = KeyFile {
                    purpose,
                    generation,
                    key,
                    public_key: signer.public_key().clone(),
                    made: time::whole_second(time::now()),
                    chain: Vec::new(),
                    starts: None,
                    retired: None,
                    handover: None,
                };
                return Ok((file, signer));
            }
        }
    }
    Err(Failure::new(format!(
        "the device holds keys of other curves under the next {TRIES} names of {purpose}"
    )))
}

/// The time that a person names: RFC 3339, or `now`.
pub(super) fn start(text: &str) -> Result<Timestamp, String> {
    if text == "now" {
        return Ok(time::whole_second(time::now()));
    }
    text.parse()
        .map_err(|_| "a time (RFC 3339), or `now`, is expected".to_owned())
}
