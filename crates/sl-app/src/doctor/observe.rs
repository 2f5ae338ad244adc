use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    time::Duration,
};

use sl_noderpc::{Endpoint, NodeClient, NodeName, Timeouts};
use sl_ports::{
    Clock,
    bind::{self, BindError},
    folders::FolderState,
    http::{HttpClient, Request},
    machine::{
        cpu::Cpu, disk, energy::EnergyMeter, limits, memory::Memory, programs,
        timekeeping::Timekeeping,
    },
};
use sl_pow::Registry;
use sl_scrypt::{ScratchReport, scratch_report};
use sl_solo::NodeSection;
use sl_units::Wall;
use sl_upstream::PoolSettings;
use tokio::{net::TcpStream, time::timeout};

use super::{
    EngineFound, NodeAnswer, NodeFound, Observed, PoolFound, PortFound, PortOf, PortState,
    SettingsFound,
};
use crate::{
    ALGORITHM, Builder, CHOICE_FILE, Composition, EngineChoice, NoChoice, Ports, Settings, ask,
    bench, registry, remembered, verify_alone,
};

/// How long a node or a pool has to answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// Daemons that serve a parent or an auxiliary chain.
const DAEMONS: [&str; 2] = ["litecoind", "dogecoind"];

/// What is to be looked at.
#[derive(Debug)]
pub struct Examined<'a> {
    /// The settings, or the defaults where they are wrong.
    pub settings: &'a Settings,
    /// How they were read.
    pub found: SettingsFound,
    /// The outside world; secrets are registered with its masker.
    pub ports: &'a Ports,
    /// The data folder.
    pub folder: PathBuf,
    /// The value of `PATH`.
    pub path: Option<&'a OsStr>,
}

/// Looks at this machine, and asks the nodes and the pool that the settings name. Takes seconds at
/// most; each address to listen on is taken for an instant and let go.
pub async fn observe(examined: Examined<'_>) -> Observed {
    let Examined { settings, found, ports, folder, path } = examined;
    let clock = ports.clock;
    let (listens, unfit) = listens(settings, ports);
    let mut looked = Vec::new();
    for address in listens {
        let of = match address {
            address if address == settings.gateway.listen => PortOf::Gateway,
            address if Some(address) == settings.control.listen => PortOf::Control,
            _ => PortOf::Node,
        };
        let state = match bind::listen(address).await {
            Ok(_) => PortState::Free,
            Err(BindError::InUse { holder, .. }) => PortState::Taken(holder),
            Err(wrong) => PortState::Refused(wrong.to_string()),
        };
        looked.push(PortFound { address, of, state });
    }
    let mut nodes = Vec::new();
    for node in settings.solo.parent.iter().chain(&settings.solo.auxiliaries) {
        nodes.push(of_node(node, ports).await);
    }
    let pool = match &settings.pool {
        Some(pool) => Some(of_pool(pool, ports).await),
        None => None,
    };
    let program = |name: &'static str| (name, path.and_then(|path| programs::find(name, path)));
    let running = running(&folder);
    let cpu = Cpu::look();
    let mut registry = registry();
    let choice = choice(&mut registry, &folder, &cpu);
    Observed {
        engines: engines(&registry, &cpu, clock),
        choice,
        scratch: scratch(&registry),
        energy: EnergyMeter::find().map(|_| ()),
        cpu,
        memory: Memory::look(),
        open_files: running.map_or_else(limits::open_files, limits::open_files_of),
        max_connections: settings.gateway.max_connections,
        now: clock.wall(),
        built: programs::own_date(),
        timekeeping: Timekeeping::look(),
        folder_state: FolderState::look(&folder),
        disk: disk::space(&folder).map_err(|wrong| wrong.to_string()),
        running,
        settings: found,
        unfit,
        ports: looked,
        nodes,
        pool,
        daemons: DAEMONS.map(program).to_vec(),
        folder,
    }
}

