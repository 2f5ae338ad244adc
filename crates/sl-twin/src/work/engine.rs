use std::{sync::Arc, time::Duration};

use sl_ports::{Clock, priority};
use sl_pow::{NoProver, Prover, Registry};
use sl_units::{Hash256, HashRate, Mono, ShareDifficulty, Target};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{
    dealer::{Dealer, Lot},
    job::Work,
};

/// How often what is due is looked at.
const TICK: Duration = Duration::from_millis(20);
/// How long one batch of a thread should take: a new job is heard after two at most.
const BATCH: Duration = Duration::from_millis(10);
/// How long hashes may wait until they fill all lanes.
const PATIENCE: Duration = Duration::from_millis(100);
/// The most headers in a batch.
const MOST: usize = 4096;
/// Batches that a thread holds: one in work, one that waits.
const AHEAD: usize = 2;
/// Orders of connections that wait to be taken.
const ORDERS: usize = 1024;
/// Shares of one machine that wait to be taken; more are dropped and counted.
pub(crate) const FOUND: usize = 16;
/// How often the figures are made anew.
const SAMPLE: Duration = Duration::from_secs(1);

/// Why the shared engine cannot run.
#[derive(Debug, Error)]
pub enum EngineError {
    /// No engine of the algorithm is right on this machine.
    #[error(transparent)]
    NoEngine(#[from] NoProver),
    /// The operating system gives no thread.
    #[error("cannot start a hashing thread: {0}")]
    Thread(#[from] std::io::Error),
    /// A hashing thread has died.
    #[error("a hashing thread of the virtual machines has died")]
    Died,
}

/// What the shared engine does, made anew each second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EngineStatus {
    /// Threads that hash.
    pub threads: usize,
    /// Hashes made for all machines since the start.
    pub hashes: u64,
    /// Hashes a second, over the last second.
    pub hashrate: HashRate,
    /// Hashes a second that the machines want now.
    pub wanted: HashRate,
    /// Hashes that machines should have made and that the engine had no time for.
    pub missed: f64,
    /// Shares that were found and that their machine did not take in time.
    pub dropped: u64,
}

/// What a machine's connection tells the engine.
#[derive(Debug)]
pub(crate) struct WorkOrder {
    pub(crate) machine: usize,
    /// The newest job; `None` when there is none to hash.
    pub(crate) work: Option<Arc<Work>>,
}

/// A share that the engine found for a machine. Its hash was computed by a tested engine and meets
/// the job's target.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) work: Arc<Work>,
    pub(crate) extranonce2: u64,
    pub(crate) nonce: u32,
    pub(crate) hash: Hash256,
}

impl Found {
    /// The difficulty that the hash would meet.
    pub(crate) fn difficulty(&self) -> f64 {
        ShareDifficulty::from(Target::from_le_bytes(*self.hash.as_bytes())).get()
    }
}

/// The engine of all machines: a task that deals, and threads that hash.
///
/// ```text
///  connections ── WorkOrder ──▶ Engine (Dealer) ── batch of lots ──▶ threads (Prover)
///  farm ───────── rates ──────▶    │    ▲                               │
///  connections ◀──── Found ────────┘    └──────── batch done ───────────┘
/// ```
pub(crate) struct Engine {
    pub(crate) registry: Registry,
    pub(crate) algorithm: &'static str,
    pub(crate) threads: usize,
    pub(crate) clock: Clock,
    /// Real hashes a second of each machine.
    pub(crate) rates: watch::Receiver<Arc<[f64]>>,
    /// Where the shares of each machine go.
    pub(crate) found: Vec<mpsc::Sender<Found>>,
    pub(crate) status: watch::Sender<EngineStatus>,
}

/// A batch that a thread has hashed.
struct Batch {
    thread: usize,
    hashes: usize,
    took: Duration,
    found: Vec<(usize, Found)>,
}

