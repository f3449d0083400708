use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::{Sci, UnitId};

/// What the kit needs of whoever runs it. What has a default may be left out; the
/// checks that need it are then not tried.
#[async_trait]
pub trait Harness: std::fmt::Debug + Send + Sync {
    /// A fresh unit as an activation leaves it before its user has chosen a PIN.
    async fn wallet(&self) -> Result<Wallet, String>;

    /// The WSCA's time.
    fn now(&self) -> Timestamp;

    /// The hands of someone who names `unit` and has not its phone.
    async fn impostor(&self, _unit: &Wallet) -> Option<Arc<dyn Sci>> {
        None
    }

    /// Lets time pass for the WSCA; false where that is not in its hands.
    async fn pass(&self, _time: SignedDuration) -> bool {
        false
    }

    /// Ends the WSCA's process without warning and starts it again.
    async fn restart(&self) -> Option<Result<(), String>> {
        None
    }

    /// Revokes a unit as its wallet provider would.
    async fn revoke(&self, _unit: &Wallet) -> Option<Result<(), String>> {
        None
    }
}

/// A unit, and its wallet instance's way to the WSCA.
#[derive(Debug, Clone)]
pub struct Wallet {
    /// The unit.
    pub unit: UnitId,
    /// What its wallet instance asks.
    pub sci: Arc<dyn Sci>,
    /// What goes over the wire, where there is one that can be listened to.
    pub wire: Option<Arc<dyn Wire>>,
}

/// Somebody on the way between wallet instance and WSCA.
#[async_trait]
pub trait Wire: std::fmt::Debug + Send + Sync {
    /// The last request that passed.
    fn last(&self) -> Option<Vec<u8>>;

    /// Sends bytes of the attacker's choosing. What is answered is not looked at: the
    /// kit judges by what came of it.
    async fn send(&self, request: Vec<u8>);
}
