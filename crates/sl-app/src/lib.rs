//! Settings composed of each crate's own, assembly of the services, the public builder.
//!
//! For: making a running program of the crates below: [`Builder::assemble`] builds every service in
//! dependency order with ordinary constructors and typed handles, and binds nothing; [`Plan::run`]
//! runs them. A test, or a program of one's own, passes other [`Ports`], other settings, a further
//! algorithm.
//!
//! Not for: rules of mining (each crate has its own), or how anything looks.
//!
//! ```
//! use sl_app::{Builder, Composition, Ports, Settings};
//!
//! let ports = Ports::real(Some(7), Default::default(), None);
//! let plan = Builder::new(Settings::default(), ports)
//!     .assemble(Composition::Up)
//!     .expect("the defaults make a farm");
//! let order: Vec<_> = plan.services().into_iter().map(|service| service.id).collect();
//! assert_eq!(order.first().map(String::as_str), Some("node.ltc"));
//! let end = ["gateway", "pool.gateway", "hasher", "machines", "latency"].map(String::from);
//! assert!(order.ends_with(&end), "{order:?}");
//! ```
#![forbid(unsafe_code)]

mod assemble;
mod blocks;
mod changes;
mod control;
pub mod doctor;
mod engines;
mod journal;
mod latency;
pub mod metrics;
mod plan;
pub mod pools;
mod ports;
mod reload;
mod settings;
mod view;

pub use assemble::{AssembleError, Builder, Composition};
pub use control::{AskError, ControlSettings, ask, door};
pub use engines::{
    ALGORITHM, BenchAsk, BenchError, BenchReport, CHOICE_FILE, EngineChoice, EngineFigures, Floor,
    NoChoice, Tuned, bench, floor, quick_rate, registry, remember, remembered, tune, usual_threads,
    verify_alone,
};
pub use journal::JournalSettings;
pub use plan::{Plan, PortsTaken};
pub use ports::Ports;
pub use reload::{Applier, Reading, SettingsSource, Stamp, Stamps, Unreadable};
pub use settings::{LogSettings, LogStyle, Mode, Settings, SimulationSettings, check, check_plan};
pub use view::View;
