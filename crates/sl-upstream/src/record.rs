use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use sl_ports::Clock;
use sl_stratum::transcript::{Direction, Scrubber, head, written};
use sl_units::Mono;
use tokio::sync::mpsc;

/// Bytes of one recording; beyond, nothing more is kept.
const MOST_BYTES: usize = 64 << 20;
/// Lines that wait for the disk; beyond, they are left out and counted.
const QUEUE: usize = 4096;

/// Writes one connection's conversation into a file of its own, without waiting for the disk.
#[derive(Debug)]
pub(crate) struct Recorder {
    lines: mpsc::Sender<String>,
    scrubber: Scrubber,
    began: Mono,
    bytes: usize,
    left_out: u64,
}

impl Recorder {
    /// Starts `FOLDER/NAME.jsonl`, readable by its owner only.
    pub(crate) fn start(
        folder: &Path,
        name: &str,
        peer: &str,
        scrubber: Scrubber,
        clock: &Clock,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{name}.jsonl"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(head(peer).as_bytes())?;
        let (lines, mut queue) = mpsc::channel::<String>(QUEUE);
        tokio::task::spawn_blocking(move || {
            while let Some(line) = queue.blocking_recv() {
                if let Err(wrong) = file.write_all(line.as_bytes()) {
                    tracing::warn!(%wrong, "the conversation is recorded no further");
                    return;
                }
            }
        });
        Ok(Self { lines, scrubber, began: clock.mono(), bytes: 0, left_out: 0 })
    }

    /// Keeps one line.
    pub(crate) fn line(&mut self, direction: Direction, line: &[u8], now: Mono) {
        let ms = u64::try_from(now.since(self.began).as_millis()).unwrap_or(u64::MAX);
        let text = written(direction, ms, line, &self.scrubber);
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > MOST_BYTES || self.lines.try_send(text).is_err() {
            self.left_out += 1;
            if self.left_out == 1 {
                tracing::warn!("the recording is full or the disk is slow: lines are left out");
            }
        }
    }
}
