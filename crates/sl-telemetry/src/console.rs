//! Where lines go: an output with, on a terminal, one status line beneath them.

use crate::mask::Masker;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// To the first column, and the line emptied.
const ERASE: &str = "\r\x1b[2K";
/// No wrapping while the status is written: what is too long is cut at the terminal's edge, and
/// one erased line takes all of it away.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// An output shared by all who log. A lock, not an owner task: logs are written from threads and
/// while panicking, and must be out before the program goes on.
#[derive(Clone)]
pub(crate) struct Console {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    sink: Box<dyn Write + Send>,
    terminal: bool,
    status: Option<String>,
}

impl Console {
    pub(crate) fn new(sink: Box<dyn Write + Send>, terminal: bool) -> Self {
        Self { inner: Arc::new(Mutex::new(Inner { sink, terminal, status: None })) }
    }

    /// Writes one line, which ends with its line feed, above the status line. An output that
    /// fails (a closed pipe) loses it: there is nowhere left to say so.
    pub(crate) fn write_line(&self, line: &str) {
        let mut inner = self.lock();
        let _lost = match inner.status.clone() {
            Some(status) => inner.write(&format!("{ERASE}{line}{NO_WRAP}{status}{WRAP}")),
            None => inner.write(line),
        };
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while writing leaves nothing broken but perhaps a line.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Console")
    }
}

impl Inner {
    /// One write for all, so that two processes on one terminal mix lines, not letters.
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.sink.write_all(text.as_bytes())?;
        self.sink.flush()
    }
}

/// One live line at the bottom of the terminal; logs scroll above it. Does nothing where the
/// output is no terminal. Cheap to clone; all clones are the same line.
#[derive(Clone, Debug)]
pub struct StatusLine {
    console: Console,
    masker: Masker,
}

impl StatusLine {
    pub(crate) fn new(console: Console, masker: Masker) -> Self {
        Self { console, masker }
    }

    /// Whether the line is ever seen: where it is not, say now and then in a log line what matters.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.console.lock().terminal
    }

    /// Shows `text`, secrets masked, instead of what was there. Line feeds and other control
    /// characters but colour sequences become spaces.
    pub fn set(&self, text: &str) {
        let text: String = self
            .masker
            .mask(text)
            .chars()
            .map(|c| if c.is_control() && c != '\x1b' { ' ' } else { c })
            .collect();
        let mut inner = self.console.lock();
        if inner.terminal && inner.status.as_ref() != Some(&text) {
            let _lost = inner.write(&format!("{ERASE}{NO_WRAP}{text}{WRAP}"));
            inner.status = Some(text);
        }
    }

    /// Takes the line away.
    pub fn clear(&self) {
        let mut inner = self.console.lock();
        if inner.status.take().is_some() {
            let _lost = inner.write(ERASE);
        }
    }
}

/// An output kept in memory, for tests and examples: the sink, and the handle to what was written.
#[must_use]
pub fn memory_sink() -> (Box<dyn Write + Send>, Written) {
    let written = Written::default();
    (Box::new(written.clone()), written)
}

/// What was written to a [`memory_sink`].
#[derive(Clone, Debug, Default)]
pub struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// All that was written since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(terminal: bool) -> (Console, StatusLine, Written) {
        let (sink, written) = memory_sink();
        let console = Console::new(sink, terminal);
        let masker = Masker::default();
        masker.register("hunter2");
        (console.clone(), StatusLine::new(console, masker), written)
    }

    fn text(written: &Written) -> String {
        String::from_utf8(written.take()).unwrap()
    }

    #[test]
    fn lines_pass_above_the_status_line() {
        let (console, status, written) = console(true);
        assert!(status.is_live());
        console.write_line("one\n");
        assert_eq!(text(&written), "one\n");
        status.set("5 kH/s\nhunter2");
        assert_eq!(text(&written), "\r\x1b[2K\x1b[?7l5 kH/s ****\x1b[?7h");
        status.set("5 kH/s\nhunter2");
        assert_eq!(text(&written), "", "nothing new, nothing written");
        console.write_line("two\n");
        assert_eq!(text(&written), "\r\x1b[2Ktwo\n\x1b[?7l5 kH/s ****\x1b[?7h");
        status.clear();
        assert_eq!(text(&written), "\r\x1b[2K");
        status.clear();
        console.write_line("three\n");
        assert_eq!(text(&written), "three\n");
    }

    #[test]
    fn a_pipe_sees_lines_only() {
        let (console, status, written) = console(false);
        assert!(!status.is_live());
        status.set("5 kH/s");
        console.write_line("one\n");
        status.clear();
        assert_eq!(text(&written), "one\n");
    }
}
