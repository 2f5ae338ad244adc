use std::{sync::Arc, time::Duration};

use sl_units::Mono;

use super::job::Work;

/// Which machine the shared engine hashes for next.
///
/// Each machine has hashes due as its rate says, and has them in turn with the others. When the
/// engine cannot keep up, what is due gathers for a while, so that it can be made up for; beyond
/// that the clock of all machines stands still together, so that each loses in proportion to its
/// rate and none hashes at the cost of another. What is lost so is counted.
#[derive(Debug)]
pub(crate) struct Dealer {
    slots: Vec<Slot>,
    /// Whose turn it is.
    next: usize,
    at: Mono,
    /// Hashes that were due and that nobody made.
    missed: f64,
}

/// What the engine has of one machine.
#[derive(Debug, Default)]
struct Slot {
    /// Real hashes a second.
    rate: f64,
    /// Hashes that are due.
    due: f64,
    work: Option<Arc<Work>>,
    extranonce2: u64,
    nonce: u64,
    header: Option<[u8; 80]>,
}

/// One header to be hashed for a machine.
#[derive(Debug, Clone)]
pub(crate) struct Lot {
    pub(crate) machine: usize,
    pub(crate) work: Arc<Work>,
    pub(crate) extranonce2: u64,
    pub(crate) header: [u8; 80],
}

/// How much of its work the engine may be behind and still make up for it.
const BEHIND: Duration = Duration::from_secs(30);
/// Where the nonce stands in a header.
const NONCE: std::ops::Range<usize> = 76..80;

impl Dealer {
    pub(crate) fn new(machines: usize, now: Mono) -> Self {
        // Slow machines begin apart: each has another part of its first hash done.
        let slot = |number| Slot { due: (number as f64 * 0.618_034).fract(), ..Slot::default() };
        Self { slots: (0..machines).map(slot).collect(), next: 0, at: now, missed: 0.0 }
    }

    /// Sets what each machine hashes from now on, in real hashes a second.
    pub(crate) fn set_rates(&mut self, rates: &[f64]) {
        for (slot, rate) in self.slots.iter_mut().zip(rates) {
            slot.rate = if rate.is_finite() { rate.max(0.0) } else { 0.0 };
        }
    }

    /// Gives a machine its newest job, or takes its work away.
    pub(crate) fn set_work(&mut self, machine: usize, work: Option<Arc<Work>>) {
        let Some(slot) = self.slots.get_mut(machine) else { return };
        if work.is_none() {
            // Without a job nothing is hashed, and nothing is made up for.
            slot.due = slot.due.fract();
        }
        let again = match (&slot.work, &work) {
            (Some(old), Some(new)) => old.is_same_job(new),
            _ => false,
        };
        if again {
            // A pool that says its job again does not want the same shares again.
            slot.work = work;
            return;
        }
        let due = slot.due;
        *slot = Slot { rate: slot.rate, due, work, ..Slot::default() };
    }

    /// Time passes: further hashes become due.
    pub(crate) fn accrue(&mut self, now: Mono) {
        let seconds = now.since(self.at).as_secs_f64();
        self.at = now;
        let (due, rate) = (self.due(), self.rate());
        if due > rate * BEHIND.as_secs_f64() + self.slots.len() as f64 {
            self.missed += rate * seconds;
            return;
        }
        for slot in self.slots.iter_mut().filter(|slot| slot.work.is_some()) {
            slot.due += slot.rate * seconds;
        }
    }

    /// Hashes that are due now.
    pub(crate) fn due(&self) -> f64 {
        let with_work = self.slots.iter().filter(|slot| slot.work.is_some());
        0.0 + with_work.map(|slot| slot.due.floor()).sum::<f64>()
    }

    /// Hashes a second of all machines that have work.
    pub(crate) fn rate(&self) -> f64 {
        let with_work = self.slots.iter().filter(|slot| slot.work.is_some());
        0.0 + with_work.map(|slot| slot.rate).sum::<f64>()
    }

    /// Hashes that were due and that the engine could not make.
    pub(crate) const fn missed(&self) -> f64 {
        self.missed
    }

    /// At most `count` headers: first of the machines that are later than all together, then of any,
    /// in turn.
    pub(crate) fn deal(&mut self, count: usize) -> Vec<Lot> {
        let with_work = self.slots.iter().filter(|slot| slot.work.is_some());
        let due: f64 = with_work.map(|slot| slot.due).sum();
        let late = if due > 0.0 { due / self.rate().max(f64::MIN_POSITIVE) } else { 0.0 };
        let mut lots = Vec::with_capacity(count);
        for late in [late, 0.0] {
            for _ in 0..self.slots.len() {
                if lots.len() == count {
                    return lots;
                }
                let machine = self.next;
                let Some(slot) = self.slots.get_mut(machine) else { break };
                while lots.len() < count && slot.due > slot.rate * late {
                    let Some(lot) = slot.lot(machine) else { break };
                    lots.push(lot);
                }
                self.next = (self.next + 1) % self.slots.len();
            }
        }
        lots
    }
}

