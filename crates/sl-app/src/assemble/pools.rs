//! The pools of the settings as one source.

use std::{sync::Arc, time::Duration};

use sl_supervise::ServiceSpec;
use sl_upstream::{FailoverRules, Plans, PoolGroup};
use sl_work::SourceId;

use crate::{Applier, Ports, settings::Settings};

use super::{
    AssembleError,
    parts::{Parts, Source},
};

/// Longer than the last verdicts of every pool are waited for.
const GRACE: Duration = Duration::from_millis(2500);

impl Parts {
    /// Several pools: one service that keeps them all, and follows their settings.
    pub(super) fn pools(&mut self) -> Result<Source, AssembleError> {
        let (clock, randomness) = (self.ports.clock, self.ports.randomness);
        let id = SourceId::new("pools");
        let group = PoolGroup::new(id, self.strategies.clone(), clock, randomness);
        group.set(plans(&self.settings, &self.ports)?)?;
        let handle = Arc::new(group.source());
        self.upstream = Some((group.status(), group.source()));
        let (live, ports) = (group.clone(), self.ports.clone());
        let follow = move |settings: &Settings| {
            if settings.pools.is_empty() {
                return Err("the last pool can be taken out by a restart only".to_owned());
            }
            let plans = plans(settings, &ports).map_err(|wrong| wrong.to_string())?;
            live.set(plans).map_err(|wrong| wrong.to_string())
        };
        self.appliers.push(Applier::new("pools", follow.clone()));
        self.appliers.push(Applier::new("failover", follow));
        let count = self.settings.pools.len();
        let noun = if count == 1 { "pool" } else { "pools" };
        let names: Vec<String> =
            self.settings.pools.iter().map(sl_upstream::PoolEntry::short_name).collect();
        let description = format!("work from {count} {noun}: {}", names.join(", "));
        let spec = ServiceSpec::new("pools", description, move |ctx| group.clone().run(ctx));
        self.specs.push(spec.optional().grace(GRACE));
        Ok(Source { handle, service: "pools".into() })
    }

    /// Pools that come to a program which started without: for them all is to be built anew.
    pub(super) fn no_pools(&mut self) {
        if self.upstream.is_none() {
            self.appliers.push(Applier::new("pools", |settings| match settings.pools.is_empty() {
                true => Ok(()),
                false => Err("the program started without pools; restart it".to_owned()),
            }));
        }
    }
}

/// What the settings say of pools, with their secrets in the clear.
fn plans(settings: &Settings, ports: &Ports) -> Result<Plans, AssembleError> {
    let mut pools = Vec::new();
    for (at, entry) in settings.pools.iter().enumerate() {
        let key = "pools[].password";
        let password = ports.resolve(&entry.password);
        let password = password.map_err(|wrong| AssembleError::Secret { key, wrong })?;
        let plan = entry.plan(password.expose());
        pools.push(plan.map_err(|wrong| AssembleError::Pools { at, wrong: Box::new(wrong) })?);
    }
    // A slot for each of many machines, and two bytes of its own for each: the gateway's least.
    let rules = FailoverRules { least_width: 4, ..settings.failover.rules() };
    Ok(Plans {
        pools,
        rules,
        strategy: settings.failover.strategy.clone(),
        measure_every: settings.failover.measure_every,
    })
}
