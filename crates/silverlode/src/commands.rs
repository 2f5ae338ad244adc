//! What each command does.

mod auxpow;
mod bench;
mod book;
mod config;
mod doctor;
mod farm;
mod journal;
mod pool;
mod services;
mod twin;
mod words;

use std::process::ExitCode;

use crate::{
    args::{Cli, Command},
    failure::Failure,
    layers::Environment,
};

/// Does what the words ask for.
///
/// # Errors
/// Whatever keeps it from doing so.
pub(crate) fn run(cli: Cli, environment: &Environment) -> Result<ExitCode, Failure> {
    let global = &cli.global;
    match cli.command.unwrap_or(Command::Up) {
        Command::Up => farm::up(global, environment),
        Command::Mine(mine) => farm::mine(&mine, global, environment),
        Command::Gateway => farm::gateway(global, environment),
        Command::Twin(words) => twin::run(&words, global, environment),
        Command::Node => farm::node(global, environment),
        Command::Bench(bench) => bench::run(&bench, global, environment),
        Command::Config(config) => config::run(config, global, environment),
        Command::Auxpow(words) => auxpow::run(&words, global, environment),
        Command::Pool(words) => pool::run(&words, global, environment),
        Command::Journal(words) => journal::run(&words, global, environment),
        Command::Services => services::run(global, environment),
        Command::Doctor(doctor) => doctor::run(&doctor, global, environment),
        Command::Completions { shell } => Ok(words::completions(shell)),
        Command::Man { dir } => words::man(dir.as_deref()),
        Command::Docs(docs) => book::run(&docs),
    }
}
