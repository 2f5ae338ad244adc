use sl_pow::{Algorithm, Engine, EngineRow, HEADER_LEN, Hit, Vector, with_nonce};
use sl_units::{Hash256, Target};

/// Four words of mixing: enough that neighbours differ, cheap enough for thousands.
pub(crate) fn toy_hash(header: &[u8; HEADER_LEN]) -> Hash256 {
    let mut words = [0x6a09_e667_f3bc_c908_u64, 0xbb67_ae85_84ca_a73b, 1, 2];
    for (i, bytes) in header.chunks(8).enumerate() {
        let word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        for at in 0..4 {
            let other = words[(at + 1) % 4];
            words[at] = (words[at] ^ word.rotate_left((i + at) as u32))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(23)
                ^ other;
        }
    }
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.chunks_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    Hash256::from_bytes(bytes)
}

/// What is wrong with an engine, and in which lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    None,
    Batch(usize),
    Scan(usize),
    Misses(usize),
    NeverHits(usize),
    HitsTooEasily,
    TellsTwice,
    LeavesTheRange,
    StopsAtTheEnd,
    ForgetsTheRest,
    WritesNothing,
    /// In batches of this length, the last hash.
    Short(usize),
}

pub(crate) struct ToyEngine {
    pub(crate) name: &'static str,
    pub(crate) lanes: usize,
    pub(crate) fault: Fault,
}

impl Engine for ToyEngine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn lanes(&self) -> usize {
        self.lanes
    }

    fn scan(
        &mut self,
        header: &[u8; HEADER_LEN],
        first: u32,
        count: u32,
        target: Target,
        hits: &mut Vec<Hit>,
    ) {
        let count = match self.fault {
            Fault::ForgetsTheRest if count as usize > self.lanes => self.lanes as u32,
            Fault::LeavesTheRange => count + 1,
            _ => count,
        };
        for offset in 0..count {
            let lane = offset as usize % self.lanes.max(1);
            if self.fault == Fault::StopsAtTheEnd && first.checked_add(offset).is_none() {
                return;
            }
            let nonce = first.wrapping_add(offset);
            let mut hash = toy_hash(&with_nonce(header, nonce));
            if self.fault == Fault::Scan(lane) {
                hash = Hash256::ZERO;
            }
            let met = match self.fault {
                Fault::Misses(wrong) if wrong == lane => false,
                // A lane that compares with < where ≤ is right.
                Fault::NeverHits(wrong) if wrong == lane => {
                    target.is_met_by(&hash) && target.to_le_bytes() != *hash.as_bytes()
                }
                Fault::HitsTooEasily => true,
                _ => target.is_met_by(&hash),
            };
            if met {
                hits.push(Hit { nonce, hash });
                if self.fault == Fault::TellsTwice {
                    hits.push(Hit { nonce, hash });
                }
            }
        }
    }

    fn batch(&mut self, headers: &[[u8; HEADER_LEN]], out: &mut [Hash256]) {
        let length = headers.len();
        for (i, (header, hash)) in headers.iter().zip(out).enumerate() {
            match self.fault {
                Fault::WritesNothing => {}
                Fault::Short(wrong) if wrong == length && i + 1 == length => {
                    *hash = toy_hash(&[1; HEADER_LEN]);
                }
                Fault::Batch(lane) if lane == i % self.lanes => *hash = toy_hash(&[1; HEADER_LEN]),
                _ => *hash = toy_hash(header),
            }
        }
    }
}

pub(crate) struct Toy(pub(crate) &'static str, pub(crate) fn() -> Vec<EngineRow>);

impl Algorithm for Toy {
    fn name(&self) -> &'static str {
        self.0
    }

    fn hash(&self, header: &[u8; HEADER_LEN]) -> Hash256 {
        toy_hash(header)
    }

    fn vectors(&self) -> &'static [Vector] {
        static VECTORS: std::sync::LazyLock<[Vector; 3]> = std::sync::LazyLock::new(|| {
            [("first", 3), ("second", 200), ("third", 77)].map(|(name, byte)| {
                let header = [byte; HEADER_LEN];
                Vector { name, header, hash: toy_hash(&header) }
            })
        });
        &*VECTORS
    }

    fn engines(&self) -> Vec<EngineRow> {
        (self.1)()
    }
}
