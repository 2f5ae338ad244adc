//! The settings of the whole, composed of each crate's own section.

use sl_chain::{
    address::Address,
    coins::{self, Ticker},
};
use sl_config::{Check, FormatVersion, Secret, Wrong};
use sl_gateway::GatewaySettings;
use sl_hasher::HasherSettings;
use sl_solo::{CoinName, MAX_TAG, NodeSection, SoloSection};
use sl_twin::MachinesSettings;
use sl_units::HashRate;
use sl_upstream::{FailoverSettings, PoolEntry, PoolSettings};

use crate::{control::ControlSettings, journal::JournalSettings};

mod pools;

sl_config::setting_enum! {
    /// What the program is for.
    pub enum Mode {
        /// Simulated chains, no money, no outside connection.
        Educational = "educational",
        /// Real pools and nodes.
        Production = "production",
    }
}

sl_config::setting_enum! {
    /// What log lines look like.
    pub enum LogStyle {
        /// For people.
        Pretty = "pretty",
        /// One JSON object a line.
        Json = "json",
    }
}

sl_config::setting_from_str! {
    /// A hash rate with its unit.
    pub struct Rate => HashRate, "a number with H/s, kH/s, MH/s, GH/s, TH/s or PH/s, as in 9.5 GH/s";
}

sl_config::settings! {
    /// The operations suite of a Scrypt mine.
    pub struct Settings {
        /// The form of this file; `silverlode config migrate` brings an older one up to date.
        restart version: FormatVersion = 2,
        /// Whether all is simulated on this machine, or real.
        restart mode: Mode = "educational",
        /// Log lines, on standard error.
        section log: LogSettings,
        /// The simulated world of educational mode.
        section simulation: SimulationSettings,
        /// The Stratum server for machines.
        section gateway: GatewaySettings,
        /// The journal of shares, blocks and jobs.
        section journal: JournalSettings,
        /// This machine's own engines.
        section mine: HasherSettings,
        /// Virtual machines: ASICs with their face on the network that really mine.
        section machines: MachinesSettings,
        /// The control door: health, services, metrics and the state, over HTTP.
        section control: ControlSettings,
        /// A pool to work for.
        optional pool: PoolSettings,
        /// Several pools: the best that works has the machines, the next stands by.
        list pools: PoolEntry,
        /// How one of several pools is chosen, and left.
        section failover: FailoverSettings,
        /// Own coin nodes to mine on.
        section solo: SoloSection,
    }
}

sl_config::settings! {
    /// Log lines, on standard error.
    pub struct LogSettings {
        /// What they look like.
        restart style: LogStyle = "pretty",
        /// The least that is logged: error, warn, info, debug or trace; also by part, as in
        /// info,sl_solo=debug.
        live level: String = "info",
    }
}

sl_config::settings! {
    /// The simulated world of educational mode.
    pub struct SimulationSettings {
        /// How many times faster the chains' clock runs than the wall clock.
        restart time_factor: f64 = 25 in 0.01..=100000,
        /// The chains that are simulated, LTC among them; an empty list means all of the coin table.
        restart coins: Vec<CoinName> = "",
        /// Hash rate that the first blocks are made for; none measures this machine's at the start.
        restart engine_rate: Option<Rate>,
        /// Least expected hashes of a block, the pow limit of every simulated chain.
        restart min_hashes_per_block: f64 = 4096 in 1..=1e15,
        /// Hash rate to be shown for the real one; none shows the real one.
        restart claimed_rate: Option<Rate>,
        /// The port of the first coin's node; each further coin has the next.
        restart rpc_port: u16 = 19400 in 1024..=65000,
        /// User of the nodes' RPC.
        restart rpc_user: String = "silverlode",
        /// Password of the nodes' RPC.
        restart rpc_password: Secret = "play-coins",
    }
}

impl SimulationSettings {
    /// The chains that are simulated, in the order of their ports.
    #[must_use]
    pub fn chains(&self) -> Vec<Ticker> {
        match self.coins.as_slice() {
            [] => coins::all().iter().map(|row| row.ticker).collect(),
            named => named.to_vec(),
        }
    }
}

/// What no single setting can know: rules of production mode, values that exclude each other.
pub fn check(settings: &Settings, check: &mut Check<'_>) {
    check_plan(settings, check);
    if settings.mode == Mode::Production {
        examples(settings, check);
    }
}

/// The example addresses of the settings, with their keys.
pub(crate) fn examples_found(settings: &Settings) -> Vec<(String, String)> {
    let is_example = |node: &NodeSection| {
        let address = Address::parse(&node.address, node.coin.row());
        address.is_ok_and(|address| address.is_example())
    };
    let nodes = nodes(settings).filter(|(_, node)| is_example(node));
    let nodes = nodes.map(|(key, node)| (format!("{key}.address"), node.address.clone()));
    nodes.chain(pools::examples(settings)).collect()
}

