//! The engines, each a row: name, lane type, layout, and the CPU's features it is compiled for.

use crate::{
    Params,
    engine::{self, Cost, Group, Kernel, Layout, hash_group, mix_group},
    lanes::{Lanes, Line},
    soa::Soa,
};
#[cfg(target_arch = "aarch64")]
use crate::{neon::Neon, rows::Rows, single::NeonOne};
#[cfg(target_arch = "x86_64")]
use crate::{
    rows::Rows,
    single::{Avx512One, Sse2One},
    x86::{Avx2, Avx512, Avx512Vl, Sse2},
};
use sl_pow::EngineRow;

/// Writes a kernel. Only here the CPU's features are enabled; the generic code is inlined.
macro_rules! kernel {
    (
        $(#[$doc:meta])*
        $name:ident = $text:literal, $lanes:ty, $layout:ty, cost: $cost:literal,
        detect: $detect:expr $(, feature: $feature:literal)?
    ) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl Kernel for $name {
            type Cpu = <$lanes as Lanes>::Cpu;
            const NAME: &'static str = $text;
            const LANES: usize = <$layout as Layout<$lanes>>::LANES;
            const COST: u32 = $cost;

            fn detect() -> Option<Self::Cpu> {
                $detect
            }

            fn hash(cpu: Self::Cpu, n: usize, v: &mut [Line], group: &mut Group) {
                $(#[target_feature(enable = $feature)])?
                fn enter(
                    cpu: <$lanes as Lanes>::Cpu,
                    n: usize,
                    v: &mut [Line],
                    group: &mut Group,
                ) {
                    hash_group::<$lanes, $layout>(cpu, n, v, group);
                }
                kernel!(@call ($($feature)?) enter(cpu, n, v, group));
            }

            fn mix_chacha(cpu: Self::Cpu, n: usize, v: &mut [Line], words: &mut [Line; 32]) {
                $(#[target_feature(enable = $feature)])?
                fn enter(
                    cpu: <$lanes as Lanes>::Cpu,
                    n: usize,
                    v: &mut [Line],
                    words: &mut [Line; 32],
                ) {
                    mix_group::<$lanes, $layout>(cpu, n, v, words);
                }
                kernel!(@call ($($feature)?) enter(cpu, n, v, words));
            }
        }
    };
    (@call () $call:expr) => { $call };
    (@call ($feature:literal) $call:expr) => {
        // SAFETY: `cpu` is only made by detecting this feature.
        unsafe { $call }
    };
}

kernel! {
    /// Any CPU, one lane.
    Portable = "portable", u32, Soa, cost: 590, detect: Some(())
}

#[cfg(target_arch = "x86_64")]
kernel! {
    /// Any x86-64: 128 bits, 16 registers.
    Sse2Rows = "sse2", Sse2, Rows<3>, cost: 1310, detect: Sse2::detect(), feature: "sse2"
}

#[cfg(target_arch = "x86_64")]
kernel! {
    /// 256 bits, 16 registers.
    Avx2Rows = "avx2", Avx2, Rows<3>, cost: 1260, detect: Avx2::detect(), feature: "avx2"
}

#[cfg(target_arch = "x86_64")]
kernel! {
    /// 512 bits, 32 registers, a rotation in one instruction.
    Avx512Soa = "avx512", Avx512, Soa, cost: 1280, detect: Avx512::detect(), feature: "avx512f"
}

#[cfg(target_arch = "x86_64")]
kernel! {
    /// 256 bits with the registers and the rotation of AVX-512, for CPUs that run slower with 512.
    Avx512VlSoa = "avx512vl", Avx512Vl, Soa, cost: 930, detect: Avx512Vl::detect(), feature: "avx512vl"
}

#[cfg(target_arch = "x86_64")]
kernel! {
    /// No shuffles in the rounds, but half of the words live in memory.
    Sse2Soa = "sse2-soa", Sse2, Soa, cost: 1440, detect: Sse2::detect(), feature: "sse2"
}

#[cfg(target_arch = "x86_64")]
kernel! {
    /// As the one before: faster than rows on Sapphire Rapids, and on a quiet Zen 3.
    Avx2Soa = "avx2-soa", Avx2, Soa, cost: 1310, detect: Avx2::detect(), feature: "avx2"
}

#[cfg(target_arch = "x86_64")]
kernel! {
    /// A candidate: four streams fill 32 registers.
    Avx512Rows = "avx512-rows", Avx512, Rows<4>, cost: 1700, detect: Avx512::detect(), feature: "avx512f"
}

#[cfg(target_arch = "aarch64")]
kernel! {
    /// Any aarch64 of today: 128 bits, 32 registers. Its cost, and that of the next, are guesses:
    /// none has been measured.
    NeonRows = "neon", Neon, Rows<3>, cost: 1000, detect: Neon::detect(), feature: "neon"
}

#[cfg(target_arch = "aarch64")]
kernel! {
    /// A candidate: the 16 words of a block in 16 of 32 registers.
    NeonSoa = "neon-soa", Neon, Soa, cost: 1300, detect: Neon::detect(), feature: "neon"
}

/// The engines of this build for an algorithm: 128 and 256 bits in both layouts, since
/// which one is faster differs from processor to processor and is measured there.
pub(crate) fn rows<A: engine::Rows>(algorithm: &A) -> Vec<A::Row> {
    vec![
        algorithm.row::<Portable>(),
        #[cfg(target_arch = "x86_64")]
        algorithm.row::<Sse2One>(),
        #[cfg(target_arch = "x86_64")]
        algorithm.row::<Avx512One>(),
        #[cfg(target_arch = "aarch64")]
        algorithm.row::<NeonOne>(),
        #[cfg(target_arch = "aarch64")]
        algorithm.row::<NeonRows>(),
        #[cfg(target_arch = "x86_64")]
        algorithm.row::<Sse2Rows>(),
        #[cfg(target_arch = "x86_64")]
        algorithm.row::<Sse2Soa>(),
        #[cfg(target_arch = "x86_64")]
        algorithm.row::<Avx2Rows>(),
        #[cfg(target_arch = "x86_64")]
        algorithm.row::<Avx2Soa>(),
        #[cfg(target_arch = "x86_64")]
        algorithm.row::<Avx512VlSoa>(),
        #[cfg(target_arch = "x86_64")]
        algorithm.row::<Avx512Soa>(),
    ]
}

/// Layouts that no machine has preferred yet.
pub(crate) fn candidate_rows<A: engine::Rows>(algorithm: &A) -> Vec<A::Row> {
    vec![
        #[cfg(target_arch = "aarch64")]
        algorithm.row::<NeonSoa>(),
        #[cfg(target_arch = "x86_64")]
        algorithm.row::<Avx512Rows>(),
    ]
}

/// Engines of `scrypt` that are right, and were not faster where they were measured (`NOTES.md`).
/// For the ladder and for tests; nobody mines with them.
#[must_use]
pub fn candidates() -> Vec<EngineRow> {
    candidate_rows(&Cost(Params::LITECOIN.n()))
}
