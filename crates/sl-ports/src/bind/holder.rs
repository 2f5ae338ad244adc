//! Who listens on a port, from `/proc` (proc(5)): the socket table gives the inode, the file
//! descriptors of the processes give the owner. Best effort: a stranger's descriptors cannot be
//! read, and the search is bounded.

use super::Holder;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Processes and descriptors looked at before the search gives up.
const MAX_PROCESSES: usize = 20_000;
const MAX_DESCRIPTORS: usize = 500_000;

/// The process that listens where `addr` would, if `/proc` tells.
pub(super) fn find(addr: SocketAddr) -> Option<Holder> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| sockets(&table, addr))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let mut budget = MAX_DESCRIPTORS;
    std::fs::read_dir("/proc")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .take(MAX_PROCESSES)
        .find(|pid| holds(*pid, &inodes, &mut budget))
        .map(|pid| Holder {
            pid,
            command: std::fs::read_to_string(format!("/proc/{pid}/comm"))
                .map_or_else(|_| "a program".to_owned(), |name| name.trim().to_owned()),
        })
}

/// The listening sockets of a table that are in the way, as `/proc/PID/fd` names them.
fn sockets(table: &str, addr: SocketAddr) -> Vec<String> {
    let inodes = table.lines().filter_map(|line| listening_inode(line, addr));
    inodes.map(|inode| format!("socket:[{inode}]")).collect()
}

fn holds(pid: u32, inodes: &[String], budget: &mut usize) -> bool {
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    for descriptor in descriptors.flatten() {
        let Some(left) = budget.checked_sub(1) else { return false };
        *budget = left;
        let target = std::fs::read_link(descriptor.path()).unwrap_or_default();
        if inodes.iter().any(|inode| target.as_os_str() == inode.as_str()) {
            return true;
        }
    }
    false
}

/// The inode of a line of `/proc/net/tcp` or `tcp6`, if it is a listening socket in the way of
/// `addr`: the same port, and the same address or one of the two a wildcard.
fn listening_inode(line: &str, addr: SocketAddr) -> Option<&str> {
    const LISTEN: &str = "0A";
    let mut fields = line.split_whitespace();
    let (host, port) = fields.nth(1)?.split_once(':')?;
    if u16::from_str_radix(port, 16).ok()? != addr.port() || fields.nth(1)? != LISTEN {
        return None;
    }
    let host = address(host)?.to_canonical();
    let wanted = addr.ip().to_canonical();
    if host != wanted && !host.is_unspecified() && !wanted.is_unspecified() {
        return None;
    }
    fields.nth(5)
}

/// The kernel prints an address as words of 32 bits in the machine's own byte order.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hex.get(at.checked_mul(8)?..at.checked_add(1)?.checked_mul(8)?)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of a Linux 5.10 machine (x86-64).
    const V4: &str = "   0: 0100007F:0D05 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 48211 1 0000000000000000 100 0 0 10 0";
    const ANY6: &str = "   1: 00000000000000000000000000000000:0D05 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0000000000000000 100 0 0 10 0";
    const TALKING: &str = "   2: 0100007F:0D05 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 9 1 0000000000000000 20 4 30 10 -1";

    #[test]
    fn lines_of_the_socket_table() {
        let check = |line: &str, addr: &str, expect: Option<&str>| {
            assert_eq!(listening_inode(line, addr.parse().unwrap()), expect, "{line} {addr}");
        };
        if cfg!(target_endian = "little") {
            check(V4, "127.0.0.1:3333", Some("48211"));
            check(V4, "0.0.0.0:3333", Some("48211"));
            check(V4, "127.0.0.2:3333", None);
            check(V4, "127.0.0.1:3334", None);
        }
        check(ANY6, "127.0.0.1:3333", Some("777"));
        check(ANY6, "[::1]:3333", Some("777"));
        check(TALKING, "127.0.0.1:3333", None);
        for nonsense in ["", "sl local_address", "0: é:0D05 x 0A", "0: 01:0D05 0 0A 1 2 3 4 5 6"] {
            check(nonsense, "127.0.0.1:3333", None);
        }
    }
}
