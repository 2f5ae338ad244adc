//! The lane types of x86-64.

#[cfg_attr(
    not(test),
    expect(clippy::wildcard_imports, reason = "one long list of instructions")
)]
use std::arch::x86_64::*;

use crate::{
    lanes::{Blocks, Lanes, Line, MOST_LANES},
    sha256,
};

/// Writes a lane type and its proof. What differs between the instruction sets is the list of
/// intrinsics, how a rotation is made, and how blocks of 128 bits are put together.
macro_rules! lanes {
    (
        $(#[$doc:meta])*
        $name:ident($raw:ty), proof $cpu:ident = $feature:tt, width $width:literal,
        splat $splat:ident, load $load:ident, store $store:ident, add $add:ident, xor $xor:ident,
        and $and:ident, shr $shr:ident, low $low:ident, high $high:ident, low_pair $low_pair:ident,
        high_pair $high_pair:ident, shuffle $shuffle:ident,
        rotl |$value:ident| $rotl:expr,
        gather |$from:ident| $gather:expr,
        scatter |$vector:ident, $to:ident| $scatter:expr
        $(, also { $($also:tt)* })?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name($raw);

        /// The proof that this CPU has the instructions: only made by detection.
        #[derive(Clone, Copy)]
        pub(crate) struct $cpu(());

        impl $name {
            /// Asks the CPU.
            pub(crate) fn detect() -> Option<$cpu> {
                std::arch::is_x86_feature_detected!($feature).then_some($cpu(()))
            }

            /// Four vectors, seen as 4 × 4 words in each block of 128 bits, with rows and columns
            /// exchanged.
            #[inline(always)]
            fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
                // SAFETY: a value of this type is only made with the proof of its instructions.
                unsafe {
                    let (ab_low, ab_high) = ($low(a.0, b.0), $high(a.0, b.0));
                    let (cd_low, cd_high) = ($low(c.0, d.0), $high(c.0, d.0));
                    [
                        Self($low_pair(ab_low, cd_low)),
                        Self($high_pair(ab_low, cd_low)),
                        Self($low_pair(ab_high, cd_high)),
                        Self($high_pair(ab_high, cd_high)),
                    ]
                }
            }
        }

        impl Lanes for $name {
            type Cpu = $cpu;

            const WIDTH: usize = $width;
            $($($also)*)?

            #[inline(always)]
            fn splat(_: $cpu, word: u32) -> Self {
                // SAFETY: the proof is given.
                Self(unsafe { $splat(word.cast_signed()) })
            }

            #[inline(always)]
            fn load(_: $cpu, line: &Line) -> Self {
                // SAFETY: the proof is given; a line is as long as the widest vector, and aligned.
                Self(unsafe { $load((&raw const *line).cast()) })
            }

            #[inline(always)]
            fn store(self, line: &mut Line) {
                // SAFETY: a value of this type is only made with the proof of its instructions; a
                // line is as long as the widest vector, and aligned.
                unsafe { $store((&raw mut *line).cast(), self.0) }
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: a value of this type is only made with the proof of its instructions.
                Self(unsafe { $add(self.0, other.0) })
            }

            #[inline(always)]
            fn xor(self, other: Self) -> Self {
                // SAFETY: a value of this type is only made with the proof of its instructions.
                Self(unsafe { $xor(self.0, other.0) })
            }

            #[inline(always)]
            fn and(self, other: Self) -> Self {
                // SAFETY: a value of this type is only made with the proof of its instructions.
                Self(unsafe { $and(self.0, other.0) })
            }

            #[inline(always)]
            fn rotl<const LEFT: u32, const RIGHT: u32>(self) -> Self {
                const { assert!(LEFT + RIGHT == 32, "a rotation keeps all bits") };
                let $value = self.0;
                // SAFETY: a value of this type is only made with the proof of its instructions.
                Self(unsafe { $rotl })
            }

            #[inline(always)]
            fn shr<const BITS: u32>(self) -> Self {
                // SAFETY: a value of this type is only made with the proof of its instructions.
                Self(unsafe { $shr(self.0, bits(BITS)) })
            }

            #[inline(always)]
            unsafe fn load_words(
                cpu: $cpu,
                lanes: &[*mut u32; MOST_LANES],
                at: usize,
            ) -> [Self; 4] {
                // Vector q takes lanes q, q + 4, q + 8, q + 12: then words come out in the order
                // of the lanes.
                // SAFETY: the caller promises four readable words in each lane.
                Self::transpose(unsafe {
                    [
                        Self::load_blocks(cpu, lanes, 0, 4, at),
                        Self::load_blocks(cpu, lanes, 1, 4, at),
                        Self::load_blocks(cpu, lanes, 2, 4, at),
                        Self::load_blocks(cpu, lanes, 3, 4, at),
                    ]
                })
            }

            #[inline(always)]
            unsafe fn store_words(words: [Self; 4], lanes: &[*mut u32; MOST_LANES], at: usize) {
                let [a, b, c, d] = Self::transpose(words);
                // SAFETY: the caller promises four writable words in each lane.
                unsafe {
                    a.store_blocks(lanes, 0, 4, at);
                    b.store_blocks(lanes, 1, 4, at);
                    c.store_blocks(lanes, 2, 4, at);
                    d.store_blocks(lanes, 3, 4, at);
                }
            }

            #[inline(always)]
            fn prefetch(_: $cpu, address: *const u32) {
                // SAFETY: a prefetch reads nothing and cannot fault.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
            }

            #[inline(always)]
            fn compress(cpu: $cpu, state: &mut [Self; 8], block: &[Self; 16]) {
                /// One copy for the sixteen calls of a group.
                #[target_feature(enable = $feature)]
                #[inline(never)]
                fn compress(cpu: $cpu, state: &mut [$name; 8], block: &[$name; 16]) {
                    sha256::compress(cpu, state, block);
                }
                // SAFETY: the proof is given.
                unsafe { compress(cpu, state, block) }
            }
        }

        impl Blocks for $name {
            #[inline(always)]
            unsafe fn load_blocks(
                _: $cpu,
                lanes: &[*mut u32; MOST_LANES],
                first: usize,
                step: usize,
                at: usize,
            ) -> Self {
                // SAFETY: the proof is given; the caller promises four readable, aligned words.
                let $from = |block: usize| unsafe {
                    _mm_load_si128(lanes[first + step * block].add(at).cast())
                };
                Self($gather)
            }

            #[inline(always)]
            unsafe fn store_blocks(
                self,
                lanes: &[*mut u32; MOST_LANES],
                first: usize,
                step: usize,
                at: usize,
            ) {
                let $vector = self.0;
                // SAFETY: the caller promises four writable, aligned words.
                let $to = |block: usize, piece: __m128i| unsafe {
                    _mm_store_si128(lanes[first + step * block].add(at).cast(), piece);
                };
                $scatter
            }

            #[inline(always)]
            fn turn1(self) -> Self {
                // SAFETY: a value of this type is only made with the proof of its instructions.
                Self(unsafe { $shuffle::<0b00_11_10_01>(self.0) })
            }

            #[inline(always)]
            fn turn2(self) -> Self {
                // SAFETY: a value of this type is only made with the proof of its instructions.
                Self(unsafe { $shuffle::<0b01_00_11_10>(self.0) })
            }

            #[inline(always)]
            fn turn3(self) -> Self {
                // SAFETY: a value of this type is only made with the proof of its instructions.
                Self(unsafe { $shuffle::<0b10_01_00_11>(self.0) })
            }
        }
    };
}

