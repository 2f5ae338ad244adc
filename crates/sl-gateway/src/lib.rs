//! The Stratum server for machines: slots, difficulty per machine, every share proven.
