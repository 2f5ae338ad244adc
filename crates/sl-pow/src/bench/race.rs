use std::{cmp::Reverse, time::Duration};

use sl_units::{HashRate, Mono, Target};

use super::header_of;
use crate::{Algorithm, Engine, EngineRow, HEADER_LEN, Hit};

/// How engines race.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RacePlan {
    /// The least time of one look at an engine; of several looks at it the fastest counts, because
    /// whatever else the machine does only makes it slower.
    pub look: Duration,
    /// Looks in turns at each of those that are near the fastest after the first two.
    pub looks: usize,
    /// Who is slower than the fastest by this factor after two looks is not looked at again. Other
    /// work on the same core costs a thread half of its rate at the worst.
    pub near: f64,
    /// After so long no further look begins; an engine without one has no rate.
    pub budget: Duration,
}

/// A group that takes so many looks is made once only.
const MUCH: u32 = 10;

impl Default for RacePlan {
    /// For the start of a program: a tenth of a second with the usual engines.
    fn default() -> Self {
        Self {
            look: Duration::from_millis(3),
            looks: 5,
            near: 2.0,
            budget: Duration::from_millis(200),
        }
    }
}

/// An engine and its place in a race.
#[derive(Clone, PartialEq, Debug)]
pub struct Ranked {
    /// The engine's name.
    pub engine: &'static str,
    /// Headers hashed side by side.
    pub lanes: usize,
    /// What it made on one thread; `None` if there was no time to look at it.
    pub hashrate: Option<HashRate>,
}

/// Which of an algorithm's engines is the fastest on this machine, by measurement on the calling
/// thread: all that it can run, the fastest first, those without a rate last and the widest of them
/// first.
///
/// ```text
/// widest first:  make ─▶ one group ─▶ two looks ─▶ drop
///                                         │ near the fastest
///                                         ▼
///                     make, one group, then look in turns
/// ```
///
/// The engines are raw: they have not passed their self-test, and no answer of theirs is used.
/// [`Registry::best`](crate::Registry::best) tests the one that it takes.
///
/// `now` must move on while hashes are made. The calling thread's processor time is the best clock
/// for it: while others have the processor, that stands still.
pub fn race(algorithm: &dyn Algorithm, plan: RacePlan, now: &impl Fn() -> Mono) -> Vec<Ranked> {
    let header = header_of(algorithm);
    let begin = now();
    let over = || now().since(begin) >= plan.budget;
    let mut rows = algorithm.engines();
    rows.retain(|row| (row.available)());
    rows.sort_by_key(|row| Reverse(row.lanes));
    let mut rates = vec![0.0; rows.len()];
    for (row, rate) in rows.iter().zip(&mut rates) {
        if !over() {
            let runner = Runner::new(row, header, now);
            *rate = runner.map_or(0.0, |mut runner| {
                runner.look(plan.look, now).max(runner.look(plan.look, now))
            });
        }
    }
    let fastest = rates.iter().copied().fold(0.0, f64::max);
    let near = |rate: f64| rate > 0.0 && rate * plan.near >= fastest;
    let close: Vec<usize> = (0..rows.len()).filter(|at| near(rates[*at])).collect();
    if close.len() > 1 && !over() {
        let runner = |at: usize| Some((at, Runner::new(&rows[at], header, now)?));
        let mut runners: Vec<(usize, Runner)> = close.into_iter().filter_map(runner).collect();
        for _ in 0..plan.looks {
            // A turn is taken by all or by none.
            if over() {
                break;
            }
            for (at, runner) in &mut runners {
                rates[*at] = rates[*at].max(runner.look(plan.look, now));
            }
        }
    }
    let ranked = rows.into_iter().zip(rates).map(|(row, rate)| Ranked {
        engine: row.name,
        lanes: row.lanes,
        hashrate: (rate > 0.0).then(|| HashRate::from_hs(rate)),
    });
    let mut ranked: Vec<Ranked> = ranked.collect();
    let rate = |it: &Ranked| it.hashrate.map_or(0.0, HashRate::hs);
    ranked.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    ranked
}

/// An engine with its memory touched and its code read.
struct Runner {
    engine: Box<dyn Engine>,
    header: [u8; HEADER_LEN],
    nonce: u32,
    hits: Vec<Hit>,
    /// What the first group took.
    first: Duration,
}

impl Runner {
    /// `None` where it cannot be made.
    fn new(row: &EngineRow, header: [u8; HEADER_LEN], now: &impl Fn() -> Mono) -> Option<Self> {
        let mut it = Self {
            engine: (row.make)().ok()?,
            header,
            nonce: 0,
            hits: Vec::new(),
            first: Duration::ZERO,
        };
        let begin = now();
        it.group();
        it.first = now().since(begin);
        Some(it)
    }

    fn group(&mut self) -> f64 {
        let lanes = u32::try_from(self.engine.lanes()).unwrap_or(u32::MAX).max(1);
        // Nothing but zero meets the target.
        let target = Target::from_le_bytes([0; 32]);
        self.hits.clear();
        self.engine.scan(&self.header, self.nonce, lanes, target, &mut self.hits);
        self.nonce = self.nonce.wrapping_add(lanes);
        f64::from(lanes)
    }

    /// Hashes a second. Of an engine whose single group takes much longer than a look, the first
    /// group is the look.
    fn look(&mut self, least: Duration, now: &impl Fn() -> Mono) -> f64 {
        if self.first > least * MUCH {
            let lanes = self.engine.lanes().max(1) as f64;
            return HashRate::from_work(lanes, self.first).hs();
        }
        let begin = now();
        let mut hashes = 0.0;
        loop {
            hashes += self.group();
            let took = now().since(begin);
            if took >= least && !took.is_zero() {
                return HashRate::from_work(hashes, took).hs();
            }
        }
    }
}
