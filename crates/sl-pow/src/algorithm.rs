use sl_units::Hash256;

use crate::EngineRow;

/// Bytes of a block header: version, previous hash, merkle root, time, bits, nonce.
pub const HEADER_LEN: usize = 80;

/// Where the nonce stands in a header: bytes 76..80, least significant first.
pub const NONCE_OFFSET: usize = 76;

/// Where the time stands in a header: bytes 68..72, seconds since 1970, least significant first.
pub const TIME_OFFSET: usize = 68;

/// One proof-of-work algorithm by name, with the parameters that the name implies
/// (`scrypt` is N=1024, r=1, p=1 over 80-byte headers).
///
/// A hash that cannot be made, for want of memory or because the algorithm does not cover the
/// header, is told as 32 bytes of `ff`: the number that meets no target that anybody sets.
pub trait Algorithm: Send + Sync {
    /// The name by which configuration and registry know it.
    fn name(&self) -> &str;

    /// The hash of a header by the plainest code there is: what every engine is measured against.
    fn hash(&self, header: &[u8; HEADER_LEN]) -> Hash256;

    /// Known answers, at least one. The first one's header is the bench's header.
    fn vectors(&self) -> &[Vector];

    /// The engines that know this algorithm, in any order; the registry tries the preferred and
    /// the widest first.
    fn engines(&self) -> Vec<EngineRow>;
}

/// A known answer: a header and its hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vector {
    /// Where the answer comes from, for people: `litecoin block 29255`.
    pub name: &'static str,
    /// The 80 bytes of the header.
    pub header: [u8; HEADER_LEN],
    /// Its proof-of-work hash.
    pub hash: Hash256,
}

impl Vector {
    /// A vector from the texts in which people keep them: 160 digits of header, and the hash
    /// reversed, as explorers show it. For constants: a wrong text stops the compiler.
    ///
    /// # Panics
    /// When a text has another length or holds something that is no hexadecimal digit.
    #[must_use]
    pub const fn from_hex(name: &'static str, header: &str, hash: &str) -> Self {
        let header = decode::<HEADER_LEN>(header);
        let shown = decode::<32>(hash);
        let mut internal = [0; 32];
        let mut i = 0;
        while i < 32 {
            internal[i] = shown[31 - i];
            i += 1;
        }
        Self { name, header, hash: Hash256::from_bytes(internal) }
    }
}

/// The nonce that stands in a header.
#[must_use]
pub fn nonce_of(header: &[u8; HEADER_LEN]) -> u32 {
    let [.., a, b, c, d] = *header;
    u32::from_le_bytes([a, b, c, d])
}

/// The time that stands in a header, in seconds since 1970.
#[must_use]
pub fn time_of(header: &[u8; HEADER_LEN]) -> u32 {
    let (_, rest) = header.split_at(TIME_OFFSET);
    rest.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The header with another nonce.
#[must_use]
pub fn with_nonce(header: &[u8; HEADER_LEN], nonce: u32) -> [u8; HEADER_LEN] {
    let mut changed = *header;
    changed[NONCE_OFFSET..].copy_from_slice(&nonce.to_le_bytes());
    changed
}

const fn decode<const N: usize>(text: &str) -> [u8; N] {
    let digits = text.as_bytes();
    assert!(digits.len() == 2 * N, "a vector's text has another length");
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = digit(digits[2 * i]) << 4 | digit(digits[2 * i + 1]);
        i += 1;
    }
    bytes
}

const fn digit(text: u8) -> u8 {
    match text {
        b'0'..=b'9' => text - b'0',
        b'a'..=b'f' => text - b'a' + 10,
        b'A'..=b'F' => text - b'A' + 10,
        _ => panic!("a vector's text holds something that is no hexadecimal digit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nonce_is_the_last_four_bytes_least_significant_first() {
        let header = with_nonce(&[7; HEADER_LEN], 0x0403_0201);
        assert_eq!(header[NONCE_OFFSET..], [1, 2, 3, 4]);
        assert_eq!(header[..NONCE_OFFSET], [7; NONCE_OFFSET]);
        assert_eq!(nonce_of(&header), 0x0403_0201);
    }

    #[test]
    fn the_time_is_the_third_word_from_the_end() {
        let mut header = [7; HEADER_LEN];
        header[TIME_OFFSET..TIME_OFFSET + 4].copy_from_slice(&0x0403_0201u32.to_le_bytes());
        assert_eq!(time_of(&header), 0x0403_0201);
    }

    #[test]
    fn a_vectors_hash_is_read_as_people_read_it() {
        let hash = "0000000110c8357966576df46f3b802ca897deb7ad18b12f1c24ecff6386ebd9";
        let vector = Vector::from_hex("any", &"0f".repeat(HEADER_LEN), hash);
        assert_eq!(vector.header, [15; HEADER_LEN]);
        assert_eq!(vector.hash.to_string(), hash);
    }
}
