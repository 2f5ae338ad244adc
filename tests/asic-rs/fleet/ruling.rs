//! What asic-rs changes, each seen again when it is read anew.

use std::time::Duration;

use asic_rs::MinerFactory;
use asic_rs::core::config::fan::FanConfig;
use asic_rs::core::config::tuning::TuningConfig;
use asic_rs::core::data::firmware::FirmwareImage;
use asic_rs::core::data::miner::{MiningMode, TuningTarget};
use asic_rs::core::traits::miner::MinerAuth;
use tokio::time::sleep;

use crate::kinds::Kind;
use crate::programs::Gateway;
use crate::reading::Machine;
use crate::trial::Trial;

/// Light, fans, login, pools, sleep. `pools` are the gateway that it mines for and the other.
pub(crate) async fn ruled(
    trial: &mut Trial,
    kind: &Kind,
    machine: &mut Machine,
    worker: &str,
    pools: (&Gateway, &Gateway),
) {
    light(trial, machine).await;
    fans(trial, machine).await;
    login(trial, machine).await;
    another_pool(trial, machine, worker, pools).await;
    sleeps(trial, kind, machine, worker, pools.1).await;
}

async fn light(trial: &mut Trial, machine: &Machine) {
    for light in [true, false] {
        trial.done(&format!("the light set to {light}"), machine.set_fault_light(light).await);
        trial.same("light when read again", machine.get_light_flashing().await, Some(light));
    }
}

/// Fixed at full speed the fans turn faster; then they are let go again.
async fn fans(trial: &mut Trial, machine: &Machine) {
    let before = slowest_fan(machine).await;
    trial.done("fans fixed at 100 %", machine.set_fan_config(FanConfig::manual(100)).await);
    let found = machine.get_fan_config().await.ok();
    trial.same("fans when read again", found, Some(FanConfig::manual(100)));
    let full = async || slowest_fan(machine).await > before * 1.05;
    trial.until("they turn faster", full).await;
    trial.done("fans let go", machine.set_fan_config(FanConfig::auto(60.0, None)).await);
    let free = matches!(machine.get_fan_config().await, Ok(FanConfig::Auto { .. }));
    trial.hold("fans free when read again", free, free);
}

async fn slowest_fan(machine: &Machine) -> f64 {
    let fans = machine.get_fans().await;
    fans.iter().filter_map(|fan| fan.rpm).map(|rpm| rpm.as_rpm()).fold(f64::INFINITY, f64::min)
}

/// Another password: the old one is refused, the new one good; then the old one again.
async fn login(trial: &mut Trial, machine: &mut Machine) {
    let ip = machine.get_ip();
    trial.done("another password", machine.change_password("silver").await);
    let found = MinerFactory::new().get_miner(ip).await;
    let refused = matches!(found, Ok(None));
    trial.hold("with the old password nothing is found", refused, ());
    let factory = MinerFactory::new()
        .with_firmware_discovery_auth_by_name("AntMiner Stock", MinerAuth::new("root", "silver"));
    let found = match factory {
        Ok(factory) => matches!(factory.get_miner(ip).await, Ok(Some(_))),
        Err(_) => false,
    };
    trial.hold("with the new one it is", found, ());
    trial.done("the first password again", machine.change_password("root").await);
}

/// The first pool becomes the other gateway: shares arrive there and stop here.
async fn another_pool(
    trial: &mut Trial,
    machine: &Machine,
    worker: &str,
    (old, new): (&Gateway, &Gateway),
) {
    let some = async || shares(old, worker).await >= 3;
    trial.until("shares arrive at the first pool", some).await;
    let mut config = match machine.get_pools_config().await {
        Ok(config) => config,
        Err(wrong) => {
            trial.done("the pools are read", Err(wrong));
            return;
        }
    };
    let Some(first) = config.first_mut().and_then(|group| group.pools.first_mut()) else {
        return trial.hold("a first pool", false, config);
    };
    first.url.port = new.port();
    trial.done("another pool set", machine.set_pools_config(config).await);
    let active = async || {
        let groups = machine.get_pools().await;
        groups.iter().flat_map(|group| &group.pools).any(|pool| {
            let port = pool.url.as_ref().map(|url| url.port);
            pool.active == Some(true) && pool.alive == Some(true) && port == Some(new.port())
        })
    };
    trial.until("it is alive and active", active).await;
    let before = shares(old, worker).await;
    let arrive = async || shares(new, worker).await >= 5;
    trial.until("shares arrive at the other pool", arrive).await;
    trial.same("shares at the first pool since", shares(old, worker).await, before);
}

