use std::sync::Arc;

use sl_pow::{Engine, EngineRow, HEADER_LEN, Hit, NotMade};
use sl_units::{Hash256, Target};

use crate::{
    cores::Cores,
    kdf,
    lanes::{Lanes, Line, MOST_LANES},
    mix::{ChaCha, Mix, Salsa},
    pbkdf2,
    scratch::{NoMemory, Scratch},
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
    type Cpu: Copy + Send + 'static;
    /// The engine's name.
    const NAME: &'static str;
    /// Hashes made side by side.
    const LANES: usize;
    /// What a group costs, however many of its lanes are used: thousands of cycles with N=1024,
    /// on the CPU named in `NOTES.md`. Only the ratios matter, and only to groups that are not
    /// full.
    const COST: u32;

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

impl Group {
    const ZERO: Self =
        Self { header: [Line::ZERO; 20], midstate: [Line::ZERO; 8], hash: [Line::ZERO; 8] };

    fn set_header(&mut self, lane: usize, header: &[u8; HEADER_LEN]) {
        let (front, _) = header.as_chunks::<64>();
        let midstate = kdf::midstate(&front[0]);
        for (line, word) in self.header.iter_mut().zip(words_of::<HEADER_LEN, 20>(header)) {
            line.0[lane] = word;
        }
        for (line, word) in self.midstate.iter_mut().zip(midstate) {
            line.0[lane] = word;
        }
    }

    /// The same header in all lanes.
    ///
    /// Of all that is hashed only this midstate does not depend on the nonce: the header is the
    /// password, too long for a key of HMAC, so its hash is the key, and both pads come from it;
    /// and the header is the salt, hashed behind such a pad.
    fn set_all(&mut self, header: &[u8; HEADER_LEN]) {
        self.set_header(0, header);
        for line in self.header.iter_mut().chain(&mut self.midstate) {
            line.0 = [line.0[0]; MOST_LANES];
        }
    }

    /// The header's last word, as SHA-256 reads the nonce.
    fn set_nonces(&mut self, lanes: usize, first: u32) {
        for (place, nonce) in self.header[19].0[..lanes].iter_mut().zip(0..) {
            *place = first.wrapping_add(nonce).swap_bytes();
        }
    }

    /// The hash's last four bytes as the number's first 32 bits.
    const fn high(&self, lane: usize) -> u32 {
        self.hash[7].0[lane].swap_bytes()
    }

    fn hash(&self, lane: usize) -> Hash256 {
        let mut bytes = [0; 32];
        for (bytes, line) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(&self.hash) {
            *bytes = line.0[lane].to_be_bytes();
        }
        Hash256::from_bytes(bytes)
    }

    /// Header and midstate of the first lane, for kernels with one.
    pub(crate) fn first_lane(&self) -> ([u32; 20], [u32; 8]) {
        (self.header.map(|line| line.0[0]), self.midstate.map(|line| line.0[0]))
    }

    /// The hash of the first lane.
    pub(crate) fn set_first_lane(&mut self, hash: [u32; 8]) {
        for (line, word) in self.hash.iter_mut().zip(hash) {
            line.0[0] = word;
        }
    }
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

/// An engine: its cores, and one piece of memory in which they take turns.
struct KernelEngine {
    name: &'static str,
    n: usize,
    cores: Cores,
    v: Scratch,
    group: Box<Group>,
}

impl Engine for KernelEngine {
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
        let Self { n, cores, v, group, .. } = self;
        let [.., a, b, c, d] = target.to_le_bytes();
        let most = u32::from_le_bytes([a, b, c, d]);
        group.set_all(header);
        let mut done = 0;
        while done < count {
            let (core, taken) = cores.next((count - done) as usize);
            let first = first.wrapping_add(done);
            group.set_nonces(core.lanes, first);
            core.hash(*n, v.lines(core.lines(*n)), group);
            for lane in (0..taken).filter(|lane| group.high(*lane) <= most) {
                let hash = group.hash(lane);
                if target.is_met_by(&hash) {
                    hits.push(Hit { nonce: first.wrapping_add(lane as u32), hash });
                }
            }
            done += taken as u32;
        }
    }

    fn batch(&mut self, mut headers: &[[u8; HEADER_LEN]], mut out: &mut [Hash256]) {
        assert_eq!(headers.len(), out.len(), "one hash for each header");
        let Self { n, cores, v, group, .. } = self;
        while !headers.is_empty() {
            let (core, taken) = cores.next(headers.len());
            let (now, later) = headers.split_at(taken);
            let (hashes, rest) = out.split_at_mut(taken);
            // Lanes beyond the last header hash what an earlier group left there.
            for (lane, header) in now.iter().enumerate() {
                group.set_header(lane, header);
            }
            core.hash(*n, v.lines(core.lines(*n)), group);
            for (lane, hash) in hashes.iter_mut().enumerate() {
                *hash = group.hash(lane);
            }
            (headers, out) = (later, rest);
        }
    }
}

/// What makes something of any kernel.
pub(crate) trait Rows {
    /// What it makes: an engine's row, for an algorithm with its parameters.
    type Row;

    /// The row of this kernel.
    fn row<K: Kernel>(&self) -> Self::Row;
}

/// The row of a kernel, by how its engine is made of its cores.
pub(crate) fn row<K: Kernel>(
    make: impl Fn(Cores) -> Result<Box<dyn Engine>, NoMemory> + Send + Sync + 'static,
) -> EngineRow {
    let engine = K::NAME;
    EngineRow {
        name: engine,
        lanes: K::LANES,
        available: || K::detect().is_some(),
        make: Arc::new(move || {
            let lacks = || NotMade::Unavailable { engine, cause: "this CPU lacks it".to_owned() };
            let cores = Cores::of::<K>().ok_or_else(lacks)?;
            make(cores).map_err(|NoMemory { bytes, cause }| NotMade::NoMemory {
                engine,
                bytes,
                cause,
            })
        }),
    }
}

/// scrypt with r=1, p=1 and this cost, a power of two.
#[derive(Clone, Copy)]
pub(crate) struct Cost(pub(crate) usize);

impl Rows for Cost {
    type Row = EngineRow;

    fn row<K: Kernel>(&self) -> EngineRow {
        let Self(n) = *self;
        row::<K>(move |cores| {
            let v = Scratch::take(cores.wide().lines(n))?;
            Ok(Box::new(KernelEngine { name: K::NAME, n, cores, v, group: Box::new(Group::ZERO) }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels;

    #[test]
    fn an_engine_without_memory_is_an_error_that_says_how_much() {
        for row in
            kernels::rows(&Cost(1 << 48)).iter().chain(&kernels::candidate_rows(&Cost(1 << 48)))
        {
            match (row.make)().map(|engine| engine.name()) {
                Err(NotMade::NoMemory { engine, bytes, cause }) => {
                    assert_eq!((engine, bytes), (row.name, row.lanes << 55));
                    assert!((row.available)() && !cause.is_empty(), "{cause}");
                }
                Err(NotMade::Unavailable { .. }) => assert!(!(row.available)(), "{}", row.name),
                Ok(name) => assert!(name.is_empty(), "{name} has found 2^55 bytes"),
            }
        }
    }
}
