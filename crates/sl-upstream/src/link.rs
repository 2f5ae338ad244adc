use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use sl_telemetry::Histogram;
use sl_units::Mono;
use sl_work::{Leased, Pending};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    Endpoint, PoolState,
    connection::Connection,
    demand::{Advice, Demand},
    desk::{Desk, Filed, Settled},
    dial::dial,
    service::Shared,
    status::LinkFigures,
};

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(10);
/// The first wait before another try, doubled each time, jittered.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// One connection with a pool after the other: what stays between them.
#[derive(Debug)]
pub(crate) struct Link {
    /// Which of the pool's links it is.
    pub(crate) number: usize,
    pub(crate) desk: Desk,
    pub(crate) demand: Demand,
    pub(crate) round_trip: Histogram,
    /// Jobs that came over it.
    pub(crate) jobs: u64,
    /// By which the pool may resume.
    pub(crate) session: Option<String>,
    /// Whether the next connection does not name it: the one before did, and heard nothing. There
    /// are pools that hang up at a name; one that was only gone is asked by it the time after.
    pub(crate) unnamed: bool,
    /// Whether the pool bears being asked for a sign of life.
    pub(crate) may_ask: bool,
    events: Option<mpsc::Sender<(usize, Event)>>,
}

/// What a link is told.
#[derive(Debug)]
pub(crate) enum Order {
    Lease { leased: Leased, keep: bool },
    Share(Pending),
}

pub(crate) type Orders = mpsc::Receiver<Order>;

/// What a link tells.
#[derive(Debug)]
pub(crate) enum Event {
    /// The pool leaves so many bytes to us.
    Width(usize),
    /// It gives work.
    Working(Mono),
    /// It gives none.
    Idle(Arc<str>, Mono),
    /// A lease that this link has no piece for.
    Overflow(Leased),
}

/// Why a connection ended.
#[derive(Debug, Error)]
pub(crate) enum Ended {
    #[error("the stop was asked for")]
    Stopped,
    #[error("{0}")]
    Broken(String),
    /// The pool asked to come back, perhaps elsewhere.
    #[error("the pool asks to come back at {at} in {} s", .wait.as_secs())]
    Moved { at: Endpoint, wait: Duration },
}

impl Link {
    pub(crate) fn new(number: usize, desk: Desk, demand: Demand) -> Self {
        let round_trip = Histogram::default();
        Self {
            number,
            desk,
            demand,
            round_trip,
            jobs: 0,
            session: None,
            unnamed: false,
            may_ask: true,
            events: None,
        }
    }

    /// Keeps the pool connected until told to stop.
    ///
    /// ```text
    ///  connecting ──▶ connection ──▶ waiting ──┐
    ///      ▲    └───── fails ──────────▲       │
    ///      └──── the wait is over ─────┴───────┘   shares are held meanwhile, for a while
    /// ```
    pub(crate) async fn run(
        &mut self,
        shared: &Shared,
        mut orders: Orders,
        events: mpsc::Sender<(usize, Event)>,
        stop: &CancellationToken,
        mut rng: Rng,
    ) {
        self.events = Some(events);
        let mut wait = FIRST_WAIT;
        // Where the pool has sent us; only for the connection that follows.
        let mut moved: Option<Endpoint> = None;
        let mut why = format!("connecting to {}", shared.pool.endpoint);
        while !stop.is_cancelled() {
            let jobs = self.jobs;
            let endpoint = moved.take().unwrap_or_else(|| shared.pool.endpoint.clone());
            let ended = self.connect_and_serve(shared, &endpoint, &mut orders, &why, stop).await;
            why = ended.to_string();
            let least = match ended {
                Ended::Stopped => break,
                Ended::Broken(_) => Duration::ZERO,
                Ended::Moved { at, wait } => {
                    moved = Some(at);
                    wait
                }
            };
            // A pool that lets in and gives nothing is as far away as one that does not answer.
            if self.jobs > jobs {
                wait = FIRST_WAIT;
            }
            tracing::warn!(pool = %endpoint, %why, "the pool is gone");
            let pause = wait.mul_f64(0.5 + rng.f64()).max(least);
            wait = (wait * 2).min(LONGEST_WAIT);
            self.wait(shared, &mut orders, &why, pause, stop).await;
        }
        let now = shared.clock.mono();
        self.desk.idle("stopped", now);
        let lost = self.desk.lose("the program stopped before the pool's verdict");
        self.count(shared, &lost, now);
        self.events = None;
    }

