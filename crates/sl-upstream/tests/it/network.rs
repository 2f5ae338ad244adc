//! What the network may do between us and a pool. Each fault is asserted to have happened; each
//! ticket gets one verdict whatever it was; the machines have work again, or all the time.

use std::{collections::HashMap, time::Duration};

use sl_testkit::proxy::{Faults, Proxy};
use sl_work::{Lease, Outcome, Ticket};

use crate::{
    pools::{OpenPool, Running, entry, plans},
    scripted::{job, send},
    soon,
};

/// Shares that are sent while the fault lasts.
const SHARES: [u32; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/// Two pools, the first behind the proxy and at work.
struct Between {
    proxy: Proxy,
    running: Running,
    lease: Lease,
    /// Every verdict so far: whether the share was accepted.
    accepted: HashMap<Ticket, bool>,
    _pools: [OpenPool; 2],
}

impl Between {
    /// A share's verdict is waited for so many seconds.
    async fn start(answer_s: u64) -> Self {
        Self::start_with(answer_s, "").await
    }

    /// The same with more settings of the first pool.
    async fn start_with(answer_s: u64, more: &str) -> Self {
        let pools = [OpenPool::start().await, OpenPool::start().await];
        let proxy = Proxy::start(pools[0].address).await;
        let patience = format!(", answer_within: {answer_s}s, resume_within: 1s{more}");
        let mut plans = plans(&[
            entry("first", proxy.address(), &patience),
            entry("second", pools[1].address, ", priority: 1"),
        ]);
        plans.rules.breaker.answer = Duration::from_secs(answer_s);
        let mut running = Running::over(plans);
        let lease = running.lease().await;
        running.works_for("pool.first").await;
        running.pool_status("pool.second", |status| status.jobs == 1).await;
        Self { proxy, running, lease, accepted: HashMap::new(), _pools: pools }
    }

    /// Sends shares at once on the job of this moment.
    async fn send(&mut self) -> Vec<Ticket> {
        let work = job(&mut self.lease).await;
        send(&self.lease, &work, &SHARES)
    }

    /// Waits for the verdict of each: how many were accepted, and how many lost.
    async fn verdicts(&mut self, tickets: &[Ticket]) -> (usize, usize) {
        while !tickets.iter().all(|ticket| self.accepted.contains_key(ticket)) {
            let verdict = soon(self.lease.verdicts.recv()).await.expect("each ticket has one");
            let accepted = match verdict.outcome {
                Outcome::Accepted { .. } => true,
                Outcome::Lost { reason } => {
                    assert!(!reason.is_empty(), "what is lost says why");
                    false
                }
                other => panic!("{other:?}"),
            };
            let before = self.accepted.insert(verdict.ticket, accepted);
            assert_eq!(before, None, "one verdict, not two");
        }
        let accepted = tickets.iter().filter(|ticket| self.accepted[ticket]).count();
        (accepted, tickets.len() - accepted)
    }

    /// The other pool has the work, and takes shares.
    async fn goes_on(&mut self, because: &[&str]) {
        let status = self.running.works_for("pool.second").await;
        let status = match status.failovers.is_empty() {
            true => self.running.until(|status| !status.failovers.is_empty()).await,
            false => status,
        };
        let change = status.failovers.front().expect("one");
        assert!(because.iter().any(|why| change.why.contains(why)), "{}", change.why);
        let tickets = self.send().await;
        assert_eq!(self.verdicts(&tickets).await, (SHARES.len(), 0));
    }

    fn changes(&self) -> usize {
        self.running.status.failover.borrow().failovers.len()
    }
}

/// Slow is not gone: nothing is lost, and nobody leaves.
#[tokio::test]
async fn a_slow_network_loses_nothing() {
    let delay = Faults { delay: Duration::from_millis(200), ..Faults::default() };
    let narrow = Faults { bytes_per_second: Some(2000), ..Faults::default() };
    for fault in [delay, narrow] {
        let mut between = Between::start(10).await;
        between.proxy.to_client(fault.clone());
        between.proxy.to_server(fault.clone());
        let tickets = between.send().await;
        assert_eq!(between.verdicts(&tickets).await, (SHARES.len(), 0), "{fault:?}");
        let counts = between.proxy.counts();
        assert!(counts.delayed + counts.throttled >= 2, "{counts:?}");
        assert_eq!((counts.submitted, counts.in_flight()), (SHARES.len() as u64, 0));
        let told = between.running.pool_status("pool.first", |_| true).await;
        assert_eq!((told.connections, between.changes()), (1, 0), "nobody was left");
        between.running.stop().await;
    }
}

/// A connection that stands and carries nothing, one way or the other: the verdict that does not
/// come gives it away.
#[tokio::test]
async fn a_half_open_connection_is_found_by_the_verdict_that_does_not_come() {
    for to_server in [false, true] {
        let mut between = Between::start(1).await;
        let hold = Faults { hold: true, ..Faults::default() };
        match to_server {
            true => between.proxy.to_server(hold),
            false => between.proxy.to_client(hold),
        }
        let tickets = between.send().await;
        soon(between.proxy.until(|counts| counts.swallowed >= 1)).await;
        between.goes_on(&["without its verdict"]).await;
        let event = between.running.status.failover.borrow().failovers[0].clone();
        let detected = event.detected.expect("it failed");
        assert!(detected >= Duration::from_secs(1), "not before its time: {detected:?}");
        // The proxy lets nothing through to the new connection either.
        assert_eq!(between.verdicts(&tickets).await, (0, SHARES.len()));
        let lost = SHARES.len() as u64;
        between.running.until(|status| status.members[0].tally.lost == lost).await;
        between.running.stop().await;
    }
}

/// A connection that carries nothing while nobody sends a share: the silence gives it away, and the
/// failover says since when it lasted.
#[tokio::test]
async fn a_pool_that_falls_silent_is_left() {
    let mut between = Between::start_with(10, ", silence: 2s, ping_after: 1s").await;
    between.proxy.to_client(Faults { hold: true, ..Faults::default() });
    soon(between.proxy.until(|counts| counts.swallowed >= 1)).await;
    between.goes_on(&["silent for 2 s"]).await;
    let event = between.running.status.failover.borrow().failovers[0].clone();
    let detected = event.detected.expect("it failed");
    assert!(detected >= Duration::from_secs(2), "since its last word: {detected:?}");
    between.running.stop().await;
}

/// Bits that fall over in the pool's words: what cannot be read is counted, what it answered is
/// waited for no longer than anything else, and no share is counted twice.
#[tokio::test]
async fn words_with_wrong_bits_are_not_believed() {
    let mut between = Between::start(1).await;
    between.proxy.to_client(Faults { flip_every: 1, ..Faults::default() });
    let tickets = between.send().await;
    soon(between.proxy.until(|counts| counts.flipped >= 1)).await;
    between.running.pool_status("pool.first", |status| status.malformed >= 1).await;
    between.goes_on(&["malformed", "without its verdict"]).await;
    between.proxy.to_client(Faults::default());
    let (accepted, lost) = between.verdicts(&tickets).await;
    assert_eq!(accepted + lost, SHARES.len());
    between.running.stop().await;
}

/// Bits that fall over in our words: the pool hangs up, and what it never read is lost or sent
/// again.
#[tokio::test]
async fn a_pool_that_cannot_read_us_hangs_up() {
    let mut between = Between::start(1).await;
    between.proxy.to_server(Faults { flip_every: 1, ..Faults::default() });
    let tickets = between.send().await;
    let counts = soon(between.proxy.until(|counts| counts.flipped >= 1)).await;
    assert_eq!(counts.answered, 0);
    between.goes_on(&["closed", "broke"]).await;
    between.proxy.to_server(Faults::default());
    let (accepted, lost) = between.verdicts(&tickets).await;
    assert_eq!(accepted + lost, SHARES.len());
    between.running.stop().await;
}
