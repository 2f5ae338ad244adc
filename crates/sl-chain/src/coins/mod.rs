//! The coin table: what each chain is, as data. A new coin is one row of `table.rs`.
//!
//! ```
//! use sl_chain::coins::{self, Role};
//!
//! let doge = coins::by_ticker("DOGE").expect("in the table");
//! assert_eq!(doge.role, Role::Auxiliary);
//! assert_eq!(doge.block_version(true), 0x0062_0104);
//! assert_eq!(doge.reward_at(doge.start_height).to_string(), "10000");
//! ```
mod retarget;
mod subsidy;
mod table;

use std::{fmt, str::FromStr, time::Duration};

use sl_units::{Bits, Hash256, NodeDifficulty, Target};
use thiserror::Error;

pub use retarget::{History, Ratio, Retarget, next_bits};
pub use subsidy::{Bonus, DevFund, Schedule, Step, Subsidy};
use table::TABLE;

/// Every coin, parents first, in the order of the table.
#[must_use]
pub fn all() -> &'static [CoinRow] {
    &TABLE
}

/// The coin with this ticker or other name of it, in upper or lower case.
#[must_use]
pub fn by_ticker(text: &str) -> Option<&'static CoinRow> {
    TABLE.iter().find(|row| {
        row.ticker.0.eq_ignore_ascii_case(text)
            || row.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(text))
    })
}

/// The coins that are merge-mined under a parent, in the order of the table.
pub fn auxiliaries() -> impl Iterator<Item = &'static CoinRow> {
    TABLE.iter().filter(|row| row.role == Role::Auxiliary)
}

/// The coins whose proof of work carries the others, in the order of the table.
pub fn parents() -> impl Iterator<Item = &'static CoinRow> {
    TABLE.iter().filter(|row| row.role == Role::Parent)
}

/// The short name of a coin of the table, as in `DOGE`.
///
/// It is made by parsing ([`FromStr`]) or taken from a [`CoinRow`], so it always has a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticker(&'static str);

impl Ticker {
    /// The short name in upper case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// The coin's row.
    #[must_use]
    pub fn row(self) -> &'static CoinRow {
        by_ticker(self.0).expect("a ticker is only ever made from a row of the table")
    }
}

impl fmt::Display for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Why a text names no coin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no coin is called {found:?}, allowed are {allowed}", allowed = tickers())]
pub struct UnknownCoin {
    /// The text that was found, cut to 80 characters.
    pub found: String,
}

fn tickers() -> String {
    TABLE.iter().map(|row| row.ticker.0).collect::<Vec<_>>().join(", ")
}

impl FromStr for Ticker {
    type Err = UnknownCoin;

    fn from_str(text: &str) -> Result<Self, UnknownCoin> {
        by_ticker(text)
            .map(|row| row.ticker)
            .ok_or_else(|| UnknownCoin { found: text.chars().take(80).collect() })
    }
}

/// What a chain is in merged mining.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Role {
    /// Its headers are hashed.
    Parent,
    /// Its blocks are proved by a parent's header (AuxPoW).
    Auxiliary,
}

/// The number that tells auxiliary chains apart, in the block version and in the merge tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ChainId(u32);

impl ChainId {
    /// A chain id; those of the table fit 16 bits.
    #[must_use]
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Where a chain's nodes look for the chain id in a block version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum VersionLayout {
    /// No chain id: the version holds BIP 9 signals.
    Plain,
    /// The upper 16 bits are the chain id, 0x100 says that a proof follows (Dogecoin's family).
    Dogecoin,
    /// Bits 16 to 20 are the chain id, and only where 0x100 is set; bits 28 to 30 stay free for
    /// BIP 9 (Bellscoin, after Syscoin).
    FiveBit,
}

/// The bit of a block version that says an AuxPoW follows the header.
const AUXPOW_BIT: u32 = 0x100;
/// The top bits that mark a BIP 9 version.
const BIP9_TOP: u32 = 0x2000_0000;
/// The base version that the family's nodes put in their blocks today (BIP 65).
const BASE_VERSION: u32 = 4;

