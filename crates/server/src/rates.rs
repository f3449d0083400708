//! How often something may be asked: for one address, and of one account. Counted by
//! the generic cell rate algorithm, in a memory that does not grow without end.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock, MonotonicClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::client;
use crate::problem::Problem;
use crate::rules;

/// How often: so many at once, and then so many a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many a minute in the long run; 0 is no limit.
    pub per_minute: u32,
    /// How many at once, at least one.
    pub burst: u32,
}

/// How often what may be asked. By default there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// Any public route, by one address.
    pub general: Option<Rate>,
    /// Challenges, activations, PID providers' requests, what the reference's interface
    /// issues, and whatever shows an account's code, by one address.
    pub tight: Option<Rate>,
    /// Whatever shows an account's code, for one account by one address. All addresses
    /// together have `ADDRESSES` times as much, so that no single one can keep the
    /// owner of an account from revoking.
    pub account: Option<Rate>,
    /// Wrong credentials of operators, by one address.
    pub credential: Option<Rate>,
}

/// Which limit was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    General,
    Tight,
    Account,
    Credential,
}

impl Met {
    fn name(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Tight => "tight",
            Self::Account => "account",
            Self::Credential => "credential",
        }
    }

    /// What the client is told, when it may come again after `wait`.
    pub(crate) fn problem(self, wait: Duration) -> Problem {
        metrics::counter!("claviger_limited_total", "limit" => self.name()).increment(1);
        let whole = wait
            .as_secs()
            .saturating_add(u64::from(wait.subsec_nanos() > 0));
        let seconds = u32::try_from(whole).unwrap_or(u32::MAX).max(1);
        let finding = rules::RATE.finding(
            match self {
                Self::Account => "account",
                _ => "address",
            },
            format!("the next one is taken in {seconds} s"),
        );
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-requests",
            "This was asked too often; the same request may work later",
        )
        .findings(vec![finding])
        .retry_after(seconds)
    }
}

/// How many addresses may ask of one account as often as they may.
const ADDRESSES: u32 = 20;

/// The limits of one process.
#[derive(Debug)]
pub(crate) struct Gates {
    general: Option<Limiter<IpAddr>>,
    tight: Option<Limiter<IpAddr>>,
    account_by_address: Option<Limiter<[u8; 32]>>,
    account: Option<Limiter<[u8; 32]>>,
    pub(crate) credential: Option<Limiter<IpAddr>>,
}

/// Routes that cost us or tempt others more than most do.
const TIGHT: &[&str] = &[
    // With a challenge, it is signed.
    "/wallet-provider/provider",
    "/wallet-provider/challenge",
    "/wallet-provider/activations",
    "/wallet-provider/account",
    "/wallet-provider/account/revocation",
    "/wallet-provider/revocation-requests",
    "/reference-provider/challenge",
    "/reference-provider/wallet-instance-attestation/platform-key-attestation/android",
    "/reference-provider/wallet-instance-attestation/platform-key-attestation/ios",
    "/reference-provider/wallet-instance-attestation/jwk",
    "/reference-provider/key-attestation/platform-key-attestation/android",
    "/reference-provider/key-attestation/platform-key-attestation/ios",
    "/reference-provider/key-attestation/jwk-set",
    "/reference-provider/wallet-unit-attestation/jwk-set",
    "/account/sign-up/begin",
    "/account/sign-in/begin",
    "/account/sign-in/code",
    "/account/address",
    "/account/address/code",
];

/// What whoever watches over this process asks.
const FREE: &[&str] = &["/health", "/ready"];

impl Gates {
    pub(crate) fn new(rates: Rates) -> Arc<Self> {
        let by_address = |rate: Option<Rate>| rate.and_then(Limiter::new);
        Arc::new(Self {
            general: by_address(rates.general),
            tight: by_address(rates.tight),
            account_by_address: rates.account.and_then(Limiter::new),
            account: rates.account.and_then(|rate| {
                Limiter::new(Rate {
                    per_minute: rate.per_minute.saturating_mul(ADDRESSES),
                    burst: rate.burst.saturating_mul(ADDRESSES),
                })
            }),
            credential: by_address(rates.credential),
        })
    }

