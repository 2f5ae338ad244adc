//! What can go wrong, in words that name the cure.

use std::{io, path::PathBuf};

use thiserror::Error;
use tokio_rustls::rustls::{CertificateError, Error as Rustls, InvalidMessage};

use super::{Fingerprint, verify::Refused};

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TlsError {
    /// The host can stand in no certificate.
    #[error("{host:?} is neither a host name nor an address")]
    Name {
        /// The host, cut to 253 characters.
        host: String,
    },
    /// The certificate is past its last day.
    #[error(
        "the certificate of {host} expired {days} days ago; the operator must renew it, or pin its fingerprint"
    )]
    Expired {
        /// Whom it should be for.
        host: String,
        /// Whole days since then.
        days: u64,
    },
    /// The certificate is before its first day.
    #[error(
        "the certificate of {host} is valid in {days} days only; is the clock of this machine right?"
    )]
    NotYet {
        /// Whom it should be for.
        host: String,
        /// Whole days until then.
        days: u64,
    },
    /// The certificate is for others.
    #[error("the certificate found at {host} is for {found}; use one of these names, or pin it")]
    WrongName {
        /// Whom it should be for.
        host: String,
        /// Whom it is for, at most five names.
        found: String,
    },
    /// No trusted authority has signed the certificate.
    #[error(
        "no trusted authority has signed the certificate of {host}; if the operator signs its own, pin {found}"
    )]
    UnknownIssuer {
        /// Whom it should be for.
        host: String,
        /// The certificate's fingerprint.
        found: Fingerprint,
    },
    /// The certificate is not the pinned one.
    #[error(
        "the certificate of {host} is {found}, {wanted} is pinned; ask the operator before the pin is changed"
    )]
    PinDiffers {
        /// Whom it should be for.
        host: String,
        /// The fingerprint found.
        found: Fingerprint,
        /// The fingerprint pinned.
        wanted: Fingerprint,
    },
    /// The certificate cannot be used for another reason.
    #[error("the certificate of {host} cannot be used: {reason}")]
    Certificate {
        /// Whom it should be for.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The other side speaks plain text.
    #[error("{peer} does not speak TLS on this port")]
    Plain {
        /// Who.
        peer: String,
    },
    /// The other side broke off with an alert.
    #[error("{peer} broke the TLS handshake off: {alert}")]
    Alert {
        /// Who.
        peer: String,
        /// Its word.
        alert: String,
    },
    /// The connection closed or broke during the handshake.
    #[error("the connection with {peer} broke during the TLS handshake: {reason}")]
    Broken {
        /// Who.
        peer: String,
        /// What the system said.
        reason: String,
    },
    /// Anything else.
    #[error("the TLS handshake with {peer} failed: {reason}")]
    Protocol {
        /// Who.
        peer: String,
        /// What failed.
        reason: String,
    },
}

/// Why certificates or a key cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// A file cannot be read.
    #[error("cannot read {}: {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Others may read the key.
    #[error(
        "{}: others may read the key (mode {mode:04o}), hint: chmod 600 {}", .path.display(), .path.display()
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// There is no certificate, or none that can be read.
    #[error("{what}: {reason}; allowed is PEM text, as in fullchain.pem")]
    Certificate {
        /// Which text.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no private key, or none that can be read.
    #[error("{what}: {reason}; allowed is a private key in PEM form, as in privkey.pem")]
    Key {
        /// Which text.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// Certificate and key do not belong together, or are of no use to a server.
    #[error("{chain} and {key} cannot be used together: {reason}")]
    Pair {
        /// The certificate's text.
        chain: String,
        /// The key's text.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

const DAY: u64 = 86_400;

impl TlsError {
    pub(super) fn of_client(host: &str, error: &io::Error) -> Self {
        let host = host.to_owned();
        match inner(error) {
            Some(Rustls::InvalidCertificate(wrong)) => Self::of_certificate(host, wrong),
            _ => Self::of_peer(host, error),
        }
    }

    pub(super) fn of_server(error: &io::Error) -> Self {
        Self::of_peer("the client".into(), error)
    }

    fn of_peer(peer: String, error: &io::Error) -> Self {
        match inner(error) {
            Some(Rustls::InvalidMessage(InvalidMessage::InvalidContentType)) => {
                Self::Plain { peer }
            }
            Some(Rustls::AlertReceived(alert)) => Self::Alert { peer, alert: format!("{alert:?}") },
            Some(wrong) => Self::Protocol { peer, reason: wrong.to_string() },
            None => Self::Broken { peer, reason: error.to_string() },
        }
    }

    fn of_certificate(host: String, wrong: &CertificateError) -> Self {
        match wrong {
            CertificateError::ExpiredContext { time, not_after } => {
                let days = time.as_secs().saturating_sub(not_after.as_secs()) / DAY;
                Self::Expired { host, days }
            }
            CertificateError::NotValidYetContext { time, not_before } => {
                let days = not_before.as_secs().saturating_sub(time.as_secs()) / DAY;
                Self::NotYet { host, days }
            }
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::WrongName { host, found: names(presented) }
            }
            CertificateError::Other(other) => match other.0.downcast_ref::<Refused>() {
                Some(Refused::Pin { found, wanted }) => {
                    Self::PinDiffers { host, found: *found, wanted: *wanted }
                }
                Some(Refused::Issuer { found }) => Self::UnknownIssuer { host, found: *found },
                Some(refused) => Self::Certificate { host, reason: refused.to_string() },
                None => Self::Certificate { host, reason: other.to_string() },
            },
            wrong => Self::Certificate { host, reason: wrong.to_string() },
        }
    }
}

fn inner(error: &io::Error) -> Option<&Rustls> {
    error.get_ref()?.downcast_ref()
}

/// The names of a certificate, which rustls gives as `DnsName("a.example")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let quoted = name.split_once("(\"").and_then(|(_, rest)| rest.split_once('"'));
        let unquoted = name.split_once('(').map(|(_, rest)| rest.trim_end_matches(')'));
        quoted
            .map(|(name, _)| name)
            .or(unquoted)
            .unwrap_or(name)
            .chars()
            .take(100)
            .collect::<String>()
    };
    match presented {
        [] => "nobody by name".into(),
        names => names.iter().take(5).map(bare).collect::<Vec<_>>().join(", "),
    }
}