/// The count of a shift, known to the compiler, which makes an immediate of it.
#[inline(always)]
fn bits(count: u32) -> __m128i {
    // SAFETY: every x86-64 has SSE2.
    unsafe { _mm_cvtsi32_si128(count.cast_signed()) }
}

lanes! {
    /// 128 bits: every x86-64 has them.
    Sse2(__m128i), proof Sse2Cpu = "sse2", width 4,
    splat _mm_set1_epi32, load _mm_load_si128, store _mm_store_si128, add _mm_add_epi32,
    xor _mm_xor_si128, and _mm_and_si128, shr _mm_srl_epi32, low _mm_unpacklo_epi32,
    high _mm_unpackhi_epi32, low_pair _mm_unpacklo_epi64, high_pair _mm_unpackhi_epi64,
    shuffle _mm_shuffle_epi32,
    rotl |value| _mm_or_si128(_mm_sll_epi32(value, bits(LEFT)), _mm_srl_epi32(value, bits(RIGHT))),
    gather |from| from(0),
    scatter |vector, to| to(0, vector)
}

lanes! {
    /// 128 bits with a rotation in one instruction, for one hash alone, which waits for each of
    /// its own results.
    Avx512Narrow(__m128i), proof Avx512NarrowCpu = "avx512vl", width 4,
    splat _mm_set1_epi32, load _mm_load_si128, store _mm_store_si128, add _mm_add_epi32,
    xor _mm_xor_si128, and _mm_and_si128, shr _mm_srl_epi32, low _mm_unpacklo_epi32,
    high _mm_unpackhi_epi32, low_pair _mm_unpacklo_epi64, high_pair _mm_unpackhi_epi64,
    shuffle _mm_shuffle_epi32,
    rotl |value| _mm_rolv_epi32(value, _mm_set1_epi32(LEFT.cast_signed())),
    gather |from| from(0),
    scatter |vector, to| to(0, vector)
}

