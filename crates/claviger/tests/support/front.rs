//! What stands in front of several nodes: each request goes to the next of them, and
//! to another where that one is not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Serves until it is dropped.
pub struct Front {
    pub url: String,
    served: JoinHandle<()>,
}

impl Front {
    /// Listens on a free port, before any node is there.
    pub async fn start(nodes: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let nodes: Arc<[String]> = nodes.into();
        let turn = Arc::new(AtomicUsize::new(0));
        let served = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (nodes, turn) = (Arc::clone(&nodes), Arc::clone(&turn));
                tokio::spawn(async move {
                    // A client or a node that goes away ends the connection: the
                    // request was not acknowledged.
                    let _ = relay(client, &nodes, &turn).await;
                });
            }
        });
        Self { url, served }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.served.abort();
    }
}

/// One request a connection, so that the next one goes to the next node.
async fn relay(mut client: TcpStream, nodes: &[String], turn: &AtomicUsize) -> std::io::Result<()> {
    let request = read(&mut client).await?;
    let first = turn.fetch_add(1, Ordering::Relaxed);
    for offset in 0..nodes.len() {
        let node = &nodes[(first + offset) % nodes.len()];
        let Ok(mut node) = TcpStream::connect(node).await else {
            continue;
        };
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
