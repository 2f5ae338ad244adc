//! This machine's own engines, and what became of shares.

use super::{Metric, counter, gauge, labelled, one};

// tidy: table
/// Of engines and shares.
pub(super) const METRICS: &[Metric] = &[
    gauge(
        "silverlode_hashrate_hashes_per_second",
        "Hash rate of this machine's own engines.",
        &[],
        |state| one(state.summary.hashrate_hs),
    ),
    counter(
        "silverlode_hashes_total",
        "Hashes made by this machine's own engines.",
        &[],
        |state| one(state.summary.hashes.map(|hashes| hashes as f64)),
    ),
    gauge(
        "silverlode_hashing_paused",
        "1 while this machine's own engines rest, by reason: battery, load.",
        &["reason"],
        |state| {
            let summary = &state.summary;
            let rests = |reason| u64::from(summary.paused.as_deref() == Some(reason));
            let reasons = if summary.hashes.is_some() { &["battery", "load"][..] } else { &[] };
            labelled(reasons.iter().map(|reason| (*reason, rests(*reason))))
        },
    ),
    counter(
        "silverlode_shares_total",
        "Shares by what became of them: accepted, rejected, stale, lost (never judged).",
        &["verdict"],
        |state| {
            let shares = &state.summary.shares;
            labelled([
                ("accepted", shares.accepted),
                ("rejected", shares.rejected),
                ("stale", shares.stale),
                ("lost", shares.lost),
            ])
        },
    ),
    counter(
        "silverlode_shares_lost_total",
        "Shares of this machine's own engines that were never judged, by reason.",
        &["reason"],
        |state| {
            let reasons = state.summary.shares.lost_by_reason.iter();
            labelled(reasons.map(|(reason, count)| (reason.as_str(), *count)))
        },
    ),
    counter(
        "silverlode_shares_rejected_total",
        "Shares refused, by reason.",
        &["reason"],
        |state| {
            labelled(
                state
                    .summary
                    .shares
                    .rejected_by_reason
                    .iter()
                    .map(|(reason, count)| (reason.as_str(), *count)),
            )
        },
    ),
];
// tidy: end
