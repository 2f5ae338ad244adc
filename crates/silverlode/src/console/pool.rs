//! Pools for people: the catalogue, and what a probe found.

use std::{fmt::Write as _, time::Duration};

use sl_app::pools::{CataloguePool, Probe, Reached, Region};

use super::paint::{Paint, paragraph};

pub(crate) fn catalogue(rows: &[&CataloguePool], region: Option<Region>, paint: Paint) -> String {
    let mut out = String::new();
    for row in rows {
        out.push_str(&paint.heading(&format!("{} ({})", row.name, row.id)));
        let wanted = |place: Region| region.is_none_or(|region| region == place);
        let mut shown = 0;
        for endpoint in row.endpoints.iter().filter(|endpoint| wanted(endpoint.region)) {
            let (place, url) = (endpoint.region.as_str(), endpoint.to_string());
            let _ = writeln!(out, "  {place:<14} {url:<44} {}", paint.dim(endpoint.source));
            shown += 1;
        }
        if shown == 0 {
            let _ = writeln!(out, "  {}", paint.dim("no source states an endpoint"));
        }
        let mut fact = |name: &str, text: Option<String>| {
            if let Some(text) = text {
                let _ = writeln!(out, "  {name:<14} {text}");
            }
        };
        fact("user", row.user_template.map(Into::into));
        fact("password", row.password_template.map(Into::into));
        fact(
            "worker",
            row.worker_names.map(|rule| {
                let case = if rule.upper_case { "letters" } else { "lower-case letters" };
                format!("at most {} {case} or digits", rule.longest)
            }),
        );
        fact(
            "pays",
            row.listings
                .last()
                .map(|list| format!("{} (as of {})", list.coins.join(" "), list.as_of)),
        );
        fact("how", row.scheme.map(Into::into));
        let source = format!("{}; read {}", row.source, row.as_of);
        let _ = writeln!(out, "  {:<14} {}", "source", paint.dim(&source));
    }
    out
}

/// What was found at each endpoint, and whether that is well.
pub(crate) fn probes(probes: &[(Probe, bool)], paint: Paint) -> String {
    let mut out = String::new();
    let widest =
        probes.iter().map(|(probe, _)| probe.endpoint.to_string().len()).max().unwrap_or(0);
    let _ = writeln!(
        out,
        "{:<widest$}  {:<10} {:>9} {:>9} {:>9} {:>9}  {:>11}  extranonce",
        "endpoint", "reached", "connect", "TLS", "subscribe", "job", "difficulty"
    );
    for (probe, is_well) in probes {
        let word = match probe.reached {
            Reached::Nothing => "nothing",
            Reached::Connection => "connection",
            Reached::Handshake => "handshake",
            Reached::Job => "job",
        };
        let word = format!("{word:<10}");
        let word = if *is_well { paint.good(&word) } else { paint.bad(&word) };
        let difficulty =
            probe.difficulty.map_or("-".into(), |difficulty| difficulty.get().to_string());
        let extranonce =
            probe.extranonce.map_or("-".into(), |(own, ours)| format!("{own} + {ours} bytes"));
        let _ = writeln!(
            out,
            "{:<widest$}  {word} {:>9} {:>9} {:>9} {:>9}  {difficulty:>11}  {extranonce}",
            probe.endpoint.to_string(),
            ms(probe.connect),
            ms(probe.tls),
            ms(probe.subscribe),
            ms(probe.job),
        );
        if let Some(wrong) = &probe.wrong {
            paragraph(&mut out, "    ", wrong);
        }
    }
    let well = probes.iter().filter(|(_, well)| *well).count();
    let _ = writeln!(out, "{well} of {} endpoints are well", probes.len());
    if probes.iter().all(|(probe, _)| probe.reached == Reached::Nothing) {
        let _ = writeln!(
            out,
            "not one could be reached: is this machine connected to a network, and may it leave by these ports?"
        );
    }
    out
}

fn ms(time: Option<Duration>) -> String {
    time.map_or("-".into(), |time| format!("{:.1} ms", time.as_secs_f64() * 1000.0))
}
