//! The fewest cycles in which a processor's ports can do scrypt's arithmetic: the wall that an
//! engine's rate is compared with.
//!
//! One hash with N=1024, r=1, p=1 is 4096 times salsa20/8. Each of these is 128 steps of an addition,
//! a rotation and an exclusive or, and before and after them 16 exclusive ors and 16 additions: 416
//! operations on words of 32 bits, of which 128 are rotations. Memory, the shuffles of a layout and
//! PBKDF2 (about 2 %) are left out, so nothing reaches the floor; 100 % is the wall, not the goal.

use sl_ports::machine::cpu::{Cpu, CpuMake};

/// Salsa20/8 of one hash with N=1024, r=1, p=1.
const SALSAS: f64 = 4096.0;

/// What an instruction set makes of one salsa20/8.
#[derive(Debug)]
struct Instructions {
    /// Names of engines begin so. The first row that fits counts.
    engine: &'static str,
    /// How the set is called.
    name: &'static str,
    /// Words of 32 bits in one register.
    lanes: f64,
    /// All operations of one salsa20/8, for all lanes at once.
    operations: f64,
    /// Of these, shifts and rotations.
    shifts: f64,
    /// What they go through.
    width: Width,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Scalar,
    Bits128,
    Bits256,
    Bits512,
}

/// With `vprold` a rotation is one operation; without, two shifts, and the exclusive or twice. NEON
/// has a shift that inserts: two operations a rotation. (The arithmetic is the one above.)
const INSTRUCTIONS: [Instructions; 7] = [
    Instructions {
        engine: "avx512-one",
        name: "AVX-512VL in 128 bits",
        lanes: 4.0,
        operations: 416.0,
        shifts: 128.0,
        width: Width::Bits128,
    },
    Instructions {
        engine: "avx512vl",
        name: "AVX-512VL",
        lanes: 8.0,
        operations: 416.0,
        shifts: 128.0,
        width: Width::Bits256,
    },
    Instructions {
        engine: "avx512",
        name: "AVX-512",
        lanes: 16.0,
        operations: 416.0,
        shifts: 128.0,
        width: Width::Bits512,
    },
    Instructions {
        engine: "avx2",
        name: "AVX2",
        lanes: 8.0,
        operations: 672.0,
        shifts: 256.0,
        width: Width::Bits256,
    },
    Instructions {
        engine: "sse2",
        name: "SSE2",
        lanes: 4.0,
        operations: 672.0,
        shifts: 256.0,
        width: Width::Bits128,
    },
    Instructions {
        engine: "neon",
        name: "NEON",
        lanes: 4.0,
        operations: 544.0,
        shifts: 256.0,
        width: Width::Bits128,
    },
    Instructions {
        engine: "portable",
        name: "scalar",
        lanes: 1.0,
        operations: 416.0,
        shifts: 128.0,
        width: Width::Scalar,
    },
];

/// Operations that a core begins in one cycle: of any kind, and shifts or rotations among them.
#[derive(Clone, Copy, Debug)]
struct Ports {
    any: f64,
    shifts: f64,
}

const fn ports(any: f64, shifts: f64) -> Ports {
    Ports { any, shifts }
}

/// A family of cores.
#[derive(Debug)]
struct Core {
    name: &'static str,
    fits: fn(&CpuMake) -> bool,
    scalar: Ports,
    bits128: Ports,
    bits256: Ports,
    bits512: Ports,
    /// Whence the numbers are.
    source: &'static str,
}

const AGNER: &str =
    "Agner Fog, instruction tables, as remembered 2026-11-22; neither looked up nor measured";

