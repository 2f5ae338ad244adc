//! Which layer wins, and where each value came from.

use sl_config::{Layer, Layers, Loaded, Wrong, load, overlay_path};

use crate::settings::{Mine, Mode};

fn variable(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

fn farm() -> Loaded {
    let layers = Layers::new()
        .file(
            "silverlode.yaml",
            "gateway:\n  listen: 10.0.0.1:1\n  line: 1KiB\n  connections: 1\ncoins: [ltc]\n\
             spare: {url: x}\nrewards:\n  LTC: {address: L1}\n  DOGE: {address: D1}\n",
        )
        .file(
            "silverlode.production.yaml",
            "mode: production\ngateway:\n  listen: 10.0.0.2:2\n  vardiff:\ncoins: [doge, bells]\n\
             rewards:\n  LTC: {enabled: false}\n",
        )
        .environment([
            variable("PATH", "/bin"),
            variable("SILVERLODE_CONFIG", "x"),
            variable("SILVERLODE__GATEWAY__LISTEN", "10.0.0.3:3"),
            variable("SILVERLODE__GATEWAY__CONNECTIONS", "3"),
            variable("SILVERLODE__REWARDS__DOGE__ADDRESS", "D2"),
            variable("SILVERLODE__REWARDS__PEP__ADDRESS", "P1"),
        ])
        .flag("--listen", "gateway.listen", "10.0.0.4:4");
    load(layers).expect("all parse")
}

#[test]
fn later_layers_win() {
    let mine: Mine = farm().read().expect("all right");
    assert_eq!(mine.mode, Mode::Production);
    assert_eq!(mine.gateway.listen.to_string(), "10.0.0.4:4");
    assert_eq!(mine.gateway.connections, 3);
    assert_eq!(mine.gateway.line.0, 1024);
    assert_eq!(mine.coins, ["doge", "bells"], "a list is replaced as a whole");
    assert_eq!(mine.spare.expect("given").user, "silverlode");
    let names: Vec<&String> = mine.rewards.keys().collect();
    assert_eq!(names, ["DOGE", "LTC", "pep"], "a variable finds a name in any case");
    let litecoin = &mine.rewards["LTC"];
    assert_eq!((litecoin.address.as_deref(), litecoin.enabled), (Some("L1"), false));
    assert_eq!(mine.rewards["DOGE"].address.as_deref(), Some("D2"));
}

#[test]
fn every_value_knows_its_origin() {
    let loaded = farm();
    for (key, origin) in [
        ("mode", "silverlode.production.yaml:1:7"),
        ("gateway.listen", "flag --listen"),
        ("gateway.connections", "environment variable SILVERLODE__GATEWAY__CONNECTIONS"),
        ("gateway.line", "silverlode.yaml:3:9"),
        ("gateway.vardiff.every", "default"),
        ("coins[1]", "silverlode.production.yaml:5:15"),
        ("coins[2]", "default"),
        ("rewards.LTC.enabled", "silverlode.production.yaml:7:18"),
        ("nothing.of.that[0].kind", "default"),
    ] {
        assert_eq!(loaded.origin_of(key).to_string(), origin, "{key}");
    }
    let origin = loaded.origin_of("gateway.line");
    assert_eq!((origin.layer, origin.span), (Layer::File, 38..42));
}

#[test]
fn nothing_given_is_the_default() {
    let mine: Mine = load(Layers::new()).expect("nothing").read().expect("defaults");
    assert_eq!(mine, Mine::default());
    assert_eq!(mine.coins, ["ltc", "doge"]);
    assert_eq!((mine.cores.len(), mine.spare.is_none(), mine.pools.len()), (0, true, 0));
}

#[test]
fn lists_and_maps_in_a_variable_or_a_flag() {
    let layers = Layers::new()
        .environment([
            variable("SILVERLODE__COINS", "ltc, pep"),
            variable("SILVERLODE__CORES", "[0, 2]"),
            variable("SILVERLODE__POOLS", "[{url: a, priority: 2}, {url: b}]"),
        ])
        .flag("--spare", "spare", "{url: c}");
    let mine: Mine = load(layers).expect("all parse").read().expect("all right");
    assert_eq!((mine.coins, mine.cores), (vec!["ltc".to_owned(), "pep".to_owned()], vec![0, 2]));
    assert_eq!((mine.pools[0].priority, mine.pools[1].url.as_str()), (Some(2), "b"));
    assert_eq!(mine.spare.expect("given").url, "c");
}

/// What is said of variables and flags: they are named, and their text is in the message.
#[test]
fn wrong_variables_and_flags() {
    let said = |name: &str, text: &str| {
        let layers = match name.strip_prefix("--") {
            Some(key) => Layers::new().flag(name, key, text),
            None => Layers::new().environment([variable(name, text)]),
        };
        load(layers).and_then(|loaded| loaded.read::<Mine>()).expect_err(name).to_string()
    };
    for (name, text, expect) in [
        (
            "SILVERLODE__GATEWAY__LISTEN",
            "3333",
            "environment variable SILVERLODE__GATEWAY__LISTEN: gateway.listen: found \"3333\" (no address), allowed: IP:PORT, such as 127.0.0.1:3333 or [::1]:3333, hint: write 127.0.0.1:3333",
        ),
        (
            "SILVERLODE__GATEWAY__LISTN",
            "127.0.0.1:1",
            "environment variable SILVERLODE__GATEWAY__LISTN: gateway.listn: unknown key, hint: did you mean SILVERLODE__GATEWAY__LISTEN?",
        ),
        (
            "SILVERLODE__MODE__",
            "production",
            "environment variable SILVERLODE__MODE__: the name \"SILVERLODE__MODE__\" leads to no setting, allowed: SILVERLODE__SECTION__SETTING",
        ),
        (
            "SILVERLODE__GATEWAY",
            "x",
            "environment variable SILVERLODE__GATEWAY: gateway: found \"x\", allowed: a map of settings, hint: write its settings below it, indented, such as \"listen: …\"",
        ),
        (
            "SILVERLODE__POOLS",
            "[{url: a",
            "environment variable SILVERLODE__POOLS: pools: the bracket is not closed, hint: close it: [a, b] or {key: value}",
        ),
        (
            "SILVERLODE__POOLS",
            "[{url: a, usr: b}]",
            "environment variable SILVERLODE__POOLS: pools[0].usr: unknown key, hint: did you mean \"user\"?",
        ),
        (
            "--gateway.vardiff.every",
            "1h",
            "flag --gateway.vardiff.every: gateway.vardiff.every: found \"1h\", allowed: a duration, such as 500ms, 30s, 5m or 2h, from 1s to 10m",
        ),
        ("--mode", "", "flag --mode: mode: found \"\", allowed: educational or production"),
    ] {
        assert_eq!(said(name, text), expect);
    }
}

#[test]
fn mistakes_of_all_layers_are_told_together() {
    let layers = Layers::new()
        .file("a.yaml", "moed: x\nmode: educational\n")
        .file("b.yaml", "moode: x\ngateway: {line: 1}\n")
        .environment([variable("SILVERLODE__GATEWAY__CONNECTIONS", "-1")])
        .flag("--cores", "cores", "a,b");
    let problems = load(layers).expect("all parse").read::<Mine>().expect_err("six mistakes");
    let told: Vec<(&str, &str)> = problems
        .list()
        .iter()
        .map(|problem| (problem.source_name(), problem.key.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("a.yaml", "moed"),
            ("b.yaml", "moode"),
            ("b.yaml", "gateway.line"),
            ("SILVERLODE__GATEWAY__CONNECTIONS", "gateway.connections"),
            ("--cores", "cores"),
            ("--cores", "cores"),
        ]
    );
}

#[test]
fn every_broken_file_is_named() {
    let layers = Layers::new().file("a.yaml", "a: [").file("b.yaml", "b: \"");
    let problems = load(layers).expect_err("both");
    let names: Vec<&str> = problems.list().iter().map(|problem| problem.source_name()).collect();
    assert_eq!(names, ["a.yaml", "b.yaml"]);
}

#[test]
fn a_check_across_settings_points_at_the_value() {
    let layers = Layers::new().file("s.yaml", "mode: production\nspare: {url: x, password: pw}\n");
    let loaded = load(layers).expect("it parses");
    let refused = loaded.read_with::<Mine>(|mine, check| {
        let inline = mine.spare.as_ref().is_some_and(|pool| pool.password.is_inline());
        if mine.mode == Mode::Production && inline {
            let wrong = Wrong::value("production mode takes no inline secret");
            check.refuse("spare.password", wrong.hint("write env:NAME or file:/path"));
        }
        if mine.rewards.is_empty() {
            check.refuse("rewards", Wrong::value("nobody is paid"));
        }
    });
    assert_eq!(
        refused.expect_err("refused").to_string(),
        "s.yaml:2:27: spare.password: production mode takes no inline secret, hint: write env:NAME or file:/path\n  \
         2 | spare: {url: x, password: **}\n    \
           |                           ^^\n\
         settings: rewards: nobody is paid"
    );
}

#[test]
fn overlays_lie_beside_the_file() {
    let overlay = |file: &str| overlay_path(file.as_ref(), "production").display().to_string();
    assert_eq!(overlay("/etc/silverlode.yaml"), "/etc/silverlode.production.yaml");
    assert_eq!(overlay("silverlode"), "silverlode.production");
}

#[test]
fn debug_shows_no_secret() {
    let layers = Layers::new().file("s.yaml", "spare: {url: x, password: hunter2}\n").flag(
        "--x",
        "spare.password",
        "hunter2",
    );
    assert_eq!(format!("{layers:?}"), "[\"s.yaml\", \"--x\"]");
    let loaded = load(layers).expect("it parses");
    let mine: Mine = loaded.read().expect("all right");
    assert!(!format!("{loaded:?} {mine:?}").contains("hunter2"));
}

/// A secret in the line of another mistake: covered by a later layer, in a map of the wrong shape,
/// or given where a list belongs.
#[test]
fn no_message_shows_a_secret() {
    sl_config::settings! {
        /// Several secrets.
        struct Keys {
            /// Those of the pools.
            restart keys: Vec<sl_config::Secret>,
        }
    }
    let spare = "spare: {url: x, password: hunter2, priority: 12}\n";
    let covered = Layers::new().file("a.yaml", spare).flag("--pw", "spare.password", "env:PW");
    let pools = Layers::new().file("a.yaml", "pools: {url: x, password: hunter2}\n");
    let list = Layers::new().file("a.yaml", "spare: [{password: hunter2}]\n");
    for layers in [covered, pools, list] {
        let problems = load(layers).expect("it parses").read::<Mine>().expect_err("a mistake");
        let said = format!("{problems} {problems:?}");
        assert!(said.contains("password: *******") && !said.contains("hunter2"), "{said}");
    }
    let problems = sl_config::read_text::<Keys>("a.yaml", "keys: hunter2").expect_err("no list");
    assert_eq!(problems.list()[0].message, "found a secret");
    assert!(!problems.to_string().contains("hunter2"));
}
