//! AuxPoW explained: what each byte of an auxiliary block is, and which rule it breaks.
//!
//! A node answers a wrong proof with a bare `false`. Here the same bytes are read field by field,
//! the auxiliary tree is laid out, and every [`Rule`] has its verdict. The judge stays
//! [`verify`](crate::auxpow::verify): it is asked, what it names is mended in a copy, and it is
//! asked again, so that one look shows all that is wrong.
//!
//! ```
//! use sl_chain::explain::plan;
//!
//! let plan = plan(&["DOGE", "DINGO"]).expect("known coins");
//! assert_eq!(plan.slots, Some(32));
//! ```
mod chain;
mod fields;
mod given;
mod plan;
mod repair;
mod rules;
mod script;
mod tree;

use std::fmt;

use serde::{Serialize, Serializer};
use sl_units::{Bits, CoinAmount, Hash256, NodeDifficulty, Target};

pub use crate::auxpow::{Part, Rule};
use crate::coins::CoinRow;
pub use chain::{ChainFacts, ParentFacts, Reward};
pub use given::{Attempt, Form, NotHex, Unread, bytes_of};
pub use plan::{NonceTrial, PlanExplained, PlanFault, PlannedCoin, PlannedPair, plan};
pub use repair::Repair;
pub use tree::{BranchLevel, CoinSlot, Committed, Occupant, Side, SlotRange, Tree};

/// What is to be explained. Bytes are raw; [`bytes_of`] reads hexadecimal text.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// A block, a header with its proof, a proof, or a header; empty if both are given apart.
    pub bytes: Vec<u8>,
    /// The auxiliary block's header, given apart.
    pub header: Option<Vec<u8>>,
    /// The proof, given apart.
    pub proof: Option<Vec<u8>>,
    /// The auxiliary block's hash, for who has no header (`createauxblock.hash`).
    pub hash: Option<Hash256>,
    /// The auxiliary block's compact target, for who has no header (`createauxblock.bits`).
    pub bits: Option<Bits>,
}

/// By whose rules.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// The coin; without it, the one whose chain id the block's version carries.
    pub coin: Option<&'static CoinRow>,
    /// Rules of a test network: chain ids are not enforced.
    pub testnet: bool,
    /// Whether to look for one changed byte that explains a broken rule; takes up to a second.
    pub repair: bool,
}

/// Which of the inputs an offset counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// [`Given::bytes`].
    Bytes,
    /// [`Given::header`].
    Header,
    /// [`Given::proof`].
    Proof,
}

/// Some bytes of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spot {
    /// The input.
    pub source: Source,
    /// First byte.
    pub offset: usize,
    /// How many bytes.
    pub length: usize,
    /// What they are.
    pub what: String,
}

/// Where in a block a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// The auxiliary block's header.
    Header,
    /// The parent's coinbase, with which the proof begins.
    Coinbase,
    /// The way from the coinbase to the parent's merkle root.
    CoinbaseBranch,
    /// The way from the auxiliary block to the committed root.
    ChainBranch,
    /// The parent's header, which has the work.
    ParentHeader,
    /// The auxiliary block's own transactions.
    Transactions,
}

impl Section {
    /// The section's heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Header => "block header",
            Self::Coinbase => "proof: parent coinbase",
            Self::CoinbaseBranch => "proof: coinbase to parent's merkle root",
            Self::ChainBranch => "proof: auxiliary block to committed root",
            Self::ParentHeader => "proof: parent header",
            Self::Transactions => "transactions of the block",
        }
    }
}

/// One field. Hashes are told in display order, as nodes print them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Which part of the block it belongs to.
    pub section: Section,
    /// Which input `offset` counts in.
    pub source: Source,
    /// First byte.
    pub offset: usize,
    /// How many bytes.
    pub length: usize,
    /// What it is called.
    pub name: String,
    /// What stands there.
    pub value: String,
    /// What that means.
    pub meaning: String,
}

/// A compact target and whether the work meets it.
#[derive(Debug, Clone, Serialize)]
pub struct TargetFacts {
    /// The compact form.
    #[serde(serialize_with = "text")]
    pub bits: Bits,
    /// The target; `None` if the compact form is none.
    #[serde(serialize_with = "maybe_text")]
    pub target: Option<Target>,
    /// Its difficulty as nodes count it.
    pub difficulty: Option<f64>,
    /// Whether the work meets it.
    pub met: bool,
}

/// The proof of work.
#[derive(Debug, Clone, Serialize)]
pub struct Work {
    /// `scrypt`, or `sha256d` on chains known to use it.
    pub algorithm: &'static str,
    /// The proof-of-work hash of the header that has the work.
    #[serde(serialize_with = "text")]
    pub hash: Hash256,
    /// The difficulty that this hash would just meet, as nodes count it.
    pub difficulty: f64,
    /// The auxiliary block's target, where known.
    pub auxiliary: Option<TargetFacts>,
    /// The parent's own target; `None` for a block without AuxPoW.
    pub parent: Option<TargetFacts>,
}

/// How a rule stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// It holds.
    Held,
    /// It is broken.
    Broken(Broken),
    /// The rules before it leave nothing to judge it by.
    NotReached,
    /// It does not apply, or what it needs is not given.
    NotAsked {
        /// Why.
        why: String,
    },
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The offending bytes.
    pub spot: Spot,
    /// What stands there.
    pub found: String,
    /// What should.
    pub wanted: String,
    /// The cure.
    pub hint: String,
    /// Where the change that breaks it can be.
    pub suspects: Vec<Spot>,
    /// The one byte that explains it, if it was looked for and there is one.
    pub repair: Option<Repair>,
}

