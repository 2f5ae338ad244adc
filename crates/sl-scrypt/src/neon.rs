//! The lane type of aarch64. Tested in an emulator only (`NOTES.md`): right, and of unknown speed.

use std::arch::{
    aarch64::{
        uint32x4_t, vaddq_u32, vandq_u32, vdupq_n_s32, vdupq_n_u32, veorq_u32, vextq_u32,
        vld1q_u32, vreinterpretq_u16_u32, vreinterpretq_u32_u16, vreinterpretq_u32_u64,
        vreinterpretq_u64_u32, vrev32q_u16, vshlq_n_u32, vshlq_u32, vsriq_n_u32, vst1q_u32,
        vtrn1q_u32, vtrn1q_u64, vtrn2q_u32, vtrn2q_u64,
    },
    asm,
};

use crate::{
    lanes::{Blocks, Lanes, Line, MOST_LANES},
    sha256,
};

/// 128 bits.
#[derive(Clone, Copy)]
pub(crate) struct Neon(uint32x4_t);

/// The proof that this CPU has the instructions: only made by detection.
#[derive(Clone, Copy)]
pub(crate) struct NeonCpu(());

/// A rotation to the left by a count that the compiler knows: a shift, and a shift that inserts
/// (SHL, SRI). Their counts must be literals, so there is an arm for each.
macro_rules! rotate {
    ($value:expr, $count:expr, $($left:literal $right:literal),+) => {
        match $count {
            // Half words change places: one instruction.
            16 => vreinterpretq_u32_u16(vrev32q_u16(vreinterpretq_u16_u32($value))),
            $($left => vsriq_n_u32::<$right>(vshlq_n_u32::<$left>($value), $value),)+
            _ => unreachable!("asserted where it is called"),
        }
    };
}

impl Neon {
    /// Asks the CPU.
    pub(crate) fn detect() -> Option<NeonCpu> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(NeonCpu(()))
    }

    /// Four vectors as 4 × 4 words, with rows and columns exchanged.
    #[inline(always)]
    fn transpose([a, b, c, d]: [Self; 4]) -> [Self; 4] {
        // SAFETY: a value of this type is only made with the proof of its instructions.
        unsafe {
            let [ab_even, ab_odd] = [vtrn1q_u32(a.0, b.0), vtrn2q_u32(a.0, b.0)];
            let [cd_even, cd_odd] = [vtrn1q_u32(c.0, d.0), vtrn2q_u32(c.0, d.0)];
            let [ab_even, ab_odd, cd_even, cd_odd] = [
                vreinterpretq_u64_u32(ab_even),
                vreinterpretq_u64_u32(ab_odd),
                vreinterpretq_u64_u32(cd_even),
                vreinterpretq_u64_u32(cd_odd),
            ];
            [
                Self(vreinterpretq_u32_u64(vtrn1q_u64(ab_even, cd_even))),
                Self(vreinterpretq_u32_u64(vtrn1q_u64(ab_odd, cd_odd))),
                Self(vreinterpretq_u32_u64(vtrn2q_u64(ab_even, cd_even))),
                Self(vreinterpretq_u32_u64(vtrn2q_u64(ab_odd, cd_odd))),
            ]
        }
    }
}

impl Lanes for Neon {
    type Cpu = NeonCpu;

    const WIDTH: usize = 4;

    #[inline(always)]
    fn splat(_: NeonCpu, word: u32) -> Self {
        // SAFETY: the proof is given.
        Self(unsafe { vdupq_n_u32(word) })
    }

    #[inline(always)]
    fn load(_: NeonCpu, line: &Line) -> Self {
        // SAFETY: the proof is given; a line has four words and more.
        Self(unsafe { vld1q_u32(line.0.as_ptr()) })
    }

