//! What a connection costs while it does nothing.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{CONNECTS, LOADS, ONE_OF, number, spread};
use crate::{
    BenchError, Bound, Figure,
    gateway::{Gateway, spawn_on},
    herd::{Herd, Spread},
    rig::Rig,
};

const KIB: f64 = 1024.0;
/// Most of it, in KiB.
const MOST: f64 = 20.0;
/// What is freed after the rush has its time to be.
const REST: Duration = Duration::from_secs(3);

/// Resident memory of each of 18,000 sockets.
pub(super) async fn sockets(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let count = rig.or(4000, 18_000);
    let pool = rig.pool(ONE_OF).await?;
    let plan = rig.plan("sockets", &[pool.address], "")?;
    let gateway = Gateway::start(rig, &plan).await?;
    gateway
        .until("the pool's job", Duration::from_secs(30), |state| {
            state.pointer("/summary/pool/connected").is_some_and(|it| it == true)
        })
        .await?;
    let mut herd = Herd::start(rig, LOADS, rig.load_cpu).await?;
    let before = gateway.resident();
    let begin = Instant::now();
    herd.machines(rig, &Spread { per_second: 2 * CONNECTS, ..spread(&plan, count) }).await?;
    let took = begin.elapsed().as_secs_f64();
    // A job for all, so that every buffer that is ever used has been.
    pool.job(true);
    sleep(REST).await;
    let resident = gateway.resident();
    let state = gateway.state().await?;
    let each = resident.saturating_sub(before) as f64 / f64::from(count) / KIB;
    let figures = vec![
        Figure::new("resident memory, each", each, "KiB").wanted(Bound::AtMost(MOST)),
        Figure::new("connected", number(&state, "/summary/gateway/connections"), "sockets")
            .wanted(Bound::Is(count.into())),
        Figure::new("resident memory, all", resident as f64 / KIB / KIB, "MiB"),
        Figure::new("resident memory without machines", before as f64 / KIB / KIB, "MiB"),
        Figure::new("until all have a job", took, "s"),
    ];
    drop(herd);
    gateway.stop().await?;
    rig.clear(&plan);
    Ok(figures)
}

/// Resident memory of each of 50,000 sessions, in a process of their own.
pub(super) async fn sessions(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let count = rig.or(10_000, 50_000);
    let mut command = Command::new(&rig.own_program);
    command.args(["sessions", "--count", &count.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let child = spawn_on(rig.gateway_cpu, command)?;
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await;
    let output = ended.map_err(BenchError::part)?.map_err(BenchError::io("running sessions"))?;
    if !output.status.success() {
        let (program, how) = ("sl-bench sessions".into(), output.status.to_string());
        return Err(BenchError::Ended { program, how, log: String::new() });
    }
    let told: Value = serde_json::from_slice(&output.stdout).map_err(BenchError::part)?;
    let each = number(&told, "/resident_bytes_each") / KIB;
    Ok(vec![
        Figure::new("resident memory, each", each, "KiB").wanted(Bound::AtMost(MOST)),
        Figure::new("with a job", number(&told, "/machines"), "sessions")
            .wanted(Bound::Is(count.into())),
        Figure::new("a job to all, last write", number(&told, "/fan_out_ms"), "ms"),
    ])
}
