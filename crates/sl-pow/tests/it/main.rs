//! The chain of evidence, with a toy algorithm and engines that are wrong on purpose.

mod bench;
mod registry;
mod selftest;
mod toy;
