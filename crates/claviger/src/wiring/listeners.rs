//! Where a process listens: for everyone, for its operators, and for the wallet
//! provider in another process.

use std::net::SocketAddr;
use std::path::Path;

use server::{App, Listener, Tls};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::exit::{Doing, Failure};
use crate::settings::{AdminSettings, Settings};
use crate::{input, shutdown};

/// The size of a certificate's or key's file, in bytes.
const PEM: u64 = 1 << 20;

/// A process's listeners, open.
#[derive(Debug)]
pub(crate) struct Listeners {
    address: SocketAddr,
    public: Listener,
    admin: Option<Listener>,
    link: Option<Listener>,
}

impl Listeners {
    /// Opens what the settings name.
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Failure> {
        let tcp = bind(settings.listen).await?;
        let address = tcp.local_addr().doing("the listening address")?;
        let public = match &settings.tls {
            None => Listener::from(tcp),
            Some(tls) => {
                let (certificate, key) = (pem(&tls.certificate)?, pem(&tls.key)?);
                Listener::with_tls(tcp, Tls::public(&certificate, &key).doing("tls")?)
            }
        };
        let admin = match &settings.admin {
            None => None,
            Some(admin) => Some(admin_listener(admin).await?),
        };
        let link = match &settings.wsca_link {
            None => None,
            Some(link) => {
                let clients = link.clients.as_deref().map(pem).transpose()?;
                let tls = Tls::mutual(
                    &pem(&link.certificate)?,
                    &pem(&link.key)?,
                    &pem(&link.client_ca)?,
                    clients.as_deref(),
                )
                .doing("wsca_link")?;
                Some(Listener::with_tls(bind(link.listen).await?, tls))
            }
        };
        Ok(Self {
            address,
            public,
            admin,
            link,
        })
    }

    /// Where everyone comes in.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on all of them until the process is asked to stop.
    pub(crate) async fn serve(self, app: App) -> Result<(), Failure> {
        let routers = app.into_routers();
        let (stop, _) = watch::channel(Asked::Nothing);
        let others = [
            ("admin", self.admin.zip(routers.admin)),
            ("wsca_link", self.link.zip(routers.link)),
        ];
        let others: Vec<_> = others
            .into_iter()
            .filter_map(|(name, served)| Some((name, served?)))
            .map(|(name, (listener, router))| {
                let (stopped, at_once) = (stop.subscribe(), stop.subscribe());
                let serving = server::serve(
                    listener,
                    router,
                    asked(stopped, Asked::Drain),
                    asked(at_once, Asked::AtOnce),
                );
                (name, tokio::spawn(serving))
            })
            .collect();
        let drain = async {
            shutdown::requested().await;
            stop.send_replace(Asked::Drain);
        };
        let at_once = async {
            shutdown::requested_again().await;
            stop.send_replace(Asked::AtOnce);
        };
        let served = server::serve(self.public, routers.public, drain, at_once).await;
        // Whatever ended the first one ends the others.
        stop.send_if_modified(|now| {
            let nothing = *now == Asked::Nothing;
            if nothing {
                *now = Asked::Drain;
            }
            nothing
        });
        for (name, serving) in others {
            serving.await.doing(name)?.doing(name)?;
        }
        served.doing("the server")
    }
}

/// How the process was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Nothing,
    Drain,
    AtOnce,
}

async fn asked(mut now: watch::Receiver<Asked>, what: Asked) {
    if now.wait_for(|now| *now >= what).await.is_err() {
        // Nobody is left who could ask.
        std::future::pending().await
    }
}

/// Where operators come in: with TLS where there is a certificate, and asked for their
/// own where there is a CA for it.
async fn admin_listener(admin: &AdminSettings) -> Result<Listener, Failure> {
    let tcp = bind(admin.listen).await?;
    let (Some(certificate), Some(key)) = (&admin.certificate, &admin.key) else {
        return Ok(Listener::from(tcp));
    };
    let (certificate, key) = (pem(certificate)?, pem(key)?);
    let tls = match &admin.client_ca {
        None => Tls::public(&certificate, &key),
        Some(client_ca) => Tls::recognising(&certificate, &key, &pem(client_ca)?),
    };
    Ok(Listener::with_tls(tcp, tls.doing("admin")?))
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .doing(format_args!("cannot listen on {address}"))
}

/// A certificate's or key's file.
pub(crate) fn pem(path: &Path) -> Result<Vec<u8>, Failure> {
    input::read(path, PEM)
}
