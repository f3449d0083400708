use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use crate::tls::{self, PeerCertificate, Tls};

/// How long a client may take to send a request's head, or to begin the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may take nothing of its answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How many connections are open at once on a listener; the next one waits.
const MAX_CONNECTIONS: usize = 4_096;
/// How many files a process keeps for its database, its lists and its own requests,
/// whatever comes in.
#[cfg(unix)]
const OTHER_FILES: u64 = 512;
/// How long open requests may take to end once the service stops.
const DRAIN: Duration = Duration::from_secs(20);
/// How long to wait after a connection could not be accepted (no descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where connections come in, and how they are protected.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Tls>,
}

impl Listener {
    /// Connections come in at `tcp`, and speak TLS.
    pub fn with_tls(tcp: TcpListener, tls: Tls) -> Self {
        Self {
            tcp,
            tls: Some(tls),
        }
    }
}

impl From<TcpListener> for Listener {
    /// Without TLS, which then ends somewhere in front.
    fn from(tcp: TcpListener) -> Self {
        Self { tcp, tls: None }
    }
}

/// Who is at the other end of a connection: an extension of each of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// As many as are taken.
#[cfg(not(unix))]
fn most_connections() -> usize {
    MAX_CONNECTIONS
}

/// How many connections this process can have open on each of two listeners and still
/// write its database and its lists. It may open as many files as it is ever allowed to.
#[cfg(unix)]
fn most_connections() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let most = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(most) = most else {
        return MAX_CONNECTIONS;
    };
    let room = usize::try_from(most.saturating_sub(OTHER_FILES) / 2).unwrap_or(MAX_CONNECTIONS);
    if room < MAX_CONNECTIONS {
        tracing::warn!(
            files = most,
            connections = room.max(64),
            "few files may be open at once (RLIMIT_NOFILE): so few connections are taken"
        );
    }
    room.clamp(64, MAX_CONNECTIONS)
}

/// Serves `app` on `listener` until `shutdown` resolves, then takes no new
/// connections and lets the open requests end, for at most twenty seconds, or until
/// `at_once` resolves. A client that is slow to shake hands, to send its request's head
/// or to take its answer is dropped, so it can neither hold a connection for ever nor
/// hold up the end.
pub async fn serve(
    listener: impl Into<Listener>,
    app: Router,
    shutdown: impl Future<Output = ()> + Send,
    at_once: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    serve_in_time(listener.into(), app, shutdown, at_once, WRITE_TIMEOUT).await
}

async fn serve_in_time(
    Listener { tcp, tls }: Listener,
    app: Router,
    shutdown: impl Future<Output = ()> + Send,
    at_once: impl Future<Output = ()> + Send,
    write_timeout: Duration,
) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(most_connections()));
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let (stream, peer) = tokio::select! {
            () = &mut shutdown => break,
            accepted = tcp.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let (app, tls, watcher) = (app.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            match tls {
                None => converse(stream, peer, None, app, watcher, write_timeout).await,
                Some(tls) => {
                    if let Some(stream) = tls.accept(stream).await {
                        let certificate = tls::shown(&stream);
                        converse(stream, peer, certificate, app, watcher, write_timeout).await;
                    }
                }
            }
            drop(place);
        });
    }
    drop(tcp);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(DRAIN) => tracing::warn!("requests were still open; stopping"),
        () = at_once => tracing::warn!("asked again; stopping at once"),
    }
    Ok(())
}

/// Answers one connection's requests, one after the other, and breaks it where the other
/// end takes nothing for too long.
async fn converse<S>(
    stream: S,
    peer: SocketAddr,
    certificate: Option<PeerCertificate>,
    app: Router,
    watcher: Watcher,
    write_timeout: Duration,
) where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(write_timeout));
    let app = app.map_request(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        if let Some(certificate) = &certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        request
    });
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(64 * 1024);
    let connection = protocol.serve_connection(
        TokioIo::new(Box::pin(stream)),
        TowerToHyperService::new(app),
    );
    // A client that goes away is no news.
    let _ = watcher.watch(connection).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// More than what the systems of both ends keep of an answer.
    const LARGE: usize = 64 << 20;

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_let_go() {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let app = Router::new().route("/", get(async || vec![0u8; LARGE]));
        let serving = serve_in_time(
            tcp.into(),
            app,
            std::future::pending(),
            std::future::pending(),
            Duration::from_millis(100),
        );
        let serving = tokio::spawn(serving);
        let ask = async |pause: Duration| {
            let mut client = TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n";
            client.write_all(request).await.unwrap();
            tokio::time::sleep(pause).await;
            let mut answer = Vec::new();
            let _ = client.read_to_end(&mut answer).await;
            answer.len()
        };
        assert!(
            ask(Duration::ZERO).await > LARGE,
            "it takes all of it at once"
        );
        assert!(
            ask(Duration::from_secs(2)).await < LARGE,
            "it was waited for"
        );
        serving.abort();
    }
}
