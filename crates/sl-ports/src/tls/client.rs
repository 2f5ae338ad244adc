//! The client's end.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore, pki_types::ServerName},
};

use super::{
    FileError, TlsError, Trust, provider,
    server::certificates,
    verify::{Judge, Verifier},
};

/// An encrypted stream to a server.
pub type ClientStream<S> = tokio_rustls::client::TlsStream<S>;

/// Makes encrypted streams to servers that are trusted. Cheap to clone.
#[derive(Clone)]
pub struct Connector {
    connector: TlsConnector,
}

impl Connector {
    /// A connector that believes as it is told.
    ///
    /// # Errors
    /// The authorities' text holds no certificate that can be read.
    pub fn new(trust: &Trust) -> Result<Self, FileError> {
        let judge = match trust {
            Trust::Pinned(wanted) => Judge::Pin(*wanted),
            Trust::Public => {
                let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
                Judge::authorities(roots)?
            }
            Trust::Authorities(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates("the authorities", pem)? {
                    roots.add(certificate).map_err(|wrong| FileError::Certificate {
                        what: "the authorities".into(),
                        reason: wrong.to_string(),
                    })?;
                }
                Judge::authorities(roots)?
            }
        };
        let verifier = Arc::new(Verifier::new(judge, provider()));
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(DEFAULT_VERSIONS)
            .expect("ring speaks the default versions")
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)) })
    }

    /// The handshake over a connection that stands. `host` is whom the certificate must be for,
    /// a name or an address. How long it may take is the caller's to say; cancelling it closes
    /// the connection.
    ///
    /// # Errors
    /// What failed, with the cure; see [`TlsError`].
    pub async fn connect<S>(&self, host: &str, stream: S) -> Result<ClientStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| TlsError::Name { host: host.chars().take(253).collect() })?;
        let connected = self.connector.connect(name, stream).await;
        connected.map_err(|wrong| TlsError::of_client(host, &wrong))
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}
