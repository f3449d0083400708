use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use aws_lc_rs::{agreement, rand};
use jose::{Curve, PublicKey};
use serde::Serialize;

use crate::{DeviceError, SignItem, UnitBinding, UserKey, WrappedUnitKey, Wscd};

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result", content = "evidence")]
pub enum Outcome {
    /// The device did what it must.
    Passed,
    /// It did not, and this was seen.
    Failed(String),
    /// The device does not offer this.
    NotOffered,
    /// The check was not run, and why.
    Skipped(String),
}

/// How a check ended when nothing stands against the device.
pub(super) enum Ran {
    Passed,
    NotOffered,
}

/// What a check answers: the evidence when it failed.
pub(super) type Answer = Result<Ran, String>;

/// A check, about to run.
pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// What the checks work with.
#[derive(Clone, Copy)]
pub(super) struct Kit<'a> {
    pub(super) device: &'a dyn Wscd,
    made: &'a MadeUnits,
}

/// The units a check made, to be destroyed after it.
pub(super) type MadeUnits = Mutex<Vec<(UnitBinding, WrappedUnitKey)>>;

/// A unit made for one check, with some keys.
pub(super) struct TestUnit {
    pub(super) unit: UnitBinding,
    pub(super) unit_key: WrappedUnitKey,
    pub(super) keys: Vec<UserKey>,
}

impl<'a> Kit<'a> {
    pub(super) fn new(device: &'a dyn Wscd, made: &'a MadeUnits) -> Self {
        Self { device, made }
    }

    /// A new unit with `count` keys on P-256.
    pub(super) async fn unit(&self, count: usize) -> Result<TestUnit, String> {
        let unit = random_unit()?;
        let unit_key = self
            .device
            .create_unit_key(&unit)
            .await
            .map_err(during("create_unit_key"))?;
        self.made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((unit, unit_key.clone()));
        let keys = self
            .device
            .generate(&unit, &unit_key, Curve::P256, count)
            .await
            .map_err(during("generate"))?;
        if keys.len() != count {
            return Err(format!("{} keys came, {count} were asked for", keys.len()));
        }
        Ok(TestUnit {
            unit,
            unit_key,
            keys,
        })
    }

    /// Signs with one key and verifies the signature.
    pub(super) async fn signs(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        key: &UserKey,
    ) -> Result<(), String> {
        let message = b"claviger conformance";
        let digest = digest(key.public.curve(), message);
        let item = SignItem {
            key,
            digest: &digest,
        };
        let signatures = self
            .device
            .sign_digests(unit, unit_key, &[item])
            .await
            .map_err(during("sign_digests"))?;
        match signatures.as_slice() {
            [signature] => key
                .public
                .verify(message, signature)
                .map_err(|_| "a signature does not verify under its public key".to_owned()),
            other => Err(format!("{} signatures for one digest", other.len())),
        }
    }

    /// Tries to sign; the outcome is the caller's to judge.
    pub(super) async fn try_sign(
        &self,
        unit: &UnitBinding,
        unit_key: &WrappedUnitKey,
        key: &UserKey,
    ) -> Result<Vec<Vec<u8>>, DeviceError> {
        let digest = digest(key.public.curve(), b"claviger conformance");
        let item = SignItem {
            key,
            digest: &digest,
        };
        self.device.sign_digests(unit, unit_key, &[item]).await
    }
}

impl TestUnit {
    /// The nth key.
    pub(super) fn key(&self, n: usize) -> Result<&UserKey, String> {
        self.keys
            .get(n)
            .ok_or_else(|| format!("the kit has no key {n}"))
    }
}

/// That a wrapped form was refused as such: neither accepted, nor answered with
/// a failure of something else.
pub(super) fn refused<T>(what: &str, result: Result<T, DeviceError>) -> Result<(), String> {
    match result {
        Ok(_) => Err(format!("{what} was accepted")),
        Err(error) if error.refuses_form() => Ok(()),
        Err(error) => Err(format!("{what} was not refused as such: {error}")),
    }
}

