//! The two streams: data to standard output, words to standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::layers::Environment;

/// Writes data. A reader who has gone away (`| head`) is no failure of ours.
pub(crate) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes one JSON document on one line.
pub(crate) fn print_json(value: &impl Serialize) {
    let text = serde_json::to_string(value).expect("the state tree has text keys only");
    print(&(text + "\n"));
}

/// Writes words.
pub(crate) fn tell(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Whether colour is wanted there.
pub(crate) fn colour_on_stderr(environment: &Environment) -> bool {
    environment.get("NO_COLOR").is_none() && io::stderr().is_terminal()
}

/// Whether colour is wanted in the data.
pub(crate) fn colour_on_stdout(environment: &Environment) -> bool {
    environment.get("NO_COLOR").is_none() && io::stdout().is_terminal()
}
