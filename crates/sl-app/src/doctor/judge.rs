use std::time::Duration;

use sl_ports::folders::FolderKind;
use sl_scrypt::HugePages;
use sl_units::Wall;

use super::{Check, NodeFound, Observed, PoolFound, PortFound, PortOf, PortState, Verdict};

/// Files and sockets that the program needs beside those of machines.
const OWN_FILES: u64 = 200;
/// Fewer open files than this, and the program itself is in want.
const FEWEST_FILES: u64 = 256;
/// No silverlode was built before 2026.
const FIRST_BUILD: Wall = Wall::from_secs(1_767_225_600);
/// A clock that is off by so much makes times in logs and headers hard to compare.
const CLOCK_WARN: Duration = Duration::from_secs(60);
/// A block whose time is further ahead than two hours is refused by every node.
const CLOCK_BAD: Duration = Duration::from_secs(7200);
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Says of each thing observed how it stands, what was found, and the cure. Pure.
#[must_use]
pub fn judge(seen: &Observed) -> Vec<Check> {
    let mut checks = vec![
        engines(seen),
        choice(seen),
        energy(seen),
        memory(seen),
        huge_pages(seen),
        open_files(seen),
        clock(seen),
        time_sync(seen),
        data_folder(seen),
        disk(seen),
        settings(seen),
    ];
    checks.extend(ports(seen));
    checks.extend(seen.nodes.iter().flat_map(|node| of_node(node, seen)));
    checks.extend(seen.pool.as_ref().map(pool));
    checks.push(daemons(seen));
    checks
}

fn check(id: &str, verdict: Verdict, found: String, cure: Option<String>) -> Check {
    Check { id: id.to_owned(), verdict, found, cure }
}

fn ok(id: &str, found: impl Into<String>) -> Check {
    check(id, Verdict::Ok, found.into(), None)
}

