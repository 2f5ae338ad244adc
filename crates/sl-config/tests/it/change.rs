//! What differs between two readings.

use sl_config::{Layers, Loaded, diff, load, plan};

use crate::settings::Mine;

fn read(text: &str) -> Loaded {
    load(Layers::new().file("s.yaml", text)).expect("it parses")
}

fn told(from: &str, to: &str) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    diff::<Mine>(&read(from), &read(to))
        .into_iter()
        .map(|change| {
            let when = if change.live { "live" } else { "restart" };
            format!("{} {} > {} {when}", change.key, text(change.from), text(change.to))
        })
        .collect()
}

#[test]
fn differences_are_told_in_order_with_their_word() {
    assert_eq!(
        told(
            "mode: production\ncoins: [a]\ngateway: {line: 1KiB}\n",
            "coins: [a, b]\ngateway: {line: 16KiB, listen: 1.1.1.1:1}\n"
        ),
        [
            "mode production > educational restart",
            "coins [a] > [a, b] live",
            "gateway.listen 127.0.0.1:3333 > 1.1.1.1:1 live",
            "gateway.line 1KiB > 16KiB restart",
        ]
    );
    assert_eq!(told("mode: educational\n", "# nothing\n"), Vec::<String>::new());
}

#[test]
fn secrets_differ_and_are_not_shown() {
    assert_eq!(
        told("spare: {url: x, password: hunter2}\n", "spare: {url: x, password: hunter3}\n"),
        ["spare.password \"***\" > \"***\" restart"]
    );
    assert_eq!(
        told("spare: {url: x, password: hunter2}\n", "spare: {url: x, password: env:P}\n"),
        ["spare.password \"***\" > env:P restart"]
    );
}

sl_config::settings! {
    /// A peer that can come and go.
    pub struct Peer without Default {
        /// Where it is.
        live at: String,
        /// What it weighs.
        live weight: u8 = 1,
    }
}
sl_config::settings! {
    /// Peers.
    pub struct Peers {
        /// Those that there are.
        list peers: Peer,
    }
}

#[test]
fn items_of_a_list_of_live_settings_come_and_go_live() {
    let between = |from: &str, to: &str| {
        let plan = plan::<Peers>(&read(from), &read(to));
        (plan.live.len(), plan.restart.len())
    };
    assert_eq!(between("peers: [{at: a}]\n", "peers: [{at: a}, {at: b}]\n"), (2, 0));
    assert_eq!(between("peers: [{at: a}, {at: b}]\n", "peers: [{at: b}]\n"), (3, 0));
    assert_eq!(between("peers: [{at: a}]\n", ""), (2, 0));
}

#[test]
fn what_comes_or_goes_as_a_whole_waits_for_a_restart() {
    let changes = told("pools: [{url: a}]\n", "pools: [{url: a}, {url: b, priority: 1}]\n");
    assert_eq!(
        changes,
        [
            "pools[1].url - > b restart",
            "pools[1].user - > silverlode restart",
            "pools[1].password - > env:POOL_PASSWORD restart",
            "pools[1].priority - > 1 restart",
        ]
    );
    assert_eq!(told("spare: {url: x}\n", "").len(), 4);
    assert_eq!(
        told("spare: {user: u}\n", "spare: {user: u, url: x}\n"),
        ["spare.url - > x restart"]
    );
    let plan =
        plan::<Mine>(&read("pools: [{url: a}]\n"), &read("pools: [{url: c, priority: 3}]\n"));
    let keys = |changes: &[sl_config::Change]| -> Vec<String> {
        changes.iter().map(|change| change.key.clone()).collect()
    };
    assert_eq!(
        (keys(&plan.live), keys(&plan.restart)),
        (vec!["pools[0].priority".to_owned()], vec!["pools[0].url".to_owned()])
    );
    assert!(!plan.is_empty());
}
