//! The program behind `cargo xtask bench gateway`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: its reports are its product"
)]

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use sl_bench::{Bare, Scenario, bare, bench, load, sessions};

/// The gateway under load, measured.
#[derive(Parser, Debug)]
#[command(name = "sl-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Measures the gateway that lies beside this program
    Gateway {
        /// One scenario alone [default: all]
        #[arg(value_enum)]
        scenario: Option<Scenario>,
        /// All in about four minutes: fewer machines, shorter times
        #[arg(long)]
        quick: bool,
        /// Also put all figures that are known into this page, under its heading `## Figures`
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
    },
    /// A process of load, led from outside; ends with the connection to who leads it
    #[command(hide = true)]
    Load {
        /// Where the leader listens
        #[arg(long)]
        control: SocketAddr,
        /// Which process of load it is
        #[arg(long)]
        number: usize,
    },
    /// What the machine itself asks for a gateway's work
    #[command(hide = true)]
    Bare {
        /// What is done
        #[arg(value_enum)]
        what: Bare,
        /// Over how many sockets
        #[arg(long)]
        sockets: u32,
    },
    /// Sessions over transports in memory, in this process alone
    #[command(hide = true)]
    Sessions {
        /// How many
        #[arg(long)]
        count: u32,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Gateway { scenario, quick, page } => {
            let (tell, show) = (|line: &str| eprintln!("{line}"), |row: &str| println!("{row}"));
            bench(scenario, quick, page.as_deref(), tell, show).map(|report| {
                println!("{}", report.json());
                report.is_kept()
            })
        }
        Command::Load { control, number } => load(control, number).map(|()| true),
        Command::Bare { what, sockets } => {
            bare(what, sockets, |line| println!("{line}")).map(|()| true)
        }
        Command::Sessions { count } => sessions(count).map(|figures| {
            println!("{figures}");
            true
        }),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(wrong) => {
            eprintln!("sl-bench: {wrong}");
            ExitCode::from(1)
        }
    }
}