    /// A share on its way up. Where they pile up at the pool, what changes comes with it.
    pub(crate) fn file(&mut self, pending: Pending, user: String, now: Mono) -> (Filed, Advice) {
        if self.desk.is_live() {
            let work = pending.share().job().wanted.expected_hashes() / 65_536.0;
            self.demand.came(work, now);
        }
        let filed = self.desk.file(pending, user, now);
        let crowded = self.desk.is_crowded();
        (filed, if crowded { self.look(now) } else { Advice::default() })
    }

    /// Looks how much goes up, and what changes.
    pub(crate) fn look(&mut self, now: Mono) -> Advice {
        let (asked, crowded) = (self.desk.difficulty(), self.desk.is_crowded());
        let demand = &mut self.demand;
        let advice = if crowded { demand.hurry(asked, now) } else { demand.look(asked, now) };
        if let Some(over) = advice.over {
            self.desk.set_over(over, now);
        }
        advice
    }

    /// Waits before the next try.
    async fn wait(
        &mut self,
        shared: &Shared,
        orders: &mut Orders,
        why: &str,
        pause: Duration,
        stop: &CancellationToken,
    ) {
        let now = shared.clock.mono();
        let settled = self.desk.cut(why, now, now);
        self.count(shared, &settled, now);
        let number = self.number;
        shared.status.send_modify(|status| {
            status.set_link(number, PoolState::Waiting { until: now + pause }, now);
            status.last_error = Some(why.into());
        });
        self.says(shared, |one| one.held = self.desk.held());
        self.tell(Event::Idle(why.into(), now)).await;
        let over = tokio::time::sleep_until(shared.clock.instant_of(now + pause));
        self.meanwhile(shared, orders, why, stop, over).await;
    }

    /// Until that is done, or the stop is asked for: leases are taken, and told why there is no
    /// work; shares of the jobs before are held, for a while.
    async fn meanwhile<T>(
        &mut self,
        shared: &Shared,
        orders: &mut Orders,
        why: &str,
        stop: &CancellationToken,
        done: impl Future<Output = T>,
    ) -> Option<T> {
        let mut done = std::pin::pin!(done);
        loop {
            let hold = self.gives_up(shared);
            let given_up = shared.clock.instant_of(hold.unwrap_or_default());
            // Cancel-safe: a future that stays, a token, a sleep, a receive.
            tokio::select! {
                done = &mut done => return Some(done),
                () = stop.cancelled() => return None,
                () = tokio::time::sleep_until(given_up), if hold.is_some() => {
                    self.give_up(shared, shared.clock.mono());
                }
                Some(order) = orders.recv() => {
                    let now = shared.clock.mono();
                    self.order(shared, order, why, now).await;
                }
            }
        }
    }

    /// Takes an order while there is no connection.
    async fn order(&mut self, shared: &Shared, order: Order, why: &str, now: Mono) {
        match order {
            Order::Lease { leased, keep } => {
                self.desk.lease(leased, keep);
                self.desk.idle(why, now);
                for leased in self.desk.overflow() {
                    self.tell(Event::Overflow(leased)).await;
                }
            }
            Order::Share(pending) => match self.desk.file(pending, shared.login.main(), now) {
                Filed::Settled(settled) => self.count(shared, &[settled], now),
                _ => self.says(shared, |one| one.held += 1),
            },
        }
    }

    /// When what is held is given up.
    pub(crate) fn gives_up(&self, shared: &Shared) -> Option<Mono> {
        self.desk.gives_up(shared.options.resume_within)
    }