/// A thread as the dealer sees it.
struct Hand {
    lots: mpsc::Sender<Vec<Lot>>,
    held: usize,
    lanes: usize,
    /// Headers in its next batch.
    count: usize,
}

/// Where connections send their jobs.
pub(crate) fn orders() -> (mpsc::Sender<WorkOrder>, mpsc::Receiver<WorkOrder>) {
    mpsc::channel(ORDERS)
}

impl Engine {
    /// Hashes until told to stop.
    pub(crate) async fn run(
        mut self,
        mut orders: mpsc::Receiver<WorkOrder>,
        stop: CancellationToken,
    ) -> Result<(), EngineError> {
        let threads = self.threads.max(1);
        let (done_in, mut done) = mpsc::channel(threads * AHEAD);
        let mut hands = Vec::new();
        for thread in 0..threads {
            hands.push(self.start(thread, done_in.clone()).await?);
        }
        drop(done_in);
        let mut dealer = Dealer::new(self.found.len(), self.clock.mono());
        let mut status = EngineStatus { threads, ..EngineStatus::default() };
        let mut sampled = (self.clock.mono(), 0);
        let mut dealt = self.clock.mono();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            // Cancel-safe: a token, receives, a change, a tick.
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(order) = orders.recv() => {
                    dealer.set_work(order.machine, order.work);
                    continue;
                }
                batch = done.recv() => match batch {
                    Some(batch) => self.take(batch, &mut hands, &mut status),
                    None => return Err(EngineError::Died),
                },
                Ok(()) = self.rates.changed() => {
                    let rates = self.rates.borrow_and_update().clone();
                    dealer.accrue(self.clock.mono());
                    dealer.set_rates(&rates);
                    continue;
                }
                _ = tick.tick() => {
                    all_alive(&hands)?;
                    let now = self.clock.mono();
                    dealer.accrue(now);
                    self.tell(&dealer, &mut status, &mut sampled, now);
                }
            }
            deal(&mut dealer, &mut hands, &mut dealt, self.clock.mono())?;
        }
    }

    async fn start(&self, thread: usize, done: mpsc::Sender<Batch>) -> Result<Hand, EngineError> {
        let (lots_in, lots) = mpsc::channel(AHEAD);
        let (say, begun) = oneshot::channel();
        let (registry, algorithm, clock) = (self.registry.clone(), self.algorithm, self.clock);
        let run = move || {
            if let Err(wrong) = priority::set_this_thread(priority::LEAST) {
                tracing::warn!(%wrong, "this thread keeps its priority");
            }
            match registry.best(algorithm) {
                Ok(prover) => {
                    let _nobody_asks_any_more = say.send(Ok(prover.lanes()));
                    hash(prover, thread, lots, &done, clock);
                }
                Err(none) => {
                    let _nobody_asks_any_more = say.send(Err(none));
                }
            }
        };
        // It ends by itself when the dealer is gone, within a batch.
        std::thread::Builder::new().name(format!("twin-{thread}")).spawn(run)?;
        let lanes = begun.await.map_err(|_| EngineError::Died)??;
        Ok(Hand { lots: lots_in, held: 0, lanes, count: lanes })
    }

    /// Takes a batch back: shares to their machines, and the next batch as long as it should be.
    fn take(&self, batch: Batch, hands: &mut [Hand], status: &mut EngineStatus) {
        let Batch { thread, hashes, took, found } = batch;
        status.hashes += hashes as u64;
        if let Some(hand) = hands.get_mut(thread) {
            hand.held = hand.held.saturating_sub(1);
            if hashes == hand.count {
                hand.count = next_count(hand.count, took, hand.lanes);
            }
        }
        for (machine, found) in found {
            let taken = self.found.get(machine).map(|machine| machine.try_send(found));
            status.dropped += u64::from(!matches!(taken, Some(Ok(()))));
        }
    }

    fn tell(
        &self,
        dealer: &Dealer,
        status: &mut EngineStatus,
        sampled: &mut (Mono, u64),
        now: Mono,
    ) {
        let since = now.since(sampled.0);
        if since < SAMPLE {
            return;
        }
        status.hashrate = HashRate::from_work((status.hashes - sampled.1) as f64, since);
        status.wanted = HashRate::from_hs(dealer.rate());
        status.missed = dealer.missed();
        *sampled = (now, status.hashes);
        self.status.send_replace(*status);
    }
}