    fn pass(&self, route: &str, address: IpAddr) -> Result<(), Problem> {
        if FREE.contains(&route) {
            return Ok(());
        }
        let address = client::network(address);
        let spend = |limiter: &Option<Limiter<IpAddr>>, met: Met| match limiter {
            Some(limiter) => limiter.spend(address).map_err(|wait| met.problem(wait)),
            None => Ok(()),
        };
        if TIGHT.contains(&route) {
            spend(&self.tight, Met::Tight)?;
        }
        spend(&self.general, Met::General)
    }
}

/// Lets a request through that its address may still make.
pub(crate) async fn admit(
    State(gates): State<Arc<Gates>>,
    mut request: Request,
    next: Next,
) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("", MatchedPath::as_str).to_owned();
    if let Some(address) = client::address(&request)
        && let Err(problem) = gates.pass(&route, address)
    {
        return problem.into_response();
    }
    request.extensions_mut().insert(gates);
    next.run(request).await
}

/// What a route asks before it looks an account up.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccountGate {
    gates: Option<Arc<Gates>>,
    address: Option<IpAddr>,
}

impl AccountGate {
    /// Counts one question about the account of this alias. However the alias is
    /// written, it counts as the same account, so that nobody gets more questions by
    /// writing it otherwise.
    pub(crate) fn pass(&self, alias: &str) -> Result<(), Problem> {
        let Some(gates) = &self.gates else {
            return Ok(());
        };
        let account = alike(alias);
        let spend = |limiter: &Option<Limiter<[u8; 32]>>, key| match limiter {
            Some(limiter) => limiter
                .spend(key)
                .map_err(|wait| Met::Account.problem(wait)),
            None => Ok(()),
        };
        if let Some(address) = self.address {
            let both = format!("{}{}", jose::b64::encode(account), client::network(address));
            spend(&gates.account_by_address, jose::sha256(both.as_bytes()))?;
        }
        spend(&gates.account, account)
    }
}

/// What aliases that a person would call the same have in common.
fn alike(alias: &str) -> [u8; 32] {
    let composed = provider_api::compose_alias(alias).unwrap_or_default();
    let folded: String = composed
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect();
    jose::sha256(folded.as_bytes())
}

impl<S: Sync> FromRequestParts<S> for AccountGate {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self {
            gates: parts.extensions.get::<Arc<Gates>>().cloned(),
            address: client::known(&parts.extensions),
        })
    }
}

/// How many keys are remembered one by one.
const MOST_KEYS: usize = 100_000;
/// How many places those have in common that come when there is no more room.
const SHARED: u64 = 1024;

type Cells<K, C> =
    RateLimiter<Place<K>, DashMapStateStore<Place<K>>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// One limit, for each of its keys.
pub(crate) struct Limiter<K: Hash + Eq + Clone, C: Clock = MonotonicClock> {
    cells: Cells<K, C>,
    clock: C,
    most: usize,
    shared: RandomState,
    /// Keys that may do nothing until then: see [`Limiter::closed`].
    closed: Mutex<HashMap<Place<K>, C::Instant>>,
}

