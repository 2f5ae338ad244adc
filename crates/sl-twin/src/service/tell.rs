//! What the machines say of themselves. Nothing here ends what runs.

use std::{fmt, net::Ipv4Addr, time::Duration};

use sl_ports::Clock;
use sl_scenario::{Edge, Timeline};
use sl_units::Mono;
use sl_upstream::Endpoint;
use tokio::{net::TcpStream, sync::watch, time::timeout};

use crate::{
    Fault, MachineHandle,
    conf::Command,
    farm::FarmStatus,
    net::Subnet,
    readings::{PoolReading, Readings, State},
};

/// Machines that begin need so long to log in and to get a job.
const LOGIN: Duration = Duration::from_secs(5);

/// Says what goes wrong when it does, and when it is over, with machines that were made at `began`.
pub(super) async fn faults(mut faults: Timeline<Fault>, net: Subnet, clock: Clock, began: Mono) {
    while let Some(next) = faults.next_edge() {
        tokio::time::sleep_until(clock.instant_of(began + next)).await;
        for passed in faults.advance(next) {
            let fault = &passed.span.effect;
            let Some(machine) = net.host(passed.span.subject) else { continue };
            match passed.edge {
                Edge::Start if fault.is_instant() => tracing::info!(%machine, "{fault}"),
                Edge::End if fault.is_instant() => {}
                Edge::Start => tracing::info!(%machine, %fault, "a fault begins"),
                Edge::End => tracing::info!(%machine, %fault, "a fault ends"),
            }
        }
    }
}

/// Says once that machines are ready to hash and no pool gives any of them a job, and once that one
/// does again.
///
/// ```text
///            ready, none has a job, 5 s          one has a job
///   quiet ───────────────────────────────▶ told ───────────────▶ quiet
/// ```
pub(super) async fn jobs(
    mut status: watch::Receiver<FarmStatus>,
    machines: impl AsRef<[MachineHandle]>,
) {
    let none = |status: &FarmStatus| status.waiting > 0 && status.connected == 0;
    let some = |status: &FarmStatus| status.connected > 0;
    loop {
        if status.wait_for(none).await.is_err() {
            return;
        }
        if timeout(LOGIN, status.wait_for(some)).await.is_ok() {
            continue;
        }
        let waits = machines.as_ref().iter().map(MachineHandle::readings);
        let Some(machine) = waits.into_iter().find(|readings| readings.state == State::Mining)
        else {
            continue;
        };
        tracing::warn!("{}", Jobless::of(&machine).await);
        let Ok(status) = status.wait_for(some).await else { return };
        let (connected, total) = (status.connected, status.total);
        tracing::info!("{connected} of {total} virtual machines have a job of their pool");
    }
}

/// Presses the report button of each machine once it is up.
pub(crate) async fn reports(machines: &[MachineHandle]) {
    for handle in machines {
        let mut handle = handle.clone();
        let up =
            |readings: &Readings| readings.manners.reachable && readings.state != State::Booting;
        let mut now = handle.readings();
        while !up(&now) {
            match handle.changed().await {
                Ok(later) => now = later,
                Err(_) => return,
            }
        }
        if handle.command(Command::PressReport).await.is_err() {
            return;
        }
    }
}

/// Why machines that could hash have nothing to hash.
#[derive(Debug, PartialEq, Eq)]
enum Jobless {
    /// The configuration names no pool that a machine can dial.
    Unnamed { machine: Ipv4Addr },
    /// The pool cannot be reached.
    Unreachable { pool: Endpoint, why: String },
    /// The pool takes connections and gives no job.
    Unserved { pool: Endpoint, user: String },
}

impl Jobless {
    /// Knocks at the pool that a machine would like best.
    async fn of(readings: &Readings) -> Self {
        /// How long a pool may take to answer a knock.
        const KNOCK: Duration = Duration::from_secs(5);
        let first = readings.pools.iter().find(|pool| !pool.url.is_empty());
        let dialled = |pool: &PoolReading| pool.url.trim().parse::<Endpoint>().ok();
        let Some((pool, user)) = first.and_then(|it| Some((dialled(it)?, it.user.clone()))) else {
            return Self::Unnamed { machine: readings.network.ip };
        };
        let knock = TcpStream::connect((pool.host(), pool.port()));
        match timeout(KNOCK, knock).await {
            Ok(Ok(_)) => Self::Unserved { pool, user },
            Ok(Err(wrong)) if wrong.raw_os_error().is_some() => {
                Self::Unreachable { pool, why: wrong.kind().to_string() }
            }
            // Of names that lead nowhere the system's text says more.
            Ok(Err(wrong)) => Self::Unreachable { pool, why: wrong.to_string() },
            Err(_) => Self::Unreachable { pool, why: format!("silent for {} s", KNOCK.as_secs()) },
        }
    }
}

impl fmt::Display for Jobless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CURE: &str = "start one there, such as silverlode up, or name another with --pool \
                            (setting machines.pool)";
        match self {
            Self::Unnamed { machine } => write!(
                f,
                "no virtual machine mines: the configuration of {machine} names no pool of the form \
                 stratum+tcp://HOST:PORT"
            ),
            Self::Unreachable { pool, why } => {
                write!(f, "no virtual machine mines: {pool} does not answer ({why}); {CURE}")
            }
            Self::Unserved { pool, user } => write!(
                f,
                "no virtual machine mines: {pool} takes connections and gives no job; is its login \
                 {user:?} refused there?"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use sl_units::Mono;

    use super::*;
    use crate::{Machine, Model, Release, Spec, conf::PoolConf};

    /// What is said of a machine with this pool.
    async fn check(url: &str, expect: &str) {
        let model = Model::by_id("antminer-l7").expect("in the table");
        let (url, user, pass) = (url.to_owned(), "farm.0x1".to_owned(), "x".to_owned());
        let spec = Spec {
            pools: vec![PoolConf { url, user, pass }],
            ..Spec::new(model, Release::R202405, 7, [127, 77, 0, 1].into())
        };
        let readings = Machine::new(spec, Mono::default()).readings(Mono::default());
        let told = Jobless::of(&readings).await.to_string();
        assert!(told.contains(expect), "{told}");
    }

    #[tokio::test]
    async fn who_has_no_job_is_told_why() {
        let pool = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("stratum+tcp://{}", pool.local_addr().expect("bound"));
        check(&url, "takes connections and gives no job; is its login \"farm.0x1\"").await;
        drop(pool);
        check(&url, &format!("{url} does not answer (connection refused); start one")).await;
        check("", "names no pool").await;
        check("http://pool.example", "names no pool").await;
    }
}
