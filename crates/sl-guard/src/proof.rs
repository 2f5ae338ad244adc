//! Proof of work done: what a machine claims to hash against what its shares prove.
//!
//! A share of difficulty `d` proves `d` expected hashes, whatever the machine, its firmware or a
//! middleman says. Two questions are asked of a machine's shares:
//!
//! - *How much does it hash?* [`ProvenRates`]: the rate over 5 minutes, an hour and a day, each with
//!   a confidence interval that is exact while the difficulty stays, and conservative when it
//!   changes.
//! - *Does it hash less than it claims?* [`ShortfallTest`]: a sequential test that may be looked at
//!   after every share. Its thresholds are not chosen but computed from a [`Requirement`], by an
//!   exact recursion ([`ShortfallRules::design`]).
//!
//! What the default requirement gives, with formulas, simulation and limits, stands in
//! `docs/proof-of-work-done.md`; `examples/proof_power.rs` prints its tables.
//!
//! ```
//! use std::time::Duration;
//!
//! use sl_guard::proof::{Input, Requirement, ShortfallRules, ShortfallTest};
//! use sl_units::{HashRate, Mono, Target};
//!
//! let rules = ShortfallRules::design(Requirement::default())?;
//! let mut test = ShortfallTest::new(&rules, Mono::default());
//! let target = Target::from_expected_hashes(95e9);
//! let at = |seconds| Mono::from_start(Duration::from_secs(seconds));
//!
//! // 9.5 GH/s claimed, a share in 10 s expected; it sends one in 20 s.
//! test.step(&rules, Input::Claim(Some(HashRate::from_hs(9.5e9))), at(0));
//! test.step(&rules, Input::Target(target), at(0));
//! test.step(&rules, Input::Working(true), at(0));
//! let found = (1..1000).find_map(|n| test.step(&rules, Input::Share(target), at(20 * n)));
//! let decision = found.expect("half of the hashes are missing");
//! assert!(decision.at < at(3 * 3600), "found within hours");
//! assert!((decision.inputs.proven_part - 0.5).abs() < 0.1);
//! # Ok::<(), sl_guard::proof::RequirementError>(())
//! ```

mod decision;
mod gamma;
mod rates;
mod run_length;
mod shortfall;

pub use decision::{Decision, Inputs, Outcome, Rule};
pub use rates::{Proven, ProvenRates, Window};
pub use shortfall::{
    Arm, Input, Requirement, RequirementError, ShortfallRules, ShortfallTest, Suspicion,
};
