//! What can end a command, and how people are told.

use std::{fmt::Write as _, io, path::PathBuf, process::ExitCode};

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity,
    SourceCode,
};
use sl_app::{AssembleError, BenchError, PortsTaken};
use sl_config::{Layer, Problem, Problems};
use sl_ports::folders::FolderError;
use thiserror::Error;

/// Why a command ended without doing what it was asked.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Settings(Problems),
    #[error("{0}")]
    Scenario(Problems),
    #[error("cannot {doing} {}: {cause}", path.display())]
    File { path: PathBuf, doing: &'static str, cause: io::Error },
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Assemble(#[from] AssembleError),
    #[error(transparent)]
    Bench(#[from] BenchError),
    #[error(transparent)]
    Ports(#[from] PortsTaken),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("service {id} failed: {error}")]
    Service { id: String, error: String },
    #[error("{0}")]
    System(String),
}

impl Failure {
    /// 2 for what the user can mend in settings or flags, 1 for all else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(_) | Self::Scenario(_) | Self::Usage(_) => ExitCode::from(2),
            Self::Assemble(wrong) if wrong.is_settings() => ExitCode::from(2),
            Self::Bench(wrong) if wrong.is_usage() => ExitCode::from(2),
            _ => ExitCode::from(1),
        }
    }

    /// The whole text for people.
    pub(crate) fn render(&self, colour: bool) -> String {
        let (problems, file) = match self {
            Self::Settings(problems) => (problems, "settings"),
            Self::Scenario(problems) => (problems, "scenario"),
            other => return format!("error: {other}\n"),
        };
        let theme =
            if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_links(false);
        let mut text = String::new();
        for problem in problems.list() {
            // Writing into a string cannot fail.
            let _ = handler.render_report(&mut text, &Shown::of(problem));
        }
        let count = problems.list().len() + problems.untold();
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        let _ = writeln!(text, "{count} {noun} in the {file}; nothing was started");
        text
    }
}

/// Longest line of a settings file that is shown, in bytes.
const LONGEST: usize = 400;

/// A problem as a diagnostic with its place.
#[derive(Debug)]
struct Shown {
    title: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    span: std::ops::Range<usize>,
}

impl Shown {
    fn of(problem: &Problem) -> Self {
        let source = problem.source.as_ref();
        // A flag or a variable is one text without lines: its name says it all.
        let file = source.filter(|source| source.layer() == Layer::File);
        // Three lines are shown; of a file that is not text they could be all of it.
        let around = problem.line.saturating_sub(1)..=problem.line + 1;
        let file = file.filter(|file| around.clone().all(|line| file.line(line).len() <= LONGEST));
        let title = match (source, file) {
            (Some(source), None) if source.layer() == Layer::File => {
                let (name, line, column) = (source.name(), problem.line, problem.column);
                format!("{name}:{line}:{column}: {}", problem.title())
            }
            (Some(source), None) => format!("{}: {}", source.name(), problem.title()),
            _ => problem.title(),
        };
        Self {
            title: harmless(&title),
            help: help(problem).map(|help| harmless(&help)),
            source: file.map(|file| NamedSource::new(harmless(file.name()), harmless(file.text()))),
            span: problem.span.clone(),
        }
    }
}

/// The same text without what would steer a terminal or turn the order of letters around; each
/// byte of these becomes a question mark, so that spans fit.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        let steers = letter.is_control() && !matches!(letter, '\n' | '\r' | '\t');
        let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if steers || turns {
            shown.extend(std::iter::repeat_n('?', letter.len_utf8()));
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// What is allowed, and the cure, a line each.
fn help(problem: &Problem) -> Option<String> {
    let allowed = problem.allowed.as_ref().map(|allowed| format!("allowed: {allowed}"));
    let lines: Vec<String> = allowed.into_iter().chain(problem.hint.clone()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.title)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn severity(&self) -> Option<Severity> {
        Some(Severity::Error)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.source.as_ref()?;
        let label = LabeledSpan::new_with_span(Some("here".into()), self.span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

#[cfg(test)]
mod tests {
    use sl_app::Settings;
    use sl_config::{Layers, load};

    use super::*;

    fn rendered(text: &[u8]) -> String {
        let layers = Layers::new().file("silverlode.yaml", text.to_vec());
        let read = load(layers).and_then(|loaded| loaded.read_with(sl_app::check));
        Failure::Settings(Result::<Settings, _>::map(read, |_| ()).expect_err("wrong"))
            .render(false)
    }

    #[test]
    fn a_file_that_is_no_text_does_not_steer_the_terminal() {
        let mut shown = rendered(b"mode: \"\x1b[31mred\"\n");
        shown += &rendered(b"\x9b\x1b]0;title\x07 gateway");
        shown += &rendered(b"\"\\e[2Jkey\": 1\n");
        shown += &rendered("mode: \u{202e}eduction\n".as_bytes());
        let bad = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
        assert_eq!(shown.chars().find(|letter| bad(*letter)), None, "{shown:?}");
    }

    #[test]
    fn a_line_without_end_is_not_shown_but_its_place_is() {
        let text = format!("mode: educational\na: {}", "[".repeat(50_000));
        let shown = rendered(text.as_bytes());
        assert!(shown.len() < 1000, "{} bytes", shown.len());
        assert!(shown.contains("silverlode.yaml:2:"), "{shown}");
        assert!(rendered(&vec![b'#'; 2 << 20]).len() < 1000);
    }
}
