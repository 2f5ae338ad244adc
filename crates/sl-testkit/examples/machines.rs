//! Machines that really hash, at a gateway, until Ctrl-C.
//!
//! `cargo run --release -p sl-testkit --example machines -- 127.0.0.1:3333 200 1000`: so many
//! machines, which make so many hashes a second together.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::{error::Error, time::Duration};

use sl_pow::Registry;
use sl_scrypt::Scrypt;
use sl_testkit::machines::Machines;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [gateway, count, hashes] = words.as_slice() else {
        return Err("three words are wanted: ADDRESS MACHINES HASHES_PER_SECOND".into());
    };
    let mut registry = Registry::new();
    registry.register(Scrypt)?;
    let prover = registry.best("scrypt")?;
    let machines =
        Machines::start(gateway.parse()?, "rig", count.parse()?, hashes.parse()?, prover);
    let mut look = tokio::time::interval(Duration::from_secs(2));
    loop {
        // `tick` and `ctrl_c` are cancel-safe.
        tokio::select! {
            _ = look.tick() => {
                let counts = machines.counts();
                println!(
                    "{} machines, {} connections ended, {} jobs; shares: {} sent, {} accepted, refused {:?}",
                    counts.working, counts.disconnects, counts.jobs, counts.submitted,
                    counts.accepted, counts.refused
                );
            }
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}
