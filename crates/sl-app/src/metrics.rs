//! The metrics, each defined once: name, kind, help, labels, and where its values stand in the state
//! tree. What is unknown is absent, never zero.

use std::{collections::BTreeMap, fmt::Write as _};

use sl_view::{Latency, State, UpstreamPool};

mod workers;

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Up and down.
    Gauge,
    /// Up only, from the start of the process.
    Counter,
}

/// The values of a metric: those of its labels, and the number.
type Samples = Vec<(Vec<String>, f64)>;

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, by the naming rules of Prometheus.
    pub name: &'static str,
    /// How it moves.
    pub kind: MetricKind,
    /// What it tells, with its unit.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    read: fn(&State) -> Samples,
}

// tidy: table
/// All metrics, in the order in which they are told.
pub const METRICS: &[Metric] = &[
    gauge("silverlode_build_info", "Always 1; the version as a label.", &["version"], |_| {
        vec![(vec![env!("CARGO_PKG_VERSION").into()], 1.0)]
    }),
    gauge("silverlode_uptime_seconds", "Time since the start.", &[], |state| {
        one(Some(state.summary.uptime_s))
    }),
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
    gauge("silverlode_chain_height", "Height of the tip of a chain's node.", &["chain"], |state| {
        by_chain(state, |chain| chain.height.map(|height| height as f64))
    }),
    gauge(
        "silverlode_chain_difficulty",
        "Difficulty of a chain's next block, in the scale of nodes.",
        &["chain"],
        |state| by_chain(state, |chain| chain.difficulty),
    ),
    gauge(
        "silverlode_chain_node_up",
        "1 if a chain's node gives work that is mined, 0 if not.",
        &["chain"],
        |state| by_chain(state, |chain| Some(f64::from(u8::from(chain.node == "ok")))),
    ),
    counter(
        "silverlode_blocks_total",
        "Blocks of ours, by outcome: found, accepted, rejected, unreachable, spare, late.",
        &["chain", "outcome"],
        |state| {
            let outcomes = |(ticker, chain): (&String, &sl_view::Chain)| {
                [
                    ("found", chain.blocks_found),
                    ("accepted", chain.blocks_accepted),
                    ("rejected", chain.blocks_rejected),
                    ("unreachable", chain.blocks_unreachable),
                    ("spare", chain.blocks_spare),
                    ("late", chain.blocks_late),
                ]
                .map(|(outcome, count)| (vec![ticker.clone(), outcome.to_owned()], count as f64))
            };
            state.summary.chains.iter().flat_map(outcomes).collect()
        },
    ),
    counter(
        "silverlode_coins_mined_total",
        "What our accepted blocks pay, in the chain's coins; play coins on simulated chains.",
        &["chain"],
        |state| by_chain(state, |chain| Some(chain.coins)),
    ),
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
        "silverlode_worker_shares_total",
        "Shares of each worker: accepted, rejected, stale; at most 1000 workers.",
        &["worker", "verdict"],
        workers::shares,
    ),
    counter(
        "silverlode_worker_rejected_total",
        "Refused shares of each worker, by reason; at most 1000 workers.",
        &["worker", "reason"],
        workers::rejected,
    ),
    counter(
        "silverlode_worker_stale_shares_total",
        "Proven shares of each worker that came after a chain's tip had fallen; at most 1000 workers.",
        &["worker", "chain"],
        workers::stale,
    ),
    counter(
        "silverlode_worker_forwarded_total",
        "What the source said of each worker's shares: accepted, rejected, stale, lost (no verdict), differing (from ours).",
        &["worker", "verdict"],
        workers::forwarded,
    ),
    gauge(
        "silverlode_worker_best_share_difficulty",
        "The difficulty of each worker's best share since the start.",
        &["worker"],
        workers::best,
    ),
    gauge(
        "silverlode_worker_last_share_age_seconds",
        "Time since each worker's last proven share.",
        &["worker"],
        workers::last_share,
    ),
    gauge(
        "silverlode_worker_hashrate_hashes_per_second",
        "The rate that a worker's shares prove, over 5m, 1h and 24h; at most 1000 workers.",
        &["worker", "window"],
        workers::hashrate,
    ),
    gauge(
        "silverlode_worker_hashrate_bound_hashes_per_second",
        "The ends, low and high, of the interval that holds the true rate 95 times of 100.",
        &["worker", "window", "bound"],
        workers::hashrate_bounds,
    ),
    gauge(
        "silverlode_worker_suspicion_ratio",
        "Evidence that a worker hashes less than it claims: 0 none, 1 found short.",
        &["worker"],
        workers::suspicion,
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
    gauge("silverlode_pool_connected", "1 if the pool above gives work, 0 if not.", &[], |state| {
        one(state.summary.pool.as_ref().map(|pool| f64::from(u8::from(pool.connected))))
    }),
    counter(
        "silverlode_pool_shares_total",
        "What the pool above said of our shares: accepted, rejected, stale, lost.",
        &["verdict"],
        |state| {
            let Some(pool) = &state.summary.pool else { return Vec::new() };
            labelled([
                ("accepted", pool.accepted),
                ("rejected", pool.rejected),
                ("stale", pool.stale),
                ("lost", pool.lost),
            ])
        },
    ),
    counter(
        "silverlode_pool_rejected_total",
        "Shares that the pool above refused, by the kind of refusal.",
        &["reason"],
        |state| of_pool(state, |pool| reasons(&pool.rejected_by_reason)),
    ),
    counter(
        "silverlode_pool_lost_total",
        "Shares that the pool above never judged, by the reason.",
        &["reason"],
        |state| of_pool(state, |pool| reasons(&pool.lost_by_reason)),
    ),
    counter(
        "silverlode_pool_resubmitted_total",
        "Shares sent again to the pool above over a resumed session.",
        &[],
        |state| of_pool(state, |pool| one(Some(pool.resubmitted as f64))),
    ),
    counter(
        "silverlode_pool_difficulty_total",
        "Difficulty of shares as the pool above credits them: accepted, missed.",
        &["verdict"],
        |state| {
            of_pool(state, |pool| {
                let accepted = (vec!["accepted".to_owned()], pool.accepted_difficulty);
                vec![accepted, (vec!["missed".to_owned()], pool.missed_difficulty)]
            })
        },
    ),
    counter(
        "silverlode_pool_connections_total",
        "Connections made with the pool above since the start.",
        &[],
        |state| of_pool(state, |pool| one(Some(pool.connections_total as f64))),
    ),
    counter(
        "silverlode_pool_working_seconds_total",
        "Time in which the pool above gave work.",
        &[],
        |state| of_pool(state, |pool| one(Some(pool.working_s))),
    ),
    gauge(
        "silverlode_pool_last_job_age_seconds",
        "Age of the last job of the pool above.",
        &[],
        |state| of_pool(state, |pool| one(pool.last_job_age_s)),
    ),
    gauge(
        "silverlode_pool_round_trip_seconds",
        "From a share to the verdict of the pool above, since the start: p50, p99, max.",
        &["statistic"],
        |state| of_pool(state, |pool| statistics(&pool.round_trip)),
    ),
    gauge(
        "silverlode_pool_withheld_ratio",
        "Part of the pay of the pool above that is given up so that it is not flooded, 0 to 1.",
        &[],
        |state| {
            of_pool(state, |pool| {
                one(Some(pool.over_difficulty.as_ref().map_or(0.0, |over| over.price)))
            })
        },
    ),
    gauge(
        "silverlode_upstream_state",
        "1 for the state that each of several pools is in: active, standby, idle, unfit, resting, leaving.",
        &["pool", "state"],
        |state| {
            let one = |pool: &UpstreamPool| (vec![pool.name.clone(), pool.state.clone()], 1.0);
            upstream_pools(state).map(one).collect()
        },
    ),
    gauge(
        "silverlode_upstream_breaker_open",
        "1 if the circuit breaker of one of several pools is open, 0.5 if it is on trial, 0 if it is closed.",
        &["pool"],
        |state| {
            by_pool(state, |pool| match pool.breaker.as_str() {
                "closed" => Some(0.0),
                "half_open" => Some(0.5),
                _ => Some(1.0),
            })
        },
    ),
    counter(
        "silverlode_upstream_shares_total",
        "What each of several pools said of our shares: accepted, rejected, stale, lost.",
        &["pool", "verdict"],
        |state| {
            let verdicts = |pool: &UpstreamPool| {
                [
                    ("accepted", pool.accepted),
                    ("rejected", pool.rejected),
                    ("stale", pool.stale),
                    ("lost", pool.lost),
                ]
                .map(|(verdict, count)| (vec![pool.name.clone(), verdict.to_owned()], count as f64))
            };
            upstream_pools(state).flat_map(verdicts).collect()
        },
    ),
    counter(
        "silverlode_upstream_difficulty_total",
        "Difficulty of the shares that each of several pools took, in the pools' scale.",
        &["pool"],
        |state| by_pool(state, |pool| Some(pool.difficulty)),
    ),
    gauge(
        "silverlode_upstream_part_ratio",
        "Part of all accepted difficulty that each of several pools has had, 0 to 1.",
        &["pool"],
        |state| by_pool(state, |pool| pool.part),
    ),
    counter(
        "silverlode_upstream_active_seconds_total",
        "Time in which the machines worked for each of several pools.",
        &["pool"],
        |state| by_pool(state, |pool| Some(pool.active_s)),
    ),
    gauge(
        "silverlode_upstream_latency_seconds",
        "Time to connect to each of several pools, by measurement.",
        &["pool"],
        |state| by_pool(state, |pool| pool.latency_ms.map(|millis| millis / 1000.0)),
    ),
    counter(
        "silverlode_upstream_changes_total",
        "Changes of pool since the start, those by weight included.",
        &[],
        |state| one(state.summary.upstream.as_ref().map(|upstream| upstream.changes as f64)),
    ),
    gauge("silverlode_machines", "Machines, by state: online, total.", &["state"], |state| {
        labelled([
            ("online", state.summary.machines.online),
            ("total", state.summary.machines.total),
        ])
    }),
    gauge(
        "silverlode_service_up",
        "1 if a service is up (ready or degraded), 0 if not.",
        &["service"],
        |state| {
            let up = |state: &Option<String>| {
                f64::from(u8::from(matches!(state.as_deref(), Some("ready" | "degraded"))))
            };
            state
                .services
                .iter()
                .map(|service| (vec![service.id.clone()], up(&service.state)))
                .collect()
        },
    ),
    counter(
        "silverlode_service_restarts_total",
        "How often a service was started again.",
        &["service"],
        |state| {
            state
                .services
                .iter()
                .map(|service| (vec![service.id.clone()], f64::from(service.restarts)))
                .collect()
        },
    ),
    gauge("process_resident_memory_bytes", "Resident memory of this process.", &[], |state| {
        one(state.summary.process.memory_bytes.map(|bytes| bytes as f64))
    }),
    counter("process_cpu_seconds_total", "Processor time of this process.", &[], |state| {
        one(state.summary.process.cpu_s)
    }),
    gauge("process_open_fds", "Open files and sockets of this process.", &[], |state| {
        one(state.summary.process.open_files.map(|files| files as f64))
    }),
    gauge(
        "silverlode_twin_machines",
        "Virtual machines by what they do: mining, asleep, stopped, starting.",
        &["state"],
        |state| {
            of_twins(state, |twins| {
                let others = twins.mining + twins.asleep + twins.stopped;
                labelled([
                    ("mining", twins.mining),
                    ("asleep", twins.asleep),
                    ("stopped", twins.stopped),
                    ("starting", twins.total.saturating_sub(others)),
                ])
            })
        },
    ),
    gauge(
        "silverlode_twin_shown_hashes_per_second",
        "Hash rate that virtual machines show together, which carries the scale.",
        &[],
        |state| of_twins(state, |twins| one(Some(twins.hashrate_shown_hs))),
    ),
    gauge(
        "silverlode_twin_hash_scale",
        "Hashes that virtual machines claim for each real one.",
        &[],
        |state| of_twins(state, |twins| one(Some(twins.hash_scale))),
    ),
    counter(
        "silverlode_twin_shares_total",
        "Shares of virtual machines by what their pools said: accepted, rejected, stale (none).",
        &["verdict"],
        |state| {
            of_twins(state, |twins| {
                labelled([
                    ("accepted", twins.accepted),
                    ("rejected", twins.rejected),
                    ("stale", twins.stale),
                ])
            })
        },
    ),
    counter(
        "silverlode_twin_hashes_total",
        "Real hashes made for virtual machines.",
        &[],
        |state| of_twins(state, |twins| one(Some(twins.hashes as f64))),
    ),
    counter(
        "silverlode_twin_hashes_missed_total",
        "Real hashes that virtual machines should have made and that the engine had no time for.",
        &[],
        |state| of_twins(state, |twins| one(Some(twins.hashes_missed))),
    ),
];
// tidy: end

