//! A process of load: one thread, its machines and its misdeeds, led from outside.

use std::{net::SocketAddr, rc::Rc, time::Duration};

use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, tcp::OwnedWriteHalf},
    task::{LocalSet, spawn_local},
    time::{Instant, sleep, timeout},
};

use self::{company::Company, flood::Flooding};
use crate::{
    BenchError,
    orders::{Flood, Hello, Machines, Order, Told},
};

pub(crate) use machine::submit_line;

mod company;
mod dial;
mod flood;
mod machine;
mod peers;
#[cfg(test)]
mod tests;
mod work;

/// How long machines may take until all have a job.
const READY: Duration = Duration::from_secs(90);
/// How often new machines are connected.
const TICK: Duration = Duration::from_millis(10);
/// The slice in which a part of the CPU is burnt.
const SLICE: Duration = Duration::from_millis(10);

/// Follows orders until the leader is gone.
pub(crate) fn run(control: SocketAddr, number: usize) -> Result<(), BenchError> {
    sl_ports::machine::limits::raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(BenchError::io("starting a runtime"))?;
    LocalSet::new().block_on(&runtime, follow(control, number))
}

async fn follow(control: SocketAddr, number: usize) -> Result<(), BenchError> {
    let stream = TcpStream::connect(control).await;
    let stream = stream.map_err(BenchError::io("connecting to the leader"))?;
    let (read, mut out) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    say(&mut out, &Hello { number }).await?;
    let mut worker = Worker::default();
    while let Some(line) = lines.next_line().await.map_err(BenchError::io("hearing the leader"))? {
        let order: Order = serde_json::from_str(&line).map_err(BenchError::part)?;
        let told = worker.obey(order).await.unwrap_or_else(|wrong| Told::Failed(wrong.to_string()));
        say(&mut out, &told).await?;
    }
    Ok(())
}

async fn say(out: &mut OwnedWriteHalf, word: &impl Serialize) -> Result<(), BenchError> {
    let mut line = serde_json::to_vec(word).map_err(BenchError::part)?;
    line.push(b'\n');
    out.write_all(&line).await.map_err(BenchError::io("answering the leader"))
}

/// What a process of load has at work.
#[derive(Default)]
struct Worker {
    company: Option<Rc<Company>>,
    flooding: Option<Flooding>,
}

impl Worker {
    async fn obey(&mut self, order: Order) -> Result<Told, BenchError> {
        match order {
            Order::Machines(machines) => self.connect(machines).await,
            Order::Flood(flood) => self.flood(flood),
            Order::FloodSoFar => {
                let flooding = self.flooding.as_ref();
                let flooding = flooding.ok_or_else(|| BenchError::Part("no flood".into()))?;
                Ok(Told::Flood(flooding.so_far()))
            }
            Order::EndFlood => {
                let flooding = self.flooding.take();
                let flooding = flooding.ok_or_else(|| BenchError::Part("no flood".into()))?;
                Ok(Told::Flood(flooding.end()))
            }
            Order::Peers(plan) => peers::connect(plan).await.map(Told::Count),
            Order::Burn { share, seconds } => {
                burn(share, Duration::from_secs_f64(seconds)).await;
                Ok(Told::Done)
            }
            other => {
                let company = self.company.as_ref();
                let company = company.ok_or_else(|| BenchError::Part("no machines".into()))?;
                of_machines(company, other).await
            }
        }
    }

    async fn connect(&mut self, machines: Machines) -> Result<Told, BenchError> {
        let company = Rc::new(Company::new(machines)?);
        self.company = Some(company.clone());
        let plan = company.plan();
        let mut stride = Stride::of(plan.per_second);
        for at in 0..plan.count {
            stride.next().await;
            spawn_local(machine::live(company.clone(), at));
        }
        Ok(all_ready(&company).await)
    }

    fn flood(&mut self, flood: Flood) -> Result<Told, BenchError> {
        self.flooding = Some(Flooding::start(flood)?);
        Ok(Told::Done)
    }
}

async fn of_machines(company: &Rc<Company>, order: Order) -> Result<Told, BenchError> {
    Ok(match order {
        Order::Ready => all_ready(company).await,
        Order::Gone => {
            let _ = timeout(READY, company.until_ready(|now| now == 0)).await;
            Told::Done
        }
        Order::Vanish { count } => {
            company.vanish(count);
            Told::Done
        }
        Order::Buried => Told::Count(company.buried()),
        Order::Pace(pace) => {
            company.set_pace(pace);
            Told::Done
        }
        Order::Figures => Told::Figures(company.take_figures()),
        Order::TimeJobs => {
            company.time_jobs();
            Told::Done
        }
        Order::Arrived => Told::Count(company.arrived()),
        Order::Arrivals => Told::Arrivals(company.arrivals()),
        Order::KeepAcknowledged => {
            company.keep_acknowledged();
            Told::Done
        }
        Order::Acknowledged => Told::Acknowledged(company.acknowledged()),
        other => return Err(BenchError::Part(format!("{other:?} is for nobody here"))),
    })
}

async fn all_ready(company: &Company) -> Told {
    let all = u64::from(company.plan().count);
    let _ = timeout(READY, company.until_ready(|now| now >= all)).await;
    Told::Count(company.ready_now())
}

/// So many a second, evenly.
struct Stride {
    tick: tokio::time::Interval,
    at_once: u32,
    left: u32,
}

impl Stride {
    fn of(per_second: u32) -> Self {
        let at_once = (f64::from(per_second) * TICK.as_secs_f64()).max(1.0) as u32;
        Self { tick: tokio::time::interval(TICK), at_once, left: 0 }
    }

    async fn next(&mut self) {
        if self.left == 0 {
            self.tick.tick().await;
            self.left = self.at_once;
        }
        self.left -= 1;
    }
}

/// Keeps the CPU busy for this part of the time.
async fn burn(share: f64, time: Duration) {
    let share = share.clamp(0.0, 1.0);
    let end = Instant::now() + time;
    let mut junk = 0u64;
    while Instant::now() < end {
        let busy = Instant::now() + SLICE.mul_f64(share);
        while Instant::now() < busy {
            junk = std::hint::black_box(junk.wrapping_mul(3).wrapping_add(1));
        }
        if share < 1.0 {
            sleep(SLICE.mul_f64(1.0 - share)).await;
        }
    }
}
