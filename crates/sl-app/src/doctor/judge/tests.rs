use std::path::PathBuf;

use sl_ports::{
    bind::Holder,
    folders::FolderState,
    machine::{
        cpu::Cpu,
        disk::DiskSpace,
        energy::NoEnergy,
        limits::OpenFiles,
        memory::{HugePages, Memory},
        timekeeping::Timekeeping,
    },
};

use sl_scrypt::ScratchReport;
use sl_units::HashRate;

use super::*;
use crate::EngineChoice;
use crate::doctor::{EngineFound, NodeAnswer, SettingsFound};

fn engine(name: &str, tested: Option<Result<(), String>>) -> EngineFound {
    EngineFound { name: name.to_owned(), tested }
}

/// A machine on which nothing is wrong.
fn sound() -> Observed {
    let now = Wall::from_secs(1_795_000_000);
    Observed {
        cpu: Cpu {
            model: Some("Some CPU".into()),
            threads: 4,
            cores: 2,
            features: vec!["avx2"],
            ..Cpu::default()
        },
        engines: vec![engine("avx512", None), engine("avx2", Some(Ok(())))],
        choice: Ok(Some(EngineChoice {
            engines: vec![
                ("avx2".into(), Some(HashRate::from_hs(18_500.0))),
                ("sse2".into(), Some(HashRate::from_hs(9_000.0))),
                ("portable".into(), None),
            ],
            measured: now,
        })),
        scratch: ScratchReport { in_use: 2 << 20, huge_asked: 2 << 20, ..Default::default() },
        energy: Ok(()),
        memory: Some(Memory {
            total_bytes: 8 * GIB,
            available_bytes: 4 * GIB,
            huge: HugePages {
                size_bytes: 2 * MIB,
                reserved: 0,
                free: 0,
                transparent: Some("madvise".into()),
            },
        }),
        open_files: Some(OpenFiles { soft: Some(20_000), hard: None }),
        max_connections: 10_000,
        now,
        built: Some(Wall::from_secs(1_794_000_000)),
        timekeeping: Timekeeping { set_by_timesyncd: true, daemon: None },
        folder: PathBuf::from("/data"),
        folder_state: FolderState {
            kind: FolderKind::Folder,
            mode: Some(0o700),
            writable: true,
            held: false,
            holder: None,
        },
        disk: Ok(DiskSpace { free_bytes: 20 * GIB, total_bytes: 40 * GIB }),
        running: None,
        settings: SettingsFound { check: "silverlode config check".into(), ..Default::default() },
        unfit: None,
        ports: vec![port(3333, PortState::Free), port(19_400, PortState::Free)],
        nodes: vec![node(Ok(answer()))],
        pool: Some(PoolFound {
            url: "stratum+tcp://pool.example:3333".into(),
            host: "pool.example".into(),
            port: 3333,
            answer: Ok(Duration::from_millis(20)),
        }),
        daemons: vec![
            ("litecoind", Some(PathBuf::from("/usr/bin/litecoind"))),
            ("dogecoind", None),
        ],
    }
}

fn port(number: u16, state: PortState) -> PortFound {
    let address = ([127, 0, 0, 1], number).into();
    let of = match number {
        3333 => PortOf::Gateway,
        8787 => PortOf::Control,
        _ => PortOf::Node,
    };
    PortFound { address, of, state }
}

fn held(number: u16, pid: u32) -> PortFound {
    let holder = Holder { pid, command: "minerd".into() };
    port(number, PortState::Taken(Some(holder)))
}

fn node(answer: Result<NodeAnswer, String>) -> NodeFound {
    NodeFound { id: "node.ltc".into(), url: "http://127.0.0.1:9332".into(), answer }
}

fn answer() -> NodeAnswer {
    NodeAnswer {
        latency: Duration::from_micros(1500),
        chain: "main".into(),
        blocks: 3_200_000,
        downloading: false,
        clock: Some(Wall::from_secs(1_795_000_000)),
    }
}

