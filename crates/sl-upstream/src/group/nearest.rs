use std::time::Duration;

use fastrand::Rng;
use sl_ports::Clock;
use tokio::{
    net::{TcpStream, lookup_host},
    sync::{mpsc, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::Endpoint;

/// How long a connection may take to be measured.
const PATIENCE: Duration = Duration::from_secs(3);
/// Connections for one figure; the fastest counts, since everything but distance only adds.
const TRIES: usize = 3;
/// Another address must be nearer by a fifth and this much.
const GAIN: Duration = Duration::from_millis(5);
/// …in so many rounds one after the other.
const ROUNDS: u8 = 2;
/// An address missed in so many rounds is away.
const AWAY: u8 = 2;

/// Which of a pool's addresses to use: the nearest by measured latency, or the first that answers.
/// Pure: it is told what was measured.
///
/// It changes at once when the address in use is away or gives no work, and for a clear gain that
/// lasts; what is gained back and forth by some milliseconds is no reason.
#[derive(Clone, Debug)]
pub struct Nearest {
    known: Vec<Known>,
    by_latency: bool,
    current: Option<usize>,
    /// Who was better in the last rounds, and in how many.
    better: Option<(usize, u8)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    latency: Option<Duration>,
    missed: u8,
}

impl Nearest {
    /// A choice among so many addresses, by latency or by their order.
    #[must_use]
    pub fn new(addresses: usize, by_latency: bool) -> Self {
        let known = vec![Known::default(); addresses];
        Self { known, by_latency, current: None, better: None }
    }

    /// Takes a round of measurements, `None` for an address that did not answer; `works` says
    /// whether the address in use gives work. Which to use from now on, where that changes.
    pub fn step(&mut self, round: &[Option<Duration>], works: bool) -> Option<usize> {
        for (known, measured) in self.known.iter_mut().zip(round) {
            known.missed = measured.map_or(known.missed.saturating_add(1), |_| 0);
            known.latency = match (known.latency, *measured) {
                (Some(before), Some(now)) => Some(before.mul_f64(0.7) + now.mul_f64(0.3)),
                (None, now) => now,
                (before, None) => before.filter(|_| known.missed < AWAY),
            };
        }
        let Some(current) = self.current else {
            self.current = Some(self.best(None).unwrap_or(0));
            return self.current;
        };
        let missed = self.known.get(current).map_or(AWAY, |known| known.missed);
        let to = if !works || missed >= AWAY {
            self.best(Some(current))
        } else {
            self.lasting_gain(current)
        }?;
        self.better = None;
        self.current = Some(to);
        Some(to)
    }

    /// The address in use is this one, whatever was chosen.
    pub fn stay(&mut self, address: usize) {
        self.current = Some(address);
        self.better = None;
    }

    /// The latency of an address, smoothed; `None` while it is not known, or away.
    #[must_use]
    pub fn latency(&self, address: usize) -> Option<Duration> {
        self.known.get(address)?.latency
    }

    /// The best address that answers, but for one.
    fn best(&self, except: Option<usize>) -> Option<usize> {
        let known = self.known.iter().enumerate();
        let there = known.filter(|(at, known)| known.missed == 0 && Some(*at) != except);
        let answered = there.filter(|(_, known)| known.latency.is_some());
        let rank = |(at, known): &(usize, &Known)| (known.latency.filter(|_| self.by_latency), *at);
        answered.min_by_key(rank).map(|(at, _)| at)
    }

    fn lasting_gain(&mut self, current: usize) -> Option<usize> {
        let best = self.best(Some(current)).filter(|best| self.is_better(*best, current));
        self.better = match (best, self.better) {
            (Some(best), Some((before, rounds))) if best == before => Some((best, rounds + 1)),
            (best, _) => best.map(|best| (best, 1)),
        };
        self.better.filter(|(_, rounds)| *rounds >= ROUNDS).map(|(best, _)| best)
    }

    fn is_better(&self, other: usize, current: usize) -> bool {
        if !self.by_latency {
            return other < current;
        }
        match (self.latency(other), self.latency(current)) {
            (Some(near), Some(far)) => near.mul_f64(1.25) < far && far.saturating_sub(near) >= GAIN,
            _ => false,
        }
    }
}

/// How long a connection to an address takes, the look-up of its name not counted; `None` where
/// nobody answers.
pub(crate) async fn distance(endpoint: &Endpoint, clock: Clock) -> Option<Duration> {
    let found = timeout(PATIENCE, lookup_host((endpoint.host(), endpoint.port()))).await;
    let address = found.ok()?.ok()?.next()?;
    let mut best: Option<Duration> = None;
    for _ in 0..TRIES {
        let began = clock.mono();
        let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(address)).await else { break };
        let took = clock.mono().since(began);
        drop(stream);
        best = Some(best.map_or(took, |best| best.min(took)));
    }
    best
}

/// What a prober found.
#[derive(Clone, Debug)]
pub(crate) struct Round<K> {
    /// Whose addresses.
    pub(crate) of: K,
    /// In their order; `None` where nobody answered.
    pub(crate) distances: Vec<Option<Duration>>,
}

/// What the prober of a pool is given.
pub(crate) struct Prober {
    pub(crate) endpoints: Vec<Endpoint>,
    /// How often it measures, jittered by a fifth.
    pub(crate) every: Duration,
    pub(crate) clock: Clock,
    pub(crate) rng: Rng,
    /// A change asks for a round at once.
    pub(crate) asked: watch::Receiver<u64>,
}

impl Prober {
    /// Measures all addresses from time to time, and when asked, until nobody takes the rounds.
    pub(crate) async fn run<K: Clone>(mut self, of: K, rounds: mpsc::Sender<Round<K>>) {
        loop {
            let round = Round { of: of.clone(), distances: self.round().await };
            if rounds.send(round).await.is_err() {
                return;
            }
            let pause = self.every.mul_f64(0.8 + 0.4 * self.rng.f64());
            // Cancel-safe: a sleep and a change.
            tokio::select! {
                () = sleep(pause) => {}
                changed = self.asked.changed() => if changed.is_err() { return },
            }
        }
    }

    /// All at once, so that one that does not answer holds nobody up.
    async fn round(&self) -> Vec<Option<Duration>> {
        let mut tasks = JoinSet::new();
        for (at, endpoint) in self.endpoints.iter().cloned().enumerate() {
            let clock = self.clock;
            tasks.spawn(async move { (at, distance(&endpoint, clock).await) });
        }
        let mut round = vec![None; self.endpoints.len()];
        while let Some(done) = tasks.join_next().await {
            if let Ok((at, measured)) = done
                && let Some(place) = round.get_mut(at)
            {
                *place = measured;
            }
        }
        round
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line: what was measured in milliseconds (0: no answer), whether there is work, and what
    /// is used afterwards.
    fn check(by_latency: bool, story: &[(&[u64], bool, usize)]) {
        let mut nearest = Nearest::new(story[0].0.len(), by_latency);
        let mut used = usize::MAX;
        for (number, (round, works, expect)) in story.iter().enumerate() {
            let round: Vec<Option<Duration>> = round
                .iter()
                .map(|millis| (*millis > 0).then(|| Duration::from_millis(*millis)))
                .collect();
            used = nearest.step(&round, *works).unwrap_or(used);
            assert_eq!(used, *expect, "round {number}: {nearest:?}");
        }
    }

    #[test]
    fn the_nearest_is_taken_and_kept_while_the_gain_is_small() {
        check(
            true,
            &[
                (&[90, 20, 150, 200], false, 1),
                (&[90, 22, 19, 200], true, 1),
                (&[16, 22, 19, 200], true, 1),
                (&[16, 22, 19, 200], true, 1),
            ],
        );
    }

    #[test]
    fn a_clear_gain_must_last() {
        check(
            true,
            &[
                (&[100, 110], true, 0),
                (&[100, 20], true, 0),
                (&[100, 100], true, 0),
                (&[100, 20], true, 0),
                (&[100, 20], true, 1),
                (&[100, 20], true, 1),
            ],
        );
    }

    #[test]
    fn one_that_is_away_or_gives_nothing_is_left_at_once() {
        check(true, &[(&[10, 50], true, 0), (&[0, 50], true, 0), (&[0, 50], true, 1)]);
        check(
            true,
            &[(&[10, 50, 40], true, 0), (&[10, 50, 40], false, 2), (&[10, 50, 40], false, 0)],
        );
        check(true, &[(&[0, 0], false, 0), (&[0, 30], false, 1), (&[0, 0], false, 1)]);
    }

    #[test]
    fn in_order_the_first_that_answers() {
        check(
            false,
            &[
                (&[0, 50, 10], false, 1),
                (&[90, 50, 10], true, 1),
                (&[90, 50, 10], true, 0),
                (&[90, 50, 10], true, 0),
                (&[90, 50, 10], false, 1),
            ],
        );
    }

    #[tokio::test]
    async fn distances_are_measured_and_the_absent_have_none() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let there = listener.local_addr().expect("bound");
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let nobody = gone.local_addr().expect("bound");
        drop(gone);
        let (asks, asked) = watch::channel(0);
        let prober = Prober {
            endpoints: [there, nobody]
                .map(|address| address.to_string().parse().expect("an address"))
                .to_vec(),
            every: Duration::from_secs(3600),
            clock: Clock::real(),
            rng: Rng::with_seed(7),
            asked,
        };
        let (out, mut rounds) = mpsc::channel(4);
        let task = tokio::spawn(prober.run("pool", out));
        for _ in 0..2 {
            let Round { of, distances } = rounds.recv().await.expect("a round");
            assert_eq!((of, distances.len()), ("pool", 2));
            assert!(distances[0].is_some() && distances[1].is_none(), "{distances:?}");
            asks.send_modify(|asks| *asks += 1);
        }
        task.abort();
    }
}
