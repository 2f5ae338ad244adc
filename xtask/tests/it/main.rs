//! The architecture rules hold in this repository: so `cargo test --workspace` enforces them.

use std::path::Path;
use std::process::Command;

fn xtask(args: &[&str]) -> (Option<i32>, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(args)
        .output()
        .expect("cargo built the program for this test");
    let text = [out.stdout, out.stderr].concat();
    (out.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn tidy_passes_on_this_repository() {
    let (status, text) = xtask(&["tidy"]);
    assert_eq!(status, Some(0), "\n{text}");
}

#[test]
fn wrong_usage_is_told_with_status_2() {
    for args in [&["fly"][..], &["tidy", "--fast"], &["advisories", "--db"], &[]] {
        let (status, text) = xtask(args);
        assert_eq!(status, Some(2), "{args:?}\n{text}");
        assert!(text.contains("usage: cargo xtask COMMAND"), "{text}");
    }
}

#[test]
fn a_snapshot_that_was_named_must_be_there() {
    let (status, text) = xtask(&["advisories", "--db", "no/such/snapshot"]);
    assert_eq!(status, Some(1));
    assert!(text.contains("no/such/snapshot"), "{text}");
}

#[test]
fn advisories_are_found_in_a_folder_and_in_an_archive() {
    const ADVISORY: &str = "```toml\n[advisory]\nid = \"RUSTSEC-2030-0001\"\npackage = \"leaky\"\n\n[versions]\npatched = [\">= 1.4\"]\n```\n\n# It leaks\n";
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("advisories");
    let folder = place.join("crates/leaky");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("RUSTSEC-2030-0001.md"), ADVISORY).unwrap();
    let archive = place.join("snapshot.tar.gz");
    let packed = Command::new("tar")
        .arg("-czf")
        .arg(&archive)
        .arg("-C")
        .arg(&place)
        .arg("crates")
        .status()
        .unwrap();
    assert!(packed.success());
    let lock = place.join("Cargo.lock");
    for (version, expect) in [("1.3.9", 1), ("1.4.0", 0)] {
        let text = format!(
            "[[package]]\nname = \"leaky\"\nversion = \"{version}\"\nsource = \"registry+x\"\n"
        );
        std::fs::write(&lock, text).unwrap();
        for snapshot in [place.join("crates"), archive.clone()] {
            let (snapshot, lock) = (snapshot.to_string_lossy(), lock.to_string_lossy());
            let (status, text) =
                xtask(&["advisories", "--require", "--db", &snapshot, "--lock", &lock]);
            assert_eq!(status, Some(expect), "{version} {snapshot}\n{text}");
            assert_eq!(
                text.contains("RUSTSEC-2030-0001: VULNERABLE: leaky 1.3.9: It leaks"),
                expect == 1,
                "{text}"
            );
        }
    }
}
