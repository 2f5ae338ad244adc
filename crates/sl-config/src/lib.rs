//! Settings in layers: a file, its overlay for an environment, environment variables, flags.
//!
//! For: declaring a section of settings once, beside the code that it rules
//! ([`settings!`]); loading all layers and reading the sections ([`load`], [`Loaded::read`]); saying
//! all that is wrong at once, with place, what is allowed and the cure ([`Problems`]); showing what
//! holds and where it came from ([`Loaded::show`]); writing a file to start from ([`template()`]) and
//! a schema for editors ([`schema()`]); changing one value of a file and nothing else in it
//! ([`edit::set`]); bringing an old file to this version ([`migrate`]); saying what differs between
//! two readings ([`diff`]) and what of it can be had without a restart ([`plan`]).
//!
//! Not for: knowing any setting, touching the disk or the environment (both are passed in), or
//! applying a changed setting.
//!
//! ```
//! sl_config::settings! {
//!     /// The Stratum server for machines.
//!     pub struct Gateway {
//!         /// Address to listen on.
//!         live listen: std::net::SocketAddr = "127.0.0.1:3333",
//!     }
//! }
//! sl_config::settings! {
//!     /// All settings.
//!     pub struct Settings {
//!         /// The Stratum server for machines.
//!         section gateway: Gateway,
//!     }
//! }
//!
//! let layers = sl_config::Layers::new()
//!     .file("silverlode.yaml", "gateway:\n  listn: 127.0.0.1:4444\n")
//!     .environment([("SILVERLODE__GATEWAY__LISTEN".to_owned(), "here".to_owned())]);
//! let problems = sl_config::load(layers)?.read::<Settings>().expect_err("two mistakes");
//! assert_eq!(
//!     problems.to_string(),
//!     "silverlode.yaml:2:3: gateway.listn: unknown key, hint: did you mean \"listen\"?\n  \
//!        2 |   listn: **************\n    \
//!          |   ^^^^^\n\
//!      environment variable SILVERLODE__GATEWAY__LISTEN: gateway.listen: found \"here\", \
//!      allowed: IP:PORT, such as 127.0.0.1:3333 or [::1]:3333"
//! );
//! # Ok::<(), sl_config::Problems>(())
//! ```
#![forbid(unsafe_code)]

mod change;
pub mod edit;
mod field;
mod kinds;
mod layers;
mod nearest;
mod parse;
mod problem;
mod reader;
mod schema;
mod secret;
mod settings;
mod show;
mod source;
mod syntax;
mod template;
mod text;
mod tree;
mod unknown;
mod version;

pub use change::{Change, Plan, diff, plan};
pub use field::{FieldInfo, Section, SettingInfo, Shape, declaration_faults};
pub use kinds::quantity::ByteSize;
pub use kinds::{Kind, Omittable, Ranged, Setting};
pub use layers::{Check, ENV_PREFIX, Layers, Loaded, load, overlay_path, read_text};
pub use parse::{MAX_BYTES, MAX_DEPTH, MAX_NODES};
pub use problem::{Fault, MAX_PROBLEMS, Problem, Problems, Wrong};
pub use reader::Reader;
pub use schema::schema;
pub use secret::{Plain, Secret, SecretError};
pub use source::{Layer, Origin, Place, Source, Sources};
pub use template::{SCHEMA_HINT, TemplateKind, template};
pub use tree::{Key, Node, Scalar, Value};
pub use version::{FormatVersion, VERSION, migrate};

// What the macros expand to.
#[doc(hidden)]
pub use field::{Limit, default_of, trimmed};
#[doc(hidden)]
pub use kinds::words::{either, parse_word};
#[doc(hidden)]
pub use kinds::{from_str, within};
#[doc(hidden)]
pub use settings::{has_default, key_name, omittable};
