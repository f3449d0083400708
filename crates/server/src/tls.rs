//! TLS of a listener: a certificate and its key, for a link between two processes also
//! whose certificates may connect, and for operators whose certificates count.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What a listener needs to speak TLS.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    /// The only certificates that may connect, where they are named one by one.
    clients: Option<Vec<CertificateDer<'static>>>,
}

/// The certificate that the other end has shown, checked by the handshake: an extension
/// of each of the connection's requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerCertificate {
    /// The SHA-256 of the certificate in DER.
    pub(crate) sha256: [u8; 32],
    /// When it ends. A connection may outlive it.
    pub(crate) not_after: Timestamp,
}

/// What becomes of a client that shows no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anonymous {
    Refused,
    Admitted,
}

/// Why TLS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is no certificate in it.
    #[error("no certificate (PEM) is in it")]
    NoCertificate,
    /// There is no private key in it.
    #[error("no private key (PEM) is in it")]
    NoKey,
    /// The key does not belong to the certificate, or one cannot be used.
    #[error("the certificate and its key: {0}")]
    Pair(rustls::Error),
    /// A client CA is no anchor.
    #[error("the clients' CA: {0}")]
    ClientCa(rustls::Error),
    /// The clients' certificates cannot be verified so.
    #[error("the clients' CA: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

impl Tls {
    /// For everyone: TLS 1.2 or 1.3 with this certificate, its chain after it, and
    /// its key (PEM).
    pub fn public(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(TlsError::Pair)?
            .with_no_client_auth();
        Self::of(builder, certificates, key, None)
    }

    /// For known clients alone: TLS 1.3, and the client's certificate must chain to
    /// `client_ca`, be of this time, and be one of `clients` where that is given.
    pub fn mutual(
        certificates: &[u8],
        key: &[u8],
        client_ca: &[u8],
        clients: Option<&[u8]>,
    ) -> Result<Self, TlsError> {
        let builder = Self::asking(client_ca, Anonymous::Refused)?;
        let clients = clients.map(certificates_in).transpose()?;
        Self::of(builder, certificates, key, clients)
    }

    /// For clients that may show a certificate: TLS 1.3, and a certificate that is
    /// shown must chain to `client_ca` and be of this time. Who shows none has to prove
    /// itself otherwise.
    pub fn recognising(
        certificates: &[u8],
        key: &[u8],
        client_ca: &[u8],
    ) -> Result<Self, TlsError> {
        let builder = Self::asking(client_ca, Anonymous::Admitted)?;
        Self::of(builder, certificates, key, None)
    }

    fn asking(
        client_ca: &[u8],
        anonymous: Anonymous,
    ) -> Result<rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>, TlsError>
    {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for anchor in certificates_in(client_ca)? {
            roots.add(anchor).map_err(TlsError::ClientCa)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let verifier = match anonymous {
            Anonymous::Refused => verifier,
            Anonymous::Admitted => verifier.allow_unauthenticated(),
        };
        Ok(ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(TlsError::Pair)?
            .with_client_cert_verifier(verifier.build()?))
    }

    fn of(
        builder: rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>,
        certificates: &[u8],
        key: &[u8],
        clients: Option<Vec<CertificateDer<'static>>>,
    ) -> Result<Self, TlsError> {
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
        let mut config = builder
            .with_single_cert(certificates_in(certificates)?, key)
            .map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            clients,
        })
    }

    /// Shakes hands; `None` with whoever does not, is not who may connect, or takes
    /// too long.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
        let shaken = tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream)).await;
        let stream = match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                return None;
            }
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                return None;
            }
        };
        if let Some(clients) = &self.clients {
            let (_, connection) = stream.get_ref();
            let shown = connection.peer_certificates().and_then(<[_]>::first);
            if !shown.is_some_and(|shown| clients.contains(shown)) {
                tracing::warn!("a certificate of the right CA that may not connect was shown");
                return None;
            }
        }
        Some(stream)
    }
}

/// The certificate that the client has shown and that the handshake has checked.
pub(crate) fn shown(stream: &TlsStream<TcpStream>) -> Option<PeerCertificate> {
    let (_, connection) = stream.get_ref();
    let der = connection.peer_certificates().and_then(<[_]>::first)?;
    let certificate = pki::Certificate::from_der(der).ok()?;
    Some(PeerCertificate {
        sha256: certificate.sha256(),
        not_after: certificate.not_after(),
    })
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

fn certificates_in(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::NoCertificate)?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    Ok(found)
}
