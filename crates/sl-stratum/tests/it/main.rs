//! Stratum V1 against recorded sessions, and against anything a peer may send.

mod client;
mod hostile;
mod recorded;
mod replayed;
mod server;
