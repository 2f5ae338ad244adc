use std::sync::Arc;

use sl_pow::{Engine, EngineRow, HEADER_LEN, Hit, time_of, with_nonce};
use sl_units::{Hash256, Target};

use super::{Schedule, kdf::Keyed};
use crate::{
    algorithm::NO_HASH,
    engine::{Kernel, MOST_GROUP_MEMORY, Rows},
    kernels::Portable,
    lanes::{Line, MOST_LANES},
};

/// The engines of scrypt-jane by a schedule.
pub(super) struct Jane(pub(super) Schedule);

impl Rows for Jane {
    fn row<K: Kernel>(&self) -> EngineRow {
        let Self(schedule) = *self;
        EngineRow {
            name: K::NAME,
            lanes: K::LANES,
            available: || K::detect().is_some(),
            make: Arc::new(move || {
                let cpu = K::detect().expect("an engine is only made where it is available");
                let (wide, single) = (Station::new(cpu), Station::new(()));
                let headers = vec![[0; HEADER_LEN]; K::LANES];
                let hashes = vec![NO_HASH; K::LANES];
                Ok(Box::new(JaneEngine::<K> { schedule, wide, single, headers, hashes }))
            }),
        }
    }
}

/// A kernel with its memory, which grows when a header's time asks for a larger N: after that, and
/// for months of header time, nothing is taken.
struct Station<K: Kernel> {
    cpu: K::Cpu,
    v: Vec<Line>,
    words: Box<[Line; 32]>,
    keyed: [Option<Keyed>; MOST_LANES],
}

impl<K: Kernel> Station<K> {
    fn new(cpu: K::Cpu) -> Self {
        let words = Box::new([Line::ZERO; 32]);
        Self { cpu, v: Vec::new(), words, keyed: [const { None }; MOST_LANES] }
    }

    /// Whether a group with this N fits into the memory that a group may take.
    const fn fits(n: usize) -> bool {
        n * K::LANES * 128 <= MOST_GROUP_MEMORY
    }

    /// Hashes the headers of these lanes, all with the same N; others mix what is left there.
    fn run(
        &mut self,
        n: usize,
        lanes: impl Iterator<Item = usize> + Clone,
        headers: &[[u8; HEADER_LEN]],
        out: &mut [Hash256],
    ) {
        let lines = n * K::LANES * 2;
        let missing = lines.saturating_sub(self.v.len());
        if self.v.try_reserve_exact(missing).is_err() {
            // Without memory there is no hash.
            return lanes.for_each(|lane| out[lane] = NO_HASH);
        }
        self.v.resize(self.v.len() + missing, Line::ZERO);
        for (slot, lane) in Self::slots(lanes.clone()) {
            let header = &headers[lane];
            let keyed = Keyed::new(header);
            let mut bytes = [0; 128];
            keyed.derive(header, &mut bytes);
            for (line, word) in self.words.iter_mut().zip(bytes.as_chunks::<4>().0) {
                line.0[slot] = u32::from_le_bytes(*word);
            }
            self.keyed[slot] = Some(keyed);
        }
        K::mix_chacha(self.cpu, n, &mut self.v[..lines], &mut self.words);
        for (slot, lane) in Self::slots(lanes) {
            let mut bytes = [0; 128];
            for (line, word) in self.words.iter().zip(bytes.as_chunks_mut::<4>().0) {
                *word = line.0[slot].to_le_bytes();
            }
            let mut hash = [0; 32];
            if let Some(keyed) = &self.keyed[slot] {
                keyed.derive(&bytes, &mut hash);
            }
            out[lane] = Hash256::from_bytes(hash);
        }
    }

    /// Each header stays in its own lane, so that all lanes are seen to work; a kernel with one
    /// lane takes any.
    fn slots(lanes: impl Iterator<Item = usize>) -> impl Iterator<Item = (usize, usize)> {
        lanes.map(|lane| (lane % K::LANES, lane))
    }
}

/// An engine over a kernel: groups of headers with the same N, and a portable kernel beside it for
/// groups that are hardly filled or would take too much memory.
struct JaneEngine<K: Kernel> {
    schedule: Schedule,
    wide: Station<K>,
    single: Station<Portable>,
    headers: Vec<[u8; HEADER_LEN]>,
    hashes: Vec<Hash256>,
}

impl<K: Kernel> JaneEngine<K> {
    /// At most `LANES` headers.
    fn group(
        schedule: Schedule,
        wide: &mut Station<K>,
        single: &mut Station<Portable>,
        headers: &[[u8; HEADER_LEN]],
        out: &mut [Hash256],
    ) {
        let mut left = (1u32 << headers.len()) - 1;
        while left != 0 {
            let factor = |lane: usize| schedule.factor(time_of(&headers[lane]));
            let first = factor(left.trailing_zeros() as usize);
            let same =
                (0..headers.len()).filter(|lane| left >> lane & 1 == 1 && factor(*lane) == first);
            let members = same.fold(0u32, |members, lane| members | 1 << lane);
            left &= !members;
            let lanes = (0..headers.len()).filter(move |lane| members >> lane & 1 == 1);
            let n = 2usize << first;
            if first > Schedule::MOST_FACTOR {
                lanes.for_each(|lane| out[lane] = NO_HASH);
            } else if members.count_ones() as usize <= K::SINGLE_UP_TO || !Station::<K>::fits(n) {
                lanes.for_each(|lane| single.run(n, std::iter::once(lane), headers, out));
            } else {
                wide.run(n, lanes, headers, out);
            }
        }
    }
}

impl<K: Kernel> Engine for JaneEngine<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn lanes(&self) -> usize {
        K::LANES
    }

    fn scan(
        &mut self,
        header: &[u8; HEADER_LEN],
        first: u32,
        count: u32,
        target: Target,
        hits: &mut Vec<Hit>,
    ) {
        let Self { schedule, wide, single, headers, hashes } = self;
        for done in (0..count).step_by(K::LANES) {
            let taken = (count - done).min(K::LANES as u32) as usize;
            let first = first.wrapping_add(done);
            for (lane, place) in headers[..taken].iter_mut().enumerate() {
                *place = with_nonce(header, first.wrapping_add(lane as u32));
            }
            Self::group(*schedule, wide, single, &headers[..taken], &mut hashes[..taken]);
            for (lane, hash) in hashes[..taken].iter().enumerate() {
                if *hash != NO_HASH && target.is_met_by(hash) {
                    hits.push(Hit { nonce: first.wrapping_add(lane as u32), hash: *hash });
                }
            }
        }
    }

    fn batch(&mut self, headers: &[[u8; HEADER_LEN]], out: &mut [Hash256]) {
        assert_eq!(headers.len(), out.len(), "one hash for each header");
        let Self { schedule, wide, single, .. } = self;
        for (headers, out) in headers.chunks(K::LANES).zip(out.chunks_mut(K::LANES)) {
            Self::group(*schedule, wide, single, headers, out);
        }
    }
}
