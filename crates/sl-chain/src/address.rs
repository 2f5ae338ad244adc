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
mod segwit;

use std::fmt;

use bech32::{Fe32, Hrp};
use sha2::{Digest, Sha256};

use crate::{
    coins::{self, CoinRow, Ticker},
    sha256d,
};

pub use error::AddressError;

/// Longest text looked at; an extension-block address has some 120 characters.
const LONGEST: usize = 256;
/// Longest segwit address (BIP 173).
const LONGEST_BECH32: usize = 90;
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
        let text = text.trim();
        if text.is_empty() {
            return Err(AddressError::Empty { wanted: coin.ticker });
        }
        if text.len() > LONGEST {
            return Err(AddressError::TooLong { found: text.chars().count(), allowed: LONGEST });
        }
        match bech32_prefix(text) {
            Some(prefix) => parse_bech32(text, &prefix, coin),
            None => parse_base58(text, coin),
        }
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

/// What a coin's addresses look like, for error messages.
fn allowed(coin: &CoinRow) -> String {
    let bytes: Vec<String> = coin
        .p2pkh
        .iter()
        .chain(coin.p2sh)
        .filter(|version| !is_ambiguous(**version, coin))
        .map(u8::to_string)
        .collect();
    let base58 =
        format!("{} addresses are base58 with version byte {}", coin.ticker, bytes.join(", "));
    match coin.bech32_hrp {
        Some(hrp) => format!("{base58}, or bech32 beginning with {hrp}1"),
        None => base58,
    }
}

/// Whether a version byte of the coin's script addresses is that of another coin's key addresses
/// (Bellscoin's 30 is Dogecoin's): such a text cannot be told from the other coin's address, and
/// what is paid to a key hash as if it were a script hash is lost. It is refused.
fn is_ambiguous(version: u8, coin: &CoinRow) -> bool {
    coin.p2sh.contains(&version)
        && coins::all().iter().any(|row| row.ticker != coin.ticker && row.p2pkh.contains(&version))
}

/// The names of the coins a test holds for; `None` when it holds for none.
fn coins_where(holds: impl Fn(&CoinRow) -> bool) -> Option<String> {
    let names: Vec<&str> =
        coins::all().iter().filter(|row| holds(row)).map(|row| row.ticker.as_str()).collect();
    (!names.is_empty()).then(|| names.join(" or "))
}

fn parse_base58(text: &str, coin: &CoinRow) -> Result<Address, AddressError> {
    let alphabet = |index: usize| AddressError::Alphabet {
        character: text.get(index..).and_then(|rest| rest.chars().next()).unwrap_or('\u{fffd}'),
        position: text.get(..index).map_or(0, |before| before.chars().count()) + 1,
        format: "base58",
    };
    let bytes = bs58::decode(text).into_vec().map_err(|error| match error {
        bs58::decode::Error::InvalidCharacter { index, .. }
        | bs58::decode::Error::NonAsciiCharacter { index } => alphabet(index),
        _ => AddressError::Length { found: 0 },
    })?;
    let wrong_length = AddressError::Length { found: bytes.len() };
    let Ok(bytes) = <[u8; 25]>::try_from(bytes) else { return Err(wrong_length) };
    let [version, hash @ .., c0, c1, c2, c3] = bytes;
    let [d0, d1, d2, d3, ..] = *sha256d(&bytes[..21]).as_bytes();
    if [c0, c1, c2, c3] != [d0, d1, d2, d3] {
        return Err(AddressError::Checksum { format: "base58" });
    }
    if is_ambiguous(version, coin) {
        let keys = |row: &CoinRow| row.ticker != coin.ticker && row.p2pkh.contains(&version);
        return Err(AddressError::OtherCoin {
            found: coins_where(keys).unwrap_or_default(),
            by: format!(
                "version byte {version}; a {} script address looks the same and is refused too",
                coin.ticker
            ),
            wanted: coin.ticker,
            allowed: allowed(coin),
        });
    }
    for prefixes in networks(coin) {
        let payload = if prefixes.p2pkh.contains(&version) {
            Payload::P2pkh(hash)
        } else if prefixes.p2sh.contains(&version) {
            Payload::P2sh(hash)
        } else {
            continue;
        };
        return Ok(Address { coin: coin.ticker, network: prefixes.network, payload });
    }
    let of_coin = |row: &CoinRow| {
        networks(row).any(|nets| nets.p2pkh.contains(&version) || nets.p2sh.contains(&version))
    };
    Err(match coins_where(of_coin) {
        Some(found) => AddressError::OtherCoin {
            found,
            by: format!("version byte {version}"),
            wanted: coin.ticker,
            allowed: allowed(coin),
        },
        None => AddressError::VersionByte {
            found: version,
            wanted: coin.ticker,
            allowed: allowed(coin),
        },
    })
}

