use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use thiserror::Error;

/// All addresses that begin with the same bits, as in `10.0.0.0/8`.
///
/// An IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.1`) counts as the IPv4 address, so
/// that nobody has two names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// Why something is not a network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// The text is no address.
    #[error(
        "found {found:?}, allowed is an address or a network, as in 10.0.0.0/8 or 2001:db8::/32"
    )]
    NotAnAddress {
        /// The text, cut to 80 characters.
        found: String,
    },
    /// More bits than the address has.
    #[error("prefix length {found} of {address}, allowed are 0 to {most}")]
    Prefix {
        /// The address before the slash.
        address: IpAddr,
        /// The length that was found.
        found: u8,
        /// The bits that the address has.
        most: u8,
    },
}

impl Network {
    /// The network of an address with so many leading bits; the others are cleared.
    ///
    /// # Errors
    /// The address has fewer bits: 32 for IPv4, 128 for IPv6.
    pub fn new(address: IpAddr, prefix: u8) -> Result<Self, NetworkError> {
        let address = address.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        if prefix > most {
            return Err(NetworkError::Prefix { address, found: prefix, most });
        }
        Ok(Self::cleared(address, prefix))
    }

    /// Who counts as one peer: an IPv4 address; of IPv6 the /64, because whoever holds one address
    /// of it holds all.
    #[must_use]
    pub fn peer(address: IpAddr) -> Self {
        Self::split(address, 32, 64)
    }

    /// One address and no other.
    #[must_use]
    pub fn exact(address: IpAddr) -> Self {
        Self::split(address, 32, 128)
    }

    /// The neighbourhood of a peer: /24 of IPv4, /56 of IPv6, the pieces that sites are given.
    #[must_use]
    pub fn subnet(address: IpAddr) -> Self {
        Self::split(address, 24, 56)
    }

    /// This machine: 127.0.0.0/8 and ::1.
    #[must_use]
    pub fn loopback() -> [Self; 2] {
        [
            Self::cleared(IpAddr::V4(Ipv4Addr::LOCALHOST), 8),
            Self::cleared(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        ]
    }

    /// The lowest address.
    #[must_use]
    pub const fn base(self) -> IpAddr {
        self.base
    }

    /// How many leading bits its addresses share.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether the address is one of them.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4()
            && Self::cleared(address, self.prefix).base == self.base
    }

    fn split(address: IpAddr, v4: u8, v6: u8) -> Self {
        let address = address.to_canonical();
        Self::cleared(address, if address.is_ipv4() { v4 } else { v6 })
    }

    fn cleared(address: IpAddr, prefix: u8) -> Self {
        let base = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix.into())).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask =
                    u128::MAX.checked_shl(128_u32.saturating_sub(prefix.into())).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Self { base, prefix }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// An address alone is the network of that one address.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let wrong = || NetworkError::NotAnAddress { found: text.chars().take(80).collect() };
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| wrong())?
            }
            Some(_) => return Err(wrong()),
            None if address.to_canonical().is_ipv4() => 32,
            None => 128,
        };
        Self::new(address, prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<&str, &str>) {
        let found = text.parse::<Network>();
        let found = found.map(|it| it.to_string()).map_err(|error| error.to_string());
        match expect {
            Ok(network) => assert_eq!(found, Ok(network.to_owned())),
            Err(part) => assert!(found.clone().is_err_and(|it| it.contains(part)), "{found:?}"),
        }
    }

    #[test]
    fn networks_are_read_and_written() {
        check("10.1.2.3/8", Ok("10.0.0.0/8"));
        check("10.1.2.3", Ok("10.1.2.3/32"));
        check("0.0.0.0/0", Ok("0.0.0.0/0"));
        check("2001:db8:1:2ff::7/56", Ok("2001:db8:1:200::/56"));
        check("::1", Ok("::1/128"));
        check("::ffff:10.1.2.3", Ok("10.1.2.3/32"));
        check("10.1.2.3/33", Err("allowed are 0 to 32"));
        check("::ffff:10.1.2.3/96", Err("allowed are 0 to 32"));
        check("10.1.2.3/+8", Err("allowed is an address"));
        check("pool.example", Err("allowed is an address"));
    }

    #[test]
    fn an_address_has_one_peer_and_one_subnet() {
        let of = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(Network::peer(of("10.1.2.3")).to_string(), "10.1.2.3/32");
        assert_eq!(Network::peer(of("::ffff:10.1.2.3")), Network::peer(of("10.1.2.3")));
        assert_eq!(Network::peer(of("2001:db8::1")), Network::peer(of("2001:db8::ffff:1")));
        assert_eq!(Network::subnet(of("10.1.2.3")).to_string(), "10.1.2.0/24");
        assert_eq!(Network::subnet(of("2001:db8:0:12ff::1")).to_string(), "2001:db8:0:1200::/56");
        assert!(Network::loopback().iter().any(|it| it.contains(of("127.9.9.9"))));
        assert!(Network::loopback().iter().any(|it| it.contains(of("::1"))));
        assert!(!Network::loopback().iter().any(|it| it.contains(of("::2"))));
        assert!(!"0.0.0.0/0".parse::<Network>().expect("all").contains(of("::1")));
    }
}
