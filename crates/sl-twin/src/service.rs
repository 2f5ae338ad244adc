use std::time::Duration;

use sl_ports::{Clock, Randomness};
use sl_pow::Registry;
use sl_scenario::{Span, derive};
use sl_stratum::Password;
use sl_supervise::{Ctx, ServiceError};
use sl_units::{HashRate, Mono};
use tokio::sync::watch;

use self::crew::Crew;
use crate::{
    Fault, MachineHandle, MachinesSettings, Model,
    conf::PoolConf,
    farm::{FarmStatus, Keeper},
    machine::{Machine, Spec},
    net::{Door, DoorError, Subnet},
    settings::Ports,
};

mod crew;
pub(crate) mod tell;

/// How long a machine that starts warm has been on: long enough for its chips and its fans.
const WARM: Duration = Duration::from_secs(600);
/// What machines are made from, with their address.
const MAKE: u64 = 0x5c12_17a5;
/// The part of the engine that the machines' rates are made for; the rest is for what else the
/// computer does, so that machines do not seem to hash too little.
const HEADROOM: f64 = 0.85;

/// What a farm is made from.
#[derive(Debug, Clone)]
pub struct FarmPlan {
    /// The settings.
    pub settings: MachinesSettings,
    /// The pool of machines whose settings name none, as in `stratum+tcp://127.0.0.1:3333`.
    pub pool: String,
    /// Its password.
    pub password: Password,
    /// Threads that hash for the machines.
    pub threads: usize,
    /// What these threads hash together.
    pub engine_rate: HashRate,
    /// Whether other ports may be taken where those of real machines need a right.
    pub may_move: bool,
    /// What goes wrong, from the start of the program.
    pub faults: Vec<Span<Fault>>,
}

impl FarmPlan {
    /// The machines' model.
    #[must_use]
    pub fn model(&self) -> &'static Model {
        self.settings.model.model()
    }

    /// What all machines claim together by their nameplates.
    #[must_use]
    pub fn claimed(&self) -> HashRate {
        let variant = self.settings.variant().unwrap_or_default();
        let plate = self.model().row().and_then(|row| row.nameplates.get(variant));
        let each = plate.map_or(0.0, |plate| plate.hashrate_mhs * 1e6);
        HashRate::from_hs(each * f64::from(self.settings.count))
    }

    /// Claimed hashes for each real one: as set, or so that the engine can make them.
    ///
    /// ```text
    ///            machines × nameplate
    ///  scale = ─────────────────────────
    ///            engine rate × headroom
    /// ```
    #[must_use]
    pub fn scale(&self) -> f64 {
        let real = self.engine_rate.hs() * HEADROOM;
        let own = if real > 0.0 { self.claimed().hs() / real } else { 1.0 };
        self.settings.scale.unwrap_or(own).max(1.0)
    }
}

impl MachinesSettings {
    /// The machines as they are made, without faults. `pool` is for settings that name none.
    #[must_use]
    pub fn specs(&self, pool: &str, password: &str) -> Vec<Spec> {
        let count = usize::from(self.count);
        (0..count).map_while(|number| self.spec(number, pool, password)).collect()
    }

    /// The machine at a place of the net, from 0; `None` beyond the net. The one at an address is the
    /// same at each start: its chips, its hardware address, its serial numbers.
    #[must_use]
    pub fn spec(&self, number: usize, pool: &str, password: &str) -> Option<Spec> {
        let ip = self.net.host(number)?;
        let pool = PoolConf {
            url: self.pool.as_ref().map_or_else(|| pool.to_owned(), ToString::to_string),
            user: self.user_of(ip),
            pass: password.to_owned(),
        };
        let seed = derive(MAKE, u64::from(ip.to_bits()));
        Some(Spec {
            netmask: self.net.mask(),
            pools: vec![pool],
            variant: self.variant().unwrap_or_default(),
            place: self.place(),
            already_on: if self.warm { WARM } else { Duration::ZERO },
            ..Spec::new(self.model.model(), self.release(), seed, ip)
        })
    }
}

/// A farm of virtual machines. [`Twins::run`] is the service.
///
/// ```text
///  callers ─▶ doors ─▶ faces ──commands──▶ Farm (machines, stepped) ──plans──▶ clients ─▶ pools
///                        ▲────readings───────┘       │ rates                   │   ▲
///                                                    ▼                    jobs ▼   │ shares
///                                                  Engine (dealer, threads) ───────┘
/// ```
#[derive(Debug, Clone)]
pub struct Twins {
    plan: FarmPlan,
    registry: Registry,
    algorithm: &'static str,
    clock: Clock,
    randomness: Randomness,
    status: watch::Sender<FarmStatus>,
    handles: watch::Sender<Vec<MachineHandle>>,
}

impl Twins {
    /// A farm that will hash with the engines of `algorithm`.
    #[must_use]
    pub fn new(
        plan: FarmPlan,
        registry: Registry,
        algorithm: &'static str,
        clock: Clock,
        randomness: Randomness,
    ) -> Self {
        let total = usize::from(plan.settings.count);
        let scale = plan.scale();
        let (status, _) = watch::channel(FarmStatus { total, scale, ..FarmStatus::default() });
        let (handles, _) = watch::channel(Vec::new());
        Self { plan, registry, algorithm, clock, randomness, status, handles }
    }

