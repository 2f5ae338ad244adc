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
#[derive(Debug)]
pub(crate) struct Demand {
    rules: DemandRules,
    /// Work sent up, in difficulty, by second.
    seconds: VecDeque<(u64, f64)>,
    began: Option<Mono>,
    over: f64,
    suggested: Option<Mono>,
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
    /// How often a pool is told the same wish.
    const AGAIN: Duration = Duration::from_secs(60);
    /// How often to look.
    pub(crate) const LOOK: Duration = Duration::from_secs(2);

    pub(crate) fn new(rules: DemandRules) -> Self {
        Self { rules, seconds: VecDeque::new(), began: None, over: 1.0, suggested: None }
    }

    /// A share went up that stands for this difficulty of work.
    pub(crate) fn sent(&mut self, difficulty: f64, now: Mono) {
        self.began.get_or_insert(now);
        let second = now.since_start().as_secs();
        match self.seconds.back_mut() {
            Some((last, sum)) if *last == second => *sum += difficulty,
            _ => self.seconds.push_back((second, difficulty)),
        }
        while self.seconds.front().is_some_and(|(at, _)| second - at > Self::WINDOW.as_secs()) {
            self.seconds.pop_front();
        }
    }

    /// A new connection: the pool knows nothing of our wish.
    pub(crate) fn reconnected(&mut self) {
        self.suggested = None;
    }

    /// How many times the pool's difficulty is sent up at least.
    pub(crate) const fn over(&self) -> f64 {
        self.over
    }

    /// Looks at a pool that asks for this difficulty.
    pub(crate) fn look(&mut self, pool: ShareDifficulty, now: Mono) -> Advice {
        let Some(rate) = self.rate(now) else { return Advice::default() };
        let flood = rate / (pool.get() * self.rules.most_shares_per_second);
        let needed = if flood > 1.0 { ((flood.log2() * 4.0).ceil() / 4.0).exp2() } else { 1.0 };
        let mut advice = Advice::default();
        // Down only when half would do, so that chance does not move it to and fro.
        if needed > self.over || needed * 2.0 < self.over || (needed == 1.0 && flood < 0.5) {
            advice.over = (needed != self.over).then_some(needed);
            self.over = needed;
        }
        let wish = rate / self.rules.shares_per_second;
        let due = self.suggested.is_none_or(|at| now.since(at) >= Self::AGAIN);
        let told = self.rules.hashrate.is_some() || self.over > 1.0;
        if due && told && wish > pool.get() * 2.0 {
            self.suggested = Some(now);
            let whole = if wish > 1.0 { wish.round() } else { wish };
            advice.suggest = ShareDifficulty::new(whole).ok();
        }
        advice
    }

    /// Work in difficulty a second: as measured, before that as it was told.
    fn rate(&self, now: Mono) -> Option<f64> {
        let told = self.rules.hashrate.map(|rate| rate.hs() / 65_536.0);
        let measured = self.began.map(|began| now.since(began)).filter(|time| *time >= Self::LEAST);
        let Some(time) = measured else { return told };
        let from = now.since_start().as_secs().saturating_sub(Self::WINDOW.as_secs());
        let sum: f64 = self.seconds.iter().filter(|(at, _)| *at > from).map(|(_, sum)| sum).sum();
        Some(sum / time.min(Self::WINDOW).as_secs_f64())
    }
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
                demand.sent(1.0, at(second));
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
                demand.sent(8.0, at(second));
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

    #[test]
    fn a_small_miner_is_left_alone() {
        let mut demand = Demand::new(DemandRules::default());
        for second in 0..100 {
            demand.sent(0.02, at(second));
            assert_eq!(demand.look(difficulty(0.02), at(second)), Advice::default());
        }
    }
}
