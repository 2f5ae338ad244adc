use std::{borrow::Cow, fmt, path::PathBuf, str::FromStr};

use sl_config::{Kind, Secret, Setting, Wrong};
use sl_upstream::Endpoint;
use thiserror::Error;

use crate::{model::Model, net::Subnet, physics::Environment, release::Release};

sl_config::setting_enum! {
    /// A model of a virtual machine.
    pub enum ModelName {
        /// Antminer L7, 9.5 GH/s.
        L7 = "l7",
        /// Antminer L9, 16 GH/s.
        L9 = "l9",
        /// Antminer L3+, 504 MH/s.
        L3Plus = "l3+",
    }
}

sl_config::setting_from_str! {
    /// A net of machines.
    pub struct SubnetSetting => Subnet, "ADDRESS/LENGTH, as in 127.7.0.0/22";
}

sl_config::setting_from_str! {
    /// A firmware release.
    pub struct ReleaseSetting => Release, "2022-01, 2022-11, 2023-01 or 2024-05";
}

sl_config::setting_from_str! {
    /// The two ports of a machine.
    pub struct PortsSetting => Ports, "the web port and the port of its program, as in 8080,4028";
}

sl_config::setting_from_str! {
    /// What a variant of a model is sold as.
    pub struct PlateSetting => Plate, "MH/S/WATTS of a variant of the model, as in 9050/3260";
}

/// A pool as machines dial it.
#[derive(Clone, Copy, Debug)]
pub struct PlainPool;

impl Setting for PlainPool {
    type Value = Endpoint;
    const KIND: Kind = Kind::Text;

    fn allowed() -> Cow<'static, str> {
        "stratum+tcp://HOST:PORT".into()
    }

    fn parse(text: &str) -> Result<Endpoint, Wrong> {
        let endpoint = text.parse::<Endpoint>().map_err(|wrong| Wrong::value(wrong.to_string()))?;
        if endpoint.tls() {
            let wrong = Wrong::value("the firmware of these machines speaks no TLS");
            return Err(wrong.hint("give the pool's port without TLS"));
        }
        Ok(endpoint)
    }
}

sl_config::settings! {
    /// Virtual machines: ASICs with their face on the network that really mine.
    pub struct MachinesSettings {
        /// How many.
        restart count: u16 = 12 in 0..=20000,
        /// Their addresses; the first machine has the second address.
        restart net: SubnetSetting = "127.77.0.0/22",
        /// Their model.
        restart model: ModelName = "l7",
        /// What they are sold as: rate in MH/s and watts. An L7 is one of 9500/3420, which none means,
        /// 9050/3260 and 9500/3425.
        restart nameplate: Option<PlateSetting>,
        /// The firmware of an L7; none is 2024-05. Other models have one firmware.
        restart firmware: Option<ReleaseSetting>,
        /// Temperature of the air that they draw in, °C.
        restart inlet: f64 = 25 in -40..=80,
        /// Where they stand, metres above the sea: thin air cools less.
        restart altitude: f64 = 0 in -500..=6000,
        /// Their ports; none is 80,4028, and in `silverlode up` 8080,4028 where port 80 needs a right
        /// that is not to be had.
        restart ports: Option<PortsSetting>,
        /// Let other computers reach them, on a net whose addresses this computer has. They have the
        /// maker's login, root with root, and no encryption.
        restart allow_lan: bool = false,
        /// The pool they are configured with; none is the gateway of this program, and for
        /// `silverlode twin` stratum+tcp://127.0.0.1:3333.
        restart pool: Option<PlainPool>,
        /// Their login there; {machine} is the end of a machine's address, as in 0x17.
        restart user: String = "farm.{machine}",
        /// Their password there.
        restart password: Secret = "x",
        /// Claimed hashes for each real one; none makes what this computer hashes into what the machines
        /// claim.
        restart scale: Option<f64> = none in 1..=1e15,
        /// Whether they have been on for a while when the program starts, or are switched on then and take
        /// their minutes.
        restart warm: bool = true,
        /// A folder in which they keep what is written to them, to hold again at the next start; none
        /// forgets it.
        restart keep: Option<PathBuf>,
        /// A file of what goes wrong with them, and when.
        restart scenario: Option<PathBuf>,
        /// Press the IP report button of each once it is up, so that software which listens on UDP port
        /// 14235 hears of it.
        restart report: bool = false,
    }
}