type Read = fn(&State) -> Samples;

const fn gauge(
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    read: Read,
) -> Metric {
    Metric { name, kind: MetricKind::Gauge, help, labels, read }
}

const fn counter(
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    read: Read,
) -> Metric {
    Metric { name, kind: MetricKind::Counter, help, labels, read }
}

fn one(value: Option<f64>) -> Samples {
    value.map(|value| (Vec::new(), value)).into_iter().collect()
}

fn labelled<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> Samples {
    counts.into_iter().map(|(label, count)| (vec![label.to_owned()], count as f64)).collect()
}

fn of_gateway(state: &State, value: impl Fn(&sl_view::Gateway) -> Samples) -> Samples {
    state.summary.gateway.as_ref().map_or_else(Vec::new, value)
}

fn of_twins(state: &State, value: impl Fn(&sl_view::Twins) -> Samples) -> Samples {
    state.summary.twins.as_ref().map(value).unwrap_or_default()
}

fn of_pool(state: &State, value: impl Fn(&sl_view::Pool) -> Samples) -> Samples {
    state.summary.pool.as_ref().map_or_else(Vec::new, value)
}

fn upstream_pools(state: &State) -> impl Iterator<Item = &UpstreamPool> {
    state.summary.upstream.iter().flat_map(|upstream| &upstream.pools)
}

