use thiserror::Error;

/// The parameters of scrypt, checked once (RFC 7914, section 2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Params {
    n: usize,
    r: usize,
    p: usize,
}

/// The largest output: (2³² − 1) × 32 bytes.
pub(crate) const MAX_OUTPUT: u64 = 0xffff_ffff * 32;

impl Params {
    /// Litecoin's and Dogecoin's: N=1024, r=1, p=1; 128 KiB of memory.
    pub const LITECOIN: Self = Self { n: 1024, r: 1, p: 1 };

    /// `n` is the cost (memory is 128 × r × N bytes), `r` the block size, `p` the parallelism.
    ///
    /// # Errors
    /// When the RFC forbids them, or this machine's address space has no room for their memory.
    pub fn new(n: u64, r: u32, p: u32) -> Result<Self, ParamsError> {
        for (name, value) in [("N", n), ("r", u64::from(r)), ("p", u64::from(p))] {
            if value == 0 {
                return Err(ParamsError::Zero { name });
            }
        }
        // N < 2^(128 × r / 8): only r of 1, 2 or 3 can break it with an N of 64 bits.
        if !n.is_power_of_two() || n == 1 {
            return Err(ParamsError::NotPowerOfTwo { found: n });
        }
        let most_log = u64::from(r).saturating_mul(16);
        if u64::from(n.trailing_zeros()) >= most_log {
            return Err(ParamsError::CostTooLarge { found: n, r, most_log });
        }
        let most_p = MAX_OUTPUT / (128 * u64::from(r));
        if u64::from(p) > most_p {
            return Err(ParamsError::ParallelismTooLarge { found: p, r, most: most_p });
        }
        let too_large = ParamsError::MemoryTooLarge { n, r, p };
        let size = |count: u64| {
            count
                .checked_mul(128)?
                .checked_mul(u64::from(r))
                .filter(|bytes| isize::try_from(*bytes).is_ok())
        };
        if size(n).is_none() || size(u64::from(p)).is_none() {
            return Err(too_large);
        }
        let fit = |value: u64| usize::try_from(value).map_err(|_| too_large.clone());
        Ok(Self { n: fit(n)?, r: fit(u64::from(r))?, p: fit(u64::from(p))? })
    }

    /// With r=1 and p=1, by scrypt-jane's own limit: its coins go beyond the N < 2¹⁶ that the RFC
    /// allows for r=1.
    pub(crate) fn jane(n: u64) -> Result<Self, ParamsError> {
        if !n.is_power_of_two() || n == 1 {
            return Err(ParamsError::NotPowerOfTwo { found: n });
        }
        let n_fit =
            usize::try_from(n).map_err(|_| ParamsError::MemoryTooLarge { n, r: 1, p: 1 })?;
        Ok(Self { n: n_fit, r: 1, p: 1 })
    }

    /// The cost N.
    #[must_use]
    pub const fn n(&self) -> usize {
        self.n
    }

    /// The block size r, in units of 128 bytes.
    #[must_use]
    pub const fn r(&self) -> usize {
        self.r
    }

    /// The parallelism p.
    #[must_use]
    pub const fn p(&self) -> usize {
        self.p
    }

    /// Bytes of memory that one mix needs: 128 × r × N.
    #[must_use]
    pub const fn memory(&self) -> usize {
        128 * self.r * self.n
    }
}

/// Why parameters of scrypt are refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ParamsError {
    /// One of them is zero.
    #[error("scrypt's {name} is 0, allowed is 1 and more (N: 2 and more)")]
    Zero {
        /// `N`, `r` or `p`.
        name: &'static str,
    },
    /// N is no power of two above 1.
    #[error("scrypt's N is {found}, allowed is a power of two from 2 on, as 1024")]
    NotPowerOfTwo {
        /// The N that was found.
        found: u64,
    },
    /// N ≥ 2^(16 r).
    #[error("scrypt's N is {found}, with r={r} allowed is less than 2^{most_log}; take a larger r")]
    CostTooLarge {
        /// The N that was found.
        found: u64,
        /// The block size.
        r: u32,
        /// N must be below two to this power.
        most_log: u64,
    },
    /// p > (2³² − 1) × 32 / (128 r).
    #[error("scrypt's p is {found}, with r={r} allowed is at most {most}")]
    ParallelismTooLarge {
        /// The p that was found.
        found: u32,
        /// The block size.
        r: u32,
        /// The largest p for this r.
        most: u64,
    },
    /// The sizes overflow the address space, or the machine has not so much memory.
    #[error("scrypt with N={n}, r={r}, p={p} needs more memory than there is; take a smaller N")]
    MemoryTooLarge {
        /// The cost.
        n: u64,
        /// The block size.
        r: u32,
        /// The parallelism.
        p: u32,
    },
    /// The output is empty or longer than (2³² − 1) × 32 bytes.
    #[error("scrypt's output is {found} bytes long, allowed is 1 to {MAX_OUTPUT}")]
    OutputLength {
        /// Bytes asked for.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_the_rfc() {
        let check = |n, r, p, expect: &str| {
            let found = match Params::new(n, r, p) {
                Ok(params) => format!("{} bytes", params.memory()),
                Err(error) => error.to_string(),
            };
            assert!(found.contains(expect), "N={n} r={r} p={p}: {found}");
        };
        check(1024, 1, 1, "131072 bytes");
        check(2, 1, 1, "256 bytes");
        check(0, 1, 1, "N is 0");
        check(2, 0, 1, "r is 0");
        check(2, 1, 0, "p is 0");
        check(1, 1, 1, "power of two");
        check(1023, 1, 1, "power of two");
        check(1 << 15, 1, 1, "4194304 bytes");
        check(1 << 16, 1, 1, "less than 2^16");
        check(1 << 16, 2, 1, "16777216 bytes");
        check(2, 1, 0x4000_0000, "at most 1073741823");
        check(2, (1 << 30) - 1, 1, "274877906688 bytes");
        check(2, 1 << 30, 1, "at most 0");
        check(1 << 63, 4, 1, "more memory");
        check(1 << 40, 1 << 29, 1, "more memory");
    }

    #[test]
    fn litecoins_parameters_are_allowed() {
        assert_eq!(Params::new(1024, 1, 1), Ok(Params::LITECOIN));
    }
}