/// The ports of a machine: its web pages, and its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Web pages; 80 on a real one.
    pub http: u16,
    /// The mining program; 4028 on a real one.
    pub rpc: u16,
}

impl Ports {
    /// Those of a real machine.
    pub const REAL: Self = Self { http: 80, rpc: 4028 };
    /// Those that need no right.
    pub const FREE: Self = Self { http: 8080, rpc: 4028 };
}

/// A text that names no two ports.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("found {0:?}, allowed are two ports from 1 to 65535 that differ, as in 8080,4028")]
pub struct PortsError(String);

impl FromStr for Ports {
    type Err = PortsError;

    fn from_str(text: &str) -> Result<Self, PortsError> {
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        let ports = text.split_once(',').and_then(|(http, rpc)| Some((port(http)?, port(rpc)?)));
        match ports {
            Some((http, rpc)) if http != rpc => Ok(Self { http, rpc }),
            _ => Err(PortsError(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.http, self.rpc)
    }
}

/// What a variant of a model is sold as, as in `9050/3260`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plate {
    /// Nominal rate, megahashes per second.
    pub hashrate_mhs: u32,
    /// Power at the wall, watts.
    pub power_w: u32,
}

/// A text that names no nameplate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("found {0:?}, allowed are the MH/S/WATTS of a variant of the model, as in 9050/3260")]
pub struct PlateError(String);

impl FromStr for Plate {
    type Err = PlateError;

    fn from_str(text: &str) -> Result<Self, PlateError> {
        let read = || {
            let (rate, power) = text.split_once('/')?;
            let (hashrate_mhs, power_w) = (rate.trim().parse().ok()?, power.trim().parse().ok()?);
            Some(Self { hashrate_mhs, power_w })
        };
        read().ok_or_else(|| PlateError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Plate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.hashrate_mhs, self.power_w)
    }
}

impl ModelName {
    /// The model's row.
    #[must_use]
    pub fn model(self) -> &'static Model {
        let id = match self {
            Self::L7 => "antminer-l7",
            Self::L9 => "antminer-l9",
            Self::L3Plus => "antminer-l3plus",
        };
        Model::by_id(id).expect("each name has its row")
    }

    /// What its variants are sold as, the usual one first, as the catalogue has them.
    fn plates(self) -> impl Iterator<Item = Plate> {
        let rows = self.model().row().map_or(&[][..], |row| row.nameplates);
        rows.iter().map(|row| Plate {
            hashrate_mhs: row.hashrate_mhs.round() as u32,
            power_w: row.power_w.unwrap_or_default().round() as u32,
        })
    }
}

impl MachinesSettings {
    /// What no single setting can know, with the setting that is wrong.
    ///
    /// # Errors
    /// More machines than addresses; a net beyond this computer without the word for it; a user that
    /// many machines would share where the pool tells them apart by it is no error.
    pub fn check(&self) -> Result<(), (&'static str, Wrong)> {
        let (count, hosts) = (usize::from(self.count), self.net.hosts());
        if count > hosts {
            let wrong = format!(
                "{count} machines do not fit into {}, which has {hosts} addresses",
                self.net
            );
            let cure = format!("use a larger net, such as 127.7.0.0/16, or fewer: --count {hosts}");
            return Err(("machines.count", Wrong::value(wrong).hint(cure)));
        }
        if !self.net.is_loopback() && !self.allow_lan {
            let wrong = format!("{} is not of this computer alone", self.net);
            let cure = "use a net of 127.0.0.0/8, or set machines.allow_lan: other computers then reach \
                        machines with the login root/root and no encryption";
            return Err(("machines.net", Wrong::value(wrong).hint(cure)));
        }
        if let Some(firmware) = self.firmware.filter(|_| self.model != ModelName::L7) {
            let wrong =
                format!("{firmware} is a firmware of the l7, and the {} has one", self.model);
            return Err(("machines.firmware", Wrong::value(wrong).hint("leave it out")));
        }
        if let Some(plate) = self.nameplate.filter(|_| self.variant().is_none()) {
            let plates: Vec<String> = self.model.plates().map(|plate| plate.to_string()).collect();
            let wrong =
                format!("found {plate}, allowed of an {}: {}", self.model, plates.join(", "));
            return Err(("machines.nameplate", Wrong::value(wrong)));
        }
        Ok(())
    }

