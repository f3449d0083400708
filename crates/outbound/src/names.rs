use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::Limits;

/// The addresses of a name, or that it has none.
pub type Resolved = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;

/// Who knows the addresses of host names. What it answers is judged before
/// anything is connected to.
pub trait Names: std::fmt::Debug + Send + Sync {
    /// The addresses of a name.
    fn resolve(&self, name: &str) -> Resolved;
}

/// The names this machine knows.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn resolve(&self, name: &str) -> Resolved {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Gives out no address that may not be reached. A name that has both kinds is
/// asked at those that may.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) names: Arc<dyn Names>,
    pub(crate) limits: Limits,
}

/// That none of a name's addresses may be reached; one of them.
#[derive(Debug, thiserror::Error)]
#[error("the address {0} is not public")]
pub(crate) struct NotPublic(pub(crate) IpAddr);

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let limits = self.limits;
        let found = self.names.resolve(name.as_str());
        Box::pin(async move {
            let (open, closed): (Vec<IpAddr>, Vec<IpAddr>) =
                found.await?.into_iter().partition(|ip| limits.allow(*ip));
            match closed.first() {
                Some(ip) if open.is_empty() => Err(NotPublic(*ip).into()),
                // The port is the URL's: reqwest puts it in the place of 0.
                _ => Ok(Box::new(open.into_iter().map(|ip| (ip, 0u16).into())) as Addrs),
            }
        })
    }
}
