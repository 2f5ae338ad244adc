//! Payout addresses: parsed against the coin they are for, and turned into the output script that
//! a coinbase pays.
//!
//! Formats: base58check with one version byte and 20 bytes; segwit addresses of BIP 173 (bech32,
//! witness version 0) and BIP 350 (bech32m, versions 1 to 16).
//!
//! ```
//! use sl_chain::{address::Address, coins};
//!
//! let doge = coins::by_ticker("DOGE").expect("in the table");
//! let bells = coins::by_ticker("BELLS").expect("in the table");
//! let address = Address::example(doge);
//! let text = address.to_string();
//! assert_eq!(Address::parse(&text, doge), Ok(address));
//! let refused = Address::parse(&text, bells).expect_err("the wrong coin").to_string();
//! assert!(refused.contains("is a DOGE or DINGO address") && refused.contains("BELLS is wanted"));
//! ```
mod error;
mod read;
mod segwit;

use std::fmt;

use bech32::{Fe32, Hrp};
use sha2::{Digest, Sha256};

use crate::coins::{CoinRow, Ticker};

pub use error::AddressError;

/// Nobody knows a public key that hashes to the first 20 bytes of this phrase's SHA-256.
const EXAMPLE_PHRASE: &[u8] = b"silverlode: example payout address, nobody has the key";

/// An address of a coin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    coin: Ticker,
    network: Network,
    payload: Payload,
}

/// The network an address is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// The network with value.
    Main,
    /// A local test network.
    Regtest,
}

/// What an address pays.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Payload {
    /// The hash of a public key.
    P2pkh([u8; 20]),
    /// The hash of a script.
    P2sh([u8; 20]),
    /// A witness program: version 0 with 20 or 32 bytes, versions 1 to 16 with 2 to 40 bytes.
    Witness {
        /// Witness version, 0 to 16.
        version: u8,
        /// Witness program.
        program: Vec<u8>,
    },
}

impl Address {
    /// Parses an address of the coin, of its main network or its local test network.
    ///
    /// # Errors
    /// The check that failed, with what was found and what is allowed.
    pub fn parse(text: &str, coin: &CoinRow) -> Result<Self, AddressError> {
        read::address(text, coin)
    }

    /// The main network's address of a public key's hash, which every coin has.
    #[must_use]
    pub fn p2pkh(coin: &CoinRow, hash: [u8; 20]) -> Self {
        Self { coin: coin.ticker, network: Network::Main, payload: Payload::P2pkh(hash) }
    }

    /// The example payout address of educational mode: well-formed, and worthless, because its
    /// 20 bytes are the hash of a public phrase and nobody has a key for them.
    #[must_use]
    pub fn example(coin: &CoinRow) -> Self {
        Self::p2pkh(coin, example_hash())
    }

    /// Whether this is the example address, which nobody can spend from; production refuses it.
    #[must_use]
    pub fn is_example(&self) -> bool {
        matches!(&self.payload, Payload::P2pkh(hash) if *hash == example_hash())
    }

    /// The coin.
    #[must_use]
    pub const fn coin(&self) -> Ticker {
        self.coin
    }

    /// The network.
    #[must_use]
    pub const fn network(&self) -> Network {
        self.network
    }

    /// What it pays.
    #[must_use]
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The output script that pays it.
    #[must_use]
    pub fn script_pubkey(&self) -> Vec<u8> {
        match &self.payload {
            // DUP HASH160 <20> EQUALVERIFY CHECKSIG
            Payload::P2pkh(hash) => [&[0x76, 0xa9, 0x14], &hash[..], &[0x88, 0xac]].concat(),
            // HASH160 <20> EQUAL
            Payload::P2sh(hash) => [&[0xa9, 0x14], &hash[..], &[0x87]].concat(),
            // OP_n <program>
            Payload::Witness { version, program } => {
                let opcode = if *version == 0 { 0 } else { 0x50 + version };
                // A program has at most 40 bytes: its length is its own push opcode.
                let push = u8::try_from(program.len()).unwrap_or(u8::MAX);
                [&[opcode, push], program.as_slice()].concat()
            }
        }
    }
}

fn example_hash() -> [u8; 20] {
    let digest: [u8; 32] = Sha256::digest(EXAMPLE_PHRASE).into();
    let mut hash = [0; 20];
    hash.copy_from_slice(&digest[..20]);
    hash
}

/// Version bytes and prefix of one network of a coin.
struct Prefixes {
    network: Network,
    p2pkh: &'static [u8],
    p2sh: &'static [u8],
    hrp: Option<&'static str>,
}

fn networks(coin: &CoinRow) -> impl Iterator<Item = Prefixes> {
    let main = Prefixes {
        network: Network::Main,
        p2pkh: coin.p2pkh,
        p2sh: coin.p2sh,
        hrp: coin.bech32_hrp,
    };
    let regtest = coin.regtest.as_ref().map(|regtest| Prefixes {
        network: Network::Regtest,
        p2pkh: regtest.p2pkh,
        p2sh: regtest.p2sh,
        hrp: regtest.bech32_hrp,
    });
    std::iter::once(main).chain(regtest)
}

impl fmt::Display for Address {
    /// The usual text: bech32 in lower case, and of several version bytes the one that the coin's
    /// own wallet prints (Litecoin: `M…`, not the old `3…`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nets = networks(self.coin.row())
            .find(|nets| nets.network == self.network)
            .ok_or(fmt::Error)?;
        match &self.payload {
            Payload::P2pkh(hash) => f.pad(&base58(nets.p2pkh, hash)?),
            Payload::P2sh(hash) => f.pad(&base58(nets.p2sh, hash)?),
            Payload::Witness { version, program } => {
                let hrp = Hrp::parse(nets.hrp.ok_or(fmt::Error)?).map_err(|_| fmt::Error)?;
                let version = Fe32::try_from(*version).map_err(|_| fmt::Error)?;
                f.pad(&bech32::segwit::encode(hrp, version, program).map_err(|_| fmt::Error)?)
            }
        }
    }
}

fn base58(versions: &[u8], hash: &[u8; 20]) -> Result<String, fmt::Error> {
    let version = versions.first().copied().ok_or(fmt::Error)?;
    Ok(bs58::encode(hash).with_check_version(version).into_string())
}

#[cfg(test)]
mod tests;
