//! Structured logs on standard error, without secrets or personal data.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For a person at a terminal.
    Text,
    /// One JSON object a line, for a collector.
    Json,
}

/// Starts logging for a command that tells its own story: nothing is logged
/// unless `CLAVIGER_LOG` asks for it.
pub(crate) fn start_quiet() {
    if std::env::var_os("CLAVIGER_LOG").is_some() {
        start(Form::Text);
    }
}

/// Starts logging. `CLAVIGER_LOG` says what is logged (`info`, if absent).
pub(crate) fn start(form: Form) {
    let filter = EnvFilter::try_from_env("CLAVIGER_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,hyper=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // A second start in one process (tests) leaves the first as it is.
    let _ = match form {
        Form::Text => builder.compact().try_init(),
        Form::Json => builder.json().try_init(),
    };
}
