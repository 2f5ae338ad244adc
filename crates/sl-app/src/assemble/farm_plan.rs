//! What a gateway over several pools would do, in figures.

use sl_gateway::{GatewaySettings, slots_for};
use sl_upstream::PoolEntry;
use sl_view::{FarmPlan, PlannedGateway, PlannedPool, PlannedSlots, Service};

use crate::{Ports, Settings};

/// Widths of extranonce2 that pools of the field leave to their clients.
const WIDTHS: [usize; 3] = [4, 6, 8];

/// The plan of settings with several pools; `None` without.
pub(crate) fn farm_plan(
    settings: &Settings,
    ports: &Ports,
    services: Vec<Service>,
) -> Option<FarmPlan> {
    if settings.pools.is_empty() {
        return None;
    }
    let first = settings.pools.iter().filter(|it| it.weight > 0).map(|it| it.priority).min();
    let mut order: Vec<&PoolEntry> = settings.pools.iter().collect();
    order.sort_by_key(|pool| (pool.priority, pool.weight == 0));
    let weight_of = |priority| {
        let same = settings.pools.iter().filter(|pool| pool.priority == priority);
        same.map(|pool| f64::from(pool.weight)).sum::<f64>().max(1.0)
    };
    let pool = |pool: &PoolEntry| {
        let (addresses, nearest) = pool.endpoints().unwrap_or_default();
        let login = pool.login().ok();
        let is_first = Some(pool.priority) == first && pool.weight > 0;
        PlannedPool {
            name: pool.short_name(),
            priority: pool.priority.into(),
            weight: pool.weight,
            part: f64::from(pool.weight) / weight_of(pool.priority),
            role: if is_first { "first" } else { "standby" }.into(),
            user: login.as_ref().map_or_else(|| pool.user.clone(), |it| it.main()),
            machine_names: login.is_some_and(|login| login.of("machine").is_some()),
            choice: if nearest && addresses.len() > 1 { "nearest" } else { "first" }.into(),
            addresses: addresses.iter().map(ToString::to_string).collect(),
            answer_within_s: pool.answer_within.as_secs_f64(),
            silence_s: pool.silence.as_secs_f64(),
        }
    };
    Some(FarmPlan {
        strategy: settings.failover.strategy.clone(),
        dwell_s: settings.failover.dwell.as_secs_f64(),
        slice_s: settings.failover.slice.as_secs_f64(),
        pools: order.into_iter().map(pool).collect(),
        gateway: gateway(&settings.gateway),
        notes: notes(settings, ports),
        services,
    })
}

fn gateway(settings: &GatewaySettings) -> PlannedGateway {
    let slots = |width: usize| {
        let (slots, own) = slots_for(width);
        PlannedSlots { extranonce_bytes: width as u64, slots, machine_bytes: own as u64 }
    };
    let most = |limit: Option<u32>| limit.map_or("no limit".into(), |limit| limit.to_string());
    let limits = [
        ("connections_per_address", most(settings.connections_per_address)),
        ("connections_per_subnet", most(settings.connections_per_subnet)),
        ("connects_per_second", settings.connects_per_second.to_string()),
        ("messages_before", settings.messages_before.to_string()),
        ("messages_per_second", settings.messages_per_second.to_string()),
        ("shares_per_second", settings.shares_per_second.to_string()),
        ("authorize_within", format!("{} s", settings.authorize_within.as_secs_f64())),
        ("idle_timeout", format!("{} s", settings.idle_timeout.as_secs_f64())),
    ];
    PlannedGateway {
        listen: settings.listen.to_string(),
        max_connections: settings.max_connections.into(),
        shares_per_minute: settings.shares_per_minute,
        slots: WIDTHS.map(slots).to_vec(),
        limits: limits.map(|(key, value)| (key.to_owned(), value)).to_vec(),
    }
}

/// What a start would refuse, and a plan does not.
fn notes(settings: &Settings, ports: &Ports) -> Vec<String> {
    let examples = crate::settings::examples_found(settings);
    let examples = examples.into_iter().map(|(key, address)| {
        format!("{key}: {address} is the example address, whose key nobody has; give your own")
    });
    ports.missing(settings).into_iter().chain(examples).collect()
}
