//! A scenario played at full speed: no network, a pool that always answers, as fast as it computes.

use std::fmt;
use std::time::Duration;

use sl_scenario::{Edge, Timeline};
use sl_units::Mono;

use crate::conf::Command;
use crate::fault::Fault;
use crate::machine::{Machine, PoolEvent, Spec, Truth};
use crate::plot::{Sample, Shade, Trace};
use crate::readings::{Light, State, Status, Stop};
use crate::scenario::Scenario;

/// Points of a trace.
const POINTS: u64 = 1440;

/// Something that happened in a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, since the start.
    pub at: Duration,
    /// At which machine.
    pub machine: usize,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A fault begins.
    Begins(Fault),
    /// A fault ends.
    Ends(Fault),
    /// Something that is over at once.
    Happens(Fault),
    /// The machine is in another state.
    State(State),
    /// Somebody restarts a machine that a protection has stopped.
    Restarted,
    /// A light of the summary goes bad, with its message.
    Complains {
        /// `rate`, `network`, `fans` or `temp`.
        light: &'static str,
        /// What it says.
        message: &'static str,
    },
    /// A light of the summary is good again.
    Clears {
        /// Which.
        light: &'static str,
    },
}

impl What {
    /// Its name in data: `fault-begins`, `fault-ends`, `happens`, `state`, `restarted`, `complains`,
    /// `clears`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Begins(_) => "fault-begins",
            Self::Ends(_) => "fault-ends",
            Self::Happens(_) => "happens",
            Self::State(_) => "state",
            Self::Restarted => "restarted",
            Self::Complains { .. } => "complains",
            Self::Clears { .. } => "clears",
        }
    }

    /// What it is about, for people.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Begins(fault) | Self::Ends(fault) | Self::Happens(fault) => fault.to_string(),
            Self::State(state) => state_name(*state).to_owned(),
            Self::Restarted => "by hand".to_owned(),
            Self::Complains { light, message } => format!("{light}: {message}"),
            Self::Clears { light } => (*light).to_owned(),
        }
    }
}

/// As in `02:10:30  machine 3  fault-begins  fan-lost (fan 2)`.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_secs();
        let (hours, minutes, seconds) = (at / 3600, at / 60 % 60, at % 60);
        let (machine, name, detail) = (self.machine, self.what.name(), self.what.detail());
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}  machine {machine}  {name:<12}  {detail}")
    }
}

/// A state's name in data.
#[must_use]
pub const fn state_name(state: State) -> &'static str {
    match state {
        State::Booting => "booting",
        State::Starting => "starting",
        State::Mining => "mining",
        State::Asleep => "asleep",
        State::WaitsForPool => "waits-for-pool",
        State::Stopped(Stop::OverTemperature) => "stopped-over-temperature",
        State::Stopped(Stop::UnderTemperature) => "stopped-under-temperature",
        State::Stopped(Stop::Sensor) => "stopped-sensor",
        State::Stopped(Stop::Fan) => "stopped-fan",
        State::Stopped(Stop::NoBoards) => "stopped-no-boards",
        State::Stopped(Stop::Power) => "stopped-power",
    }
}

/// A scenario played on machines.
#[derive(Debug)]
pub struct Day {
    length: Duration,
    restarts_after: Option<Duration>,
    timeline: Timeline<Fault>,
    /// Those that are played, by their numbers.
    machines: Vec<(usize, Played)>,
}

#[derive(Debug)]
struct Played {
    machine: Machine,
    /// The generation whose pool answers.
    connected: Option<u64>,
    /// Seconds since a protection stopped it.
    stopped: u64,
    state: State,
    status: Status,
    trace: Vec<Sample>,
}

impl Day {
    /// The scenario on these machines; their own faults are replaced by the scenario's.
    #[must_use]
    pub fn new(scenario: &Scenario, specs: Vec<Spec>, seed: u64) -> Self {
        let timeline = match specs.first() {
            Some(spec) => scenario.timeline(spec.model, specs.len(), seed),
            None => Timeline::default(),
        };
        Self::of(scenario, timeline, specs.into_iter().enumerate())
    }

