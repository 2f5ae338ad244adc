//! What a machine shows: everything that any reply says, taken through the sensors at one instant.

use std::time::Duration;

use sl_units::HashRate;

use crate::conf::{Conf, Network, POOLS};

/// One look at a machine. Faces write replies from it and add nothing but form.
#[derive(Debug, Clone, PartialEq)]
pub struct Readings {
    /// Seconds since the mining program started; it starts anew with each restart.
    pub elapsed_s: u64,
    /// Seconds since the control board started.
    pub uptime_s: u64,
    /// What the mining program does.
    pub state: State,
    /// Rate over the last five seconds.
    pub rate_5s: HashRate,
    /// Rate over the last half hour.
    pub rate_30m: HashRate,
    /// Rate since the mining program started.
    pub rate_avg: HashRate,
    /// Theoretical rate: frequency × cores × the chips that were found at the start.
    pub rate_ideal: HashRate,
    /// Hash boards found at the start, in the order of their slots.
    pub boards: Vec<BoardReading>,
    /// Fans, revolutions per minute, one for each place; 0 for one that does not turn.
    pub fans_rpm: Vec<u32>,
    /// Fan command, percent of full.
    pub fan_pwm_percent: u8,
    /// Bad nonces of all boards since the mining program started.
    pub hw_errors: u64,
    /// Bad nonces of all nonces, percent.
    pub hw_percent: f64,
    /// Nonces that the boards returned since the mining program started.
    pub nonces: u64,
    /// The four lights of the summary page.
    pub status: Status,
    /// The three pools, in the order of the configuration.
    pub pools: [PoolReading; POOLS],
    /// Best share since the mining program started, in Scrypt share difficulty.
    pub best_share: f64,
    /// What stands in the configuration file.
    pub conf: Conf,
    /// What stands in the network configuration.
    pub network: Network,
    /// Whether the light that locates the machine blinks.
    pub light: bool,
    /// How the machine behaves on the network at this instant.
    pub manners: Manners,
}

impl Readings {
    /// The hottest chip sensor, whole degrees; 0 when no sensor answers.
    #[must_use]
    pub fn temp_max_c(&self) -> i32 {
        self.boards.iter().flat_map(|board| board.temp_chip_c).max().unwrap_or(0)
    }
}

/// One hash board through its sensors.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardReading {
    /// Slot, from 0.
    pub index: usize,
    /// One entry a chip in the order of the chain: whether it answers and how well.
    pub chips: Vec<ChipMark>,
    /// Clock of the chips, MHz.
    pub freq_mhz: u32,
    /// Voltage over the board, volts.
    pub voltage_v: f64,
    /// Theoretical rate of the board.
    pub rate_ideal: HashRate,
    /// Rate over the last five seconds.
    pub rate_real: HashRate,
    /// Rate since the mining program started.
    pub rate_avg: HashRate,
    /// Sensors beside the board's controller, °C: inlet, inlet, outlet, outlet.
    pub temp_pic_c: [i32; 4],
    /// Sensors of the printed board, °C: inlet, inlet, outlet, outlet.
    pub temp_pcb_c: [i32; 4],
    /// Sensors at the chips, °C: inlet, inlet, outlet, outlet.
    pub temp_chip_c: [i32; 4],
    /// Bad nonces since the mining program started.
    pub hw_errors: u64,
    /// Whether the board's memory could be read.
    pub eeprom_loaded: bool,
    /// Serial number.
    pub serial: String,
}

impl BoardReading {
    /// Chips that answer.
    #[must_use]
    pub fn chips_found(&self) -> usize {
        self.chips.iter().filter(|mark| **mark != ChipMark::Missing).count()
    }
}

/// A chip in the map of its board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChipMark {
    /// It answers and computes: `o`.
    Good,
    /// It answers and computes badly or not at all: `x`.
    Bad,
    /// It was not found when the chips were counted; it is not in the map.
    Missing,
}

