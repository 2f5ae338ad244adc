//! What all scenarios stand on: the programs, the CPUs, the folders, the settings.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

use crate::{
    BenchError,
    gateway::Plan,
    pool::Pool,
    premined::{DIFFICULTY, Premined},
};

/// The parent of all folders, and the means of every scenario.
pub(crate) struct Rig {
    /// The program to be measured.
    pub(crate) program: PathBuf,
    /// This program, which is also the processes of load.
    pub(crate) own_program: PathBuf,
    /// Where figures and folders go.
    pub(crate) folder: PathBuf,
    /// The CPU of the gateway, where there are two.
    pub(crate) gateway_cpu: Option<usize>,
    /// The CPU of the load and the pools.
    pub(crate) load_cpu: Option<usize>,
    /// CPUs that the bench may use.
    pub(crate) cpus: usize,
    pub(crate) quick: bool,
}

impl Rig {
    /// Finds the programs beside this one, keeps this process to the CPU of the load, and mines the
    /// shares where they are missing.
    pub(crate) fn new(quick: bool, tell: &dyn Fn(&str)) -> Result<Self, BenchError> {
        let own_program =
            std::env::current_exe().map_err(BenchError::io("finding this program"))?;
        let beside = own_program.parent().unwrap_or(&own_program);
        let program = beside.join("silverlode");
        if !program.is_file() {
            return Err(BenchError::NoProgram(program));
        }
        let folder = beside.parent().unwrap_or(beside).join("bench");
        fs::create_dir_all(&folder)
            .map_err(BenchError::io(format!("making {}", folder.display())))?;
        let cpus = sl_ports::affinity::allowed().unwrap_or_default();
        let (gateway_cpu, load_cpu) = match cpus.as_slice() {
            [first, second, ..] => (Some(*first), Some(*second)),
            _ => (None, None),
        };
        let cpus = cpus.len();
        let rig = Self { program, own_program, folder, gateway_cpu, load_cpu, cpus, quick };
        Premined::at(&rig.shares(), tell)?;
        if let Some(cpu) = load_cpu {
            let keep = sl_ports::affinity::keep_this_thread_to(&[cpu]);
            keep.map_err(BenchError::io("keeping the leader to its CPU"))?;
        }
        Ok(rig)
    }

    /// The file with what hashes reach.
    pub(crate) fn shares(&self) -> PathBuf {
        self.folder.join("hashes.bin")
    }

    /// The first where all is to be quick, else the second.
    pub(crate) fn or<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// A gateway with an empty data folder, over these pools; the first before the second.
    /// `more`: further lines of its section. Vardiff works as ever, and has no choice.
    pub(crate) fn plan(
        &self,
        name: &str,
        pools: &[SocketAddr],
        more: &str,
    ) -> Result<Plan, BenchError> {
        let fixed = format!(
            "  start_difficulty: {DIFFICULTY}\n  min_difficulty: {DIFFICULTY}\n  \
             max_difficulty: {DIFFICULTY}\n{more}"
        );
        self.open_plan(name, pools, &fixed)
    }

    /// The same with whatever difficulties `more` says.
    pub(crate) fn open_plan(
        &self,
        name: &str,
        pools: &[SocketAddr],
        more: &str,
    ) -> Result<Plan, BenchError> {
        let data = self.folder.join(name);
        match fs::remove_dir_all(&data) {
            Err(wrong) if wrong.kind() != io::ErrorKind::NotFound => {
                return Err(BenchError::io(format!("emptying {}", data.display()))(wrong));
            }
            _ => {}
        }
        let address = free_address()?;
        let upstream = match pools {
            [one] => format!("pool:\n  url: stratum+tcp://{one}\n  user: bench\n"),
            several => {
                let entries = several.iter().enumerate().map(|(at, address)| {
                    format!("  - name: pool{at}\n    url: ['stratum+tcp://{address}']\n    user: bench\n    priority: {at}\n")
                });
                format!("pools:\n{}", entries.collect::<String>())
            }
        };
        let settings = format!(
            "version: 1\nmode: production\nlog:\n  level: warn\n{upstream}\
             gateway:\n  listen: {address}\n  max_connections: 19500\n{more}"
        );
        Ok(Plan { data, address, settings })
    }

    /// A pool that wants so many times the machines' difficulty: one share of so many goes up.
    pub(crate) async fn pool(&self, times: f64) -> Result<Pool, BenchError> {
        Pool::start(DIFFICULTY * times, true).await
    }

    /// Takes a scenario's folder away.
    pub(crate) fn clear(&self, plan: &Plan) {
        // What stays is emptied at the next run.
        let _ = fs::remove_dir_all(&plan.data);
    }
}

/// A port that is free at this instant, and stays the gateway's over its restarts.
fn free_address() -> Result<SocketAddr, BenchError> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(BenchError::io("finding a port"))?;
    listener.local_addr().map_err(BenchError::io("finding a port"))
}
