//! Which days of files must go, so that a folder keeps to its bounds.

/// A file that holds one day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DayFile {
    /// Days since 1970.
    pub day: i64,
    /// Its bytes, companions included.
    pub bytes: u64,
}

/// What is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keep {
    /// How many days, today included.
    pub days: u32,
    /// The most bytes of all, `None` for no limit.
    pub bytes: Option<u64>,
}

/// Why a day goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Excess {
    /// It is older than what is kept.
    Age,
    /// All together are more than the budget.
    Budget,
}

/// Which days go, oldest first; never today's, nor one that lies ahead of it.
///
/// `besides` are bytes that count against the budget and cannot go.
///
/// ```
/// use sl_store::budget::{DayFile, Excess, Keep, excess};
///
/// let files = [3, 7, 8, 9].map(|day| DayFile { day, bytes: 100 });
/// let keep = Keep { days: 3, bytes: Some(250) };
/// let gone: Vec<_> = excess(&files, 50, keep, 9).into_iter().map(|(file, why)| (file.day, why)).collect();
/// assert_eq!(gone, [(3, Excess::Age), (7, Excess::Budget)]);
/// ```
#[must_use]
pub fn excess(files: &[DayFile], besides: u64, keep: Keep, today: i64) -> Vec<(DayFile, Excess)> {
    let mut files = files.to_vec();
    files.sort_by_key(|file| file.day);
    let mut sum = files.iter().fold(besides, |sum, file| sum.saturating_add(file.bytes));
    let oldest = today.saturating_sub(i64::from(keep.days.max(1)) - 1);
    let mut gone = Vec::new();
    for file in files.into_iter().filter(|file| file.day < today) {
        let why = if file.day < oldest {
            Excess::Age
        } else if keep.bytes.is_some_and(|most| sum > most) {
            Excess::Budget
        } else {
            continue;
        };
        sum = sum.saturating_sub(file.bytes);
        gone.push((file, why));
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(i64, u64)], besides: u64, keep: (u32, Option<u64>), expect: &[i64]) {
        let files: Vec<_> = files.iter().map(|&(day, bytes)| DayFile { day, bytes }).collect();
        let keep = Keep { days: keep.0, bytes: keep.1 };
        let gone: Vec<_> =
            excess(&files, besides, keep, 10).iter().map(|(file, _)| file.day).collect();
        assert_eq!(gone, expect);
    }

    #[test]
    fn the_oldest_go_first_and_today_never() {
        let week = [(4, 10), (5, 10), (6, 10), (7, 10), (8, 10), (9, 10), (10, 10)];
        check(&week, 0, (7, None), &[]);
        check(&week, 0, (7, Some(70)), &[]);
        check(&week, 1, (7, Some(70)), &[4]);
        check(&week, 0, (7, Some(35)), &[4, 5, 6, 7]);
        check(&week, 0, (7, Some(0)), &[4, 5, 6, 7, 8, 9]);
        check(&week, 0, (1, None), &[4, 5, 6, 7, 8, 9]);
        check(&week, 0, (0, None), &[4, 5, 6, 7, 8, 9]);
        // A day ahead of today: the clock was set back.
        check(&[(11, 100), (9, 100)], 0, (7, Some(1)), &[9]);
        check(&[], 5, (7, Some(1)), &[]);
    }
}
