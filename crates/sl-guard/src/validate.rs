//! Which messages are fit to be read: validators that plug in.
//!
//! A validator sees a message before the protocol's own parser does, as bytes with what the protocol
//! already knows of it, so it fits every protocol. [`JsonShape`] and [`WorkerNames`] are two of them;
//! [`Validators`] is a list.
//!
//! ```
//! use sl_guard::validate::{JsonShape, Message, MessageValidator, Verdict, Validators, WorkerNames};
//! use sl_units::Mono;
//!
//! let mut validators = Validators::default();
//! validators.push(Box::new(JsonShape::default()));
//! validators.push(Box::new(WorkerNames::default()));
//! let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
//! let verdict = validators.check(&Message::line(deep.as_bytes()), Mono::default());
//! let Verdict::Refuse(complaint) = verdict else { panic!("too deep") };
//! assert_eq!(complaint.to_string(), "json_shape: nested 33 deep, at most 32 are allowed");
//! ```

mod json;
mod worker;

use std::fmt;

use sl_units::Mono;

pub use json::JsonShape;
pub use worker::WorkerNames;

/// A message as a validator sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Message<'a> {
    /// Its bytes, without the end of the line.
    pub bytes: &'a [u8],
    /// The method, where the protocol knows it already.
    pub method: Option<&'a str>,
    /// The worker's name, where the message has one and the protocol knows it already.
    pub worker: Option<&'a str>,
    /// Whether the connection has authorised.
    pub authorized: bool,
}

impl<'a> Message<'a> {
    /// A message of which nothing is known but its bytes.
    #[must_use]
    pub const fn line(bytes: &'a [u8]) -> Self {
        Self { bytes, method: None, worker: None, authorized: false }
    }

    /// The same with its method.
    #[must_use]
    pub const fn with_method(self, method: &'a str) -> Self {
        Self { method: Some(method), ..self }
    }

    /// The same with its worker's name.
    #[must_use]
    pub const fn with_worker(self, worker: &'a str) -> Self {
        Self { worker: Some(worker), ..self }
    }

    /// The same of a connection that has authorised.
    #[must_use]
    pub const fn after_authorize(self) -> Self {
        Self { authorized: true, ..self }
    }
}

/// What a validator says of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Fit to be read.
    Pass,
    /// Not fit: do not read it, and count it as malformed.
    Refuse(Complaint),
}

/// Why a message is not fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Complaint {
    /// The validator that says so.
    pub validator: &'static str,
    /// What was found and what is allowed; at most 200 bytes of it are shown.
    pub text: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.text.get(..self.text.floor_char_boundary(200)).unwrap_or_default();
        write!(f, "{}: {shown}", self.validator)
    }
}

/// Judges messages before they are read. One value serves one connection or many; it may keep state,
/// in bounds of its own.
pub trait MessageValidator: Send {
    /// The validator's name, in lower case with underscores, for logs and metrics.
    fn name(&self) -> &'static str;

    /// Judges one message. This must be quick and must not grow with what peers send.
    fn check(&mut self, message: &Message<'_>, now: Mono) -> Verdict;
}

/// Validators in order; the first complaint counts.
#[derive(Default)]
pub struct Validators(Vec<Box<dyn MessageValidator>>);

impl Validators {
    /// Adds one behind the others.
    pub fn push(&mut self, validator: Box<dyn MessageValidator>) {
        self.0.push(validator);
    }
}

impl MessageValidator for Validators {
    fn name(&self) -> &'static str {
        "validators"
    }

    fn check(&mut self, message: &Message<'_>, now: Mono) -> Verdict {
        let verdicts = self.0.iter_mut().map(|it| it.check(message, now));
        verdicts.into_iter().find(|verdict| *verdict != Verdict::Pass).unwrap_or(Verdict::Pass)
    }
}

impl fmt::Debug for Validators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|it| it.name())).finish()
    }
}
