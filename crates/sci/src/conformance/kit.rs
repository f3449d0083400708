use std::future::Future;
use std::pin::Pin as Pinned;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use aws_lc_rs::agreement;
use jose::{Curve, PublicKey};
use serde::Serialize;

use super::harness::{Harness, Wallet};
use crate::{
    ActivationInfo, Code, Digest, Error, ItemName, KeyId, KeyInfo, Pin, Sci, SessionInfo, Task,
};

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result", content = "evidence")]
pub enum Outcome {
    /// The WSCA did what it must.
    Passed,
    /// It did not, and this was seen.
    Failed(String),
    /// The WSCA does not offer this.
    NotOffered,
    /// The harness cannot show it, and why.
    NotTried(String),
}

/// How a check ended when nothing stands against the WSCA.
pub(super) enum Ran {
    Passed,
    NotOffered,
    NotTried(&'static str),
}

/// What a check answers: the evidence when it failed.
pub(super) type Answer = Result<Ran, String>;

/// A check, about to run.
pub(super) type Running<'a> = Pinned<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// The PIN of every test unit, another one, and one that is wrong.
pub(super) const RIGHT: &str = "493827";
pub(super) const OTHER: &str = "716253";
pub(super) const WRONG: &str = "493828";

/// What the checks work with.
pub(super) struct Kit<'a> {
    pub(super) harness: &'a dyn Harness,
    pub(super) info: &'a ActivationInfo,
    made: Mutex<Vec<Wallet>>,
}

impl<'a> Kit<'a> {
    pub(super) fn new(harness: &'a dyn Harness, info: &'a ActivationInfo) -> Self {
        Self {
            harness,
            info,
            made: Mutex::default(),
        }
    }

    /// Whether so many wrong PINs in a row are followed by no pause.
    pub(super) fn can_spare(&self, tries: u32) -> bool {
        self.info.pin.tries_per_round > tries
    }

    /// A fresh unit without a PIN.
    pub(super) async fn fresh(&self) -> Result<Wallet, String> {
        let wallet = self.harness.wallet().await?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.push(wallet.clone());
        Ok(wallet)
    }

    /// A fresh unit with the PIN [`RIGHT`].
    pub(super) async fn registered(&self) -> Result<Wallet, String> {
        let wallet = self.fresh().await?;
        match wallet.sci.register_pin(&pin(RIGHT)?).await {
            Ok(()) => Ok(wallet),
            // The platform's PIN is there already.
            Err(error) if error.code() == Some(Code::NotOffered) => Ok(wallet),
            Err(error) => Err(format!("register_pin: {error}")),
        }
    }

    /// A fresh unit with a session open.
    pub(super) async fn opened(&self, task: Task) -> Result<Wallet, String> {
        let wallet = self.registered().await?;
        open(&*wallet.sci, task).await?;
        Ok(wallet)
    }

    /// A fresh unit with keys on P-256, in a session for issuance.
    pub(super) async fn with_keys(&self, count: usize) -> Result<(Wallet, Vec<KeyInfo>), String> {
        let wallet = self.opened(Task::Issuance).await?;
        let keys = generate(&*wallet.sci, count).await?;
        Ok((wallet, keys))
    }

    /// Destroys the units that the check made, as far as they let it.
    pub(super) async fn clean_up(self) {
        let made = self
            .made
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        for wallet in made {
            if let Ok(pin) = Pin::new(RIGHT)
                && wallet
                    .sci
                    .open_session(&pin, Task::Maintenance)
                    .await
                    .is_ok()
            {
                let _ = wallet.sci.destroy_unit().await;
            }
        }
    }
}

pub(super) fn pin(digits: &str) -> Result<Pin, String> {
    Pin::new(digits).map_err(|error| error.to_string())
}

pub(super) fn item(name: &str) -> Result<ItemName, String> {
    ItemName::new(name).map_err(|error| error.to_string())
}

/// Opens a session with the right PIN.
pub(super) async fn open(sci: &dyn Sci, task: Task) -> Result<SessionInfo, String> {
    sci.open_session(&pin(RIGHT)?, task)
        .await
        .map_err(during("open_session with the right PIN"))
}

/// Makes keys on P-256.
pub(super) async fn generate(sci: &dyn Sci, count: usize) -> Result<Vec<KeyInfo>, String> {
    let keys = sci
        .generate_keys(count, Curve::P256)
        .await
        .map_err(during("generate_keys"))?;
    if keys.len() != count {
        return Err(format!("{} keys came, {count} were asked for", keys.len()));
    }
    Ok(keys)
}

/// Signs with one key and verifies the signature, which is given back.
pub(super) async fn signs(sci: &dyn Sci, key: &KeyInfo, text: &str) -> Result<Vec<u8>, String> {
    let digest = Digest::of(text.as_bytes(), key.curve());
    let signed = sci
        .sign(&[(key.id, digest)])
        .await
        .map_err(during("sign"))?;
    let [signature] = signed.as_slice() else {
        return Err(format!("{} signatures for one digest", signed.len()));
    };
    key.public_key
        .verify(text.as_bytes(), signature)
        .map_err(|_| "a signature does not verify under its public key".to_owned())?;
    Ok(signature.clone())
}

/// Tries to sign with a key of this name; the outcome is the caller's to judge.
pub(super) async fn try_sign(sci: &dyn Sci, id: KeyId) -> Result<Vec<Vec<u8>>, Error> {
    sci.sign(&[(id, Digest::of(b"claviger conformance", Curve::P256))])
        .await
}