/// Where a key is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place<K> {
    Own(K),
    Shared(u64),
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// `None` where the rate is no limit.
    pub(crate) fn new(rate: Rate) -> Option<Self> {
        Self::with_clock(rate, MonotonicClock, MOST_KEYS)
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Limiter<K, C> {
    fn with_clock(rate: Rate, clock: C, most: usize) -> Option<Self> {
        let per_minute = NonZeroU32::new(rate.per_minute)?;
        let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_minute(per_minute).allow_burst(burst);
        Some(Self {
            cells: RateLimiter::new(quota, DashMapStateStore::default(), clock.clone()),
            clock,
            most,
            shared: RandomState::new(),
            closed: Mutex::default(),
        })
    }

    /// Takes one; how long to wait, where there is none to take.
    pub(crate) fn spend(&self, key: K) -> Result<(), Duration> {
        let place = self.place(key);
        self.cells
            .check_key(&place)
            .map_err(|until| until.wait_time_from(self.clock.now()))
    }

    /// Takes one for something that failed. Where there is none left the key is
    /// closed: from then on, [`Limiter::closed`] says so before anything is tried.
    pub(crate) fn fail(&self, key: K) {
        let place = self.place(key);
        let Err(until) = self.cells.check_key(&place) else {
            return;
        };
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        closed.insert(place, until.earliest_possible());
    }

    /// How long the key is closed still.
    pub(crate) fn closed(&self, key: K) -> Option<Duration> {
        let now = self.clock.now();
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.len() >= self.most {
            closed.retain(|_, until| *until > now);
        }
        let until = *closed.get(&self.place(key))?;
        (until > now).then(|| until.duration_since(now).into())
    }

    /// A key's own place; where there is no more room even after the keys that are as
    /// good as new were forgotten, one that it shares with others. Who floods us with
    /// addresses then limits those that come new, and takes no more memory.
    fn place(&self, key: K) -> Place<K> {
        if self.cells.len() < self.most {
            return Place::Own(key);
        }
        self.cells.retain_recent();
        if self.cells.len() < self.most {
            self.cells.shrink_to_fit();
            return Place::Own(key);
        }
        Place::Shared(self.shared.hash_one(key).checked_rem(SHARED).unwrap_or(0))
    }
}

impl<K: Hash + Eq + Clone, C: Clock> std::fmt::Debug for Limiter<K, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Limiter")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use governor::clock::FakeRelativeClock;

    use super::*;

    const TWO_THEN_ONE_A_MINUTE: Rate = Rate {
        per_minute: 1,
        burst: 2,
    };

    fn limiter(most: usize) -> (Limiter<u32, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let limiter = Limiter::with_clock(TWO_THEN_ONE_A_MINUTE, clock.clone(), most);
        (limiter.unwrap(), clock)
    }

    #[test]
    fn a_key_has_its_burst_and_then_its_rate() {
        let (limiter, clock) = limiter(100);
        assert_eq!((limiter.spend(1), limiter.spend(1)), (Ok(()), Ok(())));
        let wait = limiter.spend(1).unwrap_err();
        assert!(wait > Duration::from_secs(59) && wait <= Duration::from_secs(60));
        assert_eq!(limiter.spend(2), Ok(()), "another key");
        clock.advance(Duration::from_secs(59));
        assert!(limiter.spend(1).is_err());
        clock.advance(Duration::from_secs(2));
        assert_eq!(limiter.spend(1), Ok(()));
        assert!(limiter.spend(1).is_err(), "a wait gives no new burst");
    }

    #[test]
    fn no_rate_is_no_limit() {
        let none = Rate {
            per_minute: 0,
            burst: 9,
        };
        assert!(Limiter::<u32>::new(none).is_none());
    }

    /// However many keys come, only so many are remembered; those that came before
    /// are remembered still, and what is as good as new is forgotten.
    #[test]
    fn memory_has_an_end() {
        let (limiter, clock) = limiter(100);
        for key in 0..50_000 {
            let _ = limiter.spend(key);
        }
        let most = 100 + usize::try_from(SHARED).unwrap();
        assert!(limiter.cells.len() <= most, "{}", limiter.cells.len());
        assert!(
            limiter.spend(70_000).is_err(),
            "the newcomers share their places"
        );
        clock.advance(Duration::from_secs(600));
        assert_eq!(limiter.spend(70_001), Ok(()));
        assert!(limiter.cells.len() < 100, "{}", limiter.cells.len());
    }

    /// Guesses that failed close the door for the right one too.
    #[test]
    fn who_failed_too_often_waits_before_the_next_try() {
        let (limiter, clock) = limiter(100);
        for _ in 0..2 {
            limiter.fail(1);
            assert_eq!(limiter.closed(1), None);
        }
        limiter.fail(1);
        assert!(limiter.closed(1).unwrap() <= Duration::from_secs(60));
        assert_eq!(limiter.closed(2), None);
        clock.advance(Duration::from_secs(61));
        assert_eq!(limiter.closed(1), None);
    }

    #[test]
    fn an_alias_written_otherwise_is_the_same_account() {
        for same in [
            "Ada Lovelace",
            "ada lovelace",
            "ADA  LOVELACE",
            " ada.lovelace",
            "AdaLovelace\u{200b}",
        ] {
            assert_eq!(alike(same), alike("ada lovelace"), "{same}");
        }
        assert_eq!(alike("Zoe\u{308}"), alike("zoë"));
        assert_eq!(alike("straße"), alike("STRASSE"));
        assert_ne!(alike("ada"), alike("adam"));
    }

    fn gates() -> Arc<Gates> {
        Gates::new(Rates {
            general: Some(Rate {
                per_minute: 1,
                burst: 5,
            }),
            tight: Some(TWO_THEN_ONE_A_MINUTE),
            account: Some(TWO_THEN_ONE_A_MINUTE),
            credential: None,
        })
    }

    /// Moving within one's own network of IPv6 gives nobody more.
    #[test]
    fn an_address_has_what_its_network_has() {
        let gates = gates();
        let ask = |host: u16, route: &str| {
            let address = format!("2001:db8:1:2::{host:x}").parse().unwrap();
            gates.pass(route, address).map_err(|problem| problem.status)
        };
        let challenge = "/wallet-provider/challenge";
        assert_eq!(ask(1, challenge), Ok(()));
        assert_eq!(ask(2, challenge), Ok(()));
        assert_eq!(ask(3, challenge), Err(429));
        assert_eq!(
            ask(4, "/wallet-provider/unit/wia"),
            Ok(()),
            "the general limit is wider"
        );
        let others = (5..20).filter(|host| ask(*host, "/status/{name}").is_ok());
        assert_eq!(others.count(), 2);
        assert_eq!(ask(21, "/health"), Ok(()));
    }

    #[test]
    fn an_account_has_its_own_limit_for_each_who_asks() {
        let gates = gates();
        let gate = |address: &str| AccountGate {
            gates: Some(Arc::clone(&gates)),
            address: Some(address.parse().unwrap()),
        };
        let eve = gate("192.0.2.1");
        assert!(eve.pass("ada").is_ok());
        assert!(eve.pass("Ada").is_ok());
        let problem = eve.pass("ADA").unwrap_err();
        assert_eq!((problem.status, problem.code), (429, "too-many-requests"));
        assert_eq!(problem.findings[0].rule, "EDGE-RATE");
        assert!(eve.pass("bob").is_ok(), "another account");
        assert!(
            gate("192.0.2.2").pass("ada").is_ok(),
            "the owner is not locked out"
        );
        assert!(AccountGate::default().pass("ada").is_ok());
    }

    /// Addresses without end give no questions without end.
    #[test]
    fn an_account_has_a_limit_over_all_addresses() {
        let gates = gates();
        let asked = (0..1000u32).filter(|host| {
            let gate = AccountGate {
                gates: Some(Arc::clone(&gates)),
                address: Some(IpAddr::from((0x0a00_0000 + host).to_be_bytes())),
            };
            gate.pass("ada").is_ok()
        });
        let asked = asked.count();
        let most = usize::try_from(2 * ADDRESSES).unwrap();
        assert!((most..most + 5).contains(&asked), "{asked}");
    }
}
