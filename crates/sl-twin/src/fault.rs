//! What goes wrong with a machine.

use std::fmt;
use std::time::Duration;

use sl_scenario::derive;

use crate::physics::Board;

/// Something that goes wrong, from the start of its span to the end: then it is as before, as if
/// somebody had put it right. A machine finds its boards when its mining program starts: one that
/// was not found, or not whole, stays out of use until the next start. Places beyond what the model
/// has do nothing.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// The cores of a chip stop: it answers on its chain and computes nothing.
    DeadChip {
        /// Slot of the board, from 0.
        board: usize,
        /// Place in the chain, from 0.
        chip: usize,
    },
    /// The chips of a board stop one after another and do not answer any more.
    DyingBoard {
        /// Slot of the board.
        board: usize,
        /// Time from one chip to the next.
        every: Duration,
    },
    /// A board has no power and no connection.
    BoardLost {
        /// Slot of the board.
        board: usize,
    },
    /// A sensor tells for ever what it told when the fault began.
    SensorStuck {
        /// Slot of the board.
        board: usize,
        /// Which of the board's.
        sensor: Sensor,
    },
    /// A sensor tells what it is told.
    SensorAbsurd {
        /// Slot of the board.
        board: usize,
        /// Which of the board's.
        sensor: Sensor,
        /// What it tells, °C.
        shows_c: i32,
    },
    /// A fan turns at a share of the speed that it is told.
    FanSlow {
        /// Place of the fan, from 0.
        fan: usize,
        /// The share.
        share: f64,
    },
    /// A fan stands still.
    FanLost {
        /// Place of the fan.
        fan: usize,
    },
    /// The power supply gives a share of its voltage.
    PowerSag {
        /// The share.
        share: f64,
    },
    /// The air that the machine draws in becomes hotter, within minutes.
    HotRoom {
        /// By how much, kelvin.
        rise_k: f64,
    },
    /// A share of the nonces is bad, on top of those of the chips.
    NonceErrors {
        /// The share.
        share: f64,
    },
    /// The machine does not check what it sends: a share of its shares misses the target, and the
    /// pool refuses them.
    BadShares {
        /// The share.
        share: f64,
    },
    /// The machine is off the network.
    NetworkLost,
    /// Each web reply is held back.
    SlowWeb {
        /// For so long.
        delay: Duration,
    },
    /// Web requests are taken and never answered.
    WebHangs,
    /// The control board restarts again and again.
    RebootLoop {
        /// Time from one restart to the next.
        every: Duration,
    },
    /// Somebody has changed the password.
    WrongPassword,
    /// Somebody has put his own pool and login before the owner's.
    HijackedPool {
        /// His pool.
        url: String,
        /// His login there.
        user: String,
    },
    /// Replies come damaged, as real units send them.
    DamagedJson,
    /// Somebody presses the report button: no fault, and over at once.
    ReportPressed,
}

sl_config::setting_enum! {
    /// The kinds of faults.
    pub enum FaultKind {
        /// The cores of a chip stop.
        DeadChip = "dead-chip",
        /// The chips of a board stop one after another.
        DyingBoard = "dying-board",
        /// A board has no power and no connection.
        BoardLost = "board-lost",
        /// A sensor tells for ever what it told.
        SensorStuck = "sensor-stuck",
        /// A sensor tells what it is told.
        SensorAbsurd = "sensor-absurd",
        /// A fan is slower than it is told.
        FanSlow = "fan-slow",
        /// A fan stands still.
        FanLost = "fan-lost",
        /// The supply does not hold its voltage.
        PowerSag = "power-sag",
        /// The air becomes hotter.
        HotRoom = "hot-room",
        /// Bad nonces.
        NonceErrors = "nonce-errors",
        /// Shares that miss the target are sent.
        BadShares = "bad-shares",
        /// Off the network.
        NetworkLost = "network-lost",
        /// Web replies are held back.
        SlowWeb = "slow-web",
        /// Web requests are never answered.
        WebHangs = "web-hangs",
        /// The control board restarts again and again.
        RebootLoop = "reboot-loop",
        /// The password was changed.
        WrongPassword = "wrong-password",
        /// A thief's pool is put before the owner's.
        HijackedPool = "hijacked-pool",
        /// Replies come damaged.
        DamagedJson = "damaged-json",
        /// Somebody presses the report button.
        ReportPressed = "report-pressed",
    }
}

