//! scrypt-jane: scrypt with ChaCha20/8 for Salsa20/8 and Keccak-512 for SHA-256, r=1 and p=1, and
//! a cost that rises with the time in the header, as YaCoin and its descendants have it.

mod engine;
mod family;
mod kdf;
mod schedule;

use sl_pow::{Algorithm, EngineRow, HEADER_LEN, TIME_OFFSET, Vector, time_of};
use sl_units::Hash256;

use crate::{ParamsError, algorithm::NO_HASH, kernels};

pub use family::ScryptJaneFamily;
pub use kdf::scrypt_jane;
pub use schedule::Schedule;

/// scrypt-jane with one schedule: the 80-byte header as password and as salt, 32 bytes out.
///
/// A header whose time asks for more than [`Schedule::MOST_FACTOR`] has no hash here: `ff` in all
/// bytes, which meets no target.
#[derive(Clone, Debug)]
pub struct ScryptJane {
    schedule: Schedule,
    name: String,
    vectors: Vec<Vector>,
}

impl ScryptJane {
    /// scrypt-jane by this schedule. Hashes a header with the smallest N and one with N=2048 (as
    /// far as the schedule has it), to which engines are held.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn new(schedule: Schedule) -> Result<Self, ParamsError> {
        let (least, most, start) = (schedule.least(), schedule.most(), schedule.start());
        let name = format!("{}:nmin={least},nmax={most},start={start}", family::NAME);
        let mut vectors = Vec::new();
        if schedule == Schedule::YACOIN {
            vectors.extend(RECORDED);
        } else {
            for age in [0, 1 << 22] {
                let mut header = YACOIN_GENESIS.header;
                header[TIME_OFFSET..TIME_OFFSET + 4]
                    .copy_from_slice(&start.saturating_add(age).to_le_bytes());
                let hash = reference(&schedule, &header)?;
                vectors.push(Vector { name: "made by the reference", header, hash });
            }
        }
        Ok(Self { schedule, name, vectors })
    }

    /// How its cost rises.
    #[must_use]
    pub const fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// The other layouts of its kernels, as [`candidates`](crate::candidates): for tests and the
    /// ladder.
    #[must_use]
    pub fn candidates(&self) -> Vec<EngineRow> {
        kernels::candidate_rows(&engine::Jane(self.schedule))
    }
}

fn reference(schedule: &Schedule, header: &[u8; HEADER_LEN]) -> Result<Hash256, ParamsError> {
    let params = schedule.params(time_of(header))?;
    let mut out = [0; 32];
    scrypt_jane(header, header, &params, &mut out)?;
    Ok(Hash256::from_bytes(out))
}

impl Algorithm for ScryptJane {
    fn name(&self) -> &str {
        &self.name
    }

    /// Takes its memory for each call: a reference, not an engine.
    fn hash(&self, header: &[u8; HEADER_LEN]) -> Hash256 {
        reference(&self.schedule, header).unwrap_or(NO_HASH)
    }

    fn vectors(&self) -> &[Vector] {
        &self.vectors
    }

    fn engines(&self) -> Vec<EngineRow> {
        kernels::rows(&engine::Jane(self.schedule))
    }
}

/// YaCoin's first block: the header's fields and the hash stand in its node's source, see
/// `testdata/scrypt-jane/ORIGIN.md`. N is 32.
const YACOIN_GENESIS: Vector = Vector::from_hex(
    "YaCoin block 0",
    "010000000000000000000000000000000000000000000000000000000000000000000000\
     4f24f24c9df325e9dd69ccb721806db2f7d7579dfad391a57666f09f41768b67\
     b4e38951ffff0f1e7df10100",
    "0000060fc90618113cde415ead019a1052a9abc43afcccff38608ff8751353e5",
);

/// Known answers by YaCoin's schedule. The second is the first with another time, by the C code of
/// scrypt-jane's author; N is 2048.
static RECORDED: [Vector; 2] = [
    YACOIN_GENESIS,
    Vector::from_hex(
        "YaCoin block 0 with time 1372185504",
        "010000000000000000000000000000000000000000000000000000000000000000000000\
         4f24f24c9df325e9dd69ccb721806db2f7d7579dfad391a57666f09f41768b67\
         a0e3c951ffff0f1e7df10100",
        "2a8d56989b5ad1059eaeb0e646fe5781828aefeede5e2eb71bf4b6202c2d4362",
    ),
];
