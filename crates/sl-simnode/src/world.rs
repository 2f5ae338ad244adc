use std::time::Duration;

use sl_chain::coins::CoinRow;
use sl_units::{Bits, HashRate, Mono, Target, Wall};

/// What all simulated chains of one program share: clock, chance, and how hard mining is.
///
/// The clock of the chains runs faster than the wall, so a coin whose blocks are 150 s apart gets
/// one every 150 s ÷ factor, while spacings, timespans and rules are those of the real coin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct World {
    /// Chain time at the instant `started`.
    pub start: Wall,
    /// The instant at which the world began.
    pub started: Mono,
    /// Chain seconds in a second of the wall.
    pub time_factor: f64,
    /// Seed of everything that looks random: transactions, extension blocks.
    pub seed: u64,
    /// The rate at which the first blocks come on schedule, measured at the start.
    pub engine_rate: HashRate,
    /// Least expected hashes of a block; the pow limit of every chain. At 1, any hash will do.
    pub min_hashes_per_block: f64,
}

impl World {
    /// Time factor of educational mode: a Litecoin block about every 6 s, others about every 2.4 s.
    pub const TIME_FACTOR: f64 = 25.0;
    /// Expected hashes of the easiest block of educational mode, 2¹².
    pub const MIN_HASHES: f64 = 4096.0;

    /// A world with the default time factor and pow limit.
    #[must_use]
    pub const fn new(start: Wall, started: Mono, seed: u64, engine_rate: HashRate) -> Self {
        Self {
            start,
            started,
            time_factor: Self::TIME_FACTOR,
            seed,
            engine_rate,
            min_hashes_per_block: Self::MIN_HASHES,
        }
    }

    /// The chains' time of day, in seconds since the Unix epoch, as headers carry it.
    #[must_use]
    pub fn chain_time(&self, now: Mono) -> u32 {
        let elapsed = now.since(self.started).as_secs_f64() * self.factor();
        // A float turns into an integer by saturation.
        (self.start + Duration::from_millis((elapsed * 1000.0) as u64)).header_time()
    }

    /// The easiest target of every chain of this world, exact in compact form.
    #[must_use]
    pub fn pow_limit(&self) -> Target {
        let limit = Target::from_expected_hashes(self.min_hashes_per_block);
        limit.to_bits().target().unwrap_or(limit)
    }

    /// The target of a chain's first blocks: that which the engine meets once in the coin's
    /// spacing, and not easier than the pow limit.
    #[must_use]
    pub fn start_bits(&self, coin: &CoinRow) -> Bits {
        let hashes = self.engine_rate.hs() * coin.block_spacing.as_secs_f64() / self.factor();
        Target::from_expected_hashes(hashes).min(self.pow_limit()).to_bits()
    }

    fn factor(&self) -> f64 {
        if self.time_factor.is_finite() && self.time_factor > 0.0 { self.time_factor } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use sl_chain::coins;

    use super::*;

    fn world(engine_rate: f64, min_hashes: f64) -> World {
        let start = Wall::from_secs(1_800_000_000);
        let mut world = World::new(start, Mono::default(), 1, HashRate::from_hs(engine_rate));
        world.min_hashes_per_block = min_hashes;
        world
    }

    #[test]
    fn the_clock_of_the_chains_runs_faster() {
        let world = world(1e5, 4096.0);
        assert_eq!(world.chain_time(Mono::default()), 1_800_000_000);
        assert_eq!(world.chain_time(Mono::from_start(Duration::from_secs(6))), 1_800_000_150);
        assert_eq!(world.chain_time(Mono::from_start(Duration::MAX)), u32::MAX);
    }

    #[test]
    fn the_first_target_is_met_on_schedule_by_the_engine() {
        let check = |rate, min_hashes, ticker, hashes: f64| {
            let row = coins::by_ticker(ticker).expect("in the table");
            let bits = world(rate, min_hashes).start_bits(row);
            let expected = bits.target().expect("valid").expected_hashes();
            assert!((expected / hashes - 1.0).abs() < 1e-4, "{ticker}: {expected}, not {hashes}");
        };
        check(1e5, 4096.0, "LTC", 600_000.0);
        check(1e5, 4096.0, "DOGE", 240_000.0);
        check(1e3, 4096.0, "DOGE", 4096.0);
        check(0.0, 1.0, "DOGE", 1.0);
    }

    #[test]
    fn every_limit_is_exact_in_compact_form() {
        for min_hashes in [0.0, 1.0, 2.0, 3.0, 100.0, 4096.0, 1e9] {
            let limit = world(1.0, min_hashes).pow_limit();
            assert_eq!(limit.to_bits().target(), Ok(limit), "{min_hashes}");
        }
    }
}
