//! Several pools in the report at the end of a run.

use std::fmt::Write as _;

use sl_view::Upstream;

/// Each pool with its shares, and the latest changes from one to another.
pub(crate) fn upstream(upstream: &Upstream) -> String {
    let mut text = String::new();
    for (at, pool) in upstream.pools.iter().enumerate() {
        let head = if at == 0 { "pools" } else { "" };
        let _ = writeln!(
            text,
            "{head:<11} {:<12} {:<8} {} accepted, {} stale, {} refused, {} lost",
            pool.name, pool.state, pool.accepted, pool.stale, pool.rejected, pool.lost
        );
    }
    for (at, event) in upstream.failovers.iter().enumerate() {
        let head = if at == 0 { "failovers" } else { "" };
        let from = event.from.as_deref().unwrap_or("nobody");
        let _ = write!(text, "{head:<11} at {:.1} s from {from} to {}", event.at_s, event.to);
        let _ = write!(text, ": {}; ", event.why);
        if let Some(detected) = event.detected_s {
            let _ = write!(text, "noticed after {detected:.3} s, ");
        }
        let _ = writeln!(text, "switched in {:.3} s", event.switched_s);
    }
    text
}

#[cfg(test)]
mod tests {
    use sl_view::FailoverEvent;

    use super::*;

    #[test]
    fn a_failover_says_when_why_and_how_fast() {
        let event = FailoverEvent {
            at_s: 61.25,
            from: Some("first".into()),
            to: "reserve".into(),
            why: "the pool was silent for 60 s".into(),
            detected_s: Some(60.0),
            switched_s: 0.0004,
        };
        let told = upstream(&Upstream { failovers: vec![event], ..Upstream::default() });
        assert_eq!(
            told,
            "failovers   at 61.2 s from first to reserve: the pool was silent for 60 s; \
             noticed after 60.000 s, switched in 0.000 s\n"
        );
    }
}
