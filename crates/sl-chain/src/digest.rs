use sha2::{Digest, Sha256};
use sl_units::Hash256;

/// SHA-256 applied twice: block hashes, transaction ids, merkle nodes.
#[must_use]
pub fn sha256d(bytes: &[u8]) -> Hash256 {
    Hash256::from_bytes(Sha256::digest(Sha256::digest(bytes)).into())
}