    /// The scenario on one of its machines, counted from 0, without the others.
    #[must_use]
    pub fn alone(scenario: &Scenario, machine: usize, spec: Spec, seed: u64) -> Self {
        let all = scenario.timeline(spec.model, machine.saturating_add(1), seed);
        let own = Timeline::new(all.of(machine).spans().to_vec());
        Self::of(scenario, own, [(machine, spec)])
    }

    fn of(
        scenario: &Scenario,
        timeline: Timeline<Fault>,
        specs: impl IntoIterator<Item = (usize, Spec)>,
    ) -> Self {
        let machines = specs.into_iter().map(|(at, spec)| {
            let faults = timeline.of(at).spans().to_vec();
            (at, Played::new(Machine::new(Spec { faults, ..spec }, Mono::default())))
        });
        let machines = machines.collect();
        let (length, restarts_after) = (scenario.length(), scenario.restarts_after());
        Self { length, restarts_after, timeline, machines }
    }

    /// Plays it to its end. What happens goes to `tell`, in order; what each machine did comes
    /// back, machine by machine.
    pub fn play(mut self, mut tell: impl FnMut(Event)) -> Vec<Trace> {
        let length = self.length.as_secs();
        let every = (length / POINTS).max(1);
        for second in 1..=length {
            let at = Duration::from_secs(second);
            for passed in self.timeline.advance(at) {
                let fault = passed.span.effect.clone();
                let what = match passed.edge {
                    Edge::Start if fault.is_instant() => What::Happens(fault),
                    Edge::End if fault.is_instant() => continue,
                    Edge::Start => What::Begins(fault),
                    Edge::End => What::Ends(fault),
                };
                tell(Event { at, machine: passed.span.subject, what });
            }
            for (machine, played) in &mut self.machines {
                let (machine, patience) = (*machine, self.restarts_after);
                played.second(second, patience, |what| tell(Event { at, machine, what }));
                if second.is_multiple_of(every) {
                    played.trace.push(sample(at, played.machine.truth()));
                }
            }
        }
        let length = self.length;
        let timeline = &self.timeline;
        let traces = self.machines.into_iter().map(|(machine, played)| Trace {
            title: format!("{}, machine {machine}", played.machine.model().reported),
            length,
            samples: played.trace,
            shades: shades(timeline, machine, length),
        });
        traces.collect()
    }
}

impl Played {
    /// A machine that has been on for a while has had its pool all the time.
    fn new(mut machine: Machine) -> Self {
        let now = Mono::default();
        let output = machine.step(now);
        if output.wants_pool {
            machine.pool(0, PoolEvent::Active, now);
        }
        let connected = output.wants_pool.then_some(output.generation);
        let (state, status) = (machine.state(), machine.status());
        Self { machine, connected, stopped: 0, state, status, trace: Vec::new() }
    }

    fn second(&mut self, second: u64, patience: Option<Duration>, mut tell: impl FnMut(What)) {
        let now = Mono::from_start(Duration::from_secs(second));
        let stopped = matches!(self.machine.state(), State::Stopped(_));
        self.stopped = if stopped { self.stopped + 1 } else { 0 };
        if stopped && patience.is_some_and(|patience| self.stopped >= patience.as_secs()) {
            tell(What::Restarted);
            self.machine.command(Command::Reboot, now);
        }
        let output = self.machine.step(now);
        let wanted = (output.reachable && output.wants_pool).then_some(output.generation);
        if wanted.is_some() && wanted != self.connected {
            self.machine.pool(0, PoolEvent::Active, now);
        }
        self.connected = wanted;
        self.compare(tell);
    }

    /// Tells what shows otherwise than a second ago.
    fn compare(&mut self, mut tell: impl FnMut(What)) {
        let (state, status) = (self.machine.state(), self.machine.status());
        if state != self.state {
            tell(What::State(state));
        }
        let lights = [
            ("rate", self.status.rate, status.rate),
            ("network", self.status.network, status.network),
            ("fans", self.status.fans, status.fans),
            ("temp", self.status.temp, status.temp),
        ];
        for (light, before, after) in lights {
            match (before, after) {
                (Light::Good, Light::Bad { message, .. }) => {
                    tell(What::Complains { light, message });
                }
                (Light::Bad { .. }, Light::Good) => tell(What::Clears { light }),
                _ => {}
            }
        }
        (self.state, self.status) = (state, status);
    }
}

