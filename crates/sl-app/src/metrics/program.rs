//! The program: its version, its services, the machines it knows, what it takes.

use super::{Metric, counter, gauge, labelled, one};

// tidy: table
/// The program.
pub(super) const METRICS: &[Metric] = &[
    gauge("silverlode_build_info", "Always 1; the version as a label.", &["version"], |_| {
        vec![(vec![env!("CARGO_PKG_VERSION").into()], 1.0)]
    }),
    gauge("silverlode_uptime_seconds", "Time since the start.", &[], |state| {
        one(Some(state.summary.uptime_s))
    }),
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
];
// tidy: end