/// A thread that dies with all that it can hold is given nothing any more, and would not be missed.
fn all_alive(hands: &[Hand]) -> Result<(), EngineError> {
    let died = hands.iter().any(|hand| hand.lots.is_closed());
    if died { Err(EngineError::Died) } else { Ok(()) }
}

/// Gives the threads what is due, the one with the least in hand first.
fn deal(
    dealer: &mut Dealer,
    hands: &mut [Hand],
    dealt: &mut Mono,
    now: Mono,
) -> Result<(), EngineError> {
    loop {
        let free = hands.iter_mut().filter(|hand| hand.held < AHEAD).min_by_key(|hand| hand.held);
        let Some(hand) = free else { return Ok(()) };
        let due = dealer.due();
        if due < hand.lanes as f64 && (due < 1.0 || now.since(*dealt) < PATIENCE) {
            return Ok(());
        }
        // Whole groups of lanes while there are, so that none is wasted.
        let whole = (due as usize / hand.lanes).max(1) * hand.lanes;
        let lots = dealer.deal(hand.count.min(whole));
        if lots.is_empty() {
            return Ok(());
        }
        *dealt = now;
        hand.held += 1;
        hand.lots.try_send(lots).map_err(|_| EngineError::Died)?;
    }
}

/// One thread: hashes the lots that it is given until nobody gives any more.
fn hash(
    mut prover: Prover,
    thread: usize,
    mut lots: mpsc::Receiver<Vec<Lot>>,
    done: &mpsc::Sender<Batch>,
    clock: Clock,
) {
    let (mut headers, mut hashed) = (Vec::new(), Vec::new());
    while let Some(lots) = lots.blocking_recv() {
        let began = clock.mono();
        headers.clear();
        headers.extend(lots.iter().map(|lot| lot.header));
        hashed.clear();
        prover.batch_into(&headers, &mut hashed);
        let hits = lots.into_iter().zip(&hashed).filter(|(lot, it)| it.meets(lot.work.target()));
        let found = hits.map(|(lot, it)| {
            let nonce = lot.nonce();
            let Lot { machine, work, extranonce2, .. } = lot;
            (machine, Found { work, extranonce2, nonce, hash: it.hash() })
        });
        let found = found.collect();
        let (hashes, took) = (headers.len(), clock.mono().since(began));
        if done.blocking_send(Batch { thread, hashes, took, found }).is_err() {
            return;
        }
    }
}

/// So many headers next time that the batch takes as long as it should, in whole groups of lanes.
fn next_count(count: usize, took: Duration, lanes: usize) -> usize {
    let ratio = (BATCH.as_secs_f64() / took.as_secs_f64().max(1e-6)).clamp(0.5, 2.0);
    let wished = (count as f64 * ratio) as usize;
    (wished.min(MOST) / lanes.max(1)).max(1) * lanes.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_dies_with_full_hands_is_missed() {
        let (lots, thread) = mpsc::channel(AHEAD);
        let hands = [Hand { lots, held: AHEAD, lanes: 8, count: 8 }];
        assert!(all_alive(&hands).is_ok());
        drop(thread);
        assert!(matches!(all_alive(&hands), Err(EngineError::Died)));
    }

    #[test]
    fn batches_grow_towards_their_time_in_whole_lanes() {
        let check = |count, millis, expect| {
            assert_eq!(next_count(count, Duration::from_millis(millis), 8), expect);
        };
        check(8, 1, 16);
        check(96, 10, 96);
        check(96, 30, 48);
        check(8, 10_000, 8);
        check(4096, 1, 4096);
    }
}
