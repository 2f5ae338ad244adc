//! Rust sources as the rules see them: line by line, without comments and the contents of strings, with tests and tables marked.
//!
//! This is a scanner, not a parser: it knows comments, strings, characters and braces, which is enough to say what a line is.

use std::ops::RangeInclusive;

/// A scanned source file.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Its lines, from the first.
    pub(crate) lines: Vec<Line>,
    /// Names of modules declared as `#[cfg(test)] mod name;`.
    pub(crate) test_modules: Vec<String>,
}

/// A line of a source file.
#[derive(Debug, Default, Clone)]
pub(crate) struct Line {
    /// The line with comments, and the contents of strings and characters, blanked.
    pub(crate) code: String,
    /// Whether anything but blanks and comments stands on it.
    pub(crate) solid: bool,
    /// Whether it belongs to a test.
    pub(crate) test: bool,
    /// Whether it belongs to a range marked `// tidy: table` … `// tidy: end`.
    pub(crate) table: bool,
}

impl Source {
    /// Scans a file.
    pub(crate) fn scan(text: &str) -> Self {
        let (masked, solid) = mask(text);
        let mut lines: Vec<Line> = masked
            .split(|&c| c == '\n')
            .zip(solid)
            .map(|(code, solid)| Line { code: code.iter().collect(), solid, ..Line::default() })
            .collect();
        let (ranges, test_modules) = tests(&masked);
        for line in ranges.into_iter().flatten() {
            if let Some(line) = lines.get_mut(line) {
                line.test = true;
            }
        }
        let mut table = false;
        for (line, raw) in lines.iter_mut().zip(text.split('\n')) {
            match raw.trim() {
                "// tidy: table" => table = true,
                "// tidy: end" => table = false,
                _ => line.table = table,
            }
        }
        Self { lines, test_modules }
    }

    /// Marks the whole file as a test.
    pub(crate) fn mark_test(&mut self) {
        self.lines.iter_mut().for_each(|line| line.test = true);
    }

    /// The lines outside tests, with their numbers from 1.
    pub(crate) fn product(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.numbered().filter(|(_, line)| !line.test)
    }

    /// All lines, with their numbers from 1.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &Line)> {
        self.lines.iter().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Lines of code: not blank, not a comment, not a test, not a table.
    pub(crate) fn size(&self) -> usize {
        self.product().filter(|(_, line)| line.solid && !line.table).count()
    }
}

/// Blanks comments and the contents of strings; says of each line whether anything else stands on it.
fn mask(text: &str) -> (Vec<char>, Vec<bool>) {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = Vec::with_capacity(chars.len());
    let mut solid = vec![false];
    // Writes the next `count` characters: shown as they are, or blanked; `code` says whether they count as code.
    let mut emit = |from: usize, to: usize, shown: bool, code: bool| {
        for &c in &chars[from.min(chars.len())..to.min(chars.len())] {
            if c == '\n' {
                solid.push(false);
            } else if let Some(last) = solid.last_mut() {
                *last |= code && !c.is_whitespace();
            }
            out.push(if shown || c == '\n' { c } else { ' ' });
        }
    };
    let mut i = 0;
    while i < chars.len() {
        let word_before = i > 0 && (at(i - 1).is_alphanumeric() || at(i - 1) == '_');
        let start = i;
        match at(i) {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
                emit(start, i, false, false);
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0_usize;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
                emit(start, i, false, false);
            }
            'r' | 'b' | 'c' if !word_before && raw_hashes(&chars, i).is_some() => {
                let (opening, hashes) = raw_hashes(&chars, i).unwrap_or_default();
                i += opening;
                while i < chars.len() && !(at(i) == '"' && (1..=hashes).all(|k| at(i + k) == '#')) {
                    i += 1;
                }
                i += 1 + hashes;
                emit(start, i, false, true);
            }
            '"' => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
                emit(start, i, false, true);
            }
            '\'' if at(i + 1) == '\\' || (at(i + 2) == '\'' && at(i + 1) != '\'') => {
                i += if at(i + 1) == '\\' { 3 } else { 2 };
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
                emit(start, i, false, true);
            }
            _ => {
                i += 1;
                emit(start, i, true, true);
            }
        }
    }
    (out, solid)
}

