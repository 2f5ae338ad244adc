//! Every door under recorded conversations, damaged in many ways: the same each time, by a seed.

use bytes::Bytes;
use serde_json::Value;
use sl_fuzz::DOORS;
use sl_ledger::encode_job;
use sl_units::{Bits, CoinAmount, Hash256, Mono, ShareDifficulty, Target};
use sl_work::{CoinbaseTemplate, Goal, HeaderTemplate, Job, JobId, NtimeRange, SourceId};

/// What people and machines write: addresses, user names with a machine's, wallets, passwords.
const WORDS: &[&str] = &[
    "stratum+ssl://pool.example:3333/",
    "[::1]:3333",
    "tcp://me:secret@pool.example:3333",
    "{account}.{worker}\naccount.Rig 7",
    "account.{worker}.{worker}",
    "LTC=ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9",
    "{wallet:LTC}.rig",
    "x; diff=12, d=0.5",
    "d=1e300",
];

/// A job with all that one can have.
fn job() -> Job {
    let target = |difficulty| ShareDifficulty::new(difficulty).map(Target::from);
    Job {
        id: JobId { source: SourceId::new("solo"), sequence: 9 },
        epoch: 4,
        born: Mono::default(),
        header: HeaderTemplate {
            version: 0x2000_0000,
            roll_mask: 0xe000,
            prev: Hash256::from_bytes([1; 32]),
            bits: Bits::from_u32(0x1e0f_fff0),
            ntime: NtimeRange { earliest: 1, start: 2, latest: u32::MAX },
        },
        coinbase: CoinbaseTemplate {
            prefix: Bytes::from_static(b"before"),
            free: 8,
            suffix: Bytes::from_static(b"after"),
        },
        branch: vec![Hash256::from_bytes([2; 32]); 3],
        wanted: target(512.0).expect("positive"),
        goals: vec![Goal {
            chain: "DOGE".parse().expect("a coin of the table"),
            height: 6_000_000,
            tip: Hash256::from_bytes([4; 32]),
            target: target(1e9).expect("positive"),
            reward: CoinAmount::from_coins(10_000),
            weight: Some(0.7),
        }],
    }
}

/// Conversations, headers, words and jobs that are whole: where the damage starts from.
fn recorded() -> Vec<Vec<u8>> {
    let mut whole: Vec<Vec<u8>> = [
        &b"PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n{\"id\":1}\n"[..],
        b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n",
        b"PROXY UNKNOWN\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\x0a\0\0\x02\xdc\x04\x0d\x05{\"id\":1}\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13\xcb\0\x71\x09\x0a\0\0\x02\xdc\x04\x0d\x05\x04\0\x04abcd",
        b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    whole.extend(WORDS.iter().map(|word| word.as_bytes().to_vec()));
    whole.push(encode_job(&job()).to_vec());
    for file in ["sv1_recorded_minerd_vs_foundation.json", "sv1_real_scrypt_session_2018.json"] {
        let text = sl_testkit::recorded(&format!("stratum/{file}"));
        let session: Value = serde_json::from_str(&text).expect("recorded JSON");
        let messages = session["messages"].as_array().expect("messages");
        for direction in ["c>s", "s>c"] {
            let said = messages.iter().filter(|it| it["dir"] == direction);
            let lines: Vec<String> = said.map(|it| format!("{}\n", it["json"])).collect();
            whole.push(lines.concat().into_bytes());
            whole.extend(lines.into_iter().take(12).map(String::into_bytes));
        }
    }
    whole
}

/// Changes some bytes, cuts some out, says some again, or joins two conversations.
fn damage(random: &mut fastrand::Rng, whole: &[Vec<u8>]) -> Vec<u8> {
    const FAVOURITES: &[u8] = b"\n\r\0\"[]{},:\\9-eP\xff\x20\x21";
    let pick = |random: &mut fastrand::Rng| whole[random.usize(..whole.len())].clone();
    let mut bytes = pick(random);
    bytes.truncate(8192);
    for _ in 0..random.usize(..8) {
        if bytes.is_empty() {
            break;
        }
        let (a, b) = (random.usize(..bytes.len()), random.usize(..bytes.len()));
        let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 64));
        match random.u8(..6) {
            0 => bytes[a] = random.u8(..),
            1 => bytes[a] = FAVOURITES[random.usize(..FAVOURITES.len())],
            2 => bytes[a] ^= 1 << random.u8(..8),
            3 => drop(bytes.drain(from..to)),
            4 => {
                let again = bytes[from..to].repeat(random.usize(1..20));
                drop(bytes.splice(from..from, again));
            }
            _ => bytes.splice(a.., pick(random)).for_each(drop),
        }
    }
    bytes
}

#[test]
fn every_door_holds_under_damaged_conversations() {
    let whole = recorded();
    for bytes in &whole {
        DOORS.iter().for_each(|door| (door.enter)(bytes));
    }
    let mut random = fastrand::Rng::with_seed(0x51_17_e7);
    for _ in 0..6000 {
        let bytes = damage(&mut random, &whole);
        for door in DOORS {
            (door.enter)(&bytes);
        }
    }
}

#[test]
fn every_door_has_its_target() {
    let folder = sl_testkit::testdata().join("../fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).expect("fuzz/Cargo.toml");
    for door in DOORS {
        let target = folder.join(format!("fuzz_targets/{}.rs", door.name));
        let text = std::fs::read_to_string(&target).expect("a target of the door's name");
        assert!(text.contains("sl_fuzz::"), "{}", door.name);
        assert!(manifest.contains(&format!("name = \"{}\"", door.name)), "{}", door.name);
    }
}
