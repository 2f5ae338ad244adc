//! The page of the commands, from the one definition of the words.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use super::{cell, head};
use crate::args::Cli;

pub(super) fn page() -> String {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut text = head("Commands", &about(&root));
    text += "\n## Flags of every command\n";
    let globals: Vec<&Arg> = root.get_arguments().filter(|arg| arg.is_global_set()).collect();
    table(&globals, &mut text);
    text +=
        "\nExit status: 0 done, 1 failed, 2 usage or settings, 3 done with some items failed.\n";
    for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
        of(command, "silverlode", &mut text);
    }
    text
}

/// A command, and those below it.
fn of(command: &Command, above: &str, text: &mut String) {
    let name = format!("{above} {}", command.get_name());
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    // Writing into a string cannot fail.
    let _ = write!(text, "\n## {name}\n\n{}\n\n```text\n{usage}\n```\n", about(command));
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && !arg.is_hide_set())
        .filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
        .collect();
    table(&own, text);
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        if below.get_name() != "help" {
            of(below, &name, text);
        }
    }
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    about.map(ToString::to_string).unwrap_or_default()
}

fn table(args: &[&Arg], text: &mut String) {
    if args.is_empty() {
        return;
    }
    *text += "\n| word | meaning |\n|---|---|\n";
    for arg in args {
        let help = arg.get_long_help().or_else(|| arg.get_help());
        let mut meaning = cell(&help.map(ToString::to_string).unwrap_or_default());
        let default: Vec<_> =
            arg.get_default_values().iter().map(|it| it.to_string_lossy()).collect();
        let takes = arg.get_action().takes_values();
        if takes && !default.is_empty() {
            let _ = write!(meaning, " [default: {}]", default.join(" "));
        }
        let words: Vec<String> =
            arg.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect();
        if takes && !words.is_empty() {
            let _ = write!(meaning, " [one of: {}]", words.join(", "));
        }
        let _ = writeln!(text, "| {} | {meaning} |", spelled(arg, takes));
    }
}

/// How it is typed: `-t`, `--threads N`.
fn spelled(arg: &Arg, takes: bool) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let value = names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" ");
    let mut words = Vec::new();
    words.extend(arg.get_short().map(|short| format!("-{short}")));
    words.extend(arg.get_long().map(|long| format!("--{long}")));
    if words.is_empty() {
        let name = if value.is_empty() { arg.get_id().to_string().to_uppercase() } else { value };
        return format!("`{name}`");
    }
    if let (Some(last), true, false) = (words.last_mut(), takes, value.is_empty()) {
        *last = format!("{last} {value}");
    }
    words
        .iter()
        .map(|word| format!("`{}`", word.replace('|', "\\|")))
        .collect::<Vec<_>>()
        .join(", ")
}
