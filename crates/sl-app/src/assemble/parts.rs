//! The services of a composition, built one after the other by ordinary constructors.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use sl_chain::coins::Ticker;
use sl_config::Plain;
use sl_gateway::{Gateway, GatewayStatus};
use sl_hasher::{Habit, Hasher, HasherSettings, HasherStatus, Machine};
use sl_ledger::{Journal, JournalStatus};
use sl_pow::Registry;
use sl_simnode::NodeHandle;
use sl_solo::{Solo, SoloPorts, SoloSection, SoloSettings, SoloStatus};
use sl_stratum::Password;
use sl_supervise::{HealthTable, ServiceId, ServiceSpec, Supervisor};
use sl_telemetry::HistogramSnapshot;
use sl_twin::{FarmPlan, FarmStatus, Twins};
use sl_units::{HashRate, Mono};
use sl_upstream::{GroupStatus, Pool, PoolOptions, PoolSettings, PoolStatus, Strategies, Upstream};
use sl_view::World;
use sl_work::{SourceHandle, SourceId, WorkSource};
use tokio::sync::{Mutex, mpsc, watch};

use crate::{
    Applier, Plan, Ports, Reading, View,
    blocks::{Tallies, Teller},
    control,
    engines::{ALGORITHM, tune},
    latency::{self, Latencies},
    reload::Reload,
    settings::{Mode, Settings},
};

use super::{AssembleError, Builder, Following, brought::Brought};

mod journal;
mod machines;
mod simulated;

/// Blocks found whose outcome nobody has taken yet.
const BLOCK_EVENTS: usize = 1024;

/// A source of work with the service behind it.
pub(super) struct Source {
    pub(super) handle: Arc<dyn WorkSource>,
    pub(super) service: ServiceId,
}

/// The services so far, and what tells of them.
pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) ports: Ports,
    registry: Registry,
    /// Which engines are the fastest here; `None` goes by their width.
    choices: Option<PathBuf>,
    /// The proof of work of the source: the parent coin's.
    algorithm: &'static str,
    machine: Machine,
    /// How this machine's engines behave where the settings leave it to the command.
    habit: Habit,
    following: Option<Following>,
    /// Who follows live settings.
    pub(super) appliers: Vec<Applier>,
    pub(super) specs: Vec<ServiceSpec>,
    listens: Vec<SocketAddr>,
    world: Option<World>,
    /// What the simulated world was made for.
    engine_rate: Option<HashRate>,
    nodes: Vec<NodeHandle>,
    solo: Option<watch::Receiver<SoloStatus>>,
    tallies: Option<watch::Receiver<Tallies>>,
    gateway: Option<watch::Receiver<GatewayStatus>>,
    journal: Option<watch::Receiver<JournalStatus>>,
    /// The journal itself, once somebody has asked for it.
    lane: Option<Journal>,
    latencies: Option<watch::Receiver<Latencies>>,
    pool: Option<(String, watch::Receiver<PoolStatus>)>,
    /// Several pools as one.
    pub(super) upstream: Option<(GroupStatus, SourceHandle)>,
    pub(super) strategies: Strategies,
    brought: Brought,
    hasher: Option<watch::Receiver<HasherStatus>>,
    /// Virtual machines: their model, their net, how they fare.
    twins: Option<(&'static str, String, watch::Receiver<FarmStatus>)>,
    /// Virtual machines that will mine at the gateway.
    farm: Option<FarmPlan>,
    /// Virtual machines that must have the ports they are called at.
    called: Option<Twins>,
}

impl Parts {
    pub(super) fn new(builder: Builder, habit: Habit) -> Self {
        let Builder { settings, ports, registry, choices, strategies, brought, following } =
            builder;
        Self {
            settings,
            ports,
            registry,
            choices,
            algorithm: ALGORITHM,
            machine: Machine::real(),
            habit,
            following,
            appliers: Vec::new(),
            specs: Vec::new(),
            listens: Vec::new(),
            world: None,
            engine_rate: None,
            nodes: Vec::new(),
            solo: None,
            tallies: None,
            gateway: None,
            journal: None,
            lane: None,
            latencies: None,
            pool: None,
            upstream: None,
            strategies,
            brought,
            hasher: None,
            twins: None,
            farm: None,
            called: None,
        }
    }