/// The same for a plan that is shown and not run: addresses may be the example.
pub fn check_plan(settings: &Settings, check: &mut Check<'_>) {
    let coins = settings.simulation.chains();
    if !coins.iter().any(|coin| coin.row().role == coins::Role::Parent) {
        let wrong = Wrong::value("no parent chain is among the coins, allowed: a list with LTC");
        check.refuse("simulation.coins", wrong.hint("add LTC"));
    }
    for (at, coin) in coins.iter().enumerate() {
        if coins.iter().take(at).any(|earlier| earlier == coin) {
            check.refuse("simulation.coins", Wrong::value(format!("{coin} stands there twice")));
        }
    }
    if settings.solo.parent.is_none() && !settings.solo.auxiliaries.is_empty() {
        let wrong = Wrong::value("auxiliary chains are mined with a parent, and none is given");
        check.refuse("solo.auxiliaries", wrong.hint("add solo.parent, a Litecoin node"));
    }
    let found = settings.solo.tag.len();
    if found > MAX_TAG {
        let wrong = format!("found {found} bytes, allowed: {MAX_TAG} at most");
        check.refuse("solo.tag", Wrong::range(wrong));
    }
    for (key, node) in nodes(settings) {
        if let Err(wrong) = Address::parse(&node.address, node.coin.row()) {
            check.refuse(&format!("{key}.address"), Wrong::value(wrong.to_string()));
        }
        if let Err(wrong) = sl_ports::http::check_url(&node.url) {
            let wrong = Wrong::value(wrong.to_string());
            check.refuse(&format!("{key}.url"), wrong.hint("such as http://127.0.0.1:9332"));
        }
        check_role(&key, node, settings, check);
    }
    if settings.control.listen.is_some_and(|listen| !listen.ip().is_loopback()) {
        let wrong = Wrong::value("the control door has no key, so it opens on loopback only");
        check.refuse("control.listen", wrong.hint("use 127.0.0.1:8787"));
    }
    if let Err(wrong) = sl_telemetry::check_filter(&settings.log.level) {
        check.refuse("log.level", Wrong::value(wrong.to_string()));
    }
    if let Err(wrong) = settings.gateway.may_listen() {
        check.refuse("gateway.listen", Wrong::value(wrong.to_string()));
    }
    if let Some(Err(wrong)) = settings.pool.as_ref().map(PoolSettings::login) {
        check.refuse("pool.user", Wrong::value(wrong.to_string()));
    }
    if let Err((key, wrong)) = settings.machines.check() {
        check.refuse(key, wrong);
    }
    pools::check(settings, check);
    if settings.mode == Mode::Production {
        production(settings, check);
    }
}

/// Whether the coin of a node can stand where it stands.
fn check_role(key: &str, node: &NodeSection, settings: &Settings, check: &mut Check<'_>) {
    let parent = settings.solo.parent.as_ref().is_some_and(|parent| std::ptr::eq(parent, node));
    let coin = node.coin;
    let wrong = match (parent, coin.row().role == coins::Role::Parent) {
        (true, false) => {
            Some(format!("{coin} cannot be the parent, whose blocks carry the others"))
        }
        (false, true) => Some(format!("{coin} cannot be an auxiliary: no block carries its own")),
        _ => None,
    };
    if let Some(wrong) = wrong {
        let hint = "the parent is LTC, every other coin goes among solo.auxiliaries";
        check.refuse(&format!("{key}.coin"), Wrong::value(wrong).hint(hint));
    }
    let same = |other: &&NodeSection| other.coin == coin;
    let first = settings.solo.auxiliaries.iter().find(same);
    if !parent && first.is_some_and(|first| !std::ptr::eq(first, node)) {
        let wrong = Wrong::value(format!("{coin} stands there twice"));
        check.refuse(&format!("{key}.coin"), wrong.hint("keep one of its nodes"));
    }
}

/// All nodes of the settings with their keys.
fn nodes(settings: &Settings) -> impl Iterator<Item = (String, &NodeSection)> {
    let solo = &settings.solo;
    let auxiliaries = solo.auxiliaries.iter().enumerate();
    let parent = solo.parent.iter().map(|parent| ("solo.parent".to_owned(), parent));
    parent.chain(auxiliaries.map(|(at, node)| (format!("solo.auxiliaries[{at}]"), node)))
}

