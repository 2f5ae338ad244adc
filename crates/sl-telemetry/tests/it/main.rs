//! The public contract of `sl-telemetry`: lines as they are written.

#[cfg(test)]
mod lines;
