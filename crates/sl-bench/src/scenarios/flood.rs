//! Those who misbehave beside those who do not.

use std::{net::Ipv4Addr, time::Duration};

use tokio::time::{Instant, sleep};

use super::{LOADS, ONE_OF, Stage, settled, spread, unharmed};
use crate::{
    BenchError, Bound, Figure,
    gateway::Gateway,
    herd::{Herd, Spread},
    instant::quantile,
    orders::{Figures, Flood, FloodFigures, Pace},
    pool::Pool,
    rig::Rig,
};

const HONEST: u32 = 1000;
/// Each honest machine sends a share in so many seconds, in the mean.
const MEAN: f64 = 2.0;
/// How much slower an acknowledgement may be than beside an equal burner.
const MOST: f64 = 2.0;
/// After a change, until it is watched: the throng of the first instant and the late answers of what
/// was before are not what a flood or a burner does.
const SETTLE: Duration = Duration::from_millis(1500);
/// All that come from here name their client by a PROXY header.
const BALANCERS: &str = "  proxy_from: ['127.0.10.0/24', '127.0.11.0/24', '127.0.12.0/24', '127.0.13.0/24', '127.0.20.0/24']\n";
const FLOOD_FROM: Ipv4Addr = Ipv4Addr::new(127, 0, 20, 1);

pub(super) async fn run(rig: &Rig) -> Result<Vec<Figure>, BenchError> {
    let windows = rig.or(3, 5);
    // In the long run those who send slowly are turned away, all at once, and come back while it is
    // watched.
    let seconds = rig.or(3, 12);
    let messages = rig.or(100_000, 1_000_000);
    let pool = rig.pool(ONE_OF).await?;
    let more = format!("  shares_per_minute: 30\n{BALANCERS}");
    let plan = rig.plan("flood", &[pool.address], &more)?;
    let gateway = Gateway::start(rig, &plan).await?;
    let mut herd = Herd::start(rig, LOADS, rig.load_cpu).await?;
    herd.machines(rig, &Spread { proxied: true, ..spread(&plan, HONEST) }).await?;
    let mut field = Field {
        stage: Stage { plan, gateway, herd },
        flood: Herd::start(rig, 1, rig.load_cpu).await?,
        burner: Herd::start(rig, 1, rig.gateway_cpu).await?,
        pool,
        seconds,
        floods: 0,
        done: FloodFigures::default(),
        all: Figures::default(),
    };
    field.stage.herd.pace(Pace::Mean { seconds: MEAN }).await?;

    // Turn by turn, so that whatever else the machine does is in all of them.
    let (mut quiet, mut flooded, mut beside) =
        (Phase::default(), Phase::default(), Phase::default());
    for _ in 0..windows {
        field.quiet(&mut quiet).await?;
        field.flooded(rig, &mut flooded).await?;
        let gateway = (flooded.last_cpu() - quiet.last_cpu()).clamp(0.0, 1.0);
        field.beside(gateway, flooded.last_load(), &mut beside).await?;
    }
    field.flood_on(rig, messages).await?;
    let Field { mut stage, done, mut all, .. } = field;
    stage.herd.pace(Pace::Quiet).await?;
    all.add(settled(&mut stage.herd).await?);
    let state = stage.gateway.state().await?;
    stage.clear(rig).await?;
    let ratio = |part| flooded.latency(part) / beside.latency(part);
    let mut figures = vec![
        Figure::new("acknowledgement against an equal burner, p99", ratio(0.99), "times")
            .wanted(Bound::AtMost(MOST)),
        Figure::new("acknowledgement against an equal burner, median", ratio(0.5), "times")
            .wanted(Bound::AtMost(MOST)),
    ];
    figures.extend(unharmed(&all));
    figures.push(Figure::new("honest shares", all.sent as f64, "shares"));
    figures.push(Figure::new("turns, of which the median counts", f64::from(windows), ""));
    figures.extend(quiet.figures("without a flood"));
    figures.extend(flooded.figures("in the flood"));
    figures.extend(beside.figures("beside a burner"));
    figures.push(Figure::new("flood's own processes", median(&flooded.load), "of a core"));
    let count = |name: &str, count: u64, unit: &str| Figure::new(name, count as f64, unit);
    figures.push(
        count("malformed messages", done.malformed, "messages")
            .wanted(Bound::AtLeast(messages as f64)),
    );
    figures.push(count("connections that sent them", done.malformed_connections, "connections"));
    figures.push(count("connections that sent slowly", done.slow_connections, "connections"));
    figures.push(count("shares that prove nothing", done.invalid, "shares"));
    figures.push(count("connections that sent them", done.invalid_connections, "connections"));
    let acted = state.pointer("/summary/gateway/protections").and_then(|it| it.as_object());
    for (name, value) in acted.into_iter().flatten() {
        if let Some(times) = value.as_f64().filter(|times| *times > 0.0) {
            figures.push(Figure::new(&format!("protection {name}"), times, "times"));
        }
    }
    Ok(figures)
}

