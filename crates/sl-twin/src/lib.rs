//! Virtual ASIC machines: an Antminer L7, L9 or L3+ without the hardware.
//!
//! For: the machine inside ([`Machine`]): boards, chips, fans, heat, protections, stepped by time
//! ([`physics`]); what goes wrong with it ([`Fault`], [`scenario`]), played at full speed ([`day`])
//! and drawn ([`plot`]); its replies on the network ([`face`]), written from what it shows
//! ([`Readings`]); and a farm of such machines that mine ([`Twins`]).
//!
//! Not for: judging machines or reading replies (it shares no wire type with what does), and not
//! for finding out what a real machine would do beyond its sources: each figure that is assumed is
//! marked in the table ([`model`]).
//!
//! ```
//! use std::time::Duration;
//!
//! use sl_twin::{Fault, Machine, Model, PoolEvent, Release, Spec, State};
//! use sl_units::Mono;
//!
//! let model = Model::by_id("antminer-l7").expect("in the table");
//! let on = Duration::from_secs(600);
//! let spec = Spec { already_on: on, ..Spec::new(model, Release::R202405, 7, [127, 7, 0, 1].into()) };
//! let mut machine = Machine::new(spec, Mono::default());
//! machine.pool(0, PoolEvent::Active, Mono::default());
//!
//! machine.suffer(Fault::BoardLost { board: 2 }, None, Mono::default());
//! let later = Mono::from_start(Duration::from_secs(60));
//! let output = machine.step(later);
//! assert_eq!(output.hash_rate.to_string(), "6.33 GH/s");
//! assert!((2_000.0..2_600.0).contains(&machine.truth().power_w));
//! assert_eq!(machine.readings(later).state, State::Mining);
//! ```
#![forbid(unsafe_code)]

mod conf;
pub mod day;
pub mod face;
mod farm;
mod fault;
mod kept;
mod machine;
pub mod model;
mod net;
pub mod physics;
pub mod plot;
mod readings;
mod release;
pub mod scenario;
mod service;
mod settings;
mod work;

pub use conf::{
    Command, Conf, ConfChange, Kept, Network, NetworkChange, POOLS, PoolChange, PoolConf,
};
pub use farm::{FarmStatus, Gone, MachineHandle};
pub use fault::{Fault, Sensor};
pub use kept::KeptError;
pub use machine::{Applied, Machine, Output, PoolEvent, Spec, Truth};
pub use model::Model;
pub use net::{DoorError, Subnet, SubnetError};
pub use readings::{
    BoardReading, ChipMark, Light, Manners, PoolCounts, PoolReading, Readings, State, Status, Stop,
};
pub use release::{Release, ReleaseError};
pub use service::{FarmPlan, Twins};
pub use settings::{MachinesSettings, ModelName, Ports, PortsError};
pub use work::{EngineError, EngineStatus, HABITS, Habit};
