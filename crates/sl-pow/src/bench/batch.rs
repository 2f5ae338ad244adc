use std::time::Duration;

use sl_units::{HashRate, Mono, Target};

use super::Spread;
use crate::{HEADER_LEN, Prover};

/// Headers of the batch that is compared with a scan: what a gateway's thread takes at once.
const MIXED: usize = 16;
/// Measurements that are kept of each kind.
const MOST: usize = 4096;
/// Measurements of each kind, however long they take.
const LEAST: usize = 3;

/// What a batch costs, on one thread.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchFigures {
    /// The rate of batches of 16 headers that have nothing in common, over that of a scan by full
    /// groups: what checking shares reaches of what mining does.
    pub mixed_16_ratio: f64,
    /// The rate of batches of one header.
    pub one: HashRate,
}

/// Measures batches beside scans on the calling thread: a batch of 16 mixed headers, a scan of as
/// many nonces (rounded up to full groups) and a batch of one take turns until `least` is over, and
/// the median of each counts. So a busy moment hits all three.
///
/// As for [`measure`](super::measure), `now` must move on while hashes are made.
pub fn batches(
    prover: &mut Prover,
    header: &[u8; HEADER_LEN],
    least: Duration,
    now: &impl Fn() -> Mono,
) -> BatchFigures {
    let mixed: [[u8; HEADER_LEN]; MIXED] = std::array::from_fn(|i| differing(header, i as u8));
    let scanned = MIXED.next_multiple_of(prover.lanes().max(1));
    let nothing = Target::from_le_bytes([0; 32]);
    let mut out = Vec::with_capacity(scanned);
    let (mut batch, mut scan, mut one) = (Vec::new(), Vec::new(), Vec::new());
    let begin = now();
    let mut nonce = 0;
    while batch.len() < LEAST || batch.len() < MOST && now().since(begin) < least {
        let at = now();
        prover.batch_into(&mixed, &mut out);
        let after_batch = now();
        prover.scan_into(header, nonce, scanned as u32, nothing, &mut out);
        let after_scan = now();
        prover.batch_into(&mixed[..1], &mut out);
        one.push(seconds(after_scan, now()));
        scan.push(seconds(after_batch, after_scan));
        batch.push(seconds(at, after_batch));
        nonce = nonce.wrapping_add(scanned as u32);
        out.clear();
    }
    let [batch, scan, one] = [batch, scan, one].map(|times| Spread::of(times).median);
    let ratio = (scan / scanned as f64) / (batch / MIXED as f64);
    BatchFigures {
        mixed_16_ratio: if ratio.is_finite() { ratio } else { 0.0 },
        one: HashRate::from_hs(1.0 / one),
    }
}

fn seconds(from: Mono, to: Mono) -> f64 {
    to.since(from).as_secs_f64()
}

/// A header that differs from the one given in every part, and from those of other numbers.
fn differing(header: &[u8; HEADER_LEN], number: u8) -> [u8; HEADER_LEN] {
    std::array::from_fn(|at| header[at] ^ number.wrapping_mul(37).wrapping_add(at as u8) ^ 0x5a)
}
