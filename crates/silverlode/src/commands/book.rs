//! The generated pages of the book: written, or checked against what they would be.

mod commands;
mod settings;

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use sl_app::metrics::{self, MetricKind};

use crate::{args::Docs, failure::Failure, output};

/// What rewrites the pages.
const CURE: &str = "cargo run -p silverlode -- docs --write docs";
/// Where the book's pages lie in the folder of documents.
const BOOK: &str = "book/src";
/// Where the decisions lie in the folder of documents.
const DECISIONS: &str = "adr";

/// A generated page: its place in the book, its text.
struct Page {
    path: String,
    text: String,
}

/// `silverlode docs --write DIR` and `silverlode docs --check DIR`
pub(super) fn run(docs: &Docs) -> Result<ExitCode, Failure> {
    match (&docs.write, &docs.check) {
        (Some(folder), _) => write(folder),
        (None, Some(folder)) => check(folder),
        (None, None) => Err(Failure::Usage("give --write DIR or --check DIR".into())),
    }
}

fn write(folder: &Path) -> Result<ExitCode, Failure> {
    let pages = pages(folder)?;
    for (page, place) in pages.iter().map(|page| (page, folder.join(BOOK).join(&page.path))) {
        let written = fs::create_dir_all(place.parent().unwrap_or(folder))
            .and_then(|()| fs::write(&place, &page.text));
        written.map_err(|cause| failed("write", &place, cause))?;
    }
    for gone in left_over(folder, &pages)? {
        fs::remove_file(&gone).map_err(|cause| failed("remove", &gone, cause))?;
    }
    output::tell(&format!("wrote {} pages\n", pages.len()));
    Ok(ExitCode::SUCCESS)
}

fn check(folder: &Path) -> Result<ExitCode, Failure> {
    let pages = pages(folder)?;
    let stale = pages.iter().filter_map(|page| {
        let place = folder.join(BOOK).join(&page.path);
        let there = fs::read_to_string(&place).unwrap_or_default();
        (there != page.text).then_some(place)
    });
    let mut stale: Vec<PathBuf> = stale.collect();
    stale.extend(left_over(folder, &pages)?);
    if stale.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::from("pages of the book are stale:\n");
    for place in stale {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "  {}", place.display());
    }
    output::tell(&format!("{text}hint: {CURE}\n"));
    Ok(ExitCode::FAILURE)
}

/// All pages that are generated.
fn pages(folder: &Path) -> Result<Vec<Page>, Failure> {
    let decisions = decisions(folder)?;
    let mut pages = vec![
        page("SUMMARY.md", summary(&decisions)),
        page("commands.md", commands::page()),
        page("settings.md", settings::page()),
        page("environment.md", settings::environment_page()),
        page("metrics.md", metrics()),
        page("auxpow.md", "{{#include ../../auxpow.md}}\n".to_owned()),
        page("journal.md", "{{#include ../../journal.md}}\n".to_owned()),
        page("pools.md", "{{#include ../../pools.md}}\n".to_owned()),
        page("proof-of-work-done.md", "{{#include ../../proof-of-work-done.md}}\n".to_owned()),
        page("decisions/README.md", included("README.md")),
    ];
    pages.extend(
        decisions.iter().map(|(file, _)| page(&format!("decisions/{file}"), included(file))),
    );
    Ok(pages)
}

fn page(path: &str, text: String) -> Page {
    Page { path: path.to_owned(), text }
}

/// The text of a decision is that of the repository.
fn included(file: &str) -> String {
    format!("{{{{#include ../../../{DECISIONS}/{file}}}}}\n")
}

fn summary(decisions: &[(String, String)]) -> String {
    let mut text = String::from(
        "# Summary\n\n[Introduction](introduction.md)\n\n- [First steps](first-steps.md)\n\
         - [When something is wrong](doctor.md)\n- [AuxPoW, byte by byte](auxpow.md)\n\
         - [Several pools](pools.md)\n- [Proof of work done](proof-of-work-done.md)\n- [The journal](journal.md)\n- [Commands](commands.md)\n\
         - [Settings](settings.md)\n- [Environment variables](environment.md)\n\
         - [Metrics](metrics.md)\n- [Glossary](glossary.md)\n- [Decisions](decisions/README.md)\n",
    );
    for (file, title) in decisions {
        let _ = writeln!(text, "  - [{title}](decisions/{file})");
    }
    text
}

/// The decisions' files and titles, in order.
fn decisions(folder: &Path) -> Result<Vec<(String, String)>, Failure> {
    let place = folder.join(DECISIONS);
    let mut found = Vec::new();
    for name in names(&place)? {
        if name.ends_with(".md") && name != "README.md" {
            let path = place.join(&name);
            let text = fs::read_to_string(&path).map_err(|cause| failed("read", &path, cause))?;
            let title = text.lines().next().unwrap_or_default().trim_start_matches('#').trim();
            found.push((name, title.to_owned()));
        }
    }
    Ok(found)
}

/// Pages of decisions that are no longer there.
fn left_over(folder: &Path, pages: &[Page]) -> Result<Vec<PathBuf>, Failure> {
    let place = folder.join(BOOK).join("decisions");
    if !place.exists() {
        return Ok(Vec::new());
    }
    let known = |name: &String| pages.iter().any(|page| page.path == format!("decisions/{name}"));
    let names = names(&place)?;
    Ok(names.into_iter().filter(|name| !known(name)).map(|name| place.join(name)).collect())
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = fs::read_dir(folder).map_err(|cause| failed("read", folder, cause))?;
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn failed(doing: &'static str, path: &Path, cause: io::Error) -> Failure {
    Failure::File { path: path.to_owned(), doing, cause }
}

fn metrics() -> String {
    let mut text = head(
        "Metrics",
        "What a running silverlode tells in the text format of Prometheus, at `/metrics` of its \
         control door: the socket `control.sock` in the data folder, and the port \
         `control.listen` if one is set. What is unknown is absent, never zero.",
    );
    text += "\n| metric | kind | labels | meaning |\n|---|---|---|---|\n";
    for metric in metrics::all() {
        let kind = match metric.kind {
            MetricKind::Gauge => "gauge",
            MetricKind::Counter => "counter",
        };
        let labels = metric.labels.iter().map(|label| format!("`{label}`"));
        let labels = labels.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "| `{}` | {kind} | {labels} | {} |", metric.name, cell(metric.help));
    }
    text
}

/// The head of a generated page.
fn head(title: &str, about: &str) -> String {
    format!("# {title}\n\n<!-- Generated. To rewrite it: {CURE} -->\n\n{about}\n")
}

/// A text as it stands in a cell of a table.
fn cell(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.replace('|', "\\|").replace('<', "&lt;").replace('>', "&gt;")
}
