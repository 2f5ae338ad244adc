//! A scenario: what goes wrong in a farm, when, at which machine; from a file, by chance, or both.

use std::time::Duration;

use fastrand::Rng;
use sl_config::{Check, Problems, Wrong};
use sl_scenario::{Arrivals, Span, Timeline, derive};

use crate::fault::{Fault, Sensor};
use crate::model::Model;

pub use crate::fault::FaultKind;

/// The most random events a machine may have in a day.
const MOST_PER_DAY: f64 = 1000.0;

impl FaultKind {
    /// The keys of an event that mean something to it, besides when and where.
    #[must_use]
    pub const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::DeadChip => &["board", "chip"],
            Self::DyingBoard => &["board", "every"],
            Self::BoardLost => &["board"],
            Self::SensorStuck => &["board", "sensor"],
            Self::SensorAbsurd => &["board", "sensor", "shows"],
            Self::FanSlow => &["fan", "share"],
            Self::FanLost => &["fan"],
            Self::PowerSag | Self::NonceErrors | Self::BadShares => &["share"],
            Self::HotRoom => &["rise"],
            Self::SlowWeb => &["delay"],
            Self::RebootLoop => &["every"],
            Self::HijackedPool => &["url", "user"],
            Self::NetworkLost
            | Self::WebHangs
            | Self::WrongPassword
            | Self::DamagedJson
            | Self::ReportPressed => &[],
        }
    }
}

sl_config::settings! {
    /// Something that goes wrong.
    pub struct EventSettings without Default {
        /// When it begins, since the start.
        restart at: Duration,
        /// How long it lasts; none: to the end.
        restart lasts: Option<Duration>,
        /// At which machine, counted from 0; none: at all of them.
        restart machine: Option<u32> = none in 0..=19999,
        /// What goes wrong.
        restart fault: FaultKind,
        /// Which board, counted from 0.
        restart board: u8 = 0 in 0..=3,
        /// Which chip of the board, counted from 0.
        restart chip: u16 = 0 in 0..=511,
        /// Which fan, counted from 0.
        restart fan: u8 = 0 in 0..=3,
        /// Which sensor of the board.
        restart sensor: Sensor = "pcb-outlet",
        /// What the sensor tells, °C.
        restart shows: i32 = 255 in -300..=1000,
        /// Share of the fan's speed, of the supply's voltage, or of the nonces or shares that are bad.
        restart share: Option<f64>,
        /// By how much the room is hotter, kelvin.
        restart rise: f64 = 20 in -40..=60,
        /// How long each web reply is held back.
        restart delay: Duration = "5s" in "1ms"..="10m",
        /// From one chip to the next, or from one restart to the next.
        restart every: Duration = "5m" in "1s"..="1d",
        /// The thief's pool.
        restart url: String = "stratum+tcp://pool.thief.invalid:3333",
        /// The thief's login.
        restart user: String = "thief.1",
    }
}

sl_config::settings! {
    /// A scenario file.
    pub struct ScenarioSettings {
        /// How long it is.
        restart length: Duration = "24h" in "1s"..="31d",
        /// Where it is played at full speed, somebody restarts a machine that a protection has
        /// stopped after so long; 0s: nobody does.
        restart restarts_after: Duration = "0s" in "0s"..="31d",
        /// Random faults of each machine in a day, in the mean.
        restart random_per_day: f64 = 0 in 0..=1000,
        /// What goes wrong for certain.
        list events: EventSettings,
    }
}

/// What goes wrong in a farm.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    settings: ScenarioSettings,
}

impl Scenario {
    /// A scenario file; the name is that of its errors.
    ///
    /// # Errors
    /// All that is wrong in it, with places.
    pub fn read(name: &str, text: &str) -> Result<Self, Problems> {
        let loaded = sl_config::load(sl_config::Layers::new().file(name, text))?;
        let settings = loaded.read_with(check)?;
        Ok(Self { settings })
    }

    /// Faults by chance alone: so many a day at each machine, in the mean.
    #[must_use]
    pub fn random(length: Duration, per_day: f64) -> Self {
        let random_per_day = if per_day > 0.0 { per_day.min(MOST_PER_DAY) } else { 0.0 };
        let settings = ScenarioSettings { length, random_per_day, ..ScenarioSettings::default() };
        Self { settings }
    }

    /// How long it is.
    #[must_use]
    pub const fn length(&self) -> Duration {
        self.settings.length
    }

    /// How long after a protection has stopped a machine somebody restarts it; `None`: never.
    #[must_use]
    pub fn restarts_after(&self) -> Option<Duration> {
        Some(self.settings.restarts_after).filter(|after| !after.is_zero())
    }

    /// Machines that it names: one more than the highest.
    #[must_use]
    pub fn machines(&self) -> usize {
        let named = self.settings.events.iter().filter_map(|event| event.machine);
        named.max().map_or(0, |highest| highest as usize + 1)
    }

