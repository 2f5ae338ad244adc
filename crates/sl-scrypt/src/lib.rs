//! Scrypt on the CPU: a reference for any parameters, and SIMD engines chosen at run time.
//!
//! For: [`Scrypt`], the algorithm `scrypt` (N=1024, r=1, p=1 over 80-byte headers) with its
//! engines, to be registered in a [`sl_pow::Registry`]; its relatives [`ScryptFamily`] (`scrypt-n`:
//! any N, r and p) and [`ScryptJaneFamily`] (`scrypt-jane`: ChaCha20/8, Keccak-512, a cost that
//! rises with the header's time); and the functions [`scrypt()`] of RFC 7914 and
//! [`scrypt_jane()`].
//!
//! Not for: threads, jobs, shares, GPUs.
//!
//! This is one of the two crates with `unsafe` code. How it is kept small: a value of a SIMD type
//! is only made with a proof that this CPU has its instructions (`lanes::Lanes::Cpu`), so
//! arithmetic on it is safe; each layout of ROMix is written once, for any lane type; each engine
//! is a row in `kernels`. Memory is the system's, through one door, `scratch`: what it holds and whether
//! huge pages were to be had tells [`scratch_report`].
//!
//! ```
//! use sl_pow::Registry;
//! use sl_scrypt::Scrypt;
//! use sl_units::Target;
//!
//! let mut registry = Registry::new();
//! registry.register(Scrypt).expect("a new name");
//! let mut prover = registry.best("scrypt").expect("an engine that passes its self-test");
//! let easy = Target::from_expected_hashes(4.0);
//! for hashed in prover.scan(&[0; 80], 0, 16, easy) {
//!     assert!(hashed.meets(easy));
//! }
//! ```
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks)]

mod algorithm;
mod cores;
mod engine;
mod general;
mod jane;
mod kdf;
mod kernels;
#[cfg(test)]
mod lane_check;
mod lanes;
mod mix;
#[cfg(target_arch = "aarch64")]
mod neon;
mod params;
mod pbkdf2;
mod rows;
mod scratch;
mod sha256;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod single;
mod soa;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use algorithm::Scrypt;
pub use general::{ScryptFamily, ScryptN};
pub use jane::{Schedule, ScryptJane, ScryptJaneFamily, scrypt_jane};
pub use kdf::scrypt;
pub use kernels::candidates;
pub use params::{Params, ParamsError};
pub use scratch::{HugePages, ScratchReport, scratch_report};
