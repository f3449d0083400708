//! An OCSP responder over loopback that answers as it is told, truly or not.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is answered to the next requests: a status and a body.
pub type Answer = (u16, Vec<u8>);

/// A responder. What it answers is made from the nonce of the request.
pub struct Responder {
    url: String,
    asked: Arc<Mutex<usize>>,
}

impl Responder {
    /// Starts one; `answer` is given the nonce.
    pub async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(Vec<u8>) -> R + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ocsp", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&asked);
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *counted.lock().unwrap() += 1;
                let answer = Arc::clone(&answer);
                tokio::spawn(async move {
                    let _ = serve(stream, |nonce| answer(nonce)).await;
                });
            }
        });
        Self { url, asked }
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }
}

async fn serve<R: Future<Output = Answer>>(
    mut stream: TcpStream,
    answer: impl Fn(Vec<u8>) -> R,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    assert!(head.starts_with("post /ocsp "), "{head}");
    assert!(head.contains("content-type: application/ocsp-request"));
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|n| n.trim().parse().ok())
        .unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    // The nonce stands last in the request.
    let nonce = body[body.len() - 32..].to_vec();
    let (status, body) = answer(nonce).await;
    let head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: application/ocsp-response\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}