/// What the mining program does.
///
/// ```text
///            network up           started          20 min without a pool
///   Booting ──────────▶ Starting ────────▶ Mining ──────────────────────▶ WaitsForPool
///      ▲                ▲ ▲ │  │             │                                  │
///      │ reboot         │ │ │  │ no board    │ hot, cold, sensors,              │
///      └── any state    │ │ │  ▼             ▼ fans, voltage                    │
///                       │ │ │  Stopped(Stop)                                    │
///                       │ │ └──▶ Asleep   mode 1                                │
///                       │ └──── any state but Booting: another mode, a restart  │
///                       └───────────────────────────────────────────────────────┘ pool is back
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// The control board starts; nothing answers on the network.
    Booting,
    /// The mining program is up, the chips are being brought up, no hashes yet.
    Starting,
    /// Hashing.
    Mining,
    /// Sleep mode: boards without power, the network face up.
    Asleep,
    /// No pool for twenty minutes: boards without power until one answers.
    WaitsForPool,
    /// Stopped by a protection, until the mining program is restarted.
    Stopped(Stop),
}

/// Why a protection stopped the boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stop {
    /// The outlet of a printed board reached its limit on three readings.
    OverTemperature,
    /// The outlet of a printed board was too cold on three readings.
    UnderTemperature,
    /// A temperature sensor told what cannot be on seven readings.
    Sensor,
    /// A fan stands still or is far too slow.
    Fan,
    /// No board was found.
    NoBoards,
    /// The power supply does not hold its voltage.
    Power,
}

/// The four lights of the summary: rate, network, fans, temperature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// Whether the rate keeps to the theoretical one.
    pub rate: Light,
    /// Whether a pool answers.
    pub network: Light,
    /// Whether all fans turn as told.
    pub fans: Light,
    /// Whether no temperature is too high.
    pub temp: Light,
}

/// One light of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Light {
    /// `s`, code 0, no message.
    #[default]
    Good,
    /// `e`, with the code and message of the firmware.
    Bad {
        /// Code; no source tells the real ones, 1 stands for all. Unverified.
        code: u32,
        /// Message, as in `Temp is too high`.
        message: &'static str,
    },
}

/// One pool, as the mining program sees it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PoolReading {
    /// Address, as configured.
    pub url: String,
    /// Login.
    pub user: String,
    /// Whether it answers.
    pub alive: bool,
    /// Whether work comes from it.
    pub active: bool,
    /// Counters since the mining program started.
    pub counts: PoolCounts,
    /// Difficulty it sets; `None` before it has.
    pub difficulty: Option<f64>,
    /// Time since the last accepted share; `None` before the first.
    pub last_share_ago: Option<Duration>,
    /// Time since the last job; `None` before the first.
    pub last_job_ago: Option<Duration>,
}

/// What went to and fro with a pool. Difficulties are Scrypt share difficulties.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PoolCounts {
    /// Jobs received.
    pub getworks: u64,
    /// Shares accepted.
    pub accepted: u64,
    /// Shares rejected.
    pub rejected: u64,
    /// Work thrown away unworked: always none, for a virtual machine makes work when it needs it.
    pub discarded: u64,
    /// Shares that were too late.
    pub stale: u64,
    /// Sum of the difficulties of accepted shares.
    pub difficulty_accepted: f64,
    /// Sum of the difficulties of rejected shares.
    pub difficulty_rejected: f64,
    /// Sum of the difficulties of stale shares.
    pub difficulty_stale: f64,
    /// Difficulty of the last accepted share.
    pub last_share_difficulty: f64,
    /// Best share.
    pub best_share: f64,
    /// Times the pool could not be reached.
    pub remote_failures: u64,
}

/// How the machine behaves on the network: what faults and restarts do to its face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// Whether it is on the network at all: when it is not, who calls it is cut off without a word,
    /// and who is connected already hears nothing more.
    pub reachable: bool,
    /// Whether the web pages are served.
    pub web: bool,
    /// Whether the mining program listens on 4028.
    pub api: bool,
    /// How long each web reply is held back.
    pub web_delay: Duration,
    /// Requests are taken and never answered.
    pub web_hangs: bool,
    /// Replies come damaged, as real units send them: a missing comma between objects.
    pub damaged_json: bool,
    /// The login that was set is refused: somebody has changed the password.
    pub login_refused: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            reachable: true,
            web: true,
            api: true,
            web_delay: Duration::ZERO,
            web_hangs: false,
            damaged_json: false,
            login_refused: false,
        }
    }
}
