//! Scrypt on the CPU: a scalar reference for any parameters and SIMD engines chosen at run time.
