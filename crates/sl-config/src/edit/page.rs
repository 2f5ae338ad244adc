//! Where in the text a change belongs.

use crate::edit::{Cut, Step, Wanted, at};
use crate::text::{in_list, standing};
use crate::tree::{Node, Value};

/// A text with its tree.
pub(super) struct Page<'a> {
    text: &'a str,
    tree: &'a Node,
    /// How deep the file indents.
    step: usize,
    line_end: &'static str,
}

impl<'a> Page<'a> {
    pub(super) fn new(text: &'a str, tree: &'a Node) -> Self {
        let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut page = Self { text, tree, step: 2, line_end };
        page.step = page.indentation(tree).unwrap_or(2);
        page
    }

    /// The text with the value at the path.
    pub(super) fn set(&self, path: &[Step], value: &Wanted) -> Result<String, String> {
        if let Some((key, node)) = at(self.tree, path) {
            let empty = key.is_some_and(|key| key.place == node.place);
            let cut = match (key, empty) {
                (Some(key), true) => {
                    let colon = self.colon(key.place.end).ok_or("its colon is not found")?;
                    let written = value.written(None, self.in_flow(path));
                    Cut { span: colon..colon, text: format!(" {written}") }
                }
                _ => self.replacement(path, node, value)?,
            };
            return Ok(self.with(&cut));
        }
        // The longest part of the path that is there.
        let there = (0..path.len()).rev().find(|count| at(self.tree, &path[..*count]).is_some());
        let (parents, missing) = path.split_at(there.unwrap_or(0));
        let names: Option<Vec<&str>> = missing
            .iter()
            .map(|step| match step {
                Step::Key { name, .. } => Some(name.as_str()),
                Step::Item(_) => None,
            })
            .collect();
        let names = names.ok_or("there is no such item in the list")?;
        let before = match missing.first() {
            Some(Step::Key { before, .. }) => before.as_slice(),
            _ => &[],
        };
        let Some((key, parent)) = at(self.tree, parents) else {
            return Err("its section is not found".into());
        };
        let cut = match &parent.value {
            Value::Map(entries) if self.is_flow(parent) => {
                let written = flow_entry(&names, value);
                match entries.last() {
                    Some((_, last)) => {
                        let end =
                            self.end_after(last, entries.last().map(|(key, _)| key.place.end));
                        Cut { span: end..end, text: format!(", {written}") }
                    }
                    None => {
                        let start = parent.place.start + 1;
                        Cut { span: start..start, text: written }
                    }
                }
            }
            Value::Map(entries) => {
                let Some((first, _)) = entries.first() else { return Err("an empty map".into()) };
                let indent = self.column(first.place.start);
                let from = if parents.is_empty() { 0 } else { first.place.start };
                match self.sample(&names, from, indent) {
                    Some(line) => self.lines_at(line, indent, &names, value),
                    None => {
                        let earlier = |name: &str| before.contains(&name);
                        let last = entries.iter().rev().find(|(key, _)| earlier(&key.name));
                        let Some((key, node)) = last.or(entries.last()) else {
                            return Err("an empty map".into());
                        };
                        let end = self.line_end_after(self.end_after(node, Some(key.place.end)));
                        self.lines_at(end, indent, &names, value)
                    }
                }
            }
            Value::Null => match key {
                // The whole file is empty, or holds comments only.
                None if parents.is_empty() => match self.sample(&names, 0, 0) {
                    Some(line) => self.lines_at(line, 0, &names, value),
                    None => self.lines_at(self.text.len(), 0, &names, value),
                },
                Some(key) if key.place == parent.place && !self.in_flow(parents) => {
                    let indent = self.column(key.place.start) + self.step;
                    let line = self.line_end_after(key.place.end);
                    match self.sample(&names, line, indent) {
                        Some(line) => self.lines_at(line, indent, &names, value),
                        None => self.lines_at(line, indent, &names, value),
                    }
                }
                Some(key) if key.place == parent.place => {
                    let colon = self.colon(key.place.end).ok_or("its colon is not found")?;
                    Cut { span: colon..colon, text: format!(" {{{}}}", flow_entry(&names, value)) }
                }
                _ => Cut {
                    span: parent.place.span(),
                    text: format!("{{{}}}", flow_entry(&names, value)),
                },
            },
            _ => return Err("something else stands where its section belongs".into()),
        };
        Ok(self.with(&cut))
    }

