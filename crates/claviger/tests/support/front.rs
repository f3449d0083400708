//! What stands in front of several nodes: each request goes to the next of them, and
//! to another where that one is not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Serves until it is dropped, in a thread of its own: a test may hold its own up.
pub struct Front {
    pub url: String,
    until: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Front {
    /// Nobody listens at its address any more once this is over.
    fn drop(&mut self) {
        drop(self.until.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Front {
    /// Listens on a free port, before any node is there.
    pub fn start(nodes: Vec<String>) -> Self {
        Self::start_at("127.0.0.1:0", nodes, false)
    }

    /// Listens there. What it cannot read, because it is in TLS, goes to one node for
    /// as long as the connection lasts.
    pub fn start_at(listen: &str, nodes: Vec<String>, tls: bool) -> Self {
        let listener = std::net::TcpListener::bind(listen).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (until, dropped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = serve(listener, nodes, tls) => {}
                    _ = dropped => {}
                }
            });
        });
        Self {
            url,
            until: Some(until),
            thread: Some(thread),
        }
    }
}

async fn serve(listener: TcpListener, nodes: Vec<String>, tls: bool) {
    let nodes: Arc<[String]> = nodes.into();
    let turn = Arc::new(AtomicUsize::new(0));
    while let Ok((client, _)) = listener.accept().await {
        let (nodes, turn) = (Arc::clone(&nodes), Arc::clone(&turn));
        tokio::spawn(async move {
            // A client or a node that goes away ends the connection: the request was
            // not acknowledged.
            let _ = match tls {
                true => pass(client, &nodes, &turn).await,
                false => relay(client, &nodes, &turn).await,
            };
        });
    }
}

/// The node whose turn it is, or the next one that is there.
async fn next(nodes: &[String], turn: &AtomicUsize) -> Option<TcpStream> {
    let first = turn.fetch_add(1, Ordering::Relaxed);
    for offset in 0..nodes.len() {
        if let Ok(node) = TcpStream::connect(&nodes[(first + offset) % nodes.len()]).await {
            return Some(node);
        }
    }
    None
}

async fn pass(mut client: TcpStream, nodes: &[String], turn: &AtomicUsize) -> std::io::Result<()> {
    if let Some(mut node) = next(nodes, turn).await {
        tokio::io::copy_bidirectional(&mut client, &mut node).await?;
    }
    Ok(())
}

/// One request a connection, so that the next one goes to the next node.
async fn relay(mut client: TcpStream, nodes: &[String], turn: &AtomicUsize) -> std::io::Result<()> {
    let request = read(&mut client).await?;
    if let Some(mut node) = next(nodes, turn).await {
        node.write_all(&request).await?;
        tokio::io::copy(&mut node, &mut client).await?;
        return client.shutdown().await;
    }
    client
        .write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .await?;
    client.shutdown().await
}

/// A whole request, with `Connection: close` in its head.
async fn read(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let end = loop {
        if let Some(at) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if client.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    };
    let head = String::from_utf8_lossy(&request[..end]).into_owned();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, length)| length.trim().parse().unwrap());
    while request.len() < end + length {
        if client.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let (line, rest) = head.split_once("\r\n").unwrap();
    let mut whole = format!("{line}\r\nConnection: close\r\n{rest}").into_bytes();
    whole.extend_from_slice(&request[end..]);
    Ok(whole)
}
