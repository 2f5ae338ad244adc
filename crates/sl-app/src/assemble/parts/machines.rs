//! Virtual machines, and the engine that hashes for them.

use std::{net::SocketAddr, time::Duration};

use sl_scenario::Span;
use sl_stratum::Password;
use sl_supervise::{ServiceId, ServiceSpec};
use sl_twin::{FarmPlan, Fault, MachinesSettings, Twins, scenario::Scenario};
use sl_units::HashRate;

use super::Parts;
use crate::{AssembleError, engines::quick_rate};

/// Pool of machines that are alone: a gateway of this computer, where another program runs one.
const USUAL_POOL: &str = "stratum+tcp://127.0.0.1:3333";
/// Shares in flight get their verdict, then all else ends.
const GRACE: Duration = Duration::from_millis(2500);

impl Parts {
    /// The virtual machines of the settings; on the gateway where there is one, unless the settings
    /// name a pool.
    pub(in crate::assemble) fn machines(
        &mut self,
        gateway: Option<(String, ServiceId)>,
    ) -> Result<(), AssembleError> {
        let settings = self.settings.machines.clone();
        if settings.count == 0 {
            return Ok(());
        }
        self.choose_engines();
        let mine = &self.settings.mine;
        let threads = mine.threads_on(&self.machine, self.habit);
        let engine_rate = match self.engine_rate {
            Some(rate) => rate,
            None => {
                let rate = quick_rate(&self.registry, self.algorithm, threads, self.ports.clock)?;
                HashRate::from_hs(rate.hs() * mine.cpu_limit.fraction())
            }
        };
        let password = Password::new(self.secret("machines.password", &settings.password)?);
        let faults = self.faults(&settings)?;
        let (pool, after) = gateway.unzip();
        let (pool, may_move) = (pool.unwrap_or_else(|| USUAL_POOL.to_owned()), after.is_some());
        let plan = FarmPlan { settings, pool, password, threads, engine_rate, may_move, faults };
        let (model, net) = (plan.model().reported, plan.settings.net);
        let count = plan.settings.count;
        // What is in use or needs a right is better told at once than by a service that tries again.
        if after.is_none() {
            let ports = plan.settings.ports.unwrap_or(sl_twin::Ports::REAL);
            let at = |port| net.host(0).map(|ip| SocketAddr::from((ip, port)));
            self.listens.extend([ports.http, ports.rpc].into_iter().filter_map(at));
        }
        let (clock, randomness) = (self.ports.clock, self.ports.randomness);
        let twins = Twins::new(plan, self.registry.clone(), self.algorithm, clock, randomness);
        self.twins = Some((model, net.to_string(), twins.status()));
        let description = format!("{count} virtual {model} at {net}");
        let spec = ServiceSpec::new("machines", description, move |ctx| twins.clone().run(ctx));
        let spec = spec.after_all(after.clone()).grace(GRACE);
        self.specs.push(if after.is_some() { spec.optional() } else { spec });
        Ok(())
    }

    /// What goes wrong with the machines: as the scenario says.
    fn faults(&self, settings: &MachinesSettings) -> Result<Vec<Span<Fault>>, AssembleError> {
        let Some(path) = &settings.scenario else { return Ok(Vec::new()) };
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|wrong| {
            AssembleError::Scenario(format!("cannot read {}: {wrong}", path.display()))
        })?;
        let scenario = Scenario::read(&path.display().to_string(), &text)
            .map_err(|wrong| AssembleError::Scenario(wrong.to_string()))?;
        let (model, count) = (settings.model.model(), usize::from(settings.count));
        let timeline = scenario.timeline(model, count, self.ports.randomness.root());
        Ok(timeline.spans().to_vec())
    }
}
