//! Pools and machine models of the field, as sourced and dated rows.