/// One coin. Every value is read from the coin's node source (`source`) on 2026-11-22
/// (`testdata/coins/coins.toml`), unless its comment says otherwise; a running node is the last
/// word before production.
#[derive(Debug, Clone, PartialEq)]
pub struct CoinRow {
    /// Short name.
    pub ticker: Ticker,
    /// Another short name in use.
    pub alias: Option<&'static str>,
    /// Full name.
    pub name: &'static str,
    /// The proof of work of its headers, by the name that the registry of algorithms resolves
    /// (`docs/algorithms.md`). That of an auxiliary is its parents'.
    pub algorithm: &'static str,
    /// Parent or auxiliary.
    pub role: Role,
    /// Chain id near `start_height`; `None` for a parent. A real node's `createauxblock.chainid`
    /// goes before it.
    pub chain_id: Option<ChainId>,
    /// Where the version holds the chain id.
    pub version_layout: VersionLayout,
    /// Whether nodes refuse a block, or a parent, by its chain id.
    pub strict_chain_id: bool,
    /// Whether a commitment without the `fabe6d6d` magic is refused.
    pub magic_required: bool,
    /// First height with AuxPoW; `None` for a parent.
    pub auxpow_from: Option<u64>,
    /// The easiest target of the real chain.
    pub pow_limit: Target,
    /// `nBits` of the real genesis block; see [`CoinRow::genesis_bits_known`].
    pub genesis_bits: Bits,
    /// Whether `genesis_bits` comes from a header or the node source; otherwise it is the compact
    /// form of `pow_limit`.
    pub genesis_bits_known: bool,
    /// Hash of the real genesis block.
    pub genesis: Hash256,
    /// Intended time between blocks.
    pub block_spacing: Duration,
    /// Rule of the next target.
    pub retarget: Retarget,
    /// Rule of the reward.
    pub subsidy: Subsidy,
    /// Part of the reward that consensus gives to others than the miner.
    pub dev_fund: Option<DevFund>,
    /// Blocks before a reward may be spent, at `start_height`.
    pub coinbase_maturity: u64,
    /// Version bytes of base58 pay-to-public-key-hash addresses, the one to print first.
    pub p2pkh: &'static [u8],
    /// Version bytes of base58 pay-to-script-hash addresses, the one to print first.
    pub p2sh: &'static [u8],
    /// Version byte of private keys (wallet import format).
    pub wif: Option<u8>,
    /// Prefix of bech32 addresses.
    pub bech32_hrp: Option<&'static str>,
    /// Prefix of extension-block (MWEB) addresses, which a coinbase cannot pay.
    pub mweb_hrp: Option<&'static str>,
    /// Default port between nodes.
    pub p2p_port: u16,
    /// Default JSON-RPC port in the source; operators often set another.
    pub rpc_port: u16,
    /// First four bytes of messages between nodes; several coins share them.
    pub magic: Option<[u8; 4]>,
    /// What differs on a local test network, where known.
    pub regtest: Option<Regtest>,
    /// A height near that of 2026-11-22, where simulated chains begin. An estimate.
    pub start_height: u64,
    /// Recorded price and difficulty, for estimates without a live source.
    pub reference: Option<ReferenceFigures>,
    /// Name at CoinGecko, where there is one.
    pub coingecko: Option<&'static str>,
    /// Field of `createauxblock` that holds the target; `None` for a parent.
    pub rpc_target_field: Option<&'static str>,
    /// Repository, files and commit the row is read from.
    pub source: &'static str,
}

/// What differs on a coin's local test network.
#[derive(Debug, Clone, PartialEq)]
pub struct Regtest {
    /// Hash of the genesis block, where known.
    pub genesis: Option<Hash256>,
    /// The easiest target.
    pub pow_limit: Target,
    /// Version bytes of pay-to-public-key-hash addresses.
    pub p2pkh: &'static [u8],
    /// Version bytes of pay-to-script-hash addresses, the one to print first.
    pub p2sh: &'static [u8],
    /// Prefix of bech32 addresses.
    pub bech32_hrp: Option<&'static str>,
    /// First height with AuxPoW.
    pub auxpow_from: Option<u64>,
    /// First height with an extension block (MWEB).
    pub mweb_from: Option<u64>,
    /// Default JSON-RPC port.
    pub rpc_port: u16,
    /// Default port between nodes.
    pub p2p_port: u16,
}

