//! What asic-rs reads.

use std::net::IpAddr;

use asic_rs::MinerFactory;
use asic_rs::core::data::hashrate::{HashRate, HashRateUnit};
use asic_rs::core::data::miner::MinerData;
use asic_rs::core::traits::miner::Miner;

use crate::kinds::Kind;
use crate::programs::{Gateway, Twins};
use crate::trial::Trial;

/// Addresses that are looked at at once: built without optimisation, asic-rs takes a tenth of a second
/// of the processor for each, and gives up on a machine after ten seconds.
const AT_ONCE: usize = 24;

/// A machine as asic-rs holds it.
pub(crate) type Machine = Box<dyn Miner>;

/// All machines of a net, in the order of their addresses, once they are up.
pub(crate) async fn found(trial: &mut Trial, twins: &Twins) -> Option<Vec<Machine>> {
    let factory = match MinerFactory::from_subnet(&twins.subnet()) {
        Ok(factory) => factory.with_concurrent_limit(AT_ONCE),
        Err(wrong) => {
            trial.done("a factory for the net", Err(wrong));
            return None;
        }
    };
    let mut machines = Vec::new();
    let look = async || {
        machines = factory.scan().await.unwrap_or_default();
        machines.len() == twins.count
    };
    if !trial.until(&format!("{} found in {}", twins.count, twins.subnet()), look).await {
        trial.tell(format!("the last scan found {}", machines.len()));
        return None;
    }
    machines.sort_by_key(|machine| machine.get_ip());
    let addresses: Vec<IpAddr> = machines.iter().map(|it| it.get_ip()).collect();
    let wanted: Vec<IpAddr> =
        (1..=twins.count).map(|number| twins.address(number).into()).collect();
    trial.same("addresses", addresses, wanted);
    Some(machines)
}

/// Reads every field until the machine has hashed for some seconds, and holds what was read to what the kind is.
pub(crate) async fn read(trial: &mut Trial, kind: &Kind, machine: &dyn Miner) {
    let ip = machine.get_ip();
    let look = async || works(kind, machine).await;
    if !trial.until(&format!("{ip} works at its rate and complains of nothing"), look).await {
        return;
    }
    let data = machine.get_data().await;
    trial.lines_of(&data);

    let info = &data.device_info;
    trial.same("make", info.make.as_str(), "Antminer");
    trial.same("model", info.model.as_str(), kind.called);
    trial.same("firmware family", info.firmware.as_str(), "AntMiner Stock");
    trial.same("algorithm", info.algo.to_string().as_str(), "Scrypt");
    trial.hold("still what it was", machine.revalidate().await.unwrap_or(false), ip);
    whole(trial, kind, &data);
    trial.hold("hardware address", data.mac.is_some(), data.mac);
    trial.same("host name", data.hostname.as_deref(), Some("Antminer"));
    trial.hold("firmware version", data.firmware_version.is_some(), &data.firmware_version);
    trial.hold("API version", data.api_version.is_some(), &data.api_version);
    trial.hold("is mining", data.is_mining, data.is_mining);
    if !kind.old_dialect {
        boards(trial, kind, &data);
        trial.same("light", data.light_flashing, Some(false));
        trial.hold("uptime", data.uptime.is_some(), data.uptime);
        trial.hold(
            "control board",
            data.control_board_version.is_some(),
            &data.control_board_version,
        );
        let serial = data.serial_number.is_some();
        trial.same("serial number, where the release has one", serial, kind.firmware == "2024-05");
        trial.hold("no messages", data.messages.is_empty(), &data.messages);
    }
}

/// Rates: the machine's, and what it should be.
fn whole(trial: &mut Trial, kind: &Kind, data: &MinerData) {
    trial.hold("hash rate", is_near(kind, data.hashrate.as_ref(), 0.15), &data.hashrate);
    if !kind.old_dialect {
        let expected = &data.expected_hashrate;
        trial.hold("expected hash rate", is_near(kind, expected.as_ref(), 0.10), expected);
    }
}

/// Whether a rate differs from the kind's by less than a part of it.
fn is_near(kind: &Kind, rate: Option<&HashRate>, part: f64) -> bool {
    let ghs = rate.map(|rate| rate.clone().as_unit(HashRateUnit::GigaHash).value / kind.misread);
    ghs.is_some_and(|ghs| (ghs / kind.rate_ghs - 1.0).abs() < part)
}

