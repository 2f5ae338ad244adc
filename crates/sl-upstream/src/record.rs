use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use sl_ports::Clock;
use sl_stratum::transcript::{Direction, Scrubber, head, written};
use sl_units::Mono;
use tokio::sync::mpsc;

/// Bytes of one recording; beyond, nothing more is kept.
const MOST_BYTES: usize = 64 << 20;
/// Recordings of one pool that stay, this one included: the newest.
const MOST_FILES: usize = 100;
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
    /// Starts `FOLDER/POOL-MILLISECONDS-NUMBER.jsonl`, readable by its owner only. The oldest of
    /// the pool go, so that one that comes and goes does not fill the disk.
    pub(crate) fn start(
        folder: &Path,
        pool: &str,
        number: u64,
        peer: &str,
        scrubber: Scrubber,
        clock: &Clock,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        leave_newest(folder, pool, MOST_FILES - 1)?;
        let path = folder.join(format!("{pool}-{}-{number}.jsonl", clock.wall().millis()));
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

/// Removes a pool's recordings but for the newest.
fn leave_newest(folder: &Path, pool: &str, most: usize) -> io::Result<()> {
    let mut found: Vec<((u64, u64), PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some(began) = path.file_name().and_then(|name| began(name.to_str()?, pool)) {
            found.push((began, path));
        }
    }
    found.sort_unstable();
    let gone = found.len().saturating_sub(most);
    found.into_iter().take(gone).try_for_each(|(_, path)| fs::remove_file(path))
}

/// When a recording of this pool was begun, and its number, by its name.
fn began(name: &str, pool: &str) -> Option<(u64, u64)> {
    let rest = name.strip_prefix(pool)?.strip_prefix('-')?.strip_suffix(".jsonl")?;
    let (at, number) = rest.split_once('-')?;
    Some((at.parse().ok()?, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_pool_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let others = ["a-1-90-1.jsonl", "a-90.jsonl", "a-90-1.json", "notes.txt"];
        let own = ["a-99-7.jsonl", "a-100-8.jsonl", "a-100-9.jsonl"];
        for name in others.iter().chain(&own) {
            fs::write(folder.path().join(name), "").expect("room");
        }
        leave_newest(folder.path(), "a", 2).expect("they can be removed");
        let there = |name: &&str| folder.path().join(name).exists();
        assert_eq!(own.iter().filter(|name| there(name)).collect::<Vec<_>>(), [&own[1], &own[2]]);
        assert!(others.iter().all(there));
    }
}
