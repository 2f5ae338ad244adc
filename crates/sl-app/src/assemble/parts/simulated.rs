//! The simulated world of educational mode.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use sl_chain::{
    address::Address,
    coins::{Role, Ticker},
};
use sl_gateway::{Claim, GatewaySettings};
use sl_simnode::{self as simnode, PowHash, SimNode};
use sl_solo::{NodeSettings, SoloSettings};
use sl_units::{HashRate, Target};
use sl_view::World;

use super::Parts;
use crate::{AssembleError, BenchError, engines::quick_rate};

/// How long this machine's engines take to the first share of a simulated world, on average.
const FIRST_SHARE: Duration = Duration::from_millis(150);

impl Parts {
    /// The simulated nodes, all of one world.
    pub(in crate::assemble) fn nodes(&mut self) -> Result<(), AssembleError> {
        let simulation = self.settings.simulation.clone();
        let clock = self.ports.clock;
        let mine = &self.settings.mine;
        let threads = mine.threads_on(&self.machine, self.habit);
        let share = mine.cpu_limit.fraction();
        let chains = simulation.chains();
        let parent = chains.iter().map(|coin| coin.row()).find(|row| row.role == Role::Parent);
        self.algorithm = parent.map_or(self.algorithm, |row| row.algorithm);
        self.choose_engines();
        let engine_rate = match simulation.engine_rate {
            Some(rate) => rate,
            None => {
                let rate = quick_rate(&self.registry, self.algorithm, threads, clock)?;
                HashRate::from_hs(rate.hs() * share)
            }
        };
        self.engine_rate = Some(engine_rate);
        let seed = self.ports.randomness.rng("world").u64(..);
        let mut world = simnode::World::new(clock.wall(), clock.mono(), seed, engine_rate);
        world.time_factor = simulation.time_factor;
        world.min_hashes_per_block = simulation.min_hashes_per_block;
        let claimed = simulation.claimed_rate.map_or(1.0, |claimed| scale(claimed, engine_rate));
        self.world = Some(World {
            time_factor: simulation.time_factor,
            hash_scale: claimed,
            seed: self.ports.randomness.root(),
        });
        let password = self.secret("simulation.rpc_password", &simulation.rpc_password)?;
        for coin in simulation.chains() {
            let settings = simnode::NodeSettings {
                listen: self.node_address(coin),
                user: simulation.rpc_user.clone(),
                password: password.clone(),
            };
            let row = coin.row();
            let algorithm = self.registry.resolve(row.algorithm).map_err(BenchError::from)?;
            let pow: PowHash = Arc::new(move |header| algorithm.hash(header));
            let (node, handle) = SimNode::new(row, settings, world, clock, pow);
            self.nodes.push(handle);
            self.listens.push(self.node_address(coin));
            self.specs.push(node.spec());
        }
        Ok(())
    }

    /// The node RPC of a coin: the first coin of the list has the first port.
    fn node_address(&self, coin: Ticker) -> SocketAddr {
        let simulation = &self.settings.simulation;
        let at = simulation.chains().iter().position(|other| *other == coin).unwrap_or(0) as u16;
        ([127, 0, 0, 1], simulation.rpc_port.saturating_add(at)).into()
    }

    /// Solo on the simulated nodes, to the example addresses.
    pub(super) fn simulated_solo(&self) -> Result<SoloSettings, AssembleError> {
        let simulation = &self.settings.simulation;
        let password = self.secret("simulation.rpc_password", &simulation.rpc_password)?;
        let node = |coin: Ticker| NodeSettings {
            coin,
            url: format!("http://{}", self.node_address(coin)),
            user: simulation.rpc_user.clone(),
            password: password.clone(),
            address: Address::example(coin.row()).to_string(),
        };
        let chains = simulation.chains();
        let parent = chains.iter().copied().find(|coin| coin.row().role == Role::Parent);
        let auxiliaries = chains.iter().copied().filter(|coin| coin.row().role == Role::Auxiliary);
        let Some(parent) = parent else { return Err(AssembleError::NoSource) };
        Ok(SoloSettings::new(node(parent), auxiliaries.map(node).collect()))
    }

    /// In a simulated world, unless the settings say otherwise, a machine is a CPU: its first share
    /// comes at once, and then one a second. What virtual machines claim is known.
    pub(super) fn teach(
        settings: &mut GatewaySettings,
        rate: HashRate,
        claims: &BTreeMap<String, Claim>,
    ) {
        for (worker, claim) in claims {
            settings.claims.entry(worker.clone()).or_insert_with(|| claim.clone());
        }
        let usual = GatewaySettings::default();
        if settings.shares_per_minute == usual.shares_per_minute {
            settings.shares_per_minute = 60.0;
        }
        if settings.start_difficulty.is_none() {
            // Half of what this machine makes is the virtual machines', who come a little later.
            let first = if claims.is_empty() { FIRST_SHARE } else { FIRST_SHARE / 2 };
            let target = Target::from_expected_hashes(rate.hs() * first.as_secs_f64());
            settings.start_difficulty = Some(target.into());
        }
    }
}

fn scale(claimed: HashRate, real: HashRate) -> f64 {
    if real.hs() > 0.0 { claimed.hs() / real.hs() } else { 1.0 }
}
