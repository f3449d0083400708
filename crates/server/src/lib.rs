//! The HTTP edge: routes, problems, OpenAPI, limits, metrics.
//!
//! The only room that knows axum. Domain errors become RFC 9457 problems here,
//! with a stable code and an outside message; what only the operator may know
//! goes to the log.

mod app;
mod edge;
mod metrics;
mod problem;
mod routes;
mod run;

pub use app::App;
pub use edge::Limits;
pub use metrics::{Metrics, RecorderTaken};
pub use problem::Problem;
pub use routes::folder::PublicFolder;
pub use routes::health::Readiness;
pub use routes::operator::OperatorToken;
pub use routes::trust::Trust;
pub use run::serve;
