#![allow(unreachable_pub, dead_code)]
//! A server of HTTP/1.1 over loopback that behaves as it is told, badly if need
//! be, and names that lead where a test wants them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outbound::{Names, Resolved};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a path answers.
#[derive(Clone)]
pub enum Route {
    /// Head lines and a body.
    Says(u16, Vec<String>, Vec<u8>),
    /// 200 and the request's own body.
    Echo,
    /// 304 when the request has this line, 200 otherwise.
    Unless(&'static str),
    /// Nothing, for a long time, after half an answer.
    Slow,
    /// One byte after the other, for ever.
    Drip,
    /// A gigabyte without a length said before.
    Gigabyte,
    /// A length of a gigabyte, and then nothing.
    SaysGigabyte,
}

type Shared<T> = Arc<Mutex<T>>;

pub struct Server {
    pub port: u16,
    routes: Shared<HashMap<String, Route>>,
    asked: Shared<Vec<String>>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let routes: Shared<HashMap<String, Route>> = Arc::default();
        let asked: Shared<Vec<String>> = Arc::default();
        let (r, a) = (routes.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, r.clone(), a.clone()));
            }
        });
        Self {
            port,
            routes,
            asked,
        }
    }

    pub fn url(&self, path: &str) -> url::Url {
        self.at("127.0.0.1", path)
    }

    /// The URL of a path at another name.
    pub fn at(&self, host: &str, path: &str) -> url::Url {
        format!("http://{host}:{}{path}", self.port)
            .parse()
            .unwrap()
    }

    pub fn set(&self, path: &str, route: Route) {
        self.routes.lock().unwrap().insert(path.into(), route);
    }

    pub fn says(&self, path: &str, status: u16, head: &[&str], body: &[u8]) {
        let head = head.iter().map(|line| (*line).to_owned()).collect();
        self.set(path, Route::Says(status, head, body.to_vec()));
    }

    /// The requests so far, heads and all.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Names with their addresses; each question takes the next answer, the last
/// one stays.
#[derive(Debug, Default)]
pub struct Book(Mutex<HashMap<String, Vec<Vec<IpAddr>>>>);

impl Book {
    pub fn with(name: &str, answers: &[&[&str]]) -> Arc<Self> {
        let read = |ips: &&[&str]| ips.iter().map(|ip| ip.parse().unwrap()).collect();
        let mut answers: Vec<Vec<IpAddr>> = answers.iter().map(read).collect();
        answers.reverse();
        Arc::new(Self(Mutex::new([(name.to_owned(), answers)].into())))
    }
}

impl Names for Book {
    fn resolve(&self, name: &str) -> Resolved {
        let mut book = self.0.lock().unwrap();
        let answer = match book.get_mut(name) {
            Some(answers) if answers.len() > 1 => answers.pop(),
            Some(answers) => answers.first().cloned(),
            None => None,
        };
        Box::pin(async move { answer.ok_or_else(|| std::io::Error::other("no such name")) })
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
    let head_text = String::from_utf8_lossy(&request).to_ascii_lowercase();
    let length = head_text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map_or(0, |n| n.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let path = head_text.split(' ').nth(1).unwrap_or("/").to_owned();
    asked.lock().unwrap().push(head_text.clone());
    let route = routes.lock().unwrap().get(&path).cloned();
    match route {
        None => say(&mut stream, 404, &[], b"").await,
        Some(Route::Says(status, head, body)) => say(&mut stream, status, &head, &body).await,
        Some(Route::Echo) => say(&mut stream, 200, &[], &body).await,
        Some(Route::Unless(line)) if head_text.lines().any(|l| l == line) => {
            let _ = stream
                .write_all(
                    b"HTTP/1.1 304 X\r\nConnection: close\r\nCache-Control: max-age=7\r\n\r\n",
                )
                .await;
        }
        Some(Route::Unless(_)) => say(&mut stream, 200, &[], b"new").await,
        Some(Route::Slow) => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\n12345")
                .await;
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        Some(Route::Drip) => {
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\n\r\n").await;
            while stream.write_all(b"a").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Some(Route::SaysGigabyte) => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 X\r\nContent-Length: 1073741824\r\n\r\n")
                .await;
            tokio::time::sleep(Duration::from_secs(600)).await;
        }
        Some(Route::Gigabyte) => {
            let _ = stream.write_all(b"HTTP/1.1 200 X\r\n\r\n").await;
            let part = vec![b'a'; 1 << 20];
            for _ in 0..1024 {
                if stream.write_all(&part).await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = stream.shutdown().await;
}

async fn say(stream: &mut TcpStream, status: u16, lines: &[String], body: &[u8]) {
    let mut head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for line in lines {
        head.push_str(line);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body).await;
}
