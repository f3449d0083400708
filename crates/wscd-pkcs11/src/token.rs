//! One token of a device: its link, its threads, and whether it is used.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wscd::DeviceError;

use crate::error::Fault;
use crate::link::Link;
use crate::login::Login;
use crate::pool::{Live, Pool};
use crate::view::TokenId;

pub(crate) struct Token {
    link: Arc<Link>,
    pool: Pool,
    /// Why no request goes to it, where none does.
    out: Mutex<Option<String>>,
    id: OnceLock<TokenId>,
}

impl Token {
    pub(crate) fn start(link: Arc<Link>, lines: usize) -> std::io::Result<Self> {
        Ok(Self {
            pool: Pool::start(&link, lines)?,
            link,
            out: Mutex::default(),
            id: OnceLock::new(),
        })
    }

    /// Runs a call in the token, whether requests go to it or not.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        call: impl FnMut(&Live<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, DeviceError> {
        self.pool.run(call).await
    }

    pub(crate) fn login(&self) -> Result<Arc<Login>, DeviceError> {
        let login = self.link.login()?;
        self.id.get_or_init(|| login.id);
        Ok(login)
    }

    /// What tells it from the others; unknown until it was there once.
    pub(crate) fn id(&self) -> Option<TokenId> {
        if self.id.get().is_none() {
            let _ = self.login();
        }
        self.id.get().copied()
    }

    pub(crate) fn is_in(&self) -> bool {
        self.state().is_none()
    }

    /// Why no request goes to it.
    pub(crate) fn out(&self) -> Option<String> {
        self.state().clone()
    }

    pub(crate) fn take_out(&self, cause: &str) {
        let mut out = self.state();
        if out.is_none() {
            tracing::warn!(token = %self.link.token, cause, "a token is taken out");
        }
        *out = Some(cause.to_owned());
    }

    pub(crate) fn take_in(&self) {
        if self.state().take().is_some() {
            tracing::info!(token = %self.link.token, "a token is back");
        }
    }

    /// How many calls wait for it.
    pub(crate) fn waiting(&self) -> usize {
        self.pool.waiting()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.link.token.fmt(f)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.link.fmt(f)
    }
}
