//! Logs for people and machines with secrets masked, a live status line, and a histogram of
//! latencies.
//!
//! What it is for: setting up `tracing` once at the program's start ([`init`]), keeping secrets out
//! of every line ([`Masker`]), keeping one line at the bottom of a terminal beneath the logs
//! ([`StatusLine`]), and measuring ([`Histogram`]). What it is not for: what the program prints as
//! its result (that goes to standard output, and not from here), nor deciding what is worth a line.
//!
//! ```
//! use sl_telemetry::{LogStyle, Logs, Masker, Settings};
//! use sl_units::Wall;
//!
//! let masker = Masker::default();
//! masker.register("hunter2");
//! let settings = Settings {
//!     style: LogStyle::Pretty,
//!     filter: "info".to_owned(),
//!     terminal: false,
//!     colour: false,
//!     masker,
//!     now: std::sync::Arc::new(|| Wall::from_secs(0)),
//! };
//! let (sink, written) = sl_telemetry::memory_sink();
//! let logs = Logs::new(&settings, sink)?;
//! tracing::subscriber::with_default(logs.subscriber, || {
//!     tracing::info!(pool = "eu", "logged in with hunter2");
//! });
//! let line = String::from_utf8_lossy(&written.take()).into_owned();
//! assert!(line.starts_with("00:00:00 INFO  "), "{line}");
//! assert!(line.ends_with("logged in with **** pool=eu\n"), "{line}");
//! # Ok::<(), sl_telemetry::TelemetryError>(())
//! ```
#![forbid(unsafe_code)]

mod console;
mod format;
mod histogram;
mod layer;
mod mask;
mod setup;

pub use console::{StatusLine, Written, memory_sink};
pub use histogram::{Histogram, HistogramSnapshot};
pub use layer::LogLayer;
pub use mask::Masker;
pub use setup::{
    Guard, LogFilter, LogStyle, Logs, Settings, TelemetryError, WallClock, check_filter, init,
};
