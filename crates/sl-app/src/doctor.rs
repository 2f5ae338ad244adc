//! What this machine can do, what is in the way, and the command that cures it.
//!
//! [`observe`] looks, [`judge`] says what it means: the second is pure, and its table of judgements
//! is tested without a machine. Nobody is asked over the network but the nodes and the pool that
//! the settings name.

mod judge;
mod observe;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use sl_ports::{
    bind::Holder,
    folders::FolderState,
    machine::{
        cpu::Cpu, disk::DiskSpace, energy::NoEnergy, limits::OpenFiles, memory::Memory,
        timekeeping::Timekeeping,
    },
};
use sl_scrypt::ScratchReport;
use sl_units::Wall;

use crate::EngineChoice;

pub use judge::judge;
pub use observe::{Examined, observe};

/// How it stands with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Right.
    Ok,
    /// It cannot be found out from here.
    Unknown,
    /// It works, but not as it could.
    Warn,
    /// It does not work.
    Bad,
}

impl Verdict {
    /// The verdict in one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name, as in `open-files` or `node.ltc`.
    pub id: String,
    /// How it stands.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// The command that cures it, or what to do where no command can; `None` where nothing is
    /// wrong.
    pub cure: Option<String>,
}

/// What was seen of this machine and of what the settings name.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The processor.
    pub cpu: Cpu,
    /// Each engine after its self-test.
    pub engines: Vec<EngineFound>,
    /// Which engine is tried first, as measured before; `None` if it was not measured yet, or why
    /// what was measured holds no longer.
    pub choice: Result<Option<EngineChoice>, String>,
    /// The memory of the engine that would be used.
    pub scratch: ScratchReport,
    /// Whether the processor tells its energy.
    pub energy: Result<(), NoEnergy>,
    /// Memory; `None` where the operating system does not tell.
    pub memory: Option<Memory>,
    /// The limit of open files: of the running silverlode if there is one, else of this process;
    /// `None` where there is none of the kind.
    pub open_files: Option<OpenFiles>,
    /// Machines that may be connected at once: a socket each.
    pub max_connections: u32,
    /// The system's clock.
    pub now: Wall,
    /// When this program's file was written.
    pub built: Option<Wall>,
    /// Who keeps the clock right.
    pub timekeeping: Timekeeping,
    /// Where the data folder is.
    pub folder: PathBuf,
    /// How it was found.
    pub folder_state: FolderState,
    /// Space there, or why it is not known.
    pub disk: Result<DiskSpace, String>,
    /// The process that answers at the folder's control door.
    pub running: Option<u32>,
    /// The settings.
    pub settings: SettingsFound,
    /// Why the settings do not make a farm, though each is right.
    pub unfit: Option<String>,
    /// Addresses that `silverlode up` would listen on.
    pub ports: Vec<PortFound>,
    /// The nodes that the settings name.
    pub nodes: Vec<NodeFound>,
    /// The pool that the settings name.
    pub pool: Option<PoolFound>,
    /// Daemons of coins, with the file that would run.
    pub daemons: Vec<(&'static str, Option<PathBuf>)>,
}

/// An engine of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineFound {
    /// Its name.
    pub name: String,
    /// Whether this machine has what it needs, and then what became of its self-test.
    pub tested: Option<Result<(), String>>,
}

/// The settings as found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsFound {
    /// The files that were read.
    pub files: Vec<PathBuf>,
    /// How many mistakes are in them.
    pub mistakes: usize,
    /// The first of them, or why no file could be read.
    pub first: Option<String>,
    /// The command that tells all of them.
    pub check: String,
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortFound {
    /// The address.
    pub address: SocketAddr,
    /// Whose it is.
    pub of: PortOf,
    /// Whether it can be had.
    pub state: PortState,
}

/// Who is to listen at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortOf {
    /// A simulated node.
    Node,
    /// The gateway.
    Gateway,
    /// The control door.
    Control,
}

/// Whether an address can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortState {
    /// It can.
    Free,
    /// Somebody listens there, who is known if it is a process of this user.
    Taken(Option<Holder>),
    /// The operating system says no.
    Refused(String),
}

/// A node that the settings name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFound {
    /// Its check, as in `node.ltc`.
    pub id: String,
    /// Where it is, without credentials.
    pub url: String,
    /// What it said, or what is wrong: the words end with `hint: ` and a cure where there is one.
    pub answer: Result<NodeAnswer, String>,
}

/// What a node said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAnswer {
    /// From the question to the answer.
    pub latency: Duration,
    /// Its chain: `main`, `regtest`, …
    pub chain: String,
    /// The height of its tip.
    pub blocks: u64,
    /// Whether it is still downloading its chain.
    pub downloading: bool,
    /// The time by its clock when it answered, in whole seconds; `None` if it does not tell.
    pub clock: Option<Wall>,
}

/// The pool that the settings name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolFound {
    /// Where it is.
    pub url: String,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The time that a connection took, or why there is none.
    pub answer: Result<Duration, String>,
}
