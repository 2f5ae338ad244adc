//! What a machine keeps, as a document for the disk.

use serde_json::{Value, json};
use thiserror::Error;

use crate::conf::{Conf, Kept, Network, POOLS, PoolConf};

/// Version of the document.
const VERSION: u64 = 1;

/// A document that is not what a machine keeps.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeptError {
    /// Of a version that is not known.
    #[error(
        "a machine's kept state is of version {}, allowed: {VERSION}, hint: remove the file to \
         begin anew",
        .0.map_or_else(|| "none".to_owned(), |version| version.to_string())
    )]
    Version(Option<u64>),
    /// A part is missing or of another kind.
    #[error("a machine's kept state lacks {0}, hint: remove the file to begin anew")]
    Lacks(&'static str),
}

impl Kept {
    /// The document.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Conf { pools, algo, fan_fixed, fan_pwm, freq, voltage, work_mode, written, freq_level } =
            &self.conf;
        let pool = |pool: &PoolConf| json!({"url": pool.url, "user": pool.user, "pass": pool.pass});
        let Network { mac, ip, netmask, dhcp, hostname, .. } = &self.network;
        let Network { conf_address, conf_netmask, conf_gateway, conf_dns, .. } = &self.network;
        json!({
            "version": VERSION,
            "conf": {
                "pools": pools.iter().map(pool).collect::<Vec<_>>(),
                "algo": algo,
                "fan_fixed": fan_fixed,
                "fan_pwm": fan_pwm,
                "freq": freq,
                "voltage": voltage,
                "work_mode": work_mode,
                "written": written,
                "freq_level": freq_level,
            },
            "network": {
                "mac": mac,
                "ip": ip.to_string(),
                "netmask": netmask.to_string(),
                "dhcp": dhcp,
                "hostname": hostname,
                "conf_address": conf_address,
                "conf_netmask": conf_netmask,
                "conf_gateway": conf_gateway,
                "conf_dns": conf_dns,
            },
            "login": self.login,
            "light": self.light,
        })
    }

    /// What a document says.
    ///
    /// # Errors
    /// It is of another version, or lacks a part.
    pub fn from_json(document: &Value) -> Result<Self, KeptError> {
        let version = document.get("version").and_then(Value::as_u64);
        if version != Some(VERSION) {
            return Err(KeptError::Version(version));
        }
        let conf = Part(document.get("conf"));
        let network = Part(document.get("network"));
        let mut pools: [PoolConf; POOLS] = Default::default();
        let found = conf.get("pools").and_then(Value::as_array);
        let found = found.ok_or(KeptError::Lacks("conf.pools"))?;
        for (pool, found) in pools.iter_mut().zip(found) {
            let found = Part(Some(found));
            *pool = PoolConf {
                url: found.text("url")?,
                user: found.text("user")?,
                pass: found.text("pass")?,
            };
        }
        Ok(Self {
            conf: Conf {
                pools,
                algo: conf.text("algo")?,
                fan_fixed: conf.flag("fan_fixed")?,
                fan_pwm: conf.text("fan_pwm")?,
                freq: conf.text("freq")?,
                voltage: conf.text("voltage")?,
                work_mode: conf
                    .get("work_mode")
                    .and_then(Value::as_u64)
                    .and_then(|mode| u8::try_from(mode).ok())
                    .ok_or(KeptError::Lacks("conf.work_mode"))?,
                written: conf.flag("written")?,
                freq_level: conf.text("freq_level")?,
            },
            network: Network {
                mac: network.text("mac")?,
                ip: network.address("ip")?,
                netmask: network.address("netmask")?,
                dhcp: network.flag("dhcp")?,
                hostname: network.text("hostname")?,
                conf_address: network.text("conf_address")?,
                conf_netmask: network.text("conf_netmask")?,
                conf_gateway: network.text("conf_gateway")?,
                conf_dns: network.text("conf_dns")?,
            },
            login: document.get("login").and_then(Value::as_str).map(str::to_owned),
            light: Part(Some(document)).flag("light")?,
        })
    }
}

/// A part of the document.
#[derive(Clone, Copy)]
struct Part<'a>(Option<&'a Value>);

impl<'a> Part<'a> {
    fn get(self, key: &str) -> Option<&'a Value> {
        self.0?.get(key)
    }

    fn text(self, key: &'static str) -> Result<String, KeptError> {
        let text = self.get(key).and_then(Value::as_str);
        text.map(str::to_owned).ok_or(KeptError::Lacks(key))
    }

    fn flag(self, key: &'static str) -> Result<bool, KeptError> {
        self.get(key).and_then(Value::as_bool).ok_or(KeptError::Lacks(key))
    }

    fn address(self, key: &'static str) -> Result<std::net::Ipv4Addr, KeptError> {
        self.text(key)?.parse().map_err(|_| KeptError::Lacks(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;

    fn kept() -> Kept {
        let model = Model::by_id("antminer-l7").expect("in the table");
        let mut conf = Conf::factory(model);
        conf.pools[1].url = "stratum+tcp://pool:3333 \"quoted\"".to_owned();
        conf.work_mode = 3;
        let network = Network::factory(7, [127, 7, 0, 9].into());
        Kept { conf, network, login: Some("ab12".to_owned()), light: true }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = kept().to_json().to_string();
        let read = serde_json::from_str(&text).expect("a document");
        assert_eq!(Kept::from_json(&read), Ok(kept()));
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let whole = kept().to_json();
        let without = |path: &[&str]| {
            let mut damaged = whole.clone();
            let (last, way) = path.split_last().expect("a path");
            let part = way.iter().fold(&mut damaged, |part, key| &mut part[*key]);
            part.as_object_mut().expect("a map").remove(*last);
            Kept::from_json(&damaged)
        };
        assert_eq!(without(&["version"]), Err(KeptError::Version(None)));
        assert_eq!(without(&["conf", "pools"]), Err(KeptError::Lacks("conf.pools")));
        assert_eq!(without(&["conf", "fan_pwm"]), Err(KeptError::Lacks("fan_pwm")));
        assert_eq!(without(&["network", "ip"]), Err(KeptError::Lacks("ip")));
        assert_eq!(without(&["light"]), Err(KeptError::Lacks("light")));
        assert_eq!(without(&["login"]).map(|kept| kept.login), Ok(None));
        for other in [json!(null), json!([1]), json!({"version": 2}), json!("x")] {
            assert!(Kept::from_json(&other).is_err());
        }
    }
}
