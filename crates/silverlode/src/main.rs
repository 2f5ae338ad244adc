//! The operations suite of a Scrypt mine: the command line.
//!
//! For: reading the words, the settings and the signals, and showing what `sl-app` runs. Data goes
//! to standard output, logs to standard error.
//!
//! Not for: any rule of mining.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod console;
mod drive;
mod failure;
mod follow;
mod layers;
mod output;

use std::process::ExitCode;

use clap::Parser;

use crate::{args::Cli, layers::Environment};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = Environment::of_process();
    let colour = output::colour_on_stderr(&environment);
    match commands::run(cli, &environment) {
        Ok(code) => code,
        Err(failure) => {
            output::tell(&failure.render(colour));
            failure.exit_code()
        }
    }
}