/// That a request was refused, by an error that `is_right`.
pub(super) fn refused_as<T>(
    what: &str,
    result: Result<T, DeviceError>,
    is_right: impl FnOnce(&DeviceError) -> bool,
) -> Result<(), String> {
    match result {
        Ok(_) => Err(format!("{what} was accepted")),
        Err(error) if is_right(&error) => Ok(()),
        Err(error) => Err(format!("{what} was refused for another reason: {error}")),
    }
}

/// Evidence when something does not hold.
pub(super) fn ensure(holds: bool, evidence: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(evidence.into()) }
}

/// Evidence when an operation that must work does not.
pub(super) fn during(what: &'static str) -> impl Fn(DeviceError) -> String {
    move |error| format!("{what}: {error}")
}

pub(super) fn digest(curve: Curve, message: &[u8]) -> Vec<u8> {
    curve.algorithm().hash().digest(message)
}

/// A unit that no other check and no earlier run used.
pub(super) fn random_unit() -> Result<UnitBinding, String> {
    let mut unit = [0; 16];
    rand::fill(&mut unit).map_err(|_| "the kit has no randomness")?;
    Ok(UnitBinding(unit))
}

/// The other side of an ECDH.
pub(super) struct Peer {
    private: agreement::PrivateKey,
    pub(super) public: PublicKey,
}

impl Peer {
    pub(super) fn new(curve: Curve) -> Result<Self, String> {
        let made = agreement::PrivateKey::generate(ecdh(curve))
            .and_then(|private| Ok((private.compute_public_key()?, private)));
        let (point, private) = made.map_err(|_| "the kit made no key")?;
        let public = PublicKey::from_point(curve, point.as_ref()).map_err(|e| e.to_string())?;
        Ok(Self { private, public })
    }

    pub(super) fn agree(&self, peer: &PublicKey) -> Result<Vec<u8>, String> {
        let algorithm = ecdh(peer.curve());
        agreement::agree(
            &self.private,
            agreement::UnparsedPublicKey::new(algorithm, peer.point()),
            "the kit did not agree".to_owned(),
            |x| Ok(x.to_vec()),
        )
    }
}

/// Whether some bytes, taken as a scalar, are the private part of `public`.
pub(super) fn is_private_part(public: &PublicKey, scalar: &[u8]) -> bool {
    agreement::PrivateKey::from_private_key(ecdh(public.curve()), scalar)
        .and_then(|private| {
            private
                .compute_public_key()
                .map(|point| point.as_ref() == public.point())
                .map_err(Into::into)
        })
        .unwrap_or(false)
}

fn ecdh(curve: Curve) -> &'static agreement::Algorithm {
    match curve {
        Curve::P256 => &agreement::ECDH_P256,
        Curve::P384 => &agreement::ECDH_P384,
        Curve::P521 => &agreement::ECDH_P521,
    }
}

/// Runs futures side by side within one task: the kit brings no runtime.
pub(super) async fn join_all<'a, T: Send + 'a>(
    futures: Vec<Pin<Box<dyn Future<Output = T> + Send + 'a>>>,
) -> Vec<T> {
    enum Slot<'a, T> {
        Running(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
        Done(T),
    }
    let mut slots: Vec<Option<Slot<'a, T>>> = futures
        .into_iter()
        .map(|future| Some(Slot::Running(future)))
        .collect();
    std::future::poll_fn(move |context| {
        let mut pending = false;
        for slot in &mut slots {
            if let Some(Slot::Running(future)) = slot {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *slot = Some(Slot::Done(value)),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            return Poll::Pending;
        }
        Poll::Ready(
            slots
                .iter_mut()
                .filter_map(|slot| match slot.take() {
                    Some(Slot::Done(value)) => Some(value),
                    _ => None,
                })
                .collect(),
        )
    })
    .await
}