lanes! {
    /// 256 bits.
    Avx2(__m256i), proof Avx2Cpu = "avx2", width 8,
    splat _mm256_set1_epi32, load _mm256_load_si256, store _mm256_store_si256,
    add _mm256_add_epi32, xor _mm256_xor_si256, and _mm256_and_si256, shr _mm256_srl_epi32,
    low _mm256_unpacklo_epi32, high _mm256_unpackhi_epi32, low_pair _mm256_unpacklo_epi64,
    high_pair _mm256_unpackhi_epi64, shuffle _mm256_shuffle_epi32,
    rotl |value| _mm256_or_si256(
        _mm256_sll_epi32(value, bits(LEFT)),
        _mm256_srl_epi32(value, bits(RIGHT))
    ),
    gather |from| {
        let (low, high) = (from(0), from(1));
        // SAFETY: the proof is given.
        unsafe { _mm256_set_m128i(high, low) }
    },
    scatter |vector, to| {
        // SAFETY: a value of this type is only made with the proof of its instructions.
        let (low, high) = unsafe {
            (_mm256_castsi256_si128(vector), _mm256_extracti128_si256::<1>(vector))
        };
        to(0, low);
        to(1, high);
    }
}

lanes! {
    /// 512 bits, with a rotation in one instruction.
    Avx512(__m512i), proof Avx512Cpu = "avx512f", width 16,
    splat _mm512_set1_epi32, load _mm512_load_si512, store _mm512_store_si512,
    add _mm512_add_epi32, xor _mm512_xor_si512, and _mm512_and_si512, shr _mm512_srl_epi32,
    low _mm512_unpacklo_epi32, high _mm512_unpackhi_epi32, low_pair _mm512_unpacklo_epi64,
    high_pair _mm512_unpackhi_epi64, shuffle _mm512_shuffle_epi32,
    rotl |value| _mm512_rolv_epi32(value, _mm512_set1_epi32(LEFT.cast_signed())),
    gather |from| {
        let [a, b, c, d] = [from(0), from(1), from(2), from(3)];
        // SAFETY: the proof is given.
        unsafe {
            let ab = _mm512_inserti32x4::<1>(_mm512_castsi128_si512(a), b);
            _mm512_inserti32x4::<3>(_mm512_inserti32x4::<2>(ab, c), d)
        }
    },
    scatter |vector, to| {
        // SAFETY: a value of this type is only made with the proof of its instructions.
        let [a, b, c, d] = unsafe {
            [
                _mm512_castsi512_si128(vector),
                _mm512_extracti32x4_epi32::<1>(vector),
                _mm512_extracti32x4_epi32::<2>(vector),
                _mm512_extracti32x4_epi32::<3>(vector),
            ]
        };
        to(0, a);
        to(1, b);
        to(2, c);
        to(3, d);
    },
    also {
        const REGISTERS: usize = 32;

        #[inline(always)]
        unsafe fn load_line(
            _: Avx512Cpu,
            lanes: &[*mut u32; MOST_LANES],
            at: usize,
        ) -> [Self; 16] {
            // SAFETY: the caller promises the line of each lane.
            let [front, back] = unsafe {
                [Self::load_half_line(lanes, at), Self::load_half_line(lanes, at + 8)]
            };
            let [[a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]] = [front, back];
            [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
        }

        #[inline(always)]
        unsafe fn store_line(words: &[Self; 16], lanes: &[*mut u32; MOST_LANES], at: usize) {
            // Vector q of a part holds four words of the lanes q, q + 4, q + 8, q + 12; of the
            // four parts together these make four whole lines.
            let [a, b, c, d] = [
                Self::transpose([words[0], words[1], words[2], words[3]]),
                Self::transpose([words[4], words[5], words[6], words[7]]),
                Self::transpose([words[8], words[9], words[10], words[11]]),
                Self::transpose([words[12], words[13], words[14], words[15]]),
            ];
            for q in 0..4 {
                let lines = Self::transpose_blocks([a[q], b[q], c[q], d[q]]);
                for (block, line) in lines.into_iter().enumerate() {
                    // SAFETY: the caller promises the line of each lane.
                    unsafe { _mm512_store_si512(lanes[q + 4 * block].add(at).cast(), line.0) };
                }
            }
        }
    }
}

/// How lines of 64 bytes become words by lane, and back: written as whole lines, read as halves,
/// with the fewest instructions that only one of the two ports can do.
impl Avx512 {
    /// Eight neighbouring words of each lane.
    ///
    /// # Safety
    /// The CPU has the instructions; the pointers, moved by `at` words, point to eight readable
    /// words, aligned to 32 bytes.
    #[inline(always)]
    unsafe fn load_half_line(lanes: &[*mut u32; MOST_LANES], at: usize) -> [Self; 8] {
        // SAFETY: the caller promises the words and the instructions.
        let [[a, e], [b, f], [c, g], [d, h]] = unsafe {
            [
                Self::load_eight(lanes, 0, at),
                Self::load_eight(lanes, 1, at),
                Self::load_eight(lanes, 2, at),
                Self::load_eight(lanes, 3, at),
            ]
        };
        let [[a, b, c, d], [e, f, g, h]] =
            [Self::transpose([a, b, c, d]), Self::transpose([e, f, g, h])];
        [a, b, c, d, e, f, g, h]
    }

    /// The first four and the last four of eight words, each of the lanes `first`, `first + 4`,
    /// `first + 8`, `first + 12`.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn load_eight(lanes: &[*mut u32; MOST_LANES], first: usize, at: usize) -> [Self; 2] {
        // SAFETY: as above.
        unsafe {
            let a = _mm256_load_si256(lanes[first].add(at).cast());
            let b = _mm256_load_si256(lanes[first + 4].add(at).cast());
            let c = _mm256_load_si256(lanes[first + 8].add(at).cast());
            let d = _mm256_load_si256(lanes[first + 12].add(at).cast());
            let ab = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b);
            let cd = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(c), d);
            [
                Self(_mm512_shuffle_i32x4::<0b10_00_10_00>(ab, cd)),
                Self(_mm512_shuffle_i32x4::<0b11_01_11_01>(ab, cd)),
            ]
        }
    }

    /// Four vectors, seen as 4 × 4 blocks of 128 bits, with rows and columns exchanged.
    #[inline(always)]
    fn transpose_blocks([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        // SAFETY: a value of this type is only made with the proof of its instructions.
        unsafe {
            let (ab_low, ab_high) = (
                _mm512_shuffle_i32x4::<0b01_00_01_00>(a.0, b.0),
                _mm512_shuffle_i32x4::<0b11_10_11_10>(a.0, b.0),
            );
            let (cd_low, cd_high) = (
                _mm512_shuffle_i32x4::<0b01_00_01_00>(c.0, d.0),
                _mm512_shuffle_i32x4::<0b11_10_11_10>(c.0, d.0),
            );
            [
                Self(_mm512_shuffle_i32x4::<0b10_00_10_00>(ab_low, cd_low)),
                Self(_mm512_shuffle_i32x4::<0b11_01_11_01>(ab_low, cd_low)),
                Self(_mm512_shuffle_i32x4::<0b10_00_10_00>(ab_high, cd_high)),
                Self(_mm512_shuffle_i32x4::<0b11_01_11_01>(ab_high, cd_high)),
            ]
        }
    }
}