/// Everybody who takes part.
struct Field {
    stage: Stage,
    flood: Herd,
    burner: Herd,
    pool: Pool,
    /// How long a turn is watched.
    seconds: u32,
    /// Floods so far, and what they have done.
    floods: u8,
    done: FloodFigures,
    all: Figures,
}

impl Field {
    async fn quiet(&mut self, phase: &mut Phase) -> Result<(), BenchError> {
        phase.add(self.watch().await?, 0.0);
        Ok(())
    }

    async fn flooded(&mut self, rig: &Rig, phase: &mut Phase) -> Result<(), BenchError> {
        self.begin_flood(rig).await?;
        sleep(SETTLE).await;
        let (load, begin) = (self.flood.cpu_s(), Instant::now());
        let turn = self.watch().await?;
        let load = (self.flood.cpu_s() - load) / begin.elapsed().as_secs_f64();
        self.end_flood().await?;
        phase.add(turn, load);
        Ok(())
    }

    /// The same CPU time is taken from both sides by somebody who only burns it.
    async fn beside(
        &mut self,
        gateway: f64,
        load: f64,
        phase: &mut Phase,
    ) -> Result<(), BenchError> {
        let time = Duration::from_secs(self.seconds.into()) + 2 * SETTLE;
        self.burner.burn(gateway, time).await?;
        self.flood.burn(load, time).await?;
        sleep(SETTLE).await;
        let turn = self.watch().await?;
        self.burner.burnt().await?;
        self.flood.burnt().await?;
        phase.add(turn, load);
        Ok(())
    }

    /// Goes on until so many malformed messages were sent in all.
    async fn flood_on(&mut self, rig: &Rig, messages: u64) -> Result<(), BenchError> {
        let end = Instant::now() + Duration::from_secs(60);
        if self.done.malformed < messages {
            self.begin_flood(rig).await?;
            let so_far = self.done.malformed;
            while so_far + self.flood.flood_so_far().await?.malformed < messages
                && Instant::now() < end
            {
                sleep(Duration::from_millis(200)).await;
            }
            self.end_flood().await?;
        }
        Ok(())
    }

    /// Each comes from other addresses, since those of the last one are kept out.
    async fn begin_flood(&mut self, rig: &Rig) -> Result<(), BenchError> {
        self.floods += 1;
        let flood = Flood {
            number: self.floods,
            gateway: self.stage.plan.address,
            shares: rig.shares(),
            source: FLOOD_FROM,
            malformed: 200,
            slow: 1000,
            invalid: 50,
        };
        self.flood.flood(flood).await
    }

    async fn end_flood(&mut self) -> Result<(), BenchError> {
        self.done.add(self.flood.end_flood().await?);
        sleep(SETTLE).await;
        Ok(())
    }