    #[inline(always)]
    fn store(self, line: &mut Line) {
        // SAFETY: a value of this type is only made with the proof of its instructions; a line
        // has four words and more.
        unsafe { vst1q_u32(line.0.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: a value of this type is only made with the proof of its instructions.
        Self(unsafe { vaddq_u32(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: a value of this type is only made with the proof of its instructions.
        Self(unsafe { veorq_u32(self.0, other.0) })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: a value of this type is only made with the proof of its instructions.
        Self(unsafe { vandq_u32(self.0, other.0) })
    }

    #[inline(always)]
    fn rotl<const LEFT: u32, const RIGHT: u32>(self) -> Self {
        const { assert!(LEFT + RIGHT == 32 && LEFT > 0 && RIGHT > 0, "a rotation keeps all bits") };
        // SAFETY: a value of this type is only made with the proof of its instructions.
        Self(unsafe {
            rotate!(
                self.0, LEFT, 1 31, 2 30, 3 29, 4 28, 5 27, 6 26, 7 25, 8 24, 9 23, 10 22, 11 21,
                12 20, 13 19, 14 18, 15 17, 17 15, 18 14, 19 13, 20 12, 21 11, 22 10, 23 9, 24 8,
                25 7, 26 6, 27 5, 28 4, 29 3, 30 2, 31 1
            )
        })
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        // SAFETY: a value of this type is only made with the proof of its instructions. A shift
        // to the left by less than nothing: the compiler makes USHR of it.
        Self(unsafe { vshlq_u32(self.0, vdupq_n_s32(-BITS.cast_signed())) })
    }

    #[inline(always)]
    unsafe fn load_words(cpu: NeonCpu, lanes: &[*mut u32; MOST_LANES], at: usize) -> [Self; 4] {
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
        for (lane, block) in Self::transpose(words).into_iter().enumerate() {
            // SAFETY: the caller promises four writable words in each lane.
            unsafe { block.store_blocks(lanes, lane, 4, at) };
        }
    }

    #[inline(always)]
    fn prefetch(_: NeonCpu, address: *const u32) {
        // SAFETY: a prefetch reads nothing and cannot fault.
        unsafe {
            asm!(
                "prfm pldl1keep, [{0}]", in(reg) address,
                options(nostack, readonly, preserves_flags)
            );
        }
    }

    #[inline(always)]
    fn compress(cpu: NeonCpu, state: &mut [Self; 8], block: &[Self; 16]) {
        /// One copy for the sixteen calls of a group.
        #[target_feature(enable = "neon")]
        #[inline(never)]
        fn compress(cpu: NeonCpu, state: &mut [Neon; 8], block: &[Neon; 16]) {
            sha256::compress(cpu, state, block);
        }
        // SAFETY: the proof is given.
        unsafe { compress(cpu, state, block) }
    }
}

impl Blocks for Neon {
    #[inline(always)]
    unsafe fn load_blocks(
        _: NeonCpu,
        lanes: &[*mut u32; MOST_LANES],
        first: usize,
        _: usize,
        at: usize,
    ) -> Self {
        // SAFETY: the proof is given; the caller promises four readable words.
        Self(unsafe { vld1q_u32(lanes[first].add(at)) })
    }

    #[inline(always)]
    unsafe fn store_blocks(
        self,
        lanes: &[*mut u32; MOST_LANES],
        first: usize,
        _: usize,
        at: usize,
    ) {
        // SAFETY: a value of this type is only made with the proof of its instructions; the
        // caller promises four writable words.
        unsafe { vst1q_u32(lanes[first].add(at), self.0) }
    }

    #[inline(always)]
    fn turn1(self) -> Self {
        // SAFETY: a value of this type is only made with the proof of its instructions.
        Self(unsafe { vextq_u32::<1>(self.0, self.0) })
    }

    #[inline(always)]
    fn turn2(self) -> Self {
        // SAFETY: a value of this type is only made with the proof of its instructions.
        Self(unsafe { vextq_u32::<2>(self.0, self.0) })
    }

    #[inline(always)]
    fn turn3(self) -> Self {
        // SAFETY: a value of this type is only made with the proof of its instructions.
        Self(unsafe { vextq_u32::<3>(self.0, self.0) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_of_neon_are_words() {
        crate::lane_check::check::<Neon>(Neon::detect());
    }
}