/// A recorded price and difficulty. For estimates and screens only, always shown with the date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReferenceFigures {
    /// The day, as `YYYY-MM-DD`.
    pub as_of: &'static str,
    /// US dollars per coin; `None` where unknown.
    pub price_usd: Option<f64>,
    /// Difficulty as nodes count it; `None` where unknown.
    pub node_difficulty: Option<f64>,
    /// Where the figures are from.
    pub source: &'static str,
}

impl ReferenceFigures {
    /// The recorded difficulty with its scale.
    #[must_use]
    pub fn difficulty(&self) -> Option<NodeDifficulty> {
        NodeDifficulty::new(self.node_difficulty?).ok()
    }
}

impl CoinRow {
    /// The version of a new block: base version 4, the chain id in its place, and 0x100 when a
    /// proof follows. A parent has the BIP 9 version without signals.
    #[must_use]
    pub fn block_version(&self, auxpow: bool) -> u32 {
        let id = self.chain_id.map_or(0, ChainId::get) << 16;
        match (self.version_layout, auxpow) {
            (VersionLayout::Plain, _) => BIP9_TOP,
            (VersionLayout::Dogecoin, false) => id | BASE_VERSION,
            (VersionLayout::Dogecoin, true) => id | AUXPOW_BIT | BASE_VERSION,
            (VersionLayout::FiveBit, false) => BIP9_TOP | BASE_VERSION,
            (VersionLayout::FiveBit, true) => BIP9_TOP | id | AUXPOW_BIT | BASE_VERSION,
        }
    }