/// The first row that fits counts; the last one fits all.
static CORES: [Core; 8] = [
    Core {
        name: "Intel Haswell or Broadwell",
        fits: |cpu| intel(cpu, &[60, 61, 63, 69, 70, 71, 79, 86]),
        scalar: ports(4.0, 2.0),
        bits128: ports(3.0, 1.0),
        bits256: ports(3.0, 1.0),
        bits512: ports(2.0, 1.0),
        source: AGNER,
    },
    Core {
        name: "Intel Skylake to Golden Cove",
        fits: |cpu| cpu.vendor == "GenuineIntel" && cpu.family == 6,
        scalar: ports(4.0, 2.0),
        bits128: ports(3.0, 2.0),
        bits256: ports(3.0, 2.0),
        bits512: ports(2.0, 1.0),
        source: "measured on a Sapphire Rapids class Xeon 2026-11-22: 2.85 G vprold/s, and arithmetic \
                 alone at 92 % of the floor by two ports; the rest as Agner Fog",
    },
    Core {
        name: "AMD Zen 1",
        fits: |cpu| amd(cpu, 23) && cpu.number < 0x30,
        scalar: ports(4.0, 2.0),
        bits128: ports(3.0, 1.0),
        bits256: ports(1.5, 0.5),
        bits512: ports(0.75, 0.25),
        source: AGNER,
    },
    Core {
        name: "AMD Zen 2",
        fits: |cpu| amd(cpu, 23),
        scalar: ports(4.0, 2.0),
        bits128: ports(3.0, 1.0),
        bits256: ports(3.0, 1.0),
        bits512: ports(1.5, 0.5),
        source: AGNER,
    },
    Core {
        name: "AMD Zen 4",
        fits: |cpu| amd(cpu, 25) && matches!(cpu.number, 0x10..=0x1f | 0x60..=0x7f | 0xa0..=0xaf),
        scalar: ports(4.0, 2.0),
        bits128: ports(4.0, 2.0),
        bits256: ports(4.0, 2.0),
        bits512: ports(2.0, 1.0),
        source: AGNER,
    },
    Core {
        name: "AMD Zen 3",
        fits: |cpu| amd(cpu, 25),
        scalar: ports(4.0, 2.0),
        bits128: ports(4.0, 2.0),
        bits256: ports(4.0, 2.0),
        bits512: ports(2.0, 1.0),
        source: "measured on an EPYC (family 25, model 1) 2026-11-22: 3.85 additions, 3.89 exclusive \
                 ors, 1.99 shifts, 2.00 scalar rotations a cycle",
    },
    Core {
        name: "AMD Zen 5",
        fits: |cpu| amd(cpu, 26),
        scalar: ports(6.0, 3.0),
        bits128: ports(4.0, 2.0),
        bits256: ports(4.0, 2.0),
        bits512: ports(4.0, 2.0),
        source: AGNER,
    },
    Core {
        name: "a core that is not in the table",
        fits: |_| true,
        scalar: ports(4.0, 2.0),
        bits128: ports(3.0, 2.0),
        bits256: ports(3.0, 2.0),
        bits512: ports(2.0, 1.0),
        source: "assumed: three vector ports, two of them for shifts, two with 512 bits",
    },
];

fn intel(cpu: &CpuMake, models: &[u32]) -> bool {
    cpu.vendor == "GenuineIntel" && cpu.family == 6 && models.contains(&cpu.number)
}

fn amd(cpu: &CpuMake, family: u32) -> bool {
    matches!(cpu.vendor.as_str(), "AuthenticAMD" | "HygonGenuine") && cpu.family == family
}

/// The wall for one engine on one processor.
#[derive(Clone, Debug, PartialEq)]
pub struct Floor {
    /// Cycles that one hash takes one thread at the least.
    pub cycles_per_hash: f64,
    /// The instruction set of the row: `AVX2`.
    pub instructions: &'static str,
    /// The core of the row: `AMD Zen 3`.
    pub core: &'static str,
    /// Operations a cycle that the row assumes, and shifts or rotations among them.
    pub ports: (f64, f64),
    /// Whence that is.
    pub source: &'static str,
}

