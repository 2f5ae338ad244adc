//! One hash alone: what a share that comes alone waits for. PBKDF2 word by word (with the CPU's
//! SHA instructions, if it has them), ROMix in one stream of 128-bit rows: four quarter rounds in
//! each instruction, where the portable kernel makes them one after the other.

use crate::{
    engine::{Group, Kernel},
    lanes::{Blocks, Lanes, Line},
    mix::{ChaCha, Salsa},
    pbkdf2,
    rows::mix_one,
};

#[inline(always)]
fn hash_one<L: Blocks>(cpu: L::Cpu, n: usize, v: &mut [Line], group: &mut Group) {
    let (header, midstate) = group.first_lane();
    let (keyed, mut x) = pbkdf2::first((), &header, midstate);
    mix_one::<Salsa, L>(cpu, n, v, &mut x);
    group.set_first_lane(pbkdf2::second((), &keyed, &x));
}

#[inline(always)]
fn mix_chacha_one<L: Blocks>(cpu: L::Cpu, n: usize, v: &mut [Line], words: &mut [Line; 32]) {
    let mut x = words.map(|line| line.0[0]);
    mix_one::<ChaCha, L>(cpu, n, v, &mut x);
    for (line, word) in words.iter_mut().zip(x) {
        line.0[0] = word;
    }
}

/// Writes the kernel of a lane type of 128 bits.
macro_rules! single {
    (
        $(#[$doc:meta])*
        $name:ident = $text:literal, $lanes:ty, cost: $cost:literal, feature: $feature:literal
    ) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl Kernel for $name {
            type Cpu = <$lanes as Lanes>::Cpu;
            const NAME: &'static str = $text;
            const LANES: usize = 1;
            const COST: u32 = $cost;

            fn detect() -> Option<Self::Cpu> {
                <$lanes>::detect()
            }

            fn hash(cpu: Self::Cpu, n: usize, v: &mut [Line], group: &mut Group) {
                #[target_feature(enable = $feature)]
                fn enter(
                    cpu: <$lanes as Lanes>::Cpu,
                    n: usize,
                    v: &mut [Line],
                    group: &mut Group,
                ) {
                    hash_one::<$lanes>(cpu, n, v, group);
                }
                // SAFETY: `cpu` is only made by detecting this feature.
                unsafe { enter(cpu, n, v, group) }
            }

            fn mix_chacha(cpu: Self::Cpu, n: usize, v: &mut [Line], words: &mut [Line; 32]) {
                #[target_feature(enable = $feature)]
                fn enter(
                    cpu: <$lanes as Lanes>::Cpu,
                    n: usize,
                    v: &mut [Line],
                    words: &mut [Line; 32],
                ) {
                    mix_chacha_one::<$lanes>(cpu, n, v, words);
                }
                // SAFETY: `cpu` is only made by detecting this feature.
                unsafe { enter(cpu, n, v, words) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
single! {
    /// Any x86-64.
    Sse2One = "sse2-one", crate::x86::Sse2, cost: 540, feature: "sse2"
}

#[cfg(target_arch = "x86_64")]
single! {
    /// Three steps where SSE2 takes four: a rotation is one instruction.
    Avx512One = "avx512-one", crate::x86::Avx512Narrow, cost: 430, feature: "avx512vl"
}

#[cfg(target_arch = "aarch64")]
single! {
    /// Any aarch64 of today. Its cost is a guess, as those of the other NEON kernels.
    NeonOne = "neon-one", crate::neon::Neon, cost: 540, feature: "neon"
}
