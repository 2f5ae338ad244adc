//! The plan of a gateway over several pools, for people.

use std::fmt::Write as _;

use sl_view::{FarmPlan, PlannedPool};

/// What would run, in the order in which it matters.
pub(crate) fn farm_plan(plan: &FarmPlan) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "pools       strategy {}; one that failed is preferred again after {} s; slices of {} s",
        plan.strategy, plan.dwell_s, plan.slice_s
    );
    for (at, pool) in plan.pools.iter().enumerate() {
        text.push_str(&of_pool(at + 1, pool));
    }
    let gateway = &plan.gateway;
    let _ = writeln!(
        text,
        "\ngateway     {} for at most {} machines, {} shares a minute each",
        gateway.listen, gateway.max_connections, gateway.shares_per_minute
    );
    let _ = writeln!(text, "\nslots       by what the narrowest usable pool leaves to us");
    for slots in &gateway.slots {
        let _ = writeln!(
            text,
            "            {} bytes: {} machines, {} bytes of extranonce2 each",
            slots.extranonce_bytes,
            grouped(slots.slots),
            slots.machine_bytes
        );
    }
    let _ = writeln!(text, "\nlimits");
    for (name, value) in &gateway.limits {
        let _ = writeln!(text, "            {name:<24} {value}");
    }
    let _ = writeln!(text, "\nservices\n{}", super::services(&plan.services));
    for note in &plan.notes {
        let _ = writeln!(text, "before it runs: {note}");
    }
    text
}

fn of_pool(number: usize, pool: &PlannedPool) -> String {
    let mut text = String::new();
    let role = match (pool.role.as_str(), pool.weight) {
        ("first", _) => format!("{:.0} % of the work", pool.part * 100.0),
        (_, 0) => "stands by, only if nobody else can".into(),
        _ => "stands by".into(),
    };
    let _ = writeln!(
        text,
        "\n  {number}. {:<12} priority {}, weight {}: {role}",
        pool.name, pool.priority, pool.weight
    );
    let machines =
        if pool.machine_names { "each machine under its own name" } else { "one name for all" };
    let _ = writeln!(text, "     user       {} ({machines})", pool.user);
    let choice = match (pool.choice.as_str(), pool.addresses.len()) {
        (_, 0 | 1) => "address",
        ("nearest", _) => "nearest of",
        _ => "first of",
    };
    for (at, address) in pool.addresses.iter().enumerate() {
        let _ = writeln!(text, "     {:<10} {address}", if at == 0 { choice } else { "" });
    }
    let _ = writeln!(
        text,
        "     left       after {} s without a verdict or {} s of silence",
        pool.answer_within_s, pool.silence_s
    );
    text
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
