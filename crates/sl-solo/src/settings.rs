use std::{fmt, time::Duration};

use sl_chain::{
    address::{Address, AddressError, Network},
    coins::{CoinRow, Role, Ticker},
};
use sl_noderpc::{Endpoint, Timeouts};
use thiserror::Error;

/// Longest tag: height, commitment, extranonce and pushes take the rest of the coinbase's 100 bytes.
pub const MAX_TAG: usize = 28;
/// Most free bytes of a lease.
const MAX_FREE: usize = 16;

/// One coin node.
#[derive(Clone)]
pub struct NodeSettings {
    /// The coin it is a node of.
    pub coin: Ticker,
    /// `http://host:port` of its RPC.
    pub url: String,
    /// `rpcuser` of its configuration.
    pub user: String,
    /// `rpcpassword`; never shown.
    pub password: String,
    /// Where the coin's rewards go.
    pub address: String,
}

impl fmt::Debug for NodeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeSettings({} at {}, to {})", self.coin, self.url, self.address)
    }
}

impl NodeSettings {
    pub(crate) fn endpoint(&self, timeouts: Timeouts) -> Endpoint {
        Endpoint {
            coin: self.coin,
            url: self.url.clone(),
            user: self.user.clone(),
            password: self.password.clone(),
            timeouts,
        }
    }
}

/// Which nodes are mined on, and how.
#[derive(Clone, Debug)]
pub struct SoloSettings {
    /// The node whose headers are hashed.
    pub parent: NodeSettings,
    /// The nodes that are merge-mined, the more important first: where two cannot go together, the
    /// later is left out.
    pub auxiliaries: Vec<NodeSettings>,
    /// A text in the coinbase that names the miner.
    pub tag: String,
    /// How long tips of little value wait, to go together.
    pub dust_delay: Duration,
    /// How often templates are asked for anew while the tip stands.
    pub refresh: Duration,
    /// How often a node that cannot wait for a tip is asked for it.
    pub tip_poll: Duration,
    /// Most free bytes of a lease.
    pub free: usize,
    /// How long calls to nodes may take.
    pub timeouts: Timeouts,
}

impl SoloSettings {
    /// Settings with the defaults: tag `/silverlode/`, dust 20 ms, templates every 30 s, tips
    /// every 100 ms, 8 free bytes, real nodes.
    #[must_use]
    pub fn new(parent: NodeSettings, auxiliaries: Vec<NodeSettings>) -> Self {
        Self {
            parent,
            auxiliaries,
            tag: "/silverlode/".into(),
            dust_delay: Duration::from_millis(20),
            refresh: Duration::from_secs(30),
            tip_poll: Duration::from_millis(100),
            free: 8,
            timeouts: Timeouts::default(),
        }
    }

    /// The settings with what they say, or all that is wrong with them.
    pub(crate) fn check(self) -> Result<Checked, SettingsErrors> {
        let mut errors = Vec::new();
        let mut member = |node: &NodeSettings, wanted: Role| {
            let row = node.coin.row();
            if row.role != wanted {
                errors.push(SettingsError::Role { coin: node.coin, wanted });
            }
            Address::parse(&node.address, row)
                .map_err(|error| errors.push(SettingsError::Address { coin: node.coin, error }))
                .ok()
                .map(|address| Member { row, node: node.clone(), address })
        };
        let parent = member(&self.parent, Role::Parent);
        let auxiliaries: Vec<Member> =
            self.auxiliaries.iter().filter_map(|node| member(node, Role::Auxiliary)).collect();
        for (at, node) in self.auxiliaries.iter().enumerate() {
            if self.auxiliaries.iter().take(at).any(|earlier| earlier.coin == node.coin) {
                errors.push(SettingsError::Twice { coin: node.coin });
            }
        }
        if self.tag.len() > MAX_TAG {
            errors.push(SettingsError::Tag { found: self.tag.len() });
        }
        if !(1..=MAX_FREE).contains(&self.free) || self.free + self.tag.len() > 8 + MAX_TAG {
            errors.push(SettingsError::Free { found: self.free, tag: self.tag.len() });
        }
        match (parent, errors.is_empty()) {
            (Some(parent), true) => Ok(Checked { parent, auxiliaries, settings: self }),
            _ => Err(SettingsErrors(errors)),
        }
    }
}

/// A node with its row and its parsed address.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) row: &'static CoinRow,
    pub(crate) node: NodeSettings,
    pub(crate) address: Address,
}

