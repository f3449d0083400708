//! A server of HTTP/1.1 over loopback that behaves as it is told, badly if need be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What a path answers.
#[derive(Clone)]
pub enum Route {
    /// 200 with a body and an ETag; 304 when it is asked for with that ETag.
    Body(Vec<u8>, &'static str),
    /// A status alone.
    Status(u16),
    /// 302 to this place.
    Redirect(String),
    /// Nothing, for a long time, after half an answer.
    Slow,
    /// A gigabyte without a length said before.
    Gigabyte,
    /// A length of a gigabyte, and then nothing.
    SaysGigabyte,
    /// A byte every tenth of a second, for as long as somebody listens.
    Trickle,
    /// Less than the length that was said, and then the end.
    Truncated,
    /// 200 with a body that is fresh for so many seconds.
    Fresh(Vec<u8>, u64),
    /// As [`Route::Body`], once it is let go.
    Held(Vec<u8>, Arc<Notify>),
}

type Shared<T> = Arc<Mutex<T>>;

pub struct Server {
    base: String,
    routes: Shared<HashMap<String, Route>>,
    asked: Shared<Vec<String>>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let routes: Shared<HashMap<String, Route>> = Arc::default();
        let asked: Shared<Vec<String>> = Arc::default();
        let (r, a) = (routes.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, r.clone(), a.clone()));
            }
        });
        Self {
            base,
            routes,
            asked,
        }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub fn set(&self, path: &str, route: Route) {
        self.routes.lock().unwrap().insert(path.into(), route);
    }

    pub fn give(&self, path: &str, body: impl AsRef<[u8]>) {
        self.set(path, Route::Body(body.as_ref().to_vec(), "\"one\""));
    }

    /// The requests so far, each with its ETag where it had one.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(
    mut stream: TcpStream,
    routes: Shared<HashMap<String, Route>>,
    asked: Shared<Vec<String>>,
) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or("/").to_owned();
    let etag = request.lines().find_map(|l| {
        l.to_ascii_lowercase()
            .starts_with("if-none-match:")
            .then(|| l[14..].trim().to_owned())
    });
    asked.lock().unwrap().push(match &etag {
        Some(etag) => format!("{path} {etag}"),
        None => path.clone(),
    });
    let route = routes.lock().unwrap().get(&path).cloned();
    let head =
        |status: u16, more: &str| format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{more}\r\n");
    let text = match route {
        None => head(404, "Content-Length: 0\r\n"),
        Some(Route::Status(status)) => head(status, "Content-Length: 0\r\n"),
        Some(Route::Redirect(to)) => head(302, &format!("Location: {to}\r\nContent-Length: 0\r\n")),
        Some(Route::Body(_, own)) if etag.as_deref() == Some(own) => head(304, ""),
        Some(Route::Body(body, own)) => {
            let more = format!("Content-Length: {}\r\nETag: {own}\r\n", body.len());
            let _ = stream.write_all(head(200, &more).as_bytes()).await;
            let _ = stream.write_all(&body).await;
            let _ = stream.shutdown().await;
            return;
        }
        Some(Route::Fresh(body, seconds)) => {
            let more = format!(
                "Content-Length: {}\r\nCache-Control: max-age={seconds}\r\n",
                body.len()
            );
            let _ = stream.write_all(head(200, &more).as_bytes()).await;
            let _ = stream.write_all(&body).await;
            let _ = stream.shutdown().await;
            return;
        }
        Some(Route::Held(body, until)) => {
            until.notified().await;
            let more = format!("Content-Length: {}\r\n", body.len());
            let _ = stream.write_all(head(200, &more).as_bytes()).await;
            let _ = stream.write_all(&body).await;
            let _ = stream.shutdown().await;
            return;
        }
        Some(Route::Trickle) => {
            let _ = stream.write_all(head(200, "").as_bytes()).await;
            while stream.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            return;
        }
        Some(Route::Truncated) => {
            let _ = stream
                .write_all(head(200, "Content-Length: 1000\r\n").as_bytes())
                .await;
            let _ = stream.write_all(&[b'a'; 900]).await;
            let _ = stream.shutdown().await;
            return;
        }
        Some(Route::Slow) => {
            let _ = stream
                .write_all(head(200, "Content-Length: 10\r\n").as_bytes())
                .await;
            let _ = stream.write_all(b"12345").await;
            tokio::time::sleep(Duration::from_secs(600)).await;
            return;
        }
        Some(Route::SaysGigabyte) => head(200, "Content-Length: 1073741824\r\n"),
        Some(Route::Gigabyte) => {
            let _ = stream.write_all(head(200, "").as_bytes()).await;
            let part = vec![b'a'; 1 << 20];
            for _ in 0..1024 {
                if stream.write_all(&part).await.is_err() {
                    return;
                }
            }
            return;
        }
    };
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}
