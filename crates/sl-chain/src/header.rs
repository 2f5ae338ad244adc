use sl_units::{Bits, Hash256};

use crate::{
    codec::{DecodeError, Reader},
    sha256d,
};

/// A block header: 80 bytes, the same on every chain of the coin table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Version; on auxiliary chains the chain id stands in the upper half, see [`AUXPOW_FLAG`].
    pub version: u32,
    /// Hash of the block before.
    pub prev: Hash256,
    /// Root of the tree of transaction ids.
    pub merkle_root: Hash256,
    /// Seconds since the Unix epoch.
    pub time: u32,
    /// The target in compact form.
    pub bits: Bits,
    /// What the miner varies first.
    pub nonce: u32,
}

/// The version bit that says a proof of work of a parent chain follows the header.
pub const AUXPOW_FLAG: u32 = 0x100;

impl Header {
    /// Length of the serialised form in bytes.
    pub const LEN: usize = 80;

    /// The header in its 80 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 80] {
        let mut out = [0; 80];
        let fields: [&[u8]; 6] = [
            &self.version.to_le_bytes(),
            self.prev.as_bytes(),
            self.merkle_root.as_bytes(),
            &self.time.to_le_bytes(),
            &self.bits.to_u32().to_le_bytes(),
            &self.nonce.to_le_bytes(),
        ];
        let mut rest = out.as_mut_slice();
        for field in fields {
            let (place, after) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = after;
        }
        out
    }

    /// A header from its 80 bytes; every 80 bytes are one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 80]) -> Self {
        Self::read(&mut Reader::new(bytes)).expect("80 bytes hold a header")
    }

    /// Reads a header.
    ///
    /// # Errors
    /// Fewer than 80 bytes are left.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: reader.u32("header version")?,
            prev: reader.hash("previous block hash")?,
            merkle_root: reader.hash("merkle root")?,
            time: reader.u32("header time")?,
            bits: Bits::from_u32(reader.u32("header bits")?),
            nonce: reader.u32("header nonce")?,
        })
    }

    /// The block's name on its chain: SHA-256 twice over the 80 bytes.
    #[must_use]
    pub fn hash(&self) -> Hash256 {
        sha256d(&self.to_bytes())
    }

    /// Whether the version says that a parent's proof of work follows.
    #[must_use]
    pub const fn has_auxpow(&self) -> bool {
        self.version & AUXPOW_FLAG != 0
    }
}
