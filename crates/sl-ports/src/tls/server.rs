//! The server's end.

use std::{fs, io, path::Path, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        DEFAULT_VERSIONS, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

use super::{FileError, Fingerprint, TlsError, provider};

/// An encrypted stream from a client.
pub type ServerStream<S> = tokio_rustls::server::TlsStream<S>;

/// Longest certificate or key file that is read.
const LONGEST: u64 = 1 << 20;

/// Takes encrypted streams from clients, as who the certificate says. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor {
    acceptor: TlsAcceptor,
    fingerprint: Fingerprint,
}

impl Acceptor {
    /// An acceptor with a certificate chain and its key from PEM files. The key is a secret: only
    /// its owner may read it.
    ///
    /// # Errors
    /// A file that cannot be read, a key that others may read, or what [`Acceptor::from_pem`]
    /// refuses.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, FileError> {
        Self::build(&read(chain, false)?, &read(key, true)?, &chain.display(), &key.display())
    }

    /// The same from PEM text.
    ///
    /// # Errors
    /// A text without a certificate or key, or a key that is not the certificate's.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, FileError> {
        Self::build(chain, key, &"the certificate", &"the key")
    }

    fn build(
        chain: &[u8],
        key: &[u8],
        chain_name: &dyn std::fmt::Display,
        key_name: &dyn std::fmt::Display,
    ) -> Result<Self, FileError> {
        let chain = certificates(&chain_name.to_string(), chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|wrong| FileError::Key {
            what: key_name.to_string(),
            reason: wrong.to_string(),
        })?;
        let first = chain.first().map(|first| Fingerprint::of(first));
        let fingerprint = first.expect("a list of certificates is never empty");
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(DEFAULT_VERSIONS)
            .expect("ring speaks the default versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|wrong| FileError::Pair {
                chain: chain_name.to_string(),
                key: key_name.to_string(),
                reason: wrong.to_string(),
            })?;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), fingerprint })
    }

    /// What clients may pin.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The handshake with a client. How long it may take is the caller's to say; cancelling it
    /// closes the connection.
    ///
    /// # Errors
    /// What failed: a client that speaks plain text, or trusts others.
    pub async fn accept<S>(&self, stream: S) -> Result<ServerStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.acceptor.accept(stream).await.map_err(|wrong| TlsError::of_server(&wrong))
    }
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// The certificates of a PEM text, at least one.
pub(super) fn certificates(
    what: &str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let wrong = |reason: String| FileError::Certificate { what: what.to_owned(), reason };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() {
        return Err(wrong("no certificate in PEM form".into()));
    }
    Ok(found)
}

fn read(path: &Path, secret: bool) -> Result<Vec<u8>, FileError> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |cause: io::Error| FileError::Read { path: path.to_owned(), cause };
    let about = fs::metadata(path).map_err(failed)?;
    let mode = about.permissions().mode() & 0o777;
    if secret && mode & 0o077 != 0 {
        return Err(FileError::Mode { path: path.to_owned(), mode });
    }
    if about.len() > LONGEST {
        let large = format!("{} bytes are too many, allowed are {LONGEST}", about.len());
        return Err(failed(io::Error::other(large)));
    }
    fs::read(path).map_err(failed)
}