sl_config::setting_enum! {
    /// A temperature sensor of a board; it stands for a pair.
    #[derive(Hash)]
    pub enum Sensor {
        /// Beside the board's controller, where the air comes in.
        PicInlet = "pic-inlet",
        /// Beside the board's controller, where the air leaves.
        PicOutlet = "pic-outlet",
        /// On the printed board, where the air comes in.
        PcbInlet = "pcb-inlet",
        /// On the printed board, where the air leaves.
        PcbOutlet = "pcb-outlet",
        /// At the chips, where the air comes in.
        ChipInlet = "chip-inlet",
        /// At the chips, where the air leaves.
        ChipOutlet = "chip-outlet",
    }
}

impl Sensor {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::PicInlet,
        Self::PicOutlet,
        Self::PcbInlet,
        Self::PcbOutlet,
        Self::ChipInlet,
        Self::ChipOutlet,
    ];
}

impl Fault {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> FaultKind {
        match self {
            Self::DeadChip { .. } => FaultKind::DeadChip,
            Self::DyingBoard { .. } => FaultKind::DyingBoard,
            Self::BoardLost { .. } => FaultKind::BoardLost,
            Self::SensorStuck { .. } => FaultKind::SensorStuck,
            Self::SensorAbsurd { .. } => FaultKind::SensorAbsurd,
            Self::FanSlow { .. } => FaultKind::FanSlow,
            Self::FanLost { .. } => FaultKind::FanLost,
            Self::PowerSag { .. } => FaultKind::PowerSag,
            Self::HotRoom { .. } => FaultKind::HotRoom,
            Self::NonceErrors { .. } => FaultKind::NonceErrors,
            Self::BadShares { .. } => FaultKind::BadShares,
            Self::NetworkLost => FaultKind::NetworkLost,
            Self::SlowWeb { .. } => FaultKind::SlowWeb,
            Self::WebHangs => FaultKind::WebHangs,
            Self::RebootLoop { .. } => FaultKind::RebootLoop,
            Self::WrongPassword => FaultKind::WrongPassword,
            Self::HijackedPool { .. } => FaultKind::HijackedPool,
            Self::DamagedJson => FaultKind::DamagedJson,
            Self::ReportPressed => FaultKind::ReportPressed,
        }
    }

    /// Its name in scenario files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind().word()
    }

    /// Whether it is over as soon as it has begun.
    #[must_use]
    pub const fn is_instant(&self) -> bool {
        matches!(self, Self::ReportPressed)
    }
}

/// As in `fan-lost (fan 2)`. Places are counted from 0, as in replies.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::DeadChip { board, chip } => write!(f, " (board {board}, chip {chip})"),
            Self::DyingBoard { board, every } => {
                write!(f, " (board {board}, a chip every {} s)", every.as_secs_f64())
            }
            Self::BoardLost { board } => write!(f, " (board {board})"),
            Self::SensorStuck { board, sensor } => write!(f, " (board {board}, {sensor})"),
            Self::SensorAbsurd { board, sensor, shows_c } => {
                write!(f, " (board {board}, {sensor} shows {shows_c} °C)")
            }
            Self::FanSlow { fan, share } => write!(f, " (fan {fan} at {:.0} %)", share * 100.0),
            Self::FanLost { fan } => write!(f, " (fan {fan})"),
            Self::PowerSag { share } => write!(f, " (at {:.0} % of the voltage)", share * 100.0),
            Self::HotRoom { rise_k } => write!(f, " ({rise_k:+.0} K)"),
            Self::NonceErrors { share } | Self::BadShares { share } => {
                write!(f, " ({:.1} %)", share * 100.0)
            }
            Self::SlowWeb { delay } => write!(f, " ({} ms)", delay.as_millis()),
            Self::RebootLoop { every } => write!(f, " (every {} s)", every.as_secs()),
            Self::HijackedPool { url, user } => write!(f, " ({user} at {url})"),
            Self::NetworkLost
            | Self::WebHangs
            | Self::WrongPassword
            | Self::DamagedJson
            | Self::ReportPressed => Ok(()),
        }
    }
}

/// What a fault has done to the chips of a board after `lasts`: called for each fault that holds,
/// on chips that are as made.
pub(crate) fn damage(fault: &Fault, slot: usize, lasts: Duration, seed: u64, board: &mut Board) {
    match fault {
        Fault::DeadChip { board: at, chip } if *at == slot => board.change(|chips| {
            if let Some(chip) = chips.get_mut(*chip) {
                chip.works = false;
            }
        }),
        Fault::DyingBoard { board: at, every } if *at == slot => board.change(|chips| {
            for gone in dying(seed, slot, chips.len(), *every, lasts) {
                if let Some(chip) = chips.get_mut(gone) {
                    (chip.works, chip.answers) = (false, false);
                }
            }
        }),
        _ => {}
    }
}

