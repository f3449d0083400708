//! Services of `trust` that hold one list, and the questions they are asked.

use std::net::SocketAddr;
use std::sync::Arc;

use claviger_fixtures::TestKey;
use clock::ManualClock;
use finding::Trusted;
use jose::{Curve, HashAlg, PublicKey};
use lote::{Draft, NewService, Profile, ServiceKind};
use pki::{AnchorIndex, Certificate, Certval, PathSettings, find_path, issue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use trust::{
    CheckRequest, Config, Context, Limits, Location, Policy, Revocation, Source, TrustService,
};

use crate::chains::{at, ca, crl_der, request_at};
use crate::lists::{List, entity, operator, publication, seal};

/// A leaf under one intermediate, whose root a list of wallet providers holds.
pub(crate) struct Pkix {
    service: TrustService,
    question: CheckRequest,
    others: Vec<Certificate>,
    anchors: AnchorIndex,
    settings: PathSettings,
    validator: Certval,
    pairs: Vec<(PublicKey, Vec<u8>, Vec<u8>)>,
    _folder: tempfile::TempDir,
}

impl Pkix {
    pub(crate) async fn new() -> Self {
        let now = at("2026-11-22T12:00:00Z");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let root = ca("Root", &base, None).await;
        let middle = ca("Middle", &base, Some(&root)).await;
        let key = TestKey::generate(Curve::P256);
        let leaf = request_at(
            pki::Profile::Wallet,
            "Leaf",
            &key,
            &format!("{base}/middle.crl"),
        );
        let leaf = issue(&leaf, middle.issuer()).await.unwrap();
        let crls = [crl_der(&root).await, crl_der(&middle).await];
        serve(listener, crls);

        let service = service_of(|signers| {
            let mut draft = Draft::new(Profile::Wallet, &operator(), &publication(), signers);
            let name = "Claviger Bench";
            draft.add_entity(&entity(name, "VATBE-0876866142")).unwrap();
            let service = NewService {
                kind: ServiceKind::Issuance,
                name: "Example wallet solution".into(),
                certificates: vec![root.certificate.clone()],
                unique_id: Some("https://provider.example/solutions/1".into()),
                supply_point: None,
            };
            draft
                .add_service(name, &service, at("2026-11-01T00:00:00Z"))
                .unwrap();
            draft
        });
        let (service, folder) = service.await;
        let pairs = [
            (&leaf, &middle.certificate),
            (&middle.certificate, &root.certificate),
        ];
        let pkix = Self {
            service,
            question: CheckRequest {
                chain: vec![leaf.clone(), middle.certificate.clone()],
                context: Context::Wallet,
                policy: Policy::DirectOrPkix,
                revocation: Revocation::Hard,
                at: now,
            },
            others: vec![middle.certificate.clone()],
            anchors: AnchorIndex::new([root.certificate.clone()]),
            settings: PathSettings::at(now),
            validator: Certval::new(),
            pairs: pairs
                .map(|(certificate, ca)| {
                    let key = ca.public_key().unwrap();
                    let (tbs, signature) = (certificate.tbs_der(), certificate.signature());
                    (key, tbs.to_vec(), signature.to_vec())
                })
                .into(),
            _folder: folder,
        };
        pkix.check().await;
        pkix
    }

    /// The raw verifications that the path needs.
    pub(crate) fn raw(&self) {
        for (key, message, signature) in &self.pairs {
            key.verify_der(HashAlg::Sha256, message, signature).unwrap();
        }
    }

    /// The path alone.
    pub(crate) fn path(&self) {
        let (leaf, _) = self.question.chain.split_first().unwrap();
        find_path(
            leaf,
            &self.others,
            &self.anchors,
            &self.settings,
            &self.validator,
        )
        .unwrap();
    }

    /// Path, profile, CRLs and verdict.
    pub(crate) async fn check(&self) {
        let verdict = self.service.check(&self.question).await;
        assert_eq!(verdict.trusted, Trusted::Yes, "{verdict:#?}");
    }
}

/// A list that holds the leaf itself.
pub(crate) struct Direct {
    service: TrustService,
    question: CheckRequest,
    _folder: tempfile::TempDir,
}

impl Direct {
    pub(crate) async fn new(list: &List) -> Self {
        let (service, folder) = service_at(&list.sealed, list.signer.clone(), list.at).await;
        let middle = list.leaves.len() / 2;
        let direct = Self {
            service,
            question: CheckRequest {
                chain: vec![list.leaves.get(middle).unwrap().clone()],
                context: Context::Wallet,
                policy: Policy::DirectOnly,
                revocation: Revocation::Hard,
                at: list.at,
            },
            _folder: folder,
        };
        direct.check().await;
        direct
    }

    pub(crate) async fn check(&self) {
        self.ask(&self.question).await;
    }

    /// As it comes in an x5c header.
    pub(crate) async fn check_from_bytes(&self) {
        let chain = self.question.chain.iter();
        let question = CheckRequest {
            chain: chain
                .map(|c| Certificate::from_der(c.der()).unwrap())
                .collect(),
            ..self.question.clone()
        };
        self.ask(&question).await;
    }

    async fn ask(&self, question: &CheckRequest) {
        let verdict = self.service.check(question).await;
        assert_eq!(verdict.trusted, Trusted::Yes, "{verdict:#?}");
    }
}

async fn service_of(
    draft: impl FnOnce(&[Certificate]) -> Draft,
) -> (TrustService, tempfile::TempDir) {
    let at = at("2026-11-01T00:00:00Z");
    let (key, signer) = crate::lists::signer(at).await;
    let mut draft = draft(std::slice::from_ref(&signer));
    let sealed = seal(&mut draft, &key, &signer, at).await;
    service_at(
        sealed.as_bytes(),
        signer,
        crate::chains::at("2026-11-22T12:00:00Z"),
    )
    .await
}

async fn service_at(
    sealed: &[u8],
    signer: Certificate,
    now: jiff::Timestamp,
) -> (TrustService, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("list.jws");
    std::fs::write(&file, sealed).unwrap();
    let url = "https://operator.example/list.jws".parse().unwrap();
    let mut source = Source::pinned(Profile::Wallet, url, vec![signer]);
    source.location = Location::File(file);
    let config = Config {
        sources: vec![source],
        limits: Limits {
            allow_insecure_loopback: true,
            ..Limits::default()
        },
        ..Config::default()
    };
    let service = TrustService::new(config, Arc::new(ManualClock::at(now))).unwrap();
    service.refresh().await;
    (service, folder)
}

/// Serves two CRLs, `/root.crl` and `/middle.crl`, over HTTP.
fn serve(listener: TcpListener, [root, middle]: [Vec<u8>; 2]) {
    tokio::spawn(async move {
        let _: Option<SocketAddr> = listener.local_addr().ok();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = vec![0; 2048];
            let Ok(count) = stream.read(&mut asked).await else {
                continue;
            };
            let asked =
                String::from_utf8_lossy(asked.get(..count).unwrap_or_default()).into_owned();
            let body = if asked.starts_with("GET /root.crl") {
                &root
            } else {
                &middle
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body).await;
            let _ = stream.shutdown().await;
        }
    });
}
