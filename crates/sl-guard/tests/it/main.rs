//! The crate through its public door: hostile bytes, and machines that hash less than they claim.

mod headers;
mod shortfall;
