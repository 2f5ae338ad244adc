//! What was acknowledged is on the disk: the sync of a share's commit precedes its
//! acknowledgement, as the operating system sees it, and a killed gateway has lost nothing.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
    process::Command,
};

use crate::processes::{Farm, Gateway, chains, ports};

/// Calls that bring bytes to the disk, from a machine, and to it.
const CALLS: &str =
    "fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg,read,readv,recvfrom,recvmsg";
/// Acknowledgements that are looked at.
const ENOUGH: u64 = 100;
/// A machine's first two calls are no shares.
const FIRST_SHARE: u64 = 3;

/// A system call with the lines of the trace at which it began and ended.
struct Call {
    name: String,
    text: String,
    began: usize,
    ended: usize,
}

#[test]
fn a_share_is_on_the_disk_before_it_is_acknowledged() {
    if !Command::new("strace")
        .args(["-o", "/dev/null", "true"])
        .status()
        .is_ok_and(|it| it.success())
    {
        println!("SKIPPED: no process can be traced here; cure: apt-get install strace");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let trace = folder.path().join("trace");
    let tracer = ["strace", "-f", "-yy", "-s", "4096", "-e", &format!("trace={CALLS}"), "-o"]
        .map(str::to_owned);
    let tracer = [&tracer[..], &[trace.display().to_string(), "--".to_owned()]].concat();
    let [at] = ports();
    let gateway = Gateway::start_below(&tracer, &settings(at));
    gateway.is_ready();
    let machines = Farm::start(at, 5, 1000);
    machines.until("acknowledgements", |counts| counts.accepted >= 2 * ENOUGH);
    machines.rest();
    gateway.stop();

    let told = look(&trace);
    println!("{} acknowledgements after the sync of their commit", told.after);
    assert_eq!(told.before, Vec::<String>::new(), "acknowledged before their sync");
    assert!(told.after >= ENOUGH, "{} of the acknowledgements were found", told.after);
}

/// Easy shares, as many as come.
fn settings(at: u16) -> String {
    format!(
        "gateway:\n  listen: 127.0.0.1:{at}\n  shares_per_minute: 120\n  \
         start_difficulty: 0.0005\n  max_difficulty: 0.0005\n{}",
        chains()
    )
}

#[test]
fn a_killed_gateway_has_what_it_acknowledged() {
    const MACHINES: usize = 20;
    let [at] = ports();
    let mut gateway = Gateway::start(&settings(at));
    gateway.is_ready();
    let machines = Farm::start(at, MACHINES, 1000);
    for _ in 0..5 {
        machines.until("all machines", |counts| counts.working == MACHINES as u64);
        let enough = machines.counts().accepted + 3 * ENOUGH;
        machines.until("acknowledgements", |counts| counts.accepted >= enough);
        let home = gateway.kill();
        machines.until("the end of every connection", |counts| counts.working == 0);
        let acknowledged = machines.counts().accepted;
        let rows = home.journal(&["export"]);
        let kept = rows.iter().filter(|row| row["outcome"] == "accepted").count();
        assert!(kept as u64 >= acknowledged, "{kept} kept, {acknowledged} acknowledged");
        let slots: HashSet<_> =
            rows.iter().map(|row| (row["worker"].to_string(), row["slot"].to_string())).collect();
        assert_eq!(slots.len(), MACHINES, "each machine has its slot again: {slots:?}");
        gateway = Gateway::again(home);
        gateway.is_ready();
    }
    let counts = machines.rest();
    let (_, home) = gateway.stop();
    let told = &home.journal(&["verify"])[0];
    assert_eq!(told["ok"], true, "{told:#}");
    println!("{} acknowledged through five kills, none lost", counts.accepted);
}

/// Acknowledgements after the sync of their commit, and those that were not.
struct Told {
    after: u64,
    before: Vec<String>,
}

fn look(trace: &Path) -> Told {
    let calls = calls(&fs::read_to_string(trace).expect("a trace"));
    let is_one = |call: &Call, names: &[&str]| names.contains(&call.name.as_str());
    let of_journal = |call: &&Call| {
        call.text
            .split_once('>')
            .is_some_and(|(file, _)| file.contains("/journal/shares-") && file.ends_with("-wal"))
    };
    let of_wal = |names: &'static [&'static str]| {
        calls.iter().filter(move |call| is_one(call, names)).filter(of_journal)
    };
    let written: Vec<_> = of_wal(&["pwrite64"]).collect();
    let synced: Vec<_> =
        of_wal(&["fsync", "fdatasync"]).filter(|it| it.text.ends_with("= 0")).collect();
    let mut heard = HashMap::new();
    let mut told = Told { after: 0, before: Vec::new() };
    for call in &calls {
        // Connections live as long as the trace, so that the descriptor says which it is.
        let Some((socket, _)) = call.text.split_once('<') else { continue };
        if is_one(call, &["read", "readv", "recvfrom", "recvmsg"]) {
            for id in ids(&call.text, r#",\"method\":\"mining.submit\""#) {
                heard.insert((socket.to_owned(), id), call.ended);
            }
        } else if is_one(call, &["write", "writev", "sendto", "sendmsg"]) {
            for id in ids(&call.text, r#",\"result\":true"#) {
                // A line that came in pieces is not found among what was heard.
                let Some(heard) = heard.get(&(socket.to_owned(), id)) else { continue };
                let is_safe = written.iter().filter(|write| write.began > *heard).any(|write| {
                    synced.iter().any(|sync| sync.began >= write.ended && sync.ended < call.began)
                });
                match is_safe {
                    true => told.after += 1,
                    false => told.before.push(format!("line {}: {}", call.began + 1, call.text)),
                }
            }
        }
    }
    told
}

