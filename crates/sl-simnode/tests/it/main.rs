//! Simulated nodes by behaviour: what they answer, accept, refuse and keep.

mod http;
mod mining;
mod oracles;
mod refusals;
mod rig;
mod shapes;