lanes! {
    /// 256 bits of a CPU that could have 512: 32 registers, and a rotation in one instruction.
    Avx512Vl(__m256i), proof Avx512VlCpu = "avx512vl", width 8,
    splat _mm256_set1_epi32, load _mm256_load_si256, store _mm256_store_si256,
    add _mm256_add_epi32, xor _mm256_xor_si256, and _mm256_and_si256, shr _mm256_srl_epi32,
    low _mm256_unpacklo_epi32, high _mm256_unpackhi_epi32, low_pair _mm256_unpacklo_epi64,
    high_pair _mm256_unpackhi_epi64, shuffle _mm256_shuffle_epi32,
    rotl |value| _mm256_rolv_epi32(value, _mm256_set1_epi32(LEFT.cast_signed())),
    gather |from| {
        let (low, high) = (from(0), from(1));
        // SAFETY: the proof is given.
        unsafe { _mm256_set_m128i(high, low) }
    },
    scatter |vector, to| {
        // SAFETY: a value of this type is only made with the proof of its instructions.
        let (low, high) = unsafe {
            (_mm256_castsi256_si128(vector), _mm256_extracti128_si256::<1>(vector))
        };
        to(0, low);
        to(1, high);
    },
    also { const REGISTERS: usize = 32; }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane_check::check;

    #[test]
    fn lanes_of_sse2_are_words() {
        check::<Sse2>(Sse2::detect());
    }

    #[test]
    fn lanes_of_narrow_avx512_are_words() {
        check::<Avx512Narrow>(Avx512Narrow::detect());
    }

    #[test]
    fn lanes_of_avx2_are_words() {
        check::<Avx2>(Avx2::detect());
    }

    /// Says nothing on a CPU without these instructions.
    #[test]
    fn lanes_of_avx512_are_words() {
        check::<Avx512>(Avx512::detect());
        check::<Avx512Vl>(Avx512Vl::detect());
    }
}