    /// Which of the catalogue's nameplates of the model, from 0; `None` where it has no such one.
    #[must_use]
    pub fn variant(&self) -> Option<usize> {
        match self.nameplate {
            None => Some(0),
            Some(wanted) => self.model.plates().position(|plate| plate == wanted),
        }
    }

    /// Their firmware.
    #[must_use]
    pub fn release(&self) -> Release {
        self.firmware.unwrap_or(Release::R202405)
    }

    /// Where they stand.
    #[must_use]
    pub const fn place(&self) -> Environment {
        Environment { inlet_c: self.inlet, altitude_m: self.altitude }
    }

    /// The login of a machine at the pool.
    #[must_use]
    pub fn user_of(&self, ip: std::net::Ipv4Addr) -> String {
        let [_, _, row, place] = ip.octets();
        self.user.replace("{machine}", &format!("{row}x{place}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut MachinesSettings), expect: Result<(), (&str, &str)>) {
        let mut settings = MachinesSettings::default();
        change(&mut settings);
        match (settings.check(), expect) {
            (Ok(()), Ok(())) => {}
            (Err((key, wrong)), Err((at, words))) => {
                assert_eq!(key, at);
                assert!(wrong.to_string().contains(words), "{wrong}");
            }
            (found, expect) => panic!("{found:?}, expected {expect:?}"),
        }
    }

    fn net(text: &str) -> Subnet {
        text.parse().expect("a net")
    }

    #[test]
    fn what_exclude_each_other() {
        assert!(sl_config::declaration_faults::<MachinesSettings>().is_empty());
        check(|_| {}, Ok(()));
        check(|it| it.count = 1022, Ok(()));
        check(|it| it.count = 1023, Err(("machines.count", "1022 addresses")));
        check(|it| it.net = net("10.0.0.0/24"), Err(("machines.net", "allow_lan")));
        check(|it| (it.net, it.allow_lan) = (net("10.0.0.0/24"), true), Ok(()));
        let firmware = |it: &mut MachinesSettings| it.firmware = Some(Release::R202201);
        check(firmware, Ok(()));
        for model in [ModelName::L9, ModelName::L3Plus] {
            check(|it| it.model = model, Ok(()));
            let both = |it: &mut MachinesSettings| {
                firmware(it);
                it.model = model;
            };
            check(both, Err(("machines.firmware", "has one")));
        }
        let plate = |text: &str| text.parse().map(Some).expect("a nameplate");
        check(|it| it.nameplate = plate("9050/3260"), Ok(()));
        let wrong = Err(("machines.nameplate", "9500/3420, 9050/3260, 9500/3425"));
        check(|it| it.nameplate = plate("9050/3420"), wrong);
    }

    #[test]
    fn a_pool_is_one_that_machines_can_dial() {
        let read = |text: &str| PlainPool::parse(text).map(|pool| pool.to_string());
        assert_eq!(read("127.0.0.1:3333").as_deref(), Ok("stratum+tcp://127.0.0.1:3333"));
        for (text, words) in [
            ("nonsense", "no port"),
            ("http://127.0.0.1:3333", "an unknown scheme"),
            ("stratum+ssl://pool.example:443", "no TLS"),
        ] {
            let wrong = read(text).expect_err(text).to_string();
            assert!(wrong.contains(words), "{wrong}");
        }
    }

    #[test]
    fn each_machine_has_its_name() {
        let settings = MachinesSettings::default();
        assert_eq!(settings.user_of([127, 7, 3, 17].into()), "farm.3x17");
        for name in [ModelName::L7, ModelName::L9, ModelName::L3Plus] {
            assert!(name.model().row().is_some(), "{name}");
        }
    }

    #[test]
    fn two_ports() {
        assert_eq!("8080, 4029".parse(), Ok(Ports { http: 8080, rpc: 4029 }));
        for wrong in ["80", "80,80", "0,4028", "80,70000", "a,b", ""] {
            assert!(wrong.parse::<Ports>().is_err(), "{wrong}");
        }
    }
}