    /// The chain id that this coin's nodes read in a version, its own or a parent's; `None` where
    /// they read none. Dogecoin's family reads 8192 in Litecoin's 0x20000000.
    #[must_use]
    pub fn chain_id_of(&self, version: u32) -> Option<ChainId> {
        match self.version_layout {
            VersionLayout::Plain => None,
            VersionLayout::Dogecoin => Some(ChainId(version >> 16)),
            VersionLayout::FiveBit => {
                (version & AUXPOW_BIT != 0).then_some(ChainId((version >> 16) & 0x1f))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn row(ticker: &str) -> &'static CoinRow {
        by_ticker(ticker).expect("in the table")
    }

    #[test]
    fn rows_are_distinct_and_whole() {
        let mut names = HashSet::new();
        for row in all() {
            assert!(names.insert(row.ticker.0.to_owned()), "{} twice", row.ticker);
            assert!(row.alias.is_none_or(|alias| names.insert(alias.to_owned())));
            assert_eq!(row.ticker.0, row.ticker.0.to_uppercase());
            let auxiliary = row.role == Role::Auxiliary;
            assert_eq!(row.chain_id.is_some(), auxiliary, "{}", row.ticker);
            assert_eq!(row.auxpow_from.is_some(), auxiliary, "{}", row.ticker);
            assert_eq!(row.rpc_target_field.is_some(), auxiliary, "{}", row.ticker);
            assert!(row.auxpow_from.is_none_or(|from| from < row.start_height), "{}", row.ticker);
            assert!(row.genesis_bits.target().expect("valid") <= row.pow_limit, "{}", row.ticker);
            assert!(!row.p2pkh.is_empty() && !row.p2sh.is_empty(), "{}", row.ticker);
            assert!(row.reward_at(row.start_height).units() > 0, "{}", row.ticker);
            assert!(!row.source.is_empty());
            assert_eq!(row.ticker.row(), row);
        }
        assert_eq!(parents().count() + auxiliaries().count(), all().len());
        assert_eq!(parents().map(|row| row.ticker.0).collect::<Vec<_>>(), ["LTC"]);
    }

    #[test]
    fn tickers_parse_by_the_table() {
        assert_eq!("doge".parse::<Ticker>().expect("known"), row("DOGE").ticker);
        assert_eq!("BEL".parse::<Ticker>().expect("known"), row("BELLS").ticker);
        let unknown = "BTC".parse::<Ticker>().expect_err("unknown").to_string();
        assert!(unknown.contains("\"BTC\"") && unknown.contains("LTC, DOGE"), "{unknown}");
    }

    #[test]
    fn versions_are_those_of_the_nodes() {
        for (ticker, plain, auxpow) in [
            ("LTC", 0x2000_0000, 0x2000_0000),
            ("DOGE", 0x0062_0004, 0x0062_0104),
            ("BELLS", 0x2000_0004, 0x2010_0104),
            ("PEP", 0x003f_0004, 0x003f_0104),
            ("LKY", 0x2013_0004, 0x2013_0104),
        ] {
            assert_eq!(row(ticker).block_version(false), plain, "{ticker}");
            assert_eq!(row(ticker).block_version(true), auxpow, "{ticker}");
        }
        for row in auxiliaries() {
            assert_eq!(row.chain_id_of(row.block_version(true)), row.chain_id, "{}", row.ticker);
        }
    }

    #[test]
    fn a_parents_version_is_read_by_each_layout() {
        assert_eq!(row("DOGE").chain_id_of(0x2000_0000), Some(ChainId(8192)));
        assert_eq!(row("JKC").chain_id_of(0x2020_0000), row("JKC").chain_id);
        assert_eq!(row("BELLS").chain_id_of(0x2000_0000), None);
        assert_eq!(row("LTC").chain_id_of(0x2000_0000), None);
    }

    #[test]
    fn rows_agree_with_the_recorded_facts() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/coins/coins.toml");
        let text = std::fs::read_to_string(path).expect("testdata");
        for row in all() {
            let section = text
                .split("\n[")
                .find_map(|part| part.strip_prefix(&format!("coins.{}]", row.ticker)))
                .expect("a section");
            let fact = |key: &str| {
                let line = section.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")));
                line.map(|line| line.split(" #").next().unwrap_or(line).trim().trim_matches('"'))
            };
            let number = |key: &str| fact(key).map(|text| text.parse::<u64>().expect(key));
            assert_eq!(fact("name"), Some(row.name));
            assert_eq!(fact("ticker_alt"), row.alias);
            assert_eq!(fact("genesis"), Some(row.genesis.to_string().as_str()));
            assert_eq!(fact("pow_limit"), Some(row.pow_limit.to_string().as_str()));
            assert_eq!(number("chain_id"), row.chain_id.map(|id| id.get().into()));
            assert_eq!(number("auxpow_start_height"), row.auxpow_from);
            assert_eq!(number("block_time"), Some(row.block_spacing.as_secs()));
            assert_eq!(number("p2p_port"), Some(row.p2p_port.into()));
            assert_eq!(number("rpc_port"), Some(row.rpc_port.into()));
            assert_eq!(number("wif"), row.wif.map(u64::from));
            assert_eq!(fact("p2pkh"), Some(format!("{:?}", row.p2pkh).as_str()));
            assert_eq!(fact("p2sh"), Some(format!("{:?}", row.p2sh).as_str()));
            assert_eq!(fact("magic"), row.magic.map(hex::encode).as_deref());
            assert_eq!(fact("bech32").filter(|hrp| !hrp.is_empty()), row.bech32_hrp);
            assert_eq!(fact("mweb_hrp"), row.mweb_hrp);
            assert_eq!(fact("coingecko").filter(|id| !id.is_empty()), row.coingecko);
            assert_eq!(fact("rpc_target_field"), row.rpc_target_field);
            if let Some(maturity) = number("coinbase_maturity") {
                assert_eq!(maturity, row.coinbase_maturity, "{}", row.ticker);
            }
        }
    }
}
