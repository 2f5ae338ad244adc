use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use sl_config::{Loaded, SecretError};
use sl_gateway::DifficultyManager;
use sl_guard::validate::MessageValidator;
use sl_hasher::Habit;
use sl_pow::{Algorithm, AlgorithmFamily, NameTaken, Registry};
use sl_solo::SettingsErrors;
use sl_supervise::PlanError;
use sl_upstream::{
    PoolEntryError, PoolSettingsError, Strategies, Strategy, StrategyError, StrategyRules,
};
use sl_view::FarmPlan;
use thiserror::Error;

use self::{brought::Brought, parts::Parts};
use crate::{
    Applier, BenchError, Plan, Ports, SettingsSource, engines::registry, settings::Settings,
};

mod brought;
mod farm_plan;
mod parts;
mod pools;

pub(crate) use farm_plan::farm_plan;

/// Which services are wanted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Composition {
    /// The farm on this machine.
    Up,
    /// This machine's engines on a source.
    Mine,
    /// The Stratum gateway over a source.
    Gateway,
    /// Simulated nodes alone.
    Node,
    /// Virtual machines alone.
    Twin,
}

impl Composition {
    /// How this machine's engines behave where the settings leave it to the command.
    const fn habit(self) -> Habit {
        match self {
            Self::Mine => Habit::Alone,
            Self::Up | Self::Gateway | Self::Node | Self::Twin => Habit::Beside,
        }
    }
}

/// Why no plan can be made.
#[derive(Debug, Error)]
pub enum AssembleError {
    /// A secret leads nowhere.
    #[error("{key}: {wrong}")]
    Secret {
        /// The setting.
        key: &'static str,
        /// What is wrong.
        wrong: SecretError,
    },
    /// The nodes' settings are wrong.
    #[error("{0}")]
    Solo(#[from] SettingsErrors),
    /// The pool's settings are wrong.
    #[error("pool: {0}")]
    Pool(#[from] PoolSettingsError),
    /// No engine is right on this machine.
    #[error(transparent)]
    Engines(#[from] BenchError),
    /// An entry of the list of pools cannot be used.
    #[error("pools[{at}]: {wrong}")]
    Pools {
        /// The place in the list, from 0.
        at: usize,
        /// What is wrong.
        wrong: Box<PoolEntryError>,
    },
    /// Nobody registered the strategy that chooses among pools.
    #[error("failover.strategy: {0}")]
    Strategy(#[from] StrategyError),
    /// The services cannot be ordered: a fault of this program or of its extension.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The gateway's port is left to the system, and this machine's engines cannot know it.
    #[error(
        "gateway.listen is {0}, allowed is a port from 1 to 65535: this machine's engines come in by it"
    )]
    GatewayPort(SocketAddr),
    /// A command that runs virtual machines and nothing else has none.
    #[error("machines.count is 0, allowed of virtual machines alone: 1 to 20000")]
    NoMachines,
    /// The scenario of the virtual machines cannot be used.
    #[error("machines.scenario: {0}")]
    Scenario(String),
    /// Nothing to mine on.
    #[error(
        "production mode needs somewhere to mine: give -o stratum+tcp://HOST:PORT -u USER, or pool.url and \
         pool.user, or pools, or solo.parent in the settings"
    )]
    NoSource,
}

impl AssembleError {
    /// Whether the user can mend it in settings or flags.
    #[must_use]
    pub const fn is_settings(&self) -> bool {
        matches!(
            self,
            Self::Secret { .. }
                | Self::Solo(_)
                | Self::Pool(_)
                | Self::Pools { .. }
                | Self::Strategy(_)
                | Self::GatewayPort(_)
                | Self::NoMachines
                | Self::Scenario(_)
                | Self::NoSource
        )
    }
}

/// Builds plans. What a stranger adds is registered here.
#[derive(Debug)]
pub struct Builder {
    settings: Settings,
    ports: Ports,
    registry: Registry,
    choices: Option<PathBuf>,
    strategies: Strategies,
    brought: Brought,
    following: Option<Following>,
}

/// Where the settings come from, for who follows their changes.
struct Following {
    source: Arc<dyn SettingsSource>,
    loaded: Loaded,
    appliers: Vec<Applier>,
}

impl std::fmt::Debug for Following {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Following").field("appliers", &self.appliers).finish_non_exhaustive()
    }
}

