//! What somebody tells the machine to do.

use sl_units::Mono;

use super::{Applied, Machine, factory};
use crate::conf::{Command, Conf, ConfChange, Network, NetworkChange, POOLS, PoolChange, PoolConf};
use crate::release::Release;

impl Machine {
    /// Somebody tells the machine to do something. A restart takes the configuration as it then
    /// is; the network configuration is shown and takes no effect.
    pub fn command(&mut self, command: Command, now: Mono) -> Applied {
        self.step(now);
        match command {
            Command::SetConf(change) => self.set_conf(*change),
            Command::Reload => {
                self.generation += 1;
                Applied::Reloaded
            }
            Command::Reboot => {
                self.boot();
                Applied::Rebooting
            }
            Command::ResetConf => {
                let Network { mac, ip, netmask, .. } = self.kept.network.clone();
                self.kept.conf = factory(self.spec.model, &self.plant);
                self.kept.network =
                    Network { mac, ip, netmask, ..Network::factory(self.spec.seed, ip) };
                (self.kept.login, self.kept.light) = (None, false);
                self.boot();
                Applied::Rebooting
            }
            Command::Blink(light) => {
                self.kept.light = light;
                Applied::Kept
            }
            Command::Passwd(secret) => {
                self.kept.login = Some(secret);
                Applied::Kept
            }
            Command::SetNetwork(change) => {
                set_network(&mut self.kept.network, *change);
                Applied::Kept
            }
            Command::PressReport if self.press_report() => Applied::Report,
            Command::PressReport => Applied::Kept,
        }
    }

    fn set_conf(&mut self, change: ConfChange) -> Applied {
        let old = self.kept.conf.clone();
        change_conf(&mut self.kept.conf, change, self.spec.release);
        if self.kept.conf.work_mode != old.work_mode {
            if self.restart() {
                self.say("work mode changed, restart godminer");
            }
            return Applied::Restarting;
        }
        self.reload(&old.pools);
        Applied::Reloaded
    }

    /// The pools are read again.
    pub(super) fn reload(&mut self, old: &[PoolConf; POOLS]) {
        self.generation += 1;
        self.pools.reload(old, &self.kept.conf.pools, self.generation);
    }

    /// Whether the button does anything: not while the control board starts, nor off the network.
    pub(super) fn press_report(&mut self) -> bool {
        let heard = self.reachable();
        self.reports += u64::from(heard);
        heard
    }
}

fn change_conf(conf: &mut Conf, change: ConfChange, release: Release) {
    for (pool, change) in conf.pools.iter_mut().zip(change.pools) {
        change_pool(pool, change);
    }
    conf.algo = change.algo.unwrap_or_else(|| "ltc".to_owned());
    replace(&mut conf.fan_fixed, change.fan_fixed);
    replace(&mut conf.fan_pwm, change.fan_pwm);
    replace(&mut conf.freq_level, change.freq_level);
    replace(&mut conf.work_mode, change.work_mode.filter(|mode| release.modes().contains(mode)));
    conf.written = true;
}

fn change_pool(pool: &mut PoolConf, change: PoolChange) {
    replace(&mut pool.url, change.url);
    replace(&mut pool.user, change.user);
    replace(&mut pool.pass, change.pass);
}

fn set_network(network: &mut Network, change: NetworkChange) {
    replace(&mut network.hostname, change.hostname);
    replace(&mut network.dhcp, change.dhcp);
    replace(&mut network.conf_address, change.address);
    replace(&mut network.conf_netmask, change.netmask);
    replace(&mut network.conf_gateway, change.gateway);
    replace(&mut network.conf_dns, change.dns);
}

/// What was not sent stays.
fn replace<T>(place: &mut T, sent: Option<T>) {
    if let Some(sent) = sent {
        *place = sent;
    }
}
