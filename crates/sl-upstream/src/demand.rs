use std::{collections::VecDeque, time::Duration};

use sl_units::{HashRate, Mono, ShareDifficulty};

/// How many shares a pool's connection should carry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DemandRules {
    /// The rate that will work here, as far as it is known before the first share.
    pub hashrate: Option<HashRate>,
    /// Shares a second that a suggested difficulty aims at.
    pub shares_per_second: f64,
    /// Shares a second beyond which fewer are sent up.
    pub most_shares_per_second: f64,
}

impl Default for DemandRules {
    fn default() -> Self {
        Self { hashrate: None, shares_per_second: 1.0, most_shares_per_second: 3000.0 }
    }
}

/// How much of our work goes up while a pool asks for too easy shares.
///
/// A pool that opens at 65,536, or caps at 524,288, would get thousands of shares a second from
/// ten thousand machines, and drop us. Until it has moved, only shares of `over` times its
/// difficulty go up. The pool credits each of them as one of its own: the rest is the price.
///
/// ```text
///  at the start  nothing is withheld, unless the settings tell a rate
///  they pile up  the last second says the rate: `over` rises at once ([`Demand::hurry`])
///  from 5 s on   what is measured over half a minute says it, up and down ([`Demand::look`])
/// ```
#[derive(Debug)]
pub(crate) struct Demand {
    rules: DemandRules,
    /// What came, the oldest first.
    slots: VecDeque<Slot>,
    /// The first share of this connection.
    began: Option<Mono>,
    over: f64,
    suggested: Option<Mono>,
    hurried: Option<Mono>,
}

/// What came within an eighth of a second.
#[derive(Clone, Copy, Debug)]
struct Slot {
    number: u64,
    shares: u32,
    /// The work that they stand for.
    difficulty: f64,
}

/// Work as difficulty a second, over so long.
#[derive(Clone, Copy, Debug)]
struct Rate {
    difficulty: f64,
    /// As many as were measured; a rate that was told has none of their chance.
    shares: f64,
    lasted: Duration,
}

/// What to change.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) struct Advice {
    /// From now on only shares of so many times the pool's difficulty go up.
    pub(crate) over: Option<f64>,
    /// A difficulty to be suggested to the pool.
    pub(crate) suggest: Option<ShareDifficulty>,
}

impl Demand {
    /// What is measured.
    const WINDOW: Duration = Duration::from_secs(30);
    /// Less says nothing yet.
    const LEAST: Duration = Duration::from_secs(5);
    /// What is measured while shares pile up.
    const LAST: Duration = Duration::from_secs(1);
    const SLOT: Duration = Duration::from_millis(125);
    /// How often a pool is told the same wish.
    const AGAIN: Duration = Duration::from_secs(60);
    /// How often to look.
    pub(crate) const LOOK: Duration = Duration::from_secs(2);
    /// How often to look while shares pile up.
    const HURRY: Duration = Duration::from_millis(100);

    pub(crate) const fn new(rules: DemandRules) -> Self {
        let slots = VecDeque::new();
        Self { rules, slots, began: None, over: 1.0, suggested: None, hurried: None }
    }

    /// A share came that stands for this difficulty of work, whether the lane had room or not.
    pub(crate) fn came(&mut self, difficulty: f64, now: Mono) {
        self.began.get_or_insert(now);
        let number = Self::number(now.since_start());
        match self.slots.back_mut() {
            Some(slot) if slot.number == number => {
                slot.shares = slot.shares.saturating_add(1);
                slot.difficulty += difficulty;
            }
            _ => self.slots.push_back(Slot { number, shares: 1, difficulty }),
        }
        let oldest = number.saturating_sub(Self::number(Self::WINDOW));
        while self.slots.pop_front_if(|slot| slot.number < oldest).is_some() {}
    }

    /// A new connection: the pool knows nothing of our wish, and the time between says nothing.
    pub(crate) fn reconnected(&mut self) {
        self.slots.clear();
        (self.began, self.suggested) = (None, None);
    }

    /// How many times the pool's difficulty is sent up at least.
    pub(crate) const fn over(&self) -> f64 {
        self.over
    }

    /// Looks at a pool that asks for this difficulty.
    pub(crate) fn look(&mut self, pool: ShareDifficulty, now: Mono) -> Advice {
        let measured = self.rate(Self::WINDOW, now).filter(|rate| rate.lasted >= Self::LEAST);
        let Some(rate) = measured.or_else(|| self.told()) else { return Advice::default() };
        // Machines that are just coming are more than half a minute says.
        let last = self.rate(Self::LAST, now).map_or(0.0, |rate| rate.difficulty);
        self.advise(pool, rate, rate.at_most().max(last), now)
    }

