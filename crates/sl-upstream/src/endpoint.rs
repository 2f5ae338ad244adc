use std::{fmt, str::FromStr};

use thiserror::Error;

/// Where a pool listens: `stratum+tcp://HOST:PORT`, or `HOST:PORT` for short; over TLS
/// `stratum+ssl://HOST:PORT` or `stratum+tls://HOST:PORT`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Endpoint {
    host: String,
    port: u16,
    tls: bool,
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{wrong}")]
pub struct EndpointError {
    /// The text that was found, cut to 200 characters.
    pub found: String,
    /// What is wrong with it.
    pub wrong: &'static str,
}

const WRONG_PORT: &str = "the port is not a number from 1 to 65535";
const WRONG_HOST: &str = "the host is not a name or an address";

impl Endpoint {
    /// A host by name or address, an IPv6 address without its brackets, and a port; plain text.
    ///
    /// # Errors
    /// The host is neither a name nor an address, or the port is 0.
    pub fn new(host: &str, port: u16) -> Result<Self, EndpointError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_name = !host.is_empty() && host.chars().all(plain);
        let wrong = if port == 0 {
            WRONG_PORT
        } else if is_name || host.parse::<std::net::Ipv6Addr>().is_ok() {
            return Ok(Self { host: host.to_owned(), port, tls: false });
        } else {
            WRONG_HOST
        };
        Err(EndpointError { found: host.chars().take(200).collect(), wrong })
    }

    /// The same address with or without TLS.
    #[must_use]
    pub fn with_tls(self, tls: bool) -> Self {
        Self { tls, ..self }
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub const fn tls(&self) -> bool {
        self.tls
    }

    /// Host name or address; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "stratum+ssl" } else { "stratum+tcp" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        // What stands before an @ may be a password.
        let shown = text.rsplit_once('@').map_or(text, |(_, host)| host);
        let refuse = |wrong| Err(EndpointError { found: shown.chars().take(200).collect(), wrong });
        let (address, tls) = match text.split_once("://") {
            None => (text, false),
            Some(("stratum+tcp" | "stratum" | "tcp", address)) => (address, false),
            Some(("stratum+ssl" | "stratum+tls" | "ssl" | "tls", address)) => (address, true),
            Some(_) => return refuse("an unknown scheme"),
        };
        if address.contains('@') {
            return refuse("a user has no place in the address: give it as the pool's user");
        }
        let address = address.trim_end_matches('/');
        let Some((host, port)) = address.rsplit_once(':') else { return refuse("no port") };
        let Ok(port) = port.parse::<u16>() else { return refuse(WRONG_PORT) };
        let endpoint = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(bare) => Self::new(bare, port),
            None if host.contains(':') => refuse(WRONG_HOST),
            None => Self::new(host, port),
        };
        Ok(endpoint?.with_tls(tls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_endpoint() {
        for (text, shown) in [
            ("stratum+tcp://pool.example:3333", "stratum+tcp://pool.example:3333"),
            ("127.0.0.1:3333", "stratum+tcp://127.0.0.1:3333"),
            ("stratum+tcp://[::1]:3333/", "stratum+tcp://[::1]:3333"),
            ("stratum+ssl://pool.example:3333", "stratum+ssl://pool.example:3333"),
            ("stratum+tls://[::1]:3333", "stratum+ssl://[::1]:3333"),
        ] {
            assert_eq!(text.parse::<Endpoint>().expect(text).to_string(), shown);
        }
        for (text, wrong) in [
            ("pool.example", "no port"),
            ("http://pool.example:1", "an unknown scheme"),
            (
                "stratum+ssl://me:secret@pool.example:1",
                "a user has no place in the address: give it as the pool's user",
            ),
            ("pool.example:99999", "the port is not a number from 1 to 65535"),
            ("pool.example:0", "the port is not a number from 1 to 65535"),
            (":3333", "the host is not a name or an address"),
            ("a b:3333", "the host is not a name or an address"),
            ("::1:3333", "the host is not a name or an address"),
            ("[pool]x:3333", "the host is not a name or an address"),
        ] {
            assert_eq!(
                text.parse::<Endpoint>().map_err(|refused| refused.wrong),
                Err(wrong),
                "{text}"
            );
        }
    }
}