    /// Whether all is simulated unless a source is named.
    pub(super) fn is_educational(&self) -> bool {
        self.settings.mode == Mode::Educational
    }

    /// Has the fastest engine of the source's algorithm go first, once.
    fn choose_engines(&mut self) {
        let Some(file) = self.choices.take() else { return };
        match tune(&mut self.registry, self.algorithm, &file, self.ports.clock) {
            Ok(tuned) => tuned.log(self.algorithm),
            Err(wrong) => tracing::warn!(%wrong, "engines go by their width"),
        }
    }

    /// A pool if one is named, own nodes if some are, simulated ones in educational mode.
    pub(super) fn source(&mut self) -> Result<Source, AssembleError> {
        if let Some(pool) = self.settings.pool.clone() {
            let id = SourceId::new(&format!("pool.{}", pool.url.host()));
            return self.upstream(id, &pool);
        }
        if !self.settings.pools.is_empty() {
            return self.pools();
        }
        if let Some(settings) = solo_settings(&self.settings.solo, &self.ports)? {
            return self.solo(settings);
        }
        if self.settings.mode == Mode::Production {
            return Err(AssembleError::NoSource);
        }
        self.nodes()?;
        let settings = self.simulated_solo()?;
        self.solo(settings)
    }

    fn solo(&mut self, settings: SoloSettings) -> Result<Source, AssembleError> {
        let (events, found) = mpsc::channel(BLOCK_EVENTS);
        let (tallies_in, tallies) = watch::channel(Tallies::new());
        let ports = SoloPorts {
            clock: self.ports.clock,
            http: self.ports.http.clone(),
            randomness: self.ports.randomness,
        };
        self.algorithm = settings.parent.coin.row().algorithm;
        let solo = Solo::build(settings, ports, events)?;
        let found = Arc::new(Mutex::new(found));
        let teller =
            Teller { tallies: tallies_in, journal: self.journal(), clock: self.ports.clock };
        let after = teller.journal.is_some().then(|| ServiceId::from(journal::JOURNAL));
        // The teller starts first and stops last, so that no block goes untold.
        let description = "what becomes of the blocks found";
        let spec = ServiceSpec::new("blocks", description, move |ctx| {
            let (found, teller) = (found.clone(), teller.clone());
            async move { teller.tell(&mut *found.lock().await, ctx).await }
        });
        self.specs.push(spec.after_all(after));
        let service = solo.service.id().clone();
        let nodes: Vec<ServiceId> =
            self.nodes.iter().map(|node| node_service(node.ticker())).collect();
        self.specs.push(solo.service.after_all(nodes).after("blocks"));
        self.solo = Some(solo.status);
        let (live, ports) = (solo.live, self.ports.clone());
        self.appliers.push(Applier::new("solo", move |settings| {
            let wrong = |wrong: AssembleError| wrong.to_string();
            match solo_settings(&settings.solo, &ports).map_err(wrong)? {
                Some(settings) => live.apply(settings).map_err(|wrong| wrong.to_string()),
                None => Ok(()),
            }
        }));
        self.tallies = Some(tallies);
        Ok(Source { handle: Arc::new(solo.source), service })
    }

    fn upstream(&mut self, id: SourceId, pool: &PoolSettings) -> Result<Source, AssembleError> {
        let password = Password::new(self.secret("pool.password", &pool.password)?);
        let options = pool.options()?;
        let pool =
            Pool { id, endpoint: pool.url.clone(), user: pool.user.as_str().into(), password };
        Ok(self.connect(pool, options, None))
    }

    fn connect(&mut self, pool: Pool, options: PoolOptions, after: Option<ServiceId>) -> Source {
        let service: ServiceId = pool.id.to_string().into();
        let url = pool.endpoint.to_string();
        let rng = self.ports.randomness.rng(&service);
        let upstream = Upstream::with_options(pool, options, self.ports.clock, rng);
        let handle = Arc::new(upstream.source());
        self.pool = Some((url.clone(), upstream.status()));
        let description = format!("work from {url}");
        let spec =
            ServiceSpec::new(service.clone(), description, move |ctx| upstream.clone().run(ctx));
        self.specs.push(spec.after_all(after).optional());
        Source { handle, service }
    }

