//! What is done to the gateway, one file each, and their order.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use clap::ValueEnum;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::{
    BenchError, Bound, Figure, Report,
    gateway::{Cpu, Gateway, Plan},
    herd::{Herd, Spread},
    instant::quantile,
    orders::{Figures, Pace},
    others::Look,
    pool::Pool,
    report::Scene,
    rig::Rig,
};

mod cold_start;
mod failover;
mod fanout;
mod flood;
mod half_open;
mod in_flight;
mod kills;
mod memory;
mod shares;

/// A scenario that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(400);
/// Processes of load.
pub(crate) const LOADS: usize = 4;
/// An answer that takes longer is none.
const SETTLED: Duration = Duration::from_secs(60);
/// New connections a second, where nothing else is said.
pub(crate) const CONNECTS: u32 = 4000;
/// One share of so many goes up.
const ONE_OF: f64 = 16.0;

/// A scenario.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Resident memory of each of 18,000 sockets
    Sockets,
    /// Resident memory of each of 50,000 sessions in memory
    Sessions,
    /// CPU of 10,000 machines at 6 shares a minute
    Steady,
    /// CPU of each share when machines send as fast as they are answered
    Saturation,
    /// A job to 10,000 machines
    Fanout,
    /// The first of two pools dies under 10,000 machines
    Failover,
    /// The pool's connection is cut with shares in flight
    InFlight,
    /// The gateway is killed a hundred times under load
    Kills,
    /// A flood beside 1,000 honest machines
    Flood,
    /// 1,000 machines vanish without a word and come back
    HalfOpen,
    /// 10,000 machines come at a difficulty far too easy
    ColdStart,
}

impl Scenario {
    /// All, in their order.
    pub const ALL: [Self; 11] = [
        Self::Sockets,
        Self::Sessions,
        Self::Steady,
        Self::Saturation,
        Self::Fanout,
        Self::Failover,
        Self::InFlight,
        Self::Kills,
        Self::Flood,
        Self::HalfOpen,
        Self::ColdStart,
    ];

    /// Its name on the command line and in the figures.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Sessions => "sessions",
            Self::Steady => "steady",
            Self::Saturation => "saturation",
            Self::Fanout => "fanout",
            Self::Failover => "failover",
            Self::InFlight => "in-flight",
            Self::Kills => "kills",
            Self::Flood => "flood",
            Self::HalfOpen => "half-open",
            Self::ColdStart => "cold-start",
        }
    }

    async fn run(self, rig: &Rig) -> Result<Vec<Figure>, BenchError> {
        match self {
            Self::Sockets => memory::sockets(rig).await,
            Self::Sessions => memory::sessions(rig).await,
            Self::Steady => shares::steady(rig).await,
            Self::Saturation => shares::saturation(rig).await,
            Self::Fanout => fanout::run(rig).await,
            Self::Failover => failover::run(rig).await,
            Self::InFlight => in_flight::run(rig).await,
            Self::Kills => kills::run(rig).await,
            Self::Flood => flood::run(rig).await,
            Self::HalfOpen => half_open::run(rig).await,
            Self::ColdStart => cold_start::run(rig).await,
        }
    }
}

/// Runs one scenario or all; what could not be carried out stands in the report. Each scenario's
/// figures are in the file, and its rows shown, before the next one begins.
pub(crate) fn run(
    only: Option<Scenario>,
    quick: bool,
    page: Option<&Path>,
    hear: &Hear<'_>,
) -> Result<Report, BenchError> {
    let rig = Rig::new(quick, hear.tell)?;
    let path = rig.folder.join("gateway.json");
    let mut report = Report { processor: processor(), cpus: rig.cpus, ..Report::read(&path) };
    if rig.gateway_cpu.is_none() {
        (hear.tell)("one CPU alone: gateway and load share it, and figures of time say little");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(BenchError::io("starting a runtime"))?;
    let wanted = |scenario: &Scenario| only.is_none_or(|only| only == *scenario);
    (hear.show)(Report::HEAD.trim_end());
    for scenario in Scenario::ALL.into_iter().filter(wanted) {
        let name = scenario.name();
        (hear.tell)(&format!("{name} …"));
        let scene = runtime.block_on(carry_out(scenario, &rig));
        let others = scene.others.unwrap_or(f64::NAN);
        (hear.tell)(&format!(
            "{name} took {:.0} s; other programs took {others:.2} of a CPU",
            scene.seconds
        ));
        report.scenarios.insert(name.into(), scene);
        report.write(&path)?;
        (hear.show)(report.rows(name).trim_end());
    }
    if let Some(page) = page {
        report.write_page(page)?;
    }
    let run = |name: &str| Scenario::ALL.iter().any(|it| it.name() == name && wanted(it));
    report.scenarios.retain(|name, _| run(name));
    Ok(report)
}

/// Who hears of a run.
pub(crate) struct Hear<'a> {
    /// What goes on.
    pub(crate) tell: &'a dyn Fn(&str),
    /// The rows of the table, as they come.
    pub(crate) show: &'a dyn Fn(&str),
}

