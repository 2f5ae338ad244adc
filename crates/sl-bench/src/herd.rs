//! The processes of load, as the leader sees them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use crate::{
    BenchError,
    gateway::Cpu,
    orders::{Acknowledged, Figures, Flood, FloodFigures, Machines, Order, Pace, Peers, Told},
    rig::Rig,
};

mod process;

use process::{Load, unexpected};

/// Machines to be spread over the processes of a herd.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    pub(crate) gateway: SocketAddr,
    pub(crate) count: u32,
    /// New connections a second, all processes together.
    pub(crate) per_second: u32,
    pub(crate) proxied: bool,
    pub(crate) return_after_ms: Option<u64>,
    /// How they send shares at first.
    pub(crate) pace: Pace,
}

/// Several processes of load that work together.
pub(crate) struct Herd {
    loads: Vec<Load>,
}

impl Herd {
    /// Starts so many processes on this CPU.
    pub(crate) async fn start(
        rig: &Rig,
        count: usize,
        cpu: Option<usize>,
    ) -> Result<Self, BenchError> {
        let mut loads = Vec::new();
        for _ in 0..count {
            loads.push(Load::start(rig, cpu).await?);
        }
        Ok(Self { loads })
    }

    /// Connects machines, and waits until each has a job.
    pub(crate) async fn machines(&mut self, rig: &Rig, spread: &Spread) -> Result<(), BenchError> {
        let (loads, mut first) = (self.loads.len(), 0);
        for (at, load) in self.loads.iter_mut().enumerate() {
            let count = part(spread.count, at, loads);
            load.send(&Order::Machines(Machines {
                gateway: spread.gateway,
                shares: rig.shares(),
                count,
                first,
                source: source(at),
                per_second: part(spread.per_second, at, loads).max(1),
                proxied: spread.proxied,
                return_after_ms: spread.return_after_ms,
                pace: spread.pace,
            }))
            .await?;
            first += count;
        }
        self.all_ready(spread.count).await
    }

    /// Waits until every machine has a job.
    pub(crate) async fn ready(&mut self, count: u32) -> Result<(), BenchError> {
        for load in &mut self.loads {
            load.send(&Order::Ready).await?;
        }
        self.all_ready(count).await
    }

    async fn all_ready(&mut self, count: u32) -> Result<(), BenchError> {
        let mut ready = 0;
        for load in &mut self.loads {
            ready += load.count().await?;
        }
        match ready >= u64::from(count) {
            true => Ok(()),
            false => Err(BenchError::Late {
                what: format!("{count} machines with a job, {ready} have one"),
                seconds: 90,
                log: String::new(),
            }),
        }
    }

    /// Waits until no machine has a job.
    pub(crate) async fn gone(&mut self) -> Result<(), BenchError> {
        self.all(&Order::Gone).await.map(drop)
    }

    /// So many machines fall silent, and come back; their connections of before stay open.
    pub(crate) async fn vanish(&mut self, count: u32) -> Result<(), BenchError> {
        let loads = self.loads.len();
        for (at, load) in self.loads.iter_mut().enumerate() {
            load.send(&Order::Vanish { count: part(count, at, loads) }).await?;
            load.told().await?;
        }
        Ok(())
    }

    /// How many of the connections that were left open the gateway has ended.
    pub(crate) async fn buried(&mut self) -> Result<u64, BenchError> {
        self.sum(&Order::Buried).await
    }

    /// Connects so many that are no machines, each saying this, if anything, and hearing lines.
    pub(crate) async fn peers(
        &mut self,
        to: SocketAddr,
        count: u32,
        per_second: u32,
        says: Option<&str>,
    ) -> Result<(), BenchError> {
        let loads = self.loads.len();
        for (at, load) in self.loads.iter_mut().enumerate() {
            load.send(&Order::Peers(Peers {
                to,
                count: part(count, at, loads),
                source: source(at),
                per_second: part(per_second, at, loads).max(1),
                says: says.map(str::to_owned),
            }))
            .await?;
        }
        for load in &mut self.loads {
            load.told().await?;
        }
        Ok(())
    }

    pub(crate) async fn pace(&mut self, pace: Pace) -> Result<(), BenchError> {
        self.all(&Order::Pace(pace)).await.map(drop)
    }

