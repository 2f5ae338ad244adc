use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use sl_units::Mono;
use tokio::io::AsyncWrite;

use crate::{board::Issued, transport::Wire};

/// Lines handed to the system in one call.
const AT_ONCE: usize = 8;
/// Places for lines that are kept while none waits.
pub(crate) const KEPT: usize = 4;

/// Lines on their way to a machine. They are not copied: a job's line is one for all machines.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    lines: VecDeque<Bytes>,
    /// Bytes ever put in and ever taken by the wire.
    pushed: u64,
    taken: u64,
    /// The wire has taken bytes that it may still hold (TLS does).
    unflushed: bool,
    /// A job whose arrival is measured, and where its line ends.
    measured: Option<(Arc<Issued>, u64)>,
    /// Since when the wire takes nothing, while something waits.
    stalled_since: Mono,
}

impl Outgoing {
    pub(crate) fn push(&mut self, line: Bytes, now: Mono) {
        if self.waiting() == 0 {
            self.stalled_since = now;
        }
        self.pushed += line.len() as u64;
        self.lines.push_back(line);
    }

    /// What has been pushed so far ends with this job's line: tell it when that is written.
    pub(crate) fn measure(&mut self, issued: Arc<Issued>) {
        self.measured = Some((issued, self.pushed));
    }

    /// Since when the wire has taken nothing; `None` while nothing waits.
    pub(crate) fn stalled_since(&self) -> Option<Mono> {
        (self.waiting() > 0).then_some(self.stalled_since)
    }

    /// Bytes that wait.
    pub(crate) const fn waiting(&self) -> u64 {
        self.pushed - self.taken
    }

    /// Whether there is anything to do for [`poll_out`](Self::poll_out).
    pub(crate) const fn is_busy(&self) -> bool {
        self.waiting() > 0 || self.unflushed
    }

    /// Writes what the wire takes; ready when it has taken all.
    pub(crate) fn poll_out(
        &mut self,
        wire: &mut Wire,
        cx: &mut Context<'_>,
        now: impl Fn() -> Mono,
    ) -> Poll<io::Result<()>> {
        while self.waiting() > 0 {
            let mut slices = [io::IoSlice::new(&[]); AT_ONCE];
            let mut count = 0;
            for (slice, line) in slices.iter_mut().zip(&self.lines) {
                *slice = io::IoSlice::new(line);
                count += 1;
            }
            let lines = slices.get(..count).unwrap_or_default();
            // One line by itself is cheaper to send as such.
            let written = match lines {
                [line] => ready!(Pin::new(&mut *wire).poll_write(cx, line))?,
                lines => ready!(Pin::new(&mut *wire).poll_write_vectored(cx, lines))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unflushed = true;
            self.advance(written);
            self.stalled_since = now();
            if let Some((issued, _)) = self.measured.take_if(|(_, end)| *end <= self.taken) {
                issued.reach.written(self.stalled_since);
            }
        }
        if self.unflushed {
            ready!(Pin::new(wire).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        self.taken += written as u64;
        while let Some(line) = self.lines.front_mut() {
            if written < line.len() {
                let _ = line.split_to(written);
                return;
            }
            written -= line.len();
            self.lines.pop_front();
        }
        // Nothing waits: an idle machine costs no buffer, but for places that each line would ask
        // for anew.
        if self.lines.capacity() > KEPT {
            self.lines = VecDeque::new();
        }
    }
}