/// The chips that are gone after `lasts`, in the order in which they went.
fn dying(
    seed: u64,
    slot: usize,
    chips: usize,
    every: Duration,
    lasts: Duration,
) -> impl Iterator<Item = usize> {
    let mut order: Vec<usize> = (0..chips).collect();
    fastrand::Rng::with_seed(derive(seed, slot as u64)).shuffle(&mut order);
    order.into_iter().take(gone(every, lasts))
}

/// How many chips a dying board has lost after `lasts`; the first goes at once.
pub(crate) fn gone(every: Duration, lasts: Duration) -> usize {
    let every = every.max(Duration::from_secs(1)).as_millis();
    usize::try_from(lasts.as_millis() / every).unwrap_or(usize::MAX).saturating_add(1)
}

/// What the faults that hold amount to, but for the chips.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Effects {
    /// Boards without power, by slot.
    pub(crate) lost: [bool; MOST_BOARDS],
    /// Share of its speed that each fan makes.
    pub(crate) fans: [f64; MOST_FANS],
    /// Share of its voltage that the supply gives.
    pub(crate) volts: f64,
    /// How much hotter the room is, kelvin.
    pub(crate) rise_k: f64,
    /// Bad nonces on top, as a share.
    pub(crate) bad_share: f64,
    /// Share of what is sent to the pool that misses the target.
    pub(crate) bad_shares: f64,
    /// Off the network.
    pub(crate) network_lost: bool,
    /// Each web reply is held back so long.
    pub(crate) web_delay: Duration,
    /// Web requests are never answered.
    pub(crate) web_hangs: bool,
    /// The control board restarts this often.
    pub(crate) reboots: Option<Duration>,
    /// The login is refused.
    pub(crate) login_refused: bool,
    /// Replies are damaged.
    pub(crate) damaged_json: bool,
}

/// Slots for boards that any model has.
pub(crate) const MOST_BOARDS: usize = 4;
/// Fans that any model has.
pub(crate) const MOST_FANS: usize = 4;

impl Default for Effects {
    fn default() -> Self {
        Self {
            lost: [false; MOST_BOARDS],
            fans: [1.0; MOST_FANS],
            volts: 1.0,
            rise_k: 0.0,
            bad_share: 0.0,
            bad_shares: 0.0,
            network_lost: false,
            web_delay: Duration::ZERO,
            web_hangs: false,
            reboots: None,
            login_refused: false,
            damaged_json: false,
        }
    }
}

impl Effects {
    /// The effects of several faults at once: the worst of each kind, and sums where they add up.
    pub(crate) fn of<'a>(faults: impl Iterator<Item = &'a Fault>) -> Self {
        let share = |share: f64| if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) };
        let mut sum = Self::default();
        for fault in faults {
            match fault {
                Fault::BoardLost { board } => {
                    if let Some(lost) = sum.lost.get_mut(*board) {
                        *lost = true;
                    }
                }
                Fault::FanSlow { fan, share: speed } => sum.slow(*fan, share(*speed)),
                Fault::FanLost { fan } => sum.slow(*fan, 0.0),
                Fault::PowerSag { share: volts } => sum.volts = sum.volts.min(share(*volts)),
                Fault::HotRoom { rise_k } if rise_k.is_finite() => {
                    sum.rise_k = (sum.rise_k + rise_k).clamp(-50.0, 60.0);
                }
                Fault::NonceErrors { share: bad } if !bad.is_nan() => {
                    sum.bad_share = (sum.bad_share + bad).clamp(0.0, 1.0);
                }
                Fault::BadShares { share: bad } if !bad.is_nan() => {
                    sum.bad_shares = (sum.bad_shares + bad).clamp(0.0, 1.0);
                }
                Fault::NetworkLost => sum.network_lost = true,
                Fault::SlowWeb { delay } => sum.web_delay = sum.web_delay.max(*delay),
                Fault::WebHangs => sum.web_hangs = true,
                Fault::RebootLoop { every } => {
                    let every = (*every).max(Duration::from_secs(1));
                    sum.reboots = Some(sum.reboots.map_or(every, |other| other.min(every)));
                }
                Fault::WrongPassword => sum.login_refused = true,
                Fault::DamagedJson => sum.damaged_json = true,
                _ => {}
            }
        }
        sum
    }

    /// Whether the board in a slot has no power.
    pub(crate) fn has_lost(&self, slot: usize) -> bool {
        self.lost.get(slot).is_some_and(|lost| *lost)
    }

    fn slow(&mut self, fan: usize, share: f64) {
        if let Some(fan) = self.fans.get_mut(fan) {
            *fan = fan.min(share);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MODELS;

    #[test]
    fn every_place_of_every_model_can_suffer() {
        for model in &MODELS {
            assert!(model.boards <= MOST_BOARDS && model.fans <= MOST_FANS, "{}", model.id);
        }
    }
}