async fn carry_out(scenario: Scenario, rig: &Rig) -> Scene {
    let (begin, before) = (Instant::now(), Look::now());
    let outcome = timeout(LONGEST, scenario.run(rig)).await.unwrap_or_else(|_| {
        let (what, seconds) = ("the scenario to end".into(), LONGEST.as_secs());
        Err(BenchError::Late { what, seconds, log: String::new() })
    });
    let (figures, failed) = match outcome {
        Ok(figures) => (figures, None),
        Err(wrong) => (Vec::new(), Some(wrong.to_string())),
    };
    let others = before.zip(Look::now()).map(|(before, now)| now.others_since(&before));
    let seconds = begin.elapsed().as_secs_f64();
    Scene { day: today(), others, seconds, quick: rig.quick, failed, figures }
}

fn today() -> String {
    let now = sl_ports::Clock::real().wall().millis();
    let now = i64::try_from(now).ok().and_then(|now| jiff::Timestamp::from_millisecond(now).ok());
    now.map_or_else(String::new, |now| now.to_string().chars().take(10).collect())
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "unknown processor".into(), |(_, name)| name.trim().to_owned())
}

/// A gateway over one pool, with machines that have its job.
struct Stage {
    plan: Plan,
    gateway: Gateway,
    herd: Herd,
}

impl Stage {
    async fn set(
        rig: &Rig,
        name: &str,
        pools: &[SocketAddr],
        machines: u32,
        more: &str,
    ) -> Result<Self, BenchError> {
        let plan = rig.plan(name, pools, more)?;
        let gateway = Gateway::start(rig, &plan).await?;
        let mut herd = Herd::start(rig, LOADS, rig.load_cpu).await?;
        herd.machines(rig, &spread(&plan, machines)).await?;
        Ok(Self { plan, gateway, herd })
    }

    /// What happens in so long, and what the gateway uses for it.
    async fn watch(&mut self, time: Duration) -> Result<Watched, BenchError> {
        self.herd.figures().await?;
        let (before, load, begin) = (self.gateway.cpu(), self.herd.cpu_s(), Instant::now());
        tokio::time::sleep(time).await;
        let seen = self.herd.figures().await?;
        let used = self.gateway.cpu().since(&before);
        let lasted = begin.elapsed().as_secs_f64();
        Ok(Watched { seen, used, lasted, load: (self.herd.cpu_s() - load) / lasted })
    }

    /// Ends everything: the gateway's summary.
    async fn clear(self, rig: &Rig) -> Result<Value, BenchError> {
        let summary = self.gateway.stop().await?;
        drop(self.herd);
        rig.clear(&self.plan);
        Ok(summary)
    }
}

/// A time that was watched.
struct Watched {
    seen: Figures,
    used: Cpu,
    /// In seconds.
    lasted: f64,
    /// What the processes of load used, of a core.
    load: f64,
}

fn spread(plan: &Plan, machines: u32) -> Spread {
    Spread {
        gateway: plan.address,
        count: machines,
        per_second: CONNECTS,
        proxied: false,
        return_after_ms: None,
        pace: Pace::Quiet,
    }
}

/// A number of the gateway's state or summary; 0 where there is none.
fn number(tree: &Value, pointer: &str) -> f64 {
    tree.pointer(pointer).and_then(Value::as_f64).unwrap_or_default()
}

/// Where the gateway's CPU time went, each part by `by`.
fn parts(cpu: &Cpu, by: f64, unit: &str) -> Vec<Figure> {
    let (hashing, journal) = (cpu.of_threads("verify"), cpu.of_threads("sqlx"));
    let rest = cpu.total_s() - hashing - journal;
    let part = |name: &str, time: f64| Figure::new(name, time / by, unit);
    vec![
        part("hashing", hashing),
        part("journal's writer", journal),
        part("the rest", rest),
        part("in the kernel, of all", cpu.kernel_s()),
    ]
}

/// Median and 99th percentile, in milliseconds.
fn times(what: &str, sorted_micros: &[u32]) -> Vec<Figure> {
    let figure = |name: &str, part| {
        let value =
            quantile(sorted_micros, part).map_or(f64::NAN, |micros| f64::from(micros) / 1e3);
        Figure::new(&format!("{what}, {name}"), value, "ms")
    };
    vec![figure("median", 0.5), figure("p99", 0.99)]
}

/// What must hold of honest machines whatever is done.
fn unharmed(seen: &Figures) -> Vec<Figure> {
    let count = |name: &str, value: u64, unit: &str| {
        Figure::new(name, value as f64, unit).wanted(Bound::Is(0.0))
    };
    vec![
        count("disconnects", seen.disconnects, "machines"),
        count("refused", seen.refused(), "shares"),
        count("without an answer", seen.unanswered, "shares"),
    ]
}

/// Waits until no share waits for its answer: what happened until then.
async fn settled(herd: &mut Herd) -> Result<Figures, BenchError> {
    let mut all = Figures::default();
    let end = Instant::now() + SETTLED;
    loop {
        let figures = herd.figures().await?;
        let waiting = figures.in_flight;
        all.add(figures);
        if waiting == 0 || Instant::now() > end {
            all.unanswered += waiting;
            all.latencies.sort_unstable();
            return Ok(all);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Gives a job of this kind until the handle is dropped.
fn jobs(pool: &Pool, every: Duration) -> tokio::task::JoinSet<()> {
    pool.jobs_every(every, false)
}
