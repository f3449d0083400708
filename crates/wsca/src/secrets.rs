//! The service's own secrets: the static key of OPAQUE and the key that sessions
//! are sealed under. Both are made once, sealed under the device, kept in the store,
//! and opened into memory that is wiped.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use r2ps::opaque::server::StaticKey;
use wscd::{SealPurpose, Wscd};
use zeroize::Zeroizing;

use crate::{Batch, CommitError, Guard, OpenError, Write, WscaError, WscaStore};

/// The secrets, opened.
pub(crate) struct Secrets {
    pub(crate) opaque: StaticKey,
    sessions: Zeroizing<Vec<u8>>,
}

const OPAQUE: &str = "opaque-static-key";
const SESSIONS: &str = "session-sealing-key";

impl Secrets {
    /// Opens the secrets, or makes them.
    pub(crate) async fn open(
        device: &dyn Wscd,
        store: &dyn WscaStore,
        context: &str,
    ) -> Result<Self, OpenError> {
        let damaged = |name| move |cause: String| OpenError::Secret { name, cause };
        let opaque = secret(
            device,
            store,
            SealPurpose::OpaqueServerKey,
            OPAQUE,
            context,
            || {
                StaticKey::generate()
                    .map(|key| key.to_bytes())
                    .map_err(|error| damaged(OPAQUE)(error.to_string()))
            },
        )
        .await?;
        let sessions = secret(
            device,
            store,
            SealPurpose::ServiceSecret,
            SESSIONS,
            context,
            || {
                let mut key = Zeroizing::new(vec![0; 32]);
                aws_lc_rs::rand::fill(&mut key)
                    .map_err(|error| damaged(SESSIONS)(error.to_string()))?;
                Ok(key)
            },
        )
        .await?;
        Ok(Self {
            opaque: StaticKey::from_bytes(&opaque)
                .map_err(|error| damaged(OPAQUE)(error.to_string()))?,
            sessions,
        })
    }

    /// Seals what belongs to one session or exchange, bound to `aad`.
    pub(crate) fn seal(&self, id: &str, aad: &[u8], content: &[u8]) -> Result<Vec<u8>, WscaError> {
        let mut iv = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut iv).map_err(|_| library())?;
        let mut sealed = Zeroizing::new(content.to_vec());
        let tag = self
            .key_of(id)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(iv),
                Aad::from(aad),
                &mut sealed,
            )
            .map_err(|_| library())?;
        Ok([iv.as_slice(), &sealed, tag.as_ref()].concat())
    }

    /// Opens what [`Secrets::seal`] sealed; `None` where it was altered.
    pub(crate) fn open_sealed(
        &self,
        id: &str,
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, WscaError> {
        let Some((iv, content)) = sealed.split_first_chunk::<NONCE_LEN>() else {
            return Ok(None);
        };
        let mut content = Zeroizing::new(content.to_vec());
        let opened = self
            .key_of(id)?
            .open_in_place(
                Nonce::assume_unique_for_key(*iv),
                Aad::from(aad),
                &mut content,
            )
            .map(|opened| opened.len());
        Ok(opened.ok().map(|len| {
            content.truncate(len);
            content
        }))
    }

    /// Each session has a key of its own, so that no key seals more than a few
    /// thousand times and random nonces stay safe.
    fn key_of(&self, id: &str) -> Result<LessSafeKey, WscaError> {
        let master = hmac::Key::new(hmac::HMAC_SHA256, &self.sessions);
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(hmac::sign(&master, id.as_bytes()).as_ref());
        UnboundKey::new(&AES_256_GCM, key.as_slice())
            .map(LessSafeKey::new)
            .map_err(|_| library())
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

fn library() -> WscaError {
    WscaError::Internal("the cryptographic library failed".into())
}

async fn secret(
    device: &dyn Wscd,
    store: &dyn WscaStore,
    purpose: SealPurpose,
    name: &'static str,
    context: &str,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, OpenError> + Send,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let aad = format!("claviger-wsca-v1 {name} {context}");
    let sealed = match store.secret(name).await? {
        Some(sealed) => sealed,
        None => {
            let content = make()?;
            let sealed = device.seal(purpose, aad.as_bytes(), &content).await?;
            let batch = Batch {
                guards: vec![Guard::NoSecret(name.into())],
                writes: vec![Write::Secret(name.into(), sealed.clone())],
            };
            match store.commit(batch).await {
                Ok(_) => sealed,
                // Another process was quicker: its secret is the one.
                Err(CommitError::Guard { .. }) => {
                    store.secret(name).await?.ok_or(OpenError::Secret {
                        name,
                        cause: "it was there and is gone".into(),
                    })?
                }
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
    };
    Ok(device.open(purpose, aad.as_bytes(), &sealed).await?)
}