fn engines(seen: &Observed) -> Check {
    let names = |available: bool| {
        let rows = seen.engines.iter().filter(move |row| row.tested.is_some() == available);
        rows.map(|row| row.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let faults = seen.engines.iter().filter_map(|row| match &row.tested {
        Some(Err(fault)) => Some(format!("{}: {fault}", row.name)),
        _ => None,
    });
    let faults: Vec<String> = faults.collect();
    let bad = |found| {
        let cure = "silverlode bench --verify names the lane; such an engine is not used: wrong hashes come from memory or an over-clocked processor";
        check("engines", Verdict::Bad, found, Some(cure.to_owned()))
    };
    if !faults.is_empty() {
        return bad(faults.join("; "));
    }
    if names(true).is_empty() {
        return bad("none runs on this processor".to_owned());
    }
    let cpu = &seen.cpu;
    let mut found = format!("{} pass their self-test", names(true));
    let not = names(false);
    if !not.is_empty() {
        found += &format!("; not on this processor: {not}");
    }
    found += &format!(" ({} threads", cpu.threads);
    for word in cpu.model.iter().map(String::as_str).chain(cpu.features.iter().copied()) {
        found += &format!(", {word}");
    }
    ok("engines", found + ")")
}

/// Which engine goes first, and how to measure it anew.
fn choice(seen: &Observed) -> Check {
    const ID: &str = "fastest-engine";
    const ANEW: &str = "silverlode bench --autotune";
    let choice = match &seen.choice {
        Ok(Some(choice)) => choice,
        Ok(None) => {
            let found = format!("not measured yet: the first start does it, or: {ANEW}");
            return ok(ID, found);
        }
        Err(why) => {
            let found = format!("{why}; the next start measures it anew");
            return check(ID, Verdict::Warn, found, Some(ANEW.to_owned()));
        }
    };
    let rated = choice.engines.iter().filter_map(|(name, rate)| Some((name, (*rate)?)));
    let mut words = rated.map(|(name, rate)| format!("{name} {rate}"));
    let first = words.next().unwrap_or_else(|| "none".to_owned());
    let rest: Vec<String> = words.collect();
    let mut found = format!("{first} on one thread");
    if !rest.is_empty() {
        found += &format!(" before {}", rest.join(", "));
    }
    ok(ID, format!("{found}; measured {} (anew: {ANEW})", day(choice.measured)))
}

/// Only the bench asks for it.
fn energy(seen: &Observed) -> Check {
    const ID: &str = "energy";
    match &seen.energy {
        Ok(()) => ok(ID, "the processor packages tell theirs: the bench counts hashes a joule"),
        Err(why) => {
            let (what, cure) = told(&why.to_string());
            check(ID, Verdict::Unknown, what, cure)
        }
    }
}

fn memory(seen: &Observed) -> Check {
    let Some(memory) = &seen.memory else {
        return check("memory", Verdict::Unknown, "not told by this system".into(), None);
    };
    let found =
        format!("{} of {} available", size(memory.available_bytes), size(memory.total_bytes));
    let verdict = match memory.available_bytes {
        free if free < 64 * MIB => Verdict::Bad,
        free if free < 256 * MIB => Verdict::Warn,
        _ => return ok("memory", found),
    };
    let cure = "ps -eo pid,rss,comm --sort=-rss | head shows who has it; end what is not needed";
    check("memory", verdict, found, Some(cure.into()))
}

/// Engines with 2 MiB a thread and more are slower without.
fn huge_pages(seen: &Observed) -> Check {
    const ID: &str = "huge-pages";
    let huge = seen.memory.as_ref().map(|memory| &memory.huge);
    let mode = huge.and_then(|huge| huge.transparent.as_deref());
    let became = seen.scratch.huge_pages(mode.map(|mode| format!("[{mode}]")).as_deref());
    let found = match huge {
        Some(huge) => format!(
            "transparent: {}; set aside: {} of {}; the fastest engine takes {} a thread",
            mode.unwrap_or("unknown"),
            huge.reserved,
            size(huge.size_bytes),
            size(seen.scratch.in_use as u64),
        ),
        None => became.to_string(),
    };
    let cure = match became {
        HugePages::NotAsked => return ok(ID, found + " and needs none"),
        HugePages::Asked => return ok(ID, found + " and asks for them"),
        HugePages::Never => "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
        HugePages::Refused(_) => {
            "use a kernel with CONFIG_TRANSPARENT_HUGEPAGE, or go on without: it costs a few per cent at most"
        }
    };
    check(ID, Verdict::Warn, found + " and is refused them", Some(cure.to_owned()))
}

fn open_files(seen: &Observed) -> Check {
    const ID: &str = "open-files";
    let Some(limit) = seen.open_files else {
        return check(ID, Verdict::Unknown, "not told by this system".into(), None);
    };
    let words = |limit: Option<u64>| limit.map_or("unlimited".to_owned(), |n| n.to_string());
    let need = u64::from(seen.max_connections) + OWN_FILES;
    let whose = match seen.running {
        Some(_) => "of the running silverlode",
        None => "of this shell",
    };
    let found = format!(
        "{} {whose} (hard limit {}); gateway.max_connections {} needs {need}",
        words(limit.soft),
        words(limit.hard),
        seen.max_connections
    );
    // A program that starts raises its soft limit to the hard one by itself.
    let in_force = if seen.running.is_some() { limit.soft } else { limit.hard };
    let limited = in_force.unwrap_or(u64::MAX);
    if limited >= need {
        return ok(ID, found);
    }
    let verdict = if limited < FEWEST_FILES { Verdict::Bad } else { Verdict::Warn };
    let cure = if limit.hard.unwrap_or(u64::MAX) >= need {
        format!(
            "ulimit -Sn {need}   (in the shell that starts it; in a systemd unit: LimitNOFILE={need})"
        )
    } else {
        format!(
            "echo \"$USER hard nofile {need}\" | sudo tee /etc/security/limits.d/silverlode.conf, log in again, then: ulimit -Sn {need}   \
             (in a systemd unit: LimitNOFILE={need}; or serve fewer: gateway.max_connections: {})",
            limited.saturating_sub(OWN_FILES).max(1)
        )
    };
    check(ID, verdict, found, Some(cure))
}

fn clock(seen: &Observed) -> Check {
    let floor = seen.built.unwrap_or(FIRST_BUILD).max(FIRST_BUILD);
    let now = day(seen.now);
    // A build a moment ago on a disk with coarse times is no sign of a wrong clock.
    if seen.now + Duration::from_secs(5) < floor {
        let found = format!("{now}, but this program was built {}", day(floor));
        let cure =
            "sudo date -s 'YYYY-MM-DD HH:MM:SS', then keep it right: sudo timedatectl set-ntp true";
        return check("clock", Verdict::Bad, found, Some(cure.into()));
    }
    ok("clock", now)
}

fn time_sync(seen: &Observed) -> Check {
    const ID: &str = "time-sync";
    let kept = &seen.timekeeping;
    match kept.daemon.as_deref() {
        _ if kept.set_by_timesyncd => ok(ID, "systemd-timesyncd has set the clock"),
        Some("systemd-timesyn") => check(
            ID,
            Verdict::Warn,
            "systemd-timesyncd runs and has not set the clock yet".into(),
            Some("timedatectl timesync-status   (is UDP port 123 open to the outside?)".into()),
        ),
        Some(daemon) => ok(ID, format!("{daemon} runs; how well it keeps the time it says itself")),
        None => check(
            ID,
            Verdict::Unknown,
            "nobody is seen who keeps the clock right; in a container that is the host's".into(),
            Some("sudo timedatectl set-ntp true".into()),
        ),
    }
}

fn data_folder(seen: &Observed) -> Check {
    const ID: &str = "data-folder";
    let (path, state) = (seen.folder.display(), &seen.folder_state);
    let bad = |found, cure| check(ID, Verdict::Bad, found, Some(cure));
    match state.kind {
        FolderKind::Other => {
            return bad(format!("{path} is not a folder"), "silverlode up --data DIR".into());
        }
        FolderKind::Missing if !state.writable => {
            let cure = format!("sudo install -d -m 700 -o \"$USER\" {path}");
            return bad(format!("{path} is missing and cannot be made"), cure);
        }
        FolderKind::Missing => return ok(ID, format!("{path} is made at the first start")),
        FolderKind::Folder => {}
    }
    if !state.writable {
        let cure = format!("sudo chown -R \"$USER\" {path}");
        return bad(format!("{path} cannot be written to"), cure);
    }
    let holder = state.holder.map_or("a process".to_owned(), |pid| format!("process {pid}"));
    if state.held && seen.running.is_none() {
        let found = format!("{path} is held by {holder}, which does not answer");
        let cure = match state.holder {
            Some(pid) => {
                format!("kill {pid}, or use another folder: silverlode up --data DIR")
            }
            None => format!("fuser -k {path}/{}", sl_ports::folders::LOCK_FILE),
        };
        return check(ID, Verdict::Warn, found, Some(cure));
    }
    if let Some(mode) = state.mode.filter(|mode| mode & 0o077 != 0) {
        let found = format!("{path} is open to others (mode {mode:04o})");
        return check(ID, Verdict::Warn, found, Some(format!("chmod 700 {path}")));
    }
    match seen.running {
        Some(pid) => ok(ID, format!("{path}, used by the running silverlode (process {pid})")),
        None => ok(ID, format!("{path}, nobody uses it")),
    }
}

fn disk(seen: &Observed) -> Check {
    let space = match &seen.disk {
        Ok(space) => space,
        Err(wrong) => return check("disk", Verdict::Unknown, wrong.clone(), None),
    };
    let found = format!("{} of {} free", size(space.free_bytes), size(space.total_bytes));
    let verdict = match space.free_bytes {
        free if free < 100 * MIB => Verdict::Bad,
        free if free < GIB => Verdict::Warn,
        _ => return ok("disk", found),
    };
    let cure = "silverlode up --data DIR   (a folder on a larger disk), or free some space";
    check("disk", verdict, found, Some(cure.into()))
}

fn settings(seen: &Observed) -> Check {
    let found = &seen.settings;
    if found.mistakes > 0 || found.first.is_some() {
        let count = match found.mistakes {
            0 => String::new(),
            1 => "1 mistake: ".to_owned(),
            n => format!("{n} mistakes, the first: "),
        };
        let what = count + found.first.as_deref().unwrap_or_default();
        return check("settings", Verdict::Bad, what, Some(found.check.clone()));
    }
    if let Some(unfit) = &seen.unfit {
        let (what, cure) = told(unfit);
        return check("settings", Verdict::Bad, what, cure.or_else(|| Some(found.check.clone())));
    }
    let files: Vec<String> = found.files.iter().map(|file| file.display().to_string()).collect();
    match files.is_empty() {
        true => ok("settings", "no file: the defaults hold"),
        false => ok("settings", files.join(", ")),
    }
}

/// One check for all that are in order, one for each that is not.
fn ports(seen: &Observed) -> Vec<Check> {
    let is_ours = |port: &PortFound| match &port.state {
        PortState::Taken(Some(holder)) => Some(holder.pid) == seen.running,
        _ => false,
    };
    let list = |of: &dyn Fn(&PortFound) -> bool| {
        let those = seen.ports.iter().filter(|port| of(port));
        those.map(|port| port.address.to_string()).collect::<Vec<_>>().join(", ")
    };
    let free = list(&|port| port.state == PortState::Free);
    let ours = list(&is_ours);
    let mut checks = Vec::new();
    let mut parts = Vec::new();
    if !free.is_empty() {
        parts.push(format!("free: {free}"));
    }
    if !ours.is_empty() {
        parts.push(format!("of the running silverlode: {ours}"));
    }
    if !parts.is_empty() {
        checks.push(ok("ports", parts.join("; ")));
    }
    for port in seen.ports.iter().filter(|port| port.state != PortState::Free && !is_ours(port)) {
        checks.push(in_the_way(port));
    }
    checks
}

fn in_the_way(port: &PortFound) -> Check {
    let address = port.address;
    let elsewhere = match port.of {
        PortOf::Gateway => "SILVERLODE__GATEWAY__LISTEN=127.0.0.1:3334 silverlode up",
        PortOf::Control => "SILVERLODE__CONTROL__LISTEN=127.0.0.1:8788 silverlode up",
        PortOf::Node => "SILVERLODE__SIMULATION__RPC_PORT=19500 silverlode up",
    };
    let (found, cure) = match &port.state {
        PortState::Taken(Some(holder)) => (
            format!("{address} is in use by {holder}"),
            format!("kill {}, or: {elsewhere}", holder.pid),
        ),
        PortState::Taken(None) => (
            format!("{address} is in use by a process of another user"),
            format!("sudo ss -ltnp 'sport = :{}' names it; or: {elsewhere}", address.port()),
        ),
        PortState::Free => (format!("{address} is free"), String::new()),
        PortState::Refused(wrong) => (wrong.clone(), elsewhere.to_owned()),
    };
    check(&format!("port.{}", address.port()), Verdict::Bad, found, Some(cure))
}

fn of_node(node: &NodeFound, seen: &Observed) -> Vec<Check> {
    let answer = match &node.answer {
        Ok(answer) => answer,
        Err(wrong) => {
            let (what, cure) = told(wrong);
            let found = format!("{}: {what}", node.url);
            return vec![check(&node.id, Verdict::Bad, found, cure)];
        }
    };
    let found = format!(
        "{}: chain {}, block {}, answered in {:.1} ms",
        node.url,
        answer.chain,
        answer.blocks,
        answer.latency.as_secs_f64() * 1000.0
    );
    let mut checks = vec![match answer.downloading {
        false => ok(&node.id, found),
        true => {
            let found = found + "; it still downloads the chain and gives no work";
            let cure = "wait until getblockchaininfo says \"initialblockdownload\": false";
            check(&node.id, Verdict::Warn, found, Some(cure.into()))
        }
    }];
    if let Some(theirs) = answer.clock {
        checks.push(clock_of(node, seen.now, theirs));
    }
    checks
}

fn clock_of(node: &NodeFound, ours: Wall, theirs: Wall) -> Check {
    let apart = Duration::from_millis(ours.millis().abs_diff(theirs.millis()));
    let found = format!("this clock and that of {} are {} s apart", node.url, apart.as_secs());
    let verdict = match apart {
        apart if apart >= CLOCK_BAD => Verdict::Bad,
        apart if apart >= CLOCK_WARN => Verdict::Warn,
        _ => Verdict::Ok,
    };
    let cure = "sudo timedatectl set-ntp true   (on both machines)".to_owned();
    check(&format!("clock.{}", node.id), verdict, found, (verdict != Verdict::Ok).then_some(cure))
}

fn pool(pool: &PoolFound) -> Check {
    match &pool.answer {
        Ok(latency) => {
            let ms = latency.as_secs_f64() * 1000.0;
            ok("pool", format!("{}: connected in {ms:.1} ms", pool.url))
        }
        Err(wrong) => {
            let (host, port) = (&pool.host, pool.port);
            let cure = format!(
                "getent hosts {host} && nc -vz {host} {port}   (name, then port); else correct pool.url"
            );
            check("pool", Verdict::Bad, format!("{}: {wrong}", pool.url), Some(cure))
        }
    }
}

/// A daemon is needed by those alone who mine solo on a node of their own.
fn daemons(seen: &Observed) -> Check {
    let words = seen.daemons.iter().map(|(name, file)| match file {
        Some(file) => file.display().to_string(),
        None => format!("{name} not found"),
    });
    let found = words.collect::<Vec<_>>().join(", ");
    ok("daemons", found + " (needed for solo mining on own nodes only)")
}

/// What is wrong, and the cure behind the word `hint`.
fn told(wrong: &str) -> (String, Option<String>) {
    match wrong.split_once("hint: ") {
        Some((what, cure)) => {
            (what.trim_end_matches([' ', ';', ',']).to_owned(), Some(cure.to_owned()))
        }
        None => (wrong.to_owned(), None),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= GIB => {
            let tenths = u128::from(bytes) * 10 / u128::from(GIB);
            format!("{}.{} GiB", tenths / 10, tenths % 10)
        }
        bytes if bytes >= MIB => format!("{} MiB", bytes / MIB),
        bytes => format!("{} KiB", bytes / 1024),
    }
}

fn day(at: Wall) -> String {
    i64::try_from(at.millis())
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .map_or_else(|| "no date".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
mod tests;
