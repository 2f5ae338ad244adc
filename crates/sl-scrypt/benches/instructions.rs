//! Instructions of one hash, by engine, as valgrind counts them: the same at every run, on a machine
//! with other work too. Valgrind does not know AVX-512, so those engines are missing.
//!
//! `cargo bench -p sl-scrypt --bench instructions [-- ENGINE…]`
//!
//! Each engine runs twice below callgrind, with one group of headers and with three. The difference
//! is two groups and nothing else: no start of the program, no self-test, no engine that is made.
#![expect(clippy::print_stdout, reason = "a bench prints its answer")]

use std::{error::Error, process::Command};

use sl_pow::Algorithm;
use sl_scrypt::{Scrypt, candidates};
use sl_units::Target;

/// The word by which the program runs itself below valgrind.
const CHILD: &str = "child";
/// How a child says that valgrind's CPU lacks the instructions.
const NOT_HERE: i32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, engine, groups] = words.as_slice()
        && first == CHILD
    {
        let code = if scan(engine, groups.parse()?) { 0 } else { NOT_HERE };
        #[expect(clippy::disallowed_methods, reason = "nothing is left to be dropped")]
        std::process::exit(code);
    }
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    println!("{:12} {:>5} {:>18}", "engine", "lanes", "instructions/hash");
    for row in Scrypt.engines().into_iter().chain(candidates()) {
        if !wanted.is_empty() && wanted.iter().all(|name| *name != row.name) {
            continue;
        }
        match (instructions(row.name, 1)?, instructions(row.name, 3)?) {
            (Some(one), Some(three)) => {
                let hashes = 2.0 * row.lanes as f64;
                println!("{:12} {:>5} {:>18.0}", row.name, row.lanes, (three - one) / hashes);
            }
            _ => println!("{:12} {:>5} {:>18}", row.name, row.lanes, "not below valgrind"),
        }
    }
    Ok(())
}

/// Scans so many full groups; `false` if this CPU cannot.
fn scan(engine: &str, groups: u32) -> bool {
    let rows = Scrypt.engines().into_iter().chain(candidates());
    let Some(row) = rows.filter(|row| (row.available)()).find(|row| row.name == engine) else {
        return false;
    };
    let Ok(mut engine) = (row.make)() else { return false };
    let header = Scrypt.vectors()[0].header;
    let (nothing, mut hits) = (Target::from_le_bytes([0; 32]), Vec::new());
    engine.scan(&header, 0, groups * row.lanes as u32, nothing, &mut hits);
    true
}

/// Instructions of a run of this program with so many groups; `None` if valgrind's CPU cannot.
fn instructions(engine: &str, groups: u32) -> Result<Option<f64>, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args([CHILD, engine, &groups.to_string()])
        .output()
        .map_err(|wrong| {
            format!("cannot run valgrind: {wrong}, hint: sudo apt install valgrind")
        })?;
    if output.status.code() == Some(NOT_HERE) {
        return Ok(None);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let count = told.lines().find_map(|line| line.split_once("Collected : "));
    match count {
        Some((_, number)) if output.status.success() => Ok(Some(number.trim().parse()?)),
        _ => Err(format!("valgrind ended with {}: {told}", output.status).into()),
    }
}
