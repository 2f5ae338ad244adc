//! A machine on the bench: its pool, its clock, its faults; what it shows and what it is.

use super::*;
use crate::conf::{Command, ConfChange};
use crate::readings::{Light, Readings, State};

mod any;
mod counts;
mod ills;
mod life;
mod nominal;

const MINUTE: u64 = 60;

fn l7() -> &'static Model {
    Model::by_id("antminer-l7").expect("in the table")
}

/// A machine with a pool that answers as long as it is told.
struct Bench {
    machine: Machine,
    second: u64,
    pool: bool,
}

impl Bench {
    fn cold(spec: Spec) -> Self {
        Self { machine: Machine::new(spec, Mono::default()), second: 0, pool: true }
    }

    /// One that has been hashing for a quarter of an hour.
    fn warm(model: &'static Model, release: Release, faults: Vec<Span<Fault>>) -> Self {
        let spec = Spec::new(model, release, 7, [127, 7, 0, 1].into());
        Self::cold(Spec { already_on: Duration::from_secs(15 * MINUTE), faults, ..spec })
    }

    fn l7() -> Self {
        Self::warm(l7(), Release::R202405, Vec::new())
    }

    fn now(&self) -> Mono {
        Mono::from_start(Duration::from_secs(self.second))
    }

    fn run(&mut self, seconds: u64) -> &mut Self {
        for _ in 0..seconds {
            self.second += 1;
            let event = if self.pool { PoolEvent::Active } else { PoolEvent::Dead };
            self.machine.pool(0, event, self.now());
            self.machine.step(self.now());
        }
        self
    }

    fn tell(&mut self, command: Command) -> Applied {
        self.machine.command(command, self.now())
    }

    fn mode(&mut self, mode: u8) -> Applied {
        let change = ConfChange { work_mode: Some(mode), ..ConfChange::default() };
        self.tell(Command::SetConf(Box::new(change)))
    }

    fn readings(&self) -> Readings {
        self.machine.readings(self.now())
    }

    fn state(&self) -> State {
        self.machine.state()
    }

    fn watts(&self) -> f64 {
        self.machine.truth().power_w
    }
}

#[track_caller]
fn near(found: f64, wanted: f64, share: f64) {
    assert!((found / wanted - 1.0).abs() <= share, "found {found}, wanted {wanted}");
}

fn bad(light: Light) -> bool {
    light != Light::Good
}