    /// This machine's engines as a machine of the gateway.
    pub(super) fn own_gateway(&mut self) -> Result<Source, AssembleError> {
        let password = self.gateway_password()?;
        let listen = self.settings.gateway.listen;
        let address = self.gateway_address().to_string();
        let pool = Pool {
            id: SourceId::new("pool.gateway"),
            endpoint: address.parse().map_err(|_| AssembleError::GatewayPort(listen))?,
            user: "cpu".into(),
            password: Password::new(password.map_or("x".into(), |plain| plain.expose().to_owned())),
        };
        let source = self.connect(pool, PoolOptions::default(), Some("gateway".into()));
        // The way to our own gateway is no pool above.
        self.pool = None;
        Ok(source)
    }

    /// Where this machine reaches its own gateway.
    fn gateway_address(&self) -> SocketAddr {
        let listen = self.settings.gateway.listen;
        let ip = match listen.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        SocketAddr::new(ip, listen.port())
    }

    pub(super) fn gateway(&mut self, source: Source) -> Result<(), AssembleError> {
        let mut settings = self.settings.gateway.clone();
        let claims = self.claims();
        if let Some(rate) = self.engine_rate {
            Self::teach(&mut settings, rate, &claims);
        }
        self.choose_engines();
        let rng = self.ports.randomness.rng("gateway");
        let mut gateway = Gateway::new(
            settings,
            source.handle,
            self.registry.clone(),
            self.algorithm,
            self.ports.clock,
            rng,
        );
        gateway = self.brought.to(gateway);
        if let Some(password) = self.gateway_password()? {
            gateway = gateway.with_password(password);
        }
        let (live, engine_rate) = (gateway.live(), self.engine_rate);
        self.appliers.push(Applier::new("gateway", move |settings| {
            let mut settings = settings.gateway.clone();
            if let Some(rate) = engine_rate {
                Self::teach(&mut settings, rate, &claims);
            }
            live.apply(settings).map_err(|wrong| wrong.to_string())
        }));
        let mut after = vec![source.service];
        if let Some(journal) = self.journal() {
            self.write_changes(&journal);
            gateway = gateway.with_journal(journal);
            after.push(journal::JOURNAL.into());
        }
        self.gateway = Some(gateway.status());
        self.listens.push(self.settings.gateway.listen);
        self.listens.extend(self.settings.gateway.tls_listen);
        let spec = ServiceSpec::new("gateway", "Stratum server for machines", move |ctx| {
            gateway.clone().run(ctx)
        });
        // Answers to machines, then the source's verdicts: each may take 0.7 s.
        let spec = spec.grace(Duration::from_millis(2500));
        self.specs.push(spec.after_all(after));
        Ok(())
    }

    /// What machines must give, this machine's engines too.
    fn gateway_password(&self) -> Result<Option<Plain>, AssembleError> {
        let password = self.settings.gateway.password.as_ref();
        let resolve = |secret| self.ports.resolve(secret);
        password
            .map(resolve)
            .transpose()
            .map_err(|wrong| AssembleError::Secret { key: "gateway.password", wrong })
    }

    pub(super) fn hasher(&mut self, source: Source, worker: &str) {
        self.choose_engines();
        let machine = self.machine.clone();
        // The virtual machines have the other half of what this machine gives.
        let shares = self.farm.is_some();
        let own = move |mine: &HasherSettings| HasherSettings {
            cpu_limit: if shares { mine.cpu_limit.half() } else { mine.cpu_limit },
            ..mine.clone()
        };
        let hasher = Hasher::new(
            own(&self.settings.mine),
            self.algorithm,
            self.registry.clone(),
            source.handle,
            worker.into(),
            self.ports.clock,
        );
        let hasher = hasher.with_habit(self.habit).on(machine);
        self.hasher = Some(hasher.status());
        let followed = hasher.settings();
        self.appliers.push(Applier::new("mine", move |settings| {
            followed.send_modify(|followed| followed.take_live(&own(&settings.mine)));
            Ok(())
        }));
        let spec = ServiceSpec::new("hasher", "this machine's engines", move |ctx| {
            hasher.clone().run(ctx)
        });
        self.specs.push(spec.after(source.service));
    }

