//! The chips of a board, no two alike, and the sums that stand for them.
//!
//! Heat and rate of a segment depend on its chips only through four sums, exactly, so that a step
//! costs the same for one chip and for a hundred. They are made anew when a chip changes.

use fastrand::Rng;

use super::plant::LEAK_SHARE;

/// Chips that share one voltage domain; the domains of a board are in series. Assumed.
pub(crate) const CHIPS_PER_DOMAIN: usize = 5;
/// How much of the clock a chip gains or loses before its bad nonces change by a factor of e.
/// Assumed.
pub(crate) const MARGIN_SPREAD: f64 = 0.02;

/// One chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chip {
    /// Rate against the mean chip at the same clock: cores that work.
    pub yields: f32,
    /// Leakage against the mean chip.
    pub leaks: f32,
    /// Clock that it bears above the mean chip, as a share of the nominal clock.
    pub margin: f32,
    /// Whether its cores compute.
    pub works: bool,
    /// Whether it answers on the chain.
    pub answers: bool,
    /// Whether it was found when the chips were last counted; others get no work.
    pub counted: bool,
}

impl Chip {
    /// A chip of a lot: normal spreads of 0.3 % in rate, 12 % in leakage, 1 % in margin. A chip
    /// that leaks more is a faster one, as in silicon.
    fn drawn(rng: &mut Rng) -> Self {
        let (rate, leak, own) = (normal(rng), normal(rng), normal(rng));
        Self {
            yields: (1.0 + 0.003 * rate) as f32,
            leaks: (0.12 * leak).exp() as f32,
            margin: (0.01 * (0.6 * leak + 0.8 * own)) as f32,
            works: true,
            answers: true,
            counted: true,
        }
    }

    /// A chip as the model's figures have it.
    #[must_use]
    pub const fn mean() -> Self {
        Self { yields: 1.0, leaks: 1.0, margin: 0.0, works: true, answers: true, counted: true }
    }

    /// The chips of a board, drawn.
    #[must_use]
    pub fn lot(count: usize, seed: u64) -> Box<[Self]> {
        let mut rng = Rng::with_seed(seed);
        (0..count).map(|_| Self::drawn(&mut rng)).collect()
    }
}

/// What the chips of one segment amount to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// Sum of the yields of chips that work.
    pub yields: f64,
    /// Switching chips, each weighed by the square of its domain's voltage.
    pub switching: f64,
    /// Sum of the leakages, weighed likewise; a chip that does not work leaks on.
    pub leakage: f64,
    /// Sum of the yields, weighed by how each chip's margin moves its share of bad nonces.
    pub badness: f64,
}

impl Sums {
    /// The sums of the inlet and the outlet half of a board.
    #[must_use]
    pub fn of(chips: &[Chip]) -> [Self; 2] {
        let volts = domain_voltages(chips);
        let half = chips.len() / 2;
        let mut sums = [Self::default(); 2];
        for (at, chip) in chips.iter().enumerate() {
            let [inlet, outlet] = &mut sums;
            let sum = if at < half { inlet } else { outlet };
            let volt = volts.get(at / CHIPS_PER_DOMAIN).copied().unwrap_or(1.0);
            sum.leakage += f64::from(chip.leaks) * volt * volt;
            if chip.works && chip.counted {
                let margin = f64::from(chip.margin) + (volt - 1.0);
                sum.yields += f64::from(chip.yields);
                sum.switching += volt * volt;
                sum.badness += f64::from(chip.yields) * (-margin / MARGIN_SPREAD).exp();
            }
        }
        sums
    }
}

/// The voltage of each domain against the mean. One current goes through all of them, so that a
/// domain that draws less stands higher: around a chip that died the others get more.
fn domain_voltages(chips: &[Chip]) -> Vec<f64> {
    /// What is left of a difference in current as a difference in voltage: the decoupling and the
    /// regulators of each domain take the rest. Assumed.
    const SHOWS: f64 = 0.1;
    let mut volts: Vec<f64> = chips
        .chunks(CHIPS_PER_DOMAIN)
        .map(|domain| {
            let draws: f64 = domain
                .iter()
                .map(|chip| {
                    let switches = if chip.works { 1.0 - LEAK_SHARE } else { 0.0 };
                    LEAK_SHARE * f64::from(chip.leaks) + switches
                })
                .sum();
            1.0 + SHOWS * (1.0 - draws / domain.len().max(1) as f64)
        })
        .collect();
    let mean = volts.iter().sum::<f64>() / volts.len().max(1) as f64;
    for volt in &mut volts {
        *volt /= mean;
    }
    volts
}

/// A number that is normal but for its ends: mean 0, deviation 1, never beyond 3.47. Four uniform
/// numbers of 16 bits are summed, out of one draw.
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    let bits = rng.u64(..);
    let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xFFFF).sum();
    // Four uniforms have the mean 2 and the variance 1/3.
    (sum as f64 / 65_535.0 - 2.0) * 3f64.sqrt()
}

/// How many of rare independent events came when `mean` were expected.
pub(crate) fn poisson(rng: &mut Rng, mean: f64) -> u64 {
    if mean.is_nan() || mean <= 0.0 {
        return 0;
    }
    if mean > 16.0 {
        return (mean + mean.sqrt() * normal(rng)).round().max(0.0) as u64;
    }
    let (limit, mut product, mut count) = ((-mean).exp(), rng.f64(), 0);
    while product > limit && count < 200 {
        product *= rng.f64();
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_chip_lifts_its_own_domain() {
        let mut chips = vec![Chip::mean(); 120];
        assert!(domain_voltages(&chips).iter().all(|volt| (volt - 1.0).abs() < 1e-12));
        chips[7].works = false;
        let volts = domain_voltages(&chips);
        assert!(volts[1] > 1.01 && volts[0] < 1.0, "{volts:?}");
        let [inlet, outlet] = Sums::of(&chips);
        assert!((inlet.yields - 59.0).abs() < 1e-9 && (outlet.yields - 60.0).abs() < 1e-9);
        assert!(inlet.leakage > outlet.leakage, "it leaks on");
        chips[60..].iter_mut().for_each(|chip| chip.counted = false);
        let [inlet, outlet] = Sums::of(&chips);
        assert!((inlet.yields - 59.0).abs() < 1e-9 && outlet.yields == 0.0);
        assert!(outlet.leakage > 59.0, "without work it has power all the same");
    }

    #[test]
    fn draws_have_their_mean_and_spread() {
        let mut rng = Rng::with_seed(1);
        let normals: Vec<f64> = (0..20_000).map(|_| normal(&mut rng)).collect();
        let mean = normals.iter().sum::<f64>() / 20_000.0;
        let variance = normals.iter().map(|n| n * n).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
        for expected in [0.3, 5.0, 40.0] {
            let mean = (0..20_000).map(|_| poisson(&mut rng, expected)).sum::<u64>() as f64 / 2e4;
            assert!((mean / expected - 1.0).abs() < 0.05, "{mean} of {expected}");
        }
        assert_eq!(poisson(&mut rng, f64::NAN), 0);
    }
}
