use std::sync::Arc;

use sl_pow::{Engine, EngineRow, HEADER_LEN, Hit};
use sl_units::{Hash256, Target};

use crate::{
    kdf,
    kernels::Portable,
    lanes::{Lanes, Line},
    mix::{ChaCha, Mix, Salsa},
    pbkdf2,
    sha256::words_of,
};

/// The most memory of a group: a kernel that would need more hashes one by one.
pub(crate) const MOST_GROUP_MEMORY: usize = 256 << 20;

/// One way to lay out the memory of ROMix, written for any lane type.
pub(crate) trait Layout<L: Lanes> {
    /// Hashes mixed side by side, at most `L::WIDTH`. Each needs two lines a step in `v`.
    const LANES: usize;

    /// Mixes the 32 words of each lane `2 × n` times; `n` is a power of two, and `v` has
    /// `n × LANES × 2` lines.
    fn romix<M: Mix>(cpu: L::Cpu, n: usize, v: &mut [Line], x: &mut [L; 32]);
}

/// One engine: a lane type, a layout, and the CPU's features under which they are compiled.
pub(crate) trait Kernel: 'static {
    /// The proof that this CPU can run it.
    type Cpu: Copy + Send;
    /// The engine's name.
    const NAME: &'static str;
    /// Hashes made side by side.
    const LANES: usize;
    /// Up to so many headers are cheaper one by one in the portable kernel than in one group.
    const SINGLE_UP_TO: usize;

    /// Asks the CPU.
    fn detect() -> Option<Self::Cpu>;

    /// Hashes a group by scrypt with the cost `n`. `v` has `n × LANES × 2` lines.
    fn hash(cpu: Self::Cpu, n: usize, v: &mut [Line], group: &mut Group);

    /// ROMix alone, by ChaCha20/8, of the 32 words `line[lane]`. `v` as above.
    fn mix_chacha(cpu: Self::Cpu, n: usize, v: &mut [Line], words: &mut [Line; 32]);
}

/// Headers of one group and their hashes, word by word: `line[lane]`.
pub(crate) struct Group {
    header: [Line; 20],
    midstate: [Line; 8],
    hash: [Line; 8],
}

/// PBKDF2, ROMix, PBKDF2 in the same lanes. To be called from a kernel's function, which enables
/// the features.
#[inline(always)]
pub(crate) fn hash_group<L: Lanes, M: Layout<L>>(
    cpu: L::Cpu,
    n: usize,
    v: &mut [Line],
    group: &mut Group,
) {
    let mut header = [L::splat(cpu, 0); 20];
    for (word, line) in header.iter_mut().zip(&group.header) {
        *word = L::load(cpu, line);
    }
    let mut midstate = [L::splat(cpu, 0); 8];
    for (word, line) in midstate.iter_mut().zip(&group.midstate) {
        *word = L::load(cpu, line);
    }
    let (keyed, mut x) = pbkdf2::first(cpu, &header, midstate);
    M::romix::<Salsa>(cpu, n, v, &mut x);
    let hash = pbkdf2::second(cpu, &keyed, &x);
    for (word, line) in hash.into_iter().zip(&mut group.hash) {
        word.store(line);
    }
}

/// ROMix by ChaCha20/8. To be called as the one before.
#[inline(always)]
pub(crate) fn mix_group<L: Lanes, M: Layout<L>>(
    cpu: L::Cpu,
    n: usize,
    v: &mut [Line],
    words: &mut [Line; 32],
) {
    let mut x = [L::splat(cpu, 0); 32];
    for (word, line) in x.iter_mut().zip(&*words) {
        *word = L::load(cpu, line);
    }
    M::romix::<ChaCha>(cpu, n, v, &mut x);
    for (word, line) in x.into_iter().zip(words) {
        word.store(line);
    }
}

/// A kernel with its memory, taken once.
struct Station<K: Kernel> {
    cpu: K::Cpu,
    n: usize,
    v: Vec<Line>,
    group: Box<Group>,
}

impl<K: Kernel> Station<K> {
    fn new(cpu: K::Cpu, n: usize) -> Self {
        let group =
            Group { header: [Line::ZERO; 20], midstate: [Line::ZERO; 8], hash: [Line::ZERO; 8] };
        Self { cpu, n, v: vec![Line::ZERO; n * K::LANES * 2], group: Box::new(group) }
    }

    fn set_header(&mut self, lane: usize, header: &[u8; HEADER_LEN]) {
        let (front, _) = header.as_chunks::<64>();
        let midstate = kdf::midstate(&front[0]);
        self.set_words(lane, &words_of(header), &midstate);
    }

