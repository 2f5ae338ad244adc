//! Files and sums as the crates above use them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod files;
mod lane;
mod sums;