    /// The text without the entry at the path, which is there.
    pub(super) fn unset(&self, path: &[Step]) -> Result<String, String> {
        let Some((Some(key), node)) = at(self.tree, path) else {
            return Err("items of a list are not taken away one by one".into());
        };
        let parents = path.split_last().map_or(path, |(_, parents)| parents);
        let start = key.place.start;
        let end = self.end_after(node, Some(key.place.end));
        if self.in_flow(parents) {
            return Ok(self.with(&Cut { span: self.with_comma(start..end), text: String::new() }));
        }
        let line = self.line_start(start);
        if !self.slice(line..start).trim().is_empty() {
            return Err("it is the first setting of a list's item".into());
        }
        Ok(self.with(&Cut { span: line..self.line_end_after(end), text: String::new() }))
    }

    /// Another value in the place of one that is there.
    fn replacement(&self, path: &[Step], node: &Node, value: &Wanted) -> Result<Cut, String> {
        // A block list's place is not that of its first dash where the dashes are not indented.
        let dash = match &node.value {
            Value::Seq(items) if !self.is_flow(node) => {
                items.first().and_then(|item| self.slice(0..item.place.start).rfind('-'))
            }
            _ => None,
        };
        let span = dash.unwrap_or(node.place.start)..self.end_after(node, None);
        let old = self.slice(span.clone());
        let flow = self.in_flow(path.split_last().map_or(path, |(_, parents)| parents));
        let text = match (&node.value, value) {
            (Value::Seq(_), _) if self.is_flow(node) && !old.contains('#') => {
                value.written(None, flow)
            }
            (Value::Seq(items), Wanted::Several(wanted)) if !wanted.is_empty() => {
                if !items.iter().all(|item| matches!(item.value, Value::Scalar(_)))
                    || old.contains('#')
                {
                    return Err("the list has comments or more inside".into());
                }
                let column = self.column(span.start);
                let glue = format!("{}{}- ", self.line_end, " ".repeat(column));
                let items: Vec<String> = wanted.iter().map(|item| standing(item, false)).collect();
                format!("- {}", items.join(&glue))
            }
            (Value::Seq(_) | Value::Map(_), _) => {
                return Err("a list or a section stands there".into());
            }
            (Value::Scalar(scalar), _) => {
                let quotes = old.chars().next().filter(|_| scalar.quoted);
                value.written(quotes, flow)
            }
            (Value::Null, _) => value.written(None, flow),
        };
        Ok(Cut { span, text })
    }

    /// Lines of missing sections and their value, put before the byte `at`, the start of a line or
    /// the end of the text.
    fn lines_at(&self, at: usize, indent: usize, names: &[&str], value: &Wanted) -> Cut {
        let mut lines = String::new();
        let open = self.slice(0..at);
        if !open.is_empty() && !open.ends_with('\n') {
            lines += self.line_end;
        }
        for (depth, name) in names.iter().enumerate() {
            lines += &" ".repeat(indent + depth * self.step);
            lines += &standing(name, false);
            lines.push(':');
            if depth + 1 == names.len() {
                lines.push(' ');
                lines += &value.written(None, false);
            }
            lines += self.line_end;
        }
        if at == self.text.len() && !open.is_empty() && !open.ends_with('\n') {
            // The file ended without a line end, and still does.
            lines.truncate(lines.len() - self.line_end.len());
        }
        Cut { span: at..at, text: lines }
    }

    /// The end of the line that has the missing key commented out (`#listen: …`), within the lines
    /// from `from` on that belong to a map of this indentation.
    fn sample(&self, names: &[&str], from: usize, indent: usize) -> Option<usize> {
        let name = names.first()?;
        let mut start = self.line_start(from);
        while start < self.text.len() {
            let end = self.line_end_after(start);
            let line = self.slice(start..end);
            let trimmed = line.trim();
            let depth = line.len() - line.trim_start().len();
            if !trimmed.is_empty() && !trimmed.starts_with('#') && depth < indent {
                return None;
            }
            let behind = trimmed.strip_prefix('#').and_then(|rest| rest.strip_prefix(name));
            if depth == indent
                && names.len() == 1
                && behind.is_some_and(|rest| rest.starts_with(':'))
            {
                return Some(end);
            }
            start = end;
        }
        None
    }

    /// Whether the node at the path, or one above it, stands between brackets.
    fn in_flow(&self, path: &[Step]) -> bool {
        (0..=path.len()).any(|count| {
            path.get(..count)
                .and_then(|path| at(self.tree, path))
                .is_some_and(|(_, node)| self.is_flow(node))
        })
    }

    fn is_flow(&self, node: &Node) -> bool {
        let container = matches!(node.value, Value::Map(_) | Value::Seq(_));
        container && self.slice(node.place.start..self.text.len()).starts_with(['{', '['])
    }

