//! The command line's words.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use sl_config::Setting;

mod config;
mod journal;
mod pool;
mod twin;

pub(crate) use config::{Config, TemplateArg};
pub(crate) use journal::{FormatArg, Journal, RowsArg};
pub(crate) use pool::Pool;
pub(crate) use twin::{Twin, TwinWord};

/// The operations suite of a Scrypt mine: Litecoin, Dogecoin and the coins merge-mined with them.
///
/// Without a command it is `silverlode up`: the whole farm on this machine, with simulated chains
/// that really validate, and no money, no machine and no outside connection.
#[derive(Parser, Debug)]
#[command(name = "silverlode", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags of every command.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Settings file [default: ./silverlode.yaml, then ~/.config/silverlode/silverlode.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Data folder; one running silverlode a folder [default: ~/.local/state/silverlode]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// What it is for [default: educational]
    #[arg(long, global = true, value_name = "MODE")]
    pub(crate) mode: Option<ModeArg>,
    /// One JSON document on standard output at the end
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// What log lines look like [default: pretty]
    #[arg(long, global = true, value_name = "STYLE")]
    pub(crate) log: Option<LogArg>,
    /// Stop cleanly after so long, as in 60s, 10m or 1h
    #[arg(long = "for", global = true, value_name = "DURATION", value_parser = duration)]
    pub(crate) run_for: Option<Duration>,
    /// Make every chance of the simulation the same at each run
    #[arg(long, global = true, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Say what would run, and run nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// The farm on this machine (educational unless the configuration says production)
    Up,
    /// This machine's CPU on a pool, own nodes or simulated chains
    Mine(Mine),
    /// The Stratum gateway alone
    Gateway,
    /// Virtual ASICs alone: their face on the network, and real work for a pool
    Twin(Box<Twin>),
    /// Simulated coin nodes alone
    Node,
    /// Hash rate of each engine on this machine, after its self-test
    Bench(Bench),
    /// Settings: a file to start from, a check, what holds, changing one value
    #[command(subcommand)]
    Config(Config),
    /// Pools: the catalogue, and what each endpoint answers
    #[command(subcommand)]
    Pool(Pool),
    /// The journal of shares: export, verification, backup
    #[command(subcommand)]
    Journal(Journal),
    /// The services of this configuration as a graph, with their health if they run
    Services,
    /// What this machine can do, what is in the way, and the command that cures it
    Doctor(Doctor),
    /// The words of the command line for a shell to complete, on standard output
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// The manual: the first page on standard output, or all pages into a folder
    Man {
        /// Write all pages there
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// The generated pages of the book
    #[command(hide = true)]
    Docs(Docs),
    /// Merged mining: what a block or a proof says, and how coins share a tree
    #[command(subcommand)]
    Auxpow(Auxpow),
}

#[derive(Args, Debug)]
pub(crate) struct Mine {
    /// Pool (stratum+tcp://HOST:PORT, over TLS stratum+ssl://) or own Litecoin node (http://HOST:PORT)
    #[arg(short = 'o', long = "url", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Account and worker on the pool, or RPC user of the node
    #[arg(short = 'u', long = "user", value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Password: a plain one, or env:NAME, file:/path, credential:NAME
    #[arg(short = 'p', long = "pass", value_name = "PASS")]
    pub(crate) pass: Option<String>,
    /// Where the node's blocks pay to
    #[arg(long = "coinbase-addr", value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// Threads that hash: all, physical, half or a number [default: one for each logical CPU]
    #[arg(short = 't', long = "threads", value_name = "N", allow_hyphen_values = true)]
    pub(crate) threads: Option<String>,
    /// Keep each thread on a CPU of its own, physical cores first
    #[arg(long)]
    pub(crate) pin: bool,
    /// How much to give way to other programs: idle, low or normal [default: normal]
    #[arg(long, value_name = "WORD")]
    pub(crate) priority: Option<String>,
    /// The share of each thread's time to hash, as in 30% or 0.3 [default: 100%]
    #[arg(long = "cpu-limit", value_name = "SHARE", allow_hyphen_values = true)]
    pub(crate) cpu_limit: Option<String>,
    /// Rest while this machine runs on its battery
    #[arg(long = "pause-on-battery")]
    pub(crate) pause_on_battery: bool,
    /// Rest while the load average of other programs is above this
    #[arg(long = "pause-above-load", value_name = "LOAD", allow_hyphen_values = true)]
    pub(crate) pause_above_load: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// Algorithm with its parameters, as in scrypt-n:N=2048 or scrypt-jane:nmin=9 [default: scrypt; with
    /// --verify all]
    #[arg(short = 'a', long = "algorithm", value_name = "NAME")]
    pub(crate) algorithm: Option<String>,
    /// This engine alone
    #[arg(short = 'e', long = "engine", value_name = "NAME")]
    pub(crate) engine: Option<String>,
    /// Numbers of threads, as in 1,2,8; all is one for each logical CPU [default: 1, one for each physical
    /// core, and all]
    #[arg(short = 't', long = "threads", value_name = "N", value_delimiter = ',', value_parser = bench_threads)]
    pub(crate) threads: Vec<BenchThreads>,
    /// How long each round takes, from 1ms to 60s
    #[arg(long, value_name = "DURATION", value_parser = bench_round, default_value = "200ms")]
    pub(crate) round: Duration,
    /// How many rounds each engine has, in turns
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) rounds: u16,
    /// Self-test only: every lane of every engine against the scalar reference
    #[arg(long, conflicts_with = "autotune")]
    pub(crate) verify: bool,
    /// Measure anew which engine is the fastest here, and keep that for mine, up and gateway
    #[arg(long, conflicts_with = "engine")]
    pub(crate) autotune: bool,
}

