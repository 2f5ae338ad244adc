use std::{collections::VecDeque, io, sync::Arc};

use bytes::Bytes;
use sl_units::Mono;
use tokio::net::TcpStream;

use crate::board::Issued;

/// Lines handed to the system in one call.
const AT_ONCE: usize = 8;

/// Lines on their way to a machine. They are not copied: a job's line is one for all machines.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    lines: VecDeque<Bytes>,
    /// Bytes ever put in and ever taken by the socket.
    pushed: u64,
    taken: u64,
    /// A job whose arrival is measured, and where its line ends.
    measured: Option<(Arc<Issued>, u64)>,
    /// Since when the socket takes nothing, while something waits.
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

    /// Since when the socket has taken nothing; `None` while nothing waits.
    pub(crate) fn stalled_since(&self) -> Option<Mono> {
        (self.waiting() > 0).then_some(self.stalled_since)
    }

    /// Bytes that wait.
    pub(crate) const fn waiting(&self) -> u64 {
        self.pushed - self.taken
    }

    /// Writes what the socket takes without waiting.
    pub(crate) fn write_to(
        &mut self,
        stream: &TcpStream,
        now: impl FnOnce() -> Mono,
    ) -> io::Result<()> {
        let mut slices = [io::IoSlice::new(&[]); AT_ONCE];
        let mut count = 0;
        for (slice, line) in slices.iter_mut().zip(&self.lines) {
            *slice = io::IoSlice::new(line);
            count += 1;
        }
        let written = match stream.try_write_vectored(slices.get(..count).unwrap_or_default()) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => written,
            Err(wrong) if wrong.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(wrong) => return Err(wrong),
        };
        let now = now();
        self.advance(written);
        self.stalled_since = now;
        if let Some((issued, _)) = self.measured.take_if(|(_, end)| *end <= self.taken) {
            issued.reach.written(now);
        }
        Ok(())
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
        // Nothing waits: an idle machine costs no buffer.
        self.lines = VecDeque::new();
    }
}