    /// Looks while shares pile up at a pool that asks for this difficulty: what came in the last
    /// second is enough then to withhold more. It is never enough to withhold less: what found no
    /// room may not have come as far as this.
    pub(crate) fn hurry(&mut self, pool: ShareDifficulty, now: Mono) -> Advice {
        if self.hurried.is_some_and(|at| now.since(at) < Self::HURRY) {
            return Advice::default();
        }
        self.hurried = Some(now);
        let Some(rate) = self.rate(Self::LAST, now) else { return Advice::default() };
        self.advise(pool, rate, f64::INFINITY, now)
    }

    /// More is withheld as soon as the rate says so, and less when even the most that chance may
    /// have hidden of it would do with less.
    fn advise(&mut self, pool: ShareDifficulty, rate: Rate, at_most: f64, now: Mono) -> Advice {
        let bearable = pool.get() * self.rules.most_shares_per_second;
        let (least, enough) = (steps(rate.difficulty / bearable), steps(at_most / bearable));
        let mut advice = Advice::default();
        if least > self.over || enough < self.over {
            self.over = if least > self.over { least } else { enough };
            advice.over = Some(self.over);
        }
        let wish = rate.difficulty / self.rules.shares_per_second;
        let due = self.suggested.is_none_or(|at| now.since(at) >= Self::AGAIN);
        let told = self.rules.hashrate.is_some() || self.over > 1.0;
        if due && told && wish > pool.get() * 2.0 {
            self.suggested = Some(now);
            let whole = if wish > 1.0 { wish.round() } else { wish };
            advice.suggest = ShareDifficulty::new(whole).ok();
        }
        advice
    }

    fn told(&self) -> Option<Rate> {
        let difficulty = self.rules.hashrate?.hs() / 65_536.0;
        Some(Rate { difficulty, shares: f64::INFINITY, lasted: Duration::ZERO })
    }

    /// What came within `span` before now, as far as this connection goes back.
    fn rate(&self, span: Duration, now: Mono) -> Option<Rate> {
        let first = Self::number(now.since_start()).saturating_sub(Self::number(span) - 1);
        let begin = Duration::from_secs_f64(first as f64 * Self::SLOT.as_secs_f64());
        let lasted = now.since(self.began?.max(Mono::from_start(begin)));
        let within = self.slots.iter().filter(|slot| slot.number >= first);
        let (mut shares, mut difficulty) = (0.0, 0.0);
        for slot in within {
            shares += f64::from(slot.shares);
            difficulty += slot.difficulty;
        }
        let difficulty = difficulty / lasted.max(Self::SLOT).as_secs_f64();
        Some(Rate { difficulty, shares, lasted })
    }

    /// Which slot an instant, or how many a stretch has.
    const fn number(time: Duration) -> u64 {
        (time.as_millis() / Self::SLOT.as_millis()) as u64
    }
}

impl Rate {
    /// The most that it may be where chance hid some of it: three deviations, and a twentieth.
    fn at_most(self) -> f64 {
        self.difficulty * (1.05 + 3.0 / self.shares.max(1.0).sqrt())
    }
}

