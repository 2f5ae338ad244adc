//! Randomness: one root seed for the whole program, one generator for each purpose.

use std::hash::{BuildHasher, RandomState};

/// Where generators come from: a root seed, from the operating system or from `--seed N`.
///
/// Each purpose has a sequence of its own, so that a new user of randomness does not shift the
/// numbers that the others see. The generators are for jitter and simulation; no secret may be
/// made with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Randomness {
    root: u64,
}

impl Randomness {
    /// A root seed drawn from the operating system: another one for each run.
    #[must_use]
    pub fn from_os() -> Self {
        // The keys of the standard hash map come from the operating system's generator, on every
        // platform, without a system call of our own.
        Self { root: RandomState::new().hash_one("silverlode") }
    }

    /// The root seed a person gave: the run can be repeated.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { root: seed }
    }

    /// The root seed, to be shown, so that a run can be repeated with [`Randomness::seeded`].
    #[must_use]
    pub fn root(&self) -> u64 {
        self.root
    }

    /// The generator for `purpose`. The same purpose gives the same sequence again: a service that
    /// restarts keeps its generator in its factory, and many of a kind add their number to the
    /// purpose.
    #[must_use]
    pub fn rng(&self, purpose: &str) -> fastrand::Rng {
        fastrand::Rng::with_seed(mix(self.root ^ mix(fnv1a(purpose.as_bytes()))))
    }
}

/// Numbers of which nobody can guess another, however many are known: names by which somebody is
/// known again. They come from the operating system, whatever seed a person gave.
#[derive(Clone, Debug)]
pub struct Unguessable {
    key: RandomState,
    drawn: u64,
}

impl Unguessable {
    /// Another sequence each time.
    #[must_use]
    pub fn from_os() -> Self {
        Self { key: RandomState::new(), drawn: 0 }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.drawn += 1;
        // A keyed hash, made so that its key cannot be found from what it gives.
        self.key.hash_one(self.drawn)
    }
}

/// FNV-1a of 64 bits: stable for ever, unlike the standard library's hasher.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finaliser of splitmix64: near seeds (1, 2, 3) give unrelated sequences.
fn mix(seed: u64) -> u64 {
    let a = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ (c >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(seed: u64, purpose: &str) -> u64 {
        Randomness::seeded(seed).rng(purpose).u64(..)
    }

    #[test]
    fn seeds_and_purposes_have_sequences_of_their_own() {
        assert_eq!(first(1, "jitter"), first(1, "jitter"));
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            for purpose in ["", "jitter", "nonce", "jittes"] {
                assert!(seen.insert(first(seed, purpose)), "seed {seed}, purpose {purpose:?}");
            }
        }
    }

    #[test]
    fn a_sequence_is_pinned_across_versions() {
        // A recorded simulation must stay reproducible: changing these numbers breaks `--seed`.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn what_nobody_can_guess_is_another_each_time() {
        let (mut one, mut other) = (Unguessable::from_os(), Unguessable::from_os());
        let drawn: std::collections::BTreeSet<u64> =
            (0..100).flat_map(|_| [one.draw(), other.draw()]).collect();
        assert_eq!(drawn.len(), 200);
    }

    #[test]
    fn the_operating_system_gives_another_root_each_time() {
        assert_ne!(Randomness::from_os(), Randomness::from_os());
        let os = Randomness::from_os();
        assert_eq!(
            os.rng("x").u64(..),
            Randomness::seeded(os.root()).rng("x").u64(..),
            "a run from the operating system's seed can be repeated"
        );
    }
}
