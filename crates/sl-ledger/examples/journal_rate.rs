//! What a share costs the journal: CPU of the whole process, bytes on the disk, latency of a
//! receipt; and how long a restart recalls what was sent in the last five minutes.
//!
//! `cargo run --release -p sl-ledger --example journal_rate -- [SHARES_PER_SECOND] [SECONDS] [off]`
//!
//! With `off` nothing is written: what is left is the price of making the shares.
#![forbid(unsafe_code)]

use std::{num::NonZeroU64, sync::Arc, time::Duration};

use sl_ledger::{Entry, JobEntry, Journal, Judged, Options, ShareEntry, Solution};
use sl_ports::{Clock, process::ProcessFigures};
use sl_supervise::{ServiceSpec, Supervisor};
use sl_units::ShareDifficulty;
use sl_work::SourceId;
use tokio::time::Instant;

/// Workers that take turns.
const WORKERS: u64 = 10_000;
/// A new job after so many seconds.
const JOB: u64 = 5;
/// The number of the first.
const FIRST_JOB: u64 = 1_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let rate: u64 = words.next().map_or(Ok(13_000), |word| word.parse())?;
    let seconds: u64 = words.next().map_or(Ok(10), |word| word.parse())?;
    let folder = std::env::temp_dir().join(format!("journal-rate-{}", std::process::id()));
    let clock = Clock::real();
    let (journal, writer) = Journal::new(Options::new(folder.join("journal")), clock);
    let status = journal.status();
    let spec = ServiceSpec::new("journal", "the journal", move |ctx| writer.clone().run(ctx));
    let stop = tokio_util::sync::CancellationToken::new();
    let rng = sl_ports::Randomness::seeded(1).rng("restarts");
    let running = tokio::spawn(Supervisor::new(vec![spec], rng)?.run(stop.clone()));

    let workers: Vec<Arc<str>> =
        (0..WORKERS).map(|number| format!("account.rig{number:05}").into()).collect();
    let journal =
        if words.next().is_some_and(|word| word == "off") { Journal::off() } else { journal };
    let before = cpu();
    let begun = Instant::now();
    let mut latencies = Vec::new();
    let mut waiting = std::collections::VecDeque::new();
    let mut sent = 0;
    let mut full = 0_u64;
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    while begun.elapsed() < Duration::from_secs(seconds) {
        tick.tick().await;
        let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
        while sent < due {
            let mut entries = Vec::new();
            let job = FIRST_JOB + sent / (JOB * rate.max(1));
            if sent.is_multiple_of(JOB * rate.max(1)) {
                entries.push(Entry::Job(new_job(job, clock)));
            }
            entries.push(share(sent, job, &workers, clock)?);
            match journal.append(entries) {
                Ok(receipt) => waiting.push_back((Instant::now(), receipt)),
                Err(_) => full += 1,
            }
            sent += 1;
        }
        // Receipts come in the order of appends.
        while let Some((at, receipt)) = waiting.front_mut() {
            let done = std::future::poll_fn(|context| {
                std::task::Poll::Ready(std::pin::Pin::new(&mut *receipt).poll(context))
            });
            if done.await.is_pending() {
                break;
            }
            latencies.push(at.elapsed());
            waiting.pop_front();
        }
    }
    for (at, receipt) in waiting {
        receipt.await?;
        latencies.push(at.elapsed());
    }
    let spent = cpu().saturating_sub(before);
    stop.cancel();
    running.await?;
    let status = status.borrow().clone();
    let bytes: u64 = std::fs::read_dir(folder.join("journal"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().contains("shares-"))
        .map(|path| path.metadata().map_or(0, |it| it.len()))
        .sum();
    latencies.sort();
    let at = |part: f64| latencies.get((latencies.len() as f64 * part) as usize).copied();
    let told = format!(
        "{sent} shares in {seconds} s, {full} given back: {:.2} us CPU a share, {:.1} bytes a share, \
         {:.1} shares a commit, receipt p50 {:?} p99 {:?}\n",
        spent.as_secs_f64() * 1e6 / sent as f64,
        bytes as f64 / status.shares as f64,
        status.shares as f64 / status.commits as f64,
        at(0.5).unwrap_or_default(),
        at(0.99).unwrap_or_default(),
    );
    std::io::Write::write_all(&mut std::io::stdout(), told.as_bytes())?;
    let (journal, _) = Journal::new(Options::new(folder.join("journal")), clock);
    let (begun, before) = (Instant::now(), cpu());
    let since = clock.wall().millis().saturating_sub(300_000);
    let recalled = journal.recall(sl_units::Wall::from_millis(since)).await?;
    let told = format!(
        "{} shares of {} jobs recalled in {:?}, {:?} of CPU\n",
        recalled.shares.len(),
        recalled.jobs.len(),
        begun.elapsed(),
        cpu().saturating_sub(before),
    );
    std::io::Write::write_all(&mut std::io::stdout(), told.as_bytes())?;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn new_job(number: u64, clock: Clock) -> JobEntry {
    JobEntry {
        at: clock.wall(),
        number,
        source: SourceId::new("pool.example"),
        sequence: number,
        epoch: 1,
        blob: bytes::Bytes::from_static(&[0; 600]),
    }
}

fn share(
    number: u64,
    job: u64,
    workers: &[Arc<str>],
    clock: Clock,
) -> Result<Entry, Box<dyn std::error::Error>> {
    let slot = number.wrapping_mul(7919) % WORKERS;
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let worker = workers.get(slot as usize).ok_or("a worker for each slot")?;
    let at = clock.wall();
    Ok(Entry::Share(ShareEntry {
        at,
        worker: Arc::clone(worker),
        slot,
        job,
        difficulty: ShareDifficulty::new(65_536.0)?,
        achieved: Some(ShareDifficulty::new(65_536.0 * 1.000_37 + (mixed >> 40) as f64 / 3.0)?),
        judged: Judged::Accepted,
        missed: Vec::new(),
        ticket: number.is_multiple_of(8).then(|| NonZeroU64::MIN.saturating_add(number)),
        solution: Some(Solution {
            extranonce: Box::from(mixed.to_le_bytes()),
            version: 0x2000_0000,
            ntime: at.header_time(),
            nonce: (mixed >> 17) as u32,
        }),
    }))
}

fn cpu() -> Duration {
    Duration::from_secs_f64(ProcessFigures::now().cpu_time_s.unwrap_or_default())
}