/// All secrets with their keys.
pub(crate) fn secrets(settings: &Settings) -> impl Iterator<Item = (String, &Secret)> {
    let own = [
        ("machines.password", &settings.machines.password),
        ("simulation.rpc_password", &settings.simulation.rpc_password),
    ];
    let gateway = settings.gateway.password.iter().map(|secret| ("gateway.password", secret));
    let nodes = nodes(settings).map(|(key, node)| (format!("{key}.password"), &node.password));
    let named = own.into_iter().chain(gateway).map(|(key, secret)| (key.to_owned(), secret));
    named.chain(pools::passwords(settings)).chain(nodes)
}

fn production(settings: &Settings, check: &mut Check<'_>) {
    if settings.gateway.password.as_ref().is_some_and(Secret::is_inline) {
        refuse_inline(check, "gateway.password");
    }
    if settings.pool.is_none() && settings.pools.is_empty() && settings.solo.parent.is_none() {
        let wrong = Wrong::value("production mode needs somewhere to mine");
        check.refuse(
            "mode",
            wrong.hint(
                "give a pool (pool.url, pool.user), several (pools) or own nodes (solo.parent)",
            ),
        );
    }
    for (key, password) in pools::passwords(settings) {
        // "x" and the like are no secrets: pools read them as nothing.
        let plain = |text: &str| text.len() > 1 && !text.contains('=');
        if let Secret::Inline(text) = password
            && plain(text.expose())
        {
            refuse_inline(check, &key);
        }
    }
    for (key, node) in nodes(settings) {
        if node.password.is_inline() {
            refuse_inline(check, &format!("{key}.password"));
        }
    }
}

/// Nobody's wallets must not be paid to.
fn examples(settings: &Settings, check: &mut Check<'_>) {
    for (key, address) in examples_found(settings) {
        let wrong = format!("{address} is the example address, whose key nobody has");
        check.refuse(&key, Wrong::value(wrong).hint("give an address of your own wallet"));
    }
}

fn refuse_inline(check: &mut Check<'_>, key: &str) {
    let wrong = Wrong::value("production mode takes no secret in plain text");
    check.refuse(key, wrong.hint("refer to it: env:NAME, file:/path or credential:NAME"));
}

#[cfg(test)]
mod tests {
    use sl_config::Layers;

    use super::*;

    fn expect(text: &str, wanted: &[(&str, &str)]) {
        let layers = Layers::new().file("silverlode.yaml", text);
        let read = sl_config::load(layers).and_then(|loaded| loaded.read_with(check));
        let problems: Vec<_> = match read {
            Ok::<Settings, _>(_) => Vec::new(),
            Err(problems) => problems.list().to_vec(),
        };
        let found: Vec<_> = problems.iter().map(|it| (it.key.as_str(), it.to_string())).collect();
        let keys: Vec<_> = found.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, wanted.iter().map(|(key, _)| *key).collect::<Vec<_>>(), "{found:?}");
        for ((_, text), (_, word)) in found.iter().zip(wanted) {
            assert!(text.contains(word), "{word:?} is not in {text}");
        }
    }

    #[test]
    fn what_the_start_would_refuse_is_found_before() {
        expect("gateway:\n  listen: 0.0.0.0:3333\n", &[("gateway.listen", "allow_lan")]);
        let open = "gateway:\n  listen: 0.0.0.0:3333\n  allow_lan: true\n";
        expect(open, &[("gateway.listen", "no password")]);
        expect(&format!("{open}  password: env:GATEWAY_PASSWORD\n"), &[]);
        let node = |coin: &str, url: &str| {
            let row = coins::by_ticker(coin).expect("a coin of the table");
            format!(
                "{{coin: {coin}, url: '{url}', user: a, password: b, address: {}}}",
                Address::example(row)
            )
        };
        let long = format!("solo:\n  tag: {}\n", "x".repeat(MAX_TAG + 1));
        expect(&long, &[("solo.tag", "28 at most")]);
        let good = "http://127.0.0.1:9332";
        let solo = |parent: &str, auxiliaries: &[String]| {
            format!("solo:\n  parent: {parent}\n  auxiliaries: [{}]\n", auxiliaries.join(", "))
        };
        expect(&solo(&node("LTC", good), &[node("DOGE", good)]), &[]);
        expect(&solo(&node("DOGE", good), &[]), &[("solo.parent.coin", "the parent is LTC")]);
        expect(
            &solo(&node("LTC", "https://node"), &[node("DOGE", good), node("DOGE", good)]),
            &[("solo.parent.url", "use http://"), ("solo.auxiliaries[1].coin", "twice")],
        );
        expect(
            &solo(&node("LTC", "http://node:99999"), &[node("LTC", good)]),
            &[("solo.parent.url", "65535"), ("solo.auxiliaries[0].coin", "cannot be an auxiliary")],
        );
    }
}
