//! Whether a server is who it should be.

use std::{fmt, sync::Arc};

use thiserror::Error;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use super::{FileError, Fingerprint, provider};

/// Who decides.
pub(super) enum Judge {
    Authorities(Arc<WebPkiServerVerifier>),
    Pin(Fingerprint),
}

impl Judge {
    pub(super) fn authorities(roots: RootCertStore) -> Result<Self, FileError> {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map(Self::Authorities)
            .map_err(|wrong| FileError::Certificate {
                what: "the authorities".into(),
                reason: wrong.to_string(),
            })
    }
}

/// Asks the judge, and tells what was found where it refuses. Signatures of the handshake are
/// always checked: a pinned certificate of somebody else is of no use without its key.
pub(super) struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
}

/// A refusal with the fingerprint that was found, carried through rustls.
#[derive(Clone, Debug, Error)]
pub(super) enum Refused {
    #[error("its fingerprint is {found}, {wanted} is wanted")]
    Pin { found: Fingerprint, wanted: Fingerprint },
    #[error("no trusted authority has signed it; its fingerprint is {found}")]
    Issuer { found: Fingerprint },
    #[error("{reason}; its fingerprint is {found}")]
    Other { found: Fingerprint, reason: String },
}

impl Verifier {
    pub(super) fn new(judge: Judge, provider: Arc<CryptoProvider>) -> Self {
        Self { judge, provider }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let found = Fingerprint::of(end_entity);
        let refuse = |refused: Refused| {
            let other = OtherError(Arc::new(refused));
            Err(Error::InvalidCertificate(CertificateError::Other(other)))
        };
        let authorities = match &self.judge {
            Judge::Pin(wanted) if *wanted == found => return Ok(ServerCertVerified::assertion()),
            Judge::Pin(wanted) => return refuse(Refused::Pin { found, wanted: *wanted }),
            Judge::Authorities(authorities) => authorities,
        };
        match authorities.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        ) {
            Err(Error::InvalidCertificate(wrong)) => match wrong {
                // An authority of the same name with another key is unknown, too.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    refuse(Refused::Issuer { found })
                }
                CertificateError::Other(OtherError(wrong)) => {
                    refuse(Refused::Other { found, reason: wrong.to_string() })
                }
                wrong => Err(wrong.into()),
            },
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}