    /// What happened since the last time this was asked.
    pub(crate) async fn figures(&mut self) -> Result<Figures, BenchError> {
        let mut sum = Figures::default();
        for told in self.all(&Order::Figures).await? {
            match told {
                Told::Figures(figures) => sum.add(figures),
                other => return Err(unexpected(&other, "figures")),
            }
        }
        sum.latencies.sort_unstable();
        Ok(sum)
    }

    pub(crate) async fn time_jobs(&mut self) -> Result<(), BenchError> {
        self.all(&Order::TimeJobs).await.map(drop)
    }

    /// How often a job came to a machine since jobs are timed.
    pub(crate) async fn arrived(&mut self) -> Result<u64, BenchError> {
        self.sum(&Order::Arrived).await
    }

    /// When each job came to each machine, each sorted, the earliest job first.
    pub(crate) async fn arrivals(&mut self) -> Result<Vec<Vec<u64>>, BenchError> {
        let mut jobs = std::collections::BTreeMap::<String, Vec<u64>>::new();
        for told in self.all(&Order::Arrivals).await? {
            match told {
                Told::Arrivals(arrivals) => {
                    for (job, times) in arrivals {
                        jobs.entry(job).or_default().extend(times);
                    }
                }
                other => return Err(unexpected(&other, "arrivals")),
            }
        }
        let mut all: Vec<Vec<u64>> = jobs.into_values().collect();
        all.iter_mut().for_each(|times| times.sort_unstable());
        all.sort_by_key(|times| times.first().copied());
        Ok(all)
    }

    pub(crate) async fn keep_acknowledged(&mut self) -> Result<(), BenchError> {
        self.all(&Order::KeepAcknowledged).await.map(drop)
    }

    pub(crate) async fn acknowledged(&mut self) -> Result<Vec<Acknowledged>, BenchError> {
        let mut all = Vec::new();
        for told in self.all(&Order::Acknowledged).await? {
            match told {
                Told::Acknowledged(shares) => all.extend(shares),
                other => return Err(unexpected(&other, "acknowledged shares")),
            }
        }
        Ok(all)
    }

    pub(crate) async fn flood(&mut self, flood: Flood) -> Result<(), BenchError> {
        self.all(&Order::Flood(flood)).await.map(drop)
    }

    pub(crate) async fn flood_so_far(&mut self) -> Result<FloodFigures, BenchError> {
        self.flood_figures(&Order::FloodSoFar).await
    }

    pub(crate) async fn end_flood(&mut self) -> Result<FloodFigures, BenchError> {
        self.flood_figures(&Order::EndFlood).await
    }

    async fn flood_figures(&mut self, order: &Order) -> Result<FloodFigures, BenchError> {
        match self.all(order).await?.first() {
            Some(Told::Flood(figures)) => Ok(*figures),
            other => Err(BenchError::Told {
                found: format!("{other:?}"),
                expected: "what the flood did",
            }),
        }
    }

    /// Begins to burn; [`burnt`](Self::burnt) waits for the end.
    pub(crate) async fn burn(&mut self, share: f64, time: Duration) -> Result<(), BenchError> {
        for load in &mut self.loads {
            load.send(&Order::Burn { share, seconds: time.as_secs_f64() }).await?;
        }
        Ok(())
    }

    pub(crate) async fn burnt(&mut self) -> Result<(), BenchError> {
        for load in &mut self.loads {
            load.told().await?;
        }
        Ok(())
    }

    /// CPU time of all its processes, in seconds.
    pub(crate) fn cpu_s(&self) -> f64 {
        self.loads.iter().map(|load| Cpu::of(load.id()).total_s()).sum()
    }

    async fn sum(&mut self, order: &Order) -> Result<u64, BenchError> {
        for load in &mut self.loads {
            load.send(order).await?;
        }
        let mut sum = 0;
        for load in &mut self.loads {
            sum += load.count().await?;
        }
        Ok(sum)
    }

    async fn all(&mut self, order: &Order) -> Result<Vec<Told>, BenchError> {
        for load in &mut self.loads {
            load.send(order).await?;
        }
        let mut told = Vec::new();
        for load in &mut self.loads {
            told.push(load.told().await?);
        }
        Ok(told)
    }
}

/// The part of one among so many.
fn part(count: u32, at: usize, of: usize) -> u32 {
    let (at, of) = (u32::try_from(at).unwrap_or(u32::MAX), u32::try_from(of.max(1)).unwrap_or(1));
    count / of + u32::from(at < count % of)
}

/// Where the connections of one among several come from.
fn source(at: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 10 + u8::try_from(at).unwrap_or_default(), 1)
}
