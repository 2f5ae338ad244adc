//! asic-rs, unmodified, against virtual machines: it finds them, reads them and rules them.
//!
//! ```text
//! silverlode-asic-rs target/debug/silverlode [KIND…]
//! ```
//!
//! Three machines of each kind stand on a net of loopback, two gateways on simulated chains are their
//! pools. What asic-rs is told is compared with what a machine of its kind must be, with what was
//! written before, and with the gateways' own figures. Exit status 0 says that all of it held.
//!
//! It is not the place to judge asic-rs: where that is known to misread a real machine, the same
//! misreading is wanted here, and `README.md` lists it.

#![forbid(unsafe_code)]

mod button;
mod crowd;
mod kinds;
mod programs;
mod reading;
mod ruling;
mod trial;

use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, bail};
use tokio::task::{JoinSet, LocalSet};

use kinds::{KINDS, Kind};
use programs::{Folder, Gateway, Twins};
use trial::Trial;

/// Machines of each kind: one is ruled, one restarts, one is left alone.
const MACHINES: usize = 3;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match judged().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => {
            eprintln!("error: {wrong:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether all held.
async fn judged() -> anyhow::Result<bool> {
    let mut words = std::env::args().skip(1);
    let binary = words.next().context("the first argument is the path of silverlode")?;
    let wanted: Vec<String> = words.collect();
    let known = |word: &String| {
        word == "crowd" || word == "button" || KINDS.iter().any(|kind| kind.is(word))
    };
    if let Some(word) = wanted.iter().find(|word| !known(word)) {
        let kinds: Vec<String> = KINDS.iter().map(Kind::name).collect();
        bail!("found kind {word:?}, allowed are button, crowd, {}", kinds.join(", "));
    }
    LocalSet::new().run_until(trials(binary, wanted)).await
}

/// All kinds at once: most of the time passes with waiting for machines that start.
async fn trials(binary: String, wanted: Vec<String>) -> anyhow::Result<bool> {
    let folder = Folder::new(binary)?;
    let old = Rc::new(Gateway::start(&folder, "old", 13_401, 120)?);
    let new = Rc::new(Gateway::start(&folder, "new", 13_431, 120)?);
    let asked = |kind: &Kind| wanted.is_empty() || wanted.iter().any(|word| kind.is(word));

    let mut running = JoinSet::new();
    for (at, kind) in KINDS.iter().enumerate().filter(|(_, kind)| asked(kind)) {
        let twins = Twins::start(&folder, kind, 32 + at, MACHINES, &old)?;
        let (old, new) = (Rc::clone(&old), Rc::clone(&new));
        running.spawn_local(async move { one_kind(kind, &twins, &old, &new).await });
    }
    let (mut held, mut failed) = (0, 0);
    let mut count = |trial: Trial| {
        print!("{trial}");
        held += trial.held;
        failed += trial.failed;
    };
    while let Some(done) = running.join_next().await {
        count(done?);
    }
    let also = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    if also("button") {
        count(button::trial(&folder, &KINDS[0], 48, MACHINES, &old).await);
    }
    // A crowd takes its ports on the whole loopback device, so it comes when the others have gone.
    if also("crowd") {
        let pool = Gateway::start(&folder, "crowd", 13_461, 6)?;
        let twins = Twins::start(&folder, &KINDS[0], 64, crowd::MACHINES, &pool)?;
        count(crowd::trial(&KINDS[0], &twins).await);
    }
    println!("asic-rs 0.8.6: {held} checks held, {failed} did not");
    Ok(failed == 0 && held > 0)
}

/// Finds, reads and rules the machines of one kind.
async fn one_kind(kind: &'static Kind, twins: &Twins, old: &Gateway, new: &Gateway) -> Trial {
    let mut trial = Trial::new(&kind.name());
    let Some(mut machines) = reading::found(&mut trial, twins).await else { return trial };
    for machine in &machines {
        reading::read(&mut trial, kind, machine.as_ref()).await;
    }
    if kind.old_dialect {
        reading::agrees(&mut trial, machines[2].as_ref(), &twins.worker(3), old).await;
        return trial;
    }
    let [first, second, third] = &mut machines[..] else { return trial };
    let (worker, quiet_worker) = (twins.worker(1), twins.worker(3));
    let mut ruled = Trial::new("");
    let mut restarted = Trial::new("");
    let mut quiet = Trial::new("");
    tokio::join!(
        ruling::ruled(&mut ruled, kind, first, &worker, (old, new)),
        ruling::restarted(&mut restarted, kind, second),
        reading::agrees(&mut quiet, third.as_ref(), &quiet_worker, old),
    );
    for part in [ruled, restarted, quiet] {
        trial.take(part);
    }
    let strangers = new.shares().await.unwrap_or_default();
    let mine = |worker: &&String| twins.owns(worker) && **worker != twins.worker(1);
    trial.same("other machines at the new pool", strangers.keys().filter(mine).count(), 0);
    trial
}