fn sample(at: Duration, truth: Truth) -> Sample {
    let Truth { power_w, inlet_c, chip_c, board_c, hash_rate, .. } = truth;
    Sample { at, power_w, inlet_c, chip_c, board_c, hash_rate }
}

/// The faults of a machine, as far as the day goes.
fn shades(timeline: &Timeline<Fault>, machine: usize, length: Duration) -> Vec<Shade> {
    let lasts = |span: &&sl_scenario::Span<Fault>| {
        span.subject == machine && span.start < length && !span.effect.is_instant()
    };
    let own = timeline.spans().iter().filter(lasts);
    let shade = |span: &sl_scenario::Span<Fault>| Shade {
        from: span.start,
        to: span.end.unwrap_or(length).min(length),
        label: span.effect.name().to_owned(),
    };
    own.map(shade).collect()
}

#[cfg(test)]
mod tests {
    use sl_config::{Kind, Setting};

    use super::*;
    use crate::model::Model;
    use crate::release::Release;
    use crate::scenario::FaultKind;

    const BAD_DAY: &str = include_str!("../../../examples/scenarios/bad-day.yaml");

    fn play(seed: u64) -> (Vec<Event>, Vec<Trace>) {
        let scenario = Scenario::read("bad-day.yaml", BAD_DAY).expect("a scenario");
        let model = Model::by_id("antminer-l7").expect("in the table");
        let specs = (0..scenario.machines() as u64).map(|at| Spec {
            already_on: Duration::from_secs(600),
            ..Spec::new(model, Release::R202405, at, [127, 7, 0, 1].into())
        });
        let mut events = Vec::new();
        let traces = Day::new(&scenario, specs.collect(), seed).play(|event| events.push(event));
        (events, traces)
    }

    #[test]
    fn a_bad_day_is_the_same_each_time() {
        let (events, traces) = play(7);
        assert!(events.is_sorted_by_key(|event| event.at));
        assert_eq!(traces.len(), 3);
        assert!(traces.iter().all(|trace| trace.samples.len() == 1440));
        let text: Vec<String> = events.iter().map(ToString::to_string).collect();
        let Kind::Words(kinds) = <FaultKind as Setting>::KIND else { unreachable!("words") };
        for kind in kinds {
            assert!(text.iter().any(|line| line.contains(kind)), "{kind}: one of everything");
        }
        // What must come of what the file says, whatever chance adds: hour, machine, what.
        for (hour, machine, what) in [
            ("01:20", 0, "dead-chip (board 1, chip 42)"),
            ("05:", 1, "rate: Rate is lower than ideal rate"),
            ("05:0", 2, "network: Can not connect to pool"),
            ("05:2", 2, "waits-for-pool"),
            ("05:40", 2, "starting"),
            ("09:00", 0, "hijacked-pool"),
            ("13:", 1, "stopped-over-temperature"),
            ("16:0", 2, "stopped-fan"),
            ("17:00", 0, "stopped-sensor"),
            ("17:3", 1, "rate: Rate is lower than ideal rate"),
            ("08:00", 2, "happens       report-pressed"),
            ("17:00", 0, "temp: Temp is too low"),
            ("21:", 0, "booting"),
        ] {
            let machine = format!("machine {machine} ");
            let found = text.iter().any(|line| {
                line.starts_with(hour) && line.contains(&machine) && line.contains(what)
            });
            assert!(found, "{hour} {machine} {what} in:\n{}", text.join("\n"));
        }
        assert!(events.iter().all(|event| event.at >= Duration::from_secs(600)), "a quiet start");
        assert_eq!((events, traces), play(7));
    }

    #[test]
    fn a_machine_alone_has_the_day_that_it_has_among_others() {
        let scenario = Scenario::random(Duration::from_secs(7200), 24.0);
        let model = Model::by_id("antminer-l7").expect("in the table");
        let spec = |at| Spec::new(model, Release::R202405, at, [127, 7, 0, 1].into());
        let mut all = Vec::new();
        let traces = Day::new(&scenario, (0..3).map(spec).collect(), 7).play(|it| all.push(it));
        all.retain(|event| event.machine == 1);
        let mut own = Vec::new();
        let alone = Day::alone(&scenario, 1, spec(1), 7).play(|event| own.push(event));
        assert!(!own.is_empty());
        assert_eq!((own, alone.first()), (all, traces.get(1)));
    }
}
