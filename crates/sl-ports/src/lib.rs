//! The outside world as parameters: clock, randomness, folders, sockets, TLS, the one HTTP client,
//! and what the operating system tells of this process and this machine.
//!
//! What it is for: the few places where the program touches time, chance, disk, network and the
//! operating system, so that everything else takes them as arguments and a test can pass others.
//! What it is not for: settings (`sl-config` reads them and passes values in), the protocols that
//! run over a socket (`sl-stratum`, `sl-noderpc`), and logs (`sl-telemetry`).
//!
//! ```
//! use sl_ports::{Clock, Randomness};
//!
//! let clock = Clock::real();
//! let began = clock.mono();
//! assert!(clock.mono() >= began);
//!
//! // The same seed and purpose give the same sequence: a simulation can be run again.
//! let mut one = Randomness::seeded(7).rng("retry jitter");
//! let mut two = Randomness::seeded(7).rng("retry jitter");
//! assert_eq!(one.u64(..), two.u64(..));
//! ```
#![forbid(unsafe_code)]

pub mod affinity;
pub mod bind;
mod clock;
pub mod cpu_time;
pub mod folders;
pub mod http;
pub mod machine;
pub mod priority;
pub mod process;
pub mod seed;
pub mod tcp;
pub mod tls;

pub use clock::Clock;
pub use folders::DataFolder;
pub use http::HttpClient;
pub use seed::Randomness;
