//! Every door under recorded conversations, damaged in many ways: the same each time, by a seed.

use serde_json::Value;
use sl_fuzz::DOORS;

/// Conversations and headers that are whole: where the damage starts from.
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
