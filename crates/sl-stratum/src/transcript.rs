//! Conversations kept as text: every line with its direction and its time, secrets removed, to be
//! read by people and said again to a session ([`replay`]).
//!
//! One JSON object a line; the first says what the file is:
//!
//! ```text
//! {"transcript":1,"peer":"stratum+tcp://pool.example:3333"}
//! {"dir":"c>s","ms":0,"line":"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"silverlode/0.1.0\"]}"}
//! {"dir":"s>c","ms":31,"line":"{\"id\":1,\"result\":[[],\"f8006343\",4],\"error\":null}"}
//! {"dir":"s>c","ms":32,"hex":"ff00"}
//! ```
//!
//! A line that is not UTF-8 stands in hexadecimal under `hex`.
//!
//! ```
//! use sl_stratum::transcript::{Direction, Scrubber, Transcript, head, written};
//!
//! let scrubber = Scrubber::new(["hunter22".to_owned()]);
//! let line = br#"{"id":2,"method":"mining.authorize","params":["w","hunter22"]}"#;
//! let text = head("pool") + &written(Direction::Up, 7, line, &scrubber);
//! assert!(!text.contains("hunter22"));
//! let transcript: Transcript = text.parse().expect("our own text");
//! assert_eq!(transcript.entries[0].ms, 7);
//! ```

mod replay;
mod scrub;

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use replay::{Replay, replay};
pub use scrub::Scrubber;

/// The form of the text that this version writes, and the only one it reads.
const FORM: u64 = 1;

/// Which way a line went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From the machine to the pool.
    #[serde(rename = "c>s")]
    Up,
    /// From the pool to the machine.
    #[serde(rename = "s>c")]
    Down,
}

/// One line of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which way it went.
    pub direction: Direction,
    /// When, in milliseconds since the connection was made.
    pub ms: u64,
    /// The line without its newline.
    pub line: Vec<u8>,
}

/// A conversation over one connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transcript {
    /// Who was at the other end.
    pub peer: String,
    /// The lines, in order.
    pub entries: Vec<Entry>,
}

/// Why a text is no transcript.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} of the transcript: {reason}")]
pub struct TranscriptError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
struct Head {
    transcript: u64,
    #[serde(default)]
    peer: String,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    dir: Direction,
    ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hex: Option<String>,
}

/// The first line of a transcript, newline included.
#[must_use]
pub fn head(peer: &str) -> String {
    let peer = scrub::without_credentials(peer).into_owned();
    json_line(&Head { transcript: FORM, peer })
}

/// One line of a transcript, newline included, its secrets removed.
#[must_use]
pub fn written(direction: Direction, ms: u64, line: &[u8], scrubber: &Scrubber) -> String {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (line, hex) = match std::str::from_utf8(line) {
        Ok(text) => (Some(scrubber.scrub(text)), None),
        Err(_) => (None, Some(hex::encode(scrubber.scrub_bytes(line)))),
    };
    json_line(&Wire { dir: direction, ms, line, hex })
}

fn json_line(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("text keys and plain values") + "\n"
}

impl FromStr for Transcript {
    type Err = TranscriptError;

    fn from_str(text: &str) -> Result<Self, TranscriptError> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let wrong = |at: usize, reason: String| TranscriptError { line: at + 1, reason };
        let (at, first) = lines.next().ok_or_else(|| wrong(0, "the text is empty".into()))?;
        let head: Head = serde_json::from_str(first).map_err(|e| wrong(at, e.to_string()))?;
        if head.transcript != FORM {
            return Err(wrong(at, format!("form {}, allowed is {FORM}", head.transcript)));
        }
        let entry = |(at, line): (usize, &str)| {
            let wire: Wire = serde_json::from_str(line).map_err(|e| wrong(at, e.to_string()))?;
            let line = match (wire.line, wire.hex) {
                (Some(line), None) => line.into_bytes(),
                (None, Some(hex)) => hex::decode(hex).map_err(|e| wrong(at, e.to_string()))?,
                _ => return Err(wrong(at, "neither line nor hex, or both".into())),
            };
            Ok(Entry { direction: wire.dir, ms: wire.ms, line })
        };
        Ok(Self { peer: head.peer, entries: lines.map(entry).collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_survive_their_text() {
        let none = Scrubber::new([]);
        let lines: [(Direction, &[u8]); 4] = [
            (Direction::Up, b"{\"id\":1}"),
            (Direction::Down, b"\x00\xff not text"),
            (Direction::Down, b"\"\\\x1b[31m"),
            (Direction::Down, b""),
        ];
        let mut text = head("stratum+tcp://u:p@pool.example:3333");
        for (ms, (direction, line)) in (0..).zip(lines) {
            text += &written(direction, ms, &[line, b"\r\n"].concat(), &none);
        }
        let read: Transcript = text.parse().expect("our own text");
        assert_eq!(read.peer, "stratum+tcp://***@pool.example:3333");
        let expect = (0..).zip(lines).map(|(ms, (direction, line))| Entry {
            direction,
            ms,
            line: line.to_vec(),
        });
        assert_eq!(read.entries, expect.collect::<Vec<_>>());
    }

    #[test]
    fn what_is_no_transcript_is_named() {
        let head = "{\"transcript\":1}";
        for (text, reason) in [
            (String::new(), "line 1 of the transcript: the text is empty"),
            ("{\"transcript\":2}".into(), "line 1 of the transcript: form 2, allowed is 1"),
            (
                format!("{head}\n\n{{\"dir\":\"c>s\",\"ms\":1}}"),
                "line 3 of the transcript: neither",
            ),
            (format!("{head}\n{{\"dir\":\"up\",\"ms\":1}}"), "line 2 of the transcript: unknown"),
        ] {
            let wrong = text.parse::<Transcript>().expect_err(reason).to_string();
            assert!(wrong.starts_with(reason), "{wrong}");
        }
    }
}
