//! scrypt against its specification, recorded headers, and the field's implementation; each
//! engine that this machine can run against the scalar reference. The binary carries its data, so
//! it can be copied to a machine with other instructions and run there.

mod allocations;
mod bad_input;
mod engines;
mod family;
mod general;
mod jane;
mod recorded;