async fn shares(pool: &Gateway, worker: &str) -> u64 {
    let rows = pool.shares().await.unwrap_or_default();
    rows.get(worker).copied().unwrap_or(0)
}

/// Pause and resume: the configuration, the rate and the shares follow.
async fn sleeps(trial: &mut Trial, kind: &Kind, machine: &Machine, worker: &str, pool: &Gateway) {
    trial.done("pause", machine.pause(None).await);
    let asleep = async || {
        let data = machine.get_data().await;
        let still = data.hashrate.is_some_and(|rate| rate.value == 0.0);
        still && data.tuning_target.is_none()
    };
    trial.until("asleep when read again", asleep).await;
    let mining = machine.get_is_mining().await;
    trial.same("asic-rs takes it for mining", mining, !kind.sleep_is_seen);
    let before = shares(pool, worker).await;
    sleep(Duration::from_secs(5)).await;
    trial.same("shares of one that sleeps", shares(pool, worker).await, before);

    trial.done("resume", machine.resume(None).await);
    trial.until("mining when read again", async || machine.get_is_mining().await).await;
    let arrive = async || shares(pool, worker).await > before;
    trial.until("it starts and sends shares", arrive).await;
    let mode = machine.get_tuning_config().await.ok().and_then(|config| config.target_mode());
    trial.same("mode", mode, Some(MiningMode::Normal));
}

/// Work modes, log, restart, a firmware file (of which a virtual machine takes no more than that it
/// came), the factory's settings.
pub(crate) async fn restarted(trial: &mut Trial, kind: &Kind, machine: &Machine) {
    let low = if kind.low_power { MiningMode::Low } else { MiningMode::Normal };
    let asked =
        [(MiningMode::Low, low), (MiningMode::High, low), (MiningMode::Normal, MiningMode::Normal)];
    for (mode, wanted) in asked {
        let config = TuningConfig::new(TuningTarget::MiningMode(mode));
        trial
            .done(&format!("mode {mode} asked for"), machine.set_tuning_config(config, None).await);
        let found = machine.get_tuning_config().await.ok().and_then(|config| config.target_mode());
        trial.same("mode when read again", found, Some(wanted));
    }
    let log = machine.read_logs().await.unwrap_or_default();
    trial.hold("the log has lines", log.lines().count() > 2, log);

    // The page answers with plain text, which asic-rs takes for a failure.
    let told = machine.restart().await.ok();
    trial.same("a restart is told as asic-rs tells it of real ones", told, Some(false));
    comes_back(trial, machine, "restarts").await;

    let before = machine.get_firmware_version().await;
    let image = FirmwareImage { filename: "firmware.tar.gz".to_owned(), bytes: vec![7; 100_000] };
    trial.done("a firmware file", machine.upgrade_firmware(image).await);
    comes_back(trial, machine, "restarts with it").await;
    trial.same("firmware after that", machine.get_firmware_version().await, before);

    trial.done("the factory's settings", machine.factory_reset().await);
    comes_back(trial, machine, "starts with the factory's settings").await;
    let pools = machine.get_pools_config().await.unwrap_or_default();
    let left = pools.iter().map(|group| group.pools.len()).sum::<usize>();
    trial.same("pools after that", left, 0);
}

async fn comes_back(trial: &mut Trial, machine: &Machine, what: &str) {
    let there = async || machine.revalidate().await.unwrap_or(false);
    trial.until(&format!("it {what}: gone"), async || !there().await).await;
    trial.until("it is back", there).await;
    let young = async || {
        let data = machine.get_data().await;
        data.uptime.is_some_and(|up| up < Duration::from_secs(150))
    };
    trial.until("its program began anew", young).await;
}