    /// What goes wrong in a farm of so many machines of a model; the subject of a span is the
    /// machine. The seed rules the random faults, each machine's apart from the others'.
    #[must_use]
    pub fn timeline(&self, model: &Model, machines: usize, seed: u64) -> Timeline<Fault> {
        let mut spans = Vec::new();
        for event in &self.settings.events {
            let fault = fault(event);
            let subjects = match event.machine {
                Some(one) => one as usize..(one as usize).saturating_add(1).min(machines),
                None => 0..machines,
            };
            let lasts = if fault.is_instant() { Some(Duration::ZERO) } else { event.lasts };
            for subject in subjects {
                spans.push(Span::new(event.at, lasts, subject, fault.clone()));
            }
        }
        let (per_day, length) = (self.settings.random_per_day, self.settings.length);
        for machine in 0..machines {
            let seed = derive(seed, machine as u64);
            let mut rng = Rng::with_seed(derive(seed, 1));
            for at in Arrivals::new(seed, per_day, length) {
                let fault = drawn(model, &mut rng);
                spans.push(Span::new(at, Some(lasting(&mut rng)), machine, fault));
            }
        }
        Timeline::new(spans)
    }
}

/// What no single setting can know: keys that mean nothing to a fault, shares.
fn check(settings: &ScenarioSettings, check: &mut Check<'_>) {
    const KEYS: [&str; 12] = [
        "board", "chip", "fan", "sensor", "shows", "share", "rise", "delay", "every", "url",
        "user", "lasts",
    ];
    for (at, event) in settings.events.iter().enumerate() {
        let known = event.fault.keys();
        let instant = fault(event).is_instant();
        let means = |key: &str| known.contains(&key) || key == "lasts" && !instant;
        for key in KEYS.iter().filter(|key| !means(key)) {
            let path = format!("events[{at}].{key}");
            if check.layer(&path).is_some() {
                let why = format!("{key} means nothing to {}", event.fault);
                let hint = match known {
                    [] => "remove the line".to_owned(),
                    known => format!("remove the line; {} reads {}", event.fault, known.join(", ")),
                };
                check.refuse(&path, Wrong::value(why).hint(hint));
            }
        }
        if let Some(share) = event.share
            && !(0.0..=1.0).contains(&share)
        {
            let why = format!("found {share}, allowed: 0 to 1");
            check.refuse(&format!("events[{at}].share"), Wrong::range(why));
        }
    }
}

/// The fault of an event.
fn fault(event: &EventSettings) -> Fault {
    let (board, fan) = (usize::from(event.board), usize::from(event.fan));
    let (sensor, every) = (event.sensor, event.every);
    let share = |usual: f64| event.share.unwrap_or(usual);
    match event.fault {
        FaultKind::DeadChip => Fault::DeadChip { board, chip: usize::from(event.chip) },
        FaultKind::DyingBoard => Fault::DyingBoard { board, every },
        FaultKind::BoardLost => Fault::BoardLost { board },
        FaultKind::SensorStuck => Fault::SensorStuck { board, sensor },
        FaultKind::SensorAbsurd => Fault::SensorAbsurd { board, sensor, shows_c: event.shows },
        FaultKind::FanSlow => Fault::FanSlow { fan, share: share(0.7) },
        FaultKind::FanLost => Fault::FanLost { fan },
        FaultKind::PowerSag => Fault::PowerSag { share: share(0.9) },
        FaultKind::HotRoom => Fault::HotRoom { rise_k: event.rise },
        FaultKind::NonceErrors => Fault::NonceErrors { share: share(0.05) },
        FaultKind::BadShares => Fault::BadShares { share: share(0.05) },
        FaultKind::NetworkLost => Fault::NetworkLost,
        FaultKind::SlowWeb => Fault::SlowWeb { delay: event.delay },
        FaultKind::WebHangs => Fault::WebHangs,
        FaultKind::RebootLoop => Fault::RebootLoop { every },
        FaultKind::WrongPassword => Fault::WrongPassword,
        FaultKind::HijackedPool => {
            Fault::HijackedPool { url: event.url.clone(), user: event.user.clone() }
        }
        FaultKind::DamagedJson => Fault::DamagedJson,
        FaultKind::ReportPressed => Fault::ReportPressed,
    }
}

/// How long a random fault lasts: from five minutes to five hours, short ones oftener.
fn lasting(rng: &mut Rng) -> Duration {
    Duration::from_secs((300.0 * 60f64.powf(rng.f64())) as u64)
}