    /// A turn: every one has one job, in its middle, so that none has more of what jobs delay.
    async fn watch(&mut self) -> Result<Turn, BenchError> {
        let Self { stage, all, .. } = self;
        all.add(stage.herd.figures().await?);
        let (before, begin) = (stage.gateway.cpu(), Instant::now());
        let mut seconds = Vec::new();
        for second in 0..self.seconds {
            if second == self.seconds / 2 {
                self.pool.job(false);
            }
            sleep(Duration::from_secs(1)).await;
            let mut seen = stage.herd.figures().await?;
            seconds.push(std::mem::take(&mut seen.latencies));
            all.add(seen);
        }
        let cpu = stage.gateway.cpu().since(&before).total_s() / begin.elapsed().as_secs_f64();
        Ok(Turn { seconds, cpu })
    }
}

/// What was seen in a turn.
struct Turn {
    /// How long answers took in each of its seconds, in microseconds, sorted.
    seconds: Vec<Vec<u32>>,
    /// Of the gateway, as a part of a core.
    cpu: f64,
}

/// What was seen in turns of one kind.
#[derive(Default)]
struct Phase {
    /// How long answers took in each turn, in microseconds, sorted; and in each second.
    latencies: Vec<Vec<u32>>,
    seconds: Vec<Vec<u32>>,
    /// Of the gateway, as a part of a core.
    cpu: Vec<f64>,
    /// Of the flood's processes, or of those in their place.
    load: Vec<f64>,
}

impl Phase {
    fn add(&mut self, turn: Turn, load: f64) {
        self.cpu.push(turn.cpu);
        self.load.push(load);
        let mut all = turn.seconds.concat();
        all.sort_unstable();
        self.latencies.push(all);
        self.seconds.extend(turn.seconds);
    }

    fn last_cpu(&self) -> f64 {
        self.cpu.last().copied().unwrap_or_default()
    }

    fn last_load(&self) -> f64 {
        self.load.last().copied().unwrap_or_default()
    }

    /// The median turn's quantile, in milliseconds.
    fn latency(&self, part: f64) -> f64 {
        median(&quantiles(&self.latencies, part))
    }

    fn figures(&self, when: &str) -> Vec<Figure> {
        let worst = quantiles(&self.latencies, 0.99).into_iter().fold(f64::NAN, f64::max);
        let second = median(&quantiles(&self.seconds, 0.99));
        let time =
            |what: &str, ms| Figure::new(&format!("acknowledgement {when}, {what}"), ms, "ms");
        vec![
            time("median", self.latency(0.5)),
            time("p99", self.latency(0.99)),
            time("p99 of the median second", second),
            time("p99 of the worst turn", worst),
            Figure::new(&format!("gateway {when}"), median(&self.cpu), "of a core"),
        ]
    }
}

/// A quantile of each, in milliseconds.
fn quantiles(sorted: &[Vec<u32>], part: f64) -> Vec<f64> {
    let of = |one: &Vec<u32>| quantile(one, part).map_or(f64::NAN, |it| f64::from(it) / 1e3);
    sorted.iter().map(of).collect()
}

/// The middle one; of two the lower.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_turn_counts() {
        let mut phase = Phase::default();
        let turns: [(f64, [u32; 2]); 3] =
            [(0.5, [2000, 1000]), (0.1, [9000, 90_000]), (0.2, [1500, 3000])];
        for (cpu, seconds) in turns {
            phase.add(Turn { seconds: seconds.map(|it| vec![it]).into(), cpu }, 0.0);
        }
        assert_eq!((phase.latency(0.5), phase.latency(0.99)), (1.5, 3.0));
        let shown: Vec<Option<f64>> = phase.figures("now").iter().map(|it| it.value).collect();
        assert_eq!(shown, [1.5, 3.0, 2.0, 90.0, 0.2].map(Some));
        assert!(median(&[]).is_nan() && median(&[4.0, 2.0]) == 2.0);
    }
}
