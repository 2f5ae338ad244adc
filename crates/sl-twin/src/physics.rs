//! The machine inside, pure: electricity into hashes and heat, heat into air.
//!
//! A board is two segments in the stream of air, inlet and outlet. Each is three thermal masses
//! between two ways into the air:
//!
//! ```text
//!            3 %                97 % of the board's power
//!             ▼                  ▼
//!  air ──── board ──── chips (60 of them) ──── heat sink ──── air
//!      g_pa       g_pc                    g_cs           g_sa
//! ```
//!
//! Air is warmed by the inlet segment before it reaches the outlet one; the sink gives heat to it
//! as a heat exchanger does (effectiveness by transfer units), so that a weak stream limits too. The
//! masses are stepped by the implicit Euler method, solved in closed form: stable at any step, and
//! the energy that goes in is what is stored and what leaves, exactly. Leakage follows the
//! temperature at the start of the step.
//!
//! [`Plant`] holds the constants: they are solved from the model's nominal point, so that a machine
//! of mean chips reproduces it: rate, power at the wall and the four sensors.

mod air;
mod board;
mod plant;
mod quality;

pub use air::{Air, Environment, Flow};
pub use board::{Board, Drive, Outcome, Temperatures};
pub use plant::Plant;
pub use quality::{Chip, Sums};
pub(crate) use quality::{normal, poisson};