/// A rule with its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleVerdict {
    /// Its short name; those of [`Rule`] and `transactions`, `own-work`.
    pub name: &'static str,
    /// The rule in words.
    pub wording: &'static str,
    /// The verdict.
    #[serde(flatten)]
    pub state: State,
}

/// The verdict on the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// A node of the chain takes it.
    Valid,
    /// A node refuses it.
    Refused {
        /// The first broken rule, the one a node's log names.
        rule: &'static str,
    },
    /// Nothing that was given is wrong, but not all was given.
    Incomplete {
        /// What is missing.
        missing: String,
    },
}

/// What the bytes are and whether a node takes them.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// What the bytes turned out to be.
    pub form: Form,
    /// The verdict on the whole.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The auxiliary block's hash, where known.
    #[serde(serialize_with = "maybe_text")]
    pub hash: Option<Hash256>,
    /// Which chain it is.
    pub chain: ChainFacts,
    /// The parent block.
    pub parent: Option<ParentFacts>,
    /// The auxiliary tree.
    pub tree: Option<Tree>,
    /// From the coinbase to the parent's merkle root.
    pub coinbase_branch: Vec<BranchLevel>,
    /// The proof of work.
    pub work: Option<Work>,
    /// What the block pays; of whole blocks.
    pub reward: Option<Reward>,
    /// Every rule with its verdict, in the order a node tries them.
    pub rules: Vec<RuleVerdict>,
    /// Every field in the order of the bytes.
    pub fields: Vec<Field>,
}

impl Explanation {
    /// The broken rules in the order a node tries them.
    pub fn broken(&self) -> impl Iterator<Item = (&RuleVerdict, &Broken)> {
        self.rules.iter().filter_map(|rule| match &rule.state {
            State::Broken(broken) => Some((rule, broken)),
            _ => None,
        })
    }
}

/// Reads, judges and explains. `pow` is the proof-of-work hash of 80 bytes: Scrypt.
///
/// # Errors
/// Bytes that are none of the forms, with what was tried and how far each reading came.
pub fn explain(
    given: &Given,
    options: &Options,
    pow: &mut dyn FnMut(&[u8; 80]) -> Hash256,
) -> Result<Explanation, Unread> {
    let mut read = given::read(given)?;
    let header = read.header.as_ref().map(|(header, _)| *header);
    let hash = header.map(|header| header.hash()).or(given.hash);
    let bits = header.map(|header| header.bits).or(given.bits);
    let identity = chain::identify(header.as_ref(), options);
    let mut hash_of = |bytes: &[u8; 80]| match identity.algorithm {
        chain::SHA256D => crate::sha256d(bytes),
        _ => pow(bytes),
    };
    let worker = match (&read.proof, &header) {
        (Some((proof, _)), _) => Some(proof.parent),
        (None, Some(header)) if !header.has_auxpow() => Some(*header),
        _ => None,
    };
    let work_hash = worker.map(|header| hash_of(&header.to_bytes()));
    let work = work_hash.map(|work| {
        let parent = read.proof.as_ref().map(|(proof, _)| proof.parent.bits);
        Work {
            algorithm: identity.algorithm,
            hash: work,
            difficulty: NodeDifficulty::from(Target::from_le_bytes(*work.as_bytes())).get(),
            auxiliary: bits.map(|bits| target_facts(bits, work)),
            parent: parent.map(|bits| target_facts(bits, work)),
        }
    });
    let (mut rules, verdict) =
        rules::judge(&read, &identity, options, hash, bits, work_hash.unwrap_or_default());
    if options.repair {
        repair(&mut rules, &read, hash);
    }
    let tree = read.proof.as_ref().map(|(proof, place)| tree::of_proof(proof, hash, *place));
    if let Some((proof, place)) = &read.proof {
        script::split(&mut read.fields, proof, hash, *place);
    }
    Ok(Explanation {
        form: read.form,
        verdict,
        hash,
        reward: chain::reward(&read, &identity),
        parent: read.proof.as_ref().map(|(proof, _)| chain::parent(proof, &identity)),
        coinbase_branch: read
            .proof
            .as_ref()
            .map(|(proof, _)| {
                tree::levels(
                    Some(proof.coinbase.txid()),
                    &proof.coinbase_branch,
                    proof.coinbase_index,
                )
            })
            .unwrap_or_default(),
        chain: identity.facts,
        tree,
        work,
        rules,
        fields: read.fields,
    })
}

fn repair(rules: &mut [RuleVerdict], read: &given::Read, hash: Option<Hash256>) {
    for verdict in rules {
        if let State::Broken(broken) = &mut verdict.state {
            let rule = Rule::ALL.iter().find(|rule| rule.name() == verdict.name);
            broken.repair = rule.and_then(|rule| repair::of(*rule, read, hash));
        }
    }
}

fn target_facts(bits: Bits, work: Hash256) -> TargetFacts {
    let target = bits.target().ok();
    TargetFacts {
        bits,
        target,
        difficulty: target.map(|target| NodeDifficulty::from(target).get()),
        met: target.is_some_and(|target| target.is_met_by(&work)),
    }
}

fn maybe_text<T: fmt::Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}

fn text<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// An amount as text, so that no reader makes a float of it.
fn coins(amount: CoinAmount) -> String {
    amount.to_string()
}