/// When a raw string opens at `i`: the length of its opening, and its hashes.
fn raw_hashes(chars: &[char], i: usize) -> Option<(usize, usize)> {
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let r = if at(i) == 'r' { i } else { i + 1 };
    let hashes = (r + 1..).take_while(|&k| at(k) == '#').count();
    (at(r) == 'r' && at(r + 1 + hashes) == '"').then_some((r + 2 + hashes - i, hashes))
}

/// The line ranges of test items (from 0), and the test modules that live in files of their own.
fn tests(masked: &[char]) -> (Vec<RangeInclusive<usize>>, Vec<String>) {
    let text: String = masked.iter().collect();
    let line = |at: usize| text[..at].matches('\n').count();
    let (mut ranges, mut modules) = (Vec::new(), Vec::new());
    for marker in ["#[cfg(test)]", "#[cfg(all(test", "#![cfg(test)]"] {
        for (start, _) in text.match_indices(marker) {
            if marker.starts_with("#!") {
                ranges.push(0..=line(text.len()));
                continue;
            }
            let item = after_attributes(&text, start);
            let rest = &text[item..];
            let end = match end_of_head(rest) {
                Some(at) if rest[at..].starts_with('{') => {
                    item + at + balanced(&rest[at..], '{', '}')
                }
                Some(at) => item + at,
                None => text.len(),
            };
            let declaration =
                text[item..end.min(text.len())].trim_start_matches("pub(crate) ").trim();
            if let Some(name) = declaration.strip_prefix("mod ").filter(|name| !name.contains('{'))
            {
                modules.push(name.trim().to_owned());
            }
            ranges.push(line(start)..=line(end.min(text.len())));
        }
    }
    (ranges, modules)
}

/// Where the item begins that the attributes from `start` on belong to.
fn after_attributes(text: &str, start: usize) -> usize {
    let mut at = start;
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if !trimmed.starts_with("#[") {
            return at;
        }
        at += 1 + balanced(&trimmed[1..], '[', ']') + 1;
        at = at.min(text.len());
    }
}

/// Where the head of the item ends that begins `text`: at its `{` or `;`, those in brackets aside.
fn end_of_head(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.char_indices().find_map(|(at, c)| match c {
        '(' | '[' => {
            depth += 1;
            None
        }
        ')' | ']' => {
            depth = depth.saturating_sub(1);
            None
        }
        '{' | ';' if depth == 0 => Some(at),
        _ => None,
    })
}

/// Where the bracket that opens `text` is closed; its length when it is not.
fn balanced(text: &str, open: char, close: char) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        if c == open {
            depth += 1;
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    text.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let codes: Vec<String> =
            Source::scan(text).lines.into_iter().map(|line| line.code).collect();
        let words: Vec<&str> = codes.iter().flat_map(|code| code.split_whitespace()).collect();
        assert_eq!(words.join(" "), expect);
    }

    #[test]
    fn comments_and_contents_of_strings_are_blanked() {
        check("a(); // b.unwrap()\n/* c /* d */ e */ f", "a(); f");
        check("x(\"a // b\\\" c\" , 'q' , '\\'' , '\\u{41}' ); y::<'a>()", "x( , , , ); y::<'a>()");
        check("r#\"todo!() \"quoted\" \"#; z", "; z");
        check("let r#type = br\"a\\\"; b", "let r#type = ; b");
    }

    #[test]
    fn tests_are_marked_and_not_counted() {
        let source = Source::scan(
            "fn a() {}\n// note\n\n#[cfg(test)]\n#[expect(x, reason = \"[\")]\nmod tests {\n fn b() { if x {} }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\n",
        );
        let product: Vec<usize> =
            source.product().filter(|(_, l)| l.solid).map(|(at, _)| at).collect();
        assert_eq!(product, [1, 9]);
        assert_eq!(source.size(), 2);
        assert_eq!(source.test_modules, ["more"]);
    }

    #[test]
    fn tables_and_contents_of_strings_are_told_apart() {
        let source = Source::scan("a\n// tidy: table\nb\nc\n// tidy: end\nd = \"\n text\n\n\";\n");
        assert_eq!(source.size(), 4);
    }

    #[test]
    fn unfinished_sources_do_not_upset_it() {
        for text in [
            "\"abc",
            "/* abc",
            "r#\"abc",
            "'",
            "#[cfg(test)]",
            "#[cfg(test)] mod x {",
            "#[cfg(test)] #[a(",
            "}",
        ] {
            Source::scan(text);
        }
    }
}
