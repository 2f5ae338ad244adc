//! Stratum V1: messages and both sessions, without I/O.