/// The floor of an engine of `scrypt` (N=1024, r=1, p=1) on a processor, from the rows of this
/// file; `None` for other algorithms, and for engines whose instructions have no row.
#[must_use]
pub fn floor(cpu: &Cpu, algorithm: &str, engine: &str) -> Option<Floor> {
    let fits = |row: &&Instructions| {
        let rest = engine.strip_prefix(row.engine);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let set = INSTRUCTIONS.iter().find(fits).filter(|_| algorithm == super::ALGORITHM)?;
    let unknown = CpuMake::default();
    let make = cpu.make.as_ref().unwrap_or(&unknown);
    let core = CORES.iter().find(|core| (core.fits)(make))?;
    let ports = match set.width {
        Width::Scalar => core.scalar,
        Width::Bits128 => core.bits128,
        Width::Bits256 => core.bits256,
        Width::Bits512 => core.bits512,
    };
    let cycles = (set.operations / ports.any).max(set.shifts / ports.shifts);
    Some(Floor {
        cycles_per_hash: SALSAS * cycles / set.lanes,
        instructions: set.name,
        core: core.name,
        ports: (ports.any, ports.shifts),
        source: core.source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(vendor: &str, family: u32, number: u32) -> Cpu {
        let make = CpuMake { vendor: vendor.to_owned(), family, number };
        Cpu { make: Some(make), ..Cpu::default() }
    }

    #[test]
    fn known_floors() {
        let check = |cpu: &Cpu, engine: &str, thousands: f64, core: &str| {
            let found = floor(cpu, "scrypt", engine).expect(engine);
            let rounded = (found.cycles_per_hash / 100.0).round() / 10.0;
            assert_eq!((rounded, found.core), (thousands, core), "{engine}");
        };
        let sapphire = cpu("GenuineIntel", 6, 143);
        let golden = "Intel Skylake to Golden Cove";
        // The anchors of the study: 53.2 k with two ports, about 115 k with three.
        check(&sapphire, "avx512", 53.2, golden);
        check(&sapphire, "avx512-rows", 53.2, golden);
        check(&sapphire, "avx512-one", 142.0, golden);
        check(&sapphire, "avx512vl", 71.0, golden);
        check(&sapphire, "avx2", 114.7, golden);
        check(&sapphire, "sse2-soa", 229.4, golden);
        check(&cpu("GenuineIntel", 6, 63), "avx2", 131.1, "Intel Haswell or Broadwell");
        check(&cpu("AuthenticAMD", 23, 1), "avx2", 262.1, "AMD Zen 1");
        check(&cpu("AuthenticAMD", 23, 0x31), "avx2", 131.1, "AMD Zen 2");
        check(&cpu("AuthenticAMD", 25, 1), "avx2", 86.0, "AMD Zen 3");
        check(&cpu("AuthenticAMD", 25, 0x11), "avx512", 53.2, "AMD Zen 4");
        check(&cpu("AuthenticAMD", 26, 2), "avx512", 26.6, "AMD Zen 5");
        check(&Cpu::default(), "neon", 185.7, "a core that is not in the table");
        check(&Cpu::default(), "portable", 426.0, "a core that is not in the table");
    }

    #[test]
    fn what_has_no_row_has_no_floor() {
        let cpu = cpu("AuthenticAMD", 25, 1);
        assert_eq!(floor(&cpu, "scrypt", "scalar"), None);
        assert_eq!(floor(&cpu, "scrypt", "avx2x"), None);
        assert_eq!(floor(&cpu, "scrypt-jane:nmin=9", "avx2"), None);
        assert_eq!(floor(&cpu, "sha256d", "avx2"), None);
    }

    #[test]
    fn every_row_is_sane() {
        for core in &CORES {
            assert!(!core.source.is_empty(), "{}", core.name);
            for ports in [core.scalar, core.bits128, core.bits256, core.bits512] {
                assert!(ports.shifts > 0.0 && ports.shifts <= ports.any, "{}", core.name);
            }
        }
        for set in &INSTRUCTIONS {
            assert!(set.shifts < set.operations && set.lanes >= 1.0, "{}", set.name);
        }
        // Each engine of the program has a row.
        let registry = crate::registry();
        for row in registry.resolve("scrypt").expect("registered").engines() {
            assert!(floor(&Cpu::default(), "scrypt", row.name).is_some(), "{}", row.name);
        }
    }
}
