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
            Self::Settings(_) | Self::Usage(_) => ExitCode::from(2),
            Self::Assemble(wrong) if wrong.is_settings() => ExitCode::from(2),
            _ => ExitCode::from(1),
        }
    }

    /// The whole text for people.
    pub(crate) fn render(&self, colour: bool) -> String {
        let Self::Settings(problems) = self else { return format!("error: {self}\n") };
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
        let _ = writeln!(text, "{count} {noun} in the settings; nothing was started");
        text
    }
}

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
        let title = match source {
            Some(source) if source.layer() != Layer::File => {
                format!("{}: {}", source.name(), problem.title())
            }
            _ => problem.title(),
        };
        Self {
            title,
            help: help(problem),
            source: file.map(|source| NamedSource::new(source.name(), source.text().to_owned())),
            span: problem.span.clone(),
        }
    }
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
