//! Tests of virtual machines from outside.

mod face;
