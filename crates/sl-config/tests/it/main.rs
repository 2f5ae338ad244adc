//! The crate by its public door: wrong files, layers, what is written from the
//! declaration, and what changes.

mod change;
mod edit;
mod layers;
mod schema;
mod settings;
mod written;
mod wrong;
