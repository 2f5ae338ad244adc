//! The crate through its public door: floods, hostile bytes, and machines that hash less than they claim.

mod flood;
mod headers;
mod shortfall;