impl Slot {
    fn lot(&mut self, machine: usize) -> Option<Lot> {
        let work = self.work.clone().filter(|_| self.due >= 1.0)?;
        self.due -= 1.0;
        if self.nonce > u64::from(u32::MAX) {
            (self.nonce, self.header) = (0, None);
            self.extranonce2 += 1;
        }
        let extranonce2 = self.extranonce2;
        let mut header = *self.header.get_or_insert_with(|| work.header(extranonce2));
        if let Some(place) = header.get_mut(NONCE) {
            place.copy_from_slice(&(self.nonce as u32).to_le_bytes());
        }
        self.nonce += 1;
        Some(Lot { machine, work, extranonce2, header })
    }
}

impl Lot {
    /// The nonce that stands in its header.
    pub(crate) fn nonce(&self) -> u32 {
        let bytes = self.header.get(NONCE).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::work::job::tests::work;

    fn at(millis: u64) -> Mono {
        Mono::from_start(Duration::from_millis(millis))
    }

    fn dealer(rates: &[f64]) -> Dealer {
        let mut dealer = Dealer::new(rates.len(), at(0));
        dealer.set_rates(rates);
        for machine in 0..rates.len() {
            dealer.set_work(machine, Some(Arc::new(work(1, "a", 1.0))));
        }
        dealer
    }

    /// Ticks of 20 ms with an engine that makes `engine` hashes a second; the hashes of each.
    fn run(dealer: &mut Dealer, seconds: u64, engine: f64) -> Vec<f64> {
        let mut made = vec![0.0; dealer.slots.len()];
        let start = dealer.at;
        for tick in 1..=seconds * 50 {
            dealer.accrue(start + Duration::from_millis(tick * 20));
            for lot in dealer.deal((engine * 0.02) as usize) {
                made[lot.machine] += 1.0;
            }
        }
        made
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Whether the engine keeps up or not, hashes are in proportion to the rates.
        #[test]
        fn hashes_follow_the_rates(rates in prop::collection::vec(5.0f64..100.0, 1..12), engine in 0.3f64..3.0) {
            let sum: f64 = rates.iter().sum();
            let mut dealer = dealer(&rates);
            let engine = (sum * engine).max(50.0);
            // Until what may be behind is behind.
            run(&mut dealer, 120, engine);
            let made = run(&mut dealer, 120, engine);
            let ratio = ((engine * 0.02).floor() / 0.02 / sum).min(1.0);
            for (made, rate) in made.iter().zip(&rates) {
                let expect = rate * ratio * 120.0;
                prop_assert!((made / expect - 1.0).abs() < 0.1, "{made} of {expect}, ratio {ratio}");
            }
        }
    }

    #[test]
    fn no_header_is_hashed_twice() {
        let mut dealer = dealer(&[100.0, 30.0]);
        dealer.slots[0].nonce = u64::from(u32::MAX) - 20;
        dealer.accrue(at(1000));
        let lots = dealer.deal(1000);
        assert_eq!(lots.len(), 130);
        let seen: HashSet<_> = lots.iter().map(|lot| (lot.machine, lot.header)).collect();
        assert_eq!(seen.len(), lots.len());
        assert!(lots.iter().any(|lot| lot.extranonce2 == 1), "the coinbase moved on");
        assert!(lots.iter().all(|lot| lot.header[..76] == lot.work.header(lot.extranonce2)[..76]));
    }

    #[test]
    fn a_job_that_is_said_again_by_whatever_name_goes_on_where_it_was() {
        let mut dealer = dealer(&[100.0]);
        dealer.accrue(at(1000));
        let first: HashSet<_> = dealer.deal(1000).iter().map(|lot| lot.header).collect();
        dealer.set_work(0, Some(Arc::new(work(1, "b", 2.0))));
        dealer.accrue(at(2000));
        let again = dealer.deal(1000);
        assert_eq!(again.len(), 100);
        assert!(again.iter().all(|lot| !first.contains(&lot.header)));
        assert!(again.iter().all(|lot| lot.work.difficulty().get() == 2.0), "as it asks now");
    }

    #[test]
    fn without_a_job_nothing_is_due() {
        let mut dealer = dealer(&[100.0, 100.0]);
        dealer.set_work(0, None);
        dealer.accrue(at(1000));
        assert!(dealer.deal(1000).iter().all(|lot| lot.machine == 1));
        dealer.set_work(0, Some(Arc::new(work(2, "b", 1.0))));
        assert_eq!(dealer.deal(1000).len(), 0, "and nothing is made up for");
        dealer.accrue(at(2000));
        assert_eq!(dealer.deal(1000).len(), 200);
        assert_eq!(dealer.missed(), 0.0);
    }

    #[test]
    fn nothing_to_deal_among_none() {
        let mut none = Dealer::new(0, at(0));
        none.accrue(at(1000));
        none.set_work(3, None);
        assert!(none.deal(8).is_empty());
        let mut odd = dealer(&[f64::NAN, -1.0, f64::INFINITY]);
        odd.accrue(at(1000));
        assert!(odd.deal(8).is_empty());
    }
}
