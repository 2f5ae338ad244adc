//! The workshop of silverlode: one command for each thing a contributor or the CI does to the repository.
//!
//! It is for work on the sources. It is no part of the product, and depends on none of its crates, so that it builds in seconds
//! and still runs when they do not compile.
//!
//! ```text
//! cargo xtask quality            format, lint, tidy, security, dependencies, clean
//! cargo xtask tidy crates/sl-pow the architecture rules, for one crate
//! ```
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: its reports are its product"
)]

mod advisories;
mod bench;
mod cargo;
mod dependencies;
mod flags;
mod licences;
mod quality;
mod repository;
mod rust;
mod tidy;
mod weigh;

use std::process::ExitCode;

use flags::Flags;
use repository::Repository;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  quality [FOLDER]    format, lint, tidy, security, dependencies, clean; FOLDER limits it to the crates below
      --format-only   the format alone                --fix     let cargo fmt write
      --security-only advisories, licences, duplicates  --quiet   only what fails, and the verdict
      --db PATH       snapshot of the RustSec database (folder or .tar.gz)
      --require       fail when there is no snapshot
  tidy [FOLDER]       the architecture rules; --quiet
  advisories          security advisories for Cargo.lock; --db PATH, --require, --lock FILE
  weigh               build seconds by crate, from scratch in target/weigh; --package NAME, --dev, --top N
  bench gateway [SCENARIO]  the gateway under load, on a quiet machine: figures as JSON and as a table
      --quick         fewer machines, shorter times: all in about four minutes
      --write         all figures that are known into docs/bench-gateway.md as well
  ci                  what CI runs: .ci/run

exit status: 0 fine, 1 something is refused, 2 wrong usage";

/// What a command came to.
enum Verdict {
    /// Nothing refused.
    Fine,
    /// Something refused; it has been printed.
    Refused,
    /// The command line is wrong.
    Usage(String),
    /// The command could not do its work.
    Broken(String),
}

impl From<bool> for Verdict {
    fn from(fine: bool) -> Self {
        if fine { Self::Fine } else { Self::Refused }
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    match run(&command, args) {
        Verdict::Fine => ExitCode::SUCCESS,
        Verdict::Refused => ExitCode::from(1),
        Verdict::Usage(what) => {
            eprintln!("{what}\n\n{USAGE}");
            ExitCode::from(2)
        }
        Verdict::Broken(what) => {
            eprintln!("xtask {command}: {what}");
            ExitCode::from(1)
        }
    }
}

fn run(command: &str, args: impl Iterator<Item = String>) -> Verdict {
    let repository = Repository::here();
    let (switches, values, places): (&[&str], &[&str], usize) = match command {
        "quality" => {
            (&["--format-only", "--security-only", "--quiet", "--fix", "--require"], &["--db"], 1)
        }
        "tidy" => (&["--quiet"], &[], 1),
        "advisories" => (&["--require"], &["--db", "--lock"], 0),
        "weigh" => (&["--dev"], &["--package", "--top"], 0),
        "bench" => (&["--quick", "--write"], &[], 2),
        "ci" => (&[], &[], 0),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            return Verdict::Fine;
        }
        "" => return Verdict::Usage("no command given".into()),
        other => return Verdict::Usage(format!("no command `{other}`")),
    };
    let flags = match Flags::parse(args, switches, values, places) {
        Ok(flags) => flags,
        Err(what) => return Verdict::Usage(what),
    };
    let done = match command {
        "quality" => quality::run(&repository, &flags),
        "tidy" => tidy::run(&repository, &flags),
        "advisories" => advisories::run(&repository, &flags),
        "weigh" => weigh::run(&repository, &flags),
        "bench" => bench::run(&repository, &flags),
        _ => repository.run_shown(".ci/run", &[]),
    };
    match done {
        Ok(fine) => fine.into(),
        Err(what) => Verdict::Broken(what),
    }
}
