//! This machine's engines, shared by leases of any source of work.
