//! The Stratum server, its journal, and how fast news reach machines.

use super::{Metric, counter, gauge, labelled, of_gateway, one, reasons, statistics};

// tidy: table
/// Of the Stratum server.
pub(super) const METRICS: &[Metric] = &[
    gauge(
        "silverlode_gateway_connections",
        "Machines connected to the Stratum server.",
        &[],
        |state| one(state.summary.gateway.as_ref().map(|gateway| gateway.connections as f64)),
    ),
    gauge(
        "silverlode_gateway_shares_per_second",
        "Shares accepted each second, of late.",
        &[],
        |state| one(state.summary.gateway.as_ref().map(|gateway| gateway.shares_per_s)),
    ),
    gauge(
        "silverlode_gateway_slots",
        "Slots of the Stratum server, by state: in_use, away, capacity.",
        &["state"],
        |state| {
            of_gateway(state, |gateway| {
                let slots = &gateway.slots;
                labelled([
                    ("in_use", slots.in_use),
                    ("away", slots.away),
                    ("capacity", slots.capacity),
                ])
            })
        },
    ),
    counter(
        "silverlode_gateway_protections_total",
        "How often each protection of the Stratum server acted.",
        &["protection"],
        |state| of_gateway(state, |gateway| reasons(&gateway.protections)),
    ),
    counter(
        "silverlode_gateway_stale_shares_total",
        "Proven shares whose job's tip on a chain had fallen when they came.",
        &["chain"],
        |state| of_gateway(state, |gateway| reasons(&gateway.stale_by_coin)),
    ),
    counter(
        "silverlode_gateway_unrecorded_shares_total",
        "Proven shares that the journal did not take, so that they were not acknowledged.",
        &[],
        |state| of_gateway(state, |gateway| one(Some(gateway.shares_unrecorded as f64))),
    ),
    counter(
        "silverlode_gateway_shortfalls_total",
        "Times that a worker was found to hash less than it claims.",
        &[],
        |state| of_gateway(state, |gateway| one(Some(gateway.shortfalls as f64))),
    ),
    counter(
        "silverlode_journal_entries_total",
        "Entries of the journal: written, failed.",
        &["outcome"],
        |state| {
            let Some(journal) = &state.summary.journal else { return Vec::new() };
            labelled([("written", journal.entries), ("failed", journal.failed)])
        },
    ),
    gauge("silverlode_journal_size_bytes", "Size of the journal's files.", &[], |state| {
        one(state.summary.journal.as_ref().map(|journal| journal.size_bytes as f64))
    }),
    gauge(
        "silverlode_job_latency_seconds",
        "From a job's birth to the last machine, since the start: p50, p99, max.",
        &["statistic"],
        |state| {
            state
                .summary
                .gateway
                .as_ref()
                .map_or_else(Vec::new, |gateway| statistics(&gateway.job_latency))
        },
    ),
    gauge(
        "silverlode_tip_latency_seconds",
        "From a simulated node's new tip to the last machine, since the start: p50, p99, max.",
        &["statistic"],
        |state| {
            state
                .summary
                .gateway
                .as_ref()
                .and_then(|gateway| gateway.tip_latency.as_ref())
                .map_or_else(Vec::new, statistics)
        },
    ),
];
// tidy: end
