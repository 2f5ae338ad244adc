//! Fields of foreign JSON turned into what they stand for, each with its bound.

use serde::de::DeserializeOwned;
use sl_units::{Bits, CoinAmount, Hash256, Target};

use crate::error::{Nonsense, excerpt};

/// The whole of a JSON text as a border type.
pub(crate) fn json<T: DeserializeOwned>(text: &str) -> Result<T, Nonsense> {
    serde_json::from_str(text)
        .map_err(|error| Nonsense(format!("found {:?} ({error})", excerpt(text, 60))))
}

pub(crate) fn hash(name: &str, text: &str) -> Result<Hash256, Nonsense> {
    text.parse().map_err(|error| Nonsense(format!("{name}: {error}")))
}

pub(crate) fn bytes(name: &str, text: &str, most: usize) -> Result<Vec<u8>, Nonsense> {
    if text.len() > 2 * most {
        let allowed = format!("{most} bytes at most");
        return Err(Nonsense::field(name, format!("{} digits", text.len()), &allowed));
    }
    hex::decode(text).map_err(|error| {
        Nonsense::field(name, format!("{:?} ({error})", excerpt(text, 40)), "hexadecimal")
    })
}

/// Compact target and the target it stands for: eight digits, most significant first.
pub(crate) fn bits(name: &str, text: &str) -> Result<(Bits, Target), Nonsense> {
    let mut raw = [0; 4];
    hex::decode_to_slice(text, &mut raw).map_err(|_| {
        Nonsense::field(name, format!("{:?}", excerpt(text, 40)), "eight hexadecimal digits")
    })?;
    let bits = Bits::from_u32(u32::from_be_bytes(raw));
    let target = bits.target().map_err(|error| Nonsense(format!("{name}: {error}")))?;
    Ok((bits, target))
}

/// A signed number as the daemons print versions, times and ids, in 32 bits.
pub(crate) fn word(name: &str, number: i64) -> Result<u32, Nonsense> {
    u32::try_from(number)
        .or_else(|_| i32::try_from(number).map(i32::cast_unsigned))
        .map_err(|_| Nonsense::field(name, number, "a number of 32 bits"))
}

pub(crate) fn amount(name: &str, units: i64) -> Result<CoinAmount, Nonsense> {
    u64::try_from(units)
        .map(CoinAmount::from_units)
        .map_err(|_| Nonsense::field(name, units, "an amount of 0 or more"))
}

/// Heights fit 31 bits on every chain of the family.
pub(crate) fn height(number: i64) -> Result<u64, Nonsense> {
    u64::try_from(number)
        .ok()
        .filter(|height| *height <= i32::MAX as u64)
        .ok_or_else(|| Nonsense::field("height", number, "0 to 2147483647"))
}

pub(crate) fn text(name: &str, text: String, most: usize) -> Result<String, Nonsense> {
    if text.len() > most {
        let allowed = format!("{most} characters at most");
        return Err(Nonsense::field(name, format!("{} characters", text.len()), &allowed));
    }
    Ok(text)
}
