//! How many requests are worked on at once: in all, and for one address. Work that
//! costs a device's time is not queued without end: who comes too many is told to
//! come again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sci::Code;

use crate::client::{self, network};
use crate::problem::Problem;

/// How many requests the WSCA works on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// In all.
    pub total: usize,
    /// For one address (of IPv6, one network of 64 bits). Behind a proxy that is not
    /// among the trusted ones, all clients have its address, and it does this: 0 is no
    /// limit.
    pub per_address: usize,
}

impl Default for InFlight {
    fn default() -> Self {
        Self {
            total: 1024,
            per_address: 128,
        }
    }
}

/// Who is being worked for.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    limits: InFlight,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One request's place, given back when it is dropped.
#[derive(Debug)]
struct Place {
    taken: Arc<Mutex<Taken>>,
    address: Option<IpAddr>,
}

impl Places {
    pub(crate) fn new(limits: InFlight) -> Self {
        Self {
            limits,
            taken: Arc::default(),
        }
    }

    fn take(&self, address: Option<IpAddr>) -> Option<Place> {
        let address = address.map(network).filter(|_| self.limits.per_address > 0);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.limits.total {
            return None;
        }
        if let Some(address) = address {
            let mine = taken.by_address.entry(address).or_default();
            if *mine >= self.limits.per_address {
                return None;
            }
            *mine += 1;
        }
        taken.total += 1;
        Some(Place {
            taken: Arc::clone(&self.taken),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total = taken.total.saturating_sub(1);
        if let Some(address) = self.address
            && let Some(mine) = taken.by_address.get_mut(&address)
        {
            *mine = mine.saturating_sub(1);
            if *mine == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

/// Lets a request through where there is a place for it, once it is here whole: who
/// sends slowly takes nobody's place.
pub(crate) async fn admit(State(places): State<Places>, request: Request, next: Next) -> Response {
    let address = client::address(&request);
    let (head, body) = request.into_parts();
    let body = match Bytes::from_request(Request::new(body), &()).await {
        Ok(body) => body,
        Err(refused) => return refused.into_response(),
    };
    let request = Request::from_parts(head, Body::from(body));
    let Some(place) = places.take(address) else {
        metrics::counter!("claviger_wsca_turned_away_total").increment(1);
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::TryLater.name(),
            "Too many requests are under way; the same request may work in a moment",
        )
        .retry_after(1)
        .into_response();
    };
    let response = next.run(request).await;
    drop(place);
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::run::Peer;

    fn places(total: usize, per_address: usize) -> Places {
        Places::new(InFlight { total, per_address })
    }

    fn at(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let places = places(4, 2);
        let _first = places.take(at("192.0.2.1")).unwrap();
        let second = places.take(at("192.0.2.1")).unwrap();
        assert!(places.take(at("192.0.2.1")).is_none());
        assert!(places.take(at("::ffff:192.0.2.1")).is_none(), "the same");
        let _other = places.take(at("192.0.2.2")).unwrap();
        drop(second);
        let _again = places.take(at("192.0.2.1")).unwrap();
        let _fourth = places.take(at("192.0.2.3")).unwrap();
        assert!(places.take(at("192.0.2.4")).is_none(), "all are taken");
    }

    /// Over a route that takes until it is let go: who comes too many is told when to
    /// come again, and whoever comes after that is served.
    #[tokio::test]
    async fn who_comes_too_many_is_told_to_come_again() {
        use axum::Router;
        use axum::body::Body;
        use axum::http::header::RETRY_AFTER;
        use axum::routing::get;
        use tower::ServiceExt;

        let (begun, gate) = (
            Arc::new(tokio::sync::Notify::new()),
            Arc::new(tokio::sync::Notify::new()),
        );
        let (started, opened) = (Arc::clone(&begun), Arc::clone(&gate));
        let slow = move || {
            let (started, opened) = (Arc::clone(&started), Arc::clone(&opened));
            async move {
                started.notify_one();
                opened.notified().await;
            }
        };
        let app = Router::new()
            .route("/", get(slow))
            .route_layer(axum::middleware::from_fn_with_state(places(9, 1), admit));
        let request = |address: &str| {
            let mut request = Request::new(Body::empty());
            let address = format!("{address}:9").parse().unwrap();
            request.extensions_mut().insert(Peer(address));
            request
        };
        let first = tokio::spawn(app.clone().oneshot(request("192.0.2.1")));
        begun.notified().await;
        let second = app.clone().oneshot(request("192.0.2.1")).await.unwrap();
        assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(second.headers()[RETRY_AFTER], "1");
        let body = axum::body::to_bytes(second.into_body(), 4096)
            .await
            .unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(problem["code"], "TRY_LATER");
        let other = tokio::spawn(app.clone().oneshot(request("192.0.2.2")));
        begun.notified().await;
        gate.notify_one();
        gate.notify_one();
        assert_eq!(first.await.unwrap().unwrap().status(), StatusCode::OK);
        assert_eq!(other.await.unwrap().unwrap().status(), StatusCode::OK);
        gate.notify_one();
        let third = app.oneshot(request("192.0.2.1")).await.unwrap();
        assert_eq!(third.status(), StatusCode::OK);
    }

    /// A body that does not come.
    struct Never;

    impl hyper::body::Body for Never {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }

    /// Who sends a head and then nothing holds no place.
    #[tokio::test]
    async fn who_sends_slowly_takes_nobodys_place() {
        use axum::Router;
        use axum::routing::post;
        use tower::ServiceExt;

        let app = Router::new()
            .route("/", post(async |_: Bytes| {}))
            .route_layer(axum::middleware::from_fn_with_state(places(1, 1), admit));
        let request = |body: Body| {
            let mut request = Request::new(body);
            *request.method_mut() = axum::http::Method::POST;
            let address = "192.0.2.1:9".parse().unwrap();
            request.extensions_mut().insert(Peer(address));
            request
        };
        let slow = tokio::spawn(app.clone().oneshot(request(Body::new(Never))));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let whole = app.oneshot(request(Body::from("x"))).await.unwrap();
        assert_eq!(whole.status(), StatusCode::OK);
        assert!(!slow.is_finished());
        slow.abort();
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let places = places(9, 1);
        let _first = places.take(at("2001:db8:1:2::1")).unwrap();
        assert!(places.take(at("2001:db8:1:2:ffff::9")).is_none());
        assert!(places.take(at("2001:db8:1:3::1")).is_some());
    }

    #[test]
    fn nothing_is_left_of_who_went() {
        let places = places(9, 9);
        drop(places.take(at("192.0.2.1")));
        let taken = places.taken.lock().unwrap();
        assert_eq!((taken.total, taken.by_address.len()), (0, 0));
    }

    #[test]
    fn without_a_limit_per_address_only_the_total_counts() {
        let places = places(3, 0);
        let kept: Vec<_> = (0..3).map(|_| places.take(at("192.0.2.1"))).collect();
        assert!(kept.iter().all(Option::is_some));
        assert!(places.take(at("192.0.2.1")).is_none());
    }
}
