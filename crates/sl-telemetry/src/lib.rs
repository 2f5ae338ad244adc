//! Logs for people and machines, with secrets masked.
