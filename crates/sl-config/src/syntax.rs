//! What the YAML crate says, in words for people, with the cure.

use std::ops::Range;

use crate::parse::too_deep;
use crate::problem::{Draft, Fault};
use crate::source::{Place, Source};

/// The mistake after which there is no tree: `at` and `info` are the YAML crate's.
///
/// The crate says which rule of its grammar failed, often a line too late. What people did is read
/// from the text around.
pub(crate) fn explain(source: &Source, id: usize, at: usize, info: &str) -> Draft {
    let at = at.min(source.text().len());
    let scene = Scene { source, id, at, line: source.position(at).0 };
    scene.tab().or_else(|| scene.known(info)).unwrap_or_else(|| {
        let hint = "put odd values in quotes, indent with spaces";
        scene.draft(at..at + 1, info).hint(hint)
    })
}

struct Scene<'a> {
    source: &'a Source,
    id: usize,
    at: usize,
    line: usize,
}

impl Scene<'_> {
    fn draft(&self, span: Range<usize>, message: &str) -> Draft {
        Draft::new(Fault::Syntax, Some(Place::new(self.id, span)), message)
    }

    /// The text of a line without its indentation and comment, and where it stands.
    fn content(&self, line: usize) -> (Range<usize>, &str) {
        let text = self.source.line(line);
        let text = text.split(" #").next().unwrap_or(text);
        let start = self.source.line_start(line) + text.len() - text.trim_start().len();
        (start..start + text.trim().len(), text.trim())
    }

    /// The nearest line above that says something.
    fn above(&self) -> Option<usize> {
        (1..self.line).rev().find(|line| {
            let (_, text) = self.content(*line);
            !text.is_empty() && !text.starts_with('#')
        })
    }

    fn tab(&self) -> Option<Draft> {
        for line in [self.line, self.line + 1] {
            let text = self.source.line(line);
            let indent = text.len() - text.trim_start().len();
            let tab = text.get(..indent).and_then(|indent| indent.find('\t'));
            if let Some(tab) = tab {
                let start = self.source.line_start(line) + tab;
                let message = "a tab indents this line";
                return Some(
                    self.draft(start..start + 1, message)
                        .allowed("spaces")
                        .hint("replace each tab by two spaces"),
                );
            }
        }
        // The crate stops behind the tab.
        let before = self.at.checked_sub(1)?;
        self.source.text().get(before..self.at)?.starts_with('\t').then(|| {
            let draft = self.draft(before..self.at, "a tab follows the colon");
            draft.allowed("a space").hint("replace the tab by a space")
        })
    }

    fn known(&self, info: &str) -> Option<Draft> {
        let says = |words: &[&str]| words.iter().any(|word| info.contains(word));
        let here = |message: &str| self.draft(self.at..self.at + 1, message);
        if says(&["recursion limit"]) {
            // The crate looks ahead of its events for the end of a key.
            return Some(too_deep(Place::new(self.id, self.at..self.at + 1)));
        }
        if says(&["unknown escape", "invalid escape", "Unicode character escape", "hexadecimal"]) {
            let draft = here("an unknown escape behind a backslash in these quotes");
            return Some(draft.hint("write the backslash twice, or use single quotes"));
        }
        if says(&["trailing content after"]) {
            let draft = here("text behind the closing quote");
            return Some(draft.hint("put the whole value in quotes"));
        }
        if says(&["quoted scalar"]) {
            return Some(here("the quote is not closed").hint("close it on the same line"));
        }
        if says(&["unexpected character", "anchor or alias", "unknown anchor"]) {
            let letter = self.source.text().get(self.at..).and_then(|rest| rest.chars().next());
            let letter = letter.map_or(String::new(), |letter| letter.escape_debug().to_string());
            let draft = here(&format!("a value cannot begin with {letter}"));
            return Some(draft.hint("put the value in quotes"));
        }
        if says(&["block scalar"]) {
            let draft = here("text right behind | or >");
            return Some(draft.hint("put the value in quotes, or begin the text on the next line"));
        }
        if says(&["misplaced bracket"]) {
            let draft = here("a bracket that closes nothing");
            return Some(draft.hint("remove it, or put the value in quotes"));
        }
        if says(&["flow sequence", "flow mapping", "placement of ':'", "flow"]) {
            let open = self.open_bracket().unwrap_or(self.at);
            let draft = self.draft(open..open + 1, "the bracket is not closed");
            return Some(draft.hint("close it: [a, b] or {key: value}"));
        }
        if says(&["mapping values", "simple key"]) {
            return Some(self.colon());
        }
        says(&["expected key", "block mapping", "block sequence", "block collection"]).then(|| {
            let (span, _) = self.content(self.line);
            let draft = self.draft(span, "this line fits nothing above it");
            draft
                .allowed("the indentation of the lines of its section")
                .hint("indent it as the line that it belongs to")
        })
    }

    /// A colon too many, one too few, or a line too deep.
    fn colon(&self) -> Draft {
        let (span, text) = self.content(self.line);
        let before = self.source.text().get(span.start..self.at.max(span.start)).unwrap_or("");
        if before.contains(": ") {
            let draft = self.draft(self.at..self.at + 1, "a second colon in one line");
            return draft.allowed("key: value").hint("put the value in quotes");
        }
        let has_value = |text: &str| text.contains(": ") || text.ends_with(':');
        let lacking = [Some((span.clone(), text)), self.above().map(|line| self.content(line))];
        for (span, text) in lacking.into_iter().flatten() {
            if !text.is_empty() && !has_value(text) {
                let draft = self.draft(span, "no colon with a space behind the key");
                return draft.allowed("key: value").hint("write \"key: value\"");
            }
        }
        let draft = self.draft(span, "this line is indented deeper than the one above");
        draft
            .allowed("deeper lines below a key without a value")
            .hint("indent it as the line above")
    }

    /// The last bracket before the mistake that is still open; quotes are not looked at.
    fn open_bracket(&self) -> Option<usize> {
        let before = self.source.text().get(..self.at)?;
        let mut closed = 0_usize;
        for (at, byte) in before.bytes().enumerate().rev() {
            match byte {
                b']' | b'}' => closed += 1,
                b'[' | b'{' if closed == 0 => return Some(at),
                b'[' | b'{' => closed -= 1,
                _ => {}
            }
        }
        None
    }
}

const SECRET_WORDS: [&str; 6] = ["password", "passwd", "secret", "token", "credential", "api_key"];

/// Whether a value of that name is probably a secret.
pub(crate) fn likely_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Values that look like secrets in a text that nobody can read as settings, so that the line in a
/// message does not give them away.
pub(crate) fn likely_secrets(source: &Source, id: usize) -> Vec<Place> {
    let mut places = Vec::new();
    let mut start = 0;
    for line in source.text().split_inclusive('\n') {
        let lower = line.to_ascii_lowercase();
        let word = SECRET_WORDS.iter().filter_map(|word| lower.find(word)).min();
        let colon = word.and_then(|word| Some(word + lower.get(word..)?.find(':')?));
        if let Some(colon) = colon {
            let value = line.get(colon + 1..).unwrap_or("").trim_start();
            places.push(Place::new(id, start + line.len() - value.len()..start + line.len()));
        }
        start += line.len();
    }
    places
}
