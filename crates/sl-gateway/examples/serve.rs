//! A gateway over a source that makes up its jobs and takes every share: something to point a
//! miner at.
//!
//! ```text
//! cargo run --release -p sl-gateway --example serve -- 127.0.0.1:3333
//! minerd -a scrypt -o stratum+tcp://127.0.0.1:3333 -u rig -p x
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its reader")]

use std::{error::Error, sync::Arc, time::Duration};

use bytes::Bytes;
use sl_gateway::{Gateway, GatewaySettings};
use sl_ports::{Clock, Randomness};
use sl_pow::Registry;
use sl_scrypt::Scrypt;
use sl_supervise::{ServiceSpec, Supervisor};
use sl_units::{Bits, Hash256, ShareDifficulty, Target};
use sl_work::{
    CoinbaseTemplate, HeaderTemplate, Job, JobId, NtimeRange, Outcome, SourceEnd, SourceId, Work,
    source,
};
use tokio_util::sync::CancellationToken;

/// As often as auxiliary chains change in the simulated world.
const NEW_JOB: Duration = Duration::from_millis(2400);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut settings = GatewaySettings { shares_per_minute: 60.0, ..GatewaySettings::default() };
    if let Some(listen) = args.next() {
        settings.listen = listen.parse()?;
    }
    if let Some(fixed) = args.next() {
        let fixed = ShareDifficulty::new(fixed.parse()?)?;
        settings.min_difficulty = fixed;
        settings.max_difficulty = Some(fixed);
    }
    let (clock, randomness) = (Clock::real(), Randomness::from_os());
    let mut registry = Registry::new();
    registry.register(Scrypt)?;
    let (handle, end) = source(SourceId::new("example"));
    tokio::spawn(make_work(end, clock));
    let rng = randomness.rng("gateway");
    let gateway = Gateway::new(settings, Arc::new(handle), registry, "scrypt", clock, rng);
    let mut status = gateway.status();
    let spec = ServiceSpec::new("gateway", "for any miner", move |ctx| gateway.clone().run(ctx))
        .grace(Duration::from_secs(3));
    let stop = CancellationToken::new();
    let supervisor = Supervisor::new(vec![spec], randomness.rng("supervisor"))?;
    let running = tokio::spawn(supervisor.run(stop.clone()));
    let mut show = tokio::time::interval(Duration::from_secs(10));
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = show.tick() => {
                let now = status.borrow_and_update().clone();
                println!("{:?} {:?} {} jobs: {:?}", now.shares, now.forwarded, now.hashrate, now.job_latency);
                for machine in &now.machines {
                    println!("  {} difficulty {:?}", machine.worker, machine.difficulty);
                }
            }
        }
    }
    stop.cancel();
    println!("{:?}", running.await?);
    println!("{:#?}", status.borrow().shares);
    Ok(())
}

/// A job every 2.4 s, each third a new epoch; every share is taken.
async fn make_work(mut end: SourceEnd, clock: Clock) {
    end.set_widest(8);
    let mut leases = Vec::new();
    let mut next = tokio::time::interval(NEW_JOB);
    let mut sequence = 0;
    loop {
        tokio::select! {
            Some(leased) = end.leases.recv() => leases.push(leased),
            Some(pending) = end.intake.next() => {
                pending.settle(Outcome::Accepted { credited: Vec::new(), missed: Vec::new() });
            }
            _ = next.tick() => {
                sequence += 1;
                end.set_working(clock.mono());
                let job = Work::Job(Arc::new(job(sequence, clock)));
                for leased in &leases {
                    leased.work.send_replace(job.clone());
                }
            }
        }
    }
}

fn job(sequence: u64, clock: Clock) -> Job {
    let epoch = sequence / 3;
    let start = clock.wall().header_time();
    let mut prev = [0; 32];
    for (place, byte) in prev.iter_mut().zip(epoch.to_le_bytes()) {
        *place = byte;
    }
    // The shape of a real one: version, one input without a previous output, its script up to the
    // free bytes; after them sequence, one output that anyone can spend, lock time.
    let mut prefix = b"\x01\0\0\0\x01".to_vec();
    prefix.extend([0; 32]);
    prefix.extend(b"\xff\xff\xff\xff\x14");
    prefix.extend((0x0b_u64 | (sequence << 8)).to_le_bytes());
    prefix.extend(b"demo");
    let suffix = b"\xff\xff\xff\xff\x01\0\xf2\x05\x2a\x01\0\0\0\x01\x51\0\0\0\0";
    Job {
        id: JobId { source: SourceId::new("example"), sequence },
        epoch,
        born: clock.mono(),
        header: HeaderTemplate {
            version: 0x2000_0000,
            roll_mask: 0,
            prev: Hash256::from_bytes(prev),
            bits: Bits::from_u32(0x1e0f_fff0),
            ntime: NtimeRange { earliest: start, start, latest: start.saturating_add(7200) },
        },
        coinbase: CoinbaseTemplate {
            prefix: Bytes::from(prefix),
            free: 8,
            suffix: Bytes::from_static(suffix),
        },
        branch: vec![Hash256::from_bytes([0x5a; 32])],
        wanted: Target::from_expected_hashes(32_768.0),
        goals: Vec::new(),
    }
}
