//! How the state reads for people.

pub(crate) mod auxpow;
mod farm_plan;
pub(crate) mod journal;
pub(crate) mod paint;
pub(crate) mod plan;

pub(crate) use farm_plan::farm_plan;
pub(crate) mod pool;
mod upstream;

use std::fmt::Write as _;

use sl_units::HashRate;
use sl_view::{Chain, Latency, Mode, Service, Summary};

/// The state in one line: this computer's hash rate, shares, blocks by coin.
pub(crate) fn line(summary: &Summary) -> String {
    let mut parts = Vec::new();
    if summary.engine.is_some() {
        parts.push(format!("this CPU {}", rate(summary.hashrate_hs)));
    }
    parts.extend(summary.paused.as_ref().map(|reason| format!("paused: {reason}")));
    let shares = &summary.shares;
    parts.push(format!(
        "shares {} ok, {} stale, {} refused",
        shares.accepted, shares.stale, shares.rejected
    ));
    if let Some(gateway) = &summary.gateway {
        let noun = if gateway.connections == 1 { "machine" } else { "machines" };
        parts.push(format!("{} {noun}", gateway.connections));
    }
    if let Some(twins) = &summary.twins {
        parts.push(format!("{} of {} virtual machines mine", twins.mining, twins.total));
        if twins.connected < twins.total {
            parts.push(format!("connected {} of {}", twins.connected, twins.total));
        }
    }
    if !summary.chains.is_empty() {
        let blocks: Vec<String> = summary
            .chains
            .iter()
            .map(|(ticker, chain)| format!("{ticker} {}", chain.blocks_accepted))
            .collect();
        parts.push(format!("blocks {}", blocks.join(" ")));
    }
    if let Some(pool) = &summary.pool
        && !pool.connected
    {
        parts.push(format!("pool {}", pool.last_error.as_deref().unwrap_or("connecting")));
    }
    parts.join(" · ")
}

/// The summary at the end of a run.
pub(crate) fn report(summary: &Summary) -> String {
    let mut text = String::new();
    let mode = match summary.mode {
        Mode::Educational => "educational",
        Mode::Production => "production",
    };
    let _ = writeln!(text, "{mode} mode, {:.0} s", summary.uptime_s);
    let _ = match &summary.engine {
        Some(engine) => writeln!(text, "this CPU    {} ({engine})", rate(summary.hashrate_hs)),
        None => Ok(()),
    };
    let shares = &summary.shares;
    let _ = writeln!(
        text,
        "shares      {} accepted, {} stale, {} refused",
        shares.accepted, shares.stale, shares.rejected
    );
    for (reason, count) in &shares.rejected_by_reason {
        let _ = writeln!(text, "              {count} × {reason}");
    }
    for (reason, count) in &shares.lost_by_reason {
        let _ = writeln!(text, "              {count} lost: {reason}");
    }
    if let Some(twins) = &summary.twins {
        let _ = writeln!(
            text,
            "virtual     {} of {} {} mine at {}, connected {} of {}: {} shown, {:.2e} claimed hashes for \
             each real one",
            twins.mining,
            twins.total,
            twins.model,
            twins.net,
            twins.connected,
            twins.total,
            rate(Some(twins.hashrate_shown_hs)),
            twins.hash_scale,
        );
    }
    if let Some(gateway) = &summary.gateway {
        let _ = writeln!(
            text,
            "machines    {} connected, {} connections ended",
            gateway.connections, gateway.disconnects
        );
        let _ = writeln!(text, "job to machine     {}", latency(&gateway.job_latency));
        if let Some(tip) = &gateway.tip_latency {
            let _ = writeln!(text, "new tip to machine {}", latency(tip));
        }
    }
    if let Some(upstream) = &summary.upstream {
        text.push_str(&upstream::upstream(upstream));
    } else if let Some(pool) = &summary.pool {
        let _ = writeln!(
            text,
            "pool        {}: {} accepted, {} stale, {} refused, {} lost",
            pool.url, pool.accepted, pool.stale, pool.rejected, pool.lost
        );
    }
    if !summary.chains.is_empty() {
        let _ = writeln!(text, "{}", chains(summary));
    }
    text
}

fn chains(summary: &Summary) -> String {
    let unit = if summary.world.is_some() { "play coins" } else { "coins" };
    let mut text = format!(
        "{:<6} {:>9} {:>7} {:>9} {:>8} {:>14} {unit}",
        "chain", "height", "found", "accepted", "refused", ""
    );
    for (ticker, chain) in &summary.chains {
        let Chain { blocks_found, blocks_accepted, blocks_rejected, coins, .. } = chain;
        let height = chain.height.map_or("?".to_owned(), |height| height.to_string());
        let _ = write!(
            text,
            "\n{ticker:<6} {height:>9} {blocks_found:>7} {blocks_accepted:>9} {blocks_rejected:>8} {coins:>14}"
        );
        if chain.node != "ok" {
            let _ = write!(text, "  node: {}", chain.node);
        }
        if let Some(error) = &chain.last_error {
            let _ = write!(text, "  last: {error}");
        }
    }
    text
}

/// The graph of services in the order of start.
pub(crate) fn services(services: &[Service]) -> String {
    let wide = services.iter().map(|service| service.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for service in services {
        let state = service.state.as_deref().unwrap_or("not running");
        let mark = match state {
            "ready" => "●",
            "degraded" | "starting" | "backoff" => "◐",
            "failed" => "✗",
            _ => "○",
        };
        let _ = write!(text, "{mark} {:<wide$}  {state:<11}  {}", service.id, service.description);
        if !service.after.is_empty() {
            let _ = write!(text, "  ← {}", service.after.join(", "));
        }
        text.push('\n');
        if let Some(detail) = &service.detail {
            let _ = writeln!(text, "  {:<wide$}  {detail}", "");
        }
    }
    text
}

fn rate(hashes_per_second: Option<f64>) -> String {
    hashes_per_second.map_or("no rate yet".into(), |rate| HashRate::from_hs(rate).to_string())
}

fn latency(latency: &Latency) -> String {
    match (latency.p50_ms, latency.p99_ms, latency.max_ms) {
        (Some(p50), Some(p99), Some(max)) => {
            format!("p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms over {} jobs", latency.count)
        }
        _ => "not measured yet".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_nothing_yet_says_so() {
        let mut summary = Summary::empty(Mode::Educational);
        assert_eq!(line(&summary), "shares 0 ok, 0 stale, 0 refused");
        summary.engine = Some("avx2".into());
        assert_eq!(line(&summary), "this CPU no rate yet · shares 0 ok, 0 stale, 0 refused");
    }

    #[test]
    fn services_read_as_a_graph() {
        let service =
            |id: &str, after: &[&str], state: Option<&str>, detail: Option<&str>| Service {
                id: id.into(),
                description: "something".into(),
                class: "critical".into(),
                after: after.iter().map(|id| (*id).to_owned()).collect(),
                state: state.map(Into::into),
                detail: detail.map(Into::into),
                restarts: 0,
                for_s: None,
            };
        let graph = [
            service("node.ltc", &[], Some("ready"), None),
            service("solo", &["node.ltc"], Some("degraded"), Some("no tip")),
        ];
        assert_eq!(
            services(&graph),
            "● node.ltc  ready        something\n◐ solo      degraded     something  ← node.ltc\n            no tip\n"
        );
        assert_eq!(
            services(&[service("solo", &[], None, None)]),
            "○ solo  not running  something\n"
        );
    }
}
