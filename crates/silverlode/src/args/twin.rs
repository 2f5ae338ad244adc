use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Twin {
    #[command(subcommand)]
    pub(crate) word: Option<TwinWord>,
    /// How many machines [default: 12]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) count: Option<String>,
    /// Their addresses, as in 127.7.0.0/29; the first machine has the second address [default: 127.77.0.0/22]
    #[arg(long, value_name = "NET")]
    pub(crate) net: Option<String>,
    /// Their model: l7, l9 or l3+ [default: l7]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// What they are sold as: rate in MH/s and watts, as in 9050/3260 [default: the model's usual one]
    #[arg(long, value_name = "MH/S/WATTS")]
    pub(crate) nameplate: Option<String>,
    /// The firmware of an L7: 2022-01, 2022-11, 2023-01 or 2024-05; other models have one
    /// [default: 2024-05]
    #[arg(long, value_name = "RELEASE")]
    pub(crate) firmware: Option<String>,
    /// Temperature of the air that they draw in, °C [default: 25]
    #[arg(long, value_name = "CELSIUS", allow_hyphen_values = true)]
    pub(crate) inlet: Option<String>,
    /// Where they stand, metres above the sea [default: 0]
    #[arg(long, value_name = "METRES", allow_hyphen_values = true)]
    pub(crate) altitude: Option<String>,
    /// The pool they are configured with [default: stratum+tcp://127.0.0.1:3333]
    #[arg(short = 'o', long, alias = "url", value_name = "URL")]
    pub(crate) pool: Option<String>,
    /// Their login there; {machine} is the end of a machine's address, as in 0x17 [default: farm.{machine}]
    #[arg(short = 'u', long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Their password there: a plain one, or env:NAME, file:/path, credential:NAME
    #[arg(short = 'p', long = "pass", value_name = "PASS")]
    pub(crate) pass: Option<String>,
    /// Threads that hash for all of them: all, physical, half or a number [default: half]
    #[arg(short = 't', long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) threads: Option<String>,
    /// Their web port and the port of their program, as in 8080,4028 [default: 80,4028]
    #[arg(long, value_name = "HTTP,RPC")]
    pub(crate) ports: Option<String>,
    /// Claimed hashes for each real one; 1 is a CPU miner with an ASIC's face [default: what this computer
    /// hashes becomes what the machines claim]
    #[arg(long, value_name = "FACTOR", allow_hyphen_values = true)]
    pub(crate) scale: Option<String>,
    /// Switch them on at the start: they take their minutes, as real ones do
    #[arg(long)]
    pub(crate) cold: bool,
    /// Keep what is written to them in this folder, to hold again at the next start
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// What goes wrong with them, and when: played as fast as it computes, and its events told, with
    /// --json one document a line; nothing listens or mines
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// Run the scenario in real time, on machines that listen and mine
    #[arg(long, requires = "scenario")]
    pub(crate) live: bool,
    /// Press the IP report button of each once it is up: software that listens on UDP port 14235 for new
    /// machines then hears of it
    #[arg(long)]
    pub(crate) report: bool,
    /// Let other computers reach them: they have the maker's login and no encryption
    #[arg(long)]
    pub(crate) allow_lan: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum TwinWord {
    /// Power, temperature and hash rate of one machine over a scenario as a picture (SVG); nothing is run
    Plot {
        /// What goes wrong, and when
        #[arg(long, value_name = "FILE")]
        scenario: PathBuf,
        /// Its model: l7, l9 or l3+
        #[arg(long, value_name = "MODEL", default_value = "l7")]
        model: String,
        /// Which machine of the scenario, counted from 0
        #[arg(long, value_name = "N", default_value_t = 0)]
        machine: u16,
        /// Where to, a name that ends in .svg; - is standard output
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
    },
}
