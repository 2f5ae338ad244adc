/// The middle of several measurements, and how far apart they lie.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Spread {
    /// The middle one; between the two in the middle if there is an even number.
    pub median: f64,
    /// (largest − smallest) / median; zero when the median is.
    pub relative: f64,
}

impl Spread {
    /// Of any numbers; what is not finite is left out, and of none it is zero.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else {
            return Self::default();
        };
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Self { median, relative: if median == 0.0 { 0.0 } else { (most - least) / median } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_distance() {
        let check = |values: &[f64], median: f64, relative: f64| {
            assert_eq!(
                Spread::of(values.iter().copied()),
                Spread { median, relative },
                "{values:?}"
            );
        };
        check(&[], 0.0, 0.0);
        check(&[f64::NAN, f64::INFINITY], 0.0, 0.0);
        check(&[4.0], 4.0, 0.0);
        check(&[5.0, 1.0, 4.0], 4.0, 1.0);
        check(&[1.0, 3.0], 2.0, 1.0);
        check(&[2.0, 8.0, 4.0, 4.0], 4.0, 1.5);
        check(&[0.0, 0.0], 0.0, 0.0);
    }
}
