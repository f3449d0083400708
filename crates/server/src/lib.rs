//! The HTTP edge: routes, problems, OpenAPI, limits, metrics.
//!
//! The only room that knows axum. Domain errors become RFC 9457 problems here,
//! with a stable code and an outside message; what only the operator may know
//! goes to the log.

mod app;
mod edge;
mod in_flight;
mod list_gauges;
mod metrics;
mod problem;
mod routes;
pub mod rules;
mod run;
mod tls;

pub use app::{App, Routers};
pub use edge::Limits;
pub use in_flight::InFlight;
pub use metrics::{Metrics, RecorderTaken};
pub use problem::Problem;
pub use routes::folder::PublicFolder;
pub use routes::health::Readiness;
pub use routes::operator::OperatorToken;
pub use routes::status::StatusLists;
pub use routes::trust::Trust;
pub use rules::RULES;
pub use run::{Listener, serve};
pub use tls::{Tls, TlsError};
