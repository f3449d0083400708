//! The HTTP edge: routes, problems, OpenAPI, limits, metrics.
//!
//! The only room that knows axum. Domain errors become RFC 9457 problems here,
//! with a stable code and an outside message; what only the operator may know
//! goes to the log.

mod app;
mod certificate_gauges;
mod client;
mod edge;
mod in_flight;
mod list_gauges;
mod metrics;
mod operators;
mod pages;
mod problem;
mod rates;
mod routes;
pub mod rules;
mod run;
mod tls;
mod trace;

pub use app::{App, Routers};
pub use client::{Network, NoNetwork, Proxies, ProxyHeader};
pub use edge::Limits;
pub use in_flight::InFlight;
pub use metrics::{Metrics, RecorderTaken};
pub use operators::{
    KnownOperator, KnownOperators, OPERATOR_ROUTES, OperatorRoute, Operators, OperatorsWrong,
};
pub use pages::account::AccountPages;
pub use problem::Problem;
pub use rates::{Rate, Rates};
pub use routes::folder::PublicFolder;
pub use routes::health::Readiness;
pub use routes::status::StatusLists;
pub use routes::trust::Trust;
pub use rules::RULES;
pub use run::{Listener, serve};
pub use tls::{Tls, TlsError};
