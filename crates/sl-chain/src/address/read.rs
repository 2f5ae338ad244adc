//! Reading an address's text, and telling whose it is when it is not of the coin that is wanted.

use super::{Address, AddressError, Payload, networks, segwit};
use crate::{
    coins::{self, CoinRow},
    sha256d,
};

/// Longest text looked at; an extension-block address has some 120 characters.
const LONGEST: usize = 256;
/// Longest segwit address (BIP 173).
const LONGEST_BECH32: usize = 90;

/// The address of this coin that the text is, on whichever of its networks.
pub(super) fn address(text: &str, coin: &CoinRow) -> Result<Address, AddressError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(AddressError::Empty { wanted: coin.ticker });
    }
    if text.len() > LONGEST {
        return Err(AddressError::TooLong { found: text.chars().count(), allowed: LONGEST });
    }
    match bech32_prefix(text) {
        Some(prefix) => bech32(text, &prefix, coin),
        None => base58(text, coin),
    }
}

fn base58(text: &str, coin: &CoinRow) -> Result<Address, AddressError> {
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

fn bech32(text: &str, prefix: &str, coin: &CoinRow) -> Result<Address, AddressError> {
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
