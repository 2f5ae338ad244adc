use std::{fmt, net::Ipv4Addr, str::FromStr};

use thiserror::Error;

/// A net of machines, as in `127.7.0.0/22`. Its first and last address belong to nobody, as on a
/// real net.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet {
    first: u32,
    prefix: u8,
}

/// A text that names no net of machines.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubnetError {
    /// Not of the form.
    #[error("found {0:?}, allowed is ADDRESS/LENGTH, as in 127.7.0.0/22")]
    Form(String),
    /// Too small or too large.
    #[error("found a length of {0}, allowed is 8 to 30")]
    Length(u8),
    /// The address has bits beyond the length.
    #[error("found {found}, allowed is the first address of a net, as in {cure}")]
    Host {
        /// The text.
        found: String,
        /// The net that holds it.
        cure: Subnet,
    },
}

impl Subnet {
    /// Addresses for machines.
    #[must_use]
    pub const fn hosts(self) -> usize {
        (1 << (32 - self.prefix as u32)) - 2
    }

    /// The address of a machine by its number, from 0.
    #[must_use]
    pub fn host(self, number: usize) -> Option<Ipv4Addr> {
        let number = u32::try_from(number).ok().filter(|_| number < self.hosts())?;
        Some(Ipv4Addr::from_bits(self.first + 1 + number))
    }

    /// The number of the machine at an address.
    #[must_use]
    pub fn number(self, address: Ipv4Addr) -> Option<usize> {
        let number = address.to_bits().checked_sub(self.first)?.checked_sub(1)? as usize;
        (number < self.hosts()).then_some(number)
    }

    /// Whether all of it is this computer's own.
    #[must_use]
    pub const fn is_loopback(self) -> bool {
        self.first >> 24 == 127
    }

    /// The length of its mask, in bits.
    pub(crate) const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Its mask.
    #[must_use]
    pub const fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(!0 << (32 - self.prefix as u32))
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let form = || SubnetError::Form(text.chars().take(40).collect());
        let (address, prefix) = text.split_once('/').ok_or_else(form)?;
        let address: Ipv4Addr = address.parse().map_err(|_| form())?;
        let prefix: u8 = prefix.parse().map_err(|_| form())?;
        if !(8..=30).contains(&prefix) {
            return Err(SubnetError::Length(prefix));
        }
        let first = address.to_bits() & (!0 << (32 - u32::from(prefix)));
        let net = Self { first, prefix };
        if first == address.to_bits() {
            Ok(net)
        } else {
            Err(SubnetError::Host { found: text.to_owned(), cure: net })
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.first), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_have_the_addresses_between_the_first_and_the_last() {
        let net: Subnet = "127.7.0.0/29".parse().expect("a net");
        assert_eq!((net.hosts(), net.is_loopback()), (6, true));
        assert_eq!(net.mask(), Ipv4Addr::new(255, 255, 255, 248));
        let hosts: Vec<_> = (0..8).map_while(|number| net.host(number)).collect();
        assert_eq!(hosts.len(), 6);
        assert_eq!(hosts[0], Ipv4Addr::new(127, 7, 0, 1));
        assert_eq!(hosts[5], Ipv4Addr::new(127, 7, 0, 6));
        for (number, host) in hosts.into_iter().enumerate() {
            assert_eq!(net.number(host), Some(number));
        }
        for stranger in ["127.7.0.0", "127.7.0.7", "127.6.0.1", "10.0.0.1"] {
            assert_eq!(net.number(stranger.parse().expect("an address")), None, "{stranger}");
        }
        assert!(!"10.0.0.0/8".parse::<Subnet>().expect("a net").is_loopback());
    }

    #[test]
    fn what_is_no_net() {
        for (text, words) in [
            ("127.7.0.0", "allowed is ADDRESS/LENGTH"),
            ("127.7.0/24", "allowed is ADDRESS/LENGTH"),
            ("127.7.0.0/x", "allowed is ADDRESS/LENGTH"),
            ("127.7.0.0/31", "8 to 30"),
            ("0.0.0.0/0", "8 to 30"),
            ("127.7.0.1/24", "as in 127.7.0.0/24"),
        ] {
            let wrong = text.parse::<Subnet>().expect_err(text).to_string();
            assert!(wrong.contains(words), "{wrong}");
        }
    }
}
