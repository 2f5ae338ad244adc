//! Quantities with a unit or a scale, so that a bare number never crosses a public border.
//!
//! For: 256-bit hashes and targets, the two difficulty conventions, hash rates, coin amounts,
//! instants. Each type has one formatter and one parser.
//!
//! Not for: anything that knows a protocol, a chain or a machine.
//!
//! ```
//! use sl_units::{HashRate, ShareDifficulty, Target};
//!
//! let target = Target::from(ShareDifficulty::new(2048.0).expect("positive"));
//! assert_eq!(target.to_string(), "0000001fffe00000000000000000000000000000000000000000000000000000");
//! assert_eq!(HashRate::from_hs(9.5e9).to_string(), "9.50 GH/s");
//! assert_eq!("9.5 GH/s".parse::<HashRate>().expect("a rate"), HashRate::from_hs(9.5e9));
//! ```
#![forbid(unsafe_code)]

mod amount;
mod difficulty;
mod hash;
mod instant;
mod rate;
mod target;

pub use amount::CoinAmount;
pub use difficulty::{DifficultyError, NodeDifficulty, ShareDifficulty};
pub use hash::{Hash256, HashParseError};
pub use instant::{Mono, Wall};
pub use rate::{HashRate, RateParseError};
pub use target::{Bits, BitsError, Target, TargetParseError, Work};