    /// Gives up what is held, if the pool did not come back in time.
    pub(crate) fn give_up(&mut self, shared: &Shared, now: Mono) {
        if self.gives_up(shared).is_none_or(|until| until > now) {
            return;
        }
        let within = shared.options.resume_within.as_secs_f64();
        let lost = self.desk.lose(&format!(
            "the connection broke before the pool's verdict, and the pool did not resume its session within {within} s"
        ));
        self.count(shared, &lost, now);
        self.says(shared, |one| one.held = 0);
    }

    async fn connect_and_serve(
        &mut self,
        shared: &Shared,
        endpoint: &Endpoint,
        orders: &mut Orders,
        why: &str,
        stop: &CancellationToken,
    ) -> Ended {
        let now = shared.clock.mono();
        let number = self.number;
        shared.status.send_modify(|status| {
            status.set_link(number, PoolState::Connecting { since: now }, now);
        });
        let dialled = dial(endpoint, &shared.connector, CONNECT, &shared.clock);
        let dialled = match self.meanwhile(shared, orders, why, stop, dialled).await {
            None => return Ended::Stopped,
            Some(Ok(dialled)) => dialled,
            Some(Err(wrong)) => return Ended::Broken(wrong.to_string()),
        };
        let (connect, tls) = (dialled.connect, dialled.tls);
        shared.status.send_modify(|status| {
            status.connections += 1;
            status.connect = Some(connect);
            status.tls = tls;
        });
        Connection::new(shared, endpoint, stop, dialled, self, orders).serve().await
    }

    /// Says something of this link alone.
    pub(crate) fn says(&self, shared: &Shared, change: impl FnOnce(&mut LinkFigures)) {
        shared.status.send_modify(|status| status.of_link(self.number, change));
    }

    pub(crate) fn count(&self, shared: &Shared, settled: &[Settled], now: Mono) {
        if !settled.is_empty() {
            shared.status.send_modify(|status| {
                settled.iter().for_each(|settled| status.count(self.number, settled, now));
            });
        }
    }

    pub(crate) async fn tell(&self, event: Event) {
        if let Some(events) = &self.events {
            // The router outlives its links; when it is gone, so is whoever would hear.
            let _ = events.send((self.number, event)).await;
        }
    }
}

#[cfg(test)]
mod flood;

#[cfg(test)]
mod tests {
    use sl_ports::{Clock, Randomness};
    use sl_work::{Ask, SourceId, Work, WorkSource, source};

    use super::*;
    use crate::{Pool, Upstream, desk::Numbers};

    #[tokio::test]
    async fn leases_are_taken_while_dialling() {
        let pool = Pool {
            id: SourceId::new("pool.test"),
            endpoint: "stratum+tcp://pool.test:3333".parse().expect("an endpoint"),
            user: "w".into(),
            password: sl_stratum::Password::new("x".into()),
        };
        let rng = Randomness::seeded(1).rng("upstream");
        let shared = Upstream::new(pool, Clock::real(), rng).shared;
        let desk = Desk::new(SourceId::new("pool.test"), 0, Numbers::default());
        let mut link = Link::new(0, desk, Demand::new(shared.options.demand));
        let (handle, mut end) = source(SourceId::new("pool.test"));
        end.set_widest(4);
        let mut lease = handle.lease(Ask { free: 2, consumer: "test".into() }).expect("room");
        let leased = end.leases.recv().await.expect("asked for");
        let (give, mut orders) = mpsc::channel(1);
        give.send(Order::Lease { leased, keep: false }).await.expect("room");
        let (stop, dialled) = (CancellationToken::new(), std::future::pending::<()>());
        let told = |work: &Work| matches!(work, Work::Idle { why, .. } if &**why == "refused");
        // Whoever dials for ever takes orders for ever.
        tokio::select! {
            _ = link.meanwhile(&shared, &mut orders, "refused", &stop, dialled) => panic!("done"),
            work = lease.work.wait_for(told) => assert!(work.is_ok()),
        }
    }
}