/// The ids of shares that stand before these words, as in `{"id":7` and the words.
fn ids(text: &str, words: &str) -> Vec<u64> {
    let ids = text.match_indices(words).filter_map(|(at, _)| {
        let (_, id) = text.get(..at)?.rsplit_once(r#"{\"id\":"#)?;
        id.parse().ok()
    });
    ids.filter(|id| *id >= FIRST_SHARE).collect()
}

/// The calls of a trace; those that another thread's came between are put together again.
fn calls(trace: &str) -> Vec<Call> {
    let mut open = HashMap::<&str, (usize, &str)>::new();
    let mut calls = Vec::new();
    for (line, text) in trace.lines().enumerate() {
        let Some((thread, text)) = text.split_once(char::is_whitespace) else { continue };
        let text = text.trim_start();
        if let Some(begun) = text.strip_suffix("<unfinished ...>") {
            open.insert(thread, (line, begun));
            continue;
        }
        let (began, whole) =
            match text.strip_prefix("<... ").and_then(|it| it.split_once(" resumed>")) {
                Some((_, end)) => {
                    let Some((began, begun)) = open.remove(thread) else { continue };
                    (began, format!("{begun}{end}"))
                }
                None => (line, text.to_owned()),
            };
        let Some((name, text)) = whole.split_once('(') else { continue };
        let (name, text) = (name.to_owned(), text.to_owned());
        calls.push(Call { name, text, began, ended: line });
    }
    calls.sort_by_key(|call| call.began);
    calls
}

#[test]
fn a_trace_is_read_whatever_came_between() {
    let trace = r#"7 recvfrom(9<TCP:[1->2]>, "{\"id\":3,\"method\":\"mining.submit\"}\n", 16) = 16
8 pwrite64(5</d/journal/shares-2026-11-22.db-wal>, "x" <unfinished ...>
7 write(4<anon_inode:[eventfd]>, "\1", 8) = 8
8 <... pwrite64 resumed>, 1, 0)   = 1
8 fdatasync(5</d/journal/shares-2026-11-22.db-wal> <unfinished ...>
7 sendto(9<TCP:[1->2]>, "{\"id\":3,\"result\":true}\n", 16) = 16
8 <... fdatasync resumed>)        = 0
7 recvfrom(9<TCP:[1->2]>, "{\"id\":4,\"method\":\"mining.submit\"}\n", 16) = 16
8 pwrite64(5</d/journal/shares-2026-11-22.db-wal>, "x", 1, 0) = 1
8 fsync(5</d/journal/shares-2026-11-22.db-wal>) = 0
7 sendto(9<TCP:[1->2]>, "{\"id\":2,\"result\":true}\n{\"id\":4,\"result\":true}\n", 32) = 32
"#;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace");
    fs::write(&path, trace).expect("written");
    let told = look(&path);
    assert_eq!((told.after, told.before.len()), (1, 1), "{:?}", told.before);
    assert!(told.before[0].starts_with("line 6: "), "{:?}", told.before);
}
