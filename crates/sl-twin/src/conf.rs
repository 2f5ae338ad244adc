//! What a machine keeps: its configuration as the firmware stores it, and what a write does to it.

use std::net::Ipv4Addr;

use crate::model::Model;

/// Pools in the configuration.
pub const POOLS: usize = 3;

/// The configuration file of the mining program. Numbers that the firmware keeps as texts are
/// texts here: it stores what it is sent and makes sense of it when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conf {
    /// The pools, the first preferred.
    pub pools: [PoolConf; POOLS],
    /// `algo`, `ltc`.
    pub algo: String,
    /// `bitmain-fan-ctrl`: the fans run at `fan_pwm`, not as the control loop wants.
    pub fan_fixed: bool,
    /// `bitmain-fan-pwm`, percent.
    pub fan_pwm: String,
    /// `bitmain-freq`, MHz; no call writes it.
    pub freq: String,
    /// `bitmain-voltage`, hundredths of a volt; no call writes it.
    pub voltage: String,
    /// `bitmain-work-mode`: 0 normal, 1 sleep, 3 low power.
    pub work_mode: u8,
    /// Whether the file was written since the factory's: newer releases then hold the mode as an
    /// integer, not a text.
    pub written: bool,
    /// `bitmain-freq-level`, percent of the frequency.
    pub freq_level: String,
}

/// One pool of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PoolConf {
    /// Address, as written.
    pub url: String,
    /// Login.
    pub user: String,
    /// Password for the pool.
    pub pass: String,
}

/// What `set_miner_conf` was sent; what is `None` keeps its value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfChange {
    /// Pools by place; a part that is `None` was not sent.
    pub pools: [PoolChange; POOLS],
    /// `algo`; when it is not sent the factory's value comes back.
    pub algo: Option<String>,
    /// `bitmain-fan-ctrl`.
    pub fan_fixed: Option<bool>,
    /// `bitmain-fan-pwm`.
    pub fan_pwm: Option<String>,
    /// `miner-mode`; one that the release does not know is ignored.
    pub work_mode: Option<u8>,
    /// `freq-level`.
    pub freq_level: Option<String>,
}

/// What was sent for one pool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PoolChange {
    /// Address.
    pub url: Option<String>,
    /// Login.
    pub user: Option<String>,
    /// Password for the pool.
    pub pass: Option<String>,
}

/// The network configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Hardware address, as in `02:11:22:33:44:55`.
    pub mac: String,
    /// The address that it answers at.
    pub ip: Ipv4Addr,
    /// Its net's mask.
    pub netmask: Ipv4Addr,
    /// Whether the configuration asks for an address by DHCP.
    pub dhcp: bool,
    /// Host name.
    pub hostname: String,
    /// Configured fixed address, empty with DHCP; takes effect never: a virtual machine stays where
    /// its listener is.
    pub conf_address: String,
    /// Configured mask.
    pub conf_netmask: String,
    /// Configured gateway.
    pub conf_gateway: String,
    /// Configured name servers.
    pub conf_dns: String,
}

/// What a write changes in the network configuration; what is `None` keeps its value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NetworkChange {
    /// Host name.
    pub hostname: Option<String>,
    /// DHCP or a fixed address.
    pub dhcp: Option<bool>,
    /// Fixed address.
    pub address: Option<String>,
    /// Mask.
    pub netmask: Option<String>,
    /// Gateway.
    pub gateway: Option<String>,
    /// Name servers.
    pub dns: Option<String>,
}

/// What somebody tells a machine to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Write the configuration; the same mode reloads the pools, another one restarts the mining
    /// program.
    SetConf(Box<ConfChange>),
    /// Read the pools again.
    Reload,
    /// Restart the control board.
    Reboot,
    /// Put the factory's configuration back, and restart.
    ResetConf,
    /// Blink the light, or stop it.
    Blink(bool),
    /// Change the login: the new digest secret (MD5 of `user:realm:password`, hexadecimal).
    Passwd(String),
    /// Write the network configuration.
    SetNetwork(Box<NetworkChange>),
    /// The IP report button is pressed.
    PressReport,
}

/// What a machine keeps over a restart of the program that simulates it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The configuration.
    pub conf: Conf,
    /// The network configuration.
    pub network: Network,
    /// The digest secret, where it was changed.
    pub login: Option<String>,
    /// Whether the light blinks.
    pub light: bool,
}

impl Conf {
    /// The fan command, percent; what is no number counts as full.
    #[must_use]
    pub fn fan_pwm_percent(&self) -> f64 {
        percent(&self.fan_pwm).unwrap_or(100.0)
    }

    /// The share of the frequency, 0.65 to 1; what is no number counts as 1.
    #[must_use]
    pub fn freq_share(&self) -> f64 {
        percent(&self.freq_level).unwrap_or(100.0).max(65.0) / 100.0
    }
}

fn percent(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    number.is_finite().then(|| number.clamp(0.0, 100.0))
}

impl Conf {
    /// The configuration of a machine fresh from the factory.
    #[must_use]
    pub fn factory(model: &Model) -> Self {
        Self {
            pools: std::array::from_fn(|_| PoolConf::default()),
            algo: "ltc".to_owned(),
            fan_fixed: false,
            fan_pwm: "100".to_owned(),
            freq: format!("{:.0}", model.freq_mhz),
            voltage: format!("{:.0}", model.voltage_v * 100.0),
            work_mode: 0,
            written: false,
            freq_level: "100".to_owned(),
        }
    }
}

impl Network {
    /// The network configuration of a machine fresh from the factory: a local hardware address
    /// from the seed, DHCP.
    #[must_use]
    pub fn factory(seed: u64, ip: Ipv4Addr) -> Self {
        let [a, b, c, d, e, ..] = fastrand::Rng::with_seed(seed).u64(..).to_be_bytes();
        Self {
            mac: format!("02:{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}"),
            ip,
            netmask: Ipv4Addr::new(255, 255, 255, 0),
            dhcp: true,
            hostname: "Antminer".to_owned(),
            conf_address: String::new(),
            conf_netmask: String::new(),
            conf_gateway: String::new(),
            conf_dns: String::new(),
        }
    }
}
