//! The crate by its public door: wrong files, layers, and what is written from the declaration.

mod layers;
mod settings;
mod written;
mod wrong;