#[test]
fn on_a_sound_machine_all_is_ok() {
    let checks = judge(&sound());
    for check in &checks {
        assert_eq!((check.verdict, &check.cure), (Verdict::Ok, &None), "{check:?}");
    }
    let ids: Vec<&str> = checks.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "engines",
            "fastest-engine",
            "energy",
            "memory",
            "huge-pages",
            "open-files",
            "clock",
            "time-sync",
            "data-folder",
            "disk",
            "settings",
            "ports",
            "node.ltc",
            "clock.node.ltc",
            "pool",
            "daemons"
        ]
    );
}

/// One thing changed on a sound machine: the one check that is no longer ok, what it found and its
/// cure.
type Case = (fn(&mut Observed), &'static str, Verdict, &'static str, &'static str);

const FOLDER: fn(&mut Observed) -> &mut FolderState = |seen| &mut seen.folder_state;

// tidy: table
const CASES: &[Case] = &[
    (
        |seen| seen.engines = vec![engine("avx2", Some(Err("wrong hash".into())))],
        "engines",
        Verdict::Bad,
        "avx2: wrong hash",
        "silverlode bench --verify",
    ),
    (
        |seen| seen.choice = Err("engines.json is damaged: end of file".into()),
        "fastest-engine",
        Verdict::Warn,
        "engines.json is damaged: end of file; the next start measures it anew",
        "silverlode bench --autotune",
    ),
    (
        |seen| seen.energy = Err(NoEnergy::Absent(PathBuf::from("/sys/class/powercap"))),
        "energy",
        Verdict::Unknown,
        "/sys/class/powercap has no package",
        "sudo modprobe intel_rapl_msr",
    ),
    (
        |seen| {
            let path = PathBuf::from("/sys/class/powercap/intel-rapl:0/energy_uj");
            seen.energy = Err(NoEnergy::Unreadable { path, cause: "permission denied".into() });
        },
        "energy",
        Verdict::Unknown,
        "energy_uj: permission denied",
        "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj",
    ),
    (
        |seen| {
            seen.memory.as_mut().expect("there").huge.transparent = Some("never".into());
        },
        "huge-pages",
        Verdict::Warn,
        "transparent: never; set aside: 0 of 2 MiB; the fastest engine takes 2 MiB a thread and is refused them",
        "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
    ),
    (
        |seen| seen.scratch.huge_refused = Some(22),
        "huge-pages",
        Verdict::Warn,
        "refused",
        "CONFIG_TRANSPARENT_HUGEPAGE",
    ),
    (|seen| seen.engines.clear(), "engines", Verdict::Bad, "none runs", "bench --verify"),
    (
        |seen| seen.memory.as_mut().expect("there").available_bytes = 100 * MIB,
        "memory",
        Verdict::Warn,
        "100 MiB of 8.0 GiB",
        "ps -eo",
    ),
    (
        |seen| seen.memory.as_mut().expect("there").available_bytes = 9 * MIB,
        "memory",
        Verdict::Bad,
        "9 MiB",
        "ps -eo",
    ),
    (
        |seen| seen.open_files = Some(OpenFiles { soft: Some(1024), hard: Some(4096) }),
        "open-files",
        Verdict::Warn,
        "needs 10200",
        "limits.d/silverlode.conf",
    ),
    (
        |seen| seen.open_files = Some(OpenFiles { soft: Some(64), hard: Some(64) }),
        "open-files",
        Verdict::Bad,
        "64",
        "LimitNOFILE=10200",
    ),
    (|seen| seen.open_files = None, "open-files", Verdict::Unknown, "not told", ""),
    (
        |seen| {
            seen.now = Wall::from_secs(5);
            seen.nodes.clear();
        },
        "clock",
        Verdict::Bad,
        "1970-01-01 00:00:05 UTC, but this program was built 2026",
        "date -s",
    ),
    (
        |seen| {
            seen.built = None;
            seen.now = Wall::from_secs(5);
            seen.nodes.clear();
        },
        "clock",
        Verdict::Bad,
        "built 2026-01-01",
        "date -s",
    ),
    (
        |seen| seen.timekeeping = Timekeeping::default(),
        "time-sync",
        Verdict::Unknown,
        "nobody is seen",
        "timedatectl set-ntp true",
    ),
    (
        |seen| {
            let daemon = Some("systemd-timesyn".to_owned());
            seen.timekeeping = Timekeeping { set_by_timesyncd: false, daemon };
        },
        "time-sync",
        Verdict::Warn,
        "has not set the clock",
        "timedatectl timesync-status",
    ),
    (
        |seen| FOLDER(seen).kind = FolderKind::Other,
        "data-folder",
        Verdict::Bad,
        "/data is not a folder",
        "--data DIR",
    ),
    (
        |seen| {
            FOLDER(seen).kind = FolderKind::Missing;
            FOLDER(seen).writable = false;
        },
        "data-folder",
        Verdict::Bad,
        "cannot be made",
        "sudo install -d -m 700",
    ),
    (
        |seen| FOLDER(seen).writable = false,
        "data-folder",
        Verdict::Bad,
        "cannot be written",
        "sudo chown -R \"$USER\" /data",
    ),
    (
        |seen| FOLDER(seen).mode = Some(0o755),
        "data-folder",
        Verdict::Warn,
        "mode 0755",
        "chmod 700 /data",
    ),
    (
        |seen| {
            FOLDER(seen).held = true;
            FOLDER(seen).holder = Some(77);
        },
        "data-folder",
        Verdict::Warn,
        "held by process 77, which does not answer",
        "kill 77",
    ),
    (
        |seen| seen.disk = Ok(DiskSpace { free_bytes: 5 * MIB, total_bytes: GIB }),
        "disk",
        Verdict::Bad,
        "5 MiB of 1.0 GiB free",
        "--data DIR",
    ),
    (
        |seen| seen.disk = Ok(DiskSpace { free_bytes: 500 * MIB, total_bytes: GIB }),
        "disk",
        Verdict::Warn,
        "500 MiB",
        "--data DIR",
    ),
    (|seen| seen.disk = Err("gone".into()), "disk", Verdict::Unknown, "gone", ""),
    (
        |seen| {
            seen.settings.mistakes = 2;
            seen.settings.first = Some("a.yaml:1:1: x".into());
        },
        "settings",
        Verdict::Bad,
        "2 mistakes, the first: a.yaml:1:1: x",
        "silverlode config check",
    ),
    (
        |seen| seen.settings.first = Some("cannot read a.yaml".into()),
        "settings",
        Verdict::Bad,
        "cannot read a.yaml",
        "silverlode config check",
    ),
    (
        |seen| seen.unfit = Some("environment variable X is not set, hint: set it".into()),
        "settings",
        Verdict::Bad,
        "environment variable X is not set",
        "set it",
    ),
    (
        |seen| seen.ports[0] = held(3333, 42),
        "port.3333",
        Verdict::Bad,
        "127.0.0.1:3333 is in use by minerd (process 42)",
        "kill 42, or: SILVERLODE__GATEWAY__LISTEN=",
    ),
    (
        |seen| seen.ports[1].state = PortState::Taken(None),
        "port.19400",
        Verdict::Bad,
        "another user",
        "sport = :19400",
    ),
    (
        |seen| seen.ports[0].state = PortState::Refused("permission denied".into()),
        "port.3333",
        Verdict::Bad,
        "permission denied",
        "SILVERLODE__GATEWAY__LISTEN=",
    ),
    (
        |seen| seen.nodes = vec![node(Err("it refuses; hint: mend rpcpassword".into()))],
        "node.ltc",
        Verdict::Bad,
        "http://127.0.0.1:9332: it refuses",
        "mend rpcpassword",
    ),
    (
        |seen| seen.nodes = vec![node(Ok(NodeAnswer { downloading: true, ..answer() }))],
        "node.ltc",
        Verdict::Warn,
        "still downloads",
        "initialblockdownload",
    ),
    (
        |seen| {
            let clock = Some(Wall::from_secs(1_795_000_090));
            seen.nodes = vec![node(Ok(NodeAnswer { clock, ..answer() }))];
        },
        "clock.node.ltc",
        Verdict::Warn,
        "90 s apart",
        "set-ntp",
    ),
    (
        |seen| {
            let clock = Some(Wall::from_secs(1_794_990_000));
            seen.nodes = vec![node(Ok(NodeAnswer { clock, ..answer() }))];
        },
        "clock.node.ltc",
        Verdict::Bad,
        "10000 s apart",
        "set-ntp",
    ),
    (
        |seen| seen.pool.as_mut().expect("there").answer = Err("refused".into()),
        "pool",
        Verdict::Bad,
        "stratum+tcp://pool.example:3333: refused",
        "nc -vz pool.example 3333",
    ),
];
// tidy: end

#[test]
fn each_fault_has_its_verdict_and_its_cure() {
    for (change, id, verdict, found, cure) in CASES {
        let mut seen = sound();
        change(&mut seen);
        let faults: Vec<Check> =
            judge(&seen).into_iter().filter(|check| check.verdict != Verdict::Ok).collect();
        let [fault] = faults.as_slice() else { panic!("{id}: one fault, not {faults:#?}") };
        assert_eq!((fault.id.as_str(), fault.verdict), (*id, *verdict), "{fault:?}");
        assert!(fault.found.contains(found), "{found} in {fault:?}");
        let told = fault.cure.as_deref().unwrap_or_default();
        assert!(told.contains(cure), "{cure} in {fault:?}");
        if *verdict == Verdict::Bad {
            assert!(!told.is_empty(), "what is bad has a cure: {fault:?}");
        }
    }
}

#[test]
fn what_the_running_silverlode_has_is_in_order() {
    let mut seen = sound();
    seen.running = Some(42);
    seen.folder_state.held = true;
    seen.folder_state.holder = Some(42);
    seen.ports[0] = held(3333, 42);
    let checks = judge(&seen);
    assert!(checks.iter().all(|check| check.verdict == Verdict::Ok), "{checks:#?}");
    assert!(
        checks
            .iter()
            .any(|check| check.found.contains("used by the running silverlode (process 42)"))
    );
    assert!(checks.iter().any(|check| check.found.contains("running silverlode: 127.0.0.1:3333")));
}

#[test]
fn a_folder_that_is_missing_is_no_fault() {
    let mut seen = sound();
    seen.folder_state.kind = FolderKind::Missing;
    seen.folder_state.mode = None;
    assert!(judge(&seen).iter().all(|check| check.verdict == Verdict::Ok));
}

#[test]
fn the_fastest_engine_is_told_with_its_rate_and_how_to_measure_it_anew() {
    let check = |seen: &Observed, id: &str, expect: &str| {
        let checks = judge(seen);
        let found = checks.iter().find(|check| check.id == id).expect("judged");
        assert_eq!((found.verdict, found.found.as_str()), (Verdict::Ok, expect));
    };
    let mut seen = sound();
    check(
        &seen,
        "fastest-engine",
        "avx2 18.50 kH/s on one thread before sse2 9.00 kH/s; measured 2026-11-18 11:06:40 UTC (anew: silverlode bench --autotune)",
    );
    seen.choice = Ok(None);
    check(
        &seen,
        "fastest-engine",
        "not measured yet: the first start does it, or: silverlode bench --autotune",
    );
    seen.scratch = ScratchReport { in_use: 768 << 10, ..ScratchReport::default() };
    check(
        &seen,
        "huge-pages",
        "transparent: madvise; set aside: 0 of 2 MiB; the fastest engine takes 768 KiB a thread and needs none",
    );
}
