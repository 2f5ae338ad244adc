//! The gamma distribution, as far as intervals of Poisson counts need it.

/// Above this shape the quantile is taken from Wilson and Hilferty's approximation; its error is
/// then below a thousandth of a standard deviation at the levels used here.
const LARGE: f64 = 1e5;

/// The smallest rate that so many events do not contradict at the level `tail` (a chance, such as
/// 0.025): the gamma quantile of Garwood's interval. `events` need not be whole.
pub(super) fn lower(events: f64, tail: f64) -> f64 {
    if events > 0.0 { quantile(events, tail) } else { 0.0 }
}

/// The greatest rate that so many events do not contradict at the level `tail`.
pub(super) fn upper(events: f64, tail: f64) -> f64 {
    quantile(events.max(0.0) + 1.0, 1.0 - tail)
}

/// The value that a gamma variable of this shape (scale 1) stays below with chance `p`.
pub(super) fn quantile(shape: f64, p: f64) -> f64 {
    let start = wilson_hilferty(shape, p);
    if shape >= LARGE {
        return start;
    }
    // Newton within brackets: the distribution is monotone, so it cannot get lost.
    let (mut low, mut high) = (0.0_f64, f64::max(start * 4.0, shape * 4.0 + 60.0));
    let mut x = start.clamp(1e-300, high);
    for _ in 0..200 {
        let error = cumulative(shape, x) - p;
        if error > 0.0 {
            high = x;
        } else {
            low = x;
        }
        let density = ((shape - 1.0) * x.ln() - x - ln_gamma(shape)).exp();
        let newton = x - error / density;
        let next = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
        if (next - x).abs() <= 1e-12 * x {
            return next;
        }
        x = next;
    }
    x
}

fn wilson_hilferty(shape: f64, p: f64) -> f64 {
    let (z, ninth) = (normal_quantile(p), 1.0 / (9.0 * shape));
    let cube = 1.0 - ninth + z * ninth.sqrt();
    if cube > 0.0 {
        shape * cube.powi(3)
    } else {
        (p * ln_gamma(shape + 1.0).exp()).powf(1.0 / shape)
    }
}

/// The chance that a gamma variable of this shape (scale 1) is at most `x`.
pub(super) fn cumulative(shape: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let front = (shape * x.ln() - x - ln_gamma(shape)).exp();
    if x < shape + 1.0 {
        let (mut term, mut sum, mut at) = (1.0 / shape, 1.0 / shape, shape);
        while term > sum * 1e-16 {
            at += 1.0;
            term *= x / at;
            sum += term;
        }
        (front * sum).min(1.0)
    } else {
        // Lentz's continued fraction for the upper tail.
        let mut b = x + 1.0 - shape;
        let mut c = 1e300;
        let mut d = 1.0 / b;
        let mut value = d;
        for i in 1..100_000 {
            let i = f64::from(i);
            let a = i * (shape - i);
            b += 2.0;
            d = 1.0 / (a * d + b);
            c = b + a / c;
            value *= d * c;
            if (d * c - 1.0).abs() < 1e-15 {
                break;
            }
        }
        1.0 - front * value
    }
}

/// Lanczos' approximation (g = 7, nine terms), good to about 15 digits.
pub(super) fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    let mut at = x;
    for term in TERMS {
        at += 1.0;
        sum += term / at;
    }
    let t = x + 7.5;
    0.918_938_533_204_672_8 + (x + 0.5) * t.ln() - t + sum.ln()
}

/// Acklam's rational approximation, relative error below 1.2e-9.
fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    let horner = |terms: &[f64], x: f64| terms.iter().fold(0.0, |sum, term| sum * x + term);
    let tail = |p: f64| {
        let q = (-2.0 * p.ln()).sqrt();
        horner(&C, q) / horner(&D, q)
    };
    if p < 0.02425 {
        tail(p)
    } else if p > 1.0 - 0.02425 {
        -tail(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        q * horner(&A, r) / horner(&B, r)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(found: f64, expect: f64, relative: f64) {
        assert!((found / expect - 1.0).abs() < relative, "{found}, expected {expect}");
    }

    #[test]
    fn gamma_and_its_distribution() {
        close(ln_gamma(5.0), 24f64.ln(), 1e-13);
        close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-12);
        // Shape 1 is the exponential distribution.
        for x in [0.01, 0.5, 2.0, 9.0] {
            close(cumulative(1.0, x), 1.0 - f64::exp(-x), 1e-12);
        }
        // Poisson: P(N >= 3 | 2.5) by its terms.
        let below = f64::exp(-2.5) * (1.0 + 2.5 + 2.5 * 2.5 / 2.0);
        close(cumulative(3.0, 2.5), 1.0 - below, 1e-12);
    }

    #[test]
    fn garwoods_table() {
        // Garwood 1936 and every table since: 95 % bounds of a Poisson mean.
        for (events, low, high) in [
            (0.0, 0.0, 3.6889),
            (1.0, 0.0253, 5.5716),
            (2.0, 0.2422, 7.2247),
            (5.0, 1.6235, 11.6683),
            (10.0, 4.7954, 18.3904),
            (30.0, 20.2409, 42.8269),
            (100.0, 81.3640, 121.6268),
        ] {
            assert!((lower(events, 0.025) - low).abs() < 1e-4, "{events}");
            let found = upper(events, 0.025);
            assert!((found - high).abs() < 1e-4, "{events}: {found}");
        }
    }

    #[test]
    fn quantiles_undo_the_distribution() {
        for shape in [0.3, 1.0, 7.5, 360.0, 10_800.0, 90_000.0] {
            for p in [1e-6, 0.025, 0.5, 0.975, 0.999_999] {
                let back = cumulative(shape, quantile(shape, p));
                assert!((back - p).abs() < 1e-9 * shape.max(1.0), "{shape} {p} {back}");
            }
        }
        // Where the approximation takes over it has become good.
        for p in [0.005, 0.025, 0.975] {
            let exact = quantile(LARGE - 1.0, p);
            let deviation = LARGE.sqrt();
            assert!((wilson_hilferty(LARGE - 1.0, p) - exact).abs() < 1e-3 * deviation);
        }
    }
}