fn by_pool(state: &State, value: impl Fn(&UpstreamPool) -> Option<f64>) -> Samples {
    upstream_pools(state).filter_map(|pool| Some((vec![pool.name.clone()], value(pool)?))).collect()
}

fn reasons(counts: &BTreeMap<String, u64>) -> Samples {
    labelled(counts.iter().map(|(reason, count)| (reason.as_str(), *count)))
}

fn by_chain(state: &State, value: impl Fn(&sl_view::Chain) -> Option<f64>) -> Samples {
    let chains = state.summary.chains.iter();
    chains.filter_map(|(ticker, chain)| Some((vec![ticker.clone()], value(chain)?))).collect()
}

fn statistics(latency: &Latency) -> Samples {
    [("p50", latency.p50_ms), ("p99", latency.p99_ms), ("max", latency.max_ms)]
        .into_iter()
        .filter_map(|(name, millis)| Some((vec![name.to_owned()], millis? / 1000.0)))
        .collect()
}

/// All metrics in the Prometheus text format, version 0.0.4.
#[must_use]
pub fn exposition(state: &State) -> String {
    let mut text = String::new();
    for metric in METRICS {
        let samples = (metric.read)(state);
        if samples.is_empty() {
            continue;
        }
        let kind = match metric.kind {
            MetricKind::Gauge => "gauge",
            MetricKind::Counter => "counter",
        };
        // Writing into a string cannot fail.
        let _ =
            writeln!(text, "# HELP {} {}\n# TYPE {} {kind}", metric.name, metric.help, metric.name);
        for (values, number) in samples {
            let labels: Vec<String> = metric
                .labels
                .iter()
                .zip(&values)
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let labels =
                if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(text, "{}{labels} {number}", metric.name);
        }
    }
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sl_view::{Mode, Summary};

    use super::*;

    fn state() -> State {
        let mut summary = Summary::empty(Mode::Educational);
        summary.shares.rejected_by_reason.insert("a \"quoted\\ reason\nof two lines".into(), 3);
        summary
            .chains
            .insert("DOGE".into(), sl_view::Chain { blocks_found: 2, ..sl_view::Chain::default() });
        State { pid: 1, summary, services: Vec::new() }
    }

    #[test]
    fn names_follow_the_rules() {
        let mut names = HashSet::new();
        for metric in METRICS {
            assert!(names.insert(metric.name), "{} stands there twice", metric.name);
            assert_eq!(
                metric.kind == MetricKind::Counter,
                metric.name.ends_with("_total"),
                "{}",
                metric.name
            );
            assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{}", metric.name);
            for (values, _) in (metric.read)(&state()) {
                assert_eq!(values.len(), metric.labels.len(), "{}", metric.name);
            }
        }
    }

    #[test]
    fn the_unknown_is_absent_and_texts_are_escaped() {
        let text = exposition(&state());
        assert!(!text.contains("silverlode_hashrate_hashes_per_second"), "{text}");
        assert!(!text.contains("silverlode_chain_height"), "{text}");
        assert!(
            text.contains("silverlode_blocks_total{chain=\"DOGE\",outcome=\"found\"} 2\n"),
            "{text}"
        );
        assert!(text.contains(r#"{reason="a \"quoted\\ reason\nof two lines"} 3"#), "{text}");
    }
}
