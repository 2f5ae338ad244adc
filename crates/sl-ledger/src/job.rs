//! A job as bytes, so that its shares can be hashed again and a restarted gateway takes them.
//!
//! ```text
//!  1 | version 4 | mask 4 | prev 32 | bits 4 | earliest 4 start 4 latest 4 | free 2
//!    | prefix (length 4, bytes) | suffix (length 4, bytes) | branch (count 1, 32 each) | wanted 32
//!    | goals (count 1; each: ticker (length 1, text), height 8, tip 32, target 32, reward 8,
//!      weight 8 or NaN)
//! ```
//! Numbers are little-endian, hashes in internal order.

use bytes::Bytes;
use sl_units::{Bits, CoinAmount, Hash256, Mono, Target};
use sl_work::{CoinbaseTemplate, Goal, HeaderTemplate, Job, JobId, NtimeRange};

const FORM: u8 = 1;

/// The bytes of a job. Its identity, epoch and birth stand beside them in the journal.
#[must_use]
pub fn encode_job(job: &Job) -> Bytes {
    let mut to = vec![FORM];
    let header = &job.header;
    to.extend(header.version.to_le_bytes());
    to.extend(header.roll_mask.to_le_bytes());
    to.extend(header.prev.as_bytes());
    to.extend(header.bits.to_u32().to_le_bytes());
    for time in [header.ntime.earliest, header.ntime.start, header.ntime.latest] {
        to.extend(time.to_le_bytes());
    }
    to.extend(u16::try_from(job.coinbase.free).unwrap_or(u16::MAX).to_le_bytes());
    for piece in [&job.coinbase.prefix, &job.coinbase.suffix] {
        to.extend(u32::try_from(piece.len()).unwrap_or(u32::MAX).to_le_bytes());
        to.extend_from_slice(piece);
    }
    // A block has no more than 2^32 transactions, so no branch is longer than 32.
    to.push(u8::try_from(job.branch.len()).unwrap_or(u8::MAX));
    job.branch.iter().take(255).for_each(|hash| to.extend(hash.as_bytes()));
    to.extend(job.wanted.to_le_bytes());
    to.push(u8::try_from(job.goals.len()).unwrap_or(u8::MAX));
    for goal in job.goals.iter().take(255) {
        let ticker = goal.chain.as_str().as_bytes();
        to.push(u8::try_from(ticker.len()).unwrap_or(u8::MAX));
        to.extend_from_slice(ticker);
        to.extend(goal.height.to_le_bytes());
        to.extend(goal.tip.as_bytes());
        to.extend(goal.target.to_le_bytes());
        to.extend(goal.reward.units().to_le_bytes());
        to.extend(goal.weight.unwrap_or(f64::NAN).to_le_bytes());
    }
    to.into()
}

/// The job of these bytes; `None` if they are none, or name a coin that is in no table here.
#[must_use]
pub fn decode_job(bytes: &[u8], id: JobId, epoch: u64, born: Mono) -> Option<Job> {
    let mut from = bytes;
    let [FORM] = take(&mut from)? else { return None };
    let mut number = || take(&mut from).map(u32::from_le_bytes);
    let (version, roll_mask) = (number()?, number()?);
    let prev = Hash256::from_bytes(take(&mut from)?);
    let mut number = || take(&mut from).map(u32::from_le_bytes);
    let bits = Bits::from_u32(number()?);
    let ntime = NtimeRange { earliest: number()?, start: number()?, latest: number()? };
    let free = usize::from(u16::from_le_bytes(take(&mut from)?));
    let prefix = piece(&mut from)?;
    let suffix = piece(&mut from)?;
    let [count] = take(&mut from)?;
    let branch =
        (0..count).map(|_| take(&mut from).map(Hash256::from_bytes)).collect::<Option<Vec<_>>>()?;
    let wanted = Target::from_le_bytes(take(&mut from)?);
    let [count] = take(&mut from)?;
    let goals = (0..count).map(|_| goal(&mut from)).collect::<Option<Vec<_>>>()?;
    from.is_empty().then_some(Job {
        id,
        epoch,
        born,
        header: HeaderTemplate { version, roll_mask, prev, bits, ntime },
        coinbase: CoinbaseTemplate { prefix, free, suffix },
        branch,
        wanted,
        goals,
    })
}

fn goal(from: &mut &[u8]) -> Option<Goal> {
    let [length] = take(from)?;
    let (ticker, rest) = from.split_at_checked(length.into())?;
    *from = rest;
    Some(Goal {
        chain: std::str::from_utf8(ticker).ok()?.parse().ok()?,
        height: u64::from_le_bytes(take(from)?),
        tip: Hash256::from_bytes(take(from)?),
        target: Target::from_le_bytes(take(from)?),
        reward: CoinAmount::from_units(u64::from_le_bytes(take(from)?)),
        weight: Some(f64::from_le_bytes(take(from)?)).filter(|weight| !weight.is_nan()),
    })
}

fn piece(from: &mut &[u8]) -> Option<Bytes> {
    let length = u32::from_le_bytes(take(from)?);
    let (piece, rest) = from.split_at_checked(usize::try_from(length).ok()?)?;
    *from = rest;
    Some(Bytes::copy_from_slice(piece))
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*taken)
}
