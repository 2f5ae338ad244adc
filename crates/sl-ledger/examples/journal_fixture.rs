//! Writes the files that tests of older schemas open: see `testdata/journal/ORIGIN.md`.
//!
//! `cargo run -p sl-ledger --example journal_fixture -- FOLDER`
#![forbid(unsafe_code)]

use std::num::NonZeroU64;

use sl_ledger::{
    BlockEntry, BlockEvent, BlockJob, Entry, JobEntry, Journal, Judged, Options, Reason,
    ShareEntry, SlotEntry, SlotEvent, Solution, UpstreamEntry, VerdictEntry,
};
use sl_ports::Clock;
use sl_supervise::{ServiceSpec, Supervisor};
use sl_units::{Hash256, ShareDifficulty, Wall};
use sl_work::{Outcome, SourceId};

/// Midday of 2026-11-22.
const NOON: Wall = Wall::from_secs(1_795_348_800);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name the folder")?;
    let (journal, writer) = Journal::new(Options::new(folder.into()), Clock::simulated(NOON));
    let spec = ServiceSpec::new("journal", "the journal", move |ctx| writer.clone().run(ctx));
    let stop = tokio_util::sync::CancellationToken::new();
    let rng = sl_ports::Randomness::seeded(1).rng("restarts");
    let running = tokio::spawn(Supervisor::new(vec![spec], rng)?.run(stop.clone()));

    let source = SourceId::new("pool.example");
    journal.append(vec![slot(1, SlotEvent::Held), slot(2, SlotEvent::Held)])?.await?;
    let blob = vec![7; 100].into();
    let job =
        JobEntry { at: NOON, number: 1, source: source.clone(), sequence: 10, epoch: 2, blob };
    journal.append(vec![Entry::Job(job)])?.await?;
    for ten in 0..6 {
        let shares = (10 * ten..10 * ten + 10).map(share).collect::<Result<_, _>>()?;
        journal.append(shares)?.await?;
    }
    for ticket in (8..60).step_by(8).filter_map(NonZeroU64::new) {
        let outcome =
            Outcome::Accepted { credited: vec!["LTC".parse()?], missed: vec!["DOGE".parse()?] };
        let (worker, source) = ("account.rig0".into(), source.clone());
        let verdict = VerdictEntry { at: NOON, ticket, worker, source, outcome };
        journal.append(vec![Entry::Verdict(verdict)])?.await?;
    }
    let block = BlockEntry {
        at: NOON,
        chain: "DOGE".parse()?,
        height: 6_000_000,
        hash: Hash256::from_bytes([3; 32]),
        worker: "account.rig0".into(),
        job: BlockJob::Number(1),
        event: BlockEvent::Found,
    };
    let (event, why) = ("lost".into(), "connection reset".into());
    let upstream = UpstreamEntry { at: NOON, source, event, why };
    let last = vec![Entry::Block(block), Entry::Upstream(upstream), slot(2, SlotEvent::Released)];
    journal.append(last)?.await?;
    stop.cancel();
    running.await?;
    Ok(())
}

fn slot(slot: u64, event: SlotEvent) -> Entry {
    Entry::Slot(SlotEntry {
        at: NOON,
        slot,
        event,
        session: format!("session{slot}").into(),
        worker: "account.rig0".into(),
        address: "10.0.0.7".into(),
        user_agent: Some("bmminer/2.0".into()),
        difficulty: ShareDifficulty::new(65_536.0).ok(),
    })
}

fn share(number: u64) -> Result<Entry, Box<dyn std::error::Error>> {
    let judged = match number % 12 {
        0 => Judged::Stale,
        1 | 2 => Judged::Rejected(Reason::Duplicate),
        _ => Judged::Accepted,
    };
    let missed = if judged == Judged::Stale { vec!["DOGE".parse()?] } else { Vec::new() };
    Ok(Entry::Share(ShareEntry {
        at: Wall::from_millis(NOON.millis() + 1000 * number),
        worker: format!("account.rig{}", number % 3).into(),
        slot: number % 3,
        job: 1,
        difficulty: ShareDifficulty::new(65_536.0)?,
        achieved: Some(ShareDifficulty::new(70_000.5 + number as f64)?),
        judged,
        missed,
        ticket: NonZeroU64::new(number).filter(|it| it.get().is_multiple_of(8)),
        solution: Some(Solution {
            extranonce: number.to_le_bytes().into(),
            version: 0x2000_0000,
            ntime: NOON.header_time(),
            nonce: 0xf000_0000 + number as u32,
        }),
    }))
}
