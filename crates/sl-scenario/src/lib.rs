//! Seeded timelines of events: what starts when, at which subject, and when it ends.
//!
//! For: simulations of every kind. An effect is any type of the simulation's own; a [`Timeline`]
//! tells the edges that were passed on the way to an instant, and which effects hold there.
//! [`Arrivals`] draws the instants of random events from a seed; [`derive()`] gives each part of a
//! simulation a seed of its own.
//!
//! Not for: knowing what an effect does, reading files, or keeping time.
//!
//! ```
//! use std::time::Duration;
//! use sl_scenario::{Edge, Span, Timeline};
//!
//! let minutes = |n: u64| Duration::from_secs(60 * n);
//! let hot = Span::new(minutes(10), Some(minutes(30)), 3, "hot room");
//! let mut timeline = Timeline::new(vec![hot]);
//!
//! let passed: Vec<_> = timeline.advance(minutes(20)).map(|p| (p.at, p.edge)).collect();
//! assert_eq!(passed, [(minutes(10), Edge::Start)]);
//! assert_eq!(timeline.active().map(|span| span.effect).collect::<Vec<_>>(), ["hot room"]);
//! assert_eq!(timeline.next_edge(), Some(minutes(40)));
//! ```
#![forbid(unsafe_code)]

mod chance;
mod timeline;

pub use chance::{Arrivals, derive};
pub use timeline::{Edge, Passed, Span, Timeline};
