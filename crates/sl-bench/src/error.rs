use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a scenario could not be carried out.
#[derive(Debug, Error)]
pub enum BenchError {
    /// A file or a socket.
    #[error("{what}: {cause}")]
    Io {
        /// What was to be done.
        what: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The program to be measured is not there.
    #[error("there is no {}; hint: cargo xtask bench gateway builds it", .0.display())]
    NoProgram(PathBuf),
    /// Something did not come in time.
    #[error("waited {seconds} s in vain for {what}{log}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// The last lines of the program's log, after a line break; empty where there is none.
        log: String,
    },
    /// The leader and a process of load do not understand each other.
    #[error("a process of load said {found}, expected {expected}")]
    Told {
        /// What came.
        found: String,
        /// What was waited for.
        expected: &'static str,
    },
    /// A program ended as it should not.
    #[error("{program} ended: {how}{log}")]
    Ended {
        /// Which.
        program: String,
        /// With which status.
        how: String,
        /// The last lines of its log, after a line break.
        log: String,
    },
    /// An engine, a supervisor or another part cannot start.
    #[error("{0}")]
    Part(String),
}

impl BenchError {
    /// Names what was to be done, for an error of the system.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |cause| Self::Io { what, cause }
    }

    /// An error of a part, in its own words.
    #[expect(clippy::needless_pass_by_value, reason = "`map_err` gives the error away")]
    pub(crate) fn part(wrong: impl ToString) -> Self {
        Self::Part(wrong.to_string())
    }
}