/// The key with this name, as the WSCA lists it.
pub(super) async fn listed(sci: &dyn Sci, id: KeyId) -> Result<KeyInfo, String> {
    let keys = sci.list_keys().await.map_err(during("list_keys"))?;
    keys.into_iter()
        .find(|key| key.id == id)
        .ok_or_else(|| "a key is not listed any more".to_owned())
}

/// That a request was refused, by one of these codes.
pub(super) fn refused<T>(
    what: &str,
    result: Result<T, Error>,
    codes: &[Code],
) -> Result<(), String> {
    match result {
        Ok(_) => Err(format!("{what}: accepted")),
        Err(error) if error.code().is_some_and(|code| codes.contains(&code)) => Ok(()),
        Err(Error::NoSession) if codes.contains(&Code::NoSession) => Ok(()),
        Err(error) => Err(format!("{what}: refused for another reason: {error}")),
    }
}

/// That a request was not carried out: refused by the WSCA, or never sent.
pub(super) fn not_done<T>(what: &str, result: Result<T, Error>) -> Result<(), String> {
    match result {
        Ok(_) => Err(format!("{what}: accepted")),
        Err(Error::Unreachable(why)) => Err(format!("{what}: the WSCA is away: {why}")),
        Err(error) if error.code() == Some(Code::ServerError) => {
            Err(format!("{what}: it failed rather than refused"))
        }
        Err(_) => Ok(()),
    }
}

/// Whether the WSCA says that it does not offer this.
pub(super) fn is_not_offered<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(error) if error.code() == Some(Code::NotOffered))
}

/// Evidence when something does not hold.
pub(super) fn ensure(holds: bool, evidence: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(evidence.into()) }
}

/// Evidence when an operation that must work does not.
pub(super) fn during(what: &'static str) -> impl Fn(Error) -> String {
    move |error| format!("{what}: {error}")
}

/// Every operation that needs a session, tried once on these keys. Each must be
/// refused as `codes` say.
pub(super) async fn every_operation_is_refused(
    sci: &Arc<dyn Sci>,
    key: &KeyInfo,
    when: &str,
    codes: &[Code],
) -> Result<(), String> {
    let peer = Peer::new()?;
    let name = item("conformance")?;
    let what = |operation: &str| format!("{operation} {when}");
    refused(
        &what("generate_keys"),
        sci.generate_keys(1, Curve::P256).await,
        codes,
    )?;
    refused(&what("list_keys"), sci.list_keys().await, codes)?;
    refused(&what("sign"), try_sign(&**sci, key.id).await, codes)?;
    refused(
        &what("agree"),
        sci.agree(&key.id, &peer.public).await,
        codes,
    )?;
    if let Ok(proof) = sci.prove_possession(key, b"challenge").await {
        return Err(format!("{}: {proof}", what("prove_possession")));
    }
    let stated = sci.state_keys(&[key.id], "nonce", "audience").await;
    if !is_not_offered(&stated) {
        refused(&what("state_keys"), stated, codes)?;
    }
    let stored = sci.store_item(&name, b"content").await;
    if !is_not_offered(&stored) {
        refused(&what("store_item"), stored, codes)?;
        refused(&what("read_item"), sci.read_item(&name).await, codes)?;
    }
    refused(
        &what("destroy_keys"),
        sci.destroy_keys(&[key.id]).await,
        codes,
    )?;
    refused(&what("destroy_unit"), sci.destroy_unit().await, codes)
}

/// The other side of an ECDH on P-256.
pub(super) struct Peer {
    private: agreement::PrivateKey,
    pub(super) public: PublicKey,
}

impl Peer {
    pub(super) fn new() -> Result<Self, String> {
        let made = agreement::PrivateKey::generate(&agreement::ECDH_P256)
            .and_then(|private| Ok((private.compute_public_key()?, private)));
        let (point, private) = made.map_err(|_| "the kit made no key")?;
        let public =
            PublicKey::from_point(Curve::P256, point.as_ref()).map_err(|e| e.to_string())?;
        Ok(Self { private, public })
    }

    pub(super) fn agree(&self, peer: &PublicKey) -> Result<Vec<u8>, String> {
        agreement::agree(
            &self.private,
            agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, peer.point()),
            "the kit did not agree".to_owned(),
            |x| Ok(x.to_vec()),
        )
    }
}

/// Whether some 32 bytes within `bytes`, taken as a scalar, are the private part of a
/// key on P-256.
pub(super) fn holds_private_part(public: &PublicKey, bytes: &[u8]) -> bool {
    bytes.windows(32).any(|scalar| {
        agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, scalar)
            .ok()
            .and_then(|private| private.compute_public_key().ok())
            .is_some_and(|point| point.as_ref() == public.point())
    })
}

/// Runs futures side by side within one task: the kit brings no runtime.
pub(super) async fn join_all<'a, T: Send + 'a>(
    futures: Vec<Pinned<Box<dyn Future<Output = T> + Send + 'a>>>,
) -> Vec<T> {
    let mut running: Vec<Option<Pinned<Box<dyn Future<Output = T> + Send + 'a>>>> =
        futures.into_iter().map(Some).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        let mut pending = false;
        for (slot, value) in running.iter_mut().zip(&mut done) {
            if let Some(future) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(ready) => {
                        *value = Some(ready);
                        *slot = None;
                    }
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            Poll::Pending
        } else {
            Poll::Ready(done.iter_mut().filter_map(Option::take).collect())
        }
    })
    .await
}
