//! Looks after the tokens of a set: whether those in use answer, and whether those
//! that are out are back.

use std::sync::{Arc, Weak};
use std::time::Duration;

use cryptoki::mechanism::Mechanism;
use wscd::{DeviceError, MacPurpose, SealPurpose, UnitBinding};
use zeroize::Zeroizing;

use crate::error::{Fault, during};
use crate::memory::Memory;
use crate::pool::Live;
use crate::set::{Set, note};
use crate::token::Token;
use crate::wrap::{Purpose, create_unit_key, open_unit_key};
use crate::{seal, set};

/// How often one that is out is asked.
const ASK: Duration = Duration::from_millis(250);
/// Every how many of these rounds those in use are asked too.
const ROUNDS: u32 = 20;

/// A set and what it remembers.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) set: Set,
    pub(crate) memory: Memory,
}

/// Looks after a set for as long as somebody has it open, on a thread of its own.
pub(crate) fn start(watched: &Arc<Watched>) -> std::io::Result<()> {
    let watched = Arc::downgrade(watched);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    std::thread::Builder::new()
        .name("pkcs11-watch".to_owned())
        .spawn(move || runtime.block_on(watch(watched)))?;
    Ok(())
}

async fn watch(watched: Weak<Watched>) {
    let mut round: u32 = 0;
    loop {
        tokio::time::sleep(ASK).await;
        let Some(watched) = watched.upgrade() else {
            return;
        };
        round = round.wrapping_add(1);
        watched.look(round.is_multiple_of(ROUNDS)).await;
    }
}

impl Watched {
    /// Asks the tokens that are out, and with `all` those in use as well.
    pub(crate) async fn look(&self, all: bool) {
        let mut came_back = false;
        for token in self.set.tokens() {
            if token.is_in() {
                if all && let Err(error) = token.run(works).await {
                    note(token, &error);
                }
            } else if let Ok(()) = self.try_in(token).await {
                came_back = true;
            }
        }
        if (came_back || all)
            && let Err(error) = self.memory.reconcile(&self.set).await
        {
            tracing::warn!(%error, "the tokens do not agree on anchors yet");
        }
    }

    /// Takes a token in that answers and holds the same keys as the others.
    pub(crate) async fn try_in(&self, token: &Arc<Token>) -> Result<(), DeviceError> {
        token.run(works).await?;
        let other = self.set.those_in().find(|other| !Arc::ptr_eq(other, token));
        if let Some(other) = other
            && let Err(error) = same_keys(other, token).await
        {
            if !error.is_transient() {
                token.take_out(&format!("it does not hold the keys of {other}: {error}"));
            }
            return Err(error);
        }
        token.take_in();
        Ok(())
    }
}

/// That a token answers, with a key in use.
fn works(live: &Live<'_>) -> Result<(), Fault> {
    fingerprint(live)?;
    live.login.fresh_roots(live.session)?;
    Ok(())
}

/// That what one token makes, another opens: by every key that they must share.
pub(crate) async fn same_keys(one: &Arc<Token>, other: &Arc<Token>) -> Result<(), DeviceError> {
    const UNIT: UnitBinding = UnitBinding([0; 16]);
    let differs = |what: &'static str| DeviceError::Failed {
        what: "use its tokens as one",
        cause: format!("{what} differ"),
    };
    if one.run(profile).await? != other.run(profile).await? {
        return Err(differs("their mechanisms"));
    }
    if one.run(fingerprint).await? != other.run(fingerprint).await? {
        return Err(differs("their MAC keys"));
    }
    for purpose in SealPurpose::ALL {
        let sealed = one
            .run(move |live| seal::seal(live, purpose, b"same keys", b"same keys"))
            .await?;
        let opened: Result<Zeroizing<Vec<u8>>, _> = other
            .run(move |live| seal::open(live, purpose, b"same keys", &sealed))
            .await;
        if opened
            .map_err(transient_or(differs("their sealing keys")))?
            .as_slice()
            != b"same keys"
        {
            return Err(differs("their sealing keys"));
        }
    }
    let unit_key = one.run(|live| create_unit_key(live, &UNIT)).await?;
    other
        .run(move |live| {
            let unit_key = open_unit_key(live, &UNIT, &unit_key)?;
            unit_key.unwrap(live, Purpose::Wrap).map(drop)
        })
        .await
        .map_err(transient_or(differs("their roots")))
}

fn transient_or(instead: DeviceError) -> impl FnOnce(DeviceError) -> DeviceError {
    move |error| if error.is_transient() { error } else { instead }
}

fn profile(live: &Live<'_>) -> Result<crate::profile::Profile, Fault> {
    Ok(live.login.profile.clone())
}

/// MACs by every MAC key there is.
fn fingerprint(live: &Live<'_>) -> Result<Vec<Vec<u8>>, Fault> {
    let keys = MacPurpose::ALL
        .into_iter()
        .map(|purpose| live.login.mac(purpose))
        .chain([Ok(live.login.bind)]);
    keys.map(|key| {
        live.session
            .sign(&Mechanism::Sha256Hmac, key?, b"claviger/same keys")
            .map_err(during("compute a MAC"))
    })
    .collect()
}

/// Opens tokens as one set: those that are away now are out.
pub(crate) async fn gather(set: Set) -> Result<Watched, DeviceError> {
    let watched = Watched {
        set,
        memory: Memory::default(),
    };
    if watched.set.single().is_some() {
        return Ok(watched);
    }
    for token in watched.set.tokens() {
        token.take_out("it has not answered yet");
    }
    for token in watched.set.tokens() {
        match watched.try_in(token).await {
            Ok(()) => {}
            Err(error) if error.is_transient() => note(token, &error),
            // Wrong keys, a wrong PIN: nobody notices later, so say it now.
            Err(error) => return Err(error),
        }
    }
    if watched.set.those_in().next().is_none() {
        return Err(watched
            .set
            .away()
            .unwrap_or_else(|| set::lost("no token is there".to_owned())));
    }
    Ok(watched)
}