    /// Behind the last byte of a node; `key_end` for the value that its key leaves empty.
    fn end_after(&self, node: &Node, key_end: Option<usize>) -> usize {
        let inner = match &node.value {
            Value::Null if key_end.is_some_and(|end| end == node.place.end) => {
                return self.colon(node.place.end).unwrap_or(node.place.end);
            }
            Value::Null => node.place.end,
            Value::Scalar(_) => {
                let scalar = self.slice(node.place.span());
                let length = closing_quote(scalar).unwrap_or(scalar.trim_end().len());
                node.place.start + length
            }
            Value::Map(entries) => entries.last().map_or(node.place.start + 1, |(key, node)| {
                self.end_after(node, Some(key.place.end))
            }),
            Value::Seq(items) => {
                items.last().map_or(node.place.start + 1, |item| self.end_after(item, None))
            }
        };
        if !self.is_flow(node) {
            return inner;
        }
        // Up to the bracket there can be blanks, comments, a comma.
        let mut comment = false;
        for (offset, letter) in self.slice(inner..self.text.len()).char_indices() {
            match letter {
                '\n' => comment = false,
                '#' => comment = true,
                ']' | '}' if !comment => return inner + offset + 1,
                _ => {}
            }
        }
        self.text.len()
    }

    /// An entry of a flow map with one comma beside it.
    fn with_comma(&self, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let behind = self.slice(span.end..self.text.len());
        let blank = behind.len() - behind.trim_start().len();
        if let Some(rest) = behind.trim_start().strip_prefix(',') {
            let spaces = rest.len() - rest.trim_start_matches(' ').len();
            return span.start..span.end + blank + 1 + spaces;
        }
        match self.slice(0..span.start).trim_end().strip_suffix(',') {
            Some(before) => before.len()..span.end,
            None => span,
        }
    }

    /// Behind the colon of a key.
    fn colon(&self, key_end: usize) -> Option<usize> {
        let behind = self.slice(key_end..self.text.len());
        let blank = behind.len() - behind.trim_start_matches([' ', '\t']).len();
        behind.trim_start_matches([' ', '\t']).starts_with(':').then_some(key_end + blank + 1)
    }

    /// How deep the first nested block map stands below its parent.
    fn indentation(&self, node: &Node) -> Option<usize> {
        let Value::Map(entries) = &node.value else { return None };
        if self.is_flow(node) {
            return None;
        }
        entries.iter().find_map(|(key, child)| match &child.value {
            Value::Map(inner) if !self.is_flow(child) => {
                let (first, _) = inner.first()?;
                let own = self.column(key.place.start);
                self.column(first.place.start).checked_sub(own).filter(|step| *step > 0)
            }
            _ => None,
        })
    }

    fn column(&self, at: usize) -> usize {
        self.slice(self.line_start(at)..at).chars().count()
    }

    fn line_start(&self, at: usize) -> usize {
        self.slice(0..at).rfind('\n').map_or(0, |end| end + 1)
    }

    /// Behind the line end of the line that `at` stands in.
    fn line_end_after(&self, at: usize) -> usize {
        self.slice(at..self.text.len()).find('\n').map_or(self.text.len(), |end| at + end + 1)
    }

    fn slice(&self, span: std::ops::Range<usize>) -> &'a str {
        self.text.get(span).unwrap_or("")
    }

    fn with(&self, cut: &Cut) -> String {
        let (before, behind) =
            (self.slice(0..cut.span.start), self.slice(cut.span.end..self.text.len()));
        format!("{before}{}{behind}", cut.text)
    }
}

/// The length of a scalar in quotes: the YAML crate's span takes in the comment behind it.
fn closing_quote(scalar: &str) -> Option<usize> {
    let mut letters = scalar.char_indices().peekable();
    let quote =
        letters.next().map(|(_, letter)| letter).filter(|letter| matches!(letter, '"' | '\''))?;
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if quote == '"' => {
                letters.next();
            }
            _ if letter != quote => {}
            '\'' if letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                letters.next();
            }
            _ => return Some(at + 1),
        }
    }
    None
}

/// Missing sections and their value between brackets.
fn flow_entry(names: &[&str], value: &Wanted) -> String {
    let mut text = value.written(None, true);
    for (depth, name) in names.iter().rev().enumerate() {
        let entry = format!("{}: {text}", in_list(name, false));
        text = if depth + 1 == names.len() { entry } else { format!("{{{entry}}}") };
    }
    text
}