fn choice(
    registry: &mut Registry,
    folder: &Path,
    cpu: &Cpu,
) -> Result<Option<EngineChoice>, String> {
    let algorithm = registry.resolve(ALGORITHM).map_err(|wrong| wrong.to_string())?;
    match remembered(&folder.join(CHOICE_FILE), algorithm.as_ref(), cpu) {
        Ok(choice) => {
            let order = choice.engines.iter().map(|(name, _)| name.clone());
            registry.prefer(algorithm.as_ref(), order);
            Ok(Some(choice))
        }
        Err(NoChoice::Missing) => Ok(None),
        Err(why) => Err(why.to_string()),
    }
}

/// The memory of the engine that would be used, while it has it.
fn scratch(registry: &Registry) -> ScratchReport {
    let prover = registry.best(ALGORITHM);
    let report = scratch_report();
    drop(prover);
    report
}

fn engines(registry: &Registry, cpu: &Cpu, clock: Clock) -> Vec<EngineFound> {
    let report = bench(registry, &verify_alone(ALGORITHM), cpu, clock);
    let rows = report.map(|report| report.engines).unwrap_or_default();
    let found = rows.into_iter().map(|row| {
        let tested = || row.fault.map_or(Ok(()), Err);
        EngineFound { name: row.name.to_owned(), tested: row.available.then(tested) }
    });
    found.collect()
}

/// Where `silverlode up` would listen, and why it would not start.
fn listens(settings: &Settings, ports: &Ports) -> (Vec<std::net::SocketAddr>, Option<String>) {
    match Builder::new(settings.clone(), ports.clone()).assemble(Composition::Up) {
        Ok(plan) => (plan.listens, None),
        Err(wrong) => (vec![settings.gateway.listen], Some(wrong.to_string())),
    }
}

fn running(folder: &Path) -> Option<u32> {
    ask(folder).ok().map(|state| state.pid)
}

async fn of_node(node: &NodeSection, ports: &Ports) -> NodeFound {
    let id = format!("node.{}", node.coin.as_str().to_ascii_lowercase());
    let url = NodeName::new(node.coin, &node.url).url.to_string();
    let password = match ports.resolve(&node.password) {
        Ok(plain) => plain.expose().to_owned(),
        Err(wrong) => return NodeFound { id, url, answer: Err(wrong.to_string()) },
    };
    let timeouts = Timeouts { call: PATIENCE, ..Timeouts::default() };
    let endpoint = Endpoint {
        coin: node.coin,
        url: node.url.clone(),
        user: node.user.clone(),
        password,
        timeouts,
    };
    let client = NodeClient::new(endpoint, ports.http.clone());
    let began = ports.clock.mono();
    let answer = match client.blockchain_info().await {
        Ok(info) => Ok(NodeAnswer {
            latency: ports.clock.mono().since(began),
            chain: info.chain,
            blocks: info.blocks,
            downloading: info.downloading,
            clock: date(&ports.http, &node.url).await,
        }),
        Err(wrong) => Err(wrong.fault.to_string()),
    };
    NodeFound { id, url, answer }
}

/// The `Date` of an answer, whatever the answer is.
async fn date(http: &HttpClient, url: &str) -> Option<Wall> {
    let answer = http.request(Request::get(url).timeout(PATIENCE)).await.ok()?;
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(answer.header("date")?);
    Some(Wall::from_secs(u64::try_from(date.ok()?.as_second()).ok()?))
}

/// A connection to the pool, closed again at once: nobody is told an account.
async fn of_pool(pool: &PoolSettings, ports: &Ports) -> PoolFound {
    let (host, port) = (pool.url.host().to_owned(), pool.url.port());
    let began = ports.clock.mono();
    let answer = match timeout(PATIENCE, TcpStream::connect((host.as_str(), port))).await {
        Ok(Ok(_)) => Ok(ports.clock.mono().since(began)),
        Ok(Err(wrong)) => Err(wrong.to_string()),
        Err(_) => Err(format!("no connection within {PATIENCE:?}")),
    };
    PoolFound { url: pool.url.to_string(), host, port, answer }
}
