//! The machines' addresses, and the listeners that answer at them.
//!
//! A machine is chosen by the address that it was called at. Up to 256 machines have a socket
//! of their own for each port; more share one socket a port, bound to the loopback *device*: it takes
//! what comes for any address of `127.0.0.0/8` and nothing from outside, and needs no privilege
//! (Linux 5.7 and later). So a thousand machines cost two descriptors to listen. Such a socket
//! stands in the way of any other program on this port, and is in the way of none where another
//! program has the port already: then each machine has its own after all.

mod door;
mod report;
mod serve;
mod subnet;

pub(crate) use door::Door;
pub use door::DoorError;
pub(crate) use report::report;
pub(crate) use serve::{Port, Reception};
pub use subnet::{Subnet, SubnetError};