/// Boards, chips, fans, temperatures.
fn boards(trial: &mut Trial, kind: &Kind, data: &MinerData) {
    let chips: u16 = kind.boards.iter().sum();
    trial.same("chips that should be", data.expected_chips, Some(chips));
    trial.same("chips that work", data.total_chips, Some(chips));
    let each: Vec<Option<u16>> = data.hashboards.iter().map(|board| board.working_chips).collect();
    trial.same("chips by board", each, kind.boards.iter().copied().map(Some).collect());
    let sum: f64 =
        data.hashboards.iter().filter_map(|board| board.hashrate.as_ref()).map(|it| it.value).sum();
    let rate = data.hashrate.as_ref().map_or(0.0, |rate| rate.value);
    trial.hold(
        "the boards' rates make the machine's",
        (sum / rate - 1.0).abs() < 0.05,
        (sum, rate),
    );
    let warm = |celsius: f64| (20.0..80.0).contains(&celsius);
    for board in &data.hashboards {
        let celsius = board.board_temperature.map(|it| it.as_celsius());
        trial.hold("temperature of a board", celsius.is_some_and(warm), celsius);
        let mhz = board.frequency.map(|it| it.as_megahertz());
        trial.hold("clock of a board", mhz.is_some_and(|mhz| mhz > 300.0), mhz);
        trial.same("a board is active", board.active, Some(true));
    }
    let rpm: Vec<f64> =
        data.fans.iter().filter_map(|fan| fan.rpm).map(|rpm| rpm.as_rpm()).collect();
    trial.same("fans", rpm.len(), kind.fans);
    trial.hold("fans turn", rpm.iter().all(|rpm| *rpm > 1000.0), rpm);
}

/// Whether it has one pool alive and active, its rate, and no more to say of the time before its first
/// job, when it had none.
async fn works(kind: &Kind, machine: &dyn Miner) -> bool {
    let data = machine.get_data().await;
    let pools = data.pools.iter().flat_map(|group| &group.pools);
    let active = pools.filter(|pool| pool.alive == Some(true) && pool.active == Some(true));
    let is_well = is_near(kind, data.hashrate.as_ref(), 0.15) && data.messages.is_empty();
    is_well && active.count() == 1
}

/// The accepted shares that a machine tells are those that the gateway counts.
pub(crate) async fn agrees(trial: &mut Trial, machine: &dyn Miner, worker: &str, pool: &Gateway) {
    let mut told = (0, 0);
    let look = async || {
        let counted = pool.shares().await.ok().and_then(|rows| rows.get(worker).copied());
        told = (accepted(machine).await, counted.unwrap_or(0));
        told.0 > 0 && told.0 == told.1
    };
    trial.until("the machine tells as many accepted shares as the gateway counts", look).await;
    trial.tell(format!("    {} told, {} counted for {worker}", told.0, told.1));
}

async fn accepted(machine: &dyn Miner) -> u64 {
    let groups = machine.get_pools().await;
    groups.iter().flat_map(|group| &group.pools).filter_map(|pool| pool.accepted_shares).sum()
}

impl Trial {
    /// What was read, as rows of the table.
    fn lines_of(&mut self, data: &MinerData) {
        let info = &data.device_info;
        let rate = |rate: &Option<HashRate>| {
            rate.as_ref().map_or("-".to_owned(), |rate| format!("{:.2} {}", rate.value, rate.unit))
        };
        let word = |word: Option<String>| word.unwrap_or_else(|| "-".to_owned());
        let count = |count: Option<u16>| word(count.map(|count| count.to_string()));
        let pool = data.pools.iter().flat_map(|group| &group.pools).next();
        let rpm: Vec<String> = data
            .fans
            .iter()
            .filter_map(|fan| fan.rpm)
            .map(|rpm| format!("{:.0}", rpm.as_rpm()))
            .collect();
        self.tell(format!(
            "{}  {} {} ({})  {} of {}  {} boards, {} of {} chips  {} °C  {} W  fans {}",
            data.ip,
            info.make,
            info.model,
            info.firmware,
            rate(&data.hashrate),
            rate(&data.expected_hashrate),
            data.hashboards.iter().filter(|board| board.active == Some(true)).count(),
            count(data.total_chips),
            count(data.expected_chips),
            word(data.average_temperature.map(|it| format!("{:.1}", it.as_celsius()))),
            word(data.wattage.map(|it| format!("{:.0}", it.as_watts()))),
            rpm.join(" "),
        ));
        self.tell(format!(
            "    {}  {}  {}  api {}  up {}  light {}  serial {}  board {}  mode {}  pool {} {} +{} -{}",
            word(data.mac.map(|mac| mac.to_string())),
            word(data.hostname.clone()),
            word(data.firmware_version.clone()),
            word(data.api_version.clone()),
            word(data.uptime.map(|up| format!("{} s", up.as_secs()))),
            word(data.light_flashing.map(|light| light.to_string())),
            word(data.serial_number.clone()),
            word(data.control_board_version.as_ref().map(|board| board.name.clone())),
            word(data.tuning_target.as_ref().map(|target| format!("{target:?}"))),
            word(pool.and_then(|pool| pool.url.as_ref()).map(|url| url.to_string())),
            word(pool.and_then(|pool| pool.user.clone())),
            pool.and_then(|pool| pool.accepted_shares).unwrap_or(0),
            pool.and_then(|pool| pool.rejected_shares).unwrap_or(0),
        ));
    }
}
