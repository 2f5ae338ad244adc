use serde::Serialize;
use sl_units::{CoinAmount, Hash256};

use super::{
    Options,
    fields::civil,
    given::Read,
    script::{height_push, magics, miner_text},
};
use crate::{
    Header,
    auxpow::{AuxPow, AuxRules, ChainIdLayout},
    coins::{self, CoinRow},
};

pub(super) const SCRYPT: &str = "scrypt";
pub(super) const SHA256D: &str = "sha256d";

/// Merge-mined chains that are not in the coin table because they do not hash with Scrypt, by the
/// ids in their recorded blocks (`testdata/auxpow`): enough to say whose block it is.
const OTHERS: [(u32, &str); 2] = [(1, "Namecoin"), (4096, "Syscoin")];

/// Which chain the block is of, and whose rules apply.
#[derive(Debug, Clone, Serialize)]
pub struct ChainFacts {
    /// The coin's ticker, if it is in the coin table.
    pub ticker: Option<&'static str>,
    /// Its name, where known.
    pub name: Option<&'static str>,
    /// The chain id that the rules demand, or that the version carries.
    pub chain_id: Option<u32>,
    /// How that was found out.
    pub reading: String,
    /// Whether nodes enforce chain ids.
    pub strict: bool,
    /// Whether a commitment must have the magic.
    pub magic_required: bool,
}

/// The chain with what judging needs of it.
pub(super) struct Identity {
    pub(super) facts: ChainFacts,
    pub(super) row: Option<&'static CoinRow>,
    pub(super) rules: AuxRules,
    pub(super) algorithm: &'static str,
}

pub(super) fn identify(header: Option<&Header>, options: &Options) -> Identity {
    let by_version = header.and_then(|header| {
        coins::auxiliaries().find(|row| row.chain_id_of(header.version) == row.chain_id)
    });
    let row = options.coin.or(by_version);
    if let Some(row) = row
        && let Some(mut rules) = AuxRules::of(row)
    {
        rules.strict &= !options.testnet;
        let reading = match (options.coin, header) {
            (Some(_), _) => "the coin was named".to_owned(),
            (None, Some(header)) => format!("read in the version {:08x}", header.version),
            (None, None) => String::new(),
        };
        return identity(Some(row), Some(row.name), Some(rules.chain_id), reading, rules);
    }
    // Without a row, the id is taken from the version as most chains do, and not enforced.
    let carried = header.map(|header| header.version >> 16);
    let (chain_id, reading) = match (carried, header) {
        (Some(0), Some(header)) => {
            (None, format!("the version {:08x} carries no chain id", header.version))
        }
        (Some(id), _) => (Some(id), format!("no coin of the table has chain id {id}")),
        (None, _) => (None, "neither header nor coin is given".to_owned()),
    };
    let other = OTHERS.iter().find(|(id, _)| Some(*id) == chain_id);
    let rules = AuxRules {
        chain_id: chain_id.unwrap_or(0),
        layout: ChainIdLayout::Upper16,
        strict: false,
        magic_required: false,
    };
    let reading = match other {
        Some(_) => "it hashes with SHA-256d, not Scrypt".to_owned(),
        None => reading,
    };
    let algorithm = if other.is_some() { SHA256D } else { SCRYPT };
    Identity { algorithm, ..identity(None, other.map(|(_, name)| *name), chain_id, reading, rules) }
}

fn identity(
    row: Option<&'static CoinRow>,
    name: Option<&'static str>,
    chain_id: Option<u32>,
    reading: String,
    rules: AuxRules,
) -> Identity {
    let facts = ChainFacts {
        ticker: row.map(|row| row.ticker.as_str()),
        name,
        chain_id,
        reading,
        strict: rules.strict,
        magic_required: rules.magic_required,
    };
    Identity { facts, row, rules, algorithm: SCRYPT }
}

/// The parent block, as far as the proof shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ParentFacts {
    /// Its hash: the name explorers know it by.
    #[serde(serialize_with = "super::text")]
    pub hash: Hash256,
    /// Which chain it is of. No byte says so: the only parent of the coin table, or Bitcoin where
    /// the auxiliary chain hashes with SHA-256d.
    pub chain: &'static str,
    /// Height that its coinbase begins with.
    pub height: Option<u64>,
    /// Its version.
    pub version: u32,
    /// The chain id that strict nodes read in it.
    pub reads_as: u32,
    /// Its time in words.
    pub time: String,
    /// The text in its coinbase: who mined it.
    pub miner: Option<String>,
}

pub(super) fn parent(proof: &AuxPow, identity: &Identity) -> ParentFacts {
    let script = proof.coinbase.inputs.first().map_or(&[][..], |input| input.script.as_slice());
    // The commitment's bytes are no text, even where they look like one.
    let (before, after) = match magics(script).first() {
        Some(&at) => {
            (script.get(..at).unwrap_or_default(), script.get(at + 44..).unwrap_or_default())
        }
        None => (script, &[][..]),
    };
    let bitcoin = identity.algorithm == SHA256D;
    ParentFacts {
        hash: proof.parent.hash(),
        chain: if bitcoin { "Bitcoin" } else { coins::parents().next().map_or("", |row| row.name) },
        height: height_push(script).map(|(height, _)| height),
        version: proof.parent.version,
        reads_as: identity.rules.layout.chain_id(proof.parent.version).unwrap_or(0),
        time: civil(proof.parent.time),
        miner: miner_text(after).or_else(|| miner_text(before)),
    }
}

/// What a block pays.
#[derive(Debug, Clone, Serialize)]
pub struct Reward {
    /// Height that the block's own coinbase begins with.
    pub height: Option<u64>,
    /// All that the coinbase pays, in coins.
    pub paid: String,
    /// What the coin table says of this height, fees aside.
    pub subsidy: Option<String>,
    /// Whether `subsidy` is the expected value of a random one.
    pub expected: bool,
    /// What is paid beyond the subsidy: the fees, if the block is valid.
    pub beyond: Option<String>,
}

pub(super) fn reward(read: &Read, identity: &Identity) -> Option<Reward> {
    let coinbase = read.txs.as_ref()?.0.first()?;
    let paid: CoinAmount =
        coinbase.outputs.iter().map(|output| CoinAmount::from_units(output.value)).sum();
    let script = coinbase.inputs.first().map(|input| input.script.as_slice());
    let height = script.and_then(height_push).map(|(height, _)| height);
    let known = identity.row.zip(height);
    let subsidy = known.map(|(row, height)| row.reward_at(height));
    let expected = known.is_some_and(|(row, height)| row.reward_is_expected_at(height));
    let beyond = subsidy
        .filter(|_| !expected)
        .and_then(|subsidy| paid.units().checked_sub(subsidy.units()))
        .map(CoinAmount::from_units);
    Some(Reward {
        height,
        paid: super::coins(paid),
        subsidy: subsidy.map(super::coins),
        expected,
        beyond: beyond.map(super::coins),
    })
}