/// A number of threads to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BenchThreads {
    /// One for each logical CPU.
    All,
    /// So many.
    Number(u16),
}

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Also write a report to pass on: the checks, the settings and the running state as JSON,
    /// secrets removed
    #[arg(long, value_name = "FILE")]
    pub(crate) bundle: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Docs {
    /// Write them into the book of this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Option<PathBuf>,
    /// Say which pages of this folder's book are stale
    #[arg(long, value_name = "DIR")]
    pub(crate) check: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Auxpow {
    /// Every field, the tree, and each rule with its verdict: 0 valid, 1 refused, 2 not to be judged
    Explain(Explain),
    /// Whether coins fit into one tree, how large it must be, and why no nonce makes it smaller
    Plan {
        /// Tickers, or chain ids as in 98 or 0x62
        #[arg(required = true, value_name = "COIN")]
        coins: Vec<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// A block, a header with proof, a proof or a header: file (raw or hex), hex, or - for input
    #[arg(value_name = "FILE_OR_HEX", required_unless_present_all = ["header", "proof"])]
    pub(crate) input: Option<String>,
    /// The block's 80-byte header, if it is apart from the proof
    #[arg(long, value_name = "FILE_OR_HEX")]
    pub(crate) header: Option<String>,
    /// The proof, if it is apart from the header
    #[arg(long, value_name = "FILE_OR_HEX")]
    pub(crate) proof: Option<String>,
    /// The block's hash where there is no header, as createauxblock gives it
    #[arg(long, value_name = "HASH", conflicts_with = "header")]
    pub(crate) hash: Option<String>,
    /// The block's compact target where there is no header, as createauxblock gives it
    #[arg(long, value_name = "BITS", conflicts_with = "header")]
    pub(crate) bits: Option<String>,
    /// Judge by this coin's rules [default: the coin whose chain id the version carries]
    #[arg(long, value_name = "TICKER")]
    pub(crate) coin: Option<String>,
    /// Judge by a test network's rules: chain ids are not enforced
    #[arg(long)]
    pub(crate) testnet: bool,
    /// Show every value whole
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum ModeArg {
    Educational,
    Production,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum LogArg {
    Pretty,
    Json,
}

impl ModeArg {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Educational => "educational",
            Self::Production => "production",
        }
    }
}

impl LogArg {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    <Duration as Setting>::parse(text)
        .map_err(|wrong| format!("{wrong}, allowed: {}", <Duration as Setting>::allowed()))
}

fn bench_threads(text: &str) -> Result<BenchThreads, String> {
    match text {
        "all" => Ok(BenchThreads::All),
        _ => match text.parse() {
            Ok(number @ 1..=1024) => Ok(BenchThreads::Number(number)),
            _ => {
                Err("allowed: all, or whole numbers from 1 to 1024 with commas between".to_owned())
            }
        },
    }
}

fn bench_round(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(1);
    const MOST: Duration = Duration::from_secs(60);
    let round = duration(text)?;
    match (LEAST..=MOST).contains(&round) {
        true => Ok(round),
        false => Err("allowed: 1ms to 60s".to_owned()),
    }
}
