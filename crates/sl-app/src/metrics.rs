//! The metrics, each defined once: name, kind, help, labels, and where its values stand in the state
//! tree. What is unknown is absent, never zero.

use std::{collections::BTreeMap, fmt::Write as _};

use sl_view::{Latency, State};

mod chains;
mod engines;
mod gateway;
mod pools;
mod program;
mod twins;
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

/// All metrics, in the order in which they are told.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    let groups = [
        program::METRICS,
        engines::METRICS,
        chains::METRICS,
        gateway::METRICS,
        workers::METRICS,
        pools::METRICS,
        twins::METRICS,
    ];
    groups.into_iter().flatten()
}

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

fn reasons(counts: &BTreeMap<String, u64>) -> Samples {
    labelled(counts.iter().map(|(reason, count)| (reason.as_str(), *count)))
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
    for metric in all() {
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
        for metric in all() {
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
