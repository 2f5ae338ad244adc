use serde::Serialize;
use thiserror::Error;

use crate::{
    auxpow::{MAX_HEIGHT, PlanError, least_height, slot},
    coins::{self, ChainId, Role},
};

/// How a set of chains shares one auxiliary tree, and why it needs the size it needs.
#[derive(Debug, Clone, Serialize)]
pub struct PlanExplained {
    /// The chains, in the order given.
    pub coins: Vec<PlannedCoin>,
    /// Every pair, the hardest to tell apart first.
    pub pairs: Vec<PlannedPair>,
    /// The least height; `None` if two chains have one id (or ids equal in their low 30 bits).
    pub height: Option<u32>,
    /// Slots at that height.
    pub slots: Option<u32>,
    /// The pair that forces the height; `None` for a single chain.
    pub forced_by: Option<PlannedPair>,
    /// That pair in the next smaller tree under several nonces: always together.
    pub trials: Vec<NonceTrial>,
    /// Words that name a parent, which has no place in the tree.
    pub ignored: Vec<String>,
}

/// A chain in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedCoin {
    /// The ticker, or the id as it was written.
    pub name: String,
    /// The coin's name, where the table has it.
    pub coin: Option<&'static str>,
    /// The chain id.
    pub chain_id: u32,
    /// The slot at nonce 0; `None` where there is no tree.
    pub slot: Option<u32>,
}

/// Two chains and what it takes to tell them apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedPair {
    /// The one.
    pub first: String,
    /// Its chain id.
    pub first_id: u32,
    /// The other.
    pub second: String,
    /// Its chain id.
    pub second_id: u32,
    /// How many low bits of the ids are equal; 32 for one id.
    pub equal_bits: u32,
    /// The least height that parts them; `None` if none does.
    pub height: Option<u32>,
}

/// The slots of two chains under a nonce, in a tree too small for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NonceTrial {
    /// The nonce.
    pub nonce: u32,
    /// Slot of the one.
    pub first: u32,
    /// Slot of the other.
    pub second: u32,
}

/// Why a plan cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanFault {
    /// A word that is neither a coin nor an id.
    #[error("no coin is called {found:?}{}, allowed are {allowed} and chain ids as in 98 or 0x62", near(.nearest.as_deref()))]
    Unknown {
        /// The word, cut to 80 characters.
        found: String,
        /// The coin that was probably meant.
        nearest: Option<String>,
        /// All coins with a chain id.
        allowed: String,
    },
    /// More than a coinbase could be asked for.
    #[error("{found} chains are given, at most {MAX_CHAINS} can be planned at once")]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// Nothing to plan.
    #[error(transparent)]
    Empty(#[from] PlanError),
}

/// More chains than anybody mines; bounds the pairs.
const MAX_CHAINS: usize = 256;

/// Nonces for the demonstration: the first ones, and one far away.
const NONCES: [u32; 4] = [0, 1, 2, 0xdead_beef];

fn near(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |name| format!(" (did you mean {name}?)"))
}

/// Plans the tree for coins by ticker or by chain id. Parents are left out.
///
/// # Errors
/// A word that is neither, or no chain at all.
pub fn plan(words: &[impl AsRef<str>]) -> Result<PlanExplained, PlanFault> {
    let mut coins: Vec<PlannedCoin> = Vec::new();
    let mut ignored = Vec::new();
    for word in words {
        match chain(word.as_ref())? {
            Some(coin) => coins.push(coin),
            None => ignored.push(word.as_ref().to_owned()),
        }
    }
    if coins.len() > MAX_CHAINS {
        return Err(PlanFault::TooMany { found: coins.len() });
    }
    let ids: Vec<u32> = coins.iter().map(|coin| coin.chain_id).collect();
    let height = match least_height(&ids) {
        Ok(height) => Some(height),
        Err(PlanError::Collision(_)) => None,
        Err(empty @ PlanError::Empty) => return Err(empty.into()),
    };
    for coin in &mut coins {
        coin.slot = height.map(|height| slot(0, coin.chain_id, height));
    }
    let pairs = pairs(&coins);
    let forced_by = pairs.first().cloned();
    let trials = forced_by.as_ref().map(trials).unwrap_or_default();
    let slots = height.map(|height| 1 << height);
    Ok(PlanExplained { coins, pairs, height, slots, forced_by, trials, ignored })
}

