//! A wallet provider, its lists served over real HTTP on loopback, and an issuer
//! that guards itself.
#![allow(dead_code)] // each test file uses its own part
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use claviger_fixtures::TestKey;
use clock::{Clock, ManualClock};
use finding::{CertificateRef, Method, Rule, Severity, Trusted, Verdict};
use issuer_guard::{
    ChainTrust, GuardSettings, HttpSettings, HttpStatusSource, IssuerGuard, KaVerdict, ListedParty,
    MemoryReplayStore, ReplayStore, StatusLists, StatusSettings, StatusWatch, TrustContext,
    TrustProfile, WiaPresentation, WiaVerdict,
};
use jiff::{SignedDuration, Timestamp};
use jose::{Curve, PublicKey, Signer};
use pki::{Certificate, Draft, Issuer, Profile, Request, Subject};
use serde_json::json;
use status_list::{Bits, Reference, Status, StatusList, StatusListToken};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wua::{
    AttackPotential, ClientAttestationDraft, Ka, KeyProof, KeyProofProfile, StatusPeriod, Wia,
    WiaProof,
};

pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const WALLET: &str = "https://wallet.example";

pub(crate) fn start() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

pub(crate) fn hours(n: i64) -> SignedDuration {
    SignedDuration::from_hours(n)
}

/// A key with a certificate over it.
pub(crate) struct Party {
    pub(crate) key: TestKey,
    pub(crate) certificate: Certificate,
}

impl Party {
    pub(crate) async fn new(profile: Profile, name: &str, serial: u8) -> Self {
        let key = TestKey::generate(Curve::P256);
        let subject = Subject::legal("BE", name, "VATBE-0876866142", name);
        let public = Signer::public_key(&key).clone();
        let mut request = Request::new(
            profile,
            subject,
            public,
            start() - hours(24),
            start() + hours(24 * 365),
        );
        request.serial = Some(vec![serial]);
        let issuer = Issuer::Itself(&key);
        let draft = Draft::new(&request, issuer).unwrap();
        let certificate = draft.sign(issuer).await.unwrap();
        Self { key, certificate }
    }

    pub(crate) fn x5c(&self) -> Vec<Vec<u8>> {
        vec![self.certificate.der().to_vec()]
    }
}

/// Direct trust: the whole leaf stands in a list.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    entries: Mutex<Vec<Entry>>,
    pub(crate) stale: Mutex<bool>,
}

type Entry = (TrustContext, Vec<u8>, Option<ListedParty>);

impl Listed {
    pub(crate) fn add(&self, context: TrustContext, party: &Party, name: Option<&str>) {
        let listed = name.map(|name| ListedParty {
            entity: name.into(),
            services: vec!["Example Wallet".into()],
        });
        let entry = (context, party.certificate.der().to_vec(), listed);
        self.entries.lock().unwrap().push(entry);
    }
}

#[async_trait]
impl ChainTrust for Listed {
    async fn check(&self, context: TrustContext, chain: &[Vec<u8>], at: Timestamp) -> Verdict {
        let leaf = chain
            .first()
            .and_then(|der| Certificate::from_der(der).ok());
        let entries = self.entries.lock().unwrap();
        let known = entries
            .iter()
            .any(|(c, der, _)| *c == context && Some(der) == chain.first());
        let trusted = match (known, *self.stale.lock().unwrap()) {
            (_, true) => Trusted::Undecided,
            (true, false) => Trusted::Yes,
            (false, false) => Trusted::No,
        };
        Verdict {
            trusted,
            context: context.name().into(),
            method: known.then_some(Method::Direct),
            at,
            path: leaf.iter().map(reference).collect(),
            anchor: leaf.filter(|_| known).as_ref().map(reference),
            lists: vec![],
            findings: vec![],
        }
    }

    async fn listed(&self, context: TrustContext, verdict: &Verdict) -> Option<ListedParty> {
        let anchor = verdict.anchor.as_ref()?;
        let entries = self.entries.lock().unwrap();
        entries
            .iter()
            .find(|(c, der, _)| {
                *c == context && Certificate::from_der(der).unwrap().sha256_hex() == anchor.sha256
            })
            .and_then(|(_, _, party)| party.clone())
    }
}

fn reference(certificate: &Certificate) -> CertificateRef {
    CertificateRef {
        subject: certificate.subject(),
        issuer: certificate.issuer(),
        serial: certificate.serial(),
        sha256: certificate.sha256_hex(),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
    }
}

