//! Virtual machines, and the engine that hashes for them.

use std::{collections::BTreeMap, time::Duration};

use sl_gateway::Claim;
use sl_scenario::Span;
use sl_stratum::Password;
use sl_supervise::{RestartPolicy, ServiceSpec};
use sl_twin::{FarmPlan, Fault, MachinesSettings, Twins, scenario::Scenario};
use sl_units::HashRate;

use super::Parts;
use crate::{AssembleError, engines::quick_rate};

/// Pool of machines that are alone: a gateway of this computer, where another program runs one.
const USUAL_POOL: &str = "stratum+tcp://127.0.0.1:3333";
/// Shares in flight get their verdict, then all else ends.
const GRACE: Duration = Duration::from_millis(2500);
/// What is wrong with the last machine of a farm without a scenario, from the start on: something
/// mild, so that there is something to find.
const MILD: Fault = Fault::DeadChip { board: 1, chip: 42 };

impl Parts {
    /// The virtual machines of the settings, without anything else.
    pub(in crate::assemble) fn machines_alone(&mut self) -> Result<(), AssembleError> {
        let pool = USUAL_POOL.to_owned();
        let plan = self.farm_of(pool, 1.0)?.ok_or(AssembleError::NoMachines)?;
        let twins = self.twins(plan);
        self.called = Some(twins.clone());
        // A port that is in use or needs a right is told at once, and not tried for again and again.
        self.specs.push(service(twins).restart(RestartPolicy::never()));
        Ok(())
    }

    /// The virtual machines that will mine at the gateway of a simulated world, where its settings
    /// have some. They and this machine's engines as a machine share what this machine gives; the
    /// scale of the world is theirs.
    pub(in crate::assemble) fn plan_machines(&mut self) -> Result<(), AssembleError> {
        if self.world.is_none() {
            return Ok(());
        }
        let pool = format!("stratum+tcp://{}", self.gateway_address());
        let Some(mut plan) = self.farm_of(pool, 0.5)? else { return Ok(()) };
        plan.may_move = true;
        if let Some(password) = self.gateway_password()? {
            plan.password = Password::new(password.expose().to_owned());
        }
        if plan.settings.scenario.is_none() {
            let last = usize::from(plan.settings.count - 1);
            plan.faults = vec![Span::new(Duration::ZERO, None, last, MILD)];
        }
        if let Some(world) = &mut self.world {
            match self.settings.simulation.claimed_rate {
                Some(_) => plan.settings.scale = Some(world.hash_scale),
                None => world.hash_scale = plan.scale(),
            }
        }
        self.farm = Some(plan);
        Ok(())
    }

    /// Starts the machines that were planned, after the gateway.
    pub(in crate::assemble) fn machines_at_gateway(&mut self) {
        if let Some(plan) = self.farm.clone() {
            let twins = self.twins(plan);
            self.specs.push(service(twins).after("gateway").optional());
        }
    }

    /// What the machines' nameplates claim, in real hashes, by their names at the gateway.
    pub(super) fn claims(&self) -> BTreeMap<String, Claim> {
        let Some(plan) = &self.farm else { return BTreeMap::new() };
        let MachinesSettings { count, net, .. } = plan.settings;
        let each = plan.claimed().hs() / f64::from(count.max(1)) / plan.scale();
        let hosts = (0..usize::from(count)).map_while(|number| net.host(number));
        let claim = |ip| (plan.settings.user_of(ip), Claim { hashrate: HashRate::from_hs(each) });
        hosts.map(claim).collect()
    }

    fn twins(&mut self, plan: FarmPlan) -> Twins {
        let (model, net) = (plan.model().reported, plan.settings.net);
        let (clock, randomness) = (self.ports.clock, self.ports.randomness);
        let twins = Twins::new(plan, self.registry.clone(), self.algorithm, clock, randomness);
        self.twins = Some((model, net.to_string(), twins.status()));
        twins
    }

    /// The machines of the settings on a pool, with a part of this machine's engines; `None` where
    /// there are none.
    fn farm_of(&mut self, pool: String, part: f64) -> Result<Option<FarmPlan>, AssembleError> {
        let settings = self.settings.machines.clone();
        if settings.count == 0 {
            return Ok(None);
        }
        self.choose_engines();
        let mine = &self.settings.mine;
        let threads = mine.threads_on(&self.machine, self.habit);
        let rate = match self.engine_rate {
            Some(rate) => rate.hs(),
            None => {
                let rate = quick_rate(&self.registry, self.algorithm, threads, self.ports.clock)?;
                rate.hs() * mine.cpu_limit.fraction()
            }
        };
        let engine_rate = HashRate::from_hs(rate * part);
        let password = Password::new(self.secret("machines.password", &settings.password)?);
        let (faults, may_move) = (self.faults(&settings)?, false);
        Ok(Some(FarmPlan { settings, pool, password, threads, engine_rate, may_move, faults }))
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
        let named = scenario.machines();
        if named > count {
            let path = path.display();
            let wrong =
                format!("{path} names {named} machines, machines.count has {count} of them");
            return Err(AssembleError::Scenario(wrong));
        }
        let timeline = scenario.timeline(model, count, self.ports.randomness.root());
        Ok(timeline.spans().to_vec())
    }
}

fn service(twins: Twins) -> ServiceSpec {
    let (count, model, net) = twins.who();
    let description = format!("{count} virtual {model} at {net}");
    ServiceSpec::new("machines", description, move |ctx| twins.clone().run(ctx)).grace(GRACE)
}