    fn set_words(&mut self, lane: usize, words: &[u32; 20], midstate: &[u32; 8]) {
        for (line, word) in self.group.header.iter_mut().zip(words) {
            line.0[lane] = *word;
        }
        for (line, word) in self.group.midstate.iter_mut().zip(midstate) {
            line.0[lane] = *word;
        }
    }

    /// The header's last word, as SHA-256 reads the nonce.
    fn set_nonce(&mut self, lane: usize, nonce: u32) {
        self.group.header[19].0[lane] = nonce.swap_bytes();
    }

    fn run(&mut self) {
        K::hash(self.cpu, self.n, &mut self.v, &mut self.group);
    }

    /// The hash's last four bytes as the number's first 32 bits.
    fn high(&self, lane: usize) -> u32 {
        self.group.hash[7].0[lane].swap_bytes()
    }

    fn hash(&self, lane: usize) -> Hash256 {
        let mut bytes = [0; 32];
        for (bytes, line) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(&self.group.hash) {
            *bytes = line.0[lane].to_be_bytes();
        }
        Hash256::from_bytes(bytes)
    }

    /// The same header in all lanes; nonces are set by [`scan`](Self::scan).
    fn set_scan(&mut self, header: &[u8; HEADER_LEN]) {
        let (front, _) = header.as_chunks::<64>();
        let (words, midstate) = (words_of(header), kdf::midstate(&front[0]));
        for lane in 0..K::LANES {
            self.set_words(lane, &words, &midstate);
        }
    }

    /// One group of `count ≤ LANES` nonces.
    fn scan(&mut self, first: u32, count: u32, target: Target, hits: &mut Vec<Hit>) {
        for lane in 0..K::LANES {
            self.set_nonce(lane, first.wrapping_add(lane as u32));
        }
        self.run();
        let [.., a, b, c, d] = target.to_le_bytes();
        let most = u32::from_le_bytes([a, b, c, d]);
        for lane in 0..count {
            if self.high(lane as usize) <= most {
                let hash = self.hash(lane as usize);
                if target.is_met_by(&hash) {
                    hits.push(Hit { nonce: first.wrapping_add(lane), hash });
                }
            }
        }
    }
}

/// An engine over a kernel, with a portable kernel beside it for groups that are hardly filled.
struct KernelEngine<K: Kernel> {
    wide: Station<K>,
    single: Station<Portable>,
}

impl<K: Kernel> KernelEngine<K> {
    /// Whether `count` headers that are left are cheaper one by one.
    const fn one_by_one(count: usize) -> bool {
        count <= K::SINGLE_UP_TO
    }
}

impl<K: Kernel> Engine for KernelEngine<K> {
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
        let lanes = K::LANES as u32;
        let rest = if Self::one_by_one((count % lanes) as usize) { count % lanes } else { 0 };
        let grouped = count - rest;
        self.wide.set_scan(header);
        for done in (0..grouped).step_by(K::LANES) {
            let taken = lanes.min(grouped - done);
            self.wide.scan(first.wrapping_add(done), taken, target, hits);
        }
        self.single.set_scan(header);
        for done in grouped..count {
            self.single.scan(first.wrapping_add(done), 1, target, hits);
        }
    }

    fn batch(&mut self, headers: &[[u8; HEADER_LEN]], out: &mut [Hash256]) {
        assert_eq!(headers.len(), out.len(), "one hash for each header");
        for (headers, out) in headers.chunks(K::LANES).zip(out.chunks_mut(K::LANES)) {
            if Self::one_by_one(headers.len()) {
                for (header, hash) in headers.iter().zip(out) {
                    self.single.set_header(0, header);
                    self.single.run();
                    *hash = self.single.hash(0);
                }
                continue;
            }
            // Lanes beyond the last header hash what an earlier group left there.
            for (lane, header) in headers.iter().enumerate() {
                self.wide.set_header(lane, header);
            }
            self.wide.run();
            for (lane, hash) in out.iter_mut().enumerate() {
                *hash = self.wide.hash(lane);
            }
        }
    }
}

/// What makes a row of any kernel: an algorithm with its parameters.
pub(crate) trait Rows {
    /// The engine of this algorithm over the kernel.
    fn row<K: Kernel>(&self) -> EngineRow;
}

/// scrypt with r=1, p=1 and this cost, a power of two.
#[derive(Clone, Copy)]
pub(crate) struct Cost(pub(crate) usize);

impl Rows for Cost {
    fn row<K: Kernel>(&self) -> EngineRow {
        let Self(n) = *self;
        EngineRow {
            name: K::NAME,
            lanes: K::LANES,
            available: || K::detect().is_some(),
            make: Arc::new(move || {
                let cpu = K::detect().expect("an engine is only made where it is available");
                let (wide, single) = (Station::new(cpu, n), Station::new((), n));
                Ok(Box::new(KernelEngine::<K> { wide, single }))
            }),
        }
    }
}
