use thiserror::Error;

use crate::coins::Ticker;

/// Which check an address failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// The text is empty.
    #[error("the address is empty; write a {wanted} address")]
    Empty {
        /// The coin that was wanted.
        wanted: Ticker,
    },
    /// The text is longer than any address.
    #[error("the address has {found} characters, at most {allowed} are allowed")]
    TooLong {
        /// Characters found.
        found: usize,
        /// Characters allowed.
        allowed: usize,
    },
    /// A character outside the alphabet of the format.
    #[error(
        "character {character:?} at position {position} is not in the {format} alphabet; is it a typing error?"
    )]
    Alphabet {
        /// The character.
        character: char,
        /// Its position, from 1.
        position: usize,
        /// The format: `base58` or `bech32`.
        format: &'static str,
    },
    /// A base58 address that decodes to another length.
    #[error(
        "the base58 address decodes to {found} bytes, 25 are needed; is a character missing or doubled?"
    )]
    Length {
        /// Bytes found.
        found: usize,
    },
    /// The checksum does not match.
    #[error("the {format} checksum does not match; is there a typing error?")]
    Checksum {
        /// The format: `base58` or `bech32`.
        format: &'static str,
    },
    /// A bech32 address in upper and lower case.
    #[error("the bech32 address mixes upper and lower case; write it in lower case")]
    MixedCase,
    /// The address is of another coin of the table.
    #[error("this is a {found} address ({by}), {wanted} is wanted; {allowed}")]
    OtherCoin {
        /// The coin or coins it can be of.
        found: String,
        /// What tells: the version byte or the prefix.
        by: String,
        /// The coin that was wanted.
        wanted: Ticker,
        /// What the wanted coin's addresses look like.
        allowed: String,
    },
    /// A base58 version byte of no coin of the table.
    #[error("version byte {found} is of no coin known, {wanted} is wanted; {allowed}")]
    VersionByte {
        /// The byte found.
        found: u8,
        /// The coin that was wanted.
        wanted: Ticker,
        /// What the wanted coin's addresses look like.
        allowed: String,
    },
    /// A bech32 prefix of no coin of the table.
    #[error("prefix {found:?} is of no coin known, {wanted} is wanted; {allowed}")]
    Prefix {
        /// The prefix found, cut to 20 characters.
        found: String,
        /// The coin that was wanted.
        wanted: Ticker,
        /// What the wanted coin's addresses look like.
        allowed: String,
    },
    /// The data of a bech32 address is no witness program.
    #[error("the bech32 address holds no witness program: {reason}")]
    NoProgram {
        /// What is missing.
        reason: &'static str,
    },
    /// A witness version above 16.
    #[error("witness version {found} is not allowed, 0 to 16 are")]
    WitnessVersion {
        /// The version found.
        found: u8,
    },
    /// A witness program of the wrong length.
    #[error("the witness program of version {version} has {found} bytes, {allowed} are allowed")]
    WitnessLength {
        /// Witness version.
        version: u8,
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        allowed: &'static str,
    },
    /// A checksum of the other kind than the witness version demands.
    #[error(
        "witness version {version} needs a {needed} checksum, this one is {found}; ask for the address again"
    )]
    ChecksumKind {
        /// Witness version.
        version: u8,
        /// The kind found.
        found: &'static str,
        /// The kind needed.
        needed: &'static str,
    },
    /// An extension-block (MWEB) address.
    #[error(
        "{prefix}1… is an extension-block (MWEB) address, which a coinbase cannot pay; use an ordinary {coin} address: {allowed}"
    )]
    ExtensionBlock {
        /// The prefix found.
        prefix: String,
        /// The coin it is of.
        coin: Ticker,
        /// What the coin's ordinary addresses look like.
        allowed: String,
    },
}
