//! Simulated coin nodes that validate fully, reached only by RPC.
