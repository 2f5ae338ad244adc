//! Cutting a stream of bytes into lines of bounded length.

/// Cuts bytes, however they arrive, into lines.
///
/// ```text
///                 ┌──── newline: Complete ────┐
///                 ▼                           │
///   feed ──▶  gathering ── over the limit: Oversized ──▶ skipping
///                 ▲                                         │
///                 └──────────────── newline ────────────────┘
/// ```
///
/// A line may be as long as the limit, not counting its newline. A longer one is reported once, as
/// soon as the limit is passed, and skipped to its newline; the lines after it are good again. No
/// more than the limit is ever held, and nothing is held between lines, so that an idle connection
/// costs no buffer.
#[derive(Debug)]
pub struct LineSplitter {
    limit: usize,
    held: Vec<u8>,
    /// The line in `held` has been handed out and goes at the next call.
    handed_out: bool,
    skipping: bool,
}

/// What was found at the head of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line without its newline, and without a carriage return before it. It may be empty.
    Complete(&'a [u8]),
    /// A line longer than the limit; it is being skipped.
    Oversized {
        /// The limit in bytes.
        limit: usize,
    },
}

impl LineSplitter {
    /// A splitter for lines of at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, held: Vec::new(), handed_out: false, skipping: false }
    }

    /// Changes the limit, from the bytes not yet given to [`next_line`](Self::next_line) on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Bytes held of a line that has not ended yet.
    #[must_use]
    pub fn held(&self) -> usize {
        if self.handed_out { 0 } else { self.held.len() }
    }

    /// The next line, taking what it needs off the front of `input`; `None` when `input` is used
    /// up. A line that lies whole in `input` is not copied.
    pub fn next_line<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Option<Line<'s>> {
        if self.handed_out {
            self.held = Vec::new();
            self.handed_out = false;
        }
        if self.skipping {
            let end = input.iter().position(|&byte| byte == b'\n');
            let Some((_, rest)) = end.and_then(|at| input.split_at_checked(at + 1)) else {
                *input = &[];
                return None;
            };
            *input = rest;
            self.skipping = false;
        }
        let bytes = *input;
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let part = end.and_then(|at| bytes.get(..at)).unwrap_or(bytes);
        *input = end.and_then(|at| bytes.get(at + 1..)).unwrap_or_default();
        if self.held.len().saturating_add(part.len()) > self.limit {
            self.held = Vec::new();
            self.skipping = end.is_none();
            return Some(Line::Oversized { limit: self.limit });
        }
        match end {
            None => {
                self.held.extend_from_slice(part);
                None
            }
            Some(_) if self.held.is_empty() => Some(Line::Complete(without_return(part))),
            Some(_) => {
                self.held.extend_from_slice(part);
                self.handed_out = true;
                Some(Line::Complete(without_return(&self.held)))
            }
        }
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines as text, an oversized one as `None`.
    fn split(limit: usize, pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let mut splitter = LineSplitter::new(limit);
        let mut found = Vec::new();
        for piece in pieces {
            let mut input = *piece;
            while let Some(line) = splitter.next_line(&mut input) {
                found.push(match line {
                    Line::Complete(line) => Some(line.to_vec()),
                    Line::Oversized { .. } => None,
                });
            }
            assert!(input.is_empty());
            assert!(splitter.held() <= limit);
        }
        found
    }

    #[test]
    fn lines_end_at_newlines() {
        let ok = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(split(9, &[b"a\r\n\nbc", b"d\n"]), [ok("a"), ok(""), ok("bcd")]);
        assert_eq!(split(3, &[b"abc\nabcd\nab\n"]), [ok("abc"), None, ok("ab")]);
        assert_eq!(split(3, &[b"abcd", b"efg", b"h\nxy\n"]), [None, ok("xy")]);
        assert_eq!(split(3, &[b"abc", b"\n", b"\n"]), [ok("abc"), ok("")]);
    }

    #[test]
    fn an_oversized_line_is_told_at_once() {
        let mut splitter = LineSplitter::new(3);
        let mut input: &[u8] = b"abcd";
        assert_eq!(splitter.next_line(&mut input), Some(Line::Oversized { limit: 3 }));
        assert_eq!(splitter.next_line(&mut input), None);
        assert_eq!(splitter.held(), 0);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(0usize..200, 0..20),
            limit in 0usize..30,
        ) {
            let whole = split(limit, &[&bytes]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(split(limit, &pieces), whole);
        }
    }
}
