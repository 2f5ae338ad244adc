//! The gateway is killed again and again while shares come.

use std::{
    collections::HashSet,
    process::{Command, Stdio},
    time::Duration,
};

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::{LOADS, ONE_OF, jobs, settled, spread};
use crate::{
    BenchError, Bound, Figure,
    gateway::{Gateway, Plan},
    herd::{Herd, Spread},
    instant::quantile,
    orders::{Acknowledged, Figures, Pace},
    rig::Rig,
};

const MACHINES: u32 = 200;
/// Each machine sends a share in so many seconds, in the mean: 2,000 a second together.
const MEAN: f64 = 0.1;
/// Often enough that no machine is without a share to send.
const JOBS: Duration = Duration::from_millis(300);
/// Each so many kills comes while the gateway starts, at most so many microseconds after it was begun.
const EARLY: u64 = 4;
const START: u64 = 300_000;
/// A machine is back a minute after a restart at the latest.
const BACK: f64 = 60.0;

pub(super) async fn run(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let kills: u64 = rig.or(8, 100);
    let pool = rig.pool(ONE_OF).await?;
    let plan = rig.plan("kills", &[pool.address], "")?;
    let mut gateway = Gateway::start(rig, &plan).await?;
    let mut herd = Herd::start(rig, LOADS, rig.load_cpu).await?;
    let returning = Spread { return_after_ms: Some(30), ..spread(&plan, MACHINES) };
    herd.machines(rig, &returning).await?;
    let _jobs = jobs(&pool, JOBS);
    herd.keep_acknowledged().await?;
    herd.pace(Pace::Mean { seconds: MEAN }).await?;
    let (mut rng, mut seen) = (Rng::with_seed(7), Figures::default());
    let (mut back, mut begin, mut early) = (Vec::new(), None, 0.0);
    for kill in 1..=kills {
        let wait = if kill % EARLY == 0 {
            early += 1.0;
            rng.u64(..START)
        } else {
            herd.ready(MACHINES).await?;
            back.extend(begin.as_ref().map(millis_since));
            seen.add(herd.figures().await?);
            rng.u64(5_000..250_000)
        };
        sleep(Duration::from_micros(wait)).await;
        gateway.kill()?;
        // Whoever has a job after this has it of the next gateway.
        herd.gone().await?;
        begin = Some(Instant::now());
        gateway = Gateway::spawn(rig, &plan)?;
    }
    herd.ready(MACHINES).await?;
    back.extend(begin.as_ref().map(millis_since));
    herd.pace(Pace::Quiet).await?;
    seen.add(settled(&mut herd).await?);
    let acknowledged = herd.acknowledged().await?;
    gateway.stop().await?;
    drop(herd);
    let written = journal(rig, &plan).await?;
    let missing = acknowledged.iter().filter(|share| !written.contains(*share)).count();
    let whole = run_program(rig, &plan, &["journal", "verify"]).await?.is_some();
    rig.clear(&plan);
    back.sort_unstable();
    let after = |part| quantile(&back, part).map_or(f64::NAN, |millis| f64::from(millis) / 1e3);
    let wrong: u64 = seen.refused.iter().filter(|(code, _)| **code != 21).map(|(_, n)| n).sum();
    Ok(vec![
        Figure::new("kills", kills as f64, ""),
        Figure::new("of these, while it started", early, "").wanted(Bound::AtLeast(1.0)),
        Figure::new("acknowledged", acknowledged.len() as f64, "shares")
            .wanted(Bound::AtLeast(kills as f64)),
        Figure::new("acknowledged, not in the journal", missing as f64, "shares")
            .wanted(Bound::Is(0.0)),
        Figure::new("machines that got another slot", seen.strangers as f64, "times")
            .wanted(Bound::Is(0.0)),
        Figure::new("journal verified", f64::from(u8::from(whole)), "").wanted(Bound::Is(1.0)),
        Figure::new("until all machines had a job again, slowest", after(1.0), "s")
            .wanted(Bound::AtMost(BACK)),
        Figure::new("until all machines had a job again, median", after(0.5), "s"),
        Figure::new("refused, but for late ones", wrong as f64, "shares"),
        Figure::new(
            "in flight at a kill, in the mean",
            seen.unanswered as f64 / kills as f64,
            "shares",
        )
        .wanted(Bound::AtLeast(1.0)),
    ])
}

fn millis_since(begin: &Instant) -> u32 {
    u32::try_from(begin.elapsed().as_millis()).unwrap_or(u32::MAX)
}

/// The accepted shares of the journal, by the program's own export.
async fn journal(rig: &Rig, plan: &Plan) -> Result<HashSet<Acknowledged>, BenchError> {
    let csv = run_program(rig, plan, &["journal", "export", "shares"]).await?;
    let csv = csv.ok_or_else(|| BenchError::Part("journal export failed".into()))?;
    read_shares(&csv).ok_or_else(|| BenchError::Part("journal export has other columns".into()))
}

fn read_shares(csv: &str) -> Option<HashSet<Acknowledged>> {
    let mut lines = csv.lines();
    let head: Vec<&str> = lines.next()?.split(',').collect();
    let place = |name: &str| head.iter().position(|column| *column == name);
    let (job, outcome) = (place("job")?, place("outcome")?);
    let (extranonce, nonce) = (place("extranonce")?, place("nonce")?);
    let mut shares = HashSet::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        if *fields.get(outcome)? == "accepted" {
            shares.insert(Acknowledged {
                job: format!("{:x}", fields.get(job)?.parse::<u64>().ok()?),
                extranonce: (*fields.get(extranonce)?).to_owned(),
                nonce: fields.get(nonce)?.parse().ok()?,
            });
        }
    }
    Some(shares)
}

/// What the program prints; `None` when it fails.
async fn run_program(rig: &Rig, plan: &Plan, words: &[&str]) -> Result<Option<String>, BenchError> {
    let mut command = Command::new(&rig.program);
    command.args(words).arg("--data").arg(&plan.data);
    command.arg("--config").arg(plan.data.join("bench.yaml"));
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.map_err(BenchError::part)?.map_err(BenchError::io("running journal"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(output.status.success().then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_by_the_names_of_their_columns() {
        let csv = "day,row,job,outcome,reason,extranonce,nonce\n\
                   2026-11-22,1,31,accepted,,0000000100000000,7\n\
                   2026-11-22,2,31,rejected,duplicate,,\n";
        let read = read_shares(csv).expect("its columns");
        let extranonce = "0000000100000000".into();
        assert_eq!(read, HashSet::from([Acknowledged { job: "1f".into(), extranonce, nonce: 7 }]));
        assert_eq!(read_shares("day,row\n"), None);
    }
}
