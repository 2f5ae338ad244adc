//! The client of coin nodes: typed JSON-RPC calls.
