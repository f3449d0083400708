use std::path::Path;
use std::sync::Arc;

use jose::{Curve, Signer};
use provider_api::PinnedKeys;
use wallet_provider::{AnswerKeys, Generation, KeyPurpose, KeySet, LaterAnswerKey, Seal};
use wscd::{DeviceSigner, KeyName, Wscd};

use super::{KeyFile, KeyFolder};
use crate::exit::{Doing, Failure};

/// Where a provider's keyring comes from: what the configuration names, and the
/// folder of the keys that were installed since.
#[derive(Debug)]
pub(crate) struct KeySource {
    device: Arc<dyn Wscd>,
    folder: KeyFolder,
    /// The provider's identifier, which handovers name.
    base_url: String,
    first: Vec<Arc<Generation>>,
}

/// The keys that are generation 0 of their purpose.
pub(crate) type FirstKeys = Vec<Generation>;

/// The name of the first answer key, which needs no file.
const FIRST_ANSWER_KEY: &str = "provider-answers";

impl KeySource {
    pub(crate) fn new(
        device: Arc<dyn Wscd>,
        data: &Path,
        base_url: String,
        first: FirstKeys,
    ) -> Self {
        Self {
            device,
            folder: KeyFolder::of(data),
            base_url,
            first: first.into_iter().map(Arc::new).collect(),
        }
    }

    /// The files as they are now.
    pub(crate) fn files(&self) -> Result<Vec<KeyFile>, Failure> {
        self.folder.read()
    }

    /// The keys that these files and the configuration name, each opened in the
    /// device and held against its file and its certificate.
    pub(crate) async fn load(&self, files: &[KeyFile]) -> Result<KeySet, Failure> {
        let mut generations = self.first.clone();
        for file in files {
            let installed = file.is_installed() && !file.is_compromised();
            if !installed || file.purpose == KeyPurpose::Answers {
                continue;
            }
            let signer = open(&self.device, file).await?;
            generations.push(Arc::new(generation(file, signer)?));
        }
        Ok(KeySet {
            generations: generations.into_iter().collect(),
            answers: self.answers(files).await?,
        })
    }

    /// The answer keys: the first, and those it was handed over to, as an app follows
    /// them.
    pub(crate) async fn answers(&self, files: &[KeyFile]) -> Result<AnswerKeys, Failure> {
        let first = self.first_answer_key().await?;
        let mut later = Vec::new();
        for file in files.iter().filter(|f| f.purpose == KeyPurpose::Answers) {
            let (Some(handover), Some(starts)) = (&file.handover, file.starts) else {
                continue;
            };
            later.push(LaterAnswerKey {
                signer: Arc::new(open(&self.device, file).await?),
                starts,
                handover: handover.clone(),
            });
        }
        let pinned = first.public_key().clone();
        let answers = AnswerKeys::first(Arc::new(first)).then(later.clone());
        let followed = PinnedKeys::follow(pinned, &answers.handovers(), &self.base_url)
            .doing("the handovers of the answer key, which name the public_url of their time")?;
        if later
            .iter()
            .any(|key| !followed.hold(key.signer.public_key()))
        {
            let what = "the handovers of the answer key do not lead to all of its keys";
            return Err(Failure::new(what));
        }
        Ok(answers)
    }

    async fn first_answer_key(&self) -> Result<DeviceSigner, Failure> {
        let name = KeyName::new(FIRST_ANSWER_KEY).doing("a key's name")?;
        DeviceSigner::open(Arc::clone(&self.device), name, Curve::P256)
            .await
            .doing("the device")
    }
}

/// The name in the device of a key of this purpose and generation.
pub(crate) fn key_name(purpose: KeyPurpose, generation: u32) -> String {
    match purpose {
        KeyPurpose::Answers => format!("{FIRST_ANSWER_KEY}-{generation}"),
        _ => format!("wallet-{purpose}-{generation}"),
    }
}

/// The generation that a file and the file's key make.
pub(crate) fn generation(
    file: &KeyFile,
    signer: impl Signer + 'static,
) -> Result<Generation, Failure> {
    let seal = Seal {
        signer: Arc::new(signer),
        chain: file.ders()?,
    };
    let made = Generation::new(file.purpose, file.generation, seal).doing(file)?;
    Ok(match file.starts {
        Some(starts) => made.starting(starts),
        None => made,
    }
    .retired(file.retired.map(|retired| retired.at)))
}

/// The file's key in the device. A device that was put back, or is another, would
/// make a new key under the name: that is refused.
pub(crate) async fn open(device: &Arc<dyn Wscd>, file: &KeyFile) -> Result<DeviceSigner, Failure> {
    let name = KeyName::new(file.key.as_str()).doing(file)?;
    let signer = DeviceSigner::open(Arc::clone(device), name, file.public_key.curve())
        .await
        .doing(file)?;
    if signer.public_key() != &file.public_key {
        return Err(Failure::new(format!(
            "{file}: the device's key {} is another than the one that was made for it",
            file.key
        )));
    }
    Ok(signer)
}