/// A server on loopback that answers what it was told to, and counts.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) base: String,
    answers: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            answers: Arc::default(),
            asked: Arc::default(),
        };
        let (answers, asked) = (server.answers.clone(), server.asked.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answers, asked) = (answers.clone(), asked.clone());
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    let mut buffer = [0u8; 2048];
                    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                        match stream.read(&mut buffer).await {
                            Ok(n) if n > 0 => head.extend_from_slice(&buffer[..n]),
                            _ => return,
                        }
                    }
                    let head = String::from_utf8_lossy(&head).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or("/").to_owned();
                    asked.lock().unwrap().push(path.clone());
                    let answer = answers.lock().unwrap().get(&path).cloned();
                    let missing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec();
                    let answer = answer.unwrap_or(missing);
                    if answer.is_empty() {
                        // Told to say nothing: the line stays open.
                        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
                    }
                    let _ = stream.write_all(&answer).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        server
    }

    pub(crate) fn raw(&self, path: &str, answer: Vec<u8>) {
        self.answers.lock().unwrap().insert(path.into(), answer);
    }

    pub(crate) fn serve(&self, path: &str, token: &str) {
        self.serve_as(path, token, "application/statuslist+jwt");
    }

    pub(crate) fn serve_as(&self, path: &str, token: &str, content_type: &str) {
        self.serve_bytes(path, token.as_bytes(), content_type);
    }

    pub(crate) fn serve_bytes(&self, path: &str, token: &[u8], content_type: &str) {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            token.len()
        );
        self.raw(path, [head.as_bytes(), token].concat());
    }

    pub(crate) fn redirect(&self, path: &str, to: &str) {
        let head = format!(
            "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        self.raw(path, head.into_bytes());
    }

    pub(crate) fn take_away(&self, path: &str) {
        self.answers.lock().unwrap().remove(path);
    }

    pub(crate) fn asked(&self, path: &str) -> usize {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .filter(|p| *p == path)
            .count()
    }

    pub(crate) fn uri(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

pub(crate) const WIA_LIST: &str = "/status/wia";
pub(crate) const KA_LIST: &str = "/status/ka";
pub(crate) const WIA_INDEX: u64 = 4711;
pub(crate) const KA_INDEX: u64 = 815;

/// A wallet provider with two status lists, and a wallet unit of its.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) listed: Arc<Listed>,
    pub(crate) server: Server,
    pub(crate) provider: Party,
    pub(crate) status_signer: Party,
    pub(crate) instance: TestKey,
    pub(crate) keys: Vec<TestKey>,
    pub(crate) lists: Arc<StatusLists>,
    pub(crate) replay: Arc<dyn ReplayStore>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let listed = Arc::new(Listed::default());
        let provider = Party::new(Profile::Wallet, "Wallet Provider", 7).await;
        let status_signer = Party::new(Profile::StatusList, "Wallet Provider Status", 8).await;
        listed.add(TrustContext::Wallet, &provider, Some("Wallet Provider"));
        listed.add(
            TrustContext::WalletStatus,
            &status_signer,
            Some("Wallet Provider"),
        );
        let http = HttpSettings {
            timeout: std::time::Duration::from_secs(2),
            private_hosts: true,
            ..HttpSettings::default()
        };
        let source = Arc::new(HttpStatusSource::new(&http).unwrap());
        let world = Self {
            clock: Arc::new(ManualClock::at(start())),
            server: Server::start().await,
            lists: Arc::new(StatusLists::new(
                source,
                listed.clone(),
                StatusSettings::default(),
            )),
            listed,
            provider,
            status_signer,
            instance: TestKey::generate(Curve::P256),
            keys: (0..3).map(|_| TestKey::generate(Curve::P256)).collect(),
            replay: Arc::new(MemoryReplayStore::default()),
        };
        world.publish(WIA_LIST, &[]).await;
        world.publish(KA_LIST, &[]).await;
        world
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn guard(&self, profile: TrustProfile) -> IssuerGuard {
        let settings = GuardSettings {
            trust_profile: profile,
            ..GuardSettings::new(ISSUER)
        };
        IssuerGuard::new(
            self.listed.clone(),
            self.lists.clone(),
            self.replay.clone(),
            self.clock.clone(),
            settings,
        )
    }

    pub(crate) fn watch(&self) -> StatusWatch {
        StatusWatch::new(self.lists.clone(), self.clock.clone())
    }

    /// A list of this path on which these entries stand so, issued now.
    pub(crate) async fn publish(&self, path: &str, entries: &[(u64, Status)]) {
        let token = self.list(path, entries).await;
        let x5c = self.status_signer.x5c();
        let text = token.sign(&x5c, &self.status_signer.key).await.unwrap();
        self.server.serve(path, &text);
    }

    pub(crate) async fn list(&self, path: &str, entries: &[(u64, Status)]) -> StatusListToken {
        let mut list = StatusList::new(Bits::Two, 10_000).unwrap();
        for (index, status) in entries {
            list.set(*index, *status).unwrap();
        }
        StatusListToken {
            ttl: Some(hours(1)),
            expires: Some(self.now() + hours(48)),
            ..StatusListToken::new(self.server.uri(path), self.now(), list)
        }
    }

    pub(crate) fn wia(&self) -> Wia {
        Wia {
            issuer: None,
            client_id: WALLET.into(),
            issued: Some(self.now()),
            expires: self.now() + hours(12),
            key: Signer::public_key(&self.instance).clone(),
            wallet_name: "Example Wallet".into(),
            wallet_version: "1.0.0".into(),
            wallet_link: Some(format!("{WALLET}/about")),
            certification: json!("https://cab.example/1"),
            status: StatusPeriod {
                reference: Reference::new(self.server.uri(WIA_LIST), WIA_INDEX),
                maintained_until: self.now() + hours(24 * 40),
            },
        }
    }

    pub(crate) fn ka(&self) -> Ka {
        let publics: Vec<PublicKey> = self
            .keys
            .iter()
            .map(|k| Signer::public_key(k).clone())
            .collect();
        Ka {
            issued: self.now(),
            expires: self.now() + hours(24 * 7),
            keys: publics,
            key_storage: vec![AttackPotential::High.into()],
            user_authentication: vec![AttackPotential::High.into()],
            certification: "https://cab.example/wscd/1".into(),
            nonce: None,
            status: StatusPeriod {
                reference: Reference::new(self.server.uri(KA_LIST), KA_INDEX),
                maintained_until: self.now() + hours(24 * 40),
            },
        }
    }

    pub(crate) async fn sealed_wia(&self, wia: &Wia, by: &Party) -> String {
        wia.sign(ClientAttestationDraft::Draft10, &by.x5c(), &by.key)
            .await
            .unwrap()
    }

    pub(crate) async fn wia_proof(&self, jti: &str) -> String {
        let proof = WiaProof {
            client_id: WALLET.into(),
            audience: ISSUER.into(),
            jti: jti.into(),
            issued: self.now(),
            challenge: Some("challenge".into()),
        };
        proof
            .sign(ClientAttestationDraft::Draft10, &self.instance)
            .await
            .unwrap()
    }

    /// A `jwt` proof over this KA.
    pub(crate) async fn key_proof(&self, ka: &Ka, by: &Party, nonce: &str) -> Vec<String> {
        let proof = KeyProof {
            ka: ka.sign(&by.x5c(), &by.key).await.unwrap(),
            audience: ISSUER.into(),
            issued: self.now(),
            nonce: Some(nonce.into()),
            client_id: None,
        };
        let first = &self.keys[0];
        let public = Signer::public_key(first);
        vec![
            proof
                .sign(KeyProofProfile::Ts3, public, first)
                .await
                .unwrap(),
        ]
    }

    /// What a production guard says of a WIA sealed by `by`, with a sound proof.
    pub(crate) async fn judge_wia(&self, wia: &Wia, by: &Party) -> WiaVerdict {
        let (wia, proof) = (self.sealed_wia(wia, by).await, self.wia_proof("j-1").await);
        self.guard(TrustProfile::Production)
            .verify_wia(shown(&wia, &proof))
            .await
    }

    /// What a production guard says of a KA sealed by `by`, in a sound proof.
    pub(crate) async fn judge_ka(&self, ka: &Ka, by: &Party) -> KaVerdict {
        let proofs = self.key_proof(ka, by, "n-1").await;
        self.guard(TrustProfile::Production)
            .verify_ka_jwt_proof(&proofs, "n-1")
            .await
    }
}

pub(crate) fn shown<'a>(wia: &'a str, proof: &'a str) -> WiaPresentation<'a> {
    WiaPresentation {
        wia,
        proof,
        challenge: Some("challenge"),
        client_id: Some(WALLET),
    }
}

/// The ids of the errors found.
pub(crate) fn errors(findings: &[finding::Finding]) -> Vec<&str> {
    findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| f.rule.as_ref())
        .collect()
}

#[track_caller]
pub(crate) fn assert_no<T>(verdict: &issuer_guard::Judgement<T>, rule: &Rule) {
    assert_eq!(
        errors(&verdict.findings),
        [rule.id],
        "{:?}",
        verdict.findings
    );
    assert_eq!(verdict.decision, Trusted::No);
    assert!(verdict.accepted().is_none());
}

#[track_caller]
pub(crate) fn assert_undecided<T>(verdict: &issuer_guard::Judgement<T>, rule: &Rule) {
    assert!(verdict.names(rule), "{:?}", verdict.findings);
    assert_eq!(verdict.decision, Trusted::Undecided);
    assert!(verdict.accepted().is_none());
}