/// The prefix in lower case when the text is meant as bech32: it begins with a known prefix and
/// `1`, or is of one case and has `1` after its prefix, which base58 practically never is.
fn bech32_prefix(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let known = coins::all().iter().flat_map(|row| {
        let segwit = networks(row).filter_map(|nets| nets.hrp);
        segwit.chain(row.mweb_hrp).collect::<Vec<_>>()
    });
    if let Some(prefix) = known
        .into_iter()
        .find(|hrp| lower.strip_prefix(hrp).is_some_and(|rest| rest.starts_with('1')))
    {
        return Some(prefix.to_owned());
    }
    let one_case = text == lower || text == text.to_ascii_uppercase();
    let (prefix, _) = lower.rsplit_once('1')?;
    let letters = prefix.bytes().all(|byte| byte.is_ascii_alphabetic());
    (one_case && letters && !prefix.is_empty()).then(|| prefix.to_owned())
}

fn parse_bech32(text: &str, prefix: &str, coin: &CoinRow) -> Result<Address, AddressError> {
    if let Some(row) = coins::all().iter().find(|row| {
        // The test networks' prefix of the extension block ends so too.
        row.mweb_hrp.is_some_and(|hrp| hrp == prefix || prefix.ends_with("mweb"))
    }) {
        let prefix = prefix.to_owned();
        return Err(AddressError::ExtensionBlock {
            prefix,
            coin: row.ticker,
            allowed: allowed(row),
        });
    }
    let Some(nets) = networks(coin).find(|nets| nets.hrp == Some(prefix)) else {
        let of_coin = |row: &CoinRow| networks(row).any(|nets| nets.hrp == Some(prefix));
        return Err(match coins_where(of_coin) {
            Some(found) => AddressError::OtherCoin {
                found,
                by: format!("prefix {prefix}1"),
                wanted: coin.ticker,
                allowed: allowed(coin),
            },
            None => AddressError::Prefix {
                found: prefix.chars().take(20).collect(),
                wanted: coin.ticker,
                allowed: allowed(coin),
            },
        });
    };
    if text.len() > LONGEST_BECH32 {
        return Err(AddressError::TooLong { found: text.chars().count(), allowed: LONGEST_BECH32 });
    }
    let (version, program) = segwit::witness(text, prefix)?;
    let payload = Payload::Witness { version, program };
    Ok(Address { coin: coin.ticker, network: nets.network, payload })
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
mod tests {
    use bech32::{Bech32, Bech32m};
    use proptest::prelude::*;

    use super::*;

    const BECH32: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

    fn coin(ticker: &str) -> &'static CoinRow {
        coins::by_ticker(ticker).expect("in the table")
    }

    fn check(text: &str, ticker: &str, network: Network, script: &str) {
        let address = Address::parse(text, coin(ticker)).expect(text);
        assert_eq!(address.network(), network, "{text}");
        assert_eq!(address.coin().as_str(), ticker);
        assert_eq!(hex::encode(address.script_pubkey()), script, "{text}");
        assert_eq!(Address::parse(&address.to_string(), coin(ticker)), Ok(address));
    }

    fn refused(text: &str, ticker: &str) -> AddressError {
        Address::parse(text, coin(ticker)).expect_err(text)
    }

    #[test]
    fn recorded_addresses_pay_the_recorded_scripts() {
        // `testdata/litecoin/regtest-e2e/rpc_http_recordings.txt`, validateaddress.
        check(
            "rltc1qmhp5cy5mgf2vgywce6d6etkl428qd3js7cgqh5",
            "LTC",
            Network::Regtest,
            "0014ddc34c129b4254c411d8ce9bacaedfaa8e06c650",
        );
        // `testdata/auxpow/regtest-e2e/aux_rpc_recordings.json`, taken by createauxblock.
        check(
            "mh5CE8Nbj38iND267s4XnvhSmhDW7yWc6Q",
            "PEP",
            Network::Regtest,
            "76a914111111111111111111111111111111111111111188ac",
        );
    }

    #[test]
    fn well_known_addresses() {
        // Dogeparty's burn address; a donation address of Dogecoin; two kinds of Litecoin's.
        for (text, ticker, script) in [
            (
                "DDogepartyxxxxxxxxxxxxxxxxxxw1dfzr",
                "DOGE",
                "76a9145f0d49feb9842f4ef958d1a2f69a776ce17f280888ac",
            ),
            (
                "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L",
                "DOGE",
                "76a914830a7420e63d76244ff7cbd1c248e94c1446325988ac",
            ),
            (
                "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9",
                "LTC",
                "76a914729fd0f4200e2e4e0064d2422c6fe462279fc77388ac",
            ),
            (
                "MGxNPPB7eBoWPUaprtX9v9CXJZoD2465zN",
                "LTC",
                "a914635486a0aae9f8c9a93c1253f67ce0ff763c588f87",
            ),
        ] {
            check(text, ticker, Network::Main, script);
            let parsed = Address::parse(text, coin(ticker)).expect(text);
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn the_program_of_bip_173_under_litecoins_and_bells_prefix() {
        let script = "0014751e76e8199196d454941c45d1b3a323f1433bd6";
        check("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "LTC", Network::Main, script);
        check("LTC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KGMN4N9", "LTC", Network::Main, script);
        let program = hex::decode(&script[4..]).expect("hex");
        let bells = bech32::segwit::encode_v0(Hrp::parse("bel").expect("prefix"), &program);
        check(&bells.expect("encodes"), "BELLS", Network::Main, script);
    }

    #[test]
    fn a_legacy_script_address_is_printed_in_the_present_form() {
        let hash = [7; 20];
        let old = bs58::encode(hash).with_check_version(5).into_string();
        let address = Address::parse(&old, coin("LTC")).expect("allowed");
        assert_eq!(address.payload(), &Payload::P2sh(hash));
        assert!(old.starts_with('3') && address.to_string().starts_with('M'));
        assert!(Address::parse(&old, coin("LKY")).is_ok());
    }

    #[test]
    fn each_failed_check_is_named() {
        let doge = "DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L";
        assert_eq!(refused(" ", "DOGE"), AddressError::Empty { wanted: coin("DOGE").ticker });
        assert_eq!(
            refused(&"D".repeat(300), "DOGE"),
            AddressError::TooLong { found: 300, allowed: 256 }
        );
        assert_eq!(
            refused(&doge.replace("ya", "y0"), "DOGE"),
            AddressError::Alphabet { character: '0', position: 5, format: "base58" }
        );
        assert_eq!(
            refused("DH5yaïeqoZN36fDVciNyRueRGvGLR3mr7L", "DOGE"),
            AddressError::Alphabet { character: 'ï', position: 6, format: "base58" }
        );
        assert_eq!(refused(&doge[..20], "DOGE"), AddressError::Length { found: 15 });
        assert_eq!(
            refused(&doge.replace("ya", "yb"), "DOGE"),
            AddressError::Checksum { format: "base58" }
        );
        assert!(matches!(
            refused("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n8", "LTC"),
            AddressError::Checksum { format: "bech32" }
        ));
        assert_eq!(
            refused("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4nb", "LTC"),
            AddressError::Alphabet { character: 'b', position: 43, format: "bech32" }
        );
        assert_eq!(
            refused("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg1n4n9", "LTC"),
            AddressError::Alphabet { character: '1', position: 39, format: "bech32" }
        );
        assert_eq!(
            refused("ltc1Qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "LTC"),
            AddressError::MixedCase
        );
        assert_eq!(
            refused(&format!("ltc1{}", "q".repeat(100)), "LTC"),
            AddressError::TooLong { found: 104, allowed: 90 }
        );
        assert!(matches!(
            refused("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "LTC"),
            AddressError::Prefix { found, .. } if found == "bc"
        ));
        // Bitcoin's first address: version byte 0.
        assert!(matches!(
            refused("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "LTC"),
            AddressError::VersionByte { found: 0, .. }
        ));
    }

    #[test]
    fn segwit_rules_are_told_apart() {
        let ltc = Hrp::parse("ltc").expect("prefix");
        let text = |version: u8, program: &[u8], m: bool| {
            let version = Fe32::try_from(version).expect("below 32");
            let data: Vec<Fe32> = {
                use bech32::primitives::iter::ByteIterExt;
                program.iter().copied().bytes_to_fes().collect()
            };
            use bech32::primitives::iter::Fe32IterExt;
            let chars = data.into_iter();
            if m {
                chars.with_checksum::<Bech32m>(&ltc).with_witness_version(version).chars().collect()
            } else {
                chars.with_checksum::<Bech32>(&ltc).with_witness_version(version).chars().collect()
            }
        };
        let good: String = text(1, &[9; 32], true);
        check(&good, "LTC", Network::Main, &format!("5120{}", "09".repeat(32)));
        let wide: String = text(16, &[9; 2], true);
        check(&wide, "LTC", Network::Main, "60020909");
        let script: String = text(0, &[9; 32], false);
        check(&script, "LTC", Network::Main, &format!("0020{}", "09".repeat(32)));
        let wrong: String = text(1, &[9; 32], false);
        assert_eq!(
            refused(&wrong, "LTC"),
            AddressError::ChecksumKind { version: 1, found: "bech32", needed: "bech32m" }
        );
        let wrong: String = text(0, &[9; 20], true);
        assert_eq!(
            refused(&wrong, "LTC"),
            AddressError::ChecksumKind { version: 0, found: "bech32m", needed: "bech32" }
        );
        let wrong: String = text(17, &[9; 20], true);
        assert_eq!(refused(&wrong, "LTC"), AddressError::WitnessVersion { found: 17 });
        let wrong: String = text(0, &[9; 21], false);
        assert_eq!(
            refused(&wrong, "LTC"),
            AddressError::WitnessLength { version: 0, found: 21, allowed: "20 or 32" }
        );
        let wrong: String = text(2, &[9; 41], true);
        assert_eq!(
            refused(&wrong, "LTC"),
            AddressError::WitnessLength { version: 2, found: 41, allowed: "2 to 40" }
        );
        assert_eq!(refused("ltc1", "LTC"), AddressError::Checksum { format: "bech32" });
        assert!(matches!(
            refused(&bech32::encode::<Bech32>(ltc, &[]).expect("encodes"), "LTC"),
            AddressError::NoProgram { .. }
        ));
    }

    #[test]
    fn an_extension_block_address_is_refused_with_the_reason() {
        let mweb = "ltcmweb1qq20e2arnhvxw97katjkmsd35agw3capxjkrkh7dk8d30rczm8ypxuq329nwh2twmchhqn3jqh7ua4ps539f6aazh79jy76urqht4qa59ts3at6gf";
        for ticker in ["LTC", "DOGE"] {
            let error = refused(mweb, ticker);
            assert!(matches!(error, AddressError::ExtensionBlock { .. }), "{error:?}");
            assert!(error.to_string().contains("a coinbase cannot pay"), "{error}");
        }
        assert!(matches!(refused("tmweb1qqqq", "LTC"), AddressError::ExtensionBlock { .. }));
    }

    #[test]
    fn the_wrong_coin_is_named() {
        let error = refused("DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L", "BELLS").to_string();
        assert_eq!(
            error,
            "this is a DOGE or DINGO address (version byte 30; a BELLS script address looks the \
             same and is refused too), BELLS is wanted; BELLS addresses are base58 with version \
             byte 25, or bech32 beginning with bel1"
        );
        let error = refused("LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9", "PEP").to_string();
        assert_eq!(
            error,
            "this is a LTC address (version byte 48), PEP is wanted; PEP addresses are base58 \
             with version byte 56, 22"
        );
        let error = refused("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "DOGE").to_string();
        assert!(
            error.starts_with("this is a LTC address (prefix ltc1), DOGE is wanted"),
            "{error}"
        );
    }

    #[test]
    fn the_example_is_known_everywhere() {
        for row in coins::all() {
            let example = Address::example(row);
            let again = Address::parse(&example.to_string(), row).expect("valid");
            assert!(again.is_example(), "{}", row.ticker);
            assert_eq!(again, example);
        }
        assert!(!Address::p2pkh(coin("LTC"), [1; 20]).is_example());
    }

    proptest! {
        #[test]
        fn every_kind_survives_its_text(row in 0..10usize, hash: [u8; 20], long: [u8; 32]) {
            let row = &coins::all()[row];
            let mut payloads = vec![Payload::P2pkh(hash)];
            if row.ticker.as_str() != "BELLS" {
                payloads.push(Payload::P2sh(hash));
            }
            if row.bech32_hrp.is_some() {
                payloads.push(Payload::Witness { version: 0, program: hash.to_vec() });
                payloads.push(Payload::Witness { version: 0, program: long.to_vec() });
                payloads.push(Payload::Witness { version: 1, program: long.to_vec() });
            }
            for payload in payloads {
                let address = Address { coin: row.ticker, network: Network::Main, payload };
                prop_assert_eq!(Address::parse(&address.to_string(), row), Ok(address));
            }
        }

        #[test]
        fn one_changed_character_is_refused(
            hash: [u8; 20], kind in 0..3usize, at: prop::sample::Index, with: prop::sample::Index,
        ) {
            let row = coin("LTC");
            let payload = match kind {
                0 => Payload::P2pkh(hash),
                1 => Payload::Witness { version: 0, program: hash.to_vec() },
                _ => Payload::Witness { version: 1, program: [hash, hash].concat()[..32].to_vec() },
            };
            let text = Address { coin: row.ticker, network: Network::Main, payload }.to_string();
            let alphabet = if kind == 0 { BASE58 } else { BECH32 };
            let mut bytes = text.clone().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = alphabet[with.index(alphabet.len())];
            let changed = String::from_utf8(bytes).expect("ASCII");
            prop_assume!(changed != text);
            prop_assert!(Address::parse(&changed, row).is_err(), "{}", changed);
        }

        #[test]
        fn any_text_is_answered(text in ".{0,120}") {
            for row in coins::all() {
                let _ = Address::parse(&text, row);
            }
        }

        #[test]
        fn any_bech32_like_text_is_answered(text in "(ltc|bel|rltc|LTC)1[a-z0-9A-Z1]{0,90}") {
            for row in coins::all() {
                let _ = Address::parse(&text, row);
            }
        }
    }
}
