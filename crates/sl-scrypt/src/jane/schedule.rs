use crate::{Params, ParamsError};

/// How the cost of scrypt-jane rises with the time in the header: N = 2^(factor + 1), and the
/// factor grows about with the logarithm of the seconds since a start (`GetNfactor` of YaCoin's
/// node: `yacoin/yacoin`, `src/main.cpp`).
///
/// ```
/// use sl_scrypt::Schedule;
///
/// let yacoin = Schedule::YACOIN;
/// assert_eq!(yacoin.factor(1_367_991_220), 4);
/// assert_eq!(yacoin.factor(1_636_426_656), 21);
/// assert_eq!(yacoin.params(1_367_991_220).expect("4 KiB").n(), 32);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schedule {
    least: u8,
    most: u8,
    start: u32,
}

impl Schedule {
    /// YaCoin's: from factor 4, since 2013-05-08 05:33:20 UTC.
    pub const YACOIN: Self = Self { least: 4, most: 30, start: 1_367_991_200 };

    /// The largest factor that is hashed here: N = 2²³, 1 GiB for each hash.
    pub const MOST_FACTOR: u8 = 22;

    /// A schedule from `least` to `most`, that starts at `start`, in seconds since 1970.
    ///
    /// `None` when `least` is above `most` or above [`MOST_FACTOR`](Self::MOST_FACTOR).
    #[must_use]
    pub const fn new(least: u8, most: u8, start: u32) -> Option<Self> {
        if least > most || least > Self::MOST_FACTOR {
            return None;
        }
        Some(Self { least, most, start })
    }

    /// The smallest factor.
    #[must_use]
    pub const fn least(self) -> u8 {
        self.least
    }

    /// The largest factor.
    #[must_use]
    pub const fn most(self) -> u8 {
        self.most
    }

    /// When it starts, in seconds since 1970.
    #[must_use]
    pub const fn start(self) -> u32 {
        self.start
    }

    /// The factor of a header with this time, in seconds since 1970.
    #[must_use]
    pub fn factor(self, time: u32) -> u8 {
        let Some(age) = time.checked_sub(self.start).filter(|age| *age > 0) else {
            return self.least;
        };
        // The age is halved until it is below 8; of what remains the two low bits count. So each
        // doubling adds 1.7, the quarters between them 0.25 each.
        let halvings = age.ilog2().saturating_sub(2);
        let quarters = age >> halvings & 3;
        let hundredths = halvings * 170 + quarters * 25;
        let factor = hundredths.saturating_sub(2320) / 100;
        u8::try_from(factor).map_or(self.most, |factor| factor.clamp(self.least, self.most))
    }

    /// The parameters of a header with this time.
    ///
    /// # Errors
    /// When the factor is above [`MOST_FACTOR`](Self::MOST_FACTOR).
    pub fn params(self, time: u32) -> Result<Params, ParamsError> {
        let factor = self.factor(time);
        let n = 2u64 << factor;
        if factor > Self::MOST_FACTOR {
            return Err(ParamsError::MemoryTooLarge { n, r: 1, p: 1 });
        }
        Params::jane(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `CBlockHeader::CalculateHash` in `yacoin/yacoin`, `src/primitives/block.h`:
    /// from this time on, this factor.
    const YACOIN: [(u32, u8); 21] = [
        (1_368_515_488, 5),
        (1_368_777_632, 6),
        (1_369_039_776, 7),
        (1_369_826_208, 8),
        (1_370_088_352, 9),
        (1_372_185_504, 10),
        (1_373_234_080, 11),
        (1_376_379_808, 12),
        (1_380_574_112, 13),
        (1_384_768_416, 14),
        (1_401_545_632, 15),
        (1_409_934_240, 16),
        (1_435_100_064, 17),
        (1_468_654_496, 18),
        (1_502_208_928, 19),
        (1_602_872_224, 20),
        (1_636_426_656, 21),
        (1_904_862_112, 22),
        (2_173_297_568, 23),
        (2_441_733_024, 24),
        (3_247_039_392, 25),
    ];

    #[test]
    fn the_factor_rises_when_yacoins_nodes_say() {
        let mut before = 4;
        for (time, factor) in YACOIN {
            assert_eq!(Schedule::YACOIN.factor(time - 1), before, "before {time}");
            assert_eq!(Schedule::YACOIN.factor(time), factor, "at {time}");
            before = factor;
        }
    }

    #[test]
    fn the_factor_stays_within_its_bounds() {
        let check = |least, most, start, time, expect| {
            let schedule = Schedule::new(least, most, start).expect("in order");
            assert_eq!(schedule.factor(time), expect, "{schedule:?} at {time}");
        };
        check(4, 30, 1000, 0, 4);
        check(4, 30, 1000, 1000, 4);
        check(0, 30, 1000, 1001, 0);
        check(0, 30, 0, 7, 0);
        check(6, 6, 0, u32::MAX, 6);
        check(0, 10, 0, u32::MAX, 10);
        assert_eq!(Schedule::new(5, 4, 0), None);
        assert_eq!(Schedule::new(23, 30, 0), None);
    }

    #[test]
    fn more_than_a_gibibyte_is_refused() {
        assert_eq!(Schedule::YACOIN.params(1_904_862_112).map(|params| params.n()), Ok(1 << 23));
        assert!(Schedule::YACOIN.params(2_173_297_568).is_err());
    }
}
