//! Colour for results. It never says anything alone: each mark has its word.

use std::fmt::Write as _;

/// How wide results are made.
pub(crate) const WIDTH: usize = 100;

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(bool);

impl Paint {
    pub(crate) const fn new(colour: bool) -> Self {
        Self(colour)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.dress("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.dress("1;31", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.dress("2", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.dress("1", text)
    }

    fn dress(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.into() }
    }

    /// A heading with a line to the right edge.
    pub(crate) fn heading(self, text: &str) -> String {
        let line = "─".repeat(WIDTH.saturating_sub(text.chars().count() + 1));
        format!("\n{} {}\n", self.strong(text), self.dim(&line))
    }
}

/// Text in lines of at most `width` letters, broken between words; longer words are cut.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(width) {
            let space = usize::from(!line.is_empty());
            if line.chars().count() + space + piece.len() > width {
                lines.push(std::mem::take(&mut line));
            } else if space == 1 {
                line.push(' ');
            }
            line.extend(piece);
        }
    }
    lines.push(line);
    lines
}

/// A paragraph, each line behind the same margin.
pub(crate) fn paragraph(out: &mut String, margin: &str, text: &str) {
    for line in wrapped(text, WIDTH.saturating_sub(margin.chars().count())) {
        let _ = writeln!(out, "{margin}{line}");
    }
}

/// A long text of digits by its first and last letters, as in `bd98a063…8e3f2a10`.
pub(crate) fn short(text: &str) -> String {
    const KEPT: usize = 8;
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= 2 * KEPT + 1 {
        return text.into();
    }
    let (head, tail) = (letters.iter().take(KEPT), letters.iter().skip(letters.len() - KEPT));
    head.chain(std::iter::once(&'…')).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn long_digits_are_shortened() {
        assert_eq!(short("0123456789abcdef0123456789abcdef"), "01234567…89abcdef");
        assert_eq!(short("0123456789abcdef"), "0123456789abcdef");
    }

    #[test]
    fn without_colour_nothing_is_added() {
        assert_eq!(Paint::new(false).bad("no"), "no");
        assert_eq!(Paint::new(true).bad("no"), "\x1b[1;31mno\x1b[0m");
    }
}
