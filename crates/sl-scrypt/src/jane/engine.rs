use sl_pow::{Engine, EngineRow, HEADER_LEN, Hit, time_of, with_nonce};
use sl_units::{Hash256, Target};

use super::{Schedule, kdf::Keyed};
use crate::{
    algorithm::NO_HASH,
    cores::Cores,
    engine::{self, Kernel, MOST_GROUP_MEMORY, Rows},
    lanes::{Line, MOST_LANES},
    scratch::{NoMemory, Scratch},
};

/// The engines of scrypt-jane by a schedule.
pub(super) struct Jane(pub(super) Schedule);

impl Rows for Jane {
    type Row = EngineRow;

    fn row<K: Kernel>(&self) -> EngineRow {
        let Self(schedule) = *self;
        engine::row::<K>(move |cores| {
            let v = Scratch::take(cores.wide().lines(2 << schedule.least()))?;
            let station = Station {
                v,
                words: Box::new([Line::ZERO; 32]),
                keyed: [const { None }; MOST_LANES],
            };
            let headers = vec![[0; HEADER_LEN]; K::LANES];
            let hashes = vec![NO_HASH; K::LANES];
            Ok(Box::new(JaneEngine { name: K::NAME, schedule, cores, station, headers, hashes }))
        })
    }
}

/// Memory of a group. V is exchanged for a larger one when a header's time asks for a larger N
/// (after that, and for months of header time, nothing is taken), and for a smaller one when far
/// less is asked for than is held.
struct Station {
    v: Scratch,
    words: Box<[Line; 32]>,
    keyed: [Option<Keyed>; MOST_LANES],
}

/// More lines than this are not held for a group that needs a quarter of them: 16 MiB.
const MANY_LINES: usize = (16 << 20) / size_of::<Line>();

impl Station {
    fn memory(&mut self, lines: usize) -> Result<&mut [Line], NoMemory> {
        let held = self.v.len();
        if held < lines || held > MANY_LINES && held / 4 > lines {
            // What is held goes first: the two together may be too much.
            self.v = Scratch::take(0)?;
            self.v = Scratch::take(lines)?;
        }
        Ok(self.v.lines(lines))
    }

    /// The header of a lane, keyed and derived.
    fn set(&mut self, lane: usize, header: &[u8; HEADER_LEN]) {
        let keyed = Keyed::new(header);
        let mut bytes = [0; 128];
        keyed.derive(header, &mut bytes);
        for (line, word) in self.words.iter_mut().zip(bytes.as_chunks::<4>().0) {
            line.0[lane] = u32::from_le_bytes(*word);
        }
        self.keyed[lane] = Some(keyed);
    }

    /// The hash of a lane that has been set and mixed.
    fn hash(&self, lane: usize) -> Hash256 {
        let Some(keyed) = &self.keyed[lane] else { return NO_HASH };
        let mut bytes = [0; 128];
        for (line, word) in self.words.iter().zip(bytes.as_chunks_mut::<4>().0) {
            *word = line.0[lane].to_le_bytes();
        }
        let mut hash = [0; 32];
        keyed.derive(&bytes, &mut hash);
        Hash256::from_bytes(hash)
    }
}

/// An engine over its cores: groups of headers with the same N.
struct JaneEngine {
    name: &'static str,
    schedule: Schedule,
    cores: Cores,
    station: Station,
    headers: Vec<[u8; HEADER_LEN]>,
    hashes: Vec<Hash256>,
}

/// At most `LANES` headers, in groups with the same N.
fn group(
    schedule: Schedule,
    cores: &Cores,
    station: &mut Station,
    headers: &[[u8; HEADER_LEN]],
    out: &mut [Hash256],
) {
    let mut left = (1u32 << headers.len()) - 1;
    while left != 0 {
        let factor = |lane: usize| schedule.factor(time_of(&headers[lane]));
        let first = factor(left.trailing_zeros() as usize);
        let same =
            (0..headers.len()).filter(|lane| left >> lane & 1 == 1 && factor(*lane) == first);
        let mut members = same.fold(0u32, |members, lane| members | 1 << lane);
        left &= !members;
        if first > Schedule::MOST_FACTOR {
            places(members).for_each(|lane| out[lane] = NO_HASH);
            continue;
        }
        let n = 2usize << first;
        let mut most_lanes = MOST_GROUP_MEMORY / (n * 128);
        while members != 0 {
            let (core, taken) = cores.next_within(members.count_ones() as usize, most_lanes);
            let lines = core.lines(n);
            if station.memory(lines).is_err() {
                // Less memory has fewer lanes; without any there is no hash.
                if core.lanes == 1 {
                    places(members).for_each(|lane| out[lane] = NO_HASH);
                    break;
                }
                most_lanes = core.lanes - 1;
                continue;
            }
            // In the wide core each header stays in its own lane, so that the self-test, whose
            // headers differ in N, sees all lanes work.
            let slot = |at: usize, lane: usize| {
                if core.lanes == cores.wide().lanes { lane } else { at }
            };
            let now = places(members).take(taken).fold(0u32, |now, lane| now | 1 << lane);
            for (at, lane) in places(now).enumerate() {
                station.set(slot(at, lane), &headers[lane]);
            }
            let v = station.v.lines(lines);
            core.mix_chacha(n, v, &mut station.words);
            for (at, lane) in places(now).enumerate() {
                out[lane] = station.hash(slot(at, lane));
            }
            members &= !now;
        }
    }
}

/// The places of the bits that are set.
fn places(bits: u32) -> impl Iterator<Item = usize> {
    (0..32).filter(move |place| bits >> place & 1 == 1)
}

impl Engine for JaneEngine {
    fn name(&self) -> &'static str {
        self.name
    }

    fn lanes(&self) -> usize {
        self.cores.wide().lanes
    }

    fn scan(
        &mut self,
        header: &[u8; HEADER_LEN],
        first: u32,
        count: u32,
        target: Target,
        hits: &mut Vec<Hit>,
    ) {
        let Self { schedule, cores, station, headers, hashes, .. } = self;
        let lanes = cores.wide().lanes;
        for done in (0..count).step_by(lanes) {
            let taken = lanes.min((count - done) as usize);
            let first = first.wrapping_add(done);
            for (lane, place) in headers[..taken].iter_mut().enumerate() {
                *place = with_nonce(header, first.wrapping_add(lane as u32));
            }
            group(*schedule, cores, station, &headers[..taken], &mut hashes[..taken]);
            for (lane, hash) in hashes[..taken].iter().enumerate() {
                if *hash != NO_HASH && target.is_met_by(hash) {
                    hits.push(Hit { nonce: first.wrapping_add(lane as u32), hash: *hash });
                }
            }
        }
    }

    fn batch(&mut self, headers: &[[u8; HEADER_LEN]], out: &mut [Hash256]) {
        assert_eq!(headers.len(), out.len(), "one hash for each header");
        let Self { schedule, cores, station, .. } = self;
        let lanes = cores.wide().lanes;
        for (headers, out) in headers.chunks(lanes).zip(out.chunks_mut(lanes)) {
            group(*schedule, cores, station, headers, out);
        }
    }
}