    /// How many they are, what, and where.
    #[must_use]
    pub fn who(&self) -> (u16, &'static str, Subnet) {
        let MachinesSettings { count, net, .. } = self.plan.settings;
        (count, self.plan.model().reported, net)
    }

    /// How the machines fare, made anew each second.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<FarmStatus> {
        self.status.subscribe()
    }

    /// The machines, once they are there.
    #[must_use]
    pub fn machines(&self) -> watch::Receiver<Vec<MachineHandle>> {
        self.handles.subscribe()
    }

    /// Runs the machines until told to stop.
    ///
    /// # Errors
    /// Ports that cannot be had, no right engine, no thread.
    pub async fn run(self, ctx: Ctx) -> Result<(), ServiceError> {
        let (doors, unheard) = self.doors().await?;
        let made = self.clock.mono();
        let machines = self.machines_of(made).await?;
        let mut crew = Crew::of(&self, made, machines, doors, ctx.stop_token().child_token());
        self.announce();
        match unheard {
            Some(why) => ctx.degraded(why),
            None => ctx.ready(),
        }
        let outcome = tokio::select! {
            () = ctx.stopped() => Ok(()),
            wrong = crew.failed() => Err(wrong),
        };
        crew.leave().await;
        self.handles.send_replace(Vec::new());
        outcome
    }

    /// Tries the ports that the machines will be called at, and lets go of them again.
    ///
    /// # Errors
    /// The first that cannot be had, with the cure. None where the machines may do without.
    pub async fn try_ports(&self) -> Result<(), DoorError> {
        self.doors().await.map(drop)
    }

    /// Makes the machines, as of `now`. What they have lived through before takes its time, on a thread of its
    /// own.
    async fn machines_of(&self, now: Mono) -> Result<Vec<Machine>, ServiceError> {
        let FarmPlan { settings, pool, password, .. } = &self.plan;
        let mut specs = settings.specs(pool, password.reveal());
        for span in &self.plan.faults {
            if let Some(spec) = specs.get_mut(span.subject) {
                spec.faults.push(span.clone());
            }
        }
        let keeper = self.keeper();
        let make = move || {
            let machine = |spec: Spec| {
                let ip = spec.ip;
                let mut machine = Machine::new(spec, now);
                match keeper.as_ref().map(|keeper| keeper.read(ip)).transpose() {
                    Ok(kept) => kept.flatten().into_iter().for_each(|kept| machine.restore(kept)),
                    Err(wrong) => tracing::warn!(%wrong, "a machine is as from the factory"),
                }
                machine
            };
            specs.into_iter().map(machine).collect()
        };
        Ok(tokio::task::spawn_blocking(make).await?)
    }

    fn keeper(&self) -> Option<Keeper> {
        self.plan.settings.keep.as_deref().map(Keeper::new)
    }

    /// The doors for the web and for the program, and what is wrong with them. Where other ports may
    /// be taken those of real machines are tried first, then the free ones; machines that have none
    /// still mine.
    async fn doors(&self) -> Result<(Vec<Door>, Option<String>), DoorError> {
        let set = self.plan.settings.ports;
        let opened = self.open(set.unwrap_or(Ports::REAL)).await;
        let wrong = match opened {
            Err(wrong) if self.plan.may_move => wrong,
            opened => return Ok((opened?.into(), None)),
        };
        if set.is_none()
            && let Ok(doors) = self.open(Ports::FREE).await
        {
            tracing::warn!(ports = %Ports::FREE, "the machines are called at other ports: {wrong}");
            return Ok((doors.into(), None));
        }
        Ok((Vec::new(), Some(format!("the machines mine, and nobody can call them: {wrong}"))))
    }

    async fn open(&self, ports: Ports) -> Result<[Door; 2], DoorError> {
        let (net, count) = (self.plan.settings.net, usize::from(self.plan.settings.count));
        Ok([Door::open(net, count, ports.http).await?, Door::open(net, count, ports.rpc).await?])
    }

    fn announce(&self) {
        let ((count, model, net), scale) = (self.who(), self.plan.scale());
        tracing::info!(count, model, %net, scale, "virtual machines");
        if !net.is_loopback() {
            tracing::warn!(
                %net,
                "virtual machines answer to other computers, with the maker's login and without \
                 encryption: simulations for tests, not machines"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_what_their_settings_say_and_where() {
        let settings = MachinesSettings {
            count: 7,
            net: "127.7.1.0/29".parse().expect("a net"),
            inlet: 35.0,
            altitude: 1600.0,
            nameplate: "9050/3260".parse().ok(),
            ..MachinesSettings::default()
        };
        let specs = settings.specs("stratum+tcp://127.0.0.1:3333", "x");
        assert_eq!(specs.len(), 6, "no further than the net");
        let spec = specs.last().expect("the sixth").clone();
        assert_eq!((spec.place.inlet_c, spec.place.altitude_m), (35.0, 1600.0));
        assert_eq!(spec.pools[0].user, "farm.1x6");
        let machine = Machine::new(spec, Mono::default());
        let readings = machine.readings(Mono::default());
        assert_eq!(readings.network.netmask.to_string(), "255.255.255.248");
        assert_eq!(readings.rate_ideal.to_string(), "9.05 GH/s");
        assert!((machine.truth().inlet_c - 35.0).abs() < 0.1);
    }
}