    /// Measures new tip to machine, where both ends are here.
    pub(super) fn latency(&mut self) {
        let Some(gateway) = &self.gateway else { return };
        if self.nodes.is_empty() {
            return;
        }
        let (figures_in, figures) = watch::channel(HistogramSnapshot::default());
        let (nodes, gateway) = (self.nodes.clone(), gateway.clone());
        self.latencies = Some(figures);
        let spec = ServiceSpec::new("latency", "measures new tip to machine", move |ctx| {
            latency::measure(nodes.clone(), gateway.clone(), figures_in.clone(), ctx)
        });
        self.specs.push(spec.after("gateway").optional());
    }

    /// Follows the settings while all runs, where somebody said whence they come.
    pub(super) fn settings(&mut self) {
        self.no_pools();
        let Some(Following { source, loaded, appliers }) = self.following.take() else { return };
        let appliers = self.appliers.drain(..).chain(appliers).collect();
        let started = Reading { settings: self.settings.clone(), loaded };
        let reload = Reload::new(source, appliers, self.ports.clock, started);
        let spec = ServiceSpec::new("settings", "follows changes of the settings", move |ctx| {
            reload.clone().run(ctx)
        });
        self.specs.push(spec.optional());
    }

    pub(super) fn finish(self) -> Result<Plan, AssembleError> {
        let Self { ports, mut specs, .. } = self;
        let view = |health: HealthTable| View {
            clock: ports.clock,
            mode: match self.settings.mode {
                Mode::Educational => sl_view::Mode::Educational,
                Mode::Production => sl_view::Mode::Production,
            },
            world: self.world.clone(),
            health,
            nodes: self.nodes.clone(),
            solo: self.solo.clone(),
            tallies: self.tallies.clone(),
            gateway: self.gateway.clone(),
            journal: self.journal.clone(),
            latencies: self.latencies.clone(),
            pool: self.pool.clone(),
            upstream: self.upstream.clone(),
            hasher: self.hasher.clone(),
            twins: self.twins.clone(),
        };
        // The door shows the health of all, itself included, so it gets the table afterwards.
        let (door_in, door) = watch::channel(None::<View>);
        let control = self.settings.control.clone();
        if ports.data.is_some() || control.listen.is_some() {
            let data = ports.data.clone();
            let description = "tells health, metrics and state to who asks";
            let spec = ServiceSpec::new("control", description, move |ctx| {
                let (data, control, door) = (data.clone(), control.clone(), door.clone());
                async move {
                    let view = door.borrow().clone();
                    match view {
                        Some(view) => control::serve(data, control, view, ctx).await,
                        None => Err("the view is not there before the start".into()),
                    }
                }
            });
            specs.push(spec.optional());
        }
        let mut listens = self.listens;
        listens.extend(self.settings.control.listen);
        let rng = ports.randomness.rng("supervisor");
        let supervisor =
            Supervisor::new(specs, rng)?.counting_from(ports.clock.instant_of(Mono::default()));
        let view = view(supervisor.health());
        door_in.send_replace(Some(view.clone()));
        Ok(Plan { supervisor, view, listens, called: self.called })
    }

    fn secret(
        &self,
        key: &'static str,
        secret: &sl_config::Secret,
    ) -> Result<String, AssembleError> {
        let plain =
            self.ports.resolve(secret).map_err(|wrong| AssembleError::Secret { key, wrong })?;
        Ok(plain.expose().to_owned())
    }
}

fn node_service(coin: Ticker) -> ServiceId {
    format!("node.{}", coin.as_str().to_lowercase()).into()
}

/// The nodes of the settings, with their secrets in the clear and known to the masker.
fn solo_settings(solo: &SoloSection, ports: &Ports) -> Result<Option<SoloSettings>, AssembleError> {
    let resolved = solo.resolve(&|name| ports.variable(name), &|path| ports.read_secret(path));
    let settings = resolved.map_err(|wrong| AssembleError::Secret { key: "solo", wrong })?;
    for node in settings.iter().flat_map(|solo| solo.auxiliaries.iter().chain([&solo.parent])) {
        ports.masker.register(&node.password);
    }
    Ok(settings)
}
