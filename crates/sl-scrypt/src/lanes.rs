//! What the kernels ask of a vector of 32-bit words.

use crate::kdf;

/// The widest vector there is, in words. Matrices that hold one row per word have rows this long,
/// whatever the width of the engine.
pub(crate) const MOST_LANES: usize = 16;

/// One word of each lane, side by side.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [u32; MOST_LANES]);

impl Line {
    pub(crate) const ZERO: Self = Self([0; MOST_LANES]);
}

/// A vector of 32-bit words, one for each lane.
///
/// A value exists only where the CPU has the instructions for it: all constructors ask for
/// [`Cpu`](Self::Cpu), which is only made by detection. That is why arithmetic is safe.
///
/// Everything here and in the generic kernels is `inline(always)`, so that it ends up inside of
/// the one function of each engine that enables the CPU's features.
pub(crate) trait Lanes: Copy {
    /// The proof that this CPU can do it. Of no size.
    type Cpu: Copy + Send + 'static;

    /// Lanes: 1 to [`MOST_LANES`].
    const WIDTH: usize;

    /// Registers of this width. Where there are 32, the four quarter rounds that are independent
    /// of each other go step by step together; where there are 16, one after the other.
    const REGISTERS: usize = 16;

    /// The same word in each lane.
    fn splat(cpu: Self::Cpu, word: u32) -> Self;
    /// The first `WIDTH` words.
    fn load(cpu: Self::Cpu, line: &Line) -> Self;
    /// Into the first `WIDTH` words.
    fn store(self, line: &mut Line);
    /// Sum, modulo 2³².
    fn add(self, other: Self) -> Self;
    /// Bits in one of the two.
    fn xor(self, other: Self) -> Self;
    /// Bits in both.
    fn and(self, other: Self) -> Self;
    /// Rotation to the left; `RIGHT` is 32 − `LEFT` (the compiler cannot count in types yet).
    fn rotl<const LEFT: u32, const RIGHT: u32>(self) -> Self;
    /// Shift to the right.
    fn shr<const BITS: u32>(self) -> Self;

    /// Four neighbouring words of each lane: element `m` of the answer holds word `at + m`.
    ///
    /// # Safety
    /// The first `WIDTH` pointers, moved by `at` words, point to four readable words, aligned to
    /// 16 bytes.
    unsafe fn load_words(cpu: Self::Cpu, lanes: &[*mut u32; MOST_LANES], at: usize) -> [Self; 4];

    /// Writes what [`load_words`](Self::load_words) reads.
    ///
    /// # Safety
    /// The first `WIDTH` pointers, moved by `at` words, point to four writable words that nobody
    /// else refers to, aligned to 16 bytes.
    unsafe fn store_words(words: [Self; 4], lanes: &[*mut u32; MOST_LANES], at: usize);

    /// Sixteen neighbouring words of each lane, half of a lookup.
    ///
    /// # Safety
    /// The first `WIDTH` pointers, moved by `at` words, point to a readable line of 16 words,
    /// aligned to 64 bytes.
    #[inline(always)]
    unsafe fn load_line(cpu: Self::Cpu, lanes: &[*mut u32; MOST_LANES], at: usize) -> [Self; 16] {
        let mut words = [Self::splat(cpu, 0); 16];
        for (four, part) in words.as_chunks_mut::<4>().0.iter_mut().zip((at..).step_by(4)) {
            // SAFETY: four words of the line that the caller promises.
            *four = unsafe { Self::load_words(cpu, lanes, part) };
        }
        words
    }

    /// Writes what [`load_line`](Self::load_line) reads.
    ///
    /// # Safety
    /// The first `WIDTH` pointers, moved by `at` words, point to a writable line of 16 words that
    /// nobody else refers to, aligned to 64 bytes.
    #[inline(always)]
    unsafe fn store_line(words: &[Self; 16], lanes: &[*mut u32; MOST_LANES], at: usize) {
        for (four, part) in words.as_chunks::<4>().0.iter().zip((at..).step_by(4)) {
            // SAFETY: four words of the line that the caller promises.
            unsafe { Self::store_words(*four, lanes, part) };
        }
    }

    /// Hints that the line at this address will be read soon; any address is allowed.
    fn prefetch(_cpu: Self::Cpu, _address: *const u32) {}

    /// One compression of SHA-256 in each lane: words as the standard counts them.
    fn compress(cpu: Self::Cpu, state: &mut [Self; 8], block: &[Self; 16]);

    /// Each word with its bytes in reversed order.
    #[inline(always)]
    fn swap_bytes(self, cpu: Self::Cpu) -> Self {
        let even = self.rotl::<8, 24>().and(Self::splat(cpu, 0x00ff_00ff));
        let odd = self.rotl::<24, 8>().and(Self::splat(cpu, 0xff00_ff00));
        even.xor(odd)
    }
}

/// A vector whose words are seen as blocks of four: the rows of `WIDTH / 4` hashes.
pub(crate) trait Blocks: Lanes {
    /// Loads a block from each of `lanes[first]`, `lanes[first + step]`, and so on.
    ///
    /// # Safety
    /// Those pointers, moved by `at` words, point to four readable words, aligned to 16 bytes.
    unsafe fn load_blocks(
        cpu: Self::Cpu,
        lanes: &[*mut u32; MOST_LANES],
        first: usize,
        step: usize,
        at: usize,
    ) -> Self;

    /// Stores the blocks.
    ///
    /// # Safety
    /// Those pointers, moved by `at` words, point to four writable words that nobody else refers
    /// to, aligned to 16 bytes.
    unsafe fn store_blocks(
        self,
        lanes: &[*mut u32; MOST_LANES],
        first: usize,
        step: usize,
        at: usize,
    );

    /// In each block, word `i` is what word `i + 1` was.
    fn turn1(self) -> Self;
    /// In each block, word `i` is what word `i + 2` was.
    fn turn2(self) -> Self;
    /// In each block, word `i` is what word `i + 3` was.
    fn turn3(self) -> Self;
}

/// One lane needs no proof.
impl Lanes for u32 {
    type Cpu = ();

    const WIDTH: usize = 1;

    #[inline(always)]
    fn splat((): (), word: u32) -> Self {
        word
    }

    #[inline(always)]
    fn load((): (), line: &Line) -> Self {
        line.0[0]
    }

    #[inline(always)]
    fn store(self, line: &mut Line) {
        line.0[0] = self;
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }

    #[inline(always)]
    fn rotl<const LEFT: u32, const RIGHT: u32>(self) -> Self {
        self.rotate_left(LEFT)
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        self >> BITS
    }

    #[inline(always)]
    unsafe fn load_words((): (), lanes: &[*mut u32; MOST_LANES], at: usize) -> [Self; 4] {
        // SAFETY: the caller promises four readable words.
        unsafe { lanes[0].add(at).cast::<[u32; 4]>().read() }
    }

    #[inline(always)]
    unsafe fn store_words(words: [Self; 4], lanes: &[*mut u32; MOST_LANES], at: usize) {
        // SAFETY: the caller promises four writable words.
        unsafe { lanes[0].add(at).cast::<[u32; 4]>().write(words) }
    }

    #[inline(always)]
    fn compress((): (), state: &mut [Self; 8], block: &[Self; 16]) {
        kdf::compress_one(state, block);
    }
}