impl Builder {
    /// A builder with this program's own algorithms.
    #[must_use]
    pub fn new(settings: Settings, ports: Ports) -> Self {
        Self {
            settings,
            ports,
            registry: registry(),
            choices: None,
            strategies: Strategies::default(),
            brought: Brought::default(),
            following: None,
        }
    }

    /// Registers a further algorithm.
    ///
    /// # Errors
    /// Its name is taken.
    pub fn algorithm(mut self, algorithm: impl Algorithm + 'static) -> Result<Self, NameTaken> {
        self.registry.register(algorithm)?;
        Ok(self)
    }

    /// Registers a further family of algorithms, made by name with parameters.
    ///
    /// # Errors
    /// Its name is taken.
    pub fn algorithm_family(
        mut self,
        family: impl AlgorithmFamily + 'static,
    ) -> Result<Self, NameTaken> {
        self.registry.register_family(family)?;
        Ok(self)
    }

    /// Registers a further way to choose among several pools, under a name for the setting
    /// `failover.strategy`. It is made anew when the rules change.
    ///
    /// # Errors
    /// The name is taken.
    pub fn pool_strategy(
        mut self,
        name: &str,
        make: impl Fn(&StrategyRules) -> Box<dyn Strategy> + Send + Sync + 'static,
    ) -> Result<Self, StrategyError> {
        self.strategies.register(name, make)?;
        Ok(self)
    }

    /// Finds machines' difficulty by a rule of the program's own, in place of the one that
    /// `gateway.vardiff` names.
    #[must_use]
    pub fn difficulty_manager(mut self, manager: impl DifficultyManager + 'static) -> Self {
        self.brought.push(|gateway| gateway.with_difficulty_manager(Arc::new(manager)));
        self
    }

    /// Registers a further validator of machines' messages, behind those that `gateway.validators`
    /// names. It is made anew for each connection.
    #[must_use]
    pub fn message_validator(
        mut self,
        make: impl Fn() -> Box<dyn MessageValidator> + Send + Sync + 'static,
    ) -> Self {
        self.brought.push(|gateway| gateway.with_validator(make));
        self
    }

    /// Has a service follow the settings while all runs. `loaded` is what this builder's settings
    /// were read from; `appliers` are for live settings that no service here has, such as the log's.
    #[must_use]
    pub fn following(
        mut self,
        source: Arc<dyn SettingsSource>,
        loaded: Loaded,
        appliers: Vec<Applier>,
    ) -> Self {
        self.following = Some(Following { source, loaded, appliers });
        self
    }

    /// Has the fastest engine of this host go first, by the file that says which one it is; without
    /// one that still holds, assembling measures it for a tenth of a second and writes the file.
    /// Unless this is called, engines go by their width.
    #[must_use]
    pub fn choosing_engines_by(mut self, file: PathBuf) -> Self {
        self.choices = Some(file);
        self
    }

    /// The algorithms that the services will know.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What the settings' pools and gateway come to, in figures; `None` without several pools. Binds
    /// and asks nobody.
    ///
    /// # Errors
    /// Settings that cannot be followed. Secrets that are not there are told as notes.
    pub fn farm_plan(
        mut self,
        composition: Composition,
    ) -> Result<Option<FarmPlan>, AssembleError> {
        self.ports.plan_only = true;
        let (settings, ports) = (self.settings.clone(), self.ports.clone());
        let services = self.assemble(composition)?.services();
        Ok(farm_plan(&settings, &ports, services))
    }

    /// Builds every service of a composition, in dependency order. Binds nothing.
    ///
    /// # Errors
    /// Settings that cannot be followed.
    pub fn assemble(self, composition: Composition) -> Result<Plan, AssembleError> {
        let mut parts = Parts::new(self, composition.habit());
        match composition {
            Composition::Node => parts.nodes()?,
            Composition::Gateway => {
                let source = parts.source()?;
                parts.gateway(source)?;
            }
            Composition::Mine => {
                let source = parts.source()?;
                parts.hasher(source, "cpu");
            }
            Composition::Twin => parts.machines_alone()?,
            Composition::Up => {
                let source = parts.source()?;
                parts.plan_machines()?;
                parts.gateway(source)?;
                if parts.is_educational() {
                    // The engines come in by the door that every machine uses.
                    let own = parts.own_gateway()?;
                    parts.hasher(own, "cpu");
                    parts.machines_at_gateway();
                }
            }
        }
        parts.latency();
        parts.settings();
        parts.finish()
    }
}