impl Member {
    /// Why a node must not pay to the address, if so: the network with value takes only addresses
    /// of its own, and not the example, whose key nobody has. Where the node itself says that its
    /// chain is `simulated`, and on test networks, nothing can be lost.
    pub(crate) fn address_fault(&self, network: Network, simulated: bool) -> Option<String> {
        if network != Network::Main || simulated {
            return None;
        }
        let (address, ticker) = (&self.node.address, self.row.ticker);
        if self.address.is_example() {
            return Some(format!(
                "the payout address {address} is the example, whose key nobody has; hint: give a {ticker} address \
                 of your own wallet"
            ));
        }
        (self.address.network() == Network::Regtest).then(|| {
            format!(
                "the node is on the main network, the payout address {address} of a test network; \
                 hint: give a {ticker} address of the main network"
            )
        })
    }
}

/// Settings that make sense.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) parent: Member,
    pub(crate) auxiliaries: Vec<Member>,
    pub(crate) settings: SoloSettings,
}

impl Checked {
    /// All nodes, the parent first.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.parent).chain(&self.auxiliaries)
    }

    /// Takes over what may change while nodes are mined on: addresses, by coin, and intervals.
    pub(crate) fn follow(&mut self, new: &Self) {
        for member in std::iter::once(&mut self.parent).chain(&mut self.auxiliaries) {
            if let Some(new) = new.members().find(|new| new.node.coin == member.node.coin) {
                member.address = new.address.clone();
                member.node.address.clone_from(&new.node.address);
            }
        }
        self.settings.tip_poll = new.settings.tip_poll;
        self.settings.refresh = new.settings.refresh;
    }
}

/// What is wrong with a setting.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum SettingsError {
    /// A parent where an auxiliary belongs, or the other way round.
    #[error("{coin} cannot be the {}; hint: the parent is LTC, every other coin is an auxiliary", role(*.wanted))]
    Role {
        /// The coin.
        coin: Ticker,
        /// What it was to be.
        wanted: Role,
    },
    /// A payout address that is none.
    #[error("payout address of {coin}: {error}")]
    Address {
        /// The coin.
        coin: Ticker,
        /// Which check failed.
        #[source]
        error: AddressError,
    },
    /// A coin with two nodes.
    #[error("{coin} is listed twice among the auxiliaries; hint: keep one of its nodes")]
    Twice {
        /// The coin.
        coin: Ticker,
    },
    /// A tag that does not fit.
    #[error("the tag has {found} bytes, {MAX_TAG} are allowed")]
    Tag {
        /// Its length.
        found: usize,
    },
    /// A lease that does not fit.
    #[error(
        "{found} free bytes beside a tag of {tag}, allowed are 1 to {MAX_FREE}, with the tag 36 together"
    )]
    Free {
        /// Free bytes wanted.
        found: usize,
        /// Length of the tag.
        tag: usize,
    },
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Parent => "parent",
        Role::Auxiliary => "auxiliary",
    }
}

/// All that is wrong with the settings.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct SettingsErrors(pub Vec<SettingsError>);

#[cfg(test)]
mod tests {
    use sl_chain::coins;

    use super::*;

    fn node(coin: &str) -> NodeSettings {
        let row = coins::by_ticker(coin).expect("in the table");
        NodeSettings {
            coin: row.ticker,
            url: "http://127.0.0.1:1".into(),
            user: String::new(),
            password: "hush".into(),
            address: Address::example(row).to_string(),
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let mut wrong = node("BELLS");
        wrong.address = node("DOGE").address;
        let mut settings =
            SoloSettings::new(node("LTC"), vec![node("DOGE"), wrong, node("DOGE"), node("LTC")]);
        settings.tag = "x".repeat(60);
        let errors = settings.check().expect_err("five mistakes").to_string();
        for part in [
            "payout address of BELLS: ",
            "LTC cannot be the auxiliary",
            "DOGE is listed twice",
            "the tag has 60 bytes, 28 are allowed",
            "8 free bytes beside a tag of 60",
        ] {
            assert!(errors.contains(part), "{part} in {errors}");
        }
        assert_eq!(errors.lines().count(), 5);
    }

    #[test]
    fn good_settings_pass_and_show_no_password() {
        let settings = SoloSettings::new(node("LTC"), vec![node("DOGE")]);
        assert!(!format!("{settings:?}").contains("hush"));
        let checked = settings.check().expect("good");
        assert_eq!(checked.auxiliaries.len(), 1);
        assert_eq!(checked.parent.address_fault(Network::Main, true), None);
        assert_eq!(checked.parent.address_fault(Network::Regtest, false), None);
        let fault =
            checked.parent.address_fault(Network::Main, false).expect("money would be lost");
        assert!(fault.contains("whose key nobody has"), "{fault}");
    }
}