/// How many times too much, rounded up to a quarter of an octave.
fn steps(flood: f64) -> f64 {
    if flood > 1.0 { ((flood.log2() * 4.0).ceil() / 4.0).exp2() } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUNDRED: DemandRules =
        DemandRules { hashrate: None, shares_per_second: 1.0, most_shares_per_second: 100.0 };

    fn at(seconds: u64) -> Mono {
        Mono::from_start(Duration::from_secs(seconds))
    }

    fn difficulty(value: f64) -> ShareDifficulty {
        ShareDifficulty::new(value).expect("positive")
    }

    #[test]
    fn ten_thousand_l7_at_a_cold_pool() {
        let rules = DemandRules { hashrate: Some(HashRate::from_hs(95e12)), ..HUNDRED };
        let mut demand = Demand::new(rules);
        // 22,000 shares a second at the opening difficulty: 221 times too many.
        let advice = demand.look(difficulty(65_536.0), at(0));
        assert_eq!(advice.over, Some(256.0));
        let wish = advice.suggest.expect("a wish").get();
        assert!((wish / 1.4496e9 - 1.0).abs() < 1e-3, "{wish}");
        assert_eq!(demand.look(difficulty(65_536.0), at(1)), Advice::default());
        // The pool goes to its cap: 2,765 a second.
        let advice = demand.look(difficulty(524_288.0), at(2));
        assert_eq!((advice.over, advice.suggest), (Some(32.0), None));
        assert!(demand.look(difficulty(524_288.0), at(62)).suggest.is_some(), "asked again");
        // It takes the wish: nothing is withheld any more.
        let advice = demand.look(difficulty(2e9), at(63));
        assert_eq!((advice, demand.over()), (Advice { over: Some(1.0), suggest: None }, 1.0));
    }

    #[test]
    fn what_is_measured_counts_more_than_what_was_told() {
        let mut demand = Demand::new(HUNDRED);
        assert_eq!(demand.look(difficulty(1.0), at(0)), Advice::default(), "nothing is known");
        // 500 shares a second of difficulty 1.
        for second in 0..=10 {
            for _ in 0..500 {
                demand.came(1.0, at(second));
            }
        }
        let advice = demand.look(difficulty(1.0), at(10));
        assert_eq!(
            advice.over,
            Some(2.5f64.exp2()),
            "five times too many, by quarters of an octave"
        );
        assert!(advice.suggest.is_some_and(|wish| wish.get() > 400.0));
        // The same work in fewer, harder shares: the rate is the same.
        for second in 11..=60 {
            for _ in 0..63 {
                demand.came(8.0, at(second));
            }
        }
        assert_eq!(demand.look(difficulty(1.0), at(60)).over, None);
        // The machines leave.
        assert_eq!(demand.look(difficulty(1.0), at(120)).over, Some(1.0));
    }

    #[test]
    fn a_pool_at_its_cap_costs_nothing_by_default() {
        let rules = DemandRules { hashrate: Some(HashRate::from_hs(95e12)), ..Default::default() };
        let mut demand = Demand::new(rules);
        assert_eq!(demand.look(difficulty(524_288.0), at(0)).over, None, "2,765 shares a second");
        assert_eq!(demand.look(difficulty(65_536.0), at(1)).over, Some(8.0), "22,120 are too many");
    }

    /// The end of an eighth of a second.
    fn end(eighth: u32) -> Mono {
        Mono::from_start(Demand::SLOT * (eighth + 1) - Duration::from_millis(1))
    }

    /// So much work comes within an eighth of a second, in shares of what is asked for.
    fn come(demand: &mut Demand, rate: f64, eighth: u32) {
        let now = end(eighth);
        let over = demand.over();
        for _ in 0..(rate / over / 8.0).round() as u32 {
            demand.came(over, now);
        }
    }

    #[test]
    fn a_farm_that_is_coming_in_is_not_let_loose_again() {
        let mut demand = Demand::new(DemandRules::default());
        let mut before = 1.0;
        for eighth in 0..60 * 8 {
            // A thousand shares a second more each second, up to 22,000.
            come(&mut demand, f64::from(eighth).mul_add(125.0, 125.0).min(22_000.0), eighth);
            let now = end(eighth);
            if eighth % 16 == 0 {
                let _ = demand.look(difficulty(1.0), now);
            } else if eighth > 100 {
                let _ = demand.hurry(difficulty(1.0), now);
            }
            assert!(demand.over() >= before, "{} after {before}", demand.over());
            before = demand.over();
        }
        assert_eq!(before, 8.0);
    }

    #[test]
    fn a_stall_of_our_own_is_forgiven_in_half_a_minute() {
        let mut demand = Demand::new(DemandRules::default());
        let all = 2765.0;
        (0..320).for_each(|eighth| come(&mut demand, all, eighth));
        // Nothing for two seconds, then all of it at once.
        come(&mut demand, all * 17.0, 336);
        let advice = demand.hurry(difficulty(1.0), end(336));
        assert_eq!(advice.over, Some(2.0));
        for eighth in 337..337 + 31 * 8 {
            come(&mut demand, all, eighth);
            if eighth % 16 == 0 {
                let _ = demand.look(difficulty(1.0), end(eighth));
            }
        }
        assert_eq!(demand.over(), 1.0);
    }

    #[test]
    fn a_small_miner_is_left_alone() {
        let mut demand = Demand::new(DemandRules::default());
        for second in 0..100 {
            demand.came(0.02, at(second));
            assert_eq!(demand.look(difficulty(0.02), at(second)), Advice::default());
        }
    }
}