/// A random fault. The weights are assumed: chips and sensors fail oftener than supplies.
fn drawn(model: &Model, rng: &mut Rng) -> Fault {
    let board = rng.usize(..model.boards.max(1));
    let chip = rng.usize(..model.chips.max(1));
    let fan = rng.usize(..model.fans.max(1));
    let sensor = rng.choice(Sensor::ALL).unwrap_or(Sensor::PcbOutlet);
    match rng.u32(..100) {
        0..16 => Fault::DeadChip { board, chip },
        16..20 => Fault::DyingBoard { board, every: Duration::from_secs(60 * rng.u64(2..30)) },
        20..26 => Fault::BoardLost { board },
        26..34 => Fault::SensorStuck { board, sensor },
        34..38 => Fault::SensorAbsurd { board, sensor, shows_c: rng.i32(-80..300) },
        38..46 => Fault::FanSlow { fan, share: 0.4 + 0.5 * rng.f64() },
        46..50 => Fault::FanLost { fan },
        50..56 => Fault::PowerSag { share: 0.75 + 0.2 * rng.f64() },
        56..66 => Fault::HotRoom { rise_k: 5.0 + 30.0 * rng.f64() },
        66..73 => Fault::NonceErrors { share: 0.2 * rng.f64() },
        73..76 => Fault::BadShares { share: 0.2 * rng.f64() },
        76..84 => Fault::NetworkLost,
        84..89 => Fault::SlowWeb { delay: Duration::from_millis(rng.u64(500..15_000)) },
        89..92 => Fault::WebHangs,
        92..95 => Fault::RebootLoop { every: Duration::from_secs(rng.u64(60..600)) },
        95..97 => Fault::WrongPassword,
        97 => Fault::HijackedPool {
            url: "stratum+tcp://pool.thief.invalid:3333".to_owned(),
            user: "thief.1".to_owned(),
        },
        _ => Fault::DamagedJson,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn l7() -> &'static Model {
        Model::by_id("antminer-l7").expect("in the table")
    }

    fn check(text: &str, expect: &[(u64, usize, &str)]) {
        let scenario = Scenario::read("day.yaml", text).expect("a scenario");
        let timeline = scenario.timeline(l7(), 2, 1);
        let found: Vec<_> = timeline
            .spans()
            .iter()
            .map(|span| (span.start.as_secs(), span.subject, span.effect.to_string()))
            .collect();
        let found: Vec<_> =
            found.iter().map(|(at, who, what)| (*at, *who, what.as_str())).collect();
        assert_eq!(found, expect);
    }

    fn refused(text: &str, expect: &str) {
        let problems = Scenario::read("day.yaml", text).expect_err("refused").to_string();
        assert!(problems.contains(expect), "{problems}");
    }

    #[test]
    fn files_are_read_with_all_their_faults() {
        check("", &[]);
        check(
            "events:\n- {at: 10m, lasts: 1h, machine: 1, fault: fan-lost, fan: 2}\n\
             - {at: 1h, fault: sensor-absurd, board: 1, shows: -3}\n\
             - {at: 1h, machine: 7, fault: damaged-json}\n",
            &[
                (600, 1, "fan-lost (fan 2)"),
                (3600, 0, "sensor-absurd (board 1, pcb-outlet shows -3 °C)"),
                (3600, 1, "sensor-absurd (board 1, pcb-outlet shows -3 °C)"),
            ],
        );
    }

    #[test]
    fn what_means_nothing_is_refused() {
        refused(
            "events:\n- {at: 1m, fault: fan-lost, board: 1}\n",
            "board means nothing to fan-lost",
        );
        refused("events:\n- {at: 1m, fault: fan-slow, share: 2}\n", "found 2, allowed: 0 to 1");
        refused("events:\n- {at: 1m, fault: fan-gone}\n", "fan-lost");
        refused(
            "events:\n- {at: 1m, lasts: 1m, fault: report-pressed}\n",
            "lasts means nothing to report-pressed",
        );
        refused("events:\n- {fault: fan-lost}\n", "at: missing");
        refused("events:\n- {at: 1s, machine: 20000, fault: fan-lost}\n", "events[0].machine");
        refused("lenght: 1h\n", "did you mean");
    }

    #[test]
    fn every_kind_makes_the_fault_of_its_name() {
        let text = |kind: FaultKind| format!("events: [{{at: 1s, fault: {kind}}}]");
        let kinds = <FaultKind as sl_config::Setting>::KIND;
        let sl_config::Kind::Words(words) = kinds else { unreachable!("a word") };
        for word in words {
            let kind = <FaultKind as sl_config::Setting>::parse(word).expect("its own word");
            let scenario = Scenario::read("one.yaml", &text(kind)).expect("a scenario");
            let timeline = scenario.timeline(l7(), 1, 1);
            assert_eq!(timeline.spans()[0].effect.name(), *word);
        }
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed() {
        let day = Scenario::random(24 * HOUR, 3.0);
        let spans = |machines, seed| day.timeline(l7(), machines, seed).spans().to_vec();
        let all = spans(200, 7);
        assert!((450..750).contains(&all.len()), "{}", all.len());
        assert_eq!(all, spans(200, 7));
        assert_ne!(all, spans(200, 8));
        // A machine more or less changes nothing for the others.
        assert_eq!(spans(100, 7), all.into_iter().filter(|s| s.subject < 100).collect::<Vec<_>>());
    }
}
