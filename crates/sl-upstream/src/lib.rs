//! A pool over Stratum V1 as one source of work.
