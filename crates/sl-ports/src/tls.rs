//! TLS over any stream: the client's end ([`client::Connector`]) and the server's
//! ([`server::Acceptor`]), on rustls with ring.
//!
//! For: pools behind `stratum+ssl://` and a gateway that machines reach over TLS. A peer is trusted
//! by the public authorities, by authorities of one's own, or by the fingerprint of its
//! certificate, which suits pools that sign their own.
//!
//! Not for: opening sockets, or how long a handshake may take (the caller has the clock).
//!
//! ```
//! use sl_ports::tls::{Fingerprint, Trust, client::Connector};
//!
//! let pin: Fingerprint = format!("sha256:{}", "ab".repeat(32)).parse().expect("a fingerprint");
//! assert!(pin.to_string().starts_with("sha256:abab"));
//! let connector = Connector::new(&Trust::Pinned(pin)).expect("a pin needs nothing else");
//! # let _ = connector;
//! ```

pub mod client;
mod error;
pub mod server;
mod verify;

use std::{fmt, str::FromStr, sync::Arc};

use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};

pub use error::{FileError, TlsError};

/// Who is believed to be who they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Whom the public authorities vouch for (Mozilla's list, compiled in).
    Public,
    /// Whom these authorities vouch for: PEM text with a certificate or several.
    Authorities(Vec<u8>),
    /// Who shows the certificate of this fingerprint, whatever its name, age or issuer.
    Pinned(Fingerprint),
}

/// The SHA-256 of a certificate in its DER form, as `openssl x509 -fingerprint -sha256` prints it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

/// A text that is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "found {found:?}, allowed are 64 hexadecimal digits, with or without colons and a leading sha256:"
)]
pub struct FingerprintError {
    /// The text that was found, cut to 120 characters.
    pub found: String,
}

impl Fingerprint {
    /// The fingerprint of a certificate in its DER form.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let wrong = || FingerprintError { found: text.chars().take(120).collect() };
        let trimmed = text.trim();
        let head = trimmed.get(..7).filter(|head| head.eq_ignore_ascii_case("sha256:"));
        let digits = head.and_then(|_| trimmed.get(7..)).unwrap_or(trimmed);
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b':').collect();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return Err(wrong());
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| pair.get(at).and_then(|c| char::from(*c).to_digit(16));
            let value = digit(0).zip(digit(1)).map(|(high, low)| high << 4 | low);
            *byte = value.and_then(|value| u8::try_from(value).ok()).ok_or_else(wrong)?;
        }
        Ok(Self(bytes))
    }
}

/// The one cryptography of the program. Named at each use, so that no other can creep in as the
/// process's default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_survive_their_text() {
        let empty = Fingerprint::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(empty.to_string(), text);
        let pairs: Vec<String> =
            empty.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
        for written in [
            text.to_owned(),
            text[7..].to_owned(),
            pairs.join(":"),
            format!("SHA256:{}", pairs.join(":")),
        ] {
            assert_eq!(written.parse(), Ok(empty), "{written}");
        }
        for wrong in ["", "sha256:", "sha256:ab", &text[..70], &format!("{}zz", &text[7..69]), "é"]
        {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }
}