fn chain(word: &str) -> Result<Option<PlannedCoin>, PlanFault> {
    if let Some(row) = coins::by_ticker(word) {
        return Ok(row.chain_id.map(|id| PlannedCoin {
            name: row.ticker.to_string(),
            coin: Some(row.name),
            chain_id: id.get(),
            slot: None,
        }));
    }
    if word.eq_ignore_ascii_case("parent") {
        return Ok(None);
    }
    let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let id = match digits {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    };
    match id {
        Some(chain_id) => {
            let row = coins::auxiliaries().find(|row| row.chain_id == Some(ChainId::new(chain_id)));
            Ok(Some(PlannedCoin {
                name: row.map_or_else(|| word.to_owned(), |row| row.ticker.to_string()),
                coin: row.map(|row| row.name),
                chain_id,
                slot: None,
            }))
        }
        None => Err(PlanFault::Unknown {
            found: word.chars().take(80).collect(),
            nearest: nearest(word),
            allowed: coins::auxiliaries()
                .map(|row| row.ticker.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

/// The ticker that was probably meant: one letter off, or the beginning of a coin's name.
fn nearest(word: &str) -> Option<String> {
    if word.len() > 32 {
        return None;
    }
    let upper = word.to_ascii_uppercase();
    let by_name = coins::all().iter().find(|row| {
        let name = row.name.to_ascii_uppercase();
        upper.len() >= 3 && (name.starts_with(&upper) || upper.starts_with(&name))
    });
    let by_letters = || {
        coins::all()
            .iter()
            .filter(|row| row.role == Role::Auxiliary)
            .map(|row| (strsim::damerau_levenshtein(&upper, row.ticker.as_str()), row))
            .filter(|(distance, row)| *distance <= 2 && *distance + 1 < row.ticker.as_str().len())
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, row)| row)
    };
    by_name.or_else(by_letters).map(|row| row.ticker.to_string())
}

fn pairs(coins: &[PlannedCoin]) -> Vec<PlannedPair> {
    let mut pairs = Vec::new();
    for (at, first) in coins.iter().enumerate() {
        for second in coins.iter().skip(at + 1) {
            let equal_bits = (first.chain_id ^ second.chain_id).trailing_zeros();
            pairs.push(PlannedPair {
                first: first.name.clone(),
                first_id: first.chain_id,
                second: second.name.clone(),
                second_id: second.chain_id,
                equal_bits,
                height: Some(equal_bits + 1).filter(|height| *height <= MAX_HEIGHT),
            });
        }
    }
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.equal_bits));
    pairs
}

fn trials(pair: &PlannedPair) -> Vec<NonceTrial> {
    // In the tree one lower than the pair needs; of one id, in any: a middling one.
    let height = pair.height.map_or(5, |height| height - 1);
    let trial = |nonce| NonceTrial {
        nonce,
        first: slot(nonce, pair.first_id, height),
        second: slot(nonce, pair.second_id, height),
    };
    NONCES.into_iter().map(trial).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(words: &[&str], expect: Option<u32>) {
        assert_eq!(plan(words).expect("known").slots, expect, "{words:?}");
    }

    #[test]
    fn sizes_that_the_ids_force() {
        check(&["DOGE"], Some(1));
        check(&["DOGE", "DINGO", "BELLS", "JKC"], Some(32));
        check(&["98", "0x32"], Some(32));
        check(&["LTC", "parent", "doge", "PEP"], Some(2));
        check(&["DOGE", "98"], None);
        let plan = plan(&["BELLS", "DOGE", "DINGO"]).expect("known");
        let pair = plan.forced_by.expect("more than one chain");
        assert_eq!((pair.first.as_str(), pair.second.as_str()), ("DOGE", "DINGO"));
        assert!(plan.trials.iter().all(|trial| trial.first == trial.second));
    }

    #[test]
    fn unknown_words_get_the_nearest_coin() {
        for (word, expect) in [
            ("DOEG", Some("DOGE")),
            ("dingocoin", Some("DINGO")),
            ("BELS", Some("BELLS")),
            ("luckycoin", Some("LKY")),
            ("0xzz", None),
            ("-1", None),
            ("ETHEREUM", None),
        ] {
            match plan(&[word]) {
                Err(PlanFault::Unknown { nearest, .. }) => {
                    assert_eq!(nearest.as_deref(), expect, "{word}");
                }
                other => panic!("{word}: {other:?}"),
            }
        }
        assert_eq!(plan(&["LTC"]).expect_err("no auxiliary"), PlanFault::Empty(PlanError::Empty));
    }

    proptest! {
        #[test]
        fn the_trials_show_the_law(first: u32, second: u32) {
            let plan = plan(&[first.to_string(), second.to_string()]).expect("ids");
            prop_assert!(plan.trials.iter().all(|trial| trial.first == trial.second));
        }
    }
}
