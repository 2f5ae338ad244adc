//! Seeded timelines of events: what starts when, at which subject, and when it ends.
//!
//! For: simulations of every kind. An effect is any type of the simulation's own; a [`Timeline`]
//! says which effects hold at an instant and which edges were passed on the way to it.
//!
//! Not for: knowing what an effect does, reading files, or keeping time.
#![forbid(unsafe_code)]
