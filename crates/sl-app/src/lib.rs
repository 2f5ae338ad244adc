//! Settings composed of each crate's own, assembly of the services, the public builder.
